"""SQLite databases: the table that looks most like posts, row by row.

Tables are judged by the names of their columns; `read.table` picks another. The database is opened to be
read only, as it lies: nothing in its schema is trusted or run. `record` is the number of the row, from 1, in
the order in which they are stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote

import msgspec

from dedup.config import Read
from dedup.normalize.decode import decode
from dedup.readers.base import Block, ByteStream, Parsed
from dedup.readers.columns import Record
from dedup.readers.delimited import unique_names
from dedup.readers.fields import COLUMNS, fields_of, mapping
from dedup.readers.objects import parse_pieces, sample_records
from dedup.readers.records import SAMPLE_RECORDS, find_markup, plain_records
from dedup.readers.sources import on_disk

_MAGIC = b"SQLite format 3\0"
_TEXT = COLUMNS.index("text")
_encode = msgspec.json.Encoder().encode
_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What reading may raise; the second, where SQLite's own message quotes damaged bytes."""


class Sqlite:
    """The reader of SQLite databases."""

    name = "sqlite"
    suffixes = (".sqlite", ".sqlite3", ".db")

    def recognises(self, name: str, head: bytes) -> bool:
        return head.startswith(_MAGIC)

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        block = Block(b"", path, 1, 0, self.name)
        record = 1
        try:
            with on_disk(stream) as file, closing(_open(file, settings)) as database:
                table = _table_of_posts(database, settings)
                if table is None:
                    yield block._replace(error=_no_table(database, settings))
                    return
                rows = _lines(database, table)
                sample = list(islice(rows, SAMPLE_RECORDS))
                markup = settings.markup or find_markup(sample_records(sample), settings)
                for part in _blocks(chain(sample, rows), block._replace(markup=markup), block_bytes):
                    record = part.first_record
                    yield part
        except (*_ERRORS, OSError) as error:
            # What a damaged database does not give stands behind the rows that were read.
            yield block._replace(first_record=record, error=f"cannot be read further: {_reason(error)}")

    def parse(self, block: Block, settings: Read) -> Parsed:
        pieces = block.data.split(b"\n")
        return parse_pieces(pieces, lambda: [0] * len(pieces), block, settings)

    def front(self, block: Block, rows: int) -> tuple[Block, int]:
        """See `readers.base.ByRows`."""
        lines = block.data.split(b"\n", rows)[:rows]
        return block._replace(data=b"\n".join(lines)), len(lines)

    def sample(self, block: Block, settings: Read) -> list[Record]:
        """The first records of a block, as `peek` shows their fields."""
        return plain_records(sample_records(block.data.split(b"\n")[:SAMPLE_RECORDS]), settings)


def _blocks(lines: Iterable[bytes], block: Block, block_bytes: int) -> Iterator[Block]:
    pieces: list[bytes] = []
    size, record = 0, 1
    fault: Exception | None = None
    rows = iter(lines)
    while True:
        try:
            line = next(rows, None)
        except _ERRORS as error:
            line, fault = None, error
        if pieces and (line is None or size + len(line) > block_bytes):
            yield block._replace(data=b"\n".join(pieces), first_record=record)
            record += len(pieces)
            pieces, size = [], 0
        if line is None:
            break
        pieces.append(line)
        size += len(line)
    if fault is not None:
        yield block._replace(first_record=record, error=f"cannot be read further: {_reason(fault)}")


def _reason(error: Exception) -> str:
    return error.object.decode("utf-8", "replace") if isinstance(error, UnicodeDecodeError) else str(error)


def _open(file: Path, settings: Read) -> sqlite3.Connection:
    database = sqlite3.connect(f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True)
    database.text_factory = _text
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(settings.max_record_mb << 20, (1 << 31) - 1))
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
        database.execute(f"PRAGMA {pragma}")
    return database


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return decode(data)[0]


def _tables(database: sqlite3.Connection) -> list[str]:
    """Names of ordinary tables; views and virtual tables would run what the file says."""
    rows = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return [
        name
        for name, sql in rows
        if isinstance(name, str)
        and not name.startswith("sqlite_")
        and not str(sql).lstrip().upper().startswith("CREATE VIRTUAL")
    ]


def _table_of_posts(database: sqlite3.Connection, settings: Read) -> str | None:
    """The table named by the settings, or the one with the most known columns, a text among them."""
    tables = _tables(database)
    if settings.table is not None:
        return settings.table if settings.table in tables else None
    best, found = (0, 0), None
    for table in tables:
        names = _columns(database, table)
        candidates = fields_of(tuple(names), mapping(settings.fields)).candidates
        if candidates[_TEXT]:
            # Of two tables that look alike, the one with more rows: posts, not private messages.
            score = (sum(map(bool, candidates)), _select(database, "count(*)", table).fetchone()[0])
            if score > best:
                best, found = score, table
    return found


def _no_table(database: sqlite3.Connection, settings: Read) -> str:
    tables = ", ".join(_tables(database)[:20]) or "none"
    if settings.table is not None:
        return f"has no table {settings.table!r} (read.table); its tables are: {tables}"
    return f"no table has a text column; its tables are: {tables}; name one with read.table"


def _lines(database: sqlite3.Connection, table: str) -> Iterator[bytes]:
    """Each row as a JSON object on a line."""
    cursor = _select(database, "*", table)
    names = unique_names([column[0] for column in cursor.description])
    texts = {place for place, name in enumerate(names) if fields_of((name,), ()).candidates[_TEXT]}
    for row in cursor:
        values = [
            _text(value) if isinstance(value, bytes) and place in texts else value
            for place, value in enumerate(row)
        ]
        yield _encode(dict(zip(names, values, strict=True)))


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [column[0] for column in _select(database, "*", table).description]


def _select(database: sqlite3.Connection, what: str, table: str) -> sqlite3.Cursor:
    name = '"' + table.replace('"', '""') + '"'  # a name cannot be a parameter
    return database.execute(f"SELECT {what} FROM {name}")  # noqa: S608
