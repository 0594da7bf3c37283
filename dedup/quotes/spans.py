"""Copied passages as the steps hand them on: spans of posts, with the exact runs they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.arrays import inverse
from dedup.quotes import within

Zeros: TypeAlias = Callable[[tuple[int, ...], type], NDArray[Any]]

SIGNATURE = 1 << 10
"""Flag of a span: a signature of its author."""
RESEMBLES = 1 << 11
"""Flag of a span found by aligning two resembling posts; it means nothing in a post with own words."""
PROTECTED = 1 << 14
"""Flag of a span: it holds a phrase that the user protects."""

_PIECE = 1 << 14
"""Spans that are copied together."""


class Passages(NamedTuple):
    """Copied passages: spans int64 [m, 9] and their exact runs int64 [r, 3] (see `quotes.within`)."""

    spans: NDArray[np.int64]
    runs: NDArray[np.int64]


NOTHING = Passages(np.zeros((0, within.SPAN_COLUMNS), np.int64), np.zeros((0, 3), np.int64))


def join(parts: list[Passages], zeros: Zeros = np.zeros) -> Passages:
    """Several sets of passages as one, sorted by (post, start). zeros: like `np.zeros`, for large arrays."""
    parts = [part for part in parts if len(part.spans)]
    if not parts:
        return NOTHING
    posts, starts = (
        np.concatenate([part.spans[:, column] for part in parts]) for column in (within.POST, within.START)
    )
    places = inverse(np.lexsort((starts, posts)))
    spans = zeros((len(posts), within.SPAN_COLUMNS), np.int64)
    runs = zeros((sum(len(part.runs) for part in parts), 3), np.int64)
    first = first_run = 0
    for part in parts:
        there = places[first : first + len(part.spans)]
        spans[there] = part.spans
        for column in (within.FIRST_RUN, within.LAST_RUN):
            spans[there, column] += first_run
        runs[first_run : first_run + len(part.runs)] = part.runs
        first += len(part.spans)
        first_run += len(part.runs)
    return Passages(spans, runs)


def without(passages: Passages, gone: NDArray[np.int64], zeros: Zeros = np.zeros) -> Passages:
    """Passages but those of some numbers, in their order; the runs stay."""
    spans = passages.spans
    stay = np.ones(len(spans), np.bool_)
    stay[gone] = False
    left = zeros((int(stay.sum()), within.SPAN_COLUMNS), np.int64)
    at = 0
    for first in range(0, len(spans), _PIECE):
        some = spans[first : first + _PIECE][stay[first : first + _PIECE]]
        left[at : at + len(some)] = some
        at += len(some)
    return Passages(left, passages.runs)
