"""MIME parts of a mail → its text, and what is attached (RFC 2045, 2046, 2183).

Of alternatives the plain text is taken, HTML only where there is none. What is attached is named and not
read. Parts are walked without recursion, to a depth and number that no honest mail reaches.
"""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

from dedup.normalize.decode import decode
from dedup.readers.mail.charsets import decode_text
from dedup.readers.mail.flowed import unflow
from dedup.readers.mail.headers import Headers, decode_header, parameters, split_message
from dedup.readers.mail.html import html_text

MOST_PARTS = 1000
MOST_LEVELS = 50
_MOST_FOOTER = 1000

_BASE64_LINE = re.compile(rb"(?:[A-Za-z0-9+/]+={0,2}[ \t]*\r?(?:\n|$)|[ \t]*\r?\n)*+")
_UUENCODED = re.compile(
    r"^begin [0-7]{3,4} ([^\n]{1,255})\n((?:[ -`]{0,62}\n)++)end[ \t]*(?:\n|\Z)", re.MULTILINE
)
_RULE = re.compile(r"\n_{30,}+[ \t]*\n")
_SCRUBBED = re.compile(r"\n-{10,20} next part -{10,20}[ \t]*\n(?=[^\n]*(?:scrubbed|attachment))")
_LIST = re.compile(r"mailing list|mailman|listinfo", re.IGNORECASE)


class Attachment(NamedTuple):
    """A part that is named and not read."""

    name: str
    kind: str


class Body(NamedTuple):
    """The text of a mail."""

    text: str
    encoding: str
    attachments: list[Attachment]


class _Part(NamedTuple):
    headers: Headers
    content: bytes
    level: int
    alternative: int
    """Number of the multipart/alternative it is in, 0 for none."""
    digest: bool = False


class _Piece(NamedTuple):
    text: str
    encoding: str
    plain: bool
    alternative: int


def read_body(headers: Headers, content: bytes, encoding: str | None) -> Body:
    """The text of a message. `encoding`, when given, overrides what the parts declare."""
    pieces: list[_Piece] = []
    attachments: list[Attachment] = []
    messages: list[_Part] = []
    waiting = [_Part(headers, content, 0, 0)]
    alternatives = parts = 0
    while waiting:
        part = waiting.pop()
        parts += 1
        kind, options = _content_type(part)
        disposition, named = _disposition(part.headers, options)
        if kind.startswith("multipart/") and options.get("boundary") and part.level < MOST_LEVELS:
            alternatives += kind == "multipart/alternative"
            group = alternatives if kind == "multipart/alternative" else part.alternative
            found = _split(part.content, options["boundary"], MOST_PARTS - parts - len(waiting))
            digest = kind == "multipart/digest"
            inner = [_Part(*split_message(each), part.level + 1, group, digest) for each in found]
            waiting += reversed(inner)
        elif kind == "message/rfc822" and part.level < MOST_LEVELS:
            messages.append(part)
            inner_headers, _ = split_message(part.content)
            attachments.append(Attachment(named or inner_headers.text("subject"), kind))
        elif disposition == "attachment" or (named and part.level) or not _is_text(kind, part.level):
            attachments.append(Attachment(named, kind))
        else:
            text, used = _leaf_text(part, kind, options, encoding, attachments)
            pieces.append(_Piece(text, used, kind != "text/html", part.alternative))
        if not waiting and messages and not any(piece.text.strip() for piece in pieces):
            message = messages.pop(0)  # the mail is nothing but another one
            attachments = [each for each in attachments if each.kind != "message/rfc822"]
            waiting.append(_Part(*split_message(message.content), message.level + 1, 0))
            messages.clear()
    plain = {piece.alternative for piece in pieces if piece.plain and piece.text.strip()}
    chosen = [
        piece
        for piece in pieces
        if piece.text.strip() and (piece.plain or not piece.alternative or piece.alternative not in plain)
    ]
    text = "\n\n".join(piece.text.strip("\n") for piece in chosen)
    encodings = dict.fromkeys(piece.encoding for piece in chosen if piece.encoding != "utf-8")
    return Body(text, "+".join(encodings) or "utf-8", attachments)


def _content_type(part: _Part) -> tuple[str, dict[str, str]]:
    value = part.headers.fields.get("content-type")
    if not value:
        return ("message/rfc822" if part.digest else "text/plain"), {}
    kind, options = parameters(value)
    # "text", "text/plain/x": nobody knows, so it is read (RFC 2045, 5.2)
    return (kind if kind.count("/") == 1 else "text/plain"), options


def _disposition(headers: Headers, options: dict[str, str]) -> tuple[str, str]:
    """How a part is to be shown, and its file name."""
    value = headers.fields.get("content-disposition")
    kind, named = parameters(value) if value else ("", {})
    name = named.get("filename") or options.get("name") or ""
    return kind, decode_header(name.encode()) if "=?" in name else name


def _is_text(kind: str, level: int) -> bool:
    """Whether a part is for reading. The mail itself is, unless it says otherwise."""
    if kind in ("text/plain", "text/html", "text/enriched", "text/x-markdown", "text/markdown"):
        return True
    return level == 0 and (kind.startswith(("text/", "multipart/", "message/")))


def _leaf_text(
    part: _Part, kind: str, options: dict[str, str], encoding: str | None, attachments: list[Attachment]
) -> tuple[str, str]:
    data = _decoded(part.content, part.headers.fields.get("content-transfer-encoding"))
    if encoding is not None:
        text, used = decode(data, encoding)
    else:
        text, used = decode_text(data, options.get("charset"))
    text = text.replace("\r\n", "\n")
    if kind == "text/html":
        return html_text(text), used
    if "begin " in text:
        text = _without_uuencoded(text, attachments)
    if options.get("format", "").lower() == "flowed":
        text = unflow(text, options.get("delsp", "").lower() == "yes")
    return text, used


def _without_uuencoded(text: str, attachments: list[Attachment]) -> str:
    """The text without files that stand in it as lines, as was done before MIME; they are `attachments`."""

    def attach(found: re.Match[str]) -> str:
        lines = [line for line in found[2].split("\n") if line.strip(" `")]
        try:
            sizes = [len(binascii.a2b_uu(line)) for line in lines]
        except binascii.Error:
            return found[0]
        if not sizes or set(sizes[:-1]) - {45} or not 0 < sizes[-1] <= 45:  # full lines, and what is left
            return found[0]
        attachments.append(Attachment(found[1].strip(), "application/octet-stream"))
        return ""

    return _UUENCODED.sub(attach, text)


def _decoded(content: bytes, transfer_encoding: bytes | None) -> bytes:
    """Content without its transfer encoding."""
    how = (transfer_encoding or b"").partition(b";")[0].strip().lower()
    if how == b"quoted-printable":
        return binascii.a2b_qp(content)
    if how == b"base64":
        # lists put their footers below, in plain text
        encoded = _BASE64_LINE.match(content)
        end = encoded.end() if encoded else 0
        letters = b"".join(content[:end].split())
        letters = letters[: len(letters) - (len(letters.rstrip(b"=")) % 4 == 1)]
        try:
            return binascii.a2b_base64(letters + b"==") + content[end:]
        except binascii.Error:
            return content
    return content


def _split(content: bytes, boundary: str, most: int) -> list[bytes]:
    """The parts of a multipart: what stands between lines of its boundary."""
    line = b"--" + boundary.encode("utf-8", "replace")
    found: list[bytes] = []
    start = -1
    at = 0 if content.startswith(line) else content.find(b"\n" + line) + 1 or -1
    while at >= 0 and len(found) < most:
        end = at + len(line)
        line_end = content.find(b"\n", end) + 1 or len(content)
        rest = content[end:line_end].strip()
        if rest in (b"", b"--"):  # else a longer boundary that begins alike
            if start >= 0:
                found.append(content[start : at - 1 - content.startswith(b"\r\n", at - 2)])
            start = line_end
            if rest:
                return found
        at = content.find(b"\n" + line, max(at, line_end - 1)) + 1 or -1
    if start >= 0 and len(found) < most:
        found.append(content[start:])
    return found


def find_chrome(text: str) -> list[tuple[int, int]]:
    """What a mailing list put below a mail: its footer, and where it keeps attachments."""
    if "next part" in text and (scrubbed := _SCRUBBED.search(text)):
        return [(scrubbed.start(), len(text))]
    if rules := list(_RULE.finditer(text, max(0, len(text) - _MOST_FOOTER))):
        footer = text[rules[-1].end() :]
        if footer.strip("\n").count("\n") < 6 and _LIST.search(footer):
            return [(rules[-1].start(), len(text))]
    return []
