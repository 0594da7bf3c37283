"""What some sites' records mean beyond the names of their fields.

- Reddit (Pushshift dumps): `link_id` and `parent_id` carry a type (`t1_`, `t3_`) that ids lack; a submission
  is the first post of its own thread.
- 4chan: `resto` is 0 in the post that opens a thread; "Anonymous" is nobody; a post links to others by
  `>>123`; `com` is missing where there is only a picture.
- Hacker News: deleted items and stories that are a link alone have no text.
- Discourse: a reply and a quote name the number of a post in its topic, not its id.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dedup.readers.columns import Record

_STRING = msgspec.json.Decoder(str)
_QUOTED_POST = re.compile(r"(?:\A|\n)>>(\d{1,12})(?=\s|\Z)")
_TYPED_ID = re.compile(rb'"t[1-6]_([0-9a-z]+)"')
_KINDS_OF_ITEM = (b'"story"', b'"comment"', b'"poll"', b'"pollopt"', b'"job"')
_NO_TEXT = b'""'
TELLING = frozenset(("subreddit", "resto", "post_number", "type"))
"""Fields without which a record is of none of these sites."""


def settle(record: Record) -> Record:
    """The record as its site means it; itself where there is nothing to say. Cheap for others."""
    if TELLING.isdisjoint(record):
        return record
    if "subreddit" in record and ("link_id" in record or "selftext" in record):
        return _reddit(record)
    if "resto" in record and "no" in record:
        return _imageboard(record)
    if "by" in record and bytes(record.get("type", b"")) in _KINDS_OF_ITEM and "text" not in record:
        return {**record, "text": _NO_TEXT}
    if "deleted" in record and bytes(record.get("type", b"")) in _KINDS_OF_ITEM and "text" not in record:
        return {**record, "text": _NO_TEXT}
    return record


def _reddit(record: Record) -> Record:
    settled = dict(record)
    for key in ("link_id", "parent_id"):
        if key in settled and (typed := _TYPED_ID.fullmatch(bytes(settled[key]))):
            settled[key] = b'"%b"' % typed[1]
    if "link_id" not in settled and "id" in settled:
        settled["link_id"] = settled["id"]
    return settled


def _imageboard(record: Record) -> Record:
    settled = dict(record)
    opens = bytes(record["resto"]) == b"0"
    settled["thread_id"] = record["no"] if opens else record["resto"]
    del settled["resto"]
    if bytes(record.get("name", b"")) == b'"Anonymous"' and "trip" not in record:
        del settled["name"]
    if "com" not in record:
        settled["com"] = _NO_TEXT
    return settled


def is_imageboard(record: Record) -> bool:
    """Whether a settled record is a post of an imageboard."""
    return "no" in record and "com" in record


def link_imageboard(text: str, marks: list[dict[str, Any]]) -> tuple[str | None, list[dict[str, Any]]]:
    """The first post that `text` links to by `>>123`, and the marks: a link is no quote, but the lines
    with `>` below it quote that post."""
    links = [(match.start(1) - 2, match.end(), match[1]) for match in _QUOTED_POST.finditer(text)]
    if not links:
        return None, marks
    kept: list[dict[str, Any]] = []
    for mark in marks:
        start, named = mark["start"], mark["post_id"]
        for link_start, link_end, post in links:
            if link_start < mark["end"] and link_end >= start:
                start, named = max(start, link_end + (text[link_end : link_end + 1] == "\n")), post
            elif link_end <= start:
                named = post
        if start < mark["end"]:
            kept.append({**mark, "start": start, "post_id": named})
    return links[0][2], kept


def topic_numbers(records: list[Record]) -> dict[str, str]:
    """Post numbers of a Discourse topic → the ids of those posts."""
    numbers = {}
    for record in records:
        if "post_number" in record and "id" in record:
            numbers[bytes(record["post_number"]).decode()] = bytes(record["id"]).decode().strip('"')
    return numbers


def with_parent(record: Record, numbers: dict[str, str]) -> Record:
    """A Discourse post with the id of the post it replies to."""
    number = bytes(record.get("reply_to_post_number", b"null")).decode()
    parent = numbers.get(number)
    return record if parent is None or "parent_id" in record else {**record, "parent_id": parent.encode()}
