"""JSON lines and JSON arrays: fields, odd lines, encodings, and that nothing is lost."""

from __future__ import annotations

import gzip
import io
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Config, Read
from dedup.errors import ConfigError
from dedup.readers import Parsed, parse_block, read_posts
from dedup.readers.fields import ALIASES
from dedup.readers.json_array import JsonArray
from dedup.readers.jsonl import Jsonl
from dedup.readers.lines import first_invalid
from dedup.writers import encode_jsonl

Rows = list[dict[str, Any]]


def parse(
    data: bytes, settings: Read | None = None, block_bytes: int = 1 << 20, reader: Any = None
) -> tuple[Rows, Rows]:
    settings = settings or Read()
    reader = reader or Jsonl()
    blocks = list(reader.blocks(io.BytesIO(data), "dump", settings, block_bytes))
    if not any(block.error for block in blocks):
        assert b"".join(block.data for block in blocks) == data
    parsed: list[Parsed] = [parse_block(pickle.loads(pickle.dumps(block)), settings) for block in blocks]  # noqa: S301
    for each in parsed:
        each.posts.validate(full=True)
        each.rejected.validate(full=True)
    return (
        [row for each in parsed for row in each.posts.to_pylist()],
        [row for each in parsed for row in each.rejected.to_pylist()],
    )


def one(line: str | bytes | dict[str, Any], **read: Any) -> dict[str, Any]:
    if isinstance(line, dict):
        line = json.dumps(line, ensure_ascii=False)
    data = line.encode() if isinstance(line, str) else line
    posts, rejects = parse(data + b"\n", Read(**read))
    assert (len(posts), rejects) == (1, [])
    return posts[0]


# Fields


def test_known_fields_and_all_others() -> None:
    line = (
        '{"likes": 1.0, "post_id": 7, "body": "Hi", "User": "ann", "topic_id": "t",'
        ' "big": 123456789012345678901, "date": "2003-01-08", "in_reply_to": null, "subject": "S",'
        ' "forum": "F", "when": "2003-01-08",'
        ' "nested": {"b" : [1,  2.50], "a": "\\u00e9"}}'
    )
    post = one(line)
    assert {key: post[key] for key in ("id", "text", "author", "thread_id", "created")} == {
        "id": "7",
        "text": "Hi",
        "author": "ann",
        "thread_id": "t",
        "created": "2003-01-08",
    }
    assert (post["parent_id"], post["title"], post["board"], post["record"]) == (None, "S", "F", 1)
    assert post["metadata"] == (
        '{"likes":1.0,"big":123456789012345678901,"when":"2003-01-08",'
        '"nested":{"b" : [1,  2.50], "a": "\\u00e9"}}'
    )


def test_mapped_fields() -> None:
    record = {"text": "a caption", "msg": "the post", "nick": "ann", "user": "17"}
    post = one(record, fields={"text": "msg", "author": "nick"})
    assert (post["text"], post["author"]) == ("the post", "ann")
    assert json.loads(post["metadata"]) == {"text": "a caption", "user": "17"}
    with pytest.raises(ConfigError, match="author"):
        one(record, fields={"auhtor": "nick"})
    with pytest.raises(ConfigError, match="Known"):
        one(record, fields={"zzzz": "nick"})


def test_no_name_means_two_columns() -> None:
    names = [name for column in ALIASES.values() for name in {each.replace("_", "") for each in column}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", ["post_id", "postId", "Post-ID", "POSTID", "_id"])
def test_names_of_any_style(key: str) -> None:
    assert one({"text": "x", key: "7"})["id"] == "7"


def test_the_first_candidate_that_fits() -> None:
    post = one({"text": None, "body": "b", "author": {"id": 3}, "username": "ann", "id": "", "pid": 5})
    assert (post["text"], post["author"], post["id"]) == ("b", "ann", "5")
    assert json.loads(post["metadata"]) == {"author": {"id": 3}}


def test_an_author_that_is_an_object_stays_whole() -> None:
    post = one({"text": "x", "user": {"id": 3, "username": "ann"}, "board": ["a", "b"], "thread": True})
    assert (post["author"], post["board"], post["thread_id"]) == ("ann", None, None)
    assert json.loads(post["metadata"]) == {
        "user": {"id": 3, "username": "ann"},
        "board": ["a", "b"],
        "thread": True,
    }


def test_empty_is_missing_but_not_for_text() -> None:
    post = one({"text": "", "id": "", "author": None, "thread_id": ""})
    assert (post["text"], post["id"], post["author"], post["thread_id"]) == ("", None, None, None)


def test_a_record_does_not_depend_on_its_neighbours() -> None:
    records = [
        {"text": "a", "user": "u", "x": 1},
        {"x": 1, "user": {"name": "v"}, "text": "b"},
        {"text": "c"},
        {"body": "d", "text": None, "metadata": {"author": "w", "y": 2}},
        {"text": "e", "user": 7, "id": 3},
    ]
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    together, _ = parse(b"".join(lines))
    alone = [parse(line)[0][0] | {"record": number} for number, line in enumerate(lines, start=1)]
    assert together == alone


# A dolma document, and our own corpus


def test_fields_inside_metadata() -> None:
    record = {
        "id": "1",
        "text": "x",
        "source": "forum",
        "metadata": {"author": "ann", "url": "u", "date": "d"},
    }
    post = one(record)
    assert (post["author"], post["created"]) == ("ann", "d")
    assert post["metadata"] == '{"source":"forum","url":"u"}'


def test_metadata_that_is_empty_or_no_object_beside_one_that_is_not() -> None:
    lines = [
        '{"text":"a","metadata":"x"}',
        '{"text":"a","metadata":{}}',
        '{"text":"a","metadata":{"text":1}}',
    ]
    expected = ['{"metadata":"x"}', "{}", '{"metadata":{"text":1}}']
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        posts, rejects = parse("\n".join(lines[at] for at in order).encode())
        assert ([post["metadata"] for post in posts], rejects) == ([expected[at] for at in order], [])


def test_metadata_whose_keys_would_collide_stays() -> None:
    post = one({"text": "x", "url": "1", "metadata": {"author": "ann", "url": "2"}})
    assert post["author"] is None
    assert json.loads(post["metadata"]) == {"url": "1", "metadata": {"author": "ann", "url": "2"}}
    assert json.loads(one({"text": "x", "metadata": [1]})["metadata"]) == {"metadata": [1]}


def results_of(posts: pa.RecordBatch) -> pa.RecordBatch:
    """RESULTS of a run that changed nothing."""
    from dedup.schema import RESULTS

    rows = posts.to_pylist()
    for number, row in enumerate(rows):
        row |= {
            "id": row["id"] or f"dump#{number}",
            "action": "keep",
            "cluster_id": f"c{number}",
            **dict.fromkeys(("raw_chars", "clean_chars", "raw_words", "clean_words"), 0),
            "raw_hash": "",
            "edits": [],
            "kept_copies": [],
        }
    return pa.RecordBatch.from_pylist(
        [{name: row.get(name) for name in RESULTS.names} for row in rows], RESULTS
    )


def test_a_corpus_read_again_gives_the_same_posts() -> None:
    records = [
        {"id": 1, "text": "a", "user": "ann", "likes": 1.0, "date": "2003-01-08", "topic_id": 5},
        {"id": 2, "text": "b", "source": "elsewhere", "url": "u"},
        {"id": 3, "text": "c", "title": "T", "forum": "F", "parent_id": 1},
        {"text": "d", "author": {"name": "x", "id": 2}, "cluster_id": "mine"},
    ]
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    first = encode_jsonl(results_of(pa.RecordBatch.from_pylist(parse(data)[0], schema=_posts_schema())))
    again, rejects = parse(first.corpus.data.tobytes())
    assert not rejects
    second = encode_jsonl(results_of(pa.RecordBatch.from_pylist(again, schema=_posts_schema())))
    assert second.corpus.data.tobytes() == first.corpus.data.tobytes()
    assert again[0]["author"] == "ann"
    assert json.loads(again[0]["metadata"]) == {"likes": 1.0}


def _posts_schema() -> pa.Schema:
    from dedup.schema import POSTS

    return POSTS


# Lines the fast parser refuses


def test_lone_surrogates_become_fffd_and_are_noted() -> None:
    post = one(r'{"text": "a\ud83d b \ud83d\ude00 c\uDE00\\ud83d", "x": ["\udc00"], "\ud800": 1}')
    assert post["text"] == "a\ufffd b 😀 c\ufffd\\ud83d"
    assert post["escapes"] == [{"at": 1, "raw": r"\ud83d"}, {"at": 8, "raw": r"\uDE00"}]
    assert post["metadata"] == '{"x":["\\ufffd"],"\ufffd":1}'


def test_raw_control_characters_nan_and_nul() -> None:
    post = one('{"text": "a\tb\x01c\0d", "x": NaN, "y": [-Infinity, "NaN\t"], "z": 1.0}')
    assert post["text"] == "a\tb\x01c\0d"
    assert post["metadata"] == '{"x":"NaN","y":["-Infinity", "NaN\\u0009"],"z":1.0}'
    assert one('{"text": "a\\u0000b"}')["text"] == "a\0b"


def test_byte_order_mark_blank_lines_and_crlf() -> None:
    data = b'\xef\xbb\xbf{"text": "a"}\r\n\r\n  \n{"text": "b"}\r\n\n\xef\xbb\xbf{"text": "c"}'
    posts, rejects = parse(data)
    assert [(post["text"], post["record"]) for post in posts] == [("a", 1), ("b", 4), ("c", 6)]
    assert not rejects


def test_several_objects_on_a_line() -> None:
    data = b'{"text": "a"}{"text": "b"} {"text": "\xc3\xa9"} oops\n{"text": "d"}\n'
    posts, rejects = parse(data)
    assert [(post["text"], post["record"]) for post in posts] == [("a", 1), ("b", 1), ("é", 1), ("d", 2)]
    assert [(row["bytes"], row["byte_start"], row["byte_end"]) for row in rejects] == [(b"oops", 42, 46)]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"text": "a"', "is no JSON"),
        (b'["text", "a"]', "is no JSON object"),
        (b"plain words", "is no JSON object"),
        (
            b'{"title": "t", "n": 1}',
            "no text field; its fields are: title, n; map one with --field text=NAME",
        ),
        (b"{}", "its fields are: none"),
        (b'{"text": 7}', "'text' is no string but a number"),
        (b'{"text": null}', "'text' is no string but null"),
        (b'{"text": ["a"], "body": {}}', "'text' is no string but an array"),
        (b'{"text": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"text": "a", "x": 01}', "is no JSON"),
    ],
)
def test_rejects(line: bytes, error: str) -> None:
    posts, rejects = parse(b'{"text": "before"}\n' + line + b'\n{"text": "after"}\n')
    assert [post["text"] for post in posts] == ["before", "after"]
    assert [post["record"] for post in posts] == [1, 3]
    (reject,) = rejects
    assert error in reject["error"]
    assert (reject["record"], reject["byte_start"], reject["byte_end"]) == (2, 19, 19 + len(line))
    assert reject["bytes"] == line


@pytest.mark.parametrize("block_bytes", [1 << 12, 1 << 22])
def test_a_line_over_the_limit_is_rejected_without_holding_it(block_bytes: int) -> None:
    long = b'{"text": "' + b"x" * (3 << 20) + b'"}'
    fits = b'{"text": "' + b"y" * ((1 << 20) - 20) + b'"}'
    posts, rejects = parse(fits + b"\n" + long + b'\n{"text": "b"}\n', Read(max_record_mb=1), block_bytes)
    assert [(len(post["text"]), post["record"]) for post in posts] == [((1 << 20) - 20, 1), (1, 3)]
    (reject,) = rejects
    assert "over the limit of 1 MB" in reject["error"]
    assert (reject["record"], reject["bytes"]) == (2, long[: 1 << 20])
    assert (reject["byte_start"], reject["byte_end"]) == (len(fits) + 1, len(fits) + 1 + len(long))


# Encodings


def test_lines_of_another_encoding_among_utf8() -> None:
    words = "Übergrößenträger äußern natürlich Wünsche"
    data = json.dumps({"text": words}, ensure_ascii=False)
    posts, rejects = parse(data.encode() + b"\n" + data.encode("cp1252") + b"\n")
    assert [post["text"] for post in posts] == [words, words]
    assert posts[0]["encoding"] == "utf-8"
    assert posts[1]["encoding"] != "utf-8"
    assert not rejects


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("block_bytes", [7, 1 << 20])
def test_utf16(encoding: str, block_bytes: int) -> None:
    data = '{"text": "Ċ é 😀 \u0a0a"}\nbroken\n{"text": "c"}'.encode(encoding)
    posts, rejects = parse(data, block_bytes=block_bytes)
    assert [(post["text"], post["record"]) for post in posts] == [("Ċ é 😀 \u0a0a", 1), ("c", 3)]
    assert posts[0]["encoding"].startswith(encoding[:6])
    (reject,) = rejects
    assert data[reject["byte_start"] : reject["byte_end"]] == reject["bytes"]
    assert reject["bytes"].decode(posts[0]["encoding"]) == "broken"


def test_a_given_encoding() -> None:
    data = json.dumps({"text": "žluťoučký kůň"}, ensure_ascii=False).encode("cp1250")
    post = one(data, encoding="cp1250")
    assert (post["text"], post["encoding"]) == ("žluťoučký kůň", "cp1250")
    with pytest.raises(ConfigError, match="cp9"):
        one(data, encoding="cp9")


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.integers(0, 12), st.integers(0, 200))
def test_blocks_make_no_difference(block_bytes: int, legacy_at: int, filling: int) -> None:
    words = "Übergrößenträger äußern natürlich Wünsche " + "x" * filling
    lines = [json.dumps({"text": f"{words} {n}"}, ensure_ascii=False).encode() for n in range(12)]
    if legacy_at < 12:
        lines[legacy_at] = lines[legacy_at].decode().encode("cp1252")
    lines[3] = b"broken"
    data = b"\n".join(lines)
    assert parse(data, block_bytes=block_bytes) == parse(data)


# Nothing lost


LINES = st.one_of(
    st.builds(
        lambda text, other: json.dumps({"text": text, "other": other}, ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        ),
        st.text(max_size=20),
        st.one_of(st.floats(), st.text(max_size=5), st.none()),
    ),
    st.builds(lambda text: json.dumps({"text": text}).encode(), st.text(st.characters(), max_size=20)),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from(
        [b'{"text": "a"}{"text": "b"}', b'{"a": 1}', b"", b" \t", b'{"text": "\\ud800"}', b"[1]"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=8), st.integers(1, 300))
def test_every_line_is_in_a_post_or_a_reject(lines: list[bytes], block_bytes: int) -> None:
    data = b"x\n" + b"\n".join(lines)  # "x": not UTF-16, whatever follows
    posts, rejects = parse(data, block_bytes=block_bytes)
    in_posts = {post["record"] for post in posts}
    in_rejects = {row["record"] for row in rejects}
    for number, line in enumerate(lines, start=2):
        if line.strip(b" \t\r\n\xef\xbb\xbf"):
            assert number in in_posts | in_rejects
        else:
            assert number not in in_posts
    for row in rejects:
        assert data[row["byte_start"] : row["byte_end"]] == row["bytes"]
    for post in posts:
        assert all(post["text"][escape["at"]] == "\ufffd" for escape in post["escapes"])


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=6),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=6),
            lambda inside: (
                st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=5,
    ),
    st.booleans(),
    st.text(max_size=30),
)
def test_as_the_standard_library_reads_it(others: dict[str, Any], escape: bool, text: str) -> None:
    others = {f"x{key}": value for key, value in others.items()}
    post = one(json.dumps(others | {"text": text}, ensure_ascii=escape))
    assert post["text"] == text
    assert json.loads(post["metadata"]) == others


# Marks


def test_marks_of_lines_that_begin_with_a_prefix() -> None:
    text = "Ann wrote:\n> one\n> two\n>> three\n\nmine ->\n  > four\r\n  > five\r\nx > y"
    marks = [text[mark["start"] : mark["end"]] for mark in one({"text": text})["marks"]]
    assert marks == ["> one\n> two\n>> three", "  > four\r\n  > five"]
    text = "> all of it"
    assert one({"text": text})["marks"] == [{"start": 0, "end": 11, "author": None, "post_id": None}]


@pytest.mark.parametrize(
    "text", [">>> x = 1\n>>> x\n1", "a\n>= 5", ">_<", ">:(", "a -> b\n--> c", "x > y", ">>>\n>>> print(1)"]
)
def test_no_marks(text: str) -> None:
    assert one({"text": text})["marks"] == []


def test_third_hand_quotes_beside_others_are_marks() -> None:
    assert len(one({"text": ">>> a\n>> b\n> c"})["marks"]) == 1


# Arrays


def test_an_array(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf[\n {"text": "a", "id": 1},\n {"title": "no text"},\n {"text": "\xc3\xa9"}\n]\n'
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(data))
    rejected: Rows = []
    batches = read_posts(tmp_path / "a.json.gz", on_reject=lambda batch: rejected.extend(batch.to_pylist()))
    posts = [row for batch in batches for row in batch.to_pylist()]
    assert [(post["text"], post["record"]) for post in posts] == [("a", 1), ("é", 3)]
    (reject,) = rejected
    assert reject["record"] == 2
    assert data[reject["byte_start"] : reject["byte_end"]] == reject["bytes"] == b'{"title": "no text"}'


@pytest.mark.parametrize(
    ("rest", "error"),
    [(b"oops]", "is no JSON"), (b'{"text": "b"', "is no JSON"), (b'{"text": "b"}] x', "follows the end")],
)
def test_a_broken_array(rest: bytes, error: str) -> None:
    data = b'[{"text": "a", "x": NaN}, ' + rest
    posts, rejects = parse(data, reader=JsonArray())
    assert [post["text"] for post in posts][:1] == ["a"]
    assert error in rejects[-1]["error"]
    assert data.endswith(rejects[-1]["bytes"])
    assert data[rejects[-1]["byte_start"] : rejects[-1]["byte_end"]] == rejects[-1]["bytes"]


def test_an_array_over_the_limit() -> None:
    data = b'[{"text": "' + b"x" * (2 << 20) + b'"}]'
    posts, (reject,) = parse(data, Read(max_record_mb=1), reader=JsonArray())
    assert not posts
    assert (reject["byte_start"], reject["byte_end"], len(reject["bytes"])) == (0, len(data), 1 << 20)


def test_defaults_are_those_of_the_configuration() -> None:
    assert Config().read == Read()
    assert math.isfinite(Read().max_record_mb)


@pytest.mark.parametrize("before", [0, 5_000])  # what is long is looked at in another way
@given(st.lists(st.sampled_from([b"kiln", "é窑😀".encode(), b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5", b"\xc3"])))
def test_where_bytes_stop_being_utf8(before: int, pieces: list[bytes]) -> None:
    data, wanted = b"".join([before * b"a", *pieces]), None
    try:
        data.decode()
    except UnicodeDecodeError as error:
        wanted = error.start
    assert first_invalid(data) == wanted
