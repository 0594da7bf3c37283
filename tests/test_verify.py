"""`verify`: nothing to complain of in what a run wrote, and every damage found and named."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from check_promises import read_lines
from hostile_forums import forums, write_forum
from hypothesis import given
from hypothesis import strategies as st
from test_promises import cleaned, few
from typer.testing import CliRunner

from dedup import evidence, pipeline
from dedup.cli import app
from dedup.outputs import json_bytes, sealed
from dedup.verification import Verified, verify

CORPUS, PROVENANCE = "corpus/part-00000.jsonl.zst", "provenance/part-00000.jsonl.zst"
Record = dict[str, Any]


@pytest.fixture
def out(forum_out: Path, tmp_path: Path) -> Path:
    """A copy of a finished output folder, to be damaged."""
    return Path(shutil.copytree(forum_out, tmp_path / "out"))


def whats(found: Verified) -> str:
    return "\n".join(f"{problem.post_id}: {problem.what}" for problem in found.problems)


def test_samples(forum_out: Path, thread_out: Path) -> None:
    for out in (forum_out, thread_out):
        found = verify(out)
        assert (found.problems, found.posts) == ([], len(read_lines(out, "provenance")))
        assert found.passages > 1


HANDLING = {
    "keep": ["earliest", "latest", "longest"],
    "quotes": ["remove", "mark"],
    "code": ["keep", "remove"],
}


@given(forums(), st.fixed_dictionaries({name: st.sampled_from(HANDLING[name]) for name in HANDLING}))
@few
def test_whatever_a_run_writes(posts: list[Record], decide: Record) -> None:
    with cleaned(posts, decide) as out:
        assert whats(verify(out)) == ""


def test_a_flipped_byte_is_found_wherever_it_is(out: Path) -> None:
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        places = {*range(0, len(content), max(1, len(content) // 8)), len(content) - 1}
        for at, bit in itertools.product(places, (4, 128)):
            path.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
            name = path.relative_to(out).as_posix()
            done = CliRunner().invoke(app, ["verify", str(out), "--json"])
            assert done.exit_code == (1 if done.stdout else 4)
            assert name in (done.stdout or done.stderr)
        path.write_bytes(content)
    assert verify(out).problems == []


@pytest.mark.parametrize("name", [CORPUS, PROVENANCE])
def test_a_damaged_shard_is_read_as_far_as_it_goes(out: Path, name: str) -> None:
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[: len(content) // 2])
    sizes, rest = verify(out).problems
    assert sizes.file == name and "bytes" in sizes.what
    assert "cannot be read on from here" in rest.what and rest.record is not None


def test_missing_and_additional_files(out: Path) -> None:
    (out / "report.json").unlink()
    shutil.copy(out / CORPUS, out / "corpus/part-00001.jsonl.zst")
    (out / "corpus" / "notes.txt").write_text("mine")
    assert {(problem.file, problem.what) for problem in verify(out).problems} == {
        ("report.json", "cannot be read (No such file or directory)"),
        ("corpus/part-00001.jsonl.zst", "is not in the manifest"),
    }


def test_a_post_with_many_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are looked at together, and one of them is none."""
    monkeypatch.setattr(evidence, "_BATCH", 7)
    text = "Nobody climbs the old quarry wall in winter; the granite sheds flakes as sharp as knives."
    copies = [{"id": f"{number}", "text": text, "author": f"a{number}"} for number in range(40)]
    out = tmp_path / "out"
    pipeline.clean([write_forum(tmp_path / "dump.jsonl", copies)], out)
    found = verify(out)
    assert (found.problems, found.posts) == ([], 40)

    def change(records: list[Record]) -> None:
        records[20]["edits"][0]["raw"] += " Not I."

    rewrite(out, PROVENANCE, change)
    assert {problem.post_id for problem in verify(out).problems} == {"20"}


# changes that fit the sums


def rewrite(out: Path, name: str, change: Callable[[list[Record]], None]) -> None:
    """Change the records of a shard, and the manifest so that it knows of nothing."""
    records = read_lines(out, name.partition("/")[0])
    change(records)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    data = zstandard.compress(lines.encode())
    (out / name).write_bytes(data)
    manifest = json.loads((out / "manifest.json").read_bytes())
    for file in manifest["outputs"]:
        if file["path"] == name:
            file |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "records": len(records)}
    (out / "manifest.json").write_bytes(json_bytes(sealed(manifest)))


def test_a_changed_text_is_named_by_file_and_record(out: Path) -> None:
    def change(documents: list[Record]) -> None:
        documents[3]["text"] = documents[3]["text"].replace("e", "o", 1)

    rewrite(out, CORPUS, change)
    post_id = read_lines(out, "corpus")[3]["id"]
    number = [record["id"] for record in read_lines(out, "provenance")].index(post_id) + 1
    (problem, *_) = verify(out).problems
    assert (problem.file, problem.record, problem.post_id) == (PROVENANCE, number, post_id)
    assert "cannot be restored" in problem.what


def first_edit(records: list[Record], why: str, words: int = 0) -> tuple[Record, Record]:
    return next(
        (record, edit)
        for record in records
        for edit in record["edits"]
        if edit["why"] == why and len(edit["raw"].split()) >= words
    )


def damaged(out: Path, why: str, change: Callable[[Record, Record, list[Record]], None]) -> str:
    """What is found when the first edit of a kind is changed, beside that the sums differ."""
    changed: list[str] = []

    def first(records: list[Record]) -> None:
        record, edit = first_edit(records, why, 5)
        change(record, edit, records)
        changed.append(record["id"])

    rewrite(out, PROVENANCE, first)
    found = verify(out)
    assert {problem.post_id for problem in found.problems} <= {changed[0], None}
    return whats(found)


def test_a_passage_that_is_not_where_its_record_says(out: Path) -> None:
    assert "do not stand" in damaged(
        out, "quote", lambda _, edit, __: edit.update(source_start=0, source_end=1)
    )


def test_a_source_that_is_shorter(out: Path) -> None:
    assert "shorter" in damaged(out, "quote", lambda _, edit, __: edit.update(source_end=10**6))


def test_a_source_that_does_not_exist(out: Path) -> None:
    assert "its source 'x' does not exist" in damaged(
        out, "quote", lambda _, edit, __: edit.update(source_id="x")
    )


def test_a_source_that_was_dropped(out: Path) -> None:
    def change(_: Record, edit: Record, records: list[Record]) -> None:
        edit["source_id"] = next(record["id"] for record in records if record["action"] == "drop")

    assert "was dropped, too" in damaged(out, "quote", change)


def test_a_copy_without_a_source(out: Path) -> None:
    assert "names no source" in damaged(out, "quote", lambda _, edit, __: edit.update(source_id=None))


def test_a_drop_without_evidence(out: Path) -> None:
    assert "without evidence" in damaged(
        out, "near_duplicate", lambda record, _, __: record.update(similarity=None)
    )


def test_a_similarity_that_is_not_true(out: Path) -> None:
    assert "resembles" in damaged(
        out, "near_duplicate", lambda record, _, __: record.update(similarity=record["similarity"] - 0.01)
    )


def test_edits_that_overlap(out: Path) -> None:
    assert "overlaps" in damaged(out, "quote", lambda record, edit, __: record["edits"].append(edit))


def test_counts_and_ids(out: Path) -> None:
    rewrite(out, PROVENANCE, lambda records: None)
    manifest = json.loads((out / "manifest.json").read_bytes())
    manifest["counts"]["trim"] += 1
    (out / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert "for 'trim'" in whats(verify(out))


def test_what_is_printed(out: Path) -> None:
    done = CliRunner().invoke(app, ["verify", str(out)])
    assert done.exit_code == 0 and done.stdout.endswith("removed passages: all is well\n")
    (out / "report.json").write_text("{}")
    done = CliRunner().invoke(app, ["verify", str(out)])
    assert done.exit_code == 1
    assert io.StringIO(done.stdout).readline().startswith("report.json: has 2 bytes")


def test_a_manifest_that_lists_no_provenance(out: Path) -> None:
    content = (out / "manifest.json").read_bytes()
    (out / "manifest.json").write_bytes(content.replace(b"provenance/part", b"provenancf/part"))
    assert {problem.file for problem in verify(out).problems} >= {"manifest.json"}


def test_run_json_may_be_missing_and_not_changed(out: Path) -> None:
    (out / "run.json").unlink()
    assert verify(out).problems == []
    (out / "run.json").write_text("{}")
    (problem,) = verify(out).problems
    assert problem.file == "run.json"


@pytest.mark.parametrize("name", ["manifest.json", "run.json", "report.json"])
def test_files_nested_without_end_are_damaged_and_no_crash(out: Path, name: str) -> None:
    (out / name).write_text("[" * 200_000)
    done = CliRunner().invoke(app, ["verify", str(out)])
    assert done.exit_code in (1, 4) and name in done.stdout + done.stderr
    assert "unexpected" not in done.stderr
