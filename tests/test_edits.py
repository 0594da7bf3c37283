"""Changes: applying, undoing, chaining, and carrying offsets across them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.normalize.edits import Change, Undo, apply, compose, revert, split_at, to_clean, to_raw, undos

TEXT = st.text(alphabet="abc", max_size=12)


@st.composite
def changes_of(draw: st.DrawFn, text: str, why: str, real: bool = False) -> list[Change]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    result = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        new = draw(st.text(alphabet="xyz", max_size=4))
        if real and start == end and not new:
            continue
        result.append(Change(start, end, new, why))
    return result


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, list[Change], list[Change]]:
    raw = draw(TEXT)
    first = draw(changes_of(raw, "encoding"))
    return raw, first, draw(changes_of(apply(raw, first), "quote"))


def in_order(changes: list[Change]) -> bool:
    return all(one.end <= two.start for one, two in pairwise(changes))


@given(st.data())
def test_reverting_gives_the_text_back(data: st.DataObject) -> None:
    text = data.draw(TEXT)
    changes = data.draw(changes_of(text, "encoding"))
    assert revert(apply(text, changes), undos(text, changes)) == text


def test_reverting_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        revert("some other text", [Undo(2, "raw", "new")])


@settings(max_examples=600)
@given(chains())
def test_composed_changes_do_what_both_do_in_a_row(chain: tuple[str, list[Change], list[Change]]) -> None:
    raw, first, second = chain
    composed = compose(first, second, raw)
    changes = [change for change, _ in composed]
    assert apply(raw, changes) == apply(apply(raw, first), second)
    assert in_order(changes)
    assert [number for _, number in composed if number is not None] == list(range(len(second)))
    for change, number in composed:
        assert change in first if number is None else change.why == "quote"


@settings(max_examples=300)
@given(chains())
def test_a_first_change_outside_all_second_ones_stays_itself(
    chain: tuple[str, list[Change], list[Change]],
) -> None:
    raw, first, second = chain
    alone = [change for change, number in compose(first, second, raw) if number is None]
    shift = 0
    for change in first:
        start = change.start - shift
        end = start + len(change.new)
        shift += change.end - change.start - len(change.new)
        apart = all(other.end <= start or end <= other.start for other in second)
        if apart and raw[change.start : change.end] != change.new:
            assert change in alone


def test_changes_that_touch_stay_apart() -> None:
    first = [Change(0, 2, "x", "encoding"), Change(4, 6, "", "whitespace")]
    second = [Change(1, 3, "", "quote")]
    assert compose(first, second, "abcdefgh") == [
        (first[0], None),
        (Change(2, 4, "", "quote"), 0),
        (first[1], None),
    ]


def test_a_first_change_inside_a_second_is_swallowed() -> None:
    first = [Change(2, 4, "X", "encoding"), Change(5, 6, "", "whitespace")]
    assert compose(first, [Change(1, 5, "[q]", "quote")], "abcdefgh") == [(Change(1, 7, "[q]", "quote"), 0)]


def test_a_first_change_across_a_border_is_merged() -> None:
    first = [Change(2, 4, "XYZ", "encoding")]
    assert compose(first, [Change(0, 3, "", "quote")], "abcdef") == [(Change(0, 4, "YZ", "quote"), 0)]
    assert compose(first, [Change(4, 7, "", "quote")], "abcdef") == [(Change(2, 6, "XY", "quote"), 0)]


def test_two_second_changes_in_one_first_stay_two() -> None:
    first = [Change(1, 3, "UVWXY", "encoding")]
    second = [Change(1, 2, "", "quote"), Change(4, 5, "!", "quote")]
    assert compose(first, second, "abcd") == [
        (Change(1, 3, "VW", "quote"), 0),
        (Change(3, 3, "!Y", "quote"), 1),
    ]


@given(st.data())
def test_splitting_changes_nothing_but_the_borders(data: st.DataObject) -> None:
    text = data.draw(TEXT)
    changes = data.draw(changes_of(text, "whitespace"))
    points = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    parts = split_at(changes, points)
    assert apply(text, parts) == apply(text, changes)
    assert in_order(parts)
    assert not any(part.start < point < part.end for part in parts for point in points)


@settings(max_examples=300)
@given(st.data())
def test_offsets_keep_their_order_and_unchanged_characters_their_place(data: st.DataObject) -> None:
    text = data.draw(TEXT)
    changes = data.draw(changes_of(text, "encoding", real=True))
    clean = apply(text, changes)
    all_raw, all_clean = np.arange(len(text) + 1), np.arange(len(clean) + 1)
    for side in ("start", "end"):
        there, back = to_clean(all_raw, changes, side), to_raw(all_clean, changes, side)
        assert (np.diff(there) >= 0).all() and (np.diff(back) >= 0).all()
        assert ((there >= 0) & (there <= len(clean))).all() and ((back >= 0) & (back <= len(text))).all()
    changed = np.zeros(len(text), bool)
    for change in changes:
        changed[change.start : change.end] = True
    for at in np.flatnonzero(~changed):
        start = to_clean(np.array([at]), changes, "start")
        end = to_clean(np.array([at + 1]), changes, "end")
        assert end[0] == start[0] + 1
        assert clean[start[0]] == text[at]
        assert to_raw(start, changes, "start")[0] == at
        assert to_raw(end, changes, "end")[0] == at + 1


@given(chains())
def test_composing_agrees_with_carrying_the_borders(chain: tuple[str, list[Change], list[Change]]) -> None:
    raw, first, second = chain
    lone = second[:1]
    if not lone or lone[0].start == lone[0].end:
        return
    first = [change for change in first if change.end > change.start or change.new]
    (merged,) = (change for change, number in compose(first, lone, raw) if number == 0)
    assert merged.start == to_raw(np.array([lone[0].start]), first, "start")[0]
    assert merged.end == to_raw(np.array([lone[0].end]), first, "end")[0]
