"""Bodies that are HTML as a column of texts: the ordinary ones by a kernel, the others by `html_text`.

A body is ordinary when its tags are those of plain prose: paragraphs, lists, code, links, pictures, tables
and quotes that say nothing of their source. Its text is, byte for byte, that of `html_text.fragment_text`;
what that looks into more closely (classes of quotes, scripts, addresses cut short, rare entities, tags that
are none) is left to it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Bytes, Flags, Int, Int32s, Int64s, helper
from dedup.readers.html_text import (
    BLOCKS,
    LOOKED_INTO,
    PARAGRAPHS,
    SKIPPED,
    TRACKED,
    Fragment,
    Quote,
    fragment_text,
)
from dedup.text import eights, flat_json
from dedup.text.tokens import utf8_buffers

(
    _NOTHING,
    _UNUSUAL,
    _LINK,
    _BREAK,
    _RULE,
    _IMAGE,
    _ITEM,
    _PARAGRAPH,
    _HEADING,
    _BLOCK,
    _CELL,
    _QUOTE,
    _PRE,
    _BULLETS,
    _NUMBERS,
    _BOX,
    _TABLE,
) = range(17)

_LONGEST_NAME = 10
_SLOTS = 2048
_MOST_OPEN = 64
_MOST_GROWTH = 8
"""The text of `<li>`, with its indentation, is no more than so many times as long."""
_MOST_INDENT = 8


def _kinds() -> dict[str, int]:
    """What the tags that are known do. Others do nothing, but for those that `html_text` skips."""
    kinds = dict.fromkeys(PARAGRAPHS - TRACKED, _HEADING) | dict.fromkeys(BLOCKS - TRACKED, _BLOCK)
    kinds |= dict.fromkeys(SKIPPED | {"cite", "header"}, _UNUSUAL)
    kinds |= {"a": _LINK, "br": _BREAK, "hr": _RULE, "img": _IMAGE, "li": _ITEM, "p": _PARAGRAPH}
    kinds |= {"td": _CELL, "th": _CELL, "blockquote": _QUOTE, "pre": _PRE, "ul": _BULLETS, "ol": _NUMBERS}
    return kinds | {"div": _BOX, "fieldset": _BOX, "table": _TABLE, "aside": _TABLE, "span": _NOTHING}


_KINDS = _kinds()
_NAMES = np.zeros((len(_KINDS), _LONGEST_NAME + 1), np.uint8)
_NAME_KINDS = np.array(list(_KINDS.values()), np.uint8)
_LOOKED = np.array([name in LOOKED_INTO for name in _KINDS], np.bool_)
_SLOT_OF = np.full(_SLOTS, -1, np.int16)


def _slot(name: bytes) -> int:
    slot = 0
    for byte in name:
        slot = (slot * 31 + byte) % _SLOTS
    return slot


for _row, _name in enumerate(_KINDS):
    _NAMES[_row, : len(_name)] = np.frombuffer(_name.encode(), np.uint8)
    _at = _slot(_name.encode())
    while _SLOT_OF[_at] >= 0:
        _at = (_at + 1) % _SLOTS
    _SLOT_OF[_at] = _row

# Places in the state of a body that is being read.
_TO, _LAST, _DUE, _ANY, _LEAD, _INDENT, _LINK_START, _OPEN, _LISTS, _PRES, _FOUND = range(11)
# Roles of open elements.
_IS_QUOTE, _IS_PRE, _IS_BULLETS, _IS_NUMBERS = range(4)
_NO_LEAD = -2
_BULLET = -1


class Converted(NamedTuple):
    """The bodies of a column as texts."""

    texts: pa.StringArray
    quotes: dict[int, list[Quote]]
    """By row, the quotes of those that have some."""
    fragments: Flags
    """Which rows held markup."""


def convert(bodies: pa.StringArray, fragment: Callable[[str], Fragment] = fragment_text) -> Converted:
    """The texts and quotes of bodies that are HTML; `fragment` reads those that are not ordinary."""
    data, begins = utf8_buffers(bodies)
    data = data.view()
    data.flags.writeable = False
    rows, size = len(bodies), int(begins[-1] - begins[0])
    # sized for the worst case, a body of nothing but items; what is not written to costs no memory
    out, offsets = np.empty(_MOST_GROWTH * size + eights.SIZE, np.uint8), np.empty(rows + 1, np.int32)
    states = np.empty(rows, np.uint8)
    found = np.empty((size // len("<blockquote>") + 1, 3), np.int64)
    count = _convert(data, begins, out, offsets, states, found)
    text = out[: offsets[-1]]
    texts = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
    quotes: dict[int, list[Quote]] = {}
    for row, spans in groupby(found[:count].tolist(), itemgetter(0)):
        first = int(offsets[row])
        chars = np.append(0, np.cumsum(text[first : offsets[row + 1]] & 0xC0 != 0x80))
        places = [(int(chars[start - first]), int(chars[end - first])) for _, start, end in spans]
        places.sort(key=lambda place: (place[0], -place[1]))
        quotes[row] = [Quote(start, end, None, None, None) for start, end in places]
    unusual = np.flatnonzero(states == _UNUSUAL)
    if len(unusual):
        made = [fragment(body) for body in bodies.take(pa.array(unusual)).to_pylist()]
        quotes |= {row: each.quotes for row, each in zip(unusual.tolist(), made, strict=True) if each.quotes}
        take = np.arange(rows)
        take[unusual] = rows + np.arange(len(unusual))
        more = pa.array([each.text for each in made], pa.string())
        texts = pa.concat_arrays([texts, more]).take(pa.array(take))
    return Converted(texts, quotes, states != 0)


@njit(nogil=True, cache=True)
def _convert(
    data: Bytes, begins: Int64s, out: Bytes, offsets: Int32s, states: Bytes, found: NDArray[np.int64]
) -> int:
    """Texts of the rows, one behind the other; how many quotes were found: row, start and end in `out`."""
    state = np.zeros(11, np.int64)
    roles, values = np.empty(_MOST_OPEN, np.int64), np.empty(_MOST_OPEN, np.int64)
    for row in range(len(begins) - 1):
        first = state[_TO]
        offsets[row] = first
        start, end = begins[row], begins[row + 1]
        if not _has_markup(data, start, end):
            states[row] = 0
            state[_TO] = eights.copy(data, start, end, out, first)
            continue
        before = state[_FOUND]
        state[_LAST] = first
        state[_DUE] = state[_ANY] = state[_OPEN] = state[_LISTS] = state[_PRES] = 0
        state[_LEAD] = _NO_LEAD
        state[_LINK_START] = -1
        if _body(data, start, end, out, state, roles, values, found, row):
            states[row] = 2
            to = state[_TO]
            while to > first and (out[to - 1] == 32 or out[to - 1] == 9 or out[to - 1] == 10):
                to -= 1
            state[_TO] = to
        else:
            states[row] = _UNUSUAL
            state[_TO] = first
            state[_FOUND] = before
    offsets[len(begins) - 1] = state[_TO]
    return int(state[_FOUND])


@helper
def _has_markup(data: Bytes, start: Int, end: Int) -> bool:
    while start < end and data[start] != ord("<") and data[start] != ord("&"):
        start += 1
    return bool(start < end)


@helper
def _body(
    data: Bytes,
    at: Int,
    end: Int,
    out: Bytes,
    state: Int64s,
    roles: Int64s,
    values: Int64s,
    found: NDArray[np.int64],
    row: Int,
) -> bool:
    """Write the text of one body; False where it is not ordinary."""
    while at < end:
        if data[at] != ord("<"):
            at = _text(data, at, end, out, state, roles, values)
            if at < 0:
                return False
            continue
        start = at + 1
        at = start
        marks = 0
        while at < end and data[at] != ord(">"):
            if data[at] == ord("<"):
                return False
            marks += data[at] == ord('"')
            at += 1
        if at == end or marks & 1:
            return False
        if not _tag(data, start, at, out, state, roles, values, found, row):
            return False
        at += 1
    while state[_OPEN] > 0:
        _pop(out, state, roles, values, found, row)
    return True


@helper
def _text(data: Bytes, at: Int, end: Int, out: Bytes, state: Int64s, roles: Int64s, values: Int64s) -> Int:
    """Write what stands before the next tag; where that begins, or -1 where it is not ordinary."""
    if state[_PRES] > 0:
        _begin(out, state, roles, values)
        to = state[_TO]
        while at < end and data[at] != ord("<"):
            if data[at] == ord("&"):
                at, to = _entity(data, at, end, out, to)
                if at < 0:
                    return -1
            else:
                out[to] = data[at]
                to += 1
                at += 1
        state[_TO] = to
        return at
    blank, begun = False, False
    to = state[_TO]
    while at < end:
        byte = data[at]
        if byte == 32 or byte == 9 or byte == 10 or byte == 13 or byte == 12:
            blank = True
            at += 1
            continue
        if byte == ord("<"):
            break
        if not begun:
            begun = True
            if blank and _blank_before(out, state):
                blank = False
            _begin(out, state, roles, values)
            to = state[_TO]
        if blank:
            blank = False
            out[to] = 32
            to += 1
        if byte == ord("&"):
            at, to = _entity(data, at, end, out, to)
            if at < 0:
                return -1
        else:
            out[to] = byte
            to += 1
            at += 1
    if blank:
        if not begun:
            if _blank_before(out, state):
                return at
            _begin(out, state, roles, values)
            to = state[_TO]
        out[to] = 32
        to += 1
    state[_TO] = to
    return at


@helper
def _blank_before(out: Bytes, state: Int64s) -> bool:
    if state[_DUE] > 0 or state[_ANY] == 0:
        return True
    last = out[state[_TO] - 1]
    return bool(last == 32 or last == 10 or last == 9)


@helper
def _begin(out: Bytes, state: Int64s, roles: Int64s, values: Int64s) -> None:
    """What is due before the next text: line feeds, and the mark of a list item."""
    to = state[_TO]
    if state[_DUE] > 0:
        if state[_ANY] > 0:
            while to > state[_LAST] and (out[to - 1] == 32 or out[to - 1] == 9):
                to -= 1
            state[_LINK_START] = min(state[_LINK_START], to)
            for _ in range(state[_DUE]):
                out[to] = 10
                to += 1
        state[_DUE] = 0
    for place in range(state[_OPEN] - 1, -1, -1):
        if roles[place] == _IS_QUOTE:
            if values[place] >= 0:
                break
            values[place] = to
    state[_LAST] = to
    state[_ANY] = 1
    if state[_LEAD] != _NO_LEAD:
        for _ in range(state[_INDENT]):
            out[to] = 32
            out[to + 1] = 32
            to += 2
        number = state[_LEAD]
        if number == _BULLET:
            out[to] = ord("-")
            to += 1
        else:
            size = 1
            while number >= 10**size:
                size += 1
            for place in range(size - 1, -1, -1):
                out[to + place] = ord("0") + number % 10
                number //= 10
            to += size
            out[to] = ord(".")
            to += 1
        out[to] = 32
        to += 1
        state[_LEAD] = _NO_LEAD
    state[_TO] = to


@helper
def _entity(data: Bytes, at: Int, end: Int, out: Bytes, to: Int) -> tuple[Int, Int]:
    """Write what the `&` at `at` stands for; the offsets behind both, the first -1 if it is not ordinary."""
    size = end - at
    second = data[at + 1] if size > 1 else np.uint8(32)
    if second == 32 or second == 10 or second == ord("<") or second == ord("&"):
        out[to] = ord("&")
        return at + 1, to + 1
    if second == ord("#"):
        at, point = number_of(data, at + 2, end)
        # blanks, controls, surrogates and what is no character have rules of their own
        if at < 0 or point == 32 or not is_plain(point):
            return -1, to
        return at, flat_json.encode(int(point), out, to)
    if size >= 4 and data[at + 2] == ord("t") and data[at + 3] == ord(";"):
        if second == ord("l") or second == ord("g"):
            out[to] = ord("<") if second == ord("l") else ord(">")
            return at + 4, to + 1
    elif size >= 5 and second == ord("a") and eights.holds(data, at + 2, b"mp;"):
        out[to] = ord("&")
        return at + 5, to + 1
    elif size >= 6 and second == ord("q") and eights.holds(data, at + 2, b"uot;"):
        out[to] = ord('"')
        return at + 6, to + 1
    elif size >= 6 and second == ord("n") and eights.holds(data, at + 2, b"bsp;"):
        out[to] = 0xC2
        out[to + 1] = 0xA0
        return at + 6, to + 2
    return -1, to


@helper
def number_of(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """What a numeric entity says, from behind its `#` on: the offset behind it, or -1, and the number."""
    digits = 0
    point = np.int64(0)
    hexadecimal = at < end and data[at] | 32 == ord("x")
    if hexadecimal:
        at += 1
    while at < end and digits < 7:
        byte = data[at]
        if ord("0") <= byte <= ord("9"):
            digit = np.int64(byte) - ord("0")
        elif hexadecimal and ord("a") <= byte | 32 <= ord("f"):
            digit = np.int64(byte | 32) - ord("a") + 10
        else:
            break
        point = point * (16 if hexadecimal else 10) + digit
        digits += 1
        at += 1
    if digits == 0 or at >= end or data[at] != ord(";"):
        return -1, point
    return at + 1, point


@helper
def is_plain(point: Int) -> bool:
    """Whether a number stands for the character of that code, and for nothing else."""
    return bool(0x1F < point < 0x7F or 0x9F < point < 0xD800)


@helper
def _tag(
    data: Bytes,
    start: Int,
    end: Int,
    out: Bytes,
    state: Int64s,
    roles: Int64s,
    values: Int64s,
    found: NDArray[np.int64],
    row: Int,
) -> bool:
    """Do what the tag `start:end`, without its brackets, says; False where it is not ordinary."""
    closing = start < end and data[start] == ord("/")
    at = start + closing
    begin, slot = at, 0
    while at < end and (
        ord("a") <= data[at] <= ord("z") or (at > begin and ord("0") <= data[at] <= ord("9"))
    ):
        slot = (slot * 31 + data[at]) % _SLOTS
        at += 1
    bare = at == end
    if at == begin or not (bare or data[at] == 32 or data[at] == 10 or data[at] == ord("/")):
        return False
    known = _find(data, begin, at, slot)
    kind = _NAME_KINDS[known] if known >= 0 else _NOTHING
    if kind == _UNUSUAL or (closing and not bare):
        return False
    if closing:
        return _close(kind, out, state, roles, values, found, row)
    if kind == _IMAGE:
        return _is_plain_image(data, at, end)
    if kind == _LINK:
        state[_LINK_START] = state[_TO]
        return True
    if kind == _BREAK:
        state[_DUE] = min(state[_DUE] + 1, 2)
        return True
    if kind == _RULE:
        state[_DUE] = 2
        return True
    if known < 0:
        return True
    if data[end - 1] == ord("/") or (kind == _QUOTE and not bare):
        return False
    if not bare and _LOOKED[known] and _says_class(data, at, end):
        return False
    _open(kind, bare, out, state, roles, values)
    return bool(state[_OPEN] < _MOST_OPEN)


@helper
def _find(data: Bytes, start: Int, end: Int, slot: Int) -> Int:
    """The row of a name in the tables above; -1 where it is not known."""
    if end - start > _LONGEST_NAME:
        return -1
    while _SLOT_OF[slot] >= 0:
        known = _SLOT_OF[slot]
        place = 0
        while start + place < end and _NAMES[known, place] == data[start + place]:
            place += 1
        if start + place == end and _NAMES[known, place] == 0:
            return known
        slot = (slot + 1) % _SLOTS
    return -1


@helper
def _says_class(data: Bytes, at: Int, end: Int) -> bool:
    """Whether there may be a class among the attributes."""
    while at + 5 <= end:
        if data[at] | 32 == ord("c") and data[at + 1] | 32 == ord("l") and data[at + 2] | 32 == ord("a"):
            return True
        at += 1
    return False


@helper
def _is_plain_image(data: Bytes, at: Int, end: Int) -> bool:
    """Whether a picture is sure to be no smiley: it has no class, and its `alt` begins like a word."""
    if _says_class(data, at, end):
        return False
    seen = 0
    while at < end:
        if data[at] == ord("'") and (data[at - 1] == ord("=") or data[at - 1] <= 32):
            return False
        named = at + 3 <= end and data[at] | 32 == ord("a") and data[at + 1] | 32 == ord("l")
        if named and data[at + 2] | 32 == ord("t"):
            seen += 1
            if seen > 1 or at + 6 > end or data[at + 3] != ord("=") or data[at + 4] != ord('"'):
                return False
            letter = data[at + 5]
            is_letter = ord("a") <= letter | 32 <= ord("z") and letter | 32 != ord("x")
            if letter != ord('"') and not is_letter:
                return False
        at += 1
    return True


@helper
def _open(kind: Int, bare: bool, out: Bytes, state: Int64s, roles: Int64s, values: Int64s) -> None:
    if kind == _NOTHING:
        return
    if kind == _CELL:
        if state[_DUE] == 0 and state[_ANY] > 0:
            to = state[_TO]
            if out[to - 1] != 10 and out[to - 1] != 9:
                state[_LAST] = to
                out[to] = 9
                state[_TO] = to + 1
        return
    led = state[_LEAD] != _NO_LEAD
    if led and (kind == _PARAGRAPH or (bare and kind in (_HEADING, _BLOCK))):
        return  # the first paragraph of a list item stays on its line
    lines = 1 if kind in (_ITEM, _BLOCK, _BOX) else 2
    state[_DUE] = max(state[_DUE], lines)
    if kind == _ITEM:
        state[_LEAD] = _BULLET
        for place in range(state[_OPEN] - 1, -1, -1):
            if roles[place] == _IS_NUMBERS:
                values[place] += 1
                state[_LEAD] = values[place]
            if roles[place] >= _IS_BULLETS:
                break
        state[_INDENT] = min(max(state[_LISTS] - 1, 0), _MOST_INDENT)
    elif kind == _QUOTE:
        _push(_IS_QUOTE, -1, state, roles, values)
    elif kind == _PRE:
        _push(_IS_PRE, 0, state, roles, values)
        state[_PRES] += 1
    elif kind in (_BULLETS, _NUMBERS):
        _push(_IS_BULLETS if kind == _BULLETS else _IS_NUMBERS, 0, state, roles, values)
        state[_LISTS] += 1


@helper
def _push(role: Int, value: Int, state: Int64s, roles: Int64s, values: Int64s) -> None:
    roles[state[_OPEN]] = role
    values[state[_OPEN]] = value
    state[_OPEN] += 1


@helper
def _close(
    kind: Int,
    out: Bytes,
    state: Int64s,
    roles: Int64s,
    values: Int64s,
    found: NDArray[np.int64],
    row: Int,
) -> bool:
    if kind == _LINK:
        return _is_plain_link(out, state)
    if kind == _ITEM:
        state[_DUE] = max(state[_DUE], 1)
        state[_LEAD] = _NO_LEAD
    elif kind == _BOX:
        state[_DUE] = max(state[_DUE], 1)
    elif kind == _BREAK:
        state[_DUE] = min(state[_DUE] + 1, 2)
    elif kind in (_PARAGRAPH, _HEADING, _BLOCK):
        if state[_LEAD] == _NO_LEAD:
            state[_DUE] = max(state[_DUE], 1 if kind == _BLOCK else 2)
    elif kind >= _QUOTE and kind <= _NUMBERS:
        role = kind - _QUOTE
        top = state[_OPEN] - 1
        while top >= 0 and roles[top] != role:
            top -= 1
        while top >= 0 and state[_OPEN] > top:
            _pop(out, state, roles, values, found, row)
    return True


@helper
def _is_plain_link(out: Bytes, state: Int64s) -> bool:
    """End a link; whether its text is none that was cut short."""
    at = state[_LINK_START]
    state[_LINK_START] = -1
    if at < 0:
        return True
    while at + 3 <= state[_TO]:
        if out[at] == ord(".") and out[at + 1] == ord(".") and out[at + 2] == ord("."):
            return False
        if out[at] == 0xE2 and out[at + 1] == 0x80 and out[at + 2] == 0xA6:
            return False
        at += 1
    return True


@helper
def _pop(
    out: Bytes, state: Int64s, roles: Int64s, values: Int64s, found: NDArray[np.int64], row: Int
) -> None:
    """End the innermost element that is open."""
    state[_OPEN] -= 1
    role, value = roles[state[_OPEN]], values[state[_OPEN]]
    if role == _IS_PRE:
        state[_PRES] -= 1
        if state[_ANY] > 0:
            while state[_TO] > state[_LAST] and out[state[_TO] - 1] == 10:
                state[_TO] -= 1
    elif role == _IS_QUOTE:
        if value >= 0:
            to = state[_TO]
            while to > value and (out[to - 1] == 32 or out[to - 1] == 9 or out[to - 1] == 10):
                to -= 1
            if to > value:
                place = state[_FOUND]
                found[place, 0] = row
                found[place, 1] = value
                found[place, 2] = to
                state[_FOUND] = place + 1
    else:
        state[_LISTS] -= 1
    state[_DUE] = 2
