"""Invision Power Board 3 and Invision Community 4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    ancestor,
    attribute,
    digits,
    find_digits,
    outermost,
    text_of,
)
from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_TOPIC = re.compile(r"^(.*?)(?:/index\.php\?)?/topic/(\d+)(?:-|/|$)")
_SHOWTOPIC = re.compile(r"^(.*?)/(?:index\.php)?\?(?:.*?[&;])?showtopic=(\d+)")


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a topic."""
    posts = [_post_of_4(body) for body in outermost(tree, "div[data-role='commentContent']")]
    posts = posts or [_post_of_3(post) for post in outermost(tree, "div.post_block")]
    found = _TOPIC.match(address.place) or _SHOWTOPIC.match(address.place)
    boards = tree.css("nav.ipsBreadcrumb li[data-ipsmenu] a,ul[data-role='breadcrumbList'] li > a")
    boards = boards or tree.css("#secondary_navigation a")
    title = tree.css_first(".ipsType_pageTitle .ipsType_break") or tree.css_first(".main_topic_title")
    return Page(
        posts=[post for post in posts if post is not None],
        thread=found.group(2) if found else None,
        board=text_of(boards[-1]) if boards else None,
        title=text_of(title),
        prefix=found.group(1) if found else None,
    )


def _post_of_4(body: LexborNode) -> PagePost | None:
    post = ancestor(body, "article")
    if post is None:
        return None
    time = post.css_first(".ipsComment_meta time") or post.css_first("time")
    author = post.css_first(".cAuthorPane_author a") or post.css_first(".cAuthorPane_author")
    return PagePost(
        body=body,
        id=find_digits(r"elComment_(\d+)", post.id),
        author=text_of(author or post.css_first(".ipsComment_author a")),
        created=attribute(time, "datetime") or text_of(time),
        signature=post.css_first("div[data-role='memberSignature']"),
    )


def _post_of_3(post: LexborNode) -> PagePost | None:
    body = post.css_first("div.entry-content")
    if body is None:
        return None
    time = post.css_first("abbr.published")
    return PagePost(
        body=body,
        id=digits(post.id),
        author=text_of(post.css_first(".author .name")) or _guest(text_of(post.css_first("h3"))),
        created=attribute(time, "title") or text_of(time),
        number=digits(text_of(post.css_first(".post_id"))),
        signature=post.css_first("div.signature"),
    )


def _guest(heading: str | None) -> str | None:
    """Guests have no element of their own: "#22 Guest_Ann_*"."""
    name = re.sub(r"^#\d+ ?", "", heading or "")
    return re.sub(r"^Guest_(.+)_\*$", r"\1", name) or None


ENGINE = Engine(
    "invision",
    (
        b"ipb.vars[",
        b"ipsComment_content",
        b"post_block hentry",
    ),
    read,
)
