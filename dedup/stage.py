"""What lies in the work folder between the steps: normalized posts and their words, block by block.

Files are Arrow IPC and read memory-mapped, so only what is touched is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.ids import hash_strings
from dedup.quotes.attribution import hash_names
from dedup.quotes.marks import mark_words, quoted_ids
from dedup.quotes.threads import title_key
from dedup.schema import REJECTED
from dedup.text.tokens import Tokens, tokenize

WORDS = pa.schema(
    [
        pa.field("hash", pa.uint32(), nullable=False),
        pa.field("info", pa.uint16(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
    ]
)
"""The words of a block's clean texts (see `Tokens`)."""
KEYS = pa.schema(
    [
        pa.field("words", pa.int32(), nullable=False),  # of the clean text
        pa.field("empty", pa.bool_(), nullable=False),  # a clean text that says nothing
        # hashes (`ids.hash_strings`), 0 where there is no value
        *(
            pa.field(name, pa.uint64(), nullable=False)
            for name in (
                "text", "text_2", "id", "thread_id", "parent_id", "path", "author",
                "quoted",  # of `marks.quoted_ids`
                "author_name",  # of the words of the name (`attribution.hash_names`)
                "title",  # of `threads.title_key`
            )
        ),
    ]
)  # fmt: skip
"""One row a post of a block: all that ordering and threading look at, besides the date."""
REMOVED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the post it was removed from
        pa.field("thread_id", pa.string()),
        pa.field("author", pa.string()),  # of a dropped post
        pa.field("kind", pa.uint8(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
    ]
)
"""A piece of text that an earlier run removed (see `removed`): one row each."""
COPY_PIECE, SIGNATURE_PIECE, POST_PIECE = range(3)
"""Kinds of pieces: a passage or the signature of a post that stayed, or a post that was dropped."""
EMPTY_TEXTS = pa.array(["", "[deleted]", "[removed]"])

_RAW = pa.field("text", pa.string())
_POSTS, _WORDS, _KEYS, _MARKS = "posts.arrow", "words.arrow", "keys.arrow", "marks.arrow"
_REJECTS, _REMOVED = "rejects.arrow", "removed.arrow"


def write_block(folder: Path, posts: pa.RecordBatch) -> None:
    """Tokenize the clean texts of a NORMALIZED batch and put both into a folder.

    Most texts are clean as they are: they are written once.
    """
    tokens = tokenize(posts.column("clean"))
    marks = mark_words(posts, tokens)
    words = [tokens.hashes, tokens.info, tokens.starts, tokens.ends]
    rows = np.arange(posts.num_rows)
    same = pc.equal(pc.list_value_length(posts.column("changes")), 0).to_numpy(zero_copy_only=False)
    # `if_else` would keep the bytes of what it makes null
    raw = posts.column("text").take(pa.array(rows, mask=same))
    _write(folder / _POSTS, posts.set_column(posts.schema.get_field_index("text"), _RAW, raw))
    _write(folder / _WORDS, pa.RecordBatch.from_arrays([pa.array(a) for a in words], schema=WORDS))
    _write(folder / _MARKS, marks)
    _write(folder / _KEYS, _keys(posts, np.diff(tokens.offsets)))


def _keys(posts: pa.RecordBatch, words: NDArray[np.int64]) -> pa.RecordBatch:
    clean, author = posts.column("clean"), posts.column("author").dictionary_encode()
    names = np.append(hash_names(author.dictionary), np.uint64(0))
    columns = {
        "words": words.astype(np.int32),
        "empty": pc.is_in(pc.ascii_lower(clean), value_set=EMPTY_TEXTS),
        "text": hash_strings(clean),
        "text_2": hash_strings(clean, 1),
        **{name: hash_strings(posts.column(name)) for name in ("id", "thread_id", "parent_id", "path")},
        "quoted": hash_strings(quoted_ids(posts)),
        "author": np.append(hash_strings(author.dictionary), np.uint64(0))[_indices(author)],
        "author_name": names[_indices(author)],
        "title": title_key(posts.column("title")),
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[name]) for name in KEYS.names], schema=KEYS)


def _indices(column: pa.DictionaryArray) -> NDArray[np.int32]:
    places: NDArray[np.int32] = column.indices.fill_null(-1).to_numpy()
    return places


def write_rejects(folder: Path, rejects: pa.RecordBatch) -> None:
    """Put the records of a block that could not be read (REJECTED) beside its posts, if there are any."""
    if rejects.num_rows:
        _write(folder / _REJECTS, rejects)


def read_rejects(folder: Path) -> pa.RecordBatch:
    """The records of a block that could not be read."""
    path = folder / _REJECTS
    return _read(path) if path.exists() else pa.RecordBatch.from_pylist([], REJECTED)


def write_removed(
    folder: Path, names: Sequence[pa.StringArray], kinds: NDArray[np.uint8], clean: pa.StringArray
) -> None:
    """Put pieces of removed text into a folder: the first columns of REMOVED, and their clean texts."""
    tokens = tokenize(clean)
    counts = pa.array(np.diff(tokens.offsets).astype(np.int32))
    words = [tokens.hashes, tokens.info, tokens.starts, tokens.ends]
    _write(folder / _REMOVED, pa.RecordBatch.from_arrays([*names, pa.array(kinds), counts], schema=REMOVED))
    _write(folder / _WORDS, pa.RecordBatch.from_arrays([pa.array(a) for a in words], schema=WORDS))


def holds_posts(folder: Path) -> bool:
    """Whether a block has any post."""
    return (folder / _POSTS).exists()


def raw_texts(posts: pa.RecordBatch) -> pa.StringArray:
    """The raw texts of posts of a block."""
    return pc.coalesce(posts.column("text"), posts.column("clean"))


class Stage:
    """The blocks of a run, read back: folders of the work folder, in the order of the input.

    corpora: for each of the first blocks the earlier corpus it belongs to (see `earlier`); the others are
    the dump's. removed: what was removed from earlier corpora, as pairs of corpus and folder.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        corpora: Sequence[str] = (),
        removed: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.folder = folder
        self.names = names
        self.corpora = corpora
        self.removed = removed
        self.blocks = len(names)

    def posts(self, number: int) -> pa.RecordBatch:
        """The NORMALIZED posts of a block, `text` null where it is clean (see `raw_texts`)."""
        return _read(self.folder / self.names[number] / _POSTS)

    def keys(self, number: int) -> pa.RecordBatch:
        """KEYS of a block."""
        return _read(self.folder / self.names[number] / _KEYS)

    def marks(self, number: int) -> pa.RecordBatch:
        """MARKS of a block."""
        return _read(self.folder / self.names[number] / _MARKS)

    def words(self, number: int) -> Tokens:
        """The words of a block, offsets counted from the block's first."""
        words = _read(self.folder / self.names[number] / _WORDS)
        per_post = self.keys(number).column("words").to_numpy()
        return Tokens(_offsets(per_post), *(column.to_numpy() for column in words.columns))

    def removed_pieces(self, name: str) -> pa.RecordBatch:
        """REMOVED of a folder of removed text."""
        return _read(self.folder / name / _REMOVED)

    def removed_words(self, name: str) -> pa.RecordBatch:
        """The WORDS of its pieces, one after another."""
        return _read(self.folder / name / _WORDS)


def corpora_of(stage: Stage, blocks: NDArray[np.int64], posts: NDArray[np.int64]) -> pa.StringArray:
    """The earlier corpus that each of these posts stands in; null for a post of the dump, and for -1."""
    block_of = np.searchsorted(blocks, posts, side="right") - 1
    known = (block_of >= 0) & (block_of < len(stage.corpora))
    names = pa.array([*stage.corpora, None], pa.string())
    return names.take(pa.array(np.where(known, block_of, len(stage.corpora))))


def _offsets(counts: NDArray[np.int32]) -> NDArray[np.int64]:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _write(path: Path, batch: pa.RecordBatch) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _read(path: Path) -> pa.RecordBatch:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).get_batch(0)


def write_blocks(folder: Path, batches: Iterable[pa.RecordBatch]) -> Stage:
    """NORMALIZED batches, none of them empty, as the blocks of a folder."""
    names: list[str] = []
    for batch in batches:
        names.append(f"block-{len(names)}")
        (folder / names[-1]).mkdir()
        write_block(folder / names[-1], batch)
    return Stage(folder, names)
