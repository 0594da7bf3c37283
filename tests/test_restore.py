"""Every original post comes back, from every corpus format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writer_samples import ODD_TEXTS, dumps, post, write_output

from dedup import outputs
from dedup.config import Write
from dedup.errors import OutputError, PostNotFoundError
from dedup.originals import restore, restore_text
from dedup.writers import CORPUS_WRITERS


@given(dumps(), st.integers(1, 4), st.sampled_from(list(CORPUS_WRITERS)))
@settings(max_examples=60, deadline=None)
def test_every_post_comes_back(rows: list[dict[str, Any]], shard_posts: int, output_format: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_output(Path(folder), rows, Write(output_format=output_format, shard_posts=shard_posts))
        found = list(restore(Path(folder)))
    assert [(record["id"], record["text"]) for record in found] == [(row["id"], row["raw"]) for row in rows]
    for record, row in zip(found, rows, strict=True):
        assert record["source"] == row["path"]
        if output_format != "text":
            assert record["created"] == row["created"]
            for key in ("author", "thread_id", "parent_id", "title", "board"):
                assert record["metadata"][key] == row[key]


def test_metadata_comes_back_with_its_types(tmp_path: Path) -> None:
    fields = [{}, {"a": "x", "b": [1], "c": 1}, {"b": ["y"], "d": None, "c": 2.5}]
    rows = [
        post(number, "text", metadata=str(found).replace("'", '"').replace("None", "null"))
        for number, found in enumerate(fields)
    ]
    rows[0]["created"] = None
    write_output(tmp_path, rows, Write(shard_posts=1))
    found = list(restore(tmp_path))
    assert [
        {key: row["metadata"][key] for key in row["metadata"] if len(key) == 1} for row in found
    ] == fields
    assert [row["created"] for row in found] == [None, "2 Jan 2010, 3:04 pm", "2 Jan 2010, 3:04 pm"]


def test_posts_can_be_chosen(tmp_path: Path) -> None:
    dropped = {"action": "drop", "reason": "near_duplicate"}
    rows = [post(0, "a"), post(1, "b", **dropped), post(2, "c", action="drop", reason="empty"), post(3, "d")]
    write_output(tmp_path, rows)
    assert [record["id"] for record in restore(tmp_path, ids={"p1", "p3"})] == ["p1", "p3"]
    assert [record["text"] for record in restore(tmp_path, reasons={"near_duplicate", "empty"})] == ["b", "c"]
    with pytest.raises(PostNotFoundError, match="nobody"):
        list(restore(tmp_path, ids={"p1", "nobody"}))


def test_a_kind_of_removal_comes_back_alone(tmp_path: Path) -> None:
    cut, drop = (
        [(0, 4, "", "quote"), (5, 7, " ", "whitespace"), (8, 11, "", "boilerplate")],
        [(0, 1, "", "empty")],
    )
    rows = [post(0, "said  b\n--", cut), post(1, "c"), post(2, "-", drop, action="drop", reason="empty")]
    write_output(tmp_path, rows)

    def back(*reasons: str) -> list[tuple[str, str]]:
        return [(record["id"], record["text"]) for record in restore(tmp_path, reasons=set(reasons))]

    raw = rows[0]["raw"]
    assert back("quote", "boilerplate", "whitespace") == [("p0", raw)]
    assert back("quote") == [("p0", raw[:5] + " " + raw[7:8] + raw[11:])]
    assert back("boilerplate", "empty") == [("p0", raw[4:5] + " " + raw[7:]), ("p2", "-")]


def test_a_changed_text_is_noticed(tmp_path: Path) -> None:
    write_output(tmp_path, [post(0, "a  b", [(1, 3, "-", "whitespace")])])
    (record,) = outputs.read_provenance(tmp_path)
    assert restore_text("a-b", record) == "a  b"
    for wrong in ("a_b", "a-c", ""):
        with pytest.raises(OutputError, match="p0"):
            restore_text(wrong, record)


@pytest.mark.parametrize("output_format", ["jsonl", "text"])
def test_a_corpus_that_lost_a_post_is_noticed(tmp_path: Path, output_format: Any) -> None:
    chosen = Write(output_format=output_format, shard_posts=2)
    write_output(tmp_path, [post(number, text) for number, text in enumerate(ODD_TEXTS)], chosen)
    last = sorted((tmp_path / "corpus").iterdir())[-1]
    last.write_bytes(b"")
    with pytest.raises(OutputError):
        list(restore(tmp_path))


@pytest.mark.parametrize("cut", [1, 3, 9])
@pytest.mark.parametrize("folder", ["corpus", "provenance"])
def test_a_shard_without_its_end_is_not_taken_for_a_whole_one(tmp_path: Path, folder: str, cut: int) -> None:
    write_output(tmp_path, [post(number, f"lantern {number}") for number in range(9)])
    (shard,) = (tmp_path / folder).iterdir()
    content = shard.read_bytes()
    read = outputs.read_corpus if folder == "corpus" else outputs.read_provenance
    for damaged in (content[:-cut], content + b"\n" * cut):
        shard.write_bytes(damaged)
        with pytest.raises(OutputError, match="part-00000"):
            list(read(tmp_path))
        with pytest.raises(OutputError):
            list(restore(tmp_path))
