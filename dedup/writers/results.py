"""Corpus and provenance side by side: what the pipeline writes its results to."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dedup.config import Write
from dedup.writers.atomic import OutputFile
from dedup.writers.encode import Encoded
from dedup.writers.jsonl import JsonlCorpus
from dedup.writers.metadata import TypePlan
from dedup.writers.provenance import ProvenanceWriter
from dedup.writers.registry import open_corpus


class ResultsWriter:
    """Writes batches of RESULTS, in input order, to corpus and provenance of the output folder `out`."""

    def __init__(self, out: Path, settings: Write) -> None:
        self._corpus = open_corpus(out, settings)
        self._provenance = ProvenanceWriter(out, settings)

    @property
    def type_plan(self) -> TypePlan:
        """After `close`: what was changed to give every metadata key one type."""
        return self._corpus.type_plan

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch of RESULTS."""
        self._corpus.write(batch)
        self._provenance.write(batch)

    def write_encoded(self, encoded: Encoded) -> None:
        """Add a batch that `encode_jsonl` turned into lines, perhaps in another process.

        Only for a corpus of JSON lines; the other formats take batches.
        """
        if not isinstance(self._corpus, JsonlCorpus):
            raise TypeError("only a jsonl corpus takes encoded lines")
        self._corpus.write_lines(encoded.corpus)
        self._provenance.write_lines(encoded.provenance)

    def close(self) -> list[OutputFile]:
        """Finish all shards; the files, those of the corpus first."""
        return [*self._corpus.close(), *self._provenance.close()]

    def abort(self) -> None:
        """Stop; finished shards stay on disk, unfinished ones go."""
        self._corpus.abort()
        self._provenance.abort()
