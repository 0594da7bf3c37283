"""Eight bytes at once, for kernels that look through text: a loop over single bytes is several times slower.

A word is the eight bytes at an offset as a little-endian number, wherever the offset is; which of its bytes
are searched for is a mask with the highest bit of each such byte set (H. S. Warren, Hacker's Delight, 6-1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from dedup.arrays import Int, helper

SIZE = 8
"""Bytes of a word. `load` and `store` look at nothing but the offset: so much must follow it."""
HIGHS = np.uint64(0x8080808080808080)
_LOWS = np.uint64(0x7F7F7F7F7F7F7F7F)
_EACH = np.uint64(0x0101010101010101)


def _load(typing: Any, data: Any, at: Any) -> Any:
    """The word at an offset of a uint8 array."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_place(context, builder, signature, values), align=1)

    return types.uint64(data, types.intp), emit


def _store(typing: Any, data: Any, at: Any, word: Any) -> Any:
    """Put a word at an offset of a uint8 array."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _place(context, builder, signature, values), align=1)
        return context.get_dummy_value()

    return types.void(data, types.intp, types.uint64), emit


def _first(typing: Any, mask: Any) -> Any:
    """Which byte is the first in a mask that is not 0."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zeros = builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))
        return builder.lshr(zeros, ir.Constant(zeros.type, 3))

    return types.intp(types.uint64), emit


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
first: Any = intrinsic(_first)


def _place(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), ir.IntType(64).as_pointer())


@helper
def equal(word: np.uint64, byte: int) -> np.uint64:
    """A mask whose first byte is the first that equals `byte`; those after it may be wrong."""
    return ((word ^ (np.uint64(byte) * _EACH)) - _EACH) & ~(word ^ (np.uint64(byte) * _EACH)) & HIGHS


@helper
def every(word: np.uint64, byte: int) -> np.uint64:
    """A mask of the bytes that equal `byte`, all of them right, in a word of ASCII."""
    return ~((word ^ (np.uint64(byte) * _EACH)) + _LOWS) & HIGHS


@helper
def below(word: np.uint64, byte: int) -> np.uint64:
    """A mask whose first byte is the first below `byte` (at most 128); those after it may be wrong."""
    return (word - np.uint64(byte) * _EACH) & ~word & HIGHS


@helper
def find(data: NDArray[np.uint8], at: Int, end: Int, byte: Int) -> Int:
    """Where a byte stands first from `at` on; `end` where it does not, `at` where that is behind it."""
    while at + SIZE <= end and equal(load(data, at), byte) == 0:
        at += SIZE
    if at + SIZE <= end:
        return at + first(equal(load(data, at), byte))
    while at < end and data[at] != byte:
        at += 1
    return at


@helper
def holds(data: NDArray[np.uint8], at: Int, word: Any) -> bool:
    """Whether these bytes (an array of them, or `bytes`) stand at `at`; so many are there."""
    place = 0
    while place < len(word) and data[at + place] == word[place]:
        place += 1
    return place == len(word)


@helper
def copy(data: NDArray[np.uint8], start: int, end: int, text: NDArray[np.uint8], to: int) -> int:
    """Copy the bytes start:end of `data` to `text`, from `to` on; the offset behind them.

    Up to SIZE bytes more may be written.
    """
    stop = to + end - start
    if end + SIZE <= len(data):
        while to < stop:
            store(text, to, load(data, start))
            start += SIZE
            to += SIZE
    else:
        while to < stop:
            text[to] = data[start]
            start += 1
            to += 1
    return stop
