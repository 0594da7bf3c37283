"""The order of posts: against a slow, obvious one, and its promises."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.ids import codes, hash_column
from dedup.order import MISSING, date_sources, order_posts, read_times

KERNELS = settings(deadline=None)  # the first example waits for a compiler

Dump = list[tuple[int | None, int, int, int]]


@st.composite
def dumps(draw: st.DrawFn, circles: bool = True) -> Dump:
    """Posts as (time or None, thread, parent, path)."""
    count = draw(st.integers(0, 12))
    parents = [draw(st.integers(-1, count - 1)) for _ in range(count)]
    if not circles:  # parents come earlier in a shuffled list, not in the dump
        shuffled = draw(st.permutations(range(count)))
        places = [draw(st.integers(-1, place - 1)) for place in range(count)]
        for place, post in enumerate(shuffled):
            parents[post] = shuffled[places[place]] if places[place] >= 0 else -1
    times = st.one_of(st.none(), st.integers(-3, 3))
    return [(draw(times), draw(st.integers(-1, 2)), parent, draw(st.integers(0, 1))) for parent in parents]


def rank_of(dump: Dump) -> list[int]:
    times = np.array([MISSING if time is None else time for time, _, _, _ in dump], np.int64)
    threads, parents, paths = (np.array([row[i] for row in dump], np.int64) for i in (1, 2, 3))
    return order_posts(times, threads, parents, paths.astype(np.int32)).tolist()


def slow_times(dump: Dump) -> list[int]:
    def key(post: int) -> tuple[str, int]:
        _, thread, _, path = dump[post]
        return ("thread", thread) if thread >= 0 else ("file", path)

    filled: list[int] = []
    for post, (time, _, _, path) in enumerate(dump):
        known = [i for i in range(len(dump)) if key(i) == key(post) and dump[i][0] is not None]
        before = [i for i in known if i <= post]
        in_file = [i for i in range(post) if dump[i][3] == path]
        if time is None and (before or known):
            time = dump[before[-1] if before else known[0]][0]
        if time is None:
            time = filled[in_file[-1]] if in_file else MISSING
        filled.append(time)
    return filled


def slow_rank(dump: Dump) -> list[int]:
    times = slow_times(dump)
    parents = [-1 if parent == post else parent for post, (_, _, parent, _) in enumerate(dump)]

    def circle(post: int) -> list[int]:
        walk = [parents[post]]
        while walk[-1] not in (-1, post) and len(walk) <= len(dump):
            walk.append(parents[walk[-1]])
        return walk if walk[-1] == post else []

    for post in range(len(dump)):
        if members := circle(post):
            parents[min(members, key=lambda member: (times[member], member))] = -1

    def key(post: int) -> tuple[int, int, int]:
        own = (times[post], post, 0)
        if parents[post] < 0:
            return own
        time, anchor, level = key(parents[post])
        if own > (time, anchor, level):
            return own
        return (time, post, 0) if post > anchor else (time, anchor, level + 1)

    order = sorted(range(len(dump)), key=lambda post: (key(post), post))
    return [order.index(post) for post in range(len(dump))]


@settings(KERNELS, max_examples=400)
@given(dumps())
def test_the_order_is_that_of_a_slow_and_obvious_one(dump: Dump) -> None:
    assert rank_of(dump) == slow_rank(dump)


@KERNELS
@given(dumps())
def test_every_post_has_its_own_place(dump: Dump) -> None:
    assert sorted(rank_of(dump)) == list(range(len(dump)))


@KERNELS
@given(dumps(circles=False))
def test_parents_come_before_their_children(dump: Dump) -> None:
    rank = rank_of(dump)
    assert all(parent < 0 or rank[parent] < rank[post] for post, (_, _, parent, _) in enumerate(dump))


@KERNELS
@given(dumps(circles=False))
def test_without_parents_time_and_position_decide(dump: Dump) -> None:
    dump = [(time, thread, -1, path) for time, thread, _, path in dump]
    rank, times = rank_of(dump), slow_times(dump)
    assert sorted(range(len(dump)), key=rank.__getitem__) == sorted(
        range(len(dump)), key=lambda post: (times[post], post)
    )


def test_a_child_with_a_slow_clock_moves_behind_its_parent() -> None:
    dump: Dump = [(5, 0, 2, 0), (7, 0, -1, 0), (7, 0, -1, 0), (7, 0, -1, 0)]
    assert rank_of(dump) == [2, 0, 1, 3]


def test_a_long_chain_of_parents_is_no_problem() -> None:
    count = 100_000
    parents = np.arange(1, count + 1)
    parents[-1] = -1
    rank = order_posts(
        np.zeros(count, np.int64), np.zeros(count, np.int64), parents, np.zeros(count, np.int32)
    )
    assert (rank == np.arange(count)[::-1]).all()


def test_times_are_read_source_by_source_across_batches() -> None:
    rows = [
        ("a", "2004-05-06 07:08:09"),
        ("a", None),
        ("b", "1083827289"),
        ("b", "1083827290"),
        ("a", "2004-05-06 07:08:10"),
        ("c", None),
        ("c", None),
    ]
    path, created = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
    whole = pa.record_batch({"path": path, "created": created})
    for cut in range(len(rows) + 1):
        batches = [whole.slice(0, cut), whole.slice(cut)]
        times = read_times(batches, codes(hash_column(batches, "path"))).tolist()
        assert times == [1083827289, MISSING, 1083827289, 1083827290, 1083827290, MISSING, MISSING]


def test_small_files_of_a_board_share_a_date_format() -> None:
    rows = [
        ("a", "x.org/7", "03/04/2010"),
        ("b", "x.org/8", "25/04/2010"),
        ("c", "y.org/7", "03/04/2010 1:00 pm"),
        ("d", None, "03/04/2010"),
        ("e", "9", "04/25/2010"),
    ]
    batches = [
        pa.RecordBatch.from_arrays(
            [pa.array([value], pa.string()) for value in row], ["path", "thread_id", "created"]
        )
        for row in rows
    ]
    sources = date_sources(batches, codes(hash_column(batches, "path")))
    assert sources.tolist() == [0, 0, 2, 3, 4]
    days = [time // 86400 for time in read_times(batches, sources).tolist()]
    assert days[0] == days[3] == days[2] + 30  # 3 April; for y.org it is 4 March
