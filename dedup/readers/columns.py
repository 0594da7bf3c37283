"""From JSON objects to the columns of POSTS: known fields are decoded, all others travel on as they were.

A record is a dict of key → the value's JSON, not yet decoded (`msgspec.Raw` or bytes). Values are decoded
a column at a time: joined into one JSON array, they cost the parser one call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from dedup.readers.fields import COLUMNS, fields_of
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
_OWN_RECORD = {"id", "text", "source"}
"""Fields of a corpus record of ours; `created` is there when the dump had it."""
_OWN_METADATA = set(OWN_KEYS)
_FROM_METADATA = frozenset(range(len(COLUMNS))) - {_TEXT, COLUMNS.index("id")}
_NAME_KEYS = ("username", "user_name", "name", "display_name", "displayName", "nick", "login")
_NUMBER = frozenset(b"-0123456789")
_QUOTE = ord('"')


class Columns(NamedTuple):
    """What `columns_of` made of some records, one row each."""

    arrays: dict[str, pa.Array]
    """Columns of POSTS: those of `fields.COLUMNS`, and `metadata`."""
    unreadable: dict[int, str]
    """Rows without a text, and why; their `text` is empty."""


class _Shape(NamedTuple):
    """What records with the same keys in the same order have in common."""

    keys: tuple[str, ...]
    candidates: tuple[tuple[str, ...], ...]
    """For each column the keys that may hold it, the likeliest first."""


def columns_of(records: Sequence[Record], mapped: tuple[tuple[str, str], ...]) -> Columns:
    """The columns of these records. `mapped` is (column, field) of the settings.

    What a record says does not depend on its neighbours.
    """
    flat = list(records)
    shapes = _shapes(flat, mapped)
    raws: list[list[Value]] = [[_NULL] * len(flat) for _ in COLUMNS]
    picked: dict[int, dict[int, str]] = {}  # row → column → key, where it is not the likeliest
    for shape, rows in shapes:
        _take(shape, rows, flat, raws, picked)

    arrays: dict[str, pa.Array] = {}
    unreadable: dict[int, str] = {}
    unfit: dict[int, frozenset[int]] = {}  # row → columns whose value is more than the column holds
    for index, column in enumerate(COLUMNS):
        values, unfit_rows = _strings(index, raws[index])
        if index == _TEXT:
            if None in values:
                rejected = [row for row, value in enumerate(values) if value is None]
                unreadable = {row: _why_unreadable(records[row], mapped) for row in rejected}
                values = [value or "" for value in values]
        else:
            for row in unfit_rows:
                unfit[row] = unfit.get(row, frozenset()) | {index}
            if "" in values:
                values = [value or None for value in values]
        arrays[column] = pa.array(values, pa.string())

    metadata = ["{}"] * len(flat)
    for shape, rows in shapes:
        _collect_rest(shape, rows, flat, picked, unfit, metadata)
    arrays["metadata"] = pa.array(metadata, pa.string())
    return Columns(arrays, unreadable)


def _shapes(flat: list[Record], mapped: tuple[tuple[str, str], ...]) -> list[tuple[_Shape, list[int]]]:
    """The shapes of the records and their rows; records with a `metadata` object are flattened."""
    rows_of: dict[tuple[str, ...], list[int]] = {}
    for row, record in enumerate(flat):
        keys = tuple(record)
        if keys in rows_of:
            rows_of[keys].append(row)
        else:
            rows_of[keys] = [row]
    shapes: list[tuple[_Shape, list[int]]] = []
    for keys, rows in rows_of.items():
        fields = fields_of(keys, mapped)
        if fields.metadata is None:
            shapes.append((_Shape(keys, fields.candidates), rows))
            continue
        shape_of: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[_Shape, list[int]]] = {}
        for row in rows:
            inner = _open_metadata(flat, row, fields.metadata)
            keys = tuple(flat[row])
            if (keys, inner) not in shape_of:
                shape_of[keys, inner] = _Shape(keys, with_inner(fields.candidates, inner)), []
            shape_of[keys, inner][1].append(row)
        shapes += shape_of.values()
    return shapes


def is_own(record: Record) -> bool:
    """Whether a record looks like one of a corpus that we wrote."""
    return record.keys() - {"created"} == _OWN_RECORD | {"metadata"}


def _open_metadata(flat: list[Record], row: int, key: str) -> tuple[str, ...]:
    """Put the fields of a `metadata` object beside those of its record; their keys.

    None are, when it is no object, or when keys would collide: then it stays as it is.
    """
    record = flat[row]
    if bytes(record[key])[:1] != b"{":
        return ()
    inner: Record = {**_OBJECT.decode(record[key])}
    opened = open_keys(tuple(record), key, tuple(inner))
    if opened is None:
        return ()
    flat[row] = {name: record[name] for name in opened[0]} | {name: inner[name] for name in opened[1]}
    return opened[1]


@lru_cache(4096)
def open_keys(
    outer: tuple[str, ...], metadata: str, inner: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The keys of a record and of its `metadata` object, side by side; None where keys would collide."""
    dropped = {metadata}
    if set(outer) - {"created", metadata} == _OWN_RECORD and set(inner) >= _OWN_METADATA:
        dropped |= {"source"}
        inner = tuple(key for key in inner if key != "cluster_id")
    beside = tuple(key for key in outer if key not in dropped)
    return (beside, inner) if set(beside).isdisjoint(inner) else None


def with_inner(
    candidates: tuple[tuple[str, ...], ...], inner: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """For each column the keys that may hold it, where a `metadata` object has put `inner` beside others."""
    inside = fields_of(inner, ()).candidates
    return tuple(
        found + inside[index] if index in _FROM_METADATA else found for index, found in enumerate(candidates)
    )


def _take(
    shape: _Shape,
    rows: list[int],
    flat: Sequence[Record],
    raws: list[list[Value]],
    picked: dict[int, dict[int, str]],
) -> None:
    """Put the values of these rows into the columns: the likeliest candidate, or the first that fits."""
    alike = flat if len(rows) == len(flat) else [flat[row] for row in rows]
    for index, names in enumerate(shape.candidates):
        if not names:
            continue
        values = list(map(itemgetter(names[0]), alike))
        if len(names) > 1:
            for at, value in enumerate(values):
                if not _is_plain(index, bytes(value)):
                    name = _pick(index, names, alike[at])
                    values[at] = _NULL if name is None else alike[at][name]
                    picked.setdefault(rows[at], {})[index] = name or ""
        if len(rows) == len(flat):
            raws[index] = values
        else:
            for row, value in zip(rows, values, strict=True):
                raws[index][row] = value


def _is_plain(index: int, data: bytes) -> bool:
    """Whether a column can hold this value, and it is not empty: seen at a glance."""
    if data[0] == _QUOTE:
        return len(data) > 2
    return index != _TEXT and data[0] in _NUMBER


def _pick(index: int, names: Sequence[str], record: Mapping[str, Value]) -> str | None:
    """The first of these keys whose value this column can hold; an empty one only if all are empty."""
    decoded = {name: _decoded(index, record[name]) for name in names}
    full = (name for name in names if decoded[name])
    return next(full, next((name for name in names if decoded[name] is not None), None))


def _strings(index: int, raws: Sequence[Value]) -> tuple[list[str | None], list[int]]:
    """A column's values, and the rows whose value says more than a string can."""
    try:
        return _STRINGS.decode(b"[" + b",".join(raws) + b"]"), []
    except msgspec.ValidationError:
        pass  # not all are strings
    plain: list[Value] = []
    unfit: dict[int, str | None] = {}
    for row, raw in enumerate(raws):
        data = bytes(raw)
        if data[0] == _QUOTE or data == _NULL:
            plain.append(data)
        elif index != _TEXT and data[0] in _NUMBER:
            plain.append(b'"%b"' % data)
        else:
            plain.append(_NULL)
            unfit[row] = _decoded(index, data)
    values = _STRINGS.decode(b"[" + b",".join(plain) + b"]")
    for row, value in unfit.items():
        values[row] = value
    return values, list(unfit)


def _decoded(index: int, raw: Value) -> str | None:
    """A value as this column holds it, or None where it does not fit."""
    data = bytes(raw)
    if data[0] == _QUOTE:
        return _STRING.decode(data)
    if index != _TEXT and data[0] in _NUMBER:
        return data.decode()
    if index == _AUTHOR and data[:1] == b"{":  # an object: its name
        person = _OBJECT.decode(data)
        for key in _NAME_KEYS:
            if key in person and bytes(person[key])[0] == _QUOTE:
                return _STRING.decode(person[key])
    return None


def _collect_rest(
    shape: _Shape,
    rows: list[int],
    flat: Sequence[Record],
    picked: Mapping[int, Mapping[int, str]],
    unfit: Mapping[int, frozenset[int]],
    metadata: list[str],
) -> None:
    """Put what no column holds into the metadata, as it was.

    Where a column could have been found, null and "" say no more than no field at all, and go.
    """
    likeliest = {index: names[0] for index, names in enumerate(shape.candidates) if names}
    known = {name for names in shape.candidates for name in names}
    entries_of: dict[tuple[frozenset[int], frozenset[tuple[int, str]]], list[tuple[bytes, str, bool]]] = {}
    nothing: frozenset[Any] = frozenset()
    for row in rows:
        others = frozenset(picked[row].items()) if row in picked else nothing
        case = unfit.get(row, nothing), others
        entries = entries_of.get(case)
        if entries is None:
            taken = likeliest | dict(others)
            used = {name for index, name in taken.items() if index not in case[0]}
            entries = [(_entry(key), key, key in known) for key in shape.keys if key not in used]
            entries_of[case] = entries
        if entries:
            record = flat[row]
            members = [
                entry + data
                for entry, key, may_go in entries
                if (data := bytes(record[key])) not in _EMPTY or not may_go
            ]
            metadata[row] = (b"{" + b",".join(members) + b"}").decode()


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
