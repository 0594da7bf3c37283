"""Times the stages of a run, says what memory they took, and tells the progress."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from dedup.own_process import release_freed_memory
from dedup.progress import Progress, Silent, Stage

Watch = Callable[[str, int | None, str], AbstractContextManager[Stage]]
"""What `Progress.stage` does."""
unwatched: Watch = Silent().stage

_RESET_PEAK = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Timed(NamedTuple):
    """What a stage took: seconds, and the most memory of this process (not its workers) in MB."""

    seconds: float
    peak_memory_mb: int | None


class Clock:
    """Times the stages of a run and tells the progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._stages: dict[str, Timed] = {}

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Stage]:
        """See `Progress.stage`. One stage at a time."""
        began = time.perf_counter()
        release_freed_memory()
        _reset_peak_memory()
        with self._progress.stage(name, total, unit) as bar:
            yield bar
        self._stages[name] = Timed(round(time.perf_counter() - began, 3), _peak_memory_mb())

    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def facts(self, workers: int, input_bytes: int) -> dict[str, Any]:
        """What run.json holds: nothing of it changes the output. MB/s are megabytes of input."""
        peaks = [timed.peak_memory_mb for timed in self._stages.values() if timed.peak_memory_mb is not None]
        return {
            "seconds": round(self.seconds(), 3),
            "stages": {
                name: {
                    "seconds": timed.seconds,
                    "mb_per_second": round(input_bytes / 1e6 / timed.seconds, 1) if timed.seconds else None,
                    "peak_memory_mb": timed.peak_memory_mb,
                }
                for name, timed in self._stages.items()
            },
            "input_bytes": input_bytes,
            "workers": workers,
            "peak_memory_mb": max(peaks, default=None),
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - self.seconds())),
        }


def _reset_peak_memory() -> None:
    """From now on the system counts anew; where it cannot, a peak is that of all stages so far."""
    with suppress(OSError):
        _RESET_PEAK.write_text("5")  # proc(5)


def _peak_memory_mb() -> int | None:
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1 << 20 if sys.platform == "darwin" else 1 << 10))
