"""Damaged files of every format, cut short or spliced or changed: tables come out, whatever comes in."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Read
from dedup.readers import Block, parse_block, read_blocks
from dedup.readers.pages import Pages

DATA = Path(__file__).parents[1] / "data"
HTML = [
    b"<",
    b">",
    b'"',
    b"&",
    b"\0",
    b"\xff",
    b"</div>",
    b"</td></tr></table>",
    b"<blockquote>",
    b"</blockquote>",
    b"<table><td>",
    b"<!--",
    b"-->",
    b"<script>",
    b"<plaintext>",
    b"<svg><style>",
    b"<template>",
    b"<select>",
    b"<pre>\n",
    b"<ul><li>",
    b'<base href="http://[">',
    b'<td class="quote">',
    b'<div class="quoteheader">',
    b'<div class="codebox"><p>',
    b'<div class="post"><b class="author">x</b>',
    b"&#xD800;",
    b"<a href=http://x/...>http://x...",
]
BYTES = [
    b"\0",
    b"\xff",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b"\\",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"\x80",
    b"{",
    b"]",
]
BBCODE = [
    b"[quote]",
    b"[/quote]",
    b"[QUOTE=Ann;7]",
    b'[quote="Ann, post:2, topic:3"]',
    b"[quote='Ann' pid='7']",
    b"[quote author=Ann Lee link=topic=3.msg7#msg7 date=1]",
    b'[quote:1a2b3c4d="Ann"]',
    b"[/quote:1a2b3c4d]",
    b'[quote="',
    b"[quote=",
    b"[code]",
    b"[/code]",
    b"[noparse]",
    b"[/NOBBC]",
    b"[code=",
    b"]",
    b'"',
    b"'",
    b"\r\n",
    b"\n> ",
    b"\n&gt; ",
    b"\n>>> ",
    "\u2028\u00e9\U0001f600".encode(),
    b"\0",
]
CHROME = [
    b"#12\n",
    b"\n#1\n\n",
    b"\nTop",
    b"\n\xc2\xa0Reply | Report\r\n",
    b"Joined: Jan 2001\n",
    "Beitr\u00e4ge: 1.234\r".encode(),
    b"\nLast edited by Ann on May 3, 2010, 10:15 am; edited 2 times in total.",
    b"\n Click to expand...\n",
    "\nZum Vergr\u00f6\u00dfern anklicken\u2026.\n".encode(),
    b"[quote]",
    b"[/quote]",
    b"\n> ",
    b"\n",
    b"\r",
    b" ",
    b"\0",
]
POSTS = [json.loads(line) for line in (DATA / "forum.jsonl").read_text().splitlines()[:40]]


class Format(NamedTuple):
    """A reader, whole files of its format, and what stands in such files at a wrong place."""

    reader: str
    samples: list[bytes]
    snippets: list[bytes]
    packed: Callable[[bytes], bytes] = bytes
    """What makes a file of a sample that was damaged."""


def _json_lines() -> list[bytes]:
    return ["".join(json.dumps(post) + "\n" for post in POSTS).encode()]


_NEXT = b"\x1e"


def _records(texts: bytes) -> bytes:
    """Posts of these texts, one a line."""
    posts = (text.decode("utf-8", "replace") for text in texts.split(_NEXT))
    return "".join(json.dumps({"text": post}) + "\n" for post in posts).encode()


def _quoting() -> bytes:
    """Texts of posts that quote one another, three deep, with the tags of all engines."""
    tags = [snippet for snippet in BBCODE if snippet.lower().startswith(b"[quote") and snippet[-1:] == b"]"]
    texts = [post["text"].encode() for post in POSTS]
    for number in range(1, len(texts)):
        close = b"[/quote:1a2b3c4d]" if b":1a" in tags[number % len(tags)] else b"[/quote]"
        quoted = texts[number - 1] if number % 4 else b"[code]\n[quote]\n[/code]"
        texts[number] = tags[number % len(tags)] + quoted + close + b"\n" + texts[number]
    return _NEXT.join(texts)


def _edged() -> bytes:
    """Texts of posts with page chrome at their edges."""
    edited = b"\n\nLast edited by Ann on May 3, 2010, 10:15 am; edited 2 times in total."
    return _NEXT.join(
        b"#%d\nJoined: Jan 2001\n\nAnn said:\nWords\nClick to expand...\n%s%s\nReply Report Share"
        % (number, post["text"].encode(), edited * (number % 3 == 0))
        for number, post in enumerate(POSTS)
    )


def _csv() -> list[bytes]:
    names = ["id", "author", "date", "text"]
    rows = [names, *([str(post[name]).replace('"', '""') for name in names] for post in POSTS)]
    table = "".join(",".join(f'"{value}"' for value in row) + "\n" for row in rows).encode()
    tabs = "".join(f"{n}\tann\t2003-01-0{n % 9 + 1}\tPost {n}\tText \\\t{n}\n" for n in range(40))
    return [table, table.replace(b"\n", b"\r\n"), b"id\tauthor\tdate\ttitle\ttext\n" + tabs.encode()]


def _warc() -> list[bytes]:
    pages = [path.read_bytes() for path in sorted((DATA / "pages").glob("*bb*.html"))]
    records = b""
    for number, page in enumerate((*pages, b"Plain words", _json_lines()[0])):
        media = "text/html" if number < len(pages) else "text/plain"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n\r\n".encode()
        records += (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://b.example/{number}\r\n"
            "WARC-Date: 2010-01-02T03:04:05Z\r\nContent-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(head) + len(page)}\r\n\r\n"
        ).encode()
        records += head + page + b"\r\n\r\n"
    return [records]


def _sqlite() -> list[bytes]:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, author TEXT, text TEXT, likes REAL)")
    database.executemany(
        "INSERT INTO posts VALUES (?, ?, ?, 1.5)", [[n, "ann", POSTS[n]["text"]] for n in range(40)]
    )
    database.commit()
    return [database.serialize()]


def _tables() -> tuple[list[bytes], list[bytes]]:
    table = pa.table({name: [str(post[name]) for post in POSTS] for name in ("id", "author", "date", "text")})
    table = table.append_column("likes", pa.array(range(len(POSTS)))).append_column(
        "tags", pa.array([["a"], None] * (len(POSTS) // 2))
    )
    parquet, arrow, stream = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet, row_group_size=12)
    feather.write_feather(table, arrow, compression="uncompressed", chunksize=15)
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, 15)
    return [parquet.getvalue()], [arrow.getvalue(), stream.getvalue()]


def _stack_exchange() -> list[bytes]:
    row = (
        '  <row Id="{0}" PostTypeId="2" ParentId="1" Score="3" CreationDate="2014-01-21T20:26:05.383"'
        ' Body="&lt;p&gt;Is &amp;lt;b&gt; it &quot;{0}&quot;?&lt;/p&gt;&#xA;'
        '&lt;blockquote&gt;Q&lt;/blockquote&gt;"'
        " OwnerUserId='7' />\n"
    )
    comment = '  <row Id="{0}" PostId="7" Text="It &lt; is &#233; {0}" UserId="5" />\n'
    return [
        f"<{name}>\n{''.join(map(line.format, range(40)))}</{name}>\n".encode()
        for name, line in (("posts", row), ("comments", comment))
    ]


@lru_cache
def formats() -> dict[str, Format]:
    """By name, one for each reader and way of packing."""
    lines = _json_lines()
    parquet, arrow = _tables()
    topic = json.dumps({"id": 5, "title": "T", "posts": POSTS}).encode()
    html = "".join(
        json.dumps(
            {"id": n, "cooked": f"<p>It &amp; is<br>{n}</p>\n<blockquote>&#x41;</blockquote> <ul><li>A</ul>"}
        )
        + "\n"
        for n in range(40)
    )
    made = [
        Format("html", [path.read_bytes() for path in sorted((DATA / "pages").glob("*.html"))], HTML),
        Format("csv", _csv(), [b'""', b'","', b"\t", b'\\"', *BYTES]),
        Format(
            "text", [(DATA / "thread.txt").read_bytes()], [b"\n\xc2\xa0\n", b"\n> ", b"[quote=a]", *BYTES]
        ),
        Format("warc", _warc(), [b"\r\n\r\n", b"WARC/1.0\r\n", b"Content-Length: 5\r\n", *BYTES]),
        Format("sqlite", _sqlite(), BYTES),
        Format("parquet", parquet, BYTES),
        Format("arrow", arrow, BYTES),
        Format(
            "jsonl", [*lines, html.encode()], [b"}{", b"\\ud800", b"NaN", b"<p>", b"</blockquote>", *BYTES]
        ),
        Format(
            "json",
            [b"[" + b",".join(lines[0].split(b"\n")[:-1]) + b"]", topic],
            [b",", b"[", b"\\ud800", *BYTES],
        ),
        Format("stackexchange", _stack_exchange(), [b"<row ", b" />", b"&lt;p&gt;", b"&#x1F;", b"'", *BYTES]),
        Format(
            "mail",
            [(DATA / "list.mbox").read_bytes()],
            [b"\nFrom ", b"\n>", b"\n\n", b"--b\n", b"=3D", *BYTES],
        ),
    ]
    return {each.reader: each for each in made} | {
        "packed": Format("jsonl", [zstandard.compress(line) for line in lines], BYTES),
        "bbcode": Format("jsonl", [_quoting()], [*BBCODE, _NEXT], _records),
        "edges": Format("jsonl", [_edged()], [*CHROME, _NEXT], _records),
    }


def damaged(random: Random, form: Format) -> bytes:
    """A file of a format after a few cuts, copies and insertions."""
    return form.packed(damage(random, form.samples, form.snippets))


def damage(random: Random, samples: list[bytes], snippets: list[bytes]) -> bytes:
    """A sample, or two, after a few cuts, copies and insertions."""
    data = random.choice(samples)
    for _ in range(random.randint(1, 6)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.randint(0, random.choice([3, 40, 400, 4000])))
        what = random.choice(["cut", "insert", "repeat", "truncate", "splice", "byte", "swap"])
        if what == "cut":
            data = data[:start] + data[end:]
        elif what == "insert":
            data = data[:start] + random.choice(snippets) * random.randint(1, 3) + data[start:]
        elif what == "repeat":
            data = data[:end] + data[start:end] + data[end:]
        elif what == "truncate":
            data = data[:start]
        elif what == "splice":
            other = random.choice(samples)
            data = data[:start] + other[random.randint(0, len(other)) :]
        elif what == "swap":
            data = data[:start] + data[end : 2 * end - start] + data[start:end] + data[2 * end - start :]
        else:
            data = data[:start] + random.randbytes(random.randint(1, 3)) + data[start + 1 :]
    return data


def check(reader: str, data: bytes, folder: Path) -> int:
    """Read a file and look whether its tables hold what they promise; how many posts there are."""
    path = folder / "damaged"
    path.write_bytes(data)
    read = Read(input_format=reader)
    posts, rejected = _read(path, read, 4 << 20)
    for post in posts:
        check_post(post)
    if reader not in ("parquet", "arrow"):  # whose batches are their own
        assert (posts, rejected) == _read(path, read, 1 << 10)
    if reader != "warc":  # which numbers what is in its records
        # no record is passed over but blank ones
        numbers = {row["record"] for row in (*posts, *rejected)}
        assert posts or rejected or not data.strip(b"\0") or reader in EMPTY
        if reader in WITHOUT_GAPS and numbers:
            assert numbers == set(range(min(numbers), max(numbers) + 1))
    return len(posts)


EMPTY = ("csv", "jsonl", "json", "text", "mail", "stackexchange", "arrow", "parquet", "sqlite")
"""Of these there are files without a record."""
WITHOUT_GAPS = ("text", "sqlite", "mail", "stackexchange", "html")


def _read(path: Path, read: Read, block_bytes: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    posts: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for block in read_blocks([path], read, block_bytes):
        parsed = parse_block(block, read)
        parsed.posts.validate(full=True)
        parsed.rejected.validate(full=True)
        posts += parsed.posts.to_pylist()
        rejected += parsed.rejected.to_pylist()
    return posts, rejected


def check_post(post: dict[str, Any]) -> None:
    """Look whether what is said of a post fits its text."""
    text = post["text"]
    text.encode()
    json.loads(post["metadata"])
    marks, chrome = post["marks"], post["chrome"]
    for span in (*marks, *chrome):
        assert 0 <= span["start"] < span["end"] <= len(text)
    starts = [(mark["start"], -mark["end"]) for mark in marks]
    assert starts == sorted(starts)
    assert all(before["end"] <= after["start"] for before, after in pairwise(chrome))
    for span in chrome:
        if span["why"] == "quote_chrome":
            assert any(mark["start"] <= span["start"] and span["end"] <= mark["end"] for mark in marks)


def check_page(data: bytes) -> int:
    """The same for a page alone: it has posts, or it is a reject, and its marks hold words."""
    parsed = Pages().parse(Block(data, "page.html", 1, 0, "html"), Read())
    parsed.posts.validate(full=True)
    parsed.rejected.validate(full=True)
    assert (parsed.posts.num_rows > 0) != (parsed.rejected.num_rows > 0)
    for post in parsed.posts.to_pylist():
        check_post(post)
        for mark in post["marks"]:
            quoted = post["text"][mark["start"] : mark["end"]]
            assert quoted.strip(" \t\n"), quoted
            assert quoted[0] != "\n"
            assert quoted[-1] != "\n"
    return parsed.posts.num_rows


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_damaged_pages(random: Random) -> None:
    check_page(damage(random, formats()["html"].samples, HTML))


@pytest.mark.parametrize("name", sorted(formats().keys() - {"html"}))
def test_damaged_files(name: str) -> None:
    form = formats()[name]
    random = Random(name)
    with TemporaryDirectory() as folder:
        for _ in range(25):
            check(form.reader, damaged(random, form), Path(folder))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*HTML, b"text", b" ", b"<p>", b"<br>"]), max_size=40).map(b"".join))
def test_any_markup_in_a_post(body: bytes) -> None:
    check_page(b'<html id="XF"><article class="message"><div class="message-body">' + body)
