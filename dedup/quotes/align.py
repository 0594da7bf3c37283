"""Growing a shared shingle into a passage: exact runs, chained over gaps of a few words.

A chain is a list of exact runs (start here, start in the source, length), in the same order on both
sides, with gaps of at most `max_gap` words between them on either side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.arrays import Int, Int64s, UInt16s, UInt32s, helper
from dedup.text.tokens import LINE_START, RARITY_MASK


@helper
def next_run(
    hashes: UInt32s,
    here: Int,
    here_end: Int,
    there: Int,
    there_end: Int,
    max_gap: Int,
) -> Any:
    """The nearest pair of equal words (two in a row, or the last ones) after a mismatch.

    Returns the words skipped here and there, or (-1, -1).
    """
    for skipped in range(1, 2 * max_gap + 1):
        for a in range(max(0, skipped - max_gap), min(skipped, max_gap) + 1):
            i = here + a
            j = there + skipped - a
            if i >= here_end or j >= there_end or hashes[i] != hashes[j]:
                continue
            two = i + 1 < here_end and j + 1 < there_end and hashes[i + 1] == hashes[j + 1]
            three = i + 2 < here_end and j + 2 < there_end and hashes[i + 2] == hashes[j + 2]
            # after a longer gap three words must agree, or two by chance would do
            if two and (skipped <= 2 or three):
                return a, skipped - a
    return -1, -1


@helper
def previous_run(
    hashes: UInt32s,
    here: Int,
    here_begin: Int,
    there: Int,
    there_begin: Int,
    max_gap: Int,
) -> Any:
    """The mirror image of `next_run`: words skipped before (here, there) going backwards."""
    for skipped in range(1, 2 * max_gap + 1):
        for a in range(max(0, skipped - max_gap), min(skipped, max_gap) + 1):
            i = here - 1 - a
            j = there - 1 - (skipped - a)
            if i < here_begin or j < there_begin or hashes[i] != hashes[j]:
                continue
            two = i - 1 >= here_begin and j - 1 >= there_begin and hashes[i - 1] == hashes[j - 1]
            three = i - 2 >= here_begin and j - 2 >= there_begin and hashes[i - 2] == hashes[j - 2]
            if two and (skipped <= 2 or three):
                return a, skipped - a
    return -1, -1


@helper
def _adds_lines(info: UInt16s, here: Int, skipped: Int, skipped_there: Int) -> Any:
    """Whether what is skipped before the word `here` is whole lines, put between two of the source.

    "Yes!" below a question is its reader's answer, however short.
    """
    return (
        skipped > 0 and skipped_there == 0 and info[here - skipped] & LINE_START and info[here] & LINE_START
    )


@helper
def exact_run(
    hashes: UInt32s, here: Int, there: Int, begin: Int, end: Int, source_begin: Int, source_end: Int
) -> Any:
    """How many words before `here`, and from there on, equal those at `there` in the source."""
    forward = np.int64(0)
    while (
        here + forward < end
        and there + forward < source_end
        and hashes[here + forward] == hashes[there + forward]
    ):
        forward += 1
    back = np.int64(0)
    while (
        here - back - 1 >= begin
        and there - back - 1 >= source_begin
        and hashes[here - back - 1] == hashes[there - back - 1]
    ):
        back += 1
    return back, forward


@helper
def grow_chain(
    hashes: UInt32s,
    info: UInt16s,
    here: Int,
    there: Int,
    length: Int,
    here_begin: Int,
    here_end: Int,
    there_begin: Int,
    there_end: Int,
    max_gap: Int,
    runs: Int64s,
) -> Any:
    """Extend an exact run on both sides; write the chain's runs into `runs` (int64 [most, 3]).

    here, there: word positions of the run, `length` words long; the bounds are those of the two
    posts. Returns (first, last): the chain is runs[first:last] = (here, there, length), in order.
    The chain stops where `runs` is full; its middle row is where the given run is put.
    """
    middle = runs.shape[0] // 2
    runs[middle, 0] = here
    runs[middle, 1] = there
    runs[middle, 2] = length
    first = middle
    last = middle + 1
    while last < runs.shape[0]:
        i = runs[last - 1, 0] + runs[last - 1, 2]
        j = runs[last - 1, 1] + runs[last - 1, 2]
        a, b = next_run(hashes, i, here_end, j, there_end, max_gap)
        if a < 0 or _adds_lines(info, i + a, a, b):
            break
        i += a
        j += b
        n = 0
        while i + n < here_end and j + n < there_end and hashes[i + n] == hashes[j + n]:
            n += 1
        runs[last, 0] = i
        runs[last, 1] = j
        runs[last, 2] = n
        last += 1
    while first > 0:
        i = runs[first, 0]
        j = runs[first, 1]
        a, b = previous_run(hashes, i, here_begin, j, there_begin, max_gap)
        if a < 0 or _adds_lines(info, i, a, b):
            break
        i -= a
        j -= b
        n = 0
        while i - n - 1 >= here_begin and j - n - 1 >= there_begin and hashes[i - n - 1] == hashes[j - n - 1]:
            n += 1
        first -= 1
        runs[first, 0] = i - n
        runs[first, 1] = j - n
        runs[first, 2] = n
    return first, last


@helper
def finish_lines(
    hashes: UInt32s,
    info: UInt16s,
    begin: Int,
    end: Int,
    there_begin: Int,
    there_end: Int,
    max_gap: Int,
    runs: Int64s,
    first: Int,
    last: Int,
) -> Any:
    """Extend a chain to the ends of its first and last lines, where both sides end in the same word.

    The word before the line end may stand alone after a changed one, so no run of two leads to it.
    Returns the new (first, last).
    """
    if last < runs.shape[0]:
        i = runs[last - 1, 0] + runs[last - 1, 2]
        j = runs[last - 1, 1] + runs[last - 1, 2]
        line = i
        while line < end and line - i <= max_gap + 1 and not info[line] & LINE_START:
            line += 1
        there = j
        while there < there_end and there - j <= max_gap + 1 and not info[there] & LINE_START:
            there += 1
        if (
            i < line <= i + max_gap + 1
            and j < there <= j + max_gap + 1
            and hashes[line - 1] == hashes[there - 1]
        ):
            runs[last, 0] = line - 1
            runs[last, 1] = there - 1
            runs[last, 2] = 1
            last += 1
    if first > 0:
        i = runs[first, 0]
        j = runs[first, 1]
        line = i
        while line > begin and i - line <= max_gap and not info[line] & LINE_START:
            line -= 1
        there = j
        while there > there_begin and j - there <= max_gap and not info[there] & LINE_START:
            there -= 1
        if (
            line < i
            and there < j
            and info[line] & LINE_START
            and info[there] & LINE_START
            and hashes[line] == hashes[there]
        ):
            first -= 1
            runs[first, 0] = line
            runs[first, 1] = there
            runs[first, 2] = 1
    return first, last


@helper
def evidence_of(info: UInt16s, start: Int, end: Int) -> Any:
    """How surprising the words start:end are together, in eighths of a nat."""
    total: Int = 0
    for i in range(start, end):
        total += np.int64(info[i] & RARITY_MASK)
    return total
