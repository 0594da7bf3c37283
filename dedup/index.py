"""All posts as the global steps see them: flat arrays, one entry a post or a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import ids
from dedup.arrays import Bytes, Int64s, UInt16s, UInt32s, helper, inverse
from dedup.clock import Watch, unwatched
from dedup.config import Config
from dedup.engines.base import Engine
from dedup.match.exact import collapse
from dedup.order import date_sources, months_of, order_posts, read_times
from dedup.quotes.attribution import Names, hash_names, name_table
from dedup.quotes.marks import Marks
from dedup.quotes.threads import Threads, group_threads
from dedup.quotes.within import IN_TAG, count_own
from dedup.removed import Removed, place_removed
from dedup.scratch import Scratch, memory_for
from dedup.stage import KEYS, Stage
from dedup.text.tokens import TAG

_WORD_BYTES = 6
"""Input for each word, about."""


class Index(NamedTuple):
    """What the quotes, match and decide steps work on.

    Posts are numbered thread by thread, in order within each, so that what is looked at together lies
    together. `input_of`: int64 [posts], each post's place in the input; `input_offsets`: int64 [posts + 1],
    where each post's words would begin if posts stood in input order; `months`: int32 [posts] in input
    order (see `months_of`); `answers`: bool [posts] in input order, the posts whose parent is the post they
    quote (`marks.quoted_ids`).
    offsets: int64 [posts + 1], where each post's words begin. hashes, info, state: per word (see
    `Tokens`; state is 0 for own words, and the steps write to it).
    blocks: int64 [blocks + 1], where each block's posts begin in the input.
    rank: int64, each post's place in the order; order: int64, the posts by rank. Posts of earlier corpora
    come before all others, and are protected.
    authors: int32, codes, -1 unknown; author_names: uint64, hashes of names, 0 unknown.
    stands_for: int64, the first post of the same text. empty, protected: bool.
    removed: text of earlier corpora that is only counted; its words stand behind those of all posts.
    scratch: makes the large arrays.
    """

    input_of: NDArray[np.int64]
    input_offsets: NDArray[np.int64]
    months: NDArray[np.int32]
    answers: NDArray[np.bool_]
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
    removed: Removed
    scratch: Scratch


def index_posts(
    stage: Stage, config: Config, engine: Engine, watch: Watch = unwatched
) -> tuple[Index, list[pa.StringArray]]:
    """The index of all posts in the work folder, and their final ids, block by block."""
    batches = [stage.posts(number) for number in range(stage.blocks)]
    blocks = np.zeros(stage.blocks + 1, np.int64)
    np.cumsum([batch.num_rows for batch in batches], out=blocks[1:])
    with watch("order", int(blocks[-1]), "posts") as bar:
        return _index(stage, batches, blocks, config, engine, bar.advance)


def _index(
    stage: Stage,
    batches: list[pa.RecordBatch],
    blocks: NDArray[np.int64],
    config: Config,
    engine: Engine,
    advance: Callable[[int], None],
) -> tuple[Index, list[pa.StringArray]]:
    keys = _Keys(stage)
    words = keys["words"]
    # what more workers may take is theirs
    memory = memory_for(config.run, _WORD_BYTES * int(words.sum(dtype=np.int64)), min(2, engine.workers))
    scratch = Scratch(stage.folder, memory, engine.shared)
    keep = scratch.copy

    paths, id_hashes = keep(ids.codes(keys["path"])), keep(keys["id"])
    earlier = np.arange(len(paths)) < blocks[len(stage.corpora)]
    threads, rank, months, answers = _thread_up(
        keys, batches, paths, id_hashes, earlier, config, engine, keep
    )
    input_of = keep(threads.posts)
    number_of = keep(inverse(input_of))
    order = keep(number_of[inverse(rank)])
    rank = keep(rank[input_of])
    threads = Threads(
        keep(np.arange(len(input_of))),
        keep(threads.offsets),
        threads.windowed,
        keep(threads.thread_of[input_of]),
    )
    author_hashes = keys["author"][input_of]
    authors, author_names = keep(ids.codes(author_hashes)), keep(keys["author_name"][input_of])
    protected_hashes = ids.hash_strings(pa.array(config.decide.protect_authors, pa.string()))
    protected = np.isin(author_hashes, protected_hashes) & (author_hashes != 0)
    del author_hashes
    empty, earlier = keys["empty"][input_of], earlier[input_of]

    input_offsets, offsets = (scratch.zeros(len(rank) + 1, np.int64) for _ in range(2))
    np.cumsum(words, out=input_offsets[1:])
    np.cumsum(words[input_of], out=offsets[1:])
    gone = [stage.removed_words(name) for _, name in stage.removed]
    words_in_all = int(offsets[-1]) + sum(batch.num_rows for batch in gone)
    hashes, info = scratch.zeros(words_in_all, np.uint32), scratch.zeros(words_in_all, np.uint16)
    state = scratch.zeros(words_in_all, np.uint8)

    def place(number: int) -> int:
        block, posts = stage.words(number), slice(*blocks[number : number + 2])
        _place(block.offsets, block.hashes, block.info, offsets[number_of[posts]], hashes, info, state)
        return int(posts.stop - posts.start)

    for placed in engine.map_kernels(place, range(stage.blocks)):
        advance(placed)
    removed = place_removed(
        stage,
        blocks,
        number_of,
        id_hashes,
        keys["thread_id"],
        keys["author"],
        authors,
        threads.thread_of,
        int(offsets[-1]),
    )
    at = int(offsets[-1])
    for batch in gone:
        there = slice(at, at + batch.num_rows)
        hashes[there], info[there] = (batch.column(name).to_numpy() for name in ("hash", "info"))
        state[there][info[there] & TAG != 0] = IN_TAG
        at = there.stop
    index = Index(
        input_of=input_of,
        input_offsets=input_offsets,
        months=keep(months),
        answers=keep(answers),
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
        names=name_table(np.unique(author_names)),
        marks=_marks(stage, blocks, input_offsets, number_of, offsets),
        stands_for=keep(
            collapse(
                (keys["text"][input_of], keys["text_2"][input_of]),
                offsets,
                hashes,
                lambda posts: count_own(posts, offsets, info, state),
                authors,
                threads.thread_of,
                rank,
                empty | protected & ~earlier,
            )
        ),
        empty=empty,
        protected=protected | earlier,
        removed=removed,
        scratch=scratch,
    )
    # the ids of an earlier corpus are what they are; others may use them again
    corpora = [*stage.corpora, *[None] * (stage.blocks - len(stage.corpora))]
    assigned: list[pa.StringArray] = []
    for _, numbers in groupby(range(stage.blocks), key=corpora.__getitem__):
        own = [*numbers]
        posts = slice(int(blocks[own[0]]), int(blocks[own[-1] + 1]))
        assigned += ids.assign_ids([batches[number] for number in own], id_hashes[posts], paths[posts])
    return index, assigned


def _thread_up(
    keys: _Keys,
    batches: list[pa.RecordBatch],
    paths: NDArray[np.int32],
    id_hashes: NDArray[np.uint64],
    earlier: NDArray[np.bool_],
    config: Config,
    engine: Engine,
    keep: Callable[[NDArray[Any]], NDArray[Any]],
) -> tuple[Threads, NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_]]:
    """The threads, ranks, months and answers (see `Index`) of all posts, in input order.

    earlier: bool, of earlier corpora. keep: puts large arrays where they take no memory.
    """
    parent_hashes = keys["parent_id"]
    thread_codes = ids.codes(keys["thread_id"])
    parents = ids.link_parents(id_hashes, parent_hashes, paths)
    # a post that says of none that it is its parent answers the one it quotes, on whatever page that stands
    quoted = ids.link_quoted(id_hashes, keys["quoted"], thread_codes)
    answers = (parents < 0) & (quoted >= 0)
    parents = keep(np.where(answers, quoted, parents))
    # answers to a post that is not in the dump (a cleaned one, say) are a thread all the same
    orphans = (thread_codes < 0) & (parents < 0) & (parent_hashes != 0)
    siblings = ids.codes(np.where(orphans, ids.pair_keys(parent_hashes, paths), np.uint64(0)))
    thread_codes = keep(np.where(orphans, thread_codes.max(initial=-1) + 1 + siblings, thread_codes))
    del parent_hashes, quoted, orphans, siblings
    sources = date_sources(batches, paths)
    times = keep(read_times(batches, sources, config.read.date_format, engine.map_kernels))
    rank = keep(order_posts(times, thread_codes, parents, paths))
    if earlier.any():
        rank[np.lexsort((rank, ~earlier))] = np.arange(len(rank))
    is_page = np.zeros(len(rank), np.bool_)
    threads = group_threads(thread_codes, parents, paths, keys["title"], times, rank, is_page)
    return threads, rank, months_of(times), answers


@helper
def _place(
    block_offsets: Int64s,
    block_hashes: UInt32s,
    block_info: UInt16s,
    begins: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
) -> None:
    """Put the words of each post of a block where they belong; those of tags are nobody's."""
    for post in range(begins.shape[0]):
        to = begins[post]
        for at in range(block_offsets[post], block_offsets[post + 1]):
            hashes[to] = block_hashes[at]
            info[to] = block_info[at]
            if block_info[at] & TAG:
                state[to] = IN_TAG
            to += 1


def _concatenate(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, kind)


def _marks(
    stage: Stage,
    blocks: NDArray[np.int64],
    input_offsets: NDArray[np.int64],
    number_of: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> Marks:
    """The marks of all posts."""
    batches = [stage.marks(number) for number in range(stage.blocks)]
    inputs = _concatenate(
        [batch.column("post").to_numpy() + blocks[number] for number, batch in enumerate(batches)], np.int64
    )
    spans = [
        np.stack([batch.column(side).to_numpy() for side in ("start", "end")], axis=1)
        + input_offsets[blocks[number]]
        for number, batch in enumerate(batches)
    ]
    names = _concatenate(
        [hash_names(pc.fill_null(batch.column("author"), "")) for batch in batches], np.uint64
    )
    posts = number_of[inputs]
    moved = np.concatenate(spans) if spans else np.zeros((0, 2), np.int64)
    moved += (offsets[posts] - input_offsets[inputs])[:, np.newaxis]
    order = np.argsort(posts, kind="stable")
    firsts = np.searchsorted(posts[order], np.arange(len(offsets))).astype(np.int64)
    return Marks(firsts, moved[order], names[order])


class _Keys:
    """The columns of KEYS over all blocks."""

    def __init__(self, stage: Stage) -> None:
        self._blocks = [stage.keys(number) for number in range(stage.blocks)]

    def __getitem__(self, name: str) -> NDArray[Any]:
        kind = KEYS.field(name).type.to_pandas_dtype()
        parts = [block.column(name).to_numpy(zero_copy_only=False) for block in self._blocks]
        return _concatenate(parts, kind)
