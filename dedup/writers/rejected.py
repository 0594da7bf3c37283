"""Records that could not be read, with their bytes, so that none is lost."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dedup.config import Write
from dedup.writers.atomic import AtomicFile, OutputFile
from dedup.writers.shards import ShardWriter

MAX_INLINE_BYTES = 1 << 20
"""Longer records go to a raw file beside the JSON lines."""

_encode = msgspec.json.Encoder().encode


class _Rejected(msgspec.Struct, omit_defaults=True):
    path: str
    record: int
    byte_start: int
    byte_end: int
    error: str
    bytes_base64: str | None
    bytes_file: str | msgspec.UnsetType = msgspec.UNSET


class RejectedWriter:
    """Writes `rejected/part-00000.jsonl.zst` and so on, when there is anything to write.

    Raw files are named by a running number, never after an input, and their record names them
    in `bytes_file`.
    """

    def __init__(self, out: Path, settings: Write) -> None:
        self._out, self._settings = out, settings
        self._shards: ShardWriter | None = None
        self._raw_files: list[OutputFile] = []
        self.records = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch of REJECTED."""
        if not batch.num_rows:
            return
        if self._shards is None:
            name = "rejected/part-{:05d}.jsonl.zst"
            level = self._settings.compression_level
            self._shards = ShardWriter(self._out, name, self._settings.shard_posts, level)
        for row in range(batch.num_rows):
            path, record, start, end, error, data = (column[row].as_py() for column in batch.columns)
            line = _Rejected(path, record, start, end, error, None)
            if len(data) > MAX_INLINE_BYTES:
                line.bytes_file = self._write_raw(data)
            else:
                line.bytes_base64 = base64.b64encode(data).decode()
            self._shards.write_lines(np.frombuffer(_encode(line) + b"\n", np.uint8), 1)
            self.records += 1

    def _write_raw(self, data: bytes) -> str:
        name = f"bytes-{len(self._raw_files):05d}.bin"
        file = AtomicFile(self._out, f"rejected/{name}")
        file.write(data)
        self._raw_files.append(file.commit())
        return name

    def close(self) -> list[OutputFile]:
        """Finish the files; those of JSON lines come first. Empty when nothing was rejected."""
        return [*self._shards.close(), *self._raw_files] if self._shards else []

    def abort(self) -> None:
        if self._shards:
            self._shards.abort()
