"""Addresses in pages: what the Wayback Machine put in front of them, hosts, ids."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

_WAYBACK = re.compile(
    r"(?:https?:)?(?://web\.archive\.org)?/web/\d{4,14}[a-z_]{0,4}/(?=https?:|[\w.-]+\.[a-z]{2,}/)"
)
_WITHOUT_SCHEME = re.compile(r"(?!\w+\.php\b)[\w-]+(?:\.[\w-]+)+(?::\d+)?/")  # as HTTrack writes it
_PORT = re.compile(r":(?:80|443)$")

# Where a saved page says what it is a copy of, the surest first.
_SAVED = (
    re.compile(rb'__wm\.wombat\("([^"\s]{8,2000})"'),
    re.compile(rb"<!-- Mirrored from ([^\s<>]{4,2000}) by HTTrack"),
    re.compile(rb"<!-- saved from url=\(\d+\)([^\s<>]{8,2000})"),
    re.compile(rb"Page saved with SingleFile\s{1,9}url: ([^\s<>]{8,2000})"),
)
_CANONICAL = (
    re.compile(rb"""<link\b[^<>]{0,300}?\brel=["']?canonical["']?[^<>]{0,300}?>""", re.IGNORECASE),
    re.compile(rb"""<meta\b[^<>]{0,300}?\bproperty=["']?og:url["']?[^<>]{0,300}?>""", re.IGNORECASE),
)
_BASE = re.compile(rb"<base\b[^<>]{0,2000}>", re.IGNORECASE)
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


def page_address(data: bytes, head_bytes: int = 1 << 16) -> Address:
    """The address a saved page gives as its own."""
    head = data[:head_bytes]
    base = _value(_BASE.search(head))
    own = [value for pattern in _CANONICAL if (value := _value(pattern.search(head)))]
    own += [found.group(1).decode("utf-8", "replace") for kind in _SAVED if (found := kind.search(head))]
    for value in (*own, base):
        try:
            address = parse_address(urljoin(unwrap(base), unwrap(value)) if base else value)
        except ValueError:
            continue
        if address.place:
            return address
    return Address()


def _value(found: re.Match[bytes] | None) -> str:
    """The address in a tag; empty where there is none."""
    value = _VALUE.search(found.group()) if found else None
    return value.group(1).decode("utf-8", "replace").replace("&amp;", "&") if value else ""
