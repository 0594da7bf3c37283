"""Which post is which: hashes of Arrow strings, unique ids, links to parents.

Ids are compared by 64-bit hashes, so that ten million posts cost bytes and not Python objects. Hashes
that collide by chance make an id longer than it had to be, never two ids equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.normalize.buffers import string_buffers

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLY = np.uint64(0xD6E8FEB86659FD93)
_STEP = np.uint64(8)

# how a post's id is made
_OWN, _SHARED, _REPEATED, _MISSING = 0, 1, 2, 4


def hash_strings(column: pa.Array | pa.ChunkedArray, seed: int = 0) -> NDArray[np.uint64]:
    """A well mixed hash of each string of a column; 0 for null and empty, and for nothing else.

    Two seeds give two independent hashes: together 128 bits. Strings of up to 8 bytes and equal length
    never collide. Not for secrets.
    """
    if isinstance(column, pa.ChunkedArray):
        parts = [hash_strings(chunk, seed) for chunk in column.chunks]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    if column.type != pa.string():
        column = column.cast(pa.string())
    hashes = np.empty(len(column), np.uint64)
    _hash_strings(*string_buffers(column), np.uint64(seed), hashes)
    if column.null_count:
        hashes[np.asarray(column.is_null())] = 0
    return hashes


def hash_column(batches: Collection[pa.RecordBatch], name: str, seed: int = 0) -> NDArray[np.uint64]:
    """`hash_strings` of a column of all batches: uint64 [posts]."""
    parts = [hash_strings(batch.column(name), seed) for batch in batches]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def codes(hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
    """A number for each different hash, 0, 1, … by first appearance; -1 for hash 0."""
    first = find_first(hashes, hashes)
    firsts = first == np.arange(len(hashes))
    numbers = np.cumsum(firsts, dtype=np.int32) - np.int32(1)
    return np.where(first >= 0, numbers[first], np.int32(-1))


def pair_keys(hashes: NDArray[np.uint64], numbers: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Hashes of the pairs (hash, number): an id within its file, a title within its source. 0 stays 0."""
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    mixed ^= mixed >> np.uint64(32)
    mixed ^= hashes
    mixed *= _MULTIPLY
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MULTIPLY
    mixed[mixed == 0] = 1
    mixed[hashes == 0] = 0
    return mixed


def find_first(keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each wanted key, where in `keys` it first stands; -1 where it does not, and for key 0.

    `keys` are fewer than 2**31.
    """
    bits = max(4, int(len(keys) * 3 // 2).bit_length())
    slots = np.full(1 << bits, -1, np.int32)
    first = np.empty(len(wanted), np.int64)
    _find_first(keys, wanted, slots, np.uint64(64 - bits), first)
    return first


def link_parents(
    ids: NDArray[np.uint64], parents: NDArray[np.uint64], paths: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Where each post's parent stands in the dump: int64 [posts], -1 for none, unknown, or itself.

    ids, parents: hashes of the columns `id` and `parent_id`; paths: codes of `path`.
    A parent is looked for in the post's own file, then, where exactly one other file has the id, there;
    the first post of that id is meant.
    """
    found = find_first(pair_keys(ids, paths), pair_keys(parents, paths))
    open_ = np.flatnonzero((found < 0) & (parents != 0))
    if len(open_):
        found[open_] = find_first(np.where(_in_several_files(ids, paths), np.uint64(0), ids), parents[open_])
    found[found == np.arange(len(ids))] = -1
    return found


def link_quoted(
    ids: NDArray[np.uint64], quoted: NDArray[np.uint64], threads: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Where the post stands that each post quotes: int64 [posts], -1 for none, unknown, or itself.

    ids, quoted: hashes of ids; threads: codes of thread ids, -1 for none. It is looked for in the post's own
    thread, whatever file that goes on in: an id that markup names may be another board's.
    """
    found = find_first(pair_keys(ids, threads), pair_keys(quoted, threads))
    found[(found == np.arange(len(ids))) | (threads < 0)] = -1
    return found


def assign_ids(
    batches: Collection[pa.RecordBatch], ids: NDArray[np.uint64], paths: NDArray[np.int32]
) -> Iterator[pa.StringArray]:
    """The id of every post, unique in the whole dump, batch by batch, however the batches are cut.

    ids, paths: hashes of the column `id`, codes of `path`. A post keeps its own id where it can. Without
    one it becomes `path#record`; where two files use the same id, `path:id`; where one file does, the
    later posts get `#record` added. An id that then still equals another (an own id may well look like
    `path#7`) gets `~1`, `~2`, … added; own ids are the last to change, then the earlier posts.
    """
    kinds = _kinds_of(ids, paths)
    tries = np.zeros(len(ids), np.int32)
    final = ids.copy()
    stale = kinds != _OWN
    while stale.any():
        begin = 0
        for batch in batches:
            part = slice(begin, begin + batch.num_rows)
            rows = np.flatnonzero(stale[part])
            if len(rows):
                final[begin + rows] = hash_strings(_spell(batch, kinds[part], tries[part], rows))
            begin = part.stop
        stale = _add_tries(final, (kinds == _OWN) & (tries == 0), tries)
    begin = 0
    for batch in batches:
        part = slice(begin, begin + batch.num_rows)
        made = (kinds[part] != _OWN) | (tries[part] != 0)
        spelled = _spell(batch, kinds[part], tries[part], np.flatnonzero(made))
        yield pc.replace_with_mask(batch.column("id").cast(pa.string()), pa.array(made), spelled)
        begin = part.stop


def _in_several_files(ids: NDArray[np.uint64], paths: NDArray[np.int32]) -> NDArray[np.bool_]:
    first = find_first(ids, ids)
    several = np.zeros(len(ids), np.bool_)
    several[first[(first >= 0) & (paths[first] != paths)]] = True
    return several[first] & (first >= 0)


def _kinds_of(ids: NDArray[np.uint64], paths: NDArray[np.int32]) -> NDArray[np.uint8]:
    pairs = pair_keys(ids, paths)
    kinds = np.where(_in_several_files(ids, paths), np.uint8(_SHARED), np.uint8(_OWN))
    kinds[find_first(pairs, pairs) != np.arange(len(ids))] |= np.uint8(_REPEATED)
    kinds[ids == 0] = _MISSING
    return kinds


def _spell(
    batch: pa.RecordBatch, kinds: NDArray[np.uint8], tries: NDArray[np.int32], rows: NDArray[np.int64]
) -> pa.StringArray:
    """The ids of some rows of a batch as their kinds and tries ask for them."""
    rows_, kind, tried = pa.array(rows), kinds[rows], tries[rows]
    id_, path, record = (batch.column(name).take(rows_) for name in ("id", "path", "record"))
    shared = pc.binary_join_element_wise(path, id_, ":")
    head = pc.if_else(pa.array(kind & _SHARED != 0), shared, id_)
    head = pc.if_else(pa.array(kind == _MISSING), path, head)
    number = pc.binary_join_element_wise("#", record.cast(pa.string()), "")
    number = pc.if_else(pa.array(kind >= _REPEATED), number, "")
    again = pc.binary_join_element_wise("~", pa.array(tried).cast(pa.string()), "")
    again = pc.if_else(pa.array(tried > 0), again, "")
    return pc.binary_join_element_wise(head, number, again, "").cast(pa.string())


def _add_tries(
    final: NDArray[np.uint64], own: NDArray[np.bool_], tries: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Count up `tries` of all but one of the posts whose ids are equal; says which those are.

    A number only grows, and an id once taken stays taken, by this post or an earlier one: so it ends.
    """
    first = find_first(np.where(own, final, np.uint64(0)), final)
    first = np.where(first >= 0, first, find_first(final, final))
    losers = np.flatnonzero(first != np.arange(len(final)))
    group = first[losers]
    by_group = np.argsort(group, kind="stable")
    sorted_ = group[by_group]
    tries[losers[by_group]] += (np.arange(len(losers)) - np.searchsorted(sorted_, sorted_) + 1).astype(
        np.int32
    )
    stale = np.zeros(len(final), np.bool_)
    stale[losers] = True
    return stale


@njit(nogil=True, cache=True, inline="always")
def _finish(mixed: np.uint64) -> np.uint64:
    """MurmurHash3's last steps: every bit depends on every bit."""
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    return mixed ^ (mixed >> np.uint64(33))


@helper
def _hash_strings(
    data: NDArray[np.uint8], bounds: NDArray[np.int32], seed: np.uint64, hashes: NDArray[np.uint64]
) -> None:
    # the words are multiplied by a number of the seed: strings that collide under one do not under another
    key = _finish((seed + np.uint64(1)) * _GOLDEN) | np.uint64(1)
    for row in range(bounds.shape[0] - 1):
        # unsigned, or numba tests every index for being negative
        at = np.uint64(bounds[row])
        end = np.uint64(bounds[row + 1])
        mixed = key ^ ((end - at) * _GOLDEN)
        while at + _STEP <= end:
            word = np.uint64(0)
            for i in range(8):
                word |= np.uint64(data[at + np.uint64(i)]) << np.uint64(8 * i)
            word *= key
            mixed = ((mixed << np.uint64(27)) | (mixed >> np.uint64(37))) ^ word ^ (word >> np.uint64(32))
            mixed *= _MULTIPLY
            at += _STEP
        word = np.uint64(0)
        while at < end:
            word = (word << _STEP) | np.uint64(data[at])
            at += np.uint64(1)
        word *= key
        mixed = ((mixed << np.uint64(27)) | (mixed >> np.uint64(37))) ^ word ^ (word >> np.uint64(32))
        mixed = _finish(mixed * _MULTIPLY)
        if bounds[row] == bounds[row + 1]:
            mixed = np.uint64(0)
        elif mixed == 0:
            mixed = np.uint64(1)
        hashes[row] = mixed


@helper
def _find_first(
    keys: NDArray[np.uint64],
    wanted: NDArray[np.uint64],
    slots: NDArray[np.int32],
    shift: np.uint64,
    first: NDArray[np.int64],
) -> None:
    """Open addressing; a slot holds where its key first stands."""
    mask = np.uint64(slots.shape[0] - 1)
    one = np.uint64(1)
    for i in range(keys.shape[0]):
        if keys[i] == 0:
            continue
        slot = (keys[i] * _GOLDEN) >> shift
        while slots[slot] >= 0 and keys[slots[slot]] != keys[i]:
            slot = (slot + one) & mask
        if slots[slot] < 0:
            slots[slot] = i
    for i in range(wanted.shape[0]):
        first[i] = -1
        if wanted[i] == 0:
            continue
        slot = (wanted[i] * _GOLDEN) >> shift
        while slots[slot] >= 0 and keys[slots[slot]] != wanted[i]:
            slot = (slot + one) & mask
        first[i] = slots[slot]
