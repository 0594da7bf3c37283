"""A second look, with the standard library, at JSON that the fast parser refuses.

What it forgives: NaN and Infinity, raw control characters in strings, lone surrogate escapes, and several
values one after the other. What it gives back is strict JSON again.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NamedTuple

_DECODER = json.JSONDecoder(strict=False)
_BLANK = re.compile("[ \t\r\n\ufeff]*")  # a byte order mark may stand where files were joined
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|NaN|-?Infinity', re.DOTALL)
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"{_PAIR}|(?P<lone>{_LONE})|\\.|(?P<control>[\0-\x1f])", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class Escape(NamedTuple):
    """A lone surrogate of a string: its offset in code points, and how it was written."""

    at: int
    raw: str


class Record(NamedTuple):
    """One JSON object."""

    fields: dict[str, bytes]
    """Key → its value as strict JSON, otherwise as it was."""
    escapes: dict[str, list[Escape]]
    """Key of a string → the lone surrogates in it, now U+FFFD."""
    start: int
    end: int


class Remainder(NamedTuple):
    """What cannot be read, from `start` to the end of the text."""

    start: int
    error: str


def read_objects(text: str) -> tuple[list[Record], Remainder | None]:
    """The objects that stand one after the other in `text`, and what follows that is none.

    Offsets count code points of `text`. White space at its ends belongs to nothing.
    """
    records: list[Record] = []
    at = _skip(text, 0)
    while at < len(text):
        try:
            if text[at] != "{":
                return records, Remainder(at, "is no JSON object")
            fields, escapes, end = _read_object(text, at)
        except ValueError as error:
            return records, Remainder(at, f"is no JSON: {error}")
        except RecursionError:
            return records, Remainder(at, "is nested too deeply")
        records.append(Record(fields, escapes, at, end))
        at = _skip(text, end)
    return records, None


def read_elements(text: str) -> tuple[list[tuple[int, int]], Remainder | None]:
    """Where the elements of the JSON array `text` stand, and what follows the last that can be read."""
    spans: list[tuple[int, int]] = []
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        return spans, Remainder(at, "is no JSON array")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        try:
            _, end = _DECODER.raw_decode(text, at)
        except ValueError as error:
            return spans, Remainder(at, f"is no JSON: {error}")
        except RecursionError:
            return spans, Remainder(at, "is nested too deeply")
        spans.append((at, end))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            return spans, Remainder(at, "an array element must be followed by a comma")
    at = _skip(text, at + 1)
    return spans, Remainder(at, "follows the end of the array") if at < len(text) else None


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _read_object(text: str, at: int) -> tuple[dict[str, bytes], dict[str, list[Escape]], int]:
    _, end = _DECODER.raw_decode(text, at)  # is it an object at all?
    fields: dict[str, bytes] = {}
    escapes: dict[str, list[Escape]] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = scanstring(text, at + 1, False)
        key = _SURROGATE.sub("\ufffd", key)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        value, value_end = _DECODER.raw_decode(text, at)
        raw = text[at:value_end]
        if isinstance(value, str) and (lone := _lone_surrogates(value, raw)):
            escapes[key] = lone
        fields[key] = _strict(raw).encode()
        at = _skip(text, value_end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return fields, escapes, end


def _lone_surrogates(value: str, raw: str) -> list[Escape]:
    written = (match["lone"] for match in _ESCAPE.finditer(raw) if match["lone"])
    offsets = (match.start() for match in _SURROGATE.finditer(value))
    return [Escape(at, escape) for at, escape in zip(offsets, written, strict=True)]


def _strict(raw: str) -> str:
    return _TOKEN.sub(_strict_token, raw)


def _strict_token(token: re.Match[str]) -> str:
    written = token.group()
    return _ESCAPE.sub(_strict_escape, written) if written[0] == '"' else f'"{written}"'


def _strict_escape(escape: re.Match[str]) -> str:
    if escape["lone"]:
        return "\\ufffd"
    if escape["control"]:
        return f"\\u{ord(escape['control']):04x}"
    return escape.group()
