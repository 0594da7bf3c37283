"""What the hand-written peers share: posts from a dump, their shingles, and the lines that stay."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import orjson
import zstandard

SHINGLE_WORDS = 5
BATCH_POSTS = 1_000
WORD = re.compile(r"\w+")


def read_batches(dump: str) -> Iterator[tuple[list[bytes], list[list[str]]]]:
    """Batches of lines as they stand in the dump, and the shingles of their texts."""
    with Path(dump).open("rb") as file:
        while lines := list(islice(file, BATCH_POSTS)):
            yield lines, [shingles(orjson.loads(line)["text"]) for line in lines]


def shingles(text: str) -> list[str]:
    """Runs of five words, lower-cased; a shorter text is one."""
    words = WORD.findall(text.lower())
    if len(words) < SHINGLE_WORDS:
        return [" ".join(words)]
    return list({" ".join(words[i : i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1)})


def write(lines: Iterable[bytes], corpus: str, level: int) -> None:
    """Write lines into the folder `corpus`, compressed as dedup's are."""
    Path(corpus).mkdir(parents=True)
    with (
        (Path(corpus) / "part-00000.jsonl.zst").open("wb") as file,
        zstandard.ZstdCompressor(level=level).stream_writer(file) as stream,
    ):
        for line in lines:
            stream.write(line)


def arguments() -> tuple[str, str, int]:
    """Dump, corpus folder and zstd level, as scripts/bench.py gives them."""
    dump, corpus, level = sys.argv[1:]
    return dump, corpus, int(level)
