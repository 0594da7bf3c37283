"""Quotes that plain text marks by itself: lines that begin with `>` (or `&gt;`)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.readers.base import list_array
from dedup.schema import POSTS
from dedup.text.tokens import utf8_buffers

# `>=`, `>_<`, `><` and faces are no quotes; Reddit's dumps write `&gt;`. A pattern that begins with a line
# feed is searched for with memchr, and every repetition is followed by something it cannot match itself:
# linear time.
_LINE = r"\n[ \t]*(?:>|&gt;)(?![=_<]|[:;]-?[()DPp]|\.<)[^\n]*"
_RUN = re.compile(rf"(?:{_LINE})(?:{_LINE})*")
_PROMPT = re.compile(r"(?:\n[ \t]*>>>(?: [^\n]*)?)+")


def prefix_marks(texts: pa.StringArray) -> pa.ListArray:
    """The `marks` column of posts: one mark for each unbroken run of lines that begin with `>`.

    A run all of whose lines begin with exactly `>>> ` is the prompt of an interpreter, and no quote: a
    third-hand quote stands beside lines with fewer `>`.
    """
    holding = np.union1d(rows_with(b">", texts), rows_with(b"&gt;", texts))
    rows = zip(holding.tolist(), texts.take(pa.array(holding)).to_pylist(), strict=True)
    found = {row: marks for row, text in rows if (marks := line_marks(text))}
    return list_array(found, len(texts), POSTS.field("marks").type)


def rows_with(mark: bytes, texts: pa.StringArray) -> NDArray[np.int64]:
    """The rows whose text holds some ASCII. Ten times as fast as Arrow's `match_substring`."""
    data, begins = utf8_buffers(texts)
    data = data[begins[0] : begins[-1]]
    found = data[: max(0, len(data) - len(mark) + 1)] == mark[0]
    for place in range(1, len(mark)):
        found &= data[place : place + len(found)] == mark[place]
    return np.unique(np.searchsorted(begins, np.flatnonzero(found) + begins[0], "right") - 1)


def line_marks(text: str) -> list[dict[str, Any]]:
    """The marks of one text, as rows of MARK."""
    lines = "\n" + text
    if "\r" in text:  # same length, so offsets stay; a mark must only not end in what was a CR
        lines = lines.replace("\r\n", " \n").replace("\r", "\n")
    marks: list[dict[str, Any]] = []
    for run in _RUN.finditer(lines):
        if not _PROMPT.fullmatch(run.group()):
            end = run.end() - 1
            end -= text[end : end + 1] == "\n" and text[end - 1] == "\r"
            marks.append({"start": run.start(), "end": end, "author": None, "post_id": None})
    return marks
