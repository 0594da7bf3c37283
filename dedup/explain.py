"""Why a post is what it is in the corpus: everything that was done to it, beside what it copies.

Reads an output folder alone: no input, no rerun.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from heapq import nlargest
from pathlib import Path
from typing import Any

from dedup.errors import PostNotFoundError

MAX_LISTED = 20
"""So many related posts are named; the rest is counted."""
_MAX_CHAIN = 20


@dataclass(frozen=True)
class Passage:
    """A stretch of the post that was changed, or a copy that stays. Offsets are of raw text, half-open."""

    start: int
    end: int
    raw: str
    new: str
    why: str
    source_id: str | None
    source_start: int | None
    source_end: int | None
    source_text: str | None
    """The same stretch in the source's raw text; the whole source where no stretch is recorded."""
    via: tuple[str, ...]
    """Posts the passage came through, the one quoted first; the source itself is not among them."""
    score: float | None
    group: int | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Related:
    """Posts that have something to do with this one: how many, and the first of them in input order."""

    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """All that provenance says of a post, with the text of its sources."""

    id: str
    thread_id: str | None
    path: str
    record: int
    encoding: str
    action: str
    reason: str | None
    duplicate_of: str | None
    similarity: float | None
    raw_chars: int
    clean_chars: int
    text: str
    """The raw text."""
    duplicate_text: str | None
    """The raw text of the post that stands for this one, when it was dropped as a duplicate."""
    edits: tuple[Passage, ...]
    kept_copies: tuple[Passage, ...]
    cluster: Related
    """Posts this one stands for, or that have the same survivor; the survivor first."""
    copied_by: Related
    """Posts with a passage whose origin is this post, or that came through it."""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


def explain(out: Path, post_id: str) -> Explanation:
    """Explain one post of a finished output folder.

    Time: two passes over provenance and one over the corpus. Raises PostNotFoundError, with ids that
    look alike, and OutputError when the folder cannot be read.
    """
    from dedup import outputs
    from dedup.originals import restore

    record = _find(outputs.read_provenance(out), post_id)
    surroundings = _Surroundings(record)
    for other in outputs.read_provenance(out):
        surroundings.see(other)
    texts = {post["id"]: post["text"] for post in restore(out, ids=surroundings.known)}
    source = record["source"]
    survivor = record["duplicate_of"]
    return Explanation(
        id=record["id"],
        thread_id=record["thread_id"],
        path=source["path"],
        record=source["record"],
        encoding=source["encoding"],
        action=record["action"],
        reason=record["reason"],
        duplicate_of=survivor,
        similarity=record["similarity"],
        raw_chars=record["raw_chars"],
        clean_chars=record["clean_chars"],
        text=texts[post_id],
        duplicate_text=texts.get(survivor) if survivor is not None else None,
        edits=tuple(_passage(edit, texts, surroundings) for edit in record["edits"]),
        kept_copies=tuple(_passage(edit, texts, surroundings) for edit in record.get("kept_copies") or ()),
        cluster=surroundings.cluster(),
        copied_by=surroundings.copied_by.related(),
    )


def _find(records: Iterable[dict[str, Any]], post_id: str) -> dict[str, Any]:
    close = _CloseIds(post_id)
    for record in records:
        if record["id"] == post_id:
            return record
        close.see(record["id"])
    hint = f"Did you mean {', '.join(names)}?" if (names := close.best()) else ""
    raise PostNotFoundError(f"no post has the id {post_id!r}.", hint=hint or None)


class _CloseIds:
    """The ids most like a wanted one, of any number, in bounded memory."""

    _CHUNK = 4096
    _BEST = 3
    _LIKE = 60.0

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._chunk: list[str] = []
        self._found: list[tuple[float, str]] = []

    def see(self, post_id: str) -> None:
        self._chunk.append(post_id)
        if len(self._chunk) == self._CHUNK:
            self._rank()

    def best(self) -> list[str]:
        self._rank()
        return [post_id for _, post_id in self._found]

    def _rank(self) -> None:
        from rapidfuzz import process

        matches = process.extract(self._wanted, self._chunk, limit=self._BEST, score_cutoff=self._LIKE)
        found = self._found + [(score, post_id) for post_id, score, _ in matches]
        self._found = nlargest(self._BEST, found, key=lambda match: match[0])
        self._chunk = []


class _Listed:
    def __init__(self) -> None:
        self.count = 0
        self.ids: list[str] = []

    def add(self, post_id: str) -> None:
        self.count += 1
        if len(self.ids) < MAX_LISTED:
            self.ids.append(post_id)

    def related(self) -> Related:
        return Related(self.count, tuple(self.ids))


class _Surroundings:
    """What other posts' records say about one post, gathered in one pass."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._id = record["id"]
        self._survivor = record["duplicate_of"] or record["id"]
        self._thread = record["thread_id"]
        here = (edit for edit in _all_passages(record) if edit.get("source_corpus") is None)
        self._sources = {edit["source_id"] for edit in here} - {None}
        self.known: set[str] = set()
        """The post and its sources, those that are in this folder: a quoted post may be in no dump."""
        self._copies: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        self._members = _Listed()
        self.copied_by = _Listed()

    def see(self, record: dict[str, Any]) -> None:
        post_id = record["id"]
        if post_id in self._sources or post_id in (self._id, self._survivor):
            self.known.add(post_id)
        if record["duplicate_of"] == self._survivor and post_id != self._survivor:
            self._members.add(post_id)
        copies_this = False
        for edit in _all_passages(record):
            source, via = edit["source_id"], edit["via_id"]
            copies_this |= self._id in (source, via) and post_id != self._id
            # Chains are followed inside the thread: nearly all quotes are there, and memory is bounded.
            if via is not None and source in self._sources and record["thread_id"] == self._thread:
                stretch = (edit["source_start"] or 0, edit["source_end"] or 0, via)
                self._copies.setdefault((post_id, source), []).append(stretch)
        if copies_this:
            self.copied_by.add(post_id)

    def cluster(self) -> Related:
        if not self._members.count:
            return Related(0, ())
        return Related(self._members.count + 1, (self._survivor, *self._members.ids)[:MAX_LISTED])

    def chain(self, edit: dict[str, Any]) -> Iterator[str]:
        """The posts a passage came through: the one quoted, the one that one quoted, and so on."""
        via, source = edit["via_id"], edit["source_id"]
        start, end = edit["source_start"] or 0, edit["source_end"] or 0
        passed = {self._id, source}
        while via is not None and via not in passed and len(passed) < _MAX_CHAIN:
            yield via
            passed.add(via)
            stretches = self._copies.get((via, source), [])
            via = next((by for low, high, by in stretches if low < end and start < high), None)


def _all_passages(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for passage in (*record["edits"], *(record.get("kept_copies") or ())):
        yield _NO_SOURCE | passage


_NO_SOURCE: dict[str, Any] = {
    "source_id": None,
    "source_start": None,
    "source_end": None,
    "via_id": None,
    "score": None,
    "group": None,
    "flags": (),
}
"""What the edits of encoding and white space leave out."""


def _passage(edit: dict[str, Any], texts: dict[str, str], surroundings: _Surroundings) -> Passage:
    edit = _NO_SOURCE | edit
    here = edit["source_id"] is not None and edit.get("source_corpus") is None
    source = texts.get(edit["source_id"]) if here else None
    stretch = source
    if source is not None and edit["source_start"] is not None and edit["source_end"] is not None:
        stretch = source[edit["source_start"] : edit["source_end"]]
    return Passage(
        start=edit["start"],
        end=edit["end"],
        raw=edit["raw"],
        new=edit["new"],
        why=edit["why"],
        source_id=edit["source_id"],
        source_start=edit["source_start"],
        source_end=edit["source_end"],
        source_text=stretch,
        via=tuple(surroundings.chain(edit)),
        score=edit["score"],
        group=edit["group"],
        flags=tuple(edit["flags"] or ()),
    )
