"""Saved pages → their posts, many pages at once: a table for each would cost more than reading it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from selectolax.lexbor import LexborHTMLParser

from dedup.normalize.decode import decode
from dedup.readers.base import Block, Parsed, Reject, list_array, posts_batch, rejected_batch
from dedup.readers.marks import quoted_parent
from dedup.readers.pages.engines import TELLS, engine_of
from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.needles import Needles
from dedup.readers.pages.page import Engine, Page, PagePost
from dedup.readers.pages.relative_dates import counts_from_a_day, dated, fetched
from dedup.readers.pages.render import render
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
_OF_POSTS = ("id", "text", "author", "parent_id", "created", "metadata")
_OF_PAGES = ("thread_id", "title", "board", "path", "encoding")
"""Columns whose values the posts of a page have in common."""


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
    known = {f"{page.thread}/{post.number}": post.id for post in page.posts if post.id}  # as Discourse has it
    known |= {post.id: post.id for post in page.posts if post.id}
    for post in page.posts:
        created = dated(post.created, moment) if counted else post.created
        metadata = _metadata(post, page, engine, address, created)
        rows.add(post, created, metadata, names, engine, known)
    rows.end_page(len(page.posts), shared)
    return None


class _Rows:
    """Columns of POSTS as they grow."""

    def __init__(self) -> None:
        self._own: dict[str, list[str | None]] = {name: [] for name in _OF_POSTS}
        self._shared: dict[str, list[str | None]] = {name: [] for name in _OF_PAGES}
        self._pages: list[int] = []  # how many rows each has
        self._count = 0
        self._marks: dict[int, list[dict[str, Any]]] = {}
        self._chrome: dict[int, list[dict[str, Any]]] = {}

    def add(
        self,
        post: PagePost,
        created: str | None,
        metadata: str,
        names: HeaderNames,
        engine: Engine,
        known: Mapping[str, str],
    ) -> None:
        """A post of the page that `end_page` ends."""
        row = self._count
        self._count += 1
        body = render(post.body.html or "", names, engine.plain_blockquotes)
        text, signature_start = body.text, len(body.text)
        if post.signature is not None:
            signature = render(post.signature.html or "", names, engine.plain_blockquotes).text
            text = f"{text}\n\n{signature}" if text and signature else text + signature
        elif engine.signature_line is not None:
            signature_start = _signature_start(text, engine.signature_line)
        if body.marks:
            self._marks[row] = body.marks
        if signature_start < len(text):
            span = {"start": signature_start, "end": len(text), "why": "page_chrome"}
            self._chrome[row] = [span]
        parent = quoted_parent(body.marks, known, post.id)
        values = (post.id, text, post.author, parent, created, metadata)
        for column, value in zip(self._own.values(), values, strict=True):
            column.append(value)

    def end_page(self, posts: int, shared: Mapping[str, str | None]) -> None:
        """What the last posts have in common."""
        self._pages.append(posts)
        for name, value in shared.items():
            self._shared[name].append(value)

    def batch(self) -> pa.RecordBatch:
        """All rows, as POSTS."""
        sizes = np.array(self._pages, np.int64)
        page = np.repeat(np.arange(len(sizes)), sizes)
        columns = {name: pa.array(values, pa.string()) for name, values in self._own.items()}
        for name, values in self._shared.items():
            columns[name] = pa.array(values, pa.string()).take(pa.array(page))
        columns["record"] = pa.array(np.arange(self._count) - (np.cumsum(sizes) - sizes)[page] + 1)
        columns["marks"] = list_array(self._marks, self._count, POSTS.field("marks").type)
        columns["chrome"] = list_array(self._chrome, self._count, POSTS.field("chrome").type)
        return posts_batch(self._count, columns)


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
