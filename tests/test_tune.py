"""Settings are compared on a sample of whole threads, the same each time; the choice can be written down."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dedup.cli import app
from dedup.config import Config, Match, load_config
from dedup.outputs import read_provenance
from dedup.pipeline import clean
from dedup.sample import Sample
from dedup.schema import POSTS
from dedup.sketch.bands import recall_at
from dedup.tune import MIN_RECALL, Tuning, bands_for, settings_toml, tune

FORUM = Path(__file__).resolve().parents[1] / "data" / "forum.jsonl"
ONE_WORKER = Config().with_settings({"run": {"workers": 1}})
run = CliRunner()


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    return tune([FORUM], ONE_WORKER, thresholds=[0.5, 0.9], shingles=[3])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_pair_of_settings_is_tried_those_of_the_configuration_too(tuning: Tuning) -> None:
    assert [outcome[:2] for outcome in tuning.outcomes] == [
        (threshold, words) for words in (3, 5) for threshold in (0.5, 0.7, 0.9)
    ]
    assert tuning.posts == tuning.dump_posts == 71


def test_a_setting_does_to_the_whole_dump_what_clean_does(tuning: Tuning, forum_out: Path) -> None:
    (same,) = [outcome for outcome in tuning.outcomes if outcome[:2] == (0.7, 5)]
    reasons = Counter(record["reason"] for record in read_provenance(forum_out))
    report = json.loads((forum_out / "report.json").read_text("utf-8"))
    assert same.near_duplicates == reasons["near_duplicate"] > 0
    assert same.reposts == reasons["repost"]
    assert same.dropped == report["posts"]["dropped"]
    assert same.duplicate_ratio == report["duplicate_ratio"]


def test_threads_may_stand_in_any_order(tmp_path: Path) -> None:
    lines = FORUM.read_text("utf-8").splitlines(keepends=True)
    dump = tmp_path / "mixed.jsonl"
    dump.write_text("".join(lines[::3] + lines[2::3] + lines[1::3]), "utf-8")
    report = clean([dump], tmp_path / "out", ONE_WORKER).report
    (same,) = tune([dump], ONE_WORKER, thresholds=[], shingles=[]).outcomes
    assert (same.dropped, same.duplicate_ratio) == (report["posts"]["dropped"], report["duplicate_ratio"])


def test_a_lower_threshold_drops_no_fewer_near_duplicates(tuning: Tuning) -> None:
    for words in (3, 5):
        counts = [one.near_duplicates for one in tuning.outcomes if one.shingle_words == words]
        assert counts == sorted(counts, reverse=True)


def test_examples_lie_between_their_thresholds(tuning: Tuning) -> None:
    assert tuning.examples
    for example in tuning.examples:
        assert example.low - 1e-4 <= example.similarity
        assert example.high is None or example.similarity < example.high
        assert example.removed_id != example.stays_id and example.removed_text


def test_the_same_dump_gives_the_same_result(tuning: Tuning) -> None:
    assert tune([FORUM], ONE_WORKER, thresholds=[0.5, 0.9], shingles=[3]) == tuning


def test_a_small_sample_has_whole_threads() -> None:
    found = tune([FORUM], ONE_WORKER, thresholds=[], shingles=[], sample_posts=40)
    assert 0 < found.posts <= 40 and found.dump_posts == 71


def batches(threads: list[int], size: int) -> list[pa.RecordBatch]:
    rows: list[dict[str, Any]] = [
        {
            "id": str(number),
            "text": "x",
            "thread_id": f"thread {thread}" if thread else None,
            "path": "dump.jsonl",
            "record": number + 1,
            "encoding": "utf-8",
            "metadata": "{}",
            "marks": [],
            "chrome": [],
            "escapes": [],
        }
        for number, thread in enumerate(threads)
    ]
    return [pa.RecordBatch.from_pylist(rows[at : at + size], POSTS) for at in range(0, len(rows), size)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 20), st.integers(1, 70))
def test_threads_are_taken_whole_or_not_at_all(threads: list[int], size: int, wanted: int) -> None:
    sample = Sample(wanted)
    for batch in batches(threads, size):
        sample.add(batch)
    kept = [row for batch in sample.batches() for row in batch.to_pylist()]
    assert len(kept) == sample.posts <= wanted and sample.seen == len(threads)
    assert [row["record"] for row in kept] == sorted(row["record"] for row in kept)
    if threads:
        assert kept
    sizes = Counter(f"thread {thread}" if thread else None for thread in threads)
    found = Counter(row["thread_id"] for row in kept)
    assert len(found) == 1 or all(found[name] == sizes[name] for name in found)
    again = Sample(wanted)
    for batch in batches(threads, 7):  # how the posts come in batches makes no difference
        again.add(batch)
    assert [row["id"] for batch in again.batches() for row in batch.to_pylist()] == [
        row["id"] for row in kept
    ]


@given(st.floats(0.05, 1))
def test_bands_find_what_is_at_the_threshold(threshold: float) -> None:
    bands, rows = bands_for(threshold, Match())
    assert bands * rows <= Match().permutations
    assert recall_at(threshold, bands, rows) >= MIN_RECALL or rows == 1


SECTIONS = st.fixed_dictionaries(
    {
        "match": st.fixed_dictionaries(
            {"threshold": st.floats(0.05, 1).map(lambda x: round(x, 3)), "shingle_words": st.integers(1, 9)}
        ),
        "read": st.fixed_dictionaries(
            {
                "fields": st.dictionaries(
                    st.text(st.characters(codec="utf-8")), st.text(max_size=9), max_size=2
                ),
                "separator": st.none() | st.text(st.characters(codec="utf-8"), max_size=9),
            }
        ),
        "decide": st.fixed_dictionaries(
            {
                "protect_authors": st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3),
                "keep": st.sampled_from(["earliest", "latest"]),
            }
        ),
        "quotes": st.fixed_dictionaries({"across_threads": st.booleans()}),
    }
)


@settings(max_examples=40, deadline=None)
@given(SECTIONS)
def test_written_settings_read_back_the_same(chosen: dict[str, Any]) -> None:
    import tomllib

    config = Config().with_settings(chosen)
    read = Config().with_settings(tomllib.loads(settings_toml(config)))
    bands, rows = bands_for(config.match.threshold, config.match)
    assert read == config.with_settings({"match": {"bands": bands, "rows": rows}})


def test_the_command_shows_a_table_and_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    done = run.invoke(app, ["tune", str(FORUM), "--thresholds", "0.6", "--shingles", "5", "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.split("\n"))) <= 80
    assert "0.7  *" in done.stdout and "removed at a threshold of 0.7" in done.stdout
    assert "All 71 posts were looked at." in done.stdout


def test_the_choice_is_written_and_read_by_clean(tmp_path: Path) -> None:
    command = ["tune", str(FORUM), "--thresholds", "0.7", "--shingles", "5", "--quiet", "--json"]
    chosen = ["--threshold", "0.55", "--set", "quotes.min_words=8", "--write", "dedup.toml"]
    done = run.invoke(app, [*command, *chosen])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["chosen"]["threshold"] == 0.55
    config = load_config(tmp_path / "dedup.toml")
    assert (config.match.threshold, config.quotes.min_words) == (0.55, 8)
    assert recall_at(0.55, config.match.bands, config.match.rows) >= MIN_RECALL
    again = run.invoke(app, [*command, *chosen])
    assert again.exit_code == 2 and "dedup.toml" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--thresholds", "0.7,x"], "--thresholds"),
        (["--shingles", "2.5"], "--shingles"),
        (["--thresholds", "7"], "match.threshold"),
        (["--shingles", "0"], "match.shingle_words"),
    ],
)
def test_wrong_numbers_are_usage_errors(arguments: list[str], message: str) -> None:
    done = run.invoke(app, ["tune", str(FORUM), *arguments])
    assert done.exit_code == 2 and message in done.stderr


def test_a_dump_without_posts(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("", "utf-8")
    done = run.invoke(app, ["tune", str(tmp_path / "empty.jsonl"), "--html", str(tmp_path / "t.html")])
    assert done.exit_code == 0, done.output
    assert "No two posts of the sample" in (tmp_path / "t.html").read_text("utf-8")


def test_the_page_shows_pairs_and_curves(tmp_path: Path) -> None:
    done = run.invoke(app, ["tune", str(FORUM), "--thresholds", "0.5,0.9", "--html", "tune.html"])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "tune.html").read_text("utf-8")
    assert text.count("<figure") == 2 and "Pairs to judge by" in text and "<mark" in text
