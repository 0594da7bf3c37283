"""Provenance and originals of an output folder → its ratios, counted again.

The same as the run itself counted, but for months: dates that had to be parsed are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dedup import outputs
from dedup.originals import restore
from dedup.report.ratios import Ratios
from dedup.schema import RESULTS
from dedup.text.tokens import tokenize

_BATCH = 2000
_SURROGATE = re.compile("[\ud800-\udfff]")


def recount(folder: Path) -> dict[str, Any]:
    """Ratios of a finished output folder. Raises OutputError when it cannot be read."""
    ratios = Ratios()
    for batch in results_of(outputs.read_provenance(folder), restore(folder)):
        ratios.add(batch)
    return ratios.as_dict(int(outputs.load_manifest(folder).counts.get("rejected", 0)))


def results_of(
    provenance: Iterable[dict[str, Any]], posts: Iterable[dict[str, Any]]
) -> Iterator[pa.RecordBatch]:
    """RESULTS batches from provenance records and the restored posts, both in input order.

    `text` holds the final text; `escapes` are empty, since restored text has them again.
    """
    pairs = zip(provenance, posts, strict=True)
    while chunk := list(islice(pairs, _BATCH)):
        rows = [_row(record, post) for record, post in chunk]
        for words, texts in (
            ("raw_words", [_clean_surrogates(post["text"]) for _, post in chunk]),
            ("clean_words", [row["text"] for row in rows]),
        ):
            for row, count in zip(rows, np.diff(tokenize(pa.array(texts, pa.string())).offsets), strict=True):
                row[words] = int(count)
        yield pa.RecordBatch.from_pylist(rows, RESULTS)


def _row(record: dict[str, Any], post: dict[str, Any]) -> dict[str, Any]:
    metadata = post["metadata"]
    dropped = record["action"] == "drop"
    raw = _clean_surrogates(post["text"])
    return {
        **{name: metadata.get(name) for name in ("author", "title", "board", "parent_id", "cluster_id")},
        **{name: record.get(name) for name in ("id", "action", "reason", "duplicate_of", "similarity")},
        **{name: record[name] for name in ("raw_chars", "clean_chars", "raw_hash")},
        "thread_id": record.get("thread_id"),
        "created": post.get("created"),
        "path": record["source"]["path"],
        "record": record["source"]["record"],
        "encoding": record["source"].get("encoding", ""),
        "metadata": "{}",
        "escapes": [],
        "text": "" if dropped else _edited(raw, record["edits"]),
        "edits": record["edits"],
        "kept_copies": record.get("kept_copies", []),
    }


def _edited(text: str, edits: Iterable[dict[str, Any]]) -> str:
    pieces, at = [], 0
    for edit in edits:
        pieces += [text[at : edit["start"]], edit["new"]]
        at = edit["end"]
    return "".join([*pieces, text[at:]])


def _clean_surrogates(text: str) -> str:
    """Arrow's strings hold no lone surrogates; a restored post may."""
    return _SURROGATE.sub("\ufffd", text)
