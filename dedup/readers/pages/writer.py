"""The kernel of `render`: serialised HTML, with its tags and what they mean → text.

It does what needs no string: which breaks are due, which tags open and end what. What the label above a
quote says, and where a link that was cut short leads, it leaves to `render`, as notes.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Bytes, Flags, Int, Int64s, helper
from dedup.readers.pages.tags import (
    BLOCK,
    CELL,
    CODEBOX,
    DROP,
    HEADER,
    HEADING,
    INLINE,
    ITEM,
    LABEL,
    LINK,
    LIST,
    PARAGRAPH,
    PRE,
    QUOTE,
)
from dedup.readers.pages.tokens import (
    BREAK,
    CLOSING,
    CODE,
    END,
    IMAGE,
    IS_BARE,
    IS_CITE,
    IS_EMPHASIS,
    IS_INDENTED,
    IS_NUMBERED,
    IS_PARAGRAPH,
    IS_SAID,
    IS_VOID,
    RULE,
    START,
    TD,
    is_break,
)
from dedup.text import eights

MAX_QUOTE_DEPTH = 100
"""Quotes nested deeper are no marks of their own."""
_MAX_INDENT = 4
_MAX_BREAKS = 3
MOST_GROWTH = 4
"""A text is at most so many times as long as its HTML: one of empty list items."""
MOST_NOTES = 5
"""For each tag, besides one for each line."""

SPAN, SOURCE, LABEL_END, OPENED, NAMED, LABELLED, BEGUN, ENDED, SHORTENED = range(9)
"""Kinds of notes, which stand in the order of the text. What follows the kind:

SPAN: a label, and words of it that stand in a link or in bold
SOURCE: a label, and the place of the tag of a link in it
LABEL_END: a label, and all its words
OPENED: a quote, and the place of its tag
NAMED: a quote, and the label that says whose words it holds
LABELLED: a quote, and where in the text its label belongs, with what the text has there already
BEGUN, ENDED: a quote, and where in the text
SHORTENED: the place of the tag of a link, and bytes of the text
"""

(
    _TO,
    _CHUNK,  # where what was written last begins
    _ANY,  # whether anything was written
    _BREAKS,  # line feeds due before the next text
    _GAP,  # blank or tab due before the next text on the same line
    _DROPPED,  # depth inside an element that is no text
    _PRES,
    _OPEN,
    _LISTS,
    _LINKS,
    _CONTAINERS,
    _PENDING,
    _QUOTES,
    _LABELS,
    _LABEL,  # that is being read; -1
    _LABEL_DEPTH,
    _LABEL_START,
    _LABEL_SAYS,  # whether it holds more than blanks
    _IS_BEFORE,  # it stands before its quote, not in it
    _WAITING,  # label that waits for its quote; -1
    _WAITING_SAYS,
    _SAID,
    _WORDS,
    _NOTES,
) = range(24)
(
    _NAMES,  # of open elements, as are the next two
    _KINDS,
    _FLAGS,
    _COUNTS,  # of lists: the number of the last item; -1 where items are not numbered
    _HREFS,  # of open links: places of their tags
    _BOXES,  # open quotes, and -1 for boxes of code
    _WAIT,  # open quotes without text yet
    _IS_BEGUN,  # of quotes, as are the next two
    _HAS_HEADER,
    _HAS_LABEL,
) = range(10)
_AS_TEXT, _AS_CODE, _AS_IT_IS = range(3)
_AMP, _NBSP, _QUOT = (np.uint64(int.from_bytes(name, "little")) for name in (b"amp;", b"nbsp;", b"quot;"))
_OF_FOUR, _OF_FIVE = np.uint64(32), np.uint64(24)
_BLANK, _LINE_FEED, _RETURN, _TAB, _FORM_FEED = 32, 10, 13, 9, 12


@njit(nogil=True, cache=True)
def write_texts(
    data: Bytes,
    begins: Int64s,
    places: NDArray[np.int64],
    firsts: Int64s,
    kinds: Int64s,
    flags: Int64s,
    names: Int64s,
    smiley_ends: Int64s,
    smileys: Bytes,
    plain_blockquotes: Flags,
    deepest: int,
    out: Bytes,
    words: int,
    notes: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> int:
    """Write the texts of all rows to `out`, one behind the other, and their notes to `notes`.

    deepest: so many elements at most are open; words: where in `out` the words of labels come to stand, up to
    what is given back; ends: in row n + 1, where the text and the notes of row n end.
    """
    state = np.zeros(_NOTES + 1, np.int64)
    state[_SAID] = state[_WORDS] = words
    stack = np.zeros((_HAS_LABEL + 1, deepest + 1), np.int64)
    for row in range(len(begins) - 1):
        state[_CHUNK] = state[_TO]
        state[_ANY:_SAID] = 0
        state[_LABEL] = state[_WAITING] = -1
        at = begins[row]
        is_root = True
        last = firsts[row + 1]
        for place in range(firsts[row], last + 1):
            start = places[place, START] if place < last else begins[row + 1]
            if at < start and state[_DROPPED] == 0:
                _text(data, at, start, out, state, stack, notes)
            if place == last:
                break
            at = places[place, END]
            code = places[place, CODE]
            kind, flag = kinds[code], flags[code]
            if kind == CLOSING:
                _close(names[code], flag, state, stack, notes)
                continue
            if state[_DROPPED] > 0:
                state[_DROPPED] += flag & IS_VOID == 0
                continue
            if flag & IS_VOID:
                leads = _void(kind, out, state)
            else:
                # vBulletin 4 and XenForo 1 wrap the whole body in a blockquote
                kind = BLOCK if is_root else _kind_here(kind, flag, plain_blockquotes[row], state, stack)
                leads = kind != DROP and _open(kind, names[code], flag, place, out, state, stack, notes)
                if kind == DROP:
                    state[_DROPPED] = 1
            if leads:
                _begin_text(out, state, stack, notes)
                if kind == ITEM:
                    _marker(out, state, stack)
                else:
                    _smiley(smileys, smiley_ends[code - 1] if code else 0, smiley_ends[code], out, state)
            is_root = False
        while state[_CONTAINERS] > 0:
            _end_container(state, stack, notes)
        ends[row + 1, 0], ends[row + 1, 1] = state[_TO], state[_NOTES]
    return int(state[_SAID])


@helper
def _note(kind: Int, of: Int, start: Int, end: Int, state: Int64s, notes: NDArray[np.int64]) -> None:
    # numbers of one type each, or numba compiles this once for every constant
    note = notes[state[_NOTES]]
    note[0], note[1], note[2], note[3] = kind, of, start, end
    state[_NOTES] += 1


# -- tags


@helper
def _kind_here(kind: Int, flag: Int, plain_blockquotes: bool, state: Int64s, stack: NDArray[np.int64]) -> Int:
    """What an element is where it stands."""
    if kind in (INLINE, LINK, DROP):
        return kind
    if kind == QUOTE:
        return BLOCK if flag & IS_INDENTED and not plain_blockquotes else QUOTE
    if state[_CONTAINERS] == 0:
        if kind == LABEL:
            return INLINE if flag & IS_CITE else BLOCK
        return BLOCK if kind == HEADER else kind
    quote = stack[_BOXES, state[_CONTAINERS] - 1]
    if quote < 0:  # in a box of code, the first line says "Code: Select all"
        return DROP if kind == LABEL or flag & IS_PARAGRAPH else kind
    if kind == LABEL:
        if not stack[_IS_BEGUN, quote] and not stack[_HAS_HEADER, quote]:
            return HEADER
        return INLINE if flag & IS_CITE else BLOCK
    if flag & IS_BARE and not stack[_IS_BEGUN, quote]:
        top = state[_OPEN] - 1
        if stack[_NAMES, top] == TD and stack[_KINDS, top] == QUOTE:
            return HEADER  # vBulletin 3: the first line of a quote that names its author
    return kind


@helper
def _open(
    kind: Int,
    name: Int,
    flag: Int,
    place: Int,
    out: Bytes,
    state: Int64s,
    stack: NDArray[np.int64],
    notes: NDArray[np.int64],
) -> bool:
    """Note that an element is open; whether it begins with text of its own."""
    top = state[_OPEN]
    stack[_NAMES, top], stack[_KINDS, top], stack[_FLAGS, top] = name, kind, flag
    state[_OPEN] = top + 1
    if kind == INLINE:
        return False
    if state[_LABEL] >= 0:
        if kind == LINK:
            _note(np.int64(SOURCE), state[_LABEL], place, place, state, notes)
    elif kind == LINK:
        stack[_HREFS, state[_LINKS]] = place
        state[_LINKS] += 1
    elif kind == BLOCK:
        _block(1, state)
    elif kind == PARAGRAPH:
        # the first paragraph of a list item stays on its line
        to = state[_TO]
        follows = state[_ANY] > 0 and state[_BREAKS] == 0 and to - state[_CHUNK] >= 2
        if not (follows and out[to - 2] == ord("-") and out[to - 1] == _BLANK):
            _block(2, state)
    elif kind == CELL:
        if state[_BREAKS] == 0 and state[_ANY] > 0:
            state[_GAP] = _TAB
    elif kind == LIST:
        _block(1 if state[_LISTS] > 0 else 2, state)
        stack[_COUNTS, state[_LISTS]] = 0 if flag & IS_NUMBERED else -1
        state[_LISTS] += 1
    elif kind == ITEM:
        _block(1, state)
        return True
    elif kind == PRE:
        _block(1, state)
        state[_PRES] += 1
    else:
        _block(1, state)
        if kind == QUOTE:
            _begin_quote(flag, place, state, stack, notes)
        elif kind == CODEBOX:
            stack[_BOXES, state[_CONTAINERS]] = -1
            state[_CONTAINERS] += 1
        else:
            state[_LABEL] = state[_LABELS]
            state[_LABELS] += 1
            state[_LABEL_DEPTH] = state[_OPEN]
            state[_LABEL_START] = state[_SAID]
            state[_LABEL_SAYS] = 0
            state[_IS_BEFORE] = kind == HEADING
    return False


@helper
def _void(kind: Int, out: Bytes, state: Int64s) -> bool:
    """Do what an element says that holds nothing; whether it stands for a text."""
    if kind == BREAK:
        _line_break(out, state)
    elif kind == RULE:
        _block(1, state)
    return bool(kind == IMAGE and state[_LABEL] < 0)


@helper
def _close(name: Int, flag: Int, state: Int64s, stack: NDArray[np.int64], notes: NDArray[np.int64]) -> None:
    if state[_DROPPED] > 0:
        state[_DROPPED] -= flag & IS_VOID == 0
        return
    top = state[_OPEN] - 1
    if top < 0 or stack[_NAMES, top] != name:
        return
    kind = stack[_KINDS, top]
    state[_OPEN] = top
    if kind == INLINE:
        return
    if state[_LABEL] >= 0:
        if top < state[_LABEL_DEPTH]:
            _end_label(state, stack, notes)
            _block(1, state)
    elif kind == LINK:
        state[_LINKS] = max(state[_LINKS] - 1, 0)
    elif kind == PARAGRAPH:
        _block(2, state)
    elif kind == PRE:
        state[_PRES] -= 1
        _block(1, state)
    elif kind == LIST:
        state[_LISTS] -= 1
        _block(1 if state[_LISTS] > 0 else 2, state)
    elif kind in (QUOTE, CODEBOX):
        _end_container(state, stack, notes)
        _block(2 if kind == QUOTE else 1, state)
    elif kind != CELL:
        _block(1, state)


@helper
def _line_break(out: Bytes, state: Int64s) -> None:
    if state[_LABEL] >= 0:
        out[state[_SAID]] = _BLANK
        state[_SAID] += 1
    else:
        state[_BREAKS] = min(state[_BREAKS] + 1, _MAX_BREAKS)
        state[_GAP] = 0


@helper
def _block(breaks: Int, state: Int64s) -> None:
    state[_BREAKS] = max(state[_BREAKS], breaks)
    state[_GAP] = 0


@helper
def _marker(out: Bytes, state: Int64s, stack: NDArray[np.int64]) -> None:
    """Write what stands before a list item."""
    to = state[_TO]
    lists = state[_LISTS]
    for _ in range(2 * min(max(0, lists - 1), _MAX_INDENT)):
        out[to] = _BLANK
        to += 1
    if lists > 0 and stack[_COUNTS, lists - 1] >= 0:
        number = stack[_COUNTS, lists - 1] + 1
        stack[_COUNTS, lists - 1] = number
        size, rest = 1, number // 10
        while rest > 0:
            size += 1
            rest //= 10
        for place in range(size - 1, -1, -1):
            out[to + place] = ord("0") + number % 10
            number //= 10
        to += size
        out[to] = ord(".")
    else:
        out[to] = ord("-")
    out[to + 1] = _BLANK
    state[_TO] = to + 2


@helper
def _smiley(smileys: Bytes, start: Int, end: Int, out: Bytes, state: Int64s) -> None:
    to = state[_TO]
    for place in range(start, end):
        out[to] = smileys[place]
        to += 1
    state[_TO] = to


# -- quotes


@helper
def _begin_quote(
    flag: Int, place: Int, state: Int64s, stack: NDArray[np.int64], notes: NDArray[np.int64]
) -> None:
    quote = state[_QUOTES]
    state[_QUOTES] += 1
    stack[_IS_BEGUN, quote] = stack[_HAS_HEADER, quote] = 0
    stack[_HAS_LABEL, quote] = flag & IS_SAID != 0
    _note(np.int64(OPENED), quote, place, place, state, notes)
    _block(2, state)
    if state[_WAITING] >= 0:
        _name(quote, state[_WAITING], state[_WAITING_SAYS], state, stack, notes)
        state[_WAITING] = -1
    stack[_BOXES, state[_CONTAINERS]] = quote
    state[_CONTAINERS] += 1
    if state[_CONTAINERS] <= MAX_QUOTE_DEPTH:
        stack[_WAIT, state[_PENDING]] = quote
        state[_PENDING] += 1


@helper
def _name(
    quote: Int, label: Int, says: Int, state: Int64s, stack: NDArray[np.int64], notes: NDArray[np.int64]
) -> None:
    _note(np.int64(NAMED), quote, label, label, state, notes)
    if says:
        stack[_HAS_HEADER, quote] = stack[_HAS_LABEL, quote] = 1


@helper
def _end_label(state: Int64s, stack: NDArray[np.int64], notes: NDArray[np.int64]) -> None:
    label = state[_LABEL]
    words = state[_WORDS]
    _note(np.int64(LABEL_END), label, state[_LABEL_START] - words, state[_SAID] - words, state, notes)
    state[_LABEL] = -1
    if state[_IS_BEFORE]:
        state[_WAITING], state[_WAITING_SAYS] = label, state[_LABEL_SAYS]
    elif state[_CONTAINERS] > 0 and stack[_BOXES, state[_CONTAINERS] - 1] >= 0:
        _name(stack[_BOXES, state[_CONTAINERS] - 1], label, state[_LABEL_SAYS], state, stack, notes)


@helper
def _end_container(state: Int64s, stack: NDArray[np.int64], notes: NDArray[np.int64]) -> None:
    state[_CONTAINERS] -= 1
    quote = stack[_BOXES, state[_CONTAINERS]]
    if quote < 0:
        return
    if stack[_IS_BEGUN, quote]:
        _note(np.int64(ENDED), quote, state[_TO], state[_TO], state, notes)
    elif state[_PENDING] > 0 and stack[_WAIT, state[_PENDING] - 1] == quote:
        state[_PENDING] -= 1


# -- text


@helper
def _text(
    data: Bytes,
    at: Int,
    end: Int,
    out: Bytes,
    state: Int64s,
    stack: NDArray[np.int64],
    notes: NDArray[np.int64],
) -> None:
    """What stands between two tags, with its line breaks."""
    while True:
        stop = eights.find(data, at, end, ord("<"))
        while stop < end and not is_break(data, stop, end):
            stop = eights.find(data, stop + 1, end, ord("<"))
        if at < stop:
            _line(data, at, stop, out, state, stack, notes)
        if stop >= end:
            return
        _line_break(out, state)
        at = stop + len("<br>")


@helper
def _line(
    data: Bytes,
    at: Int,
    end: Int,
    out: Bytes,
    state: Int64s,
    stack: NDArray[np.int64],
    notes: NDArray[np.int64],
) -> None:
    """Text without a line break in it: words, or code that keeps its white space, or part of a label."""
    is_label, is_code = state[_LABEL] >= 0, state[_PRES] > 0
    gap = breaks = 0
    start = state[_SAID]
    if not is_label:
        before = at
        if is_code:
            at, end, breaks = _without_ends(data, at, end, state)
        else:
            gap = _BLANK if _is_blank(data[end - 1]) else 0
            while at < end and _is_blank(data[at]):
                at += 1
            while at < end and _is_blank(data[end - 1]):
                end -= 1
            # `<p>&nbsp;</p>` is how editors write an empty line
            begins_line = state[_BREAKS] > 0 or state[_ANY] == 0
            is_empty = at == end or (begins_line and _is_empty(data, at, end, is_label))
            if (is_empty or at > before) and state[_GAP] == 0:
                state[_GAP] = _BLANK
            if is_empty:
                return
        if at < end:
            _begin_text(out, state, stack, notes)
        start = state[_TO]
    how = _AS_IT_IS if is_label else _AS_CODE if is_code else _AS_TEXT
    to = _copy(data, at, end, out, start, how)
    if is_label:
        state[_SAID] = to
        if stack[_FLAGS, state[_OPEN] - 1] & IS_EMPHASIS:
            words = state[_WORDS]
            _note(np.int64(SPAN), state[_LABEL], start - words, to - words, state, notes)
        if not _is_empty(data, at, end, is_label):
            state[_LABEL_SAYS] = 1
        return
    state[_TO] = to
    state[_BREAKS] += breaks
    if gap:
        state[_GAP] = gap
    if state[_LINKS] > 0 and not is_code and _is_cut_short(out, start, to):
        _note(np.int64(SHORTENED), stack[_HREFS, state[_LINKS] - 1], start, to, state, notes)


@helper
def _without_ends(data: Bytes, at: Int, end: Int, state: Int64s) -> tuple[Int, Int, Int]:
    """Code without the line ends around it: its offsets, and how many are due behind it.

    Those before it are due at once.
    """
    while at < end and (data[at] == _LINE_FEED or data[at] == _RETURN):
        if not (data[at] == _RETURN and at + 1 < end and data[at + 1] == _LINE_FEED):
            state[_BREAKS] += 1
        at += 1
    breaks = 0
    while at < end and (data[end - 1] == _LINE_FEED or data[end - 1] == _RETURN):
        end -= 1
        if not (data[end] == _LINE_FEED and at < end and data[end - 1] == _RETURN):
            breaks += 1
    return at, end, breaks


@helper
def _is_blank(byte: Int) -> bool:
    return bool(byte in (_BLANK, _LINE_FEED, _TAB, _RETURN, _FORM_FEED))


@helper
def _is_empty(data: Bytes, at: Int, end: Int, or_breaks: bool) -> bool:
    """Whether there are but blanks, of those that do not break lines or of all."""
    while at < end:
        if at + 6 <= end and data[at] == ord("&") and _holds(data, at + 1, _NBSP, _OF_FIVE):
            at += 6
        elif at + 2 <= end and data[at] == 0xC2 and data[at + 1] == 0xA0:
            at += 2
        elif data[at] == _BLANK or (or_breaks and _is_blank(data[at])):
            at += 1
        else:
            return False
    return True


@helper
def _holds(data: Bytes, at: Int, word: np.uint64, unused: np.uint64) -> bool:
    """Whether a word stands there, but for its last bits. `eights.holds` is compiled anew for each string."""
    return bool((eights.load(data, at) ^ word) << unused == 0)


@helper
def _is_cut_short(out: Bytes, at: Int, end: Int) -> bool:
    """Whether three dots stand there, or one character of three."""
    while at + 3 <= end:
        if out[at] == ord(".") and out[at + 1] == ord(".") and out[at + 2] == ord("."):
            return True
        if out[at] == 0xE2 and out[at + 1] == 0x80 and out[at + 2] == 0xA6:
            return True
        at += 1
    return False


@helper
def _begin_text(out: Bytes, state: Int64s, stack: NDArray[np.int64], notes: NDArray[np.int64]) -> None:
    """Write what is due before text."""
    state[_WAITING] = -1  # what it was the label of was no quote
    for place in range(state[_PENDING]):
        quote = stack[_WAIT, place]
        if stack[_HAS_LABEL, quote]:
            _due(out, state)
            _note(np.int64(LABELLED), quote, state[_TO], state[_TO], state, notes)
            state[_ANY] = 1
            state[_BREAKS] = 1
        _due(out, state)
        _note(np.int64(BEGUN), quote, state[_TO], state[_TO], state, notes)
        stack[_IS_BEGUN, quote] = 1
    state[_PENDING] = 0
    _due(out, state)
    state[_CHUNK] = state[_TO]
    state[_ANY] = 1


@helper
def _due(out: Bytes, state: Int64s) -> None:
    to = state[_TO]
    if state[_BREAKS] > 0:
        if state[_ANY]:
            state[_CHUNK] = to
            for _ in range(state[_BREAKS]):
                out[to] = _LINE_FEED
                to += 1
    elif state[_GAP] > 0 and state[_ANY]:
        last = out[to - 1] if to > state[_CHUNK] else np.uint8(0)
        if last != _BLANK and last != _LINE_FEED and last != _TAB:
            state[_CHUNK] = to
            out[to] = state[_GAP]
            to += 1
    state[_TO] = to
    state[_BREAKS] = state[_GAP] = 0


@helper
def _copy(data: Bytes, at: Int, end: Int, out: Bytes, to: Int, how: Int) -> Int:
    """Copy text, as it was before it was serialised; the offset behind it.

    how: with one blank for each run of them; or with line feeds alone for line ends; or as it is.
    """
    while at < end:
        word = eights.load(data, at)
        eights.store(out, to, word)
        found = eights.below(word, _BLANK + 1) | eights.equal(word, ord("&"))
        size = min(eights.first(found) if found else eights.SIZE, end - at)
        at += size
        to += size
        if at >= end or not found:
            continue
        byte: Int = data[at]
        at += 1
        if byte == ord("&"):
            at, byte = _escaped(data, at, end)
            if byte == 0xA0:
                out[to] = 0xC2
                to += 1
        elif how == _AS_TEXT:
            if _is_blank(byte):
                byte = np.uint8(_BLANK)
                while _is_blank(data[at]):  # text ends with none
                    at += 1
        elif how == _AS_CODE and byte == _RETURN:
            byte = np.uint8(_LINE_FEED)
            at += at < end and data[at] == _LINE_FEED
        out[to] = byte
        to += 1
    return to


@helper
def _escaped(data: Bytes, at: Int, end: Int) -> tuple[Int, Int]:
    """What stands for the `&` before `at` and what follows it: an offset, and a character.

    A parser that serialises a text escapes these, and no others.
    """
    size = end - at
    if size >= 3 and data[at + 1] == ord("t") and data[at + 2] == ord(";"):
        if data[at] == ord("l"):
            return at + 3, np.uint8(ord("<"))
        if data[at] == ord("g"):
            return at + 3, np.uint8(ord(">"))
    if size >= 4 and _holds(data, at, _AMP, _OF_FOUR):
        return at + 4, np.uint8(ord("&"))
    if size >= 5 and _holds(data, at, _NBSP, _OF_FIVE):
        return at + 5, np.uint8(0xA0)
    if size >= 5 and _holds(data, at, _QUOT, _OF_FIVE):
        return at + 5, np.uint8(ord('"'))
    return at, np.uint8(ord("&"))
