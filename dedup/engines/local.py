"""One machine: processes for what Python computes, threads for what kernels compute."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Self, TypeVar

from dedup.errors import DedupError

Item = TypeVar("Item")
Result = TypeVar("Result")


class LocalEngine:
    """Runs steps on this machine's cores.

    One item is computed in place: small inputs never pay for starting processes.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or _cores()
        self._processes: ProcessPoolExecutor | None = None
        self._threads: ThreadPoolExecutor | None = None

    def map_batches(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.map_batches`."""
        items, few = _peek(items)
        if self.workers == 1 or few:
            return map(function, items)
        if self._processes is None:
            self._processes = ProcessPoolExecutor(
                self.workers, _start_method(), _begin_worker, (os.getpid(),)
            )
            with _signals_held():
                self._processes.submit(_nothing)
        return _in_order(self._processes, function, items, self.workers)

    def map_kernels(self, function: Callable[..., Result], *items: Iterable[Any]) -> Iterator[Result]:
        """See `Engine.map_kernels`."""
        calls, few = _peek(zip(*items, strict=False))
        if self.workers == 1 or few:
            return (function(*call) for call in calls)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.workers, "dedup-kernel")
        return _in_order(self._threads, lambda call: function(*call), calls, self.workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._processes is not None:
            # nobody waits for what they are at; Python 3.14 has `terminate_workers` for this
            for process in list((self._processes._processes or {}).values()):
                process.terminate()
        for pool in (self._processes, self._threads):
            if pool is not None:
                pool.shutdown(cancel_futures=True)


_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals wait while processes are started: Python loses the exceptions of what it calls around a fork,
    and a new process would answer as its parent does."""
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nothing() -> None:
    """What a pool is given to do so that it starts its processes."""


def _begin_worker(parent: int) -> None:
    """In a new worker process: the run says when to stop, unless it was killed and cannot."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the workers, too
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_method() -> multiprocessing.context.BaseContext:
    # A forked worker has all modules and kernels at once. The pool is made before anything here
    # starts a thread of its own; elsewhere the platform's own way is the safe one.
    return multiprocessing.get_context("fork" if sys.platform == "linux" else None)


def _peek(items: Iterable[Item]) -> tuple[Iterator[Item], bool]:
    """The items again, and whether there is at most one."""
    rest = iter(items)
    head = list(islice(rest, 2))
    return chain(head, rest), len(head) < 2


def _in_order(
    pool: Executor, function: Callable[[Item], Result], items: Iterator[Item], workers: int
) -> Iterator[Result]:
    """Results in order, with at most two items a worker under way: memory stays bounded."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise DedupError(
            "a worker process was ended from outside, perhaps for want of memory.",
            hint="Try fewer --workers; the same command goes on where this stopped.",
        ) from None
    finally:
        for future in waiting:
            future.cancel()
