"""A JSON file that is read whole: an array of objects, `[{…}, {…}]`, or an object that holds posts, such as
a topic. `record` is the number of the element, from 1.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.config import Read
from dedup.normalize.decode import decode
from dedup.readers.base import Block, ByteStream, Parsed, Reject, rejected_batch, repeated, whole_file
from dedup.readers.columns import Record, is_own
from dedup.readers.edges import find_edges, mark_edges
from dedup.readers.lenient import read_elements
from dedup.readers.lines import known_encoding, wide_encoding
from dedup.readers.objects import parse_objects, sample_records
from dedup.readers.records import SAMPLE_RECORDS, find_markup, plain_records

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class JsonArray:
    """The reader of JSON files: arrays of posts, and topics that hold posts."""

    name = "json"
    suffixes = (".json",)

    def recognises(self, name: str, head: bytes) -> bool:
        start = head.decode(wide_encoding(head) or "utf-8", "ignore").lstrip("\ufeff \t\r\n")
        within = start[1:].lstrip()[:1]
        return (start[:1] == "[" and within in ("{", "]")) or (start[:1] == "{" and within in ('"', "}"))

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        block = whole_file(stream, path, settings, self.name)
        if block is not None:
            # A file whose encoding is not given is looked at as a whole, when it is parsed.
            given = settings.encoding and known_encoding(settings.encoding, block.data[:4])
            yield block._replace(encoding=given)

    def parse(self, block: Block, settings: Read) -> Parsed:
        """As of every reader. In files that are no UTF-8, byte offsets count the text as UTF-8."""
        text, encoding = decode(block.data, block.encoding)
        data = text.encode()
        mark = len(codecs.BOM_UTF8) if block.data.startswith(codecs.BOM_UTF8) else 0
        rest: list[Reject] = []
        try:
            elements = [bytes(element) for element in _ARRAY.decode(data)] if _is_array(data) else [data]
        except (msgspec.MsgspecError, RecursionError):
            spans, remainder = read_elements(text)
            elements = [text[start:end].encode() for start, end in spans]
            if remainder is not None:
                at = len(text[: remainder.start].encode())
                rest = [
                    Reject(
                        block.path, len(spans) + 1, mark + at, mark + len(data), remainder.error, data[at:]
                    )
                ]
        sample = sample_records(elements[:SAMPLE_RECORDS])
        markup = find_markup(sample, settings)
        starts, ends = _find(elements, data)
        whole = block._replace(data=data, encoding=None, byte_start=mark, markup=markup)
        posts, rejected = parse_objects(starts, ends, whole, settings)
        if len(elements) == 1:  # a topic: its posts are counted
            at = posts.schema.get_field_index("record")
            places = pa.array(range(1, posts.num_rows + 1), pa.int64())
            posts = posts.set_column(at, posts.schema.field(at), places)
        at = posts.schema.get_field_index("encoding")
        posts = posts.set_column(at, posts.schema.field(at), repeated(encoding, posts.num_rows))
        if not any(map(is_own, sample)) and (edges := find_edges(posts, settings.edit_notes)):
            posts = mark_edges(posts, edges)
        return Parsed(posts, pa.concat_batches([rejected, rejected_batch(rest)]))

    def sample(self, block: Block, settings: Read) -> list[Record]:
        """The first records of a block, as `peek` shows their fields."""
        data = decode(block.data, block.encoding)[0].encode()
        with suppress(msgspec.MsgspecError, RecursionError):
            elements = [bytes(each) for each in _ARRAY.decode(data)] if _is_array(data) else [data]
            return plain_records(sample_records(elements[:SAMPLE_RECORDS]), settings)
        return []


def _is_array(data: bytes) -> bool:
    return data.lstrip()[:1] == b"["


def _find(elements: list[bytes], data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the elements start and end."""
    starts, ends = [], []
    at = 0
    for element in elements:
        at = data.index(element, at)
        starts.append(at)
        at += len(element)
        ends.append(at)
    return np.array(starts, np.int64), np.array(ends, np.int64)
