"""Plain-text threads: a file is a thread, its posts divided by a line of their own.

Nothing of a file is dropped here: the raw texts of its posts, joined, are the file. A separator, a title
line and page chrome belong to the post before them (at the front: to the first post) and are listed in
its `chrome`. `record` is the number of the post in the file, from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dedup.config import Read
from dedup.normalize.decode import decode
from dedup.readers.base import (
    Block,
    ByteStream,
    Parsed,
    posts_batch,
    rejected_batch,
    whole_file,
)
from dedup.readers.edges import mark_expand
from dedup.readers.lines import known_encoding, wide_encoding
from dedup.readers.marks import find_marks

_BLANK = " \t\r\n"
_NO_BREAK_SPACE = "\u00a0"
_TITLE_CHARS = 200

_SURE_CHROME = re.compile(
    r"back to top|top of page|go to top|#\d{1,7}|report post|share this post|reply with quote|nach oben"
    r"|haut de page",
    re.IGNORECASE,
)
_LIKELY_CHROME = re.compile(
    r"top|reply|share|report|quote|like|edit|delete|\+ ?quote|multi-?quote", re.IGNORECASE
)

_FOREIGN = re.compile(rb"\s*(?:<!doctype|<html|<\?xml|%PDF-|\{\\rtf|PK\x03\x04)", re.IGNORECASE)

_FOREIGN_SUFFIXES = {".json", ".csv", ".tsv", ".xml", ".html", ".htm", ".mht", ".mbox", ".eml", ".warc"}
"""Structured text is no thread, even where no reader knows it yet."""


class Text:
    """The reader of plain-text threads."""

    name = "text"
    suffixes = (".txt", ".text", ".md", ".log")

    def recognises(self, name: str, head: bytes) -> bool:
        suffix = PurePath(name).suffix.lower()
        if _FOREIGN.match(head) or suffix in _FOREIGN_SUFFIXES:
            return False
        if wide_encoding(head):
            return True
        # Legacy text may hold a control character here and there, but no binary file so few.
        controls = sum(head.count(bytes([code])) for code in (*range(9), *range(14, 27), 28, 29, 30, 31))
        return suffix in self.suffixes or controls * 200 <= len(head)

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        block = whole_file(stream, path, settings, self.name)
        if block is not None:
            # A file whose encoding is not given is looked at as a whole, when it is parsed.
            given = settings.encoding and known_encoding(settings.encoding, block.data[:4])
            yield block._replace(encoding=given)

    def parse(self, block: Block, settings: Read) -> Parsed:
        return self.parse_many([block], settings)

    def parse_many(self, blocks: Sequence[Block], settings: Read) -> Parsed:
        """See `readers.base.ManyAtOnce`."""
        texts: list[str] = []
        chrome: dict[int, list[dict[str, Any]]] = {}
        records: list[int] = []
        rows_of: list[int] = []
        shared: dict[str, list[str | None]] = {"path": [], "encoding": [], "title": []}
        for block in blocks:
            text, encoding = decode(block.data, block.encoding)
            title, posts = split_thread(text.removeprefix("\ufeff"), settings.separator)
            for row, post in enumerate(posts, len(texts)):
                texts.append(post.text)
                if post.chrome:
                    chrome[row] = [
                        {"start": start, "end": end, "why": "page_chrome"} for start, end in post.chrome
                    ]
            records += range(1, len(posts) + 1)
            rows_of.append(len(posts))
            for name, value in (("path", block.path), ("encoding", encoding), ("title", title)):
                shared[name].append(value)
        of_block = pa.array(np.repeat(np.arange(len(blocks)), rows_of))
        columns = {name: pa.array(values, pa.string()).take(of_block) for name, values in shared.items()}
        columns["thread_id"] = columns["path"]
        columns["text"] = pa.array(texts, pa.string())
        columns["record"] = pa.array(records, pa.int64())
        quoted = find_marks(columns["text"])
        for row, spans in chrome.items():
            quoted.chrome[row] = sorted([*spans, *quoted.chrome.get(row, [])], key=itemgetter("start"))
        posts = posts_batch(len(texts), columns | quoted.columns(len(texts)))
        return Parsed(mark_expand(posts), rejected_batch([]))


class ThreadPost(NamedTuple):
    """A post's raw text, and the stretches of it that are no post text."""

    text: str
    chrome: list[tuple[int, int]]


def split_thread(text: str, separator: str | None) -> tuple[str | None, list[ThreadPost]]:
    """The title of a thread, if it stands in a line of its own, and its posts; joined, they are `text`.

    `separator` is the line that ends a post, a line of U+00A0 where it is None; "none" keeps the file
    whole.
    """
    if not text:
        return None, []
    lines = _lines(text)
    divided = separator != "none" and (separator is not None or _NO_BREAK_SPACE in text)
    segments = _segments(lines, separator) if divided else [_Segment(lines, "")]
    likely_is_chrome = _recurs(segments)
    groups: list[list[_Segment]] = []
    leading: list[_Segment] = []
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1 and not segment.separator
        sure = likely_is_chrome or (last and number > 0)
        if all(_is_chrome(line, sure) for line in segment.body):
            (groups[-1] if groups else leading).append(segment._replace(chrome_from=0))
        else:
            groups.append([*leading, segment._replace(chrome_from=_chrome_start(segment.body, sure))])
            leading = []
    if not groups:  # nothing but separators and chrome: no edit may empty a file of unknown make
        return None, [ThreadPost(text, [])]
    title, title_lines = _title(_own_lines(groups[0][0])) if len(groups) > 1 else (None, 0)
    posts = [_post(group) for group in groups]
    if title is not None:
        length = sum(len(line) for line in lines[:title_lines])
        posts[0] = ThreadPost(posts[0].text, [(0, length), *posts[0].chrome])
    return title, posts


class _Segment(NamedTuple):
    """Lines up to a separator, and that separator. Lines keep their ends."""

    body: list[str]
    separator: str
    chrome_from: int = 0
    """From this line on, the body is page chrome or blank."""


def _lines(text: str) -> list[str]:
    """Lines with their ends; line feeds end them, in files without any carriage returns do."""
    end = "\n" if "\n" in text or "\r" not in text else "\r"
    lines = [line + end for line in text.split(end)]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _is_separator(line: str, separator: str | None) -> bool:
    if separator is None:
        return _NO_BREAK_SPACE in line and not line.strip(_BLANK + _NO_BREAK_SPACE)
    return line.strip(_BLANK) == separator.strip(_BLANK)


def _segments(lines: list[str], separator: str | None) -> list[_Segment]:
    segments = []
    body: list[str] = []
    for line in lines:
        if _is_separator(line, separator):
            segments.append(_Segment(body, line))
            body = []
        else:
            body.append(line)
    if body:
        segments.append(_Segment(body, ""))
    return segments


def _is_chrome(line: str, sure: bool) -> bool:
    """Whether a line is blank or page chrome; "Top" or "Like" alone only where we are sure."""
    bare = line.strip(_BLANK + _NO_BREAK_SPACE)
    if not bare or _SURE_CHROME.fullmatch(bare):
        return True
    return sure and _LIKELY_CHROME.fullmatch(bare) is not None


def _chrome_start(body: list[str], sure: bool) -> int:
    """From which line on the body is chrome; blank lines before the first such line are not."""
    start = at = len(body)
    while at and _is_chrome(body[at - 1], sure):
        at -= 1
        if body[at].strip(_BLANK + _NO_BREAK_SPACE):
            start = at
    return start


def _recurs(segments: list[_Segment]) -> bool:
    """Whether at least half of the posts, and three, end in a line that is likely page chrome.

    One post that ends in "Top" or "Like" may mean it; a page's own buttons stand under every post.
    """
    endings = 0
    for segment in segments:
        filled = [line for line in segment.body if line.strip(_BLANK)]
        endings += bool(len(filled) > 1 and _LIKELY_CHROME.fullmatch(filled[-1].strip(_BLANK)))
    return endings >= 3 and endings * 2 >= len(segments)


def _own_lines(segment: _Segment) -> list[str]:
    return segment.body[: segment.chrome_from]


def _title(body: list[str]) -> tuple[str | None, int]:
    """The title at the front of a thread, and how many lines it takes with the blank ones around it."""
    at = 0
    while at < len(body) and not body[at].strip(_BLANK):
        at += 1
    if at + 1 >= len(body) or body[at + 1].strip(_BLANK):
        return None, 0
    title = body[at].strip(_BLANK + _NO_BREAK_SPACE + "\ufeff")
    if not title or len(title) > _TITLE_CHARS or title[-1] in ".,;:" or title[0] in ">-*":
        return None, 0
    at += 1
    while at < len(body) and not body[at].strip(_BLANK):
        at += 1
    # A post must be left.
    return (title, at) if at < len(body) else (None, 0)


def _post(group: list[_Segment]) -> ThreadPost:
    parts: list[str] = []
    chrome: list[tuple[int, int]] = []
    at = 0
    for segment in group:
        lines = [*segment.body, segment.separator]
        parts += lines
        at += sum(map(len, lines[: segment.chrome_from]))
        size = sum(map(len, lines[segment.chrome_from :]))
        if size:
            joined = bool(chrome) and chrome[-1][1] == at
            chrome.append((chrome.pop()[0] if joined else at, at + size))
        at += size
    return ThreadPost("".join(parts), chrome)
