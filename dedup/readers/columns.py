"""From JSON objects to the columns of POSTS: known fields are decoded, all others travel on as they were.

A record is a dict of key → the value's JSON, not yet decoded (`msgspec.Raw` or bytes). Values are decoded
a column at a time: joined into one JSON array, they cost the parser one call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, cast

import msgspec
import pyarrow as pa

from dedup.readers.fields import COLUMNS, Fields, fields_of
from dedup.writers.metadata import OWN_KEYS

Value = msgspec.Raw | bytes
Record = dict[str, Value]

_STRINGS = msgspec.json.Decoder(list[str | None])
_STRING = msgspec.json.Decoder(str)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL = b"null"
_EMPTY = (_NULL, b'""')

_TEXT = COLUMNS.index("text")
_AUTHOR = COLUMNS.index("author")
# A record of a corpus that we wrote: its `source` and `cluster_id` are ours, not the dump's, and cleaning it
# again sets them again.
_OWN_RECORD = {"id", "text", "source", "created"}
_OWN_METADATA = set(OWN_KEYS)
_FROM_METADATA = frozenset(range(len(COLUMNS))) - {_TEXT, COLUMNS.index("id")}
_NAME_KEYS = ("username", "user_name", "name", "display_name", "displayName", "nick", "login")
_NUMBER = frozenset(b"-0123456789")
_UNFIT = frozenset((b"{", b"[", b"t", b"f"))


class Columns(NamedTuple):
    """What `columns_of` made of some records, one row each."""

    arrays: dict[str, pa.Array]
    """Columns of POSTS: those of `fields.COLUMNS`, and `metadata`."""
    texts: list[str]
    """The `text` column again, as Python strings."""
    unreadable: dict[int, str]
    """Rows without a text, and why; their `text` is empty."""


def columns_of(records: Sequence[Record], mapped: tuple[tuple[str, str], ...]) -> Columns:
    """The columns of these records. `mapped` is (column, field) of the settings.

    What a record says does not depend on its neighbours.
    """
    raws: list[list[Value]] = [[_NULL] * len(records) for _ in COLUMNS]
    metadata = ["{}"] * len(records)
    # Records with the same keys in the same order are taken apart in the same way.
    for keys, rows in _by_keys(records).items():
        fields = fields_of(keys, mapped)
        if _alike(fields):
            _take_alike(records, rows, keys, fields, raws, metadata)
        else:
            for row in rows:
                values, metadata[row] = _take_apart(records[row], fields)
                for index, value in enumerate(values):
                    raws[index][row] = value

    arrays: dict[str, pa.Array] = {}
    texts: list[str] = []
    unreadable: dict[int, str] = {}
    unfit: dict[int, set[str]] = {}
    for index, column in enumerate(COLUMNS):
        try:
            decoded = _STRINGS.decode(b"[" + b",".join(raws[index]) + b"]")
        except msgspec.ValidationError:  # not all are strings
            decoded = [_decoded(index, raw) for raw in raws[index]]
            for row, raw in enumerate(raws[index]):
                if index != _TEXT and not _fits(raw):
                    unfit.setdefault(row, set()).add(column)
        if index == _TEXT:
            if None in decoded:
                unreadable = {
                    row: _why_unreadable(records[row], mapped)
                    for row, value in enumerate(decoded)
                    if value is None
                }
            texts = cast(list[str], [value or "" for value in decoded] if unreadable else decoded)
            arrays[column] = pa.array(texts, pa.string())
        else:
            if "" in decoded:
                decoded = [value or None for value in decoded]
            arrays[column] = pa.array(decoded, pa.string())
    for row, columns in unfit.items():
        fields = fields_of(tuple(records[row]), mapped)
        if _alike(fields):  # else `_take_apart` has seen to it
            chosen = {
                found[0]
                for name, found in zip(COLUMNS, fields.candidates, strict=True)
                if found and name not in columns
            }
            metadata[row] = _metadata(records[row], [key for key in records[row] if key not in chosen])
    arrays["metadata"] = pa.array(metadata, pa.string())
    return Columns(arrays, texts, unreadable)


def _by_keys(records: Sequence[Record]) -> dict[tuple[str, ...], list[int]]:
    rows_of: dict[tuple[str, ...], list[int]] = {}
    for row, record in enumerate(records):
        keys = tuple(record)
        if keys in rows_of:
            rows_of[keys].append(row)
        else:
            rows_of[keys] = [row]
    return rows_of


def _alike(fields: Fields) -> bool:
    """Whether a column has one candidate, or none, and there is no `metadata` to open: the usual case."""
    return fields.metadata is None and all(len(found) <= 1 for found in fields.candidates)


def _take_alike(
    records: Sequence[Record],
    rows: list[int],
    keys: tuple[str, ...],
    fields: Fields,
    raws: list[list[Value]],
    metadata: list[str],
) -> None:
    """The usual case, a column at a time."""
    chosen = {found[0]: index for index, found in enumerate(fields.candidates) if found}
    alike = records if len(rows) == len(records) else [records[row] for row in rows]
    for key, index in chosen.items():
        values = list(map(itemgetter(key), alike))
        if len(rows) == len(records):
            raws[index] = values
        else:
            for row, value in zip(rows, values, strict=True):
                raws[index][row] = value
    rest = [(_entry(key), itemgetter(key)) for key in keys if key not in chosen]
    if rest:
        for row, record in zip(rows, alike, strict=True):
            metadata[row] = _json_object([entry + bytes(value(record)) for entry, value in rest])


def _take_apart(record: Record, fields: Fields) -> tuple[list[Value], str]:
    """The general case: the first candidate that fits, then those inside a `metadata` object."""
    everything: Mapping[str, Value] = record
    candidates = list(fields.candidates)
    if fields.metadata is not None and bytes(record[fields.metadata])[:1] == b"{":
        inner: Record = {**_OBJECT.decode(record[fields.metadata])}
        outer = {key: value for key, value in record.items() if key != fields.metadata}
        if outer.keys() == _OWN_RECORD and inner.keys() >= _OWN_METADATA:
            del outer["source"], inner["cluster_id"]
        if not outer.keys() & inner.keys():  # else its keys would collide: it stays as it is
            everything = outer | inner
            inside = fields_of(tuple(inner), ()).candidates
            for index in _FROM_METADATA:
                candidates[index] += inside[index]
    values: list[Value] = [_NULL] * len(COLUMNS)
    used = set()
    for index, names in enumerate(candidates):
        key = _pick(index, [name for name in names if name not in used], everything)
        if key is not None:
            values[index] = everything[key]
            if _fits(everything[key]):
                used.add(key)
    # Where a column could have been found, null and "" say no more than no field at all.
    used |= {key for names in candidates for key in names if bytes(everything[key]) in _EMPTY}
    return values, _metadata(everything, [key for key in everything if key not in used])


def _pick(index: int, names: Sequence[str], record: Mapping[str, Value]) -> str | None:
    """The first of these keys whose value this column can hold; an empty one only if all are empty."""
    decoded = {name: _decoded(index, record[name]) for name in names}
    full = (name for name in names if decoded[name])
    return next(full, next((name for name in names if decoded[name] is not None), None))


def _fits(value: Value) -> bool:
    """Whether a column holds all that this value says; an object, array, true or false stays besides."""
    return bytes(value)[:1] not in _UNFIT


def _decoded(index: int, raw: Value) -> str | None:
    """A value as this column holds it, or None where it does not fit."""
    data = bytes(raw)
    if data[0] == 0x22:  # a string
        return _STRING.decode(data)
    if index != _TEXT and data[0] in _NUMBER:
        return data.decode()
    if index == _AUTHOR and data[0] == 0x7B:  # an object: its name
        person = _OBJECT.decode(data)
        for key in _NAME_KEYS:
            if key in person and bytes(person[key])[0] == 0x22:
                return _STRING.decode(person[key])
    return None


def _metadata(record: Mapping[str, Value], keys: Sequence[str]) -> str:
    return _json_object([_entry(key) + bytes(record[key]) for key in keys])


def _json_object(entries: list[bytes]) -> str:
    return (b"{" + b",".join(entries) + b"}").decode()


def _entry(key: str) -> bytes:
    return json.dumps(key, ensure_ascii=False).encode() + b":"


def text_key(record: Record, mapped: tuple[tuple[str, str], ...]) -> str | None:
    """The key a record's text is taken from; where none fits, the likeliest; None where there is none."""
    names = fields_of(tuple(record), mapped).candidates[_TEXT]
    return _pick(_TEXT, names, record) or (names[0] if names else None)


def _why_unreadable(record: Record, mapped: tuple[tuple[str, str], ...]) -> str:
    key = text_key(record, mapped)
    if key is None:
        names = list(record)
        listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        return f"no text field; its fields are: {listed or 'none'}; map one with --field text=NAME"
    return f"the text field {key!r} is no string but {_kind(bytes(record[key]))}"


def _kind(data: bytes) -> str:
    kinds = {b"{": "an object", b"[": "an array", b"n": "null", b"t": "true", b"f": "false"}
    return kinds.get(data[:1], "a number")
