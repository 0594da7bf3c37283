"""JSON objects → where their fields stand in the bytes, without a Python object for each.

Only what RFC 8259 allows without doubt is ordinary: one object a piece, keys without escapes, strings
without lone surrogates and control characters, not nested too deeply. Everything else is left to a parser
that says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper
from dedup.text import eights

STRING = 1
ESCAPED = 2
"""A string with escapes."""
INTEGER = 3
NUMBER = 4
"""A number with a fraction or an exponent."""
BOOL = 5
NULL = 6
OBJECT = 7
ARRAY = 8

_MAX_DEPTH = 60
"""A bit of an integer says what each open bracket is."""
_MAX_DIGITS = 400
"""Longer numbers are refused by some parsers."""
_MAX_SHAPES = 256
"""A shape costs as much as a parser needs for some objects."""
_FIELD_BYTES = 4
"""No field is shorter: `"":1`."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)

_BYTE, _LAST_BYTE = np.uint64(8), np.uint64(56)
_FILLER = np.uint64(0x2020202020202000)
"""Seven blanks, and room for a byte before them."""
_HEX = np.full(256, -1, np.int32)
for _alphabet in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX[np.frombuffer(_alphabet, np.uint8)] = np.arange(16)
_SHORT_ESCAPES = np.zeros(256, np.uint8)
for _letter, _meaning in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _SHORT_ESCAPES[_letter] = _meaning


class Scanned(NamedTuple):
    """The fields of some pieces of bytes, flat. Offsets count bytes of the whole.

    data: uint8, the whole; it cannot be written to, so that kernels are compiled for one kind of array.
    begins: int64 [pieces + 1], where each piece's fields begin in the arrays below.
    shapes: uint64 [pieces], equal for the same keys in the same order; 0 for pieces that are not ordinary.
    key_starts, key_ends: int32 [fields], without the quotes.
    starts, ends: int32 [fields], of the values.
    kinds: uint8 [fields], the constants above.
    """

    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    shapes: NDArray[np.uint64]
    key_starts: NDArray[np.int32]
    key_ends: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    kinds: NDArray[np.uint8]


class Shape(NamedTuple):
    """Pieces with the same keys in the same order."""

    keys: tuple[str, ...]
    pieces: NDArray[np.int64]
    """Their numbers, ascending."""


def scan(
    data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], ascii_only: bool = False
) -> Scanned:
    """The fields of the pieces starts:ends of `data`, less than 2 GB of UTF-8.

    It need not be UTF-8 with `ascii_only`: then a piece with a byte over 127 is not ordinary.
    """
    data = data.view()
    data.flags.writeable = False
    pieces = len(starts)
    begins, shapes = np.zeros(pieces + 1, np.int64), np.zeros(pieces, np.uint64)
    # sized for the worst case; what is not written to costs no memory
    most = int((ends - starts).sum()) // _FIELD_BYTES + 1
    key_starts, key_ends = np.empty(most, np.int32), np.empty(most, np.int32)
    value_starts, value_ends = np.empty(most, np.int32), np.empty(most, np.int32)
    kinds = np.empty(most, np.uint8)
    refused = eights.HIGHS if ascii_only else np.uint64(0)
    count = _scan(
        data, starts, ends, refused, begins, shapes, key_starts, key_ends, value_starts, value_ends, kinds
    )
    keys, values = (key_starts[:count], key_ends[:count]), (value_starts[:count], value_ends[:count])
    return Scanned(data, begins, shapes, *keys, *values, kinds[:count])


def shapes_of(scanned: Scanned) -> Iterator[Shape]:
    """The shapes of the ordinary pieces, the most frequent ones if there are very many.

    Keys are compared byte for byte; of a shape with a key twice, and of those whose hash alone is equal, no
    piece is given.
    """
    order = np.argsort(scanned.shapes, kind="stable")
    order = order[np.searchsorted(scanned.shapes[order], np.uint64(1)) :]
    hashes = scanned.shapes[order]
    starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)])
    ends = np.append(starts[1:], len(hashes))
    most = np.argsort(starts - ends, kind="stable")[:_MAX_SHAPES]
    for start, end in zip(starts[most].tolist(), ends[most].tolist(), strict=True):
        pieces = order[start:end]
        keys = tuple(
            scanned.data[scanned.key_starts[field] : scanned.key_ends[field]].tobytes().decode()
            for field in range(int(scanned.begins[pieces[0]]), int(scanned.begins[pieces[0] + 1]))
        )
        if len(set(keys)) == len(keys):
            same = _same_keys(scanned.data, pieces, scanned.begins, scanned.key_starts, scanned.key_ends)
            yield Shape(keys, pieces[same])


def copy_strings(scanned: Scanned, fields: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The values of `fields` as a string column: offsets (int32 [rows + 1]) and UTF-8.

    Strings are decoded, other values are as they were written; a field of -1 is empty.
    """
    known = fields[fields >= 0]
    room = int((scanned.ends[known] - scanned.starts[known]).sum(dtype=np.int64))
    offsets, text = np.empty(len(fields) + 1, np.int32), np.empty(room + eights.SIZE, np.uint8)
    size = _copy_strings(scanned.data, fields, scanned.starts, scanned.ends, scanned.kinds, offsets, text)
    return offsets, text[:size]


@helper
def _scan(
    data: NDArray[np.uint8],
    piece_starts: NDArray[np.int64],
    piece_ends: NDArray[np.int64],
    refused: np.uint64,
    begins: NDArray[np.int64],
    shapes: NDArray[np.uint64],
    key_starts: NDArray[np.int32],
    key_ends: NDArray[np.int32],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    kinds: NDArray[np.uint8],
) -> int:
    count = 0
    for piece in range(len(piece_starts)):
        first = count
        end = piece_ends[piece]
        at = skip_blanks(data, piece_starts[piece], end)
        shape = np.uint64(1)
        open_ = np.uint64(0)  # a bit for each open bracket, the innermost lowest: whether it is an object's
        depth = 0
        key_next = False  # else a value
        behind = False  # a value has just ended, or nothing is in the bracket
        while at < end:
            byte = data[at]
            in_object = open_ & np.uint64(1) == 1
            if behind:
                if byte == ord(","):
                    behind = False
                    key_next = in_object
                    at = skip_blanks(data, at + 1, end)
                    continue
                if byte != (ord("}") if in_object else ord("]")):
                    break
                open_ >>= np.uint64(1)
                depth -= 1
                at += 1
                if depth == 1:
                    ends[count] = at
                    kinds[count] = OBJECT if in_object else ARRAY
                    count += 1
                at = skip_blanks(data, at, end)
                if depth == 0:
                    break
                continue
            if byte == ord('"'):
                start = at + 1
                at, kind = _string(data, start, end, refused)
                if at < 0 or depth == 0:
                    break
                if key_next:
                    if depth == 1:
                        if kind == ESCAPED:
                            break
                        key_starts[count] = start
                        key_ends[count] = at - 1
                        shape = _mix_key(shape, data, start, at - 1)
                    at = skip_blanks(data, at, end)
                    if at >= end or data[at] != ord(":"):
                        break
                    at = skip_blanks(data, at + 1, end)
                    key_next = False
                    if depth == 1:
                        starts[count] = at
                    continue
            elif key_next:
                break
            elif byte == ord("{") or byte == ord("["):
                if depth == _MAX_DEPTH or (depth == 0 and byte == ord("[")):
                    break
                depth += 1
                key_next = byte == ord("{")
                open_ = open_ << np.uint64(1) | np.uint64(key_next)
                at = skip_blanks(data, at + 1, end)
                behind = at < end and data[at] == (ord("}") if key_next else ord("]"))
                continue
            else:
                at, kind = _literal(data, at, end)
                if at < 0 or depth == 0:
                    break
            if depth == 1:
                ends[count] = at
                kinds[count] = kind
                count += 1
            at = skip_blanks(data, at, end)
            behind = True
        if behind and depth == 0 and at == end:
            shapes[piece] = shape | np.uint64(1)
        else:
            count = first
        begins[piece + 1] = count
    return count


@helper
def skip_blanks(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The offset behind white space."""
    while at < end and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
        at += 1
    return at


@helper
def _string(data: NDArray[np.uint8], at: int, end: int, refused: np.uint64) -> tuple[int, int]:
    """The offset behind the quote that closes a string, or -1, and whether it holds escapes, as its kind."""
    kind = STRING
    while True:
        at = _run(data, at, end, refused)
        if at >= end:
            return -1, kind
        if data[at] == ord('"'):
            return at + 1, kind
        if data[at] != ord("\\") or at + 1 >= end:
            return -1, kind
        kind = ESCAPED
        if data[at + 1] != ord("u"):
            if _SHORT_ESCAPES[data[at + 1]] == 0:
                return -1, kind
            at += 2
            continue
        unit = _unit(data, at, end)
        at += 6
        if unit < 0 or 0xDC00 <= unit < 0xE000:
            return -1, kind
        if unit >= 0xD800 and unit < 0xDC00:
            low = _unit(data, at, end)
            at += 6
            if low < 0xDC00 or low >= 0xE000:
                return -1, kind


@helper
def _mix_key(hash_: np.uint64, data: NDArray[np.uint8], start: int, end: int) -> np.uint64:
    while start < end:
        word = np.uint64(0)
        size = min(end - start, eights.SIZE)
        if start + eights.SIZE <= len(data):
            word = eights.load(data, start) << np.uint64(8 * (eights.SIZE - size))
        else:
            for at in range(start, end):
                word = word >> _BYTE | np.uint64(data[at]) << _LAST_BYTE
        hash_ = (hash_ ^ word) * _MIX
        hash_ ^= hash_ >> _SHIFT
        start += size
    return (hash_ ^ np.uint64(1)) * _MIX  # so that it matters where a key ends


@helper
def specials(word: np.uint64) -> np.uint64:
    """A mask whose first byte is the first that does not stand for itself in a string (see `eights`)."""
    return eights.equal(word, ord('"')) | eights.equal(word, ord("\\")) | eights.below(word, 32)


@helper
def _run_ends(word: np.uint64, refused: np.uint64) -> np.uint64:
    """The same where some bytes beyond ASCII are refused."""
    return specials(word) | word & refused


@helper
def _run(data: NDArray[np.uint8], at: int, end: int, refused: np.uint64) -> int:
    """The offset behind the bytes that stand for themselves in a string."""
    while at + eights.SIZE <= end and _run_ends(eights.load(data, at), refused) == 0:
        at += eights.SIZE
    if at + eights.SIZE <= end:
        return at + int(eights.first(_run_ends(eights.load(data, at), refused)))
    while at < end and _run_ends(_FILLER | np.uint64(data[at]), refused) == 0:
        at += 1
    return at


@helper
def _unit(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The UTF-16 code unit that the escape at `at` stands for, or -1."""
    if at + 6 > end or data[at] != ord("\\") or data[at + 1] != ord("u"):
        return -1
    unit = 0
    for place in range(at + 2, at + 6):
        digit = _HEX[data[place]]
        if digit < 0:
            return -1
        unit = unit << 4 | digit
    return unit


@helper
def _literal(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """The offset behind a number, true, false or null, or -1, and its kind."""
    byte = data[at]
    if byte == ord("t"):
        return _word(data, at, end, b"true"), BOOL
    if byte == ord("f"):
        return _word(data, at, end, b"false"), BOOL
    if byte == ord("n"):
        return _word(data, at, end, b"null"), NULL
    start = at
    kind = INTEGER
    if byte == ord("-"):
        at += 1
    digits = _digits(data, at, end)
    if digits == at or (data[at] == ord("0") and digits > at + 1):
        return -1, kind
    at = digits
    if at < end and data[at] == ord("."):
        kind = NUMBER
        digits = _digits(data, at + 1, end)
        if digits == at + 1:
            return -1, kind
        at = digits
    if at < end and data[at] | 32 == ord("e"):
        kind = NUMBER
        at += 1
        if at < end and (data[at] == ord("+") or data[at] == ord("-")):
            at += 1
        digits = _digits(data, at, end)
        if digits == at:
            return -1, kind
        at = digits
    return at if at - start <= _MAX_DIGITS else -1, kind


@helper
def _digits(data: NDArray[np.uint8], at: int, end: int) -> int:
    while at < end and ord("0") <= data[at] <= ord("9"):
        at += 1
    return at


@helper
def _word(data: NDArray[np.uint8], at: int, end: int, word: bytes) -> int:
    if at + len(word) > end:
        return -1
    for place in range(len(word)):
        if data[at + place] != word[place]:
            return -1
    return at + len(word)


@njit(nogil=True, cache=True)
def _same_keys(
    data: NDArray[np.uint8],
    pieces: NDArray[np.int64],
    begins: NDArray[np.int64],
    key_starts: NDArray[np.int32],
    key_ends: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Which of these pieces have the keys of the first."""
    same = np.ones(len(pieces), np.bool_)
    first = begins[pieces[0]]
    fields = begins[pieces[0] + 1] - first
    for row in range(1, len(pieces)):
        other = begins[pieces[row]]
        if begins[pieces[row] + 1] - other != fields:
            same[row] = False
            continue
        for field in range(fields):
            start, size = key_starts[first + field], key_ends[first + field] - key_starts[first + field]
            begin = key_starts[other + field]
            if key_ends[other + field] - begin != size:
                same[row] = False
                break
            for place in range(size):
                if data[start + place] != data[begin + place]:
                    same[row] = False
                    break
    return same


@njit(nogil=True, cache=True)
def _copy_strings(
    data: NDArray[np.uint8],
    fields: NDArray[np.int64],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    kinds: NDArray[np.uint8],
    offsets: NDArray[np.int32],
    text: NDArray[np.uint8],
) -> int:
    to = 0
    for row in range(len(fields)):
        offsets[row] = to
        field = fields[row]
        if field < 0:
            continue
        at, end = int(starts[field]), int(ends[field])
        if kinds[field] <= ESCAPED:
            at += 1
            end -= 1
        if kinds[field] != ESCAPED:
            to = eights.copy(data, at, end, text, to)
            continue
        while at < end:
            if at + eights.SIZE <= len(data):
                word = eights.load(data, at)
                eights.store(text, to, word)
                found = eights.equal(word, ord("\\"))
                size = min(eights.first(found) if found != 0 else eights.SIZE, end - at)
            else:
                text[to] = data[at]
                size = int(data[at] != ord("\\"))
            at += size
            to += size
            if at == end or data[at] != ord("\\"):
                continue
            if data[at + 1] != ord("u"):
                text[to] = _SHORT_ESCAPES[data[at + 1]]
                at += 2
                to += 1
            else:
                point = _unit(data, at, end)
                at += 6
                if point >= 0xD800 and point < 0xDC00:
                    point = 0x10000 + ((point - 0xD800) << 10) + _unit(data, at, end) - 0xDC00
                    at += 6
                to = encode(point, text, to)
    offsets[len(fields)] = to
    return to


@helper
def encode(point: int, text: NDArray[np.uint8], to: int) -> int:
    """Write a code point that is no surrogate as UTF-8; the offset behind it."""
    if point < 0x80:
        text[to] = point
        return to + 1
    if point < 0x800:
        text[to] = 0xC0 | point >> 6
        text[to + 1] = 0x80 | point & 0x3F
        return to + 2
    if point < 0x10000:
        text[to] = 0xE0 | point >> 12
        text[to + 1] = 0x80 | point >> 6 & 0x3F
        text[to + 2] = 0x80 | point & 0x3F
        return to + 3
    text[to] = 0xF0 | point >> 18
    text[to + 1] = 0x80 | point >> 12 & 0x3F
    text[to + 2] = 0x80 | point >> 6 & 0x3F
    text[to + 3] = 0x80 | point & 0x3F
    return to + 4
