"""JSON text of whole Arrow columns, without a Python object for each value.

A column of text is put together first and written last: every byte is copied once, to where it stays.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.text import eights, flat_json

# Bytes that JSON strings must not hold as they are, as in RFC 8259, with the short escape where there is one.
_SHORT_ESCAPES = {8: b"b", 9: b"t", 10: b"n", 12: b"f", 13: b"r", ord('"'): b'"', ord("\\"): b"\\"}
_SHORT_ESCAPE = np.zeros(256, np.uint8)
for _byte, _letter in _SHORT_ESCAPES.items():
    _SHORT_ESCAPE[_byte] = _letter[0]
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_SLAB_ROWS = 1024
"""Rows written at a time, piece by piece: they stay in the processor's cache."""

Array = TypeVar("Array", bound=NDArray[Any])


class Column(NamedTuple):
    """What each row has of some text: its bytes `begins[row]:ends[row]`, int64 [rows]; -1: null."""

    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    quoted: bool = False
    """Whether it is the value of a string, to be written in quotation marks, with escapes."""


class Text(NamedTuple):
    """A column of text that is not written yet: pieces that follow one another in each row."""

    rows: int
    pieces: tuple[Column | str, ...]


class Written(NamedTuple):
    """A column of text: the bytes of all rows in one piece, and where each begins (int64 [rows + 1])."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def join(*pieces: Text | str) -> Text:
    """Columns and constants joined row by row; one of them at least is a column."""
    flat: list[Column | str] = []
    for piece in pieces:
        flat += [piece] if isinstance(piece, str) else piece.pieces
    return Text(next(piece.rows for piece in pieces if isinstance(piece, Text)), tuple(flat))


def json_object(members: Text, *more: Text | str) -> Text:
    """Objects of these members."""
    return join("{", members, *more, "}")


def json_members(**fields: Text) -> Text:
    """The inside of objects with these keys, in this order; the values are columns of JSON text."""
    pieces: list[Text | str] = []
    comma = ""
    for key, column in fields.items():
        pieces += [f'{comma}"{key}":', column]
        comma = ","
    return join(*pieces)


def more_members(members: Text, rows: pa.Array) -> Text:
    """Members to add to those objects for which `rows` is true; empty for the others."""
    added = rows.to_numpy(zero_copy_only=False)
    if added.all():
        return join(",", members)
    data, offsets = write(join(",", members))
    after = np.cumsum(added)
    return Text(len(added), (Column(data, offsets[after - added], offsets[after]),))


def json_array(items: Text, lengths: pa.Array) -> Text:
    """Arrays: the first of `lengths[0]` items, and so on; `items` holds JSON text."""
    data, offsets = write(join(",", items))
    sizes = lengths.to_numpy()
    after = np.cumsum(sizes)
    begins = offsets[after - sizes] + (sizes > 0)  # without the comma before the first
    return join("[", Text(len(sizes), (Column(data, begins, offsets[after]),)), "]")


def json_numbers(column: pa.Array) -> Text:
    """Whole numbers."""
    return plain_text(column.cast(pa.large_string()))


def json_ratios(column: pa.Array) -> Text:
    """Similarities and scores with at most four decimals, so that no machine's last bit shows."""
    rounded = pc.round(column.cast(pa.float64()), 4)
    text = rounded.cast(pa.large_string())
    whole = pc.binary_join_element_wise(text, *(pa.scalar(end, text.type) for end in (".0", "")))
    text = pc.if_else(pc.equal(rounded, pc.floor(rounded)), whole, text)
    return plain_text(pc.if_else(pc.is_finite(rounded), text, pa.scalar(None, text.type)))


def json_strings(column: pa.Array) -> Text:
    """Strings in UTF-8 with nothing escaped that need not be."""
    plain = plain_text(column)
    return Text(plain.rows, tuple(piece._replace(quoted=True) for piece in plain.pieces))  # type: ignore[union-attr]


def plain_text(column: pa.Array) -> Text:
    """The values of a string column as they are."""
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    begins = bounds[:-1]
    if column.null_count:
        begins = np.where(column.is_null().to_numpy(zero_copy_only=False), -1, begins)
    return Text(len(column), (Column(text, begins, bounds[1:]),))


def write(text: Text) -> Written:
    """The bytes of a column of text."""
    offsets = np.zeros(text.rows + 1, np.int64)
    sizes = offsets[1:]
    pieces: list[tuple[NDArray[np.uint8], Column]] = []  # each with the constant before it
    constant = ""
    for piece in (*text.pieces, _nothing(text.rows)):
        if isinstance(piece, str):
            constant += piece
            continue
        before = np.frombuffer(constant.encode(), np.uint8)
        data, begins, ends, quoted = piece
        pieces.append((before, Column(_fixed(data), _fixed(begins), _fixed(ends), quoted)))
        _measure(*pieces[-1][1], _SHORT_ESCAPE, sizes)
        sizes += len(before)
        constant = ""
    np.cumsum(sizes, out=sizes)
    written = np.empty(offsets[-1], np.uint8)
    places = offsets[:-1].copy()
    for first in range(0, text.rows, _SLAB_ROWS):
        rows = slice(first, first + _SLAB_ROWS)
        for before, (data, begins, ends, quoted) in pieces:
            _put(before, data, begins[rows], ends[rows], quoted, _SHORT_ESCAPE, _HEX, places[rows], written)
    return Written(written, offsets)


def _nothing(rows: int) -> Column:
    """A column of empty text."""
    nowhere = np.zeros(rows, np.int64)
    return Column(np.zeros(0, np.uint8), nowhere, nowhere)


def _fixed(array: Array) -> Array:
    """The same array, not to be written to, as Arrow's buffers are: kernels are compiled for each kind."""
    view = array.view()
    view.flags.writeable = False
    return view


@helper
def _is_special(byte: np.uint8) -> bool:
    return bool(byte < 32 or byte == 34 or byte == 92)


@helper
def _measure(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    quoted: bool,
    short_escape: NDArray[np.uint8],
    sizes: NDArray[np.int64],
) -> None:
    """Add the size of each row's piece to `sizes`."""
    for row in range(len(sizes)):
        if begins[row] < 0:
            sizes[row] += 4
            continue
        at, end = begins[row], ends[row]
        sizes[row] += end - at
        if not quoted:
            continue
        sizes[row] += 2
        while at < end:
            if at + eights.SIZE <= end:
                special = flat_json.specials(eights.load(data, at))
                if special == np.uint64(0):
                    at += eights.SIZE
                    continue
                at += eights.first(special)
            if _is_special(data[at]):
                sizes[row] += 1 if short_escape[data[at]] else 5
            at += 1


@helper
def _put(
    before: NDArray[np.uint8],
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    quoted: bool,
    short_escape: NDArray[np.uint8],
    digits: NDArray[np.uint8],
    places: NDArray[np.int64],
    text: NDArray[np.uint8],
) -> None:
    """Write a constant and each row's piece at its place in `text`, and move the place behind them."""
    for row in range(len(places)):
        to = places[row]
        for byte in before:
            text[to] = byte
            to += 1
        at, end = begins[row], ends[row]
        if at < 0:
            text[to], text[to + 1] = ord("n"), ord("u")
            text[to + 2] = text[to + 3] = ord("l")
            places[row] = to + 4
            continue
        if quoted:
            text[to] = ord('"')
            to += 1
        # Behind eight bytes of a piece there is nothing in `text` that is written already: not so behind its
        # last ones, where the next row begins.
        while at + eights.SIZE <= end:
            word = eights.load(data, at)
            eights.store(text, to, word)
            special = flat_json.specials(word) if quoted else np.uint64(0)
            if special == np.uint64(0):
                at += eights.SIZE
                to += eights.SIZE
            else:
                ahead = eights.first(special)
                to = _escape(data[at + ahead], short_escape, digits, text, to + ahead)
                at += ahead + 1
        while at < end:
            byte = data[at]
            at += 1
            if quoted and _is_special(byte):
                to = _escape(byte, short_escape, digits, text, to)
            else:
                text[to] = byte
                to += 1
        if quoted:
            text[to] = ord('"')
            to += 1
        places[row] = to


@helper
def _escape(
    byte: np.uint8,
    short_escape: NDArray[np.uint8],
    digits: NDArray[np.uint8],
    text: NDArray[np.uint8],
    to: int,
) -> int:
    """Write a byte's escape; the offset behind it."""
    text[to] = ord("\\")
    if short_escape[byte]:
        text[to + 1] = short_escape[byte]
        return to + 2
    text[to + 1] = ord("u")
    text[to + 2] = text[to + 3] = ord("0")
    text[to + 4] = digits[byte >> 4]
    text[to + 5] = digits[byte & 15]
    return to + 6
