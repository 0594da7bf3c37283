"""Ordinary JSON objects read by kernels: the same posts and rejects as read by Python, whatever the bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup.config import Read
from dedup.readers import Parsed
from dedup.readers.base import Block
from dedup.readers.fast_objects import ordinary_posts
from dedup.readers.json_array import JsonArray
from dedup.readers.jsonl import Jsonl
from dedup.readers.lines import first_invalid, line_bounds
from dedup.readers.objects import parse_pieces
from dedup.text import flat_json
from dedup.writers.metadata import OWN_KEYS

_CHARACTERS = st.sampled_from('ab>"\\/\n\r\t \x00\x1f\x7f\u00e9\u4e2d\U0001f600\u2028\ufeff')
_STRINGS = st.text(_CHARACTERS, max_size=20)
_NAMES = "text body id post_id author username title created parent_id likes metadata tags source über"
_KEYS = st.sampled_from([*_NAMES.split(" "), "", 'q"', "a" * 8, "a" * 9])
_NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.integers(10**17, 10**420)
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _STRINGS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_SPACED = st.sampled_from([None, (",", ":"), (" ,\t", " : ")])


def dumped(value: Any, ascii_only: bool, separators: tuple[str, str] | None) -> str:
    return json.dumps(value, ensure_ascii=ascii_only, separators=separators)


_OBJECTS = st.builds(dumped, st.dictionaries(_KEYS, _VALUES, max_size=6), st.booleans(), _SPACED)
_POSTS = st.builds(
    dumped,
    st.fixed_dictionaries(
        {"text": _STRINGS},
        optional={
            "id": _VALUES,
            "author": _VALUES,
            "metadata": st.dictionaries(_KEYS, _VALUES, max_size=4) | _VALUES,
        },
    ),
    st.booleans(),
    _SPACED,
)
_OWN = st.builds(
    dumped,
    st.fixed_dictionaries(
        {"id": _STRINGS, "text": _STRINGS, "source": _STRINGS},
        optional={
            "created": _STRINGS,
            "metadata": st.fixed_dictionaries(
                dict.fromkeys(OWN_KEYS, st.none() | _STRINGS), optional={"likes": _VALUES, "source": _VALUES}
            ),
        },
    ),
    st.booleans(),
    _SPACED,
)
"""Records of a corpus of ours."""
_ODD_LINES = r"""
{}
[]
null
{
{"text"
{"text":
{"text":"
{"text":"x"
{"text":"x",}
{"text":"x","text":"y"}
{"te\u0078t":"x"}
{"text":"\ud83d\ude00"}
{"text":"\ud83d"}
{"text":"\ude00\ud83d"}
{"text":"\ud83d\u0041"}
{"text":"\u00zz"}
{"text":"\x"}
{"text":"x"}{"text":"y"}
{"text":"x","n":01}
{"text":"x","n":1.}
{"text":"x","n":-}
{"text":"x","n":1e5}
{"text":"x","n":1E+}
{"text":"x","n":-0.0e-1}
{"text":"x","n":NaN}
{"text":"x","n":-Infinity}
{"text":"x","n":.5}
{"text":"x","n":tru}
{"text":"x","n":nulll}
{"text":"x","n":[1,]}
{"text":"x","n":[,]}
{"text":"x","n":[1 2]}
{"text":"x","n":[}
{"text":"x","n":{"a":[]}}
{"text":"x","n":{"a"}}
{"text":"x","n":{"a":1,}}
{"text":"x","n":{"\ud800":1}}
{"text":"x","n":[ { } , [ ] ]}
{"text":"x","metadata":{"author":"ann","id":2}}
{"text":"x","metadata":"ann"}
{"text":"x","metadata":{}}
{"text":"x","metadata":{"text":"y"}}
{"text":"x","metadata":{"a":1,"a":2}}
{"text":"x","metadata":{"\u0061":1}}
{"text":"x","metadata":{"a":{"a":1}},"id":7}
{"text":null,"body":"y"}
{"text":"","body":"y"}
{"text":"","body":null}
{"text":["x"]}
{"text":"x","author":{"name":"ann"}}
{"text":"x","author":"","username":{"name":"ann"}}
"""
_ODD = st.sampled_from(
    [
        *_ODD_LINES.split("\n"),
        *(" ", "\t\r", '{"text":"x"} \r', '\ufeff{"text":"x"}', '{"text":"x"}\x00', '{"text":"x"\x0b}'),
        '{"text":"x","n":' + "[" * 59 + "]" * 59 + "}",
        '{"text":"x","n":' + "[" * 70 + "]" * 70 + "}",
        '{"text":"x","n":' + '{"a":' * 60 + "1" + "}" * 60 + "}",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    line = draw(st.one_of(_OBJECTS, _POSTS, _OWN, _ODD)).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(line)))
        new = draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b",", b":", b"[", b"0", b" ", b"\xc3", b"\x00"])
        )
        line = line[:at] + new + line[at + draw(st.integers(0, 1)) :]
    return line


_LINES = st.lists(st.one_of((_POSTS | _OWN | _OBJECTS).map(str.encode), mutated()), max_size=6)


def both(data: bytes, read: Read) -> tuple[Parsed, Parsed]:
    """A block read with kernels where they can, and by Python alone."""
    encoding = "windows-1252" if first_invalid(data) is not None else None
    block = Block(data, "dump", 5, 100, "jsonl", encoding)
    starts, ends = line_bounds(data, 1)
    pieces = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    return Jsonl().parse(block, read), parse_pieces(pieces, starts.tolist, block, read)


@settings(max_examples=100, deadline=None)
@given(_LINES, st.sampled_from([{}, {"text": "body"}, {"text": "tags", "title": "tags"}, {"author": "none"}]))
@example([b'{"text":"\\u00e9\\n\\ud83d\\ude00"}'], {})
def test_the_same_as_without_kernels(lines: list[bytes], fields: dict[str, str]) -> None:
    fast, slow = both(b"\n".join(lines), Read(fields=fields))
    fast.posts.validate(full=True)
    assert fast.posts.to_pylist() == slow.posts.to_pylist()
    assert fast.rejected.to_pylist() == slow.rejected.to_pylist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(_POSTS, _ODD), min_size=1, max_size=3), st.integers(0, 9))
def test_every_cut_of_a_line(lines: list[str], short: int) -> None:
    data = "\n".join(lines).encode()
    data = data[: len(data) - short]
    fast, slow = both(data, Read())
    assert fast.posts.equals(slow.posts) and fast.rejected.equals(slow.rejected)


def ordinary(
    *lines: str | bytes, encoding: str | None = None, given: str | None = None
) -> tuple[pa.RecordBatch, list[int]]:
    data = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    starts, ends = line_bounds(data, 1)
    block = Block(data, "dump", 1, 0, "jsonl", encoding)
    posts, rest = ordinary_posts(starts, ends, block, Read(encoding=given))
    return posts, rest.tolist()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(dumped, st.fixed_dictionaries({"text": _STRINGS, "n": _VALUES}), st.just(True), _SPACED)
    )
)
def test_strict_json_is_ordinary(lines: list[str]) -> None:
    lines = [line for line in lines if len(line) < 400 and not any(bad in line for bad in ("\\ud8", '\\"":'))]
    posts, rest = ordinary(*lines)
    assert rest == [] and posts["text"].to_pylist() == [json.loads(line)["text"] for line in lines]


def test_what_is_not_ordinary() -> None:
    odd = [
        '{"text":null}', '{"body":["x"]}', '{"a":1}', "{}", '{"text":"x","text":"y"}', '{"text":"\\ud800"}',
        '{"text":"x"}{"text":"y"}', '{"text":"x","author":{"name":"ann"}}',
        '{"text":"x","metadata":{"a":1,"a":2}}', '{"text":"x","n":NaN}', "x", '{"te\\u0078t":"x"}',
    ]  # fmt: skip
    posts, rest = ordinary('{"text":"x"}', *odd, "", '{"text":"y"}')
    assert (posts["record"].to_pylist(), rest) == ([1, 15], list(range(1, 13)))


def test_lines_that_are_not_ascii_in_another_encoding() -> None:
    lines = [
        '{"text":"x"}',
        '{"text":"\u00fc"}',
        b'{"text":"\xfc"}',
        b'{"\xfc":1,"text":"x"}',
        '{"text":"\\u00fc"}',
    ]
    posts, rest = ordinary(*lines, encoding="windows-1252")
    assert (posts["text"].to_pylist(), rest) == (["x", "\u00fc"], [1, 2, 3])
    assert ordinary(*lines, encoding="windows-1252", given="windows-1252")[1] == [0, 1, 2, 3, 4]


@settings(max_examples=50, deadline=None)
@given(st.lists(_POSTS.map(json.loads), max_size=5))
def test_elements_of_an_array_may_stand_on_several_lines(records: list[Any]) -> None:
    lines = "\n".join(map(json.dumps, records)).encode()
    array = json.dumps(records, indent=1).encode()
    expected = Jsonl().parse(Block(lines, "dump", 1, 0, "jsonl"), Read()).posts
    found = JsonArray().parse(Block(array, "dump", 1, 0, "json"), Read()).posts
    metadata = [column.to_pylist() for column in (found["metadata"], expected["metadata"])]
    assert list(map(json.loads, metadata[0])) == list(map(json.loads, metadata[1]))
    others = [name for name in found.schema.names if name != "metadata"]
    assert found.select(others).equals(expected.select(others))


def test_keys_of_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.frombuffer(b'{"ab":1}{"cd":2}{"ab":3}', np.uint8)
    starts = np.array([0, 8, 16])
    scanned = flat_json.scan(data, starts, starts + 8)
    shapes = list(flat_json.shapes_of(scanned._replace(shapes=np.full(3, 7, np.uint64))))
    assert [(shape.keys, shape.pieces.tolist()) for shape in shapes] == [(("ab",), [0, 2])]
