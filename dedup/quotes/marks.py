"""Quotes that the dump itself marks, from code points of the raw text to words of the clean text.

What a reader lists in `chrome` as `quote_chrome` belongs to the mark around it: tags, "Click to expand".
Its words are nobody's; it goes when all that is quoted in its mark goes, and stays as long as any of that
does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Bytes, Flags, Int, Int32s, Int64s, UInt16s, UInt64s, helper
from dedup.text.tokens import PREFIXED, TAG, Tokens, utf8_buffers

MARKS = pa.schema(
    [
        pa.field("post", pa.int64(), nullable=False),  # counted from the block's first
        pa.field("start", pa.int64(), nullable=False),  # words, counted from the block's first
        pa.field("end", pa.int64(), nullable=False),
        pa.field("author", pa.string()),
    ]
)
"""Marks of a block that name somebody or hold tags; sorted, outer ones first."""


class Marks(NamedTuple):
    """Marks of all posts as the kernels see them.

    offsets: int64 [posts + 1], where each post's marks begin. spans: int64 [marks, 2], words start:end,
    sorted, outer ones first. names: uint64 [marks], hashes of names, 0 for none.
    """

    offsets: NDArray[np.int64]
    spans: NDArray[np.int64]
    names: NDArray[np.uint64]


def mark_words(posts: pa.RecordBatch, tokens: Tokens) -> pa.RecordBatch:
    """The MARKS of a NORMALIZED batch. Words in them become PREFIXED, and words of their tags TAG."""
    tag_posts, tags = _flat(posts.column("chrome"))
    in_quote = pc.equal(tags.field("why"), "quote_chrome").to_numpy(zero_copy_only=False)
    tag_posts, tags = tag_posts[in_quote], tags.filter(pa.array(in_quote))
    mark_posts, marks = _flat(posts.column("marks"))
    # lines that begin with `>` need no help: the words themselves know it
    wanted = marks.field("author").is_valid().to_numpy(zero_copy_only=False) | np.isin(mark_posts, tag_posts)
    mark_posts, marks = mark_posts[wanted], marks.filter(pa.array(wanted))
    owners = np.unique(np.concatenate([mark_posts, tag_posts]))
    if not len(owners):
        return pa.RecordBatch.from_pylist([], MARKS)
    data, begins = utf8_buffers(posts.column("clean"))
    changes = posts.column("changes")
    points = _raw_points(
        data,
        begins,
        owners,
        tokens.offsets,
        tokens.starts,
        changes.offsets.to_numpy(),
        changes.values.field("start").to_numpy(),
        changes.values.field("end").to_numpy(),
        pc.utf8_length(changes.values.field("new")).to_numpy(zero_copy_only=False),
    )

    def words(of: NDArray[np.int64], spans: pa.StructArray) -> NDArray[np.int64]:
        """The words between the raw code points of spans, [n, 2]."""
        first = np.searchsorted(points >> 32, of)  # where each post's words begin in `points`
        sides = [of << 32 | spans.field(side).to_numpy() for side in ("start", "end")]
        found: NDArray[np.int64] = np.searchsorted(points, np.stack(sides, axis=1))
        found += (tokens.offsets[of] - first)[:, None]
        return found

    spans = words(mark_posts, marks)
    tokens.info[_inside(spans, len(tokens.info))] |= PREFIXED
    tokens.info[_inside(words(tag_posts, tags), len(tokens.info))] |= TAG
    order = np.lexsort((-spans[:, 1], spans[:, 0], mark_posts))
    columns = [pa.array(mark_posts), pa.array(spans[:, 0]), pa.array(spans[:, 1]), marks.field("author")]
    return pa.RecordBatch.from_arrays([column.take(pa.array(order)) for column in columns], schema=MARKS)


def quoted_ids(posts: pa.RecordBatch) -> pa.StringArray:
    """For each post of a NORMALIZED batch without a parent, the id of the post it quotes first, if its
    markup names one."""
    owners, marks = _flat(posts.column("marks"))
    starts, ends = (owners << 32 | marks.field(side).to_numpy() for side in ("start", "end"))
    before = np.append(0, np.maximum.accumulate(ends)[:-1]) if len(ends) else ends
    # what is quoted in a quote is not what the post answers
    named = np.flatnonzero((starts >= before) & marks.field("post_id").is_valid().to_numpy(False))
    answering, firsts = np.unique(owners[named], return_index=True)
    chosen = np.full(posts.num_rows, -1, np.int64)
    chosen[answering] = named[firsts]
    chosen[posts.column("parent_id").is_valid().to_numpy(False)] = -1
    return marks.field("post_id").take(pa.array(chosen, mask=chosen < 0))


def _flat(lists: pa.ListArray) -> tuple[NDArray[np.int64], pa.StructArray]:
    """The row of each entry of a list column, and the entries."""
    return pc.list_parent_indices(lists).to_numpy().astype(np.int64), pc.list_flatten(lists)


def _inside(spans: NDArray[np.int64], words: int) -> NDArray[np.bool_]:
    """Which words lie in any of the spans, however these are nested."""
    steps = np.zeros(words + 1, np.int64)
    np.add.at(steps, spans[:, 0], 1)
    np.add.at(steps, spans[:, 1], -1)
    return np.cumsum(steps)[:-1] > 0


@njit(nogil=True, cache=True)
def _raw_points(
    data: Bytes,
    begins: Int64s,
    owners: Int64s,
    word_offsets: Int64s,
    starts: Int32s,
    change_offsets: Int32s,
    change_starts: Int32s,
    change_ends: Int32s,
    change_sizes: Int32s,
) -> Any:
    """Where the words of some posts begin in the raw text: int64, post << 32 | code point, ascending."""
    total = np.int64(0)
    for post in owners:
        total += word_offsets[post + 1] - word_offsets[post]
    out = np.empty(total, np.int64)
    count = 0
    for post in owners:
        at = begins[post]
        clean = np.int64(0)
        shift = np.int64(0)
        change = np.int64(change_offsets[post])
        for word in range(word_offsets[post], word_offsets[post + 1]):
            stop = begins[post] + starts[word]
            while at < stop:
                clean += data[at] & 0xC0 != 0x80
                at += 1
            while (
                change < change_offsets[post + 1]
                and change_starts[change] - shift + change_sizes[change] <= clean
            ):
                shift = change_ends[change] - (change_starts[change] - shift + change_sizes[change])
                change += 1
            raw = clean + shift
            if change < change_offsets[post + 1] and change_starts[change] < raw:
                raw = np.int64(change_starts[change])  # the word begins inside what a change put there
            out[count] = (np.int64(post) << 32) | raw
            count += 1
    return out


@helper
def announce(
    spans: Int64s,
    names: UInt64s,
    first: Int,
    last: Int,
    info: UInt16s,
    rows: Int64s,
    row_names: UInt64s,
    found: Int,
) -> Any:
    """Adds to the attributions of a post (see `attribution.find_attributions`) what its marks name.

    The first word that a mark itself holds, behind its tag and the quotes in it, is announced. Returns
    how many attributions there are.
    """
    for mark in range(first, min(last, first + rows.shape[0])):  # no more: posts may have many thousands
        if found == rows.shape[0]:
            break
        word = spans[mark, 0]
        inner = mark + 1
        while word < spans[mark, 1]:
            while inner < last and spans[inner, 0] < word:
                inner += 1
            if inner < last and spans[inner, 0] == word and spans[inner, 1] > word:
                word = spans[inner, 1]
            elif info[word] & TAG:
                word += 1
            else:
                break
        if names[mark] != 0 and word < spans[mark, 1]:
            rows[found, :] = word  # what stands before it goes with the mark
            row_names[found] = names[mark]
            found += 1
    return found


@helper
def named_at(spans: Int64s, names: UInt64s, first: Int, last: Int, word: Int) -> Any:
    """The name of the innermost mark around a word, 0 where there is none."""
    low = first
    high = last
    while low < high:  # the first mark that begins behind the word
        middle = (low + high) >> 1
        if spans[middle, 0] <= word:
            low = middle + 1
        else:
            high = middle
    for mark in range(low - 1, first - 1, -1):
        if word < spans[mark, 1]:
            return names[mark]
    return np.uint64(0)


@njit(nogil=True, cache=True)
def loose_tags(spans: Int64s, first: Int, last: Int, info: UInt16s, gone: Flags, begin: Int) -> Any:
    """The tags of a post whose marks hold nothing any more: int64 [n, 2], words start:end, ascending.

    gone: bool [words of the post], from the word `begin`: whether the word is taken out.
    """
    out = np.empty((gone.shape[0], 2), np.int64)
    count = 0
    stays = np.zeros(gone.shape[0] + 1, np.int64)  # before each word: those that are no tag, and stay
    taken = np.zeros(gone.shape[0] + 1, np.int64)  # those that are no tag, and go
    for i in range(gone.shape[0]):
        tag = info[begin + i] & TAG != 0
        stays[i + 1] = stays[i] + (not tag and not gone[i])
        taken[i + 1] = taken[i] + (not tag and gone[i])
    done = begin
    for mark in range(first, last):
        start = spans[mark, 0]
        end = spans[mark, 1]
        if (
            start < done
            or stays[end - begin] > stays[start - begin]
            or taken[end - begin] == taken[start - begin]
        ):
            continue
        word = start
        while word < end:
            if not info[word] & TAG or gone[word - begin]:
                word += 1
                continue
            out[count, 0] = word
            while word < end and info[word] & TAG and not gone[word - begin]:
                word += 1
            out[count, 1] = word
            count += 1
        done = end
    return out[:count]
