"""Forum topics of Drupal 6, 7 and 8: a node, and its comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dedup.readers.pages.page import (
    Engine,
    Page,
    PagePost,
    date_after,
    digits,
    find_digits,
    outermost,
    site_title,
    text_of,
)
from dedup.readers.pages.urls import Address

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_NODE = re.compile(r"^(.*?)(?:/\?q=|/)node/(\d+)")


def read(tree: LexborHTMLParser, address: Address) -> Page:
    """The node of a page and its comments; of a page of several nodes, nothing."""
    nodes = outermost(tree, "div.node") or outermost(tree, "article.node")
    comments = outermost(tree, "#comments div.comment") or outermost(tree, "article.comment")
    found = _NODE.match(address.place)
    number = find_digits(r"^node-(\d+)$", nodes[0].id) if len(nodes) == 1 else None
    topic = found.group(2) if found else number
    posts = [_post(nodes[0], f"node/{topic}" if topic else None)] if len(nodes) == 1 else []
    posts += [_post(comment, _comment_id(comment)) for comment in comments]
    trail = tree.css(".breadcrumb a")
    title = tree.css_first("#page-title") or tree.css_first("h1.title") or tree.css_first("h1.page-title")
    title_text = text_of(title) or (text_of(nodes[0].css_first("h3.title")) if nodes else None)
    return Page(
        posts=[post for post in posts if post is not None],
        thread=topic,
        board=text_of(trail[-1]) if trail else None,
        title=title_text or (site_title(tree) or "").partition(" | ")[0] or None,
        prefix=found.group(1) if found else None,
    )


def _post(post: LexborNode, id_: str | None) -> PagePost | None:
    body = (
        post.css_first(".field-name-comment-body,.field--name-comment-body")
        or post.css_first(".field-name-body,.field--name-body")
        or post.css_first(".content")
    )
    if body is None:
        return None
    submitted = post.css_first(".submitted") or post.css_first(".comment__submitted,.node__submitted")
    author = post.css_first(".username") or (submitted.css_first("a") if submitted is not None else None)
    name = text_of(author)
    return PagePost(
        body=body,
        id=id_,
        author=name,
        created=date_after(text_of(submitted), name),
        subject=text_of(post.css_first("h3")),
        signature=post.css_first(".user-signature"),
    )


def _comment_id(comment: LexborNode) -> str | None:
    if (comment.id or "").startswith("comment-"):
        return digits(comment.id)
    before = comment.prev
    while before is not None and before.tag != "a":
        before = before.prev if before.tag == "-text" else None
    return find_digits(r"^comment-(\d+)$", before.id if before is not None else None)


ENGINE = Engine(
    "drupal",
    (b"Drupal.settings", b"data-drupal-", b"sites/all/", b"sites/default/"),
    read,
)
