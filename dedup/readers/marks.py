"""Quotes that a text marks by itself: BBCode tags, and lines that begin with `>` (or `&gt;`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.readers.base import list_array
from dedup.readers.bbcode import find_tagged
from dedup.schema import POSTS
from dedup.text import eights
from dedup.text.tokens import utf8_buffers

# `>=`, `>_<`, `><` and faces are no quotes; Reddit's dumps write `&gt;`. A pattern that begins with a line
# feed is searched for with memchr, and every repetition is followed by something it cannot match itself:
# linear time.
_LINE = r"\n[ \t]*(?:>|&gt;)(?![=_<]|[:;]-?[()DPp]|\.<)[^\n]*"
_RUN = re.compile(rf"(?:{_LINE})(?:{_LINE})*")
_PROMPT = re.compile(r"(?:\n[ \t]*>>>(?: [^\n]*)?)+")

Spans = list[dict[str, Any]]


class Quoted(NamedTuple):
    """The quotes of some texts: by row, entries of the columns `marks` and `chrome`."""

    marks: dict[int, Spans]
    chrome: dict[int, Spans]
    """The tags of the marked quotes, inside their marks: `quote_chrome`, which goes with its quote."""

    def columns(self, rows: int) -> dict[str, pa.Array]:
        """The two columns of POSTS."""
        return {name: list_array(getattr(self, name), rows, POSTS.field(name).type) for name in self._fields}


def find_marks(texts: pa.StringArray) -> Quoted:
    """The quotes that texts mark: one mark for each tagged quote and each run of lines that begin with `>`.

    A run all of whose lines begin with exactly `>>> ` is the prompt of an interpreter, and no quote: a
    third-hand quote stands beside lines with fewer `>`.
    """
    tagged_rows = rows_with(b"[/", texts)  # every tag must be closed
    holding = np.union1d(np.union1d(rows_with(b">", texts), rows_with(b"&gt;", texts)), tagged_rows)
    is_tagged = np.isin(holding, tagged_rows).tolist()
    quoted = Quoted({}, {})
    found = zip(holding.tolist(), texts.take(pa.array(holding)).to_pylist(), is_tagged, strict=True)
    for row, text, may_be_tagged in found:
        marks = line_marks(text)
        if may_be_tagged and (tagged := find_tagged(text)):
            marks += [
                {"start": t.start, "end": t.end, "author": t.author, "post_id": t.post_id} for t in tagged
            ]
            marks.sort(key=lambda mark: (mark["start"], -mark["end"]))
            tags = sorted(tag for t in tagged for tag in ((t.start, t.body_start), (t.body_end, t.end)))
            quoted.chrome[row] = [{"start": a, "end": b, "why": "quote_chrome"} for a, b in tags]
        if marks:
            quoted.marks[row] = marks
    return quoted


def quoted_parent(marks: Spans, known: Mapping[str, str], own_id: str | None) -> str | None:
    """The id of the post that a post quotes first, where that is known: it answers that post.

    known: from how quotes name posts to their ids; whom the dump does not have, nobody can be the child of.
    """
    end = 0
    for mark in marks:
        if mark["start"] < end:
            continue  # a quote in a quote
        end = mark["end"]
        found = known.get(mark["post_id"] or "")
        if found is not None and found != own_id:
            return found
    return None


def rows_with(mark: bytes, texts: pa.StringArray) -> NDArray[np.int64]:
    """The rows whose text holds some bytes. Twenty times as fast as Arrow's `match_substring`."""
    data, begins = utf8_buffers(texts)
    held = np.zeros(len(texts), np.bool_)
    _find_rows(data, begins, np.frombuffer(mark, np.uint8), held)
    return np.flatnonzero(held)


@helper
def _find_rows(
    data: NDArray[np.uint8], begins: NDArray[np.int64], mark: NDArray[np.uint8], held: NDArray[np.bool_]
) -> None:
    """Note which texts hold the bytes `mark`."""
    for row in range(len(held)):
        end = begins[row + 1] - len(mark) + 1  # none begins there or behind
        at = eights.find(data, begins[row], end, mark[0])
        while at < end and not eights.holds(data, at, mark):
            at = eights.find(data, at + 1, end, mark[0])
        held[row] = at < end


def line_marks(text: str) -> Spans:
    """The marks of lines of one text that begin with `>`, as rows of MARK."""
    if ">" not in text and "&gt;" not in text:
        return []
    lines = "\n" + text
    if "\r" in text:  # same length, so offsets stay; a mark must only not end in what was a CR
        lines = lines.replace("\r\n", " \n").replace("\r", "\n")
    marks: Spans = []
    for run in _RUN.finditer(lines):
        if not _PROMPT.fullmatch(run.group()):
            end = run.end() - 1
            end -= text[end : end + 1] == "\n" and text[end - 1] == "\r"
            marks.append({"start": run.start(), "end": end, "author": None, "post_id": None})
    return marks
