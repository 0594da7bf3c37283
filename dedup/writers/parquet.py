"""The corpus as parquet: one row a post, the dump's other fields as JSON text in `metadata`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dedup.config import Write
from dedup.writers.atomic import AtomicFile, OutputFile
from dedup.writers.encode import corpus_posts, own_metadata
from dedup.writers.metadata import OWN_KEYS, TypePlan

CORPUS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("created", pa.string()),
        *(pa.field(key, pa.string()) for key in OWN_KEYS),
        pa.field("metadata", pa.string(), nullable=False),
    ]
)


class _Sink(io.RawIOBase):
    """An AtomicFile as pyarrow wants files: closing it neither commits nor discards."""

    def __init__(self, file: AtomicFile) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._file.write(memoryview(data))


_GROUP_POSTS = 10_000
_GROUP_BYTES = 32 << 20


class ParquetCorpus:
    """Writes `corpus/part-00000.parquet` and so on.

    A row group ends after so many posts or so many bytes of text, whichever comes first, and so never
    where a batch happened to end.
    """

    type_plan = TypePlan()

    def __init__(self, out: Path, settings: Write) -> None:
        self._out, self._settings = out, settings
        self._files: list[OutputFile] = []
        self._file: AtomicFile | None = None
        self._parquet: Any = None
        self._in_shard = 0
        self._group: list[pa.RecordBatch] = []
        self._group_posts = 0
        self._group_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the posts of a batch of RESULTS that are kept or trimmed."""
        posts = corpus_posts(batch)
        columns = [posts["id"], posts["text"], posts["path"], posts["created"]]
        columns += [*own_metadata(posts).values(), posts["metadata"]]
        rows = pa.RecordBatch.from_arrays(columns, schema=CORPUS)
        sizes = np.cumsum(pc.binary_length(rows["text"]).to_numpy(), dtype=np.int64)
        at = 0
        while at < rows.num_rows:
            before = int(sizes[at - 1]) if at else 0
            room = min(_GROUP_POSTS - self._group_posts, self._settings.shard_posts - self._in_shard)
            # The post that fills the group is its last.
            full = int(np.searchsorted(sizes, before + _GROUP_BYTES - self._group_bytes)) + 1
            end = min(at + room, full, rows.num_rows)
            self._group.append(rows.slice(at, end - at))
            self._group_posts += end - at
            self._group_bytes += int(sizes[end - 1]) - before
            self._in_shard += end - at
            at = end
            if self._group_posts == _GROUP_POSTS or self._group_bytes >= _GROUP_BYTES:
                self._end_group()
            if self._in_shard == self._settings.shard_posts:
                self._end_shard()

    def _end_group(self) -> None:
        if self._parquet is None:
            import pyarrow.parquet as pq  # 0.1 s, and most corpora are JSON lines

            self._file = AtomicFile(self._out, f"corpus/part-{len(self._files):05d}.parquet")
            level = self._settings.compression_level
            self._parquet = pq.ParquetWriter(
                pa.PythonFile(_Sink(self._file), mode="w"),
                CORPUS,
                compression="zstd",
                compression_level=level,
            )
        if self._group:
            # One chunk a column: the writer ends its pages where chunks end.
            group = pa.Table.from_batches(self._group, CORPUS).combine_chunks()
            self._parquet.write_table(group, row_group_size=max(len(group), 1))
        self._group, self._group_posts, self._group_bytes = [], 0, 0

    def _end_shard(self) -> None:
        if self._group or self._parquet is None:
            self._end_group()
        if self._parquet is not None and self._file is not None:
            self._parquet.close()
            self._files.append(self._file.commit(self._in_shard))
        self._parquet = self._file = None
        self._in_shard = 0

    def close(self) -> list[OutputFile]:
        """Finish the shards; the files in order."""
        if self._in_shard or not self._files:
            self._end_shard()
        return self._files

    def abort(self) -> None:
        if self._file is not None:
            self._file.discard()
            self._parquet = self._file = None
