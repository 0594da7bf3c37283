"""Rows of a Stack Exchange dump as JSON objects, by a kernel; `fast_objects` makes posts of those.

A row is ordinary when its values stand between quotation marks and hold no entities but the usual ones;
every other one becomes nothing, and is left to `stackexchange`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Int, Int64s, helper
from dedup.readers.fast_html import is_plain, number_of
from dedup.text import eights, flat_json

_MOST_FIELDS = 64
_ROW_BYTES = 128
"""More than the names that are put in take."""
_OTHER, _ID, _PARENT, _POST, _TEXT, _USER, _USER_NAME, _THREAD = range(8)
_ESCAPES = np.zeros(256, np.uint8)
for _byte, _letter in zip(b'"\\\n\r\t', b'"\\nrt', strict=True):
    _ESCAPES[_byte] = _letter


class Objects(NamedTuple):
    """JSON objects one behind the other; those of rows that are not ordinary are empty."""

    data: bytes
    starts: Int64s
    ends: Int64s


def as_objects(data: bytes, starts: Int64s, ends: Int64s) -> Objects:
    """The rows starts:ends, from behind their `<row` on, as JSON objects of their fields.

    data: UTF-8. An answer gets its question as `thread_id`, a question itself; a comment is a reply to its
    post, and its own id tells it from posts.
    """
    # each byte may need a backslash before it, and an id stands twice
    room = 4 * len(data) + _ROW_BYTES * len(starts) + eights.SIZE
    out, bounds = np.empty(room, np.uint8), np.empty(len(starts) + 1, np.int64)
    size = _as_objects(np.frombuffer(data, np.uint8), starts, ends, out, bounds)
    return Objects(out[:size].tobytes(), bounds[:-1], bounds[1:])


@njit(nogil=True, cache=True)
def _as_objects(data: Bytes, starts: Int64s, ends: Int64s, out: Bytes, bounds: Int64s) -> int:
    fields = np.empty((_MOST_FIELDS, 5), np.int64)  # name from, to, value from, to, and which it is
    to = 0
    for row in range(len(starts)):
        bounds[row] = to
        count = _fields(data, starts[row], ends[row], fields)
        end = _object(data, fields, count, out, to) if count > 0 else -1
        to = end if end > 0 else to
    bounds[len(starts)] = to
    return to


@helper
def _fields(data: Bytes, at: Int, end: Int, fields: Int64s) -> Int:
    """Where the fields of a row stand; how many there are, or -1 where it is not ordinary."""
    count = 0
    while True:
        start = at
        at = flat_json.skip_blanks(data, at, end)
        if at + 1 < end and data[at] == ord("/") and data[at + 1] == ord(">"):
            return count if flat_json.skip_blanks(data, at + 2, end) == end else -1
        if at == start or count == _MOST_FIELDS:
            return -1
        fields[count, 0] = at
        while at < end and (ord("a") <= data[at] | 32 <= ord("z")):
            at += 1
        fields[count, 1] = at
        if at == fields[count, 0] or at + 1 >= end or data[at] != ord("=") or data[at + 1] != ord('"'):
            return -1
        at += 2
        fields[count, 2] = at
        at = eights.find(data, at, end, ord('"'))
        if at == end:
            return -1
        fields[count, 3] = at
        fields[count, 4] = _which(data, fields[count, 0], fields[count, 1])
        count += 1
        at += 1


@helper
def _which(data: Bytes, start: Int, end: Int) -> Int:
    size = end - start
    if size == 2 and eights.holds(data, start, b"Id"):
        return _ID
    if size == 4 and eights.holds(data, start, b"Text"):
        return _TEXT
    if size == 6 and eights.holds(data, start, b"PostId"):
        return _POST
    if size == 6 and eights.holds(data, start, b"UserId"):
        return _USER
    if size == 8 and eights.holds(data, start, b"ParentId"):
        return _PARENT
    if size == 15 and eights.holds(data, start, b"UserDisplayName"):
        return _USER_NAME
    return _OTHER


@helper
def _find(fields: Int64s, count: Int, which: Int) -> Int:
    """The field that is the one looked for and not empty, else -1."""
    for field in range(count):
        if fields[field, 4] == which and fields[field, 3] > fields[field, 2]:
            return field
    return -1


@helper
def _says_one_user(fields: Int64s, count: Int) -> bool:
    """Whether no field that names a user is empty or stands twice."""
    ids, names = 0, 0
    for field in range(count):
        if fields[field, 4] in (_USER, _USER_NAME):
            if fields[field, 3] == fields[field, 2]:
                return False
            ids += fields[field, 4] == _USER
            names += fields[field, 4] == _USER_NAME
    return ids < 2 and names < 2


@helper
def _object(data: Bytes, fields: Int64s, count: Int, out: Bytes, to: Int) -> Int:
    """Write an object; the offset behind it, or -1 where it is not ordinary."""
    has_post, has_text = False, False
    for field in range(count):
        has_post = has_post or fields[field, 4] == _POST
        has_text = has_text or fields[field, 4] == _TEXT
    is_comment = has_post and has_text
    if is_comment and not _says_one_user(fields, count):
        return -1
    own = _find(fields, count, _ID)
    author = _find(fields, count, _USER)
    if author < 0:
        author = _find(fields, count, _USER_NAME)
    if is_comment and own < 0:
        return -1
    out[to] = ord("{")
    to += 1
    for field in range(count):
        if field > 0:
            out[to] = ord(",")
            to += 1
        which = fields[field, 4]
        if is_comment and which == _ID:
            to = _put(out, to, b'"id":"comment-')
        elif is_comment and which == _POST:
            to = _put(out, to, b'"parent_id":"')
        elif is_comment and field == author:
            to = _put(out, to, b'"author":"')
        else:
            out[to] = ord('"')
            to = eights.copy(data, fields[field, 0], fields[field, 1], out, to + 1)
            to = _put(out, to, b'":"')
        to = _value(data, fields[field, 2], fields[field, 3], out, to)
        if to < 0:
            return -1
        out[to] = ord('"')
        to += 1
    if not is_comment:
        thread = _find(fields, count, _PARENT)
        if thread < 0:
            thread = own
        if thread >= 0:
            to = _put(out, to, b',"thread_id":"')
            to = _value(data, fields[thread, 2], fields[thread, 3], out, to)
            out[to] = ord('"')
            to += 1
    out[to] = ord("}")
    return to + 1


@helper
def _put(out: Bytes, to: Int, word: bytes) -> Int:
    for place in range(len(word)):
        out[to + place] = word[place]
    return to + len(word)


@helper
def _value(data: Bytes, at: Int, end: Int, out: Bytes, to: Int) -> Int:
    """Write a value as what stands in a JSON string; the offset behind it, or -1."""
    while at < end:
        stop = eights.find(data, at, end, ord("&"))
        to = put_escaped(data, at, stop, out, to)
        at = stop
        if to < 0:
            return -1
        if at < end:
            at, point = _entity(data, at + 1, end)
            if at < 0:
                return -1
            if point > 127:
                to = flat_json.encode(int(point), out, to)
                continue
            if _ESCAPES[point] != 0:
                out[to] = ord("\\")
                to += 1
                point = np.int64(_ESCAPES[point])
            out[to] = point
            to += 1
    return to


@helper
def put_escaped(data: Bytes, at: Int, end: Int, out: Bytes, to: Int) -> Int:
    """Write bytes as they stand in a JSON string, twice as many at most and up to seven beyond; the offset
    behind them, or -1 where there are control characters that no text has."""
    while at < end:
        if at + eights.SIZE <= end:
            word = eights.load(data, at)
            found = flat_json.specials(word)
            eights.store(out, to, word)
            size = eights.first(found) if found != 0 else eights.SIZE
            at += size
            to += size
            if found == 0:
                continue
        byte = data[at]
        at += 1
        if byte < 128 and _ESCAPES[byte] != 0:
            out[to] = ord("\\")
            to += 1
            byte = _ESCAPES[byte]
        elif byte < 32:
            return -1
        out[to] = byte
        to += 1
    return to


@helper
def _entity(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """What the `&` before `at` stands for: the offset behind it, or -1, and the character."""
    size = end - at
    none = np.int64(0)
    if size >= 3 and data[at + 1] == ord("t") and data[at + 2] == ord(";"):
        if data[at] == ord("l"):
            return at + 3, none + ord("<")
        if data[at] == ord("g"):
            return at + 3, none + ord(">")
    elif size >= 4 and eights.holds(data, at, b"amp;"):
        return at + 4, none + ord("&")
    elif size >= 5 and eights.holds(data, at, b"quot;"):
        return at + 5, none + ord('"')
    elif size >= 5 and eights.holds(data, at, b"apos;"):
        return at + 5, none + ord("'")
    elif size >= 4 and data[at] == ord("#"):
        at, point = number_of(data, at + 1, end)
        # with a number for its `&`, an entity is taken for one once more
        if at >= 0 and point != ord("&") and (point in (9, 10, 13) or is_plain(point)):
            return at, point
    return -1, none
