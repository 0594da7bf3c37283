"""Where the words that are taken out of a post live on, and the rows that say so."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Int, Int64s, grow_rows, helper

KEEP, TRIM, DROP = range(3)
"""What becomes of a post."""

# columns of a row: one edit of a post, in words
ROW_POST, ROW_START, ROW_END, ROW_WHY, ROW_SOURCE, ROW_SOURCE_START, ROW_SOURCE_END = range(7)
ROW_VIA, ROW_MATCHED, ROW_FLAGS, ROW_GROUP, ROW_KEPT = range(7, 12)
ROW_COLUMNS = 12


@njit(nogil=True, cache=True)
def walk(
    at: Int,
    length: Int,
    post: Int,
    action: Bytes,
    stands_for: Int64s,
    offsets: Int64s,
    taken: Int64s,
    taken_of: Int64s,
    pieces: Int64s,
    pieces_of: Int64s,
    out: Int64s,
    count: Int,
    here: Int,
) -> Any:
    """Where the words at:at+length of a settled post live on.

    Appends (here, length, final post, final position, is chrome) to `out`; returns (out, count). Chrome
    ("X wrote:") was taken out for good: it counts as found, in the post it was taken from, however often
    it was quoted since.
    """
    if action[post] == DROP and stands_for[post] != post:
        at += offsets[stands_for[post]] - offsets[post]
        post = stands_for[post]
    first = taken_of[post, 0]
    last = taken_of[post, 1]
    stop = at + length
    # the first taken stretch that ends after `at`
    low = first
    high = last
    while low < high:
        middle = (low + high) >> 1
        if taken[middle, 1] <= at:
            low = middle + 1
        else:
            high = middle
    stretch = low
    low = pieces_of[post, 0]
    high = pieces_of[post, 1]
    while low < high:
        middle = (low + high) >> 1
        if pieces[middle, 0] + pieces[middle, 1] <= at:
            low = middle + 1
        else:
            high = middle
    piece = low
    i = at
    while i < stop:
        next_taken = taken[stretch, 0] if stretch < last else stop
        if i < next_taken:
            until = min(stop, next_taken)
            if count == out.shape[0]:
                out = grow_rows(out)
            out[count, 0] = here + i - at
            out[count, 1] = until - i
            out[count, 2] = post
            out[count, 3] = i
            out[count, 4] = 0
            count += 1
            i = until
            continue
        until = min(stop, taken[stretch, 1])
        if taken[stretch, 2]:
            if count == out.shape[0]:
                out = grow_rows(out)
            out[count, 0] = here + i - at
            out[count, 1] = until - i
            out[count, 2] = post
            out[count, 3] = i
            out[count, 4] = 1
            count += 1
        while piece < pieces_of[post, 1] and pieces[piece, 0] < until:
            a = max(i, pieces[piece, 0])
            b = min(until, pieces[piece, 0] + pieces[piece, 1])
            if b > a:
                if count == out.shape[0]:
                    out = grow_rows(out)
                out[count, 0] = here + a - at
                out[count, 1] = b - a
                out[count, 2] = pieces[piece, 2]
                out[count, 3] = pieces[piece, 3] + a - pieces[piece, 0]
                out[count, 4] = pieces[piece, 4]
                count += 1
            if pieces[piece, 0] + pieces[piece, 1] > until:
                break
            piece += 1
        i = until
        if until == taken[stretch, 1]:
            stretch += 1
    return out, count


@helper
def share_out(rows: Int64s, first: Int, last: Int, begin: Int, end: Int) -> None:
    """The rows of a dropped post hold all its words, so that their scores count what nobody has."""
    if last > first:
        rows[first, ROW_START] = begin
        for r in range(first + 1, last):
            rows[r - 1, ROW_END] = rows[r, ROW_START]
        rows[last - 1, ROW_END] = end


@njit(nogil=True, cache=True)
def take(taken: Int64s, count: Int, start: Int, end: Int, chrome: Int) -> Any:
    if count == taken.shape[0]:
        taken = grow_rows(taken)
    taken[count, 0] = start
    taken[count, 1] = end
    taken[count, 2] = chrome
    return taken, count + 1


@njit(nogil=True, cache=True)
def sort_taken(taken: Int64s, first: Int, last: Int) -> None:
    """The stretches first:last that were taken out of one post, in their order in the post."""
    order = np.argsort(taken[first:last, 0])
    taken[first:last] = taken[first:last][order]


@njit(nogil=True, cache=True)
def write_row(
    rows: Int64s,
    count: Int,
    post: Int,
    start: Int,
    end: Int,
    why: Int,
    source: Int,
    source_start: Int,
    source_end: Int,
    via: Int,
    matched: Int,
    flags: Int,
    group: Int,
    kept: Int,
) -> Any:
    if count == rows.shape[0]:
        rows = grow_rows(rows)
    rows[count, ROW_POST] = post
    rows[count, ROW_START] = start
    rows[count, ROW_END] = end
    rows[count, ROW_WHY] = why
    rows[count, ROW_SOURCE] = source
    rows[count, ROW_SOURCE_START] = source_start
    rows[count, ROW_SOURCE_END] = source_end
    rows[count, ROW_VIA] = via
    rows[count, ROW_MATCHED] = matched
    rows[count, ROW_FLAGS] = flags
    rows[count, ROW_GROUP] = group
    rows[count, ROW_KEPT] = kept
    return rows, count + 1


@njit(nogil=True, cache=True)
def write_rows(
    rows: Int64s,
    count: Int,
    post: Int,
    start: Int,
    end: Int,
    why: Int,
    source: Int,
    flags: Int,
    group: Int,
    walked: Int64s,
    first: Int,
    last: Int,
) -> Any:
    """One row for each stretch of the passage that lives on in one place; chrome goes with what it is at."""
    w = first
    row_start = start
    while w < last:
        if walked[w, 4]:
            w += 1
            continue
        final = walked[w, 2]
        there = walked[w, 3]
        there_end = there + walked[w, 1]
        matched = walked[w, 1]
        stop = w + 1
        # pieces of one final post, in order there too, make one row
        while stop < last and (
            walked[stop, 4] or (walked[stop, 2] == final and walked[stop, 3] >= there_end)
        ):
            if walked[stop, 4] == 0:
                there_end = walked[stop, 3] + walked[stop, 1]
                matched += walked[stop, 1]
            stop += 1
        row_end = walked[stop, 0] if stop < last else end
        via = source if source != final else np.int64(-1)
        rows, count = write_row(
            rows,
            count,
            post,
            row_start,
            row_end,
            why,
            final,
            there,
            there_end,
            via,
            matched,
            flags,
            group,
            np.int64(0),
        )
        row_start = row_end
        w = stop
    return rows, count
