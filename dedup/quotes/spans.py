"""Copied passages as the steps hand them on: spans of posts, with the exact runs they are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.quotes import within

SIGNATURE = 1 << 10
"""Flag of a span: a signature of its author."""
RESEMBLES = 1 << 11
"""Flag of a span found by aligning two resembling posts; it means nothing in a post with own words."""
PROTECTED = 1 << 14
"""Flag of a span: it holds a phrase that the user protects."""


class Passages(NamedTuple):
    """Copied passages: spans int64 [m, 9] and their exact runs int64 [r, 3] (see `quotes.within`)."""

    spans: NDArray[np.int64]
    runs: NDArray[np.int64]


NOTHING = Passages(np.zeros((0, within.SPAN_COLUMNS), np.int64), np.zeros((0, 3), np.int64))


def join(parts: list[Passages]) -> Passages:
    """Several sets of passages as one, sorted by (post, start)."""
    parts = [part for part in parts if len(part.spans)]
    if not parts:
        return NOTHING
    base = 0
    spans = []
    for part in parts:
        moved = part.spans.copy()
        moved[:, within.FIRST_RUN] += base
        moved[:, within.LAST_RUN] += base
        base += len(part.runs)
        spans.append(moved)
    all_spans = np.concatenate(spans)
    order = np.lexsort((all_spans[:, within.START], all_spans[:, within.POST]))
    return Passages(all_spans[order], np.concatenate([part.runs for part in parts]))
