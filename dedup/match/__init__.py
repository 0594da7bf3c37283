"""Own words → verified pairs of near-duplicates; equal posts → the first of them.

exact       posts of equal text
candidates  the buckets of a band
verify      the posts of a bucket against its leaders, by true similarity
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.config import Match
from dedup.match.candidates import Buckets, find_buckets
from dedup.match.verify import compare_buckets, remember
from dedup.sketch.bands import band_keys
from dedup.sketch.minhash import permutations, signatures

__all__ = ["Pairs", "pair_up"]

Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""What `map` does."""
Zeros = Callable[[tuple[int, ...], type], NDArray[Any]]
"""What `np.zeros` does."""

_CHUNK = 4096
"""Posts handed to one call; changes no byte of the result."""


class Pairs(NamedTuple):
    """Verified pairs, sorted by the rank of the post, then of the earlier one.

    posts, earlier: int64 [pairs], positions of posts; `earlier` comes first in rank.
    similarities: float64 [pairs], true Jaccard similarity of their own words' shingle sets.
    compared: how many pairs were compared. capped: how often a post was not compared with all the
    posts of a bucket that it might match, because the bucket had too many leaders.
    """

    posts: NDArray[np.int64]
    earlier: NDArray[np.int64]
    similarities: NDArray[np.float64]
    compared: int
    capped: int


class _Words(NamedTuple):
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    state: NDArray[np.uint8]


class _Compared(NamedTuple):
    pairs: NDArray[np.int64]
    similarities: NDArray[np.float64]
    capped: int


def pair_up(
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    state: NDArray[np.uint8],
    rank: NDArray[np.int64],
    active: NDArray[np.bool_],
    settings: Match | None = None,
    run: Run = map,
    zeros: Zeros = np.zeros,
    advance: Callable[[int], None] = lambda _: None,
) -> Pairs:
    """Pairs of posts whose own words are at least `settings.threshold` similar.

    offsets, hashes: the words of all posts (see `Tokens`).
    state: uint8 [words], 0 for a post's own words; the others are left out.
    rank: int64 [posts], smaller is earlier. active: bool [posts], which posts take part.
    run: like `map`, over calls that hold no GIL and may run at the same time, such as a thread pool's.
    zeros: like `np.zeros`, for the one array that is large; it may lie in a file.
    advance: told of posts whose signatures are made.

    No pair is below the threshold. Two posts of similarity s meet with the chance `recall_at(s)`; where
    they meet they are compared if the earlier one leads the bucket, that is, matches none before it
    there. Time is linear in the posts and their words; memory is 8 bytes for each post and band, and 16
    to 64 for each pair compared.
    """
    settings = settings or Match()
    words = _Words(offsets, hashes, state)
    posts = np.flatnonzero(active)
    posts = posts[np.argsort(rank[posts], kind="stable")]
    keys = zeros((settings.bands, len(posts)), np.uint64)
    _sketch_all(posts, words, settings, run, keys, advance)
    known = np.zeros(1024, np.int64)
    results = [_Compared(np.zeros(0, np.int64), np.zeros(0), 0)]
    count = 0
    for band in range(settings.bands):
        buckets = find_buckets(keys[band])
        compare = partial(_compare, buckets=buckets, known=known, posts=posts, words=words, settings=settings)
        # all of a band is compared before anything is added to `known`
        for result in list(run(compare, _chunks(buckets.bounds))):
            known = remember(known, count, result.pairs, result.similarities, settings.threshold)
            count += len(result.pairs)
            near = result.similarities >= settings.threshold
            results.append(_Compared(result.pairs[near], result.similarities[near], result.capped))
    pairs = np.concatenate([result.pairs for result in results])
    similarities = np.concatenate([result.similarities for result in results])
    order = np.argsort(pairs)
    later, earlier = np.divmod(pairs[order], max(1, len(posts)))
    capped = sum(result.capped for result in results)
    return Pairs(posts[later], posts[earlier], similarities[order], count, capped)


def _sketch_all(
    posts: NDArray[np.int64],
    words: _Words,
    settings: Match,
    run: Run,
    keys: NDArray[np.uint64],
    advance: Callable[[int], None],
) -> None:
    """Fill in the band keys of all posts, uint64 [bands, posts]; no signature outlives its chunk."""
    starts = range(0, len(posts), _CHUNK)
    sketch = partial(_sketch, posts=posts, words=words, settings=settings)
    for start, chunk in zip(starts, run(sketch, starts), strict=True):
        keys[:, start : start + _CHUNK] = chunk
        advance(chunk.shape[1])


def _sketch(start: int, posts: NDArray[np.int64], words: _Words, settings: Match) -> NDArray[np.uint64]:
    chosen = permutations(settings.permutations, settings.seed)
    chunk = posts[start : start + _CHUNK]
    values = signatures(
        words.offsets,
        words.hashes,
        words.state,
        chunk,
        settings.shingle_words,
        chosen.factors,
        chosen.addends,
    )
    return band_keys(values, settings.bands, settings.rows)


def _compare(
    chunk: tuple[int, int],
    buckets: Buckets,
    known: NDArray[np.int64],
    posts: NDArray[np.int64],
    words: _Words,
    settings: Match,
) -> _Compared:
    first, last = chunk
    return _Compared(
        *compare_buckets(
            buckets.members,
            buckets.bounds,
            first,
            last,
            known,
            posts,
            words.offsets,
            words.hashes,
            words.state,
            settings.shingle_words,
            settings.threshold,
        )
    )


def _chunks(bounds: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The buckets in chunks of about `_CHUNK` posts: the first of each, and one after its last."""
    cuts = np.searchsorted(bounds, np.arange(0, bounds[-1], _CHUNK))
    return list(pairwise([*np.unique(cuts).tolist(), len(bounds) - 1]))
