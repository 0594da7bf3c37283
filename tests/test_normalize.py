"""Normalize as a whole: raw text, clean text, and the way between them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Normalize
from dedup.normalize import normalize
from dedup.normalize.edits import Change, apply, revert, undos
from dedup.schema import NORMALIZED, POSTS

DEFAULT = Normalize()

Span = tuple[int, int]

pieces = st.one_of(
    st.sampled_from(
        ["Ã©", "â€™", "Ã\xa0", "Â", "&amp;", "&lt;", "&#10;", "&nbsp;", "<", "&am\xadp;", "Ã\u200b©"]
    ),
    st.sampled_from(
        ["word ", "two words", "\n", "\n\n\n", "\r\n", "\r", " \t", "\xa0", "\u200b", "\xad", "Top"]
    ),
    st.sampled_from(["é", "“", "”", "日本", "👩\u200d💻", "\x00", "\x0b", "\x85", "\ufffd", "в", "Ð¿Ñ€Ð¸"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
texts = st.lists(pieces, max_size=8).map("".join)


@st.composite
def chromed(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return text, [span for span in zip(cuts[::2], cuts[1::2], strict=False) if span[0] < span[1]]


def batch(posts: list[str], chrome: list[list[Span]] | None = None) -> pa.RecordBatch:
    spans = chrome or [[] for _ in posts]
    rows: list[dict[str, Any]] = [
        {
            "text": text,
            "path": "dump.jsonl",
            "record": number,
            "encoding": "utf-8",
            "metadata": "{}",
            "marks": [],
            "chrome": [{"start": start, "end": end, "why": "page_chrome"} for start, end in cuts],
            "escapes": [],
        }
        for number, (text, cuts) in enumerate(zip(posts, spans, strict=True), 1)
    ]
    return pa.RecordBatch.from_pylist(rows, POSTS)


def cleaned(
    posts: list[str], chrome: list[list[Span]] | None = None, config: Normalize = DEFAULT
) -> list[tuple[str, list[Change]]]:
    result = normalize(batch(posts, chrome), config)
    result.validate(full=True)
    assert result.schema == NORMALIZED
    return [
        (clean, [Change(**change) for change in changes])
        for clean, changes in zip(
            result.column("clean").to_pylist(), result.column("changes").to_pylist(), strict=True
        )
    ]


@settings(max_examples=250, deadline=None)
@given(
    st.lists(chromed(), max_size=4),
    st.sampled_from([DEFAULT, Normalize(encoding=False), Normalize(whitespace=False)]),
)
def test_changes_lead_there_and_back_and_end_there(
    posts: list[tuple[str, list[Span]]], config: Normalize
) -> None:
    raws, chrome = [text for text, _ in posts], [spans for _, spans in posts]
    results = cleaned(raws, chrome, config)
    for (raw, spans), (clean, changes) in zip(posts, results, strict=True):
        assert apply(raw, changes) == clean
        assert revert(clean, undos(raw, changes)) == raw
        assert all(one.end <= two.start for one, two in pairwise(changes))
        assert all(change.new != raw[change.start : change.end] for change in changes)
        assert [(c.start, c.end, c.new) for c in changes if c.why == "page_chrome"] == [
            (start, end, "") for start, end in spans
        ]
    again = cleaned([clean for clean, _ in results], None, config)
    assert again == [(clean, []) for clean, _ in results]


@settings(max_examples=80, deadline=None)
@given(st.lists(texts, min_size=1, max_size=6), st.data())
def test_a_post_does_not_depend_on_its_batch(posts: list[str], data: st.DataObject) -> None:
    together = cleaned(posts)
    assert together == [cleaned([post])[0] for post in posts]
    start = data.draw(st.integers(0, len(posts)))
    sliced = normalize(batch(posts).slice(start), DEFAULT)
    assert sliced.column("clean").to_pylist() == [clean for clean, _ in together[start:]]


def test_reasons() -> None:
    ((clean, changes),) = cleaned(["it&#39;s\xa0cafÃ© \n\n\n\nTop\n"], [[(19, 22)]])
    assert clean == "it's café"
    assert (
        changes
        == [
            Change(2, 7, "'", "encoding"),
            Change(8, 9, " ", "whitespace"),
            Change(12, 14, "é", "encoding"),
            Change(14, 19, "", "whitespace"),
            Change(19, 22, "", "page_chrome"),
            Change(22, 23, "", "whitespace"),
        ]
        or [change.why for change in changes].count("page_chrome") == 1
    )


def test_a_separator_at_the_end_leaves_no_empty_line() -> None:
    raw = "A post.\n\xa0\nNext title\n"
    ((clean, changes),) = cleaned([raw], [[(8, 10), (10, 21)]])
    assert clean == "A post."
    assert changes == [
        Change(7, 8, "", "whitespace"),
        Change(8, 10, "", "page_chrome"),
        Change(10, 21, "", "page_chrome"),
    ]


def test_chrome_in_the_middle_of_white_space_keeps_its_reason() -> None:
    ((clean, changes),) = cleaned(["one \n\nTop\n\n two"], [[(6, 9)]])
    assert clean == "one\n\n two"
    assert Change(6, 9, "", "page_chrome") in changes


def test_chrome_spans_may_come_in_any_order_and_overlap() -> None:
    assert cleaned(["abcdef"], [[(3, 5), (0, 2), (1, 4)]]) == [
        (
            "f",
            [
                Change(0, 2, "", "page_chrome"),
                Change(2, 4, "", "page_chrome"),
                Change(4, 5, "", "page_chrome"),
            ],
        )
    ]


def test_posts_that_need_nothing_share_their_buffers() -> None:
    posts = batch(["plain", "“quotes” – and dashes", "日本語"])
    result = normalize(posts, DEFAULT)
    assert result.column("clean").buffers()[2].address == posts.column("text").buffers()[2].address
    assert result.column("changes").to_pylist() == [[], [], []]


@pytest.mark.parametrize("posts", [[], [""], ["", " ", "\n"]])
def test_empty_posts(posts: list[str]) -> None:
    assert [clean for clean, _ in cleaned(posts)] == [""] * len(posts)


def test_mojibake_that_white_space_hid_is_repaired() -> None:
    ((clean, changes),) = cleaned(["caf\u00c3\u200b\u00a9 &am\xadp; \u00c3\xad"])
    assert clean == "café & í"
    assert apply("caf\u00c3\u200b\u00a9 &am\xadp; \u00c3\xad", changes) == clean


def test_settings_switch_parts_off() -> None:
    raw = "Ã© \n"
    assert cleaned([raw], config=Normalize(encoding=False))[0][0] == "Ã©"
    assert cleaned([raw], config=Normalize(whitespace=False))[0][0] == "é \n"
    assert cleaned(["“x”"], config=Normalize(uncurl_quotes=True))[0][0] == '"x"'
