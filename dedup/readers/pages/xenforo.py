"""XenForo 1 and 2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    attribute,
    digits,
    find_digits,
    from_epoch,
    outermost,
    text_of,
)
from dedup.readers.pages.urls import Address, unwrap

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_THREAD = re.compile(r"^(.*?)/?(?:index\.php\?)?threads/(?:[^/]*\.)?(\d+)(?:/|$)")


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a thread; of any other page, none."""
    if tree.css_first("#XenForo") is not None:
        posts = [_post_of_1(node) for node in outermost(tree, "li.message")]
        title, crumbs = tree.css_first(".titleBar h1"), tree.css(".breadcrumb .crust a.crumb")
    else:
        posts = [_post_of_2(node) for node in outermost(tree, "article.message")]
        title, crumbs = tree.css_first("h1.p-title-value"), tree.css(".p-breadcrumbs li a")
    found = _THREAD.match(address.place)
    if found is None:
        link = tree.css_first("a[href*='threads/'][href*='/post-'],a[href*='threads/'][href*='#post-']")
        found = _THREAD.match(unwrap(attribute(link, "href") or ""))
    return Page(
        posts=[post for post in posts if post is not None],
        thread=found.group(2) if found else None,
        board=text_of(crumbs[-1]) if crumbs else None,
        title=_title(title),
        prefix=found.group(1) if found and address.place else None,
    )


def _title(node: LexborNode | None) -> str | None:
    """Without the labels in front of it."""
    if node is None:
        return None
    labels = [text for label in node.css(".label,.prefix") if (text := text_of(label))]
    title = text_of(node) or ""
    for label in labels:
        title = title.removeprefix(label).strip()
    return title or None


def _post_of_1(node: LexborNode) -> PagePost | None:
    body = node.css_first("blockquote.messageText")
    if body is None or not (node.id or "").startswith("post-"):
        return None
    time = node.css_first("abbr.DateTime")
    if time is not None:
        created = from_epoch(attribute(time, "data-time"))
    else:
        time = node.css_first("span.DateTime")
        created = attribute(time, "title")
    return PagePost(
        body=body,
        id=digits(node.id),
        author=attribute(node, "data-author") or text_of(node.css_first("a.username")),
        created=created or text_of(time),
        number=digits(text_of(node.css_first("a.postNumber"))),
        signature=node.css_first("div.signature"),
    )


def _post_of_2(node: LexborNode) -> PagePost | None:
    body = node.css_first(".message-body .bbWrapper") or node.css_first(".message-body")
    if body is None:
        return None
    time = node.css_first("time")
    return PagePost(
        body=body,
        id=find_digits(r"post-(\d+)", attribute(node, "data-content") or node.id),
        author=attribute(node, "data-author") or text_of(node.css_first(".message-name")),
        created=attribute(time, "datetime") or from_epoch(attribute(time, "data-time")) or text_of(time),
        number=digits(text_of(node.css_first(".message-attribution-opposite"))),
        signature=node.css_first("aside.message-signature"),
    )


ENGINE = Engine("xenforo", (b'id="XF"', b'id="XenForo"'), read)
