"""Band keys → verified pairs of near-duplicates.

candidates  the buckets of a band
verify      the posts of a bucket against its leaders, by true similarity
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.config import Match
from dedup.match.candidates import Buckets, find_buckets
from dedup.match.verify import compare_buckets, remember
from dedup.sketch.bands import band_keys
from dedup.sketch.minhash import permutations, signatures

__all__ = ["Pairs", "pair_up"]

_CHUNK = 4096
"""Posts handed to one call; changes no byte of the result."""


class Pairs(NamedTuple):
    """Verified pairs, sorted by the rank of the post, then of the earlier one.

    posts, earlier: int64 [pairs], positions of posts; `earlier` comes first in rank.
    similarities: float64 [pairs], true Jaccard similarity of their own words' shingle sets.
    compared: how many pairs were verified. capped: how often a post was not compared with all that
    it shares a bucket with, because the bucket had too many leaders.
    """

    posts: NDArray[np.int64]
    earlier: NDArray[np.int64]
    similarities: NDArray[np.float64]
    compared: int
    capped: int


def pair_up(
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    state: NDArray[np.uint8],
    rank: NDArray[np.int64],
    active: NDArray[np.bool_],
    settings: Match | None = None,
    run: Callable[..., Iterable[Any]] = map,
) -> Pairs:
    """Pairs of posts whose own words are at least `settings.threshold` similar.

    offsets, hashes: the words of all posts (see `Tokens`).
    state: uint8 [words], 0 for a post's own words; the others are left out.
    rank: int64 [posts], smaller is earlier. active: bool [posts], which posts take part.
    run: like `map`, over independent calls that hold no GIL: the `map` of a thread pool.

    No pair is below the threshold. A pair at similarity s is found with the chance `recall_at(s)`,
    unless the earlier post is itself a copy of one before it in all the buckets they share: then the
    pair with that one is what is asked for. Time is linear in the posts, memory 8 bytes a post and band.
    """
    settings = settings or Match()
    posts = np.flatnonzero(active)
    posts = posts[np.argsort(rank[posts], kind="stable")]
    words = (offsets, hashes, state)
    keys = _all_keys(words, posts, settings, run)

    known = np.zeros(1024, np.int64)
    found: list[NDArray[np.int64]] = []
    found_similarities: list[NDArray[np.float64]] = []
    compared = capped = 0
    for band in range(settings.bands):
        buckets = find_buckets(keys[band])

        def compare(
            first: int, last: int, buckets: Buckets = buckets, known: NDArray[np.int64] = known
        ) -> Any:
            return compare_buckets(
                *buckets, first, last, known, posts, *words, settings.shingle_words, settings.threshold
            )

        cuts = _cuts(buckets.bounds)
        for pairs, similarities, over in list(run(compare, cuts[:-1], cuts[1:])):
            known = remember(known, compared, pairs, similarities, settings.threshold)
            compared += len(pairs)
            capped += over
            near = similarities >= settings.threshold
            found.append(pairs[near])
            found_similarities.append(similarities[near])

    pairs = np.concatenate(found) if found else np.zeros(0, np.int64)
    order = np.argsort(pairs)
    later, earlier = np.divmod(pairs[order], max(1, len(posts)))
    similarities = np.concatenate(found_similarities)[order] if found else np.zeros(0)
    return Pairs(posts[later], posts[earlier], similarities, compared, capped)


def _all_keys(
    words: tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8]],
    posts: NDArray[np.int64],
    settings: Match,
    run: Callable[..., Iterable[Any]],
) -> NDArray[np.uint64]:
    """The band keys of all posts; their signatures do not outlive a chunk."""
    chosen = permutations(settings.permutations, settings.seed)
    keys = np.empty((settings.bands, len(posts)), np.uint64)

    def sketch(first: int) -> None:
        chunk = posts[first : first + _CHUNK]
        values = signatures(*words, chunk, settings.shingle_words, *chosen)
        keys[:, first : first + _CHUNK] = band_keys(values, settings.bands, settings.rows)

    list(run(sketch, range(0, len(posts), _CHUNK)))
    return keys


def _cuts(bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where to cut the buckets into chunks of about `_CHUNK` posts."""
    wanted = np.arange(0, bounds[-1], _CHUNK)
    return np.append(np.unique(np.searchsorted(bounds[:-1], wanted)), len(bounds) - 1)
