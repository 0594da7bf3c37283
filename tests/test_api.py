"""The public API: what is exported, what it costs to import, and what a notebook can do with it."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typing_examples
from check_promises import words_of

import dedup
from dedup import passages

SAID = "Plate glass moves for two hours after polishing, whatever the serious books say about it."
REPLY = "So I went to bed, and looked at mine in the morning when the cellar was cold again."
POSTS = [
    {"id": "1", "author": "ann", "thread_id": "t", "text": SAID},
    {"id": "2", "author": "bob", "thread_id": "t", "text": f"{SAID}\n\n{REPLY}"},
]


def test_all_is_what_is_exported() -> None:
    assert sorted(dedup.__all__) == dedup.__all__
    assert set(dedup._HOMES) | {"__version__"} == set(dedup.__all__)
    for name in dedup.__all__:
        assert getattr(dedup, name) is not None
        assert name in dir(dedup)
    with pytest.raises(AttributeError, match="cleen"):
        dedup.cleen  # type: ignore[attr-defined]  # noqa: B018


def test_every_export_says_what_it_promises() -> None:
    for name in dedup.__all__:
        if name != "__version__":
            assert getattr(dedup, name).__doc__, name


def test_no_export_is_hidden_by_a_module_of_its_name() -> None:
    """`import dedup.restore` would put the module where the function is."""
    folder = Path(dedup.__file__).parent
    modules = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert not modules & set(dedup.__all__)


def test_importing_loads_nothing_heavy() -> None:
    heavy = ["pyarrow", "numba", "numpy", "datasketch", "ftfy", "wordfreq", "rich", "typer", "msgspec"]
    code = f"import sys, dedup; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_doctests_are_true() -> None:
    for module in (dedup, passages):
        assert doctest.testmod(module).failed == 0


def test_the_typed_examples_run(tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_text("".join(json.dumps(post) + "\n" for post in POSTS), encoding="utf-8")
    summary = typing_examples.clean_a_dump(dump, tmp_path / "out")
    assert summary.out == tmp_path / "out"
    found = typing_examples.read_it_back(tmp_path / "out")
    assert found["texts"] == {"1": SAID, "2": REPLY}
    assert found["originals"] == {str(post["id"]): post["text"] for post in POSTS}
    assert found["dropped"] == []
    (batch,) = typing_examples.read_any_input(dump)
    assert batch.column("text").to_pylist() == [post["text"] for post in POSTS]
    assert typing_examples.compare(SAID, SAID.upper()) == 1
    assert "nowhere" in typing_examples.explain_an_error(str(tmp_path / "nowhere"))


QUOTE = {"id": "2", "why": "quote", "removed": True, "source_id": "1", "via_id": None, "score": 1.0}


def as_arrow(posts: list[dict[str, str]]) -> pa.Table:
    return pa.Table.from_pylist(posts)


@pytest.mark.parametrize(
    "shape",
    [
        list,
        iter,
        as_arrow,
        lambda posts: as_arrow(posts).to_batches(),
        lambda posts: as_arrow(posts).to_batches()[0],
    ],
    ids=["list", "iterator", "table", "batches", "batch"],
)
def test_quotes_are_found_in_any_shape_of_posts(shape: Any) -> None:
    table = dedup.find_quotes(shape(POSTS))
    assert table.schema == passages.PASSAGES
    (row,) = table.to_pylist()
    assert {name: row[name] for name in QUOTE} == QUOTE
    assert POSTS[1]["text"][row["start"] : row["end"]].strip() == SAID
    assert words_of(SAID[row["source_start"] : row["source_end"]]) == words_of(SAID)


def test_batches_of_read_posts_will_do_too(tmp_path: Path) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_text("".join(json.dumps(post) + "\n" for post in POSTS), encoding="utf-8")
    assert dedup.find_quotes(dedup.read_posts(dump)) == dedup.find_quotes(POSTS)


def test_what_is_configured_to_stay_is_found_all_the_same() -> None:
    config = dedup.Config().with_settings({"decide": {"quotes": "keep"}})
    (row,) = dedup.find_quotes(POSTS, config).to_pylist()
    assert {name: row[name] for name in QUOTE} == QUOTE | {"removed": False}


def test_no_posts_have_no_quotes() -> None:
    assert dedup.find_quotes([]).num_rows == 0
    assert dedup.find_quotes(POSTS[:1]).schema == passages.PASSAGES


def test_a_post_without_a_text_is_an_error() -> None:
    with pytest.raises(dedup.InputError, match="post 2"):
        dedup.find_quotes([POSTS[0], {"id": "2"}])


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dedup.find_quotes(POSTS)
    assert list(tmp_path.iterdir()) == []


def test_folders_may_be_named_by_strings(forum_out: Path) -> None:
    name = str(forum_out)
    assert dedup.verify(name).problems == []
    assert next(iter(dedup.read_corpus(name))) == next(iter(dedup.read_corpus(forum_out)))
    assert next(iter(dedup.read_provenance(name))) == next(iter(dedup.read_provenance(forum_out)))
    assert next(iter(dedup.restore(name))) == next(iter(dedup.restore(forum_out)))
