"""Dates that count from the day a page was fetched: "Today, 10:15", "Yesterday at 9:30 pm".

They are worked out only where the page, its path or its archive says when it was fetched; else they stay as
they are written, and no time is made of them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DAYS = {
    word: days
    for days, words in enumerate(
        (
            "today|heute|aujourd'hui|aujourd’hui|hoy|oggi|vandaag|hoje|i dag|idag|tänään|dzisiaj|dziś|dnes"
            "|сегодня|сьогодні|ma|bugün|azi|astăzi|今天|今日",
            "yesterday|gestern|hier|ayer|ieri|gisteren|ontem|i går|igår|eilen|wczoraj|včera|вчера|вчора"
            "|tegnap|dün|昨天|昨日",
        )
    )
    for word in words.split("|")
}
_COUNTED = re.compile(
    rf"\W*({'|'.join(_DAYS)})(?:\W{{1,3}}|\W{{1,2}}[^\W\d]{{1,4}}\.?\W{{1,2}})"
    r"(\d{1,2})[:.](\d{2})(?::(\d{2}))?(?:\s*([ap])\.?m\.?|\s*uhr)?\W*",
    re.IGNORECASE,
)
_STAMP = re.compile(r"(?<!\d)((?:19|20)\d{12})(?!\d)")
_WAYBACK = re.compile(rb"(?:__wm\.wombat\(\"[^\"]{1,2000}\",\"|web\.archive\.org/web/)(\d{14})")
_SINGLE_FILE = re.compile(
    rb"saved date: \w{3} (\w{3} \d{2} \d{4} \d{2}:\d{2}:\d{2}) GMT([+-]\d{4})", re.IGNORECASE
)
_MOST_CHARS = 60
_AHEAD = timedelta(hours=14)
"""No clock is further ahead of UTC."""


def fetched(path: str, data: bytes, archived: str | None, head_bytes: int = 1 << 16) -> datetime | None:
    """When a page was fetched, in UTC: by its web archive (`WARC-Date`), by what saved it, or by the 14
    digits of the Wayback Machine in its path."""
    if archived:
        return _read(archived[:19], "%Y-%m-%dT%H:%M:%S")
    if saved := _SINGLE_FILE.search(data, 0, head_bytes):
        return _read(f"{saved[1].decode()} {saved[2].decode()}", "%b %d %Y %H:%M:%S %z")
    stamp = _WAYBACK.search(data, 0, head_bytes)
    stamps = [stamp[1].decode()] if stamp else _STAMP.findall(path)
    return _read(stamps[-1], "%Y%m%d%H%M%S") if stamps else None


def _read(written: str, form: str) -> datetime | None:
    try:
        moment = datetime.strptime(written, form)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def counts_from_a_day(created: str | None) -> bool:
    """Whether a date says today or yesterday."""
    return created is not None and len(created) <= _MOST_CHARS and _COUNTED.fullmatch(created) is not None


def dated(created: str | None, moment: datetime | None) -> str | None:
    """A date that counts from `moment` as ISO 8601, by the board's clock; any other as it is.

    >>> dated("Yesterday at 9:30 pm", datetime(2004, 3, 30, 22, 1, tzinfo=UTC))
    '2004-03-29 21:30:00'
    """
    if created is None or moment is None or len(created) > _MOST_CHARS:
        return created
    found = _COUNTED.fullmatch(created)
    if found is None:
        return created
    hour, minute, second = int(found[2]), int(found[3]), int(found[4] or 0)
    if half := (found[5] or "").lower():
        hour = hour % 12 + 12 * (half == "p") if hour <= 12 else hour
    if hour > 23 or minute > 59 or second > 59:
        return created
    days = _DAYS[found[1].lower()]
    written = moment.replace(hour=hour, minute=minute, second=second, microsecond=0)
    # The board's day may be another than that of UTC: nobody writes after the page was fetched.
    if days == 0 and written > moment + _AHEAD:
        written -= timedelta(days=1)
    return f"{written - timedelta(days=days):%Y-%m-%d %H:%M:%S}"
