"""What is a post's own: blocks and lines that nobody said before, and likeness in what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Flags, Int, UInt16s, UInt32s, helper
from dedup.quotes.within import OWN, leaves
from dedup.text.shingles import count_shingles, shingle_hash, similarity_of_sets
from dedup.text.tokens import LINE_START, RARITY_MASK, URL

OWN_BLOCK_WORDS = 8
OWN_LINE_WORDS = 3


@helper
def has_own_block(state: Bytes, info: UInt16s, begin: Int, end: Int) -> Any:
    """Whether OWN_BLOCK_WORDS own words stand in a row, or OWN_LINE_WORDS fill a line, or a link is own."""
    row = 0
    line = 0
    whole = True
    for i in range(begin, end):
        if info[i] & LINE_START:
            if whole and line >= OWN_LINE_WORDS:
                return True
            line = 0
            whole = True
        line += 1
        if state[i] == OWN:
            row += 1
            if row >= OWN_BLOCK_WORDS or info[i] & RARITY_MASK == URL:
                return True
        else:
            row = 0
            whole = False
    return whole and line >= OWN_LINE_WORDS


@helper
def has_own_line(state: Bytes, info: UInt16s, begin: Int, end: Int) -> Any:
    """Whether a line, however short, is all own words."""
    whole = False
    for i in range(begin, end):
        if info[i] & LINE_START:
            if whole:
                return True
            whole = True
        whole = whole and state[i] == OWN
    return whole


@njit(nogil=True, cache=True)
def _shingles_of_rest(hashes: UInt32s, begin: Int, end: Int, elsewhere: Flags, shingle_words: Int) -> Any:
    """Sorted shingles of the words begin:end: those not wholly said `elsewhere`, and the others."""
    rest = np.empty(count_shingles(end - begin, shingle_words), np.uint64)
    others = np.empty_like(rest)
    rest_count = 0
    others_count = 0
    width = min(end - begin, shingle_words)
    inside = 0
    for i in range(end - begin):
        inside += elsewhere[i]
        first = i - width + 1
        if first > 0:
            inside -= elsewhere[first - 1]
        if first >= 0:
            key = shingle_hash(hashes, begin + first, width)
            if inside == width:
                others[others_count] = key
                others_count += 1
            else:
                rest[rest_count] = key
                rest_count += 1
    return np.unique(rest[:rest_count]), np.unique(others[:others_count])


@njit(nogil=True, cache=True)
def likeness_of_rest(
    hashes: UInt32s,
    state: Bytes,
    begin: Int,
    end: Int,
    from_other: Flags,
    other_begin: Int,
    other_end: Int,
    shingle_words: Int,
) -> Any:
    """Jaccard similarity of two posts without what either has from others, signatures and "X wrote:".

    from_other: bool [end - begin], which of the post's words are copied from the other one.
    """
    elsewhere = np.zeros(end - begin, np.bool_)
    for i in range(begin, end):
        elsewhere[i - begin] = leaves(state[i]) and not from_other[i - begin]
    rest, gone = _shingles_of_rest(hashes, begin, end, elsewhere, shingle_words)
    elsewhere = np.zeros(other_end - other_begin, np.bool_)
    for i in range(other_begin, other_end):
        elsewhere[i - other_begin] = leaves(state[i])
    other_rest, _ = _shingles_of_rest(hashes, other_begin, other_end, elsewhere, shingle_words)
    # what the post has from a third one counts on neither side
    kept = np.empty_like(other_rest)
    count = 0
    for key in other_rest:
        at = np.searchsorted(gone, key)
        if at == gone.shape[0] or gone[at] != key:
            kept[count] = key
            count += 1
    return similarity_of_sets(rest, kept[:count])
