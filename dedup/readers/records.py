"""From records, whatever file they come from, to POSTS and rejects.

A record is a dict of key → JSON value. Here nested posts are taken out (`unfold`), what some sites mean is
settled (`boards`), fields become columns (`columns`), and bodies that are HTML become text with marks
(`markup`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dedup.config import Read
from dedup.readers.base import list_array, posts_batch, repeated
from dedup.readers.boards import (
    TELLING,
    is_imageboard,
    link_imageboard,
    settle,
    topic_numbers,
    with_parent,
)
from dedup.readers.columns import Record, columns_of, is_own, text_key
from dedup.readers.fast_html import convert
from dedup.readers.fields import mapping
from dedup.readers.lenient import Escape
from dedup.readers.marks import Quoted, find_marks, quoted_parent
from dedup.readers.markup import html_marks, looks_like_html
from dedup.readers.unfold import HOLDERS, unfold
from dedup.schema import POSTS

SAMPLE_RECORDS = 200
"""So many records at the front of an input tell what it is like."""
UNCOMMON = HOLDERS | TELLING
"""Fields without which a record is no more than its own fields."""


class Told(NamedTuple):
    """Records of one input, one row each, and what is known of them beside their fields."""

    records: Sequence[Record]
    numbers: Sequence[int] | npt.NDArray[np.int64]
    """Position in the file of each, from 1."""
    path: str
    markup: str | None
    """What the bodies are written in: `html`, or `text`; None: no row but those of a topic is HTML."""
    encodings: Mapping[int, str]
    """By row, where it is not UTF-8."""
    escapes: Mapping[int, Mapping[str, list[Escape]]]
    """By row and key, the lone surrogates of a string."""


class Made(NamedTuple):
    """What `make_posts` made."""

    posts: pa.RecordBatch
    unreadable: dict[int, str]
    """Rows of the records without a text, and why; they are not among the posts."""


def make_posts(told: Told, settings: Read) -> Made:
    """The posts that these records are, or hold, in order."""
    mapped = mapping(settings.fields)
    flat = _flatten(told, mapped, settings)
    records = flat.records
    columns = columns_of(records, mapped)
    count = len(records)
    arrays = dict(columns.arrays)
    html = np.broadcast_to(np.asarray(flat.html, bool), count)
    marked = marked_texts(arrays["text"], html, flat.numbers)
    arrays |= marked.arrays
    if flat.linking:
        arrays["marks"], arrays["parent_id"] = _imageboard_links(
            arrays["text"].to_pylist(), flat.linking, arrays["marks"], arrays["parent_id"]
        )
    if flat.rows is not None:
        arrays["parent_id"] = _quoted_parents(flat.rows, arrays)
    numbers = np.asarray(told.numbers, np.int64)
    rows: Sequence[int] = range(count)
    if flat.rows is not None:
        rows = flat.rows
        numbers = numbers[rows]
    encodings = repeated("utf-8", count)
    if told.encodings:
        encodings = pa.array([told.encodings.get(row, "utf-8") for row in rows], pa.string())
    escapes = {}
    if told.escapes:
        for row, origin in enumerate(rows):
            if origin in told.escapes and not marked.fragments[row]:
                key = text_key(records[row], mapped) or ""
                if in_text := told.escapes[origin].get(key):
                    escapes[row] = [escape._asdict() for escape in in_text]
    posts = posts_batch(
        count,
        arrays
        | {
            "path": repeated(told.path, count),
            "record": pa.array(numbers),
            "encoding": encodings,
            "escapes": list_array(escapes, count, POSTS.field("escapes").type),
        },
    )
    if columns.unreadable:
        readable = np.ones(count, bool)
        readable[list(columns.unreadable)] = False
        posts = posts.filter(pa.array(readable))
    return Made(posts, {rows[row]: error for row, error in columns.unreadable.items()})


class Marked(NamedTuple):
    """What `marked_texts` made."""

    arrays: dict[str, pa.Array]
    """The columns `text`, `marks` and `chrome`."""
    fragments: npt.NDArray[np.bool_]
    """Which rows held markup that is HTML."""


def marked_texts(
    bodies: pa.StringArray,
    html: npt.NDArray[np.bool_],
    numbers: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
) -> Marked:
    """The texts of bodies and what is marked in them; `html` says which are HTML, `numbers` as in _Flat."""
    fragments = np.zeros(len(bodies), bool)
    rows = np.flatnonzero(html)
    if not len(rows):
        return Marked({"text": bodies, **find_marks(bodies).columns(len(bodies))}, fragments)
    if len(rows) == len(bodies):
        texts, quotes, fragments = convert(bodies)
        quoted = Quoted({}, {})
    else:
        converted, found, fragments[rows] = convert(bodies.take(pa.array(rows)))
        quotes = {int(rows[row]): listed for row, listed in found.items()}
        texts = pc.replace_with_mask(bodies, pa.array(html), converted)
        quoted = find_marks(pc.if_else(pa.array(html), "", bodies))
    quoted.marks.update(html_marks(texts, quotes, numbers, html))
    return Marked({"text": texts, **quoted.columns(len(bodies))}, fragments)


def plain_records(records: Sequence[Record], settings: Read) -> list[Record]:
    """The records, and those they hold, in order, as their sites mean them."""
    mapped = mapping(settings.fields)
    return [settle(each) for record in records for each in unfold(record, mapped) or [record]]


def find_markup(records: Sequence[Record], settings: Read) -> str:
    """What the bodies of a source that begins with these records are written in."""
    if settings.markup is not None:
        return settings.markup
    if any(map(is_own, records)):
        return "text"  # a corpus that was cleaned: what is left of tags in it are words about tags
    columns = columns_of(plain_records(records, settings), mapping(settings.fields))
    return "html" if looks_like_html(columns.arrays["text"].to_pylist()) else "text"


class _Flat(NamedTuple):
    """Records without nested ones, one row each."""

    records: Sequence[Record]
    rows: list[int] | None
    """Which of the told records each is from; None when they are the same."""
    html: bool | list[bool]
    """Whether the body is HTML: all, or one by one."""
    linking: list[int]
    """Rows that are posts of an imageboard."""
    numbers: dict[int, dict[str, str]]
    """By row, the ids of a topic's posts by their numbers in it."""


def _flatten(told: Told, mapped: tuple[tuple[str, str], ...], settings: Read) -> _Flat:
    plain = told.markup == "html"
    is_common = UNCOMMON.isdisjoint
    if all(map(is_common, told.records)):
        return _Flat(told.records, None, plain, [], {})
    records: list[Record] = []
    rows: list[int] = []
    html: list[bool] = []
    linking: list[int] = []
    numbers_of: dict[int, dict[str, str]] = {}
    for row, record in enumerate(told.records):
        inner = None if is_common(record) else unfold(record, mapped)
        if inner is None:
            markup = told.markup
            inner = [record]
        else:
            # A topic is long enough to tell for itself, wherever in the file it stands.
            known = settings.markup is not None or plain
            markup = told.markup if known else find_markup(inner[:SAMPLE_RECORDS], settings)
            if numbers := topic_numbers(inner):
                inner = [with_parent(each, numbers) for each in inner]
                numbers_of |= dict.fromkeys(range(len(records), len(records) + len(inner)), numbers)
        for each in inner:
            each = settle(each)
            if is_imageboard(each):
                linking.append(len(records))
            rows.append(row)
            records.append(each)
            html.append(markup == "html")
    return _Flat(records, rows, html, linking, numbers_of)


def _quoted_parents(rows: Sequence[int], arrays: Mapping[str, pa.Array]) -> pa.StringArray:
    """Parents; a post of a topic without one answers the post of the topic that it quotes."""
    parents: list[str | None] = arrays["parent_id"].to_pylist()
    ids: list[str | None] = arrays["id"].to_pylist()
    marks = arrays["marks"]
    held = np.flatnonzero(np.diff(marks.offsets.to_numpy()))
    end, known = 0, {}
    for row in held.tolist():
        if row >= end:
            first, end = bisect_left(rows, rows[row]), bisect_right(rows, rows[row])
            known = {each: each for each in ids[first:end] if each}
        if parents[row] is None:
            parents[row] = quoted_parent(marks[row].as_py(), known, ids[row])
    return pa.array(parents, pa.string())


def _imageboard_links(
    texts: list[str], rows: list[int], marks: pa.ListArray, parents: pa.StringArray
) -> tuple[pa.ListArray, pa.StringArray]:
    linked: list[str | None] = parents.to_pylist()
    found = {row: listed for row, listed in enumerate(marks.to_pylist()) if listed}
    for row in rows:
        if ">>" in texts[row]:
            post, found[row] = link_imageboard(texts[row], found.get(row, []))
            linked[row] = linked[row] or post
    return list_array(found, len(texts), marks.type), pa.array(linked, pa.string())
