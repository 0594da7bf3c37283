"""The corpus loads with other tools' readers as it is. Each test runs where its tool is installed."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from writer_samples import ODD_TEXTS, post, write_output

from dedup.config import Write
from dedup.outputs import read_corpus
from dedup.writers.shards import read_line_blocks

FIELDS = [
    '{"score":1,"tags":["a"],"when":"2010-01-02T03:04:05","mixed":1}',
    '{"score":2,"tags":[],"when":"yesterday","mixed":"one","late":[{"x":1.5}]}',
    '{"score":2.5,"tags":null,"nested":{"a":1,"b":null},"huge":123456789012345678901234567890}',
    "{}",
    '{"score":null,"nested":{"a":"x"},"mixed":{"y":[1]},"odd\\n":"\\ud83d\\ude00","n":1e400}',
]


def tool(name: str) -> Any:
    """A module of another tool; the test is skipped where it is not installed."""
    return pytest.importorskip(name, reason=f"{name} is not installed (pip install 'dedup[interop]')")


@pytest.fixture(params=[2, 100], ids=["many shards", "one shard"])
def output(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A corpus with odd texts, metadata of several types, and keys that only later records have."""
    rows = [
        post(number, text, metadata=FIELDS[number % len(FIELDS)], record=number)
        for number, text in enumerate([*ODD_TEXTS, *ODD_TEXTS, "Last."])
    ]
    for row in rows[:4]:
        row |= {"author": None, "created": None}
    rows[7]["board"] = "Board"
    rows[8]["cluster_id"] = "p1"
    write_output(tmp_path / "out", rows, Write(shard_posts=request.param))
    return tmp_path / "out"


def expected(output: Path) -> list[tuple[str, str]]:
    return [(record["id"], record["text"]) for record in read_corpus(output)]


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_loads_the_corpus(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = tool("datasets")
    found = list(
        datasets.load_dataset(
            "json",
            data_files=str(output / "corpus" / "*.jsonl.zst"),
            split="train",
            cache_dir=str(tmp_path / "cache"),
            streaming=streaming,
        )
    )
    assert [(row["id"], row["text"]) for row in found] == expected(output)
    assert found[7]["metadata"]["board"] == "Board"
    assert found[8]["metadata"]["cluster_id"] == "p1"
    assert [row["metadata"]["mixed"] for row in found[:2]] == ["1", "one"]


def test_datatrove_reads_the_corpus(output: Path) -> None:
    tool("datatrove")
    tool("orjson")
    readers = importlib.import_module("datatrove.pipeline.readers")
    reader = readers.JsonlReader(str(output / "corpus"), file_progress=False, doc_progress=False)
    found = [(document.id, document.text) for document in reader.run()]
    # It passes over documents without text.
    assert found == [post for post in expected(output) if post[1]]


class DolmaDocument(msgspec.Struct):
    """`InputSpecWithMetadata` of dolma 1.2, whose reader decodes every line with it: no null but in metadata.

    dolma itself needs numpy 1 and so cannot be installed beside this package.
    """

    id: str
    text: str
    source: str = ""
    created: str = ""
    added: str = ""
    version: str | None = None
    metadata: dict[str, Any] | None = None


def test_the_corpus_has_the_form_of_dolma_documents(output: Path, tmp_path: Path) -> None:
    decoder = msgspec.json.Decoder(DolmaDocument, strict=True)
    found = []
    for path in sorted((output / "corpus").iterdir()):
        # Its readers go through a file line by line, as text.
        text = tmp_path / f"{path.name}.gz"
        text.write_bytes(gzip.compress(b"".join(read_line_blocks(path))))
        with gzip.open(text, "rt", encoding="utf-8") as lines:
            found += [decoder.decode(line) for line in lines]
    assert [(document.id, document.text) for document in found] == expected(output)
