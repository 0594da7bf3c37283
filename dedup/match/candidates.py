"""Band keys → buckets: posts that share a key, in rank order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.arrays import may_repeat
from dedup.sketch.bands import NO_BAND


class Buckets(NamedTuple):
    """The buckets of one band that hold two posts or more.

    members: int64, positions of posts, bucket after bucket, ascending inside each.
    bounds: int64 [buckets + 1], where in `members` each bucket begins.
    """

    members: NDArray[np.int64]
    bounds: NDArray[np.int64]


def find_buckets(keys: NDArray[np.uint64]) -> Buckets:
    """The buckets of one band, from its key for each post (posts in rank order)."""
    order = np.flatnonzero(may_repeat(keys) & (keys != NO_BAND))
    order = order[np.argsort(keys[order])]
    ordered = keys[order]
    same = np.zeros(len(order) + 1, bool)  # as the one before
    same[1:-1] = ordered[1:] == ordered[:-1]
    kept = same[:-1] | same[1:]
    members, first = order[kept], ~same[:-1][kept]
    # Few posts are in buckets: the fast sort for all and one by position for them beat a stable sort.
    members = members[np.lexsort((members, np.cumsum(first)))]
    return Buckets(members, np.append(np.flatnonzero(first), len(members)))
