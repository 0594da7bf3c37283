"""The tags in serialised HTML: where they stand, and by numbers what they mean.

What a tag means (`tags.read_tag`) is found out once and looked up from then on: the pages of a board repeat
a few hundred. The address in a link, which differs from link to link, does not belong to what is looked up,
nor do the attributes of the outermost element, such as the number of a post.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.arrays import Bytes, Flags, Int, Int32s, Int64s, UInt64s, helper
from dedup.readers.pages.tags import LABEL, VOID, Tag, cited, read_tag, smiley
from dedup.text import eights

CLOSING, BREAK, RULE, IMAGE, EMPTY = range(LABEL + 1, LABEL + 6)
"""Kinds of tags besides those of `tags`; EMPTY: of an element that holds nothing and means nothing."""
_VOID_KINDS = {"br": BREAK, "hr": RULE, "img": IMAGE}
(
    IS_VOID,
    IS_CITE,
    IS_BARE,  # a `div` without attributes
    IS_NUMBERED,
    IS_INDENTED,  # a quote on some engines, on others only indented
    IS_PARAGRAPH,  # stands for a label in a box of code
    IS_SAID,  # a quote that names whose words it holds
    IS_EMPHASIS,  # in which names stand
) = (1 << bit for bit in range(8))
TD = 0
"""Number of that name."""

START, END, CUT, CUT_END, CODE = range(5)
"""Columns of the places of tags: offsets of a tag, of what is not looked up in it, and its code."""
_MOST_INSIDE = 8
"""So many `<` may stand in a tag, as in `<b<br>`; with more, each would be looked at from each."""
_MOST_KNOWN = 1 << 13
"""So many tags at most are kept from one call to the next."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Meanings(NamedTuple):
    """What tags mean, by code."""

    kinds: Int64s
    """Of those in `tags`, and those above."""
    flags: Int64s
    names: Int64s
    """Equal for elements of one name."""
    smiley_ends: Int64s
    """Where the text of a smiley ends in `smileys`; it begins where that of the code before ends."""
    smileys: Bytes


class _Keys(NamedTuple):
    """What codes are found by: the parts of a tag before and behind its cut."""

    slots: Int32s
    hashes: UInt64s
    cuts: Int64s
    ends: Int64s
    """A key begins where the one before ends."""
    bytes: Bytes


def may_hold_raw(data: Bytes, begins: Int64s) -> Flags:
    """Which texts of serialised HTML may hold comments, scripts and the like: some others, too."""
    found = np.empty(len(begins) - 1, np.bool_)
    _may_hold_raw(data, begins, found)
    return found


class TagTable:
    """The tags met so far."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.tags: list[Tag | None] = []
        """By code; None for closing tags."""
        self._codes: dict[tuple[bytes, bytes], int] = {}
        self._names = {"td": TD}
        none = np.empty(0, np.int64)
        self.meanings = Meanings(none, none, none, none, np.empty(0, np.uint8))
        self._keys = _Keys(
            np.full(2, -1, np.int32), none.astype(np.uint64), none, none, np.empty(0, np.uint8)
        )

    def find_tags(self, data: Bytes, begins: Int64s) -> tuple[Int64s, Int64s]:
        """The tags of texts that are serialised HTML: their places [tags, 5], and the first of each text.

        data: with a word more behind the last text.
        """
        if len(self.tags) > _MOST_KNOWN:
            self._forget()
        places = np.empty((int(begins[-1] - begins[0]) // len("<a>") + 1, 5), np.int64)
        firsts = np.empty(len(begins), np.int64)
        places = places[: _find_tags(data, begins, *self._keys, places, firsts)]
        unknown = np.flatnonzero(places[:, CODE] < 0)
        if len(unknown):
            places[unknown, CODE] = self._learn(data.tobytes(), places[unknown, :CODE].tolist())
        return places, firsts

    def _learn(self, data: bytes, places: list[list[int]]) -> list[int]:
        """The codes of tags of which some are new."""
        codes = []
        new: list[tuple[bytes, bytes]] = []
        rows: list[tuple[int, int, int, bytes]] = []
        for start, end, cut, cut_end in places:
            key = (data[start:cut], data[cut_end:end])
            code = self._codes.get(key)
            if code is None:
                code = self._codes[key] = len(self.tags)
                new.append(key)
                rows.append(self._meaning(b"".join(key).decode()))
            codes.append(code)
        self._add(new, rows)
        return codes

    def _meaning(self, token: str) -> tuple[int, int, int, bytes]:
        """Kind, flags, name and smiley of a tag, which becomes the last of `tags`."""
        numbers = self._names
        if token[1] == "/":
            self.tags.append(None)
            name = token[2:-1]
            return CLOSING, IS_VOID * (name in VOID), numbers.setdefault(name, len(numbers)), b""
        tag = read_tag(token)
        self.tags.append(tag)
        name = tag.name
        facts = {
            IS_VOID: name in VOID,
            IS_CITE: name == "cite",
            IS_BARE: name == "div" and not tag.attributes,
            IS_NUMBERED: name == "ol",
            IS_INDENTED: name == "blockquote" and "class" not in tag.attributes,
            IS_PARAGRAPH: name in ("p", "dt"),
            IS_SAID: bool(cited(tag)[0]),
            IS_EMPHASIS: name in ("a", "strong", "b", "em"),
        }
        kind = _VOID_KINDS.get(name, EMPTY) if name in VOID else tag.kind
        text = smiley(tag) if kind == IMAGE else None
        if kind == IMAGE and text is None:
            kind = EMPTY
        flags = sum(fact for fact, holds in facts.items() if holds)
        return kind, flags, numbers.setdefault(name, len(numbers)), (text or "").encode()

    def _add(self, keys: list[tuple[bytes, bytes]], rows: list[tuple[int, int, int, bytes]]) -> None:
        if not keys:
            return
        kinds, flags, names, smileys = zip(*rows, strict=True)
        known, meant = self._keys, self.meanings
        self.meanings = Meanings(
            np.append(meant.kinds, kinds),
            np.append(meant.flags, flags),
            np.append(meant.names, names),
            np.append(meant.smiley_ends, len(meant.smileys) + np.cumsum([len(text) for text in smileys])),
            np.append(meant.smileys, np.frombuffer(b"".join(smileys), np.uint8)),
        )
        sizes = np.array([(len(front), len(back)) for front, back in keys])
        filled = int(known.ends[-1]) if len(known.ends) else 0
        ends = filled + np.cumsum(sizes.sum(1))
        joined = b"".join(front + back for front, back in keys) + bytes(eights.SIZE)
        self._keys = _Keys(
            np.full(1 << (4 * len(self.tags)).bit_length(), -1, np.int32),
            np.empty(len(self.tags), np.uint64),
            np.append(known.cuts, ends - sizes[:, 1]),
            np.append(known.ends, ends),
            np.append(known.bytes[:filled], np.frombuffer(joined, np.uint8)),
        )
        _index(*self._keys)


@helper
def _may_hold_raw(data: Bytes, begins: Int64s, found: Flags) -> None:
    for row in range(len(found)):
        end = begins[row + 1]
        at = eights.find(data, begins[row], end, ord("<"))
        while at < end and not _begins_raw(data, at + 1):
            at = eights.find(data, at + 1, end, ord("<"))
        found[row] = at < end


@helper
def _begins_raw(data: Bytes, at: Int) -> bool:
    """Whether a comment may begin there, or the name of an element whose text is not escaped."""
    first, second, third = data[at], data[at + 1], data[at + 2]
    if first == ord("s"):
        return bool((second == ord("c") and third == ord("r")) or (second == ord("t") and third == ord("y")))
    if first == ord("n"):
        return bool(second == ord("o") and (third == ord("e") or third == ord("f")))
    if first == ord("p"):
        return bool(second == ord("l"))
    return bool(
        (first == ord("!") and second == ord("-"))
        or (first == ord("i") and second == ord("f"))
        or (first == ord("x") and second == ord("m"))
    )


@helper
def _hash(data: Bytes, at: Int, end: Int, hashed: np.uint64) -> np.uint64:
    while at < end:
        word = eights.load(data, at)
        if end - at < eights.SIZE:
            word &= _ALL >> np.uint64(8 * (eights.SIZE - (end - at)))
        hashed = (hashed ^ word) * _MIX
        hashed ^= hashed >> _SHIFT
        at += eights.SIZE
    return hashed


@helper
def _index(slots: Int32s, hashes: UInt64s, cuts: Int64s, ends: Int64s, keys: Bytes) -> None:
    """Fill `slots` and `hashes`."""
    mask = len(slots) - 1
    begin = np.int64(0)
    for code in range(len(ends)):
        hashed = _hash(keys, cuts[code], ends[code], _hash(keys, begin, cuts[code], _MIX))
        hashes[code] = hashed
        slot = np.int64(hashed & np.uint64(mask))
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = code
        begin = ends[code]


@helper
def _equal(data: Bytes, at: Int, keys: Bytes, begin: Int, end: Int) -> bool:
    while begin < end and data[at] == keys[begin]:
        at += 1
        begin += 1
    return bool(begin == end)


@helper
def _find_tags(
    data: Bytes,
    begins: Int64s,
    slots: Int32s,
    hashes: UInt64s,
    cuts: Int64s,
    ends: Int64s,
    keys: Bytes,
    places: NDArray[np.int64],
    firsts: Int64s,
) -> int:
    """Fill `places` and `firsts`; the number of tags. A tag that is not known has the code -1."""
    mask = len(slots) - 1
    count = np.int64(0)
    for row in range(len(begins) - 1):
        firsts[row] = count
        end = begins[row + 1]
        at = eights.find(data, begins[row], end, ord("<"))
        while at < end:
            if is_break(data, at, end) or not _tag(data, at, end, places, count):
                at = eights.find(data, at + 1, end, ord("<"))
                continue
            place = places[count]
            stop, cut, cut_end = place[END], place[CUT], place[CUT_END]
            if count == firsts[row] and not eights.holds(data, at, b"<img"):
                cut, cut_end = _name_end(data, at, stop), stop - 1
                place[CUT], place[CUT_END] = cut, cut_end
            hashed = _hash(data, cut_end, stop, _hash(data, at, cut, _MIX))
            slot = np.int64(hashed & np.uint64(mask))
            place[CODE] = -1
            while slots[slot] >= 0:
                code = np.int64(slots[slot])
                if hashes[code] == hashed and ends[code] - cuts[code] == stop - cut_end:
                    begin = ends[code - 1] if code else np.int64(0)
                    if (
                        cuts[code] - begin == cut - at
                        and _equal(data, at, keys, begin, cuts[code])
                        and _equal(data, cut_end, keys, cuts[code], ends[code])
                    ):
                        place[CODE] = code
                        break
                slot = (slot + 1) & mask
            count += 1
            at = eights.find(data, stop, end, ord("<"))
    firsts[len(begins) - 1] = count
    return int(count)


@helper
def is_break(data: Bytes, at: Int, end: Int) -> bool:
    """Whether `<br>` stands at `at`: it stays in the text it is in."""
    return bool(
        at + 4 <= end and data[at + 1] == ord("b") and data[at + 2] == ord("r") and data[at + 3] == ord(">")
    )


@helper
def _name_end(data: Bytes, at: Int, end: Int) -> Int:
    """The end of the name in an opening tag; of one that is hardly a name, that of the tag's inside."""
    at += 1
    while at < end - 1 and (
        ord("a") <= data[at] <= ord("z") or ord("0") <= data[at] <= ord("9") or data[at] == ord("-")
    ):
        at += 1
    return at if data[at] == 32 else end - 1


@helper
def _tag(data: Bytes, start: Int, end: Int, places: NDArray[np.int64], row: Int) -> bool:
    """Note the tag at `start`, and the value of its `href` if it is a link; False where none is."""
    at = start + 1
    inside = 0
    is_plain = True  # a blank, a name, `="` and a value, each time: only then is `href` sure to be one
    cut = cut_end = np.int64(-1)
    while at < end:
        byte = data[at]
        if byte == ord('"'):
            close = eights.find(data, at + 1, end, ord('"'))
            if close == end:
                return False
            if data[at - 1] == ord("="):
                if cut < 0 and at - 6 > start and eights.holds(data, at - 6, b" href="):
                    cut, cut_end = at + 1, close
            else:
                is_plain = False
            at = close
        elif byte == ord(">"):
            break
        elif byte == ord("<"):
            inside += 1
            is_plain = False
            if inside > _MOST_INSIDE:
                return False
        elif byte == ord("=") and (data[at - 1] <= 32 or data[at - 1] >= 128 or data[at + 1] != ord('"')):
            is_plain = False
        at += 1
    if at >= end:
        return False
    place = places[row]
    place[START], place[END] = start, at + 1
    is_link = is_plain and data[start + 1] == ord("a") and data[start + 2] == 32
    place[CUT], place[CUT_END] = (cut, cut_end) if is_link and cut >= 0 else (at + 1, at + 1)
    return True
