"""Mail: mbox files, pipermail archives, single messages (`.eml`, maildir, Usenet spools).

    split     where the mails of an mbox begin
    headers   header fields as text
    charsets  bytes and what they declare → text
    body      MIME parts → the text, and what is attached
    flowed    lines that were wrapped so that they can be joined again
    html      the text of a part that is nothing but HTML

A mail's raw text is what its readers saw: transfer encodings undone, flowed lines joined, attachments left
out. `record` is the number of the mail in its file, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from dedup.config import Read
from dedup.readers.base import (
    KEPT_REJECT_BYTES,
    Block,
    ByteStream,
    Parsed,
    Reject,
    posts_batch,
    rejected_batch,
    repeated,
)
from dedup.readers.mail.body import find_chrome, read_body
from dedup.readers.mail.headers import Headers, message_ids, read_address, split_message
from dedup.readers.mail.split import begins_mbox, mail_blocks, mail_starts, one_mail, unescape
from dedup.readers.marks import find_marks
from dedup.readers.objects import too_long
from dedup.readers.redact import hide_addresses

_KNOWN = {
    "date",
    "message-id",
    "received",
    "path",
    "subject",
    "to",
    "newsgroups",
    "return-path",
    "delivered-to",
}


class Mail:
    """The reader of mail."""

    name = "mail"
    suffixes = (".mbox", ".mbx", ".eml")

    def recognises(self, name: str, head: bytes) -> bool:
        if begins_mbox(head):
            return True
        headers, _ = split_message(head)
        return "from" in headers.fields and len(_KNOWN & headers.fields.keys()) >= 2

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        head = stream.read(block_bytes)
        if begins_mbox(head):
            yield from mail_blocks(head, stream, path, settings, block_bytes, self.name)
        else:
            yield from one_mail(head, stream, path, settings, self.name)

    def parse(self, block: Block, settings: Read) -> Parsed:
        data = block.data
        boxed = begins_mbox(data)
        starts = mail_starts(data) if boxed else [0]
        mails: list[dict[str, Any]] = []
        numbers: list[int] = []
        rejects: list[Reject] = []
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True)):
            if end - start <= settings.max_record_mb << 20:
                numbers.append(block.first_record + number)
                mails.append(_read(unescape(data[start:end]) if boxed else data[start:end], settings))
                continue
            error = too_long(end - start, settings.max_record_mb << 20)
            place = block.first_record + number, block.byte_start + start, block.byte_start + end
            rejects.append(Reject(block.path, *place, error, data[start : start + KEPT_REJECT_BYTES]))
        rows = len(mails)
        texts = [mail["text"] for mail in mails]
        quoted = find_marks(pa.array(texts, pa.string()))
        for row, text in enumerate(texts):
            if chrome := find_chrome(text):
                spans = [{"start": start, "end": end, "why": "page_chrome"} for start, end in chrome]
                quoted.chrome[row] = sorted(
                    [*quoted.chrome.get(row, []), *spans], key=lambda span: int(span["start"])
                )
        columns = {
            name: pa.array([mail.get(name) for mail in mails], pa.string())
            for name in (
                "id", "text", "author", "thread_id", "parent_id", "title", "board", "created", "encoding",
                "metadata",
            )
        }  # fmt: skip
        columns |= {
            "path": repeated(block.path, rows),
            "record": pa.array(numbers, pa.int64()),
        }
        return Parsed(posts_batch(rows, columns | quoted.columns(rows)), rejected_batch(rejects))


def _read(data: bytes, settings: Read) -> dict[str, Any]:
    """One mail as the columns of POSTS."""
    headers, content = split_message(data)
    body = read_body(headers, content, settings.encoding)
    name, address = read_address(headers.text("from"))
    references = message_ids(headers.text("references"))
    answered = message_ids(headers.text("in-reply-to")) or references[-1:]
    mail: dict[str, Any] = {
        "id": next(iter(message_ids(headers.text("message-id"))), None),
        "text": body.text,
        "author": name or address,
        "thread_id": next(iter(references), None),
        "parent_id": next(iter(answered), None),
        "title": headers.text("subject") or None,
        "board": _board(headers),
        "created": headers.text("date") or headers.envelope_date,
        "encoding": body.encoding,
    }
    metadata = {
        "from": address,
        "to": headers.text("to"),
        "cc": headers.text("cc"),
        "newsgroups": headers.text("newsgroups"),
        "references": references,
        "attachments": [{"name": part.name, "type": part.kind} for part in body.attachments],
    }
    metadata = {key: value for key, value in metadata.items() if value}
    if settings.redact == "email":
        if not name:
            mail["author"] = None  # hidden addresses must not make one person of many
        for column in ("text", "author", "title", "board"):
            mail[column] = mail[column] and hide_addresses(mail[column], spelled=True)
        for key in ("from", "to", "cc"):
            if key in metadata:
                metadata[key] = hide_addresses(str(metadata[key]), spelled=True)
    mail["metadata"] = msgspec.json.encode(metadata).decode()
    return mail


def _board(headers: Headers) -> str | None:
    """The mailing list, by its List-Id, or the first newsgroup."""
    listed = headers.text("list-id")
    if listed:
        inside = listed.rpartition("<")[2].partition(">")[0].strip()
        return inside or listed
    return headers.text("newsgroups").partition(",")[0].strip() or None
