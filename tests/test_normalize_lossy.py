"""What loses something: off by default, exactly undone, and settled after one run."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_hostile import no_hang
from test_normalize import batch, texts

from dedup.config import Config, Normalize
from dedup.errors import ConfigError
from dedup.normalize import normalize
from dedup.normalize.edits import Change, apply, revert, undos

ALL = Normalize(nfkc=True, unwrap_lines=True, strip_tracking=True, max_repeats=3)


def clean(text: str, settings: Normalize) -> tuple[str, list[Change]]:
    (row,) = normalize(batch([text]), settings).to_pylist()
    changes = [Change(**change) for change in row["changes"]]
    assert revert(row["clean"], undos(text, changes)) == text
    return row["clean"], changes


WRAPPED = (
    "The kiln had been cold for a week when we opened it again, and\n"
    "not one of the shelves was whole; the third had cracked right\n"
    "through, along the line that we had glued in March.\n"
    "\n"
    "- a list\n- of things\n- stays"
)


@pytest.mark.parametrize(
    ("settings", "text", "expected", "why"),
    [
        ({"nfkc": True}, "ﬁne Ｗｉｄｅ x²", "fine Wide x2", "encoding"),
        ({"max_repeats": 3}, "Sooooo good!!!!! 1000000 -----", "Sooo good!!! 1000000 -----", "shortened"),
        (
            {"strip_tracking": True},
            "See https://a.example/x?utm_source=f&id=7&fbclid=A#top, and http://b.example/?gclid=1.",
            "See https://a.example/x?id=7#top, and http://b.example/.",
            "shortened",
        ),
        (
            {"strip_tracking": True},
            "http://a.example/viewtopic.php?t=5&sid=0123456789abcdef0123456789abcdef and ?utm_source=x",
            "http://a.example/viewtopic.php?t=5 and ?utm_source=x",
            "shortened",
        ),
        (
            {"unwrap_lines": True},
            WRAPPED,
            WRAPPED.replace("and\nnot", "and not").replace("right\nthrough", "right through"),
            "whitespace",
        ),
    ],
)
def test_each_by_itself(settings: dict[str, Any], text: str, expected: str, why: str) -> None:
    cleaned, changes = clean(text, Normalize(**settings))
    assert cleaned == expected
    assert {change.why for change in changes} == {why}
    assert clean(text, Normalize())[0] == text


@pytest.mark.parametrize(
    "text",
    [
        "A poem\nhas short lines\nand keeps them.",
        "x = 1\nif x:\n    print('a line of code that is as long as a wrapped line is')\n    y = 2",
        "> The kiln had been cold for a week when we opened it again, and\n> not one of them\n> was whole",
        "This line is long enough to have been wrapped by a program.\nBut this one could have\nbeen longer.",
        "https://a.example/?id=7&page=2&s=12&source=utm",
    ],
)
def test_what_must_not_change(text: str) -> None:
    assert clean(text, ALL)[0] == text


ADDRESSES = st.lists(
    st.sampled_from(
        [
            "http://a.b/",
            "?",
            "&",
            "utm_source=x",
            "id=7",
            "#",
            "fbclid=",
            ".",
            " ",
            "ooooo",
            "ﬁ",
            "\u0301",
            "e",
        ]
    ),
    max_size=12,
).map("".join)


@given(st.one_of(texts, ADDRESSES, st.text(st.sampled_from("abcde -\n"), min_size=100, max_size=400)))
def test_restore_is_exact_and_one_run_is_enough(text: str) -> None:
    cleaned, _ = clean(text, ALL)
    assert clean(cleaned, ALL) == (cleaned, [])


def test_one_repeat_would_be_spelling() -> None:
    with pytest.raises(ConfigError, match="max_repeats"):
        Config().with_settings({"normalize": {"max_repeats": 1}})


NFKC = Normalize(encoding=False, whitespace=False, nfkc=True)
JOINING = (
    "aeK<=o\u0301\u0323\u0327\u0338\u1112\u1161\u11ab\ud55c\uac00"
    "\uff76\uff9e\u0cc6\u0cc2\u0cd5\ufb01\u2026\u00b2\u09c7\u09be"
)


@given(st.text(st.sampled_from(JOINING), max_size=20) | st.text(max_size=20))
def test_nfkc_piece_by_piece_is_nfkc(text: str) -> None:
    assert clean(text, NFKC)[0] == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    ("settings", "piece", "size"),
    [
        *(({"nfkc": True}, piece, 1 << 16) for piece in ("\ufb01", "\u2026", "\uff76\uff9e", "\u0301\u0323")),
        *(({"unwrap_lines": True}, piece, 1 << 20) for piece in ("a", "a ", "a\n", "x" * 60 + "\n")),
        *(({"strip_tracking": True}, piece, 1 << 19) for piece in ("http://a?utm_a=1&", "?&", "s=0")),
        ({"max_repeats": 3}, "a", 1 << 20),
    ],
)
def test_a_long_line_of_anything(settings: dict[str, Any], piece: str, size: int) -> None:
    text = "https://a?" + piece * (size // len(piece)) + "!"
    with no_hang(40):
        (row,) = normalize(batch([text]), Normalize(**settings)).to_pylist()
    changes = [Change(**change) for change in row["changes"]]
    assert apply(text, changes) == row["clean"]
