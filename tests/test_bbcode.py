"""Quotes in BBCode: how tags are read, and that they go and stay with what they hold."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from check_promises import Check, read_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.config import Config, Read
from dedup.pipeline import clean
from dedup.readers import Block, parse_block
from dedup.readers.bbcode import find_tagged, read_tag

SAID = "The third kiln shelf cracked again last night, right along the line that we glued in March."
MORE = "I fired it slowly to cone six and left the lid shut until the morning, as the manual says."
ANSWER = "Mine held for six years, but then I never fire above cone five, and let it cool for two days."

TAGS = {
    "[quote]": (None, None),
    "[quote=Ann]": ("Ann", None),
    '[quote="Ann"]': ("Ann", None),
    '[quote = "Ann Lee"]': ("Ann Lee", None),
    "[quote:1a2b3c4d5e]": (None, None),
    '[quote:1a2b3c4d5e="Ann"]': ("Ann", None),
    '[quote="Ann":1a2b3c4d]': ("Ann", None),
    '[quote="Ann" post_id=7 time=1546300800 user_id=2]': ("Ann", "7"),
    "[quote=Ann post_id=7 time=1546300800 user_id=2]": ("Ann", "7"),
    "[QUOTE=Ann;7]": ("Ann", "7"),
    "[QUOTE=Ann Lee;n77]": ("Ann Lee", "n77"),
    '[QUOTE="Ann, post: 7, member: 2"]': ("Ann", "7"),
    '[QUOTE="Ann, the 3rd, post: 7, member: 2"]': ("Ann, the 3rd", "7"),
    "[quote author=Ann link=topic=3.msg7#msg7 date=1]": ("Ann", "7"),
    "[quote author=Ann Lee link=msg=7 date=1]": ("Ann Lee", "7"),
    "[quote='Ann' pid='7' dateline='1']": ("Ann", "7"),
    '[quote="Ann" pid="7" dateline="1"]': ("Ann", "7"),
    "[quote name='Ann' date='1 June 2010' timestamp='12' post='7']": ("Ann", "7"),
    '[quote="Ann, post:2, topic:3, full:true"]': ("Ann", "3/2"),
    '[quote="Ann Lee, post:2, topic:3, username:ann"]': ("ann", "3/2"),
    '[quote="[x] Ann"]': ("[x] Ann", None),
    '[quote=5" disk]': ('5" disk', None),
    "[quote=O'Neil]": ("O'Neil", None),
}


def bodies(text: str) -> list[str]:
    return [text[found.body_start : found.body_end] for found in find_tagged(text)]


@pytest.mark.parametrize("tag", TAGS)
def test_whom_a_tag_names(tag: str) -> None:
    (found,) = find_tagged(f"{tag}Hi[/quote] ho")
    assert (found.start, found.body_start, found.author, found.post_id) == (0, len(tag), *TAGS[tag])


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("[QUOTE]a[/Quote]", ["a"]),
        ("[quote:1a2b3c4d5e]a[/quote:1a2b3c4d5e]", ["a"]),
        ("[quote=A][quote=B]b[/quote]a[/quote]", ["[quote=B]b[/quote]a", "b"]),
        ("[quote=A]a [quote=B]b[/quote]", ["b"]),  # the first is never closed
        ("a[/quote][quote]b[/quote][/quote]", ["b"]),
        ("[quotes]a[/quotes] [quote a[/quote]", []),
        ("[code][quote]a[/quote][/code]", []),
        ("[code][quote]a[/quote]", ["a"]),  # no code without an end
        ("[noparse][/noparse][quote]a[/quote]", ["a"]),
    ],
)
def test_tags_are_paired(text: str, held: list[str]) -> None:
    assert bodies(text) == held


@pytest.mark.parametrize(
    "piece",
    ["[quote]", "[/quote]", "[quote=", '[quote="', "[quote='", "[code]", "[quote author=", " post:", '"'],
)
def test_a_great_many_tags_take_linear_time(piece: str) -> None:
    assert find_tagged(piece * 20_000) == []


def test_ten_thousand_levels() -> None:
    found = find_tagged("[quote=Ann]" * 10_000 + "x" + "[/quote]" * 10_000)
    assert len(found) == 10_000
    assert all(a.start < b.start and b.end < a.end for a, b in pairwise(found))


@given(
    st.lists(st.sampled_from(["[quote]", "[quote=A]", "[/quote]", "[code]", "[/code]", "a", "\n", "[", '"']))
)
def test_marks_are_nested_and_never_cross(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = find_tagged(text)
    assert found == sorted(found)
    for one in found:
        assert one.start < one.body_start <= one.body_end < one.end
        assert all(
            other is one
            or other.end <= one.start
            or one.end <= other.start
            or (one.body_start <= other.start and other.end <= one.body_end)
            or (other.body_start <= one.start and one.end <= other.body_end)
            for other in found
        )


@given(st.text(alphabet="=\"':;, aA1[]postlinkmsg"))
def test_any_inside_of_a_tag_can_be_read(rest: str) -> None:
    read_tag(rest)


def test_marks_and_tags_of_a_record() -> None:
    text = "[quote=Ann]a[/quote]\n> b\n&gt; c"
    row = parse_block(
        Block(json.dumps({"text": text}).encode(), "x", 1, 0, "jsonl"), Read()
    ).posts.to_pylist()[0]
    assert row["marks"] == [
        {"start": 0, "end": 20, "author": "Ann", "post_id": None},
        {"start": 21, "end": 31, "author": None, "post_id": None},
    ]
    assert row["chrome"] == [
        {"start": 0, "end": 11, "why": "quote_chrome"},
        {"start": 12, "end": 20, "why": "quote_chrome"},
    ]


def cleaned(folder: Path, posts: list[tuple[str, str]], **decide: Any) -> list[str]:
    """The final texts of a thread of (author, text); all promises are checked."""
    records = [
        {"id": str(at), "author": author, "thread_id": "t", "created": 1_600_000_000 + at, "text": text}
        for at, (author, text) in enumerate(posts)
    ]
    dump, out = folder / "dump.jsonl", folder / "out"
    dump.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    clean([dump], out, Config().with_settings({"run": {"workers": 1}, "decide": decide}), force=True)
    assert Check(out, [text for _, text in posts]).problems() == []
    left = {document["id"]: document["text"] for document in read_lines(out, "corpus")}
    again = folder / "again"
    clean(
        [out / "corpus"], again, Config().with_settings({"run": {"workers": 1}, "decide": decide}), force=True
    )
    assert {document["id"]: document["text"] for document in read_lines(again, "corpus")} == left
    return [left.get(str(at), "-") for at in range(len(posts))]


WORDS = st.sampled_from([SAID, MORE, ANSWER, "so true", "It was a gift of my aunt.", "no"])
LOOSE = st.sampled_from(
    ["[quote=Ann]", "[quote]", "[/quote]", '[QUOTE="Bob, post: 1"]', "\n", "\n\n", " :) "]
)


@given(st.lists(st.lists(WORDS | LOOSE, max_size=9).map("".join), min_size=2, max_size=7))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_promises_on_tags_of_every_kind(tmp_path: Path, texts: list[str]) -> None:
    cleaned(tmp_path, [(("Ann", "Bob", "Cid")[at % 3], text) for at, text in enumerate(texts)])


OPENINGS = [
    '[quote="Ann"]',
    "[QUOTE=Ann;7]",
    '[QUOTE="Ann, post: 7, member: 2"]',
    "[quote author=Ann link=topic=3.msg7#msg7 date=1]",
    "[quote='Ann' pid='7' dateline='1']",
    '[quote:1a2b3c4d5e="Ann"]',
    '[quote="Ann, post:2, topic:3"]',
    "[quote]",
]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("between", ["", "\n"])
def test_tags_go_with_their_quote(tmp_path: Path, opening: str, between: str) -> None:
    quoting = f"{opening}{between}{SAID}{between}[/quote]\n\n{ANSWER}"
    assert cleaned(tmp_path, [("Ann", f"{SAID}\n\n{MORE}"), ("Bob", quoting)])[1] == ANSWER


@pytest.mark.parametrize("between", ["", "\n"])
def test_tags_stay_while_any_of_their_quote_stays(tmp_path: Path, between: str) -> None:
    # nobody said the second sentence; a blank line is left where the first was, as between any two lines
    quoting = f"[quote=Ann]{between}{SAID}\n\nIt was a gift of my aunt.{between}[/quote]\n\n{ANSWER}"
    left = cleaned(tmp_path, [("Ann", f"{SAID}\n\n{MORE}"), ("Bob", quoting)])[1]
    assert left == f"[quote=Ann]\n\nIt was a gift of my aunt.{between}[/quote]\n\n{ANSWER}"


def test_a_quote_whose_source_is_missing_stays_with_its_tags(tmp_path: Path) -> None:
    quoting = f"[quote=Zoe]{SAID}[/quote]\n{ANSWER}"
    assert cleaned(tmp_path, [("Ann", MORE), ("Bob", quoting)])[1] == quoting


def test_few_words_are_a_quote_when_their_tag_names_the_author(tmp_path: Path) -> None:
    posts = [
        ("Ann", f"Never glue a shelf.\n\n{MORE}"),
        ("Bob", f"[quote=Ann]Never glue a shelf.[/quote]\n{ANSWER}"),
    ]
    assert cleaned(tmp_path, posts)[1] == ANSWER


def test_nested_quotes_go_each_to_its_source(tmp_path: Path) -> None:
    nested = (
        f"[quote=Bob][quote=Ann]{SAID}[/quote]\n{ANSWER}[/quote]\nSix years is long, mine lasted a winter."
    )
    posts = [("Ann", f"{SAID}\n\n{MORE}"), ("Bob", f"[quote=Ann]{SAID}[/quote]\n{ANSWER}"), ("Cid", nested)]
    assert cleaned(tmp_path, posts)[1:] == [ANSWER, "Six years is long, mine lasted a winter."]


def test_answers_between_quotes_stay_where_they_are(tmp_path: Path) -> None:
    between = f"[quote=Ann]{SAID}[/quote]\n{ANSWER}\n[quote=Ann]{MORE}[/quote]\nThe manual is wrong on that."
    posts = [("Ann", f"{SAID}\n\n{MORE}"), ("Bob", between)]
    assert cleaned(tmp_path, posts)[1] == f"{ANSWER}\n\nThe manual is wrong on that."


def test_a_post_of_nothing_but_a_quote_is_a_repost(tmp_path: Path) -> None:
    posts = [("Ann", f"{SAID}\n\n{MORE}\n\n{ANSWER}"), ("Bob", f"[quote=Ann]{SAID}[/quote]")]
    assert cleaned(tmp_path, posts)[1] == "-"


def test_what_stands_for_a_quote_stands_for_its_tags(tmp_path: Path) -> None:
    posts = [("Ann", f"{SAID}\n\n{MORE}"), ("Bob", f"[quote=Ann]{SAID}[/quote]\n{ANSWER}")]
    assert cleaned(tmp_path, posts, quote_chrome="keep")[1] == f"[quote=Ann][/quote]\n{ANSWER}"
    assert cleaned(tmp_path, posts, quotes="keep")[1] == posts[1][1]


def test_tags_survive_repairs_before_them(tmp_path: Path) -> None:
    broken = "Thatâ€™s  it:\u200b \u00a0 \r\n"  # every kind of change before the tags
    posts = [
        ("Ann", f"{SAID}\n\n{MORE}"),
        ("Bob", f"{broken}{ANSWER}\r\n[quote=Ann]{SAID}[/quote]\r\nYes &amp; no."),
    ]
    left = cleaned(tmp_path, posts)[1]
    assert "quote" not in left
    assert left.endswith(f"{ANSWER}\n\nYes & no.")
