"""Saved forum pages: a sample of each engine, read as a person would read it.

`tests/pages/NAME.toml` says what stands in `data/pages/NAME.html`.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dedup.config import Read
from dedup.readers import parse_block, read_blocks, recognise

SAMPLES = Path(__file__).parents[1] / "data" / "pages"
DESCRIBED = Path(__file__).parent / "pages"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.html"))


def read(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Posts and rejects of one file."""
    posts, rejected = [], []
    for block in read_blocks([path]):
        parsed = parse_block(block, Read())
        posts += parsed.posts.to_pylist()
        rejected += parsed.rejected.to_pylist()
    return posts, rejected


def understood(posts: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of POSTS in the form the samples are described in; what is null is left out."""
    found = []
    for record, row in enumerate(posts, 1):
        assert row["record"] == record
        post = {key: row[key] for key in ("id", "author", "created") if row[key] is not None}
        extra = json.loads(row["metadata"])
        post |= {key: extra[key] for key in ("number", "subject") if key in extra}
        post["text"] = row["text"]
        for span in row["chrome"]:
            assert (span["end"], span["why"]) == (len(row["text"]), "page_chrome")
            post["text"] = row["text"][: span["start"]]
            post["signature"] = row["text"][span["start"] :].strip("\n")
        quotes = [
            {
                **{key: mark[key] for key in ("author", "post_id") if mark[key] is not None},
                "text": row["text"][mark["start"] : mark["end"]],
            }
            for mark in row["marks"]
        ]
        found.append({**post, "quotes": quotes} if quotes else post)
    thread = {key: posts[0][key] for key in ("thread_id", "title", "board") if posts[0][key] is not None}
    for row in posts:
        assert {key: row[key] for key in thread} == thread
    return {**thread, "posts": found}


def test_every_sample_is_described() -> None:
    assert sorted(path.stem for path in DESCRIBED.glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_read_as_a_person_would(name: str) -> None:
    path = SAMPLES / f"{name}.html"
    reader = recognise("page", path.read_bytes()[: 1 << 16])
    assert reader is not None
    assert reader.name == "html"
    posts, rejected = read(path)
    assert rejected == []
    found = understood(posts)
    described = tomllib.loads((DESCRIBED / f"{name}.toml").read_text(encoding="utf-8"))
    assert found["posts"] == described["posts"]
    assert found == described
