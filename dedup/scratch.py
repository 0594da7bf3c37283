"""Large arrays in files of the work folder, so that memory does not grow with the dump.

The files are mapped, and written to disk by the system as it sees fit; what was touched and is not
needed for the moment can be let go of.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dedup.config import Run
from dedup.errors import OutputError
from dedup.readers.sources import COMPRESSION_SUFFIXES, STANDARD_INPUT, Source

_DISK_FACTOR, _UNPACKED = 6, 4
"""Bytes of the work folder and the output for each of the input; and how much input unpacks to, about."""


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
            packed = source.path.lower().endswith(COMPRESSION_SUFFIXES)
            need += Path(source.path).stat().st_size * _DISK_FACTOR * (_UNPACKED if packed else 1)
    there = next(above for above in (folder, *folder.absolute().parents) if above.exists())
    free = shutil.disk_usage(there).free
    if need > free:
        raise OutputError(
            f"has {free >> 20:,} MB free, and cleaning these inputs takes about {need >> 20:,} MB meanwhile.",
            where=str(folder),
            hint="Choose an --output on a larger disk, or clean the dump in parts.",
        )


class Scratch:
    """Makes arrays, in memory while they are small beside `memory` (bytes), else in files of a folder.

    The files have no name any more once they are mapped: however a run ends, nothing is left of them.
    """

    def __init__(self, folder: Path, memory: int = 1 << 30) -> None:
        self._folder = folder
        self._in_memory_bytes = memory // 32
        self._resident_bytes = memory // 8
        self._touched = 0
        self._maps: list[mmap.mmap] = []

    def zeros(self, shape: int | tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of zeros."""
        kind = np.dtype(kind)
        count = int(np.prod(shape))
        if count * kind.itemsize <= self._in_memory_bytes:
            return np.zeros(shape, kind)
        handle, name = tempfile.mkstemp(prefix="scratch-", dir=self._folder)
        try:
            os.ftruncate(handle, count * kind.itemsize)
            mapped = mmap.mmap(handle, count * kind.itemsize)
        finally:
            os.close(handle)
            Path(name).unlink(missing_ok=True)
        self._maps.append(mapped)
        return np.frombuffer(mapped, kind).reshape(shape)

    def touched(self, size: int) -> None:
        """Say that so many bytes of the arrays were looked at; from time to time they are let go of."""
        self._touched += size
        if self._touched > self._resident_bytes:
            self.let_go()

    def let_go(self) -> None:
        """Take what was touched out of this process's memory; it is read again where it is needed."""
        self._touched = 0
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)
