"""Tables for other programs: no formula for a spreadsheet, no markup for Markdown, and all the numbers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from handmade import FOX, post, posts, write_output
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dedup.cli import app
from dedup.report import languages
from dedup.report.languages import language_groups
from dedup.report.recount import recount
from dedup.report.tables import Table, to_csv, to_markdown
from dedup.report.terminal import print_groups, print_report

run = CliRunner()
NO_RATIOS = {"ratios": {"duplicate": {"characters": 0.0, "words": 0.0, "posts": 0.0}}}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_the_numbers_of_the_report(forum_out: Path) -> None:
    done = run.invoke(app, ["report", str(forum_out), "--csv"])
    report = json.loads((forum_out / "report.json").read_text("utf-8"))
    rows = rows_of(done.stdout)
    found = {(row["table"], row["name"]): row for row in rows}
    assert found["totals", "read"]["characters"] == str(report["in"]["characters"])
    quote = report["removed"]["quote"]
    assert found["removed", "quote"]["passages"] == str(quote["passages"])
    assert float(found["removed", "quote"]["ratio"]) == quote["ratios"]["characters"]
    assert {"thread", "author", "board", "month", "file"} <= {row["table"] for row in rows}


def test_csv_of_one_kind_of_group(forum_out: Path) -> None:
    done = run.invoke(app, ["report", str(forum_out), "--by", "board", "--csv"])
    report = json.loads((forum_out / "report.json").read_text("utf-8"))
    rows = rows_of(done.stdout)
    assert [row["board"] for row in rows] == [row["key"] for row in report["by"]["board"]["rows"]]
    assert list(rows[0]) == ["board", "posts", "dropped", "characters", "removed", "copied", "ratio"]


@given(st.text())
def test_no_cell_is_a_formula_or_hides_anything(name: str) -> None:
    (row,) = rows_of(to_csv([Table("t", ("name", "posts"), [(name, 1)])]))
    assert not row["name"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert not any(char in row["name"] for char in "\x00\x1b\r\u202e\u2066")


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)"],
)
def test_formulas_get_an_apostrophe(name: str) -> None:
    (row,) = rows_of(to_csv([Table("t", ("name", "posts"), [(name, 1)])]))
    assert row["name"].startswith("'")


def test_markdown_is_a_sentence_and_tables(forum_out: Path) -> None:
    done = run.invoke(app, ["report", str(forum_out), "--markdown"])
    lines = done.stdout.split("\n")
    assert "of the characters are copies" in lines[0]
    assert "| removed | posts | passages | words | characters | dropped | ratio |" in lines


@given(st.text())
def test_markdown_keeps_to_its_cell(name: str) -> None:
    text = to_markdown([Table("t", ("name", "posts"), [(name, 1)])], NO_RATIOS)
    line = text.split("\n")[4]
    assert text.count("\n") == 5 and line.startswith("| ") and line.endswith(" | 1 |")
    bare = line.replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == 3
    assert "<" not in bare.replace("\\<", "") and "](" not in bare


def test_formats_exclude_one_another(forum_out: Path) -> None:
    done = run.invoke(app, ["report", str(forum_out), "--csv", "--json"])
    assert done.exit_code == 2 and "--markdown" in done.stderr


GERMAN = "Der Fuchs lief im Morgengrauen über den zugefrorenen Fluss und ließ im Schnee keine Spuren zurück."


def test_ratios_by_language(tmp_path: Path) -> None:
    given = post("4", FOX.upper(), "ann")
    given["corpus"]["metadata"]["lang"] = "TLH"
    made = [post("1", FOX, "ann"), post("2", GERMAN, "bob"), post("3", "+1", "cyd"), given]
    found = language_groups(write_output(tmp_path / "out", made))
    assert {row["key"]: row["posts"] for row in found["rows"]} == {"en": 1, "de": 1, "too short": 1, "tlh": 1}
    assert found["sampled"] == 1 and found["groups"] == 4


def test_languages_of_a_sample_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "SAMPLE_POSTS", 3)
    made = [post(str(number), f"{FOX} {number}", "ann") for number in range(12)]
    out = write_output(tmp_path / "out", made)
    done = run.invoke(app, ["report", str(out), "--by", "language"])
    assert done.exit_code == 0, done.output
    assert "one post of 4" in done.stdout
    assert sum(row["posts"] for row in language_groups(out)["rows"]) < 12


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_report_fits_any_terminal(
    columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ratios = recount(write_output(tmp_path / "out", posts()))
    ratios["in"] = {"posts": 1_234_567_890, "words": 12_345_678_901, "characters": 98_765_432_109}
    print_report(ratios)
    lines = capsys.readouterr().out.split("\n")
    assert max(map(len, lines)) <= int(columns)
    assert lines[0].startswith("copies: ")
    assert ("1.2G" in "".join(lines)) == (columns == "40")


def test_long_names_are_cut_and_numbers_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ratios = recount(write_output(tmp_path / "out", posts()))
    ratios["by"]["file"]["rows"][0]["key"] = "author " * 30
    print_groups(ratios, "file")
    name, _, numbers = capsys.readouterr().out.splitlines()[1].partition("… ")
    assert name.startswith("author author")
    assert len(numbers.split()) == 6 and numbers.endswith(" %")


def test_no_colour_where_none_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    print_report(recount(write_output(tmp_path / "out", posts())))
    assert "\x1b" not in capsys.readouterr().out
