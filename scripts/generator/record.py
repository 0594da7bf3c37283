"""What the generator yields: a post as a dump has it, and the truth about it.

Offsets are half-open and count code points of the post's text.
"""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a quoted passage was said."""

    post_id: str
    start: int
    end: int
    kind: str  # exact: the same words; fuzzy: some differ
    score: float  # share of words that are the same, in percent
    basis: str  # author: an attribution line names who said it; text: nothing does
    src_in_quote: bool = False  # the source post itself only quotes it


class Quote(msgspec.Struct, frozen=True, gc=False):
    """A copied passage inside a post."""

    level: int  # 1, or deeper inside another quote
    block_start: int  # where its attribution line starts
    start: int
    end: int
    author: str | None
    src: Source | None  # null: the quoted post is not in the dump
    own_start: int  # the part that `src` points to: the quote without the quotes inside it
    own_end: int


class CodeCopy(msgspec.Struct, frozen=True, gc=False):
    """Source code that another post has too, perhaps corrected."""

    start: int
    end: int
    post_id: str


class Pair(msgspec.Struct, frozen=True, gc=False):
    """Two posts, and whether the later one says nothing new."""

    a: str
    b: str
    duplicate: bool
    jaccard: float
    kind: str  # exact, double_post, near, full_quote or short


class Record(msgspec.Struct, gc=False):
    """A post and everything that is true about it."""

    id: str
    author: str
    thread_id: str
    parent_id: str | None
    date: str
    title: str
    board: str
    text: str
    language: str
    quotes: list[Quote]
    signature: tuple[int, int] | None
    code: list[CodeCopy]
    kinds: list[str]  # the phenomena it shows
    pairs: list[Pair]
