"""SMF 1.1, 2.0 and 2.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    after_colon,
    ancestor,
    attribute,
    digits,
    find_digits,
    outermost,
    site_title,
    text_of,
)
from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_TOPIC = r"topic[=,](\d+)"


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a topic."""
    posts = [_post_of_2(body) for body in outermost(tree, "div.inner")]
    if not posts:
        posts = [_post_of_1(body) for body in outermost(tree, "div.post")]
    topic = find_digits(_TOPIC, address.place)
    if topic is None and posts:
        topic = find_digits(_TOPIC, attribute(tree.css_first("a[href*='.msg']"), "href"))
    boards = tree.css(".navigate_section a[href*='board']") or tree.css("a.nav[href*='board']")
    return Page(
        posts=[post for post in posts if post is not None],
        thread=topic,
        board=text_of(boards[-1]) if boards else None,
        title=text_of(tree.css_first(".display_title #top_subject")) or site_title(tree),
    )


def _post_of_2(body: LexborNode) -> PagePost | None:
    number = find_digits(r"^msg_(\d+)$", body.id)
    post = ancestor(body, "div", "post_wrapper")
    if number is None or post is None:
        return None
    names = post.css(".poster h4 a")
    dated = post.css_first(".postinfo .smalltext") or post.css_first(".keyinfo .smalltext")
    written = text_of(dated)
    return PagePost(
        body=body,
        id=number,
        author=text_of(names[-1] if names else post.css_first(".poster h4")),
        created=after_colon(written),
        number=digits(text_of(post.css_first(".page_number"))) or find_digits(r"#(\d+)", written),
        subject=text_of(post.css_first(f"#subject_{number}")),
        signature=post.css_first("div.signature"),
    )


def _post_of_1(body: LexborNode) -> PagePost | None:
    post = ancestor(body, "td", "windowbg") or ancestor(body, "td", "windowbg2")
    subject = post.css_first("div[id^='subject_']") if post is not None else None
    if post is None or subject is None:
        return None
    dated = subject.next
    while dated is not None and dated.tag != "div":
        dated = dated.next
    written = text_of(dated)
    return PagePost(
        body=body,
        id=digits(subject.id),
        author=text_of(post.css_first("b a") or post.css_first("b")),
        created=after_colon(written),
        number=find_digits(r"#(\d+)", written),
        subject=text_of(subject),
        signature=post.css_first("div.signature"),
    )


ENGINE = Engine("smf", (b"smf_theme_url", b"smf_scripturl", b">Powered by SMF"), read)
