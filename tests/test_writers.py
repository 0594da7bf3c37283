"""What is written: the record formats, equal bytes for any batches, one type a metadata key."""

from __future__ import annotations

import base64
import json
import math
import pickle
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from writer_samples import COPY, ODD_TEXTS, dumps, post, table, write_output

from dedup import outputs
from dedup.config import Write
from dedup.errors import OutputError
from dedup.schema import REJECTED
from dedup.writers import CORPUS_WRITERS, RejectedWriter, encode_jsonl
from dedup.writers.columns import Text, json_ratios, json_strings, write
from dedup.writers.metadata import MAX_KEYS, OWN_KEYS
from dedup.writers.rejected import MAX_INLINE_BYTES
from dedup.writers.shards import SLICE_BYTES, ShardWriter, read_blocks


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def values(text: Text) -> list[str]:
    data, offsets = write(text)
    return [data[begin:end].tobytes().decode() for begin, end in pairwise(offsets.tolist())]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(read_blocks(path)).split(b"\n")[:-1]]


def test_a_corpus_record_is_a_dolma_document(tmp_path: Path) -> None:
    fields = '{"score": 1.0, "when": "2010-01-02T03:04:05"}'
    write_output(tmp_path, [post(0, "Hello there.", metadata=fields, title="T")])
    text = b"".join(read_blocks(tmp_path / "corpus/part-00000.jsonl.zst")).decode()
    assert text == (
        '{"id":"p0","text":"Hello there.","source":"dump.jsonl","created":"2 Jan 2010, 3:04 pm",'
        '"metadata":{"author":"ann","thread_id":"t1","parent_id":null,"title":"T","board":null,'
        '"cluster_id":"p0","score":1.0,"when":"2010-01-02T03:04:05"}}\n'
    )


def test_a_post_without_a_date_has_no_created_key(tmp_path: Path) -> None:
    write_output(tmp_path, [post(0, "a", created=None), post(1, "b")])
    records = lines_of(tmp_path / "corpus/part-00000.jsonl.zst")
    assert [list(record) for record in records] == [
        ["id", "text", "source", "metadata"],
        ["id", "text", "source", "created", "metadata"],
    ]
    assert [record["created"] for record in outputs.read_corpus(tmp_path)] == [None, "2 Jan 2010, 3:04 pm"]


def test_a_provenance_record_has_the_documented_form(tmp_path: Path) -> None:
    row = post(1, "abcdef it’s", [(0, 6, "", "quote"), (8, 9, "'", "encoding")])
    row["edits"][0]["flags"] = ["same_author"]
    row["escapes"] = [{"at": 9, "raw": "\\ud83d"}]
    write_output(tmp_path, [row])
    (record,) = lines_of(tmp_path / "provenance/part-00000.jsonl.zst")
    assert record == {
        "id": "p1",
        "thread_id": "t1",
        "source": {
            "path": "dump.jsonl",
            "record": 2,
            "encoding": "utf-8",
            "escapes": [{"at": 9, "raw": "\\ud83d"}],
        },
        "action": "trim",
        "reason": None,
        "duplicate_of": None,
        "similarity": None,
        "raw_chars": 11,
        "clean_chars": 5,
        "raw_hash": row["raw_hash"],
        "edits": [
            {
                "start": 0, "end": 6, "raw": "abcdef", "new": "", "why": "quote", "source_id": "p0",
                "source_start": 3, "source_end": 9, "via_id": None, "score": 0.9583, "group": 0,
                "flags": ["same_author"],
            },
            {"start": 8, "end": 9, "raw": "t", "new": "'", "why": "encoding"},
        ],
        "kept_copies": [],
    }  # fmt: skip
    assert list(record)[:4] == ["id", "thread_id", "source", "action"]


def test_a_dropped_post_stands_in_provenance_alone_with_its_metadata(tmp_path: Path) -> None:
    fields = {"action": "drop", "reason": "exact_duplicate", "duplicate_of": "p0", "similarity": 1.0}
    write_output(
        tmp_path, [post(0, "Hi."), post(1, "Hi.", metadata='{"score":3}', cluster_id="p0", **fields)]
    )
    assert [record["id"] for record in outputs.read_corpus(tmp_path)] == ["p0"]
    record = list(outputs.read_provenance(tmp_path))[1]
    assert record["created"] == "2 Jan 2010, 3:04 pm"
    assert record["metadata"] == {
        **dict.fromkeys(OWN_KEYS),
        "author": "ann",
        "thread_id": "t1",
        "cluster_id": "p0",
        "score": 3,
    }
    ratios = pa.array([1.0, 0.70001, 0.95832, None, math.nan, 0.0], pa.float32())
    assert values(json_ratios(ratios)) == ["1.0", "0.7", "0.9583", "null", "null", "0.0"]


@given(st.lists(st.one_of(st.none(), st.text(), st.sampled_from(ODD_TEXTS)), max_size=8), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_strings_are_escaped_as_a_json_library_does(texts: list[str | None], skipped: int) -> None:
    column = pa.array(texts, pa.string())[skipped:]
    expected = [msgspec.json.encode(text).decode() for text in texts[skipped:]]
    # msgspec writes \b and \f in the long form; both forms are the same string.
    expected = [text.replace("\\u0008", "\\b").replace("\\u000c", "\\f") for text in expected]
    assert values(json_strings(column)) == expected


@given(
    dumps(), st.lists(st.integers(0, 3), max_size=5), st.integers(1, 4), st.sampled_from(list(CORPUS_WRITERS))
)
@settings(max_examples=50, deadline=None)
def test_equal_bytes_for_any_batches(
    rows: list[dict[str, Any]], batches: list[int], shard_posts: int, output_format: Any
) -> None:
    chosen = Write(output_format=output_format, shard_posts=shard_posts)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        write_output(Path(one), rows, chosen)
        write_output(Path(other), rows, chosen, batches)
        assert files_of(Path(one)) == files_of(Path(other))


@given(dumps(), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_back(rows: list[dict[str, Any]], shard_posts: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_output(out, rows, Write(shard_posts=shard_posts))
        records = list(outputs.read_provenance(out))
        documents = list(outputs.read_corpus(out))
        shards = sorted((out / "corpus").iterdir())
        sizes = [len(lines_of(path)) for path in shards]
    kept = [row for row in rows if row["action"] != "drop"]
    assert [document["id"] for document in documents] == [row["id"] for row in kept]
    assert [document["text"] for document in documents] == [row["text"] for row in kept]
    assert all(size == shard_posts for size in sizes[:-1])
    assert len(shards) == max(1, -(-len(kept) // shard_posts))
    for record, row in zip(records, rows, strict=True):
        for key in ("id", "thread_id", "action", "reason", "duplicate_of", "raw_hash", "raw_chars"):
            assert record[key] == row[key]
        assert record["source"].get("escapes", []) == row["escapes"]
        for edits, given_edits in (
            (record["edits"], row["edits"]),
            (record["kept_copies"], row["kept_copies"]),
        ):
            for edit, expected in zip(edits, given_edits, strict=True):
                score = expected["score"] and pytest.approx(expected["score"], abs=1e-4)
                assert {**COPY, **edit} == {**expected, "score": score}


def test_encoded_batches_can_be_sent_between_processes() -> None:
    encoded = encode_jsonl(table([post(0, "a"), post(1, "b", metadata='{"x":[1]}')]))
    again = pickle.loads(pickle.dumps(encoded))  # noqa: S301 - our own bytes
    assert (again.corpus.data == encoded.corpus.data).all() and again.corpus.data.any()
    assert again.corpus.first_seen == encoded.corpus.first_seen
    assert (again.provenance.data == encoded.provenance.data).all()


def documents_of(
    tmp_path: Path, fields: list[str], shard_posts: int = 100, **more: Any
) -> list[dict[str, Any]]:
    rows = [post(number, "text", metadata=text, **more) for number, text in enumerate(fields)]
    write_output(tmp_path, rows, Write(shard_posts=shard_posts))
    return [record["metadata"] for record in outputs.read_corpus(tmp_path)]


def test_conflicting_types_become_strings(tmp_path: Path) -> None:
    found = documents_of(
        tmp_path,
        ['{"a":1,"b":1,"c":[1],"d":{"x":1},"e":"s"}', '{"a":"one","b":2.5,"c":["1"],"d":{"x":"1"},"e":null}'],
    )
    assert [{key: row[key] for key in "abcde"} for row in found] == [
        {"a": "1", "b": 1, "c": "[1]", "d": '{"x":1}', "e": "s"},
        {"a": "one", "b": 2.5, "c": '["1"]', "d": '{"x":"1"}', "e": None},
    ]
    assert outputs.load_manifest(tmp_path).types.as_text == {
        "a": ["int", "string"], "c": ["array"], "d": ["object"],
    }  # fmt: skip


def test_keys_that_the_first_shard_lacks_are_shown_in_its_first_record(tmp_path: Path) -> None:
    found = documents_of(tmp_path, ["{}", '{"a":"x","b":1,"c":null}', '{"a":null,"b":2}'], shard_posts=1)
    assert [{key: row.get(key, "-") for key in "abc"} for row in found] == [
        {"a": "", "b": "", "c": None},
        {"a": "x", "b": "1", "c": None},
        {"a": None, "b": "2", "c": "-"},
    ]


def test_too_many_keys_become_one_text(tmp_path: Path) -> None:
    fields = [json.dumps({f"k{number}": number}) for number in range(MAX_KEYS + 1)]
    found = documents_of(tmp_path, fields, shard_posts=500)
    assert found[7] == {**{key: found[7][key] for key in OWN_KEYS}, "fields": '{"k7":7}'}


def test_metadata_that_strict_parsers_refuse_is_mended(tmp_path: Path) -> None:
    odd = (
        '{"a":"\\ud800x",\n "b":NaN, "c":"tab\there", "d":"\\ud83d\\ude00", "a\\ud800":1, "n":{"x":1,"x":2}}'
    )
    (found,) = documents_of(tmp_path, [odd])
    assert {key: found[key] for key in found if key not in OWN_KEYS} == {
        "a": "\ufffdx", "b": None, "c": "tab\there", "d": "😀", "a\ufffd": 1, "n": {"x": 2},
    }  # fmt: skip


def test_a_key_of_ours_in_the_dump_is_kept_under_another_name(tmp_path: Path) -> None:
    (found,) = documents_of(tmp_path, ['{"author":"bob","cluster_id":"p0","title":7}'])
    assert (found["author"], found["dump_author"], found["dump_title"]) == ("ann", "bob", 7)
    assert "dump_cluster_id" not in found


def test_parquet_holds_the_same_posts(tmp_path: Path) -> None:
    rows = [post(number, text, metadata='{"a":1}') for number, text in enumerate(ODD_TEXTS)]
    write_output(tmp_path, rows, Write(output_format="parquet", shard_posts=2))
    tables = [pq.read_table(path) for path in sorted((tmp_path / "corpus").iterdir())]
    assert [len(part) for part in tables] == [2, 2, 1]
    found = pa.concat_tables(tables).to_pylist()
    assert [row["text"] for row in found] == ODD_TEXTS
    assert found[0]["metadata"] == '{"a":1}'
    assert [record["metadata"]["a"] for record in outputs.read_corpus(tmp_path)] == [1] * 5


def test_text_ends_every_post_with_a_line_of_u00a0(tmp_path: Path) -> None:
    write_output(tmp_path, [post(0, "One.\nTwo."), post(1, "Three.")], Write(output_format="text"))
    text = b"".join(read_blocks(tmp_path / "corpus/part-00000.txt.zst")).decode()
    assert text == "One.\nTwo.\n\u00a0\nThree.\n\u00a0\n"


def test_a_shard_is_one_frame_whatever_the_sizes_of_the_writes(tmp_path: Path) -> None:
    data = bytes(range(11, 256)) * (3 * SLICE_BYTES // 245)
    whole = ShardWriter(tmp_path / "one", "x-{}.zst", 10**9, 3)
    whole.write_lines(np.frombuffer(data, np.uint8), 1)
    pieces = ShardWriter(tmp_path / "two", "x-{}.zst", 10**9, 3)
    for at in range(0, len(data), 77_777):
        pieces.write_lines(np.frombuffer(data[at : at + 77_777], np.uint8), 0)
    (one,), (two,) = whole.close(), pieces.close()
    assert one.sha256 == two.sha256
    compressed = (tmp_path / "one/x-0.zst").read_bytes()
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    assert decompressor.decompress(compressed) == data
    assert decompressor.unused_data == b""


def test_an_error_of_the_disk_reaches_the_caller(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("a file where a folder should be")
    writer = ShardWriter(tmp_path, "corpus/part-{:05d}.zst", 10, 3)
    with pytest.raises(OutputError, match="cannot be written"):
        for _ in range(100):
            writer.write_lines(np.frombuffer(b"x" * SLICE_BYTES + b"\n", np.uint8), 1)
        writer.close()
    writer.abort()


def test_rejected_records_keep_their_bytes(tmp_path: Path) -> None:
    large = b"\xff" * (MAX_INLINE_BYTES + 1)
    rows = [
        {
            "path": "../a\n.jsonl",
            "record": 3,
            "byte_start": 10,
            "byte_end": 13,
            "error": "bad",
            "bytes": b"\x00\xffx",
        },
        {"path": "b", "record": 1, "byte_start": 0, "byte_end": len(large), "error": "big", "bytes": large},
    ]
    writer = RejectedWriter(tmp_path, Write())
    writer.write(pa.RecordBatch.from_pylist(rows, REJECTED))
    files = writer.close()
    assert [file.path for file in files] == ["rejected/part-00000.jsonl.zst", "rejected/bytes-00000.bin"]
    small, big = lines_of(tmp_path / files[0].path)
    assert list(small) == ["path", "record", "byte_start", "byte_end", "error", "bytes_base64"]
    assert base64.b64decode(small["bytes_base64"]) == b"\x00\xffx"
    assert (big["bytes_base64"], big["bytes_file"]) == (None, "bytes-00000.bin")
    assert (tmp_path / "rejected/bytes-00000.bin").read_bytes() == large


def test_nothing_rejected_means_no_folder(tmp_path: Path) -> None:
    writer = RejectedWriter(tmp_path, Write())
    writer.write(pa.RecordBatch.from_pylist([], REJECTED))
    assert writer.close() == []
    assert not (tmp_path / "rejected").exists()
