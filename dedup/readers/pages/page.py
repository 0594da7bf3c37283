"""What an engine's module finds in a page: posts as places in the tree, their fields as strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode


_MOST_LEVELS = 50
"""No engine puts a post's parts further apart; a hostile page may be 10,000 levels deep."""


_NUMERIC_DATE = re.compile(r"(?:[^\W\d]{2,12}\.?, )?\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.*")


class PagePost(NamedTuple):
    """One post of a page; what the page does not say is None."""

    body: LexborNode
    id: str | None = None
    author: str | None = None
    created: str | None = None
    """As ISO 8601 where the page has it for machines, else as written."""
    number: str | None = None
    """The post's number in its thread."""
    subject: str | None = None
    signature: LexborNode | None = None


class Page(NamedTuple):
    """A page of one thread."""

    posts: list[PagePost]
    thread: str | None = None
    """The engine's own id of the thread."""
    board: str | None = None
    title: str | None = None
    prefix: str | None = None
    """Host and path of the board, where its threads do not stand right below it."""


class Engine(NamedTuple):
    """How the pages of one kind of forum software are told and read."""

    name: str
    tells: tuple[bytes, ...]
    """Bytes of which one at least stands in its pages, and none in others."""
    read: Callable[[LexborHTMLParser, Address], Page]
    plain_blockquotes: bool = True
    """Whether a blockquote without a class is a quote, or only indented."""
    signature_line: str | None = None
    """The line between a post's text and its signature, where markup does not part them."""


def attribute(node: LexborNode | None, name: str) -> str | None:
    """An attribute of a node; None where there is no node, no attribute or nothing in it."""
    return (node.attrs.get(name) or None) if node is not None and node.is_element_node else None


def ancestor(node: LexborNode, tag: str, with_class: str | None = None) -> LexborNode | None:
    """The nearest element of a name, and a class, around a node."""
    found = node.parent
    for _ in range(_MOST_LEVELS):
        if found is None:
            break
        if found.tag == tag and (not with_class or with_class in (found.attrs.get("class") or "").split()):
            return found
        found = found.parent
    return None


def outermost(tree: LexborHTMLParser, selector: str) -> list[LexborNode]:
    """What a selector finds, in order, without what lies inside another find: no post holds posts."""
    found = tree.css(selector)
    within = {node.mem_id for node in found}
    return [node for node in found if not is_inside(node, within)]


def is_inside(node: LexborNode, within: Collection[int]) -> bool:
    """Whether one of the nodes with these `mem_id` is around a node, no engine's parts being far apart."""
    around = node.parent
    for _ in range(_MOST_LEVELS):
        if around is None:
            return False
        if around.mem_id in within:
            return True
        around = around.parent
    return False


def text_of(node: LexborNode | None) -> str | None:
    """All text in a node on one line; None where there is none."""
    if node is None:
        return None
    text = node.text_lexbor().replace("\xa0", " ")
    return " ".join(text.split()) or None


def digits(text: str | None) -> str | None:
    """The last run of digits: "#12", "post-123", "msg5"."""
    found = re.findall(r"\d+", text[-40:]) if text else []
    return found[-1] if found else None


def find_digits(pattern: str, text: str | None) -> str | None:
    """What the one group of a pattern finds."""
    found = re.search(pattern, text) if text else None
    return found.group(1) if found else None


def from_epoch(seconds: str | None) -> str | None:
    """Seconds or milliseconds since 1970 as ISO 8601 in UTC."""
    if not seconds or not seconds.isdecimal() or not seconds.isascii() or not 8 <= len(seconds) <= 14:
        return None
    value = int(seconds) // (1000 if len(seconds) > 11 else 1)
    try:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


def after_colon(text: str | None) -> str | None:
    """What follows the first colon that a blank follows: "Posted: Wed Jan 08, 2003 9:31 pm"."""
    if not text:
        return None
    _, colon, rest = text.partition(": ")
    if text.endswith(":") and not colon:
        return None
    return (rest if colon else text).strip(" «»\xa0") or None


def date_after(byline: str | None, author: str | None) -> str | None:
    """Of "Submitted by Ann on Sat, 24/01/2015 - 12:11", what follows the name and a short word."""
    if not byline:
        return None
    if author is None:
        found = _NUMERIC_DATE.search(byline)
        return found.group().strip(" .") if found else None
    return re.sub(r"^\W*[^\W\d]{0,4}\s", "", byline.partition(author)[2], count=1).strip(" .") or None


def first_of(tree: LexborHTMLParser, tag: str) -> LexborNode | None:
    """The first element of a name. A selector takes twice as long."""
    return next(iter(tree.tags(tag)), None)


def site_title(tree: LexborHTMLParser) -> str | None:
    """What the page's own title says."""
    return text_of(first_of(tree, "title"))
