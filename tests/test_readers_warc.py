"""Web archives: each page by the reader of its kind; what is damaged is rejected and the rest is read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from dedup.config import Read
from dedup.readers import READERS, Block, Parsed, parse_block
from dedup.readers.base import ByteStream, posts_batch, rejected_batch, repeated, whole_file

Rows = list[dict[str, Any]]


class PageReader:
    """Stands in for the reader of saved pages: a page is one post, its text what was handed over."""

    name = "html"
    suffixes = (".html",)

    def recognises(self, name: str, head: bytes) -> bool:
        return False

    def blocks(self, stream: ByteStream, path: str, settings: Read, block_bytes: int) -> Iterator[Block]:
        block = whole_file(stream, path, settings, self.name)
        if block is not None:
            yield block

    def parse(self, block: Block, settings: Read) -> Parsed:
        text = block.data.decode(block.encoding or "utf-8")
        columns = {
            "text": pa.array([text]),
            "path": repeated(block.path, 1),
            "record": pa.array([1], pa.int64()),
            "encoding": repeated(block.encoding or "utf-8", 1),
        }
        return Parsed(posts_batch(1, columns), rejected_batch([]))


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "html", PageReader())


def record(kind: str, address: str, http: str, body: bytes, media: str = "application/http") -> bytes:
    payload = http.replace("\n", "\r\n").encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {address}\r\n"
        f"Content-Type: {media}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload + b"\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)


TOPIC = b'{"id": 5, "title": "T", "posts": [{"id": 1, "user": "ann", "text": "Hello"}]}'
RECORDS = [
    record("warcinfo", "", "", b"software: none\r\n", "application/warc-fields"),
    record("request", "http://b.example/1", "GET /1 HTTP/1.1\n\n", b""),
    record(
        "response",
        "http://b.example/1",
        "HTTP/1.1 200 OK\nContent-Type: text/html; charset=iso-8859-1\nContent-Encoding: gzip\n"
        "Transfer-Encoding: chunked\n\n",
        chunked(gzip.compress("<p>Größe</p>".encode("latin-1"))),
    ),
    record("response", "http://b.example/2", "HTTP/1.1 404 No\nContent-Type: text/html\n\n", b"<p>gone</p>"),
    record("response", "http://b.example/3", "HTTP/1.1 200 OK\nContent-Type: image/png\n\n", b"\x89PNG"),
    record("response", "http://b.example/4", "HTTP/1.1 200 OK\nContent-Type: application/json\n\n", TOPIC),
    record("conversion", "http://b.example/5", "", "Plain words é".encode(), "text/plain"),
]


def parse(data: bytes, block_bytes: int = 1 << 20, **read: Any) -> tuple[Rows, Rows]:
    settings = Read(**read)
    blocks = list(READERS["warc"].blocks(io.BytesIO(data), "c.warc", settings, block_bytes))
    if not any(block.error for block in blocks):
        assert b"".join(block.data for block in blocks) == data
    parsed = [parse_block(block, settings) for block in blocks]
    return (
        [row for each in parsed for row in each.posts.to_pylist()],
        [row for each in parsed for row in each.rejected.to_pylist()],
    )


@pytest.mark.parametrize("block_bytes", [13, 300, 1 << 20])
def test_every_page_by_the_reader_of_its_kind(block_bytes: int) -> None:
    posts, rejects = parse(b"".join(RECORDS), block_bytes)
    assert rejects == []
    assert [(post["path"], post["text"], post["encoding"]) for post in posts] == [
        ("c.warc#http://b.example/1", "<p>Größe</p>", "iso-8859-1"),
        ("c.warc#http://b.example/4", "Hello", "utf-8"),
        ("c.warc#http://b.example/5", "Plain words é", "utf-8"),
    ]
    assert (posts[1]["author"], posts[1]["title"]) == ("ann", "T")


def test_what_is_no_record_is_passed_over() -> None:
    junk = b"junk\r\nand more of it\r\n"
    posts, rejects = parse(RECORDS[6] + junk + RECORDS[6], 50)
    assert len(posts) == 2
    assert [(reject["record"], reject["byte_end"] - reject["byte_start"]) for reject in rejects] == [
        (2, 4 + len(junk))
    ]


def test_a_record_that_cannot_be_decoded() -> None:
    broken = record(
        "response",
        "http://b.example/9",
        "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: gzip\n\n",
        b"no gzip",
    )
    posts, rejects = parse(broken + RECORDS[6])
    assert [post["text"] for post in posts] == ["Plain words é"]
    assert rejects[0]["bytes"] == broken.removesuffix(b"\r\n\r\n")


def test_an_archive_that_is_cut() -> None:
    data = b"".join(RECORDS[5:])
    for end in (*range(0, len(RECORDS[5]), 17), len(data) - 1, len(data) - 5):
        posts, rejects = parse(data[:end], 64)
        assert end == 0 or posts or rejects


def test_a_record_over_the_limit() -> None:
    big = record("conversion", "http://b.example/8", "", b"x" * (2 << 20), "text/plain")
    posts, rejects = parse(RECORDS[6] + big + RECORDS[6], 1 << 16, max_record_mb=1)
    assert len(posts) == 2
    assert "over the limit" in rejects[0]["error"]
    assert rejects[0]["byte_end"] - rejects[0]["byte_start"] == len(big)


def test_a_bomb_in_a_record() -> None:
    bomb = record(
        "response",
        "http://b.example/9",
        "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: gzip\n\n",
        gzip.compress(bytes(8 << 20)),
    )
    posts, rejects = parse(bomb + RECORDS[6], max_record_mb=1)
    assert len(posts) == 1
    assert "over the limit" in rejects[0]["error"]
