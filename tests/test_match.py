"""Pairs: true similarity, nothing below the threshold, hot buckets stay linear."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup.match
from dedup.config import Match
from dedup.match import Pairs, pair_up
from dedup.match.candidates import find_buckets
from dedup.match.verify import MOST_LEADERS, compare_buckets
from dedup.sketch import recall_at
from dedup.text.shingles import jaccard

SURE = Match(bands=128, rows=1)
"""Finds what there is to be found at 0.5 and over."""
POSTS = st.lists(st.lists(st.integers(1, 3), max_size=9), max_size=9)


def shingles_of(words: list[int], width: int) -> set[tuple[int, ...]]:
    width = min(width, len(words))
    return {tuple(words[i : i + width]) for i in range(len(words) - width + 1)} if words else set()


def similarity_of(one: list[int], other: list[int], width: int = 5) -> float:
    a, b = shingles_of(one, width), shingles_of(other, width)
    return len(a & b) / max(1, len(a | b))


def flat(posts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(posts) + 1, np.int64)
    np.cumsum([len(p) for p in posts], out=offsets[1:])
    return offsets, np.array([w for p in posts for w in p], np.uint32)


def pairs_of(posts: list[list[int]], match: Match = SURE, **changes: Any) -> Pairs:
    offsets, hashes = flat(posts)
    chosen = {
        "state": np.zeros(len(hashes), np.uint8),
        "rank": np.arange(len(posts)),
        "active": np.ones(len(posts), bool),
    } | changes
    return pair_up(offsets, hashes, settings=match, **chosen)


def as_dict(pairs: Pairs) -> dict[tuple[int, int], float]:
    both = zip(pairs.posts.tolist(), pairs.earlier.tolist(), strict=True)
    found = dict(zip(both, pairs.similarities.tolist(), strict=True))
    assert len(found) == len(pairs.posts)
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 3), max_size=12), st.lists(st.integers(1, 3), max_size=12), st.integers(1, 6))
def test_jaccard_is_that_of_the_sets(one: list[int], other: list[int], width: int) -> None:
    hashes = np.array([*one, *other], np.uint32)
    found = jaccard(hashes, 0, len(one), len(one), len(hashes), width)
    assert found == similarity_of(one, other, width)


def test_short_texts_compare_as_wholes() -> None:
    hashes = np.array([1, 2, 3, 1, 2, 3, 4, 9], np.uint32)
    assert jaccard(hashes, 0, 3, 3, 6, 5) == 1.0
    assert jaccard(hashes, 0, 3, 3, 7, 5) == 0.0
    assert jaccard(hashes, 0, 0, 0, 0, 5) == 0.0


@settings(max_examples=100, deadline=None)
@given(POSTS, st.sampled_from([0.5, 0.7, 1.0]), st.randoms(use_true_random=False))
def test_pairs_are_true_and_complete(posts: list[list[int]], threshold: float, random: Any) -> None:
    ranks = list(range(len(posts)))
    random.shuffle(ranks)
    match = Match(bands=128, rows=1, threshold=threshold, shingle_words=2)
    found = as_dict(pairs_of(posts, match, rank=np.array(ranks, np.int64)))
    for (post, earlier), similarity in found.items():
        assert ranks[earlier] < ranks[post]
        assert similarity == similarity_of(posts[post], posts[earlier], 2) >= threshold
    by_rank = sorted(range(len(posts)), key=ranks.__getitem__)
    for position, post in enumerate(by_rank):
        similar = [e for e in by_rank[:position] if similarity_of(posts[post], posts[e], 2) >= threshold]
        for earlier in similar:
            # what matches nothing before it leads every bucket it is in
            if not any(one == earlier for one, _ in found):
                assert (post, earlier) in found


def test_pairs_come_in_the_order_of_their_ranks() -> None:
    rng = np.random.default_rng(1)
    posts = [rng.integers(1, 3, 6).tolist() for _ in range(300)]
    rank = rng.permutation(300)
    pairs = pairs_of(posts, rank=rank)
    assert len(pairs.posts) > 200
    keys = list(zip(rank[pairs.posts].tolist(), rank[pairs.earlier].tolist(), strict=True))
    assert keys == sorted(keys)


def varied(rng: np.random.Generator, words: int, changed: int) -> tuple[list[int], list[int]]:
    """A post of fresh words, and a copy with some of the last ones exchanged."""
    one = rng.integers(1, 1 << 32, words).tolist()
    return one, [*one[: words - changed], *rng.integers(1, 1 << 32, changed).tolist()]


@pytest.mark.parametrize("changed", [4, 8, 12, 16, 17, 18, 40])
def test_recall_keeps_its_promise(changed: int) -> None:
    rng = np.random.default_rng(changed)
    posts = [post for _ in range(400) for post in varied(rng, 104, changed)]
    similarity = (100 - changed) / (100 + changed)
    pairs = pairs_of(posts, Match())
    expected = 400 * recall_at(similarity, 25, 5) if similarity >= 0.7 else 0
    assert len(pairs.posts) == pytest.approx(expected, abs=8)
    assert pairs.similarities.tolist() == [similarity] * len(pairs.posts)
    np.testing.assert_array_equal(pairs.posts, pairs.earlier + 1)


def test_a_reply_is_no_copy_of_what_it_quotes() -> None:
    quoted, reply = list(range(1, 200)), list(range(500, 520))
    posts = [quoted, quoted + reply, reply]
    state = np.zeros(sum(map(len, posts)), np.uint8)
    assert as_dict(pairs_of(posts)) == {(1, 0): 195 / 215}
    state[len(quoted) : 2 * len(quoted)] = 1
    assert as_dict(pairs_of(posts, state=state)) == {(2, 1): 1.0}


def test_posts_that_take_no_part_are_in_no_pair() -> None:
    posts = [[1, 2, 3, 4, 5, 6]] * 4
    active = np.array([False, True, False, True])
    assert as_dict(pairs_of(posts, active=active)) == {(3, 1): 1.0}
    assert as_dict(pairs_of(posts, active=np.zeros(4, bool))) == {}
    assert as_dict(pairs_of([])) == {}
    assert as_dict(pairs_of([[], [], []])) == {}


def test_both_copies_pair_with_the_first() -> None:
    first = list(range(1, 101))
    posts = [first, [*first[:-3], 901, 902, 903], [904, 905, 906, *first[3:]]]
    found = as_dict(pairs_of(posts))
    assert {(1, 0), (2, 0)} <= set(found)


def test_a_bucket_of_copies_costs_one_comparison_each() -> None:
    posts = [list(range(1, 9))] * 20_000
    pairs = pairs_of(posts, Match())
    assert (pairs.compared, pairs.capped) == (19_999, 0)
    np.testing.assert_array_equal(pairs.posts, np.arange(1, 20_000))
    assert not pairs.earlier.any()


def test_a_bucket_of_strangers_stays_linear() -> None:
    count = 1000
    offsets, hashes = flat([[7, 10 * i, 10 * i + 1, 10 * i + 2] for i in range(count)])
    state = np.zeros(len(hashes), np.uint8)
    everyone = np.arange(count)
    bounds = np.array([0, count])
    pairs, similarities, capped = compare_buckets(
        everyone, bounds, np.zeros(64, np.int64), everyone, offsets, hashes, state, 2, 0.7
    )
    assert len(pairs) < MOST_LEADERS * count
    assert not (similarities >= 0.7).any()
    assert capped == count - MOST_LEADERS - 1


def test_buckets_hold_posts_of_one_key_in_order() -> None:
    keys = np.array([5, 0, 9, 5, 0, 7, 9, 5], np.uint64)
    buckets = find_buckets(keys)
    parts = np.split(buckets.members, buckets.bounds[1:-1])
    assert sorted(p.tolist() for p in parts) == [[0, 3, 7], [2, 6]]
    assert find_buckets(np.array([1, 2, 0, 0], np.uint64)).bounds.tolist() == [0]


def backwards(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
    return reversed([function(item) for item in reversed(list(items))])


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_who_runs_it_changes_nothing(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    posts = [rng.integers(1, 3, rng.integers(0, 12)).tolist() for _ in range(500)]
    expected = pairs_of(posts)
    monkeypatch.setattr(dedup.match, "_CHUNK", chunk)
    with ThreadPoolExecutor(3) as pool:
        for run in (map, backwards, pool.map):
            for one, other in zip(pairs_of(posts, run=run), expected, strict=True):
                np.testing.assert_array_equal(one, other)
