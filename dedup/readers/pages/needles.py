"""Where each of some strings stands first in the head of a page: all are looked for at once.

A search for each of them takes most of the time that is spent on a page with few posts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dedup.arrays import Bytes, Int, Int32s, Int64s, helper
from dedup.text import eights

_FRONT = 4
"""So many bytes of a string choose its slot; no string is shorter."""
_SLOTS = 1 << 12
_FRONT_MASK = np.uint64(0xFFFFFFFF)
_MIX = np.uint64(0x9E3779B1)
_SHIFT = np.uint64(20)


class Needles:
    """Strings to be looked for together."""

    def __init__(self, strings: Sequence[bytes]) -> None:
        self.strings = tuple(strings)
        self._sizes = np.array([len(string) for string in strings], np.int64)
        self._bytes = np.zeros((len(strings), max(map(len, strings))), np.uint8)
        self._slots = np.full(_SLOTS, -1, np.int32)
        self._next = np.full(len(strings), -1, np.int32)  # of the same slot
        for row, string in enumerate(strings):
            self._bytes[row, : len(string)] = np.frombuffer(string, np.uint8)
            slot = _slot(np.frombuffer(string[:_FRONT], "<u4")[0].astype(np.uint64))
            self._next[row], self._slots[slot] = self._slots[slot], row

    def first_places(self, data: bytes) -> dict[bytes, int]:
        """The strings that stand in `data`, and where each does first."""
        places = np.full(len(self.strings), -1, np.int64)
        padded = np.frombuffer(data + bytes(eights.SIZE), np.uint8)
        _first_places(padded, self._slots, self._next, self._bytes, self._sizes, places)
        return {self.strings[row]: int(places[row]) for row in np.flatnonzero(places >= 0)}


@helper
def _slot(word: np.uint64) -> Int:
    return int(((word & _FRONT_MASK) * _MIX & _FRONT_MASK) >> _SHIFT)


@helper
def _first_places(
    data: Bytes, slots: Int32s, following: Int32s, strings: Bytes, sizes: Int64s, places: Int64s
) -> None:
    for at in range(len(data) - eights.SIZE):
        row = slots[_slot(eights.load(data, at))]
        while row >= 0:
            if places[row] < 0:
                place = 0
                while place < sizes[row] and data[at + place] == strings[row, place]:
                    place += 1
                if place == sizes[row]:
                    places[row] = at
            row = following[row]
