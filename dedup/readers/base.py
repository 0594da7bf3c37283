"""What every reader is: it cuts a stream into blocks of whole records, and parses a block into tables.

Cutting happens once, in order, where the file is open; parsing is a pure function of a block, so blocks
can be parsed anywhere and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from dedup.config import Read
from dedup.schema import POSTS, REJECTED

KEPT_REJECT_BYTES = 1 << 20
"""So much of a record that is too long to be read goes into its reject."""


class Block(NamedTuple):
    """Whole records of one input, as bytes: what travels to a worker process.

    A block with an `error` stands for what could not be read: `data` is its beginning and
    `byte_start` to `byte_end` where it stands.
    """

    data: bytes
    path: str
    first_record: int
    """Position in the file of the first record, from 1 (a line, a post of a thread, an array element)."""
    byte_start: int
    """Where `data` begins in the decompressed input."""
    reader: str
    """Name of the reader that parses it."""
    encoding: str | None = None
    """What bytes that are no UTF-8 are to be decoded with, when the reader found out."""
    error: str | None = None
    byte_end: int | None = None
    markup: str | None = None
    """What the bodies of the file's records are written in, `html` or `text`, when the reader found out."""
    header: str | None = None
    """What else the front of the file says that parsing needs, as JSON: names of columns, say."""
    edges: tuple[str, ...] = ()
    """Kinds of page chrome that stand at the edges of the file's posts (`readers.edges`)."""


class Parsed(NamedTuple):
    """A block's posts and the records in it that could not be read."""

    posts: pa.RecordBatch
    rejected: pa.RecordBatch


class ByteStream(Protocol):
    """A decompressed input, read from the front once.

    `read` gives exactly `size` bytes, fewer only at the end; a fault of the file looks like its end.
    """

    def read(self, size: int, /) -> bytes: ...


class Reader(Protocol):
    """One input format. A module of this folder holds one, and `readers.READERS` lists it."""

    @property
    def name(self) -> str:
        """How `--input-format` calls it."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of file names, without that of a compression."""

    def recognises(self, name: str, head: bytes) -> bool:
        """Whether a file of this name that begins with `head` is one of this format. Cheap."""

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        """The stream as blocks of about `block_bytes`; together they hold every byte of it."""

    def parse(self, block: Block, settings: Read) -> Parsed:
        """The block's posts, in order, and its rejects."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """A reader whose inputs are so small that a table for each would cost more than reading it."""

    def parse_many(self, blocks: Sequence[Block], settings: Read) -> Parsed:
        """The posts and rejects of several blocks, in order: what `parse` gives for each."""


@runtime_checkable
class ByRows(Protocol):
    """A reader of files that are no stream of text: what stands in their front is seen in their blocks."""

    def front(self, block: Block, rows: int) -> tuple[Block, int]:
        """The first `rows` rows of a block, or all, as a block; and how many there are."""

    def sample(self, block: Block, settings: Read) -> list[dict[str, Any]]:
        """The first records of a block, as `peek` shows their fields."""


class Reject(NamedTuple):
    """One row of REJECTED."""

    path: str
    record: int
    byte_start: int
    byte_end: int
    error: str
    data: bytes


def rejected_batch(rejects: list[Reject]) -> pa.RecordBatch:
    """REJECTED rows as one batch."""
    columns = zip(*rejects, strict=True) if rejects else ([] for _ in REJECTED)
    return pa.RecordBatch.from_arrays(
        [pa.array(list(column), field.type) for column, field in zip(columns, REJECTED, strict=True)],
        schema=REJECTED,
    )


def posts_batch(rows: int, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """A POSTS batch. `text`, `path`, `record` and `encoding` must be given; the others are null or empty
    where they are not."""
    arrays = []
    for field in POSTS:
        if field.name in columns:
            arrays.append(columns[field.name])
        elif field.nullable:
            arrays.append(pa.nulls(rows, field.type))
        elif field.name == "metadata":
            arrays.append(repeated("{}", rows))
        else:
            arrays.append(list_array({}, rows, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=POSTS)


def repeated(value: str, rows: int) -> pa.Array:
    """A string column that holds one value in every row."""
    return pa.repeat(pa.scalar(value, pa.string()), rows)


def list_array(entries: dict[int, list[dict[str, Any]]], rows: int, kind: Any) -> pa.Array:
    """A list column from the few rows that have entries."""
    lengths = np.zeros(rows + 1, np.int32)
    values: list[dict[str, Any]] = []
    for row in sorted(entries):
        lengths[row + 1] = len(entries[row])
        values.extend(entries[row])
    return pa.ListArray.from_arrays(
        pa.array(np.cumsum(lengths, dtype=np.int32)), pa.array(values, kind.value_type), type=kind
    )


def whole_file(stream: ByteStream, path: str, settings: Read, reader: str) -> Block | None:
    """A stream as one block, for formats that are read whole; None when it is empty.

    What is over the limit of a record gives a block with an `error`, and is not held in memory.
    """
    limit = settings.max_record_mb << 20
    data = stream.read(limit + 1)
    if not data:
        return None
    if len(data) <= limit:
        return Block(data, path, 1, 0, reader)
    size = len(data)
    data = data[:KEPT_REJECT_BYTES]
    while more := len(stream.read(1 << 20)):
        size += more
    error = (
        f"a {reader} file of {size} bytes is over the limit of {settings.max_record_mb} MB"
        " (read.max_record_mb), as it is read whole"
    )
    return Block(data, path, 1, 0, reader, error=error, byte_end=size)
