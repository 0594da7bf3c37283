"""Bytes of unknown encoding."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup.errors import ConfigError
from dedup.normalize.decode import decode, decode_line, find_encoding

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Завтра будет новый день.\n" * 5
JAPANESE = "いろはにほへと ちりぬるを。日本語の文章です。\n" * 5


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from([b"\xff\xfe", b"\0", b"a", b"\n", b"\xed\xa0\x80", b"\x1b$B", b"\xe9"])).map(
            b"".join
        ),
    )
)
@example(codecs.BOM_UTF16_LE + b"\x00\xd8a\x00")
@example(codecs.BOM_UTF8 + b"\xff")
def test_any_bytes_become_text_without_lone_surrogates(data: bytes) -> None:
    text, name = decode(data)
    text.encode("utf-8")
    assert name
    find_encoding(data)
    decode_line(data, "koi8-r")[0].encode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1b\ufeff")))
def test_utf8_is_utf8(text: str) -> None:
    assert decode(text.encode()) == (text, "utf-8")
    assert find_encoding(text.encode()) is None


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["Plain English\nin two lines", RUSSIAN, JAPANESE])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wide_encodings(name: str, text: str, mark: str) -> None:
    data = (mark + text).encode(name)
    assert decode(data) == (text, name)
    assert find_encoding(data) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("windows-1251", RUSSIAN),
        ("koi8-r", RUSSIAN),
        ("iso8859-5", RUSSIAN),
        ("euc_jp", JAPANESE),
        ("cp932", JAPANESE),
        ("iso-2022-jp", JAPANESE),
        ("windows-1252", "Ein schöner Tag für Käse – sagte „Jörg“ über die Straße\n" * 3),
    ],
)
def test_legacy_encodings(name: str, text: str) -> None:
    assert decode(text.encode(name)) == (text, name)
    assert find_encoding(text.encode(name)) == name


@pytest.mark.parametrize(
    "line", ["it’s fine, don’t worry", "“quoted” – and so on…", "naïve", "20 °C", "jalapeño", "© 2004"]
)
def test_a_few_odd_bytes_are_windows_1252(line: str) -> None:
    assert decode(line.encode("windows-1252")) == (line, "windows-1252")


def test_lines_of_utf8_stay_in_a_mixed_file() -> None:
    data = "Grüße\n".encode() + RUSSIAN.encode("koi8-r") + "Ελληνικά\n".encode() + b"plain"
    assert decode(data) == ("Grüße\n" + RUSSIAN + "Ελληνικά\nplain", "utf-8+koi8-r")


def test_a_line_that_the_fallback_cannot_read_is_windows_1252() -> None:
    assert decode_line(b"caf\xe9 \x81\x1a", "ascii") == ("café \x81\x1a", "windows-1252")
    assert decode_line(b"caf\xe9", "no such encoding") == ("café", "windows-1252")
    assert decode_line("é".encode(), "koi8-r") == ("é", "utf-8")


def test_only_line_feeds_part_lines() -> None:
    assert decode(b"a\r\nb\x85c\x0c\xe9") == ("a\r\nb…c\x0cé", "windows-1252")


def test_nul_and_control_characters_stay() -> None:
    assert decode(b"one \0 nul in a line of text") == ("one \0 nul in a line of text", "utf-8")
    assert decode(b"ab\0cde") == ("ab\0cde", "utf-8")
    assert decode(b"bell \x07") == ("bell \x07", "utf-8")


def test_a_head_cut_inside_a_character_is_utf8_still() -> None:
    head = "first line\nGrüße".encode()
    assert find_encoding(head[: head.index(b"\xbc")]) is None


def test_an_encoding_given_is_used() -> None:
    assert decode(b"\xd0\xd2", "koi8-r") == ("пр", "koi8-r")
    assert decode(codecs.BOM_UTF8 + b"a\xff", "utf8") == ("a\ufffd", "utf-8")
    for name in ("klingon", "rot13", "base64"):
        with pytest.raises(ConfigError, match=name):
            decode(b"abc", name)
