"""The quotes step: boilerplate, then passages within threads, then across them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Int64s, UInt32s
from dedup.clock import Watch, unwatched
from dedup.config import Quotes
from dedup.engines.base import Engine
from dedup.index import Index
from dedup.match import Pairs
from dedup.parts import Chosen, Repeated, choose, words_of
from dedup.quotes import across, within
from dedup.quotes.attribution import Names
from dedup.quotes.boilerplate import (
    MOST_COUNTED,
    StockTable,
    count_threads,
    counted_shingles,
    fill_stock_table,
    find_signatures,
    stock_spans,
)
from dedup.quotes.marks import Marks
from dedup.quotes.threads import WINDOW_POSTS
from dedup.stage import SIGNATURE_PIECE
from dedup.text.tokens import tokenize

SIGNATURE = 1 << 10
"""Flag of a span: a signature of its author."""
RESEMBLES = 1 << 11
"""Flag of a span found by aligning two resembling posts; it means nothing in a post with own words."""
PROTECTED = 1 << 14
"""Flag of a span: it holds a phrase that the user protects."""

_STEPS_PER_NAT = 8
_REPEAT_FACTOR = 3
"""People repeat themselves: a passage of the same author needs so many times the evidence."""
_JOB_WORDS = 1 << 19
"""Words of the threads that one job takes; changes no result."""
_JOB_POSTS = 1 << 15
"""Posts that one job takes where they do not go by thread; changes no result."""
_JOB_SEEDS = 1 << 14
"""Seeds that one job grows; changes no result."""
_PIECE = 1 << 23
"""Fingerprints that are put away together."""
FINGERPRINTS = pa.schema([("key", pa.int64()), ("place", pa.int64()), ("thread", pa.int64())])
"""Rows of `fingerprint_part`; keys are signed, as Spark knows no others. place: a word's, among all."""


class Passages(NamedTuple):
    """Copied passages: spans int64 [m, 9] and their exact runs int64 [r, 3] (see `quotes.within`)."""

    spans: NDArray[np.int64]
    runs: NDArray[np.int64]


NOTHING = Passages(np.zeros((0, within.SPAN_COLUMNS), np.int64), np.zeros((0, 3), np.int64))


def find_passages(index: Index, settings: Quotes, engine: Engine, watch: Watch = unwatched) -> Passages:
    """All copied passages of all posts; `index.state` says afterwards which words are own."""
    total = len(index.rank)
    with watch("signatures", total, "posts") as bar:
        signatures = _signatures(index, settings, engine, bar.advance)
    with watch("quotes", total, "posts") as bar:
        copies = [_within_threads(index, settings, engine, bar.advance)]
    if settings.across_threads:
        with watch("across threads", total, "posts") as bar:
            copies += _across_threads(index, settings, engine, bar.advance)
    with watch("stock text", total, "posts") as bar:
        found = _without_stock(join(copies), index, settings, engine, bar.advance)
    return _without_found(join([signatures, found]))


def align_pairs(index: Index, pairs: Pairs, settings: Quotes) -> Passages:
    """What each post of a verified pair has in common with the earlier one, as passages."""
    # of several earlier posts rather one that is no copy itself, then the earliest
    second_hand = np.isin(pairs.earlier, pairs.posts)
    order = np.lexsort((index.rank[pairs.earlier], second_hand, pairs.posts))
    posts, first = np.unique(pairs.posts[order], return_index=True)
    couples = np.stack([pairs.earlier[order][first], posts], axis=1)
    # one after the other: the earlier post of one pair may be the later one of another
    evidence = _STEPS_PER_NAT * 6
    found = _search(
        index,
        index.names,
        settings,
        couples.reshape(-1),
        np.arange(0, 2 * len(couples) + 1, 2),
        np.zeros(len(couples), np.int64),
        evidence,
        evidence,
        3,
        1,
    )
    found = join([Passages(found.spans[found.spans[:, within.SOURCE] >= 0], found.runs)])
    found.spans[:, within.FLAGS] |= RESEMBLES
    other = index.threads.thread_of
    elsewhere = other[found.spans[:, within.POST]] != other[found.spans[:, within.SOURCE]]
    found.spans[elsewhere, within.FLAGS] |= within.ACROSS
    return found


def _without_found(passages: Passages) -> Passages:
    """Passages without quotes of a missing source that was found in another thread."""
    spans = passages.spans
    missing = np.flatnonzero(spans[:, within.SOURCE] < 0)
    if not len(missing):
        return passages
    others = spans[spans[:, within.SOURCE] >= 0]  # sorted by position, none overlaps another
    first = np.searchsorted(others[:, within.END], spans[missing, within.START], side="right")
    starts = np.append(others[:, within.START], np.iinfo(np.int64).max)
    found = starts[first] < spans[missing, within.END]
    return Passages(np.delete(spans, missing[found], axis=0), passages.runs)


def protect(index: Index, passages: Passages, phrases: list[str]) -> Passages:
    """Flags passages that hold one of the phrases: they stay."""
    tokens = tokenize(pa.array(phrases, pa.string()))
    spans = index.scratch.zeros(passages.spans.shape, np.int64)
    spans[:] = passages.spans
    for number in range(len(phrases)):
        phrase = tokens.hashes[tokens.offsets[number] : tokens.offsets[number + 1]]
        if len(phrase):
            spans[holds_phrase(index.hashes, spans, phrase), within.FLAGS] |= PROTECTED
    return Passages(spans, passages.runs)


@njit(nogil=True, cache=True)
def holds_phrase(hashes: UInt32s, spans: Int64s, phrase: UInt32s) -> Any:
    """Which spans hold a run of words: bool [spans]."""
    found = np.zeros(spans.shape[0], np.bool_)
    for s in range(spans.shape[0]):
        for at in range(spans[s, 1], spans[s, 2] - phrase.shape[0] + 1):
            same = 0
            while same < phrase.shape[0] and hashes[at + same] == phrase[same]:
                same += 1
            if same == phrase.shape[0]:
                found[s] = True
                break
    return found


def join(parts: list[Passages]) -> Passages:
    """Several sets of passages as one, sorted by (post, start)."""
    parts = [part for part in parts if len(part.spans)]
    if not parts:
        return NOTHING
    base = 0
    spans = []
    for part in parts:
        moved = part.spans.copy()
        moved[:, within.FIRST_RUN] += base
        moved[:, within.LAST_RUN] += base
        base += len(part.runs)
        spans.append(moved)
    all_spans = np.concatenate(spans)
    order = np.lexsort((all_spans[:, within.START], all_spans[:, within.POST]))
    return Passages(all_spans[order], np.concatenate([part.runs for part in parts]))


def _search(
    words: Index | ThreadWords,
    names: Names,
    settings: Quotes,
    posts: NDArray[np.int64],
    thread_offsets: NDArray[np.int64],
    windows: NDArray[np.int64],
    min_evidence: int,
    min_evidence_lines: int,
    min_words: int,
    repeat_factor: int,
) -> Passages:
    return Passages(
        *within.find_within(
            posts,
            thread_offsets,
            windows,
            words.offsets,
            words.hashes,
            words.info,
            words.state,
            words.authors,
            words.author_names,
            names.keys,
            names.verbs,
            names.nouns,
            names.closers,
            *words.marks,
            words.stands_for,
            min_words,
            min_evidence,
            min_evidence_lines,
            settings.max_gap_words,
            repeat_factor,
            within.MARK_FLAGS if settings.use_marks else 0,
        )
    )


class ThreadWords(NamedTuple):
    """Whole threads that lie side by side, with all that the search within threads looks at.

    Posts and words are counted from the first; the fields are those of `Index` and of `Threads`.
    stands_for: int64, -1 for a post that stands for another.
    """

    first_post: int
    first_word: int
    threads: NDArray[np.int64]
    windowed: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    info: NDArray[np.uint16]
    state: NDArray[np.uint8]
    authors: NDArray[np.int32]
    author_names: NDArray[np.uint64]
    marks: Marks
    stands_for: NDArray[np.int64]


class Found(NamedTuple):
    """Passages of a part, counted as its posts and words are, and what its words are now."""

    posts: int
    first_post: int
    first_word: int
    passages: Passages
    state: NDArray[np.uint8]


def _within_threads(
    index: Index, settings: Quotes, engine: Engine, advance: Callable[[int], None]
) -> Passages:
    search = partial(search_threads, settings=settings, names=index.names)
    parts = (_threads_of(index, *job) for job in _jobs(_posts_alone(index)))
    passages: list[Passages] = []
    for found in engine.map_parts(search, parts):
        passages.append(_put_back(index, found))
        advance(found.posts)
    return join(passages)


def _threads_of(index: Index, first: int, last: int) -> ThreadWords:
    """The threads first:last: their posts lie side by side, and so do the words of these."""
    threads, marks = index.threads, index.marks
    posts = slice(int(threads.offsets[first]), int(threads.offsets[last]))
    words = slice(int(index.offsets[posts.start]), int(index.offsets[posts.stop]))
    mark_offsets = marks.offsets[posts.start : posts.stop + 1]
    marked = slice(int(mark_offsets[0]), int(mark_offsets[-1]))
    numbers = np.arange(posts.stop - posts.start)
    return ThreadWords(
        posts.start,
        words.start,
        threads.offsets[first : last + 1] - posts.start,
        threads.windowed[first:last],
        index.offsets[posts.start : posts.stop + 1] - words.start,
        index.hashes[words],
        index.info[words],
        index.state[words],
        index.authors[posts],
        index.author_names[posts],
        Marks(mark_offsets - marked.start, marks.spans[marked] - words.start, marks.names[marked]),
        np.where(index.stands_for[posts] == numbers + posts.start, numbers, -1),
    )


def search_threads(part: ThreadWords, settings: Quotes, names: Names) -> Found:
    """The copied passages of whole threads."""
    part = part._replace(state=part.state.copy())
    passages = _search(
        part,
        names,
        settings,
        np.arange(len(part.authors)),
        part.threads,
        np.where(part.windowed, WINDOW_POSTS, 0),
        round(settings.min_evidence * _STEPS_PER_NAT),
        round(settings.min_evidence_lines * _STEPS_PER_NAT),
        settings.min_words,
        _REPEAT_FACTOR,
    )
    return Found(len(part.authors), part.first_post, part.first_word, passages, part.state)


def _put_back(index: Index, found: Found) -> Passages:
    """The passages of a part as those of the index, which takes over what its words are."""
    index.state[found.first_word : found.first_word + len(found.state)] = found.state
    spans, runs = found.passages.spans.copy(), found.passages.runs.copy()
    runs[:, [within.RUN_START, within.RUN_SOURCE_START]] += found.first_word
    spans[:, [within.START, within.END]] += found.first_word
    spans[:, within.POST] += found.first_post
    spans[spans[:, within.SOURCE] >= 0, within.SOURCE] += found.first_post
    return Passages(spans, runs)


def _jobs(everything: _Everything, job_words: int = _JOB_WORDS) -> Iterator[tuple[int, int]]:
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


def _signatures(index: Index, settings: Quotes, engine: Engine, advance: Callable[[int], None]) -> Passages:
    everything, removed, count = _with_removed(index), index.removed, len(index.rank)
    mine = np.flatnonzero((index.authors >= 0) & ~index.empty & (index.stands_for == np.arange(count)))
    mine = np.append(mine, count + np.flatnonzero(removed.authors >= 0))
    authors = np.append(index.authors, removed.authors)
    # what was removed comes last: it is counted, and nobody's source
    order = np.lexsort((np.append(index.rank, np.arange(count, len(authors)))[mine], authors[mine]))
    posts = mine[order]
    groups = np.flatnonzero(np.diff(authors[posts], prepend=-1, append=-1))
    words = everything.offsets, index.hashes, index.info, index.state, everything.thread_of
    cuts = np.searchsorted(groups[:-1], np.arange(0, len(posts), _JOB_POSTS))
    cuts = np.unique(np.append(cuts, len(groups) - 1))

    def of_authors() -> Iterator[_AuthorPosts]:
        for first, last in pairwise(cuts.tolist()):
            begin, end = int(groups[first]), int(groups[last])
            yield _AuthorPosts(posts[begin:end], groups[first : last + 1] - begin, *words)

    step = partial(signatures_of, min_threads=settings.signature_threads)
    parts: list[NDArray[np.int64]] = []
    for last, part in zip(cuts[1:], engine.map_parts(step, of_authors()), strict=True):
        parts.append(part)
        advance(int(groups[last]) - int(groups[cuts[len(parts) - 1]]))
    if not parts:
        return NOTHING
    found = np.concatenate(parts)
    within.set_state(index.state, found[:, 1], found[:, 2], np.full(len(found), within.BOILERPLATE, np.uint8))
    found = _of_posts(found, index)
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
    rounds: list[NDArray[np.int64]] = []
    while not rounds or len(rounds[-1]):  # what stands above one signature may be another
        rounds.append(find_signatures(*part, min_threads))
    return np.concatenate(rounds)


class _Everything(NamedTuple):
    """All posts, and behind them the removed pieces, as those who count in how many threads words stand
    see them. posts: int64, by thread; thread_offsets: int64 [threads + 1]; offsets: of their words."""

    posts: NDArray[np.int64]
    thread_offsets: NDArray[np.int64]
    thread_of: NDArray[np.int64]
    offsets: NDArray[np.int64]
    stands_for: NDArray[np.int64]


def _posts_alone(index: Index) -> _Everything:
    threads = index.threads
    return _Everything(threads.posts, threads.offsets, threads.thread_of, index.offsets, index.stands_for)


def _with_removed(index: Index) -> _Everything:
    threads, removed, count = index.threads, index.removed, len(index.rank)
    if not len(removed.kinds):
        return _posts_alone(index)
    keep = index.scratch.copy
    thread_of = keep(np.append(threads.thread_of, removed.threads))
    placed = np.append(threads.posts, count + np.flatnonzero(removed.threads >= 0))
    posts = keep(placed[np.argsort(thread_of[placed], kind="stable")])
    return _Everything(
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


def _without_stock(
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
    total, short, shortest = counted_shingles(starts, ends)
    slots = 1 << max(6, int(1.5 * total).bit_length())
    zeros = index.scratch.zeros
    short_bits = np.zeros(1 << int(short).bit_length(), np.uint64)
    table = StockTable(zeros(slots, np.uint64), zeros(slots // 16, np.uint64), short_bits, shortest)
    fill_stock_table(starts, ends, index.hashes, shortest, table.keys, table.bits, table.short_bits)

    words = (
        everything.posts,
        everything.thread_offsets,
        everything.offsets,
        index.hashes,
        index.state,
        everything.stands_for,
    )
    # each job counts in arrays of its own, so there are no more of them than run at the same time
    jobs = list(_jobs(everything, len(index.hashes) // engine.parts + 1))
    parts = (_Threads(table, first, last, *words) for first, last in jobs)
    # elsewhere they are in memory
    count = count_part if engine.shared else partial(count_part, zeros=zeros)
    counts = zeros(slots, np.uint8)
    for (first, last), part in zip(jobs, engine.map_parts(count, parts), strict=True):
        slots_met, met = part
        counts[slots_met] = np.minimum(counts[slots_met].astype(np.int64) + met, MOST_COUNTED)
        advance(int(np.diff(index.threads.offsets)[first:last].sum()))

    def is_stock(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        stock: NDArray[np.bool_] = stock_spans(
            starts, ends, table.keys, counts, index.hashes, settings.stock_threads
        )
        return stock

    stock = doubtful[is_stock(starts, ends)]
    removed.stock[:] = is_stock(removed.offsets[:-1], removed.offsets[1:])
    for start, end in spans[stock][:, [within.START, within.END]].tolist():
        index.state[start:end] = within.OWN
    return Passages(np.delete(spans, stock, axis=0), passages.runs)


class _Threads(NamedTuple):
    """Some of all threads, and what is counted in them (see `count_threads`)."""

    table: StockTable
    first: int
    last: int
    posts: NDArray[np.int64]
    thread_offsets: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    state: NDArray[np.uint8]
    stands_for: NDArray[np.int64]


def count_part(
    part: _Threads, zeros: Callable[..., NDArray[Any]] = np.zeros
) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """In how many of some threads the shingles of a table stand: those slots that are met, and the counts."""
    slots = len(part.table.keys)
    counts = zeros(slots, np.uint8)
    count_threads(
        *part.table,
        zeros(slots, np.int32),
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


def _across_threads(
    index: Index, settings: Quotes, engine: Engine, advance: Callable[[int], None]
) -> list[Passages]:
    keys, places = _fingerprints(index, settings, engine, advance)
    owners = np.searchsorted(index.offsets, places, side="right") - 1
    order = np.lexsort((places, index.rank[owners], keys))
    seeds, sources, _ = across.link(
        keys[order], owners[order], places[order], index.threads.thread_of, settings.stock_threads
    )
    order = np.lexsort((seeds[:, 1], index.rank[seeds[:, 0]]))
    seeds, sources = seeds[order], sources[order]
    # those of one post stay together: what the first explains the others do not
    firsts = np.flatnonzero(np.diff(seeds[:, 0], prepend=-1))
    begins = np.unique(np.searchsorted(firsts, np.arange(0, len(seeds), _JOB_SEEDS)))
    cuts = firsts[begins[begins < len(firsts)]]  # the seeds of the last post may be many
    words = index.offsets, index.hashes, index.info, index.state, index.authors
    parts = (
        _Seeds(seeds[first:last], sources[first:last], *words)
        for first, last in pairwise([*cuts.tolist(), len(seeds)])
    )
    found = list(engine.map_parts(partial(grow_part, settings=settings), parts))
    for spans, _ in found:
        is_code = spans[:, within.FLAGS] & within.IS_CODE != 0
        kinds = np.where(is_code, within.CODE_COPY, within.COPIED).astype(np.uint8)
        within.set_state(index.state, spans[:, within.START], spans[:, within.END], kinds)
    return found


class _Seeds(NamedTuple):
    """Seeds of some posts, and what they stand among (see `across.grow_seeds`)."""

    seeds: NDArray[np.int64]
    sources: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    info: NDArray[np.uint16]
    state: NDArray[np.uint8]
    authors: NDArray[np.int32]


def grow_part(part: _Seeds, settings: Quotes) -> Passages:
    """The passages that the seeds of some posts grow to."""
    evidence = round(settings.min_evidence * _STEPS_PER_NAT)
    return Passages(*across.grow_seeds(*part, settings.across_min_words, evidence, settings.max_gap_words))


class _FingerprintPart(NamedTuple):
    chosen: Chosen
    threads: NDArray[np.int64]  # of all posts of the part


def _fingerprints(
    index: Index, settings: Quotes, engine: Engine, advance: Callable[[int], None]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The fingerprints that stand in the posts more often than once, as hashes and word positions.

    Those that are in one thread alone, or in too many, may be left out: they lead nowhere.
    """
    posts = len(index.rank)
    chosen = (index.stands_for == np.arange(posts)) & ~index.empty
    words = index.offsets, index.hashes, index.state

    def parts() -> Iterator[_FingerprintPart]:
        for first in range(0, posts, _JOB_POSTS):
            last = min(first + _JOB_POSTS, posts)
            part = choose(words_of(*words, first, last), chosen)
            yield _FingerprintPart(part, index.threads.thread_of[first:last])
            advance(last - first)

    # hardly a fingerprint stands twice: some bits for each of them spare most of the sorting
    cells = 1 << max(4, len(index.hashes).bit_length() - 7)
    once, twice = np.zeros(cells, np.uint64), np.zeros(cells, np.uint64)
    pieces: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    rows: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    wanted = Repeated(["key"], "thread", settings.stock_threads)
    for batch in engine.map_rows(fingerprint_part, parts(), wanted):
        keys, places = batch["key"].to_numpy().view(np.uint64), batch["place"].to_numpy()
        across.note_seen(keys, once, twice)
        rows.append((keys, places))
        if sum(len(keys) for keys, _ in rows) >= _PIECE:
            pieces.append(_gathered(rows, index))
            rows = []
    if rows:
        pieces.append(_gathered(rows, index))
    repeated = [across.were_repeated(keys, twice) for keys, _ in pieces]
    if not repeated:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return (
        np.concatenate([keys[taken] for (keys, _), taken in zip(pieces, repeated, strict=True)]),
        np.concatenate([places[taken] for (_, places), taken in zip(pieces, repeated, strict=True)]),
    )


def fingerprint_part(part: _FingerprintPart) -> pa.RecordBatch:
    """The fingerprints of some posts' own words, one row (FINGERPRINTS) each."""
    words = part.chosen.words
    keys, places = across.fingerprint(part.chosen.posts, words.offsets, words.hashes, words.state)
    threads = part.threads[np.searchsorted(words.offsets, places, side="right") - 1]
    return pa.record_batch([keys.view(np.int64), places + words.first_word, threads], schema=FINGERPRINTS)


def _gathered(
    parts: list[tuple[NDArray[np.uint64], NDArray[np.int64]]], index: Index
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Parts as one piece, in a file if it is large."""
    return index.scratch.gather([keys for keys, _ in parts]), index.scratch.gather([at for _, at in parts])
