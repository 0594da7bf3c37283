"""Which posts ftfy could change at all: a kernel that reads Arrow's buffers and skips the rest.

The gate errs on one side only: a post it lets pass by is one that `ftfy.fix_and_explain` gives back as
it is. It asks for what every change needs:

- a control character, or a character that one of ftfy's enabled tables replaces;
- an HTML entity, in a post without a literal `<`;
- a match of `ftfy.badness.BADNESS_RE`, without which ftfy leaves the encoding alone.

For the last, each alternative of that expression is boiled down to two or three neighbouring sets of
characters (`RULES`) that any match of it must hold, looked for side by side, one bit a set (shift-and:
Baeza-Yates and Gonnet 1992).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import ftfy.chardata
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ftfy.badness import MOJIBAKE_CATEGORIES

from dedup.arrays import helper
from dedup.config import Normalize
from dedup.normalize.buffers import string_buffers
from dedup.text import eights

RULES: tuple[tuple[str, ...], ...] = (
    (
        "{bad}{lower_accented}{upper_accented}{lower_common}{upper_common}"
        "{box}{start_punctuation}{end_punctuation}{currency}{numeric}{law}",
        "{bad}",
    ),
    (
        "{bad}",
        "{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}{numeric}{law}",
    ),
    ("{lower_accented}{lower_common}{box}{end_punctuation}{currency}{numeric}", "{upper_accented}"),
    ("{box}{end_punctuation}{currency}{numeric}", "{lower_accented}"),
    ("{lower_accented}{upper_accented}{box}{end_punctuation}", "{currency}"),
    ("{upper_accented}{box}", "{numeric}{law}°"),
    ("{lower_accented}{upper_accented}{box}{currency}{end_punctuation}", "{start_punctuation}", "{numeric}"),
    (
        "{lower_accented}{upper_accented}{currency}{numeric}{box}{law}",
        "{end_punctuation}",
        "{start_punctuation}",
    ),
    ("{currency}{numeric}{box}", "{start_punctuation}"),
    ("{upper_accented}", "{start_punctuation}"),
    ("{box}", "{kaomoji}"),
    ("{lower_accented}{upper_accented}{currency}{numeric}{start_punctuation}{end_punctuation}{law}", "{box}"),
    ("{box}", "{end_punctuation}"),
    ("{lower_accented}{upper_accented}", "{start_punctuation}{end_punctuation}", r"\w"),
    ("Œœ", "^A-Za-z"),
    ("ÂÃÎÐ", "€œŠš¢£Ÿž\xa0\xad®©°·»{start_punctuation}{end_punctuation}–—´"),
    ("×", "²³"),
    ("ØÙ", "{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»", "ØÙ"),
    ("à", "²µ¹¼½¾"),
    ("√≈", "±∂†≠®™´≤≥¥µø°¢"),
    ("‚", "Äâó"),
    ("в", "Ђ"),
    ("ВГРС", "{c1}{bad}{start_punctuation}{end_punctuation}{currency}°µ", "ВГРС"),
    ("ў", "В"),
    ("ÃÂ", " "),
    ("β", "€"),
    ("ΒΓΞΟ", "{c1}{bad}{start_punctuation}{end_punctuation}{currency}°", "ΒΓΞΟ"),
    ("ā", "€"),
)
"""Neighbouring sets of characters, one of which every match of BADNESS_RE holds (besides C1 controls).

None may begin with an ASCII character: the kernel runs through ASCII text without looking at sets.
"""

_ASTRAL = 0x10000  # one entry of the table stands for all characters beyond the BMP: letters, perhaps
_BMP = "".join(map(chr, [*range(0xD800), *range(0xE000, _ASTRAL)]))


def might_change(texts: pa.StringArray, settings: Normalize) -> npt.NDArray[np.bool_]:
    """For each text, False only if ftfy with these settings certainly leaves it as it is."""
    masks, ends, kinds = _tables(
        settings.uncurl_quotes, settings.fix_character_width, settings.fix_latin_ligatures
    )
    data, bounds = string_buffers(texts)
    flagged = np.empty(len(texts), np.bool_)
    _flag(data, bounds, masks, ends, kinds, flagged)
    return flagged


@lru_cache
def _tables(
    uncurl_quotes: bool, fix_character_width: bool, fix_latin_ligatures: bool
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Set bits per code point; bits that begin and that end a rule; what each ASCII byte asks for."""
    alone = set(range(0x80, 0xA0)) | set(ftfy.chardata.CONTROL_CHARS)
    if uncurl_quotes:
        quotes = (ftfy.chardata.SINGLE_QUOTE_RE, ftfy.chardata.DOUBLE_QUOTE_RE)
        alone |= {ord(char) for pattern in quotes for char in pattern.findall(_BMP)}
    if fix_character_width:
        alone |= set(ftfy.chardata.WIDTH_MAP)
    if fix_latin_ligatures:
        alone |= set(ftfy.chardata.LIGATURES)
    masks = np.zeros(_ASTRAL + 1, np.uint64)
    begins, ends, bit = 1, 1, 1
    masks[sorted(alone)] = 1
    for rule in RULES:
        begins |= 1 << bit
        for characters in rule:
            found = re.findall(f"[{characters.format(**MOJIBAKE_CATEGORIES)}]", _BMP + chr(_ASTRAL))
            masks[[ord(char) for char in found]] |= np.uint64(1 << bit)
            bit += 1
        ends |= 1 << (bit - 1)
    kinds = np.zeros(128, np.uint8)  # 0 harmless, 1 always a reason, 2 may begin an entity, 3 forbids them
    kinds[[code for code in alone if code < 128]] = 1
    kinds[ord("&")], kinds[ord("<")] = 2, 3
    return masks, np.array([begins, ends], np.uint64), kinds


@helper
def _flag(data: Any, bounds: Any, masks: Any, rule_ends: Any, kinds: Any, flagged: Any) -> Any:
    begins, ends = rule_ends[0], rule_ends[1]
    one, none = np.uint64(1), np.uint64(0)
    for post in range(flagged.size):
        at, end = np.int64(bounds[post]), np.int64(bounds[post + 1])
        active = none
        entity, angle, bad = False, False, False
        while at < end:
            if active == none and at + eights.SIZE <= end:
                word = eights.load(data, at)
                odd = word & eights.HIGHS | eights.below(word, 0x20) | eights.equal(word, 0x7F)
                if odd | eights.equal(word, 0x26) | eights.equal(word, 0x3C) == none:  # & <
                    at += eights.SIZE
                    continue
            lead = data[at]
            if lead < 0x80:
                kind = kinds[lead]
                if kind == 0 and active == none:
                    at += 1
                    continue
                if kind == 1:
                    bad = True
                    break
                if kind == 2 and not entity:
                    # &#?[0-9A-Za-z]{1,24};
                    name = at + 1
                    if name < end and data[name] == 0x23:
                        name += 1
                    stop = name
                    while stop < end and stop - name < 24:
                        letter = data[stop] | 0x20
                        if not (0x61 <= letter <= 0x7A or 0x30 <= data[stop] <= 0x39):
                            break
                        stop += 1
                    entity = bool(stop > name and stop < end and data[stop] == 0x3B)
                elif kind == 3:
                    angle = True
                code = np.int64(lead)
                at += 1
            elif lead < 0xE0:
                code = (np.int64(lead & 0x1F) << 6) | (data[at + 1] & 0x3F)
                at += 2
            elif lead < 0xF0:
                code = (
                    (np.int64(lead & 0x0F) << 12)
                    | (np.int64(data[at + 1] & 0x3F) << 6)
                    | (data[at + 2] & 0x3F)
                )
                at += 3
            else:
                code = np.int64(0x10000)
                at += 4
            active = ((active << one) | begins) & masks[code]
            if active & ends != none:
                bad = True
                break
        flagged[post] = bad or (entity and not angle)
