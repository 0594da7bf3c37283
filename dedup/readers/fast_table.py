"""Rows of CSV as JSON objects, by a kernel; `fast_objects` makes posts of those.

A row is ordinary when it has as many fields as the header, and each is either without quotation marks and
line ends or between quotation marks as a whole. Every other one becomes nothing, and is left to the standard
library's `csv` module, by whose rules the ordinary ones are read, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numba import njit

from dedup.arrays import Bytes, Int, Int64s, helper
from dedup.readers.fast_rows import Objects, put_escaped
from dedup.text import eights

_encode = msgspec.json.Encoder().encode


def as_objects(data: bytes, ends: Int64s, names: Sequence[str], delimiter: str, limit: int) -> Objects:
    """The rows that end at `ends` as JSON objects whose keys are `names`; those over `limit` bytes are not
    ordinary. No backslash takes away the meaning of a character."""
    keys = [_encode(name) + b':"' for name in names]
    key_ends = np.cumsum([len(key) for key in keys], dtype=np.int64)
    # each byte may need a backslash before it; keys, a comma and brackets are put in
    room = 2 * len(data) + len(ends) * (sum(map(len, keys)) + 2 * len(keys) + 4) + eights.SIZE
    out, bounds = np.empty(room, np.uint8), np.empty(len(ends) + 1, np.int64)
    joined = np.frombuffer(b"".join(keys), np.uint8)
    size = _as_objects(
        np.frombuffer(data, np.uint8), ends, joined, key_ends, ord(delimiter), limit, out, bounds
    )
    return Objects(out[:size].tobytes(), bounds[:-1], bounds[1:])


@njit(nogil=True, cache=True)
def _as_objects(
    data: Bytes,
    ends: Int64s,
    keys: Bytes,
    key_ends: Int64s,
    delimiter: int,
    limit: int,
    out: Bytes,
    bounds: Int64s,
) -> int:
    to, start = 0, 0
    for row in range(len(ends)):
        bounds[row] = to
        end = ends[row]
        last = end
        if last > start and data[last - 1] == 10:
            last -= 1
        if last > start and data[last - 1] == 13:
            last -= 1
        if end - start <= limit and _says_something(data, start, last):
            stop = _object(data, start, last, keys, key_ends, delimiter, out, to)
            to = stop if stop > 0 else to
        start = end
    bounds[len(ends)] = to
    return to


@helper
def _says_something(data: Bytes, at: Int, end: Int) -> bool:
    """Whether there is more than white space; what is not ASCII may be that."""
    while at < end and not 32 < data[at] < 127:
        at += 1
    return bool(at < end)


@helper
def _object(
    data: Bytes, at: Int, end: Int, keys: Bytes, key_ends: Int64s, delimiter: Int, out: Bytes, to: Int
) -> Int:
    """Write a row as an object; the offset behind it, or -1 where it is not ordinary."""
    key = 0
    out[to] = ord("{")
    to += 1
    for field in range(len(key_ends)):
        if field > 0:
            if at == end or data[at] != delimiter:
                return -1
            at += 1
            out[to] = ord(",")
            to += 1
        while key < key_ends[field]:
            out[to] = keys[key]
            to += 1
            key += 1
        if at < end and data[at] == ord('"'):
            at += 1
            while True:
                start = at
                at = eights.find(data, at, end, ord('"'))
                if at == end:
                    return -1  # never closed
                to = put_escaped(data, start, at, out, to)
                at += 1
                if to < 0 or at == end or data[at] != ord('"'):
                    break
                out[to] = ord("\\")
                out[to + 1] = ord('"')
                to += 2
                at += 1
        else:
            start = at
            while at < end and data[at] != delimiter:
                if data[at] == 10 or data[at] == 13:
                    return -1
                at += 1
            to = put_escaped(data, start, at, out, to)
        if to < 0:
            return -1
        out[to] = ord('"')
        to += 1
    if at < end:
        return -1
    out[to] = ord("}")
    return to + 1
