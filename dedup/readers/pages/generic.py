"""Pages of unknown make: blocks of one kind, one below the other, each with a name or a date and a text.

Class names say what a block is and what is in it: "post", "comment", "author", "date", "body" …
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    attribute,
    find_digits,
    first_of,
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
_YEAR = re.compile(r"\d{4}")
_ARTICLE = "meta[content^='WordPress'],meta[content='article'],meta[content='product']"
"""Found in pages on which a single block is no thread without answers, but an article."""
_MOST_BLOCKS = 2000
_MOST_AROUND = 50
"""Blocks of other kinds around a block; a hostile page may have thousands."""


class _Block:
    """A block, and what may be a part of it, in order."""

    __slots__ = ("author", "created", "heading", "kind", "may_be_body", "node", "parts", "said")

    def __init__(self, node: LexborNode, kind: tuple[str, ...], may_be_body: bool) -> None:
        self.node, self.kind, self.may_be_body = node, kind, may_be_body
        self.parts: tuple[list[LexborNode], ...] = ([], [], [], [], [], [])
        self.author: str | None = None
        self.created: str | None = None
        self.heading: LexborNode | None = None  # looked for only where something is said nowhere else
        self.said: str | None = None  # in the heading


_Inside: TypeAlias = dict[int, tuple[_Block, ...]]
"""By `mem_id`, the blocks in which an element's children are."""


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The group of blocks that holds most text, of those most of whose blocks have a name and a date."""
    best: list[_Block] = []
    most = 0.0
    groups, inside = _find_blocks(tree)
    nameless = [block for blocks in groups for block in blocks if not _read_parts(block)]
    if nameless:
        _find_headings(tree, inside)
        for block in nameless:
            _read_heading(block)
    lone_post_fits = all(len(blocks) > 1 for blocks in groups) or tree.css_first(_ARTICLE) is None
    for blocks in groups:
        told = sum([(block.author is not None) + (block.created is not None) for block in blocks])
        if told < len(blocks) or (len(blocks) == 1 and (told < 2 or not lone_post_fits)):
            continue
        score = sum([len(block.node.text_lexbor()) for block in blocks]) * told / len(blocks)
        if score > most:
            best, most = blocks, score
    posts = [post for block in best if (post := _post(block)) is not None]
    return Page(posts=posts, title=_title(text_of(first_of(tree, "h1")), site_title(tree)))


def _find_blocks(tree: LexborHTMLParser) -> tuple[Collection[list[_Block]], _Inside]:
    """The blocks of a page by their kinds, with their parts; no block lies in another of its kind.

    One look at the elements that have a class: a selector costs as much as some twenty of them.
    """
    groups: dict[tuple[str, ...], list[_Block]] = defaultdict(list)
    inside: _Inside = {}
    count = last = 0
    for node in tree.css("[class],time[datetime]"):
        roles, kind = _meaning(node.tag or "", node.attrs.get("class") or "")
        if (not roles and kind is None) or node.mem_id == last:  # found as both
            continue
        last = node.mem_id
        around = _blocks_around(node, inside)
        for block in around:
            for role in roles:
                block.parts[role].append(node)
        if kind is None or len(around) == _MOST_AROUND or count == _MOST_BLOCKS:
            continue
        if all(block.kind != kind for block in around):
            count += 1
            groups[kind].append(_Block(node, kind, _BODY in roles))
            inside[node.mem_id] = (*around, groups[kind][-1])
    return groups.values(), inside


def _find_headings(tree: LexborHTMLParser, inside: _Inside) -> None:
    """Give each block the first heading in it. One look for all: see `_find_blocks`."""
    for node in tree.css("h3,h4,h5,header"):
        for block in _blocks_around(node, inside):
            if block.heading is None:
                block.heading = node


def _blocks_around(node: LexborNode, inside: _Inside) -> tuple[_Block, ...]:
    """The blocks in which an element is, those of elements on the way noted in `inside`."""
    passed = []
    found: tuple[_Block, ...] | None = None
    parent = node.parent
    while parent is not None:
        place = parent.mem_id
        found = inside.get(place)
        if found is not None:
            break
        passed.append(place)
        parent = parent.parent
    found = found or ()
    for place in passed:
        inside[place] = found
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


def _read_parts(block: _Block) -> bool:
    """Look for the name and the date in what may be parts of a block; whether it says all that is needed."""
    parts = block.parts
    created = None
    if parts[_TIME]:
        times = (attribute(time, "datetime") for time in parts[_TIME] if "datetime" in time.attrs)
        created = next(times, None)
    if created is None and parts[_PUBLISHED]:
        created = next((title for abbr in parts[_PUBLISHED] if (title := attribute(abbr, "title"))), None)
    if created is None and parts[_DATE]:
        dates = _short(parts[_DATE], 90)
        created = next((text for text in dates if any(map(str.isdigit, text))), None)
    block.author, block.created = next(_short(parts[_AUTHOR], 60), None), created
    return bool(block.node.id) and (block.author is not None or created is not None)


def _short(nodes: Sequence[LexborNode], most: int) -> Iterator[str]:
    """The short texts among those of the first nodes."""
    for node in nodes[:5]:
        text = text_of(node)
        if text and len(text) <= most:
            yield text


def _read_heading(block: _Block) -> None:
    """Look in the heading for what a block says nowhere else."""
    block.said = text_of(block.heading)
    if block.author is None and block.created is None:
        # "#66 - Ann - Thu Jan 12, 2006 6:22 pm" in a line of its own
        said = _HEADING.split(block.said or "")
        if len(said) > 1 and _YEAR.search(said[-1]):
            block.author, block.created = said[-2], said[-1]


def _post(block: _Block) -> PagePost | None:
    body, most = block.node, 0
    for node in block.parts[_BODY][:20]:
        size = len(node.text_lexbor())
        if size > most:
            body, most = node, size
    if block.may_be_body and 2 * most < _unaccounted(block):
        body = block.node  # a "message" with its text beside what calls itself one
    if not body.text_lexbor().strip():
        return None
    own_id = block.node.id
    return PagePost(
        body=body,
        id=find_digits(r"(\d+)", own_id) if own_id else find_digits(r"^#(\d+)\b", block.said),
        author=block.author,
        created=block.created,
        signature=next(iter(block.parts[_SIGNATURE]), None),
    )


def _unaccounted(block: _Block) -> int:
    """How many characters of a block are neither its author nor its date."""
    return len(text_of(block.node) or "") - len(block.author or "") - len(block.created or "")


ENGINE = Engine("unknown", (), read, signature_line="_" * 17)
