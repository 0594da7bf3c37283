"""Inputs at addresses: what Arrow's file systems give is read as files are."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape, unescape

import pytest
import zstandard
from conftest import DATA
from test_promises import fingerprint
from typer.testing import CliRunner

from dedup import clean, verify
from dedup.cli import app
from dedup.config import Config
from dedup.errors import ConfigError, InputError, OutputError
from dedup.readers import stores
from dedup.readers.sources import Source, find_sources, open_source
from dedup.upload import Upload

CONFIG = Config().with_settings({"run": {"workers": 1}})


class Store(BaseHTTPRequestHandler):
    """As much of S3 as reading and writing takes: one bucket, whose keys are the files below a folder."""

    protocol_version = "HTTP/1.1"
    root: Path
    parts: ClassVar[dict[str, dict[int, bytes]]] = {}
    log: list[str]
    """Keys that were written, and deleted ones after a minus sign."""
    full_after: int | None = None
    """So many keys can be written."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        if "list-type" in self._asked:
            self._list(self._asked)
        else:
            self._answer(body=True)

    def do_PUT(self) -> None:
        data = self._body()
        if "partNumber" in self._asked:
            self.parts[self._asked["uploadId"]][int(self._asked["partNumber"])] = data
            self._say(200)
        else:
            self._put(data)

    def do_POST(self) -> None:
        data = self._body()
        if "uploads" in self._asked:
            self.parts[name := uuid4().hex] = {}
            kind = "InitiateMultipartUploadResult"
            self._say(200, f"<{kind}><UploadId>{name}</UploadId></{kind}>".encode())
        elif "delete" in self._asked:
            for key in re.findall(rb"<Key>(.*?)</Key>", data):
                self._remove(unescape(key.decode()))
            self._say(200, b"<DeleteResult/>")
        else:
            parts = self.parts.pop(self._asked["uploadId"])
            self._put(b"".join(parts[number] for number in sorted(parts)))

    def do_DELETE(self) -> None:
        self._remove(self._key)
        self._say(204)

    @property
    def _asked(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in query.items()}

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).partition("/bucket")[2].lstrip("/")

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            data = self.rfile.read(int(self.headers["Content-Length"] or 0))
        else:
            data = self._chunks(self.rfile)
        return (
            self._chunks(BytesIO(data)) if "aws-chunked" in (self.headers["Content-Encoding"] or "") else data
        )

    @staticmethod
    def _chunks(body: IO[bytes]) -> bytes:
        found = b""
        while size := int(body.readline().partition(b";")[0], 16):
            found += body.read(size)
            body.readline()
        while body.readline().strip():  # sums of it all
            pass
        return found

    def _put(self, data: bytes) -> None:
        written = [key for key in self.log if not key.startswith("-")]
        if self.full_after is not None and len(written) >= self.full_after:
            self._say(403, b"<Error><Code>AccessDenied</Code><Message>full</Message></Error>")
            return
        if not self._key.endswith("/"):  # that stands for an empty folder
            self.log.append(self._key)
            (self.root / self._key).parent.mkdir(parents=True, exist_ok=True)
            (self.root / self._key).write_bytes(data)
        self._say(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def _remove(self, key: str) -> None:
        if (self.root / key).is_file():
            self.log.append(f"-{key}")
            (self.root / key).unlink()

    def _say(self, code: int, body: bytes = b"") -> None:
        self.send_response(code)
        self.send_header("ETag", "x")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, *, body: bool) -> None:
        file = self.root / self._key
        data = file.read_bytes() if file.is_file() else None if self._key else b""
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
        self._say(
            200,
            f"<ListBucketResult><Name>bucket</Name><KeyCount>{len(keys) + len(folders)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{content}</ListBucketResult>".encode(),
        )

    def log_message(self, *_: object) -> None:
        pass


class Bucket(NamedTuple):
    """A folder, the settings by which it is `s3://bucket`, and what serves it."""

    root: Path
    settings: str
    store: type[Store]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    root = tmp_path / "bucket"
    root.mkdir()
    store = type("Ours", (Store,), {"root": root, "log": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), store)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = f"?endpoint_override=127.0.0.1:{server.server_port}&scheme=http&region=us-east-1"
    yield Bucket(root, settings, store)
    server.shutdown()
    server.server_close()


def test_a_dump_in_a_bucket_is_cleaned_as_a_file_is(tmp_path: Path, bucket: Bucket) -> None:
    root, settings, _ = bucket
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


def test_folders_and_patterns_of_a_bucket(bucket: Bucket) -> None:
    root, settings, _ = bucket
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


# -- outputs


def files_of(folder: Path) -> dict[str, bytes]:
    """All files of an output but what differs from run to run."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "run.json"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, and nothing in it."""
    (folder := tmp_path / "here").mkdir()
    monkeypatch.chdir(folder)
    return folder


SMALL = CONFIG.with_settings({"write": {"shard_posts": 10}})


def test_an_output_in_a_bucket_is_what_it_is_in_a_folder(tmp_path: Path, here: Path, bucket: Bucket) -> None:
    (bucket.root / "other").mkdir()
    (bucket.root / "other" / "file").write_bytes(b"not ours")
    address = f"s3://bucket/some/clean{bucket.settings}"
    summary = clean([DATA / "forum.jsonl"], address, SMALL)
    clean([DATA / "forum.jsonl"], tmp_path / "out", SMALL)
    out = bucket.root / "some" / "clean"
    assert summary.out == address
    assert files_of(out) == files_of(tmp_path / "out")
    assert not verify(out).problems
    assert list(here.iterdir()) == [] and (bucket.root / "other" / "file").exists()
    # it is finished when its manifest is there, and not before
    assert bucket.store.log[0] == "some/clean/.dedup/run-started.json"
    assert bucket.store.log[-2:] == ["some/clean/manifest.json", "-some/clean/.dedup/run-started.json"]


def test_a_finished_output_in_a_bucket_is_only_replaced_by_force(here: Path, bucket: Bucket) -> None:
    address = f"s3://bucket/clean{bucket.settings}"
    out = bucket.root / "clean"
    clean([DATA / "forum.jsonl"], address, SMALL)
    before = files_of(out)
    others = {"notes.txt": b"not ours", "corpus/part-00099.jsonl.zst": b"nor this"}
    for name, content in others.items():
        (out / name).write_bytes(content)
    with pytest.raises(OutputError, match="holds the finished output"):
        clean([DATA / "thread.txt"], address, SMALL)
    assert files_of(out) == before | others
    bucket.store.log.clear()
    (here / "work").mkdir()
    (here / "work" / "notes.txt").write_bytes(b"not ours")
    clean([DATA / "thread.txt"], address, SMALL, force=True, work=here / "work")
    after = files_of(out)
    assert after.keys() < (before | others).keys() and others.items() < after.items()
    assert bucket.store.log[1] == "-clean/manifest.json"
    assert [path.name for path in (here / "work").iterdir()] == ["notes.txt"]
    for name in others:
        (out / name).unlink()
    assert not verify(out).problems


def test_a_bucket_that_holds_something_else(here: Path, bucket: Bucket) -> None:
    (bucket.root / "mine").mkdir()
    (bucket.root / "mine" / "corpus.txt").write_bytes(b"")
    for name, problem in {
        "mine": "is not empty",
        "mine/corpus.txt": "is a file",
        "a/../mine": "no such names",
        "../z": "no such names",
    }.items():
        for force in (False, True):
            with pytest.raises(OutputError, match=problem):
                clean([DATA / "forum.jsonl"], f"s3://bucket/{name}{bucket.settings}", SMALL, force=force)
    with pytest.raises(OutputError, match="lies inside the output"):
        clean([f"s3://bucket/mine{bucket.settings}"], f"s3://bucket{bucket.settings}", SMALL)
    bucket.store.full_after = 0
    with pytest.raises(OutputError, match=r"s3://bucket/new.*cannot be reached .*(denied|DENIED)"):
        clean([DATA / "forum.jsonl"], f"s3://bucket/new{bucket.settings}", SMALL)
    assert files_of(bucket.root) == {"mine/corpus.txt": b""} and list(here.iterdir()) == []


def test_nothing_that_is_read_lies_in_what_is_written(here: Path) -> None:
    clean([DATA / "thread.txt"], here / "out", SMALL)
    before = files_of(here)
    (here / "link").symlink_to(here / "out")
    for path in ("out/corpus", "link/corpus", f"file://{here}/link"):
        for to in (f"file://{here}/out", f"file://{here}/link"):
            with pytest.raises(OutputError, match="lies inside the output"):
                clean([path], to, SMALL, force=True)
    with pytest.raises(OutputError, match="lies inside the output"):
        clean([DATA / "thread.txt"], f"file://{here}/out", SMALL, force=True, work="out")
    assert files_of(here) == before


def test_an_upload_that_was_stopped_goes_on(tmp_path: Path, here: Path, bucket: Bucket) -> None:
    address = f"s3://bucket/clean{bucket.settings}"
    out, store = bucket.root / "clean", bucket.store
    store.full_after = 6
    with pytest.raises(OutputError, match="cannot be reached"):
        clean([DATA / "forum.jsonl"], address, SMALL)
    assert len(files_of(out)) == 6 and "manifest.json" not in files_of(out)
    store.full_after = None
    # from elsewhere it is refused: nobody knows there how far it came
    with pytest.raises(OutputError, match=r"a run that is not finished was begun there, on .* in .*here"):
        clean([DATA / "forum.jsonl"], address, SMALL, work=tmp_path / "elsewhere")
    first = set(store.log) - {"clean/.dedup/run-started.json"}
    store.log.clear()
    clean([DATA / "forum.jsonl"], address, SMALL)
    clean([DATA / "forum.jsonl"], tmp_path / "out", SMALL)
    assert files_of(out) == files_of(tmp_path / "out")
    assert len(first) == 5 and not first & set(store.log)
    assert list(here.iterdir()) == []


class Died(BaseException):
    """As if the process had been killed."""


def die(*_: object, **__: object) -> None:
    raise Died


def stopped(at: str, patch: pytest.MonkeyPatch, *arguments: Any, **how: Any) -> None:
    """A run that is killed when it comes to a method of `Upload`."""
    with patch.context() as context, pytest.raises(Died):
        context.setattr(Upload, at, die)
        clean(*arguments, **how)


def test_a_run_that_was_stopped_after_its_manifest_is_tidied_up(
    here: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://bucket/clean{bucket.settings}"
    stopped("_delete_mark", monkeypatch, [DATA / "forum.jsonl"], address, SMALL)
    assert list(here.iterdir()) != [] and (bucket.root / "clean" / ".dedup").is_dir()
    with pytest.raises(OutputError, match="holds the finished output"):
        clean([DATA / "forum.jsonl"], address, SMALL)
    assert list(here.iterdir()) == [] and not list((bucket.root / "clean" / ".dedup").iterdir())


def test_a_run_with_force_that_was_stopped_goes_on_without(
    tmp_path: Path, here: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, paths = f"s3://bucket/clean{bucket.settings}", [DATA / "forum.jsonl"]
    clean([DATA / "thread.txt"], address, SMALL)
    stopped("upload", monkeypatch, paths, address, SMALL, force=True)
    monkeypatch.setattr("platform.node", lambda: "another name of this machine")
    clean(paths, address, SMALL)
    clean(paths, tmp_path / "out", SMALL)
    assert files_of(bucket.root / "clean") == files_of(tmp_path / "out")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("at", ["upload", "finish"])
def test_who_was_replaced_meanwhile_writes_nothing_any_more(
    at: str, here: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, paths = f"s3://bucket/clean{bucket.settings}", [DATA / "forum.jsonl"]
    stopped(at, monkeypatch, paths, address, SMALL)
    clean([DATA / "thread.txt"], address, SMALL, force=True, work=here / "work")
    after = files_of(bucket.root / "clean")
    # the first run goes on where it was stopped, as if it had never been
    monkeypatch.setattr(Upload, "begin", lambda ours, *_, **__: setattr(ours, "_mark", ours._own_mark()))
    if at == "finish":
        monkeypatch.setattr(Upload, "upload", lambda *_: None)
    with pytest.raises(OutputError, match="another run was begun there meanwhile"):
        clean(paths, address, SMALL)
    assert files_of(bucket.root / "clean") == after and not verify(bucket.root / "clean").problems


def test_an_earlier_output_in_a_bucket(tmp_path: Path, here: Path, bucket: Bucket) -> None:
    address = f"s3://bucket/first{bucket.settings}"
    clean([DATA / "thread.txt"], address, SMALL)
    results, dumps = [], [DATA / "thread.txt", DATA / "forum.jsonl"]
    for name in (address, str(bucket.root / "first")):
        clean(dumps, tmp_path / "next", SMALL, against=[name], force=True)
        assert not verify(tmp_path / "next").problems
        shards = sorted((tmp_path / "next" / "provenance").iterdir())
        texts = [zstandard.ZstdDecompressor().decompressobj().decompress(s.read_bytes()) for s in shards]
        results.append([text.replace(name.encode(), b"FIRST") for text in texts])
    assert results[0] == results[1] and b"FIRST" in results[0][0]
    shard = next((bucket.root / "first" / "provenance").iterdir())
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(OutputError, match=r"s3://bucket/first/provenance.* is damaged"):
        clean([DATA / "forum.jsonl"], tmp_path / "next", SMALL, against=[address], force=True)


def test_commands_that_read_outputs_want_them_here(here: Path, bucket: Bucket) -> None:
    address = f"s3://bucket/clean{bucket.settings}"
    clean([DATA / "thread.txt"], address, SMALL)
    for command in ("report", "verify", "restore"):
        result = CliRunner().invoke(app, [command, address])
        assert result.exit_code == 4 and "Copy the output here" in result.stderr


def test_work_is_for_addresses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--work is for an output at an address"):
        clean([DATA / "thread.txt"], tmp_path / "out", SMALL, work=tmp_path / "work")
    out = tmp_path / "there"
    clean([DATA / "thread.txt"], f"file:{out}", SMALL, work=tmp_path / "work")  # as pathlib makes it
    clean([DATA / "thread.txt"], tmp_path / "out", SMALL)
    assert files_of(out) == files_of(tmp_path / "out") and not list((tmp_path / "work").iterdir())
