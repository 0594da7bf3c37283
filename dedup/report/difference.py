"""Two texts → the words in which they differ."""

from __future__ import annotations

import re

from rapidfuzz.distance import LCSseq

_MAX_COMPARED_WORDS = 5000
_WORD = re.compile(r"\w+")

Stretch = tuple[int, int]


def differing_words(left: str, right: str) -> tuple[list[Stretch], list[Stretch]]:
    """Where the words of two texts differ, upper and lower case apart: stretches of each, half-open.

    >>> differing_words("the red fox", "The fox ran")
    ([(4, 7)], [(8, 11)])
    """
    sides = [[match.span() for match in _WORD.finditer(text)] for text in (left, right)]
    words = [
        [text[start:end].casefold() for start, end in spans]
        for text, spans in zip((left, right), sides, strict=True)
    ]
    # Two whole books would take minutes; their beginnings say enough.
    first = [side[:_MAX_COMPARED_WORDS] for side in words]
    changed: tuple[list[Stretch], list[Stretch]] = ([], [])
    for edit in LCSseq.editops(*first):
        if edit.tag == "delete":
            changed[0].append(sides[0][edit.src_pos])
        else:
            changed[1].append(sides[1][edit.dest_pos])
    return changed
