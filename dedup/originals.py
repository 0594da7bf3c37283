"""The original posts back, from corpus and provenance."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import xxhash

from dedup.errors import OutputError, PostNotFoundError
from dedup.normalize.edits import Change, Undo, apply, revert
from dedup.outputs import load_manifest, read_corpus, read_provenance


def restore(
    out: str | os.PathLike[str],
    ids: Collection[str] | None = None,
    reasons: Collection[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """The input posts of a finished output folder, in input order, with their raw text.

    Each is `{"id", "text", "source", "created", "metadata"}`. Only posts of these `ids`, when given. With
    `reasons`, only posts that something was removed from for one of them, dropped ones included, and only
    that comes back: what was removed or repaired for other reasons stays so. Raises OutputError for a post
    whose text is not what it was, and PostNotFoundError, at the end, for an id that does not exist.
    """
    out = Path(out)
    types = load_manifest(out).types
    missing = set(ids or ())
    first = True
    for record, document in read_posts(out):
        missing.discard(record["id"])
        wanted = (ids is None or record["id"] in ids) and (reasons is None or _has(record, reasons))
        if document is None:
            if wanted:
                yield _restored(record, "", record["created"], record["metadata"], reasons)
            continue
        if wanted:
            created = None if first and "created" in types.filled else document["created"]
            metadata = types.undo(document["metadata"], first)
            yield _restored(record, document["text"], created, metadata, reasons)
        first = False
    if missing:
        raise PostNotFoundError(f"no post {min(missing)!r}.", where=str(out))


def read_posts(out: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The provenance records of a finished output folder, each with its corpus record if it was not dropped.

    Raises OutputError when the two do not belong together.
    """
    corpus = read_corpus(out)
    for record in read_provenance(out):
        if record["action"] == "drop":
            yield record, None
            continue
        document = next(corpus, None)
        if document is None or document["id"] != record["id"]:
            raise OutputError(
                f"the corpus does not have post {record['id']!r} where its provenance says.",
                where=str(out),
                hint="Was a file of the output changed?",
            )
        yield record, document
    if next(corpus, None) is not None:
        raise OutputError("the corpus has more posts than its provenance.", where=str(out))


def restore_text(text: str, record: Mapping[str, Any]) -> str:
    """A post's raw text from its clean text and its provenance record.

    Raises OutputError when the result is not what was read, by its hash.
    """
    edits = record["edits"]
    if record["action"] == "drop":
        # Its edits cover all of it.
        text = "".join(edit["new"] for edit in edits)
    try:
        raw = revert(text, [Undo(edit["start"], edit["raw"], edit["new"]) for edit in edits])
    except ValueError:
        raw = None
    if raw is None or xxhash.xxh3_128_hexdigest(raw.encode()) != record["raw_hash"]:
        raise OutputError(
            f"post {record['id']!r} cannot be restored: its text or its provenance was changed.",
            hint="Compare the files with the sha256 sums in manifest.json.",
        )
    return raw


def _has(record: Mapping[str, Any], reasons: Collection[str]) -> bool:
    return record["reason"] in reasons or any(edit["why"] in reasons for edit in record["edits"])


def _restored(
    record: Mapping[str, Any],
    text: str,
    created: str | None,
    metadata: dict[str, Any],
    reasons: Collection[str] | None,
) -> dict[str, Any]:
    text = restore_text(text, record)
    if reasons is not None:
        others = [edit for edit in record["edits"] if edit["why"] not in reasons]
        text = apply(text, [Change(edit["start"], edit["end"], edit["new"], edit["why"]) for edit in others])
    return {
        "id": record["id"],
        "text": text,
        "source": record["source"]["path"],
        "created": created,
        "metadata": metadata,
    }
