"""Provenance as JSON lines: one record for every input post, with every change of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dedup.config import Write
from dedup.writers.atomic import OutputFile
from dedup.writers.encode import ProvenanceLines, encode_provenance
from dedup.writers.shards import ShardWriter


class ProvenanceWriter:
    """Writes `provenance/part-00000.jsonl.zst` and so on."""

    def __init__(self, out: Path, settings: Write) -> None:
        name = "provenance/part-{:05d}.jsonl.zst"
        self._shards = ShardWriter(out, name, settings.shard_posts, settings.compression_level)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch of RESULTS."""
        self.write_lines(encode_provenance(batch))

    def write_lines(self, lines: ProvenanceLines) -> None:
        """Add records that `encode_provenance` made, perhaps in another process."""
        self._shards.write_lines(lines.data, lines.records)

    def close(self) -> list[OutputFile]:
        """Finish the shards; the files in order."""
        return self._shards.close()

    def abort(self) -> None:
        self._shards.abort()
