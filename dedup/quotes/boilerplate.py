"""Passages repeated because of who or where, not because somebody copied somebody.

A signature is a block of whole lines that ends the posts of one author in several threads; the
author's first one stays. Stock text is a passage most of whose shingles stand in many threads.
Both counts are made of text that cleaning does not take away, so a cleaned corpus gives the same answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Flags, Int, Int32s, Int64s, UInt16s, UInt32s, UInt64s, grow_rows, helper
from dedup.quotes.align import evidence_of
from dedup.quotes.within import BOILERPLATE
from dedup.text.shingles import shingle_hash
from dedup.text.tokens import LINE_START, MIX, RULE

MOST_SIGNATURE_LINES = 10
MOST_SIGNATURE_WORDS = 120
MIN_SIGNATURE_WORDS = 6
MIN_SIGNATURE_EVIDENCE = 30 * 8
"""A shorter or plainer block ("Cheers, Simon") is a way to say goodbye: the author's own words."""
STOCK_SHINGLE_WORDS = 5
SAMPLED_FROM_WORDS = 64
"""Of the shingles of longer passages one in STOCK_SAMPLE is counted: by its hash, so everywhere the same."""
STOCK_SAMPLE = 8
MOST_COUNTED = 255
"""Threads that are counted of a shingle; `stock_threads` is less."""
_END_WORDS = 6
"""So many words tell ends of posts apart well enough; changes no result."""
_NO_WORDS = np.uint64(7)
"""The hash (see `_with_word`) of no words."""
_BLOCK: Int = np.int64(1024)
"""Shingles of a post that are looked up in a filter before any of them in what it stands before."""


@njit(nogil=True, cache=True)
def count_ends(
    posts: Int64s,
    authors: Int32s,
    offsets: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
    most: Int,
    counts: Bytes,
    alike: Flags,
) -> None:
    """How many posts of an author end in the same words, at most.

    Posts with the same signature have its last _END_WORDS words in common, or all of it from the start of a
    line on where it is shorter: these ends are counted.
    posts: int64 [n], of known authors. counts: uint8 [a power of two], a cell for an end and its author, and
    others; counted up to `most`. With room in `alike` (bool [n]) nothing is counted: it gets which posts have
    an end that was counted so often.
    """
    for i in range(posts.shape[0]):
        begin = offsets[posts[i]]
        end = _end_above(begin, offsets[posts[i] + 1], state)
        mixed = _NO_WORDS
        for at in range(end - 1, max(begin, end - 1 - _END_WORDS), -1):
            mixed = _with_word(mixed, hashes[at])
            if end - at < _END_WORDS and not info[at] & LINE_START:
                continue
            key = _with_word(mixed, np.uint32(authors[posts[i]]))
            cell = np.int64((key >> np.uint64(29)) & np.uint64(counts.shape[0] - 1))
            if alike.shape[0] == 0:
                counts[cell] += counts[cell] < most
            elif counts[cell] >= most:
                alike[i] = True


@helper
def _end_above(begin: Int, end: Int, state: Bytes) -> Any:
    """Where a post ends that has a signature below, found before."""
    while end > begin and state[end - 1] == BOILERPLATE:
        end -= 1
    return end


@helper
def _with_word(mixed: np.uint64, word: np.uint32) -> Any:
    """The hash of words, from the last one up, with one more."""
    mixed = (mixed ^ np.uint64(word)) * MIX
    return mixed ^ (mixed >> np.uint64(29))


@njit(nogil=True, cache=True)
def find_signatures(
    posts: Int64s,
    group_offsets: Int64s,
    offsets: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
    threads: Int64s,
    min_threads: Int,
) -> Any:
    """Signatures of authors, and where each stood first.

    posts: int64, the posts of known authors, grouped by author, each group in order;
    group_offsets: int64 [authors + 1]. threads: int64 [all posts].
    Sets `state` of every signature word but the first appearance's: called again, it finds what stands
    above those. Returns int64 [m, 4]:
    (post, first word, end word, first word of the author's first one).
    """
    found = np.empty((64, 4), np.int64)
    count = 0
    for group in range(group_offsets.shape[0] - 1):
        first = group_offsets[group]
        last = group_offsets[group + 1]
        if last - first < min_threads:
            continue
        size = 64
        while size < 2 * MOST_SIGNATURE_LINES * (last - first):
            size *= 2
        mask = np.uint64(size - 1)
        keys = np.zeros(size, np.uint64)
        seen = np.full((size, min_threads), -1, np.int64)
        source = np.zeros(size, np.int64)
        for turn in range(2):
            for p in range(first, last):
                post = posts[p]
                begin = offsets[post]
                end = _end_above(begin, offsets[post + 1], state)
                mixed = _NO_WORDS
                lines = 0
                best = np.int64(-1)
                ruled = False
                best_slot = np.uint64(0)
                at = end - 1
                while at > begin and lines < MOST_SIGNATURE_LINES and end - at <= MOST_SIGNATURE_WORDS:
                    mixed = _with_word(mixed, hashes[at])
                    if info[at] & LINE_START:
                        lines += 1
                        slot = mixed & mask
                        while keys[slot] != 0 and keys[slot] != mixed:
                            slot = (slot + np.uint64(1)) & mask
                        if turn == 0 and keys[slot] == 0:
                            keys[slot] = mixed
                            source[slot] = at
                        if turn == 0:
                            for t in range(min_threads):
                                if seen[slot, t] == threads[post]:
                                    break
                                if seen[slot, t] < 0:
                                    seen[slot, t] = threads[post]
                                    break
                        # "Thanks, Joe" above the dashes is said anew each time
                        elif (
                            seen[slot, min_threads - 1] >= 0
                            and source[slot] != at
                            and (info[at] & RULE or not ruled)
                        ):
                            best = at
                            best_slot = slot
                            ruled = info[at] & RULE != 0
                    at -= 1
                if turn == 0 or best < 0:
                    continue
                if not info[best] & RULE and (
                    end - best < MIN_SIGNATURE_WORDS or evidence_of(info, best, end) < MIN_SIGNATURE_EVIDENCE
                ):
                    continue
                if count == found.shape[0]:
                    bigger = np.empty((2 * count, 4), np.int64)
                    bigger[:count] = found
                    found = bigger
                found[count, 0] = post
                found[count, 1] = best
                found[count, 2] = end
                found[count, 3] = source[best_slot]
                count += 1
                state[best:end] = BOILERPLATE
    return found[:count].copy()


class StockTable(NamedTuple):
    """The shingles of doubtful passages whose threads are counted.

    keys: uint64 [slots], by open addressing, 0 where empty; with no slot at all, shingles are counted by
    cells that they share with others. bits: uint64, a bit filter of the shingles, as most of the posts' are
    none of them. leads: uint64, one of what they begin with (see `_leading`), of size 0 where they are so
    many that most places pass. short_bits: uint64, the same of passages that are shorter than a shingle.
    shortest: the words of the shortest of them.
    """

    keys: UInt64s
    bits: UInt64s
    leads: UInt64s
    short_bits: UInt64s
    shortest: Int


@helper
def counted_shingles(starts: Int64s, ends: Int64s) -> Any:
    """How many shingles of passages (int64 [n], word positions each) are counted, about; how many passages
    are shorter than a shingle; and the fewest words a passage has."""
    total = np.int64(0)
    short = np.int64(0)
    shortest = np.int64(STOCK_SHINGLE_WORDS)
    for i in range(starts.shape[0]):
        words = ends[i] - starts[i]
        shortest = min(shortest, words)
        short += words < STOCK_SHINGLE_WORDS
        total += words if words < SAMPLED_FROM_WORDS else words // STOCK_SAMPLE * 2
    return total, short, shortest


@helper
def note_shingles(
    starts: Int64s, ends: Int64s, hashes: UInt32s, shortest: Int, bits: UInt64s, short_bits: UInt64s
) -> None:
    """Put the shingles of passages (int64 [n], word positions each) into the filters of a `StockTable`."""
    for i in range(starts.shape[0]):
        long_one = ends[i] - starts[i] >= SAMPLED_FROM_WORDS
        words = min(ends[i] - starts[i], np.int64(STOCK_SHINGLE_WORDS))
        for at in range(starts[i], ends[i] - words + 1):
            key = shingle_hash(hashes, at, words)
            if not long_one or _is_sampled(key):
                _set_bit(bits, key)
                if words < STOCK_SHINGLE_WORDS:
                    _set_bit(short_bits, _leading(hashes, at, shortest > 1))


@njit(nogil=True, cache=True)
def common_shingles(
    starts: Int64s, ends: Int64s, hashes: UInt32s, shortest: Int, cells: Bytes, most_threads: Int
) -> Any:
    """The shingles of passages whose cell says that they may stand in more threads than `most_threads`:
    uint64 [n, 2], each with what it begins with, as often as it stands there."""
    common = np.empty((64, 2), np.uint64)
    count = 0
    for i in range(starts.shape[0]):
        long_one = ends[i] - starts[i] >= SAMPLED_FROM_WORDS
        words = min(ends[i] - starts[i], np.int64(STOCK_SHINGLE_WORDS))
        for at in range(starts[i], ends[i] - words + 1):
            key = shingle_hash(hashes, at, words)
            if (not long_one or _is_sampled(key)) and cells[_cell_of(key, cells)] > most_threads:
                if count == common.shape[0]:
                    common = grow_rows(common)
                common[count, 0] = key
                common[count, 1] = _leading(hashes, at, shortest > 1)
                count += 1
    return common[:count].copy()


@helper
def fill_stock_table(shingles: UInt64s, table: StockTable) -> None:
    """Put shingles, as `common_shingles` has them, into a table and its filters."""
    mask = np.uint64(table.keys.shape[0] - 1)
    for i in range(shingles.shape[0]):
        key = shingles[i, 0]
        table.keys[find_slot(table.keys, mask, key)] = key
        _set_bit(table.bits, key)
        _set_bit(table.leads, shingles[i, 1])


@helper
def _leading(hashes: UInt32s, at: Int, two: Any) -> Any:
    """A hash of the first word from `at` on, or of two: it takes less than a shingle's, and tells most places
    where none of a few begins."""
    words = np.uint64(hashes[at])
    if two:
        words |= np.uint64(hashes[at + 1]) << np.uint64(32)
    mixed = words * MIX
    return mixed ^ (mixed >> np.uint64(29))


@helper
def _is_sampled(key: np.uint64) -> Any:
    return (key >> np.uint64(40)) % np.uint64(STOCK_SAMPLE) == 0


@helper
def _cell_of(key: np.uint64, cells: Bytes) -> Any:
    return np.int64((key >> np.uint64(36)) & np.uint64(cells.shape[0] - 1))


@helper
def _set_bit(bits: UInt64s, key: np.uint64) -> None:
    bit = (key >> np.uint64(7)) & np.uint64(bits.shape[0] * 64 - 1)
    bits[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))


@helper
def _has_bit(bits: UInt64s, key: np.uint64) -> Any:
    bit = (key >> np.uint64(7)) & np.uint64(bits.shape[0] * 64 - 1)
    return (bits[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1)


@njit(nogil=True, cache=True)
def count_threads(
    table: StockTable,
    last_seen: Int32s,
    counts: Bytes,
    posts: Int64s,
    thread_offsets: Int64s,
    first_thread: Int,
    last_thread: Int,
    offsets: Int64s,
    hashes: UInt32s,
    state: Bytes,
    stands_for: Int64s,
) -> None:
    """In how many of the threads first_thread:last_thread each shingle of a `StockTable` stands.

    posts: int64, grouped by thread; thread_offsets: int64 [threads + 1]. Signatures and copies of whole
    posts are not counted: they go, and what is stock text must still be so without them. last_seen:
    int32 [slots], 0 at first; counts: uint8 [slots], counted up to MOST_COUNTED. Of a table without slots
    counts are of cells, a power of two, and say how often their shingles stand there in all.
    """
    bits, leads, short_bits, shortest = table.bits, table.leads, table.short_bits, table.shortest
    width: Int = np.int64(STOCK_SHINGLE_WORDS)
    likely = np.empty(_BLOCK, np.uint64)
    places = np.empty(_BLOCK, np.int64)
    for thread in range(first_thread, last_thread):
        for p in range(thread_offsets[thread], thread_offsets[thread + 1]):
            if stands_for[posts[p]] != posts[p]:
                continue
            begin = offsets[posts[p]]
            end = offsets[posts[p] + 1]
            for block in range(begin, end - width + 1, _BLOCK):
                # without branches, and little at once, so that many reads of the filters overlap
                last = min(block + _BLOCK, end - width + 1)
                asked: Int = 0
                if leads.shape[0] == 0:
                    for at in range(block, last):
                        likely[asked] = shingle_hash(hashes, at, width)
                        asked += state[at] != BOILERPLATE
                else:
                    begun: Int = _find_leads(leads, hashes, block, last, shortest, places)
                    for at in places[:begun]:
                        likely[asked] = shingle_hash(hashes, at, width)
                        asked += state[at] != BOILERPLATE
                found: Int = 0
                for i in range(asked):
                    key = likely[i]
                    likely[found] = key
                    found += np.int64(_has_bit(bits, key))
                for key in likely[:found]:
                    _count(table.keys, key, thread, last_seen, counts)
            if shortest == width:
                continue
            for block in range(begin, end - shortest + 1, _BLOCK):
                last = min(block + _BLOCK, end - shortest + 1)
                begun = _find_leads(short_bits, hashes, block, last, shortest, places)
                for at in places[:begun]:
                    if state[at] == BOILERPLATE:
                        continue
                    for words in range(shortest, min(width - 1, end - at) + 1):
                        key = shingle_hash(hashes, at, words)
                        if _has_bit(bits, key):
                            _count(table.keys, key, thread, last_seen, counts)


@helper
def _find_leads(leads: UInt64s, hashes: UInt32s, first: Int, last: Int, shortest: Int, places: Int64s) -> Any:
    """Write the word positions first:last whose leading words pass a filter into `places`; how many."""
    found: Int = 0
    for at in range(first, last):
        places[found] = at
        found += np.int64(_has_bit(leads, _leading(hashes, at, shortest > 1)))
    return found


@helper
def _count(keys: UInt64s, key: np.uint64, thread: Int, last_seen: Int32s, counts: Bytes) -> None:
    if keys.shape[0] == 0:
        cell = _cell_of(key, counts)
        counts[cell] += counts[cell] < MOST_COUNTED
        return
    slot = find_slot(keys, np.uint64(keys.shape[0] - 1), key)
    if keys[slot] == key and last_seen[slot] != thread + 1:
        last_seen[slot] = thread + 1
        counts[slot] += counts[slot] < MOST_COUNTED


@helper
def add_counts(counts: Bytes, slots: UInt32s, more: Bytes) -> None:
    """Add what was counted elsewhere, up to MOST_COUNTED."""
    for i in range(slots.shape[0]):
        counts[slots[i]] = min(np.int64(counts[slots[i]]) + more[i], MOST_COUNTED)


@njit(nogil=True, cache=True)
def stock_spans(
    starts: Int64s, ends: Int64s, table: StockTable, counts: Bytes, hashes: UInt32s, most_threads: Int
) -> Any:
    """Which passages are stock text: half of their shingles stand in too many threads. Returns bool [n]."""
    mask = np.uint64(table.keys.shape[0] - 1)
    stock = np.zeros(starts.shape[0], np.bool_)
    for i in range(starts.shape[0]):
        long_one = ends[i] - starts[i] >= SAMPLED_FROM_WORDS
        words = min(ends[i] - starts[i], np.int64(STOCK_SHINGLE_WORDS))
        common = 0
        shingles = 0
        for at in range(starts[i], ends[i] - words + 1):
            key = shingle_hash(hashes, at, words)
            if not long_one or _is_sampled(key):
                shingles += 1
                if _has_bit(table.bits, key):
                    common += counts[find_slot(table.keys, mask, key)] > most_threads
        stock[i] = shingles > 0 and 2 * common >= shingles
    return stock


@helper
def find_slot(keys: UInt64s, mask: np.uint64, key: np.uint64) -> Any:
    """The slot of a key in an open hash table, or the empty one where it would go."""
    slot = key & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot
