"""Which files are read, in which order, and through which compression."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from dedup.config import Read
from dedup.errors import ConfigError, InputError
from dedup.readers import (
    READERS,
    Inputs,
    find_sources,
    parse_block,
    read_blocks,
    read_posts,
    recognise,
)
from dedup.schema import POSTS, REJECTED


def read(*paths: Path | str, settings: Read | None = None) -> tuple[list[dict], list[dict]]:
    rejects: list[pa.RecordBatch] = []
    posts = [row for batch in read_posts(paths, settings, rejects.append) for row in batch.to_pylist()]
    return posts, [row for batch in rejects for row in batch.to_pylist()]


def lines(*texts: str) -> bytes:
    return "".join(f'{{"text": "{text}"}}\n' for text in texts).encode()


def paths_of(*paths: Path | str) -> list[str]:
    return [source.path for source in find_sources(paths)]


def test_arguments_in_order_and_folders_by_name(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "b/10.jsonl", "a.jsonl", "b/c/x.jsonl", "b/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(lines(name))
    found = paths_of(tmp_path / "b", tmp_path / "a.jsonl")
    assert [Path(path).relative_to(tmp_path).as_posix() for path in found] == [
        "b/10.jsonl",
        "b/2.jsonl",
        "b/c/x.jsonl",
        "a.jsonl",
    ]
    assert [post["text"] for post in read(tmp_path / "a.jsonl", tmp_path / "b")[0]] == [
        "a.jsonl",
        "b/10.jsonl",
        "b/2.jsonl",
        "b/c/x.jsonl",
    ]


def test_of_an_output_folder_only_the_corpus_is_read(forum_out: Path, tmp_path: Path) -> None:
    folder = forum_out.as_posix()
    paths = [source.path for source in find_sources([folder])]
    assert paths == [f"{folder}/corpus/part-00000.jsonl.zst"]
    (tmp_path / "corpus").mkdir()  # no output folder, but for its name
    (tmp_path / "corpus" / "a.jsonl").write_text("{}")
    (tmp_path / "manifest.json").write_text("{}")
    assert len(find_sources([tmp_path])) == 2


def test_globs_and_double_mention(tmp_path: Path) -> None:
    for name in ("x1.jsonl", "x2.jsonl", "y.jsonl"):
        (tmp_path / name).write_bytes(lines(name))
    found = paths_of(tmp_path / "x*.jsonl", tmp_path / "x2.jsonl", tmp_path)
    assert [Path(path).name for path in found] == ["x1.jsonl", "x2.jsonl", "y.jsonl"]


def test_a_name_that_looks_like_a_glob(tmp_path: Path) -> None:
    (tmp_path / "a[1].jsonl").write_bytes(lines("one"))
    assert len(paths_of(tmp_path / "a[1].jsonl")) == 1


def test_links_that_lead_back(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines("a"))
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert len(paths_of(tmp_path)) == 1


@pytest.mark.parametrize("name", ["missing.jsonl", "no*.jsonl", "empty", "dangling"])
def test_what_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError):
        find_sources([tmp_path / name])


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode here")
def test_a_file_name_that_is_no_unicode(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_bytes(lines("a"))
    inputs = Inputs()
    (block,) = read_blocks([tmp_path], inputs=inputs)
    assert block.path == inputs.files[0].path == f"{tmp_path}/caf\ufffd.jsonl"
    assert parse_block(block).posts["text"].to_pylist() == ["a"]


def test_a_mistyped_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "forum.jsonl").write_bytes(lines("a"))
    with pytest.raises(InputError, match=r"forum\.jsonl"):
        find_sources([tmp_path / "fourm.jsonl"])


def test_no_path_at_all() -> None:
    with pytest.raises(InputError):
        find_sources([])


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_in_several_members(tmp_path: Path, suffix: str) -> None:
    many = [str(number) * 50 for number in range(3000)]
    compress = COMPRESS[suffix]
    data = compress(lines(*many[:1000])) + compress(lines(*many[1000:]))
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(data)
    (tmp_path / "name_says_nothing").write_bytes(data)
    posts, rejects = read(tmp_path / f"a.jsonl.{suffix}")
    assert [post["text"] for post in posts] == many
    assert not rejects
    assert [post["text"] for post in read(tmp_path / "name_says_nothing")[0]] == many


def test_zstd_with_a_long_window(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = compressor.compress(lines("far")) + compressor.flush()
    (tmp_path / "long.jsonl.zst").write_bytes(data)
    assert [post["text"] for post in read(tmp_path / "long.jsonl.zst")[0]] == ["far"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_truncated(tmp_path: Path, suffix: str) -> None:
    noise = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() * 8 for n in range(4000)]
    whole = COMPRESS[suffix](lines(*noise))
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "b.jsonl").write_bytes(lines("next file"))
    inputs = Inputs()
    blocks = list(read_blocks([tmp_path], inputs=inputs))
    parsed = [parse_block(block) for block in blocks]
    texts = [text for each in parsed for text in each.posts["text"].to_pylist()]
    rejects = [row for each in parsed for row in each.rejected.to_pylist()]
    assert texts[-1] == "next file"
    assert texts[:-1] == noise[: len(texts) - 1]
    if suffix in ("gz", "zst"):  # the others decode in blocks of up to 900 kB and more
        assert len(texts) > 1000
    assert "ends in the middle" in rejects[-1]["error"]
    assert rejects[-1]["byte_start"] == rejects[-1]["byte_end"] > 0 or suffix in ("bz2", "xz")
    # What came before the fault is in a post or in the reject of the line that was cut.
    end = rejects[-1]["byte_start"]
    cut = rejects[0] if len(rejects) > 1 else {"byte_start": end, "byte_end": end}
    assert (cut["byte_start"], cut["byte_end"]) == (len(lines(*texts[:-1])), end)
    assert [file.bytes for file in inputs.files] == [len(whole) * 2 // 3, len(lines("next file"))]


def test_damaged_and_followed_by_something_else(tmp_path: Path) -> None:
    noise = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() * 8 for n in range(4000)]
    whole = bytearray(gzip.compress(lines(*noise)))
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "a.jsonl.gz").write_bytes(whole)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines("b")) + b"<html>an error page")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines("c")) + bytes(1000))
    posts, rejects = read(tmp_path)
    assert [post["text"] for post in posts[-2:]] == ["b", "c"]
    assert {Path(row["path"]).name for row in rejects} == {"a.jsonl.gz", "b.jsonl.gz"}


def test_each_file_is_hashed_as_it_lies_on_disk(tmp_path: Path) -> None:
    data = gzip.compress(lines("a"))
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    (tmp_path / "b.txt").write_bytes(b"")
    inputs = Inputs()
    list(read_blocks([tmp_path], inputs=inputs))
    assert [(file.sha256, file.bytes) for file in inputs.files] == [
        (hashlib.sha256(data).hexdigest(), len(data)),
        (hashlib.sha256(b"").hexdigest(), 0),
    ]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input(monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(compress(lines("piped"))))
    monkeypatch.setattr("sys.stdin", stdin)
    posts, _ = read("-")
    assert [(post["text"], post["path"]) for post in posts] == [("piped", "-")]


def test_unknown_formats_are_counted_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    (tmp_path / "b.html").write_bytes(b"<!DOCTYPE html><p>Later.")
    (tmp_path / "c.jsonl").write_bytes(lines("c"))
    posts, rejects = read(tmp_path)
    assert [post["text"] for post in posts] == ["c"]
    assert [Path(row["path"]).name for row in rejects] == ["a.png", "b.html"]


def test_a_forced_format(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_bytes(b"<!DOCTYPE html><p>As text.")
    posts, _ = read(tmp_path / "b.html", settings=Read(input_format="text"))
    assert posts[0]["text"] == "<!DOCTYPE html><p>As text."
    with pytest.raises(ConfigError, match="jsonl"):
        read(tmp_path / "b.html", settings=Read(input_format="jsnol"))


@pytest.mark.parametrize(
    ("name", "head", "reader"),
    [
        ("a.jsonl", b"", "jsonl"),
        ("a.ndjson", b"anything", "jsonl"),
        ("a", b'{"text": "x"}\n{"te', "jsonl"),
        ("a", b'\xef\xbb\xbf {"text": "x', "jsonl"),
        ("a", '{"text": "x"}\n'.encode("utf-16"), "jsonl"),
        ("a.json", b'[\n  {"text": 1}', "json"),
        ("a.txt", b"[1] a footnote\n", "text"),
        ("a", b"{ a brace }\n", "text"),
        ("a", b"Plain words.", "text"),
        ("a", "Plain words.".encode("utf-16"), "text"),
        ("a.png", bytes(range(256)), None),
        ("a.json", b'{\n  "posts": []\n}', "json"),
        ("a.txt", b"<ann> hello\n", "text"),
        ("a.xml", b"<?xml version='1.0'?>", None),
        ("a", b"\xef\xbb\xbf\n<!-- saved --> <!-- twice --><!DOCTYPE html>", "html"),
        ("a.php", b'<?xml version="1.0"?>\n<html xmlns="">', "html"),
        ("a", "<html>".encode("utf-16"), "html"),
        ("a.htm", b"<p>Hello", "html"),
    ],
)
def test_recognition(name: str, head: bytes, reader: str | None) -> None:
    found = recognise(name, head)
    assert (found and found.name) == reader


def test_every_reader_gives_the_tables_of_the_schema() -> None:
    table = pa.table({"text": ["Hello"]})
    sinks = [io.BytesIO(), io.BytesIO()]
    pa.parquet.write_table(table, sinks[0])
    with pa.ipc.new_file(sinks[1], table.schema) as writer:
        writer.write_table(table)
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("CREATE TABLE posts (text); INSERT INTO posts VALUES ('Hello')")
        as_sqlite = database.serialize()
    samples = {
        "text": b"Hello",
        "jsonl": b'{"text": "Hello"}\n',
        "json": b'[{"text": "Hello"}]',
        "html": b'<html id="XF"><article class="message"><div class="message-body">Hello',
        "mail": b"From: ann@example.org\n\nHello",
        "csv": b"text\nHello\n",
        "parquet": sinks[0].getvalue(),
        "arrow": sinks[1].getvalue(),
        "sqlite": as_sqlite,
        "stackexchange": b'<posts><row Body="Hello" /></posts>',
        "warc": b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 5\r\n\r\nHello\r\n\r\n",
    }
    for name, reader in READERS.items():
        (block,) = reader.blocks(io.BytesIO(samples[name]), "p", Read(), 1 << 20)
        posts, rejected = reader.parse(block, Read())
        assert posts.schema.equals(POSTS), name
        assert rejected.schema.equals(REJECTED), name
        posts.validate(full=True)
        assert posts["text"].to_pylist() == ["Hello"], name


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_bomb_is_read_no_further(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.readers.sources.FREE_BYTES", 1 << 20)
    path = tmp_path / f"bomb.jsonl.{suffix}"
    path.write_bytes(COMPRESS[suffix](lines("first") + b" " * (64 << 20) + lines("last")))
    posts, rejects = read(path)
    assert posts[0]["text"] == "first"
    assert suffix == "zst" or len(posts) == 1  # zstd gives all of a piece at once
    assert "more than 250 times its size" in rejects[-1]["error"]
    posts, rejects = read(path, settings=Read(max_expansion=10**9))
    assert [post["text"] for post in posts] == ["first", "last"]
    assert rejects == []


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_input_in_pieces(tmp_path: Path, suffix: str) -> None:
    data = b"".join(lines(f"{number:x}" * 40) for number in range(20_000))
    path = tmp_path / f"dump.jsonl.{suffix}"
    path.write_bytes(COMPRESS[suffix](data[:700_000]) + COMPRESS[suffix](data[700_000:]))
    posts, rejects = read(path)
    assert rejects == []
    assert len(posts) == 20_000
