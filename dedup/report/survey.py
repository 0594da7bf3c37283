"""An output folder → what its report page shows beside the ratios: distributions, and chosen evidence.

One pass over provenance, so memory is bounded: counts in a fixed number of bins, a row for each cluster,
and of each kind of removal a fixed number of posts, half of them those that were nearest to staying,
half chosen by the hash of their id. The same folder gives the same survey.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup import outputs
from dedup.config import Match
from dedup.report.kinds import REPAIRS

SIMILARITY_BINS = 50
LENGTHS = (0, 25, 50, 100, 200, 400, 800, 1600, 3200, 6400)
"""Bins of quote lengths, in characters: each from its number to the next; the last has no end."""
DISTANCES = (1, 2, 3, 4, 6, 11, 21, 51, 101)
"""Bins of the distance of a quote, in posts of its thread, in the order of the input."""
SIZES = (2, 3, 4, 5, 6, 11, 21, 51, 101)
"""Bins of cluster sizes, in posts."""
MAX_POSITIONS = 200_000
"""Distances are measured in whole threads with about so many posts together."""
MAX_ASKED = 3
"""Copies of a post that was asked for, of each kind."""
MAX_PASSAGES = 40
"""Passages of one post that are shown."""
_MAX_REPAIR_KINDS = 20_000
_MAX_REPAIR_CHARS = 24

BORDERLINE, TYPICAL = 60, 60
"""Posts of each kind of evidence that are chosen, as borderline cases and by the hash of their id."""
KINDS = ("near_duplicate", "repost", "quote", "exact_duplicate", "boilerplate", "kept")
"""Kinds of evidence; `kept` are copies that were found and stay."""
_SHARE = {"exact_duplicate": 0.5, "boilerplate": 0.4, "kept": 0.6}
"""How much of the usual number a kind gets."""


class Found(NamedTuple):
    """A passage of a chosen post: an edit of its record without its text."""

    start: int
    end: int
    why: str
    source_id: str | None
    source_start: int | None
    source_end: int | None
    via_id: str | None
    score: float | None
    flags: tuple[str, ...]
    stays: bool


class Chosen(NamedTuple):
    """A post whose evidence is shown."""

    kind: str
    id: str
    thread_id: str | None
    action: str
    duplicate_of: str | None
    similarity: float | None
    raw_chars: int
    doubt: float
    """How near it was to another decision: 0 is most doubtful, comparable inside a kind."""
    borderline: bool
    passages: tuple[Found, ...]
    more_passages: int


@dataclass
class Survey:
    """What one pass over the provenance of an output folder tells."""

    match: Match
    """How near-duplicates were looked for."""
    posts: int
    thread_rate: int
    """Distances are of one in so many threads."""
    similarity: NDArray[np.int64]
    """Dropped near-duplicates by similarity, int64 [SIMILARITY_BINS]."""
    lengths: NDArray[np.int64]
    distances: NDArray[np.int64]
    across: int = 0
    """Quotes whose source is in another thread."""
    removed_as_copy_of: Counter[str] = field(default_factory=Counter)
    """Survivor → exact and near-duplicates that were dropped for it."""
    encodings: Counter[str] = field(default_factory=Counter)
    """Encoding a post was read in → posts."""
    repairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """What stood there and what stands there now → how often, for repairs of encoding."""
    chosen: tuple[Chosen, ...] = ()
    candidates: Counter[str] = field(default_factory=Counter)
    """Kind → posts the chosen ones are of."""

    def cluster_sizes(self) -> NDArray[np.int64]:
        """Clusters by their number of posts, int64 [len(SIZES)]."""
        sizes = np.fromiter((n + 1 for n in self.removed_as_copy_of.values()), np.int64)
        return np.bincount(_bin(sizes, SIZES), minlength=len(SIZES)).astype(np.int64)


def survey(out: Path, asked_for: Collection[str] = ()) -> Survey:
    """Survey a finished output folder.

    asked_for: posts of which some copies are chosen whatever the others are like. Raises OutputError when
    the folder cannot be read.
    """
    manifest = outputs.load_manifest(out)
    posts = int(manifest.counts.get("posts", 0))
    found = Survey(
        match=_match_of(manifest.config),
        posts=posts,
        thread_rate=max(1, posts // MAX_POSITIONS),
        similarity=np.zeros(SIMILARITY_BINS, np.int64),
        lengths=np.zeros(len(LENGTHS), np.int64),
        distances=np.zeros(len(DISTANCES), np.int64),
    )
    passing = _Pass(found, asked_for)
    for record in outputs.read_provenance(out):
        passing.see(record)
    passing.finish()
    return found


def _match_of(config: Mapping[str, Any]) -> Match:
    """The settings of the match step, from a manifest: another version's may have others beside them."""
    given = config.get("match")
    known = set(Match.__struct_fields__)
    own = {key: value for key, value in given.items() if key in known} if isinstance(given, dict) else {}
    try:
        return msgspec.convert(own, Match)
    except msgspec.ValidationError:
        return Match()


class _Pass:
    def __init__(self, survey: Survey, asked_for: Collection[str]) -> None:
        self._survey = survey
        self._asked_for = frozenset(asked_for)
        # (source, kind) → copies of it that are shown because they were asked for
        self._shown_of: Counter[tuple[str, str]] = Counter()
        self._choice = {kind: _Choice(kind, _SHARE.get(kind, 1.0)) for kind in KINDS}
        self._threshold = survey.match.threshold
        self._similarities: list[float] = []
        self._lengths: list[int] = []
        self._distances: list[int] = []
        # thread → post → its position in the thread
        self._positions: dict[str, dict[str, int]] = {}
        self._placed = 0

    def see(self, record: dict[str, Any]) -> None:
        survey = self._survey
        post_id, reason, thread = record["id"], record["reason"], record["thread_id"]
        survey.encodings[record["source"].get("encoding") or "unknown"] += 1
        positions = self._thread(thread)
        if positions is not None and self._placed < 2 * MAX_POSITIONS:
            positions[post_id] = len(positions)
            self._placed += 1
        edits, kept = record["edits"], record.get("kept_copies") or ()
        quotes = signatures = False
        weakest = 1.0
        for edit in edits:
            why = edit["why"]
            if why == "quote":
                quotes = True
                weakest = min(weakest, _strength(edit))
                self._lengths.append(edit["end"] - edit["start"])
                self._measure(edit, post_id, positions)
            elif why == "boilerplate":
                signatures = True
            elif why == "encoding":
                self._repair(edit)
        if reason in ("near_duplicate", "exact_duplicate") and record["duplicate_of"] is not None:
            survey.removed_as_copy_of[record["duplicate_of"]] += 1
        if reason == "near_duplicate":
            self._similarities.append(record["similarity"] or 0.0)
            self._choose(reason, record, (record["similarity"] or 0.0) - self._threshold)
        elif reason in ("repost", "exact_duplicate"):
            self._choose(reason, record, record["similarity"] or 0.0)
        elif quotes:
            self._choose("quote", record, weakest)
        elif signatures:
            self._choose("boilerplate", record, record["clean_chars"])
        if kept:
            self._choose("kept", record, -sum(copy["end"] - copy["start"] for copy in kept))
        if len(self._lengths) > 1 << 16:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._survey.chosen = tuple(chosen for kind in KINDS for chosen in self._choice[kind].chosen())
        for kind in KINDS:
            self._survey.candidates[kind] = self._choice[kind].candidates

    def _flush(self) -> None:
        survey = self._survey
        shares = np.round(np.array(self._similarities, np.float64) * SIMILARITY_BINS, 4)
        at = np.clip(np.floor(shares), 0, SIMILARITY_BINS - 1).astype(np.int64)
        survey.similarity += np.bincount(at, minlength=SIMILARITY_BINS)
        for values, bounds, counts in (
            (self._lengths, LENGTHS, survey.lengths),
            (self._distances, DISTANCES, survey.distances),
        ):
            counts += np.bincount(_bin(np.array(values, np.int64), bounds), minlength=len(bounds))
            values.clear()
        self._similarities.clear()

    def _thread(self, thread: str | None) -> dict[str, int] | None:
        """Positions in this thread, or None where distances are not measured."""
        if thread is None:
            return None
        positions = self._positions.get(thread)
        if positions is None:
            if xxhash.xxh32_intdigest(thread.encode()) % self._survey.thread_rate:
                return None
            positions = self._positions[thread] = {}
        return positions

    def _measure(self, edit: dict[str, Any], post_id: str, positions: dict[str, int] | None) -> None:
        quoted = edit.get("via_id") or edit.get("source_id")
        if quoted is None or "across_threads" in (edit.get("flags") or ()):
            self._survey.across += quoted is not None
        elif positions is not None and quoted in positions and post_id in positions:
            self._distances.append(max(1, abs(positions[post_id] - positions[quoted])))

    def _repair(self, edit: dict[str, Any]) -> None:
        key = (edit["raw"], edit["new"])
        repairs = self._survey.repairs
        short = max(map(len, key)) <= _MAX_REPAIR_CHARS
        if short and (key in repairs or len(repairs) < _MAX_REPAIR_KINDS):
            repairs[key] += 1

    def _choose(self, kind: str, record: dict[str, Any], doubt: float) -> None:
        asked = False
        for source in self._asked_for & _sources(record):
            if self._shown_of[source, kind] < MAX_ASKED:
                self._shown_of[source, kind] += 1
                asked = True
        self._choice[kind].offer(record, doubt, asked=asked)


def _sources(record: dict[str, Any]) -> set[str]:
    """The posts a record refers to as the origin of what it copies."""
    sources = {edit.get("source_id") for edit in record["edits"]}
    return {source for source in (*sources, record["duplicate_of"]) if source is not None}


def _strength(edit: dict[str, Any]) -> float:
    """How sure a quote is, as far as its record tells: the share found in the source, less where short."""
    score = edit.get("score")
    share = 1.0 if score is None else float(score)
    return share * min(1.0, float(edit["end"] - edit["start"]) / 80)


def _bin(values: NDArray[np.int64], bounds: Iterable[int]) -> NDArray[np.int64]:
    """The bin that holds each value: the last whose bound is not over it."""
    return np.clip(np.searchsorted(np.array(bounds), values, side="right") - 1, 0, None).astype(np.int64)


class _Choice:
    """The posts of a kind that are shown: the most doubtful, and some by the hash of their id."""

    def __init__(self, kind: str, share: float) -> None:
        self._kind = kind
        self._limits = (round(BORDERLINE * share), round(TYPICAL * share))
        # heaps of (minus key, minus number, post): the greatest key goes first when a heap is full
        self._doubtful: list[tuple[float, int, Chosen]] = []
        self._typical: list[tuple[float, int, Chosen]] = []
        self._numbers = count()
        self._asked: list[Chosen] = []
        self.candidates = 0

    def offer(self, record: dict[str, Any], doubt: float, *, asked: bool) -> None:
        self.candidates += 1
        if asked:
            self._asked.append(_chosen(self._kind, record, doubt))
        number = next(self._numbers)
        chance = xxhash.xxh32_intdigest(record["id"].encode())
        made: Chosen | None = None
        for heap, key, limit, borderline in (
            (self._doubtful, doubt, self._limits[0], True),
            (self._typical, float(chance), self._limits[1], False),
        ):
            entry = (-key, -number)
            if len(heap) < limit or entry > heap[0][:2]:
                made = made or _chosen(self._kind, record, doubt)
                heapq.heappush(heap, (*entry, made._replace(borderline=borderline)))
                if len(heap) > limit:
                    heapq.heappop(heap)

    def chosen(self) -> list[Chosen]:
        """The chosen posts, the most doubtful first."""
        posts = {post.id: post for post in self._asked}
        posts |= {post.id: post for _, _, post in (*self._typical, *self._doubtful)}
        return sorted(posts.values(), key=lambda post: (post.doubt, post.id))


def _chosen(kind: str, record: dict[str, Any], doubt: float) -> Chosen:
    passages = [(edit, False) for edit in record["edits"] if edit["why"] not in REPAIRS]
    passages += [(copy, True) for copy in record.get("kept_copies") or ()]
    return Chosen(
        kind=kind,
        id=record["id"],
        thread_id=record["thread_id"],
        action=record["action"],
        duplicate_of=record["duplicate_of"],
        similarity=record["similarity"],
        raw_chars=record["raw_chars"],
        doubt=doubt,
        borderline=False,
        passages=tuple(
            Found(
                edit["start"],
                edit["end"],
                edit["why"],
                edit.get("source_id"),
                edit.get("source_start"),
                edit.get("source_end"),
                edit.get("via_id"),
                edit.get("score"),
                tuple(edit.get("flags") or ()),
                stays,
            )
            for edit, stays in passages[:MAX_PASSAGES]
        ),
        more_passages=max(0, len(passages) - MAX_PASSAGES),
    )
