"""Whether an output folder is what its run wrote, and keeps what it promises.

Three passes, none of which holds more than a few thousand posts: the sums of all files; every post
restored from its edits; every removed passage looked up in the text that is said to have it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash

from dedup.earlier import read_earlier
from dedup.errors import DedupError, OutputError
from dedup.evidence import Evidence
from dedup.originals import read_posts, restore_text
from dedup.outputs import MANIFEST, OURS, RUN_FACTS, Manifest, is_whole, load_manifest
from dedup.readers import stores
from dedup.readers.sources import Source, open_source

MOST_PROBLEMS = 1000
"""More are counted, and not listed."""
_UNLISTED = {MANIFEST, RUN_FACTS}


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it was written: in which file, at which of its records (from 1), and what."""

    what: str
    file: str
    record: int | None = None
    post_id: str | None = None


class Verified(msgspec.Struct, frozen=True):
    """What `verify` looked at, and what it found."""

    files: int
    posts: int
    passages: int
    """Removed passages whose source was looked up."""
    problems: list[Problem]
    """The first of them, at most MOST_PROBLEMS."""
    problem_count: int


def verify(out: str | os.PathLike[str]) -> Verified:
    """Check a finished output folder against its manifest and against the promises.

    Every file has the sum that the manifest says, every post can be restored to the raw text that was
    read, every removed passage stands in kept text to the degree its score says, and every dropped
    copy resembles the post that stands for it as much as its record says. `run.json` holds timings and
    may be missing; where it is there, it has the sum that it names itself. Raises OutputError when `out`
    is not a finished output folder.
    """
    check = _Check(Path(out), load_manifest(Path(out)))
    check.sums()
    check.posts()
    return Verified(check.files, check.post_count, check.passages, check.problems, check.problem_count)


class _Place(NamedTuple):
    """Where a post's record stands."""

    file: str
    record: int | None


class _Check:
    def __init__(self, out: Path, manifest: Manifest) -> None:
        self.out, self.manifest = out, manifest
        self.files = self.post_count = self.passages = self.problem_count = 0
        self.problems: list[Problem] = []
        shards = [file for file in manifest.outputs if file.path.startswith("provenance/")]
        self._shards = [file.path for file in shards]
        self._last = list(accumulate(file.records or 0 for file in shards))

    def complain(self, what: str, file: str, record: int | None = None, post_id: str | None = None) -> None:
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(what, file, record, post_id))

    def sums(self) -> None:
        """All files are there, no others are, and each is byte for byte what was written."""
        for name in (MANIFEST, RUN_FACTS):
            if (problem := _is_not_whole(self.out / name)) is not None:
                self.complain(problem, name)
        listed = set()
        for file in self.manifest.outputs:
            self.files += 1
            listed.add(file.path)
            if not OURS.fullmatch(file.path):
                self.complain(f"lists {file.path!r}, which is no file of an output", MANIFEST)
            elif (problem := _differs(self.out / file.path, file.sha256, file.bytes)) is not None:
                self.complain(problem, file.path)
        for path in sorted([*self.out.glob("*/*"), *self.out.glob("*")]):
            name = path.relative_to(self.out).as_posix()
            if OURS.fullmatch(name) and name not in listed | _UNLISTED:
                self.complain("is not in the manifest", name)

    def posts(self) -> None:
        """Every post restored, every passage traced; up to the first record that cannot be read."""
        with Evidence(self.manifest.config) as evidence:
            try:
                self._restore_all(evidence)
                for record, raw in self._raw_texts():
                    evidence.look_up(record, raw)
                self._look_up_earlier(evidence)
                evidence.finish()
            except sqlite3.Error as error:
                raise OutputError(
                    f"cannot be checked: there is no room for what is looked up ({error}).",
                    where=str(self.out),
                    hint="Set TMPDIR to a folder on a larger disk.",
                ) from None
            except (OutputError, msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
                # the sums have named the file; this says how far its content can be read
                place = self._place(self.post_count)
                self.complain(f"cannot be read on from here ({_first_line(error)})", *place)
            self.passages = evidence.asked
            for number, post_id, what in evidence.problems():
                self.complain(what, *self._place(number), post_id)

    def _restore_all(self, evidence: Evidence) -> None:
        actions: Counter[str] = Counter()
        ids: list[int] = []
        for number, (record, document) in enumerate(read_posts(self.out)):
            ids.append(xxhash.xxh3_64_intdigest(record["id"].encode()))
            actions[record["action"]] += 1
            for problem in _problems_of(record, document):
                self.complain(problem, *self._place(number), record["id"])
            evidence.ask(number, record)
            self.post_count = number + 1
        counts = self.manifest.counts
        if len(np.unique(np.array(ids, np.uint64))) != len(ids):
            self.complain("two posts have the same id", self._shards[0])
        for name, found in {"posts": self.post_count, **actions}.items():
            if name in counts and counts[name] != found:
                self.complain(f"counts {counts[name]} for {name!r}, and there are {found}", MANIFEST)

    def _raw_texts(self) -> Iterator[tuple[dict[str, Any], str | None]]:
        """The records again, each with its raw text, or None where that cannot be restored."""
        for record, document in read_posts(self.out):
            try:
                raw = restore_text(document["text"] if document else "", record)
            except OutputError:
                raw = None
            yield record, raw

    def _look_up_earlier(self, evidence: Evidence) -> None:
        for corpus in self.manifest.against:
            try:
                for post_id, text in read_earlier(corpus.name):
                    post = {"id": post_id, "action": "keep", "edits": []}
                    evidence.look_up(post, text, corpus.name)
                for file in corpus.files:
                    if (problem := _differs(file.path, file.sha256, file.bytes)) is not None:
                        self.complain(f"{file.path!r} stood here before and {problem}", MANIFEST)
            except DedupError as error:
                evidence.give_up(corpus.name)
                self.complain(f"what stands in {corpus.name!r} was not looked up: {error.message}", MANIFEST)

    def _place(self, number: int) -> _Place:
        """File and record of the provenance of a post (from 0)."""
        if not self._shards:
            return _Place(MANIFEST, None)  # it lists none
        shard = min(bisect_right(self._last, number), len(self._shards) - 1)
        first = self._last[shard - 1] if shard else 0
        return _Place(self._shards[shard], number - first + 1)


def _is_not_whole(path: Path) -> str | None:
    try:
        return None if is_whole(path) else "is not as it was written (the sha256 it names itself differs)"
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _differs(path: str | Path, sha256: str, size: int) -> str | None:
    try:
        if stores.is_address(str(path)):
            with open_source(Source(str(path))) as stream:
                read = stream.finish()
            digest, found = read.sha256, read.bytes
        else:
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                found = file.tell()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if found != size:
        return f"has {found} bytes and not the {size} that were written"
    return None if digest == sha256 else "is not as it was written (its sha256 differs)"


def _problems_of(record: Mapping[str, Any], document: Mapping[str, Any] | None) -> Iterator[str]:
    text = document["text"] if document else ""
    at = 0
    for edit in record["edits"]:
        if not at <= edit["start"] <= edit["end"] <= record["raw_chars"]:
            yield f"the edit at {edit['start']} overlaps another, or lies outside the post"
            return
        if edit["end"] - edit["start"] != len(edit["raw"]):
            yield f"the edit at {edit['start']} is not as long as what it took out"
            return
        at = edit["end"]
    try:
        raw = restore_text(text, record)
    except OutputError as error:
        yield error.what.rstrip(".")
        return
    if (len(raw), len(text)) != (record["raw_chars"], record["clean_chars"]):
        yield "raw_chars or clean_chars is not the length of the text"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
