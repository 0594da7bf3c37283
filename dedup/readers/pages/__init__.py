"""Saved forum pages: a file is a page, and its posts are where its engine's markup says.

    bytes → tree → Engine.read → PagePost → render → POSTS
                   one module     places     raw text,
                   an engine      in it      quotes

All pages of a thread, and all captures of a page, give the same thread id and the same post ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from dedup.config import Read
from dedup.readers.base import Block, ByteStream, Parsed, whole_file
from dedup.readers.lines import known_encoding

__all__ = ["Pages"]

_COMMENT = rb"<!--(?:[^-]|-(?!->))*+-->"
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]*+>\s*+)?(?:"
    + _COMMENT
    + rb"\s*+)*+(?:<!doctype\s++html|<html\b|<head\b)",
    re.IGNORECASE,
)


class Pages:
    """The reader of saved forum pages. A page without posts is a reject that says so."""

    name = "html"
    suffixes = (".html", ".htm", ".shtml", ".xhtml")

    def recognises(self, name: str, head: bytes) -> bool:
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            head = head[2:].replace(b"\0", b"")
        if _HTML.match(head):
            return True
        return PurePath(name).suffix.lower() in self.suffixes and b"<" in head

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        block = whole_file(stream, path, settings, self.name)
        if block is not None:
            given = settings.encoding and known_encoding(settings.encoding, block.data[:4])
            yield block._replace(encoding=given)

    def parse(self, block: Block, settings: Read) -> Parsed:
        return self.parse_many([block], settings)

    def parse_many(self, blocks: Sequence[Block], settings: Read) -> Parsed:
        """See `readers.base.ManyAtOnce`."""
        # The parser and a dozen engines' modules: only who reads pages loads them.
        from dedup.readers.pages.parse import parse_pages

        return parse_pages(blocks)
