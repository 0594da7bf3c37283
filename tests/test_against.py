"""Growing corpora: what was there before is a source, and stays as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from check_promises import read_lines
from conftest import DATA
from hostile_forums import write_forum
from test_promises import fingerprint
from typer.testing import CliRunner

from dedup import pipeline
from dedup.cli import app
from dedup.config import Config
from dedup.errors import OutputError
from dedup.originals import restore
from dedup.verification import verify

ONE = Config().with_settings({"run": {"workers": 1}})
Post = dict[str, Any]

KILN = (
    "The third kiln shelf cracked again last night, right along the line that we had glued in March,"
    " and the smell of burnt borax hung over the yard until the rain came down."
)
QUARRY = (
    "Nobody climbs the old quarry wall in winter, because the granite sheds flakes as sharp as oyster"
    " knives and the nearest surgeon lives two ferries away from the harbour."
)


def post(post_id: str, text: str, author: str, date: str, thread: str) -> Post:
    return {"id": post_id, "text": text, "author": author, "date": date, "thread_id": thread}


OLD = [
    post("1", KILN, "ann", "2003-01-08 10:00:00", "kiln"),
    post("2", QUARRY, "bob", "2003-01-09 10:00:00", "quarry"),
]
NEW = [
    post(
        "1", f"> {KILN}\n\nSo it did, and I swept the yard for a week.", "eve", "2003-02-01 10:00:00", "kiln"
    ),
    # of an earlier date than what it repeats: what was there before is first all the same
    post("9", QUARRY, "zoe", "2001-01-01 10:00:00", "elsewhere"),
    post("10", "Does anybody sell oyster knives that stay sharp?", "zoe", "2003-02-02 10:00:00", "knives"),
]


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    pipeline.clean([write_forum(tmp_path / "old.jsonl", OLD)], tmp_path / "earlier", ONE)
    return tmp_path / "earlier"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write_forum(tmp_path / "new.jsonl", NEW)


def test_what_was_there_before_is_the_source(earlier: Path, new: Path, tmp_path: Path) -> None:
    before = fingerprint(earlier)
    summary = pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    reply, copy, question = read_lines(tmp_path / "out", "provenance")
    assert [record["id"] for record in (reply, copy, question)] == ["1", "9", "10"]
    (quote,) = [edit for edit in reply["edits"] if edit["why"] == "quote"]
    assert (quote["source_corpus"], quote["source_id"]) == (str(earlier), "1")
    assert KILN[quote["source_start"] : quote["source_end"]] == KILN
    assert (copy["action"], copy["duplicate_of"], copy["source_corpus"]) == ("drop", "2", str(earlier))
    assert question["action"] == "keep" and "source_corpus" not in question
    assert summary.report["against"][str(earlier)]["posts_dropped"] == 1
    assert summary.report["against"][str(earlier)]["posts_touched"] == 2
    assert [found["text"] for found in restore(tmp_path / "out")] == [given["text"] for given in NEW]
    assert fingerprint(earlier) == before
    found = verify(tmp_path / "out")
    assert (found.problems, found.posts, found.passages) == ([], 3, 3)


@pytest.mark.parametrize("keep", ["latest", "longest"])
def test_the_earlier_corpus_stays_whichever_copy_is_kept(
    keep: str, earlier: Path, new: Path, tmp_path: Path
) -> None:
    config = ONE.with_settings({"decide": {"keep": keep}})
    pipeline.clean([new], tmp_path / "out", config, against=[earlier])
    assert read_lines(tmp_path / "out", "provenance")[1]["duplicate_of"] == "2"
    assert verify(tmp_path / "out").problems == []


def test_two_earlier_corpora_may_use_the_same_ids(earlier: Path, new: Path, tmp_path: Path) -> None:
    other = write_forum(tmp_path / "other.jsonl", [post("1", QUARRY, "kim", "2002-01-01 10:00:00", "x")])
    pipeline.clean([other], tmp_path / "second", ONE)
    pipeline.clean([new], tmp_path / "out", ONE, against=[earlier, tmp_path / "second"])
    reply, copy, _ = read_lines(tmp_path / "out", "provenance")
    assert {edit["source_corpus"] for edit in reply["edits"] if edit["why"] == "quote"} == {str(earlier)}
    assert (copy["duplicate_of"], copy["source_corpus"]) in [
        ("2", str(earlier)),
        ("1", str(tmp_path / "second")),
    ]
    assert verify(tmp_path / "out").problems == []


def test_a_reference_set_is_taken_out(new: Path, tmp_path: Path) -> None:
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_text(json.dumps({"question": "?", "text": QUARRY}) + "\n", "utf-8")
    command = [
        "clean",
        str(new),
        "-o",
        str(tmp_path / "out"),
        "--reference",
        str(benchmark),
        "--workers",
        "1",
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert f"in {benchmark} before: 1 posts dropped, 1 passages" in done.stdout.replace("\n", " ")
    assert [document["id"] for document in read_lines(tmp_path / "out", "corpus")] == ["1", "10"]
    (_, copy, _) = read_lines(tmp_path / "out", "provenance")
    assert (copy["duplicate_of"], copy["source_corpus"]) == (f"{benchmark}#1", str(benchmark))
    assert verify(tmp_path / "out").problems == []
    assert CliRunner().invoke(app, ["explain", str(tmp_path / "out"), "9"]).exit_code == 0
    benchmark.unlink()
    (problem,) = verify(tmp_path / "out").problems
    assert "was not looked up" in problem.what


def test_a_corpus_of_plain_text_has_no_ids(new: Path, tmp_path: Path) -> None:
    config = ONE.with_settings({"write": {"output_format": "text"}})
    pipeline.clean([write_forum(tmp_path / "old.jsonl", OLD)], tmp_path / "text", config)
    with pytest.raises(OutputError, match="without ids"):
        pipeline.clean([new], tmp_path / "out", ONE, against=[tmp_path / "text"])
    with pytest.raises(OutputError, match="not an output folder"):
        pipeline.clean([new], tmp_path / "out", ONE, against=[tmp_path])
    assert not (tmp_path / "out").exists()


def test_a_stopped_run_is_resumed_against_the_same_corpora_only(
    earlier: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.clean([new], tmp_path / "whole", ONE, against=[earlier])

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline, "write", stop)
        pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    with pytest.raises(OutputError, match="other inputs"):
        pipeline.clean([new], tmp_path / "out", ONE)
    pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    assert fingerprint(tmp_path / "out") == fingerprint(tmp_path / "whole")


MOST_DIFFERENT = 0.01
"""Share of the posts whose text may depend on counts over the whole corpus: signatures and stock text."""


def test_dumps_one_after_another_give_the_corpus_of_all_at_once(tmp_path: Path) -> None:
    generator = DATA.parent / "scripts" / "generate.py"
    options = ["--posts", "3000", "--seed", "11", "--mix", "bench"]
    subprocess.run([sys.executable, generator, tmp_path, *options], check=True, capture_output=True)
    posts = [json.loads(line) for line in (tmp_path / "dump.jsonl").read_text("utf-8").splitlines()]
    posts.sort(key=lambda given: given["date"])
    dumps = [
        write_forum(tmp_path / f"dump-{part}.jsonl", posts[part * 1000 : part * 1000 + 1000])
        for part in range(3)
    ]
    pipeline.clean(dumps, tmp_path / "all", ONE)
    outs: list[Path] = []
    for part, dump in enumerate(dumps):
        pipeline.clean([dump], tmp_path / f"out-{part}", ONE, against=outs)
        outs.append(tmp_path / f"out-{part}")
        assert verify(outs[-1]).problems == []
    at_once, one_by_one = (
        {document["id"]: document["text"] for out in folders for document in read_lines(out, "corpus")}
        for folders in ([tmp_path / "all"], outs)
    )
    records = {
        record["id"]: [record, other]
        for record, other in zip(
            read_lines(tmp_path / "all", "provenance"),
            [record for out in outs for record in read_lines(out, "provenance")],
            strict=True,
        )
    }
    different = [name for name in records if at_once.get(name) != one_by_one.get(name)]
    assert len(different) <= MOST_DIFFERENT * len(posts)
    for name in different:
        kinds = [{edit["why"] for edit in record["edits"]} for record in records[name]]
        assert kinds[0] ^ kinds[1] or "boilerplate" in kinds[0] | kinds[1]
