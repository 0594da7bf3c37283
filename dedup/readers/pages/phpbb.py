"""phpBB 2 (subSilver) and phpBB 3 (prosilver, subsilver2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    after_colon,
    ancestor,
    attribute,
    date_after,
    digits,
    find_digits,
    outermost,
    text_of,
)
from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

SIGNATURE_LINE = "_" * 17
"""What phpBB 2 puts between a post and its signature, in the post's own text."""
_TOPIC = r"(?:viewtopic\.php\?(?:.*?[&;])?t=|/t)(\d+)"


def read_3(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a phpBB 3 topic."""
    posts = [_post_of_prosilver(node) for node in outermost(tree, "div.post")]
    if not posts:
        posts = [_post_of_subsilver2(node) for node in outermost(tree, "b.postauthor")]
    title = tree.css_first(".topic-title a") or tree.css_first("h2 a") or tree.css_first("a.titles")
    topic = find_digits(_TOPIC, address.place) or find_digits(_TOPIC, attribute(title, "href"))
    boards = tree.css("#page-header a[href*='viewforum.php'],.breadcrumbs a[href*='viewforum.php']")
    if not boards:
        boards = tree.css("p.breadcrumbs a[href*='viewforum.php'],a.nav[href*='viewforum.php']")
    return Page(
        posts=[post for post in posts if post is not None],
        thread=topic,
        board=text_of(boards[-1]) if boards else None,
        title=text_of(title),
    )


def _post_of_prosilver(node: LexborNode) -> PagePost | None:
    body = node.css_first("div.content") or node.css_first("div.post-entry")
    if body is None or node.id == "p0":  # an advertisement on Forumotion, whose boards look like phpBB's
        return None
    byline = node.css_first("p.author")
    named = node.css_first("a.username,a.username-coloured,span.username,span.username-coloured")
    author = text_of(named or node.css_first("p.author strong"))
    written = text_of(byline) or ""
    time = byline.css_first("time") if byline is not None else None
    return PagePost(
        body=body,
        id=find_digits(r"^(?:post_content|p)(\d+)", node.id),
        author=author,
        created=attribute(time, "datetime")
        or (written.rpartition("»")[2].strip() if "»" in written else date_after(written, author)),
        subject=text_of(node.css_first("h3 a")),
        signature=node.css_first("div.signature"),
    )


def _post_of_subsilver2(author: LexborNode) -> PagePost | None:
    head = ancestor(author, "tr")
    row = head.next if head is not None else None
    while row is not None and row.tag != "tr":
        row = row.next
    body = row.css_first("div.postbody") if row is not None else None
    if head is None or row is None or body is None:
        return None
    said = [text_of(label.parent) for label in head.css("td.gensmall b")]
    return PagePost(
        body=body,
        id=digits(attribute(head.css_first("a[name]"), "name")),
        author=text_of(author),
        created=after_colon(said[-1]) if said else None,
        subject=after_colon(said[0]) if len(said) > 1 else None,
        signature=row.css_first("span.postbody"),
    )


def read_2(tree: LexborHTMLParser, address: Address) -> Page:
    """The posts of a phpBB 2 topic."""
    title = tree.css_first("a.maintitle")
    topic = find_digits(_TOPIC, attribute(title, "href")) or find_digits(_TOPIC, address.place)
    boards = tree.css("a.nav[href*='viewforum.php']")
    return Page(
        posts=[post for name in outermost(tree, "span.name") if (post := _post_of_2(name)) is not None],
        thread=topic,
        board=text_of(boards[0]) if boards else None,
        title=text_of(title),
    )


def _post_of_2(name: LexborNode) -> PagePost | None:
    row = ancestor(name, "tr")
    text = row.css_first("span.postbody") if row is not None else None
    if row is None or text is None or text.parent is None:
        return None
    details = row.css("span.postdetails")
    first = details[-1].first_child if details else None
    last = details[-1].last_child if details else None
    return PagePost(
        body=text.parent,
        id=digits(attribute(name.css_first("a[name]"), "name")),
        author=text_of(name),
        created=after_colon(text_of(first)),
        subject=after_colon(text_of(last)) if last != first else None,
    )


ENGINE_3 = Engine(
    "phpbb",
    (b'id="phpbb"', b'class="postauthor"', b'class="postprofile"'),
    read_3,
)
ENGINE_2 = Engine(
    "phpbb",
    (b'class="postdetails"', b'class="maintitle"'),
    read_2,
    signature_line=SIGNATURE_LINE,
)
