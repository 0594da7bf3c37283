"""A dump → a sample of whole threads, the same in every run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.config import Read
from dedup.ids import hash_strings, pair_keys
from dedup.readers import read_posts

_WINDOW = 500
"""Posts without a thread id: so many in a row count as one thread."""
_ALL = 1 << 64


class Sample:
    """Posts whose thread's hash is under a limit that falls as they become too many."""

    def __init__(self, posts: int) -> None:
        self._wanted = posts
        self._limit = _ALL
        self._batches: list[pa.RecordBatch] = []
        self._hashes: list[NDArray[np.uint64]] = []
        self._kept = 0
        self._full = False
        self.seen = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Offer a batch of POSTS."""
        self.seen += batch.num_rows
        if self._full:
            return
        self._keep(batch, _thread_hashes(batch))
        while self._kept > self._wanted and not self._full:
            self._lower()

    def batches(self) -> list[pa.RecordBatch]:
        """The sample, in input order; no batch is empty."""
        return self._batches

    @property
    def posts(self) -> int:
        """How many posts the sample has."""
        return self._kept

    def _keep(self, batch: pa.RecordBatch, hashes: NDArray[np.uint64]) -> None:
        if self._limit < _ALL:
            wanted = hashes < np.uint64(self._limit)
            batch, hashes = batch.filter(pa.array(wanted)), hashes[wanted]
        if batch.num_rows:
            self._batches.append(batch)
            self._hashes.append(hashes)
            self._kept += batch.num_rows

    def _lower(self) -> None:
        """A quarter of the threads goes. Of a single one that is too long the beginning stays."""
        smallest = min(int(hashes.min()) for hashes in self._hashes)
        if all((hashes == smallest).all() for hashes in self._hashes):
            table = pa.Table.from_batches(self._batches).slice(0, self._wanted)
            self._batches, self._kept, self._full = table.to_batches(), table.num_rows, True
            return
        self._limit = max(self._limit * 3 // 4, smallest + 1)
        batches, hashes = self._batches, self._hashes
        self._batches, self._hashes, self._kept = [], [], 0
        for batch, own in zip(batches, hashes, strict=True):
            self._keep(batch, own)


def sample_threads(
    paths: Sequence[str | os.PathLike[str]],
    settings: Read,
    posts: int,
    advance: Callable[[int], None] = lambda _: None,
) -> Sample:
    """About `posts` posts of a dump in whole threads, chosen by the hash of the thread id; or all of it.

    Between three quarters of them and all, unless a thread is longer than all of them together. One pass over
    the input; memory is that of the sample. Raises InputError for a path that does not exist.
    """
    sample = Sample(posts)
    for batch in read_posts(paths, settings):
        sample.add(batch)
        advance(batch.num_rows)
    return sample


def _thread_hashes(batch: pa.RecordBatch) -> NDArray[np.uint64]:
    hashes = hash_strings(batch.column("thread_id"))
    windows = pair_keys(hash_strings(batch.column("path")), batch.column("record").to_numpy() // _WINDOW)
    return np.where(hashes != 0, hashes, windows)
