"""Bodies that are HTML: found out once for a source, then turned into text and marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dedup.readers.base import list_array
from dedup.readers.html_text import Fragment, fragment_text
from dedup.readers.marks import line_marks
from dedup.schema import POSTS

SAMPLE_BYTES = 64 << 10
"""So much of a source's front decides."""

_TAG = re.compile(
    r"</?(?:p|br|div|span|a|b|i|u|s|em|strong|img|blockquote|aside|ul|ol|li|pre|code|table|tr|td|font|center"
    r"|hr|h[1-6]|sup|sub|small|del|wbr|cite)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|nbsp|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_BARE = re.compile(r"<(?![A-Za-z/!?])|&(?=[\s\"',.)])")


def looks_like_html(texts: Sequence[str]) -> bool:
    """Whether the bodies of a source, of which these are some, are HTML.

    Posts *about* HTML hold tags as well; but where bodies are HTML, nobody's `a < b` and `R & D` is left
    bare, and a good part of the posts has markup.
    """
    texts = [text for text in texts if text]
    tagged = sum(_TAG.search(text) is not None for text in texts)
    coded = sum(_TAG.search(text) is None and _ENTITY.search(text) is not None for text in texts)
    bare = sum(_BARE.search(text) is not None for text in texts)
    if tagged == 0 or (tagged + coded) * 4 < len(texts):
        return False
    return bare * 8 <= tagged + coded


def convert(texts: Sequence[str]) -> tuple[list[str], dict[int, Fragment]]:
    """The texts of bodies that are HTML, and by row what is known of those that held any."""
    converted = list(texts)
    fragments: dict[int, Fragment] = {}
    for row, text in enumerate(texts):
        if "<" in text or "&" in text:
            fragment = fragment_text(text)
            converted[row] = fragment.text
            fragments[row] = fragment
    return converted, fragments


def html_marks(
    texts: Sequence[str], fragments: dict[int, Fragment], post_ids: dict[int, dict[str, str]]
) -> pa.ListArray:
    """The `marks` column: quotes of the markup, and lines that begin with `>` outside of them.

    `post_ids` gives, by row, the ids of the posts of a topic by their numbers in it.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    for row, text in enumerate(texts):
        marks: list[dict[str, Any]] = []
        if row in fragments:
            ids = post_ids.get(row, {})
            for quote in fragments[row].quotes:
                post_id = quote.post_id or ids.get(quote.number or "")
                marks.append(
                    {"start": quote.start, "end": quote.end, "author": quote.author, "post_id": post_id}
                )
        if ">" in text:
            lines = line_marks(text)
            marks = sorted(marks + _outside(lines, marks), key=lambda mark: (mark["start"], -mark["end"]))
        if marks:
            found[row] = marks
    return list_array(found, len(texts), POSTS.field("marks").type)


def _outside(lines: list[dict[str, Any]], marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those spans that are in none of the marks; both sorted."""
    kept = []
    end = at = 0
    for span in lines:
        while at < len(marks) and marks[at]["start"] <= span["start"]:
            end = max(end, marks[at]["end"])
            at += 1
        if span["end"] > end:
            kept.append(span)
    return kept
