"""White space made plain, for a whole batch in one kernel on Arrow's buffers.

What becomes of it:

- CR, CR LF, vertical tab, form feed, U+0085, U+2028 and U+2029 become a line feed;
- NBSP and the other Unicode spaces become a space; tabs stay, and so does U+3000, by which Chinese and
  Japanese indent;
- blanks at the end of a line go, blank lines after the first in a row too, blank lines that begin a post,
  and all white space that ends it; indentation stays;
- zero-width space, word joiner, byte order mark and soft hyphen go; a zero-width space between letters of
  a script written without spaces (Thai, Lao, Burmese, Khmer) stays: there it parts words;
- ZWJ and ZWNJ stay after a letter of Arabic or an Indic script and ZWJ between emoji, and go elsewhere.

Text that has been tidied stays as it is when tidied again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dedup.arrays import helper
from dedup.normalize.buffers import string_buffers
from dedup.normalize.edits import Change
from dedup.text import eights

WHY = "whitespace"


class Tidied(NamedTuple):
    """Tidy texts with the changes that lead to them, in offsets of the texts given."""

    texts: pa.StringArray
    bounds: npt.NDArray[np.int32]
    """Changes of text `i` are number `bounds[i]` to `bounds[i + 1]` of the following three."""
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    news: pa.StringArray

    def changes(self, row: int) -> list[Change]:
        """The changes of one text."""
        low, high = int(self.bounds[row]), int(self.bounds[row + 1])
        news = self.news.slice(low, high - low).to_pylist()
        starts, ends = self.starts[low:high].tolist(), self.ends[low:high].tolist()
        return [Change(*change, WHY) for change in zip(starts, ends, news, strict=True)]


def tidy_all(texts: pa.StringArray) -> Tidied:
    """Make the white space of many texts plain; texts without nulls, at most 2 GB."""
    read, read_bounds = string_buffers(texts)
    size = int(read_bounds[-1] - read_bounds[0])
    tidy = np.empty(size, np.uint8)
    tidy_bounds = np.empty(len(texts) + 1, np.int32)
    bounds = np.empty(len(texts) + 1, np.int32)
    new = np.empty(size, np.uint8)  # no replacement is longer than what it replaces
    room = size // 32 + 64
    while True:
        starts, ends, new_bounds = (np.empty(room, np.int32) for _ in range(3))
        count = _tidy(read, read_bounds, tidy, tidy_bounds, bounds, starts, ends, new, new_bounds)
        if count < room:
            break
        room = count + 1
    if count == 0:
        return untouched(texts)
    return Tidied(
        _strings(tidy_bounds, tidy),
        bounds,
        starts[:count],
        ends[:count],
        _strings(new_bounds[: count + 1], new),
    )


def untouched(texts: pa.StringArray) -> Tidied:
    """The same texts, with no changes."""
    bounds = np.zeros(len(texts) + 1, np.int32)
    return Tidied(texts, bounds, bounds[:0], bounds[:0], pa.array([], pa.string()))


def tidy(text: str) -> list[Change]:
    """The changes that make the white space of one text plain.

    >>> tidy("a \\r\\nb")
    [Change(start=1, end=3, new='', why='whitespace')]
    """
    return tidy_all(pa.array([text], pa.string())).changes(0)


def _strings(bounds: npt.NDArray[np.int32], data: npt.NDArray[np.uint8]) -> pa.StringArray:
    return pa.StringArray.from_buffers(
        len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(data[: bounds[-1]].copy())
    )


# What the kernel does with a byte at first sight: 1 = look closer.
_CLOSER = np.zeros(256, np.uint8)
_CLOSER[[*b"\t\n\x0b\x0c\r ", 0xC2, 0xE1, 0xE2, 0xE3, 0xEF]] = 1


@helper
def _kind(data: Any, at: Any, end: Any) -> Any:
    """Kind of the character at `at`, and its size in bytes where that is not ordinary.

    0 ordinary; 1 blank that may stay, 2 other blank; 3 line feed, 4 other line break; without width:
    5 never of use, 6 joiner, 7 word break.
    """
    lead = data[at]
    if lead < 0x80:
        if lead == 0x20 or lead == 0x09:
            return 1, 1
        if lead == 0x0A:
            return 3, 1
        if lead == 0x0D:
            # CR LF is one line break: the CR of it counts for nothing.
            return (5, 1) if at + 1 < end and data[at + 1] == 0x0A else (4, 1)
        return (4, 1) if lead == 0x0B or lead == 0x0C else (0, 1)
    if lead == 0xC2:
        tail = data[at + 1]
        return (2 if tail == 0xA0 else 4 if tail == 0x85 else 5 if tail == 0xAD else 0), 2
    if lead == 0xE2 and data[at + 1] == 0x80:
        tail = data[at + 2]
        if tail <= 0x8A or tail == 0xAF:
            return 2, 3
        if tail == 0x8B:
            return 7, 3
        if tail == 0x8C or tail == 0x8D:
            return 6, 3
        return (4 if tail == 0xA8 or tail == 0xA9 else 0), 3
    if lead == 0xE2 and data[at + 1] == 0x81:
        tail = data[at + 2]
        return (2 if tail == 0x9F else 5 if tail == 0xA0 else 0), 3
    if lead == 0xE1 and data[at + 1] == 0x9A and data[at + 2] == 0x80:
        return 2, 3
    if lead == 0xE3 and data[at + 1] == 0x80 and data[at + 2] == 0x80:
        return 1, 3
    if lead == 0xEF and data[at + 1] == 0xBB and data[at + 2] == 0xBF:
        return 5, 3
    return 0, 1


@helper
def _code(data: Any, at: Any) -> Any:
    """The code point that begins at byte `at`."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | np.int64(data[at + 1] & 0x3F)
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | np.int64(data[at + 1] & 0x3F) << 6 | np.int64(data[at + 2] & 0x3F)
    return (
        (lead & 0x07) << 18
        | np.int64(data[at + 1] & 0x3F) << 12
        | np.int64(data[at + 2] & 0x3F) << 6
        | np.int64(data[at + 3] & 0x3F)
    )


@helper
def _stays(kind: Any, zwj: Any, before: Any, after: Any) -> Any:
    """Whether a joiner or zero-width space has work to do between two code points (-1: none)."""
    if kind == 7:
        unspaced = True
        for code in (before, after):
            unspaced &= (
                0x0E00 <= code <= 0x0EFF
                or 0x1000 <= code <= 0x109F
                or 0x1780 <= code <= 0x17FF
                or 0x1950 <= code <= 0x19DF
                or 0x1A20 <= code <= 0x1AAF
            )
        return unspaced
    if (
        0x0600 <= before <= 0x0DFF
        or 0x0F00 <= before <= 0x109F
        or 0x1780 <= before <= 0x18AF
        or 0xFB50 <= before <= 0xFDFF
        or 0xFE70 <= before <= 0xFEFC
        or 0x11000 <= before <= 0x11FFF
    ):
        return True
    emoji_before = before == 0xFE0F or before == 0x20E3 or 0x2190 <= before <= 0x2BFF
    emoji_before |= 0x1F000 <= before <= 0x1FAFF or 0xE0020 <= before <= 0xE007F
    return zwj and emoji_before and (0x2190 <= after <= 0x2BFF or 0x1F000 <= after <= 0x1FAFF)


@helper
def _copy(data: Any, begin: Any, end: Any, tidy: Any, out: Any) -> Any:
    """Copy bytes to `tidy` from place `out` on; the place after them."""
    source, target = data[begin:end], tidy[out:]  # views spare each index the check for a negative one
    for step in range(source.size):
        target[step] = source[step]
    return out + source.size


@helper
def _tidy(
    data: Any,
    bounds: Any,
    tidy: Any,
    tidy_bounds: Any,
    change_bounds: Any,
    starts: Any,
    ends: Any,
    new: Any,
    new_bounds: Any,
) -> Any:
    """Fill the output arrays and return the number of changes, of which only what fits is written."""
    room = starts.size
    out = count = told = 0  # bytes of tidy text, changes, bytes of replacements
    tidy_bounds[0] = change_bounds[0] = new_bounds[0] = 0
    for post in range(bounds.size - 1):
        begin, end = np.int64(bounds[post]), np.int64(bounds[post + 1])
        at, place = begin, 0  # byte and code point
        copied = begin  # bytes before it are in the tidy text, or gone
        anchor = begin  # where the last ordinary character ends
        seen_until, following = begin, np.int64(-1)  # what the last look ahead found
        while at < end:
            if at + eights.SIZE <= end:  # eight plain characters, a single blank perhaps between two
                word = eights.load(data, at)
                if word & eights.HIGHS | eights.below(word, 0x20) == np.uint64(0):
                    blanks = eights.every(word, 0x20)
                    if blanks & (blanks >> np.uint64(8)) == np.uint64(0):
                        # what follows a blank at the end is not known yet
                        plain: Any = np.int64(eights.SIZE) - np.int64(blanks >> np.uint64(63))
                        place += plain
                        at += plain
                        continue
            lead = data[at]
            if _CLOSER[lead] == 0:
                place += (lead & 0xC0) != 0x80
                at += 1
                continue
            if (
                (lead == 0x20 or (lead == 0x0A and at > begin))
                and at + 1 < end
                and _CLOSER[data[at + 1]] == 0
            ):
                place += 1
                at += 1
                continue
            kind, size = _kind(data, at, end)
            if kind == 0:
                place += 1
                at += size
                continue
            # A run of white space and characters without width, up to `stop`.
            anchor = at
            stop, breaks, last_break = at, 0, at - 1
            hugging = True  # only characters without width so far
            kept = 0  # size of the joiner that ends the run because it stays
            while stop < end:
                kind, size = _kind(data, stop, end)
                if kind == 0:
                    break
                if kind >= 6 and hugging and anchor > begin:
                    before = anchor - 1
                    while data[before] & 0xC0 == 0x80:
                        before -= 1
                    if stop >= seen_until:
                        seen_until, following = stop, np.int64(-1)
                        while seen_until < end:
                            next_kind, next_size = _kind(data, seen_until, end)
                            if next_kind < 5:
                                following = _code(data, seen_until)
                                break
                            seen_until += next_size
                    if _stays(kind, data[stop + 2] == 0x8D, _code(data, before), following):
                        kept = size
                        break
                if kind < 5:
                    hugging = False
                    if kind >= 3:
                        breaks += 1
                        last_break = stop
                stop += size
            at_end = stop == end
            breaks_left = 0 if at == begin else min(breaks, 2)
            change = False  # whether one is open
            while at < stop:
                kind, size = _kind(data, at, end)
                stays, put = False, 0
                if at_end:
                    pass
                elif kind >= 3 and kind <= 4:
                    if breaks_left > 0:
                        breaks_left -= 1
                        stays, put = kind == 3, 0x0A
                elif kind <= 2 and at > last_break:
                    stays, put = kind == 1, 0x20
                if stays:
                    if change:
                        if count < room:
                            ends[count - 1] = place
                            new_bounds[count] = told
                        change = False
                else:
                    if not change:
                        change = True
                        out = _copy(data, copied, at, tidy, out)
                        if count < room:
                            starts[count] = place
                        count += 1
                    if put:
                        tidy[out] = put
                        out += 1
                        new[told] = put
                        told += 1
                    copied = at + size
                place += 1
                at += size
            if change and count < room:
                ends[count - 1] = place
                new_bounds[count] = told
            if kept:
                place += 1
                at += kept
        out = _copy(data, copied, end, tidy, out)
        tidy_bounds[post + 1] = out
        change_bounds[post + 1] = count
    return count
