"""Passages of earlier posts of other threads.

Own words are sampled by winnowing (Schleimer, Wilkerson, Aiken 2003): of every window of shingle hashes
the smallest is taken, so any shared run of SHINGLE_WORDS + WINDOW - 1 words shares a fingerprint. Equal
fingerprints are joined over the whole corpus; the first in order is the source. A fingerprint in many
threads is stock text and leads nowhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Int, Int32s, Int64s, UInt16s, UInt32s, UInt64s, grow_rows
from dedup.quotes.align import evidence_of, exact_run, grow_chain
from dedup.quotes.within import (
    ACROSS,
    CODE_COPY,
    COPIED,
    IS_CODE,
    MOST_RUNS,
    OWN,
    SAME_AUTHOR,
    SPAN_COLUMNS,
    WHOLE_LINES,
    is_code,
    is_dense,
)
from dedup.text.shingles import shingle_hash
from dedup.text.tokens import CHARACTER, LINE_START

SHINGLE_WORDS = 8
WINDOW = 16


@njit(nogil=True, cache=True)
def fingerprint(posts: Int64s, offsets: Int64s, hashes: UInt32s, state: Bytes) -> Any:
    """Winnowed fingerprints of the posts' own words: (hash uint64, word position int64)."""
    total = np.int64(0)
    for post in posts:
        total += offsets[post + 1] - offsets[post]
    keys = np.empty(total + 1, np.uint64)
    places = np.empty(total + 1, np.int64)
    count = 0
    ring = np.empty(WINDOW, np.uint64)
    for post in posts:
        end = offsets[post + 1]
        begin = offsets[post]
        while begin < end:
            while begin < end and state[begin] != OWN:
                begin += 1
            stop = begin
            while stop < end and state[stop] == OWN:
                stop += 1
            last_taken = np.int64(-1)
            best = begin
            for i in range(begin, stop - SHINGLE_WORDS + 1):
                ring[i % WINDOW] = shingle_hash(hashes, i, SHINGLE_WORDS)
                if best <= i - WINDOW:  # it has left the window
                    best = i - WINDOW + 1
                    for q in range(best + 1, i):
                        if ring[q % WINDOW] <= ring[best % WINDOW]:
                            best = q
                if ring[i % WINDOW] <= ring[best % WINDOW]:
                    best = i
                if i - begin + 1 < WINDOW and i != stop - SHINGLE_WORDS:
                    continue
                if best != last_taken:
                    keys[count] = ring[best % WINDOW]
                    places[count] = best
                    count += 1
                    last_taken = best
            begin = stop
    return keys[:count].copy(), places[:count].copy()


@njit(nogil=True, cache=True)
def link(
    keys: UInt64s,
    owners: Int64s,
    places: Int64s,
    threads: Int64s,
    most_threads: Int,
) -> Any:
    """Join equal fingerprints to the first of them.

    The arrays are sorted by (key, rank of the owner). Returns seeds int64 [m, 3] = (post, word
    position, word position in the source's post) and source posts int64 [m], and how many keys were
    too common to use.
    """
    seeds = np.empty((64, 3), np.int64)
    sources = np.empty(64, np.int64)
    count = 0
    capped = 0
    n = keys.shape[0]
    at = 0
    while at < n:
        stop = at + 1
        while stop < n and keys[stop] == keys[at]:
            stop += 1
        if stop - at > 1:
            # distinct threads, as far as they matter
            seen = np.empty(most_threads + 1, np.int64)
            distinct = 0
            for i in range(at, stop):
                known = False
                for t in range(distinct):
                    known = known or seen[t] == threads[owners[i]]
                if not known:
                    seen[distinct] = threads[owners[i]]
                    distinct += 1
                    if distinct > most_threads:
                        break
            if distinct > most_threads:
                capped += 1
            else:
                for i in range(at + 1, stop):
                    if threads[owners[i]] == threads[owners[at]]:
                        continue
                    if count == sources.shape[0]:
                        seeds = grow_rows(seeds)
                        bigger = np.empty(2 * count, np.int64)
                        bigger[:count] = sources
                        sources = bigger
                    seeds[count, 0] = owners[i]
                    seeds[count, 1] = places[i]
                    seeds[count, 2] = places[at]
                    sources[count] = owners[at]
                    count += 1
        at = stop
    return seeds[:count].copy(), sources[:count].copy(), capped


@njit(nogil=True, cache=True)
def grow_seeds(
    seeds: Int64s,
    sources: Int64s,
    offsets: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
    authors: Int32s,
    min_words: Int,
    min_evidence: Int,
    max_gap: Int,
) -> Any:
    """Seeds, sorted by (post, place), grown to passages; sets `state` of the copied words.

    Returns spans and runs as `find_within` does.
    """
    spans = np.empty((64, SPAN_COLUMNS), np.int64)
    span_count = 0
    runs = np.empty((128, 3), np.int64)
    run_count = 0
    chain = np.empty((MOST_RUNS, 3), np.int64)
    for s in range(sources.shape[0]):
        post = seeds[s, 0]
        here = seeds[s, 1]
        there = seeds[s, 2]
        source = sources[s]
        if state[here] != OWN or hashes[here] != hashes[there]:
            continue
        begin = here
        while begin > offsets[post] and state[begin - 1] == OWN:
            begin -= 1
        end = here
        while end < offsets[post + 1] and state[end] == OWN:
            end += 1
        source_begin = offsets[source]
        source_end = offsets[source + 1]
        back, forward = exact_run(hashes, here, there, begin, end, source_begin, source_end)
        first, last = grow_chain(
            hashes,
            info,
            here - back,
            there - back,
            forward + back,
            begin,
            end,
            source_begin,
            source_end,
            max_gap,
            chain,
        )
        start = chain[first, 0]
        stop = chain[last - 1, 0] + chain[last - 1, 2]
        matched = np.int64(0)
        halves = np.int64(0)  # a character of a script without spaces is half a word
        evidence = np.int64(0)
        for r in range(first, last):
            matched += chain[r, 2]
            for i in range(chain[r, 0], chain[r, 0] + chain[r, 2]):
                halves += 1 if info[i] & CHARACTER else 2
            evidence += evidence_of(info, chain[r, 0], chain[r, 0] + chain[r, 2])
        same_author = authors[source] >= 0 and authors[source] == authors[post]
        if (
            halves < 2 * min_words
            or evidence < min_evidence
            or not is_dense(info, start, stop, offsets[post + 1], matched, last - first, same_author)
        ):
            continue
        flags = np.int64(ACROSS)
        if same_author:
            flags |= SAME_AUTHOR
        if info[start] & LINE_START and (stop >= offsets[post + 1] or info[stop] & LINE_START):
            flags |= WHOLE_LINES
        if is_code(info, start, stop):
            flags |= IS_CODE
        if span_count == spans.shape[0]:
            spans = grow_rows(spans)
        while run_count + last - first > runs.shape[0]:
            runs = grow_rows(runs)
        spans[span_count, 0] = post
        spans[span_count, 1] = start
        spans[span_count, 2] = stop
        spans[span_count, 3] = source
        spans[span_count, 4] = evidence
        spans[span_count, 5] = matched
        spans[span_count, 6] = flags
        spans[span_count, 7] = run_count
        for r in range(first, last):
            runs[run_count] = chain[r]
            run_count += 1
        spans[span_count, 8] = run_count
        span_count += 1
        state[start:stop] = CODE_COPY if flags & IS_CODE else COPIED
    return spans[:span_count].copy(), runs[:run_count].copy()
