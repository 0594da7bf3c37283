"""Pages of unknown make: blocks of one kind, one below the other, each with a name or a date and a text.

Class names say what a block is and what is in it: "post", "comment", "author", "date", "body" …
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    attribute,
    find_digits,
    site_title,
    text_of,
)
from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_BLOCK_WORDS = ("post", "comment", "message", "reply")
_BLOCK_TAGS = ("div", "li", "article", "tr")
_TIME, _PUBLISHED, _AUTHOR, _DATE, _BODY, _SIGNATURE = range(6)
"""Parts of blocks."""
_WORDS = {
    _AUTHOR: ("author", "username", "user-name", "poster", "nick", "fn"),
    _DATE: ("date", "time", "posted", "submitted"),
    _BODY: ("body", "content", "text", "message", "entry"),
}
_NOT_A_BLOCK = re.compile(
    r"body|content|text|head|foot|author|user|date|time|meta|button|title|form|profile|wrap"
    r"|recent|latest|popular|related|widget|sidebar|ticker|menu"
)
_VARYING = re.compile(r"\d+|^(?:odd|even|first|last|alt|new|old|by.*|comment-author.*|depth.*|row.*|bg.*)$")
_HEADING = re.compile(r"\s[-–|·•»]\s")
_ARTICLE = "meta[content^='WordPress'],meta[content='article'],meta[content='product']"
"""Found in pages on which a single block is no thread without answers, but an article."""
_MOST_BLOCKS = 2000
_MOST_AROUND = 50
"""Blocks of other kinds around a block; a hostile page may have thousands."""


class _Block:
    """A block, and what may be a part of it, in order."""

    __slots__ = ("author", "created", "heading", "kind", "may_be_body", "node", "parts")

    def __init__(self, node: LexborNode, kind: tuple[str, ...], may_be_body: bool) -> None:
        self.node, self.kind, self.may_be_body = node, kind, may_be_body
        self.parts: dict[int, list[LexborNode]] = {}
        self.author: str | None = None
        self.created: str | None = None
        self.heading: str | None = None  # looked for only where something is said nowhere else


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The group of blocks that holds most text, of those most of whose blocks have a name and a date."""
    best: list[_Block] = []
    most = 0.0
    groups = _find_blocks(tree)
    lone_post_fits = all(len(blocks) > 1 for blocks in groups) or tree.css_first(_ARTICLE) is None
    for blocks in groups:
        for block in blocks:
            _read_block(block)
        told = sum((block.author is not None) + (block.created is not None) for block in blocks)
        if told < len(blocks) or (len(blocks) == 1 and (told < 2 or not lone_post_fits)):
            continue
        score = sum(len(block.node.text_lexbor()) for block in blocks) * told / len(blocks)
        if score > most:
            best, most = blocks, score
    posts = [post for block in best if (post := _post(block)) is not None]
    return Page(posts=posts, title=_title(text_of(tree.css_first("h1")), site_title(tree)))


def _find_blocks(tree: LexborHTMLParser) -> Collection[list[_Block]]:
    """The blocks of a page by their kinds, with their parts; no block lies in another of its kind.

    One look at the elements that have a class: a selector costs as much as some twenty of them.
    """
    groups: dict[tuple[str, ...], list[_Block]] = defaultdict(list)
    inside: dict[int, tuple[_Block, ...]] = {}  # by `mem_id`, the blocks in which an element's children are
    count = last = 0
    for node in tree.css("[class],time[datetime]"):
        if node.mem_id == last:  # found as both
            continue
        last = node.mem_id
        roles, kind = _meaning(node.tag or "", node.attrs.get("class") or "")
        if not roles and kind is None:
            continue
        around = _blocks_around(node, inside)
        for role in roles:
            for block in around:
                block.parts.setdefault(role, []).append(node)
        if kind is None or len(around) == _MOST_AROUND or count == _MOST_BLOCKS:
            continue
        if all(block.kind != kind for block in around):
            count += 1
            groups[kind].append(_Block(node, kind, _BODY in roles))
            inside[node.mem_id] = (*around, groups[kind][-1])
    return groups.values()


def _blocks_around(node: LexborNode, inside: dict[int, tuple[_Block, ...]]) -> tuple[_Block, ...]:
    """The blocks in which an element is, those of elements on the way noted in `inside`."""
    passed = []
    found = None
    parent = node.parent
    while parent is not None and (found := inside.get(parent.mem_id)) is None:
        passed.append(parent.mem_id)
        parent = parent.parent
    found = found or ()
    for element in passed:
        inside[element] = found
    return found


def _title(heading: str | None, site: str | None) -> str | None:
    """The thread's title: the heading, unless that is the name of the site, with which its title ends."""
    if heading and site and site.endswith(heading) and len(site) > len(heading):
        return site[: -len(heading)].strip(" -–|·•:»") or heading
    return heading or site


@lru_cache(4096)
def _meaning(tag: str, classes: str) -> tuple[tuple[int, ...], tuple[str, ...] | None]:
    """What an element of these classes may be in a block, and which kind of block it may be itself."""
    roles = [role for role, words in _WORDS.items() if any(word in classes for word in words)]
    names = classes.split()
    if tag == "time":
        roles.append(_TIME)
    elif tag == "abbr" and "published" in names:
        roles.append(_PUBLISHED)
    if "signature" in names:
        roles.append(_SIGNATURE)
    is_likely = tag in _BLOCK_TAGS and any(word in classes for word in _BLOCK_WORDS)
    return tuple(roles), _kind(tag, classes) if is_likely else None


def _kind(tag: str, classes: str) -> tuple[str, ...] | None:
    """Tag and classes, without what differs from block to block; None for what is a part of a block."""
    kept = [name for name in classes.lower().split() if not _VARYING.search(name)]
    if not any(word in name and not _NOT_A_BLOCK.search(name) for name in kept for word in _BLOCK_WORDS):
        return None
    return (tag, *sorted(kept))


def _read_block(block: _Block) -> None:
    """Look for what a block says of itself."""
    node, part = block.node, block.parts.get
    created = next(
        (attribute(time, "datetime") for time in part(_TIME, ()) if "datetime" in time.attrs), None
    )
    if created is None:
        created = next((title for abbr in part(_PUBLISHED, ()) if (title := attribute(abbr, "title"))), None)
    author = next((text for found in part(_AUTHOR, ())[:5] if (text := _short(found, 60))), None)
    if created is None:
        dates = (text for found in part(_DATE, ())[:5] if (text := _short(found, 90)))
        created = next((text for text in dates if any(char.isdigit() for char in text)), None)
    if not node.id or (author is None and created is None):
        block.heading = text_of(node.css_first("h3,h4,h5,header"))
    if author is None and created is None:
        # "#66 - Ann - Thu Jan 12, 2006 6:22 pm" in a line of its own
        said = _HEADING.split(block.heading or "")
        if len(said) > 1 and re.search(r"\d{4}", said[-1]):
            author, created = said[-2], said[-1]
    block.author, block.created = author, created


def _short(node: LexborNode, most: int) -> str | None:
    text = text_of(node)
    return text if text and len(text) <= most else None


def _post(block: _Block) -> PagePost | None:
    body, most = block.node, 0
    for node in block.parts.get(_BODY, ())[:20]:
        size = len(node.text_lexbor())
        if size > most:
            body, most = node, size
    if block.may_be_body and 2 * most < _unaccounted(block):
        body = block.node  # a "message" with its text beside what calls itself one
    if len(body.text_lexbor().strip()) == 0:
        return None
    heading = block.heading if not block.node.id else None
    return PagePost(
        body=body,
        id=find_digits(r"(\d+)", block.node.id) or find_digits(r"^#(\d+)\b", heading),
        author=block.author,
        created=block.created,
        signature=next(iter(block.parts.get(_SIGNATURE, ())), None),
    )


def _unaccounted(block: _Block) -> int:
    """How many characters of a block are neither its author nor its date."""
    return len(text_of(block.node) or "") - len(block.author or "") - len(block.created or "")


ENGINE = Engine("unknown", (), read, signature_line="_" * 17)
