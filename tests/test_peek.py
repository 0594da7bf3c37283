"""`dedup peek` and `dedup formats`: what a file is taken for, before a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dedup.cli import app
from dedup.config import Read
from dedup.errors import InputError
from dedup.peek import formats, peek
from dedup.readers import READERS

DATA = Path(__file__).resolve().parents[1] / "data"
run = CliRunner()


def test_the_first_posts_as_they_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("pid;user;body;date;likes\n1;ann;<p>Größe<br>so</p>;8.1.2003;3\n2;bob\n", "cp1252")
    (glimpse,) = peek([path])
    assert (glimpse.format, glimpse.markup, glimpse.encoding) == ("csv", "html", "windows-1252")
    assert glimpse.fields == {"text": "body", "id": "pid", "author": "user", "created": "date"}
    assert glimpse.other_fields == ["likes"]
    (post,) = glimpse.posts
    assert (post["text"], post["created"], post["time"]) == ("Größe\nso", "8.1.2003", "2003-01-08T00:00:00Z")
    assert [reject["record"] for reject in glimpse.rejected] == [3]


def test_fields_of_nested_posts_and_mapped_ones(tmp_path: Path) -> None:
    path = tmp_path / "topic.json"
    path.write_text(json.dumps({"id": 1, "title": "T", "posts": [{"n": 5, "msg_body": "Hi", "who": "ann"}]}))
    (glimpse,) = peek([path], Read(fields={"text": "msg_body", "author": "who"}))
    assert glimpse.fields == {
        "text": "msg_body",
        "author": "who",
        "thread_id": "thread_id",
        "title": "thread_title",
    }
    assert glimpse.other_fields == ["n"]


def test_no_more_posts_than_asked_for() -> None:
    (glimpse,) = peek([DATA / "forum.jsonl"], posts=2)
    assert [post["id"] for post in glimpse.posts] == ["4001", "4002"]
    assert peek([DATA / "forum.jsonl"], posts=0).__next__().posts == []


def test_a_file_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    (glimpse,) = peek([tmp_path])
    assert (glimpse.format, glimpse.posts) == (None, [])
    assert "no reader knows" in glimpse.rejected[0]["error"]
    with pytest.raises(InputError):
        list(peek([tmp_path / "nosuch"]))


def test_the_command_is_safe_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        json.dumps({"text": "one\x1b[2J\u202etwo\n> quoted", "author": "\x1b]0;x\x07", "k\x1b": 1})
    )
    shown = run.invoke(app, ["peek", str(path)])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert "\u202e" not in shown.stdout
    assert "┃ > quoted" in shown.stdout
    as_json = run.invoke(app, ["peek", "--json", str(path), str(DATA / "thread.txt")])
    first, second = map(json.loads, as_json.stdout.splitlines())
    assert first["posts"][0]["author"] == "\x1b]0;x\x07"
    assert second["format"] == "text"
    assert "\x1b" not in as_json.stdout


def test_nothing_to_read_is_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"no": 1}\n')
    assert run.invoke(app, ["peek", str(tmp_path)]).exit_code == 3


def test_formats_come_from_the_registry() -> None:
    listed = formats()
    assert [each.name for each in listed] == list(READERS)
    assert all(each.what and "reader" not in each.what for each in listed)
    shown = run.invoke(app, ["formats"])
    assert all(name in shown.stdout for name in READERS)
    assert [each["name"] for each in json.loads(run.invoke(app, ["formats", "--json"]).stdout)] == list(
        READERS
    )
