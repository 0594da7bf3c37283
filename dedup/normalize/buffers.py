"""Arrow's own buffers as arrays the kernels read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def string_buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The UTF-8 bytes of an array without nulls, and where in them each text begins and ends.

    Shapes (bytes,) and (texts + 1,); both read-only, always: writable arrays are another type to numba,
    for which it would compile every kernel a second time.
    """
    _, offsets, data = texts.buffers()
    if len(texts) == 0 or data is None:
        utf8, bounds = np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int32)
    else:
        utf8 = np.frombuffer(data, np.uint8)
        bounds = np.frombuffer(offsets, np.int32, len(texts) + 1, 4 * texts.offset)
    utf8.flags.writeable = bounds.flags.writeable = False
    return utf8, bounds
