"""Dumps that are hard on one part of a program. Each gives so many posts, streaming, with their truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .board import Board
from .draft import Draft, Said
from .mixes import BENCH
from .record import Pair, Record

PASSAGE_WORDS = 60
THREAD_POSTS = 50


def hot_thread(posts: int, seed: int) -> Iterator[Record]:
    """One thread of all posts, otherwise as the bench mix."""
    board = Board(seed, ("en",), replace(BENCH, languages=("en",), english_share=1.0))
    thread = board.open_thread(posts)
    for _ in range(posts):
        yield board.next_post(thread)


def one_quote(posts: int, seed: int) -> Iterator[Record]:
    """One passage that all later posts quote, in its own thread and in others, each with an answer."""
    board = Board(seed, ("en",), replace(BENCH, languages=("en",), english_share=1.0, signed_authors=0.0))
    thread = board.open_thread(THREAD_POSTS)
    source: Said | None = None
    for number in range(posts):
        if number and number % THREAD_POSTS == 0:
            thread = board.open_thread(THREAD_POSTS)
        draft = Draft(kinds=["one_quote"])
        if source is None:
            draft.say(board.streams["en"].text(PASSAGE_WORDS))
        else:
            named = number % 2 == 0
            header = board.attribution(thread, source.author) if named else None
            draft.copy(source, (0, len(source.text)), attribution=header, named=named)
            draft.say(board.own_text(thread, 10))
        record = board.finish(thread, draft, thread.crew[number % len(thread.crew)])
        if source is None:
            source = thread.last
        yield record


def identical(posts: int, seed: int) -> Iterator[Record]:
    """All posts the same, by many people in many threads."""
    board = Board(seed, ("en",), replace(BENCH, languages=("en",), english_share=1.0, signed_authors=0.0))
    text = board.streams["en"].text(PASSAGE_WORDS)
    first: str | None = None
    thread = board.open_thread(THREAD_POSTS)
    for number in range(posts):
        if number % 3 == 0:
            thread = board.open_thread(THREAD_POSTS)
        draft = Draft(kinds=["identical"], quotable=False)
        draft.say(text)
        record = board.finish(thread, draft, thread.crew[number % len(thread.crew)])
        if first is None:
            first = record.id
        else:
            record.pairs.append(Pair(first, record.id, True, 1.0, "exact"))
        yield record


CASES: dict[str, Callable[[int, int], Iterator[Record]]] = {
    "hot-thread": hot_thread,
    "one-quote": one_quote,
    "identical": identical,
}
