"""Saved pages → their posts, many pages at once: a table for each would cost more than reading it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from selectolax.lexbor import LexborHTMLParser

from dedup.normalize.decode import decode
from dedup.readers.base import Block, Parsed, Reject, list_array, posts_batch, rejected_batch
from dedup.readers.marks import Spans, quoted_parent
from dedup.readers.pages.engines import TELLS, engine_of
from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.needles import Needles
from dedup.readers.pages.page import Engine, Page, PagePost
from dedup.readers.pages.relative_dates import counts_from_a_day, dated, fetched
from dedup.readers.pages.render import Body, render
from dedup.readers.pages.urls import ADDRESS_WORDS, Address, page_address, parse_address
from dedup.schema import POSTS

MAX_DEPTH = 10_500
"""Elements in one another, in pages with many tags. 10,000 quotes in one another are still read."""

_CHARSET = re.compile(rb"<meta\b[^<>]{0,200}?\bcharset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_HEAD_BYTES = 1 << 14
_LOOKED_AT = 1 << 16
_WORDS = Needles((*TELLS, *ADDRESS_WORDS))
"""All that is looked for in the front of a page."""
_ELEMENT = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")
_UNCLOSED = frozenset(
    b"area base br col embed hr img input link meta param source track wbr".split()
    + b"p li dt dd tr td th tbody option".split()
)
_OF_PAGES = ("thread_id", "title", "board", "path", "encoding")
"""Columns in which the posts of a page have one value."""


def parse_pages(blocks: Iterable[Block]) -> Parsed:
    """The posts of pages, in order; a page that holds none is a reject."""
    rows, rejects = _Rows(), []
    for block in blocks:
        error = _read_page(block, rows)
        if error is not None:
            rejects.append(Reject(block.path, 1, 0, len(block.data), error, block.data))
    return Parsed(rows.batch(), rejected_batch(rejects))


def _read_page(block: Block, rows: _Rows) -> str | None:
    """Add the posts of a page, or say why there are none."""
    html, encoding = _decode(block)
    data = block.data if not encoding.startswith(("utf-16", "utf-32")) else html.encode()
    depth = _depth(data)
    if depth > MAX_DEPTH:
        return f"elements lie {depth} deep in one another: more than {MAX_DEPTH} are not read"
    head = data[:_LOOKED_AT]
    places = _WORDS.first_places(head)
    engine = engine_of(places)
    # in a web archive the path ends in the address a page was fetched from
    address = page_address(head, places) or parse_address(block.path.partition("#")[2])
    page = engine.read(LexborHTMLParser(html), address)
    if not page.posts:
        return f"no posts in this {engine.name} page: perhaps a list of threads, a login or an error page"
    shared = {
        "thread_id": _thread_id(page, address, block.path),
        "title": page.title,
        "board": page.board,
        "path": block.path,
        "encoding": encoding,
    }
    names = HeaderNames(post.author for post in page.posts if post.author)
    counted = any(counts_from_a_day(post.created) for post in page.posts)
    moment = fetched(block.path, data, block.header) if counted else None
    for post in page.posts:
        created = dated(post.created, moment) if counted else post.created
        rows.add(post, created, _metadata(post, page, engine, address, created), names, engine)
    rows.end_page(page, shared)
    return None


class _Row(NamedTuple):
    """A post, but for what its body says."""

    id: str | None
    author: str | None
    created: str | None
    metadata: str
    number: str | None
    body: int
    """Which of the bodies."""
    signature: int | None
    signature_line: str | None


class _Rows:
    """Rows of POSTS as they grow. No tree is kept: its memory is better used for the next page's."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._shared: dict[str, list[str | None]] = {name: [] for name in _OF_PAGES}
        self._pages: list[tuple[int, str | None]] = []  # how many rows each has, and its thread
        self._bodies: list[Body] = []  # of posts and of their signatures

    def add(
        self, post: PagePost, created: str | None, metadata: str, names: HeaderNames, engine: Engine
    ) -> None:
        """A post of the page that `end_page` ends."""
        bodies, quotes = self._bodies, engine.plain_blockquotes
        body, signature = len(bodies), None
        bodies.append(Body(post.body.html or "", names, quotes))
        if post.signature is not None:
            signature = len(bodies)
            bodies.append(Body(post.signature.html or "", names, quotes))
        line = engine.signature_line
        self._rows.append(_Row(post.id, post.author, created, metadata, post.number, body, signature, line))

    def end_page(self, page: Page, shared: Mapping[str, str | None]) -> None:
        """What the last posts have in common."""
        self._pages.append((len(page.posts), page.thread))
        for name, value in shared.items():
            self._shared[name].append(value)

    def batch(self) -> pa.RecordBatch:
        """All rows, as POSTS."""
        rows = self._rows
        sizes = np.array([size for size, _ in self._pages], np.int64)
        page = np.repeat(np.arange(len(sizes)), sizes)
        firsts = np.cumsum(sizes) - sizes
        texts, marks, chrome = self._read_bodies()
        parents: list[str | None] = [None] * len(rows)
        for row, found in marks.items():
            if any(mark["post_id"] for mark in found):
                first = int(firsts[page[row]])
                size, thread = self._pages[page[row]]
                known = _known(rows[first : first + size], thread)
                parents[row] = quoted_parent(found, known, rows[row].id)
        own = {
            "id": [row.id for row in rows],
            "text": texts,
            "author": [row.author for row in rows],
            "parent_id": parents,
            "created": [row.created for row in rows],
            "metadata": [row.metadata for row in rows],
        }
        columns = {name: pa.array(values, pa.string()) for name, values in own.items()}
        for name, values in self._shared.items():
            columns[name] = pa.array(values, pa.string()).take(pa.array(page))
        columns["record"] = pa.array(np.arange(len(rows)) - firsts[page] + 1)
        columns["marks"] = list_array(marks, len(rows), POSTS.field("marks").type)
        columns["chrome"] = list_array(chrome, len(rows), POSTS.field("chrome").type)
        return posts_batch(len(rows), columns)

    def _read_bodies(self) -> tuple[list[str], dict[int, Spans], dict[int, Spans]]:
        """All texts, with their signatures; by row, entries of the columns `marks` and `chrome`."""
        rendered = render(self._bodies)
        texts: list[str] = []
        marks: dict[int, Spans] = {}
        chrome: dict[int, Spans] = {}
        for number, row in enumerate(self._rows):
            text = rendered.texts[row.body]
            start = len(text)
            if row.signature is not None:
                signature = rendered.texts[row.signature]
                text = f"{text}\n\n{signature}" if text and signature else text + signature
            elif row.signature_line is not None:
                start = _signature_start(text, row.signature_line)
            texts.append(text)
            if row.body in rendered.marks:
                marks[number] = rendered.marks[row.body]
            if start < len(text):
                chrome[number] = [{"start": start, "end": len(text), "why": "page_chrome"}]
        return texts, marks, chrome


def _known(rows: Sequence[_Row], thread: str | None) -> dict[str, str]:
    """The ids of a page's posts, by how quotes may name them."""
    known = {f"{thread}/{row.number}": row.id for row in rows if row.id}  # as Discourse has it
    return known | {row.id: row.id for row in rows if row.id}


def _decode(block: Block) -> tuple[str, str]:
    # A page saved by a browser or a script may be UTF-8 in spite of what it declares, so that comes first.
    declared = _CHARSET.search(block.data, 0, _HEAD_BYTES)
    return decode(block.data, block.encoding, declared.group(1).decode("latin-1") if declared else None)


def _depth(data: bytes) -> int:
    """About how deep elements lie in one another: a parser's time grows with the square of it."""
    if data.count(b"<") < 2 * MAX_DEPTH:
        return 0
    depth = most = 0
    for closing, name in _ELEMENT.findall(data):
        if name.lower() not in _UNCLOSED:
            depth = max(0, depth - 1) if closing else depth + 1
            most = max(most, depth)
    return most


def _metadata(post: PagePost, page: Page, engine: Engine, address: Address, created: str | None) -> str:
    """What has no column of its own, as a JSON object."""
    subject = post.subject if post.subject and not post.subject.endswith(page.title or "\0") else None
    extra = {"number": post.number, "subject": subject, "url": address.url, "engine": engine.name}
    if created != post.created:
        extra["written"] = post.created  # "Yesterday, 10:15 pm"
    return msgspec.json.encode({key: value for key, value in extra.items() if value}).decode()


def _signature_start(text: str, line: str) -> int:
    """Where the last such line begins, with the blank lines before it; the end of the text without one."""
    start = text.rfind(f"\n{line}\n")
    if start < 0:
        return 0 if text.startswith(f"{line}\n") else len(text)
    return len(text[:start].rstrip("\n"))


def _thread_id(page: Page, address: Address, path: str) -> str:
    """Equal for all pages of a thread, and for all captures of each.

    Where the page does not say what host it is from, the folder stands for the board; where it does not
    say which thread it is, the page is the thread.
    """
    if page.thread is None:
        return address.place or path
    return f"{page.prefix or address.folder or PurePath(path).parent}/{page.thread}"
