"""How the public API is used, for mypy to check and for `test_api` to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

import dedup


def clean_a_dump(dump: Path, out: Path) -> dedup.Summary:
    config = dedup.Config().with_settings({"match": {"threshold": 0.8}, "run": {"workers": 1}})
    summary: dedup.Summary = dedup.clean([dump], out, config, force=True)
    ratio: float = summary.report["duplicate_ratio"]
    assert 0 <= ratio <= 1
    return summary


def read_it_back(out: Path) -> dict[str, Any]:
    texts: dict[str, str] = {post["id"]: post["text"] for post in dedup.read_corpus(out)}
    dropped = [record["id"] for record in dedup.read_provenance(out) if record["action"] == "drop"]
    originals = {post["id"]: post["text"] for post in dedup.restore(out)}
    return {"texts": texts, "dropped": dropped, "originals": originals}


def read_any_input(dump: Path) -> list[pa.RecordBatch]:
    rejected: list[pa.RecordBatch] = []
    return [*dedup.read_posts(dump, on_reject=rejected.append), *rejected]


def find_in_memory(posts: list[dict[str, Any]]) -> pa.Table:
    return dedup.find_quotes(posts, dedup.Config())


def compare(one: str, other: str) -> float:
    similarity: float = dedup.signature(one).jaccard(dedup.signature(other))
    return similarity


def explain_an_error(path: str) -> str:
    try:
        dedup.clean([path], "out")
    except (dedup.InputError, dedup.OutputError, dedup.ConfigError) as error:
        error_base: dedup.DedupError = error
        return error_base.message
    return ""
