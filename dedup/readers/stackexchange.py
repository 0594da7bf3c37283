"""Stack Exchange data dumps: `Posts.xml` and `Comments.xml`, a row a post, its fields as attributes.

    <posts>
      <row Id="4" PostTypeId="2" ParentId="1" CreationDate="…" Body="&lt;p&gt;…" OwnerUserId="12" />

A `<` cannot stand in a value, so the file is cut wherever a row begins, and a row is taken apart at its
quotation marks. Nothing is declared and nothing expanded: a file with a document type has its entities left
as they stand. Bodies are HTML. A question and its answers are a thread; a comment is a reply to its post.
`record` is the number of the row, from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from itertools import islice

import msgspec
import numpy as np
import pyarrow as pa

from dedup.config import Read
from dedup.normalize.decode import decode
from dedup.readers.base import KEPT_REJECT_BYTES, Block, ByteStream, Parsed, Reject, rejected_batch
from dedup.readers.columns import Record
from dedup.readers.fast_objects import in_order, ordinary_posts
from dedup.readers.fast_rows import as_objects
from dedup.readers.lines import first_invalid
from dedup.readers.objects import too_long
from dedup.readers.records import SAMPLE_RECORDS, Told, make_posts

_ROW = b"<row"
_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?+\s*+(?:<\?xml[^>]{0,500}+>\s*+)?+"
    rb"(?:(?:<!--(?:[^-]|-(?!->))*+-->|<![^>]{0,2000}+>|\]>)\s*+)*+<(?:posts|comments)[\s>/]",
    re.IGNORECASE,
)
"""The first element, as a feed's items may hold `<comments>` too."""
_OTHER = re.compile(rb"<(?![/!?]|posts\b|comments\b)", re.IGNORECASE)
_NAME = re.compile(r"\s+([\w:.-]+)\s*=\s*")
_END = re.compile(r"\s*/?>\s*(?:</row>\s*)?(?:</(?:posts|comments)>\s*)?(?:<!--[^<>]*-->\s*)*\Z")
_ATTRIBUTE = re.compile(r"""\s+([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_NUMERIC = re.compile(r"&#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});")
_SAFE_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&#xA;", "\n"), ("&#xD;", "\r"))
"""Those that may be replaced before a row is taken apart."""
_FRONT_BYTES = 4096
_encode = msgspec.json.Encoder().encode


class StackExchange:
    """The reader of `Posts.xml` and `Comments.xml`."""

    name = "stackexchange"
    suffixes = (".xml",)

    def recognises(self, name: str, head: bytes) -> bool:
        return _ROOT.match(head) is not None

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        limit = settings.max_record_mb << 20
        carry, markup = b"", settings.markup or ""
        record, byte_start = 1, 0
        ended = False
        while carry or not ended:
            chunk = b"" if ended else stream.read(block_bytes)
            ended = len(chunk) < block_bytes
            known = max(len(carry) - len(_ROW), 1)  # a row that begins before is the one we are in
            carry += chunk
            markup = markup or ("text" if b"<comments" in carry[:_FRONT_BYTES] else "html")
            cut = len(carry) if ended else carry.rfind(_ROW, known)
            block = Block(b"", path, record, byte_start, self.name, settings.encoding, markup=markup)
            if cut > 0:
                data, carry = carry[:cut], carry[cut:]
                yield block._replace(data=data)
                record += data.count(_ROW)
                byte_start += cut
            elif len(carry) > limit:
                kept, size, carry = _pass_over(stream, carry, block_bytes)
                yield block._replace(data=kept, error=too_long(size, limit), byte_end=byte_start + size)
                record += 1
                byte_start += size

    def parse(self, block: Block, settings: Read) -> Parsed:
        starts, ends = _bounds(block.data)
        front = block.data[: starts[0] - len(_ROW) if starts else len(block.data)]
        rejects: list[Reject] = []
        if block.byte_start == 0 and _OTHER.search(_without_comments(front)):
            error = "holds no row of a Stack Exchange dump"
            rejects = [
                Reject(block.path, block.first_record, 0, len(front), error, front[:KEPT_REJECT_BYTES])
            ]
        ordinary: pa.RecordBatch | None = None
        others = range(len(starts))
        if block.encoding is None and first_invalid(block.data) is None:
            objects = as_objects(block.data, np.array(starts, np.int64), np.array(ends, np.int64))
            ordinary, _ = ordinary_posts(
                objects.starts, objects.ends, block._replace(data=objects.data), settings
            )
            read = ordinary.column("record").to_numpy() - block.first_record
            others = np.setdiff1d(np.arange(len(starts)), read).tolist()
        records: list[Record] = []
        numbers: list[int] = []
        encodings: dict[int, str] = {}
        faults: list[tuple[int, str]] = []
        for number in others:
            row, encoding = decode(block.data[starts[number] : ends[number]], block.encoding)
            values = _attributes(row)
            if values is None:
                faults.append((number, "is no row of attributes"))
            else:
                if encoding != "utf-8":
                    encodings[len(records)] = encoding
                records.append(_record(values))
                numbers.append(number)
        places = [block.first_record + number for number in numbers]
        posts, unreadable = make_posts(
            Told(records, places, block.path, block.markup, encodings, {}), settings
        )
        faults += [(numbers[row], error) for row, error in unreadable.items()]
        rejects += [
            _reject(block, number, starts[number], ends[number], error) for number, error in sorted(faults)
        ]
        return Parsed(posts if ordinary is None else in_order(ordinary, posts), rejected_batch(rejects))

    def sample(self, block: Block, settings: Read) -> list[Record]:
        """The first records of a block, as `peek` shows their fields."""
        bounds = islice(zip(*_bounds(block.data), strict=True), SAMPLE_RECORDS)
        rows = (decode(block.data[start:end], block.encoding)[0] for start, end in bounds)
        return [_record(values) for row in rows if (values := _attributes(row)) is not None]


def _without_comments(front: bytes) -> bytes:
    first, *others = front.split(b"<!--")
    return first + b"".join(other.partition(b"-->")[2] for other in others)


def _bounds(data: bytes) -> tuple[list[int], list[int]]:
    """Where each row begins, from behind its name on, and where it ends: with the next one, or the data."""
    starts = [found.end() for found in re.finditer(_ROW, data)]
    return starts, [*(start - len(_ROW) for start in starts[1:]), len(data)][: len(starts)]


def _pass_over(stream: ByteStream, head: bytes, block_bytes: int) -> tuple[bytes, int, bytes]:
    """A row that is too long: its beginning, its size, and what was read beyond it."""
    kept, size, tail = head[:KEPT_REJECT_BYTES], len(head), head[-len(_ROW) :]
    while chunk := stream.read(block_bytes):
        at = (tail + chunk).find(_ROW)
        if at >= 0:
            end = at - len(tail)
            return kept, size + end, (tail + chunk)[at:]
        size += len(chunk)
        tail = (tail + chunk)[-len(_ROW) :]
    return kept, size, b""


def _reject(block: Block, number: int, start: int, end: int, error: str) -> Reject:
    start -= len(_ROW)
    at, data = block.byte_start, block.data[start:end][:KEPT_REJECT_BYTES]
    return Reject(block.path, block.first_record + number, at + start, at + end, error, data)


def _attributes(row: str) -> dict[str, str] | None:
    """Names and values of a row, from behind its name on; None when it is not well formed."""
    if "&" in row:
        for entity, char in _SAFE_ENTITIES:
            row = row.replace(entity, char)
    parts = row.split('"')
    names = _names_of(tuple(parts[::2])) if len(parts) % 2 else None
    if names is None:
        return _attributes_of_any(row)
    return dict(zip(names, map(_unescape, parts[1::2]), strict=True))


@lru_cache(256)
def _names_of(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """The names of a row whose values stand between these parts."""
    if _END.match(parts[-1]) is None:
        return None
    names = []
    for part in parts[:-1]:
        match = _NAME.fullmatch(part)
        if match is None:
            return None
        names.append(match[1])
    return tuple(names) if len(set(names)) == len(names) else None


def _attributes_of_any(row: str) -> dict[str, str] | None:
    """The same where values stand between apostrophes."""
    values = {}
    at = 0
    while match := _ATTRIBUTE.match(row, at):
        values[match[1]] = _unescape(match[2] or match[3] or "")
        at = match.end()
    return values if _END.match(row, at) else None


def _unescape(value: str) -> str:
    if "&" not in value:
        return value
    value = value.replace("&quot;", '"').replace("&apos;", "'")
    if "&#" in value:
        value = _NUMERIC.sub(lambda match: unescape(match[0]), value)
    return value.replace("&amp;", "&")


def _record(values: dict[str, str]) -> Record:
    """The fields of a row under names that say what they mean here."""
    if "PostId" in values and "Text" in values:  # a comment; its ids are not those of posts
        values = {
            "id": f"comment-{values.pop('Id', '')}",
            "parent_id": values.pop("PostId"),
            "author": values.pop("UserId", "") or values.pop("UserDisplayName", ""),
            **values,
        }
    elif parent := values.get("ParentId") or values.get("Id"):
        values["thread_id"] = parent
    return {name: _encode(value) for name, value in values.items()}
