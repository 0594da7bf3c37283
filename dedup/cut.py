"""Decisions in words → stretches of clean text, in bytes, then in code points of the raw text.

What is cut ends where a reader would end it: punctuation that belongs to the last word goes with it, a
line that holds nothing else goes whole, and the text left behind has no stray white space, so that
normalizing it again changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Int, Int32s, Int64s, UInt16s, helper
from dedup.decide import BOILER, QUOTE, QUOTE_CHROME
from dedup.text.tokens import TAG
from dedup.trace import DROP, ROW_END, ROW_KEPT, ROW_POST, ROW_SOURCE, ROW_START, ROW_VIA, ROW_WHY

_NEWLINE, _SPACE, _TAB = 10, 32, 9
_OPENING, _CLOSING, _PREFIX = 91, 93, 62


@helper
def _blank(byte: Int) -> Any:
    return byte in (_SPACE, _TAB, _NEWLINE)


@helper
def _line_begin(data: Bytes, begin: Int, at: Int) -> Any:
    while at > begin and data[at - 1] != _NEWLINE:
        at -= 1
    return at


@helper
def _line_end(data: Bytes, at: Int, end: Int) -> Any:
    while at < end and data[at] != _NEWLINE:
        at += 1
    return at


@njit(nogil=True, cache=True)
def cut_rows(
    rows: Int64s,
    data: Bytes,
    begins: Int64s,
    word_offsets: Int64s,
    starts: Int32s,
    ends: Int32s,
    info: UInt16s,
    source_trails: Int64s,
    action: Bytes,
    marked: bool,
) -> Any:
    """Where each row of a block of posts is cut.

    rows: int64 [n, 12], sorted by (post, start), posts counted from the block's first. data, begins: the
    clean texts. word_offsets: int64 [posts + 1], global; starts, ends: int32, bytes in the post, and info,
    of the block's words; source_trails: int64 [n], see `trails`, of the last word of each
    row's source.
    marked: whether something will stand in place of the quotes. Returns int32 [n, 2].
    """
    out = np.zeros((rows.shape[0], 2), np.int32)
    first_word = word_offsets[0]
    r = np.int64(0)
    while r < rows.shape[0]:
        post = rows[r, ROW_POST]
        stop = r
        while stop < rows.shape[0] and rows[stop, ROW_POST] == post:
            stop += 1
        begin = begins[post]
        end = begins[post + 1]
        post_word = word_offsets[post]
        post_word_end = word_offsets[post + 1]
        for i in range(r, stop):
            start_word = rows[i, ROW_START]
            end_word = rows[i, ROW_END]
            if end_word <= start_word:
                left = begin
                right = end
            else:
                left = begin + starts[start_word - first_word]
                right = begin + ends[end_word - 1 - first_word]
                line = _line_begin(data, begin, left)
                before = begin + ends[start_word - 1 - first_word] if start_word > post_word else begin
                after = begin + starts[end_word - first_word] if end_word < post_word_end else end
                tag_before = start_word > post_word and info[start_word - 1 - first_word] & TAG
                if tag_before:
                    before = _behind_bracket(data, before, left)
                if info[start_word - first_word] & TAG and _bracket(data, before, left) < left:
                    left = _bracket(data, before, left)
                elif line >= before:
                    left = line  # the first word of its line: prefixes and opening quotes go with it
                    if rows[i, ROW_WHY] == BOILER and left > begin:
                        above = _line_begin(data, begin, left - 1)
                        if above >= before:
                            left = above  # the line of dashes that sets off a signature
                elif tag_before:
                    left = before
                else:
                    while left > before and not _blank(data[left - 1]):
                        left -= 1
                line = _line_end(data, right, end)
                if end_word < post_word_end and info[end_word - first_word] & TAG:
                    line = min(line, _bracket(data, right, after))  # a tag ends the line, too
                if info[end_word - 1 - first_word] & TAG and _behind_bracket(data, right, after) > right:
                    right = _behind_bracket(data, right, after)
                elif line <= after and (
                    _trail(data, right, line) == source_trails[i] or _only_closes(data, right, line)
                ):
                    right = line
                else:
                    while right < after and not _blank(data[right]):
                        right += 1
                    if right == after and after < end:
                        # touching the next word: only what closes, nothing that opens it
                        while right > begin + ends[end_word - 1 - first_word] and not _closes(
                            data[right - 1]
                        ):
                            right -= 1
                if (
                    rows[i, ROW_WHY] == QUOTE_CHROME
                    and i + 1 < stop
                    and rows[i + 1, ROW_START] == end_word
                    and not rows[i + 1, ROW_KEPT]
                ):
                    # a line of nothing but an arrow between "X said:" and what X said
                    right = max(right, _line_begin(data, begin, begin + starts[end_word - first_word]))
                if rows[i, ROW_WHY] == QUOTE and right < end and data[right] == _NEWLINE:
                    # between two passages such a line is part of the one that was quoted through the other
                    follows = i > r and rows[i - 1, ROW_END] == start_word and _is_apart(rows, i, i - 1)
                    leads = i + 1 < stop and rows[i + 1, ROW_START] == end_word and _is_apart(rows, i, i + 1)
                    left, right = _with_bare_prefixes(
                        data, left, right, left if follows else before, right if leads else after, end
                    )
            out[i, 0] = left - begin
            out[i, 1] = right - begin
        if action[post] == DROP:
            _cover(rows, out, r, stop, end - begin)
        elif not marked:
            _tidy(rows, out, r, stop, data, begin, end)
        else:
            _part(rows, out, r, stop)
        r = stop
    return out


@helper
def _is_apart(rows: Int64s, one: Int, other: Int) -> Any:
    """Whether two rows are taken out, lead to different posts, and `one` was not quoted through the other."""
    return (
        not rows[one, ROW_KEPT]
        and not rows[other, ROW_KEPT]
        and (rows[one, ROW_SOURCE] != rows[other, ROW_SOURCE] or rows[one, ROW_VIA] != rows[other, ROW_VIA])
        and rows[one, ROW_VIA] != rows[other, ROW_SOURCE]
    )


@helper
def _with_bare_prefixes(data: Bytes, left: Int, right: Int, before: Int, after: Int, end: Int) -> Any:
    """A stretch of whole quoted lines, with the lines around it, in before:after, that hold only `>`."""
    at = left
    while at < right and _blank(data[at]):
        at += 1
    if at == right or data[at] != _PREFIX:
        return left, right
    at = right
    bare = False  # whether the line so far holds a `>`, and nothing else
    while at < after and (_blank(data[at]) or data[at] == _PREFIX):
        if data[at] == _PREFIX:
            bare = True
        elif data[at] == _NEWLINE and bare:
            right = at
            bare = False
        at += 1
    if bare and at == end:
        right = end  # else it is the next word's own
    at = left
    while at > before and (_blank(data[at - 1]) or data[at - 1] == _PREFIX):
        at -= 1
        if data[at] == _PREFIX and (at == before or data[at - 1] == _NEWLINE):
            left = at
    return left, right


@helper
def _bracket(data: Bytes, at: Int, stop: Int) -> Any:
    """Where the last `[` in at:stop is, or `stop`: the tag that follows begins there."""
    for i in range(stop - 1, at - 1, -1):
        if data[i] == _OPENING:
            return i
    return stop


@helper
def _behind_bracket(data: Bytes, at: Int, stop: Int) -> Any:
    """Where the first `]` in at:stop ends, or `at`: the tag that goes before ends there."""
    for i in range(at, stop):
        if data[i] == _CLOSING:
            return i + 1
    return at


@helper
def _trail(data: Bytes, at: Int, stop: Int) -> Any:
    """What stands at:stop besides blanks, hashed: is it the same here and in the source?"""
    mixed = np.int64(0)
    while at < stop:
        if not _blank(data[at]):
            mixed = mixed * 1_000_003 + np.int64(data[at]) + 1
        at += 1
    return mixed


@njit(nogil=True, cache=True)
def trails(
    words: Int64s,
    owners: Int64s,
    data: Bytes,
    begins: Int64s,
    word_offsets: Int64s,
    starts: Int32s,
    ends: Int32s,
) -> Any:
    """What follows some words of a block up to the next word or the end of the line, hashed.

    words: int64 [n], global word positions; owners: int64 [n], the block's posts they stand in.
    Returns int64 [n].
    """
    out = np.empty(words.shape[0], np.int64)
    first_word = word_offsets[0]
    for i in range(words.shape[0]):
        begin = begins[owners[i]]
        end = begins[owners[i] + 1]
        word = words[i]
        stop = begin + starts[word + 1 - first_word] if word + 1 < word_offsets[owners[i] + 1] else end
        at = begin + ends[word - first_word]
        out[i] = _trail(data, at, min(stop, _line_end(data, at, end)))
    return out


@njit(nogil=True, cache=True)
def source_spots(
    first_words: Int64s,
    last_words: Int64s,
    owners: Int64s,
    data: Bytes,
    begins: Int64s,
    word_offsets: Int64s,
    starts: Int32s,
    ends: Int32s,
) -> Any:
    """Where passages lie in their sources, with the punctuation that goes with a removed passage.

    first_words, last_words: int64 [n], global word positions. Returns int32 [n, 2], bytes of the post.
    """
    out = np.empty((owners.shape[0], 2), np.int32)
    base = word_offsets[0]
    for i in range(owners.shape[0]):
        begin = begins[owners[i]]
        end = begins[owners[i] + 1]
        first = first_words[i]
        last = last_words[i]
        before = begin + ends[first - 1 - base] if first > word_offsets[owners[i]] else begin
        after = begin + starts[last + 1 - base] if last + 1 < word_offsets[owners[i] + 1] else end
        left = begin + starts[first - base]
        while left > before and not _blank(data[left - 1]):
            left -= 1
        right = begin + ends[last - base]
        line = _line_end(data, right, end)
        if line <= after:
            while line > right and _blank(data[line - 1]):
                line -= 1
            right = line
        else:
            while right < after and not _blank(data[right]):
                right += 1
        out[i, 0] = left - begin
        out[i, 1] = right - begin
    return out


@helper
def _closes(byte: Int) -> Any:
    """ASCII punctuation that ends a word, or a byte of a longer character."""
    return (
        byte >= 0x80
        or byte == 46  # .
        or byte == 44  # ,
        or byte == 33  # !
        or byte == 63  # ?
        or byte == 59  # ;
        or byte == 58  # :
        or byte == 41  # )
        or byte == 93  # ]
        or byte == 34  # "
        or byte == 39  # '
        or byte == 62  # >
    )


@helper
def _only_closes(data: Bytes, at: Int, end: Int) -> Any:
    """Whether nothing but blanks and punctuation that touches the last word is left on the line."""
    while at < end and not _blank(data[at]) and _closes(data[at]):
        at += 1
    while at < end and _blank(data[at]):
        at += 1
    return at == end


@helper
def _part(rows: Int64s, out: Int32s, first: Int, last: Int) -> None:
    """Rows of one post must not overlap."""
    before = np.int32(0)
    for i in range(first, last):
        if rows[i, ROW_KEPT]:
            continue
        out[i, 0] = max(out[i, 0], before)
        out[i, 1] = max(out[i, 1], out[i, 0])
        before = out[i, 1]


@helper
def _cover(rows: Int64s, out: Int32s, first: Int, last: Int, size: Int) -> None:
    """The rows of a dropped post share its whole text among them."""
    before = np.int32(0)
    previous = -1
    for i in range(first, last):
        if rows[i, ROW_KEPT]:
            continue
        out[i, 0] = max(before, out[i, 0]) if previous >= 0 else 0
        if previous >= 0:
            out[previous, 1] = out[i, 0]
        before = max(out[i, 0], out[i, 1])
        previous = i
    if previous >= 0:
        out[previous, 1] = size


@helper
def _tidy(
    rows: Int64s,
    out: Int32s,
    first: Int,
    last: Int,
    data: Bytes,
    begin: Int,
    end: Int,
) -> None:
    """Widen the cuts of one post over white space that would be left astray."""
    _part(rows, out, first, last)
    # what is kept so far ends before `kept_end`, in `newlines` newlines and `blanks` blanks after them
    previous = -1
    for i in range(first, last):
        if rows[i, ROW_KEPT]:
            continue
        left = begin + out[i, 0]
        right = begin + out[i, 1]
        low = begin + out[previous, 1] if previous >= 0 else begin
        between = low
        while between < left and _blank(data[between]):
            between += 1
        if previous >= 0 and between == left:
            left = low  # nothing but white space since the cut before
            out[i, 0] = left - begin
        previous = i
        next_cut = end
        for k in range(i + 1, last):
            if not rows[k, ROW_KEPT]:
                next_cut = begin + out[k, 0]
                break
        out[i, 1] = max(right, left) - begin
        if next_cut < end:
            gap = right
            while gap < next_cut and _blank(data[gap]):
                gap += 1
            if gap == next_cut:
                out[i, 1] = next_cut - begin  # the next cut goes on from here
    # now group touching cuts and look at both sides of each group
    i = first
    while i < last:
        if rows[i, ROW_KEPT]:
            i += 1
            continue
        group_last = i
        k = i + 1
        while k < last:
            if not rows[k, ROW_KEPT]:
                if out[k, 0] > out[group_last, 1]:
                    break
                group_last = k
            k += 1
        left = begin + out[i, 0]
        right = begin + out[group_last, 1]
        low = begin
        for q in range(i - 1, first - 1, -1):
            if not rows[q, ROW_KEPT]:
                low = begin + out[q, 1]
                break
        high = end
        for q in range(group_last + 1, last):
            if not rows[q, ROW_KEPT]:
                high = begin + out[q, 0]
                break
        blank_left = left
        while blank_left > low and _blank(data[blank_left - 1]):
            blank_left -= 1
        blank_right = right
        while blank_right < high and _blank(data[blank_right]):
            blank_right += 1
        starts_text = blank_left == begin
        ends_text = blank_right == end
        if ends_text:
            right = end
            left = blank_left
        elif starts_text:
            left = begin
            # indentation of the first line that stays is kept
            while right < blank_right:
                line = right
                while line < blank_right and data[line] != _NEWLINE:
                    line += 1
                if line == blank_right:
                    break
                right = line + 1
            if right == begin + out[group_last, 1] and blank_right > right and data[right] != _NEWLINE:
                right = blank_right
        else:
            newlines = 0
            for b in range(blank_left, left):
                if data[b] == _NEWLINE:
                    newlines += 1
            newlines_right = 0
            for b in range(right, blank_right):
                if data[b] == _NEWLINE:
                    newlines_right += 1
            if newlines_right:
                # no blanks at the end of the line before
                while left > blank_left and data[left - 1] != _NEWLINE:
                    left -= 1
                most = 2 - newlines
                while newlines_right > max(0, most):
                    while data[right] != _NEWLINE:
                        right += 1
                    right += 1
                    newlines_right -= 1
                while newlines_right and data[right] != _NEWLINE:
                    right += 1
            elif newlines or left > blank_left:
                right = blank_right
        out[i, 0] = left - begin
        out[group_last, 1] = right - begin
        i = group_last + 1


@njit(nogil=True, cache=True)
def count_points(data: Bytes, begins: Int64s, rows: Int64s, spots: Int32s) -> Any:
    """Byte offsets in clean texts as code point offsets.

    rows: int64 [n], which text each spot is in; spots: int32 [n], sorted by row is fastest.
    """
    out = np.empty(spots.shape[0], np.int32)
    for i in range(spots.shape[0]):
        begin = begins[rows[i]]
        stop = begin + spots[i]
        at = begin
        count = 0
        if i > 0 and rows[i] == rows[i - 1] and spots[i] >= spots[i - 1]:
            at = begin + spots[i - 1]
            count = out[i - 1]
        while at < stop:
            if data[at] & 0xC0 != 0x80:
                count += 1
            at += 1
        out[i] = count
    return out


@njit(nogil=True, cache=True)
def carry_to_raw(
    rows: Int64s,
    spots: Int32s,
    side_end: bool,
    change_offsets: Int32s,
    change_starts: Int32s,
    change_ends: Int32s,
    change_sizes: Int32s,
) -> Any:
    """Code point offsets in clean texts as offsets in the raw texts (see `normalize.edits.to_raw`).

    change_offsets: [texts + 1]; change_sizes: code points of each change's new text.
    """
    out = np.empty(spots.shape[0], np.int32)
    for i in range(spots.shape[0]):
        shift = 0
        spot = spots[i]
        raw = spot
        settled = False
        for c in range(change_offsets[rows[i]], change_offsets[rows[i] + 1]):
            clean_start = change_starts[c] - shift
            clean_end = clean_start + change_sizes[c]
            if side_end:
                if clean_start >= spot:
                    break
                if clean_end > spot:
                    raw = change_ends[c]
                    settled = True
                    break
            else:
                if clean_start > spot:
                    break
                if clean_end > spot and clean_start < spot:
                    raw = change_starts[c]
                    settled = True
                    break
                if clean_end > spot:
                    break
            shift = change_ends[c] - clean_end
        if not settled:
            raw = spot + shift
        out[i] = raw
    return out


APART, SWALLOWED, TORN = range(3)
"""What becomes of a change: it stays an edit, a removal holds it, a removal cuts through it."""


@njit(nogil=True, cache=True)
def change_fates(
    change_owners: Int64s,
    change_offsets: Int32s,
    change_starts: Int32s,
    change_ends: Int32s,
    change_sizes: Int32s,
    row_owners: Int64s,
    points: Int32s,
) -> Any:
    """What becomes of each change where rows are taken out: uint8 [changes].

    row_owners: int64 [rows], sorted; points: int32 [rows, 2], code points of the clean text.
    """
    fates = np.zeros(change_owners.shape[0], np.uint8)
    row = 0
    shift = 0
    for c in range(change_owners.shape[0]):
        post = change_owners[c]
        if c == change_offsets[post]:
            shift = 0
            while row < row_owners.shape[0] and row_owners[row] < post:
                row += 1
        start = change_starts[c] - shift
        end = start + change_sizes[c]
        shift = change_ends[c] - end
        while row < row_owners.shape[0] and row_owners[row] == post and points[row, 1] <= start:
            if points[row, 1] == start and end == start:
                break
            row += 1
        r = row
        while r < row_owners.shape[0] and row_owners[r] == post and points[r, 0] <= end:
            if end > start:
                if start < points[r, 1] and end > points[r, 0]:
                    inside = start >= points[r, 0] and end <= points[r, 1]
                    fates[c] = max(fates[c], SWALLOWED if inside else TORN)
            elif points[r, 0] < start < points[r, 1]:
                fates[c] = SWALLOWED
            r += 1
    return fates


@helper
def _byte_at(data: Bytes, at: Int, end: Int, points: Int) -> Any:
    """The byte offset that lies `points` code points after `at`."""
    while at < end and points > 0:
        at += 1
        while at < end and data[at] & 0xC0 == 0x80:
            at += 1
        points -= 1
    return at


@njit(nogil=True, cache=True)
def gather(data: Bytes, begins: Int64s, owners: Int64s, starts: Int32s, ends: Int32s) -> Any:
    """Stretches of texts, given in code points and sorted by text and start: (bytes, int64 offsets)."""
    n = owners.shape[0]
    offsets = np.zeros(n + 1, np.int64)
    firsts = np.empty(n, np.int64)
    at = np.int64(0)
    passed = np.int64(0)
    for i in range(n):
        end = begins[owners[i] + 1]
        if i == 0 or owners[i] != owners[i - 1] or starts[i] < passed:
            at = begins[owners[i]]
            passed = np.int64(0)
        at = _byte_at(data, at, end, starts[i] - passed)
        passed = np.int64(starts[i])
        firsts[i] = at
        stop = _byte_at(data, at, end, ends[i] - starts[i])
        offsets[i + 1] = offsets[i] + stop - at
    out = np.empty(offsets[n], np.uint8)
    for i in range(n):
        size = offsets[i + 1] - offsets[i]
        out[offsets[i] : offsets[i + 1]] = data[firsts[i] : firsts[i] + size]
    return out, offsets


@njit(nogil=True, cache=True)
def cut_texts(
    data: Bytes,
    begins: Int64s,
    owners: Int64s,
    spots: Int32s,
    new_data: Bytes,
    new_begins: Int64s,
) -> Any:
    """Texts without their rows' stretches, with what is put in their place: (bytes, int64 offsets).

    owners: int64 [rows], sorted; spots: int32 [rows, 2], bytes of the text, not overlapping.
    """
    posts = begins.shape[0] - 1
    offsets = np.zeros(posts + 1, np.int64)
    out = np.empty(begins[posts] - begins[0] + new_begins[owners.shape[0]] - new_begins[0], np.uint8)
    size = np.int64(0)
    row = 0
    for post in range(posts):
        at = begins[post]
        while row < owners.shape[0] and owners[row] == post:
            stop = begins[post] + spots[row, 0]
            out[size : size + stop - at] = data[at:stop]
            size += stop - at
            put = new_begins[row + 1] - new_begins[row]
            out[size : size + put] = new_data[new_begins[row] : new_begins[row + 1]]
            size += put
            at = begins[post] + spots[row, 1]
            row += 1
        stop = begins[post + 1]
        out[size : size + stop - at] = data[at:stop]
        size += stop - at
        offsets[post + 1] = size
    return out[:size].copy(), offsets
