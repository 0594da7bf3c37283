"""Which rows may be wanted of a join: found before they travel, as of most keys there is one row alone.

Each task gives a cell of 32 bits for each of its rows; two bit filters of all of them (one hash of a Bloom
filter) say which cells were met more than once. Rows of the others are wanted by nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup.arrays import UInt32s, UInt64s, looked_up, note_seen, were_repeated
from dedup.writers.atomic import disk_errors

_MIX = 0x9E3779B97F4A7C15
_CELL_BITS, _LOW_BITS = 32, 20
"""What `note_seen` looks at of a hash."""
_LEAST_BITS, _MOST_BITS = 10, _CELL_BITS
"""Of the number of a cell: a filter takes at most half a gigabyte, which 400 million rows share well."""


class Rows(NamedTuple):
    """Files of rows, the filter that they go through, and the folder for what is left of them."""

    files: list[Path]
    keys: list[str]
    repeated: NDArray[np.uint64]
    folder: Path


def write_rows(rows: pa.RecordBatch, path: Path, keys: list[str]) -> UInt32s:
    """Write rows to a file, complete or not at all; a cell for each."""
    # hidden, and another one wherever the task is run
    unfinished = path.with_name(f".{path.name}-{os.urandom(8).hex()}")
    with disk_errors(path):
        # keys are numbers by chance: nothing is gained by a dictionary
        pq.write_table(pa.table(rows), unfinished, compression="lz4", use_dictionary=False)
        unfinished.replace(path)
    return _cells(rows, keys)


def repeated_cells(cells: Iterable[UInt32s], rows: int) -> UInt64s:
    """The cells that more than one of so many rows has, as a bit filter."""
    # 8 to 16 bits for each: of eleven rows that are alone, ten are found out
    bits = min(max((8 * rows).bit_length(), _LEAST_BITS), _MOST_BITS)
    once, twice = (looked_up(1 << bits - 6, np.uint64) for _ in range(2))
    for some in cells:
        note_seen(_hashes(some), once, twice)
    return twice


def sift(rows: Rows) -> int:
    """Write those rows of some files that may be wanted; how many they are."""
    kept = 0
    for file in rows.files:
        found = pq.read_table(file).combine_chunks()
        for batch in found.to_batches():
            some = batch.filter(pa.array(were_repeated(_hashes(_cells(batch, rows.keys)), rows.repeated)))
            if some.num_rows:
                write_rows(some, rows.folder / file.name, rows.keys)
                kept += some.num_rows
    return kept


def _cells(rows: pa.RecordBatch, keys: list[str]) -> UInt32s:
    mixed = np.zeros(rows.num_rows, np.uint64)
    for key in keys:
        mixed = mixed * np.uint64(_MIX) + rows.column(key).to_numpy().astype(np.int64).view(np.uint64)
    return (mixed >> np.uint64(_LOW_BITS)).astype(np.uint32)


def _hashes(cells: UInt32s) -> UInt64s:
    return cells.astype(np.uint64) << np.uint64(_LOW_BITS)
