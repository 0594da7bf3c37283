"""Text that came before a dump: corpora cleaned earlier, and reference sets.

Their posts stand before all others, are sources of what the dump repeats, and stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import ids, trace
from dedup.decided import Decided
from dedup.errors import OutputError
from dedup.outputs import corpus_files, is_finished, load_manifest, read_corpus
from dedup.readers import read_posts
from dedup.stage import Stage, corpora_of


class Earlier(NamedTuple):
    """One such corpus: `name` is how provenance calls it (`source_corpus`), as the user named it."""

    name: str
    paths: list[str]


def find_earlier(
    against: Sequence[str | os.PathLike[str]], reference: Sequence[str | os.PathLike[str]]
) -> list[Earlier]:
    """The corpora of finished output folders (`against`) and of any other input (`reference`).

    Raises OutputError for a folder that is no finished output, or whose corpus has no ids.
    """
    found = []
    for path in against:
        given = os.fspath(path)
        files = corpus_files(load_manifest(Path(given)))
        if any(name.endswith(".txt.zst") for name in files):
            raise OutputError(
                "its corpus is plain text, without ids that could be named as sources.",
                where=given,
                hint="Clean that dump with --output-format jsonl or parquet.",
            )
        found.append(Earlier(_shown(given), [str(Path(given) / name) for name in files]))
    return found + [Earlier(_shown(os.fspath(path)), [os.fspath(path)]) for path in reference]


def read_earlier(name: str) -> Iterator[tuple[str, str]]:
    """Ids and texts of an earlier corpus, by the name that provenance has for it.

    Raises InputError or OutputError when it is not there any more.
    """
    if is_finished(Path(name)):
        yield from ((post["id"], post["text"]) for post in read_corpus(Path(name)))
        return
    batches = list(read_posts(name))
    hashes, paths = (ids.hash_column(batches, column) for column in ("id", "path"))
    for batch, names in zip(batches, ids.assign_ids(batches, hashes, ids.codes(paths)), strict=True):
        yield from zip(names.to_pylist(), batch.column("text").to_pylist(), strict=True)


def count_overlap(stage: Stage, decided: Decided) -> dict[str, dict[str, Any]]:
    """How much was taken out of the dump because of each earlier corpus."""
    decisions, rows = decided.decisions, decided.decisions.rows
    rows = rows[rows[:, trace.ROW_KEPT] == 0]
    sources = corpora_of(stage, decided.blocks, rows[:, trace.ROW_SOURCE])
    survivors = corpora_of(stage, decided.blocks, decisions.duplicate_of)
    overlap = {}
    for name in dict.fromkeys(stage.corpora):
        mine = rows[_equal(sources, name)]
        overlap[name] = {
            "posts_dropped": int(_equal(survivors, name).sum()),
            "posts_touched": len(np.unique(mine[:, trace.ROW_POST])),
            "passages": len(mine),
            "words": int((mine[:, trace.ROW_END] - mine[:, trace.ROW_START]).sum()),
        }
    return overlap


def _equal(names: pa.StringArray, name: str) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = pc.equal(names, name).fill_null(False).to_numpy(zero_copy_only=False)
    return equal


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
