"""Own words → verified pairs of near-duplicates; equal posts → the first of them.

exact       posts of equal text
candidates  the buckets of a band
verify      the posts of a bucket against its leaders, by true similarity
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.arrays import Int32s, Int64s, UInt64s, helper
from dedup.config import Match
from dedup.match.candidates import Buckets, find_buckets
from dedup.match.verify import compare_buckets, move_known, remember
from dedup.parts import Chosen, Repeated, choose, words_of
from dedup.sketch.bands import NO_BAND, band_keys
from dedup.sketch.minhash import permutations, signatures

__all__ = ["Pairs", "pair_up"]

Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""What `map` does."""
Rows = Callable[[Callable[[Any], pa.RecordBatch], Iterable[Any], Repeated], Iterable[pa.RecordBatch]]
"""What `Engine.map_rows` does."""
Zeros = Callable[[tuple[int, ...], type], NDArray[Any]]
"""What `np.zeros` does."""

SKETCH = pa.schema([("band", pa.int32()), ("post", pa.int64()), ("key", pa.int64())])
"""Rows of `sketch`; keys are signed, as Spark knows no others."""
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


class _Part(NamedTuple):
    """Some buckets, and what their posts are compared by (see `compare_buckets`)."""

    buckets: Buckets
    known: NDArray[np.int64]
    posts: NDArray[np.int64]
    words: _Words


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
    rows: Rows = lambda function, items, _: map(function, items),
    zeros: Zeros = np.zeros,
    advance: Callable[[int], None] = lambda _: None,
) -> Pairs:
    """Pairs of posts whose own words are at least `settings.threshold` similar.

    offsets, hashes: the words of all posts (see `Tokens`).
    state: uint8 [words], 0 for a post's own words; the others are left out.
    rank: int64 [posts], smaller is earlier. active: bool [posts], which posts take part.
    run: like `map`, over calls that hold no GIL and may run at the same time and elsewhere.
    rows: like `map`, over calls that may run elsewhere; only rows of keys that repeat need to come back.
    zeros: like `np.zeros`, for arrays that are large; they may lie in files.
    advance: told of posts whose signatures are being made.

    No pair is below the threshold. Two posts of similarity s meet with the chance `recall_at(s)`; where
    they meet they are compared if the earlier one leads the bucket, that is, matches none before it
    there. Time is linear in the posts and their words; memory is 8 bytes for each post and band, and 16
    to 64 for each pair compared.
    """
    settings = settings or Match()
    words = _Words(offsets, hashes, state)
    some = np.flatnonzero(active)
    posts = zeros((len(some),), np.int64)
    posts[:] = some[np.argsort(rank[some], kind="stable")]
    del some
    keys = zeros((settings.bands, len(posts)), np.uint64)
    _sketch_all(posts, active, words, settings, rows, keys, advance)
    known = zeros((1024,), np.int64)
    compare = partial(compare_part, settings=settings)
    results = [_Compared(np.zeros(0, np.int64), np.zeros(0), 0)]
    count = 0
    for buckets in run(find_buckets, keys):
        parts = [_Part(some, known, posts, words) for some in _chunks(buckets)]
        # all of a band is compared before anything is added to `known`; to hand few out is no use
        for result in list((run if len(parts) > 1 else map)(compare, parts)):
            count += len(result.pairs)
            while len(known) < 2 * count:
                move_known(known, bigger := zeros((2 * len(known),), np.int64))
                known = bigger
            remember(known, result.pairs, result.similarities, settings.threshold)
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
    active: NDArray[np.bool_],
    words: _Words,
    settings: Match,
    rows: Rows,
    keys: NDArray[np.uint64],
    advance: Callable[[int], None],
) -> None:
    """Fill in the band keys of all posts, uint64 [bands, posts], but those that nobody shares.

    No signature outlives its part, and no more rows of its keys than come back.
    """
    positions = np.empty(len(active), np.int64)
    positions[posts] = np.arange(len(posts))

    def parts() -> Iterator[Chosen]:
        for first in range(0, len(active), _CHUNK):
            part = choose(words_of(*words, first, min(first + _CHUNK, len(active))), active)
            yield part
            advance(len(part.posts))

    for batch in rows(partial(sketch, settings=settings), parts(), Repeated(["band", "key"], "post")):
        band, post, key = (column.to_numpy() for column in batch.columns)
        _put(band, post, key, positions, keys)


@helper
def _put(band: Int32s, post: Int64s, key: Int64s, positions: Int64s, keys: UInt64s) -> None:
    for i in range(len(key)):
        keys[band[i], positions[post[i]]] = np.uint64(key[i])


def sketch(part: Chosen, settings: Match) -> pa.RecordBatch:
    """The band keys of some posts, one row (SKETCH) each, without `NO_BAND`."""
    chosen = permutations(settings.permutations, settings.seed)
    words = part.words
    values = signatures(
        words.offsets,
        words.hashes,
        words.state,
        part.posts,
        settings.shingle_words,
        chosen.factors,
        chosen.addends,
    )
    keys = band_keys(values, settings.bands, settings.rows)
    band = np.repeat(np.arange(settings.bands, dtype=np.int32), len(part.posts))
    post = np.tile(part.posts + words.first_post, settings.bands)
    rows = pa.record_batch([band, post, keys.ravel().view(np.int64)], schema=SKETCH)
    some = keys.ravel() != NO_BAND
    return rows if some.all() else rows.filter(pa.array(some))


def compare_part(part: _Part, settings: Match) -> _Compared:
    """Some buckets' new pairs."""
    members, bounds = part.buckets
    return _Compared(
        *compare_buckets(
            members,
            bounds,
            part.known,
            part.posts,
            *part.words,
            settings.shingle_words,
            settings.threshold,
        )
    )


def _chunks(buckets: Buckets) -> Iterator[Buckets]:
    """The buckets in chunks of about `_CHUNK` posts."""
    members, bounds = buckets
    cuts = np.unique(np.searchsorted(bounds, np.arange(0, bounds[-1], _CHUNK)))
    for first, last in pairwise([*cuts.tolist(), len(bounds) - 1]):
        begin = bounds[first]
        yield Buckets(members[begin : bounds[last]], bounds[first : last + 1] - begin)
