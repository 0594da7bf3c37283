"""Untrusted text → text that cannot play tricks on a terminal.

A post can hold escape sequences that move the cursor or set the window's title, and direction
marks that show words in another order than they stand (CVE-2021-42574). Both are printed as the
escapes a programmer would write.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Joiners (U+200C, U+200D) and variation selectors are missing on purpose: scripts and emoji need them.
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_CONTROL = re.compile(f"[{_HIDDEN}]")
_CONTROL_AND_LAYOUT = re.compile(f"[{_HIDDEN}\t\n\xa0]")
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: str) -> str:
    """The text with control, direction and invisible characters as escapes; lines and tabs stay.

    >>> visible("one\\x1b[2Jtwo\\u202e")
    'one\\\\x1b[2Jtwo\\\\u202e'
    """
    return _CONTROL.sub(_escape, text)


def visible_line(text: str) -> str:
    """The same on one line: line ends, tabs and no-break spaces become escapes too.

    >>> visible_line("one\\ntwo")
    'one\\\\ntwo'
    """
    return _CONTROL_AND_LAYOUT.sub(_escape, text)


def json_line(value: Any, indent: int | None = None) -> str:
    """The value as JSON that reads back the same and is as safe to print as `visible` text.

    >>> json_line({"text": "é\\x9b"})
    '{"text":"é\\\\u009b"}'
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return _CONTROL.sub(_json_escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    point = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"
