"""Metadata that goes into a corpus record as it is, found and copied without a Python object for each row.

Plain are compact objects of strings, words, small numbers and empty lists, with keys that are not ours:
`metadata.parse_metadata` and `note_kinds` would change nothing in them. The others are left to those.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.text.flat_json import (
    ARRAY,
    BOOL,
    ESCAPED,
    INTEGER,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    scan,
    shapes_of,
)
from dedup.text.tokens import utf8_buffers
from dedup.writers.columns import Column, Text
from dedup.writers.metadata import OWN_KEYS

_KINDS = {
    STRING: "string",
    ESCAPED: "string",
    INTEGER: "int",
    NUMBER: "float",
    BOOL: "bool",
    NULL: "null",
    OBJECT: "object",
    ARRAY: "array",
}
_COMMA = np.frombuffer(b",", np.uint8)
_MAX_INTEGER = 18
"""An integer of so many characters is one of 64 bits."""
_MAX_NUMBER = 40
"""A number of so many characters without an exponent is a finite double."""


class Plain(NamedTuple):
    """The plain rows of a metadata column."""

    rows: NDArray[np.bool_]
    kinds: list[tuple[int, str, str]]
    """(row, key, kind) where a kind of value first stands under a key, in the order of rows and fields."""
    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    """The bytes of the column, and where each row begins in them (int64 [rows + 1])."""


def find_plain(texts: pa.StringArray) -> Plain:
    """The plain rows of a metadata column, and the kinds of value in them."""
    data, begins = utf8_buffers(texts)
    scanned = scan(data, begins[:-1], begins[1:])
    rows = np.zeros(len(texts), np.bool_)
    found: list[tuple[int, int, str, str]] = []
    for shape in shapes_of(scanned):
        if not set(OWN_KEYS).isdisjoint(shape.keys):
            continue
        first = np.full((len(shape.keys), ARRAY + 1), len(texts), np.int64)
        places = scanned.begins, scanned.starts, scanned.ends, scanned.kinds
        key_bytes = sum(len(key.encode()) for key in shape.keys)
        _find_plain(scanned.data, begins, shape.pieces, key_bytes, *places, rows, first)
        for field, kind in np.argwhere(first < len(texts)).tolist():
            found.append((int(first[field, kind]), field, shape.keys[field], _KINDS[kind]))
    return Plain(rows, [(row, key, kind) for row, _, key, kind in sorted(found)], scanned.data, begins)


def more_fields(plain: Plain, others: list[bytes]) -> Text:
    """What each row adds to the inside of a JSON object: a comma and its fields, or nothing.

    `others` are those of the rows that are not plain.
    """
    filled = plain.rows & (np.diff(plain.begins) > 2)
    commas = Column(_COMMA, np.zeros(len(filled), np.int64), filled.astype(np.int64))
    inside = np.where(filled, plain.begins[:-1] + 1, 0), np.where(filled, plain.begins[1:] - 1, 0)
    other = ~plain.rows
    after = np.cumsum(other)
    ends = np.cumsum([0, *map(len, others)])
    rest = Column(np.frombuffer(b"".join(others), np.uint8), ends[after - other], ends[after])
    return Text(len(filled), (commas, Column(plain.data, *inside), rest))


@helper
def _find_plain(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    pieces: NDArray[np.int64],
    key_bytes: int,
    fields: NDArray[np.int64],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    rows: NDArray[np.bool_],
    first: NDArray[np.int64],
) -> None:
    """Mark the plain rows among `pieces`, and note the first of them for each [field, kind]."""
    count = first.shape[0]
    for row in pieces:
        begin = fields[row]
        size = key_bytes + 4 * count + 1 + (count == 0)  # quotes, colons, commas and braces
        plain = True
        for field in range(begin, begin + count):
            length = ends[field] - starts[field]
            size += length
            kind = kinds[field]
            if kind == INTEGER:
                plain &= length <= _MAX_INTEGER
            elif kind == NUMBER:
                plain &= length <= _MAX_NUMBER
                for at in range(starts[field], ends[field]):
                    plain &= data[at] | 32 != ord("e")
            elif kind in (OBJECT, ARRAY):
                plain &= length == 2
        if plain and size == begins[row + 1] - begins[row]:
            rows[row] = True
            for field in range(count):
                kind = kinds[begin + field]
                first[field, kind] = min(first[field, kind], row)
