"""What loses something and is off unless asked for; each is an edit, so the raw text can be had back.

- `nfkc`: Unicode normalization form KC (full-width letters, ligatures, superscripts …).
- `unwrap_lines`: paragraphs that were wrapped at a fixed width become one line each.
- `strip_tracking`: parameters of web addresses that only say who clicked where.
- `max_repeats`: a letter, `!` or `?` stands at most so many times in a row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from dedup.config import Normalize
from dedup.normalize.edits import Change, apply
from dedup.normalize.repair import differences

SHORTENED = "shortened"
"""Why of what goes from addresses and of repeated characters."""

_MOST_MARKS = 32
"""Marks after a character that are looked at together with it: sorting them takes the square of the time,
and no language has so many (UAX #15, stream-safe text, allows 30)."""
_JAMO = "\u1161", "\u11c2"
"""Hangul vowels and finals, which join what stands before them though they are no marks."""
_ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]{}]+")
_END_OF_SENTENCE = ".,;:!?"
_TRACKING = re.compile(
    r"(?:utm_\w+|fbclid|gclid|gclsrc|dclid|msclkid|yclid|twclid|igshid|igsh|mc_[ce]id|_ga|_gl|_hsenc|_hsmi"
    r"|mkt_tok|ref_src|ref_url|wt_mc|vero_id|oly_(?:enc|anon)_id|__twitter_impression|spm|s_cid|cmpid"
    r"|(?:PHPSESSID|sid|s)=[0-9a-f]{26,40}\Z)",
    re.IGNORECASE,
)

_PARAGRAPH = re.compile(r"^(?:[^\n]++\n){2,}[^\n]+", re.MULTILINE)
_MARKER = re.compile(r"[>|#*•–—=+\s-]|\d{1,3}[.)]|[a-z][.)]\s")
_MIN_WIDTH, _MAX_WIDTH = 50, 100
_MIN_BLANKS = 5


def is_lossy(settings: Normalize) -> bool:
    """Whether any of it is asked for."""
    return settings.nfkc or settings.unwrap_lines or settings.strip_tracking or settings.max_repeats > 0


def simplify(text: str, settings: Normalize) -> list[list[Change]]:
    """What is asked for, as lists of changes to be made one after the other."""
    steps: list[list[Change]] = []
    for wanted, find in (
        (settings.nfkc, _compatible),
        (settings.strip_tracking, _tracking),
        (settings.unwrap_lines, _wrapped),
    ):
        if wanted and (changes := list(find(text))):
            steps.append(changes)
            text = apply(text, changes)
    if settings.max_repeats and (changes := list(_repeated(text, settings.max_repeats))):
        steps.append(changes)
    return steps


def _compatible(text: str) -> Iterator[Change]:
    for segment in _segment().finditer(text):
        normal = unicodedata.normalize("NFKC", segment[0])
        if normal != segment[0]:
            yield from differences([*map(ord, segment[0])], normal, segment.start())


@lru_cache(1)
def _segment() -> re.Pattern[str]:
    """What is normalized together: a character and those after it that may join it, but ASCII alone."""
    seconds, joining = set(), []
    for point in range(0x80, 0x110000):
        char = chr(point)
        decomposed = unicodedata.normalize("NFD", char)
        if len(decomposed) > 1 and unicodedata.normalize("NFC", decomposed) == char:
            seconds.add(decomposed[-1])
    for point in range(0x80, 0x110000):
        first = unicodedata.normalize("NFKD", chr(point))[0]
        if unicodedata.combining(first) or first in seconds or _JAMO[0] <= first <= _JAMO[1]:
            joining.append(chr(point))
    marks = f"[{''.join(joining)}]"
    return re.compile(f"[\0-\x7f]{marks}{{1,{_MOST_MARKS}}}|[^\0-\x7f]{marks}{{0,{_MOST_MARKS}}}")


def _tracking(text: str) -> Iterator[Change]:
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(_END_OF_SENTENCE)
        begin = address.find("?") + 1
        if not begin:
            continue
        end = address.find("#", begin)
        query = address[begin : end if end >= 0 else len(address)]
        parts = query.split("&")
        kept = [_TRACKING.match(part) is None for part in parts]
        if all(kept):
            continue
        if not any(kept):
            yield Change(match.start() + begin - 1, match.start() + begin + len(query), "", SHORTENED)
            continue
        at = match.start() + begin
        first = True  # no parameter that stays was met yet
        for part, keep in zip(parts, kept, strict=True):
            if not keep:  # with the & behind it, or else the one before it
                start = at if first else at - 1
                yield Change(start, start + len(part) + 1, "", SHORTENED)
            first = first and not keep
            at += len(part) + 1


def _wrapped(text: str) -> Iterator[Change]:
    for paragraph in _PARAGRAPH.finditer(text):
        lines = paragraph[0].split("\n")
        if not _is_wrapped(lines):
            continue
        at = paragraph.start()
        for line in lines[:-1]:
            at += len(line)
            yield Change(at, at + 1, "" if line[-1] == "-" else " ", "whitespace")
            at += 1


def _is_wrapped(lines: list[str]) -> bool:
    """Whether every line ends where the next word would have been too much, and none begins a list."""
    width = max(map(len, lines))
    if not _MIN_WIDTH <= width <= _MAX_WIDTH:
        return False
    for line, following in pairwise(lines):
        if len(line) + 1 + len(following.partition(" ")[0]) <= width or line.count(" ") < _MIN_BLANKS:
            return False
    return not any(map(_MARKER.match, lines))


def _repeated(text: str, most: int) -> Iterator[Change]:
    for run in _run(most).finditer(text):
        yield Change(run.start() + most, run.end(), "", SHORTENED)


@lru_cache(8)
def _run(most: int) -> re.Pattern[str]:
    return re.compile(rf"([^\W\d_]|[!?])\1{{{most},}}")
