"""Where the mails of an mbox begin.

Writers were meant to put `>` before lines of a body that begin with "From ", and often did not. So a line
"From …" is taken for the beginning of a mail only if a blank line goes before it, it holds a date (or is one
of the bare numbers of Usenet archives), and header fields follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dedup.config import Read
from dedup.readers.base import KEPT_REJECT_BYTES, Block, ByteStream, whole_file
from dedup.readers.objects import too_long

_SEEN_BYTES = 8 << 10
"""So much after its first byte decides whether a line begins a mail."""
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATED = re.compile(
    rb"(?=[^\n]*\b\d{1,2}:\d\d\b)(?=[^\n]*\b(?:19|20)\d\d\b)[^\n]*\b" + _MONTH + rb"[a-z]{0,6}\b"
)
_NUMBER = re.compile(rb"From -?\d{5,20}\r?\n")
_FIELDS = re.compile(
    rb"(?:>?From [^\n]*+\n)?([!-9;-~]{1,80}+):[^\n]*+\n(?:[ \t][^\n]*+\n)*+([!-9;-~]{1,80}+:)?"
)


def begins_mbox(data: bytes) -> bool:
    """Whether data begins with a mail of an mbox."""
    return _begins_mail(data, len(data) - len(data.lstrip(b"\r\n")))


def mail_starts(data: bytes, searched: int = 0, more: bool = False) -> list[int]:
    """Where the mails in `data` begin, which itself begins with one; the first is 0.

    searched: up to there no other begins. more: whether data goes on; then what its end leaves open is
    left out.
    """
    starts = [0]
    at = data.find(b"\nFrom ", searched)
    while at >= 0:
        if more and len(data) - at <= _SEEN_BYTES:
            break
        if (data[at - 1 : at] == b"\n" or data[at - 2 : at] == b"\n\r") and _begins_mail(data, at + 1):
            starts.append(at + 1)
        at = data.find(b"\nFrom ", at + 1)
    return starts


def _begins_mail(data: bytes, at: int) -> bool:
    if not data.startswith(b"From ", at):
        return False
    seen = data[at : at + _SEEN_BYTES]
    fields = _FIELDS.match(seen, seen.find(b"\n") + 1)
    if fields is None:
        return False
    return _DATED.match(seen) is not None or (_NUMBER.match(seen) is not None and fields[2] is not None)


def unescape(mail: bytes) -> bytes:
    """A mail of an mbox with the `>` gone that its writer put before "From ".

    Beside other lines that begin with `>` it is a quote's.
    """
    at = mail.find(b"\n>From ")
    while at >= 0:
        line = mail.rfind(b"\n", 0, at) + 1
        after = mail.find(b"\n", at + 1) + 1
        if not mail.startswith(b">", line) and not (after and mail.startswith(b">", after)):
            mail = mail[: at + 1] + mail[at + 2 :]
        at = mail.find(b"\n>From ", at + 1)
    return mail


class _Ahead:
    """A stream of which the beginning was read already."""

    def __init__(self, head: bytes, stream: ByteStream) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int, /) -> bytes:
        data, self._head = self._head[:size], self._head[size:]
        return data + self._stream.read(size - len(data)) if len(data) < size else data


def one_mail(head: bytes, stream: ByteStream, path: str, settings: Read, reader: str) -> Iterator[Block]:
    """A stream that is one message, of which `head` was read already."""
    block = whole_file(_Ahead(head, stream), path, settings, reader)
    if block is not None:
        yield block


def mail_blocks(
    head: bytes, stream: ByteStream, path: str, settings: Read, block_bytes: int, reader: str
) -> Iterator[Block]:
    """An mbox, of which `head` was read already, cut where mails begin."""
    stream = _Ahead(head, stream)
    limit = settings.max_record_mb << 20
    data = b""  # begins with a mail
    record, byte_start, more = 1, 0, True
    while more or data:
        searched = max(0, len(data) - 2 * _SEEN_BYTES)
        chunk = stream.read(block_bytes)
        more = len(chunk) == block_bytes
        data += chunk
        starts = mail_starts(data, searched, more)
        if more and len(starts) == 1 and len(data) > limit + _SEEN_BYTES:
            kept = data[:KEPT_REJECT_BYTES]
            size, data, more = _pass_over(data, stream, block_bytes)
            error, byte_end = too_long(size, limit), byte_start + size
            yield Block(kept, path, record, byte_start, reader, error=error, byte_end=byte_end)
            record, byte_start = record + 1, byte_start + size
            continue
        end = starts[-1] if more else len(data)
        if end:
            yield Block(data[:end], path, record, byte_start, reader)
        record, byte_start, data = record + len(starts) - 1, byte_start + end, data[end:]


def _pass_over(data: bytes, stream: ByteStream, block_bytes: int) -> tuple[int, bytes, bool]:
    """Read on to the next mail without holding this one: (its size, what was read behind it, whether more
    can be read)."""
    size, more = 0, True
    while more:
        size += max(0, len(data) - 2 * _SEEN_BYTES)
        data = data[-2 * _SEEN_BYTES :]
        chunk = stream.read(block_bytes)
        more = len(chunk) == block_bytes
        data += chunk
        starts = mail_starts(data, 0, more)
        if len(starts) > 1:
            return size + starts[1], data[starts[1] :], more
    return size + len(data), b"", False
