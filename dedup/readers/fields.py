"""Which field of a record is which: recognised by its name, or mapped by the settings.

A name is compared without regard to case, `_`, `-` and blanks, so `post_id`, `postId` and `Post-ID` are
one. For a column that several fields could fill, the first name below whose value fits is taken; the
rest stay in the metadata.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import process

from dedup.errors import ConfigError

ALIASES: dict[str, tuple[str, ...]] = {
    column: tuple(names.split())
    for column, names in {
        "text": (
            "text body content message selftext raw cooked post post_text post_body post_content "
            "message_text msg comment_text comment_body comment body_text com"
        ),
        "id": "id post_id message_id msg_id comment_id pid no",
        "author": (
            "author username user_name user poster poster_name author_name by from from_name nick nickname "
            "creator sender member owner owner_user_id owner_display_name name"
        ),
        "thread_id": (
            "thread_id thread topic_id tid link_id conversation_id discussion_id thread_url topic_url topic"
        ),
        "parent_id": "parent_id parent reply_to reply_to_id in_reply_to in_reply_to_id parent_post_id",
        "title": "title subject topic_title thread_title thread_name topic_name sub",
        "board": ("board board_name forum forum_name subforum subreddit category list list_name section"),
        "created": (
            "created_utc created created_at date timestamp time posted_at posted datetime post_date "
            "post_time date_posted published published_at creation_date"
        ),
    }.items()
}
"""Column → names its field may have, the likeliest first."""

COLUMNS = tuple(ALIASES)

_ALL_NAMES = frozenset(name for names in ALIASES.values() for name in names)


class Fields(NamedTuple):
    """Where a record with certain keys keeps what."""

    candidates: tuple[tuple[str, ...], ...]
    """For each of COLUMNS the record's keys that may hold it, the likeliest first."""
    metadata: str | None
    """The key that may hold an object with further fields, as in a dolma document."""


@lru_cache(4096)
def fields_of(keys: tuple[str, ...], mapped: tuple[tuple[str, str], ...]) -> Fields:
    """Find the columns of a record with these keys. `mapped` is (column, field) of the settings."""
    by_name: dict[str, str] = {}
    for key in keys:
        name = _squash(key)
        if name not in by_name or key.lower() in _ALL_NAMES:  # `id` before `_id`
            by_name[name] = key
    explicit = {
        column: field if field in keys else by_name.get(_squash(field), "") for column, field in mapped
    }
    used = set(explicit.values())
    candidates: list[tuple[str, ...]] = []
    for column in COLUMNS:
        if column in explicit:
            candidates.append((explicit[column],) if explicit[column] else ())
        else:
            found = (by_name.get(_squash(name), "") for name in ALIASES[column])
            candidates.append(tuple(key for key in dict.fromkeys(found) if key and key not in used))
    metadata = by_name.get("metadata")
    return Fields(tuple(candidates), None if metadata in used else metadata)


def mapping(fields: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The settings' field mapping, checked. Raises ConfigError for a column that does not exist."""
    for column in fields:
        if column not in ALIASES:
            close = process.extractOne(column, COLUMNS, score_cutoff=50)
            raise ConfigError(
                f"read.fields knows no {column!r}.",
                hint=f"Did you mean {close[0]}?" if close else f"Known are {', '.join(COLUMNS)}.",
            )
    return tuple(sorted(fields.items()))


def _squash(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
