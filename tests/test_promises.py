"""The promises of the README, on forums that try to break them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from check_promises import Check, read_lines
from conftest import DATA
from hostile_forums import forums, write_forum
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dedup import pipeline
from dedup.config import Config
from dedup.errors import OutputError
from dedup.originals import restore

few = settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],  # shrinking whole runs would take many minutes
    deadline=None,  # the first example compiles the kernels
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
ONE = {"run": {"workers": 1}}


@contextmanager
def cleaned(posts: list[dict[str, Any]], decide: dict[str, Any] | None = None) -> Iterator[Path]:
    """The output folder of a run over these posts, beside `dump.jsonl`."""
    with tempfile.TemporaryDirectory() as folder:
        dump = write_forum(Path(folder) / "dump.jsonl", posts)
        config = Config().with_settings({**ONE, "decide": decide or {}})
        pipeline.clean([dump], Path(folder) / "out", config)
        yield Path(folder) / "out"


def raw_texts(posts: list[dict[str, Any]]) -> list[str]:
    return [post["text"] for post in posts]


def problems_of(posts: list[dict[str, Any]], decide: dict[str, Any] | None = None) -> list[str]:
    with cleaned(posts, decide) as out:
        return Check(out, raw_texts(posts)).problems()


@given(forums())
@few
def test_all_promises_about_one_run(posts: list[dict[str, Any]]) -> None:
    assert problems_of(posts) == []


@given(forums(), st.sampled_from(["latest", "longest"]))
@few
def test_whichever_copy_is_kept(posts: list[dict[str, Any]], keep: str) -> None:
    assert problems_of(posts, {"keep": keep}) == []


HANDLING = {
    "quotes": ["remove", "mark", "keep"],
    **{kind: ["remove", "keep"] for kind in ("reposts", "near", "exact", "boilerplate", "quote_chrome")},
    "code": ["keep", "remove"],
    "keep": ["earliest", "latest", "longest"],
}


@given(forums(), st.fixed_dictionaries({name: st.sampled_from(HANDLING[name]) for name in HANDLING}))
@few
def test_whatever_is_configured_to_stay(posts: list[dict[str, Any]], decide: dict[str, Any]) -> None:
    with cleaned(posts, decide) as out:
        check = Check(out, raw_texts(posts))
        assert check.problems() == []
        reasons = {record["reason"] for record in check.records}
        whys = {edit["why"] for record in check.records for edit in record["edits"]}
    for name, reason in (("reposts", "repost"), ("near", "near_duplicate"), ("exact", "exact_duplicate")):
        assert decide[name] == "remove" or reason not in reasons
    for name, why in (("quotes", "quote"), ("boilerplate", "boilerplate"), ("quote_chrome", "quote_chrome")):
        assert decide[name] != "keep" or why not in whys


@given(forums(), st.sampled_from(["ann", "Bob", "王小明"]))
@few
def test_posts_of_protected_authors_stay_as_they_are(posts: list[dict[str, Any]], author: str) -> None:
    with cleaned(posts, {"protect_authors": [author]}) as out:
        check = Check(out, raw_texts(posts))
        assert check.problems() == []
    for post, record in zip(posts, check.records, strict=True):
        if post.get("author") == author and record["reason"] != "empty":
            assert record["action"] == "keep"


@given(forums(), st.sampled_from(["jsonl", "parquet", "text"]), st.integers(1, 5))
@few
def test_restore_gives_every_raw_text_back(
    posts: list[dict[str, Any]], output_format: str, shard_posts: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dump, out = write_forum(Path(folder) / "dump.jsonl", posts), Path(folder) / "out"
        write = {"output_format": output_format, "shard_posts": shard_posts}
        pipeline.clean([dump], out, Config().with_settings({**ONE, "write": write}))
        assert [post["text"] for post in restore(out)] == raw_texts(posts)


def fingerprint(out: Path) -> dict[str, str]:
    """Digests of all files that must be the same in every run."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


@given(forums(), st.sampled_from([64, 777, 5000]), st.sampled_from([1, 2]))
@settings(few, max_examples=10)
def test_the_same_bytes_however_it_is_run(
    posts: list[dict[str, Any]], block_bytes: int, workers: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        dump = write_forum(Path(folder) / "dump.jsonl", posts)
        once, again = Path(folder) / "once", Path(folder) / "again"
        pipeline.clean([dump], once, Config().with_settings(ONE))
        patch.setattr(pipeline, "BLOCK_BYTES", block_bytes)
        pipeline.clean([dump], again, Config().with_settings({"run": {"workers": workers}}))
        assert fingerprint(again) == fingerprint(once)


def test_cleaning_a_clean_corpus_changes_nothing(tmp_path: Path) -> None:
    # Promise 6 allows one post in 10,000. The hostile forums above are made of posts that are all but
    # copies of one another, so the promise is held against a forum like real ones, and the samples.
    generator = DATA.parent / "scripts" / "generate.py"
    options = ["--posts", "4000", "--seed", "5", "--mix", "bench"]
    subprocess.run([sys.executable, generator, tmp_path, *options], check=True, capture_output=True)
    pipeline.clean(
        [tmp_path / "dump.jsonl", DATA / "forum.jsonl", DATA / "thread.txt"], tmp_path / "once", Config()
    )
    pipeline.clean([tmp_path / "once" / "corpus"], tmp_path / "again", Config())
    changed = [record["id"] for record in read_lines(tmp_path / "again", "provenance") if record["edits"]]
    assert changed == []
    texts = [(document["id"], document["text"]) for document in read_lines(tmp_path / "once", "corpus")]
    assert [(d["id"], d["text"]) for d in read_lines(tmp_path / "again", "corpus")] == texts


MOST_UNSETTLED = 0.01
"""Share of the posts of hostile forums that a second cleaning may change."""


def test_cleaning_hostile_forums_again_changes_next_to_nothing() -> None:
    changed: list[str] = []
    total = 0

    @given(forums())
    @few
    def clean_twice(posts: list[dict[str, Any]]) -> None:
        nonlocal total
        with tempfile.TemporaryDirectory() as folder, cleaned(posts) as out:
            pipeline.clean([out / "corpus"], Path(folder) / "again", Config().with_settings(ONE))
            records = read_lines(Path(folder) / "again", "provenance")
        total += len(records)
        changed.extend(record["id"] for record in records if record["edits"])

    clean_twice()
    assert len(changed) <= MOST_UNSETTLED * total


def test_a_finished_folder_is_refused_and_force_deletes_only_its_own_files(tmp_path: Path) -> None:
    dump = write_forum(tmp_path / "dump.jsonl", [{"id": "1", "text": "A lantern by the quarry."}])
    out = tmp_path / "out"
    config = Config().with_settings(ONE)
    pipeline.clean([dump], out, config)
    (out / "notes.txt").write_text("mine")
    (out / "corpus" / "notes.txt").write_text("mine too")
    before = fingerprint(out)
    with pytest.raises(OutputError, match="finished"):
        pipeline.clean([dump], out, config)
    assert fingerprint(out) == before
    write_forum(dump, [{"id": "2", "text": "A walnut in the harbour."}])
    pipeline.clean([dump], out, config, force=True)
    assert [document["id"] for document in read_lines(out, "corpus")] == ["2"]
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "corpus" / "notes.txt").read_text() == "mine too"


@pytest.mark.parametrize("holds", ["thesis.txt", "corpus/part-00000.jsonl.zst"])
def test_a_folder_of_somebody_else_is_refused_even_with_force(tmp_path: Path, holds: str) -> None:
    dump = write_forum(tmp_path / "dump.jsonl", [{"id": "1", "text": "A lantern by the quarry."}])
    theirs = tmp_path / "out" / holds
    theirs.parent.mkdir(parents=True)
    theirs.write_text("years of work")
    for force in (False, True):
        with pytest.raises(OutputError, match="not empty"):
            pipeline.clean([dump], tmp_path / "out", Config().with_settings(ONE), force=force)
    assert theirs.read_text() == "years of work"
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [theirs]


def test_an_input_inside_the_output_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    dump = write_forum(tmp_path / "out" / "dump.jsonl", [{"id": "1", "text": "A lantern by the quarry."}])
    with pytest.raises(OutputError):
        pipeline.clean([dump], tmp_path / "out", Config().with_settings(ONE), force=True)
    assert dump.exists()


def test_nothing_at_all_is_a_corpus_of_nothing(tmp_path: Path) -> None:
    dump = write_forum(tmp_path / "dump.jsonl", [])
    pipeline.clean([dump], tmp_path / "out", Config().with_settings(ONE))
    assert Check(tmp_path / "out", []).problems() == []
