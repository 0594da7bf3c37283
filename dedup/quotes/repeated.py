"""What repeats because of who or where: signatures of authors, and stock text.

Both are counted over all posts and what earlier runs removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.arrays import looked_up
from dedup.config import Quotes
from dedup.engines.base import Engine
from dedup.index import Index
from dedup.quotes import within
from dedup.quotes.boilerplate import (
    MOST_COUNTED,
    StockTable,
    add_counts,
    common_shingles,
    count_ends,
    count_threads,
    counted_shingles,
    fill_stock_table,
    find_signatures,
    note_shingles,
    stock_spans,
)
from dedup.quotes.spans import SIGNATURE, Passages, without
from dedup.stage import SIGNATURE_PIECE

_NONE = np.zeros((0, 4), np.int64)
"""No signatures, as `find_signatures` gives them."""
_JOB_WORDS = 1 << 19
"""Words of the threads that one job takes; changes no result."""
_CELLS_SHARE = 64
"""Such a share of the memory, or two, are the cells that shingles are counted in first."""
JOB_POSTS = 1 << 15
"""Posts or passages that one job takes where they do not go by thread; changes no result."""
_ENDS_CELLS = 4
"""Cells for each post, or twice as many, that ends of posts are counted in."""


def thread_jobs(everything: Everything, job_words: int = _JOB_WORDS) -> Iterator[tuple[int, int]]:
    """Ranges of threads of about equally many words."""
    offsets = everything.thread_offsets
    words = np.diff(everything.offsets)[everything.posts]
    before = np.concatenate([[0], np.cumsum(words)])[offsets]
    first = 0
    while first < len(offsets) - 1:
        last = max(first + 1, int(np.searchsorted(before, before[first] + job_words)))
        last = min(last, len(offsets) - 1)
        yield first, last
        first = last


_Words: TypeAlias = (
    "tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint8], NDArray[np.int64]]"
)
"""Offsets, hashes, info, state and threads, as `find_signatures` takes them."""


def find_signed(index: Index, settings: Quotes, engine: Engine, advance: Callable[[int], None]) -> Passages:
    """Signatures: what ends the posts of an author in several threads."""
    everything, removed, count = _with_removed(index), index.removed, len(index.rank)
    posts = np.flatnonzero((index.authors >= 0) & ~index.empty & (index.stands_for == np.arange(count)))
    posts = np.append(posts, count + np.flatnonzero(removed.authors >= 0))
    authors = np.append(index.authors, removed.authors)
    # what was removed comes last: it is counted, and nobody's source
    ranks = np.append(index.rank, np.arange(count, len(authors)))
    words = everything.offsets, index.hashes, index.info, index.state, everything.thread_of
    step = partial(signatures_of, min_threads=settings.signature_threads)
    rounds = [_NONE]
    while len(posts):  # what stands above one signature may be another
        likely = posts[_end_alike(posts, authors, words, settings.signature_threads, engine)]
        likely = likely[np.lexsort((ranks[likely], authors[likely]))]
        parts = (_AuthorPosts(some, groups, *words) for some, groups in _by_author(likely, authors[likely]))
        found = np.concatenate([_NONE, *engine.map_parts(step, parts)])
        kinds = np.full(len(found), within.BOILERPLATE, np.uint8)
        within.set_state(index.state, found[:, 1], found[:, 2], kinds)
        if len(rounds) == 1:
            advance(len(posts))
        rounds.append(found)
        signed = np.zeros(int(authors.max()) + 1, np.bool_)
        signed[authors[found[:, 0]]] = True
        posts = posts[signed[authors[posts]]]
    found = _of_posts(np.concatenate(rounds), index)
    lengths = found[:, 2] - found[:, 1]
    spans = np.zeros((len(found), within.SPAN_COLUMNS), np.int64)
    spans[:, within.POST] = found[:, 0]
    spans[:, within.START] = found[:, 1]
    spans[:, within.END] = found[:, 2]
    spans[:, within.SOURCE] = np.searchsorted(index.offsets, found[:, 3], side="right") - 1
    spans[:, within.MATCHED] = lengths
    spans[:, within.FLAGS] = within.SAME_AUTHOR | SIGNATURE
    spans[:, within.FIRST_RUN] = np.arange(len(found))
    spans[:, within.LAST_RUN] = np.arange(len(found)) + 1
    return Passages(spans, np.stack([found[:, 1], found[:, 3], lengths], axis=1))


def _end_alike(
    posts: NDArray[np.int64], authors: NDArray[np.int32], words: _Words, min_posts: int, engine: Engine
) -> NDArray[np.bool_]:
    """Which posts end as enough others of their author do: no other has a signature, or counts for one. Here
    words are gone through as they lie, where `find_signatures` jumps from post to post."""
    most = min(min_posts, MOST_COUNTED)
    cells, look = _ENDS_CELLS << len(posts).bit_length(), words[:4]
    alike = np.zeros(len(posts), np.bool_)

    def counted(some: slice) -> NDArray[np.uint8]:
        counts = looked_up(cells, np.uint8)
        count_ends(posts[some], authors, *look, most, counts, alike[:0])
        return counts

    counts: NDArray[np.uint8] = reduce(_add, engine.map_kernels(counted, _shares(len(posts), engine)))

    def find(some: slice) -> None:
        count_ends(posts[some], authors, *look, most, counts, alike[some])

    for _ in engine.map_kernels(find, _pieces(len(posts), JOB_POSTS)):
        pass
    return alike


def _by_author(
    posts: NDArray[np.int64], authors: NDArray[np.int32]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Posts (int64 [n], by author) in pieces of whole authors, and where each author's begin in a piece."""
    groups = np.flatnonzero(np.diff(authors, prepend=-1, append=-1))
    cuts = np.searchsorted(groups[:-1], np.arange(0, len(posts), JOB_POSTS))
    for first, last in pairwise(np.unique(np.append(cuts, len(groups) - 1)).tolist()):
        begin, end = int(groups[first]), int(groups[last])
        yield posts[begin:end], groups[first : last + 1] - begin


class _AuthorPosts(NamedTuple):
    """Posts of some authors, and what they stand among (see `find_signatures`)."""

    posts: NDArray[np.int64]
    group_offsets: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    info: NDArray[np.uint16]
    state: NDArray[np.uint8]
    threads: NDArray[np.int64]


def signatures_of(part: _AuthorPosts, min_threads: int) -> NDArray[np.int64]:
    """The signatures of some authors, as `find_signatures` gives them."""
    found: NDArray[np.int64] = find_signatures(*part, min_threads)
    return found


class Everything(NamedTuple):
    """All posts, and behind them the removed pieces, as those who count in how many threads words stand
    see them. posts: int64, by thread; thread_offsets: int64 [threads + 1]; offsets: of their words."""

    posts: NDArray[np.int64]
    thread_offsets: NDArray[np.int64]
    thread_of: NDArray[np.int64]
    offsets: NDArray[np.int64]
    stands_for: NDArray[np.int64]


def posts_alone(index: Index) -> Everything:
    threads = index.threads
    return Everything(threads.posts, threads.offsets, threads.thread_of, index.offsets, index.stands_for)


def _with_removed(index: Index) -> Everything:
    threads, removed, count = index.threads, index.removed, len(index.rank)
    if not len(removed.kinds):
        return posts_alone(index)
    keep = index.scratch.copy
    thread_of = keep(np.append(threads.thread_of, removed.threads))
    placed = np.append(threads.posts, count + np.flatnonzero(removed.threads >= 0))
    posts = keep(placed[np.argsort(thread_of[placed], kind="stable")])
    return Everything(
        posts,
        keep(np.searchsorted(thread_of[posts], np.arange(int(thread_of.max(initial=-1)) + 2))),
        thread_of,
        keep(np.append(index.offsets, removed.offsets[1:])),
        keep(np.append(index.stands_for, np.arange(count, len(thread_of)))),
    )


def _of_posts(found: NDArray[np.int64], index: Index) -> NDArray[np.int64]:
    """The signatures of posts, of all that `find_signatures` found; those of removed pieces are out of the
    way, and one that no post has any more is none."""
    removed, end = index.removed, int(index.offsets[-1])
    gone = index.state[end:]
    gone[np.repeat(removed.kinds == SIGNATURE_PIECE, np.diff(removed.offsets))] = within.BOILERPLATE
    of_posts, has_source = found[:, 0] < len(index.rank), found[:, 3] < end
    for start, stop in found[of_posts & ~has_source][:, 1:3].tolist():
        index.state[start:stop] = within.OWN
    return found[of_posts & has_source]


def without_stock(
    passages: Passages, index: Index, settings: Quotes, engine: Engine, advance: Callable[[int], None]
) -> Passages:
    """Passages without stock text, whose words are own words again."""
    spans = passages.spans
    # quoted openly, or more of what is quoted openly
    announced = spans[:, within.FLAGS] & (within.ATTRIBUTED | within.IN_MARK | within.CHROME_BEFORE) != 0
    couples = spans[:, within.POST] * len(index.rank) + spans[:, within.SOURCE]
    announced |= np.isin(couples, couples[announced])
    doubtful = np.flatnonzero(~announced & (spans[:, within.SOURCE] >= 0))
    if not len(doubtful):
        return passages
    everything, removed = _with_removed(index), index.removed
    starts, ends = spans[doubtful, within.START], spans[doubtful, within.END]
    # hardly a shingle stands in many threads: those that may are found first, and counted exactly then
    total, short, shortest = map(int, counted_shingles(starts, ends))
    sizes = _filter_words(total), _filter_words(8 * short)

    def note(some: slice) -> list[NDArray[np.uint64]]:
        filters = [looked_up(size, np.uint64) for size in sizes]
        note_shingles(starts[some], ends[some], index.hashes, shortest, *filters)
        return filters

    noted = engine.map_kernels(note, _shares(len(starts), engine))
    bits, short_bits = (reduce(np.bitwise_or, filters) for filters in zip(*noted, strict=True))
    if engine.shared:  # it travels as a file
        bits = index.scratch.copy(bits)
    nothing = np.zeros(0, np.uint64)
    table = StockTable(nothing, bits, nothing, short_bits, shortest)
    cells = _count_all(table, _cells_for(total, index), everything, index, engine, advance)
    most = settings.stock_threads

    def common_of(some: slice) -> NDArray[np.uint64]:
        return _distinct(common_shingles(starts[some], ends[some], index.hashes, shortest, cells, most))

    common = _distinct(np.concatenate([*engine.map_kernels(common_of, _pieces(len(starts), JOB_POSTS))]))
    bits, leads = (np.zeros(_filter_words(len(common)), np.uint64) for _ in range(2))
    keys = index.scratch.zeros(1 << max(6, int(1.5 * len(common)).bit_length()), np.uint64)
    table = table._replace(keys=keys, bits=bits, leads=leads)
    fill_stock_table(common, table)
    counts = _count_all(table, len(table.keys), everything, index, engine)
    known = table, counts, index.hashes, most

    def are_stock(some: slice) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = stock_spans(starts[some], ends[some], *known)
        return found

    stock = doubtful[np.concatenate([*engine.map_kernels(are_stock, _pieces(len(starts), JOB_POSTS))])]
    removed.stock[:] = stock_spans(removed.offsets[:-1], removed.offsets[1:], *known)
    for start, end in spans[stock][:, [within.START, within.END]].tolist():
        index.state[start:end] = within.OWN
    return without(passages, stock, index.scratch.zeros)


def _filter_words(entries: int) -> int:
    """The size of a bit filter: 8 to 16 bits for each entry."""
    return 1 << max(0, entries.bit_length() - 3)


def _cells_for(shingles: int, index: Index) -> int:
    """How many cells tell common shingles from others: one for one or two of them, as far as memory goes."""
    return 1 << min(max(6, shingles.bit_length() - 1), (index.scratch.memory // _CELLS_SHARE).bit_length())


def _pieces(count: int, size: int) -> Iterator[slice]:
    for first in range(0, count, size):
        yield slice(first, first + size)


def _shares(count: int, engine: Engine) -> Iterator[slice]:
    """One for each worker: each has arrays of its own."""
    return _pieces(count, count // engine.workers + 1)


def _add(counts: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The sums of counts, up to MOST_COUNTED."""
    np.minimum(others, MOST_COUNTED - counts, out=others)
    return np.add(counts, others, out=counts)


def _distinct(shingles: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each of the shingles, as `common_shingles` has them, once."""
    return shingles[np.unique(shingles[:, 0], return_index=True)[1]]


def _count_all(
    table: StockTable,
    slots: int,
    everything: Everything,
    index: Index,
    engine: Engine,
    advance: Callable[[int], None] = lambda _: None,
) -> NDArray[np.uint8]:
    """What `count_threads` counts in all threads."""
    words = (
        everything.posts,
        everything.thread_offsets,
        everything.offsets,
        index.hashes,
        index.state,
        everything.stands_for,
    )
    # each job counts in arrays of its own, so there are no more of them than run at the same time
    jobs = list(thread_jobs(everything, len(index.hashes) // engine.parts + 1))
    parts = (_Threads(table, slots, first, last, *words) for first, last in jobs)
    counts = looked_up(slots, np.uint8)
    for (first, last), (met, times) in zip(jobs, engine.map_parts(count_part, parts), strict=True):
        add_counts(counts, met, times)
        advance(int(np.diff(index.threads.offsets)[first:last].sum()))
    return counts


class _Threads(NamedTuple):
    """Some of all threads, and what is counted in them (see `count_threads`)."""

    table: StockTable
    slots: int
    first: int
    last: int
    posts: NDArray[np.int64]
    thread_offsets: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    state: NDArray[np.uint8]
    stands_for: NDArray[np.int64]


def count_part(part: _Threads) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """What `count_threads` counts in some threads: the slots that are met, and their counts."""
    counts = looked_up(part.slots, np.uint8)
    count_threads(
        part.table,
        np.zeros(len(part.table.keys), np.int32),
        counts,
        part.posts,
        part.thread_offsets,
        part.first,
        part.last,
        part.offsets,
        part.hashes,
        part.state,
        part.stands_for,
    )
    met = np.flatnonzero(counts).astype(np.uint32)
    return met, counts[met]
