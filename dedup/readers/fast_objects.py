"""The ordinary JSON objects among the pieces of a block as posts, without a Python object for each.

The columns are those that `columns.columns_of` would make of them. Python decides once for each shape (keys
in their order) which field may hold which column; kernels do the rest. What needs a closer look is left to
`objects.parse_pieces`: objects that are not ordinary (see `text.flat_json`), that have no text, or whose
author is an object; records that may hold others, and those of sites with ways of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.config import Read
from dedup.readers.base import Block, posts_batch, repeated
from dedup.readers.columns import open_keys, with_inner
from dedup.readers.fields import COLUMNS, Fields, fields_of, mapping
from dedup.readers.lines import unit_bytes
from dedup.readers.records import UNCOMMON, marked_texts
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
_PLACES = slice(Scanned._fields.index("key_starts"), None)
"""The arrays of `Scanned` with one entry a field."""
_TOO_BIG = 1 << 31
"""Offsets of this size do not fit into a column."""


def ordinary_posts(
    starts: NDArray[np.int64], ends: NDArray[np.int64], block: Block, settings: Read
) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
    """The posts of the ordinary objects among the pieces starts:ends of a block, and the numbers of the other
    pieces that are not empty."""
    text = block.encoding is None
    pieces = np.zeros(0, np.int64)
    arrays: dict[str, pa.Array] = {}
    if len(block.data) < _TOO_BIG and (
        text or (settings.encoding is None and unit_bytes(block.encoding) == 1)
    ):
        short = np.where(ends - starts > settings.max_record_mb << 20, starts, ends)
        pieces, arrays = _read(block.data, starts, short, mapping(settings.fields), not text)
    rows = len(pieces)
    arrays.setdefault("text", repeated("", rows))
    html = np.full(rows, block.markup == "html")
    arrays |= marked_texts(arrays["text"], html).arrays | {
        "path": repeated(block.path, rows),
        "record": pa.array(pieces + block.first_record),
        "encoding": repeated("utf-8", rows),
    }
    others = ends > starts
    others[pieces] = False
    return posts_batch(rows, arrays), np.flatnonzero(others)


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
) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
    """The pieces that are read, ascending, and the columns that `columns_of` would make of them."""
    scanned = scan(np.frombuffer(data, np.uint8), starts, ends, ascii_only)
    table, opened = _Table(scanned), _Opened(scanned)
    for shape in shapes_of(scanned):
        if not UNCOMMON.isdisjoint(shape.keys):
            continue
        fields, pieces = fields_of(shape.keys, mapped), shape.pieces
        if fields.metadata is not None:
            inside = scanned.begins[pieces] + shape.keys.index(fields.metadata)
            is_object = scanned.kinds[inside] == OBJECT
            closed = opened.add(shape.keys, fields, pieces[is_object], inside[is_object])
            pieces = np.concatenate([pieces[~is_object], *closed])
        table.choose(shape.keys, fields.candidates, pieces)
    pieces, arrays = table.columns(np.arange(len(starts)))
    if not opened.groups:
        return pieces, arrays
    more, more_arrays = opened.columns()
    if not len(pieces):
        return more, more_arrays
    pieces = np.concatenate([pieces, more])
    order = np.argsort(pieces, kind="stable")
    take = pa.array(order)
    return pieces[order], {
        name: pa.concat_arrays([array, more_arrays[name]]).take(take) for name, array in arrays.items()
    }


class _Table:
    """Scanned objects, and which column holds which of their fields."""

    def __init__(self, scanned: Scanned) -> None:
        pieces = len(scanned.begins) - 1
        self.scanned = scanned
        self.chosen = np.full((pieces, len(COLUMNS)), _NONE, np.int64)
        self.rest = np.zeros(len(scanned.kinds), np.bool_)
        self.readable = np.zeros(pieces, np.bool_)

    def choose(
        self, keys: tuple[str, ...], candidates: tuple[tuple[str, ...], ...], pieces: NDArray[np.int64]
    ) -> None:
        """Choose the columns of pieces with these keys; `candidates` as in `fields.Fields`."""
        position = {key: at for at, key in enumerate(keys)}
        positions = np.full((len(COLUMNS), max(map(len, candidates))), _NONE, np.int64)
        for index, names in enumerate(candidates):
            positions[index, : len(names)] = [position[name] for name in names]
        scanned = self.scanned
        places = scanned.begins, scanned.starts, scanned.ends, scanned.kinds
        _choose(pieces, len(keys), positions, *places, self.chosen, self.rest, self.readable)

    def columns(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
        """The readable ones among these pieces, and their columns."""
        pieces = order[self.readable[order]]
        chosen = self.chosen[pieces]
        arrays = {column: _strings(self.scanned, chosen[:, index]) for index, column in enumerate(COLUMNS)}
        return pieces, arrays | {"metadata": _objects(self.scanned, pieces, self.rest)}


class _Group(NamedTuple):
    """Objects that have the same keys once their `metadata` is opened."""

    keys: tuple[str, ...]
    candidates: tuple[tuple[str, ...], ...]
    pieces: NDArray[np.int64]
    fields: tuple[NDArray[np.int32] | NDArray[np.uint8], ...]
    """Each of the arrays of `Scanned` that say where fields are, [pieces, keys]."""


class _Opened:
    """Objects whose `metadata` is one; its fields stand beside theirs."""

    def __init__(self, scanned: Scanned) -> None:
        self.scanned = scanned
        self.groups: list[_Group] = []

    def add(
        self, keys: tuple[str, ...], fields: Fields, pieces: NDArray[np.int64], inside: NDArray[np.int64]
    ) -> Iterator[NDArray[np.int64]]:
        """Open the fields `inside` of these pieces; gives those pieces that stay closed."""
        outer = self.scanned
        starts, ends = outer.starts[inside].astype(np.int64), outer.ends[inside].astype(np.int64)
        inner = scan(outer.data, starts, ends)
        for shape in shapes_of(inner):
            opened = open_keys(keys, fields.metadata or "", shape.keys)
            if opened is None:
                yield pieces[shape.pieces]
                continue
            outside = outer.begins[pieces[shape.pieces], None] + [keys.index(key) for key in opened[0]]
            within = inner.begins[shape.pieces, None] + [shape.keys.index(key) for key in opened[1]]
            places = tuple(
                np.hstack([theirs[outside.astype(np.int64)], ours[within.astype(np.int64)]])
                for theirs, ours in zip(outer[_PLACES], inner[_PLACES], strict=True)
            )
            candidates = with_inner(fields.candidates, opened[1])
            self.groups.append(_Group(opened[0] + opened[1], candidates, pieces[shape.pieces], places))

    def columns(self) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
        """As of `_Table`; the pieces are ascending."""
        sizes = np.concatenate([np.full(len(group.pieces), len(group.keys)) for group in self.groups])
        begins = np.append(0, np.cumsum(sizes))
        places = (
            np.concatenate([place.ravel() for place in column])
            for column in zip(*(group.fields for group in self.groups), strict=True)
        )
        table = _Table(Scanned(self.scanned.data, begins, np.ones(len(sizes), np.uint64), *places))
        first = 0
        for group in self.groups:
            table.choose(group.keys, group.candidates, np.arange(first, first + len(group.pieces)))
            first += len(group.pieces)
        pieces = np.concatenate([group.pieces for group in self.groups])
        rows, arrays = table.columns(np.argsort(pieces, kind="stable"))
        return pieces[rows], arrays


def _strings(scanned: Scanned, fields: NDArray[np.int64]) -> pa.StringArray:
    offsets, text = copy_strings(scanned, fields)
    known = fields >= 0
    nulls = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.StringArray.from_buffers(len(fields), pa.py_buffer(offsets), pa.py_buffer(text), nulls)


def _objects(scanned: Scanned, pieces: NDArray[np.int64], wanted: NDArray[np.bool_]) -> pa.StringArray:
    """Compact objects of the wanted fields of each piece."""
    sizes = (scanned.ends - scanned.starts) + (scanned.key_ends - scanned.key_starts) + len('"":,')
    room = int(sizes[wanted].sum(dtype=np.int64)) + len("{}") * len(pieces) + eights.SIZE
    offsets, text = np.empty(len(pieces) + 1, np.int32), np.empty(room, np.uint8)
    places = scanned.key_starts, scanned.key_ends, scanned.starts, scanned.ends
    size = _write_objects(scanned.data, pieces, scanned.begins, *places, wanted, offsets, text)
    return pa.StringArray.from_buffers(len(pieces), pa.py_buffer(offsets), pa.py_buffer(text[:size]))


@njit(nogil=True, cache=True)
def _choose(
    pieces: NDArray[np.int64],
    fields: int,
    candidates: NDArray[np.int64],
    begins: NDArray[np.int64],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    rest: NDArray[np.bool_],
    readable: NDArray[np.bool_],
) -> None:
    """Choose the field for each column of these pieces: the first candidate that fits and is not empty.

    They have `fields` each; `candidates` [columns, at most] are positions among these. `rest` becomes true
    for the fields that no column holds; where a column could have been found, null and "" say no more than
    no field at all.
    """
    known = np.zeros(fields, np.bool_)
    for column in range(candidates.shape[0]):
        for position in candidates[column]:
            if position >= 0:
                known[position] = True
    for piece in pieces:
        first = begins[piece]
        ordinary = True
        for at in range(fields):
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
