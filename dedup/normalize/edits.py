"""Changes of a text as values: apply them, undo them, chain them, and carry offsets across them.

A list of changes is sorted by `start`, does not overlap, and counts half-open code points of the text
it applies to. With it the new text and the way back are both known, so no step needs to keep a copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]
Side = Literal["start", "end"]


class Change(NamedTuple):
    """One replacement: `text[start:end]` becomes `new`, for the reason `why`."""

    start: int
    end: int
    new: str
    why: str


class Undo(NamedTuple):
    """What `revert` needs of one change: where it was, what stood there, what stands there now."""

    start: int
    raw: str
    new: str


def apply(text: str, changes: Iterable[Change]) -> str:
    """The text with all changes made.

    >>> apply("a  b", [Change(1, 3, "-", "whitespace")])
    'a-b'
    """
    pieces: list[str] = []
    done = 0
    for change in changes:
        pieces += text[done : change.start], change.new
        done = change.end
    pieces.append(text[done:])
    return "".join(pieces)


def undos(text: str, changes: Iterable[Change]) -> list[Undo]:
    """What it takes to get `text` back once `changes` are made to it."""
    return [Undo(change.start, text[change.start : change.end], change.new) for change in changes]


def revert(changed: str, edits: Iterable[Undo]) -> str:
    """The text as it was before; `edits` are in the old text's offsets, sorted.

    Raises ValueError when `changed` is not what these edits lead to.

    >>> revert("a-b", [Undo(1, "  ", "-")])
    'a  b'
    """
    pieces: list[str] = []
    at, done = 0, 0  # how far we are in the changed text and in the old text
    for start, raw, new in edits:
        unchanged = start - done
        here = at + unchanged
        if unchanged < 0 or changed[here : here + len(new)] != new:
            raise ValueError(f"the text does not hold {new!r} where an edit of offset {start} put it")
        pieces += changed[at:here], raw
        at, done = here + len(new), start + len(raw)
    pieces.append(changed[at:])
    return "".join(pieces)


def split_at(changes: Iterable[Change], points: Sequence[int]) -> list[Change]:
    """The same changes, none of them reaching across a point (sorted offsets of the same text).

    A change that is cut keeps its `new` in the first part. This keeps an earlier deletion at such a
    point an edit of its own when `compose` would otherwise swallow it.
    """
    result: list[Change] = []
    at = 0
    for change in changes:
        while at < len(points) and points[at] <= change.start:
            at += 1
        start, new = change.start, change.new
        while at < len(points) and points[at] < change.end:
            if points[at] > start:  # two deletions can stand at one point
                result.append(Change(start, points[at], new, change.why))
                start, new = points[at], ""
            at += 1
        result.append(Change(start, change.end, new, change.why))
    return result


def compose(first: Sequence[Change], second: Sequence[Change], raw: str) -> list[tuple[Change, int | None]]:
    """Two lists in a row as one: `first` leads from `raw` to a middle text, `second` on from there.

    Each result is in raw offsets and comes with the number of the `second` change it stands for, or
    None when it is one of `first` left as it was. Every second change has exactly one result. A first
    change that shares middle text with a second one becomes part of it and takes its reason; changes
    that merely touch stay apart. What leads back to the raw text is left out.

    >>> compose([Change(0, 4, "<", "encoding")], [Change(0, 3, "", "quote")], "&lt;b> x")
    [(Change(start=0, end=6, new='', why='quote'), 0)]
    """
    middle = [0] * len(first)  # where each first change begins in the middle text
    shifts = [0]  # raw offset = middle offset + shifts[k], behind k first changes
    for number, change in enumerate(first):
        middle[number] = change.start - shifts[-1]
        shifts.append(shifts[-1] + change.end - change.start - len(change.new))
    result: list[tuple[Change, int | None]] = []
    at = 0
    told = -1  # a first change that the last second one ended in: its raw text is taken
    for number, (start, end, new, why) in enumerate(second):
        while at < len(first) and middle[at] + len(first[at].new) <= start:
            if middle[at] == end:
                break  # an insertion where a first change deleted something goes before it
            if at != told:
                result.append((first[at], None))
            at += 1
        low = at
        while at < len(first) and middle[at] < end:
            at += 1
        # Now first[low:at] share text with this change; the outer two may stick out.
        raw_start, head = start + shifts[low], ""
        if low < at and middle[low] < start:
            if low == told:
                raw_start = first[low].end
            else:
                raw_start, head = first[low].start, first[low].new[: start - middle[low]]
        raw_end, tail = end + shifts[at], ""
        told = -1
        if low < at and middle[at - 1] + len(first[at - 1].new) > end:
            at -= 1
            told = at
            stop = second[number + 1].start - middle[at] if number + 1 < len(second) else None
            raw_end, tail = first[at].end, first[at].new[end - middle[at] : stop]
        result.append((Change(raw_start, raw_end, head + new + tail, why), number))
    result += [(change, None) for change in first[at if told < 0 else at + 1 :]]
    return [
        (change, which)
        for change, which in result
        if which is not None or raw[change.start : change.end] != change.new
    ]


def to_raw(offsets: Offsets, changes: Sequence[Change], side: Side) -> Offsets:
    """Offsets of the changed text as offsets of the text before.

    `side` says whether they are starts or ends of spans: a span grows to hold a change it cuts into,
    and leaves out what was deleted at its borders.
    """
    raw, clean = _borders(changes)
    return _carry(offsets, clean, raw, side)


def to_clean(offsets: Offsets, changes: Sequence[Change], side: Side) -> Offsets:
    """Offsets of the text before as offsets of the changed text; `side` as in `to_raw`."""
    raw, clean = _borders(changes)
    return _carry(offsets, raw, clean, side)


def _borders(changes: Sequence[Change]) -> tuple[Offsets, Offsets]:
    """Starts and ends of all changes, shape (2, n), before and after they are made."""
    raw = np.array([[change.start for change in changes], [change.end for change in changes]], np.int64)
    sizes = np.array([len(change.new) for change in changes], np.int64)
    growth = sizes - (raw[1] - raw[0])
    clean = np.empty_like(raw)
    clean[1] = raw[1] + np.cumsum(growth)
    clean[0] = clean[1] - sizes
    return raw, clean


def _carry(offsets: Offsets, source: Offsets, target: Offsets, side: Side) -> Offsets:
    offsets = np.asarray(offsets, np.int64)
    if source.shape[1] == 0:
        return offsets.copy()
    shifts = np.concatenate([[0], target[1] - source[1]])
    if side == "start":
        passed = np.searchsorted(source[1], offsets, side="right")
        carried: Offsets = offsets + shifts[passed]
        near = np.minimum(passed, source.shape[1] - 1)
        inside = (passed < source.shape[1]) & (source[0][near] < offsets)
        carried[inside] = target[0][near[inside]]
    else:
        passed = np.searchsorted(source[0], offsets, side="left")
        carried = offsets + shifts[passed]
        near = np.maximum(passed - 1, 0)
        inside = (passed > 0) & (source[1][near] > offsets)
        carried[inside] = target[1][near[inside]]
    return carried
