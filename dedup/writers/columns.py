"""JSON text of whole Arrow columns, without a Python object for each value.

Every function takes columns and gives a `large_string` column of JSON values of the same length.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper

_NULL = pa.scalar("null", pa.large_string())
_EMPTY = pa.scalar("", pa.large_string())
_COMMA = pa.scalar(",", pa.large_string())

# Bytes that JSON strings must not hold as they are, as in RFC 8259, with the short escape where there is one.
_SHORT_ESCAPES = {8: b"b", 9: b"t", 10: b"n", 12: b"f", 13: b"r", ord('"'): b'"', ord("\\"): b"\\"}
_SHORT_ESCAPE = np.zeros(256, np.uint8)
for _byte, _letter in _SHORT_ESCAPES.items():
    _SHORT_ESCAPE[_byte] = _letter[0]
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def json_object(members: pa.Array, *more: pa.Array | str) -> pa.Array:
    """Objects of these members."""
    return join("{", members, *more, "}")


def json_members(**fields: pa.Array) -> pa.Array:
    """The inside of objects with these keys, in this order; the values are columns of JSON text."""
    pieces: list[pa.Array | str] = []
    comma = ""
    for key, column in fields.items():
        pieces += [f'{comma}"{key}":', column]
        comma = ","
    return join(*pieces)


def more_members(members: pa.Array, rows: pa.Array) -> pa.Array:
    """Members to add to those objects for which `rows` is true; empty for the others."""
    nothing = pa.nulls(len(rows), pa.large_string()).fill_null("")
    return pc.replace_with_mask(nothing, rows, join(",", members))


def json_array(items: pa.Array, lengths: pa.Array) -> pa.Array:
    """Arrays: the first of `lengths[0]` items, and so on; `items` holds JSON text."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths.to_numpy())]), pa.int64())
    lists = pa.LargeListArray.from_arrays(offsets, items)
    return join("[", pc.binary_join(lists, _COMMA), "]")


def json_numbers(column: pa.Array) -> pa.Array:
    """Whole numbers."""
    return pc.coalesce(column.cast(pa.large_string()), _NULL)


def json_ratios(column: pa.Array) -> pa.Array:
    """Similarities and scores with at most four decimals, so that no machine's last bit shows."""
    rounded = pc.round(column.cast(pa.float64()), 4)
    text = rounded.cast(pa.large_string())
    text = pc.if_else(pc.equal(rounded, pc.floor(rounded)), join(text, ".0"), text)
    return pc.coalesce(pc.if_else(pc.is_finite(rounded), text, _NULL), _NULL)


def json_strings(column: pa.Array) -> pa.Array:
    """Strings in UTF-8 with nothing escaped that need not be."""
    column = column.cast(pa.large_string())
    _, offsets, data = column.buffers()
    count = len(column)
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + count + 1]
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    if column.null_count:
        is_null = column.is_null().to_numpy(zero_copy_only=False).view(np.uint8)
    else:
        is_null = np.zeros(count, np.uint8)
    new_ends = np.zeros(count + 1, np.int64)
    _measure_strings(text, ends, is_null, new_ends)
    escaped = np.empty(new_ends[-1], np.uint8)
    _escape_strings(text, ends, is_null, _SHORT_ESCAPE, _HEX, new_ends, escaped)
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(new_ends), pa.py_buffer(escaped))


def join(*pieces: pa.Array | pa.Scalar | str) -> pa.Array:
    """Columns and constants joined row by row."""
    constants = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(*constants, _EMPTY)


def column_bytes(column: pa.Array) -> tuple[bytes, NDArray[np.int64]]:
    """The text of all rows in one piece, and where in it each row ends (int64 [rows])."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    start, end = int(ends[0]), int(ends[-1])
    return data.slice(start, end - start).to_pybytes() if end > start else b"", ends[1:] - start


@helper
def _measure_strings(
    text: NDArray[np.uint8],
    ends: NDArray[np.int64],
    is_null: NDArray[np.uint8],
    new_ends: NDArray[np.int64],
) -> None:
    total = np.int64(0)
    for row in range(len(is_null)):
        if is_null[row]:
            total += 4
        else:
            piece = text[ends[row] : ends[row + 1]]
            more = np.int64(0)
            # no branch and no table: the processor takes many bytes at once
            for at in range(len(piece)):
                byte = piece[at]
                short = (byte >= 8) & (byte <= 13) & (byte != 11)
                more += (byte == 34) | (byte == 92) | short
                more += np.int64(5) * ((byte < 32) & ~short)
            total += 2 + len(piece) + more
        new_ends[row + 1] = total


@njit(nogil=True, cache=True)
def _escape_strings(
    text: NDArray[np.uint8],
    ends: NDArray[np.int64],
    is_null: NDArray[np.uint8],
    short_escape: NDArray[np.uint8],
    digits: NDArray[np.uint8],
    new_ends: NDArray[np.int64],
    escaped: NDArray[np.uint8],
) -> None:
    for row in range(len(is_null)):
        to = new_ends[row]
        if is_null[row]:
            escaped[to] = ord("n")
            escaped[to + 1] = ord("u")
            escaped[to + 2] = escaped[to + 3] = ord("l")
            continue
        escaped[to] = ord('"')
        to += 1
        begin = ends[row]
        end = ends[row + 1]
        if new_ends[row + 1] - new_ends[row] == end - begin + 2:
            escaped[to : to + end - begin] = text[begin:end]
            to += end - begin
        else:
            for at in range(begin, end):
                byte = text[at]
                if byte >= 32 and byte != 34 and byte != 92:
                    escaped[to] = byte
                    to += 1
                    continue
                escaped[to] = ord("\\")
                if short_escape[byte]:
                    escaped[to + 1] = short_escape[byte]
                    to += 2
                else:
                    escaped[to + 1] = ord("u")
                    escaped[to + 2] = escaped[to + 3] = ord("0")
                    escaped[to + 4] = digits[byte >> 4]
                    escaped[to + 5] = digits[byte & 15]
                    to += 6
        escaped[to] = ord('"')
