"""Records that hold others: a topic with its posts, a post with its comments, a listing of them.

    {"title": …, "posts": [{…}, {…}]}              scrapers, 4chan
    {"id": …, "post_stream": {"posts": [{…}]}}     Discourse
    {"id": …, "text": …, "children": [{…}]}        Hacker News
    {"kind": "Listing", "data": {"children": [{"kind": "t1", "data": {…}}]}}    Reddit

Each post becomes a record of its own; what it does not say itself about its thread, title, board and
parent it takes from what holds it. Other fields of a topic belong to no post and are passed over.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dedup.readers.boards import settle
from dedup.readers.columns import Record, Value, text_key
from dedup.readers.fields import COLUMNS, fields_of

MAX_DEPTH = 64
"""Posts nested deeper stay in the metadata of the post they are in."""

_HOLDERS = tuple(
    name
    for names in (
        "posts post_stream comments replies children messages items answers responses threads topics data",
        "results thread topic",
    )
    for name in names.split()
)
HOLDERS = frozenset(_HOLDERS)
"""Fields that may hold other records."""
_PATHS = ("path", "breadcrumbs", "breadcrumb")

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRINGS = msgspec.json.Decoder(list[str])
_EMPTY = (b"null", b'""', b"0")

Mapped = tuple[tuple[str, str], ...]


class _Context(NamedTuple):
    """What a post takes from what holds it, as JSON; None where it is not known."""

    thread_id: Value | None = None
    parent_id: Value | None = None
    title: Value | None = None
    board: Value | None = None


_KEYS = _Context("thread_id", "parent_id", "thread_title", "board")  # type: ignore[arg-type]


def _may_hold(record: Record) -> bool:
    return not HOLDERS.isdisjoint(record)


def unfold(record: Record, mapped: Mapped) -> list[Record] | None:
    """The posts that a record holds, itself among them if it is one; None when it holds no others."""
    posts: list[Record] = []
    _unfold(record, _Context(), mapped, MAX_DEPTH, posts)
    return None if len(posts) == 1 and posts[0] is record else posts or None


def _unfold(record: Record, context: _Context, mapped: Mapped, depth: int, posts: list[Record]) -> None:
    held: dict[str, list[Record]] = {}
    if depth and _may_hold(record):
        for key in _HOLDERS:
            if key in record and (inner := _held_by(record[key], mapped)):
                held[key] = inner
    is_post = text_key(record, mapped) is not None
    if not held:
        if is_post or depth == MAX_DEPTH:
            posts.append(_within(record, context, mapped))
        return
    if is_post:
        bare = {key: value for key, value in record.items() if key not in held}
        posts.append(_within(bare, context, mapped))
    inside = _context_of(record, context, mapped, is_post)
    for inner in held.values():
        for each in inner:
            _unfold(each, inside, mapped, depth - 1, posts)


def _held_by(value: Value, mapped: Mapped) -> list[Record]:
    """The records in a field's value; none unless there is a post among them."""
    data = bytes(value)
    if data[:1] == b"[":
        elements = [bytes(element) for element in _LIST.decode(data)]
        if not elements or any(element[:1] != b"{" for element in elements):
            return []
        records: list[Record] = [settle({**_OBJECT.decode(element)}) for element in elements]
    elif data[:1] == b"{":
        records = [settle({**_OBJECT.decode(data)})]
    else:
        return []
    return records if any(_may_hold(each) or text_key(each, mapped) for each in records) else []


def _within(record: Record, context: _Context, mapped: Mapped) -> Record:
    """The record with what it lacks."""
    if not any(context):
        return record
    candidates = fields_of(tuple(record), mapped).candidates
    missing: Record = {}
    for column, key, value in zip(_Context._fields, _KEYS, context, strict=True):
        if value is not None and not _says(record, candidates[COLUMNS.index(column)]):
            missing[str(key)] = value
    return {**record, **missing}


def _says(record: Record, names: tuple[str, ...]) -> bool:
    return any(bytes(record[name]) not in _EMPTY for name in names)


def _context_of(record: Record, context: _Context, mapped: Mapped, is_post: bool) -> _Context:
    candidates = fields_of(tuple(record), mapped).candidates

    def first(column: str) -> Value | None:
        values = (record[name] for name in candidates[COLUMNS.index(column)])
        return next((value for value in values if _is_scalar(bytes(value))), None)

    own_id = first("id")
    return _Context(
        first("thread_id") or context.thread_id or (None if is_post else own_id),
        own_id if is_post else context.parent_id,
        first("title") or context.title,
        first("board") or _last_of_path(record) or context.board,
    )


def _is_scalar(data: bytes) -> bool:
    return data not in _EMPTY and data[:1] in b'"-0123456789'


def _last_of_path(record: Record) -> bytes | None:
    for key in _PATHS:
        if key in record and bytes(record[key])[:1] == b"[":
            try:
                names = _STRINGS.decode(record[key])
            except msgspec.ValidationError:
                continue
            if names:
                return msgspec.json.encode(names[-1])
    return None
