"""The order of posts: by time, then by position in the dump, and a parent before its child.

"First" and "earlier" mean this order everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import inverse
from dedup.dates import parse_dates

MISSING = np.iinfo(np.int64).min
"""Stands for a time that is missing or cannot be read; earlier than all others."""
NO_MONTH = np.iinfo(np.int32).min
"""The month of such a time."""

FEW_POSTS = 200
"""Files of fewer posts share the date format of their board: page dumps are thousands of files."""


def read_times(
    batches: Collection[pa.RecordBatch],
    sources: NDArray[np.int32],
    date_format: str | None = None,
    map_chunks: Callable[..., Iterable[Any]] = map,
) -> NDArray[np.int64]:
    """The times of all posts, int64 [posts] in seconds UTC, MISSING where there is none.

    sources: codes of `date_sources`. A date format is chosen once for each, from all its dates together;
    these are slices of the batches, so batches that are mapped from files stay there. `map_chunks` may
    read them side by side.
    """
    times = np.full(len(sources), MISSING, np.int64)
    dates: dict[int, list[pa.StringArray]] = {}
    places: dict[int, list[slice]] = {}
    begin = 0
    for batch in batches:
        part = sources[begin : begin + batch.num_rows]
        cuts = [0, *(np.flatnonzero(part[1:] != part[:-1]) + 1).tolist(), len(part)]
        for start, end in pairwise(cuts):
            column = batch.column("created").slice(start, end - start)
            if column.null_count < len(column):
                dates.setdefault(int(part[start]), []).append(column)
                places.setdefault(int(part[start]), []).append(slice(begin + start, begin + end))
        begin += batch.num_rows
    for source, columns in dates.items():
        parsed = parse_dates(pa.chunked_array(columns, pa.string()), date_format, map_chunks)
        seconds = parsed.fill_null(MISSING).to_numpy(zero_copy_only=False)
        done = 0
        for place in places[source]:
            times[place] = seconds[done : done + place.stop - place.start]
            done += place.stop - place.start
    return times


def date_sources(batches: Collection[pa.RecordBatch], paths: NDArray[np.int32]) -> NDArray[np.int32]:
    """Codes of what is one source of dates: a file, or the small files of one board together.

    paths: codes of `path`. A page of a forum holds too few dates to tell the day from the month. Its
    board is its thread id up to the last slash (see the readers of pages and of text threads).
    """
    counts = np.bincount(paths)
    small = counts < FEW_POSTS
    if len(counts) < 2 or not small.any():
        return paths
    sources = np.arange(len(counts), dtype=np.int32)
    boards: dict[str, int] = {}
    seen = ~small
    begin = 0
    for batch in batches:
        part = paths[begin : begin + batch.num_rows]
        begin += batch.num_rows
        codes, rows = np.unique(part, return_index=True)
        new = ~seen[codes]
        threads = batch.column("thread_id").take(pa.array(rows[new])).to_pylist()
        for code, thread in zip(codes[new].tolist(), threads, strict=True):
            board, slash, _ = (thread or "").rpartition("/")
            if slash:
                sources[code] = boards.setdefault(board, code)
        seen[codes] = True
    return sources[paths]


def months_of(times: NDArray[np.int64]) -> NDArray[np.int32]:
    """The month of each time, int32 [posts], counted from January 1970; NO_MONTH where there is none."""
    known = np.where(times == MISSING, 0, times).astype("datetime64[s]").astype("datetime64[M]")
    return np.where(times == MISSING, NO_MONTH, known.astype(np.int64)).astype(np.int32)


def month_names(months: NDArray[np.int32]) -> pa.StringArray:
    """Months as `2004-05`, null where there is none."""
    distinct, codes = np.unique(months, return_inverse=True)
    names = [
        None if month == NO_MONTH else f"{1970 + month // 12:04}-{month % 12 + 1:02}"
        for month in distinct.tolist()
    ]
    return pa.array(names, pa.string()).take(pa.array(codes.reshape(-1)))


def order_posts(
    times: NDArray[np.int64],
    threads: NDArray[np.integer],
    parents: NDArray[np.int64],
    paths: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Each post's place in the order: int64 [posts], a permutation.

    times: seconds, or MISSING; threads: codes of the dump's thread ids, -1 for none; parents: positions,
    -1 for none; paths: codes of the files.

    The key is (time, position). A missing time is that of the post before it in its thread, else the
    next one known there, else that of the post before it in the file, else earlier than all. The posts
    of a file without thread ids count as one thread of it. A parent comes before its child whatever the
    clocks say: the child moves to right behind it. Of parents in a circle the earliest post has none.
    """
    times = _fill_times(times, threads.astype(np.int64, copy=False), paths)
    parents = _break_circles(times, parents)
    times, anchors, levels = _push_children(times, parents)
    # without a level each post is its own anchor, and one sort will do
    order = np.lexsort((levels, anchors, times)) if levels.any() else np.argsort(times, kind="stable")
    return inverse(order)


@njit(nogil=True, cache=True)
def _fill_times(
    times: NDArray[np.int64], threads: NDArray[np.int64], paths: NDArray[np.int32]
) -> NDArray[np.int64]:
    times = times.copy()
    files = 0
    thread_count = 0
    for i in range(times.shape[0]):
        files = max(files, paths[i] + 1)
        thread_count = max(thread_count, threads[i] + 1)
    # the posts of a file without thread ids are the thread behind all others
    known = np.full(thread_count + files, MISSING)
    for i in range(times.shape[0]):
        thread = threads[i] if threads[i] >= 0 else thread_count + paths[i]
        if times[i] == MISSING:
            times[i] = known[thread]
        else:
            known[thread] = times[i]
    # only what stands before the first known time of its thread is left
    known[:] = MISSING
    for i in range(times.shape[0] - 1, -1, -1):
        thread = threads[i] if threads[i] >= 0 else thread_count + paths[i]
        if times[i] == MISSING:
            times[i] = known[thread]
        else:
            known[thread] = times[i]
    # only threads without any time are left
    known[:] = MISSING
    for i in range(times.shape[0]):
        if times[i] == MISSING:
            times[i] = known[paths[i]]
        known[paths[i]] = times[i]
    return times


@njit(nogil=True, cache=True)
def _break_circles(times: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """The parents, without that of the post with the least (time, position) of each circle."""
    parents = parents.copy()
    walk_of = np.full(parents.shape[0], -1, np.int64)
    for walk in range(parents.shape[0]):
        post = walk
        while post >= 0 and walk_of[post] < 0:
            walk_of[post] = walk
            post = parents[post]
        if post >= 0 and walk_of[post] == walk:  # the walk met itself
            earliest = post
            other = parents[post]
            while other != post:
                if times[other] < times[earliest] or (times[other] == times[earliest] and other < earliest):
                    earliest = other
                other = parents[other]
            parents[earliest] = -1
    return parents


@njit(nogil=True, cache=True)
def _push_children(
    times: NDArray[np.int64], parents: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Sort keys (time, anchor, level) by which every child comes after its parent.

    A post's anchor is its own position, or, where it would come before its parent, its parent's anchor,
    one level further.
    """
    pushed = times.copy()
    anchors = np.full(times.shape[0], -1, np.int64)  # -1: not known yet
    levels = np.zeros(times.shape[0], np.int32)
    path = np.empty(times.shape[0], np.int64)
    for start in range(times.shape[0]):
        depth = 0
        post = start
        while post >= 0 and anchors[post] < 0:
            path[depth] = post
            depth += 1
            post = parents[post]
        for step in range(depth - 1, -1, -1):
            post = path[step]
            parent = parents[post]
            anchors[post] = post
            if parent >= 0 and pushed[parent] >= times[post]:
                pushed[post] = pushed[parent]
                if anchors[parent] > post:
                    anchors[post] = anchors[parent]
                    levels[post] = levels[parent] + 1
    return pushed, anchors, levels
