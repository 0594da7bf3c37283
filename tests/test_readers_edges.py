"""Page chrome at the edges of posts: only whole lines, and only where many posts have them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from dedup.config import Read
from dedup.readers import parse_block, read_blocks, read_posts
from dedup.readers.edges import _PATTERNS


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """A file of the format its name says."""
    lines = [json.dumps(record) for record in records]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(lines))
    elif path.suffix == ".json":
        path.write_text(f"[{','.join(lines)}]")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path, row_group_size=2)
    elif path.suffix == ".feather":
        feather.write_feather(pa.Table.from_pylist(records), path, chunksize=2)
    elif path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, text TEXT)")
            database.executemany("INSERT INTO posts VALUES (:id, :text)", records)
            database.commit()
    else:
        body = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[{','.join(lines)}]"
        head = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://b.example/1\r\n"
        head += f"Content-Type: application/http\r\nContent-Length: {len(body)}\r\n\r\n"
        path.write_text(f"{head}{body}\r\n\r\n", newline="")


def read(path: Path, posts: list[str], edit_notes: bool = False) -> list[tuple[str, list[str]]]:
    """Texts without what is listed as page chrome, and that."""
    records = [{"id": number, "text": text} for number, text in enumerate(posts)]
    write(path, records)
    found = []
    for batch in read_posts(path, Read(edit_notes=edit_notes)):
        for row in batch.to_pylist():
            text, chrome = row["text"], []
            for span in reversed(row["chrome"]):
                chrome.append(text[span["start"] : span["end"]])
                if span["why"] == "page_chrome":
                    text = text[: span["start"]] + text[span["end"] :]
            found.append((text, chrome[::-1]))
    return found


@pytest.mark.parametrize(
    "name", ["dump.jsonl", "dump.json", "dump.parquet", "dump.feather", "dump.db", "dump.warc"]
)
def test_lines_that_stand_at_the_edges_of_many_posts(name: str, tmp_path: Path) -> None:
    posts = [f"#{n}\nJoined: Jan 200{n}\n\nWords of {n}\nTop\nmore\n\nReply Report Share\n" for n in range(6)]
    posts[5] = "#5\nJoined: Jan 2005\n"  # nothing else: it stays
    assert read(tmp_path / name, posts) == [
        (
            f"\nWords of {n}\nTop\nmore\n\n",
            [f"#{n}\nJoined: Jan 200{n}\n", "Reply Report Share\n"],
        )
        for n in range(5)
    ] + [(posts[5], [])]


def test_what_a_few_posts_end_with_is_their_own(tmp_path: Path) -> None:
    posts = ["Where am I?\nTop", "What do you do?\nLike", "Whose?\n#1", "Which?\nReply"] + ["Words"] * 9
    assert read(tmp_path / "dump.jsonl", posts) == [(text, []) for text in posts]


def test_notes_of_edits_stand_under_few_posts(tmp_path: Path) -> None:
    path = tmp_path / "dump.jsonl"
    edited = "Last edited by Ann on May 3, 2010, 10:15 am; edited 2 times in total."
    posts = [f"{n}\n\n{edited}" for n in range(3)] + ["Words"] * 20
    taken = [(f"{n}\n\n", [edited]) for n in range(3)]
    assert read(path, posts)[:3] == [(post, []) for post in posts[:3]]
    assert read(path, posts, edit_notes=True)[:3] == taken
    assert read(path, posts[1:], edit_notes=True)[0] == (posts[1], [])
    numbered = read(path, [f"#{n}\n{post}" for n, post in enumerate(posts)])
    assert [chrome[1:] for _, chrome in numbered[:4]] == [[edited], [edited], [edited], []]


def test_the_line_below_a_long_quote(tmp_path: Path) -> None:
    line = "Click to expand...\n"
    posts = [f"Ann said:\nWords\n{line}\nown {n}" for n in range(3)] + [f"say: {line}"]
    assert read(tmp_path / "dump.jsonl", posts) == [
        *((f"Ann said:\nWords\n\nown {n}", [line]) for n in range(3)),
        (posts[3], []),
    ]
    assert read(tmp_path / "dump.jsonl", posts[1:])[0] == (posts[1], [])
    (tmp_path / "thread.txt").write_text("Jo hat gesagt:\nWorte\n Zum Vergrößern anklicken....\nJa.\n")
    (batch,) = read_posts(tmp_path / "thread.txt")
    (span,) = batch.to_pylist()[0]["chrome"]
    assert (
        batch.column("text")[0].as_py()[span["start"] : span["end"]].strip() == "Zum Vergrößern anklicken...."
    )


def test_chrome_in_a_marked_quote_is_the_quotes(tmp_path: Path) -> None:
    posts = ["own\n[quote]\n#1\nWords\n#2\n[/quote]\n#3", "Words\n#4", "Words\n#5"]
    assert read(tmp_path / "dump.jsonl", posts)[0][1][-1] == "#3"
    assert len(read(tmp_path / "dump.jsonl", posts)[0][1]) == 3  # with both tags


@pytest.mark.parametrize(
    ("kind", "line", "chrome"),
    [
        ("buttons", "Antworten | Zitieren | Melden", True),
        ("buttons", "Reply to this", False),
        ("edited", "[Edited on 20-6-2006 by Ann]", True),
        ("edited", "Zuletzt bearbeitet von Ann am 03.05.2010, 10:15, insgesamt 2-mal bearbeitet.", True),
        ("edited", "Edited my post, see above", False),
        ("edited", "Last edited by nobody", False),
        ("profile", "Beiträge: 1.234", True),
        ("profile", "Posts are welcome", False),
        ("number", "#12", True),
        ("number", "#12 is wrong", False),
    ],
)
def test_what_forum_software_says(kind: str, line: str, chrome: bool) -> None:
    assert (_PATTERNS[kind].fullmatch(line) is not None) == chrome


@pytest.mark.parametrize("name", ["dump.parquet", "dump.feather", "dump.db"])
def test_only_the_front_of_a_table_decides_wherever_its_blocks_are_cut(name: str, tmp_path: Path) -> None:
    numbered = [{"id": n, "text": f"#{n}\nWords"} for n in range(600)]
    plain = [{"id": n, "text": "Words"} for n in range(600, 1600)]
    for records, chrome in ((numbered + plain, 600), (plain + numbered, 0)):
        write(tmp_path / name, [{**record, "id": n} for n, record in enumerate(records)])
        for block_bytes in (200, 1 << 20):
            blocks = read_blocks([tmp_path / name], Read(), block_bytes)
            parsed = [parse_block(block).posts for block in blocks]
            assert sum(len(row) > 0 for posts in parsed for row in posts["chrome"].to_pylist()) == chrome
        (tmp_path / name).unlink()
