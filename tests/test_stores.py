"""Inputs at addresses: what Arrow's file systems give is read as files are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
import zstandard
from conftest import DATA
from test_promises import fingerprint

from dedup import clean, verify
from dedup.config import Config
from dedup.errors import InputError
from dedup.readers import stores
from dedup.readers.sources import Source, find_sources, open_source

CONFIG = Config().with_settings({"run": {"workers": 1}})


class Store(BaseHTTPRequestHandler):
    """As much of S3 as reading takes: one bucket, whose keys are the files below a folder."""

    root: Path

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if "list-type" in url.query:
            self._list({name: values[0] for name, values in parse_qs(url.query).items()})
        else:
            self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        file = self.root / unquote(urlsplit(self.path).path).partition("/bucket/")[2]
        data = file.read_bytes() if file.is_file() else b"" if self.path.strip("/") == "bucket" else None
        first, last, code = 0, len(data or b"") - 1, 200 if data is not None else 404
        if data is not None and (wanted := self.headers["Range"]):
            first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
            last, code = min(last, len(data) - 1), 206
        self.send_response(code)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Last-Modified", "Tue, 24 Nov 2026 12:00:00 GMT")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data or b'')}")
        self.end_headers()
        if body and data is not None:
            self.wfile.write(data[first : last + 1])

    def _list(self, asked: dict[str, str]) -> None:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter")
        names = [path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()]
        keys, folders = [], set()
        for name in sorted(name for name in names if name.startswith(prefix)):
            if delimiter and delimiter in name[len(prefix) :]:
                folders.add(prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter)
            else:
                keys.append(name)
        content = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{(self.root / key).stat().st_size}</Size>"
            "<LastModified>2026-11-24T12:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        content += "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in folders)
        data = (
            f"<ListBucketResult><Name>bucket</Name><KeyCount>{len(keys) + len(folders)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{content}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the settings by which it is `s3://bucket`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    root = tmp_path / "bucket"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Store,), {"root": root}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield root, f"?endpoint_override=127.0.0.1:{server.server_port}&scheme=http&region=us-east-1"
    server.shutdown()
    server.server_close()


def test_a_dump_in_a_bucket_is_cleaned_as_a_file_is(tmp_path: Path, bucket: tuple[Path, str]) -> None:
    root, settings = bucket
    dump = (DATA / "forum.jsonl").read_bytes()
    (root / "dumps").mkdir()
    (root / "dumps" / "forum.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(dump))
    address = f"s3://bucket/dumps/forum.jsonl.zst{settings}"
    clean([address], tmp_path / "there", CONFIG)
    clean([root / "dumps" / "forum.jsonl.zst"], tmp_path / "here", CONFIG)

    def said(out: Path, path: str) -> list[bytes]:
        shards = sorted((out / "corpus").iterdir()) + sorted((out / "provenance").iterdir())
        texts = [zstandard.ZstdDecompressor().decompressobj().decompress(s.read_bytes()) for s in shards]
        return [text.replace(path.encode(), b"PATH") for text in texts]

    here = str(root / "dumps" / "forum.jsonl.zst")
    assert said(tmp_path / "there", address) == said(tmp_path / "here", here)
    # as a reference, too, and whoever checks it looks there
    clean([DATA / "thread.txt"], tmp_path / "after", CONFIG, reference=[address])
    assert not verify(tmp_path / "after").problems
    (root / "dumps" / "forum.jsonl.zst").write_bytes(b"")
    assert "stood here before" in str(verify(tmp_path / "after").problems)


def test_folders_and_patterns_of_a_bucket(bucket: tuple[Path, str]) -> None:
    root, settings = bucket
    names = ["b.jsonl", "a/2.jsonl", "a/10.jsonl", "a/b/c.jsonl", "a/.hidden/d.jsonl", "a b%20c/\u00e9.jsonl"]
    for name in [*names, "out/corpus/part.jsonl", "out/provenance/part.jsonl", "out/manifest.json"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, "utf-8")

    def found(pattern: str) -> list[str]:
        sources = find_sources([f"s3://bucket{pattern}{settings}"])
        for source in sources:
            name = source.path.removeprefix("s3://bucket/").removesuffix(settings)
            assert open_source(source).read(99).decode() == name
            assert source.name == name.rpartition("/")[2]
        return [source.path.removeprefix("s3://bucket/").removesuffix(settings) for source in sources]

    assert found("/a") == found("/a/") == ["a/10.jsonl", "a/2.jsonl", "a/b/c.jsonl"]
    assert found("/a*") == ["a/10.jsonl", "a/2.jsonl", "a/b/c.jsonl", names[-1]]
    assert found("/a/*.jsonl") == ["a/10.jsonl", "a/2.jsonl"]
    assert found("/*/[0-9].jsonl") == ["a/2.jsonl"]
    assert found("/b.jsonl") == ["b.jsonl"]
    assert found("") == [*found("/a"), names[-1], "b.jsonl", "out/corpus/part.jsonl"]
    with pytest.raises(InputError, match=r"does not exist"):
        found("/c.jsonl")
    with pytest.raises(InputError, match=r"no file is there"):
        found("/c*.jsonl")
    with pytest.raises(InputError, match=r"does not exist"):
        open_source(Source(f"s3://bucket/c.jsonl{settings}"))


def test_a_file_here_has_an_address_too(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "forum.jsonl").write_bytes((DATA / "forum.jsonl").read_bytes())
    clean([f"file://{tmp_path}/dumps"], tmp_path / "one", CONFIG)
    clean([f"file://{tmp_path}/dumps/*.jsonl"], tmp_path / "two", CONFIG)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    assert find_sources([f"file://{tmp_path}/dumps"]) == [Source(f"file://{tmp_path}/dumps/forum.jsonl")]


def test_an_address_that_leads_nowhere() -> None:
    with pytest.raises(InputError, match=r"ftp://host/x: cannot be reached \(.+\)") as raised:
        find_sources(["ftp://host/x"])
    assert "s3, gs, abfs and hdfs" in str(raised.value.hint)
    with pytest.raises(InputError, match="must not hold a password") as raised:
        find_sources(["s3://me:secret@bucket/dump.jsonl"])
    assert "secret" not in str(raised.value)


def test_what_an_address_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("dump.jsonl", "c:/dump.jsonl", "a:b", "x y://b/c"):
        assert not stores.is_address(path)
    assert stores.is_address("s3://b/c") and stores.is_address("hdfs:///c")
    (tmp_path / "s3:").mkdir()
    assert not stores.is_address("s3://b/c")
