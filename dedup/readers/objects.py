"""JSON objects in pieces of a block: the ordinary ones as fast as can be, the others with a second look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
import numpy as np
from numpy.typing import NDArray

from dedup.config import Read
from dedup.normalize.decode import LAST_RESORT, decode, decode_line
from dedup.readers.base import (
    KEPT_REJECT_BYTES,
    Block,
    Parsed,
    Reject,
    rejected_batch,
)
from dedup.readers.columns import Record
from dedup.readers.fast_objects import in_order, ordinary_posts
from dedup.readers.lenient import Escape, read_objects
from dedup.readers.lines import first_invalid, unit_bytes
from dedup.readers.records import Told, make_posts

_OBJECT: msgspec.json.Decoder[Record] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_objects(starts: NDArray[np.int64], ends: NDArray[np.int64], block: Block, settings: Read) -> Parsed:
    """The pieces starts:ends of a block that hold a JSON object each (or several, or none), as posts and
    rejects; what kernels can read costs no Python object."""
    ordinary, others = ordinary_posts(starts, ends, block, settings)
    if not len(others):
        return Parsed(ordinary, rejected_batch([]))
    pieces = [b""] * len(starts)  # those that are read are as good as blank
    for number in others.tolist():
        pieces[number] = block.data[starts[number] : ends[number]]
    posts, rejected = parse_pieces(pieces, starts.tolist, block, settings)
    return Parsed(in_order(ordinary, posts), rejected)


def parse_pieces(
    pieces: list[bytes], starts: Callable[[], list[int]], block: Block, settings: Read
) -> Parsed:
    """Pieces of a block that hold a JSON object each (or several, or none), as posts and rejects.

    `starts` gives the offsets of the pieces in the block, and is asked only when there are rejects.
    """
    found = _Found(pieces, starts, block, settings)
    found.read()
    numbers = np.array(found.numbers, np.int64) + block.first_record
    told = Told(found.records, numbers, block.path, block.markup, found.encodings, found.escapes)
    posts, unreadable = make_posts(told, settings)
    for row, error in unreadable.items():
        found.reject(found.numbers[row], error, found.spans.get(row))
    found.rejects.sort()
    return Parsed(posts, rejected_batch([reject for _, _, reject in found.rejects]))


def sample_records(pieces: list[bytes]) -> list[Record]:
    """The records of pieces that hold an ordinary object each; others are passed over."""
    records: list[Record] = []
    for piece in pieces:
        if first_invalid(piece) is None:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                records.append(_OBJECT.decode(piece))
    return records


class _Found:
    """The records of some pieces. Rows of the tables are indexes into `records`."""

    def __init__(
        self, pieces: list[bytes], starts: Callable[[], list[int]], block: Block, settings: Read
    ) -> None:
        self.pieces, self.block = pieces, block
        self._find_starts = starts
        self.limit = settings.max_record_mb << 20
        self.given_encoding = settings.encoding is not None
        self.records: list[Record] = []
        self.numbers: list[int] = []  # row → piece
        self.spans: dict[int, tuple[int, int]] = {}  # row → where in its piece, when not all of it
        self.encodings: dict[int, str] = {}
        self.escapes: dict[int, dict[str, list[Escape]]] = {}
        self.rejects: list[tuple[int, int, Reject]] = []
        self._starts: list[int] = []

    def read(self) -> None:
        """Read every piece, the ordinary ones as fast as can be."""
        encoding = self.block.encoding
        if encoding is not None and (unit_bytes(encoding) > 1 or self.given_encoding):
            for number, piece in enumerate(self.pieces):
                self._read_again(number, piece, decode(piece, encoding))
            return
        all_utf8 = encoding is None  # the cutter looked
        decode_object, add_record, add_number = _OBJECT.decode, self.records.append, self.numbers.append
        for number, piece in enumerate(self.pieces):
            if not piece:
                continue
            if len(piece) <= self.limit and (all_utf8 or first_invalid(piece) is None):
                try:
                    add_record(decode_object(piece))
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    self._read_again(number, piece, decode_line(piece, encoding or LAST_RESORT))
                else:
                    add_number(number)
            else:
                self._read_again(number, piece, decode_line(piece, encoding or LAST_RESORT))

    def _read_again(self, number: int, piece: bytes, decoded: tuple[str, str]) -> None:
        if len(piece) > self.limit:
            self.reject(number, too_long(len(piece), self.limit))
            return
        text, encoding = decoded
        exact = encoding == "utf-8"  # else offsets of characters say nothing about bytes
        objects, remainder = read_objects(text)
        alone = len(objects) == 1 and remainder is None
        for found in objects:
            row = len(self.records)
            self.records.append(dict(found.fields))
            self.numbers.append(number)
            if exact and not alone:
                self.spans[row] = (len(text[: found.start].encode()), len(text[: found.end].encode()))
            if not exact:
                self.encodings[row] = encoding
            if found.escapes:
                self.escapes[row] = found.escapes
        if remainder is not None:
            start = len(text[: remainder.start].encode()) if exact and objects else 0
            self.reject(number, remainder.error, (start, len(piece)))

    def reject(self, number: int, error: str, span: tuple[int, int] | None = None) -> None:
        """Put a piece, or the bytes `span` of it, with the rejects."""
        block, piece = self.block, self.pieces[number]
        if not self._starts:
            self._starts = self._find_starts()
        start, end = span or (0, len(piece))
        at = block.byte_start + self._starts[number]
        data = piece[start:end]
        if len(piece) > self.limit:
            data = data[:KEPT_REJECT_BYTES]
        record = block.first_record + number
        self.rejects.append((number, start, Reject(block.path, record, at + start, at + end, error, data)))


def too_long(size: int, limit: int) -> str:
    """What the reject of a record over the limit says."""
    return f"a record of {size} bytes is over the limit of {limit >> 20} MB (read.max_record_mb)"
