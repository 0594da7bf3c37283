"""Worker processes that may die at any moment, and leave nobody waiting."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from dedup.engines.messages import receive, send
from dedup.errors import DedupError
from dedup.own_process import release_freed_memory

Result = TypeVar("Result")

_REST_SECONDS = 0.5
"""A process that has nothing to do for so long gives memory back."""
_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Processes:
    """Processes that call functions; each has a socket of its own and a thread here that talks to it.

    The processes of `concurrent.futures` share pipes: one that is killed while it writes leaves the others
    and the run waiting for the rest of its message. Here its thread sees that the socket is closed.
    """

    def __init__(self, count: int) -> None:
        # A forked worker has all modules and kernels at once. The processes begin before anything here
        # starts a thread of its own; elsewhere the platform's own way is the safe one.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
        self._processes: list[BaseProcess] = []
        self._sockets: list[socket.socket] = []
        with _signals_held():
            for _ in range(count):
                ours, theirs = socket.socketpair()
                process = context.Process(target=_work, args=(theirs, os.getpid()), daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)
                self._sockets.append(ours)
        self._mine = threading.local()
        self._threads = ThreadPoolExecutor(count, "dedup-process", self._take_one, (list(self._sockets),))

    def submit(self, function: Callable[[Any], Result], item: Any) -> Future[Result]:
        """`function(item)` in one of the processes; its exceptions come back.

        The future raises DedupError when the process was ended from outside.
        """
        return self._threads.submit(self._call, function, item)

    def close(self, *, at_once: bool = False) -> None:
        """End the processes when they have done what they are at, or at once."""
        for process in self._processes if at_once else []:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for ours, process in zip(self._sockets, self._processes, strict=True):
            with suppress(OSError):
                send(ours, None)
            ours.close()
            process.join()

    def _take_one(self, sockets: list[socket.socket]) -> None:
        self._mine.socket = sockets.pop()

    def _call(self, function: Callable[[Any], Result], item: Any) -> Result:
        try:
            send(self._mine.socket, (function, item))
            result, error = receive(self._mine.socket)
        except (EOFError, OSError):
            raise DedupError(
                "a worker process was ended from outside, perhaps for want of memory.",
                hint="Try fewer --workers; the same command goes on where this stopped.",
            ) from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


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


def _work(calls: socket.socket, parent: int) -> None:
    """In a new process: answer calls until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the workers, too: the run says when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with suppress(EOFError, OSError):  # nobody is there any more
        while True:
            if not wait([calls], _REST_SECONDS):
                release_freed_memory()
            call = receive(calls)
            if call is None:
                return
            send(calls, _answer(*call))
            del call


def _answer(function: Callable[[Any], Result], item: Any) -> tuple[Result | None, Exception | None]:
    try:
        return function(item), None
    except Exception as error:
        error.add_note("In a worker process:\n" + traceback.format_exc())
        return None, error


def _end_with(parent: int) -> None:
    """A run that was killed cannot say that it is over."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
