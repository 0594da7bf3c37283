"""The first posts of each input as its reader understood them, so that one sees whether it got them right.

`peek` reads no more of a file than it must, and writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from dedup.config import Read
from dedup.dates import parse_dates
from dedup.readers import READERS, Block, find_sources, parse_block, read_blocks
from dedup.readers.columns import Record
from dedup.readers.fields import COLUMNS, fields_of, mapping

_BLOCK_BYTES = 1 << 18
MAX_REJECTS = 3
"""So many records that could not be read are shown of a file."""


class Glimpse(NamedTuple):
    """The front of one input."""

    path: str
    format: str | None
    """Name of the reader; None when no reader knows the file."""
    encoding: str | None
    """What the first posts were decoded with; several names where they differ."""
    markup: str | None
    """What the bodies of records are written in."""
    fields: dict[str, str]
    """Column → the field of the first record it is taken from; empty where the format has no fields."""
    other_fields: list[str]
    """Fields of the first record that travel on as they are."""
    posts: list[dict[str, Any]]
    """Rows of POSTS, each with `time`: `created` as it was understood, or None."""
    rejected: list[dict[str, Any]]
    """What could not be read: `record` and `error`."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return self._asdict()


def peek(
    paths: Iterable[str | os.PathLike[str]], settings: Read | None = None, posts: int = 3
) -> Iterator[Glimpse]:
    """The front of each input, in order: at most so many `posts`, as they will be cleaned.

    Raises InputError when a path does not exist, ConfigError for settings that cannot be.
    """
    settings = settings or Read()
    for source in find_sources(paths):
        yield _glimpse(source.path, settings, posts)


def _glimpse(path: str, settings: Read, wanted: int) -> Glimpse:
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    first: Block | None = None
    shown = path
    created: list[pa.Array] = []
    for block in read_blocks([path], settings, _BLOCK_BYTES):
        shown = block.path
        if first is None and block.error is None:
            first = block
        parsed = parse_block(block, settings)
        created.append(parsed.posts.column("created"))
        rows += parsed.posts.slice(0, wanted - len(rows)).to_pylist()
        for reject in parsed.rejected.select(["record", "error"]).slice(0, MAX_REJECTS).to_pylist():
            rejected.append(reject)
        if len(rows) >= wanted or (not rows and len(rejected) >= MAX_REJECTS):
            break
    if created:
        # All dates that were read decide together how they are written, as they do in a run.
        times = parse_dates(pa.chunked_array(created, pa.string()), settings.date_format).to_pylist()
        for row, seconds in zip(rows, times, strict=False):
            row["time"] = None if seconds is None else _iso(seconds)
    fields, others = _fields(first, settings) if first is not None else ({}, [])
    return Glimpse(
        shown,
        first.reader if first is not None else None,
        ", ".join(sorted({row["encoding"] for row in rows})) or None,
        first.markup if first is not None else None,
        fields,
        others,
        rows,
        rejected[:MAX_REJECTS],
    )


def _iso(seconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


def _fields(block: Block, settings: Read) -> tuple[dict[str, str], list[str]]:
    """Which column is taken from which field, and the fields that are left."""
    sample = getattr(READERS[block.reader], "sample", None)  # formats without records have none
    records: list[Record] = sample(block, settings) if sample is not None else []
    if not records:
        return {}, []
    keys = tuple(dict.fromkeys(key for record in records for key in record))
    candidates = fields_of(keys, mapping(settings.fields)).candidates
    fields = {column: names[0] for column, names in zip(COLUMNS, candidates, strict=True) if names}
    return fields, [key for key in keys if key not in fields.values()]


class Format(NamedTuple):
    """A format that is read."""

    name: str
    """As `--input-format` calls it."""
    suffixes: tuple[str, ...]
    what: str


def formats() -> list[Format]:
    """Every format that is read, from the registry of readers."""
    return [
        Format(reader.name, reader.suffixes, _what(type(reader).__doc__ or "")) for reader in READERS.values()
    ]


def _what(docstring: str) -> str:
    """What a reader reads: its docstring says `The reader of …`."""
    return docstring.partition("\n")[0].removeprefix("The reader of ").rstrip(".")
