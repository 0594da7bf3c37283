"""Words → hashed shingles, sets of them, and their Jaccard similarity.

A shingle is a run of k words. A text of fewer than k words has one shingle, all of its words, so that
short texts compare as wholes; a text without words has none. Broder 1997, "On the resemblance and
containment of documents".
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.text.tokens import MIX

_SHIFT = np.uint64(29)


@helper
def shingle_hash(hashes: NDArray[np.uint32], at: int, words: int) -> np.uint64:
    """Hash of the `words` words from `at` on (uint64)."""
    mixed = np.uint64(words) * MIX
    for i in range(at, at + words):
        mixed = (mixed ^ np.uint64(hashes[i])) * MIX
        mixed ^= mixed >> _SHIFT
    return mixed


@helper
def own_words(
    hashes: NDArray[np.uint32], state: NDArray[np.uint8], begin: int, end: int, own: NDArray[np.uint32]
) -> int:
    """Write the words begin:end whose state is 0 into `own` (uint32, long enough); returns how many."""
    count = 0
    for i in range(begin, end):
        own[count] = hashes[i]
        count += state[i] == 0
    return count


@helper
def count_shingles(words: int, shingle_words: int) -> int:
    """How many shingles so many words have, repeated ones counted each time."""
    return max(words - shingle_words + 1, min(words, 1))


@njit(nogil=True, cache=True)
def shingle_set(
    words: NDArray[np.uint32], begin: int, end: int, shingle_words: int, shingles: NDArray[np.uint64]
) -> int:
    """Write the shingle hashes of words begin:end, sorted, each once, into `shingles`; returns how many.

    shingles: uint64, with room for `count_shingles(end - begin, shingle_words)`.
    """
    total = count_shingles(end - begin, shingle_words)
    width = min(end - begin, shingle_words)
    for i in range(total):
        shingles[i] = shingle_hash(words, begin + i, width)
    shingles[:total].sort()
    count = 0
    for i in range(total):
        if i == 0 or shingles[i] != shingles[i - 1]:
            shingles[count] = shingles[i]
            count += 1
    return count


@helper
def similarity_of_sets(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Jaccard similarity of two sorted arrays without repetitions; 0 when one is empty."""
    i = 0
    j = 0
    shared = 0
    while i < a.shape[0] and j < b.shape[0]:
        x = a[i]
        y = b[j]
        shared += x == y
        i += x <= y
        j += y <= x
    return float(shared / max(1, a.shape[0] + b.shape[0] - shared))


@njit(nogil=True, cache=True)
def jaccard(
    hashes: NDArray[np.uint32], a_begin: int, a_end: int, b_begin: int, b_end: int, shingle_words: int
) -> float:
    """True Jaccard similarity of the shingle sets of two runs of words.

    hashes: uint32, word hashes (see `Tokens`); the bounds are positions in it.
    Between 0 and 1; 0 when one of the runs is empty.
    """
    a = np.empty(count_shingles(a_end - a_begin, shingle_words), np.uint64)
    b = np.empty(count_shingles(b_end - b_begin, shingle_words), np.uint64)
    a_size = shingle_set(hashes, a_begin, a_end, shingle_words, a)
    b_size = shingle_set(hashes, b_begin, b_end, shingle_words, b)
    return similarity_of_sets(a[:a_size], b[:b_size])
