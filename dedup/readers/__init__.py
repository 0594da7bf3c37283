"""From files to posts: one reader per format behind one registry.

    find_sources → open_source → recognise → Reader.blocks → Reader.parse
    paths          bytes          format     whole records   POSTS, REJECTED

Everything up to the blocks runs once and in order; parsing a block is pure and can run anywhere. To add
a format, write a module with a `Reader` and list it in `READERS`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import chain, groupby

import pyarrow as pa
from rapidfuzz import process

from dedup.config import Read
from dedup.errors import ConfigError, InputError
from dedup.readers.arrow import Arrow, Parquet
from dedup.readers.base import Block, ByRows, ManyAtOnce, Parsed, Reader, Reject, rejected_batch
from dedup.readers.columns import is_own
from dedup.readers.companions import is_companion
from dedup.readers.delimited import Delimited
from dedup.readers.edges import SAMPLE_POSTS, find_edges, mark_edges
from dedup.readers.json_array import JsonArray
from dedup.readers.jsonl import Jsonl
from dedup.readers.mail import Mail
from dedup.readers.pages import Pages
from dedup.readers.redact import redact_posts
from dedup.readers.sources import InputFile, Inputs, Source, SourceStream, find_sources, open_source
from dedup.readers.sqlite import Sqlite
from dedup.readers.stackexchange import StackExchange
from dedup.readers.text import Text
from dedup.readers.warc import Warc
from dedup.schema import POSTS

__all__ = [
    "READERS",
    "Block",
    "InputFile",
    "Inputs",
    "Parsed",
    "Reader",
    "Source",
    "find_sources",
    "group_blocks",
    "open_source",
    "parse_block",
    "parse_blocks",
    "read_blocks",
    "read_posts",
    "recognise",
]

# Asked in this order; the text reader takes what is left.
READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Parquet(),
        Arrow(),
        Sqlite(),
        Warc(),
        StackExchange(),
        Jsonl(),
        JsonArray(),
        Pages(),
        Mail(),
        Delimited(),
        Text(),
    )
}
"""Name → reader, as `--input-format` calls it."""
_BY_ROWS = {name: reader for name, reader in READERS.items() if isinstance(reader, ByRows)}
"""Asked once: whether a class fits a protocol takes longer than to open a file."""

_HEAD_BYTES = 64 << 10
_EDGE_BYTES = 512 << 10
_BLOCK_BYTES = 4 << 20
_MOST_BLOCKS = 1000
"""In a group: an empty file takes time too."""


def recognise(name: str, head: bytes, input_format: str | None = None) -> Reader | None:
    """The reader for a file of this name (without the suffix of a compression) that begins with `head`.

    None when no reader knows it. `input_format` forces one; ConfigError when there is none of that name.
    """
    if input_format is not None:
        if input_format not in READERS:
            close = process.extractOne(input_format, list(READERS), score_cutoff=50)
            raise ConfigError(
                f"read.input_format: there is no reader {input_format!r}.",
                hint=f"Did you mean {close[0]}?" if close else f"Known are {', '.join(READERS)}.",
            )
        return READERS[input_format]
    return next((reader for reader in READERS.values() if reader.recognises(name, head)), None)


def read_blocks(
    paths: Iterable[str | os.PathLike[str]],
    settings: Read | None = None,
    block_bytes: int = _BLOCK_BYTES,
    inputs: Inputs | None = None,
) -> Iterator[Block]:
    """All inputs as blocks of whole records, in order; each file is read once.

    A file that cannot be read to its end, or that no reader knows, gives a block with an `error`, and the
    next file follows. `inputs` collects the sha256 and size of each file. Where the blocks are cut has
    no influence on the posts.

    Raises InputError when a path does not exist, ConfigError for settings that cannot be.
    """
    settings = settings or Read()
    sources = find_sources(paths)
    recognise("", b"", settings.input_format)
    for source in sources:
        yield from _blocks_of(source, settings, block_bytes, inputs)


def _blocks_of(source: Source, settings: Read, block_bytes: int, inputs: Inputs | None) -> Iterator[Block]:
    try:
        stream = open_source(source, settings.max_expansion)
    except InputError as error:
        yield _fault(source, 1, 0, error.what)
        return
    with stream:
        head = stream.peek(_HEAD_BYTES)
        reader = None
        if settings.input_format is not None or not is_companion(source.name):
            reader = recognise(source.name, head, settings.input_format)
        records = 0
        if reader is not None:
            edges = _edges_of(reader, stream, source.shown, settings)
            blocks = reader.blocks(stream, source.shown, settings, block_bytes)
            if reader.name in _BY_ROWS:
                edges, blocks = _edges_of_rows(_BY_ROWS[reader.name], blocks, settings)
            for block in blocks:
                records = block.first_record
                yield block._replace(edges=edges) if edges else block
        elif head and not is_companion(source.name):
            yield _fault(source, 1, 0, "no reader knows this format; name one with --input-format")
        if stream.fault is not None:
            yield _fault(source, records + 1, stream.position, f"{stream.fault} (at byte {stream.position})")
        file = stream.finish()
        if inputs is not None:
            inputs.files.append(file)


def _edges_of(reader: Reader, stream: SourceStream, path: str, settings: Read) -> tuple[str, ...]:
    """The kinds of page chrome at the edges of the posts at the front of a file."""
    if not isinstance(reader, Jsonl | Delimited):  # files that are parsed whole tell for themselves
        return ()
    head = stream.peek(_EDGE_BYTES)
    block = next(reader.blocks(BytesIO(head), path, settings, len(head) + 1), None)
    if block is None or block.error is not None or any(map(is_own, reader.sample(block, settings))):
        return ()
    return find_edges(parse_block(block, settings).posts, settings.edit_notes)


def _edges_of_rows(
    reader: ByRows, blocks: Iterator[Block], settings: Read
) -> tuple[tuple[str, ...], Iterator[Block]]:
    """The same for a file that is read by rows, and its blocks."""
    ahead: list[Block] = []
    posts: list[pa.RecordBatch] = []
    wanted = SAMPLE_POSTS
    for block in blocks:
        ahead.append(block)
        if block.error is None:
            if not posts and any(map(is_own, reader.sample(block, settings))):
                return (), chain(ahead, blocks)
            front, rows = reader.front(block, wanted)
            posts.append(parse_block(front, settings).posts)
            wanted -= rows
        if wanted <= 0:
            break
    edges = find_edges(pa.concat_batches(posts), settings.edit_notes) if posts else ()
    return edges, chain(ahead, blocks)


def _fault(source: Source, record: int, at: int, error: str) -> Block:
    return Block(b"", source.shown, record, at, "", error=error, byte_end=at)


def parse_block(block: Block, settings: Read | None = None) -> Parsed:
    """A block's posts (POSTS) and rejects (REJECTED), both in order. Pure."""
    settings = settings or Read()
    if block.error is None:
        with _without_collector():
            return _finished(READERS[block.reader].parse(block, settings), block.edges, settings)
    end = block.byte_start if block.byte_end is None else block.byte_end
    reject = Reject(block.path, block.first_record, block.byte_start, end, block.error, block.data)
    return Parsed(pa.RecordBatch.from_pylist([], schema=POSTS), rejected_batch([reject]))


def _finished(parsed: Parsed, edges: tuple[str, ...], settings: Read) -> Parsed:
    posts = mark_edges(parsed.posts, edges) if edges else parsed.posts
    return Parsed(redact_posts(posts) if settings.redact else posts, parsed.rejected)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Parsing makes some hundred thousand objects and no cycles; looking for some takes a third of it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def group_blocks(blocks: Iterable[Block], block_bytes: int = _BLOCK_BYTES) -> Iterator[list[Block]]:
    """Blocks in groups of about `block_bytes`, in order: thousands of small files are few tasks."""
    group: list[Block] = []
    size = 0
    for block in blocks:
        if group and (size + len(block.data) > block_bytes or len(group) == _MOST_BLOCKS):
            yield group
            group, size = [], 0
        group.append(block)
        size += len(block.data)
    if group:
        yield group


def parse_blocks(blocks: Sequence[Block], settings: Read | None = None) -> Parsed:
    """Posts and rejects of a group of blocks, in order. Pure."""
    settings = settings or Read()
    parsed = []
    for name, run in groupby(blocks, lambda block: block.reader if block.error is None else ""):
        reader = READERS.get(name)
        if isinstance(reader, ManyAtOnce):
            with _without_collector():
                parsed.append(_finished(reader.parse_many(list(run), settings), (), settings))
        else:
            parsed += [parse_block(block, settings) for block in run]
    if len(parsed) == 1:
        return parsed[0]
    return Parsed(*(pa.concat_batches(list(batches)) for batches in zip(*parsed, strict=True)))


def read_posts(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    settings: Read | None = None,
    on_reject: Callable[[pa.RecordBatch], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The posts of files, folders, globs or standard input ("-"), as batches of POSTS in input order.

    What cannot be read is handed to `on_reject` as batches of REJECTED, and the reading goes on.
    Raises InputError when a path does not exist.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    for block in read_blocks(paths, settings):
        posts, rejected = parse_block(block, settings)
        if rejected.num_rows and on_reject is not None:
            on_reject(rejected)
        if posts.num_rows:
            yield posts
