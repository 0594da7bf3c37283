"""Damaged pages: cut short, spliced, with bytes changed. Whatever comes in, tables come out."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Read
from dedup.readers import Block
from dedup.readers.pages import Pages

SAMPLES = [
    path.read_bytes() for path in sorted((Path(__file__).parents[1] / "data" / "pages").glob("*.html"))
]
SNIPPETS = [
    b"<",
    b">",
    b'"',
    b"&",
    b"\0",
    b"\xff",
    b"</div>",
    b"</td></tr></table>",
    b"<blockquote>",
    b"</blockquote>",
    b"<table><td>",
    b"<!--",
    b"-->",
    b"<script>",
    b"<plaintext>",
    b"<svg><style>",
    b"<template>",
    b"<select>",
    b"<pre>\n",
    b"<ul><li>",
    b'<base href="http://[">',
    b'<td class="quote">',
    b'<div class="quoteheader">',
    b'<div class="codebox"><p>',
    b'<div class="post"><b class="author">x</b>',
    b"&#xD800;",
    b"<a href=http://x/...>http://x...",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sample, or two, after a few cuts, copies and insertions."""
    data = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([3, 40, 400, 4000])))))
        what = draw(st.sampled_from(["cut", "insert", "repeat", "truncate", "splice", "byte"]))
        if what == "cut":
            data = data[:start] + data[end:]
        elif what == "insert":
            data = data[:start] + draw(st.sampled_from(SNIPPETS)) * draw(st.integers(1, 3)) + data[start:]
        elif what == "repeat":
            data = data[:end] + data[start:end] + data[end:]
        elif what == "truncate":
            data = data[:start]
        elif what == "splice":
            other = draw(st.sampled_from(SAMPLES))
            data = data[:start] + other[draw(st.integers(0, len(other))) :]
        else:
            data = data[:start] + draw(st.binary(min_size=1, max_size=3)) + data[start + 1 :]
    return data


def check(data: bytes) -> int:
    """Read a page and look whether its tables hold what they promise; how many posts there are."""
    parsed = Pages().parse(Block(data, "page.html", 1, 0, "html"), Read())
    parsed.posts.validate(full=True)
    parsed.rejected.validate(full=True)
    assert (parsed.posts.num_rows > 0) != (parsed.rejected.num_rows > 0)
    for post in parsed.posts.to_pylist():
        size = len(post["text"])
        post["text"].encode()
        json.loads(post["metadata"])
        for span in (*post["marks"], *post["chrome"]):
            assert 0 <= span["start"] < span["end"] <= size
        starts = [(mark["start"], -mark["end"]) for mark in post["marks"]]
        assert starts == sorted(starts)
        for mark in post["marks"]:
            quoted = post["text"][mark["start"] : mark["end"]]
            assert quoted.strip(" \t\n"), quoted
            assert quoted[0] != "\n"
            assert quoted[-1] != "\n"
    return parsed.posts.num_rows


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_damaged_pages(data: bytes) -> None:
    check(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*SNIPPETS, b"text", b" ", b"<p>", b"<br>"]), max_size=40).map(b"".join))
def test_any_markup_in_a_post(body: bytes) -> None:
    check(b'<html id="XF"><article class="message"><div class="message-body">' + body)
