"""JSON lines: one object a line, or several; UTF-8, UTF-16 or lines of other encodings.

`record` is the number of the line in the file, from 1; blank lines count but are no records.
"""

from __future__ import annotations

from collections.abc import Iterator

from dedup.config import Read
from dedup.normalize.decode import decode
from dedup.readers.base import KEPT_REJECT_BYTES, Block, ByteStream, Parsed
from dedup.readers.columns import Record
from dedup.readers.lines import (
    ENCODING_BYTES,
    count_lines,
    end_of_lines,
    first_invalid,
    known_encoding,
    legacy_encoding,
    line_bounds,
    newline_ends,
    split_lines,
    unit_bytes,
    wide_encoding,
)
from dedup.readers.markup import SAMPLE_BYTES
from dedup.readers.objects import parse_objects, sample_records, too_long
from dedup.readers.records import SAMPLE_RECORDS, find_markup, plain_records


class Jsonl:
    """The reader of JSON lines."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson", ".jl")

    def recognises(self, name: str, head: bytes) -> bool:
        if name.lower().endswith(self.suffixes):
            return True
        start = head.decode(wide_encoding(head) or "utf-8", "ignore").lstrip("\ufeff \t\r\n")
        # An object that closes on its first line, or a line longer than what we see.
        line, newline, _ = start.partition("\n")
        line = line.rstrip()
        return (
            line.startswith("{") and line[1:].lstrip()[:1] in ('"', "}") and (line[-1] == "}" or not newline)
        )

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        return _Cutter(stream, path, settings, self.name).blocks(block_bytes)

    def parse(self, block: Block, settings: Read) -> Parsed:
        return parse_objects(*line_bounds(block.data, unit_bytes(block.encoding)), block, settings)

    def sample(self, block: Block, settings: Read) -> list[Record]:
        """The first records of a block, as `peek` shows their fields."""
        lines = split_lines(block.data, unit_bytes(block.encoding))[:SAMPLE_RECORDS]
        texts = [decode(line, block.encoding)[0].encode() for line in lines]
        return plain_records(sample_records(texts), settings)


class _Cutter:
    """Cuts a stream at line ends, and finds out what lines that are no UTF-8 are encoded in."""

    def __init__(self, stream: ByteStream, path: str, settings: Read, reader: str) -> None:
        self.stream, self.path, self.reader = stream, path, reader
        self.limit = settings.max_record_mb << 20
        self.encoding = settings.encoding
        self.settings = settings
        self.markup: str | None = settings.markup
        self.carry = b""  # read, not yet in a block
        self.byte_start, self.record = 0, 1

    def blocks(self, block_bytes: int) -> Iterator[Block]:
        self.carry = self.stream.read(SAMPLE_BYTES)
        self.encoding = known_encoding(self.encoding, self.carry[:4])
        unit = unit_bytes(self.encoding)
        if self.markup is None:
            self.markup = self._find_markup(self.carry, unit)
        block_bytes = max(block_bytes - block_bytes % unit, unit)
        while True:
            chunk = self.stream.read(block_bytes)
            ended = len(chunk) < block_bytes
            cut = len(chunk) if ended else end_of_lines(chunk, unit)
            if not cut and not ended:  # the last line feed may stand in what was left over
                chunk, self.carry = self.carry + chunk, b""
                cut = end_of_lines(chunk, unit)
            data = b"".join((self.carry, memoryview(chunk)[:cut]))  # the one copy of what is read
            self.carry = chunk[cut:]
            if data:
                yield self._block(data, unit)
            elif not ended:
                yield from self._long_line(block_bytes, unit)
            if ended:
                break

    def _block(self, data: bytes, unit: int) -> Block:
        if self.encoding is None and (at := first_invalid(data)) is not None:
            self.encoding = self._find_encoding(data, at)
        block = Block(data, self.path, self.record, self.byte_start, self.reader, self.encoding)
        block = block._replace(markup=self.markup)
        self.byte_start += len(data)
        self.record += count_lines(data, unit)
        return block

    def _find_markup(self, head: bytes, unit: int) -> str:
        whole = head if len(head) < SAMPLE_BYTES else head[: end_of_lines(head, unit)]
        if unit > 1:
            whole = decode(whole, self.encoding)[0].encode()
        return find_markup(sample_records(split_lines(whole, 1)), self.settings)

    def _find_encoding(self, data: bytes, invalid_at: int) -> str:
        start = data.rfind(b"\n", 0, invalid_at) + 1
        have = len(data) - start + len(self.carry)
        if have < ENCODING_BYTES:  # the sample must not depend on where the blocks were cut
            self.carry += self.stream.read(ENCODING_BYTES - have)
        return legacy_encoding((data[start:] + self.carry)[:ENCODING_BYTES])

    def _long_line(self, block_bytes: int, unit: int) -> Iterator[Block]:
        """A line that no block holds: read on to its end; what is over the limit is not kept."""
        parts, kept = [self.carry], len(self.carry)
        size, newline = kept, 0  # of the line with its line feed, and of that
        while True:
            chunk = self.stream.read(block_bytes)
            ends = newline_ends(chunk, unit)
            end = int(ends[0]) if len(ends) else len(chunk)
            newline = unit if len(ends) else 0
            size += end
            if kept < KEPT_REJECT_BYTES or size - newline <= self.limit:
                parts.append(chunk[:end])
                kept += end
            if newline or len(chunk) < block_bytes:
                break
        self.carry = chunk[end:]
        data = b"".join(parts)
        if size - newline <= self.limit:
            yield self._block(data, unit)
            return
        yield Block(
            data[:KEPT_REJECT_BYTES],
            self.path,
            self.record,
            self.byte_start,
            self.reader,
            self.encoding,
            error=too_long(size - newline, self.limit),
            byte_end=self.byte_start + size - newline,
        )
        self.byte_start += size
        self.record += 1
