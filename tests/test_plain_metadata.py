"""Metadata copied by kernels: the same bytes and the same kinds as field by field in Python."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import msgspec
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from writer_samples import post

from dedup.schema import RESULTS
from dedup.writers.columns import write
from dedup.writers.encode import json_metadata, own_metadata
from dedup.writers.metadata import OWN_KEYS, FirstSeen, note_kinds, parse_metadata, rename_clashes
from dedup.writers.plain_metadata import find_plain

_KEYS = st.sampled_from(["likes", "tags", "author", "\u00fcber", "", 'q"', "\x7f", "\u2028", "dump_author"])
_STRINGS = st.text(st.sampled_from('ab"\\/\n\x00\x1f\x7f\u00e9\u2028\U0001f600'), max_size=9)
_NUMBERS = st.one_of(
    st.integers(),
    st.integers(-(10**18), 10**19),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 10**17, 10**18, -(10**17), 10**40, 1e300, 5e-324, 2**63]),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _STRINGS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=2),
    max_leaves=4,
)
_ODD_TEXTS = r"""
{"a":1e400}
{"a":1.5e3}
{"a":1,"a":"x"}
{"\u0061":1}
{"a":"\ud800"}
{"a":NaN}
{"a": 1}
{"a":[ ]}
{"a":[]}
{"a":{}}
{ }
[1]
x
{"a":-999999999999999999}
{"a":-99999999999999999}
{"a":-9223372036854775809}
"""
_ODD = st.sampled_from(
    [*_ODD_TEXTS.split("\n"), "{} ", '{"a":1.' + "0" * 37 + "}", '{"a":1.' + "0" * 400 + "}"]
)


def compact(fields: dict[str, Any], ascii_only: bool) -> str:
    return json.dumps(fields, ensure_ascii=ascii_only, separators=(",", ":"))


_METADATA = st.one_of(
    st.just("{}"),
    st.builds(compact, st.dictionaries(_KEYS, _VALUES, max_size=4), st.booleans()),
    _ODD,
)


def reference(posts: pa.RecordBatch, seen: FirstSeen) -> list[str]:
    objects = []
    columns = own_metadata(posts)
    for row, text in enumerate(posts["metadata"].to_pylist()):
        own = {key: column[row].as_py() for key, column in columns.items()}
        fields = rename_clashes(own, parse_metadata(text))
        for key, value in own.items():
            seen.setdefault(("metadata", key), {}).setdefault("null" if value is None else "string", row)
        note_kinds(fields, row, seen)
        objects.append(msgspec.json.encode({**own, **fields}).decode())
    return objects


@settings(max_examples=200, deadline=None)
@given(st.lists(_METADATA, min_size=1, max_size=8), st.integers(0, 3))
def test_the_same_as_field_by_field(texts: list[str], skipped: int) -> None:
    rows = [post(number, "x", metadata=text) for number, text in enumerate(["x"] * skipped + texts)]
    posts = pa.RecordBatch.from_pylist(rows, schema=RESULTS).slice(skipped)
    seen: FirstSeen = {}
    expected: FirstSeen = {}
    data, offsets = write(json_metadata(posts, seen))
    objects = [data[begin:end].tobytes().decode() for begin, end in pairwise(offsets.tolist())]
    assert objects == reference(posts, expected)
    assert seen == expected
    dumped = [list(table.items()) for table in (seen, expected)]
    assert [key for key in dumped[0] if key[0][1] not in OWN_KEYS] == [
        key for key in dumped[1] if key[0][1] not in OWN_KEYS
    ]  # the first keys are the ones that are counted, so their order matters too


def test_which_rows_are_plain() -> None:
    plain = ["{}", '{"a":"x\\n","b":-12,"c":1.5,"d":true,"e":null,"f":[],"g":{}}', '{"\u00fcber":"\u00fc"}']
    others = [
        '{"author":1}',
        '{"a":1e5}',
        '{"a":[1]}',
        '{"a": 1}',
        '{"a":9999999999999999999}',
        '{"a":1,"a":2}',
    ]
    found = find_plain(pa.array(plain + others + plain))
    assert found.rows.tolist() == [True] * 3 + [False] * 6 + [True] * 3
    assert found.kinds == [
        *((1, "a", "string"), (1, "b", "int"), (1, "c", "float"), (1, "d", "bool"), (1, "e", "null")),
        *((1, "f", "array"), (1, "g", "object"), (2, "\u00fcber", "string")),
    ]
