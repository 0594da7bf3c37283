"""Parquet and Arrow (Feather, IPC files and streams, the shards of Hugging Face datasets), batch by batch.

`record` is the number of the row in the file, from 1. What is no string in a column of ours becomes one:
numbers as they are, times in ISO 8601.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from dedup.config import Read
from dedup.normalize.decode import decode
from dedup.readers.base import Block, ByteStream, Parsed, Reject, rejected_batch
from dedup.readers.columns import Record
from dedup.readers.delimited import unique_names
from dedup.readers.objects import too_long
from dedup.readers.records import SAMPLE_RECORDS, Told, find_markup, make_posts, plain_records
from dedup.readers.sources import on_disk

_encode = msgspec.json.Encoder(enc_hook=str).encode
_ERRORS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)
_PARQUET, _ARROW_FILE, _FEATHER_1, _STREAM = b"PAR1", b"ARROW1", b"FEA1", b"\xff\xff\xff\xff"


class _Damaged(NamedTuple):
    """Rows that cannot be read, in the midst of others."""

    rows: int
    error: str


class _Columnar(ABC):
    """What both formats share: batches come out of a file that can be sought in, and go on as Arrow IPC."""

    name: str
    suffixes: tuple[str, ...]

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        record = 1
        markup: str | None = settings.markup
        try:
            with on_disk(stream) as file:
                for batch in self._batches(file, block_bytes):
                    if isinstance(batch, _Damaged):
                        yield Block(b"", path, record, 0, self.name, error=batch.error)
                        record += batch.rows
                        continue
                    if markup is None:
                        markup = find_markup(_records(batch.slice(0, SAMPLE_RECORDS)), settings)
                    for part in _parts(batch, block_bytes):
                        block = Block(b"", path, record, 0, self.name, markup=markup)
                        if part.num_rows == 1 and part.nbytes > settings.max_record_mb << 20:
                            yield block._replace(error=too_long(part.nbytes, settings.max_record_mb << 20))
                        else:
                            yield block._replace(data=_as_bytes(part))
                        record += part.num_rows
        except _ERRORS as error:
            yield Block(b"", path, record, 0, self.name, error=f"cannot be read further: {_line(error)}")

    def parse(self, block: Block, settings: Read) -> Parsed:
        with pa.ipc.open_stream(block.data) as reader:
            batch = reader.read_next_batch()
        records = _records(batch)
        numbers = range(block.first_record, block.first_record + len(records))
        told = Told(records, numbers, block.path, block.markup, {}, {})
        posts, unreadable = make_posts(told, settings)
        rejects = [
            Reject(block.path, numbers[row], 0, 0, error, _as_json(records[row]))
            for row, error in sorted(unreadable.items())
        ]
        return Parsed(posts, rejected_batch(rejects))

    def front(self, block: Block, rows: int) -> tuple[Block, int]:
        """See `readers.base.ByRows`."""
        with pa.ipc.open_stream(block.data) as reader:
            batch = reader.read_next_batch().slice(0, rows)
        return block._replace(data=_as_bytes(batch)), batch.num_rows

    def sample(self, block: Block, settings: Read) -> list[Record]:
        """The first records of a block, as `peek` shows their fields."""
        with pa.ipc.open_stream(block.data) as reader:
            return plain_records(_records(reader.read_next_batch().slice(0, SAMPLE_RECORDS)), settings)

    @abstractmethod
    def _batches(self, file: Path, block_bytes: int) -> Iterator[pa.RecordBatch | _Damaged]:
        """The rows of a file, in batches of about `block_bytes`."""


class Parquet(_Columnar):
    """The reader of Parquet files."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(_PARQUET)

    def _batches(self, file: Path, block_bytes: int) -> Iterator[pa.RecordBatch | _Damaged]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            facts = parquet.metadata
            size = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
            rows = block_bytes * max(facts.num_rows, 1) // max(size, 1)
            for group in range(facts.num_row_groups):
                left = facts.row_group(group).num_rows
                try:
                    # One thread: of several errors in a group, chance would say which is told.
                    for batch in parquet.iter_batches(
                        min(max(rows, 16), 1 << 17), [group], use_threads=False
                    ):
                        left -= batch.num_rows
                        yield batch
                    reason = "they are not there"
                except _ERRORS as error:
                    reason = _line(error)
                if left > 0:
                    yield _Damaged(left, f"{left} rows of a row group cannot be read: {reason}")


class Arrow(_Columnar):
    """The reader of Arrow IPC: files (Feather 2) and streams."""

    name = "arrow"
    suffixes = (".arrow", ".feather", ".ipc")

    def recognises(self, name: str, head: bytes) -> bool:
        if head.startswith((_ARROW_FILE, _FEATHER_1)):
            return True
        return head.startswith(_STREAM) and name.lower().endswith(self.suffixes)

    def _batches(self, file: Path, block_bytes: int) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(file), "rb") as source:
            if source.read(6) == _ARROW_FILE:
                reader = pa.ipc.open_file(source)
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                source.seek(0)
                batches = iter(pa.ipc.open_stream(source))
            for batch in batches:
                _check(batch)
                yield batch


def _check(batch: pa.RecordBatch) -> None:
    """A file may lie about its offsets; whether strings are UTF-8 is seen later."""
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.cast(pa.binary() if pa.types.is_string(column.type) else pa.large_binary())
        column.validate(full=True)


def _parts(batch: pa.RecordBatch, block_bytes: int) -> Iterator[pa.RecordBatch]:
    """The batch in parts of about `block_bytes`, where it is much larger."""
    if batch.num_rows <= 1 or batch.nbytes <= 2 * block_bytes:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half), block_bytes)
    yield from _parts(batch.slice(half), block_bytes)


def _as_bytes(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _records(batch: pa.RecordBatch) -> list[Record]:
    names = unique_names(batch.schema.names)
    columns = [[_encode(value) for value in _values(column)] for column in batch.columns]
    if not columns:
        return [{} for _ in range(batch.num_rows)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.Array) -> list[Any]:
    """The values of a column; those Python has no type for as strings."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_temporal(kind):
        with suppress(*_ERRORS):
            if pa.types.is_timestamp(kind):
                return list(column.cast(pa.timestamp("us", kind.tz), safe=False).to_pylist())
            return list(column.to_pylist())
        if len(column) > 1:  # a time that Python has none for must not change how its neighbours are written
            return [value for row in range(len(column)) for value in _values(column.slice(row, 1))]
        with suppress(*_ERRORS):
            return list(column.cast(pa.string()).to_pylist())
        return [None]
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        pass
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else decode(value)[0] for value in raw]
    return [_value(each) for each in column]


def _value(scalar: pa.Scalar) -> Any:
    with suppress(UnicodeDecodeError):
        return scalar.as_py()
    return None


def _as_json(record: Record) -> bytes:
    members: list[bytes] = [_encode(key) + b":" + bytes(value) for key, value in record.items()]
    return b"{" + b",".join(members) + b"}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
