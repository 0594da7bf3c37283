"""Posts that lie side by side, cut out of the arrays of all: what a kernel looks at elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Words(NamedTuple):
    """The words of some posts, both counted from the first.

    first_post, first_word: where they begin among all. offsets: int64 [posts + 1], from 0. hashes, state: per
    word (see `Tokens`, `index.Index`).
    """

    first_post: int
    first_word: int
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    state: NDArray[np.uint8]


class Chosen(NamedTuple):
    """Some of the posts of a part. posts: int64, counted from its first."""

    words: Words
    posts: NDArray[np.int64]


class Repeated(NamedTuple):
    """Which rows are wanted: those whose `keys` stand in the whole with two values of `among`, or more, but
    not with more than `most`."""

    keys: list[str]
    among: str
    most: int | None = None


def words_of(
    offsets: NDArray[np.int64], hashes: NDArray[np.uint32], state: NDArray[np.uint8], first: int, last: int
) -> Words:
    """The words of the posts first:last."""
    begin, end = int(offsets[first]), int(offsets[last])
    return Words(first, begin, offsets[first : last + 1] - begin, hashes[begin:end], state[begin:end])


def choose(words: Words, chosen: NDArray[np.bool_]) -> Chosen:
    """Those of a part's posts that are chosen among all posts (bool)."""
    posts = len(words.offsets) - 1
    return Chosen(words, np.flatnonzero(chosen[words.first_post : words.first_post + posts]))
