"""Scores: by hand on small cases, and equal to an independent scorer's where that is at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from floors import load
from handmade import edit, post, write_output
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dedup.cli import app
from dedup.config import Config
from dedup.errors import InputError, OutputError
from dedup.evaluate import DuplicateScores, QuoteScores, evaluate
from dedup.pipeline import clean

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT.parent / "shared" / "tools"
needs_scorers = pytest.mark.skipif(
    not (TOOLS / "score_duplicates.py").is_file(), reason="needs the scorers in ../shared/tools"
)

SAID = "The lantern on the pier was lit every evening until the harbour froze over in the winter."
REPLY = f"Ann wrote:\n{SAID}\nIt is lit again these days, as the ice has gone."


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def quoted(post_id: str, text: str, *quotes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": post_id, "text": text, "quotes": list(quotes), **more}


def quote_of(
    text: str, passage: str, source: str | None, basis: str = "author", **more: Any
) -> dict[str, Any]:
    start = text.index(passage)
    src = {"post_id": source, "basis": basis} if source else None
    return {"level": 1, "start": start, "end": start + len(passage), "src": src, **more}


def scores_of(tmp_path: Path, truth: list[dict[str, Any]], made: list[dict[str, Any]]) -> QuoteScores:
    scores = evaluate(write_lines(tmp_path / "truth.jsonl", truth), write_output(tmp_path / "out", made))
    assert isinstance(scores, QuoteScores)
    return scores


def duplicates_of(tmp_path: Path, truth: list[dict[str, Any]], made: list[dict[str, Any]]) -> DuplicateScores:
    scores = evaluate(write_lines(tmp_path / "truth.jsonl", truth), write_output(tmp_path / "out", made))
    assert isinstance(scores, DuplicateScores)
    return scores


# Quotes


def test_a_quote_found_exactly_is_all_right(tmp_path: Path) -> None:
    truth = [quoted("1", SAID), quoted("2", REPLY, quote_of(REPLY, SAID, "1", block_start=0))]
    made = [
        post("1", SAID, "ann"),
        post(
            "2",
            REPLY,
            "bob",
            edit(REPLY, "Ann wrote:\n", "quote_chrome"),
            edit(REPLY, SAID + "\n", "quote", source_id="1"),
        ),
    ]
    assert scores_of(tmp_path, truth, made) == QuoteScores(
        posts=2,
        quotes=1,
        char_precision=1.0,
        char_recall=1.0,
        char_f1=1.0,
        quote_recall=1.0,
        quote_recall_short=None,
        source_accuracy=1.0,
        new_text_lost=0.0,
        unmarked_copies=0.0,
    )


def test_what_is_missed_is_missed_and_what_is_taken_wrongly_is_lost(tmp_path: Path) -> None:
    """Half of a quote of 20 letters is found, from the wrong post; 5 of 15 own letters are taken."""
    text = "aaaaa aaaaa bbbbb bbbbb\nccccc ddddd eeeee"
    truth = [quoted("0", "x"), quoted("1", text, quote_of(text, "aaaaa aaaaa bbbbb bbbbb", "0"))]
    made = [
        post("0", "x", "ann"),
        post(
            "1",
            text,
            "bob",
            edit(text, "aaaaa aaaaa", "quote", source_id="9", via_id="8"),
            edit(text, "ddddd", "repost", source_id="9"),
        ),
    ]
    scores = scores_of(tmp_path, truth, made)
    assert (scores.char_precision, scores.char_recall) == (0.6667, 0.5)
    assert (scores.quote_recall, scores.quote_recall_short, scores.source_accuracy) == (1.0, 1.0, 0.0)
    assert scores.new_text_lost == round(5 / 16, 4)  # the letter of post 0 is own text too


def test_a_via_that_is_the_quoted_post_is_the_right_source(tmp_path: Path) -> None:
    truth = [quoted("1", SAID, quote_of(SAID, SAID, "7")), quoted("2", "+1")]
    made = [post("1", SAID, "a", edit(SAID, SAID, "quote", source_id="3", via_id="7")), post("2", "+1", "b")]
    assert scores_of(tmp_path, truth, made).source_accuracy == 1.0


def test_boilerplate_is_lost_text_but_no_copy_and_repairs_are_neither(tmp_path: Path) -> None:
    text = "own words here and a footer"
    made = [
        post("1", text, "a", edit(text, "own", "encoding", new="Own"), edit(text, "a footer", "boilerplate")),
        post("2", "?", "a"),
    ]
    scores = scores_of(tmp_path, [quoted("1", text), quoted("2", "?")], made)
    assert (scores.char_precision, scores.new_text_lost) == (None, round(7 / 22, 4))


def test_what_no_truth_tells_is_left_out(tmp_path: Path) -> None:
    """A signature, a quote of an absent post, and a post that says the same as an earlier one."""
    text = f"{SAID}\n-- \nAnn of the harbour"
    signature = [text.index("-- "), len(text)]
    truth = [
        quoted("1", text, quote_of(text, SAID, None), signature=signature),
        quoted("2", text, quote_of(text, SAID, "1"), signature=None),
    ]
    made = [
        post(name, text, "a", edit(text, SAID, "quote", source_id="9"), edit(text, "Ann of", "boilerplate"))
        for name in ("1", "2")
    ]
    scores = scores_of(tmp_path, truth, made)
    assert (scores.posts, scores.quotes, scores.char_precision, scores.new_text_lost) == (2, 0, None, None)


def test_a_real_copy_that_nobody_marked_is_no_mistake(tmp_path: Path) -> None:
    text = f"As was said: {SAID.upper()} Indeed."
    made = [post("1", SAID, "a"), post("2", text, "b", edit(text, SAID.upper(), "quote", source_id="1"))]
    scores = scores_of(tmp_path, [quoted("1", SAID), quoted("2", text)], made)
    assert (scores.char_precision, scores.new_text_lost) == (None, 0.0)
    (tmp_path / "false").mkdir()
    claimed = scores_of(tmp_path / "false", [quoted("1", "Nothing of it."), quoted("2", text)], made)
    assert claimed.char_precision == 0.0
    assert claimed.new_text_lost and claimed.new_text_lost > 0.5


def test_posts_that_the_truth_does_not_have_are_counted(tmp_path: Path) -> None:
    made = [post("1", SAID, "a"), post("2", "more", "a"), post("3", "and more", "a")]
    assert scores_of(tmp_path, [quoted("1", SAID)], made).unknown_ids == 2


def test_lone_surrogates_and_odd_offsets_do_no_harm(tmp_path: Path) -> None:
    text = "a \ud83d lantern"
    truth = [quoted("1", text, {"start": 2, "end": 99, "src": {"post_id": 5}})]
    scores = scores_of(tmp_path, truth, [post("1", "a \ufffd lantern", "a")])
    assert (scores.quotes, scores.char_recall) == (1, 0.0)


# Duplicates


def drop(post_id: str, survivor: str) -> dict[str, Any]:
    return post(
        post_id,
        SAID,
        "b",
        edit(SAID, SAID, "near_duplicate", source_id=survivor),
        reason="near_duplicate",
        duplicate_of=survivor,
        similarity=0.9,
    )


def test_pairs_are_judged_one_by_one(tmp_path: Path) -> None:
    truth = [
        {"a": "1", "b": "2", "duplicate": True},
        {"a": "2", "b": "3", "duplicate": True},
        {"a": "1", "b": "4", "duplicate": True},
        {"a": "2", "b": "5", "duplicate": False},
        {"a": "1", "b": "absent", "duplicate": False},
    ]
    made = [post("1", SAID, "a"), drop("2", "1"), drop("3", "2"), post("4", "No.", "a"), drop("5", "1")]
    scores = duplicates_of(tmp_path, truth, made)
    assert scores.as_dict() == {
        "precision": 0.6667,
        "recall": 0.6667,
        "f1": 0.6667,
        "duplicate_pairs": 3,
        "unknown_ids": 1,
    }


def test_a_trim_of_most_of_the_shorter_post_is_a_duplicate(tmp_path: Path) -> None:
    grown = f"{SAID} And it is lit again since the spring, by the harbour master himself, they say."
    truth = [{"cluster": "c", "ids": ["1", "2"]}, {"cluster": 4, "ids": [3]}]
    made = [
        post("1", SAID, "a"),
        post("2", grown, "a", edit(grown, SAID, "quote", source_id="1")),
        post("3", grown, "b", edit(grown, "And it is lit", "quote", source_id="2")),
    ]
    assert duplicates_of(tmp_path, truth, made).as_dict() == {
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "duplicate_pairs": 1,
        "unknown_ids": 0,
        "ari": 1.0,
    }


def test_the_rand_index_of_one_wrong_merge_by_hand(tmp_path: Path) -> None:
    """Truth {1 2} {3}, output {1 2 3}: (1 - 1·3/3) / ((1 + 3)/2 - 1) = 0."""
    truth = [{"cluster": "c", "ids": ["1", "2"]}, {"cluster": "d", "ids": ["3"]}]
    scores = duplicates_of(tmp_path, truth, [post("1", SAID, "a"), drop("2", "1"), drop("3", "1")])
    assert (scores.precision, scores.recall, scores.ari) == (0.3333, 1.0, 0.0)


# Agreement with the other scorer


ALPHABET = "ab é1.\n>漢"
words = st.lists(st.sampled_from(["lamp", "Pier", "ice", "漢字", "é", "--", ">"]), min_size=1, max_size=24)
texts = st.one_of(st.text(ALPHABET, min_size=1, max_size=30), words.map(" ".join))


@st.composite
def spans(draw: st.DrawFn, size: int) -> tuple[int, int]:
    start = draw(st.integers(0, size - 1))
    return start, draw(st.integers(start + 1, size))


@st.composite
def boards(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Any truth, and any output for it: nothing has to make sense for two scorers to agree."""
    said = draw(st.lists(texts, min_size=1, max_size=5))
    said += draw(st.lists(st.sampled_from(said), max_size=2))  # double posts
    ids = [str(number) for number in range(len(said))]
    truth, made = [], []
    for number, text in enumerate(said):
        quotes = []
        for start, end in draw(st.lists(spans(len(text)), max_size=2)):
            src = draw(st.one_of(st.none(), st.sampled_from(ids)))
            basis = draw(st.sampled_from(["author", "text", "markup_id"]))
            quotes.append(
                {
                    "level": draw(st.integers(1, 2)),
                    "block_start": draw(st.integers(0, start)),
                    "start": start,
                    "end": end,
                    "src": {"post_id": src, "basis": basis} if src else None,
                }
            )
        signature = draw(st.one_of(st.none(), spans(len(text)).map(list)))
        truth.append(quoted(ids[number], text, *quotes, signature=signature))
        edits = []
        for start, end in sorted(draw(st.lists(spans(len(text)), max_size=3))):
            if edits and start < edits[-1]["end"]:
                continue
            why = draw(st.sampled_from(["quote", "repost", "boilerplate", "encoding", "quote_chrome"]))
            source = draw(st.one_of(st.none(), st.sampled_from(ids)))
            via = draw(st.one_of(st.none(), st.sampled_from(ids)))
            edits.append(
                {"start": start, "end": end, "raw": text[start:end], "new": "", "why": why}
                | {"source_id": source, "via_id": via, "score": None, "group": None, "flags": []}
            )
        survivor = draw(st.one_of(st.none(), st.sampled_from(ids)))
        made.append(post(ids[number], text, "a", *edits, duplicate_of=survivor))
    return truth, made


def provenance(out: Path) -> list[str]:
    return [str(path) for path in sorted((out / "provenance").iterdir())]


def quote_scores(truth: Path, out: Path) -> Any:
    scorer = load(TOOLS / "score_quotes.py")
    return scorer.score(str(truth), scorer.read_predictions(provenance(out)))


def duplicate_scores(truth: Path, out: Path) -> Any:
    scorer = load(TOOLS / "score_duplicates.py")
    return scorer.score(str(truth), scorer.read_labels(provenance(out)))


quickly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@needs_scorers
@quickly
@given(board=boards())
def test_quote_scores_agree_on_anything(
    board: tuple[list[dict[str, Any]], list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    truth, out = write_lines(folder / "truth.jsonl", board[0]), write_output(folder / "out", board[1])
    assert evaluate(truth, out).as_dict() == quote_scores(truth, out)


@needs_scorers
@quickly
@given(board=boards(), labels=st.data())
def test_duplicate_scores_agree_on_anything(
    board: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    labels: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    out = write_output(folder / "out", board[1])
    ids = [*(one["provenance"]["id"] for one in board[1]), "absent"]
    cut = labels.draw(st.integers(1, len(ids)))
    clusters = [{"cluster": "x", "ids": ids[:cut]}, {"cluster": "y", "ids": ids[cut:]}]
    pair = st.fixed_dictionaries(
        {"a": st.sampled_from(ids), "b": st.sampled_from(ids), "duplicate": st.booleans()}
    )
    for name, truth in (
        ("clusters", clusters),
        ("pairs", [{"a": "0", "b": "0", "duplicate": True}, *labels.draw(st.lists(pair, max_size=8))]),
    ):
        path = write_lines(folder / f"{name}.jsonl", truth)
        assert evaluate(path, out).as_dict() == duplicate_scores(path, out)


@needs_scorers
def test_scores_agree_on_a_made_up_forum(tmp_path: Path) -> None:
    generator = load(ROOT / "scripts" / "generate.py")
    generator.write(generator.generate(800, 3), tmp_path)
    clean([tmp_path / "dump.jsonl"], tmp_path / "out", Config().with_settings({"run": {"workers": 1}}))
    for name, score in (("truth", quote_scores), ("pairs", duplicate_scores)):
        truth = tmp_path / f"{name}.jsonl"
        assert evaluate(truth, tmp_path / "out").as_dict() == score(truth, tmp_path / "out")


# Errors and the command


@pytest.mark.parametrize(
    "content, problem",
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("[1]\n", "holds no labels"),
        ('{"id": "1", "text": "no labels"}\n', "holds no labels"),
        ('{"id": "1", "text": "a", "quotes": []}\n{"a": "1", "b": "2", "duplicate": true}\n', "line 2"),
        ('{"id": "1", "text": "a", "quotes": [{"start": "x", "end": 2}]}\n', "line 1"),
        ('{"a": "1", "b": "2", "duplicate": "yes"}\n', "line 1"),
        ('{"cluster": "1", "ids"\n', "line 1"),
        ('{"id": "99", "text": "of another dump", "quotes": []}\n', "labels none of the posts"),
        ('{"cluster": "1", "ids": ["98", "99"]}\n', "labels none of the posts"),
        ('{"a": "98", "b": "99", "duplicate": false}\n', "labels none of the posts"),
    ],
)
def test_a_truth_that_is_none_is_an_input_error(content: str, problem: str, tmp_path: Path) -> None:
    out = write_output(tmp_path / "out", [post("1", SAID, "a")])
    truth = tmp_path / "truth.jsonl"
    truth.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        evaluate(truth, out)


def test_missing_files_are_errors_too(tmp_path: Path) -> None:
    out = write_output(tmp_path / "out", [post("1", SAID, "a")])
    truth = write_lines(tmp_path / "truth.jsonl", [quoted("1", SAID)])
    with pytest.raises(InputError, match="is no file"):
        evaluate(tmp_path / "absent.jsonl", out)
    with pytest.raises(OutputError):
        evaluate(truth, tmp_path)
    damaged = tmp_path / "truth.jsonl.zst"
    damaged.write_bytes(b"\x28\xb5\x2f\xfd" + b"\x00" * 40)
    with pytest.raises(InputError):
        evaluate(damaged, out)


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    out = write_output(tmp_path / "out", [post("1", SAID, "a"), drop("2", "1"), post("3", "+1", "c")])
    quotes = write_lines(tmp_path / "quotes.jsonl", [quoted(name, SAID) for name in ("1", "2")])
    clusters = write_lines(tmp_path / "clusters.jsonl", [{"cluster": "c", "ids": ["1", "2", "4"]}])
    run = CliRunner()
    shown = run.invoke(app, ["eval", str(quotes), str(out)])
    assert shown.exit_code == 0 and "own text lost" in shown.output
    assert "1 posts of the output are not in the truth" in shown.output
    shown = run.invoke(app, ["eval", str(clusters), str(out)])
    assert shown.exit_code == 0 and "Rand index" in shown.output
    for truth in (quotes, clusters):
        printed = run.invoke(app, ["eval", str(truth), str(out), "--json"])
        assert msgspec.json.decode(printed.output) == evaluate(truth, out).as_dict()
    assert run.invoke(app, ["eval", str(tmp_path / "absent"), str(out)]).exit_code == 4


def test_scoring_loads_no_terminal_library() -> None:
    code = "import sys, dedup.evaluate; sys.exit(bool({'rich', 'typer', 'datasketch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
