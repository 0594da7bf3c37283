"""vBulletin 3, 4 and 5, and the plain archive pages of 3 and 4."""

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

_THREADS = (
    r"showthread\.php[?/](\d+)",
    r"showthread\.php\?(?:.*?[&;])?t=(\d+)",
    r"/archive/index\.php/t-(\d+)",
    r"/(\d+)-[^/]*$",
)
_SIGNATURE = "_" * 18
"""What vBulletin 3 puts above a signature."""
_FOLDERS = re.compile(r"/(?:archive/index\.php|showthread\.php|threads)/")


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a thread."""
    posts = [_post_of_3_or_4(body) for body in outermost(tree, "div[id^='post_message_']")]
    posts = posts or [_post_of_5(post) for post in outermost(tree, "li.b-post")]
    posts = posts or [_archived_post(post) for post in outermost(tree, "div.post")]
    thread = attribute(tree.css_first("input[name='t']"), "value")
    found = (find_digits(pattern, address.place) for pattern in _THREADS)
    boards = tree.css("span.navbar a[href*='forumdisplay']") or tree.css(".navbit a") or tree.css(".crumb a")
    title = (
        tree.css_first("td.navbar strong")
        or tree.css_first(".threadtitle")
        or tree.css_first("h1.main-title")
        or tree.css_first("p.largefont a")
    )
    inside = _FOLDERS.search(address.place)
    return Page(
        posts=[post for post in posts if post is not None],
        thread=next((number for number in found if number), None) or digits(thread),
        board=text_of(boards[-1]) if boards else None,
        title=text_of(title),
        prefix=address.place[: inside.start()] if inside else None,
    )


def _post_of_3_or_4(body: LexborNode) -> PagePost | None:
    number = find_digits(r"(\d+)$", body.id)
    post = ancestor(body, "li", "postcontainer")
    if post is not None:
        return PagePost(
            body=body,
            id=number,
            author=text_of(post.css_first(".username")),
            created=text_of(post.css_first(".date")),
            number=digits(text_of(post.css_first(".postcounter"))),
            subject=text_of(post.css_first("h2.title")),
            signature=post.css_first(".signaturecontainer"),
        )
    post = ancestor(body, "table")
    if post is None:
        return None
    dated = re.sub(r"#\s?\d+", "", text_of(post.css_first("td.thead")) or "")
    return PagePost(
        body=body,
        id=number,
        author=text_of(post.css_first(".bigusername") or post.css_first(f"#postmenu_{number}")),
        created=dated.strip() or None,
        number=digits(text_of(post.css_first(f"#postcount{number}"))),
        signature=_signature_after(body),
    )


def _signature_after(body: LexborNode) -> LexborNode | None:
    beside = body.next
    while beside is not None:
        if beside.tag == "div" and beside.text_lexbor()[:200].lstrip().startswith(_SIGNATURE):
            return beside
        beside = beside.next
    return None


def _post_of_5(post: LexborNode) -> PagePost | None:
    body = post.css_first("div.js-post__content-text")
    if body is None:
        return None
    time = post.css_first("time")
    return PagePost(
        body=body,
        id=attribute(post, "data-node-id"),
        author=text_of(post.css_first(".author strong") or post.css_first(".author")),
        created=attribute(time, "datetime") or text_of(time),
        number=digits(text_of(post.css_first(".b-post__count"))),
        subject=text_of(post.css_first(".b-post__title")),
        signature=post.css_first(".b-post__signature"),
    )


def _archived_post(post: LexborNode) -> PagePost | None:
    body = post.css_first("div.posttext")
    if body is None:
        return None
    return PagePost(
        body=body,
        author=text_of(post.css_first("div.username")),
        created=text_of(post.css_first("div.date")),
    )


ENGINE = Engine(
    "vbulletin",
    (
        b'content="vBulletin',
        b'id="post_message_',
        b'class="posttext"',
    ),
    read,
    plain_blockquotes=False,
)
