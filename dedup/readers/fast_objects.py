"""The ordinary JSON objects among the pieces of a block as posts, without a Python object for each.

The columns are those that `columns.columns_of` would make of them. Python decides once for each shape (keys
in their order) which field may hold which column; kernels do the rest. What needs a closer look is left to
`objects.parse_pieces`: objects that are not ordinary (see `text.flat_json`), that have no text, whose author
is an object, or whose `metadata` is one; bodies that are HTML, records that may hold others, and those of
sites with ways of their own.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.config import Read
from dedup.readers.base import Block, posts_batch, repeated
from dedup.readers.fields import COLUMNS, fields_of, mapping
from dedup.readers.lines import unit_bytes
from dedup.readers.marks import find_marks
from dedup.readers.records import UNCOMMON
from dedup.schema import POSTS
from dedup.text import eights
from dedup.text.flat_json import (
    ESCAPED,
    INTEGER,
    NULL,
    NUMBER,
    OBJECT,
    Scanned,
    copy_strings,
    scan,
    shapes_of,
)

_TEXT = COLUMNS.index("text")
_AUTHOR = COLUMNS.index("author")
_NONE = -1
_TOO_BIG = 1 << 31
"""Offsets of this size do not fit into a column."""


def ordinary_posts(
    starts: NDArray[np.int64], ends: NDArray[np.int64], block: Block, settings: Read
) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
    """The posts of the ordinary objects among the pieces starts:ends of a block, and the numbers of the other
    pieces that are not empty."""
    text = block.encoding is None
    arrays: dict[str, pa.Array] = {}
    readable = np.zeros(len(starts), np.bool_)
    if (
        len(block.data) < _TOO_BIG
        and block.markup != "html"
        and (text or (settings.encoding is None and unit_bytes(block.encoding) == 1))
    ):
        short = np.where(ends - starts > settings.max_record_mb << 20, starts, ends)
        readable, arrays = _read(block.data, starts, short, mapping(settings.fields), not text)
    pieces = np.flatnonzero(readable)
    rows = len(pieces)
    if rows:
        arrays |= find_marks(arrays["text"]).columns(rows) | {
            "path": repeated(block.path, rows),
            "record": pa.array(pieces + block.first_record),
            "encoding": repeated("utf-8", rows),
        }
    else:
        arrays = {
            name: pa.nulls(0, POSTS.field(name).type) for name in ("text", "path", "record", "encoding")
        }
    return posts_batch(rows, arrays), np.flatnonzero(~readable & (ends > starts))


def in_order(ordinary: pa.RecordBatch, others: pa.RecordBatch) -> pa.RecordBatch:
    """Posts of one block read in two ways, in the order of their records."""
    if not ordinary.num_rows or not others.num_rows:
        return ordinary if ordinary.num_rows else others
    posts = pa.concat_batches([ordinary, others])
    return posts.take(pa.array(np.argsort(posts["record"].to_numpy(), kind="stable")))


def _read(
    data: bytes,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    mapped: tuple[tuple[str, str], ...],
    ascii_only: bool,
) -> tuple[NDArray[np.bool_], dict[str, pa.Array]]:
    """Which of the pieces are read, and the columns that `columns_of` would make of them."""
    bytes_ = np.frombuffer(data, np.uint8)
    scanned = scan(bytes_, starts, ends, ascii_only)
    chosen = np.full((len(starts), len(COLUMNS)), _NONE, np.int64)
    rest = np.zeros(len(scanned.kinds), np.bool_)
    readable = np.zeros(len(starts), np.bool_)
    for shape in shapes_of(bytes_, scanned):
        if not UNCOMMON.isdisjoint(shape.keys):
            continue
        fields = fields_of(shape.keys, mapped)
        position = {key: at for at, key in enumerate(shape.keys)}
        widest = max(map(len, fields.candidates))
        candidates = np.full((len(COLUMNS), widest), _NONE, np.int64)
        for index, names in enumerate(fields.candidates):
            candidates[index, : len(names)] = [position[name] for name in names]
        metadata = _NONE if fields.metadata is None else position[fields.metadata]
        _choose(
            shape.pieces,
            candidates,
            metadata,
            scanned.begins,
            scanned.starts,
            scanned.ends,
            scanned.kinds,
            chosen,
            rest,
            readable,
        )
    pieces = np.flatnonzero(readable)
    chosen = chosen[pieces]
    arrays = {column: _strings(bytes_, scanned, chosen[:, index]) for index, column in enumerate(COLUMNS)}
    arrays["metadata"] = _objects(bytes_, scanned, pieces, rest)
    return readable, arrays


def _strings(data: NDArray[np.uint8], scanned: Scanned, fields: NDArray[np.int64]) -> pa.StringArray:
    offsets, text = copy_strings(data, scanned, fields)
    known = fields >= 0
    nulls = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.StringArray.from_buffers(len(fields), pa.py_buffer(offsets), pa.py_buffer(text), nulls)


def _objects(
    data: NDArray[np.uint8], scanned: Scanned, pieces: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> pa.StringArray:
    """Compact objects of the wanted fields of each piece."""
    sizes = (scanned.ends - scanned.starts) + (scanned.key_ends - scanned.key_starts) + len('"":,')
    room = int(sizes[wanted].sum(dtype=np.int64)) + len("{}") * len(pieces) + eights.SIZE
    offsets, text = np.empty(len(pieces) + 1, np.int32), np.empty(room, np.uint8)
    places = scanned.key_starts, scanned.key_ends, scanned.starts, scanned.ends
    size = _write_objects(data, pieces, scanned.begins, *places, wanted, offsets, text)
    return pa.StringArray.from_buffers(len(pieces), pa.py_buffer(offsets), pa.py_buffer(text[:size]))


@njit(nogil=True, cache=True)
def _choose(
    pieces: NDArray[np.int64],
    candidates: NDArray[np.int64],
    metadata: int,
    begins: NDArray[np.int64],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    rest: NDArray[np.bool_],
    readable: NDArray[np.bool_],
) -> None:
    """Choose the field for each column of these pieces: the first candidate that fits and is not empty.

    `candidates` [columns, at most] are positions in the shape. `rest` becomes true for the fields that no
    column holds; where a column could have been found, null and "" say no more than no field at all.
    """
    known = np.zeros(begins[pieces[0] + 1] - begins[pieces[0]], np.bool_)
    for column in range(candidates.shape[0]):
        for position in candidates[column]:
            if position >= 0:
                known[position] = True
    for piece in pieces:
        first = begins[piece]
        ordinary = metadata < 0 or kinds[first + metadata] != OBJECT
        for at in range(len(known)):
            field = first + at
            empty = kinds[field] == NULL or (kinds[field] <= ESCAPED and ends[field] - starts[field] == 2)
            rest[field] = not (known[at] and empty)
        for column in range(candidates.shape[0]):
            for position in candidates[column]:
                if position < 0:
                    break
                field = first + position
                kind = kinds[field]
                if kind <= ESCAPED:
                    if ends[field] - starts[field] > 2:
                        chosen[piece, column] = field
                        break
                    if column == _TEXT and chosen[piece, column] < 0:
                        chosen[piece, column] = field  # an empty text, if there is no other
                elif column != _TEXT and kind in (INTEGER, NUMBER):
                    chosen[piece, column] = field
                    break
                elif column == _AUTHOR and kind == OBJECT:
                    ordinary = False
            if chosen[piece, column] >= 0:
                rest[chosen[piece, column]] = False
        readable[piece] = ordinary and chosen[piece, _TEXT] >= 0


@njit(nogil=True, cache=True)
def _write_objects(
    data: NDArray[np.uint8],
    pieces: NDArray[np.int64],
    begins: NDArray[np.int64],
    key_starts: NDArray[np.int32],
    key_ends: NDArray[np.int32],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    wanted: NDArray[np.bool_],
    offsets: NDArray[np.int32],
    text: NDArray[np.uint8],
) -> int:
    to = 0
    for row in range(len(pieces)):
        offsets[row] = to
        text[to] = ord("{")
        to += 1
        comma = False
        for field in range(begins[pieces[row]], begins[pieces[row] + 1]):
            if not wanted[field]:
                continue
            if comma:
                text[to] = ord(",")
                to += 1
            comma = True
            to = eights.copy(data, int(key_starts[field]) - 1, int(key_ends[field]) + 1, text, to)
            text[to] = ord(":")
            to = eights.copy(data, int(starts[field]), int(ends[field]), text, to + 1)
        text[to] = ord("}")
        to += 1
    offsets[len(pieces)] = to
    return to
