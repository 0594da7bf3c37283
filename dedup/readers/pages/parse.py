"""One saved page → its posts."""

from __future__ import annotations

import json
import re
from pathlib import PurePath

import pyarrow as pa
from selectolax.lexbor import LexborHTMLParser

from dedup.normalize.decode import decode
from dedup.readers.base import Block, Parsed, Reject, list_array, posts_batch, rejected_batch, repeated
from dedup.readers.pages.engines import engine_of
from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.page import Engine, Page
from dedup.readers.pages.render import render
from dedup.readers.pages.urls import Address, page_address
from dedup.schema import POSTS

_CHARSET = re.compile(rb"<meta\b[^<>]{0,200}?\bcharset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)
_HEAD_BYTES = 1 << 14

MAX_DEPTH = 10_500
"""Elements in one another, in pages with many tags. 10,000 quotes in one another are still read."""
_ELEMENT = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")
_UNCLOSED = frozenset(
    b"area base br col embed hr img input link meta param source track wbr".split()
    + b"p li dt dd tr td th tbody option".split()
)


def parse_page(block: Block) -> Parsed:
    """The posts of a page, or a reject where it holds none."""
    html, encoding = _decode(block)
    data = block.data if not encoding.startswith(("utf-16", "utf-32")) else html.encode()
    engine, address = engine_of(data), page_address(data)
    depth = _depth(data)
    if depth > MAX_DEPTH:
        return _nothing(
            block, f"elements lie {depth} deep in one another; {MAX_DEPTH} is the most that is read"
        )
    page = engine.read(LexborHTMLParser(html), address)
    bodies = [post.body.html or "" for post in page.posts]
    if not bodies:
        return _nothing(
            block, f"no posts in this {engine.name} page: perhaps a list of threads, a login or an error page"
        )
    columns = _columns(page, bodies, engine, address, block.path, encoding)
    return Parsed(posts_batch(len(bodies), columns), rejected_batch([]))


def _nothing(block: Block, error: str) -> Parsed:
    reject = Reject(block.path, 1, 0, len(block.data), error, block.data)
    return Parsed(pa.RecordBatch.from_pylist([], schema=POSTS), rejected_batch([reject]))


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


def _decode(block: Block) -> tuple[str, str]:
    # A page saved by a browser or a script may be UTF-8 in spite of what it declares, so that comes first.
    declared = _CHARSET.search(block.data, 0, _HEAD_BYTES)
    return decode(block.data, block.encoding, declared.group(1).decode("latin-1") if declared else None)


def _columns(
    page: Page, bodies: list[str], engine: Engine, address: Address, path: str, encoding: str
) -> dict[str, pa.Array]:
    posts = page.posts
    names = HeaderNames(post.author for post in posts if post.author)
    texts, marks, chrome, metadata = [], {}, {}, []
    for row, (post, body_html) in enumerate(zip(posts, bodies, strict=True)):
        body = render(body_html, names, engine.plain_blockquotes)
        text, signature_start = body.text, len(body.text)
        if post.signature is not None:
            signature = render(post.signature.html or "", names, engine.plain_blockquotes).text
            text = f"{text}\n\n{signature}" if text and signature else text + signature
        elif engine.signature_line is not None:
            signature_start = _signature_start(text, engine.signature_line)
        if body.marks:
            marks[row] = body.marks
        if signature_start < len(text):
            chrome[row] = [{"start": signature_start, "end": len(text), "why": "page_chrome"}]
        texts.append(text)
        subject = post.subject if post.subject and not post.subject.endswith(page.title or "\0") else None
        extra = {"number": post.number, "subject": subject, "url": address.url, "engine": engine.name}
        metadata.append(json.dumps({key: value for key, value in extra.items() if value}, ensure_ascii=False))
    rows = len(posts)
    columns = {
        "id": pa.array([post.id for post in posts], pa.string()),
        "text": pa.array(texts, pa.string()),
        "author": pa.array([post.author for post in posts], pa.string()),
        "thread_id": repeated(_thread_id(page, address, path), rows),
        "created": pa.array([post.created for post in posts], pa.string()),
        "path": repeated(path, rows),
        "record": pa.array(range(1, rows + 1), pa.int64()),
        "encoding": repeated(encoding, rows),
        "metadata": pa.array(metadata, pa.string()),
        "marks": list_array(marks, rows, POSTS.field("marks").type),
        "chrome": list_array(chrome, rows, POSTS.field("chrome").type),
    }
    if page.title:
        columns["title"] = repeated(page.title, rows)
    if page.board:
        columns["board"] = repeated(page.board, rows)
    return columns


def _signature_start(text: str, line: str) -> int:
    """Where the last such line begins, with the blank lines before it; the end of the text without one."""
    start = len(text) if text.startswith(line) else text.rfind(f"\n{line}\n")
    return len(text[:start].rstrip("\n")) if start >= 0 else len(text)


def _thread_id(page: Page, address: Address, path: str) -> str:
    """Equal for all pages of a thread, and for all captures of each.

    Where the page does not say what host it is from, the folder stands for the board; where it does not
    say which thread it is, the page is the thread.
    """
    if page.thread is None:
        return address.place or path
    return f"{page.prefix or address.folder or PurePath(path).parent}/{page.thread}"
