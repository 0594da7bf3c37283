"""Large arrays in files of the work folder, so that memory does not grow with the dump.

The files are mapped, and written to disk by the system as it sees fit. What has been touched stays in this
process's memory until it is let go of, which a thread sees to. Where others work on the arrays, too, the
files keep their names, and an array travels as the place where it lies.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dedup.config import Run
from dedup.errors import OutputError
from dedup.readers.sources import STANDARD_INPUT, Source, size_of
from dedup.writers.atomic import disk_errors

_STATM = Path("/proc/self/statm")
_LOOK_SECONDS = 0.01
_OTHERS_BYTES = 256 << 20
"""What other processes take of a run's memory while arrays are worked on here: they idle."""
_SHARED_BYTES = 1 << 16
"""A smaller array is in memory, and travels as it is."""
_LEAST_SHARE, _REST_SECONDS, _LONGER = 4, 0.03, 10
"""To read again what was let go of takes time, so such a share of the memory is left to it in any case, and
so long; longer, where letting go was no use."""
_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""No memory is set aside for pages that nobody writes to. Python knows the name from 3.13 on."""
_DISK_FACTOR, _UNPACKED = 6, 4
"""Bytes of the work folder and the output for each of the input (4 to 5 were measured); and how much input
unpacks to, about."""


def memory_for(config: Run, input_bytes: int, workers: int) -> int:
    """The memory a run may take, in bytes."""
    if config.memory_mb is not None:
        return config.memory_mb << 20
    return (1 << 30) + input_bytes // 10 + (200 << 20) * max(0, workers - 2)


def check_room(folder: Path, sources: Iterable[Source]) -> None:
    """Raises OutputError where the disk is surely too small for a run over these inputs.

    folder: may not be there yet.
    """
    need = 0
    for source in sources:
        if source.path != STANDARD_INPUT:
            factor = _DISK_FACTOR * (_UNPACKED if source.is_packed else 1)
            need += size_of(source.path) * factor
    there = next(above for above in (folder, *folder.absolute().parents) if above.exists())
    free = shutil.disk_usage(there).free
    if need > free:
        raise OutputError(
            f"has {free >> 20:,} MB free, and cleaning these inputs takes about {need >> 20:,} MB meanwhile.",
            where=str(folder),
            hint="Choose an --output on a larger disk, or clean the dump in parts.",
        )


class SharedFile(mmap.mmap):
    """The mapped file of an array, which others can open as well."""

    path: Path


class Place(NamedTuple):
    """Where an array lies: a file, and bytes from its beginning."""

    path: Path
    start: int


class Scratch:
    """Makes arrays, in memory while they are small beside `memory` (bytes), else in files of a folder.

    The files have no name any more once they are mapped: however a run ends, nothing is left of them. With
    `shared` they lie in that folder, named as long as their arrays live, and few arrays are in memory.
    """

    def __init__(self, folder: Path, memory: int = 1 << 30, shared: Path | None = None) -> None:
        self.memory = memory
        self._folder = folder if shared is None else shared
        self._is_shared = shared is not None
        self._in_memory_bytes = memory // 32 if shared is None else _SHARED_BYTES
        self._maps: list[weakref.ref[mmap.mmap]] = []

    def zeros(self, shape: int | tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of zeros."""
        kind = np.dtype(kind)
        size = int(np.prod(shape)) * kind.itemsize
        if size <= self._in_memory_bytes:
            return np.zeros(shape, kind)
        handle, name = tempfile.mkstemp(prefix="scratch-", dir=self._folder)
        try:
            with disk_errors(self._folder):
                os.ftruncate(handle, size)
                if hasattr(os, "posix_fallocate"):
                    # a disk that is full when a mapped page is written kills the process
                    os.posix_fallocate(handle, 0, size)
            mapped = SharedFile(handle, size) if self._is_shared else mmap.mmap(handle, size)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        if isinstance(mapped, SharedFile):
            mapped.path = Path(name)
            weakref.finalize(mapped, mapped.path.unlink, missing_ok=True)
        else:
            Path(name).unlink(missing_ok=True)
        if not self._maps and _STATM.exists():  # on Linux
            threading.Thread(target=_watch, args=[weakref.ref(self)], name="scratch", daemon=True).start()
        self._maps.append(weakref.ref(mapped))
        return np.frombuffer(mapped, kind).reshape(shape)

    def copy(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same array, where `zeros` would have it."""
        if array.nbytes <= self._in_memory_bytes:
            return array
        copied = self.zeros(array.shape, array.dtype)
        copied[...] = array
        return copied

    def gather(self, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """One array of the parts, of which there is at least one."""
        joined = self.zeros(sum(len(part) for part in parts), parts[0].dtype)
        np.concatenate(parts, out=joined)
        return joined

    def let_go(self) -> None:
        """Take what was touched out of this process's memory; it is read again where it is needed."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            for known in list(self._maps):
                if (mapped := known()) is not None:
                    mapped.madvise(mmap.MADV_DONTNEED)


def shared_file(array: npt.NDArray[Any]) -> tuple[SharedFile, Place] | None:
    """The shared file that an array lies in as one piece, and where; None if it lies elsewhere."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    mapped = base.obj if isinstance(base, memoryview) else base
    if not isinstance(mapped, SharedFile) or not array.flags.c_contiguous or not array.nbytes:
        return None
    start = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    return mapped, Place(mapped.path, start)


def open_place(place: Place, shape: tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array that lies in a file: what is written to it here, nobody else sees.

    Raises OSError where the file is not there.
    """
    kind = np.dtype(kind)
    size = int(np.prod(shape)) * kind.itemsize
    before = place.start % mmap.ALLOCATIONGRANULARITY
    with place.path.open("rb") as file:
        mapped = mmap.mmap(
            file.fileno(),
            before + size,
            flags=mmap.MAP_PRIVATE | _NO_RESERVE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
            offset=place.start - before,
        )
    return np.frombuffer(mapped, kind, offset=before).reshape(shape)


def _watch(watched: weakref.ref[Scratch]) -> None:
    """Let go of the arrays whenever this process takes too much memory, and it would help."""
    least, rests_until = _mapped_and_other_bytes()[0], 0.0
    while (scratch := watched()) is not None:
        mapped, other = _mapped_and_other_bytes()
        least = min(least, mapped)
        room = max(scratch.memory - _OTHERS_BYTES - other, least + scratch.memory // _LEAST_SHARE)
        if mapped > room and time.monotonic() > rests_until:
            scratch.let_go()
            helped = _mapped_and_other_bytes()[0] <= room  # what else is mapped stays
            rests_until = time.monotonic() + _REST_SECONDS * (1 if helped else _LONGER)
        del scratch
        time.sleep(_LOOK_SECONDS)


def _mapped_and_other_bytes() -> tuple[int, int]:
    """How much of this process's memory shows files, and how much does not."""
    _, resident, mapped, *_ = map(int, _STATM.read_text().split())
    return mapped * mmap.PAGESIZE, (resident - mapped) * mmap.PAGESIZE
