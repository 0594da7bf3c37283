"""Own words → MinHash signatures, bit for bit those of datasketch 2.x (scheme "affine32").

The only file that knows datasketch. It is imported where one of its objects is asked for and nowhere
else, because it pulls in scipy (0.7 s); a test holds the permutations and signatures below against it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.config import Match
from dedup.text.shingles import count_shingles, own_words, shingle_hash
from dedup.text.tokens import tokenize

if TYPE_CHECKING:
    from datasketch import MinHash

SCHEME = "affine32"
NOTHING = np.uint32(0xFFFFFFFF)
"""All values of the signature of a post without words."""

# The finalizer of MurmurHash3, which datasketch applies to every hash first.
_MURMUR_1 = np.uint32(0x85EBCA6B)
_MURMUR_2 = np.uint32(0xC2B2AE35)


class Permutations(NamedTuple):
    """hash → factors * hash + addends mod 2**32; both uint32 [permutations], the factors odd."""

    factors: NDArray[np.uint32]
    addends: NDArray[np.uint32]


@functools.cache
def permutations(count: int, seed: int) -> Permutations:
    """The permutations of `datasketch.MinHash(count, seed, scheme="affine32")`."""
    random = np.random.RandomState(seed)
    factors = random.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return Permutations(factors, random.randint(0, 1 << 32, count, dtype=np.uint32))


def shingle_value(words: NDArray[np.uint32]) -> int:
    """The 32-bit hash of one shingle given as word hashes: the `hashfunc` of `datasketch.MinHash`."""
    return int(shingle_hash(words, 0, len(words))) >> 32


def signature(text: str, settings: Match | None = None) -> MinHash:
    """The MinHash of a text's word shingles, for use with datasketch's own indexes.

    >>> a = signature("Have you tried turning it off and on again?")
    >>> b = signature("> have you tried\\n> turning it off and on again")
    >>> a.jaccard(b)
    1.0
    """
    from datasketch import MinHash

    settings = settings or Match()
    tokens = tokenize(pa.array([text.encode("utf-8", "replace").decode()], pa.string()))
    chosen = permutations(settings.permutations, settings.seed)
    state = np.zeros(len(tokens.hashes), np.uint8)
    values = signatures(
        tokens.offsets, tokens.hashes, state, np.zeros(1, np.int64), settings.shingle_words, *chosen
    )
    return MinHash(
        seed=settings.seed,
        hashfunc=shingle_value,
        hashvalues=values[0],
        permutations=np.array(chosen),
        scheme=SCHEME,
    )


@njit(nogil=True, cache=True)
def signatures(
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    state: NDArray[np.uint8],
    posts: NDArray[np.int64],
    shingle_words: int,
    factors: NDArray[np.uint32],
    addends: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """The MinHash signatures of some posts' own words.

    offsets, hashes: see `Tokens`. state: uint8 [words], 0 for a post's own words.
    posts: int64 [n]. factors, addends: see `Permutations`.
    Returns uint32 [n, permutations]; all `NOTHING` for a post without own words.
    """
    count = factors.shape[0]
    values = np.full((posts.shape[0], count), NOTHING, np.uint32)
    most = np.int64(0)
    for d in range(posts.shape[0]):
        most = max(most, offsets[posts[d] + 1] - offsets[posts[d]])
    own = np.empty(most, np.uint32)
    mixed = np.empty(most + 3, np.uint32)
    for d in range(posts.shape[0]):
        words = own_words(hashes, state, offsets[posts[d]], offsets[posts[d] + 1], own)
        shingles = count_shingles(words, shingle_words)
        for i in range(shingles):
            x = np.uint32(shingle_hash(own, i, min(words, shingle_words)) >> np.uint64(32))
            x ^= x >> np.uint32(16)
            x = np.uint32(x * _MURMUR_1)
            x ^= x >> np.uint32(13)
            x = np.uint32(x * _MURMUR_2)
            mixed[i] = x ^ (x >> np.uint32(16))
        mixed[shingles : shingles + 3] = mixed[0]
        lowest = values[d]
        # four shingles to a round: a round is bound by reading and writing `lowest`
        for i in range(0, shingles, 4):
            x0 = mixed[i]
            x1 = mixed[i + 1]
            x2 = mixed[i + 2]
            x3 = mixed[i + 3]
            for p in range(count):
                factor = factors[p]
                addend = addends[p]
                first = min(np.uint32(factor * x0 + addend), np.uint32(factor * x1 + addend))
                second = min(np.uint32(factor * x2 + addend), np.uint32(factor * x3 + addend))
                lowest[p] = min(lowest[p], min(first, second))
    return values
