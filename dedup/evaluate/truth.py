"""Files of labels, JSON lines: quoted posts, pairs, or clusters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dedup.errors import InputError
from dedup.readers.sources import Source, open_source

_BLOCK_BYTES = 4 << 20


class QuotedSource(msgspec.Struct, frozen=True, gc=False):
    """The post a quote was taken from, and how that is known."""

    post_id: str | int | None = None
    basis: str | None = None


class LabelledQuote(msgspec.Struct, frozen=True, gc=False):
    """A quote in a post. `src` is None where the quoted text is not in the dump."""

    start: int
    end: int
    level: int = 1  # over 1: stands inside another quote
    block_start: int | None = None  # where the attribution line before it starts
    src: QuotedSource | None = None


class QuotedPost(msgspec.Struct, frozen=True):
    """A post and all quotes in it."""

    id: str | int
    text: str
    quotes: list[LabelledQuote]
    signature: list[int] | None = None  # start and end


class Pair(msgspec.Struct, frozen=True, gc=False):
    """Two posts, and whether one is a duplicate of the other."""

    a: str | int
    b: str | int
    duplicate: bool


class Cluster(msgspec.Struct, frozen=True):
    """Posts that are duplicates of one another, and of no post of another cluster."""

    cluster: str | int
    ids: list[str | int]


Label = TypeVar("Label", QuotedPost, Pair, Cluster)

_KINDS: tuple[tuple[type[QuotedPost] | type[Pair] | type[Cluster], set[str]], ...] = (
    (QuotedPost, {"id", "text", "quotes"}),
    (Pair, {"a", "b", "duplicate"}),
    (Cluster, {"cluster", "ids"}),
)
_HINT = "Known are JSON lines with `id`, `text` and `quotes`; `a`, `b` and `duplicate`; `cluster` and `ids`."


def truth_kind(path: Path) -> type[QuotedPost] | type[Pair] | type[Cluster]:
    """Which labels a file holds, by the fields of its first record. Raises InputError for no labels."""
    for number, line in _lines(path):
        try:
            first: Any = json.loads(line)
        except ValueError as error:
            raise _not_a_label(path, number, str(error)) from None
        for kind, fields in _KINDS:
            if isinstance(first, dict) and fields <= first.keys():
                return kind
        raise InputError("holds no labels.", where=str(path), hint=_HINT)
    raise InputError("is empty.", where=str(path), hint=_HINT)


def read_truth(path: Path, kind: type[Label]) -> Iterator[Label]:
    """The labels of a file, in order. Raises InputError for a record that is no such label."""
    decoder = msgspec.json.Decoder(kind)
    for number, line in _lines(path):
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError:
            yield _decode_slowly(line, kind, path, number)


def _decode_slowly(line: bytes, kind: type[Label], path: Path, number: int) -> Label:
    """For what msgspec refuses and the standard library does not: a lone surrogate."""
    try:
        return msgspec.convert(json.loads(line), kind)
    except (ValueError, RecursionError) as error:
        raise _not_a_label(path, number, str(error)) from None


def _not_a_label(path: Path, number: int, problem: str) -> InputError:
    return InputError(
        f"line {number} is not a label like the first one ({problem}).",
        where=str(path),
        hint="All records must be of one kind.",
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, and their numbers from 1."""
    if not path.is_file():
        raise InputError("is no file.", where=str(path), hint="Give the file that holds the labels.")
    number, rest = 0, b""
    with open_source(Source(str(path))) as stream:
        while block := stream.read(_BLOCK_BYTES):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                number += 1
                if line.strip():
                    yield number, line
        if stream.fault:
            raise InputError(f"{stream.fault}.", where=str(path))
    if rest.strip():
        yield number + 1, rest
