"""The formats a corpus can be written in, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from dedup.config import Write
from dedup.writers.atomic import OutputFile
from dedup.writers.jsonl import JsonlCorpus
from dedup.writers.metadata import TypePlan
from dedup.writers.parquet import ParquetCorpus
from dedup.writers.text import TextCorpus


class CorpusWriter(Protocol):
    """Writes the corpus in one format."""

    @property
    def type_plan(self) -> TypePlan:
        """After `close`: what was changed to give every metadata key one type."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the posts of a batch of RESULTS that are kept or trimmed."""

    def close(self) -> list[OutputFile]:
        """Finish the shards; the files in order."""

    def abort(self) -> None:
        """Stop; finished shards stay on disk, the unfinished one goes."""


CORPUS_WRITERS: dict[str, Callable[[Path, Write], CorpusWriter]] = {
    "jsonl": JsonlCorpus,
    "parquet": ParquetCorpus,
    "text": TextCorpus,
}


def open_corpus(out: Path, settings: Write) -> CorpusWriter:
    """The writer of `settings.output_format` for the output folder `out`."""
    return CORPUS_WRITERS[settings.output_format](out, settings)
