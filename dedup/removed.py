"""What earlier runs took out of their corpora: no source of anything any more, and still counted.

Signatures and stock text are told by the number of threads they stand in. An earlier corpus has a signature
once, and its provenance says where else it stood: a dump that is cleaned against it goes by both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import memo
from dedup.config import Normalize
from dedup.errors import OutputError
from dedup.ids import codes, find_first, hash_strings
from dedup.normalize import normalize
from dedup.readers.base import posts_batch, repeated
from dedup.readers.sources import InputFile
from dedup.readers.stores import as_file
from dedup.report.kinds import COPIES
from dedup.stage import COPY_PIECE, POST_PIECE, SIGNATURE_PIECE, Stage, write_removed
from dedup.writers.shards import read_line_blocks

_WHOLE = {"near_duplicate", "repost"}
"""Reasons of dropped posts that count; of exact duplicates the first one counts, which is still there."""
_ABOVE = "x\n"
"""No signature is all of a post: something stands above it."""


class Removed(NamedTuple):
    """Pieces of text that earlier runs removed, as the quotes step counts them.

    offsets: int64 [pieces + 1], where their words begin in the index, behind those of all posts. kinds:
    uint8 (see `stage.REMOVED`). authors: int32, codes, -1 where it is nobody's signature. threads: int64,
    those of the posts, and further numbers for threads of which no post is left; -1 unknown.
    stock: bool, written by the quotes step: stock text by now, which no run removes.
    """

    offsets: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    authors: NDArray[np.int32]
    threads: NDArray[np.int64]
    stock: NDArray[np.bool_]


class _Edit(msgspec.Struct, frozen=True):
    start: int
    end: int
    raw: str
    why: str


class _Metadata(msgspec.Struct, frozen=True):
    author: str | None = None


class _Record(msgspec.Struct, frozen=True):
    """A provenance record, as far as it is needed."""

    id: str
    thread_id: str | None
    action: str
    reason: str | None
    edits: list[_Edit]
    metadata: _Metadata = _Metadata()


def read_removed(shard: str, work: Path, settings: Normalize) -> tuple[str, InputFile]:
    """A provenance shard of an earlier corpus → a folder of the work folder; its name, and the shard's sum.

    Raises OutputError for a shard that cannot be read.
    """
    with as_file(shard, work) as path:
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise OutputError(f"cannot be read ({error.strerror}).", where=shard) from error
        name = memo.name_of("removed", settings, sha256)
        if not memo.is_kept(work / name):
            memo.keep(work / name, partial(_fill, shard=path, shown=shard, settings=settings))
    return name, InputFile(shard, sha256, size)


def _fill(folder: Path, shard: Path, shown: str, settings: Normalize) -> None:
    pieces = [
        (record.id, record.thread_id, record.metadata.author, kind, text)
        for record in _records(shard, shown)
        for kind, text in _pieces(record)
    ]
    ids, threads, authors, kinds, texts = map(list, zip(*pieces, strict=True)) if pieces else ([],) * 5
    rows = len(pieces)
    columns = {name: repeated("", rows) for name in ("path", "encoding")}
    columns |= {"text": pa.array(texts, pa.string()), "record": pa.array(range(rows), pa.int64())}
    clean = normalize(posts_batch(rows, columns), settings).column("clean") if rows else columns["text"]
    arrays = [pa.array(ids, pa.string()), pa.array(threads, pa.string()), pa.array(authors, pa.string())]
    write_removed(folder, arrays, np.array(kinds, np.uint8), clean)


def _records(shard: Path, shown: str) -> Iterator[_Record]:
    decoder = msgspec.json.Decoder(_Record)
    try:
        for block in read_line_blocks(shard):
            yield from decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OutputError(f"is damaged ({error}).", where=shown) from error
    except OutputError as error:
        raise OutputError(error.what, where=shown, hint=error.hint) from error


def _pieces(record: _Record) -> Iterator[tuple[int, str]]:
    """What was removed from a post, by kind."""
    if record.action == "drop":
        if record.reason in _WHOLE:
            yield POST_PIECE, "".join(edit.raw for edit in record.edits)
        return
    signature: list[str] = []
    end = 0
    for edit in record.edits:
        if edit.why == "boilerplate":
            signature += ["\n" * (edit.start > end), edit.raw]
            end = edit.end
        elif edit.why in COPIES:
            yield COPY_PIECE, edit.raw
    if signature:
        yield SIGNATURE_PIECE, _ABOVE + "".join(signature)


def place_removed(
    stage: Stage,
    blocks: NDArray[np.int64],
    number_of: NDArray[np.int64],
    ids: NDArray[np.uint64],
    thread_ids: NDArray[np.uint64],
    authors: NDArray[np.uint64],
    author_codes: NDArray[np.int32],
    thread_of: NDArray[np.int64],
    first_word: int,
) -> Removed:
    """Whose the removed pieces of a stage are, and in which threads they stood.

    blocks: where each block's posts begin in the input; number_of: int64, each post's number, by input;
    ids, thread_ids, authors: hashes, by input; author_codes, thread_of: by number. first_word: where the
    words of the pieces begin.
    """
    kinds, owners, threads, words = [], [], [], []
    unknown: list[NDArray[np.uint64]] = []
    for corpus, name in stage.removed:
        pieces = stage.removed_pieces(name)
        own = [number for number, other in enumerate(stage.corpora) if other == corpus]
        posts = slice(int(blocks[own[0]]), int(blocks[own[-1] + 1])) if own else slice(0, 0)
        whole = pieces.column("kind").to_numpy() == POST_PIECE
        # what is left of a post says whose it is and where; a dropped one's record does
        at = find_first(ids[posts], hash_strings(pieces.column("id")))
        at = np.where(at >= 0, number_of[posts.start + at], -1) if own else at
        named = find_first(authors, hash_strings(pieces.column("author")))
        stood = hash_strings(pieces.column("thread_id"))
        beside = find_first(thread_ids, stood)
        author = np.where(whole, np.where(named >= 0, number_of[named], -1), at)
        thread = np.where(whole, np.where(beside >= 0, number_of[beside], -1), at)
        kinds.append(pieces.column("kind").to_numpy())
        owners.append(np.where((author >= 0) & (kinds[-1] != COPY_PIECE), author_codes[author], np.int32(-1)))
        threads.append(np.where(thread >= 0, thread_of[thread], -1))
        unknown.append(np.where(whole & (beside < 0), stood, np.uint64(0)))
        words.append(pieces.column("words").to_numpy())
    if not kinds:
        return Removed(np.array([first_word]), *(np.zeros(0, kind) for kind in ("u1", "i4", "i8", "?")))
    numbers = codes(np.concatenate(unknown))
    found = np.concatenate(threads)
    found = np.where(numbers >= 0, thread_of.max(initial=-1) + 1 + numbers, found)
    offsets = first_word + np.concatenate([[0], np.cumsum(np.concatenate(words), dtype=np.int64)])
    stock = np.zeros(len(found), np.bool_)
    return Removed(offsets, np.concatenate(kinds), np.concatenate(owners), found, stock)
