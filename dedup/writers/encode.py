"""Results as JSON lines: the records of corpus and provenance, byte for byte.

Pure functions of a batch, so that worker processes can run them; what they return can be pickled.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.writers.columns import (
    Text,
    join,
    json_array,
    json_members,
    json_numbers,
    json_object,
    json_ratios,
    json_strings,
    more_members,
    write,
)
from dedup.writers.metadata import (
    OWN_KEYS,
    FirstSeen,
    note_kind,
    note_kinds,
    parse_metadata,
    rename_clashes,
)
from dedup.writers.plain_metadata import find_plain, more_fields

_encode = msgspec.json.Encoder().encode
_SHORT = pa.array(["encoding", "whitespace", "page_chrome", "empty"])
"""The `why` of edits that have no source; they are written without the fields that describe one."""


class CorpusLines(msgspec.Struct, frozen=True, eq=False):
    """Corpus records as JSON lines, and the kinds of their metadata values."""

    data: NDArray[np.uint8]
    records: int
    first_seen: FirstSeen


class ProvenanceLines(msgspec.Struct, frozen=True, eq=False):
    """Provenance records as JSON lines."""

    data: NDArray[np.uint8]
    records: int


class Encoded(msgspec.Struct, frozen=True, eq=False):
    """Both kinds of records of one batch of results."""

    corpus: CorpusLines
    provenance: ProvenanceLines


def encode_jsonl(batch: pa.RecordBatch) -> Encoded:
    """Both kinds of records for a batch of RESULTS."""
    return Encoded(encode_corpus(batch), encode_provenance(batch))


def encode_corpus(batch: pa.RecordBatch) -> CorpusLines:
    """The corpus records of the posts that are kept or trimmed: dolma documents.

    A post without a date has no `created`: dolma's own schema knows the key as a string that may be
    missing, and refuses a null.
    """
    posts = corpus_posts(batch)
    first_seen: FirstSeen = {}
    dated = posts["created"].is_valid()
    if (row := pc.index(dated, True).as_py()) >= 0:
        first_seen["created",] = {"string": row}
    start = json_members(
        id=json_strings(posts["id"]),
        text=json_strings(posts["text"]),
        source=json_strings(posts["path"]),
    )
    created = more_members(json_members(created=json_strings(posts["created"].filter(dated))), dated)
    metadata = json_metadata(posts, first_seen)
    lines = join("{", start, created, ',"metadata":', metadata, "}\n")
    return CorpusLines(write(lines).data, posts.num_rows, first_seen)


def encode_provenance(batch: pa.RecordBatch) -> ProvenanceLines:
    """One record for every post; a dropped post's has its `created` and `metadata` too."""
    records = json_members(
        id=json_strings(batch["id"]),
        thread_id=json_strings(batch["thread_id"]),
        source=_json_source(batch),
        action=json_strings(batch["action"]),
        reason=json_strings(batch["reason"]),
        duplicate_of=json_strings(batch["duplicate_of"]),
        similarity=json_ratios(batch["similarity"]),
        raw_chars=json_numbers(batch["raw_chars"]),
        clean_chars=json_numbers(batch["clean_chars"]),
        raw_hash=json_strings(batch["raw_hash"]),
        edits=_json_edits(batch["edits"]),
        kept_copies=_json_edits(batch["kept_copies"]),
    )
    dropped = pc.equal(batch["action"], "drop")
    posts = batch.filter(dropped)
    rest = json_members(created=json_strings(posts["created"]), metadata=json_metadata(posts, {}))
    lines = join("{", records, more_members(rest, dropped), _json_corpus(batch), "}\n")
    return ProvenanceLines(write(lines).data, batch.num_rows)


def corpus_posts(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of RESULTS whose posts are part of the corpus, and the columns that are."""
    kept = pc.not_equal(batch["action"], "drop")
    posts = batch.select(["id", "text", "path", "created", "metadata", *OWN_KEYS])
    return posts if pc.all(kept).as_py() is not False else posts.filter(kept)


def own_metadata(posts: pa.RecordBatch) -> dict[str, pa.Array]:
    """The metadata columns that every corpus has.

    A post without copies is a cluster of its own, so that a corpus can be split by cluster without
    looking after posts that have none.
    """
    columns = {key: posts[key] for key in OWN_KEYS}
    columns["cluster_id"] = pc.coalesce(posts["cluster_id"], posts["id"])
    return columns


def json_metadata(posts: pa.RecordBatch, first_seen: FirstSeen) -> Text:
    """The `metadata` object of every row; the kinds of its values are noted in `first_seen`."""
    columns = own_metadata(posts)
    for key, column in columns.items():
        _note_column(("metadata", key), column, first_seen)
    own = json_members(**{key: json_strings(column) for key, column in columns.items()})
    if not pc.any(pc.not_equal(posts["metadata"], "{}")).as_py():
        return json_object(own)
    return json_object(own, _dump_fields(posts["metadata"], columns, first_seen))


def _dump_fields(texts: pa.StringArray, own: dict[str, pa.Array], first_seen: FirstSeen) -> Text:
    """What the dump's own fields add to every row's object: a comma and members, or nothing."""
    plain = find_plain(texts)
    noted = 0
    rows = np.flatnonzero(~plain.rows)
    others: list[bytes] = []
    for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        while noted < len(plain.kinds) and plain.kinds[noted][0] < row:
            note_kind(*plain.kinds[noted], first_seen)
            noted += 1
        fields = parse_metadata(text)
        if not fields.keys().isdisjoint(own):
            fields = rename_clashes({key: column[row].as_py() for key, column in own.items()}, fields)
        note_kinds(fields, row, first_seen)
        others.append(b"," + _encode(fields)[1:-1] if fields else b"")
    for row, key, kind in plain.kinds[noted:]:
        note_kind(row, key, kind, first_seen)
    return more_fields(plain, others)


def _json_source(batch: pa.RecordBatch) -> Text:
    """Where a post stands, and the escapes that became U+FFFD where there are any."""
    source = json_members(
        path=json_strings(batch["path"]),
        record=json_numbers(batch["record"]),
        encoding=json_strings(batch["encoding"]),
    )
    lengths = pc.list_value_length(batch["escapes"])
    rows = pc.greater(lengths, 0)
    flat = pa.RecordBatch.from_struct_array(batch["escapes"].flatten())
    items = json_object(json_members(at=json_numbers(flat["at"]), raw=json_strings(flat["raw"])))
    escapes = json_members(escapes=json_array(items, lengths.filter(rows)))
    return json_object(source, more_members(escapes, rows))


def _note_column(path: tuple[str, ...], column: pa.Array, first_seen: FirstSeen) -> None:
    """Note where a string column first has a value, and where a null."""
    kinds = {}
    for kind, found in (("string", column.is_valid()), ("null", column.is_null())):
        row = pc.index(found, True).as_py()
        if row >= 0:
            kinds[kind] = row
    if kinds:
        first_seen[path] = kinds


def _json_edits(column: pa.ListArray) -> Text:
    """The edits of every row, in the short form where there is no source to name."""
    flat = pa.RecordBatch.from_struct_array(column.flatten())
    edits = json_members(
        start=json_numbers(flat["start"]),
        end=json_numbers(flat["end"]),
        raw=json_strings(flat["raw"]),
        new=json_strings(flat["new"]),
        why=json_strings(flat["why"]),
    )
    copied = pc.or_(pc.invert(pc.is_in(flat["why"], _SHORT)), flat["source_id"].is_valid())
    copies = flat.filter(copied)
    flags = copies["flags"]
    source = json_members(
        source_id=json_strings(copies["source_id"]),
        source_start=json_numbers(copies["source_start"]),
        source_end=json_numbers(copies["source_end"]),
        via_id=json_strings(copies["via_id"]),
        score=json_ratios(copies["score"]),
        group=json_numbers(copies["group"]),
        flags=json_array(json_strings(flags.flatten()), pc.list_value_length(flags).fill_null(0)),
    )
    edits = json_object(edits, more_members(source, copied), _json_corpus(flat))
    return json_array(edits, pc.list_value_length(column))


def _json_corpus(rows: pa.RecordBatch) -> Text | str:
    """The member that names the earlier corpus a source stands in, where it is not this one."""
    if rows["source_corpus"].null_count == rows.num_rows:
        return ""
    named = rows["source_corpus"].is_valid()
    return more_members(json_members(source_corpus=json_strings(rows["source_corpus"].filter(named))), named)
