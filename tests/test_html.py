"""Report pages as files: small, complete, escaped, the same each time, honest about what they leave out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from handmade import FOX, post, posts, write_output
from hostile_pages import SCRIPT, hostile_output, with_copies
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dedup.cli import app
from dedup.report import evidence, page, survey
from dedup.report.build import report_page
from dedup.report.excerpt import LEFT_OUT, Mark, excerpt
from dedup.report.recount import recount

run = CliRunner()


def page_of(out: Path) -> str:
    return report_page(out, recount(out))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(hostile_output(tmp_path_factory.mktemp("hostile") / "out"))


class Tags(HTMLParser):
    """Every tag and attribute of a page, and what stands inside <style> and <script>."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.attributes: list[tuple[str, str, str]] = []
        self.inside: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_data(self, data: str) -> None:
        if self._open in ("style", "script"):
            self.inside[self._open] = self.inside.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def test_style_and_script_are_allowed_by_hash_and_nothing_else(hostile: str) -> None:
    tags = Tags(hostile)
    (policy,) = [value for tag, _, value in tags.attributes if tag == "meta" and "default-src" in value]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for name in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(tags.inside[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_nothing_is_loaded_and_no_attribute_runs(hostile: str) -> None:
    tags = Tags(hostile)
    names = {name for _, name, _ in tags.attributes}
    assert not {name for name in names if name.startswith("on")} and "style" not in names
    links = [value for _, name, value in tags.attributes if name in ("href", "src", "xlink:href")]
    assert links and all(link.startswith("#") for link in links)
    assert SCRIPT not in hostile


def test_control_and_direction_characters_are_made_visible(hostile: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", hostile)
    assert "\\u202egnp.exe\\u202c" in hostile and "\\x1b[31m" in hostile


def test_long_words_are_cut_and_counted(hostile: str) -> None:
    assert "w" * 500 not in hostile
    assert re.search(r"… 99,\d{3} characters …", hostile)


def test_the_same_folder_gives_the_same_page(forum_out: Path) -> None:
    ratios = recount(forum_out)
    assert report_page(forum_out, ratios) == report_page(forum_out, ratios)


def test_a_big_folder_gives_a_small_page_that_says_it_samples(tmp_path: Path) -> None:
    out = with_copies(tmp_path / "out", 400)
    text = page_of(out)
    assert len(text.encode()) < 1_000_000
    shown = text.count('data-kind="near_duplicate"')
    assert survey.BORDERLINE <= shown <= survey.BORDERLINE + survey.TYPICAL + 60
    assert re.search(r"a sample: \d+ of 400 posts", text)


def test_a_full_page_leaves_cards_out_and_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write_output(tmp_path / "out", posts())
    assert "left out, to keep this file small" not in page_of(out)
    monkeypatch.setattr(page, "CARD_BYTES", 3_000)
    text = page_of(out)
    assert re.search(r"\d more are left out, to keep this file small", text)


def test_a_folder_without_copies_has_a_page(tmp_path: Path) -> None:
    text = page_of(write_output(tmp_path / "out", [post("1", FOX, "ann")]))
    assert "Nothing was removed and no copy was found" in text and "0.0 %" in text
    assert "No posts" not in text


def test_an_empty_folder_has_a_page(tmp_path: Path) -> None:
    assert "0 posts" in page_of(write_output(tmp_path / "out", []))


def test_a_folder_of_another_version_has_a_page(tmp_path: Path) -> None:
    out = write_output(tmp_path / "out", posts())
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    manifest["config"] = {"match": {"threshold": 0.6, "invented": 1}, "later": {"step": "<b>x"}}
    (out / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    text = page_of(out)
    assert "the threshold of 0.6" in text and "later.step" in text and "<b>x" not in text


def test_rejected_records_are_listed(tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_text('{"id": "1", "text": "one"}\n{"id": <b>broken\n', "utf-8")
    done = run.invoke(app, ["report", str(dump), "--html", str(tmp_path / "report.html"), "--quiet"])
    assert done.exit_code == 3, done.output
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "Input that could not be read" in text and "<b>broken" not in text


def test_borderline_cases_are_those_nearest_to_staying(forum_out: Path) -> None:
    found = survey.survey(forum_out)
    for kind in survey.KINDS:
        doubts = [chosen.doubt for chosen in found.chosen if chosen.kind == kind]
        assert doubts == sorted(doubts)
    cards = evidence.make_cards(found, evidence.read_posts(forum_out, found))
    borderline = [card.borderline for card in cards]
    assert borderline == sorted(borderline, reverse=True)
    assert {card.kind for card in cards} >= {"near_duplicate", "exact_duplicate", "quote"}


def test_the_survey_counts_what_provenance_says(forum_out: Path) -> None:
    from dedup.outputs import read_provenance

    found, records = survey.survey(forum_out), list(read_provenance(forum_out))
    quotes = [edit for record in records for edit in record["edits"] if edit["why"] == "quote"]
    assert found.lengths.sum() == len(quotes)
    assert found.similarity.sum() == sum(record["reason"] == "near_duplicate" for record in records)
    assert sum(found.encodings.values()) == len(records)
    assert found.distances.sum() + found.across <= len(quotes)
    copies = sum(record["reason"] in ("exact_duplicate", "near_duplicate") for record in records)
    assert sum(found.removed_as_copy_of.values()) == copies


def test_without_the_libraries_it_says_what_to_install(
    forum_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, arguments in (
        ("jinja2", ["report", str(forum_out), "--html", str(tmp_path / "a.html")]),
        ("vl_convert", ["report", str(forum_out), "--html", str(tmp_path / "a.html")]),
        ("py3langid", ["report", str(forum_out), "--by", "language"]),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            done = run.invoke(app, arguments)
        assert done.exit_code == 2 and "pip install 'dedup[report]'" in done.stderr
    assert not (tmp_path / "a.html").exists()


def test_the_page_that_cannot_be_written(forum_out: Path, tmp_path: Path) -> None:
    done = run.invoke(app, ["report", str(forum_out), "--html", str(tmp_path / "no" / "folder.html")])
    assert done.exit_code == 4 and "cannot be written" in done.stderr


MARKS = st.lists(
    st.tuples(st.integers(-5, 900), st.integers(-5, 900), st.sampled_from(["copy", "only", "stays"])),
    max_size=6,
).map(lambda rows: [Mark(min(a, b), max(a, b), kind) for a, b, kind in rows])


@given(st.text(st.sampled_from("ab \n"), max_size=800), MARKS, st.integers(1, 900), st.booleans())
def test_an_excerpt_accounts_for_every_character(
    text: str, marks: list[Mark], limit: int, whole: bool
) -> None:
    pieces = excerpt(text, marks, limit, whole=whole)
    at = shown = 0
    for piece in pieces:
        if LEFT_OUT in piece.kinds:
            at += int(re.sub(r"\D", "", piece.text))
            continue
        assert text[at : at + len(piece.text)] == piece.text
        for offset in range(len(piece.text)):
            kinds = {mark.kind for mark in marks if mark.start <= at + offset < mark.end}
            assert kinds == set(piece.kinds)
        at += len(piece.text)
        shown += len(piece.text)
    assert at == len(text)
    assert shown <= limit


@given(st.text(max_size=300), MARKS)
def test_an_excerpt_of_anything(text: str, marks: list[Mark]) -> None:
    assert all(piece.text for piece in excerpt(text, marks))
