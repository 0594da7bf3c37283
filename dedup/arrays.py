"""Types of kernels' arguments (numba infers its own and does not read them), and small tools for arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s: TypeAlias = NDArray[np.int64]
Int32s: TypeAlias = NDArray[np.int32]
UInt64s: TypeAlias = NDArray[np.uint64]
UInt32s: TypeAlias = NDArray[np.uint32]
UInt16s: TypeAlias = NDArray[np.uint16]
Bytes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]
Int: TypeAlias = Any
"""A whole number inside a kernel: Python's or one of NumPy's, which mypy does not let mix."""

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
helper: Callable[[Kernel], Kernel] = njit(nogil=True, cache=True, _nrt=False)  # type: ignore[call-overload]
"""Makes a kernel of a function that makes no arrays and gives none back, as most do that kernels call.

Numba counts references to the arrays of all others, by atomic operations, at each call: for kernels that
are called for a word or a character that is much of their time.
"""


def inverse(permutation: Int64s) -> Int64s:
    """Where each number stands in a permutation of 0, 1, …: int64, as long."""
    places = np.empty(len(permutation), np.int64)
    places[permutation] = np.arange(len(permutation))
    return places


@njit(nogil=True, cache=True)
def grow_rows(rows: Int64s) -> Any:
    """The same rows with room for as many again."""
    bigger = np.empty((rows.shape[0] * 2, rows.shape[1]), rows.dtype)
    bigger[: rows.shape[0]] = rows
    return bigger
