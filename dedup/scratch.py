"""Large arrays in files of the work folder, so that memory does not grow with the dump.

The files are mapped, and written to disk by the system as it sees fit; what was touched and is not
needed for the moment can be let go of.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

IN_MEMORY_BYTES = 32 << 20
"""Smaller arrays stay in memory."""
RESIDENT_BYTES = 256 << 20
"""So much of the larger ones is in memory at a time."""


class Scratch:
    """Makes arrays, in memory while they are small, else in files of a folder.

    The files have no name any more once they are mapped: however a run ends, nothing is left of them.
    """

    def __init__(
        self, folder: Path, in_memory_bytes: int = IN_MEMORY_BYTES, resident_bytes: int = RESIDENT_BYTES
    ) -> None:
        self._folder = folder
        self._in_memory_bytes, self._resident_bytes = in_memory_bytes, resident_bytes
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

    def gather(self, parts: list[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """The parts, one after the other."""
        joined = self.zeros(sum(len(part) for part in parts), kind)
        at = 0
        for part in parts:
            joined[at : at + len(part)] = part
            at += len(part)
        return joined

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
