"""WARC and WET: web archives. Each page in them is read by the reader of its own kind.

A page of HTML goes to the reader of saved pages, plain text to that of text threads, JSON to that of JSON
files, as if it were a file named `archive.warc.gz#address`. Only successful responses count; pictures and
scripts, requests and notes of the crawler are passed over. Records are numbered from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa

from dedup.config import Read
from dedup.readers.base import (
    KEPT_REJECT_BYTES,
    Block,
    ByteStream,
    Parsed,
    rejected_batch,
)
from dedup.readers.lines import first_invalid
from dedup.readers.objects import too_long
from dedup.schema import POSTS

_MAGIC = b"WARC/"
_END = b"\r\n\r\n"
_MAX_HEAD = 64 << 10
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_ERRORS = (OSError, ValueError, EOFError, StopIteration)
_READER_OF = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "application/json": "json",
}


class Warc:
    """The reader of web archives."""

    name = "warc"
    suffixes = (".warc", ".wet", ".arc")

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith((b"WARC/1.", b"WARC/0."))

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        limit = settings.max_record_mb << 20
        carry, record, byte_start = b"", 1, 0
        ended = False
        while carry or not ended:
            chunk = b"" if ended else stream.read(block_bytes)
            ended = len(chunk) < block_bytes
            carry += chunk
            starts = _starts(carry)
            block = Block(b"", path, record, byte_start, self.name, settings.encoding)
            size = starts.ends[-1]
            if ended and not carry[size:].strip(b"\r\n"):
                size = len(carry)  # blank lines at the end of the file
            if size:
                yield block._replace(data=carry[:size])
                carry = carry[size:]
                record += len(starts.ends) - 1
            elif starts.fault:
                kept, size, carry = _pass_over(stream, carry, None, block_bytes)
                yield block._replace(data=kept, error=starts.fault, byte_end=byte_start + size)
                record += 1
            elif starts.wanted > limit or (ended and carry):
                error = "the archive ends in the middle of a record"
                if starts.wanted > limit:
                    error = too_long(starts.wanted, limit)
                # Where the record does not end in the file, another may begin all the same.
                passed = starts.wanted if starts.wanted > limit else None
                kept, size, carry = _pass_over(stream, carry, passed, block_bytes)
                yield block._replace(data=kept, error=error, byte_end=byte_start + size)
                record += 1
            else:
                size = 0
            byte_start += size

    def parse(self, block: Block, settings: Read) -> Parsed:
        from dedup.readers import parse_blocks  # which lists this module

        pages: list[Block] = []
        for number, (start, end) in enumerate(pairwise(_starts(block.data).ends)):
            data = block.data[start:end]
            try:
                page = _page_of(data.lstrip(b"\r\n"), settings.max_record_mb << 20)
            except _ERRORS as error:
                at, record = block.byte_start, block.first_record + number
                fault = f"the record cannot be read: {error}"
                damaged = Block(data[:KEPT_REJECT_BYTES], block.path, record, at + start, "", error=fault)
                pages.append(damaged._replace(byte_end=at + end))
                continue
            if page is not None:
                pages += _blocks_of(page, f"{block.path}#{page.address}", settings)
        if not pages:
            return Parsed(pa.RecordBatch.from_pylist([], schema=POSTS), rejected_batch([]))
        return parse_blocks(pages, settings)


class _Starts(NamedTuple):
    """Where the records of some bytes are."""

    ends: list[int]
    """0, and where each whole record ends."""
    wanted: int
    """Size of the record that is not whole, where it is known."""
    fault: str | None
    """Why what follows is no record, however many bytes followed."""


def _starts(data: bytes) -> _Starts:
    ends = [0]
    while True:
        at = ends[-1]
        while data[at : at + 2] == b"\r\n":  # blank lines belong to the record behind them
            at += 2
        if len(data) - at < len(_MAGIC) and (data[at:] == b"\r" or _MAGIC.startswith(data[at:])):
            return _Starts(ends, 0, None)
        if not data.startswith(_MAGIC, at):
            return _Starts(ends, 0, "is no record of a web archive")
        head = data.find(_END, at, at + _MAX_HEAD)
        if head < 0:
            endless = len(data) - at > _MAX_HEAD
            return _Starts(ends, 0, "a record whose head does not end" if endless else None)
        length = _LENGTH.search(data, at, head + 2)
        if length is None:
            return _Starts(ends, 0, "a record that does not say how long it is")
        end = head + len(_END) + int(length[1])
        if end > len(data):
            return _Starts(ends, end - ends[-1], None)
        ends.append(end)


def _pass_over(
    stream: ByteStream, carry: bytes, size: int | None, block_bytes: int
) -> tuple[bytes, int, bytes]:
    """Some bytes that are no record, up to where the next one seems to begin, or `size` bytes: their
    beginning, how many they are, and what was read beyond them."""
    kept, passed = b"", 0
    while True:
        if size is not None:
            end = size - passed
        else:
            end = carry.find(b"\n" + _MAGIC, 1 if passed == 0 else 0) + 1 or len(carry) + 1
        keep = b"" if size is not None else carry[-len(_MAGIC) :]  # a mark may be cut
        chunk = b"" if end <= len(carry) else stream.read(block_bytes)
        if not chunk:
            end = min(end, len(carry))
            return kept + carry[: min(end, KEPT_REJECT_BYTES - len(kept))], passed + end, carry[end:]
        over = len(carry) - len(keep)
        kept += carry[: min(over, KEPT_REJECT_BYTES - len(kept))]
        passed += over
        carry = keep + chunk


class _Page(NamedTuple):
    """What a record of the archive holds."""

    kind: str
    """Name of the reader for it."""
    address: str
    data: bytes
    encoding: str | None
    """What the server said it is in, where that can be."""
    fetched: str | None
    """When, where a page may count its dates from that (`header` of its block)."""


def _page_of(data: bytes, limit: int) -> _Page | None:
    """The page of one record; None where it holds none. Raises one of _ERRORS for a damaged one."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    wanted = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion
    # Record by record: one that cannot be decoded would end the iteration.
    record = next(iter(ArchiveIterator(BytesIO(data), wanted, stream_detect=False, auto_decode="all")), None)
    if record is None:
        return None
    address = str(record.headers.get("WARC-Target-URI") or "").strip("<>")
    if record.is_http:
        if record.http_headers is None or record.http_headers.status_code != 200:
            return None
        media, charset = record.http_content_type, record.http_charset
    else:
        media, charset = str(record.headers.get("Content-Type") or "").partition(";")[0], None
    kind = _READER_OF.get((media or "").strip().lower())
    if kind is None:
        return None
    body = record.reader.read(limit + 1)
    if len(body) > limit:
        raise ValueError(too_long(len(body), limit))
    fetched = str(record.headers.get("WARC-Date") or "") or None if kind == "html" else None
    return _Page(kind, address, body, _usable(charset, body), fetched)


def _usable(charset: str | None, data: bytes) -> str | None:
    """The encoding that was declared, if the data can be in it; UTF-8 is found without."""
    if not charset or first_invalid(data) is None:
        return None
    try:
        data.decode(charset)
        return charset
    except (LookupError, UnicodeError, ValueError):
        return None


def _blocks_of(page: _Page, path: str, settings: Read) -> Iterator[Block]:
    """A page as the reader of its kind cuts a file of that name."""
    from dedup.readers import READERS

    reader = READERS.get(page.kind)
    if reader is None:
        return
    for block in reader.blocks(BytesIO(page.data), path, settings, len(page.data) + 1):
        yield block._replace(encoding=block.encoding or page.encoding, header=page.fetched or block.header)
