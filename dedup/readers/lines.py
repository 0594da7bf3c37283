"""Where lines end in bytes of any encoding, and which of them are UTF-8."""

from __future__ import annotations

import codecs

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dedup.errors import ConfigError
from dedup.normalize.decode import LAST_RESORT, find_encoding

ENCODING_BYTES = 256 << 10
"""From the first line that is no UTF-8, so much of a file decides what such lines are decoded with."""

_WORTH_ARROW = 4096
"""Of fewer bytes, to make an array of them takes longer."""

_WIDE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}


def unit_bytes(encoding: str | None) -> int:
    """Bytes of a code unit: 1, or 2 and 4 for UTF-16 and UTF-32."""
    return _WIDE.get(encoding or "", 1)


def wide_encoding(head: bytes) -> str | None:
    """The UTF-16 or UTF-32 that a JSON text beginning so is in, by its byte order mark or its NULs."""
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    for mark, name in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return name
    return {
        "1000": "utf-32-le",
        "0001": "utf-32-be",
        "1010": "utf-16-le",
        "0101": "utf-16-be",
    }.get("".join("1" if byte else "0" for byte in head[:4]))


def known_encoding(given: str | None, head: bytes) -> str | None:
    """The encoding all bytes of a file are in, where settings or its first bytes say so; else None.

    UTF-8 is None: the rule for bytes that are no UTF-8 is needed all the same. Raises ConfigError.
    """
    if given is None:
        return wide_encoding(head)
    try:
        name = codecs.lookup(given).name
    except LookupError:
        raise ConfigError(
            f"read.encoding: there is no encoding {given!r}.", hint="Try utf-8, cp1252 or leave it out."
        ) from None
    if name in ("utf-16", "utf-32"):
        found = wide_encoding(head)
        return found if found and found.startswith(name) else f"{name}-le"
    return None if name in ("utf-8", "utf-8-sig") else name


def newline_ends(data: bytes, unit: int) -> npt.NDArray[np.int64]:
    """Offsets behind the line feeds of `data`."""
    if unit == 1:
        return np.flatnonzero(np.frombuffer(data, np.uint8) == 0x0A) + 1
    whole = data[: len(data) - len(data) % unit]
    units = np.frombuffer(whole, np.uint8).reshape(-1, unit)
    little = (units[:, 0] == 0x0A) & ~units[:, 1:].any(axis=1)
    big = (units[:, -1] == 0x0A) & ~units[:, :-1].any(axis=1)
    return (np.flatnonzero(little | big) + 1) * unit


def count_lines(data: bytes, unit: int) -> int:
    """How many line feeds `data` holds."""
    if unit == 1:  # several times faster than `bytes.count`
        return int(np.count_nonzero(np.frombuffer(data, np.uint8) == 0x0A))
    return len(newline_ends(data, unit))


def end_of_lines(data: bytes, unit: int) -> int:
    """Offset behind the last line feed, or 0."""
    if unit == 1:
        return data.rfind(b"\n") + 1
    ends = newline_ends(data, unit)
    return int(ends[-1]) if len(ends) else 0


def line_bounds(data: bytes, unit: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the lines of `data` start and end, without their line feeds; what follows the last one is a
    line only if it is not empty."""
    newlines = newline_ends(data, unit)
    starts, ends = np.append(0, newlines), np.append(newlines - unit, len(data))
    return (starts, ends) if starts[-1] < len(data) else (starts[:-1], ends[:-1])


def split_lines(data: bytes, unit: int) -> list[bytes]:
    """The lines of `line_bounds`."""
    return [
        data[start:end] for start, end in zip(*map(np.ndarray.tolist, line_bounds(data, unit)), strict=True)
    ]


def first_invalid(data: bytes) -> int | None:
    """Where `data` stops being UTF-8, or None."""
    if data.isascii() or (len(data) >= _WORTH_ARROW and _is_utf8(data)):
        return None
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _is_utf8(data: bytes) -> bool:
    """Arrow looks at ten times as many bytes a second as `decode`, but does not say where they go wrong."""
    bounds = pa.py_buffer(np.array([0, len(data)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, bounds, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def legacy_encoding(sample: bytes) -> str:
    """What the lines of `sample` that are no UTF-8 are decoded with; its last line may be cut."""
    lines = sample.split(b"\n")
    invalid = [line for line in lines[:-1] or lines if first_invalid(line) is not None]
    found = find_encoding(b"\n".join([*(invalid or lines), b""]))
    return found if found and unit_bytes(found) == 1 else LAST_RESORT
