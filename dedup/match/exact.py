"""Posts of equal clean text: each points to the first of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper, may_repeat

SHORT_WORDS = 5
"""Equal posts of fewer words ("+1") are copies only when one author posted them twice in one thread. Where
words are not spaced, three characters count as one."""


def collapse(
    text_hashes: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    sizes_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    authors: NDArray[np.int32],
    threads: NDArray[np.int64],
    rank: NDArray[np.int64],
    skip: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """For each post the first post of the same text, or itself: int64 [posts].

    text_hashes: two independent hashes of each clean text (128 bits); words are compared as well.
    sizes_of: how many words each of some posts has. authors: -1 where unknown.
    skip: bool [posts], posts that take no part.
    """
    one, two = text_hashes
    order = np.flatnonzero(may_repeat(one))
    order = order[np.lexsort((rank[order], two[order], one[order]))]
    stands_for: NDArray[np.int64] = _collapse(
        order, one, two, offsets, hashes, sizes_of(order), authors, threads, skip
    )
    return stands_for


@njit(nogil=True, cache=True)
def _collapse(
    order: NDArray[np.int64],
    one: NDArray[np.uint64],
    two: NDArray[np.uint64],
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    sizes: NDArray[np.int64],
    authors: NDArray[np.int32],
    threads: NDArray[np.int64],
    skip: NDArray[np.bool_],
) -> NDArray[np.int64]:
    stands_for = np.arange(skip.shape[0])
    at = 0
    while at < order.shape[0]:
        stop = at + 1
        while (
            stop < order.shape[0]
            and one[order[stop]] == one[order[at]]
            and two[order[stop]] == two[order[at]]
        ):
            stop += 1
        if stop - at > 1:
            if sizes[at] >= SHORT_WORDS:
                _stand(order, at, stop, stands_for, offsets, hashes, skip)
            else:
                _pair_short(order, at, stop, stands_for, authors, threads, skip)
        at = stop
    return stands_for


@helper
def _stand(
    order: NDArray[np.int64],
    at: int,
    stop: int,
    stands_for: NDArray[np.int64],
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    skip: NDArray[np.bool_],
) -> None:
    first = np.int64(-1)
    for i in range(at, stop):
        post = order[i]
        if skip[post]:
            continue
        if first < 0:
            first = post
            continue
        words = offsets[first + 1] - offsets[first]
        same = offsets[post + 1] - offsets[post] == words
        w = 0
        while same and w < words:
            same = hashes[offsets[first] + w] == hashes[offsets[post] + w]
            w += 1
        if same:
            stands_for[post] = first


@njit(nogil=True, cache=True)
def _pair_short(
    order: NDArray[np.int64],
    at: int,
    stop: int,
    stands_for: NDArray[np.int64],
    authors: NDArray[np.int32],
    threads: NDArray[np.int64],
    skip: NDArray[np.bool_],
) -> None:
    # by (author, thread), in order: a million "+1" must not be compared with one another
    members = order[at:stop]
    keys = np.empty(members.shape[0], np.int64)
    for i in range(members.shape[0]):
        keys[i] = threads[members[i]]
    by_thread = np.argsort(keys, kind="mergesort")
    for i in range(members.shape[0]):
        keys[i] = authors[members[by_thread[i]]]
    by_author = np.argsort(keys, kind="mergesort")
    first = np.int64(-1)
    for i in range(members.shape[0]):
        post = members[by_thread[by_author[i]]]
        if skip[post] or authors[post] < 0:
            continue
        if first >= 0 and authors[first] == authors[post] and threads[first] == threads[post]:
            stands_for[post] = first
        else:
            first = post
