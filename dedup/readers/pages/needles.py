"""Where each of some strings stands first in the head of a page: all are looked for at once.

A search for each of them takes most of the time that is spent on a page with few posts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dedup.arrays import Bytes, Int, Int32s, Int64s, helper
from dedup.text import eights

_KEY = 4
"""So many bytes of a string choose its slot."""
_SLOTS = 1 << 12
_KEY_MASK = np.uint64(0xFFFFFFFF)
_MIX = np.uint64(0x9E3779B1)
_SHIFT = np.uint64(20)


class Needles:
    """Strings to be looked for together: the longer the shortest, the faster."""

    def __init__(self, strings: Sequence[bytes]) -> None:
        self.strings = tuple(strings)
        self._sizes = np.array([len(string) for string in strings], np.int64)
        self._bytes = np.zeros((len(strings), max(map(len, strings))), np.uint8)
        self._slots = np.full(_SLOTS, -1, np.int32)
        # Each string has a slot for several of its last bytes, as many begin alike: `class="`. So not every
        # place has to be looked at.
        self._stride = min(map(len, strings)) - _KEY + 1
        entries = [
            (row, len(string) - _KEY - skipped)
            for row, string in enumerate(strings)
            for skipped in range(self._stride)
        ]
        self._entries = np.array(entries, np.int64)
        self._next = np.full(len(entries), -1, np.int32)  # of the same slot
        for row, string in enumerate(strings):
            self._bytes[row, : len(string)] = np.frombuffer(string, np.uint8)
        for entry, (row, offset) in enumerate(entries):
            key = np.frombuffer(strings[row], "<u4", 1, offset)[0].astype(np.uint64)
            self._next[entry], self._slots[_slot(key)] = self._slots[_slot(key)], entry

    def first_places(self, data: bytes) -> dict[bytes, int]:
        """The strings that stand in `data`, and where each does first."""
        places = np.full(len(self.strings), -1, np.int64)
        padded = np.frombuffer(data + bytes(eights.SIZE), np.uint8)
        _first_places(
            padded, self._stride, self._slots, self._entries, self._next, self._bytes, self._sizes, places
        )
        return {self.strings[row]: place for row, place in enumerate(places.tolist()) if place >= 0}


@helper
def _slot(word: np.uint64) -> Int:
    return int(((word & _KEY_MASK) * _MIX & _KEY_MASK) >> _SHIFT)


@helper
def _first_places(
    data: Bytes,
    stride: int,
    slots: Int32s,
    entries: NDArray[np.int64],
    following: Int32s,
    strings: Bytes,
    sizes: Int64s,
    places: Int64s,
) -> None:
    end = len(data) - eights.SIZE
    for at in range(0, end, stride):
        entry = slots[_slot(eights.load(data, at))]
        while entry >= 0:
            row, start = entries[entry, 0], at - entries[entry, 1]
            if start >= 0 and (places[row] < 0 or start < places[row]):
                place = 0
                while place < sizes[row] and data[start + place] == strings[row, place]:
                    place += 1
                if place == sizes[row]:
                    places[row] = start
            entry = following[entry]
