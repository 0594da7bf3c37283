"""One machine: processes for what Python computes, threads for what kernels compute."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self, TypeVar

import pyarrow as pa

from dedup.config import Run
from dedup.engines.processes import Processes
from dedup.parts import Repeated

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_this_machine(work: Path, config: Run) -> LocalEngine:
    """See `base.StartEngine`."""
    return LocalEngine(config.workers)


class LocalEngine:
    """Runs steps on this machine's cores.

    One item is computed in place: small inputs never pay for starting processes.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = self.parts = workers or _cores()
        self.shared = None
        self._processes: Processes | None = None
        self._threads: ThreadPoolExecutor | None = None

    def map_batches(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.map_batches`."""
        items, few = _peek(items)
        if self.workers == 1 or few:
            return map(function, items)
        if self._processes is None:
            self._processes = Processes(self.workers)
        return in_order(self._processes, function, items, 2 * self.workers)

    def map_kernels(self, function: Callable[..., Result], *items: Iterable[Any]) -> Iterator[Result]:
        """See `Engine.map_kernels`."""
        calls, few = _peek(zip(*items, strict=False))
        if self.workers == 1 or few:
            return (function(*call) for call in calls)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.workers, "dedup-kernel")
        return in_order(self._threads, lambda call: function(*call), calls, 2 * self.workers)

    def map_parts(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.map_parts`."""
        return self.map_kernels(function, items)

    def map_rows(
        self, function: Callable[[Item], pa.RecordBatch], items: Iterable[Item], wanted: Repeated
    ) -> Iterator[pa.RecordBatch]:
        """See `Engine.map_rows`: all of them, as nothing has to travel."""
        return self.map_kernels(function, items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._processes is not None:
            # when something went wrong, nobody waits for what they are at
            self._processes.close(at_once=kind is not None)
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _peek(items: Iterable[Item]) -> tuple[Iterator[Item], bool]:
    """The items again, and whether there is at most one."""
    rest = iter(items)
    head = list(islice(rest, 2))
    return chain(head, rest), len(head) < 2


def in_order(
    pool: Processes | ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterator[Item],
    most: int,
) -> Iterator[Result]:
    """Results in order, with at most so many items under way: memory stays bounded."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
