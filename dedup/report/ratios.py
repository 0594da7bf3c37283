"""Decisions → counts and ratios: what `report.json` holds.

Ratios are of what came in: 0.25 of the characters means a quarter of all raw characters. A *copy* is
an exact duplicate, near-duplicate, repost or quote; boilerplate and chrome are removed as well but
nobody copied them, so `duplicate_ratio` leaves them out. Repairs of encoding and white space are
counted apart: they change text and remove none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import field
from numpy.typing import NDArray

from dedup.report.groups import KeyedSums, first_rows
from dedup.report.kinds import COPIES, REMOVALS, REPAIRS
from dedup.text.tokens import tokenize

GROUPS = {"thread": "thread_id", "author": "author", "board": "board", "month": "created", "file": "path"}
"""What posts are grouped by, and the column of RESULTS that says it."""
BINS = 20
TOP = 20
MIN_GROUP_POSTS = 5
"""Threads and authors of fewer posts make no telling ratio."""
MAX_MONTHS = 600

_SUMS = ("posts", "dropped", "characters", "removed", "copied")
_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])([^0-9]|$)"
Counts = NDArray[np.int64]


class Ratios(msgspec.Struct):
    """Adds up RESULTS batches; `as_dict` is the same whatever the batch size.

    Memory: one row a distinct thread, author, cluster and quoted post.
    """

    _actions: dict[str, Counts] = {}  # action → posts, raw words, raw chars, clean words, clean chars
    _reasons: dict[str, int] = {}
    _kinds: dict[str, Counts] = {}  # why → posts, passages, words, characters
    _kept_kinds: dict[str, Counts] = {}
    _kept_flags: dict[str, Counts] = {}
    _kept_all: Counts = field(default_factory=lambda: np.zeros(4, np.int64))
    _groups: dict[str, KeyedSums] = field(default_factory=lambda: {name: KeyedSums(_SUMS) for name in GROUPS})
    _clusters: KeyedSums = field(default_factory=lambda: KeyedSums(["posts"]))
    _quoted: KeyedSums = field(default_factory=lambda: KeyedSums(["posts"]))
    _histogram: dict[str, Counts] = field(
        default_factory=lambda: {why: np.zeros(BINS, np.int64) for why in COPIES[1:]}
    )

    def add(self, batch: pa.RecordBatch, months: pa.Array | None = None) -> None:
        """Count a RESULTS batch.

        `months` gives each post's month as `YYYY-MM` or null, where the caller knows the dates; else
        it is read from `created`, if that starts with `YYYY-MM`.
        """
        edits = _passages(batch, "edits")
        kept = _passages(batch, "kept_copies")
        self._add_totals(batch)
        for why, counts in _by_kind(edits).items():
            _increase(self._kinds, why, counts)
        for why, counts in _by_kind(kept).items():
            _increase(self._kept_kinds, why, counts)
        for flag, counts in _by_flag(kept).items():
            _increase(self._kept_flags, flag, counts)
        self._kept_all += _counts(kept.posts, kept.words, kept.characters)
        self._add_groups(batch, edits, months)
        self._clusters.add(batch["cluster_id"], {"posts": np.ones(len(batch), np.int64)})
        self._add_quoted(edits, kept)
        self._add_similarity(batch, edits)

    def merge(self, other: Ratios) -> None:
        """Add what another one counted of other batches, perhaps in another process."""
        for into, counted in (
            (self._actions, other._actions),
            (self._kinds, other._kinds),
            (self._kept_kinds, other._kept_kinds),
            (self._kept_flags, other._kept_flags),
            (self._histogram, other._histogram),
        ):
            for key, counts in counted.items():
                _increase(into, key, counts)
        for reason, posts in other._reasons.items():
            self._reasons[reason] = self._reasons.get(reason, 0) + posts
        self._kept_all += other._kept_all
        for name, sums in other._groups.items():
            self._groups[name].merge(sums)
        self._clusters.merge(other._clusters)
        self._quoted.merge(other._quoted)

    def as_dict(self, rejected: int = 0) -> dict[str, Any]:
        """Everything counted so far, ready for JSON; `rejected` is the number of unreadable records.

        `in`, `out` and `by_action` are posts, words and characters (of raw text, `out` of clean);
        `removed`, `repairs` and `kept_copies` count by kind, where `posts` are those with at least one
        such passage and `dropped_posts` those that went whole. The share of a row of `by` is copied of
        raw characters. Tables hold the first TOP rows and say how many there are.
        """
        total = sum(self._actions.values(), np.zeros(5, np.int64))
        posts, words, characters = (int(n) for n in total[:3])
        whole = {"posts": posts, "words": words, "characters": characters}
        actions = {
            name: self._actions.get(action, np.zeros(5, np.int64))
            for name, action in (("kept", "keep"), ("trimmed", "trim"), ("dropped", "drop"))
        }
        out = {
            "posts": int(actions["kept"][0] + actions["trimmed"][0]),
            "words": int(total[3]),
            "characters": int(total[4]),
        }
        removed = {why: self._removed(why, whole) for why in self._removal_kinds()}
        duplicate = _shares([row for why, row in removed.items() if why in COPIES], whole)
        return {
            "duplicate_ratio": duplicate["characters"],
            "posts": {
                "in": posts,
                **{name: int(counts[0]) for name, counts in actions.items()},
                "rejected": rejected,
            },
            "in": whole,
            "out": out,
            "by_action": {name: _size(counts[:3]) for name, counts in actions.items()},
            "ratios": {"duplicate": duplicate, "removed": _shares(list(removed.values()), whole)},
            "removed": removed,
            "repairs": {
                why: dict(zip(("posts", "edits", "characters"), _pick(self._kinds.get(why)), strict=True))
                for why in REPAIRS
            },
            "kept_copies": {
                **_passage_counts(self._kept_all),
                "by_kind": {why: _passage_counts(self._kept_kinds[why]) for why in sorted(self._kept_kinds)},
                "by_flag": {
                    flag: _passage_counts(self._kept_flags[flag]) for flag in sorted(self._kept_flags)
                },
            },
            "by": {name: self._group(name) for name in GROUPS},
            "clusters": self._cluster_sizes(),
            "most_quoted": [
                {"post_id": row["key"], "posts": row["posts"]}
                for row in first_rows(self._quoted.table(), [("posts", "descending")], TOP)
            ],
            "similarity": {why: [int(n) for n in bins] for why, bins in self._histogram.items()},
        }

    def _add_totals(self, batch: pa.RecordBatch) -> None:
        sizes = [_ints(batch[name]) for name in ("raw_words", "raw_chars", "clean_words", "clean_chars")]
        codes, actions = _codes(batch["action"])
        for code, action in enumerate(actions):
            at = codes == code
            counts = [np.count_nonzero(at), *(size[at].sum() for size in sizes)]
            _increase(self._actions, action, np.array(counts, np.int64))
        for count in pc.value_counts(batch["reason"].drop_null()).to_pylist():
            self._reasons[count["values"]] = self._reasons.get(count["values"], 0) + count["counts"]

    def _add_groups(self, batch: pa.RecordBatch, edits: _Passages, months: pa.Array | None) -> None:
        posts = len(batch)
        removes = np.array([why not in REPAIRS for why in edits.kinds], bool)
        copies = np.array([why in COPIES for why in edits.kinds], bool)
        values = {
            "posts": np.ones(posts, np.int64),
            "dropped": pc.equal(batch["action"], "drop").to_numpy(zero_copy_only=False).astype(np.int64),
            "characters": _ints(batch["raw_chars"]),
            "removed": _per_post(edits, removes, posts),
            "copied": _per_post(edits, copies, posts),
        }
        for name, column in GROUPS.items():
            keys = batch[column]
            if name == "month":
                dated = pc.match_substring_regex(keys, _MONTH)
                keys = pc.if_else(dated, pc.utf8_slice_codeunits(keys, 0, 7), None)
                keys = keys if months is None else pc.coalesce(months, keys)
            self._groups[name].add(keys, values)

    def _add_quoted(self, edits: _Passages, kept: _Passages) -> None:
        """One for every post that copies from a post, however many passages it takes."""
        tables = []
        for passages in (edits, kept):
            table = pa.table({"post": passages.posts, "source": passages.source_id, "why": passages.why})
            wanted = pc.and_(
                pc.is_in(table["why"], pa.array(["quote", "repost"])), pc.is_valid(table["source"])
            )
            tables.append(table.filter(wanted).select(["post", "source"]))
        pairs = pa.concat_tables(tables).group_by(["post", "source"], use_threads=False).aggregate([])
        self._quoted.add(pairs["source"], {"posts": np.ones(pairs.num_rows, np.int64)})

    def _add_similarity(self, batch: pa.RecordBatch, edits: _Passages) -> None:
        """Scores of quoted and reposted passages; for a near-duplicate the post's own similarity."""
        for why in ("repost", "quote"):
            self._histogram[why] += _bins(edits.score.filter(pc.equal(edits.why, why)))
        near = pc.fill_null(pc.equal(batch["reason"], "near_duplicate"), False)
        self._histogram["near_duplicate"] += _bins(batch["similarity"].filter(near))

    def _removal_kinds(self) -> list[str]:
        other = (set(self._kinds) | set(self._reasons)) - set(REMOVALS) - set(REPAIRS)
        return [*REMOVALS, *sorted(other)]

    def _removed(self, why: str, whole: dict[str, int]) -> dict[str, Any]:
        counts = self._kinds.get(why, np.zeros(4, np.int64))
        row: dict[str, Any] = _passage_counts(counts)
        row["dropped_posts"] = self._reasons.get(why, 0)
        row["ratios"] = {unit: _ratio(row[unit], whole[unit]) for unit in whole}
        return row

    def _group(self, name: str) -> dict[str, Any]:
        table = self._groups[name].table()
        ratio = np.round(_ints(table["copied"]) / np.maximum(_ints(table["characters"]), 1), 6)
        ranked = table.append_column("duplicate_ratio", pa.array(ratio))
        if name in ("thread", "author"):
            ranked = ranked.filter(
                pc.and_(pc.greater_equal(ranked["posts"], MIN_GROUP_POSTS), pc.greater(ranked["copied"], 0))
            )
            rows = first_rows(ranked, [("duplicate_ratio", "descending"), ("copied", "descending")], TOP)
        elif name == "month":
            rows = first_rows(ranked, [("posts", "descending")], MAX_MONTHS)
            rows.sort(key=lambda row: str(row["key"]))
        else:
            rows = first_rows(ranked, [("posts", "descending")], TOP)
        return {"groups": table.num_rows, "rows": rows}

    def _cluster_sizes(self) -> dict[str, Any]:
        table = self._clusters.table()
        table = table.filter(pc.greater(table["posts"], 1))
        return {
            "clusters": table.num_rows,
            "posts": int(pc.sum(table["posts"]).as_py() or 0),
            "largest": [
                {"cluster_id": row["key"], "posts": row["posts"]}
                for row in first_rows(table, [("posts", "descending")], TOP)
            ],
        }


class _Passages(NamedTuple):
    """The edits or kept copies of a batch, one row each."""

    posts: Counts  # row of the post in the batch
    why: pa.Array
    codes: Counts  # index into `kinds`
    kinds: list[str]
    characters: Counts
    words: Counts
    source_id: pa.Array
    score: pa.Array
    flags: pa.Array


def _passages(batch: pa.RecordBatch, column: str) -> _Passages:
    rows = pc.list_flatten(batch[column])
    why, source_id, score, flags = (
        pc.struct_field(rows, name) for name in ("why", "source_id", "score", "flags")
    )
    posts = _ints(pc.list_parent_indices(batch[column]))
    characters = _ints(pc.struct_field(rows, "end")) - _ints(pc.struct_field(rows, "start"))
    codes, kinds = _codes(why)
    removes = np.array([why not in REPAIRS for why in kinds], bool)[codes] if kinds else np.zeros(0, bool)
    words = np.zeros(len(rows), np.int64)
    count = removes
    if column == "edits":
        # Most posts lose one passage: its words are those the post has lost, and need no second reading.
        empty = np.asarray(pc.equal(pc.fill_null(pc.struct_field(rows, "new"), ""), ""))
        alone = removes & empty & (np.bincount(posts[removes], minlength=len(batch))[posts] == 1)
        lost = np.maximum(_ints(batch["raw_words"]) - _ints(batch["clean_words"]), 0)
        words[alone] = lost[posts[alone]]
        count = removes & ~alone
    if count.any():
        texts = pc.fill_null(pc.struct_field(rows, "raw").filter(pa.array(count)), "")
        words[count] = np.diff(tokenize(texts).offsets)
    return _Passages(posts, why, codes, kinds, characters, words, source_id, score, flags)


def _by_kind(passages: _Passages) -> dict[str, Counts]:
    counts = {}
    for code, why in enumerate(passages.kinds):
        at = passages.codes == code
        counts[why] = _counts(passages.posts[at], passages.words[at], passages.characters[at])
    return counts


def _by_flag(passages: _Passages) -> dict[str, Counts]:
    flags = pc.list_flatten(passages.flags)
    rows = _ints(pc.list_parent_indices(passages.flags))
    codes, names = _codes(flags)
    counts = {}
    for code, flag in enumerate(names):
        at = rows[codes == code]
        counts[flag] = _counts(passages.posts[at], passages.words[at], passages.characters[at])
    return counts


def _counts(posts: Counts, words: Counts, characters: Counts) -> Counts:
    """Distinct posts, passages, words, characters."""
    return np.array([len(np.unique(posts)), len(posts), words.sum(), characters.sum()], np.int64)


def _per_post(passages: _Passages, wanted: NDArray[np.bool_], posts: int) -> Counts:
    """Characters of each post that the wanted kinds take, int64 [posts]."""
    taken = np.zeros(posts, np.int64)
    if len(passages.kinds):
        at = wanted[passages.codes]
        np.add.at(taken, passages.posts[at], passages.characters[at])
    return taken


def _bins(scores: pa.Array) -> Counts:
    values = scores.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    # A score of 0.7 is 0.69999999 as float32 and must not fall into the bin below.
    at = np.floor(np.round(values * BINS, 4)).astype(np.int64)
    return np.bincount(np.clip(at, 0, BINS - 1), minlength=BINS).astype(np.int64)


def _codes(values: pa.Array) -> tuple[Counts, list[str]]:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    return _ints(encoded.indices), encoded.dictionary.to_pylist()


def _ints(values: pa.Array | pa.ChunkedArray) -> Counts:
    return np.asarray(values).astype(np.int64)


def _increase(into: dict[str, Counts], key: str, counts: Counts) -> None:
    into[key] = into[key] + counts if key in into else counts


def _passage_counts(counts: Counts) -> dict[str, int]:
    return dict(zip(("posts", "passages", "words", "characters"), (int(n) for n in counts), strict=True))


def _size(counts: Counts) -> dict[str, int]:
    return dict(zip(("posts", "words", "characters"), (int(n) for n in counts), strict=True))


def _pick(counts: Counts | None) -> tuple[int, int, int]:
    return (0, 0, 0) if counts is None else (int(counts[0]), int(counts[1]), int(counts[3]))


def _shares(rows: list[dict[str, Any]], whole: dict[str, int]) -> dict[str, float]:
    counted = {"posts": "dropped_posts", "words": "words", "characters": "characters"}
    return {unit: _ratio(sum(row[name] for row in rows), whole[unit]) for unit, name in counted.items()}


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
