"""Repair of broken encoding with ftfy: mojibake, HTML entities, control characters.

How ftfy is called, and why:

- `fix_and_explain` with `explain` on; without it ftfy ignores the options of its encoding fixer.
- Line by line, as `ftfy.fix_text` does: a line that cannot be decoded does not keep the others from it.
  A line ends where white space is later turned into a line feed, so cleaning twice sees the same lines.
- Entities are decoded unless the post holds a literal `<`: ftfy's own rule, but asked of the whole post
  (`fix_text` forgets it for the lines before the first `<`).
- Vertical tabs are kept from ftfy, which would glue the lines they part; white space makes them line feeds.
- No Unicode normalization: words are compared in NFKC anyway, and the text stays the author's.
- In short pieces: ftfy peels `ÂÂÂÂ…` and `&amp;amp;…` one layer at a time over the whole line, so its time
  on a hostile line is quadratic in the line's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import ftfy
from ftfy.chardata import HTML_ENTITY_RE, UTF8_CLUES
from ftfy.fixes import unescape_html
from rapidfuzz.distance import LCSseq

from dedup.config import Normalize
from dedup.normalize.edits import Change

MAX_PIECE = 1000
"""Code points ftfy sees at once."""
MAX_LAYERED_PIECE = 64
"""The same where a line holds a long run of characters that only layers of mojibake have in a row."""

_LINE = re.compile("[^\n\r\x0b\x0c\u2028\u2029]+")
_SUSPECT = re.compile(r"[^\t\x20-\x25\x27-\x7e]|&#?[0-9A-Za-z]{1,24};")
_SUSPECT_IN_MARKUP = re.compile(r"[^\t\x20-\x7e]")
_FAR_FROM_SUSPECTS = re.compile(r"(?<=[\t\x20-\x7e]{8})[\t\x20-\x7e]{8,}(?=[\t\x20-\x7e]{4})")
"""Of ftfy's expressions, `[a-z]\\s?[ÃÂ][ ]` looks farthest back, `\\xc3 (?! |quele|quela|quilo|s )` ahead."""
_LAYERED = re.compile(
    "[{utf8_first_of_2}{utf8_first_of_3}{utf8_first_of_4}]{{10}}|[{utf8_continuation_strict}]{{10}}".format(
        **UTF8_CLUES
    )
)
# The last space or mark in reach that is part of no entity and, ASCII standing before it, of no mojibake.
_SOFT_END = re.compile(r"(?<=[!-%'-~])[ -\"$%'-/:<-@[-`{-~][^ -\"$%'-/:<-@[-`{-~]*\Z")


def repair(text: str, settings: Normalize) -> list[Change]:
    """The pieces of `text` that ftfy replaces, as small changes with the reason `encoding`."""
    config = ftfy_config(text, settings)
    suspect = _SUSPECT if config.unescape_html else _SUSPECT_IN_MARKUP
    changes: list[Change] = []
    for line in _LINE.finditer(text):
        if suspect.search(line[0]) is None:
            continue
        for at, piece in _pieces(line[0]):
            fixed = fix_piece(piece, config)
            if fixed != piece:
                seen = _without_entities(piece) if config.unescape_html else [*map(ord, piece)]
                changes += differences(seen, fixed, line.start() + at)
    return changes


def fix_piece(piece: str, config: ftfy.TextFixerConfig) -> str:
    """What ftfy makes of a piece.

    What it has to do is found out on a shorter one, as looking for mojibake takes most of its time: ASCII
    text says nothing to it but a few characters before and behind others, in entities (which may begin with
    a full-width `&` where that is made narrow) and in escapes.
    """
    if "&" in piece or "\uff06" in piece or "\x1b" in piece:
        return ftfy.fix_and_explain(piece, config).text
    plan = ftfy.fix_and_explain(_FAR_FROM_SUSPECTS.sub("", piece), config).explanation
    return ftfy.apply_plan(piece, [*plan]) if plan else piece


def ftfy_config(text: str, settings: Normalize) -> ftfy.TextFixerConfig:
    """How ftfy is asked to treat the post `text`."""
    return ftfy.TextFixerConfig(
        unescape_html="<" not in text,
        uncurl_quotes=settings.uncurl_quotes,
        fix_character_width=settings.fix_character_width,
        fix_latin_ligatures=settings.fix_latin_ligatures,
        fix_line_breaks=False,
        normalization=None,
    )


def _pieces(line: str) -> Iterator[tuple[int, str]]:
    """The line in pieces short enough for ftfy, cut at a space or punctuation mark where there is one."""
    limit = MAX_PIECE
    if len(line) > MAX_LAYERED_PIECE and _LAYERED.search(line):
        limit = MAX_LAYERED_PIECE
    at = 0
    while len(line) - at > limit:
        soft = _SOFT_END.search(line, at + limit // 2, at + limit)
        end = soft.start() if soft else at + limit
        yield at, line[at:end]
        at = end
    yield at, line[at:]


def _without_entities(piece: str) -> list[int]:
    """The code points of a piece, -1 in decoded entities: a digit of `&#40;` is not the 4 that follows it."""
    codes = [*map(ord, piece)]
    for entity in HTML_ENTITY_RE.finditer(piece):
        if unescape_html(entity[0]) != entity[0]:
            codes[entity.start() : entity.end()] = [-1] * len(entity[0])
    return codes


def differences(old: list[int], fixed: str, at: int) -> Iterator[Change]:
    """What to replace in the code points `old`, which begin at offset `at`, to get `fixed`."""
    kept = new_kept = 0  # where what both have in common ended last
    for step in LCSseq.opcodes(old, [*map(ord, fixed)]):
        if step.tag != "equal":
            continue
        if step.src_start > kept or step.dest_start > new_kept:
            yield Change(at + kept, at + step.src_start, fixed[new_kept : step.dest_start], "encoding")
        kept, new_kept = step.src_end, step.dest_end
    if kept < len(old) or new_kept < len(fixed):
        yield Change(at + kept, at + len(old), fixed[new_kept:], "encoding")
