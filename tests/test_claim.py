"""Who may write an output folder: resuming, refusing, one run at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hostile_forums import write_forum

from dedup import claim as claims
from dedup import memo
from dedup.claim import claim
from dedup.config import Config
from dedup.errors import InputError, OutputError
from dedup.pipeline import clean


@pytest.fixture
def dump(tmp_path: Path) -> str:
    return str(write_forum(tmp_path / "dump.jsonl", [{"id": "1", "text": "A lantern by the quarry."}]))


def begin(out: Path, dump: str, settings: dict[str, Any] | None = None, **how: Any) -> bool:
    """Claim the folder, and give it back as a killed run does; whether it was a resumed one."""
    with claim(out, inputs=[dump], config=Config().with_settings(settings or {}), **how) as claimed:
        return claimed.resumed


def test_the_same_run_is_resumed_and_force_starts_over(tmp_path: Path, dump: str) -> None:
    out = tmp_path / "out"
    assert not begin(out, dump)
    (out / ".dedup" / "block-1").mkdir()
    (out / ".dedup" / "scratch-x").write_text("")
    assert begin(out, dump)
    assert begin(out, dump, {"run": {"workers": 7}})  # changes no byte
    assert (out / ".dedup" / "block-1").is_dir() and not (out / ".dedup" / "scratch-x").exists()
    assert not begin(out, dump, force=True)
    assert not (out / ".dedup" / "block-1").exists()


@pytest.mark.parametrize(
    ("settings", "differs"),
    [
        ({"match": {"threshold": 0.8}}, "match.threshold was 0.7 and is 0.8"),
        ({"read": {"fields": {"text": "msg"}}}, 'read.fields.text was null and is "msg"'),
    ],
)
def test_another_configuration_is_refused(
    tmp_path: Path, dump: str, settings: dict[str, Any], differs: str
) -> None:
    begin(tmp_path / "out", dump)
    with pytest.raises(OutputError, match="not finished") as refused:
        begin(tmp_path / "out", dump, settings)
    assert differs in refused.value.message and "--force" in refused.value.message
    assert begin(tmp_path / "out", dump)  # refusing harms nothing


def test_a_changed_or_another_input_is_refused(tmp_path: Path, dump: str) -> None:
    begin(tmp_path / "out", dump)
    with pytest.raises(OutputError, match="other inputs"):
        begin(tmp_path / "out", str(tmp_path / "other.jsonl"))
    os.utime(dump, ns=(1, 1))
    with pytest.raises(OutputError, match=r"dump\.jsonl was changed since"):
        begin(tmp_path / "out", dump)


def test_another_version_is_refused(tmp_path: Path, dump: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path / "out", dump)
    monkeypatch.setattr(claims, "versions", lambda: {"dedup": "9"})
    with pytest.raises(OutputError, match=r"versions\.dedup was"):
        begin(tmp_path / "out", dump)


def test_standard_input_is_not_resumed(tmp_path: Path) -> None:
    begin(tmp_path / "out", "-")
    with pytest.raises(OutputError, match="second time"):
        begin(tmp_path / "out", "-")
    assert not begin(tmp_path / "out", "-", force=True)


@pytest.mark.parametrize("marker", ["", "{", "[]"])
def test_a_run_that_was_killed_before_it_could_say_what_it_is(tmp_path: Path, dump: str, marker: str) -> None:
    begin(tmp_path / "out", dump)
    (tmp_path / "out" / ".dedup" / "run-started.json").write_text(marker)
    assert not begin(tmp_path / "out", dump)
    assert json.loads((tmp_path / "out" / ".dedup" / "run-started.json").read_bytes())["inputs"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path, dump: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl", reason="this system has no such locks")
    monkeypatch.setattr(claims, "_PATIENCE_SECONDS", 0)
    with claim(tmp_path / "out", inputs=[dump]):
        for force in (False, True):
            with pytest.raises(OutputError, match="another run is going on"):
                begin(tmp_path / "out", dump, force=force)
    assert begin(tmp_path / "out", dump)


def test_an_input_that_changes_or_vanishes_is_noticed(tmp_path: Path, dump: str) -> None:
    with claim(tmp_path / "out", inputs=[dump]) as claimed:
        claimed.check_inputs()
        Path(dump).write_text("{}\n" * 100)
        with pytest.raises(InputError, match="changed or vanished"):
            claimed.check_inputs()
        Path(dump).unlink()
        with pytest.raises(InputError, match="changed or vanished"):
            claimed.check_inputs()


def test_what_a_finished_run_left_of_its_work_is_removed(tmp_path: Path, dump: str) -> None:
    clean([dump], tmp_path / "out", Config().with_settings({"run": {"workers": 1}}))
    (tmp_path / "out" / ".dedup" / "block-1").mkdir(parents=True)
    with pytest.raises(OutputError, match="finished"):
        begin(tmp_path / "out", dump)
    assert not (tmp_path / "out" / ".dedup").exists()


# what is kept of a run


def fill(folder: Path) -> None:
    (folder / "a").write_bytes(b"1" * 3000)
    (folder / "b").write_bytes(b"")


def test_a_kept_result_is_whole(tmp_path: Path) -> None:
    assert not memo.is_kept(tmp_path / "r")
    memo.keep(tmp_path / "r", fill)
    memo.keep(tmp_path / "r", fill)  # by two workers at once
    assert memo.is_kept(tmp_path / "r")
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("harm", ["flip", "cut", "vanish", "done", "no done"])
def test_a_damaged_result_is_made_again(tmp_path: Path, harm: str) -> None:
    memo.keep(tmp_path / "r", fill)
    file, done = tmp_path / "r" / "a", tmp_path / "r" / "done.json"
    {
        "flip": lambda: file.write_bytes(b"1" * 2999 + b"2"),
        "cut": lambda: os.truncate(file, 2999),
        "vanish": file.unlink,
        "done": lambda: os.truncate(done, 5),
        "no done": done.unlink,
    }[harm]()
    assert not memo.is_kept(tmp_path / "r")
    memo.keep(tmp_path / "r", fill)
    assert memo.is_kept(tmp_path / "r")


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        (folder / "a").write_bytes(b"1")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        memo.keep(tmp_path / "r", full)
    assert list(tmp_path.iterdir()) == []
