"""Signatures are looked for only in posts that end as others do, and are what a look at all posts finds."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dedup.quotes.boilerplate import count_ends, find_signatures
from dedup.text.tokens import LINE_START, RULE

MIN_THREADS = 3
EVIDENCE = 60
"""Of each word: what `align.evidence_of` adds up."""
Posts = list[list[tuple[int, int]]]


def some_posts(random: Random) -> Posts:
    """Posts of an author as (word, info); tails in common are wrapped anew, cut, or under a rule."""
    tails = [[random.randrange(4) for _ in range(random.randrange(1, 14))] for _ in range(2)]
    posts: Posts = []
    for _ in range(random.randrange(2, 9)):
        words = [(random.randrange(40), EVIDENCE | LINE_START * (random.random() < 0.3)) for _ in range(6)]
        for tail in random.sample(tails, random.randrange(3)):
            ruled = random.random() < 0.4
            starts = {0, random.randrange(1, 14), random.randrange(1, 14)} if random.random() < 0.9 else {1}
            for at, word in enumerate(tail[random.randrange(2) * (random.random() < 0.2) :]):
                flags = LINE_START * (at in starts) | RULE * (ruled and at == 0)
                words.append((word, EVIDENCE | flags))
        posts.append(words)
    return posts


def found_in(boards: list[Posts], threads: NDArray[np.int64], *, only_alike: bool) -> list[list[int]]:
    """The rows of `find_signatures`, round after round."""
    posts = [post for board in boards for post in board]
    authors = np.repeat(np.arange(len(boards), dtype=np.int32), [len(board) for board in boards])
    offsets = np.cumsum([0, *map(len, posts)])
    hashes = np.array([word for post in posts for word, _ in post], np.uint32)
    info = np.array([flags for post in posts for _, flags in post], np.uint16)
    state = np.zeros(len(hashes), np.uint8)
    rows: list[list[int]] = []
    while True:
        chosen = np.arange(len(posts))
        if only_alike:
            alike, counts = np.zeros(len(posts), np.bool_), np.zeros(64, np.uint8)
            for room in (alike[:0], alike):
                count_ends(chosen, authors, offsets, hashes, info, state, MIN_THREADS, counts, room)
            chosen = chosen[alike]
        groups = np.searchsorted(authors[chosen], np.arange(len(boards) + 1))
        found = find_signatures(chosen, groups, offsets, hashes, info, state, threads, MIN_THREADS)
        if not len(found):
            return rows
        rows += found.tolist()


@settings(deadline=None, max_examples=300)
@given(st.randoms(use_true_random=False))
def test_only_posts_that_end_alike_have_signatures(random: Random) -> None:
    boards = [some_posts(random) for _ in range(3)]
    threads = np.array([random.randrange(6) for board in boards for _ in board])
    assert found_in(boards, threads, only_alike=True) == found_in(boards, threads, only_alike=False)


def test_a_signature_is_known_however_it_is_wrapped() -> None:
    tail = list(range(100, 110))
    posts = [
        [(n, EVIDENCE | LINE_START), (n + 9, EVIDENCE)]
        + [(word, EVIDENCE | LINE_START * (at in (0, 4 + n))) for at, word in enumerate(tail)]
        for n in range(3)
    ]
    assert [row[:3] for row in found_in([posts], np.arange(3), only_alike=True)] == [[1, 14, 24], [2, 26, 36]]
