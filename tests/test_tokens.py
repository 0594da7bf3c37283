"""Words: the kernel against an obvious version of itself, and what must compare equal."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.text import tables
from dedup.text.tokens import (
    CODE,
    COLON,
    LINE_START,
    PARAGRAPH,
    PREFIXED,
    RARITY_MASK,
    SENTENCE,
    Tokens,
    tokenize,
)

FLAGS = CODE | COLON | LINE_START | PARAGRAPH | PREFIXED | SENTENCE
URL = re.compile(r"(https?://|www\.)(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)


class Word(NamedTuple):
    key: str
    start: int
    end: int
    flags: int


def within(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(char) <= last for first, last in ranges)


def fold(char: str) -> str:
    folded = unicodedata.normalize("NFKD", char).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LNM") or char


def is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def kind(char: str) -> str:
    category = unicodedata.category(char)
    if within(char, tables._DEFAULT_IGNORABLE):
        return "ignorable"
    if category[0] == "M":
        return "mark"
    if category[0] in "LN" and ord(char) < 0x323B0:
        if all(map(is_mark, fold(char))):
            return "mark"
        return "single" if within(fold(char)[0], tables._UNSPACED) else "word"
    return "blank" if category[0] == "Z" or category == "Cc" else "separator"


def key(chars: str) -> str:
    """The folded word; the order of marks on a letter says nothing."""
    key, marks = "", ""
    for char in "".join(fold(c) for c in chars if kind(c) != "ignorable"):
        if is_mark(char):
            marks += char
        else:
            key, marks = key + "".join(sorted(marks)) + char, ""
    return key + "".join(sorted(marks))


def url_at(line: str, at: int) -> int:
    """Where a URL that begins at `at` ends, or `at`."""
    match = URL.match(line, at)
    if not match:
        return at
    end = match.start(2)
    while end < len(line):
        char = line[end]
        if char <= " " or char in '"<>[]`{|}' or (char > "\x7f" and kind(char) not in ("word", "mark")):
            break
        end += 1
    rest = line[match.start(2) : end].rstrip(".,):;!?'*")
    return match.start(2) + len(rest) if rest else at


def slow_words(text: str) -> list[Word]:
    words: list[Word] = []
    pending = LINE_START | PARAGRAPH | SENTENCE
    begin = 0  # of the line
    for line in text.split("\n"):
        first, visible, symbols, prefixed, tail = len(words), 0, 0, False, ""
        joins = indent = 0
        at = 0
        while at < len(line):
            char = line[at]
            if kind(char) in ("word", "single"):
                end = url_at(line, at)
                if end > at:
                    name = "".join(c.lower() if c < "\x80" else c for c in line[at:end])
                    stop, visible = end, visible + 8
                else:
                    end = stop = at + 1
                    more = ("word", "mark") if kind(char) == "word" else ("mark",)
                    while end < len(line) and kind(line[end]) in (*more, "ignorable"):
                        end += 1
                        if kind(line[end - 1]) != "ignorable":
                            stop = end
                    name = key(line[at:stop])
                    visible += len(line[at:stop].encode())
                words.append(Word(name, begin + at, begin + stop, pending | (PREFIXED if prefixed else 0)))
                pending, tail, at = 0, "", end
                continue
            if char == ">" and visible == 0:
                prefixed = True
            elif kind(char) == "blank" and visible == 0:
                indent += 4 if char == "\t" else 1
            elif kind(char) in ("separator", "mark"):
                visible += 1
                symbols += char in "(){}[];=<>&|*#\\+_$%/"
                joins += char == "_" and len(words) > first and words[-1].end == begin + at
                tail += char
                if char in ".!?\u3002\uff01\uff1f":
                    pending |= SENTENCE
                if char in ":\uff1a" and len(words) > first:
                    words[-1] = words[-1]._replace(flags=words[-1].flags | COLON)
            at += 1
        if len(words) > first:
            code = (
                (tail[-1:] in (";", "{", "}") and symbols >= 1)
                or (symbols >= 3 and symbols * 6 >= visible)
                or (symbols >= 5 and symbols * 14 >= visible)
                or (joins >= 1 and symbols - joins >= 2 and symbols * 14 >= visible)
                or (indent >= 4 and symbols >= 2 and symbols * 14 >= visible)
            )
            for i in range(first, len(words)):
                words[i] = words[i]._replace(flags=words[i].flags | (CODE if code else 0))
            if tail.endswith(("\u2026", "..")):
                words[-1] = words[-1]._replace(flags=words[-1].flags | COLON)
        pending |= LINE_START | SENTENCE | (PARAGRAPH if visible == 0 else 0)
        begin += len(line) + 1
    return words


PIECES = [
    *("abcdefgh", "ABCDEFGHIJKLMNOPQ", "1234567"),
    *"aeiouxyzAEIZ019_-'\"()[]{};=<>&|*#\\+$%/!?.,:",
    *(" ", "  ", "\n", "\n\n", "\n> ", "\n>> ", "> ", "\t", "\r\n"),
    *("\u00a0", "\u3000", "\u2003", "\u200b", "\u00ad", "\u200d", "\ufe0f", "\u0085", "\u2028", "\x7f"),
    *("é", "e\u0301", "a\u0323\u0307", "a\u0307\u0323", "ﬁ", "fi", "ß", "SS", "İ", "ς", "Σ", "ǅ", "½", "①"),
    *(
        "\u0345",
        "ᾳ",
        "α\u0345",
        "한국",
        "中文",
        "《",
        "。",
        "！",
        "かな",
        "ガ",
        "ｶﾞ",
        "ไทย",
        "ำ",
        "ภาษา",
        "㊀",
    ),
    *("Привет", "سلام", "שלום", "नमस्ते", "👍🏽", "…", "...", "wrote:", "foo();", "int main() {"),
    *("http://example.org/a_(b).", "HTTPS://X.org", "http://", "https://", "www.", "www.x", "WWW.Ä.de/ß"),
    *("http://a.b/中", "http://a.b\u00a0c", "http://a.b/\u200b", "ht", "tp", "ww", "w."),
]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
)


def words_of(tokens: Tokens, post: int) -> range:
    return range(tokens.offsets[post], tokens.offsets[post + 1])


@settings(max_examples=1000, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_the_kernel_agrees_with_the_obvious_version(posts: list[str]) -> None:
    tokens = tokenize(pa.array(posts))
    hash_of: dict[str, int] = {}
    for post, text in enumerate(posts):
        expected = slow_words(text)
        found = words_of(tokens, post)
        places = [(len(text[: w.start].encode()), len(text[: w.end].encode())) for w in expected]
        assert [(tokens.starts[i], tokens.ends[i]) for i in found] == places
        assert [int(tokens.info[i]) & FLAGS for i in found] == [w.flags for w in expected]
        for word, i in zip(expected, found, strict=True):
            assert hash_of.setdefault(word.key, int(tokens.hashes[i])) == tokens.hashes[i]
    assert len(set(hash_of.values())) == len(hash_of)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, max_size=5), st.integers(0, 5), st.booleans())
def test_slices_and_large_strings_give_the_same_words(posts: list[str], first: int, large: bool) -> None:
    column = pa.array(posts, pa.large_string() if large else pa.string())
    part, whole = tokenize(column[first:]), tokenize(pa.array(posts[first:], pa.string()))
    for a, b in zip(part, whole, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ﬁne eﬀort", "fine effort"),
        ("Café", "CAFE\u0301"),
        ("Straße", "STRASSE"),
        ("Staatsangehörigkeiten", "STAATSANGEHO\u0308RIGKEITEN"),
        ("cooﬃceoﬃceoﬃce", "coofficeofficeoffice"),
        ("ΟΔΟΣ", "οδος"),
        ("Ｆｕｌｌ ｗｉｄｔｈ １２", "full width 12"),
        ("ガギグ", "ｶﾞｷﾞｸﾞ"),
        ("q\u0307\u0323", "q\u0323\u0307"),
        ("ᾳ", "α\u0345"),
        ("co\u00adoperate", "cooperate"),
        ("한국어", unicodedata.normalize("NFD", "한국어")),
        ("“Don’t!” she said…", '"Don\'t!" she said...'),
        ("the quick brown fox jumps", "> the quick\n> brown fox\n> jumps"),
        ("the quick brown fox jumps", "the\u00a0quick brown\r\n\r\n\tfox > jumps"),
        ("see http://Example.org/a?b=1", "(see HTTP://example.org/a?b=1)."),
        ("中文。网站", "中 文 网 站"),
    ],
)
def test_spellings_of_one_text_have_equal_words(one: str, other: str) -> None:
    tokens = tokenize(pa.array([one, other]))
    first, second = ([int(tokens.hashes[i]) for i in words_of(tokens, post)] for post in (0, 1))
    assert first == second
    assert first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see http://example.org/a-b?c=d.", ["see", "http://example.org/a-b?c=d"]),
        ("www.example.org, then", ["www.example.org", "then"]),
        ("http://例.org/路", ["http", "例", "org", "路"]),
        ("http://a.org/x中文", ["http://a.org/x", "中", "文"]),
        ("http:// www. x", ["http", "www", "x"]),
        ("東京へ行く", ["東", "京", "へ", "行", "く"]),
        ("abc東京", ["abc", "東", "京"]),
        ("ภาษา", ["ภ", "า", "ษ", "า"]),
        ("don't stop_me", ["don", "t", "stop", "me"]),
        ("", []),
        ("...", []),
    ],
)
def test_word_boundaries(text: str, words: list[str]) -> None:
    tokens = tokenize(pa.array([text]))
    data = text.encode()
    spans = zip(tokens.starts, tokens.ends, strict=True)
    assert [data[start:end].decode() for start, end in spans] == words


def test_rarity_depends_on_nothing_but_the_word() -> None:
    rng = np.random.default_rng(7)
    vocabulary = ["the", "hello", "cat", "東", "по", *("w" + np.base_repr(i, 36) for i in range(20_000))]
    text = " ".join(vocabulary[i] for i in rng.integers(0, len(vocabulary), 60_000))
    whole = tokenize(pa.array([text]))
    alone = tokenize(pa.array(vocabulary))
    rarity = dict(zip(alone.hashes.tolist(), (alone.info & RARITY_MASK).tolist(), strict=True))
    assert [rarity[h] for h in whole.hashes.tolist()] == (whole.info & RARITY_MASK).tolist()
    assert alone.info[0] & RARITY_MASK < alone.info[2] & RARITY_MASK < tables.RAREST
