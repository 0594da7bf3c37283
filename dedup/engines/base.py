"""The seam between the steps and what runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import pyarrow as pa

from dedup.config import Run
from dedup.parts import Repeated

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs pure functions over many items; results come in the order of the items."""

    def map_batches(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """For Python-bound work: function, items and results travel to other processes and back.

        Its annotations say what travels (see `wire`).
        """

    def map_kernels(self, function: Callable[..., Result], *items: Iterable[Any]) -> Iterator[Result]:
        """For kernels that do not hold the interpreter's lock; called like `map`."""

    def map_parts(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """For kernels whose items hold all that they look at (see `parts`): they run anywhere.

        What they write into arrays of an item may be seen here or not: whoever needs it gives it back.
        """

    def map_rows(
        self, function: Callable[[Item], pa.RecordBatch], items: Iterable[Item], wanted: Repeated
    ) -> Iterator[pa.RecordBatch]:
        """The rows that a function of parts gives, in any order.

        All that are wanted are among them; others may be.
        """

    @property
    def workers(self) -> int:
        """How many kernels run here at the same time; changes no result."""

    @property
    def parts(self) -> int:
        """How many parts run at the same time; changes no result."""

    @property
    def shared(self) -> Path | None:
        """The folder for large arrays (see `Scratch`), where others than this process run the parts."""


StartEngine: TypeAlias = Callable[[Path, Run], AbstractContextManager[Engine]]
"""Starts an engine for one run, whose work folder is given; leaving the context ends it."""
