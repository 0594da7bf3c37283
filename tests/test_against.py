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

from dedup import pipeline, removed
from dedup.claim import claim
from dedup.cli import app
from dedup.config import Config
from dedup.errors import InputError, OutputError
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


def after(text: str, words: str) -> str:
    return words + text.partition(words)[2]


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
    (overlap,) = [line.split() for line in after(done.stdout, "stood before in").splitlines()[1:2]]
    assert overlap[1:] == ["1", "1", "1", f"{len(QUARRY.split())}"]
    assert [document["id"] for document in read_lines(tmp_path / "out", "corpus")] == ["1", "10"]
    (_, copy, _) = read_lines(tmp_path / "out", "provenance")
    assert (copy["duplicate_of"], copy["source_corpus"]) == (f"{benchmark}#1", str(benchmark))
    assert verify(tmp_path / "out").problems == []
    assert CliRunner().invoke(app, ["explain", str(tmp_path / "out"), "9"]).exit_code == 0
    benchmark.unlink()
    (problem,) = verify(tmp_path / "out").problems
    assert "was not looked up" in problem.what


def test_standard_input_is_no_reference_set(new: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="look up"):
        pipeline.clean([new], tmp_path / "out", ONE, reference=["-"])
    assert not (tmp_path / "out").exists()


def test_verify_says_when_an_earlier_corpus_was_changed(earlier: Path, new: Path, tmp_path: Path) -> None:
    pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    other = write_forum(tmp_path / "other.jsonl", [*OLD, post("3", "A walnut.", "ann", "2004-01-01", "x")])
    pipeline.clean([other], earlier, ONE, force=True)
    problems = verify(tmp_path / "out").problems
    assert {problem.file for problem in problems} == {"manifest.json"}
    assert "corpus/part-00000.jsonl.zst' stood here before" in problems[0].what


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
    with pytest.raises(OutputError, match="other inputs"):
        pipeline.clean([new], tmp_path / "out", ONE, reference=[earlier])
    pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    assert fingerprint(tmp_path / "out") == fingerprint(tmp_path / "whole")


def test_a_reference_set_is_not_resumed_as_a_dump(new: Path, tmp_path: Path) -> None:
    other = write_forum(tmp_path / "other.jsonl", OLD)
    with claim(tmp_path / "out", inputs=[str(other), str(new)], earlier=[str(other)], config=ONE):
        pass
    with pytest.raises(OutputError, match="other --against or --reference"):
        pipeline.clean([other, new], tmp_path / "out", ONE)
    pipeline.clean([new], tmp_path / "out", ONE, reference=[other])


def test_every_report_shows_the_overlap(new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "=<b>old.jsonl"
    write_forum(Path(name), OLD)
    write_forum(Path("nothing.jsonl"), [post("1", "A walnut in the harbour.", "kim", "2001-01-01", "x")])
    pipeline.clean([new], "out", ONE, reference=[name, "nothing.jsonl"])
    invoke = CliRunner().invoke
    assert "stood before in,'=<b>old.jsonl,2," in invoke(app, ["report", "out", "--csv"]).stdout
    assert "stood before in,nothing.jsonl,0," in invoke(app, ["report", "out", "--csv"]).stdout
    markdown = invoke(app, ["report", "out", "--markdown"]).stdout
    assert "| \\=\\<b\\>old\\.jsonl | 2 | 1 | 2 |" in markdown.replace("\\=", "=").replace("| =", "| \\=")
    assert invoke(app, ["report", "out", "--html", "page.html"]).exit_code == 0
    page = Path("page.html").read_text("utf-8")
    assert "What stood there before" in page and "=&lt;b&gt;old.jsonl" in page and "<b>old" not in page
    assert name in after(invoke(app, ["report", "out"]).stdout, "stood before in")


SIGNED = "\n--\nQuarries, kilns and other holes in the ground since 1971"


def signed(number: int, thread: str, date: str) -> Post:
    own = " ".join(f"lantern{number}x{word}" for word in range(9))
    return post(f"s{number}", own + SIGNED, "ann", date, thread)


def told(out: Path, corpus: Path) -> dict[str, Any]:
    report = json.loads((out / "report.json").read_text("utf-8"))
    found: dict[str, Any] = report["against"][str(corpus)]["counted_otherwise"]
    return found


def test_what_earlier_runs_removed_is_counted(tmp_path: Path) -> None:
    """The signature stands once in the earlier corpus, and once in the new dump: it stood in four threads."""
    old = [signed(number, f"t{number}", f"2003-01-0{number} 10:00:00") for number in (1, 2, 3)]
    pipeline.clean([write_forum(tmp_path / "old.jsonl", old)], tmp_path / "earlier", ONE)
    assert [SIGNED in found["text"] for found in read_lines(tmp_path / "earlier", "corpus")] == [True] + [
        False
    ] * 2
    new = write_forum(tmp_path / "new.jsonl", [signed(4, "t4", "2003-02-01 10:00:00")])
    pipeline.clean([new], tmp_path / "out", ONE, against=[tmp_path / "earlier"])
    (record,) = read_lines(tmp_path / "out", "provenance")
    (edit,) = [edit for edit in record["edits"] if edit["why"] == "boilerplate"]
    assert (edit["source_id"], edit["source_corpus"]) == ("s1", str(tmp_path / "earlier"))
    assert verify(tmp_path / "out").problems == []
    assert told(tmp_path / "out", tmp_path / "earlier")["signatures_that_stay"] == {"posts": 0, "ids": []}


def test_what_turns_out_to_be_a_signature_too_late_is_listed(tmp_path: Path) -> None:
    old = [signed(number, f"t{number}", f"2003-01-0{number} 10:00:00") for number in (1, 2)]
    pipeline.clean([write_forum(tmp_path / "old.jsonl", old)], tmp_path / "earlier", ONE)
    new = write_forum(tmp_path / "new.jsonl", [signed(3, "t3", "2003-02-01 10:00:00")])
    pipeline.clean([new], tmp_path / "out", ONE, against=[tmp_path / "earlier"])
    assert SIGNED not in read_lines(tmp_path / "out", "corpus")[0]["text"]
    assert told(tmp_path / "out", tmp_path / "earlier")["signatures_that_stay"] == {"posts": 1, "ids": ["s2"]}
    report = CliRunner().invoke(app, ["report", str(tmp_path / "out")]).stdout
    assert "1 post would have lost a signature there" in " ".join(report.split())


def test_what_turns_out_to_be_stock_text_too_late_is_listed(tmp_path: Path) -> None:
    limit = ONE.quotes.stock_threads
    posts = [
        post(
            f"k{number}",
            f"{KILN} " + " ".join(f"walnut{number}x{word}" for word in range(9)),
            f"author{number}",
            f"2003-01-08 10:{number:02}:00",
            f"t{number}",
        )
        for number in range(limit + 2)
    ]
    pipeline.clean([write_forum(tmp_path / "old.jsonl", posts[:-2])], tmp_path / "earlier", ONE)
    kept = [found["id"] for found in read_lines(tmp_path / "earlier", "corpus") if KILN in found["text"]]
    assert kept == ["k0"]
    new = write_forum(tmp_path / "new.jsonl", posts[-2:])
    pipeline.clean([new], tmp_path / "out", ONE, against=[tmp_path / "earlier"])
    assert all(KILN in found["text"] for found in read_lines(tmp_path / "out", "corpus"))
    gone = told(tmp_path / "out", tmp_path / "earlier")["stock_text_that_went"]
    assert gone == {"posts": limit - 1, "ids": [f"k{number}" for number in range(1, limit)]}


def test_a_run_that_was_stopped_reads_no_provenance_again(
    tmp_path: Path, earlier: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline, "decide_or_recall", stop)
        pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    with monkeypatch.context() as patch:
        patch.setattr(removed, "_records", stop)
        pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])
    assert verify(tmp_path / "out").problems == []


def test_a_damaged_provenance_is_named(earlier: Path, new: Path, tmp_path: Path) -> None:
    shard = earlier / "provenance" / "part-00000.jsonl.zst"
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(OutputError, match="part-00000"):
        pipeline.clean([new], tmp_path / "out", ONE, against=[earlier])


MOST_UNLISTED = 0.001
"""Share of the posts that may differ without being listed: what follows from what is listed."""


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
    ids = [record["id"] for record in read_lines(tmp_path / "all", "provenance")]
    different = [name for name in ids if at_once.get(name) != one_by_one.get(name)]
    listed: set[str] = set()
    for number, out in enumerate(outs):
        for earlier in outs[:number]:
            listed |= {name for kind in told(out, earlier).values() for name in kind["ids"]}
    assert len(set(different) - listed) <= MOST_UNLISTED * len(posts)
    last = {record["id"] for record in read_lines(outs[-1], "provenance")}
    assert not last & set(different)  # what comes last is cleaned by all counts there are
