"""Which posts make a thread: against a slow, obvious grouping."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.order import MISSING, order_posts
from dedup.quotes.threads import TITLE_GAP, Threads, group_threads, title_key

KERNELS = settings(deadline=None)  # the first example waits for a compiler

DAY = 24 * 3600


class Post(NamedTuple):
    thread: int = -1
    parent: int = -1
    path: int = 0
    title: int = 0
    time: int | None = None
    is_page: bool = False


@st.composite
def dumps(draw: st.DrawFn) -> list[Post]:
    count = draw(st.integers(0, 12))
    pages = draw(st.lists(st.booleans(), min_size=3, max_size=3))
    posts = []
    for _ in range(count):
        path = draw(st.integers(0, 2))
        posts.append(
            Post(
                thread=draw(st.sampled_from([-1, -1, 0, 1])),
                parent=draw(st.one_of(st.just(-1), st.integers(-1, count - 1))),
                path=path,
                title=draw(st.integers(0, 2)),
                time=draw(st.one_of(st.none(), st.integers(0, 5).map(lambda step: step * 16 * DAY))),
                is_page=pages[path],
            )
        )
    return posts


def arrays_of(posts: list[Post]) -> dict[str, np.ndarray]:
    arrays = {
        "thread_codes": np.array([post.thread for post in posts], np.int32),
        "parents": np.array([post.parent for post in posts], np.int64),
        "path_codes": np.array([post.path for post in posts], np.int32),
        "title_hashes": np.array([post.title for post in posts], np.uint64),
        "times": np.array([MISSING if post.time is None else post.time for post in posts], np.int64),
        "is_page": np.array([post.is_page for post in posts], np.bool_),
    }
    arrays["rank"] = order_posts(
        arrays["times"], arrays["thread_codes"], arrays["parents"], arrays["path_codes"]
    )
    return arrays


def threads_of(posts: list[Post]) -> Threads:
    return group_threads(**arrays_of(posts))


def as_lists(threads: Threads) -> list[tuple[list[int], bool]]:
    posts, offsets = threads.posts.tolist(), threads.offsets.tolist()
    return [
        (posts[offsets[i] : offsets[i + 1]], bool(threads.windowed[i])) for i in range(len(threads.windowed))
    ]


def slow_threads(posts: list[Post], rank: list[int]) -> list[tuple[list[int], bool]]:
    everyone = sorted(range(len(posts)), key=rank.__getitem__)
    linked = {i for i, post in enumerate(posts) if post.parent >= 0}
    linked |= {post.parent for post in posts if post.parent >= 0}
    loose = [i for i in everyone if posts[i].thread < 0 and i not in linked and not posts[i].is_page]
    window = [i for i in loose if not posts[i].title]
    joined = [{i} for i in everyone]
    joined += [{i, post.parent} for i, post in enumerate(posts) if post.parent >= 0]
    joined += [{i for i in everyone if posts[i].thread == thread >= 0} for thread in range(2)]
    for path in range(3):
        joined.append(
            {i for i in everyone if posts[i].path == path and posts[i].is_page and posts[i].thread < 0}
        )
        for title in (1, 2):
            before: int | None = None
            run: set[int] = set()
            for i in (i for i in loose if posts[i].title == title and posts[i].path == path):
                time = before if posts[i].time is None else posts[i].time
                if before is not None and time is not None and time - before > TITLE_GAP:
                    joined.append(run)
                    run = set()
                run.add(i)
                before = time
            joined.append(run)
    joined.append(set(window))
    components: list[set[int]] = []
    for members in filter(None, joined):
        touching = [component for component in components if component & members]
        components = [component for component in components if not component & members]
        components.append(members.union(*touching))
    ordered = sorted(sorted(component, key=rank.__getitem__) for component in components)
    ordered.sort(key=lambda component: rank[component[0]])
    return [(component, component[0] in window) for component in ordered]


@settings(KERNELS, max_examples=250)
@given(dumps())
def test_threads_are_those_of_a_slow_and_obvious_grouping(posts: list[Post]) -> None:
    threads = threads_of(posts)
    assert as_lists(threads) == slow_threads(posts, arrays_of(posts)["rank"].tolist())
    for number, (members, _) in enumerate(as_lists(threads)):
        assert (threads.thread_of[members] == number).all()


@pytest.mark.parametrize(
    ("posts", "threads"),
    [
        # thread ids and parent links work together
        ([Post(thread=4), Post(parent=0), Post(thread=4), Post(parent=1)], [([0, 1, 2, 3], False)]),
        # a page is a thread, whether or not some of its posts know their parents
        (
            [Post(is_page=True, title=1), Post(is_page=True, parent=0), Post(is_page=True)],
            [([0, 1, 2], False)],
        ),
        # equal titles of two sources are two threads
        ([Post(title=1), Post(title=1, path=1), Post(title=1)], [([0, 2], False), ([1], False)]),
        # the gap counts from the post before, not from the first
        ([Post(title=1, time=day * DAY) for day in (0, 30, 60, 91)], [([0, 1, 2], False), ([3], False)]),
        # what is left shares one window, across sources
        ([Post(), Post(path=1), Post(title=1), Post(path=2)], [([0, 1, 3], True), ([2], False)]),
        ([], []),
    ],
)
def test_what_makes_a_thread(posts: list[Post], threads: list[tuple[list[int], bool]]) -> None:
    assert as_lists(threads_of(posts)) == threads


@pytest.mark.parametrize(
    "title",
    [
        "Which lens for birds?",
        "Re: Which lens for birds?",
        "RE: AW: Re[2]: Which lens for birds?",
        "Fwd: [photo-list] Re: which  LENS for birds? ",
        "[photo-list] Antw: Which lens\tfor birds?",
        "  Re :\u00a0Which lens for birds?",
        "回复：Which lens for birds?",
    ],
)
def test_titles_of_one_thread_are_equal(title: str) -> None:
    assert title_key(pa.array([title]))[0] == title_key(pa.array(["which lens for birds?"]))[0]


def test_other_titles_are_not() -> None:
    titles = ["Which lens?", "Which lens", "Reply: which lens?", "Research: lenses", "Re-entry", "Entry"]
    assert len(set(title_key(pa.array(titles)).tolist())) == len(titles)


@KERNELS
@given(
    st.lists(st.sampled_from([None, "", "Lens", "lens ", "Re: lens", "Birds"]), max_size=8), st.integers(0, 8)
)
def test_title_keys_do_not_depend_on_their_neighbours(titles: list[str | None], cut: int) -> None:
    alone = [int(title_key(pa.array([title], pa.string()))[0]) for title in titles]
    assert title_key(pa.array(titles, pa.string())[cut:]).tolist() == alone[cut:]


def test_no_title_is_no_thread() -> None:
    assert not title_key(pa.array([None, "", " \u00a0", "Re: ", "[list] AW:"], pa.string())).any()
