"""Addresses in pages: what the Wayback Machine put in front of them, hosts, ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

_WAYBACK = re.compile(
    r"(?:https?:)?(?://web\.archive\.org)?/web/\d{4,14}[a-z_]{0,4}/(?=https?:|[\w.-]+\.[a-z]{2,}/)"
)
_WITHOUT_SCHEME = re.compile(r"(?!\w+\.php\b)[\w-]+(?:\.[\w-]+)+(?::\d+)?/")  # as HTTrack writes it
_PORT = re.compile(r":(?:80|443)$")

# Where a saved page says what it is a copy of: what stands before the address, the surest first.
_SAVED = (
    b'__wm.wombat("',
    b"<!-- Mirrored from ",
    b"<!-- saved from url=(",  # then its length and a bracket
    b"saved with SingleFile",
)
_BASE = b"<base "
_OWN = (b"canonical", b"og:url")
"""In the tags that say it themselves."""
ADDRESS_WORDS = (_BASE, *_OWN, *_SAVED)
_MOST_CHARS = 2000
_SAVED_ADDRESS = re.compile(rb"(?:\d+\))?(?:\s{1,9}url: )?([^\"\s<>]{4,2000})")
_VALUE = re.compile(rb"""\b(?:href|content)\s*=\s*["']?([^"'\s<>]{4,2000})""", re.IGNORECASE)


class Address(NamedTuple):
    """Of a page, as far as it says itself; empty where it does not."""

    url: str = ""
    place: str = ""
    """Host, path and query: without `www.`, the usual ports and the fragment, which differ by chance."""

    @property
    def folder(self) -> str:
        """Host and path without the last part: where the board's scripts are."""
        return self.place.partition("?")[0].rpartition("/")[0]


def unwrap(url: str) -> str:
    """An address without what the Wayback Machine put in front of it.

    >>> unwrap("https://web.archive.org/web/20060222051343/http://example.org/t?t=5")
    'http://example.org/t?t=5'
    """
    found = _WAYBACK.match(url)
    return url[found.end() :] if found else url


def parse_address(url: str) -> Address:
    """Of an absolute address; a relative one gives an empty one.

    >>> parse_address("http://www.example.org:80/forum/viewtopic.php?t=5#8").place
    'example.org/forum/viewtopic.php?t=5'
    """
    url = unwrap(url.strip())
    if _WITHOUT_SCHEME.match(url):
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        host = _PORT.sub("", parts.netloc.rpartition("@")[2].lower()).removeprefix("www.")
    except ValueError:  # an unclosed bracket of an IPv6 address
        return Address()
    return Address(url, f"{host}{parts.path}{'?' if parts.query else ''}{parts.query}") if host else Address()


def page_address(head: bytes, places: Mapping[bytes, int]) -> Address | None:
    """The address a saved page gives as its own; `places` are those of ADDRESS_WORDS in its front."""
    base = _of_tag(head, places.get(_BASE))
    own = [_of_tag(head, places.get(word)) for word in _OWN]
    own += [_after(head, places[mark] + len(mark)) for mark in _SAVED if mark in places]
    for value in (*own, base):
        if value:
            address = parse_address(_join(base, value))
            if address.place:
                return address
    return None


def _join(base: str, url: str) -> str:
    try:
        return urljoin(unwrap(base), unwrap(url)) if base else url
    except ValueError:  # an unclosed bracket of an IPv6 address
        return url


def _of_tag(head: bytes, at: int | None) -> str:
    """The address in the tag around a place; empty where there is none."""
    if at is None:
        return ""
    start = max(head.rfind(b"<", max(0, at - _MOST_CHARS), at + 1), 0)
    end = head.find(b">", at, at + _MOST_CHARS)
    return _text(_VALUE.search(head, start, max(start, end)))


def _after(head: bytes, at: int) -> str:
    return _text(_SAVED_ADDRESS.match(head, at))


def _text(found: re.Match[bytes] | None) -> str:
    return found.group(1).decode("utf-8", "replace").replace("&amp;", "&") if found else ""
