"""Similarity of two posts, computed the obvious way."""

from __future__ import annotations

import re
import unicodedata

SHINGLE_WORDS = 5

# A URL; one character of a script written without spaces (Thai, kana, ideographs); a run of word characters.
_TOKEN = re.compile(
    r"https?://\S+|[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+"
)


def words(text: str) -> list[str]:
    """The words of a text, case-folded and NFKC; unspaced scripts character by character."""
    if text.isascii():
        return _TOKEN.findall(text.casefold())
    return [unicodedata.normalize("NFKC", word).casefold() for word in _TOKEN.findall(text)]


def shingles(text: str) -> set[tuple[str, ...]]:
    """The runs of five words of a text; a shorter text is one run."""
    found = words(text)
    if len(found) < SHINGLE_WORDS:
        return {tuple(found)}
    return set(zip(*(found[start:] for start in range(SHINGLE_WORDS)), strict=False))


def jaccard(a: str, b: str) -> float:
    """Shared shingles over all shingles.

    >>> jaccard("one two three four five six", "One, two: three four five!")
    0.5
    """
    of_a, of_b = shingles(a), shingles(b)
    return len(of_a & of_b) / len(of_a | of_b)
