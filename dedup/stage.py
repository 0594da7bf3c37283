"""What lies in the work folder between the steps: normalized posts and their words, block by block.

Files are Arrow IPC and read memory-mapped, so only what is touched is in memory.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.ids import hash_strings
from dedup.quotes.marks import mark_words
from dedup.text.tokens import Tokens, tokenize

WORDS = pa.schema(
    [
        pa.field("hash", pa.uint32(), nullable=False),
        pa.field("info", pa.uint16(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
    ]
)
"""The words of a block's clean texts (see `Tokens`)."""
COUNTS = pa.schema(
    [
        pa.field("words", pa.int32(), nullable=False),
        pa.field("text_hash", pa.uint64(), nullable=False),  # of the clean text
        pa.field("text_hash_2", pa.uint64(), nullable=False),
    ]
)
"""One row a post of a block."""

_POSTS, _WORDS, _COUNTS, _MARKS = "posts.arrow", "words.arrow", "counts.arrow", "marks.arrow"


def write_block(folder: Path, posts: pa.RecordBatch) -> None:
    """Tokenize the clean texts of a NORMALIZED batch and put both into a folder of their own."""
    clean = posts.column("clean")
    tokens = tokenize(clean)
    marks = mark_words(posts, tokens)
    words = [tokens.hashes, tokens.info, tokens.starts, tokens.ends]
    counts = [np.diff(tokens.offsets).astype(np.int32), hash_strings(clean), hash_strings(clean, 1)]
    folder.mkdir(exist_ok=True)
    _write(folder / _POSTS, posts)
    _write(folder / _WORDS, pa.RecordBatch.from_arrays([pa.array(a) for a in words], schema=WORDS))
    _write(folder / _COUNTS, pa.RecordBatch.from_arrays([pa.array(a) for a in counts], schema=COUNTS))
    _write(folder / _MARKS, marks)


class Stage:
    """The blocks of a run, read back."""

    def __init__(self, folder: Path, blocks: int) -> None:
        self.folder = folder
        self.blocks = blocks

    def posts(self, number: int) -> pa.RecordBatch:
        """The NORMALIZED posts of a block."""
        return _read(block_folder(self.folder, number) / _POSTS)

    def counts(self, number: int) -> pa.RecordBatch:
        """COUNTS of a block."""
        return _read(block_folder(self.folder, number) / _COUNTS)

    def marks(self, number: int) -> pa.RecordBatch:
        """MARKS of a block."""
        return _read(block_folder(self.folder, number) / _MARKS)

    def words(self, number: int) -> Tokens:
        """The words of a block, offsets counted from the block's first."""
        words = _read(block_folder(self.folder, number) / _WORDS)
        per_post = self.counts(number).column("words").to_numpy()
        return Tokens(_offsets(per_post), *(column.to_numpy() for column in words.columns))


def block_folder(folder: Path, number: int) -> Path:
    """Where a block lies in the work folder."""
    return folder / f"block-{number:05d}"


def _offsets(counts: NDArray[np.int32]) -> NDArray[np.int64]:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _write(path: Path, batch: pa.RecordBatch) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _read(path: Path) -> pa.RecordBatch:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).get_batch(0)
