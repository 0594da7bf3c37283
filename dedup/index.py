"""All posts as the global steps see them: flat arrays, one entry a post or a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import ids
from dedup.config import Config
from dedup.match.exact import collapse
from dedup.order import order_posts, read_times
from dedup.quotes.attribution import Names, hash_names, name_table
from dedup.quotes.marks import Marks
from dedup.quotes.threads import Threads, group_threads, title_key
from dedup.quotes.within import IN_TAG, OWN, count_own
from dedup.stage import Stage
from dedup.text.tokens import TAG

EMPTY_TEXTS = pa.array(["", "[deleted]", "[removed]"])


class Index(NamedTuple):
    """What the quotes, match and decide steps work on; posts are numbered in input order.

    offsets: int64 [posts + 1], where each post's words begin. hashes, info, state: per word (see
    `Tokens`; state is 0 for own words, and the steps write to it).
    blocks: int64 [blocks + 1], where each block's posts begin.
    rank: int64, each post's place in the order; order: int64, the posts by rank.
    authors: int32, codes, -1 unknown; author_names: uint64, hashes of names, 0 unknown.
    stands_for: int64, the first post of the same text. empty, protected: bool.
    """

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    info: NDArray[np.uint16]
    state: NDArray[np.uint8]
    blocks: NDArray[np.int64]
    rank: NDArray[np.int64]
    order: NDArray[np.int64]
    threads: Threads
    authors: NDArray[np.int32]
    author_names: NDArray[np.uint64]
    names: Names
    marks: Marks
    stands_for: NDArray[np.int64]
    empty: NDArray[np.bool_]
    protected: NDArray[np.bool_]


def index_posts(stage: Stage, config: Config) -> tuple[Index, list[pa.StringArray]]:
    """The index of all posts in the work folder, and their final ids, block by block."""
    batches = [stage.posts(number) for number in range(stage.blocks)]
    blocks = np.zeros(stage.blocks + 1, np.int64)
    np.cumsum([batch.num_rows for batch in batches], out=blocks[1:])

    paths = ids.codes(ids.hash_column(batches, "path"))
    id_hashes = ids.hash_column(batches, "id")
    thread_codes = ids.codes(ids.hash_column(batches, "thread_id"))
    parent_hashes = ids.hash_column(batches, "parent_id")
    parents = ids.link_parents(id_hashes, parent_hashes, paths)
    # answers to a post that is not in the dump (a cleaned one, say) are a thread all the same
    orphans = (thread_codes < 0) & (parents < 0) & (parent_hashes != 0)
    siblings = ids.codes(np.where(orphans, ids.pair_keys(parent_hashes, paths), np.uint64(0)))
    thread_codes = np.where(orphans, thread_codes.max(initial=-1) + 1 + siblings, thread_codes)
    times = read_times(batches, paths, config.read.date_format)
    rank = order_posts(times, thread_codes, parents, paths)
    order = np.empty_like(rank)
    order[rank] = np.arange(len(rank))
    titles = _concatenate([title_key(batch.column("title")) for batch in batches], np.uint64)
    threads = group_threads(thread_codes, parents, paths, titles, times, rank, np.zeros(len(rank), np.bool_))

    author_hashes = ids.hash_column(batches, "author")
    authors = ids.codes(author_hashes)
    names = name_table(_first_names(batches, authors))
    author_names = np.where(authors >= 0, np.append(names.of_author, np.uint64(0))[authors], np.uint64(0))
    protected_hashes = ids.hash_strings(pa.array(config.decide.protect_authors, pa.string()))
    empty = _concatenate([_is_empty(batch.column("clean")) for batch in batches], np.bool_)

    counts = [stage.counts(number) for number in range(stage.blocks)]
    offsets = np.zeros(len(rank) + 1, np.int64)
    np.cumsum(_concatenate([c.column("words").to_numpy() for c in counts], np.int64), out=offsets[1:])
    words = [stage.words(number) for number in range(stage.blocks)]
    hashes = _concatenate([w.hashes for w in words], np.uint32)
    text_hashes = (
        _concatenate([c.column("text_hash").to_numpy() for c in counts], np.uint64),
        _concatenate([c.column("text_hash_2").to_numpy() for c in counts], np.uint64),
    )
    protected = np.isin(author_hashes, protected_hashes) & (author_hashes != 0)
    info = _concatenate([w.info for w in words], np.uint16)
    state = np.where(info & TAG, IN_TAG, OWN).astype(np.uint8)
    sizes = count_own(offsets, info, state)
    index = Index(
        offsets=offsets,
        hashes=hashes,
        info=info,
        state=state,
        blocks=blocks,
        rank=rank,
        order=order,
        threads=threads,
        authors=authors,
        author_names=author_names,
        names=names,
        marks=_marks(stage, blocks, offsets),
        stands_for=collapse(
            text_hashes, offsets, hashes, sizes, authors, threads.thread_of, rank, empty | protected
        ),
        empty=empty,
        protected=protected,
    )
    return index, list(ids.assign_ids(batches, id_hashes, paths))


def _concatenate(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, kind)


def _marks(stage: Stage, blocks: NDArray[np.int64], offsets: NDArray[np.int64]) -> Marks:
    """The marks of all posts."""
    batches = [stage.marks(number) for number in range(stage.blocks)]
    posts = [batch.column("post").to_numpy() + blocks[number] for number, batch in enumerate(batches)]
    spans = [
        np.stack([batch.column(side).to_numpy() for side in ("start", "end")], axis=1)
        + offsets[blocks[number]]
        for number, batch in enumerate(batches)
    ]
    authors = [hash_names(pc.fill_null(batch.column("author"), "")) for batch in batches]
    return Marks(
        np.searchsorted(_concatenate(posts, np.int64), np.arange(len(offsets))).astype(np.int64),
        np.concatenate(spans) if spans else np.zeros((0, 2), np.int64),
        _concatenate(authors, np.uint64),
    )


def _is_empty(clean: pa.Array) -> NDArray[np.bool_]:
    empty: NDArray[np.bool_] = pc.is_in(pc.ascii_lower(clean), value_set=EMPTY_TEXTS).to_numpy(
        zero_copy_only=False
    )
    return empty


def _first_names(batches: Sequence[pa.RecordBatch], authors: NDArray[np.int32]) -> pa.Array:
    """The name of each author code, in the order of the codes."""
    parts = []
    known = 0
    begin = 0
    for batch in batches:
        part = authors[begin : begin + batch.num_rows]
        begin += batch.num_rows
        # codes are given by first appearance, so new ones come in order
        new, rows = np.unique(part, return_index=True)
        rows = np.sort(rows[new >= known])
        parts.append(batch.column("author").take(pa.array(rows)))
        known += len(rows)
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())
