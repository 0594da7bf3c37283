"""Types of kernels' arguments (numba infers its own and does not read them), and small tools for arrays."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numba import njit
from numpy.typing import DTypeLike, NDArray

Int64s: TypeAlias = NDArray[np.int64]
Int32s: TypeAlias = NDArray[np.int32]
UInt64s: TypeAlias = NDArray[np.uint64]
UInt32s: TypeAlias = NDArray[np.uint32]
UInt16s: TypeAlias = NDArray[np.uint16]
Bytes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]
Int: TypeAlias = Any
"""A whole number inside a kernel: Python's or one of NumPy's, which mypy does not let mix."""

_LARGE_PAGE = 2 << 20
Kernel = TypeVar("Kernel", bound=Callable[..., Any])
helper: Callable[[Kernel], Kernel] = njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]
"""Makes a kernel of a function that makes no arrays and gives none back, as most do that kernels call.

Numba counts references to the arrays of all others, by atomic operations, at each call: for kernels that
are called for a word or a character that is much of their time.
"""


def looked_up(size: int, kind: DTypeLike) -> NDArray[Any]:
    """An array of zeros to look things up in, here and there: in large pages where the system has them, as
    the search for a small page takes longer than to read what is there."""
    size_bytes = size * np.dtype(kind).itemsize
    if size_bytes < _LARGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):  # Linux alone
        return np.zeros(size, kind)
    pages = -(-size_bytes // _LARGE_PAGE)
    memory = mmap.mmap(-1, pages * _LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system that has none
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, kind, size)


def inverse(permutation: Int64s) -> Int64s:
    """Where each number stands in a permutation of 0, 1, …: int64, as long."""
    places = np.empty(len(permutation), np.int64)
    places[permutation] = np.arange(len(permutation))
    return places


@njit(nogil=True, cache=True)
def grow_rows(rows: NDArray[Any]) -> Any:
    """The same rows with room for as many again."""
    bigger = np.empty((rows.shape[0] * 2, rows.shape[1]), rows.dtype)
    bigger[: rows.shape[0]] = rows
    return bigger


@helper
def note_seen(keys: UInt64s, once: UInt64s, twice: UInt64s) -> None:
    """Note hashes in two bit filters of one size, a power of two: what was seen, and what more than once."""
    mask = np.uint64(once.shape[0] * 64 - 1)
    for key in keys:
        bit = (key >> np.uint64(20)) & mask
        one = np.uint64(1) << (bit & np.uint64(63))
        cell = bit >> np.uint64(6)
        twice[cell] |= once[cell] & one
        once[cell] |= one


@njit(nogil=True, cache=True)
def were_repeated(keys: UInt64s, twice: UInt64s) -> Any:
    """Which hashes may have been noted more than once (all that were, and a few others): bool [keys]."""
    mask = np.uint64(twice.shape[0] * 64 - 1)
    found = np.empty(keys.shape[0], np.bool_)
    for i in range(keys.shape[0]):
        bit = (keys[i] >> np.uint64(20)) & mask
        found[i] = (twice[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1)
    return found


def may_repeat(keys: UInt64s) -> Flags:
    """Which hashes may stand there more than once: bool [keys]. So much less is left to sort."""
    # 16 to 32 bits for each: about one of sixteen is there without need
    once, twice = (looked_up(1 << max(4, len(keys).bit_length() - 2), np.uint64) for _ in range(2))
    note_seen(keys, once, twice)
    repeated: Flags = were_repeated(keys, twice)
    return repeated
