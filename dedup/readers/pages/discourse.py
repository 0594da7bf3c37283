"""Discourse: the app's pages as a browser saves them, and the view for crawlers.

A post's id is topic/number: quotes name those, and the crawler view knows no other.
"""

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

_TOPIC = re.compile(r"^(.*?)/t/(?:[^/]*[^/\d][^/]*/|-/)?(\d+)(?:/|$)")


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a topic."""
    title = (
        tree.css_first("#topic-title h1 a")
        or tree.css_first("h1[data-topic-id] a")
        or tree.css_first("a.fancy-title")
    )
    found = _TOPIC.match(address.place.partition("?")[0]) or _TOPIC.match(
        unwrap(attribute(title, "href") or "")
    )
    app = outermost(tree, "article[data-post-id]")
    topic = found.group(2) if found else attribute(app[0] if app else None, "data-topic-id")
    posts = [_post_of_app(post, topic) for post in app]
    posts = posts or [_post_for_crawlers(post, topic) for post in outermost(tree, "div.crawler-post")]
    board = (
        tree.css_first(".topic-category .badge-category__name")
        or tree.css_first(".topic-category .badge-category-name")
        or tree.css_first(".topic-category .category-title")
        or tree.css_first(".title-wrapper .badge-category__name")
    )
    return Page(
        posts=[post for post in posts if post is not None],
        thread=topic,
        board=text_of(board),
        title=text_of(title),
        prefix=found.group(1) if found and address.place else None,
    )


def _id(topic: str | None, number: str | None) -> str | None:
    return f"{topic}/{number}" if topic and number else None


def _post_of_app(post: LexborNode, topic: str | None) -> PagePost | None:
    body = post.css_first("div.cooked")
    if body is None:
        return None
    number = find_digits(r"^post_(\d+)$", post.id)
    user = post.css_first(".names [data-user-card]")
    date = post.css_first(".post-date .relative-date") or post.css_first(".relative-date")
    return PagePost(
        body=body,
        id=_id(attribute(post, "data-topic-id") or topic, number),
        author=attribute(user, "data-user-card") or text_of(post.css_first(".names .username")),
        created=from_epoch(attribute(date, "data-time")) or attribute(date, "title"),
        number=number,
        signature=post.css_first(".user-signature"),
    )


def _post_for_crawlers(post: LexborNode, topic: str | None) -> PagePost | None:
    body = post.css_first("div.post")
    if body is None:
        return None
    number = digits(post.id) or text_of(post.css_first("[itemprop='position']"))
    time = post.css_first("time.post-time") or post.css_first("time")
    return PagePost(
        body=body,
        id=_id(topic, number),
        author=text_of(post.css_first(".creator [itemprop='name']") or post.css_first(".creator")),
        created=attribute(time, "datetime"),
        number=number,
    )


ENGINE = Engine(
    "discourse",
    (b'content="Discourse', b"crawler-post", b"onscreen-post"),
    read,
)
