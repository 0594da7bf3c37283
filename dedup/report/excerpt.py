"""A long text with stretches of it marked → a few pieces that show what matters.

Equal text between two marks is left out in the middle, a word of 100,000 letters and a text of a
million are cut, and each cut says how much it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from dedup.report.visible import visible

LIMIT = 1800
"""Characters of a text that are shown; the rest is counted."""
_PLAIN_EDGE = 160
_FIRST_EDGE = 80
_MARKED_EDGE = 420
_WORTH_HIDING = 120
"""Fewer characters are shown rather than counted."""
_SNAP = 24
"""So far a cut moves to stand between two words."""
_MAX_WORD = 120
_SHOWN_OF_WORD = 60
_SIGNS = re.compile(r"\s+|[^\w\s]{1,4}\s?")
_LONG_WORD = re.compile(rf"\S{{{_MAX_WORD + 1},}}")


class Mark(NamedTuple):
    """A stretch of a text that means something; half-open, in code points. Marks may overlap."""

    start: int
    end: int
    kind: str


class Piece(NamedTuple):
    """Text to show: `kinds` are those of its marks, or `left_out` where it is a note."""

    kinds: tuple[str, ...]
    text: str


LEFT_OUT = "left_out"


def excerpt(
    text: str, marks: Iterable[Mark] = (), limit: int = LIMIT, *, whole: bool = False
) -> tuple[Piece, ...]:
    """The pieces of a text that are shown, in order, with control and direction characters visible.

    Of unmarked text only what is next to a mark is shown, and of a long mark its beginning and end; a
    text without marks shows its beginning. At most about `limit` characters. With `whole` nothing is left out
    but what is over the limit, and long words.

    >>> excerpt("to be or not", [Mark(3, 5, "copy")])
    (Piece(kinds=(), text='to '), Piece(kinds=('copy',), text='be'), Piece(kinds=(), text=' or not'))
    """
    segments = list(_segments(text, marks))
    marked = any(segment.kinds for segment in segments)
    pieces: list[Piece | int] = []
    shown = 0
    for number, segment in enumerate(segments):
        if shown >= limit:
            pieces.append(len(text) - segment.start)
            break
        room = limit - shown
        edge = _MARKED_EDGE if segment.kinds else _PLAIN_EDGE
        first, last = number == 0, number == len(segments) - 1
        before = _FIRST_EDGE if first and not segment.kinds else edge
        after = edge if not last or segment.kinds else 0
        if whole or not marked:
            before, after = limit, 0
        for piece in _elide(text, segment, before, after, room):
            pieces.append(piece)
            shown += 0 if isinstance(piece, int) else len(piece.text)
    return tuple(_noted(pieces))


def _noted(pieces: Iterable[Piece | int]) -> Iterator[Piece]:
    """The pieces with a note for each stretch that is left out: numbers, of characters, in a row are one."""
    hidden = 0
    for piece in (*pieces, Piece((), "")):
        if isinstance(piece, int):
            hidden += piece
            continue
        if hidden:
            yield Piece((LEFT_OUT,), f"… {hidden:,} characters …" if hidden > 1 else "… 1 character …")
            hidden = 0
        if piece.text:
            yield piece


class _Segment(NamedTuple):
    start: int
    end: int
    kinds: tuple[str, ...]


def _segments(text: str, marks: Iterable[Mark]) -> Iterator[_Segment]:
    """The text cut wherever a mark begins or ends; all of it, in order."""
    inside = [
        Mark(max(0, mark.start), min(len(text), mark.end), mark.kind)
        for mark in marks
        if max(0, mark.start) < min(len(text), mark.end)
    ]
    events: dict[int, list[tuple[str, int]]] = {0: [], len(text): []}
    for mark in inside:
        events.setdefault(mark.start, []).append((mark.kind, 1))
        events.setdefault(mark.end, []).append((mark.kind, -1))
    cuts = sorted(events)
    open_marks: dict[str, int] = {}
    for start, end in pairwise(cuts):
        for kind, step in events[start]:
            open_marks[kind] = open_marks.get(kind, 0) + step
        yield _Segment(start, end, tuple(sorted(kind for kind, count in open_marks.items() if count > 0)))


def _elide(text: str, segment: _Segment, before: int, after: int, room: int) -> Iterator[Piece | int]:
    """The first `before` and last `after` characters of a segment within `room`; a number for what is not."""
    start, end, kinds = segment
    if end - start <= min(before + after + _WORTH_HIDING, room):
        yield from _cut_words(text[start:end], kinds)
        return
    if before + after > room:
        before, after = room, 0
    before_end = _word_end(text, start, min(start + before, end))
    after_start = max(before_end, _word_start(text, end - after, end))
    yield from _cut_words(text[start:before_end], kinds)
    yield after_start - before_end
    yield from _cut_words(text[after_start:end], kinds)


def _word_end(text: str, start: int, cut: int) -> int:
    """The cut, or the end of the last word before it, if that is near."""
    if cut == len(text) or text[cut].isspace():
        return cut
    near = max(start, cut - _SNAP)
    return next((at + 1 for at in range(cut - 1, near - 1, -1) if text[at].isspace()), cut)


def _word_start(text: str, cut: int, end: int) -> int:
    """The cut, or the start of the next word, if that is near."""
    if cut == 0 or text[cut - 1].isspace():
        return cut
    near = min(end, cut + _SNAP)
    return next((at + 1 for at in range(cut, near) if text[at].isspace()), cut)


def _cut_words(text: str, kinds: tuple[str, ...]) -> Iterator[Piece | int]:
    at = 0
    for match in _LONG_WORD.finditer(text):
        cut = match.start() + _SHOWN_OF_WORD
        yield Piece(kinds, visible(text[at:cut]))
        yield match.end() - cut
        at = match.end()
    if at < len(text):
        yield Piece(kinds, visible(text[at:]))


def joined(stretches: Sequence[tuple[int, int]], text: str, kind: str) -> list[Mark]:
    """Stretches as marks, neighbours with only white space or a few signs between them as one.

    >>> joined([(0, 3), (4, 7)], "red fox ran", "only")
    [Mark(start=0, end=7, kind='only')]
    """
    marks: list[Mark] = []
    for start, end in stretches:
        if marks and _SIGNS.fullmatch(text, marks[-1].end, start):
            marks[-1] = marks[-1]._replace(end=end)
        else:
            marks.append(Mark(start, end, kind))
    return marks
