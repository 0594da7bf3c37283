"""A command → what it and all that it starts take of time, memory and CPU. Linux only.

The measuring process becomes the parent of every process that outlives its own (`PR_SET_CHILD_SUBREAPER`
of prctl(2)): else the workers of a fork server, which nobody waits for, would cost nothing.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SAMPLE_SECONDS = 0.05
LOOKING_SHARE = 10  # looking at big processes takes long: wait this many times as long in between
LINGER_SECONDS = 10.0  # what the command leaves behind may take to end
PR_SET_CHILD_SUBREAPER = 36
TAIL_BYTES = 8_192


class Measured(NamedTuple):
    """What a command took. Memory is in MiB."""

    seconds: float
    cpu_seconds: float
    """User and system time of all processes."""
    peak_mb: float
    """Of all processes together, shared pages counted once (PSS), mapped files included; sampled, and at
    least `largest_mb`."""
    anonymous_mb: float
    """The same without pages of files, which the kernel takes back when it needs memory."""
    largest_mb: float
    """The largest resident set of a single process (ru_maxrss)."""
    failure: str | None
    """Why it counts for nothing: the last line on standard error, or that it took too long."""


def measure(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float = float("inf")
) -> Measured:
    """Run a command in `folder` for at most `limit` seconds.

    Nothing that it started is left when this returns. Call it from a process that has no other children.
    Raises OSError when the command cannot be started or this is not Linux.
    """
    _adopt_orphans()
    with tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        try:
            memory, anonymous = _watch(process.pid, began + limit)
            seconds = time.perf_counter() - began
            status, cpu, largest = _reap(process.pid, kill=seconds > limit)
        except BaseException:
            _kill_all()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        failure = None
        if seconds > limit:
            failure = f"stopped after {limit:g} s"
        elif process.returncode:
            failure = f"exit code {process.returncode}: {_last_line(complaints.fileno())}"
    # what peaked between two samples shows in the largest process
    return Measured(seconds, cpu, max(memory, largest) / 1024, anonymous / 1024, largest / 1024, failure)


def _adopt_orphans() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become the parent of orphans")


def _watch(pid: int, end: float) -> tuple[int, int]:
    """Peaks of memory and of anonymous memory in KiB, sampled until the process ends or time is up."""
    memory = anonymous = 0
    watched = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        pause = 0.0
        while not poll.poll(pause * 1000):
            looked = time.perf_counter()
            if looked > end:
                break
            sizes = [_memory(process) for process in _descendants(os.getpid())]
            memory = max(memory, sum(size for size, _ in sizes))
            anonymous = max(anonymous, sum(size for _, size in sizes))
            pause = max(SAMPLE_SECONDS, LOOKING_SHARE * (time.perf_counter() - looked))
    finally:
        os.close(watched)
    return memory, anonymous


def _descendants(pid: int) -> Iterator[int]:
    with suppress(OSError):  # it may end at any moment
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _descendants(int(child))


def _memory(pid: int) -> tuple[int, int]:
    """Proportional set size of a process and its anonymous part, in KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0, 0
    sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return sizes.get("Pss", 0), sizes.get("Pss_Anon", 0)


def _reap(pid: int, kill: bool) -> tuple[int, float, int]:
    """Wait for all children: status of `pid`, CPU seconds of all, largest resident set in KiB."""
    end = time.monotonic() + LINGER_SECONDS
    main_status, cpu, largest = 0, 0.0, 0
    while True:
        if kill or time.monotonic() > end:
            _signal_all()
        try:
            child, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return main_status, cpu, largest
        if not child:
            time.sleep(SAMPLE_SECONDS)
            continue
        if child == pid:
            main_status = status
        cpu += usage.ru_utime + usage.ru_stime
        largest = max(largest, usage.ru_maxrss)


def _signal_all() -> None:
    for process in list(_descendants(os.getpid())):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _kill_all() -> None:
    _signal_all()
    with suppress(ChildProcessError):
        while True:
            os.wait4(-1, 0)


def _last_line(file: int) -> str:
    size = os.fstat(file).st_size
    tail = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode("utf-8", "replace")
    lines = [line.strip() for line in tail.replace("\r", "\n").split("\n") if line.strip()]
    return lines[-1][:300] if lines else "nothing on standard error"
