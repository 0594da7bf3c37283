"""An explanation says what was removed, why, and where it still stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from handmade import FOX, ODD, edit, post, posts, write_output
from hypothesis import given
from hypothesis import strategies as st

from dedup.errors import PostNotFoundError
from dedup.explain import MAX_LISTED, explain
from dedup.report.difference import differing_words
from dedup.report.explained import print_explanation
from dedup.report.visible import visible


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_output(tmp_path_factory.mktemp("explain") / "out", posts())


def test_a_quote_stands_beside_its_source(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = explain(out, "2")
    (quote,) = found.edits
    assert (found.action, quote.why, quote.source_id, quote.source_text) == ("trim", "quote", "1", FOX)
    assert found.text[quote.start : quote.end] == quote.raw
    print_explanation(found)
    printed = capsys.readouterr().out
    assert "this post" in printed and "post 1" in printed and "first said in 1" in printed


def test_a_quote_of_a_quote_names_the_post_it_came_through(out: Path) -> None:
    (quote,) = explain(out, "3").edits
    assert quote.via == ("2",)


def test_a_long_chain_is_followed_inside_the_thread(tmp_path: Path) -> None:
    made = posts()
    for post_id in ("8", "9"):
        third = next(one for one in made if one["provenance"]["id"] == "3")
        later = json.loads(json.dumps(third))
        later["provenance"]["id"] = later["corpus"]["id"] = post_id
        later["provenance"]["edits"][0]["via_id"] = "3" if post_id == "8" else "8"
        made.append(later)
    (quote,) = explain(write_output(tmp_path / "out", made), "9").edits
    assert quote.via == ("8", "3", "2")


def test_a_duplicate_stands_beside_its_survivor(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = explain(out, "4")
    assert (found.action, found.reason, found.duplicate_of) == ("drop", "exact_duplicate", "1")
    assert found.text == found.duplicate_text == FOX
    print_explanation(found)
    assert "1 stands for it" in capsys.readouterr().out


def test_differing_words_are_marked_without_colour(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(explain(out, "5"))
    printed = capsys.readouterr().out
    assert "{dusk}" in printed and "{dawn}" in printed and "similarity 0.750" in printed


def test_the_source_knows_who_copies_it_and_what_it_stands_for(out: Path) -> None:
    found = explain(out, "1")
    assert found.cluster.ids == ("1", "4", "5")
    assert found.copied_by.ids == ("2", "3", "5")
    assert explain(out, "5").cluster == found.cluster


def test_related_posts_are_bounded(tmp_path: Path) -> None:
    made = posts()
    fourth = next(one for one in made if one["provenance"]["id"] == "4")
    for number in range(100):
        copy = json.loads(json.dumps(fourth))
        copy["provenance"]["id"] = f"copy{number}"
        made.append(copy)
    cluster = explain(write_output(tmp_path / "out", made), "1").cluster
    assert cluster.count == 103 and len(cluster.ids) == MAX_LISTED


def test_post_text_cannot_play_tricks(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = explain(out, "6")
    assert found.text == ODD
    print_explanation(found)
    printed = capsys.readouterr().out
    assert "[bold]markup[/bold] \\x1b[2J" in printed and "\\u202eback" in printed
    assert visible(printed) == printed
    assert "whitespace at" in printed and "\\xa0" in printed


def test_a_copy_that_stays_says_why(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(explain(out, "7"))
    printed = capsys.readouterr().out
    assert "stays as quote" in printed and "source_missing" in printed


def test_everything_fits_80_columns(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for post_id in "1234567":
        print_explanation(explain(out, post_id), full=post_id in "246")
    assert max(map(len, capsys.readouterr().out.split("\n"))) <= 80


def test_long_passages_are_cut_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 400
    made = [post("1", long, "ann")]
    made.append(
        post(
            "2", long, "bob", edit(long, long, "exact_duplicate"), reason="exact_duplicate", duplicate_of="1"
        )
    )
    found = explain(write_output(tmp_path / "out", made), "2")
    print_explanation(found)
    assert "the first 500 of 2,000 characters" in capsys.readouterr().out
    print_explanation(found, full=True)
    assert "--full" not in capsys.readouterr().out


def test_an_unknown_id_names_ids_like_it(out: Path, tmp_path: Path) -> None:
    made = posts()
    for one in made:
        one["provenance"]["id"] = one["corpus"]["id"] = f"post-{one['provenance']['id']}"
    named = write_output(tmp_path / "out", made)
    with pytest.raises(PostNotFoundError, match=r"post-77.*Did you mean .*post-7"):
        explain(named, "post-77")
    with pytest.raises(PostNotFoundError) as unlike:
        explain(out, "nothing like any")
    assert unlike.value.exit_code == 2


WORDS = st.lists(st.sampled_from(["a", "b", "C", "ça", "d-e"]), max_size=12).map(" ".join)


@given(WORDS, WORDS)
def test_what_is_not_marked_is_equal(left: str, right: str) -> None:
    def rest(text: str, changed: list[tuple[int, int]]) -> list[str]:
        for start, end in reversed(changed):
            text = text[:start] + text[end:]
        return text.casefold().replace("-", " ").split()

    marks = differing_words(left, right)
    assert rest(left, marks[0]) == rest(right, marks[1])


@given(st.text(max_size=50), st.text(max_size=50))
def test_marks_are_sorted_and_apart(left: str, right: str) -> None:
    for text, marks in zip((left, right), differing_words(left, right), strict=True):
        at = 0
        for start, end in marks:
            assert at <= start < end <= len(text)
            at = end
