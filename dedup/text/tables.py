"""Character classes, case folding and word rarity, as flat arrays for the kernels.

Built once per machine from `unicodedata` and wordfreq (3 s), then read from the cache folder.
Rarity comes from background frequencies, not from the corpus: so it depends neither on batches nor
on earlier cleaning, and cleaning a cleaned corpus finds nothing new.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import tempfile
import unicodedata
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SEPARATOR, WORD, SINGLE, COMBINING, IGNORABLE, BLANK = range(6)

NATS_PER_STEP = 1 / 8
"""Rarity is stored in steps of an eighth of a nat."""
RAREST = 111
"""Rarity of a word that no list knows (about one in a million, in steps)."""
RARE_CHARACTER = 36
"""Rarity of a character, where characters are tokens and no list knows it."""

_FORMAT = 6  # raise when the contents below change

# Scripts written without spaces between words: a token is a character.
_UNSPACED = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK and Kangxi radicals
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x20000, 0x323AF),
)
_DEFAULT_IGNORABLE = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xE0000, 0xE0FFF),
)

# The languages of wordfreq that forums are written in most. A word counts as frequent as in the
# language where it is most frequent, English first: the others are taken down by their share.
_LANGUAGES = {
    "en": 1.0,
    "de": 0.3,
    "fr": 0.3,
    "es": 0.3,
    "ru": 1.0,
    "it": 0.3,
    "pt": 0.3,
    "nl": 0.3,
    "pl": 0.5,
    "ar": 1.0,
    "he": 1.0,
    "ja": 1.0,
    "zh": 1.0,
    "ko": 1.0,
    "tr": 0.5,
    "sv": 0.3,
    "cs": 0.5,
    "uk": 0.5,
    "fi": 0.5,
    "el": 1.0,
}


class Tables(NamedTuple):
    """What the kernels look up.

    classes: uint8 [0x110000], the class of each code point.
    folds: int32 [0x110000], the folded code point, or -1 - i for the i-th expansion.
    expansion_offsets, expansions: int32, the folded sequences of code points that become several.
    rarity_keys: uint32 [a power of two], word hashes by open addressing, 0 where free.
    rarity_steps: uint8, how rare the word of the same slot is, in eighths of a nat.
    """

    classes: NDArray[np.uint8]
    folds: NDArray[np.int32]
    expansion_offsets: NDArray[np.int32]
    expansions: NDArray[np.int32]
    rarity_keys: NDArray[np.uint32]
    rarity_steps: NDArray[np.uint8]


@functools.cache
def load_tables() -> Tables:
    """The tables of this Python's Unicode and of the installed wordfreq, cached on disk if possible."""
    name = f"tables-{_FORMAT}-{unicodedata.unidata_version}-{version('wordfreq')}.npy"
    path = cache_folder() / name
    try:
        return _unpack(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError):
        packed = _pack(_build())
    _store(path, packed)
    packed.flags.writeable = False  # as what is mapped: kernels are compiled for each kind
    return _unpack(packed)


def cache_folder() -> Path:
    """Where what is costly to make is kept for the next run: the platform's cache folder for dedup."""
    import platformdirs

    return Path(os.environ.get("DEDUP_CACHE") or platformdirs.user_cache_dir("dedup"))


def _store(path: Path, packed: NDArray[np.uint8]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.save(file, packed, allow_pickle=False)
        Path(file.name).replace(path)
    except OSError:
        pass  # a cache that cannot be written costs seconds at each start, nothing else


def _pack(tables: Tables) -> NDArray[np.uint8]:
    parts = [np.ascontiguousarray(a).view(np.uint8) for a in tables]
    head = np.array([len(p) for p in parts], np.int64).view(np.uint8)
    return np.concatenate([head, *parts])


def _unpack(packed: NDArray[np.uint8]) -> Tables:
    kinds: list[Any] = [np.uint8, np.int32, np.int32, np.int32, np.uint32, np.uint8]
    sizes = packed[: 8 * len(kinds)].view(np.int64)
    if len(packed) != 8 * len(kinds) + int(sizes.sum()):
        raise ValueError("cache file is incomplete")
    ends = 8 * len(kinds) + np.cumsum(sizes)
    return Tables(
        *(packed[end - size : end].view(kind) for kind, size, end in zip(kinds, sizes, ends, strict=True))
    )


def _build() -> Tables:
    classes, folds, expansions = _fold_tables()
    offsets = np.zeros(len(expansions) + 1, np.int32)
    np.cumsum([len(e) for e in expansions], out=offsets[1:])
    flat = np.array([c for e in expansions for c in e] or [0], np.int32)
    empty = np.zeros(1, np.uint32)
    tables = Tables(classes, folds, offsets, flat, empty, np.zeros(1, np.uint8))
    return tables._replace(**_rarity(tables))


def _fold_tables() -> tuple[NDArray[np.uint8], NDArray[np.int32], list[list[int]]]:
    classes = np.zeros(0x110000, np.uint8)
    folds = np.arange(0x110000, dtype=np.int32)
    expansions: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code <= 0xDFFF or 0x323B0 <= code < 0xE0000 or code > 0xE0FFF:
            continue
        char = chr(code)
        category = unicodedata.category(char)
        folded = _fold(char)
        if category[0] == "M":
            classes[code] = COMBINING
        elif category[0] in "LN":
            # half-width voiced sound marks are letters, but fold to marks
            marks = all(unicodedata.category(chr(c))[0] == "M" for c in folded)
            classes[code] = COMBINING if marks else SINGLE if _is_unspaced(folded[0]) else WORD
        elif category[0] == "Z" or category == "Cc":
            classes[code] = BLANK
        if [code] != folded and classes[code] in (WORD, SINGLE, COMBINING):
            if len(folded) == 1:
                folds[code] = folded[0]
            else:
                folds[code] = -1 - len(expansions)
                expansions.append(folded)
    for first, last in _DEFAULT_IGNORABLE:
        classes[first : last + 1] = IGNORABLE
    return classes, folds, expansions


def _is_unspaced(code: int) -> bool:
    return any(first <= code <= last for first, last in _UNSPACED)


def _fold(char: str) -> list[int]:
    """NFKD case folding of one character, without what is no letter, mark or number."""
    folded = unicodedata.normalize("NFKD", char).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    return [ord(c) for c in folded if unicodedata.category(c)[0] in "LNM"] or [ord(char)]


def _rarity(tables: Tables) -> dict[str, Any]:
    import pyarrow as pa
    from wordfreq import get_frequency_dict

    from dedup.text.tokens import tokenize

    frequency: dict[str, float] = {}
    for language, share in _LANGUAGES.items():
        unspaced = language in ("ja", "zh")
        for word, often in get_frequency_dict(language, "small").items():
            if unspaced:
                for char in word:
                    if char >= "\u2e80":  # stray letters of other scripts are no evidence
                        frequency[char] = frequency.get(char, 0.0) + often / len(word)
            elif often * share > frequency.get(word, 1e-6):
                frequency[word] = often * share
    words = sorted(frequency)
    tokens = tokenize(pa.array(words, pa.string()), tables)
    single = np.flatnonzero(np.diff(tokens.offsets) == 1)
    steps = np.array([_steps(frequency[words[i]]) for i in single], np.uint8)
    hashes = tokens.hashes[tokens.offsets[single]]
    size = 1 << int(2 * len(hashes)).bit_length()
    keys, values = np.zeros(size, np.uint32), np.zeros(size, np.uint8)
    for key, step in sorted(zip(hashes.tolist(), steps.tolist(), strict=True)):
        slot = key & (size - 1)
        while keys[slot] not in (0, key):
            slot = (slot + 1) & (size - 1)
        if keys[slot] == 0:  # sorted: the most frequent spelling comes first
            keys[slot], values[slot] = key, step
    return {"rarity_keys": keys, "rarity_steps": values}


def _steps(frequency: float) -> int:
    return min(RAREST, round(-math.log(frequency) / NATS_PER_STEP))
