"""Ratios are right, the same whatever the batch size, and readable on 80 columns."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Config
from dedup.order import MISSING, month_names, months_of
from dedup.pipeline import clean
from dedup.report import terminal
from dedup.report.kinds import REMOVALS, REPAIRS
from dedup.report.ratios import BINS, MIN_GROUP_POSTS, TOP, Ratios
from dedup.report.visible import json_line, visible, visible_line
from dedup.schema import RESULTS

WORDS = "fox river snow dawn ice track"


def edit(start: int, end: int, why: str, raw: str, **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "raw": raw, "new": "", "why": why, "flags": [], **more}


def row(post_id: str, raw: str, clean: str, **more: Any) -> dict[str, Any]:
    edits = more.get("edits", [])
    return {
        "id": post_id,
        "text": clean,
        "path": "dump.jsonl",
        "record": 1,
        "encoding": "utf-8",
        "metadata": "{}",
        "escapes": [],
        "action": "trim" if edits else "keep",
        "raw_chars": len(raw),
        "clean_chars": len(clean),
        "raw_words": len(raw.split()),
        "clean_words": len(clean.split()),
        "raw_hash": "",
        "edits": edits,
        "kept_copies": [],
        **more,
    }


def dropped(post_id: str, raw: str, why: str, **more: Any) -> dict[str, Any]:
    edits = [edit(0, len(raw), why, raw, score=more.get("similarity"))]
    return row(post_id, raw, "", **{"action": "drop", "reason": why, "edits": edits, **more})


def count(rows: list[dict[str, Any]], batch: int = 1000, rejected: int = 0) -> dict[str, Any]:
    ratios = Ratios()
    table = pa.Table.from_pylist(rows, RESULTS).combine_chunks()
    for part in table.to_batches(max_chunksize=batch):
        ratios.add(part)
    return ratios.as_dict(rejected)


def test_an_empty_dump_has_no_ratios() -> None:
    ratios = Ratios().as_dict()
    assert ratios["duplicate_ratio"] == 0.0
    assert ratios["in"] == {"posts": 0, "words": 0, "characters": 0}
    assert set(ratios["removed"]) == set(REMOVALS)
    assert set(ratios["repairs"]) == set(REPAIRS)


def test_counts_of_each_kind() -> None:
    quoted = f"{WORDS}\nmy own words"
    ratios = count(
        [
            row("1", WORDS, WORDS),
            row(
                "2",
                quoted,
                "my own words",
                edits=[edit(0, 30, "quote", WORDS + "\n", source_id="1", score=1.0)],
            ),
            dropped("3", WORDS, "exact_duplicate", cluster_id="1"),
            row("4", "a\u00a0b", "a b", action="keep", edits=[edit(1, 2, "whitespace", "\u00a0")]),
        ],
        rejected=2,
    )
    whole = ratios["in"]
    assert ratios["posts"] == {"in": 4, "kept": 2, "trimmed": 1, "dropped": 1, "rejected": 2}
    assert whole == {"posts": 4, "words": 6 + 9 + 6 + 2, "characters": 29 + 42 + 29 + 3}
    assert ratios["out"] == {"posts": 3, "words": 6 + 3 + 2, "characters": 29 + 12 + 3}
    quote = ratios["removed"]["quote"]
    assert (quote["posts"], quote["passages"], quote["words"], quote["characters"]) == (1, 1, 6, 30)
    assert ratios["removed"]["exact_duplicate"]["dropped_posts"] == 1
    assert ratios["duplicate_ratio"] == round(59 / whole["characters"], 6)
    assert ratios["ratios"]["duplicate"]["posts"] == 0.25
    assert ratios["repairs"]["whitespace"] == {"posts": 1, "edits": 1, "characters": 1}
    assert ratios["most_quoted"] == [{"post_id": "1", "posts": 1}]


def test_boilerplate_is_removed_but_is_no_copy() -> None:
    text = "post\n-- \nsignature"
    ratios = count([row("1", text, "post", edits=[edit(4, len(text), "boilerplate", text[4:])])])
    assert ratios["duplicate_ratio"] == 0.0
    assert ratios["ratios"]["removed"]["characters"] > 0.7


def test_groups_need_enough_posts_and_a_known_key() -> None:
    rows = [dropped(f"a{n}", WORDS, "exact_duplicate", author="ann") for n in range(MIN_GROUP_POSTS)]
    rows += [dropped(f"b{n}", WORDS, "exact_duplicate", author="bob") for n in range(MIN_GROUP_POSTS - 1)]
    rows += [dropped(f"c{n}", WORDS, "exact_duplicate", author=None) for n in range(MIN_GROUP_POSTS)]
    authors = count(rows)["by"]["author"]
    assert authors["groups"] == 2
    assert [(found["key"], found["duplicate_ratio"]) for found in authors["rows"]] == [("ann", 1.0)]


def test_groups_are_bounded_and_in_order() -> None:
    rows = [
        row(f"{n}-{k}", WORDS, WORDS, path=f"file{n:03d}") for n in range(TOP + 5) for k in range(1 + n % 3)
    ]
    files = count(rows)["by"]["file"]
    assert files["groups"] == TOP + 5
    order = [(-found["posts"], found["key"]) for found in files["rows"]]
    assert len(order) == TOP and order == sorted(order)


@pytest.mark.parametrize(
    ("created", "month"),
    [
        ("2004-05-06T07:08:09Z", "2004-05"),
        ("2004-05", "2004-05"),
        ("2004-13-01", None),
        ("06 May 2004", None),
        ("2004-051", None),
    ],
)
def test_months_come_from_dates_that_begin_with_one(created: str, month: str | None) -> None:
    months = count([row("1", WORDS, WORDS, created=created)])["by"]["month"]["rows"]
    assert [found["key"] for found in months] == ([month] if month else [])


def test_given_months_come_first() -> None:
    ratios = Ratios()
    rows = [row("1", WORDS, WORDS, created="May 6"), row("2", WORDS, WORDS, created="2001-01-01")]
    ratios.add(pa.RecordBatch.from_pylist(rows, RESULTS), pa.array(["2004-05", None]))
    assert [found["key"] for found in ratios.as_dict()["by"]["month"]["rows"]] == ["2001-01", "2004-05"]


def test_similarity_falls_into_the_bin_that_holds_it() -> None:
    bins = count([dropped("1", WORDS, "near_duplicate", similarity=0.7)])["similarity"]["near_duplicate"]
    assert len(bins) == BINS and bins[14] == 1


def test_kept_copies_by_flag() -> None:
    kept = edit(0, 29, "quote", WORDS, source_id="9", flags=["code", "across_threads"])
    found = count([row("1", WORDS, WORDS, kept_copies=[kept])])["kept_copies"]
    assert found["passages"] == 1
    assert {flag: counts["words"] for flag, counts in found["by_flag"].items()} == {
        "across_threads": 6,
        "code": 6,
    }


def test_a_post_that_quotes_twice_counts_once_for_its_source() -> None:
    edits = [edit(0, 3, "quote", "fox", source_id="9"), edit(4, 9, "quote", "river", source_id="9")]
    assert count([row("1", WORDS, "snow", edits=edits)])["most_quoted"] == [{"post_id": "9", "posts": 1}]


KINDS = st.sampled_from([*REMOVALS, *REPAIRS, "something_new"])


@st.composite
def results(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for number in range(draw(st.integers(0, 12))):
        words = draw(st.lists(st.sampled_from(["ab", "ça", "日本", "x"]), min_size=1, max_size=5))
        text = " ".join(words)
        shared = {
            "author": draw(st.sampled_from(["ann", "bob", None])),
            "thread_id": draw(st.sampled_from(["t1", None])),
            "cluster_id": draw(st.sampled_from(["c1", "c2", None])),
        }
        if draw(st.booleans()):
            rows.append(dropped(str(number), text, draw(KINDS), **shared))
        else:
            part = edit(0, len(words[0]), draw(KINDS), words[0], source_id=draw(st.sampled_from(["1", None])))
            rows.append(row(str(number), text, text[part["end"] :], edits=[part], **shared))
    return rows


@settings(max_examples=25, deadline=None)
@given(results(), st.integers(1, 5))
def test_batch_size_changes_nothing(rows: list[dict[str, Any]], batch: int) -> None:
    assert json.dumps(count(rows, batch)) == json.dumps(count(rows))


@settings(max_examples=25, deadline=None)
@given(results())
def test_shares_are_shares_and_the_report_prints(rows: list[dict[str, Any]]) -> None:
    ratios = count(rows)
    for shares in ratios["ratios"].values():
        assert all(0 <= share <= 1 for share in shares.values())
    assert sum(ratios["by_action"][name]["posts"] for name in ("kept", "trimmed", "dropped")) == len(rows)
    terminal.print_report(ratios)


def test_the_report_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        dropped(
            str(n),
            WORDS,
            "exact_duplicate",
            author="n" * 200,
            thread_id="\x1b[31m[red]t[/red]",
            cluster_id="c" * 99,
        )
        for n in range(9)
    ]
    big = [value | {"raw_chars": 2_000_000_000, "raw_words": 300_000_000} for value in rows]
    ratios = count(big)
    terminal.print_report(ratios)
    terminal.print_groups(ratios, "author")
    printed = capsys.readouterr().out
    assert max(map(len, printed.split("\n"))) <= 80
    assert "\\x1b[31m[red]t" in printed and "\x1b" not in printed


@given(st.text())
def test_visible_text_has_no_tricks(text: str) -> None:
    shown = visible(text)
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in shown)
    assert not any(c in shown for c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028")
    assert "\n" not in visible_line(text)


@given(st.text())
def test_printed_json_reads_back_the_same(text: str) -> None:
    line = json_line({"text": text})
    assert json.loads(line) == {"text": text}
    assert visible(line) == line


def test_joiners_of_scripts_and_emoji_stay() -> None:
    text = "नमस्\u200dते \U0001f469\u200d\U0001f680 می\u200cخواهم"
    assert visible(text) == text


def test_lone_surrogates_are_shown() -> None:
    assert visible("\udc80") == "\\udc80"


def test_months_come_from_dates_however_they_are_written(tmp_path: Path) -> None:
    dates = ["Wed, 13 Nov 2019 12:08:25 +0000", "Sun, 01 Dec 2019 00:00:00 +0000", "no date", None]
    posts = [{"id": str(n), "text": f"{WORDS} {n}", "date": date} for n, date in enumerate(dates)]
    dump = tmp_path / "dump.jsonl"
    dump.write_text("".join(json.dumps(post) + "\n" for post in posts), "utf-8")
    report = clean([dump], tmp_path / "out", Config().with_settings({"run": {"workers": 1}})).report
    assert [row["key"] for row in report["by"]["month"]["rows"]] == ["2019-11", "2019-12"]


@given(st.integers(-62135596800, 253402300799))
def test_months_are_those_of_the_calendar(second: int) -> None:
    moment = datetime(1970, 1, 1) + timedelta(seconds=second)
    (name,) = month_names(months_of(np.array([second], np.int64))).to_pylist()
    assert name == f"{moment.year:04}-{moment.month:02}"
    assert month_names(months_of(np.array([MISSING], np.int64))).to_pylist() == [None]
