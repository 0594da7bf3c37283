"""Decisions in words → RESULTS: what becomes of each post of a block, in code points of its raw text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from dedup import cut, decide, trace
from dedup.decide import WHYS, Decisions
from dedup.normalize.edits import Change, compose
from dedup.quotes.marks import quoted_ids
from dedup.quotes.spans import PROTECTED
from dedup.quotes.within import ACROSS, IS_CODE, SAME_AUTHOR
from dedup.schema import EDIT, RESULTS
from dedup.stage import Stage, corpora_of, raw_texts
from dedup.text.tokens import tokenize, utf8_buffers

FLAG_NAMES = {
    SAME_AUTHOR: "same_author",
    ACROSS: "across_threads",
    IS_CODE: "code",
    decide.SOURCE_MISSING: "source_missing",
    decide.SOURCE_LOST: "source_lost",
    PROTECTED: "protected",
}


class Sources(NamedTuple):
    """Where the source of each row stands: int32 [rows, 2] in raw code points (-1: none), and what
    follows its last word, int64 [rows] (see `cut.trails`)."""

    places: NDArray[np.int32]
    trails: NDArray[np.int64]


class Task(NamedTuple):
    """All that one block of results is made of; travels to a worker process."""

    folder: Path
    name: str  # of the block
    first_post: int
    word_offsets: NDArray[np.int64]  # global, of the block's posts
    action: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    similarity: NDArray[np.float32]
    rows: NDArray[np.int64]
    sources: Sources
    ids: pa.StringArray
    duplicate_of: pa.StringArray
    duplicate_corpus: pa.StringArray
    cluster_id: pa.StringArray
    source_ids: pa.StringArray  # one a row
    source_corpora: pa.StringArray
    via_ids: pa.StringArray
    answers: NDArray[np.bool_]
    mark_quotes: bool


def locate_sources(
    stage: Stage,
    blocks: NDArray[np.int64],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    map_blocks: Callable[..., Iterable[Any]] = map,
) -> Sources:
    """Look up the source of every row in the block it lies in. `map_blocks` works as `map` does."""
    places = np.full((len(rows), 2), -1, np.int32)
    trails = np.full(len(rows), -1, np.int64)
    sourced = np.flatnonzero((rows[:, trace.ROW_SOURCE] >= 0) & (rows[:, trace.ROW_SOURCE_END] > 0))
    block_of = np.searchsorted(blocks, rows[sourced, trace.ROW_SOURCE], side="right") - 1
    sourced = sourced[np.argsort(block_of, kind="stable")]
    bounds = np.searchsorted(np.sort(block_of), np.arange(len(blocks)))
    parts = [sourced[begin:end] for begin, end in pairwise(bounds.tolist())]
    numbers = [number for number, part in enumerate(parts) if len(part)]

    def locate(number: int) -> None:
        mine = parts[number]
        texts = rows[mine, trace.ROW_SOURCE] - int(blocks[number])
        word_offsets = offsets[blocks[number] : blocks[number + 1] + 1]
        batch, words = stage.posts(number), stage.words(number)
        data, begins = utf8_buffers(batch.column("clean"))
        last_words = rows[mine, trace.ROW_SOURCE_END] - 1
        trails[mine] = cut.trails(last_words, texts, data, begins, word_offsets, words.starts, words.ends)
        changes = _changes(batch)
        first_words = rows[mine, trace.ROW_SOURCE_START]
        spots = cut.source_spots(
            first_words, last_words, texts, data, begins, word_offsets, words.starts, words.ends
        )
        for side in (0, 1):
            points = cut.count_points(data, begins, texts, spots[:, side])
            places[mine, side] = cut.carry_to_raw(texts, points, side == 1, *changes)

    for _ in map_blocks(locate, numbers):
        pass
    return Sources(places, trails)


def make_tasks(
    stage: Stage,
    blocks: NDArray[np.int64],
    offsets: NDArray[np.int64],
    decisions: Decisions,
    ids: Sequence[pa.StringArray],
    answers: NDArray[np.bool_],
    mark_quotes: bool,
    map_blocks: Callable[..., Iterable[Any]] = map,
) -> Iterator[Task]:
    """One task a block of the dump, made when it is needed; earlier corpora are not written again."""
    rows = decisions.rows
    sources = locate_sources(stage, blocks, offsets, rows, map_blocks)
    # of one piece, because to take from hundreds takes ten times as long; that may be more than 2 GB
    all_ids = pa.chunked_array([column.cast(pa.large_string()) for column in ids], pa.large_string())
    all_ids = all_ids.combine_chunks()
    clusters = _clusters(decisions)
    bounds = np.searchsorted(rows[:, trace.ROW_POST], blocks)
    for number in range(len(stage.corpora), stage.blocks):
        posts = slice(int(blocks[number]), int(blocks[number + 1]))
        mine = slice(int(bounds[number]), int(bounds[number + 1]))
        yield Task(
            stage.folder,
            stage.names[number],
            posts.start,
            offsets[posts.start : posts.stop + 1],
            decisions.action[posts],
            decisions.reason[posts],
            decisions.similarity[posts],
            rows[mine],
            Sources(sources.places[mine], sources.trails[mine]),
            ids[number],
            _names(all_ids, decisions.duplicate_of[posts]),
            corpora_of(stage, blocks, decisions.duplicate_of[posts]),
            _names(all_ids, clusters[posts]),
            _names(all_ids, rows[mine, trace.ROW_SOURCE]),
            corpora_of(stage, blocks, rows[mine, trace.ROW_SOURCE]),
            _names(all_ids, rows[mine, trace.ROW_VIA]),
            answers[posts],
            mark_quotes,
        )


def _clusters(decisions: Decisions) -> NDArray[np.int64]:
    """The post that each post's cluster is named after, -1 for a post without copies."""
    copy_of = decisions.copy_of.copy()
    while True:  # a copy of a copy: one step for each link, and there are two at most
        further = np.where(copy_of >= 0, decisions.copy_of[copy_of], -1)
        if not (further >= 0).any():
            break
        copy_of = np.where(further >= 0, further, copy_of)
    copy_of[copy_of[copy_of >= 0]] = copy_of[copy_of >= 0]
    return copy_of


def _names(ids: pa.LargeStringArray, posts: NDArray[np.int64]) -> pa.StringArray:
    return ids.take(pa.array(posts, mask=posts < 0)).cast(pa.string())


class _Changes(NamedTuple):
    """A block's changes, flat: int32 [posts + 1], then [changes]; sizes are of the new text."""

    offsets: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    sizes: NDArray[np.int32]


def _changes(batch: pa.RecordBatch) -> _Changes:
    column = batch.column("changes")
    values = column.values
    return _Changes(
        column.offsets.to_numpy(),
        values.field("start").to_numpy(),
        values.field("end").to_numpy(),
        pc.utf8_length(values.field("new")).to_numpy(zero_copy_only=False),
    )


def make_results(task: Task) -> pa.RecordBatch:
    """The results (RESULTS) of one block. Pure but for reading the work folder."""
    stage = Stage(task.folder, [task.name])
    batch, words = stage.posts(0), stage.words(0)
    block = _Block(batch)
    all_rows = task.rows.copy()
    all_rows[:, trace.ROW_POST] -= task.first_post
    spots = cut.cut_rows(
        all_rows,
        block.data,
        block.begins,
        task.word_offsets,
        words.starts,
        words.ends,
        words.info,
        task.sources.trails,
        task.action,
        task.mark_quotes,
    )
    kept = all_rows[:, trace.ROW_KEPT] == 1
    removed = _Rows(task, block, all_rows, spots, ~kept & (spots[:, 1] > spots[:, 0]))
    raw_words, clean_words = _count_words(task, batch, all_rows)
    texts = _texts(block, removed)
    columns = {
        name: batch.column(name)
        for name in (
            "author", "thread_id", "parent_id", "title", "board", "created", "path", "record", "encoding",
            "metadata", "escapes",
        )
    }  # fmt: skip
    reasons = pa.array([*WHYS], pa.string())
    if task.answers.any():
        quoted = pc.if_else(pa.array(task.answers), quoted_ids(batch), None)
        columns["parent_id"] = pc.coalesce(columns["parent_id"], quoted)
    nan = np.isnan(task.similarity)
    columns |= {
        "id": task.ids,
        "text": texts,
        "action": pa.array(decide.ACTIONS, pa.string()).take(pa.array(task.action)),
        "reason": reasons.take(pa.array(task.reason, mask=task.reason == decide.NO_REASON)),
        "duplicate_of": task.duplicate_of,
        "source_corpus": task.duplicate_corpus,
        "similarity": pa.array(task.similarity, mask=nan),
        "cluster_id": task.cluster_id,
        "raw_chars": pc.utf8_length(block.raw),
        "clean_chars": pc.utf8_length(texts),
        "raw_words": pa.array(raw_words, pa.int32()),
        "clean_words": pa.array(clean_words, pa.int32()),
        "raw_hash": _raw_hashes(block.raw),
        "edits": _edits(block, removed),
        "kept_copies": _kept_copies(block, _Rows(task, block, all_rows, spots, kept)),
    }
    return pa.RecordBatch.from_arrays([columns[field.name] for field in RESULTS], schema=RESULTS)


def _edits(block: _Block, rows: _Rows) -> pa.ListArray:
    """The edits of all posts, from raw to final text: changes and removals, merged."""
    fates = cut.change_fates(block.change_owners, *block.changes, rows.owners, rows.points)
    apart = fates == cut.APART
    # a removal that cuts through what a change put there: the two are composed in Python (it is rare)
    torn = np.unique(block.change_owners[fates == cut.TORN])
    apart &= ~np.isin(block.change_owners, torn)
    whole = ~np.isin(rows.owners, torn)
    composed = [entry for post in torn.tolist() for entry in _compose(block, rows, post)]
    starts, ends = block.changes.starts, block.changes.ends
    changes = block.batch.column("changes").values
    new, why = changes.field("new").filter(pa.array(apart)), changes.field("why").filter(pa.array(apart))
    loose = [list(column) for column in zip(*composed, strict=True)] or [[], [], [], [], [], []]
    return _edit_column(
        block,
        rows,
        owners=np.concatenate([block.change_owners[apart], rows.owners[whole], loose[0]]).astype(np.int64),
        starts=np.concatenate([starts[apart], rows.raw_points[whole, 0], loose[1]]).astype(np.int32),
        ends=np.concatenate([ends[apart], rows.raw_points[whole, 1], loose[2]]).astype(np.int32),
        new=pa.concat_arrays([new, rows.new.filter(pa.array(whole)), pa.array(loose[3], pa.string())]),
        why=pa.concat_arrays([why, rows.why().filter(pa.array(whole)), pa.array(loose[4], pa.string())]),
        evidence=np.concatenate(
            [np.full(int(apart.sum()), -1), np.flatnonzero(whole), np.array(loose[5], np.int64)]
        ).astype(np.int64),
    )


def _kept_copies(block: _Block, rows: _Rows) -> pa.ListArray:
    """The copies that stay: nothing of them changes."""
    raw = _pieces(block, rows.owners, rows.raw_points[:, 0], rows.raw_points[:, 1])
    starts, ends = rows.raw_points[:, 0], rows.raw_points[:, 1]
    evidence = np.arange(len(rows.owners))
    return _edit_column(block, rows, rows.owners, starts, ends, raw, rows.why(), evidence)


def _compose(block: _Block, rows: _Rows, post: int) -> list[tuple[int, int, int, str, str, int]]:
    """The edits of one post: (post, start, end, new, why, row or -1)."""
    raw = block.raw[post].as_py()
    first = [Change(**change) for change in block.batch.column("changes")[post].as_py()]
    mine = np.flatnonzero(rows.owners == post).tolist()
    why, new = rows.why(), rows.new
    points = rows.points.tolist()
    second = [Change(points[row][0], points[row][1], new[row].as_py(), why[row].as_py()) for row in mine]
    return [
        (post, *change, -1 if number is None else mine[number])
        for change, number in compose(first, second, raw)
    ]


def _edit_column(
    block: _Block,
    rows: _Rows,
    owners: NDArray[np.int64],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    new: pa.StringArray,
    why: pa.StringArray,
    evidence: NDArray[np.int64],
) -> pa.ListArray:
    """A list column of EDIT; `evidence` is the row an edit rests on, or -1."""
    order = np.lexsort((ends, starts, owners))
    owners, starts, ends, evidence = owners[order], starts[order], ends[order], evidence[order]
    taken = pa.array(order)
    values = {
        "start": pa.array(starts),
        "end": pa.array(ends),
        "raw": _pieces(block, owners, starts, ends),
        "new": new.take(taken),
        "why": why.take(taken),
        **rows.evidence(evidence),
    }
    column = pa.StructArray.from_arrays([values[field.name] for field in EDIT], fields=list(EDIT))
    bounds = np.searchsorted(owners, np.arange(block.batch.num_rows + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds), column)


def _pieces(
    block: _Block, owners: NDArray[np.int64], starts: NDArray[np.int32], ends: NDArray[np.int32]
) -> pa.StringArray:
    """The stretches of raw text starts:ends (code points) of the posts `owners`, sorted by them."""
    data, begins = utf8_buffers(block.raw)
    return strings(*cut.gather(data, begins, owners, starts, ends))


def _texts(block: _Block, rows: _Rows) -> pa.StringArray:
    """The final texts: clean text without what the rows take out."""
    if not len(rows.owners):
        return block.batch.column("clean")
    return strings(*cut.cut_texts(block.data, block.begins, rows.owners, rows.spots, *utf8_buffers(rows.new)))


def strings(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> pa.StringArray:
    """A string column from its bytes and int64 [rows + 1] offsets."""
    buffers = [pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.StringArray.from_buffers(len(offsets) - 1, *buffers)


class _Block:
    """The posts of a task and their changes, flat."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.raw = raw_texts(batch)
        self.data, self.begins = utf8_buffers(batch.column("clean"))
        self.changes = _changes(batch)
        self.change_owners = np.repeat(np.arange(batch.num_rows), np.diff(self.changes[0]))


class _Rows:
    """Some rows of a task with what belongs to each: where it is in the post, and its source."""

    def __init__(
        self, task: Task, block: _Block, rows: NDArray[np.int64], spots: NDArray[np.int32], wanted: Any
    ) -> None:
        self.rows, self.spots = rows[wanted], spots[wanted]
        self.owners = self.rows[:, trace.ROW_POST]
        self.places = task.sources.places[wanted]
        self._sources, self._corpora, self._vias = (
            names.filter(pa.array(wanted)) for names in (task.source_ids, task.source_corpora, task.via_ids)
        )
        count, carry = cut.count_points, cut.carry_to_raw
        self.points = np.stack(
            [count(block.data, block.begins, self.owners, self.spots[:, side]) for side in (0, 1)], axis=1
        )
        self.raw_points = np.stack(
            [carry(self.owners, self.points[:, side], side == 1, *block.changes) for side in (0, 1)], axis=1
        )
        marked = task.mark_quotes & (self.rows[:, trace.ROW_WHY] == decide.QUOTE)
        marks = pc.binary_join_element_wise("[quote ", pc.fill_null(self._sources, "?"), "]", "")
        self.new = pc.if_else(pa.array(marked), marks, pa.scalar("", pa.string()))

    def why(self) -> pa.StringArray:
        return pa.array(WHYS, pa.string()).take(pa.array(self.rows[:, trace.ROW_WHY]))

    def evidence(self, wanted: NDArray[np.int64]) -> dict[str, pa.Array]:
        """The fields of EDIT that tell where a copy comes from; null where `wanted` is -1."""
        row = self.rows
        bare = (row[:, trace.ROW_WHY] == decide.QUOTE_CHROME) | (row[:, trace.ROW_WHY] == decide.EMPTY)
        none = wanted < 0
        known = np.where(none, 0, wanted)
        if not len(row):
            nulls = {field.name: pa.nulls(len(wanted), field.type) for field in list(EDIT)[5:]}
            return nulls | {"flags": pa.array([[]] * len(wanted), pa.list_(pa.string()))}
        bare, sourceless = none | bare[known], none | (row[known, trace.ROW_SOURCE] < 0)
        words = np.maximum(1, row[:, trace.ROW_END] - row[:, trace.ROW_START])
        score = (row[:, trace.ROW_MATCHED] / words).astype(np.float32)
        kinds, codes = np.unique(np.where(bare, 0, row[known, trace.ROW_FLAGS]), return_inverse=True)
        names = [[name for flag, name in FLAG_NAMES.items() if kind & flag] for kind in kinds.tolist()]
        return {
            "source_id": self._sources.take(pa.array(known, mask=sourceless)),
            "source_corpus": self._corpora.take(pa.array(known, mask=sourceless)),
            "source_start": pa.array(self.places[known, 0], mask=sourceless | (self.places[known, 0] < 0)),
            "source_end": pa.array(self.places[known, 1], mask=sourceless | (self.places[known, 1] < 0)),
            "via_id": self._vias.take(pa.array(known, mask=sourceless)),
            "score": pa.array(score[known], mask=sourceless),
            "group": pa.array(self._groups()[known].astype(np.int32), mask=bare),
            "flags": pa.array(names, pa.list_(pa.string())).take(pa.array(codes)),
        }

    def _groups(self) -> NDArray[np.int64]:
        """The groups of each post, counted from 0."""
        pairs = np.stack([self.owners, self.rows[:, trace.ROW_GROUP]], axis=1)
        distinct, codes = np.unique(pairs, axis=0, return_inverse=True)
        first = np.searchsorted(distinct[:, 0], distinct[:, 0])
        return (np.arange(len(distinct)) - first)[codes.reshape(-1)]


def _count_words(
    task: Task, batch: pa.RecordBatch, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Words of each post's raw and final text."""
    clean = np.diff(task.word_offsets)
    raw = clean.copy()
    changes = batch.column("changes")
    chrome = pc.equal(changes.values.field("why"), "page_chrome").to_numpy(zero_copy_only=False)
    if chrome.any():
        owners = np.repeat(np.arange(batch.num_rows), np.diff(changes.offsets.to_numpy()))
        posts = np.unique(owners[chrome])
        raw[posts] = np.diff(tokenize(raw_texts(batch.take(pa.array(posts)))).offsets)
    gone = rows[rows[:, trace.ROW_KEPT] == 0]
    taken = np.zeros(batch.num_rows, np.int64)
    np.add.at(taken, gone[:, trace.ROW_POST], gone[:, trace.ROW_END] - gone[:, trace.ROW_START])
    final = np.where(task.action == trace.DROP, 0, clean - taken)
    return raw, final


def _raw_hashes(texts: pa.Array) -> pa.StringArray:
    data, begins = utf8_buffers(texts)
    view, bounds = data.data, begins.tolist()
    digest = xxhash.xxh3_128_hexdigest
    return pa.array([digest(view[a:b]) for a, b in pairwise(bounds)], pa.string())
