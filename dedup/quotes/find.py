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

from dedup.arrays import Int64s, UInt32s, note_seen, were_repeated
from dedup.clock import Watch, unwatched
from dedup.config import Quotes
from dedup.engines.base import Engine
from dedup.index import Index
from dedup.match import Pairs
from dedup.parts import Chosen, Repeated, choose, words_of
from dedup.quotes import across, within
from dedup.quotes.attribution import Names
from dedup.quotes.marks import Marks
from dedup.quotes.repeated import JOB_POSTS, find_signed, posts_alone, thread_jobs, without_stock
from dedup.quotes.spans import PROTECTED, RESEMBLES, Passages, join, without
from dedup.quotes.threads import WINDOW_POSTS
from dedup.text.tokens import tokenize

_STEPS_PER_NAT = 8
_REPEAT_FACTOR = 3
"""People repeat themselves: a passage of the same author needs so many times the evidence."""
_JOB_SEEDS = 1 << 14
"""Seeds that one job grows; changes no result."""
_PIECE = 1 << 23
"""Fingerprints that are put away together."""
FINGERPRINTS = pa.schema([("key", pa.int64()), ("place", pa.int64()), ("thread", pa.int64())])
"""Rows of `fingerprint_part`; keys are signed, as Spark knows no others. place: a word's, among all."""


def find_passages(index: Index, settings: Quotes, engine: Engine, watch: Watch = unwatched) -> Passages:
    """All copied passages of all posts; `index.state` says afterwards which words are own."""
    total = len(index.rank)
    with watch("signatures", total, "posts") as bar:
        signatures = find_signed(index, settings, engine, bar.advance)
    with watch("quotes", total, "posts") as bar:
        copies = [_within_threads(index, settings, engine, bar.advance)]
    if settings.across_threads:
        with watch("across threads", total, "posts") as bar:
            copies += _across_threads(index, settings, engine, bar.advance)
    zeros = index.scratch.zeros
    with watch("stock text", total, "posts") as bar:
        found = without_stock(join(copies, zeros), index, settings, engine, bar.advance)
    return _without_found(join([signatures, found], zeros), index)


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


def _without_found(passages: Passages, index: Index) -> Passages:
    """Passages without quotes of a missing source that was found in another thread."""
    spans = passages.spans
    missing = np.flatnonzero(spans[:, within.SOURCE] < 0)
    if not len(missing):
        return passages
    others = spans[:, within.SOURCE] >= 0  # sorted by position, none overlaps another
    first = np.searchsorted(spans[others, within.END], spans[missing, within.START], side="right")
    starts = np.append(spans[others, within.START], np.iinfo(np.int64).max)
    found = starts[first] < spans[missing, within.END]
    return without(passages, missing[found], index.scratch.zeros)


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
    parts = (_threads_of(index, *job) for job in thread_jobs(posts_alone(index)))
    passages: list[Passages] = []
    for found in engine.map_parts(search, parts):
        passages.append(_put_back(index, found))
        advance(found.posts)
    return join(passages, index.scratch.zeros)


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
        for first in range(0, posts, JOB_POSTS):
            last = min(first + JOB_POSTS, posts)
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
        note_seen(keys, once, twice)
        rows.append((keys, places))
        if sum(len(keys) for keys, _ in rows) >= _PIECE:
            pieces.append(_gathered(rows, index))
            rows = []
    if rows:
        pieces.append(_gathered(rows, index))
    repeated = [were_repeated(keys, twice) for keys, _ in pieces]
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
