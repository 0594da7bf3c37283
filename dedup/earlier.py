"""Text that came before a dump: corpora cleaned earlier, and reference sets.

Their posts stand before all others, are sources of what the dump repeats, and stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import ids, trace
from dedup.decided import Decided, Recounted
from dedup.errors import InputError, OutputError
from dedup.index import Index
from dedup.outputs import (
    MANIFEST,
    Manifest,
    corpus_files,
    is_finished,
    load_manifest,
    parse_manifest,
    provenance_files,
    read_corpus,
)
from dedup.quotes import within
from dedup.quotes.spans import SIGNATURE, Passages
from dedup.readers import read_posts, stores
from dedup.readers.sources import STANDARD_INPUT, InputFile
from dedup.report.kinds import OTHERWISE
from dedup.stage import SIGNATURE_PIECE, Stage, corpora_of

MOST_LISTED = 1000
"""Posts whose ids a report names; more are counted."""


class Earlier(NamedTuple):
    """One such corpus: `name` is how provenance calls it (`source_corpus`), as the user named it.

    provenance: its shards, where it is the output of an earlier run; sums: then the sha256 of all its files.
    """

    name: str
    paths: list[str]
    provenance: list[str]
    sums: dict[str, str]

    def check_sums(self, files: Iterable[InputFile]) -> None:
        """Raises OutputError when one of the files that were read is not what the earlier run wrote."""
        for file in files:
            if self.sums and self.sums.get(file.path) != file.sha256:
                raise OutputError(
                    "is not as its run wrote it.",
                    where=file.path,
                    hint="`dedup verify` on its folder says what is wrong.",
                )


def find_earlier(
    against: Sequence[str | os.PathLike[str]], reference: Sequence[str | os.PathLike[str]]
) -> list[Earlier]:
    """The corpora of finished output folders (`against`) and of any other input (`reference`).

    Raises OutputError for a folder that is no finished output, or whose corpus has no ids, and InputError
    for standard input: what is pointed to must still be there when somebody looks it up.
    """
    if STANDARD_INPUT in [os.fspath(path) for path in reference]:
        raise InputError(
            "standard input cannot be a reference set, as nobody could look up later what stands in it.",
            hint="Save it in a file, and give that to --reference.",
        )
    found = []
    for path in against:
        given = os.fspath(path)
        manifest = _manifest_of(given)
        files = corpus_files(manifest)
        if any(name.endswith(".txt.zst") for name in files):
            raise OutputError(
                "its corpus is plain text, without ids that could be named as sources.",
                where=given,
                hint="Clean that dump with --output-format jsonl or parquet.",
            )
        paths = {file.path: stores.below(given, file.path) for file in manifest.outputs}
        found.append(
            Earlier(
                _shown(given),
                [paths[name] for name in files],
                [paths[name] for name in provenance_files(manifest)],
                {_shown(paths[file.path]): file.sha256 for file in manifest.outputs},
            )
        )
    return found + [Earlier(_shown(os.fspath(path)), [os.fspath(path)], [], {}) for path in reference]


def _manifest_of(out: str) -> Manifest:
    if not stores.is_address(out):
        return load_manifest(Path(out))
    manifest = stores.below(out, MANIFEST)
    if stores.look_at(manifest) is None:
        hint = "Give the address that `dedup clean --output` wrote to, when it is finished."
        raise OutputError("is not a finished output of dedup.", where=out, hint=hint)
    with stores.open_file(manifest) as file:
        return parse_manifest(file.read(), manifest)


def read_earlier(name: str) -> Iterator[tuple[str, str]]:
    """Ids and texts of an earlier corpus, by the name that provenance has for it.

    Raises InputError or OutputError when it is not there any more.
    """
    if is_finished(Path(name)):
        yield from ((post["id"], post["text"]) for post in read_corpus(Path(name)))
        return
    if name == STANDARD_INPUT:
        raise InputError("standard input cannot be read a second time.")
    batches = list(read_posts(name))
    hashes, paths = (ids.hash_column(batches, column) for column in ("id", "path"))
    for batch, names in zip(batches, ids.assign_ids(batches, hashes, ids.codes(paths)), strict=True):
        yield from zip(names.to_pylist(), batch.column("text").to_pylist(), strict=True)


def recount(stage: Stage, index: Index, passages: Passages) -> Recounted:
    """What has turned out to be a signature or stock text only now, in corpora that were cleaned earlier."""
    late = passages.spans[passages.spans[:, within.FLAGS] & SIGNATURE != 0, within.POST]
    late = np.unique(index.input_of[late])
    cleaned = pa.array([corpus for corpus, _ in stage.removed], pa.string())
    late = late[np.asarray(pc.is_in(corpora_of(stage, index.blocks, late), cleaned, skip_nulls=True))]
    copies = index.removed.stock & (index.removed.kinds != SIGNATURE_PIECE)
    return Recounted(late, np.flatnonzero(copies))


def count_overlap(names: Sequence[str], stage: Stage, decided: Decided) -> dict[str, dict[str, Any]]:
    """How much was taken out of the dump because of each earlier corpus, and what of that corpus would be
    otherwise, had all been cleaned at once (`counted_otherwise`)."""
    decisions, rows = decided.decisions, decided.decisions.rows
    rows = rows[rows[:, trace.ROW_KEPT] == 0]
    sources = corpora_of(stage, decided.blocks, rows[:, trace.ROW_SOURCE])
    survivors = corpora_of(stage, decided.blocks, decisions.duplicate_of)
    overlap = {}
    late = corpora_of(stage, decided.blocks, decided.recounted.signatures)
    late_ids = pa.chunked_array(decided.ids, pa.string()).take(pa.array(decided.recounted.signatures))
    piece_corpora, piece_ids = _pieces(stage, decided.recounted.stock)
    for name in dict.fromkeys(names):
        mine = rows[_equal(sources, name)]
        overlap[name] = {
            "posts_dropped": int(_equal(survivors, name).sum()),
            "posts_touched": len(np.unique(mine[:, trace.ROW_POST])),
            "passages": len(mine),
            "words": int((mine[:, trace.ROW_END] - mine[:, trace.ROW_START]).sum()),
            "counted_otherwise": dict(
                zip(
                    OTHERWISE,
                    (
                        _listed(late_ids.filter(pc.equal(late, name))),
                        _listed(piece_ids.filter(pc.equal(piece_corpora, name))),
                    ),
                    strict=True,
                )
            ),
        }
    return overlap


def _pieces(stage: Stage, numbers: NDArray[np.int64]) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Corpora and ids of removed pieces."""
    pieces = [(corpus, stage.removed_pieces(name).column("id")) for corpus, name in stage.removed]
    columns = [pa.repeat(corpus, len(ids)) for corpus, ids in pieces], [ids for _, ids in pieces]
    at = pa.array(numbers)
    found = (pa.chunked_array(column, pa.string()).take(at) for column in columns)
    return next(found), next(found)


def _listed(ids: pa.ChunkedArray) -> dict[str, Any]:
    ids = ids.unique()
    return {"posts": len(ids), "ids": ids[:MOST_LISTED].to_pylist()}


def _equal(names: pa.StringArray, name: str) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = pc.equal(names, name).fill_null(False).to_numpy(zero_copy_only=False)
    return equal


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
