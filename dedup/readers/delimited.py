"""CSV and TSV: a header of names, then a record a row; fields in quotation marks may hold line feeds.

Delimiter and escapes are found out from the front of the file. A row with more or fewer fields than the
header is rejected and the next one read; rows of nothing but white space, and empty fields beyond the
header's last, as spreadsheets leave them, are passed over. `record` is the number of the row, the header
being 1.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from dedup.config import Read
from dedup.normalize.decode import LAST_RESORT, decode, decode_line
from dedup.readers.base import KEPT_REJECT_BYTES, Block, ByteStream, Parsed, Reject, rejected_batch
from dedup.readers.columns import Record
from dedup.readers.fast_objects import in_order, ordinary_posts
from dedup.readers.fast_table import as_objects
from dedup.readers.fields import COLUMNS, fields_of, mapping
from dedup.readers.lines import (
    ENCODING_BYTES,
    first_invalid,
    known_encoding,
    legacy_encoding,
    newline_ends,
    unit_bytes,
    wide_encoding,
)
from dedup.readers.markup import SAMPLE_BYTES
from dedup.readers.records import Told, find_markup, make_posts

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 200
MAX_UNCLOSED = 8
"""So many quotation marks that are never closed are passed over in a file."""
_TEXT = COLUMNS.index("text")
_encode = msgspec.json.Encoder().encode


class _Header(msgspec.Struct):
    """What parsing needs to know from the front of the file."""

    delimiter: str
    escapes: bool
    """Whether a backslash takes away the meaning of the character after it (as MySQL writes)."""
    names: list[str]
    named: bool
    """Whether the names stand in the file's first row; else they are 1, 2, 3 …"""


class Delimited:
    """The reader of CSV and TSV."""

    name = "csv"
    suffixes = (".csv", ".tsv", ".tab")

    def recognises(self, name: str, head: bytes) -> bool:
        if name.lower().endswith(self.suffixes):
            return True
        encoding = wide_encoding(head) or "utf-8"
        if encoding == "utf-8" and b"\0" in head:  # no table, but something binary
            return False
        front = head[:SAMPLE_BYTES].decode(encoding, "ignore").lstrip("\ufeff")
        line = front.partition("\n" if "\n" in front else "\r")[0].rstrip("\r")
        if not 3 <= len(line) <= 4096:
            return False
        for delimiter in _DELIMITERS:
            with suppress(csv.Error):
                names = _row(line, delimiter, False)
                if len(names) > 2 and _known(names, Read()) > 2:
                    return True
        return False

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        return _Cutter(stream, path, settings, self.name).blocks(block_bytes)

    def parse(self, block: Block, settings: Read) -> Parsed:
        header = msgspec.json.decode(block.header or "", type=_Header)
        rows = _Rows(block, header, settings)
        ordinary = rows.read_ordinary()
        rows.read()
        numbers = np.array(rows.numbers, np.int64) + block.first_record
        told = Told(rows.records, numbers, block.path, block.markup, rows.encodings, {})
        posts, unreadable = make_posts(told, settings)
        for row, error in unreadable.items():
            rows.reject(rows.numbers[row], error)
        rows.rejects.sort()
        return Parsed(in_order(ordinary, posts), rejected_batch([reject for _, reject in rows.rejects]))

    def sample(self, block: Block, settings: Read) -> list[Record]:
        """The first records of a block, as `peek` shows their fields."""
        names = msgspec.json.decode(block.header or "", type=_Header).names
        return [dict.fromkeys(names, b"null")]


class _Rows:
    """The rows of a block."""

    def __init__(self, block: Block, header: _Header, settings: Read) -> None:
        self.block, self.header = block, header
        self.settings = settings
        self.limit = settings.max_record_mb << 20
        self.given = settings.encoding is not None
        self.ends = record_ends(block.data, block.encoding, header.delimiter, header.escapes)
        if not len(self.ends) or self.ends[-1] < len(block.data):
            self.ends = np.append(self.ends, len(block.data))
        self.others = np.arange(len(self.ends))  # which are not read yet
        self.records: list[Record] = []
        self.numbers: list[int] = []
        self.encodings: dict[int, str] = {}
        self.rejects: list[tuple[int, Reject]] = []

    def read_ordinary(self) -> pa.RecordBatch:
        """The posts of the rows that kernels can read."""
        block, header = self.block, self.header
        ends = self.ends
        if header.escapes or self.given or unit_bytes(block.encoding) > 1 or not header.names:
            ends = ends[:0]
        objects = as_objects(block.data, ends, header.names, header.delimiter, self.limit)
        starts = objects.starts
        if block.byte_start == 0 and len(starts):  # the header, or what a byte order mark may precede
            starts[0] = objects.ends[0]
        lines = block._replace(data=objects.data)
        posts, _ = ordinary_posts(starts, objects.ends, lines, self.settings)
        self.others = np.setdiff1d(self.others, posts.column("record").to_numpy() - block.first_record)
        return posts

    def read(self) -> None:
        """Read the other rows."""
        encodings: dict[int, str] = {}
        pieces = self._pieces(encodings)
        names, wanted = self.header.names, len(self.header.names)
        before = csv.field_size_limit(max(self.limit, 131_072))
        try:
            fields = _fields(pieces, self.header.delimiter, self.header.escapes)
            for number, piece, row in zip(self.others.tolist(), pieces, fields, strict=True):
                if not piece or piece.isspace():
                    continue
                if isinstance(row, csv.Error):
                    self.reject(number, f"is no row of a table: {row}")
                    continue
                if len(row) != wanted:
                    if len(row) < wanted or any(row[wanted:]):
                        self.reject(number, f"a row of {len(row)} fields where the header has {wanted}")
                        continue
                    row = row[:wanted]
                if number in encodings:
                    self.encodings[len(self.records)] = encodings[number]
                self.records.append(dict(zip(names, map(_encode, row), strict=True)))
                self.numbers.append(number)
        finally:
            csv.field_size_limit(before)

    def _pieces(self, encodings: dict[int, str]) -> list[str]:
        """The text of each row that is not read yet."""
        data, others = self.block.data, self.others.tolist()
        starts = np.append(0, self.ends)[self.others].tolist()
        bounds = list(zip(others, starts, self.ends[self.others].tolist(), strict=True))
        encoding = self.block.encoding
        if encoding is not None and (unit_bytes(encoding) > 1 or self.given):
            decoded = [decode(data[start:end], encoding) for _, start, end in bounds]
            encodings |= {
                number: name for number, (_, name) in zip(others, decoded, strict=True) if name != "utf-8"
            }
            pieces = [text for text, _ in decoded]
        else:
            pieces = []
            for number, start, end in bounds:
                piece = data[start:end]
                try:
                    pieces.append(piece.decode())
                except UnicodeDecodeError:
                    text, encodings[number] = _decode_row(piece, encoding or LAST_RESORT)
                    pieces.append(text)
        if pieces and others[0] == 0 and self.block.byte_start == 0:
            pieces[0] = pieces[0].removeprefix("\ufeff")
            if self.header.named:
                pieces[0] = ""
        return pieces

    def reject(self, number: int, error: str) -> None:
        """Put a row with the rejects."""
        block = self.block
        start = int(self.ends[number - 1]) if number else 0
        end = int(self.ends[number])
        data = block.data[start:end]
        at, record = block.byte_start, block.first_record + number
        if end - start > self.limit:
            data = data[:KEPT_REJECT_BYTES]
        self.rejects.append((number, Reject(block.path, record, at + start, at + end, error, data)))


class _LineFeeds:
    """A stream whose lines end in carriage returns alone, as old Macs wrote them, with line feeds."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        return self._stream.read(size).replace(b"\r", b"\n")


class _Cutter:
    """Cuts a stream at the ends of rows."""

    def __init__(self, stream: ByteStream, path: str, settings: Read, reader: str) -> None:
        self.stream, self.path, self.settings, self.reader = stream, path, settings, reader
        self.limit = settings.max_record_mb << 20
        self.encoding = settings.encoding
        self.carry = b""  # read, not yet in a block
        self.byte_start, self.record = 0, 1
        self.header = _Header(",", False, [], False)
        self.markup = "text"
        self.unclosed = 0

    def blocks(self, block_bytes: int) -> Iterator[Block]:
        self.carry = self.stream.read(SAMPLE_BYTES)
        self.encoding = known_encoding(self.encoding, self.carry[:4])
        if b"\r" in self.carry and b"\n" not in self.carry and unit_bytes(self.encoding) == 1:
            self.carry = self.carry.replace(b"\r", b"\n")
            self.stream = _LineFeeds(self.stream)
        self._read_front()
        unit = unit_bytes(self.encoding)
        block_bytes = max(block_bytes - block_bytes % unit, unit)
        ended = False
        wanted = block_bytes
        while self.carry or not ended:
            chunk = b"" if ended else self.stream.read(wanted)
            ended = len(chunk) < wanted
            self.carry += chunk
            ends = self._ends(self.carry)
            # A row longer than a block is looked through again from its front: ever more at a time.
            wanted = block_bytes if len(ends) else max(block_bytes, len(self.carry))
            if len(ends) and (not ended or int(ends[-1]) == len(self.carry)):
                yield self._block(int(ends[-1]), len(ends))
            elif not ended and len(self.carry) > self.limit:
                yield self._unclosed(unit)
            elif ended and self.carry:
                yield self._block(len(self.carry), len(ends) + 1)

    def _ends(self, data: bytes) -> npt.NDArray[np.int64]:
        return record_ends(data, self.encoding, self.header.delimiter, self.header.escapes)

    def _block(self, cut: int, rows: int) -> Block:
        data, self.carry = self.carry[:cut], self.carry[cut:]
        if self.encoding is None and (at := first_invalid(data)) is not None:
            start = data.rfind(b"\n", 0, at) + 1
            sample = data[start:] + self.carry
            if len(sample) < ENCODING_BYTES:  # the sample must not depend on where the blocks are cut
                more = self.stream.read(ENCODING_BYTES - len(sample))
                self.carry += more
                sample += more
            self.encoding = legacy_encoding(sample[:ENCODING_BYTES])
        block = self._part(data)._replace(
            markup=self.markup, header=msgspec.json.encode(self.header).decode()
        )
        self.record += rows
        self.byte_start += len(data)
        return block

    def _unclosed(self, unit: int) -> Block:
        """The first line of a row that does not end: a quotation mark was never closed. The rest is tried
        again without it; after some such rows, all that follows is one."""
        self.unclosed += 1
        lines = newline_ends(self.carry, unit)
        size = int(lines[0]) if len(lines) and self.unclosed <= MAX_UNCLOSED else len(self.carry)
        data, self.carry = self.carry[:size], self.carry[size:]
        if not self.carry:
            while more := len(self.stream.read(1 << 20)):
                size += more
        error = (
            f"a row that does not end within {self.settings.max_record_mb} MB (read.max_record_mb);"
            " perhaps a quotation mark is never closed"
        )
        block = self._part(data[:KEPT_REJECT_BYTES])._replace(error=error, byte_end=self.byte_start + size)
        self.record += 1
        self.byte_start += size
        return block

    def _part(self, data: bytes) -> Block:
        return Block(data, self.path, self.record, self.byte_start, self.reader, self.encoding)

    def _read_front(self) -> None:
        """Find out delimiter, names and markup."""
        unit = unit_bytes(self.encoding)
        head = self.carry[: len(self.carry) - len(self.carry) % unit]
        data = decode(head, self.encoding)[0].removeprefix("\ufeff").encode()
        self.header = header = find_header(data, self.settings)
        rows = _rows(data, header.delimiter, header.escapes)
        records: list[Record] = [
            dict(zip(header.names, map(_encode, row), strict=True))
            for row in rows[header.named :]
            if len(row) == len(header.names)
        ]
        self.markup = find_markup(records, self.settings)


def find_header(data: bytes, settings: Read) -> _Header:
    """Delimiter, escapes and names of a table that begins with the UTF-8 `data`."""
    escapes = b'\\"' in data and b'""' not in data
    best: tuple[int, int, int] = (-1, -1, -1)
    found = _Header(",", escapes, [], False)
    for place, delimiter in enumerate(_DELIMITERS):
        rows = _rows(data, delimiter, escapes)
        if not rows:
            continue
        several = len(rows[0]) > 1
        known = _known(rows[0], settings)
        equal = sum(len(row) == len(rows[0]) for row in rows)
        # A table of one column has no delimiter at all.
        score = (known if several else min(known, 1), equal if several else 0, -place)
        if score > best:
            best = score
            names = unique_names(rows[0]) if known else [str(number) for number in range(1, len(rows[0]) + 1)]
            found = _Header(delimiter, escapes, names, known > 0)
    return found


def _rows(data: bytes, delimiter: str, escapes: bool) -> list[list[str]]:
    """Some rows of a table in UTF-8, blank ones left out."""
    ends = record_ends(data, None, delimiter, escapes).tolist()[:_SAMPLE_ROWS] or [len(data)]
    rows = []
    for start, end in pairwise([0, *ends]):
        with suppress(csv.Error):
            piece = data[start:end].decode("utf-8", "replace")
            if piece and not piece.isspace():
                rows.append(_row(piece, delimiter, escapes))
    return rows


def record_ends(data: bytes, encoding: str | None, delimiter: str, escapes: bool) -> npt.NDArray[np.int64]:
    """Offsets behind the rows of `data`, which begins with one; what follows the last line feed is none."""
    unit = unit_bytes(encoding)
    kind = f"{'>' if (encoding or '').endswith('be') else '<'}u{unit}"
    units = np.frombuffer(data[: len(data) - len(data) % unit] if unit > 1 else data, kind)
    if unit > 1:  # only ASCII matters
        units = np.minimum(units, 0xFF).astype(np.uint8)
    return _record_ends(units, ord(delimiter), escapes) * unit


@njit(nogil=True, cache=True)
def _record_ends(units: npt.NDArray[np.uint8], delimiter: int, escapes: bool) -> npt.NDArray[np.int64]:
    """The rules are those of the standard library's `csv` module, which reads the rows afterwards."""
    ends = np.empty(1024, np.int64)
    count = 0
    state = 0  # 0: a field begins; 1: in a field; 2: in quotation marks; 3: behind one in them
    skip = False
    for at in range(units.shape[0]):
        unit = units[at]
        if skip:
            skip = False
            if state == 0:
                state = 1
            continue
        if escapes and unit == 0x5C:
            skip = True
        elif state == 2:
            if unit == 0x22:
                state = 3
        elif unit == 0x22 and (state == 0 or state == 3):
            state = 2
        elif unit == 0x0A:
            if count == ends.shape[0]:
                larger = np.empty(2 * count, np.int64)
                larger[:count] = ends
                ends = larger
            ends[count] = at + 1
            count += 1
            state = 0
        elif unit == delimiter:
            state = 0
        else:
            state = 1
    return ends[:count]


def _fields(pieces: list[str], delimiter: str, escapes: bool) -> list[list[str] | csv.Error]:
    """The fields of each row, or why they cannot be told."""
    rows: list[list[str] | csv.Error] = []
    with suppress(csv.Error):
        rows += _reader((piece.removesuffix("\n").removesuffix("\r") for piece in pieces), delimiter, escapes)
        if len(rows) == len(pieces):  # each piece was a row, and none ran on into the next
            return rows
    rows = []
    for piece in pieces:
        try:
            rows.append(_row(piece, delimiter, escapes))
        except csv.Error as error:
            rows.append(error)
    return rows


def _row(text: str, delimiter: str, escapes: bool) -> list[str]:
    """The fields of a row."""
    text = text.removesuffix("\n").removesuffix("\r")
    return next(_reader([text], delimiter, escapes))


def _reader(lines: Iterable[str], delimiter: str, escapes: bool) -> Iterator[list[str]]:
    return csv.reader(
        lines, delimiter=delimiter, escapechar="\\" if escapes else None, doublequote=not escapes
    )


def _known(names: Sequence[str], settings: Read) -> int:
    """How many of these names are known; none when the text is not among them."""
    found = fields_of(tuple(names), mapping(settings.fields)).candidates
    return sum(map(bool, found)) if found[_TEXT] else 0


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, those told apart that are missing or stand twice.

    >>> unique_names(["a", "", "a"])
    ['a', '2', 'a 3']
    """
    seen: set[str] = set()
    unique = []
    for number, name in enumerate(names, 1):
        name = name or str(number)
        while name in seen:
            name = f"{name} {number}"
        seen.add(name)
        unique.append(name)
    return unique


def _decode_row(piece: bytes, fallback: str) -> tuple[str, str]:
    """Line by line, as a row may hold posts of several encodings."""
    texts, names = [], set()
    for line in piece.split(b"\n"):
        text, name = decode_line(line, fallback)
        texts.append(text)
        if not line.isascii():
            names.add(name)
    return "\n".join(texts), "+".join(sorted(names, key=lambda name: (name != "utf-8", name)))
