"""What Ctrl-C and SIGTERM do to the command line: they end it, at once and surely."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes: 128 and the number of the signal."""

_unfinished: set[Path] = set()
_hints: list[str] = []


def end_on_signals() -> None:
    """From now on both signals end this process; call it in the main thread, before others start.

    Python's way is an exception in the midst of whatever the main thread does. It gets lost in destructors
    and callbacks, and leaves locks of other libraries closed behind it (llvmlite's, while kernels are
    loaded), on which everybody waits. A run that was killed goes on as well as one that tidied up, so the
    process says its last word and ends; its workers end with it.
    """
    if os.name != "posix":  # KeyboardInterrupt is all there is
        return
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _do_no_more)
    signal.set_wakeup_fd(tell)
    threading.Thread(target=_end_when, args=(told,), name="signals", daemon=True).start()


def leave(code: int | str | None) -> NoReturn:
    """End the process with what `SystemExit` holds, without Python's own tidying up.

    That takes a tenth of a second, in which a signal ends the process wordlessly and with another code.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


@contextmanager
def hint_when_stopped(hint: str) -> Iterator[None]:
    """What the last word is to say besides, until the context is left."""
    _hints.append(hint)
    try:
        yield
    finally:
        _hints.pop()


@contextmanager
def gone_when_stopped(path: Path) -> Iterator[None]:
    """A file or folder that a signal removes, too, until the context is left."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that is removed when the context is left, or the process ended by a signal."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with gone_when_stopped(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _do_no_more(*_: object) -> None:
    """Hold the main thread: what it waits for gets the signal, too, and it would tell of an error."""
    threading.Event().wait()


def _end_when(told: int) -> None:
    ends = {signal.SIGINT: ("interrupted.", INTERRUPTED), signal.SIGTERM: ("ended by a signal.", TERMINATED)}
    while (number := os.read(told, 1)[0]) not in ends:
        pass
    message, code = ends[signal.Signals(number)]
    try:
        if sys.stderr is not None:  # it was there when this began
            show_cursor = "\r\x1b[K\x1b[?25h" if sys.stderr.isatty() else ""  # after progress bars
            said = f"{show_cursor}dedup: {' '.join(filter(None, [message, *_hints]))}\n"
            with suppress(OSError):  # nobody reads it any more
                os.write(2, said.encode())
        for path in list(_unfinished):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
    finally:
        os._exit(code)
