"""What a process does to itself: to be quicker where it is ours, and to give memory back in any.

`prepare` is for the command line and its workers: in a notebook others want BLAS, and their own settings.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from importlib import import_module

import pyarrow as pa

# mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_MMAP_THRESHOLD = 32 << 20
"""Bytes; glibc takes no more. What is larger goes back at once."""
_KEPT_BYTES = 256 << 20
_MOST_YOUNG_OBJECTS = 50_000


def prepare() -> None:
    """Make this process quicker, at the cost of what no kernel here needs. Its forks inherit it."""
    _load_without_blas()
    _keep_freed_memory()
    # what is loaded stays, and what runs makes hardly a circle: looking for them took a hundredth of the time
    gc.freeze()
    gc.set_threshold(_MOST_YOUNG_OBJECTS, 10, 10)


def release_freed_memory() -> None:
    """Give memory that was freed back to the system."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        with suppress(AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)


def _load_without_blas() -> None:
    """Load numba without scipy, which it asks for BLAS (0.3 s): no kernel here multiplies matrices."""
    name = "scipy.linalg.cython_blas"
    if name not in sys.modules:
        sys.modules[name] = None  # type: ignore[assignment]  # to Python: it cannot be imported
        try:
            import_module("numba.np.arraymath")
        finally:
            del sys.modules[name]


def _keep_freed_memory() -> None:
    """Use freed memory again instead of giving it back at once: the arrays of one batch after another are
    as large as those before, and each new page costs more than the work that is done in it."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # not glibc
            libc = ctypes.CDLL(None)
            libc.mallopt(_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD)
            libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
            pa.set_memory_pool(pa.system_memory_pool())
