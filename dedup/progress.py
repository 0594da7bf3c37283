"""How far a run is: a Protocol the pipeline reports to, and what it reports to.

The pipeline knows only `Progress`; the terminal, or nobody, stands behind it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Stage(Protocol):
    """A piece of work under way."""

    def advance(self, n: int) -> None:
        """`n` more units are done. May be called from any thread."""


class Progress(Protocol):
    """Whom a run tells how far it is."""

    def stage(self, name: str, total: int | None, unit: str) -> AbstractContextManager[Stage]:
        """Work on `total` units (None: unknown) begins now and ends when the context is left.

        `unit` is a plural (`posts`); `bytes` are shown in megabytes.
        """

    def note(self, message: str) -> None:
        """Something the user should know, on one line."""


class Silent:
    """Reports nothing.

    >>> with Silent().stage("reading", None, "posts") as stage:
    ...     stage.advance(10)
    """

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Stage]:
        yield _Unwatched()

    def note(self, message: str) -> None:
        pass


class Notes(Silent):
    """Writes notes to a stream and shows no bars: for a log file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, message: str) -> None:
        from dedup.report.visible import visible_line

        print(visible_line(message), file=self._stream, flush=True)


def progress_on(stream: TextIO | None = None, *, quiet: bool = False) -> Progress:
    """Bars when `stream` (standard error by default) is a terminal, notes alone when it is none."""
    stream = stream or sys.stderr
    if quiet:
        return Silent()
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        from dedup.report.bars import Bars

        return Bars(stream)
    return Notes(stream)


class _Unwatched:
    def advance(self, n: int) -> None:
        pass
