"""CSV, Parquet, Arrow, SQLite and Stack Exchange: rows become posts, odd rows rejects."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Read
from dedup.readers import READERS, Block, parse_block, read_posts, recognise
from dedup.readers.delimited import record_ends
from dedup.readers.fast_rows import as_objects
from dedup.readers.stackexchange import StackExchange

Rows = list[dict[str, Any]]
CSV_HEADER = {"delimiter": ",", "escapes": False, "names": ["id", "text"], "named": True}


def parse(data: bytes | str, reader: str, block_bytes: int = 1 << 20, **read: Any) -> tuple[Rows, Rows]:
    settings = Read(**read)
    data = data.encode() if isinstance(data, str) else data
    blocks = list(READERS[reader].blocks(io.BytesIO(data), "dump", settings, block_bytes))
    parsed = [parse_block(block, settings) for block in blocks]
    if reader in ("csv", "stackexchange") and not any(block.error for block in blocks):
        assert b"".join(block.data for block in blocks) == data
    for each in parsed:
        each.posts.validate(full=True)
        each.rejected.validate(full=True)
    return (
        [row for each in parsed for row in each.posts.to_pylist()],
        [row for each in parsed for row in each.rejected.to_pylist()],
    )


def read(*paths: Path, **settings: Any) -> tuple[Rows, Rows]:
    rejects: list[pa.RecordBatch] = []
    posts = [
        row for batch in read_posts(paths, Read(**settings), rejects.append) for row in batch.to_pylist()
    ]
    return posts, [row for batch in rejects for row in batch.to_pylist()]


# CSV

TABLE = (
    "id;author;text;date;likes\r\n"
    '1;ann;"Two lines,\nand ""marks""";2003-01-08;3\r\n'
    "2;bob;too short;2003\r\n"
    "\r\n"
    '3;eve;a 5" shelf, Größe M;2003-01-09;\r\n'
    "4;joe;empty beyond;2003-01-09;1;;\r\n"
    "5;joe;too long;2003-01-09;1;x\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32-le", "cp1252"])
@pytest.mark.parametrize("block_bytes", [7, 1 << 20])
def test_csv(encoding: str, block_bytes: int) -> None:
    posts, rejects = parse(TABLE.encode(encoding), "csv", block_bytes)
    assert [
        (post["record"], post["id"], post["author"], post["text"], post["created"]) for post in posts
    ] == [
        (2, "1", "ann", 'Two lines,\nand "marks"', "2003-01-08"),
        (5, "3", "eve", 'a 5" shelf, Größe M', "2003-01-09"),
        (6, "4", "joe", "empty beyond", "2003-01-09"),
    ]
    assert [json.loads(post["metadata"]) for post in posts] == [{"likes": "3"}, {"likes": ""}, {"likes": "1"}]
    assert [(reject["record"], reject["error"]) for reject in rejects] == [
        (3, "a row of 4 fields where the header has 5"),
        (7, "a row of 6 fields where the header has 5"),
    ]
    data = TABLE.encode(encoding)
    assert [data[reject["byte_start"] : reject["byte_end"]] for reject in rejects] == [
        reject["bytes"] for reject in rejects
    ]
    if encoding == "cp1252":
        assert [post["encoding"] for post in posts] == ["utf-8", "windows-1252", "utf-8"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    rows = [["id", "body", "user"], ["1", "one, two; three | four", "ann"], ["2", "a\tb, c", "bob"]]
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    posts, rejects = parse(written.getvalue(), "csv")
    assert rejects == []
    assert [[post["id"], post["text"], post["author"]] for post in posts] == rows[1:]


def test_backslashes_before_marks() -> None:
    posts, rejects = parse('id,text\n1,"she said \\"no\\", twice"\n2,x\n', "csv")
    assert rejects == []
    assert [post["text"] for post in posts] == ['she said "no", twice', "x"]


@pytest.mark.parametrize("name", ["old.csv", "old.txt"])
def test_lines_that_end_in_carriage_returns_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b'id,author,text\r1,ann,"Two lines,\rand more"\r2,bob,Hello\r')
    posts, rejects = read(path)
    assert rejects == []
    assert [(post["id"], post["author"], post["text"]) for post in posts] == [
        ("1", "ann", "Two lines,\nand more"),
        ("2", "bob", "Hello"),
    ]


def test_a_table_without_a_header() -> None:
    data = "1,ann,Hello there\n2,bob,Hello ann\n"
    posts, rejects = parse(data, "csv", fields={"text": "3", "author": "2"})
    assert rejects == []
    assert [(post["record"], post["author"], post["text"]) for post in posts] == [
        (1, "ann", "Hello there"),
        (2, "bob", "Hello ann"),
    ]
    posts, rejects = parse(data, "csv")
    assert posts == []
    assert "map one with --field text=NAME" in rejects[0]["error"]


def test_names_that_stand_twice() -> None:
    posts, _ = parse("text,note,note,\nHello,a,b,c\n", "csv")
    assert json.loads(posts[0]["metadata"]) == {"note": "a", "note 3": "b", "4": "c"}


def test_a_mark_that_is_never_closed() -> None:
    rows = "".join(f"{number},{'word ' * 200}\n" for number in range(2000))
    posts, rejects = parse(f'id,text\n0,"open\n{rows}', "csv", 1 << 16, max_record_mb=1)
    assert [reject["record"] for reject in rejects] == [2]
    assert "never closed" in rejects[0]["error"]
    assert rejects[0]["bytes"] == b'0,"open\n'
    assert [post["id"] for post in posts] == [str(number) for number in range(2000)]


@pytest.mark.parametrize("blank", [" ", "\t\t", "\xa0 \r", ""])
def test_rows_of_blanks_are_none(blank: str, tmp_path: Path) -> None:
    rows = ["id,text,author", *[blank] * 3, "1,A lantern by the quarry.,ann", blank, "2,A walnut.,bob", blank]
    (tmp_path / "dump.csv").write_text("\n".join(rows), "utf-8", newline="")
    (batch,) = read_posts(tmp_path / "dump.csv")
    assert batch.column("id").to_pylist() == ["1", "2"]
    assert batch.column("record").to_pylist() == [5, 7]


def test_csv_is_recognised() -> None:
    for name, head in (
        ("a.csv", b"anything"),
        ("a", b"id,author,text\n1,ann,Hello"),
        ("a", "id\tauthor\tbody\n".encode("utf-16")),
    ):
        found = recognise(name, head)
        assert found is not None
        assert found.name == "csv"
    prose = recognise("a", b"Dear Ann, thank you, text me.\n")
    assert prose is not None
    assert prose.name == "text"


CELLS = st.text(st.sampled_from('a\u00e9,;"\n\\ \u0105'), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8), st.integers(1, 40))
def test_what_the_csv_module_writes_is_read(rows: list[list[str]], block_bytes: int) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([["id", "text", "note"], *rows])
    if '\\"' in written.getvalue() and '""' not in written.getvalue():
        return  # reads as an escape
    posts, rejects = parse(written.getvalue().encode(), "csv", block_bytes)
    assert rejects == []
    assert [[post["id"] or "", post["text"]] for post in posts] == [row[:2] for row in rows]


@given(st.text(st.sampled_from('ab,"\n\\'), max_size=30))
def test_rows_end_where_the_csv_module_says(text: str) -> None:
    ends = record_ends(text.encode(), None, ",", False).tolist()
    pieces = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    whole = list(csv.reader(io.StringIO(text, newline="")))
    assert [row for piece in pieces if piece for row in csv.reader(io.StringIO(piece, newline=""))] == whole


_TABLE = st.lists(
    st.sampled_from([*'ab",;\n\t\\\r\0\x1f \xa0é', '""', '","', "\r\n", "a,b,c\n", '"é",b,"c"\n'])
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["id,text,author\n", "id;text\r\n", "text\n", "id\ttext\tx\n", "a,b,c\n", ""]), _TABLE)
def test_a_kernel_reads_the_rows_that_the_csv_module_reads(header: str, pieces: list[str]) -> None:
    data = (header + "".join(pieces)).encode()
    for block in READERS["csv"].blocks(io.BytesIO(data), "a.csv", Read(), 1 << 20):
        # where an encoding is given, no kernel is asked
        by_python = READERS["csv"].parse(block, Read(encoding="utf-8"))
        assert READERS["csv"].parse(block, Read()) == by_python


def test_an_ordinary_row_needs_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    data = 'id,text\n1,"Hello, ""Ann"""\n2,Größe\n3,"two\r\nlines"\n'
    with monkeypatch.context() as patched:
        patched.setattr("dedup.readers.delimited._encode", fail)  # of each value that Python reads
        block = Block(data.encode(), "a.csv", 1, 0, "csv", header=json.dumps(CSV_HEADER))
        posts = READERS["csv"].parse(block, Read()).posts
    assert posts["text"].to_pylist() == ['Hello, "Ann"', "Größe", "two\r\nlines"]


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_posts_or_rejects(data: bytes, block_bytes: int) -> None:
    for reader in ("csv", "stackexchange", "warc", "json", "jsonl"):
        blocks = list(READERS[reader].blocks(io.BytesIO(data), "dump", Read(), block_bytes))
        for block in blocks:
            parse_block(block)


# Parquet and Arrow


def test_a_damaged_row_group_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"id": [str(n) for n in range(9)], "text": [f"post {n} {'x' * 500}" for n in range(9)]})
    pa.parquet.write_table(table, path, row_group_size=3, compression="zstd", use_dictionary=False)
    facts = pa.parquet.ParquetFile(path).metadata.row_group(1).column(1)
    data = bytearray(path.read_bytes())
    end = facts.data_page_offset + facts.total_compressed_size
    data[end - 20 : end] = b"\xff" * 20
    path.write_bytes(data)
    posts, rejects = read(path)
    assert [post["id"] for post in posts] == ["0", "1", "2", "6", "7", "8"]
    assert [post["record"] for post in posts] == [1, 2, 3, 7, 8, 9]
    assert [row["record"] for row in rejects] == [4]
    assert rejects[0]["error"].startswith("3 rows of a row group cannot be read: ")


def a_table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int64()),
            "author": pa.array(["ann", None, "bob"]).dictionary_encode(),
            "text": pa.array(["Hello", "Größe", None], pa.large_string()),
            "created_at": pa.array([datetime(2003, 1, 8, 21, 31, tzinfo=UTC)] * 3, pa.timestamp("ns", "UTC")),
            "likes": [1.5, None, 2.0],
            "tags": [["x", "y"], [], None],
        }
    )


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow", "parquet.gz"])
def test_columnar(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dump.{suffix}"
    if suffix.startswith("parquet"):
        pa.parquet.write_table(a_table(), path, row_group_size=2)
    elif suffix == "feather":
        pa.feather.write_feather(a_table(), path)
    else:  # as the shards of Hugging Face datasets are
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, a_table().schema) as writer:
            writer.write_table(a_table(), max_chunksize=2)
    if suffix.endswith("gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    posts, rejects = read(path)
    assert [(post["record"], post["id"], post["author"], post["text"]) for post in posts] == [
        (1, "1", "ann", "Hello"),
        (2, "2", None, "Größe"),
    ]
    assert posts[0]["created"] == "2003-01-08T21:31:00Z"
    assert json.loads(posts[0]["metadata"]) == {"likes": 1.5, "tags": ["x", "y"]}
    assert [(reject["record"], reject["error"]) for reject in rejects] == [
        (3, "the text field 'text' is no string but null")
    ]
    assert json.loads(rejects[0]["bytes"])["author"] == "bob"


def test_a_dataset_folder(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    for shard in range(2):
        with (
            pa.OSFile(str(folder / f"data-0000{shard}-of-00002.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, a_table().schema) as writer,
        ):
            writer.write_table(a_table().slice(0, 2))
    (folder / "dataset_info.json").write_text('{"features": {}}')
    (folder / "state.json").write_text('{"_split": "train"}')
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (folder / "cache-0123456789abcdef.arrow").write_bytes(b"indices")
    posts, rejects = read(tmp_path)
    assert rejects == []
    assert [post["text"] for post in posts] == ["Hello", "Größe"] * 2


def test_strings_that_are_no_utf8(tmp_path: Path) -> None:
    raw = pa.array([b"Gr\xf6\xdfe", b"plain"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    path = tmp_path / "dump.arrow"
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, pa.schema([("text", pa.string())])) as writer,
    ):
        writer.write_batch(pa.RecordBatch.from_arrays([texts], ["text"]))
    assert [post["text"] for post in read(path)[0]] == ["Größe", "plain"]


def test_times_that_python_has_none_for(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "date": pa.array([0, 1 << 60], pa.timestamp("s"))})
    pa.feather.write_feather(table, tmp_path / "dump.feather")
    posts, rejects = read(tmp_path)
    assert rejects == []
    assert posts[0]["created"] == "1970-01-01T00:00:00"


def test_damaged_columnar_files_are_faults(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pa.parquet.write_table(a_table(), whole)
    data = whole.read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[:-20])
    (tmp_path / "noise.parquet").write_bytes(data[:40] + bytes(40) + data[80:])
    (tmp_path / "cut.arrow").write_bytes(b"ARROW1\0\0" + b"\xff" * 50)
    whole.unlink()
    _, rejects = read(tmp_path)
    assert len(rejects) >= 2
    assert all(reject["error"] for reject in rejects)


# SQLite


def a_database(path: Path, rows: int = 5) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, about TEXT)")
        database.execute("INSERT INTO users VALUES (1, 'ann', 'About me')")
        database.execute(
            "CREATE TABLE posts (post_id INTEGER PRIMARY KEY, thread_id INT, username TEXT, messag"
            "e, likes REAL)"
        )
        database.executemany(
            "INSERT INTO posts VALUES (?, ?, ?, ?, ?)",
            [(n, n // 2, "ann", f"<p>Post &amp; {n}</p>", 1.5) for n in range(1, rows + 1)],
        )
        database.execute("INSERT INTO posts VALUES (99999, 1, 'bob', ?, NULL)", ["Größe".encode("cp1252")])
        database.execute("CREATE VIEW everything AS SELECT * FROM posts, users")
        database.commit()
    return path


def test_sqlite(tmp_path: Path) -> None:
    posts, rejects = read(a_database(tmp_path / "board.db"))
    assert rejects == []
    assert [(post["record"], post["id"], post["thread_id"], post["text"]) for post in posts[:2]] == [
        (1, "1", "0", "Post & 1"),
        (2, "2", "1", "Post & 2"),
    ]
    assert json.loads(posts[0]["metadata"]) == {"likes": 1.5}
    assert posts[-1]["text"] == "Größe"


def test_another_table(tmp_path: Path) -> None:
    path = a_database(tmp_path / "board.db")
    posts, _ = read(path, table="users", fields={"text": "about"})
    assert [(post["text"], post["author"]) for post in posts] == [("About me", "ann")]
    for name in ("nosuch", "everything"):  # a view would run what the file says
        posts, rejects = read(path, table=name)
        assert posts == []
        assert "its tables are: users, posts" in rejects[0]["error"]


def test_damaged_databases_are_faults(tmp_path: Path) -> None:
    data = a_database(tmp_path / "board.db", 3000).read_bytes()
    damaged = bytearray(data)
    damaged[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    schema = data.replace(b"CREATE TABLE posts", b"CREATE \xffABLE posts")  # SQLite's message quotes it
    cases = {"noise.db": data[:16] + b"\xff" * 2000, "half.db": bytes(damaged), "schema.db": schema}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        _, rejects = read(tmp_path / name)
        assert "cannot be read" in rejects[0]["error"]


# Stack Exchange

QUESTION = (
    "&lt;p&gt;Is it &amp;lt;b&amp;gt;?&lt;/p&gt;&#xA;"
    "&lt;pre&gt;&lt;code&gt;a &amp;amp;&amp;amp; b&lt;/code&gt;&lt;/pre&gt;"
)
ANSWER = "&lt;blockquote&gt;&lt;p&gt;Is it&lt;/p&gt;&lt;/blockquote&gt;Yes"
POSTS_XML = f"""\ufeff<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" CreationDate="2014-01-21T20:26:05.383" Score="18" Body="{QUESTION}"
       OwnerUserId="7" Title="A &quot;kiln&quot;" Tags="&lt;kilns&gt;" />
  <row Id="2" PostTypeId="2" ParentId="1" Body="{ANSWER}" OwnerDisplayName="ann" CreationDate='2014-01-22'/>
  <row Id="3" PostTypeId="1" Score="1" />
  <row Id="4" broken Body="x" />
  <row Id="5" PostTypeId="1" Body="" />
</posts>
"""


@pytest.mark.parametrize("block_bytes", [11, 1 << 20])
def test_stack_exchange(block_bytes: int) -> None:
    posts, rejects = parse(POSTS_XML, "stackexchange", block_bytes)
    assert [(post["record"], post["id"], post["thread_id"], post["parent_id"]) for post in posts] == [
        (1, "1", "1", None),
        (2, "2", "1", "1"),
        (5, "5", "5", None),
    ]
    assert posts[0]["text"] == "Is it <b>?\n\na && b"
    assert (posts[0]["title"], posts[0]["author"], posts[1]["author"]) == ('A "kiln"', "7", "ann")
    assert posts[1]["text"] == "Is it\n\nYes"
    assert posts[1]["marks"] == [{"start": 0, "end": 5, "author": None, "post_id": None}]
    assert json.loads(posts[0]["metadata"])["Tags"] == "<kilns>"
    assert [reject["record"] for reject in rejects] == [3, 4]
    data = POSTS_XML.encode()
    for reject in rejects:
        assert data[reject["byte_start"] : reject["byte_end"]] == reject["bytes"]


@pytest.mark.parametrize("char", ["\\", "\t", "&quot;", "x"])
def test_ids_of_any_length_find_room(char: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = f' Id="{char * 500}" Body="x" />'.encode()
    bounds = np.zeros(1, np.int64), np.array([len(row)])
    whole = as_objects(row, *bounds)  # and the kernel is compiled
    made: list[Any] = []

    def with_a_margin(size: int, kind: type) -> Any:
        made.append(np.full(size + 5000, 0x5A, kind))
        return made[-1][:size]

    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", with_a_margin)
        objects = as_objects(row, *bounds)
    assert objects.data == whole.data
    assert all((array[-5000:] == 0x5A).all() for array in made)
    said = {"\\": "\\", "\t": "\t", "&quot;": '"', "x": "x"}[char] * 500
    assert json.loads(objects.data) == {"Id": said, "Body": "x", "thread_id": said}


_VALUES = [
    "",
    "x",
    "é",
    "&lt;p&gt;",
    "&amp;lt;",
    "&#38;lt;",
    "&#xA;",
    "&#13;",
    "&quot;",
    "&apos;",
    "&#x2019;",
]
_VALUES += ["&", "\\", "\t", "long enough for a word of eight bytes"]
_ATTRIBUTES = st.tuples(
    st.sampled_from(["Id", "PostId", "ParentId", "Text", "Body", "UserId", "UserDisplayName", "thread_id"]),
    st.lists(st.sampled_from(_VALUES), max_size=4).map("".join),
    st.sampled_from([' {}="{}"', ' {}="{}"', ' {}="{}"', "\n {} = '{}'", ' {}="{}', " {}"]),
)


@settings(deadline=None)
@given(
    st.lists(st.lists(_ATTRIBUTES, max_size=6), max_size=5), st.sampled_from([" />\n", "/>", ">", "></row>"])
)
def test_a_kernel_reads_the_rows_that_python_reads(rows: list[list[tuple[str, str, str]]], end: str) -> None:
    written = ["".join(form.format(name, value) for name, value, form in row) for row in rows]
    data = "<posts>" + "".join(f"<row{row}{end}" for row in written) + "</posts>"
    block = next(StackExchange().blocks(io.BytesIO(data.encode()), "Posts.xml", Read(), 1 << 20))
    # where an encoding is given, no kernel is asked
    by_python = StackExchange().parse(block._replace(encoding="utf-8"), Read())
    assert StackExchange().parse(block, Read()) == by_python


def test_an_odd_quotation_mark() -> None:
    data = '<posts><row Id="1" "Body="x" /><row Id="2" Body="y" T"1.0" /><row Id="3" Body="z" /></posts>'
    posts, rejects = parse(data, "stackexchange")
    assert [post["id"] for post in posts] == ["3"]
    assert [reject["record"] for reject in rejects] == [1, 2]


def test_comments() -> None:
    data = (
        '<comments>\n<row Id="1" PostId="9" Score="2" Text="a &lt; b &amp; *c*" UserId="3" />\n'
        '<row Id="2" PostId="9" Text="x" UserDisplayName="ann" />\n</comments>'
    )
    posts, rejects = parse(data, "stackexchange")
    assert rejects == []
    assert [(post["id"], post["parent_id"], post["text"], post["author"]) for post in posts] == [
        ("comment-1", "9", "a < b & *c*", "3"),
        ("comment-2", "9", "x", "ann"),
    ]


def test_nothing_declared_is_expanded() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE posts [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    posts, rejects = parse(f'{bomb}\n<posts><row Id="1" Body="&b;&a;" /></posts>', "stackexchange")
    assert rejects == []
    assert posts[0]["text"] == "&b;&a;"


def test_xml_that_only_looks_like_a_dump() -> None:
    feed = b"<?xml version='1.0'?>\n<rss><item><comments>https://x.example/1</comments></item></rss>"
    assert recognise("feed.xml", feed) is None
    posts, rejects = parse("<posts><post>Hello</post></posts>", "stackexchange")
    assert posts == []
    assert [row["error"] for row in rejects] == ["holds no row of a Stack Exchange dump"]
    assert parse("<?xml version='1.0'?>\n<posts>\n</posts>\n", "stackexchange") == ([], [])


@pytest.mark.parametrize("block_bytes", [60, 1 << 20])
def test_what_stands_before_the_first_row_is_rejected_once(block_bytes: int) -> None:
    rows = "".join(f'<row Id="{n}" Body="Hello" />' for n in range(9))
    posts, rejects = parse(f'<posts><rwo Id="7" />{rows}</posts>', "stackexchange", block_bytes)
    assert len(posts) == 9
    assert [(row["record"], row["bytes"]) for row in rejects] == [(1, b'<posts><rwo Id="7" />')]
    assert parse(f"<posts><!-- <rwo> -->{rows}</posts>", "stackexchange", block_bytes)[1] == []


def test_a_user_that_stands_twice_in_a_comment() -> None:
    row = '<row Id="5" PostId="7" Text="Hello" UserId="3" UserId="4" />'
    posts, _ = parse(f"<comments>{row}</comments>", "stackexchange")
    assert [(post["author"], post["metadata"]) for post in posts] == [("4", "{}")]


def test_a_row_over_the_limit() -> None:
    rows = [f'<row Id="{number}" Body="x" />' for number in range(3)]
    rows[1] = f'<row Id="1" Body="{"y" * (3 << 20)}" />'
    data = "<posts>" + "".join(rows) + "</posts>"
    posts, rejects = parse(data, "stackexchange", 1 << 16, max_record_mb=1)
    assert [post["id"] for post in posts] == ["0", "2"]
    assert "over the limit" in rejects[0]["error"]
    assert (rejects[0]["record"], rejects[0]["byte_end"] - rejects[0]["byte_start"]) == (2, len(rows[1]))


def test_the_tables_beside_the_posts_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "Posts.xml").write_text(POSTS_XML, "utf-8")
    for name in ("Users.xml", "Votes.xml", "Tags.xml"):
        (tmp_path / name).write_text('<users><row Id="1" /></users>', "utf-8")
    posts, rejects = read(tmp_path)
    assert len(posts) == 3
    assert {Path(reject["path"]).name for reject in rejects} == {"Posts.xml"}
