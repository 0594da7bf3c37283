"""White space: the kernel against an obvious slow version, and what stays."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup.normalize.edits import Change, apply
from dedup.normalize.whitespace import tidy, tidy_all

BREAKS = "\n\r\x0b\x0c\x85\u2028\u2029"
TO_SPACE = "\xa0\u1680\u202f\u205f" + "".join(map(chr, range(0x2000, 0x200B)))
BLANKS = " \t\u3000" + TO_SPACE
UNSEEN = "\xad\u2060\ufeff\u200b\u200c\u200d"

texts = st.text(
    st.one_of(
        st.sampled_from(BREAKS + BLANKS + UNSEEN),
        st.sampled_from(" \n\t\r\u200b\u200c\u200d\xad"),
        st.sampled_from("ab€\u0645\u0915\u0e01\u2764\ufe0f👩💻\u1681\ufebb\u2010"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=24,
)


def joins(joiner: str, before: str, after: str) -> bool:
    def between(char: str, *ranges: tuple[int, int]) -> bool:
        return char != "" and any(low <= ord(char) <= high for low, high in ranges)

    unspaced = (
        (0x0E00, 0x0EFF),
        (0x1000, 0x109F),
        (0x1780, 0x17FF),
        (0x1950, 0x19DF),
        (0x1A20, 0x1AAF),
    )
    if joiner == "\u200b":
        return between(before, *unspaced) and between(after, *unspaced)
    if joiner not in "\u200c\u200d":
        return False
    if between(
        before,
        (0x0600, 0x0DFF),
        (0x0F00, 0x109F),
        (0x1780, 0x18AF),
        (0xFB50, 0xFDFF),
        (0xFE70, 0xFEFC),
        (0x11000, 0x11FFF),
    ):
        return True
    pictures = ((0x2190, 0x2BFF), (0x1F000, 0x1FAFF))
    return (
        joiner == "\u200d"
        and between(before, *pictures, (0xFE0F, 0xFE0F), (0x20E3, 0x20E3), (0xE0020, 0xE007F))
        and between(after, *pictures)
    )


def slow_tidy(text: str) -> str:
    text = text.replace("\r\n", "\n")
    for char in BREAKS:
        text = text.replace(char, "\n")
    kept = ""
    for at, char in enumerate(text):
        after = next((other for other in text[at + 1 :] if other not in UNSEEN), "")
        if char not in UNSEEN or joins(char, kept[-1:], after):
            kept += char
    for char in TO_SPACE:
        kept = kept.replace(char, " ")
    lines = [line.rstrip(" \t\u3000") for line in kept.split("\n")]
    result: list[str] = []
    for line in lines:
        if line or (result and result[-1]):
            result.append(line)
    return "\n".join(result).rstrip("\n")


@settings(max_examples=800, deadline=None)
@given(texts)
@example("\u0915\u200d\u200d \n")
@example("👩\u200d\xad\u200d👩\u200d ")
@example("\u0e01\u200b\u200b\r\n\u200b\u0e01")
def test_the_kernel_does_what_the_slow_version_does(text: str) -> None:
    clean = apply(text, tidy(text))
    assert clean == slow_tidy(text)
    assert tidy(clean) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, max_size=6), st.data())
def test_a_batch_is_its_texts(batch: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(batch)))
    tidied = tidy_all(pa.array(batch, pa.string()).slice(start))
    assert tidied.texts.to_pylist() == [slow_tidy(text) for text in batch[start:]]
    assert [tidied.changes(row) for row in range(len(batch) - start)] == [
        tidy(text) for text in batch[start:]
    ]


@given(texts)
@settings(max_examples=300, deadline=None)
def test_changes_are_apart_and_all_needed(text: str) -> None:
    changes = tidy(text)
    assert all(one.end < two.start for one, two in pairwise(changes))
    assert all(change.new != text[change.start : change.end] for change in changes)
    assert {change.why for change in changes} <= {"whitespace"}


def test_more_changes_than_there_was_room_for() -> None:
    text = "a \n" * 3000 + "b"
    assert len(tidy(text)) == 3000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "two  spaces, and\ttabs\n\n    indented code\n\n\tmore",
        "  first line indented",
        "　中文段落缩进",
        "می\u200cخواهم",
        "ന\u0d4d\u200d അ",
        "👩\u200d💻 ❤\ufe0f\u200d🔥",
        "ភាសា\u200bខ្មែរ",
    ],
)
def test_what_stays(text: str) -> None:
    assert tidy(text) == []


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("one\r\ntwo\rthree\x0bfour\x0cfive\u2028six\x85seven", "one\ntwo\nthree\nfour\nfive\nsix\nseven"),
        ("\xa0\n \n  text \xa0\n\n\n \nmore\n\xa0", "  text\n\nmore"),
        ("a\xa0b\u2009c\u200bd\xade\ufefff\u200dg", "a b cdefg"),
        (" \t\n\r\n\u200b", ""),
        ("x\n\u3000\ny", "x\n\ny"),
    ],
)
def test_what_goes(text: str, clean: str) -> None:
    assert apply(text, tidy(text)) == clean


def test_one_run_is_one_small_change() -> None:
    assert tidy("a \r\nb\n\n\n\nc") == [Change(1, 3, "", "whitespace"), Change(7, 9, "", "whitespace")]
