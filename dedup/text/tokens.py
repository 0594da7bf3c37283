"""Posts → words, straight from Arrow's UTF-8 buffers.

A word is a run of letters and numbers, compatibility-decomposed and case-folded character by
character; a URL is one word; where a script is written without spaces, every character is one.
White space, `>` prefixes, punctuation, typographic quotes and line breaks therefore never tell two
passages apart. Combining marks are hashed so that their order does not matter (canonical
equivalence, Unicode Standard Annex #15).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Int, helper
from dedup.text import eights
from dedup.text.tables import (
    BLANK,
    COMBINING,
    IGNORABLE,
    RARE_CHARACTER,
    RAREST,
    SINGLE,
    WORD,
    Tables,
    load_tables,
)

RARITY_MASK = 0x7F
"""Bits of `info` that hold how rare the word is, in eighths of a nat."""
URL = 127
"""Rarity of a URL: there is hardly another like it."""
LINE_START = 1 << 7
"""The word is the first on its line."""
PREFIXED = 1 << 8
"""The word's line begins with `>`, or the word stands in a quote that the dump marks otherwise."""
CODE = 1 << 9
"""The word's line looks like source code."""
COLON = 1 << 10
"""A colon follows the word, or an ellipsis that ends the line."""
PARAGRAPH = 1 << 11
"""The word is the first after a blank line, or of the post."""
SENTENCE = 1 << 12
"""The word is the first of a line or sentence."""
TAG = 1 << 13
"""The word belongs to markup around a quote; set by `quotes.marks`."""
RULE = 1 << 14
"""The word is the first after a line of dashes or the like: what sets off a signature."""
CHARACTER = 1 << 15
"""The word is one character of a script written without spaces: a third of a word, about."""

MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_STEPS = np.uint64(RARITY_MASK)
_EACH = np.uint64(0x0101010101010101)
_CASE = np.uint64(0x20) * _EACH
_FROM_A, _BEHIND_Z = np.uint64(0x80 - ord("a")) * _EACH, np.uint64(0x7F - ord("z")) * _EACH
_FROM_0, _BEHIND_9 = np.uint64(0x80 - ord("0")) * _EACH, np.uint64(0x7F - ord("9")) * _EACH
_NO_ASCII = np.uint64(1 << 63)
"""Sets a code point apart from eight ASCII characters."""
_RECENT = 16384
"""Words whose rarity is at hand: the whole table outgrows the processor's cache."""
_SYMBOLS = np.isin(np.arange(128), np.frombuffer(b"(){}[];=<>&|*#\\+_$%/", np.uint8))
"""Characters that code is full of and prose is not."""


class Tokens(NamedTuple):
    """The words of a column of posts.

    offsets: int64 [posts + 1], where each post's words begin.
    hashes: uint32 [words], equal for equal words.
    info: uint16 [words], rarity and the flags above.
    starts, ends: int32 [words], in bytes of the post's UTF-8 text.
    """

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    info: NDArray[np.uint16]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


def utf8_buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of a string column without nulls, and where each text begins (int64 [rows + 1])."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    if len(texts) == 0:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    begins = np.frombuffer(offsets, kind)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    bytes_ = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return bytes_, begins


def tokenize(texts: pa.Array, tables: Tables | None = None) -> Tokens:
    """The words of each text of a string column without nulls."""
    tables = tables or load_tables()
    data, begins = utf8_buffers(texts)
    most = int(begins[-1] - begins[0]) // 2 + 2 * len(texts) + 1
    offsets = np.empty(len(texts) + 1, np.int64)
    hashes, info = np.empty(most, np.uint32), np.empty(most, np.uint16)
    starts, ends = np.empty(most, np.int32), np.empty(most, np.int32)
    count = _tokenize(data, begins, *tables, offsets, hashes, info, starts, ends)
    # the arrays are sized for the worst case: what is never touched takes no memory
    return Tokens(offsets, hashes[:count], info[:count], starts[:count], ends[:count])


@helper
def _decode(data: NDArray[np.uint8], at: int, end: int) -> tuple[np.int32, int]:
    """The code point at a byte offset, and the offset after it."""
    first = np.int32(data[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0 and at + 1 < end:
        return ((first & 0x1F) << 6) | (np.int32(data[at + 1]) & 0x3F), at + 2
    if first < 0xF0 and at + 2 < end:
        point = ((first & 0xF) << 12) | ((np.int32(data[at + 1]) & 0x3F) << 6)
        return point | (np.int32(data[at + 2]) & 0x3F), at + 3
    if at + 3 < end:
        point = ((first & 7) << 18) | ((np.int32(data[at + 1]) & 0x3F) << 12)
        return point | ((np.int32(data[at + 2]) & 0x3F) << 6) | (np.int32(data[at + 3]) & 0x3F), at + 4
    return np.int32(0), end  # cannot be in valid UTF-8


@njit(nogil=True, cache=True, inline="always")
def _rarity_of(
    hash_: np.uint32, single: bool, keys: NDArray[np.uint32], steps: NDArray[np.uint8]
) -> np.uint16:
    mask = np.uint32(keys.shape[0] - 1)
    slot = hash_ & mask
    for _ in range(keys.shape[0]):
        if keys[slot] == hash_:
            return np.uint16(steps[slot])
        if keys[slot] == 0:
            break
        slot = (slot + np.uint32(1)) & mask
    return np.uint16(RARE_CHARACTER) if single else np.uint16(RAREST)


@helper
def _url_end(data: NDArray[np.uint8], at: int, end: int, classes: NDArray[np.uint8]) -> int:
    """Where a URL that begins at `at` ends, or `at` when none does."""
    i = at
    lower = np.uint8(0x20)
    if end - at > 7 and (data[at] | lower) == 104 and (data[at + 1] | lower) == 116:  # ht
        if (data[at + 2] | lower) != 116 or (data[at + 3] | lower) != 112:  # tp
            return at
        i = at + 4
        if (data[i] | lower) == 115:  # s
            i += 1
        if i + 3 >= end or data[i] != 58 or data[i + 1] != 47 or data[i + 2] != 47:  # ://
            return at
        i += 3
    elif end - at > 4 and (data[at] | lower) == 119 and (data[at + 1] | lower) == 119:  # ww
        if (data[at + 2] | lower) != 119 or data[at + 3] != 46:  # w.
            return at
        i = at + 4
    else:
        return at
    least = i
    while i < end:
        c = data[i]
        # white space and what cannot stand in a URL: " < > [ ] ` { | }
        if c <= 32 or c == 34 or c == 60 or c == 62 or c == 91 or c == 93 or c == 96 or 123 <= c <= 125:
            break
        if c < 128:
            i += 1
            continue
        point, after = _decode(data, i, end)
        if classes[point] != WORD and classes[point] != COMBINING:
            break
        i = after
    while i > least and (
        data[i - 1] == 46  # .
        or data[i - 1] == 44  # ,
        or data[i - 1] == 41  # )
        or data[i - 1] == 58  # :
        or data[i - 1] == 59  # ;
        or data[i - 1] == 33  # !
        or data[i - 1] == 63  # ?
        or data[i - 1] == 39  # '
        or data[i - 1] == 42  # *
    ):
        i -= 1
    return i if i > least else at


@helper
def _close_line(
    info: NDArray[np.uint16],
    first: np.int64,
    last: np.int64,
    symbols: np.int64,
    joins: np.int64,
    indent: np.int64,
    visible: np.int64,
    end_char: np.int32,
    end_before: np.int32,
) -> None:
    """Flags that are known only when a line is over; words first:last stand on it."""
    if last <= first:
        return
    ends_code = end_char == 59 or end_char == 123 or end_char == 125  # ; { }
    if (
        (ends_code and symbols >= 1)
        or (symbols >= 3 and symbols * 6 >= visible)
        or (symbols >= 5 and symbols * 14 >= visible)
        # names with underscores among brackets, or an indented line with a few symbols
        or (joins >= 1 and symbols - joins >= 2 and symbols * 14 >= visible)
        or (indent >= 4 and symbols >= 2 and symbols * 14 >= visible)
    ):
        for i in range(first, last):
            info[i] |= CODE
    if end_char == 0x2026 or (end_char == 46 and end_before == 46):  # an ellipsis
        info[last - 1] |= COLON


@helper
def _last(data: NDArray[np.uint8], at: int, end: int) -> np.uint64:
    """The word at an offset of which fewer bytes are left, zeros behind them."""
    word = np.uint64(0)
    for i in range(at, end):
        word |= np.uint64(data[i]) << np.uint64(8 * (i - at))
    return word


@helper
def _mix(hash_: np.uint64, part: np.uint64) -> np.uint64:
    hash_ = (hash_ ^ part) * MIX
    return hash_ ^ (hash_ >> _SHIFT)


@helper
def _add_point(hash_: np.uint64, held: np.uint64, bits: int, point: Int) -> tuple[np.uint64, np.uint64, int]:
    """The hash of a word, and the ASCII characters that are not mixed into it yet, after one point more.

    Characters are mixed eight at a time, whatever they were folded from: `bits` of them are held.
    """
    if point < 0x80:
        held |= np.uint64(point) << np.uint64(bits)
        bits += 8
        if bits < 64:
            return hash_, held, bits
        return _mix(hash_, held), np.uint64(0), 0
    if bits:
        hash_ = _mix(hash_, held)
    return _mix(hash_, np.uint64(point) | _NO_ASCII), np.uint64(0), 0


@helper
def _add_folded(
    hash_: np.uint64,
    held: np.uint64,
    bits: int,
    char: np.int32,
    classes: NDArray[np.uint8],
    folds: NDArray[np.int32],
    expansion_offsets: NDArray[np.int32],
    expansions: NDArray[np.int32],
) -> tuple[np.uint64, np.uint64, int]:
    """The same after what a character folds to."""
    fold = folds[char]
    first = last = np.int32(0)
    if fold < 0:
        first, last = expansion_offsets[-1 - fold], expansion_offsets[-fold]
        fold = expansions[first]
        first += 1
    while True:
        if classes[fold] == COMBINING:
            if bits:
                hash_, held, bits = _mix(hash_, held), np.uint64(0), 0
            hash_ += np.uint64(fold) * MIX
        else:
            hash_, held, bits = _add_point(hash_, held, bits, fold)
        if first >= last:
            return hash_, held, bits
        fold = expansions[first]
        first += 1


@helper
def _letters(word: np.uint64) -> np.uint64:
    """A mask of the bytes of a word (see `eights`) that are ASCII letters or digits."""
    low = word & ~eights.HIGHS
    letters = ((low | _CASE) + _FROM_A) & ~((low | _CASE) + _BEHIND_Z)
    return (letters | (low + _FROM_0) & ~(low + _BEHIND_9)) & ~word & eights.HIGHS


@njit(nogil=True, cache=True)
def _tokenize(
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    classes: NDArray[np.uint8],
    folds: NDArray[np.int32],
    expansion_offsets: NDArray[np.int32],
    expansions: NDArray[np.int32],
    rarity_keys: NDArray[np.uint32],
    rarity_steps: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    hashes: NDArray[np.uint32],
    info: NDArray[np.uint16],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
) -> np.int64:
    recent = np.zeros(_RECENT, np.uint64)  # word hash, whether it is a character, rarity
    count = np.int64(0)
    for post in range(begins.shape[0] - 1):
        offsets[post] = count
        begin = begins[post]
        end = begins[post + 1]
        at = begin
        # what is known of the line so far
        line_first = count
        line_symbols = np.int64(0)
        line_joins = np.int64(0)
        line_indent = np.int64(0)
        line_visible = np.int64(0)
        line_rule = np.int64(0)
        prefixed = False
        end_char = np.int32(0)
        end_before = np.int32(0)
        flags = np.int64(LINE_START | PARAGRAPH | SENTENCE)
        while at < end:
            char = np.int32(data[at])
            after = at + 1
            if char == 32:
                line_indent += line_visible == 0
                at = after
                continue
            if char >= 0x80:
                char, after = _decode(data, at, end)
            kind = classes[char]
            if kind in (WORD, SINGLE):
                start = at
                hash_, held, bits = np.uint64(0), np.uint64(0), 0
                stop = at
                low = char | 0x20
                second = np.int32(data[at + 1]) | 0x20 if at + 1 < end else 0
                if (low == 104 and second == 116) or (low == 119 and second == 119):  # ht, ww
                    stop = _url_end(data, at, end, classes)
                url = stop > at
                if url:
                    for i in range(at, stop):
                        c = np.uint64(data[i])
                        if 65 <= data[i] <= 90:
                            c |= np.uint64(0x20)
                        hash_ = _mix(hash_, c)
                    at = stop
                    line_visible += 8  # slashes in a URL do not make a line code
                    end_before = np.int32(0)
                    end_char = np.int32(0)
                else:
                    if char >= 0x80:
                        hash_, held, bits = _add_folded(
                            hash_, held, bits, char, classes, folds, expansion_offsets, expansions
                        )
                        at = after
                        stop = at
                    while True:
                        while kind == WORD and at < end:
                            word = eights.load(data, at) if at + eights.SIZE <= end else _last(data, at, end)
                            others = ~_letters(word) & eights.HIGHS
                            size = eights.first(others) if others != np.uint64(0) else eights.SIZE
                            if size == 0:
                                break
                            if size < eights.SIZE:
                                word &= (np.uint64(1) << np.uint64(8 * size)) - np.uint64(1)
                            # capital letters become small ones; digits have that bit
                            word |= _CASE & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * size))
                            held |= word << np.uint64(bits)
                            bits += 8 * size
                            if bits >= 64:
                                hash_ = _mix(hash_, held)
                                bits -= 64
                                # what did not fit; all of it fitted where nothing was held before
                                held = word >> np.uint64(8 * size - bits) if bits else np.uint64(0)
                            at += size
                            stop = at
                            if size < eights.SIZE:
                                break
                        if at >= end or data[at] < 0x80:
                            break
                        char, after = _decode(data, at, end)
                        more = classes[char]
                        if more == COMBINING or (more == WORD and kind == WORD):
                            hash_, held, bits = _add_folded(
                                hash_, held, bits, char, classes, folds, expansion_offsets, expansions
                            )
                            stop = after
                        elif more != IGNORABLE:
                            break
                        at = after
                    if bits:
                        hash_ = _mix(hash_, held)
                    end_before = np.int32(0)
                    end_char = np.int32(0)
                    line_visible += stop - start
                hash_ = (hash_ ^ np.uint64(0x5BF03635)) * MIX
                h32 = np.uint32(hash_ >> _SHIFT) | np.uint32(1)
                hashes[count] = h32
                known = (np.uint64(h32) << np.uint64(8)) | (np.uint64(kind == SINGLE) << np.uint64(7))
                cell = (h32 >> np.uint32(1)) & np.uint32(_RECENT - 1)
                entry = recent[cell]
                if url:
                    entry = np.uint64(URL)
                elif entry & ~_STEPS != known:
                    entry = known | np.uint64(_rarity_of(h32, kind == SINGLE, rarity_keys, rarity_steps))
                    recent[cell] = entry
                info[count] = flags | np.uint16(entry & _STEPS) | (CHARACTER if kind == SINGLE else 0)
                starts[count] = start - begin
                ends[count] = stop - begin
                count += 1
                flags = np.int64(PREFIXED) if prefixed else np.int64(0)
                continue
            if char == 10:
                _close_line(
                    info,
                    line_first,
                    count,
                    line_symbols,
                    line_joins,
                    line_indent,
                    line_visible,
                    end_char,
                    end_before,
                )
                if line_visible == 0:
                    flags |= PARAGRAPH
                elif line_rule == line_visible and line_rule >= 2:
                    flags |= RULE
                flags = (flags | LINE_START | SENTENCE) & ~PREFIXED
                line_first = count
                line_symbols = np.int64(0)
                line_joins = np.int64(0)
                line_indent = np.int64(0)
                line_visible = np.int64(0)
                line_rule = np.int64(0)
                prefixed = False
                end_char = np.int32(0)
                end_before = np.int32(0)
            elif char == 62 and line_visible == 0:  # > before any text
                prefixed = True
                flags |= PREFIXED
            elif kind == BLANK:
                if line_visible == 0:
                    line_indent += 4 if char == 9 else 1
            elif kind != IGNORABLE:
                line_visible += 1
                if char < 128 and _SYMBOLS[char]:
                    line_symbols += 1
                    # an underscore right after a word
                    line_joins += char == 95 and count > line_first and at == begin + ends[count - 1]
                if char == 45 or char == 95 or char == 61 or char == 42 or char == 126:  # - _ = * ~
                    line_rule += 1
                # .!? and their full-width and CJK forms end a sentence
                if (
                    char == 46
                    or char == 33
                    or char == 63
                    or char == 0x3002
                    or char == 0xFF01
                    or char == 0xFF1F
                ):
                    flags |= SENTENCE
                if (char == 58 or char == 0xFF1A) and count > line_first:
                    info[count - 1] |= COLON
                end_before = end_char
                end_char = char
            at = after
        _close_line(
            info, line_first, count, line_symbols, line_joins, line_indent, line_visible, end_char, end_before
        )
    offsets[begins.shape[0] - 1] = count
    return count
