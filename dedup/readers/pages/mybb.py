"""MyBB 1.6 and 1.8."""

from __future__ import annotations

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

_THREAD = r"(?:showthread\.php\?(?:.*?[&;])?tid=|/thread-)(\d+)"


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a thread."""
    posts = [_post(body) for body in outermost(tree, "div.post_body")]
    boards = tree.css(".navigation a")
    thread = find_digits(_THREAD, address.place) or attribute(tree.css_first("input[name='tid']"), "value")
    return Page(
        posts=[post for post in posts if post is not None],
        thread=digits(thread),
        board=text_of(boards[-1]) if boards else None,
        title=text_of(tree.css_first(".navigation .active")),
    )


def _post(body: LexborNode) -> PagePost | None:
    number = find_digits(r"^pid_(\d+)$", body.id)
    post = ancestor(body, "div", "post") or ancestor(body, "table", "tborder")
    if number is None or post is None:
        return None
    author = post.css_first(".author_information .largetext") or post.css_first(".largetext")
    return PagePost(
        body=body,
        id=number,
        author=text_of(author),
        created=_date(post.css_first(".post_date") or post.css_first(".tcat .smalltext")),
        number=digits(text_of(post.css_first(".post_head strong") or post.css_first(".tcat strong"))),
        signature=post.css_first("div.signature"),
    )


def _date(node: LexborNode | None) -> str | None:
    """What is written, up to the note of the last edit; "Yesterday" has the date as its title."""
    parts = []
    child = node.first_child if node is not None else None
    while child is not None:
        if child.is_text_node:
            parts.append(child.text_content or "")
        elif attribute(child, "class") == "post_edit":
            break
        else:
            parts.append(attribute(child, "title") or text_of(child) or "")
        child = child.next
    return " ".join("".join(parts).split()) or None


ENGINE = Engine("mybb", (b"my_post_key", b'class="post_body'), read)
