"""Hides mail addresses while reading, so that they are in no output: not even provenance knows them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dedup.normalize.edits import Change, to_clean
from dedup.readers.base import list_array
from dedup.schema import POSTS

HIDDEN = "[email]"

# A run of characters is looked at once, from its beginning, and each repetition is followed by something it
# cannot match itself: linear time.
_LOCAL = r"(?:(?<=\[quote=)|(?<![\w.+=-])(?!quote=))[\w.+=-]++"
_DOMAIN = r"(?:(?:[^\W_][\w-]{0,62}+\.){1,8}[^\W\d_][\w-]{1,62}+|\[\d{1,3}(?:\.\d{1,3}){3}\])"
_ADDRESS = re.compile(rf"{_LOCAL}(?:@|\s?[(\[{{]\s?at\s?[)\]}}]\s?){_DOMAIN}", re.IGNORECASE)
_SPELLED = re.compile(rf"{_LOCAL}(?:@|\s?[(\[{{]\s?at\s?[)\]}}]\s?|\sat\s){_DOMAIN}", re.IGNORECASE)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"')
_SIGNS = r"@|\bat\b|u0040"
"""What every address holds one of, as it stands in text and in JSON."""


def hide_addresses(text: str, spelled: bool = False) -> str:
    """Text with `[email]` for every mail address; `spelled`: also for `ann at example.org`.

    >>> hide_addresses("Ann <ann@example.org>")
    'Ann <[email]>'
    """
    return (_SPELLED if spelled else _ADDRESS).sub(HIDDEN, text)


def redact_posts(posts: pa.RecordBatch) -> pa.RecordBatch:
    """Posts (schema POSTS) with `[email]` for every mail address in text, author, title, board and metadata.

    Ids stay as they are: posts are linked by them. An author that is nothing but an address becomes unknown:
    hidden addresses must not make one person of many.
    """
    for name in ("author", "title", "board"):
        posts = _changed(posts, name, _hidden_author if name == "author" else hide_addresses)
    posts = _changed(posts, "metadata", _hide_in_json)
    texts = posts.column("text")
    changes = {}
    for row in _suspects(texts):
        found = _ADDRESS.finditer(texts[row].as_py())
        if rewritten := [Change(*address.span(), HIDDEN, "redact") for address in found]:
            changes[row] = rewritten
    for name, places in (("marks", ("start", "end")), ("chrome", ("start", "end")), ("escapes", ("at",))):
        posts = _moved(posts, name, places, changes)
    return _changed(posts, "text", lambda value: hide_addresses(value))


def _hidden_author(name: str) -> str | None:
    without = hide_addresses(name)
    return None if without == HIDDEN else without


def _suspects(column: pa.StringArray) -> list[int]:
    rows: list[int] = pc.indices_nonzero(
        pc.fill_null(pc.match_substring_regex(column, _SIGNS, ignore_case=True), False)
    ).to_pylist()
    return rows


def _changed(posts: pa.RecordBatch, name: str, change: Any) -> pa.RecordBatch:
    column = posts.column(name)
    rows = _suspects(column)
    if not rows:
        return posts
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    values = [change(value) for value in column.take(pa.array(rows)).to_pylist()]
    column = pc.replace_with_mask(column, pa.array(mask), pa.array(values, pa.string()))
    return posts.set_column(POSTS.get_field_index(name), POSTS.field(name), column)


def _moved(
    posts: pa.RecordBatch, name: str, places: tuple[str, ...], changes: dict[int, list[Change]]
) -> pa.RecordBatch:
    """The posts with the offsets of a list column carried into the changed texts."""
    column = posts.column(name)
    if not changes or not len(column.values):
        return posts
    entries = {row: values for row, values in enumerate(column.to_pylist()) if values}
    for row in entries.keys() & changes.keys():
        for place in places:
            old = np.array([entry[place] for entry in entries[row]], np.int64)
            carried = to_clean(old, changes[row], "end" if place == "end" else "start")
            for entry, new in zip(entries[row], carried.tolist(), strict=True):
                entry[place] = new
        for entry in entries[row]:
            if entry.get("author"):
                entry["author"] = _hidden_author(entry["author"])
    moved = list_array(entries, posts.num_rows, POSTS.field(name).type)
    return posts.set_column(POSTS.get_field_index(name), POSTS.field(name), moved)


def _hide_in_json(text: str) -> str:
    def hidden(found: re.Match[str]) -> str:
        string = json.loads(found[0], strict=False)
        without = hide_addresses(string)
        return found[0] if without == string else json.dumps(without)

    return _STRING.sub(hidden, text)
