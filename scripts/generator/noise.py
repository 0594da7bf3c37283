"""What happens to a passage when it is copied. Each function takes a passage and gives the copy."""

from __future__ import annotations

import html
import random
import re
import textwrap
from collections.abc import Callable

WIDTH = 72
_GAPS = re.compile(r"(\s+)")
_CP1252 = {
    byte: bytes([byte]).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def rewrap(passage: str, spaced: bool) -> str:
    """Mail style: `> ` before lines of at most 72 columns (an ideograph takes two)."""
    lines: list[str] = []
    for paragraph in passage.split("\n"):
        if spaced:
            lines += textwrap.wrap(paragraph, WIDTH - 2, break_long_words=False, break_on_hyphens=False) or [
                ""
            ]
        else:
            width = (WIDTH - 2) // 2
            lines += [paragraph[i : i + width] for i in range(0, len(paragraph), width)] or [""]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def curl(passage: str, _: random.Random) -> str:
    """Typographic quotes and dots for plain ones; at least one of them."""
    curled = re.sub(r'"(\w+)"', "“\\1”", passage).replace("'", "’").replace("...", "…")
    if curled == passage:
        middle = len(passage) // 2
        at = max(passage.find(" ", middle), 0)
        curled = f"{passage[:at]} – {passage[at:].lstrip()}"
    return curled


def mojibake(passage: str, draw: random.Random) -> str:
    """Curled, then UTF-8 read as cp1252; the five bytes cp1252 does not define become C1 controls."""
    return curl(passage, draw).encode("utf-8").decode("latin-1").translate(_CP1252)


def entities(passage: str, draw: random.Random) -> str:
    """HTML that was escaped once too often; some spaces are `&nbsp;`."""
    words = html.escape(passage).replace("&#x27;", "&#039;").split(" ")
    return words[0] + "".join(("&nbsp;" if draw.random() < 0.15 else " ") + word for word in words[1:])


def odd_spaces(passage: str, draw: random.Random) -> str:
    """No-break and double spaces, blanks before line ends, CRLF, zero-width spaces."""
    words = passage.replace("\n", " \r\n").split(" ")
    return words[0] + "".join(
        draw.choice((" ", " ", " ", "\xa0", "  ", " \u200b")) + word for word in words[1:]
    )


def replace_words(
    passage: str, count: int, spaced: bool, word: Callable[[], str], draw: random.Random
) -> str:
    """The passage with `count` words replaced, spread evenly: one somewhere in each of `count` stretches.

    In unspaced scripts a character counts as a word.
    """
    pieces = _GAPS.split(passage) if spaced else list(passage)
    # Split pieces are word, gap, word ...; in an unspaced script neither a mark of punctuation nor a letter
    # of a URL is a word.
    if spaced:
        places = [i for i in range(0, len(pieces), 2) if pieces[i]]
    else:
        places = [i for i, piece in enumerate(pieces) if piece.isalnum() and not piece.isascii()]
    count = min(count, len(places) // 2)
    for i in range(count):
        # The first place of a stretch is never taken, so no two replaced words are neighbours.
        first, last = i * len(places) // count, (i + 1) * len(places) // count
        at = places[draw.randrange(first + 1, last)] if last - first > 1 else places[first]
        old = pieces[at]
        while pieces[at] == old:
            pieces[at] = word() if spaced else draw.choice(word())
    return "".join(pieces)
