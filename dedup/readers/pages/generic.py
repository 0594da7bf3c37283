"""Pages of unknown make: blocks of one kind, one below the other, each with a name or a date and a text.

Class names say what a block is and what is in it: "post", "comment", "author", "date", "body" …
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    attribute,
    find_digits,
    is_inside,
    site_title,
    text_of,
)
from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_BLOCK_WORDS = ("post", "comment", "message", "reply")
_BLOCKS = ",".join(
    f"{tag}[class*='{word}']" for word in _BLOCK_WORDS for tag in ("div", "li", "article", "tr")
)
_BODIES = ",".join(f"[class*='{word}']" for word in ("body", "content", "text", "message", "entry"))
_AUTHORS = ",".join(
    f"[class*='{word}']" for word in ("author", "username", "user-name", "poster", "nick", "fn")
)
_DATES = ",".join(f"[class*='{word}']" for word in ("date", "time", "posted", "submitted"))
_TIME, _PUBLISHED, _SIGNATURE = "time[datetime]", "abbr[title].published", ".signature"
_PARTS = (_TIME, _PUBLISHED, _AUTHORS, _DATES, _SIGNATURE)
"""Of blocks; few pages have all of them, and to look for one in each block takes time."""
_NOT_A_BLOCK = re.compile(
    r"body|content|text|head|foot|author|user|date|time|meta|button|title|form|profile|wrap"
    r"|recent|latest|popular|related|widget|sidebar|ticker|menu"
)
_VARYING = re.compile(r"\d+|^(?:odd|even|first|last|alt|new|old|by.*|comment-author.*|depth.*|row.*|bg.*)$")
_HEADING = re.compile(r"\s[-–|·•»]\s")
_ARTICLE = "meta[content^='WordPress'],meta[content='article'],meta[content='product']"
"""Found in pages on which a single block is no thread without answers, but an article."""
_MOST_BLOCKS = 2000


class _Block(NamedTuple):
    node: LexborNode
    author: str | None
    created: str | None
    heading: str | None
    """Looked for only where something is said nowhere else."""


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The group of blocks that holds most text, of those most of whose blocks have a name and a date."""
    there = {selector for selector in _PARTS if tree.css_first(selector) is not None}
    groups: dict[tuple[str, ...], dict[int, LexborNode]] = defaultdict(dict)
    for node in tree.css(_BLOCKS)[:_MOST_BLOCKS]:  # finds a node once for every word in its class
        kind = _kind(node.tag or "", node.attrs.get("class") or "")
        if kind is not None and not is_inside(node, groups[kind]):
            groups[kind][node.mem_id] = node
    lone_post_fits = tree.css_first(_ARTICLE) is None
    best: list[_Block] = []
    most = 0.0
    for nodes in groups.values():
        blocks = [_read_block(node, there) for node in nodes.values()]
        told = sum((block.author is not None) + (block.created is not None) for block in blocks)
        if not blocks or told < len(blocks) or (len(blocks) == 1 and (told < 2 or not lone_post_fits)):
            continue
        score = sum(len(block.node.text_lexbor()) for block in blocks) * told / len(blocks)
        if score > most:
            best, most = blocks, score
    posts = [post for block in best if (post := _post(block, there)) is not None]
    return Page(posts=posts, title=_title(text_of(tree.css_first("h1")), site_title(tree)))


def _title(heading: str | None, site: str | None) -> str | None:
    """The thread's title: the heading, unless that is the name of the site, with which its title ends."""
    if heading and site and site.endswith(heading) and len(site) > len(heading):
        return site[: -len(heading)].strip(" -–|·•:»") or heading
    return heading or site


@lru_cache(4096)
def _kind(tag: str, classes: str) -> tuple[str, ...] | None:
    """Tag and classes, without what differs from block to block; None for what is a part of a block."""
    kept = [name for name in classes.lower().split() if not _VARYING.search(name)]
    if not any(word in name and not _NOT_A_BLOCK.search(name) for name in kept for word in _BLOCK_WORDS):
        return None
    return (tag, *sorted(kept))


def _read_block(node: LexborNode, there: Collection[str]) -> _Block:
    """What a block says of itself; `there` are those of _PARTS that the page has."""
    created = author = None
    if _TIME in there:
        created = attribute(node.css_first(_TIME), "datetime")
    if created is None and _PUBLISHED in there:
        created = attribute(node.css_first(_PUBLISHED), "title")
    if _AUTHORS in there:
        author = next((text for found in node.css(_AUTHORS)[:5] if (text := _short(found, 60))), None)
    if created is None and _DATES in there:
        dates = (text for found in node.css(_DATES)[:5] if (text := _short(found, 90)))
        created = next((text for text in dates if any(char.isdigit() for char in text)), None)
    heading = None
    if not node.id or (author is None and created is None):
        heading = text_of(node.css_first("h3,h4,h5,header"))
    if author is None and created is None:
        # "#66 - Ann - Thu Jan 12, 2006 6:22 pm" in a line of its own
        parts = _HEADING.split(heading or "")
        if len(parts) > 1 and re.search(r"\d{4}", parts[-1]):
            author, created = parts[-2], parts[-1]
    return _Block(node, author, created, heading)


def _short(node: LexborNode, most: int) -> str | None:
    text = text_of(node)
    return text if text and len(text) <= most else None


def _post(block: _Block, there: Collection[str]) -> PagePost | None:
    body, most = block.node, 0
    for node in block.node.css(_BODIES)[:20]:
        size = len(node.text_lexbor())
        if size > most:
            body, most = node, size
    if len(body.text_lexbor().strip()) == 0:
        return None
    heading = block.heading if not block.node.id else None
    return PagePost(
        body=body,
        id=find_digits(r"(\d+)", block.node.id) or find_digits(r"^#(\d+)\b", heading),
        author=block.author,
        created=block.created,
        signature=block.node.css_first(_SIGNATURE) if _SIGNATURE in there else None,
    )


ENGINE = Engine("unknown", (), read, signature_line="_" * 17)
