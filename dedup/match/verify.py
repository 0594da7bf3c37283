"""Buckets → verified pairs: stars around leaders, never chains.

The posts of a bucket are taken in rank order. Each is compared with the bucket's leaders so far, and
becomes a leader itself when it matches none of them. So a bucket of n copies of one text costs n - 1
comparisons, and `MOST_LEADERS` keeps any other bucket linear too. What a pair says is always the true
similarity of the two posts it names.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.text.shingles import count_shingles, own_words, shingle_set, similarity_of_sets
from dedup.text.tokens import MIX

MOST_LEADERS = 16

UNKNOWN, DIFFERENT, SIMILAR = range(3)
"""What is known of a pair."""

_SHIFT = np.uint64(32)


@helper
def _slot_of(known: NDArray[np.int64], pair: int) -> np.uint64:
    """Where a pair stands in the table, or the free slot where it belongs."""
    mask = np.uint64(known.shape[0] - 1)
    slot = (np.uint64(pair) * MIX >> _SHIFT) & mask
    while known[slot] != 0 and known[slot] >> 2 != pair:
        slot = (slot + np.uint64(1)) & mask
    return slot


@helper
def remember(
    known: NDArray[np.int64],
    pairs: NDArray[np.int64],
    similarities: NDArray[np.float64],
    threshold: float,
) -> None:
    """Add compared pairs to the table of those.

    known: int64 [a power of two], at least twice as many as pairs, open addressing: 4 * pair + what is
    known, 0 where free. pairs: int64, new ones. similarities: float64.
    """
    for i in range(pairs.shape[0]):
        known[_slot_of(known, pairs[i])] = 4 * pairs[i] + (
            SIMILAR if similarities[i] >= threshold else DIFFERENT
        )


@helper
def move_known(known: NDArray[np.int64], bigger: NDArray[np.int64]) -> None:
    """Put all that a table knows (see `remember`) into a bigger one."""
    for entry in known:
        if entry != 0:
            bigger[_slot_of(bigger, entry >> 2)] = entry


@njit(nogil=True, cache=True)
def _set_of(
    post: int,
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    state: NDArray[np.uint8],
    shingle_words: int,
) -> NDArray[np.uint64]:
    """The sorted shingle set of a post's own words."""
    begin = offsets[post]
    end = offsets[post + 1]
    own = np.empty(end - begin, np.uint32)
    words = own_words(hashes, state, begin, end, own)
    shingles = np.empty(count_shingles(words, shingle_words), np.uint64)
    return shingles[: shingle_set(own, 0, words, shingle_words, shingles)]


@njit(nogil=True, cache=True)
def compare_buckets(
    members: NDArray[np.int64],
    bounds: NDArray[np.int64],
    known: NDArray[np.int64],
    posts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    state: NDArray[np.uint8],
    shingle_words: int,
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Compare the posts of buckets with the leaders of their bucket.

    members, bounds: see `Buckets`; members are positions in `posts`.
    known: the pairs compared before, which are not compared again (see `remember`).
    posts: int64 [n], in rank order. offsets, hashes: see `Tokens`. state: uint8 [words], 0 for own words.
    Returns the new pairs as position * n + leader's position (int64), their similarity (float64; 0 where
    the sizes alone rule the threshold out), and how many posts met the limit of leaders.
    """
    total = np.int64(posts.shape[0])
    pairs = np.empty(256, np.int64)
    similarities = np.empty(256, np.float64)
    count = 0
    capped = 0
    leaders = np.empty(MOST_LEADERS, np.int64)
    nothing = np.empty(0, np.uint64)
    leader_sets = [nothing for _ in range(MOST_LEADERS)]
    for bucket in range(bounds.shape[0] - 1):
        leader_count = 0
        full = False
        for m in range(bounds[bucket], bounds[bucket + 1]):
            position = members[m]
            own_set = nothing
            matched = False
            for k in range(leader_count):
                pair = position * total + leaders[k]
                entry = known[_slot_of(known, pair)]
                if entry != 0:
                    matched = matched or entry & 3 == SIMILAR
                    continue
                if own_set.shape[0] == 0:
                    own_set = _set_of(posts[position], offsets, hashes, state, shingle_words)
                if leader_sets[k].shape[0] == 0:
                    leader_sets[k] = _set_of(posts[leaders[k]], offsets, hashes, state, shingle_words)
                a = own_set.shape[0]
                b = leader_sets[k].shape[0]
                similarity = 0.0
                if min(a, b) / max(a, b) >= threshold:
                    similarity = similarity_of_sets(own_set, leader_sets[k])
                if count == pairs.shape[0]:
                    pairs = np.concatenate((pairs, np.empty(count, np.int64)))
                    similarities = np.concatenate((similarities, np.empty(count, np.float64)))
                pairs[count] = pair
                similarities[count] = similarity
                count += 1
                matched = matched or similarity >= threshold
            if matched:
                continue
            if leader_count < MOST_LEADERS:
                leaders[leader_count] = position
                leader_sets[leader_count] = own_set
                leader_count += 1
            else:
                # the first one over the limit has been compared with all before it
                capped += full
                full = True
    return pairs[:count].copy(), similarities[:count].copy(), capped
