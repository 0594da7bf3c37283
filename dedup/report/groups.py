"""Counts by a text key, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MERGE_ROWS = 1 << 16


class KeyedSums(msgspec.Struct):
    """Whole numbers summed by a text key; rows without a key are left out.

    Memory is one row a distinct key: what is added is merged whenever it outgrows what is known.
    """

    _columns: Sequence[str]
    _merged: pa.Table = None
    _pending: list[pa.Table] = []
    _pending_rows: int = 0

    def __post_init__(self) -> None:
        if self._merged is None:
            schema = pa.schema([("key", pa.string()), *((name, pa.int64()) for name in self._columns)])
            self._merged = schema.empty_table()

    def add(self, keys: pa.Array, values: Mapping[str, NDArray[np.int64]]) -> None:
        """Add one row a key: `values` holds an int64 array as long as `keys` for every column."""
        columns = {"key": keys.cast(pa.string()), **{name: values[name] for name in self._columns}}
        table = pa.table(columns, schema=self._merged.schema)
        self._add(self._sum(table.filter(pc.is_valid(table["key"]))))

    def merge(self, other: KeyedSums) -> None:
        """Add the sums of another one with the same columns."""
        for sums in (other._merged, *other._pending):
            if sums.num_rows:
                self._add(sums)

    def table(self) -> pa.Table:
        """`key` and the sums, one row a distinct key, in no order that means anything."""
        self._merge()
        return self._merged

    def _add(self, sums: pa.Table) -> None:
        self._pending.append(sums)
        self._pending_rows += sums.num_rows
        if self._pending_rows > max(_MERGE_ROWS, self._merged.num_rows):
            self._merge()

    def _merge(self) -> None:
        self._merged = self._sum(pa.concat_tables([self._merged, *self._pending]))
        self._pending, self._pending_rows = [], 0

    def _sum(self, table: pa.Table) -> pa.Table:
        sums = table.group_by("key", use_threads=False).aggregate([(name, "sum") for name in self._columns])
        return pa.table([sums["key"], *(sums[f"{name}_sum"] for name in self._columns)], self._merged.schema)


def first_rows(
    table: pa.Table, order: Sequence[tuple[str, str]], limit: int, ascending: str = "key"
) -> list[dict[str, Any]]:
    """The first `limit` rows by `order`, ties by `ascending`: the same whatever order they came in."""
    keys = [*order, (ascending, "ascending")]
    rows: list[dict[str, Any]] = table.take(pc.sort_indices(table, keys)[:limit]).to_pylist()
    return rows
