"""The corpus as JSON lines: readable as dolma document files, by datatrove and by `datasets`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dedup.config import Write
from dedup.writers.atomic import OutputFile
from dedup.writers.encode import CorpusLines, encode_corpus
from dedup.writers.metadata import KindTable, TypePlan
from dedup.writers.shards import ShardWriter, read_line_blocks

_HEAD_BYTES = 8 << 20
"""`datasets` takes the types from the first 10 MB of the first file."""


class _Document(msgspec.Struct):
    """A corpus record, its metadata values still JSON text."""

    id: str
    text: str
    source: str
    created: str | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, msgspec.Raw] = {}


class JsonlCorpus:
    """Writes `corpus/part-00000.jsonl.zst` and so on, then unifies the types of metadata keys."""

    def __init__(self, out: Path, settings: Write) -> None:
        self._out, self._settings = out, settings
        self._shards = self._open()
        self._kinds = KindTable()
        self._records = 0
        self._head_records = 0
        self._head_bytes = 0
        self.type_plan = TypePlan()

    def _open(self) -> ShardWriter:
        name = "corpus/part-{:05d}.jsonl.zst"
        return ShardWriter(self._out, name, self._settings.shard_posts, self._settings.compression_level)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the posts of a batch of RESULTS that are kept or trimmed."""
        self.write_lines(encode_corpus(batch))

    def write_lines(self, lines: CorpusLines) -> None:
        """Add records that `encode_corpus` made, perhaps in another process."""
        self._kinds.add(lines.first_seen, self._records)
        self._extend_head(lines)
        self._shards.write_lines(lines.data, lines.records)
        self._records += lines.records

    def _extend_head(self, lines: CorpusLines) -> None:
        """Count the records that typed readers surely see before they settle on types."""
        wanted = min(lines.records, self._settings.shard_posts - self._records)
        if self._head_records < self._records or wanted <= 0:
            return
        ends = np.flatnonzero(lines.data == ord("\n"))[:wanted] + 1
        inside = int(np.searchsorted(ends, _HEAD_BYTES - self._head_bytes, side="right"))
        self._head_records += inside
        self._head_bytes += len(lines.data)

    def close(self) -> list[OutputFile]:
        """Finish the shards; the files in order."""
        files = self._shards.close()
        self.type_plan = plan = self._kinds.plan(max(self._head_records, 1))
        if not plan:
            return files
        # Where only the first record changes, only its shard is written again.
        again = files if plan.as_text or plan.folded else files[:1]
        self._shards = self._open()
        decoder, encoder = msgspec.json.Decoder(_Document), msgspec.json.Encoder()
        first = True
        for file in again:
            for block in read_line_blocks(self._out / file.path):
                documents = decoder.decode_lines(block)
                for document in documents:
                    document.metadata = plan.apply(document.metadata, first)
                    if first and "created" in plan.filled:
                        document.created = ""
                    first = False
                lines = np.frombuffer(encoder.encode_lines(documents), np.uint8)
                self._shards.write_lines(lines, len(documents))
        return self._shards.close() + files[len(again) :]

    def abort(self) -> None:
        """Stop; finished shards stay on disk, the unfinished one goes."""
        self._shards.abort()
