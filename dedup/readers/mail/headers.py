"""Header fields of a mail as text (RFC 5322, RFC 2047), forgiving as mail readers are.

Written by hand because the standard library's parser takes half of the time that reading a mail may take;
tests compare the two. Everything takes linear time, whatever the header.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from dedup.readers.mail.charsets import decode_text

_BLOCK = re.compile(rb"(?:[!-9;-~]++[ \t]*+:[^\n]*+\n?(?:[ \t][^\n]*+\n?)*+)*+")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_ENCODED = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]{0,5000}+)\?=(\s+(?==\?))?")
_ID = re.compile(r"<([^<>\s]{1,998}+)>")
_NAMED = re.compile(r"^(.*?)<([^<>]*)>", re.DOTALL)
_COMMENT = re.compile(r"^([^()]*)\((.*)\)\s*$", re.DOTALL)
_PARAMETER = re.compile(r";\s*+([\w*-]{1,60}+)\s*+=\s*+(?:\"([^\"]*+)\"|([^;\s]*+))")
_ENVELOPE_DATE = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b,? [^\n]{5,40}$")

_WANTED = frozenset(
    (
        b"from", b"to", b"cc", b"date", b"subject", b"message-id", b"in-reply-to", b"references", b"list-id",
        b"newsgroups", b"content-type", b"content-transfer-encoding", b"content-disposition", b"received",
        b"path", b"return-path", b"delivered-to",
    )
)  # fmt: skip


class Headers(NamedTuple):
    """The first of each header field, by its name in lower case, not yet decoded."""

    fields: dict[str, bytes]
    envelope_date: str | None
    """The date of an mbox's "From " line."""

    def text(self, name: str) -> str:
        """A field as text; empty where there is none."""
        value = self.fields.get(name)
        return decode_header(value) if value else ""


def split_message(data: bytes) -> tuple[Headers, bytes]:
    """The header fields of a message, and its content."""
    start, envelope_date = 0, None
    while data.startswith((b"From ", b">From "), start):
        line_end = data.find(b"\n", start) + 1 or len(data)
        if envelope_date is None:
            found = _ENVELOPE_DATE.search(data[start:line_end].decode("ascii", "replace").strip())
            envelope_date = found.group() if found else None
        start = line_end
    block = _BLOCK.match(data, start)
    end = block.end() if block else start
    fields: dict[str, bytes] = {}
    for line in _FOLD.sub(b"", data[start:end]).split(b"\n"):
        name, colon, value = line.partition(b":")
        name = name.rstrip().lower()
        if colon and name in _WANTED:
            fields.setdefault(name.decode("ascii"), value.strip())
    if data.startswith(b"\r\n", end):
        end += 2
    elif data.startswith(b"\n", end):
        end += 1
    return Headers(fields, envelope_date), data[end:]


@lru_cache(4096)  # a thread shares its subject, and people have few names
def decode_header(value: bytes) -> str:
    """A header field as text, white space made plain.

    >>> decode_header(b"=?utf-8?q?Caf=C3=A9?= au lait")
    'Café au lait'
    """
    text = value.decode("ascii") if value.isascii() else decode_text(value, None)[0]
    if "=?" in text:
        text = _decode_words(text)
    return " ".join(text.split())


def _decode_words(text: str) -> str:
    pieces: list[str] = []
    held, charset = b"", ""  # a character may be cut between two encoded words
    at = 0
    for found in _ENCODED.finditer(text):
        if held and (found.start() > at or found[1].lower() != charset):
            pieces.append(decode_text(held, charset)[0])
            held = b""
        pieces.append(text[at : found.start()])
        held, charset, at = held + _word_bytes(found[2], found[3]), found[1].lower(), found.end()
    if held:
        pieces.append(decode_text(held, charset)[0])
    return "".join([*pieces, text[at:]])


def _word_bytes(kind: str, encoded: str) -> bytes:
    data = encoded.encode("utf-8")
    if kind in "qQ":
        return binascii.a2b_qp(data, header=True)
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return data


def message_ids(value: str) -> list[str]:
    """The ids in a Message-ID, In-Reply-To or References field, without their brackets."""
    return _ID.findall(value)


def read_address(value: str) -> tuple[str | None, str | None]:
    """Name and address of a From field.

    >>> read_address('"Lee, Ann" <ann@example.org>')
    ('Lee, Ann', 'ann@example.org')
    >>> read_address("ann at example.org (Ann Lee)")
    ('Ann Lee', 'ann at example.org')
    """
    if named := _NAMED.match(value):
        name, address = named[1], named[2]
    elif comment := _COMMENT.match(value):
        address, name = comment[1], comment[2]
    else:
        name, address = "", value
    name = name.strip().rstrip(",")
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].replace('\\"', '"').strip()
    return name or None, address.strip() or None


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """A Content-Type or Content-Disposition: its value in lower case, and its parameters (RFC 2231)."""
    text = value.decode("ascii") if value.isascii() else decode_text(value, None)[0]
    kind = text.partition(";")[0].strip().lower()
    found: dict[str, str] = {}
    continued: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(text):
        name = name.lower()
        base, star, rest = name.partition("*")
        if star and rest[:1].isdigit():
            continued[base] = continued.get(base, "") + (quoted or bare)
        elif star:
            found[base] = _unescape_parameter(quoted or bare)
        else:
            found.setdefault(name, quoted or bare)
    for base, joined in continued.items():
        found.setdefault(base, _unescape_parameter(joined) if "''" in joined else joined)
    return kind, found


def _unescape_parameter(value: str) -> str:
    charset, quote, rest = value.partition("'")
    _, second, encoded = rest.partition("'")
    if not (quote and second):
        return value
    data = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), encoded.encode())
    return decode_text(data, charset)[0]
