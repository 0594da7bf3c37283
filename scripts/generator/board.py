"""Threads and posts in the order they were written, a few threads alive at a time.

Memory holds the living threads' last posts and a fixed number of older ones to repost from, so a dump
can be of any length.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from math import exp
from typing import TypeVar
from unicodedata import category

from .draft import Draft, Said, Span, pairs_of, said_in_full
from .jaccard import jaccard
from .languages import LANGUAGES, Language
from .mixes import MIXES, Mix
from .phenomena import PHENOMENA as ACTIONS
from .phenomena import say_something
from .record import Record
from .vocabulary import TextStream

LANGUAGE_NAMES = tuple(LANGUAGES)
PHENOMENA = tuple(ACTIONS)

_T = TypeVar("_T")

RECENT_POSTS = 48
OLDER_POSTS = 2_048
LEAST_QUOTABLE_CHARS = 40
AUTHORS = 6_000
START = datetime(2004, 3, 1, 8, 0, 0)
NEAR_DUPLICATE = 0.7
SIGNATURE_MARKS = ("_________________\n", "-- \n", "---\n", "")


@dataclass(slots=True)
class Thread:
    """A living thread."""

    id: str
    title: str
    board: str
    language: str
    crew: list[str]
    posts_left: int
    first: Said | None = None
    recent: deque[Said] = field(default_factory=lambda: deque(maxlen=RECENT_POSTS))
    last: Said | None = None
    absent: tuple[str, str] | None = None
    """Author and text of a post that was deleted and is still quoted."""


class Board:
    """Writes posts. Everything random comes from the seed."""

    def __init__(self, seed: int, languages: Sequence[str], mix: Mix) -> None:
        self.seed = seed
        self.mix = mix
        self.draw: random.Random = random.Random(f"board {seed}")
        self.random = self.draw.random
        self.streams = {name: TextStream(name, seed) for name in languages}
        self.shorts: dict[str, Said] = {}
        """The first post of each text like "+1"."""
        self.older: dict[str, list[Said]] = {name: [] for name in languages}
        self._languages = list(languages)
        self._language_shares = list(accumulate(mix.language_share(name) for name in languages))
        self._actions = [ACTIONS[name] for name in mix.actions]
        self._action_names = list(mix.actions)
        self._action_shares = list(accumulate(mix.actions.values()))
        self._authors = self._author_names()
        self._signatures: dict[tuple[str, str], str | None] = {}
        self._posts = self._threads = 0
        self._seconds = 0.0

    # What phenomena draw on.

    def language(self, thread: Thread) -> Language:
        return LANGUAGES[thread.language]

    def pick(self, choices: Sequence[_T]) -> _T:
        return choices[int(self.random() * len(choices))]

    def words(self, median: float, spread: float, least: int = 3) -> int:
        """A log-normal number of words."""
        return max(least, min(6_000, int(exp(self.draw.gauss(0.0, spread)) * median)))

    def own_text(self, thread: Thread, least: int | None = None) -> str:
        """What somebody says, of the mix's usual length."""
        count = self.words(self.mix.median_words, self.mix.spread, least or self.mix.least_words)
        return self.streams[thread.language].text(count)

    def pick_recent(self, thread: Thread, author: str) -> Said | None:
        """An earlier post of the thread by somebody else, mostly one of the last, with words of its own."""
        recent = thread.recent
        for _ in range(4):
            if not recent:
                return None
            back = int(self.draw.expovariate(0.7)) + 1
            said = recent[-back] if back <= len(recent) else recent[int(self.random() * len(recent))]
            if said.author != author:
                return said
        return None

    def pick_older(self, thread: Thread, least_words: int = 0) -> Said | None:
        """A post of another thread in the same language, all its own words and at least so many."""
        older = self.older[thread.language]
        least = least_words * LANGUAGES[thread.language].word_chars
        for _ in range(8):
            if not older:
                return None
            said = older[int(self.random() * len(older))]
            if said.thread_id != thread.id and said.body_end >= least:
                return said
        return None

    def excerpt(self, thread: Thread, said: Said, words: int, within: Span | None = None) -> Span:
        """About so many consecutive words of a post's own text, half of the time from a sentence's start."""
        low, high = within or said.longest_own()
        language = LANGUAGES[thread.language]
        chars = int(words * language.word_chars)
        if high - low <= chars * 1.25:
            return low, high
        text = said.text
        start = low + int(self.random() * (high - low - chars))
        if self.random() < 0.5:
            stop = text.find(language.stop + " " if language.spaced else language.stop, start, high - chars)
            start = stop + 1 if stop >= 0 else low
        if language.spaced:
            at = text.find(" ", start, high)
            start = at + 1 if at >= 0 and start > low else low
            end = text.find(" ", min(start + chars, high), high)
            end = end if end >= 0 else high
        else:
            end = min(start + chars, high)
        # No white space at the ends, and no mark without the letter it stands on.
        while start < end and (text[start].isspace() or category(text[start]) == "Mn"):
            start += 1
        while end > start and (text[end - 1].isspace() or (end < high and category(text[end]) == "Mn")):
            end -= 1
        return start, end

    def attribution(self, thread: Thread, author: str, language: str | None = None) -> str:
        return self.pick(LANGUAGES[language or thread.language].attributions).format(author=author)

    # The stream of posts.

    def records(self, posts: int) -> Iterator[Record]:
        alive = [self.open_thread() for _ in range(self.mix.alive_threads)]
        current = 0
        for _ in range(posts):
            if self.random() < 0.2:
                current = int(self.random() * len(alive))
            thread = alive[current]
            yield self.next_post(thread)
            thread.posts_left -= 1
            if thread.posts_left <= 0:
                alive[current] = self.open_thread()

    def open_thread(self, posts: int | None = None) -> Thread:
        self._threads += 1
        shares = self._language_shares
        name = self._languages[bisect(shares, self.random() * shares[-1])]
        crew = [self._some_author() for _ in range(2 + int(self.draw.expovariate(0.25)))]
        return Thread(
            id=f"t{self._threads}",
            title=self.streams[name].phrase(2 + int(self.random() * 6)),
            board=self.pick(LANGUAGES[name].boards),
            language=name,
            crew=crew,
            posts_left=posts or self.words(self.mix.thread_posts, 0.9, 1),
        )

    def next_post(self, thread: Thread) -> Record:
        action = int(bisect(self._action_shares, self.random() * self._action_shares[-1]))
        author = self._next_author(thread)
        draft = self._actions[action](self, thread, author)
        name = self._action_names[action]
        if draft is None:
            draft, name = say_something(self, thread), "plain"
        draft.kinds.insert(0, name)
        return self.finish(thread, draft, draft.author or author)

    def finish(self, thread: Thread, draft: Draft, author: str) -> Record:
        """Sign, number and date a draft, and remember it for later posts."""
        self._posts += 1
        if not draft.finished:
            self._sign(thread, draft, author)
        text = draft.text()
        post_id = str(100_000 + self._posts)
        said = said_in_full(draft, post_id, author, thread.id, text)
        similarity = {source.id: jaccard(source.text, text) for source, _ in draft.pairs}
        self._remember(thread, said, draft)
        self._seconds += self.draw.expovariate(1 / 400)
        return Record(
            id=post_id,
            author=author,
            thread_id=thread.id,
            parent_id=draft.parent if self.random() < 0.4 else None,
            date=(START + timedelta(seconds=int(self._seconds))).isoformat(sep=" "),
            title=thread.title,
            board=thread.board,
            text=text,
            language=thread.language,
            quotes=draft.quotes,
            signature=draft.signature,
            code=draft.code,
            kinds=draft.kinds,
            pairs=pairs_of(draft, post_id, text, NEAR_DUPLICATE, similarity),
        )

    def _remember(self, thread: Thread, said: Said, draft: Draft) -> None:
        thread.last = said
        if draft.kinds[0] == "short":
            self.shorts.setdefault(said.text, said)
        if not draft.quotable or all(end - start < LEAST_QUOTABLE_CHARS for start, end in said.own):
            return
        thread.first = thread.first or said
        thread.recent.append(said)
        if not said.quotes and not draft.pairs and draft.listing is None and not draft.code:
            older = self.older[thread.language]
            if len(older) < OLDER_POSTS:
                older.append(said)
            else:
                older[int(self.random() * OLDER_POSTS)] = said

    def _sign(self, thread: Thread, draft: Draft, author: str) -> None:
        key = author, thread.language
        if key not in self._signatures:
            self._signatures[key] = self._signature(thread.language, author)
        signature = self._signatures[key]
        if signature is None or not draft.own:
            return
        draft.put("\n" if signature[0] in "_-" else "\n\n")
        draft.signature = (draft.length, draft.length + len(signature))
        draft.put(signature)
        draft.kinds.append("signature")

    def _signature(self, language: str, author: str) -> str | None:
        draw = random.Random(f"signature {self.seed} {author} {language}")
        if draw.random() >= self.mix.signed_authors:
            return None
        stream = TextStream.sample(language, f"{self.seed} {author}", draw.randint(4, 14))
        return draw.choice(SIGNATURE_MARKS) + stream

    def _author_names(self) -> list[str]:
        draw = random.Random(f"authors {self.seed}")
        starts = (
            "Tin",
            "Mar",
            "Old",
            "Kel",
            "Bor",
            "San",
            "Ver",
            "Jo",
            "Pet",
            "Wil",
            "Ash",
            "Rud",
            "Nor",
            "Fen",
            "Ila",
            "Gus",
        )
        middles = (
            "ker",
            "ta",
            "smith",
            "vin",
            "is",
            "der",
            "on",
            "ra",
            "by",
            "low",
            "mund",
            "ley",
            "wick",
            "ette",
            "o",
        )
        ends = ("", "_", "", "42", "77", "x", "", "2000", "")
        names = {
            f"{draw.choice(starts)}{draw.choice(middles)}{draw.choice(ends)}{n or ''}": None
            for n in range(AUTHORS)
        }
        return list(names)

    def _some_author(self) -> str:
        """A few write most, as everywhere."""
        return self._authors[int(len(self._authors) * self.random() ** self.mix.author_skew)]

    def _next_author(self, thread: Thread) -> str:
        last = thread.last.author if thread.last else None
        for _ in range(3):
            author = (
                thread.crew[int(self.random() * len(thread.crew))]
                if self.random() < 0.75
                else self._some_author()
            )
            if author != last:
                break
        return author


def generate(
    posts: int, seed: int, languages: Sequence[str] | None = None, mix: str = "quality"
) -> Iterator[Record]:
    """Posts of a made-up forum with the truth about each, in the order of their ids and dates.

    `languages` are keys of LANGUAGE_NAMES (default: those of the mix). The same arguments give the same
    records. Raises KeyError for an unknown language or mix.
    """
    settings = MIXES[mix]
    return Board(seed, tuple(languages or settings.languages), settings).records(posts)
