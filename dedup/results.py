"""Decisions in words → RESULTS: what becomes of each post of a block, in code points of its raw text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from dedup import cut, decide
from dedup.decide import WHYS, Decisions
from dedup.normalize.edits import Change, apply, compose
from dedup.quotes.within import ACROSS, IS_CODE, SAME_AUTHOR
from dedup.schema import EDIT, RESULTS
from dedup.stage import Stage
from dedup.text.tokens import tokenize, utf8_buffers

FLAG_NAMES = {
    SAME_AUTHOR: "same_author",
    ACROSS: "across_threads",
    IS_CODE: "code",
    decide.SOURCE_MISSING: "source_missing",
    decide.SOURCE_LOST: "source_lost",
    decide.PROTECTED: "protected",
}


class Sources(NamedTuple):
    """Where the source of each row stands: int32 [rows, 2] in raw code points (-1: none), and what
    follows its last word, int64 [rows] (see `cut.trails`)."""

    places: NDArray[np.int32]
    trails: NDArray[np.int64]


class Task(NamedTuple):
    """All that one block of results is made of; travels to a worker process."""

    folder: Path
    number: int
    first_post: int
    word_offsets: NDArray[np.int64]  # global, of the block's posts
    action: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    similarity: NDArray[np.float32]
    rows: NDArray[np.int64]
    sources: Sources
    ids: pa.StringArray
    duplicate_of: pa.StringArray
    cluster_id: pa.StringArray
    source_ids: pa.StringArray  # one a row
    via_ids: pa.StringArray
    mark_quotes: bool


def locate_sources(
    stage: Stage, blocks: NDArray[np.int64], offsets: NDArray[np.int64], rows: NDArray[np.int64]
) -> Sources:
    """Look up the source of every row in the block it lies in."""
    places = np.full((len(rows), 2), -1, np.int32)
    trails = np.full(len(rows), -1, np.int64)
    sourced = np.flatnonzero((rows[:, decide.ROW_SOURCE] >= 0) & (rows[:, decide.ROW_SOURCE_END] > 0))
    posts = rows[sourced, decide.ROW_SOURCE]
    block_of = np.searchsorted(blocks, posts, side="right") - 1
    for number in np.unique(block_of).tolist():
        mine = sourced[block_of == number]
        owners = rows[mine, decide.ROW_SOURCE]
        first = int(blocks[number])
        word_offsets = offsets[first : blocks[number + 1] + 1]
        batch, words = stage.posts(number), stage.words(number)
        data, begins = utf8_buffers(batch.column("clean"))
        base = word_offsets[0]
        last_words = rows[mine, decide.ROW_SOURCE_END] - 1
        trails[mine] = cut.trails(
            last_words, owners - first, data, begins, word_offsets, words.starts, words.ends
        )
        changes = _changes(batch)
        texts = owners - first
        spots = [words.starts[rows[mine, decide.ROW_SOURCE_START] - base], words.ends[last_words - base]]
        for side, spot in enumerate(spots):
            points = cut.count_points(data, begins, texts, spot)
            places[mine, side] = cut.carry_to_raw(texts, points, side == 1, *changes)
    return Sources(places, trails)


def make_tasks(
    stage: Stage,
    blocks: NDArray[np.int64],
    offsets: NDArray[np.int64],
    decisions: Decisions,
    ids: Sequence[pa.StringArray],
    mark_quotes: bool,
) -> list[Task]:
    """One task a block."""
    rows = decisions.rows[
        np.lexsort((decisions.rows[:, decide.ROW_START], decisions.rows[:, decide.ROW_POST]))
    ]
    sources = locate_sources(stage, blocks, offsets, rows)
    all_ids = pa.chunked_array(ids, pa.string())
    clusters = _clusters(decisions)
    tasks = []
    bounds = np.searchsorted(rows[:, decide.ROW_POST], blocks)
    for number in range(stage.blocks):
        posts = slice(int(blocks[number]), int(blocks[number + 1]))
        mine = slice(int(bounds[number]), int(bounds[number + 1]))
        tasks.append(
            Task(
                stage.folder,
                number,
                posts.start,
                offsets[posts.start : posts.stop + 1],
                decisions.action[posts],
                decisions.reason[posts],
                decisions.similarity[posts],
                rows[mine],
                Sources(sources.places[mine], sources.trails[mine]),
                ids[number],
                _names(all_ids, decisions.duplicate_of[posts]),
                _names(all_ids, clusters[posts]),
                _names(all_ids, rows[mine, decide.ROW_SOURCE]),
                _names(all_ids, rows[mine, decide.ROW_VIA]),
                mark_quotes,
            )
        )
    return tasks


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


def _names(ids: pa.ChunkedArray, posts: NDArray[np.int64]) -> pa.StringArray:
    if not len(posts) or not len(ids):
        return pa.nulls(len(posts), pa.string())
    taken = ids.take(pa.array(posts, mask=posts < 0))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def _changes(batch: pa.RecordBatch) -> tuple[NDArray[Any], ...]:
    """Offsets, starts, ends and new sizes of a block's changes, flat."""
    column = batch.column("changes")
    values = column.values
    return (
        column.offsets.to_numpy(),
        values.field("start").to_numpy(),
        values.field("end").to_numpy(),
        pc.utf8_length(values.field("new")).to_numpy(zero_copy_only=False),
    )


def make_results(task: Task) -> pa.RecordBatch:
    """The results (RESULTS) of one block. Pure but for reading the work folder."""
    stage = Stage(task.folder, task.number + 1)
    batch, words = stage.posts(task.number), stage.words(task.number)
    clean = batch.column("clean")
    data, begins = utf8_buffers(clean)
    rows = task.rows.copy()
    rows[:, decide.ROW_POST] -= task.first_post
    spots = cut.cut_rows(
        rows, data, begins, task.word_offsets, words.starts, words.ends, task.sources.trails, task.action,
        task.mark_quotes,
    )  # fmt: skip
    owners = rows[:, decide.ROW_POST].astype(np.int64)
    points = np.stack([cut.count_points(data, begins, owners, spots[:, side]) for side in (0, 1)], axis=1)
    changes = _changes(batch)
    raw_points = np.stack(
        [cut.carry_to_raw(owners, points[:, side], side == 1, *changes) for side in (0, 1)], axis=1
    )
    pen = _Pen(task, batch, rows, points, raw_points)
    raw_words, clean_words = _count_words(task, batch, rows)
    texts = pen.texts()
    size = batch.num_rows
    columns = {
        name: batch.column(name)
        for name in (
            "author", "thread_id", "parent_id", "title", "board", "created", "path", "record", "encoding",
            "metadata", "escapes",
        )
    }  # fmt: skip
    reasons = pa.array([*WHYS], pa.string())
    nan = np.isnan(task.similarity)
    columns |= {
        "id": task.ids,
        "text": texts,
        "action": pa.array(decide.ACTIONS, pa.string()).take(pa.array(task.action)),
        "reason": reasons.take(pa.array(task.reason, mask=task.reason == decide.NO_REASON)),
        "duplicate_of": task.duplicate_of,
        "similarity": pa.array(task.similarity, mask=nan),
        "cluster_id": task.cluster_id,
        "raw_chars": pc.utf8_length(batch.column("text")),
        "clean_chars": pc.utf8_length(texts),
        "raw_words": pa.array(raw_words, pa.int32()),
        "clean_words": pa.array(clean_words, pa.int32()),
        "raw_hash": _raw_hashes(batch.column("text")),
        "edits": pen.edits.column(size),
        "kept_copies": pen.kept.column(size),
    }
    return pa.RecordBatch.from_arrays([columns[field.name] for field in RESULTS], schema=RESULTS)


class _Edits:
    """A list column of EDIT in the making."""

    def __init__(self) -> None:
        self.fields: list[list[Any]] = [[] for _ in EDIT]
        self.counts: dict[int, int] = {}

    def add(self, post: int, *values: Any) -> None:
        for column, value in zip(self.fields, values, strict=True):
            column.append(value)
        self.counts[post] = self.counts.get(post, 0) + 1

    def column(self, posts: int) -> pa.ListArray:
        lengths = np.zeros(posts + 1, np.int32)
        for post, count in self.counts.items():
            lengths[post + 1] = count
        values = pa.StructArray.from_arrays(
            [pa.array(column, field.type) for column, field in zip(self.fields, EDIT, strict=True)],
            fields=list(EDIT),
        )
        return pa.ListArray.from_arrays(pa.array(np.cumsum(lengths, dtype=np.int32)), values)


class _Pen:
    """Writes the edits of the posts that have any; the other posts never become Python objects."""

    def __init__(
        self,
        task: Task,
        batch: pa.RecordBatch,
        rows: NDArray[np.int64],
        points: NDArray[np.int32],
        raw_points: NDArray[np.int32],
    ) -> None:
        self._task, self._batch = task, batch
        self._rows = rows.tolist()
        self._points, self._raw_points = points.tolist(), raw_points.tolist()
        self._places = task.sources.places.tolist()
        self._source_ids, self._via_ids = task.source_ids.to_pylist(), task.via_ids.to_pylist()
        self.edits, self.kept = _Edits(), _Edits()
        self._new_texts: dict[int, str] = {}
        bounds = np.searchsorted(rows[:, decide.ROW_POST], np.arange(batch.num_rows + 1))
        change_bounds = batch.column("changes").offsets.to_numpy()
        touched = np.flatnonzero((np.diff(bounds) > 0) | (np.diff(change_bounds) > 0))
        changes = batch.column("changes").values
        starts, ends = (changes.field(name).to_numpy().tolist() for name in ("start", "end"))
        new, why = changes.field("new").to_pylist(), changes.field("why").to_pylist()
        raw_texts = batch.column("text")
        for post in touched.tolist():
            first = [
                Change(starts[c], ends[c], new[c], why[c])
                for c in range(change_bounds[post], change_bounds[post + 1])
            ]
            self._write(post, raw_texts[post].as_py(), first, range(bounds[post], bounds[post + 1]))

    def _write(self, post: int, raw: str, first: list[Change], rows: range) -> None:
        removed = [r for r in rows if not self._rows[r][decide.ROW_KEPT]]
        groups: dict[int, int] = {}
        for r in rows:
            groups.setdefault(self._rows[r][decide.ROW_GROUP], len(groups))
        second = [Change(*self._points[r], self._new(r), WHYS[self._rows[r][decide.ROW_WHY]]) for r in removed]
        second = [change for change in second if change.end > change.start or change.new]
        numbers = [r for r in removed if self._points[r][1] > self._points[r][0] or self._new(r)]
        composed = compose(first, second, raw)
        for change, number in composed:
            start, end, new, why = change
            head = (post, start, end, raw[start:end], new, why)
            if number is None:
                self.edits.add(*head, None, None, None, None, None, None, [])
            else:
                self.edits.add(*head, *self._evidence(numbers[number], groups))
        if second:
            self._new_texts[post] = apply(raw, [change for change, _ in composed])
        for r in rows:
            if self._rows[r][decide.ROW_KEPT]:
                start, end = self._raw_points[r]
                piece = raw[start:end]
                why = WHYS[self._rows[r][decide.ROW_WHY]]
                self.kept.add(post, start, end, piece, piece, why, *self._evidence(r, groups))

    def _new(self, row: int) -> str:
        if not self._task.mark_quotes or self._rows[row][decide.ROW_WHY] != decide.QUOTE:
            return ""
        return f"[quote {self._source_ids[row]}]"

    def _evidence(self, r: int, groups: dict[int, int]) -> tuple[Any, ...]:
        row = self._rows[r]
        if row[decide.ROW_SOURCE] < 0 and row[decide.ROW_WHY] in (decide.QUOTE_CHROME, decide.EMPTY):
            return (None, None, None, None, None, None, [])
        start, end = self._places[r]
        words = max(1, row[decide.ROW_END] - row[decide.ROW_START])
        flags = [name for flag, name in FLAG_NAMES.items() if row[decide.ROW_FLAGS] & flag]
        return (
            self._source_ids[r],
            start if start >= 0 else None,
            end if end >= 0 else None,
            self._via_ids[r],
            row[decide.ROW_MATCHED] / words if row[decide.ROW_SOURCE] >= 0 else None,
            groups[row[decide.ROW_GROUP]],
            flags,
        )

    def texts(self) -> pa.StringArray:
        """The final texts: clean text, but for the posts that were cut."""
        clean = self._batch.column("clean")
        if not self._new_texts:
            return clean
        mask = np.zeros(len(clean), np.bool_)
        mask[list(self._new_texts)] = True
        new = [self._new_texts[post] for post in sorted(self._new_texts)]
        return pc.replace_with_mask(clean, pa.array(mask), pa.array(new, pa.string()))


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
        raw[posts] = np.diff(tokenize(batch.column("text").take(pa.array(posts))).offsets)
    gone = rows[rows[:, decide.ROW_KEPT] == 0]
    taken = np.zeros(batch.num_rows, np.int64)
    np.add.at(taken, gone[:, decide.ROW_POST], gone[:, decide.ROW_END] - gone[:, decide.ROW_START])
    final = np.where(task.action == decide.DROP, 0, clean - taken)
    return raw, final


def _raw_hashes(texts: pa.Array) -> pa.StringArray:
    data, begins = utf8_buffers(texts)
    view, bounds = memoryview(data), begins.tolist()
    digest = xxhash.xxh3_128_hexdigest
    return pa.array(
        [digest(view[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)], pa.string()
    )

