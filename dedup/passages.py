"""Posts in memory → the passages they copy, with the very steps of the pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dedup.config import Config
from dedup.engines.local import LocalEngine
from dedup.errors import InputError
from dedup.index import index_posts
from dedup.normalize import normalize
from dedup.pipeline import decide, resemble
from dedup.quotes.find import find_passages
from dedup.readers import Block, parse_block
from dedup.results import make_results, make_tasks
from dedup.schema import EDIT, POSTS
from dedup.stage import write_blocks
from dedup.stopping import temporary_folder

PASSAGES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the post that copies
        pa.field("start", pa.int32(), nullable=False),  # in code points of its raw text
        pa.field("end", pa.int32(), nullable=False),
        pa.field("why", pa.string(), nullable=False),
        pa.field("removed", pa.bool_(), nullable=False),  # whether `clean` would take it out
        *(EDIT.field(name) for name in ("source_id", "source_start", "source_end", "via_id", "score")),
        *(EDIT.field(name) for name in ("group", "flags")),
    ]
)
"""One copied passage a row."""

_COPIES = pa.array(["quote", "repost", "exact_duplicate", "near_duplicate", "boilerplate"])
_BLOCK_POSTS = 10_000

Posts: TypeAlias = "pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch] | Iterable[Mapping[str, Any]]"


def find_quotes(posts: Posts, config: Config | None = None) -> pa.Table:
    """The passages that posts copy from one another: one row (PASSAGES) each, in input order.

    posts: mappings with `text` and, as far as they are known, `id`, `author`, `thread_id`, `parent_id`
    and `date` (the names that `clean` recognises, or as `config.read.fields` maps them); or Arrow tables
    with such columns; or the batches of `read_posts`. Nothing is written but a temporary folder.

    Raises InputError for a post without a text, ConfigError for settings that cannot be.

    >>> said = "Plate glass moves for two hours after polishing, whatever the books say."
    >>> answer = said + "\\n\\nSo I went to bed, and looked at mine in the morning."
    >>> found = find_quotes([
    ...     {"id": "1", "author": "ann", "thread_id": "t", "text": said},
    ...     {"id": "2", "author": "bob", "thread_id": "t", "text": answer},
    ... ])
    >>> found.select(["id", "start", "end", "why", "source_id"]).to_pylist()
    [{'id': '2', 'start': 0, 'end': 74, 'why': 'quote', 'source_id': '1'}]
    """
    config = config or Config()
    with temporary_folder("dedup-") as folder, LocalEngine(config.run.workers) as engine:
        normalized = (normalize(batch, config.normalize) for batch in _batches(posts, config))
        stage = write_blocks(folder, normalized)
        index, ids = index_posts(stage, config, engine)
        passages = resemble(index, find_passages(index, config.quotes, engine), config, engine)
        decisions = decide(index, passages, config)
        marks = config.decide.quotes == "mark"
        tasks = make_tasks(stage, index.blocks, index.input_offsets, decisions, ids, index.answers, marks)
        found = [_passages_of(results) for results in engine.map_batches(make_results, tasks)]
    return pa.Table.from_batches(found, PASSAGES)


def _batches(posts: Posts, config: Config) -> Iterator[pa.RecordBatch]:
    """The posts as batches of POSTS, none of them empty."""
    tables = posts.to_batches() if isinstance(posts, pa.Table) else posts
    if isinstance(tables, pa.RecordBatch):
        tables = [tables]
    first = 1
    for batch in _parts(iter(tables)):
        if isinstance(batch, pa.RecordBatch) and batch.schema.equals(POSTS):
            found = batch
        else:
            records = batch.to_pylist() if isinstance(batch, pa.RecordBatch) else batch
            found = _parsed(records, first, config)
        first += found.num_rows
        if found.num_rows:
            yield found


def _parts(posts: Iterator[Any]) -> Iterator[Any]:
    """Arrow batches as they are, mappings in lists."""
    for head in posts:
        if isinstance(head, pa.RecordBatch):
            yield head
        else:
            yield [head, *islice(posts, _BLOCK_POSTS - 1)]


def _parsed(records: list[Mapping[str, Any]], first: int, config: Config) -> pa.RecordBatch:
    lines = (json.dumps(dict(record), default=str) + "\n" for record in records)
    block = Block("".join(lines).encode(), "posts", first, 0, "jsonl")
    parsed = parse_block(block, config.read)
    for reject in parsed.rejected.to_pylist():
        raise InputError(f"{reject['error']}.", where=f"post {reject['record']}")
    return parsed.posts


def _passages_of(results: pa.RecordBatch) -> pa.RecordBatch:
    parts = [_rows_of(results, name, name == "edits") for name in ("edits", "kept_copies")]
    both = pa.Table.from_batches(parts)
    # rows of one post stand together, in the order of the text
    order = pc.sort_indices(both, [("post", "ascending"), ("start", "ascending")])
    table = both.take(order).select(PASSAGES.names).cast(PASSAGES).combine_chunks()
    return next(chain(table.to_batches(), [pa.RecordBatch.from_pylist([], PASSAGES)]))


def _rows_of(results: pa.RecordBatch, column: str, removed: bool) -> pa.RecordBatch:
    lists = results.column(column)
    posts, edits = pc.list_parent_indices(lists), pc.list_flatten(lists)
    copies = pc.is_in(edits.field("why"), value_set=_COPIES)
    columns = {name: pc.struct_field(edits, name) for name in PASSAGES.names if name not in ("id", "removed")}
    columns["id"] = results.column("id").take(posts)
    columns["removed"] = pa.repeat(removed, len(edits))
    columns["post"] = posts
    return pa.RecordBatch.from_pydict(columns).filter(copies)
