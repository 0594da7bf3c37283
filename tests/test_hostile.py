"""Posts made to take for ever, or to be taken for one another: work stays linear, results stay right."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from check_promises import Check, read_lines
from hostile_forums import write_forum
from numpy.typing import NDArray
from selectolax.lexbor import LexborHTMLParser

import dedup.match
from dedup import pipeline
from dedup.config import Config, Match
from dedup.match import pair_up
from dedup.match.exact import collapse
from dedup.match.verify import MOST_LEADERS
from dedup.normalize import normalize
from dedup.normalize.edits import Change, apply
from dedup.originals import restore
from dedup.quotes import across
from dedup.readers import Block, parse_block
from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.render import Body, render
from dedup.verification import verify

ONE = Config().with_settings({"run": {"workers": 1}})
MEGABYTE = 1 << 20

# what regular expressions on posts begin with, or can be torn between
PIECES = [
    *(" ", "\t", "\n", "\r\n", "\xa0", "a", "0", "a ", "a\n", "a. ", "1. ", "ﬁ", "\u0301", "Ã©", "â€™"),
    *("<", "<a ", "</", "<a href=", '<a b="', "<!--", "<blockquote>", "<b", "&", "&#", "&#1", "&lt", "&amp;"),
    *("[", "[/", "[quote=", '[quote="', "[quote]", "[/quote]", "[url=", ">", "> ", "\n> ", ">>", "\n>>>"),
    *("(", "((", '"', "'", "\\", '\\"', "{", "=", "@", "a@", "a@b.", " at ", "-", "\n-- \n", "_", "*", "#"),
    *(":", ": ", "wrote:", " wrote", "On a ", "a wrote:\n", "http://", "http://a ", "www.", "...", "…", "//"),
]


@contextmanager
def no_hang(seconds: int) -> Iterator[None]:
    """Not a measurement: what is linear takes a hundredth of this, what is not takes hours."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"still not done after {seconds} s")

    if not hasattr(signal, "setitimer"):
        pytest.skip("this system has no such timers")
    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


BEGINS = ["", "<p>x</p>", "[quote=ann]x[/quote]\n", "ann wrote:\n> x\n\n"]


def test_a_megabyte_of_anything_is_read_and_normalized() -> None:
    for number, piece in enumerate(PIECES):
        text = BEGINS[number % len(BEGINS)] + piece * (MEGABYTE // len(piece)) + "!"
        line = json.dumps({"id": str(number), "text": text}).encode() + b"\n"
        with no_hang(60):
            posts = parse_block(Block(line, "dump.jsonl", 1, 0, "jsonl"), ONE.read).posts
            (row,) = normalize(posts, ONE.normalize).to_pylist()
        assert apply(row["text"], [Change(**change) for change in row["changes"]]) == row["clean"]


REDACTED = ONE.with_settings({"read": {"redact": "email"}})
PLAIN = "<p>x</p><plaintext></plaintext>"  # what follows is not escaped in a serialised tree
MARKUP = {
    "a link that is cut short all along": ('<p><a href="http://x">http://', ".", " x</a></p>"),
    "a name of an attribute": ("<div ", "a", "=>x</div>"),
    "attributes that are signs": ("<div ", "a=", ">x</div>"),
    "angles before a quotation mark": (PLAIN, "<", '"'),
    "angles and quotation marks": (PLAIN, '<"', '"'),
    "comments": (PLAIN, "<!--", ""),
    "scripts": (PLAIN, "<script ", ""),
    "scripts that are closed": (PLAIN, "<script>", ""),
}


@pytest.mark.parametrize("name", MARKUP)
def test_a_megabyte_of_markup_is_read(name: str) -> None:
    before, piece, after = MARKUP[name]
    html = before + piece * (MEGABYTE // len(piece)) + after
    line = json.dumps({"id": "1", "text": html}).encode() + b"\n"
    page = f"<div>{html}</div>"
    with no_hang(60):
        read = parse_block(Block(line, "dump.jsonl", 1, 0, "jsonl", markup="html"), ONE.read)
        body = LexborHTMLParser(page).css_first("div")
        assert body is not None
        rendered = render([Body(body.html or "", HeaderNames([]))])
    assert len(read.posts) == 1
    assert "x" in rendered.texts[0]


KINDS = [f'<div class="post{"".join(letters)}">' for letters in product("bcdfghjk", repeat=4)]
PARTS = '<b class="author">Ann</b><i class="date">2001</i>words'
BLOCKS = {
    "kinds in one another": "".join(KINDS[:2000]) + PARTS * 20_000,
    "kinds beside one another": "".join(f"{kind}{PARTS}</div>" for kind in KINDS) * 4,
    "blocks in one another": KINDS[0] * 9000 + PARTS * 20_000,
    "blocks beside one another": f"{KINDS[0]}{PARTS}</div>" * 30_000,
    "line breaks": KINDS[0] + PARTS + "<br>" * 200_000 + "&nbsp;<br>" * 50_000,
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_megabyte_of_blocks_that_may_be_posts(name: str) -> None:
    page = f"<html><body>{BLOCKS[name]}"
    with no_hang(60):
        read = parse_block(Block(page.encode(), "page.html", 1, 0, "html"), ONE.read)
    assert len(read.posts) + len(read.rejected) > 0


@pytest.mark.parametrize("end", ["x", "=", ">x", "/>x", "'/>"])
@pytest.mark.parametrize("piece", [" ", "a", " a", "a=", " a='", " a=''", "/", "<!--", "<!---->", '\\"'])
def test_a_megabyte_between_attributes_of_a_row(piece: str, end: str) -> None:
    row = f'<row Id="1" Body="A lantern by the quarry."/>{piece * (MEGABYTE // len(piece))}{end}'
    rows = f"{row}\n{row.replace('/>', ' ', 1)}\n"
    with no_hang(60):
        parsed = parse_block(Block(rows.encode(), "Posts.xml", 1, 0, "stackexchange"), ONE.read)
    assert len(parsed.posts) + len(parsed.rejected) == 2


@pytest.mark.parametrize("piece", ['\\"', "\\\\", "a", "\t", "@"])
def test_a_megabyte_in_a_string_only_the_second_look_reads(piece: str) -> None:
    value = piece * (MEGABYTE // len(piece))
    line = f'{{"id": "1", "text": "A lantern.", "score": NaN, "note": ["{value}", "ann@example.org"]}}\n'
    torn = line.replace('"]', "")
    with no_hang(60):
        parsed = parse_block(Block((line + torn).encode(), "dump.jsonl", 1, 0, "jsonl"), REDACTED.read)
    assert (len(parsed.posts), len(parsed.rejected)) == (1, 1)


def test_posts_of_one_piece_repeated_come_through(tmp_path: Path) -> None:
    texts = [piece * (20_000 // len(piece)) + "!" for piece in PIECES]
    posts = [{"id": str(number), "text": text, "thread_id": number} for number, text in enumerate(texts)]
    with no_hang(300):
        pipeline.clean([write_forum(tmp_path / "dump.jsonl", posts)], tmp_path / "out", ONE)
    assert [post["text"] for post in restore(tmp_path / "out")] == texts
    assert verify(tmp_path / "out").problems == []


MANY = 100_000


def test_a_hundred_thousand_posts_in_one_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = np.ones((1, dedup.match._CHUNK), np.uint64)
    monkeypatch.setattr(dedup.match, "band_keys", lambda values, bands, rows: keys[:, : len(values)])
    words = np.arange(MANY * 8, dtype=np.uint32)
    words[-8:] = words[:8]  # one true pair among all that only look alike
    pairs = pair_up(
        np.arange(MANY + 1) * 8,
        words,
        np.zeros(len(words), np.uint8),
        np.arange(MANY),
        np.ones(MANY, np.bool_),
        Match(bands=1, rows=1),
    )
    assert pairs.compared <= MOST_LEADERS * MANY
    assert [*zip(pairs.posts, pairs.earlier, pairs.similarities, strict=True)] == [(MANY - 1, 0, 1.0)]
    assert pairs.capped > 0  # and it says so


def test_texts_whose_hashes_collide_are_no_duplicates() -> None:
    words = np.arange(60, dtype=np.uint32)
    words[50:] = words[:10]
    same = np.ones(6, np.uint64)
    nobody, nothing = np.full(6, -1, np.int32), np.zeros(6, np.bool_)

    def sizes(posts: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.full(len(posts), 10)

    found = collapse(
        (same, same), np.arange(7) * 10, words, sizes, nobody, np.arange(6), np.arange(6), nothing
    )
    assert found.tolist() == [0, 1, 2, 3, 4, 0]


def test_fingerprints_that_collide_lead_nowhere() -> None:
    # equal keys, other words; and one key in more threads than any quote has
    words, posts = np.arange(2 * 40, dtype=np.uint32), 2
    keys, places = np.array([7, 7], np.uint64), np.array([0, 40])
    seeds, sources, _ = across.link(keys, np.arange(2), places, np.arange(2), 20)
    state, info = np.zeros(80, np.uint8), np.full(80, 60, np.uint16)
    spans, _ = across.grow_seeds(
        seeds, sources, np.arange(posts + 1) * 40, words, info, state, np.full(2, -1, np.int32), 25, 320, 4
    )
    assert len(spans) == 0 and not state.any()
    same = np.full(MANY, 7, np.uint64)
    seeds, _, capped = across.link(same, np.arange(MANY), np.arange(MANY), np.arange(MANY), 20)
    assert (len(seeds), capped) == (0, 1)
    # in few threads each leads to the first alone
    seeds, sources, _ = across.link(same, np.arange(MANY), np.arange(MANY), np.arange(MANY) % 2, 20)
    assert len(seeds) == MANY // 2 and not sources.any()


SHARED = (
    "The third kiln shelf cracked again last night, right along the line that we had glued in March,"
    " and the smell of burnt borax hung over the yard until the rain came down."
)


@pytest.mark.parametrize("threads", [1, 7, 3000])
def test_thousands_of_posts_that_share_a_passage(threads: int, tmp_path: Path) -> None:
    posts: list[dict[str, Any]] = [
        {
            "id": str(number),
            "author": f"author{number}",
            "thread_id": str(number % threads),
            "date": f"2003-01-08 10:{number // 60 % 60:02}:{number % 60:02}",
            "text": f"{SHARED}\n\n" + " ".join(f"number{number}x{word}" for word in range(9)),
        }
        for number in range(3000)
    ]
    with no_hang(300):
        pipeline.clean([write_forum(tmp_path / "dump.jsonl", posts)], tmp_path / "out", ONE)
    assert verify(tmp_path / "out").problems == []
    kept = {document["id"]: document["text"] for document in read_lines(tmp_path / "out", "corpus")}
    assert len(kept) == len(posts)  # everyone says something
    assert all(f"number{post_id}x0" in text for post_id, text in kept.items())
    assert SHARED in kept["0"]
    if threads < 20:  # else it is stock text
        assert sum(SHARED in text for text in kept.values()) <= threads
    few = [post["text"] for post in posts]
    check = Check(tmp_path / "out", few)
    assert [*check.complete(), *check.restore()] == []


def test_records_nested_without_end(tmp_path: Path) -> None:
    deep = "[" * 100_000
    lines = [
        json.dumps({"id": "1", "text": "A lantern by the quarry."}),
        '{"id": "2", "text": "A walnut in the harbour.", "tags": ' + deep + "}",
        '{"id": "3", "text": ' + deep + "]" * 100_000 + "}",
        '{"a":' * 100_000 + "1" + "}" * 100_000,
    ]
    (tmp_path / "dump.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    with no_hang(300):
        summary = pipeline.clean([tmp_path / "dump.jsonl"], tmp_path / "out", ONE)
    assert summary.rejected == 3
    assert [document["id"] for document in read_lines(tmp_path / "out", "corpus")] == ["1"]
