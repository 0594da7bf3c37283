"""Bodies that are HTML: found out once for a source; and the marks of their texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.readers.html_text import Quote
from dedup.readers.marks import Spans, line_marks, rows_with

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


def html_marks(
    texts: pa.StringArray,
    quotes: Mapping[int, Sequence[Quote]],
    post_ids: Mapping[int, Mapping[str, str]],
    html: NDArray[np.bool_],
) -> dict[int, Spans]:
    """By row, entries of `marks`: quotes of the markup, and lines that begin with `>` outside of them.

    `html` says which rows were HTML: no others are looked at. `post_ids` gives, by row, the ids of the posts
    of a topic by their numbers in it.
    """
    found: dict[int, Spans] = {}
    for row, listed in quotes.items():
        ids = post_ids.get(row, {})
        found[row] = [
            {
                "start": quote.start,
                "end": quote.end,
                "author": quote.author,
                "post_id": quote.post_id or ids.get(quote.number or ""),
            }
            for quote in listed
        ]
    rows = rows_with(b">", texts)
    rows = rows[html[rows]]
    for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        if lines := line_marks(text):
            marks = found.get(row, [])
            marks = marks + _outside(lines, marks)
            found[row] = sorted(marks, key=lambda mark: (mark["start"], -mark["end"]))
    return found


def _outside(lines: Spans, marks: Spans) -> Spans:
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
