"""Which posts belong to one conversation: by thread id and parent links, else by page, title, or nearness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import helper, inverse
from dedup.ids import codes, hash_strings, pair_keys
from dedup.order import MISSING

TITLE_GAP = 30 * 24 * 3600
"""Seconds after which an equal title begins a new thread."""

WINDOW_POSTS = 500
"""How far back a source may stand in a windowed thread."""

# Prefixes of mail and forum software, in the languages it speaks, and tags of mailing lists. Arrow
# matches with RE2, in time linear in the title.
_REPLY = (
    r"^(?:[\s\p{Z}]|\[[^\[\]]{0,60}\]|"
    r"(?i:re|aw|antw|antwort|fwd?|wg|sv|vs|vb|tr|rv|res|enc|odp|回复|答复|转发)"
    r"(?:\[\d+\]|\(\d+\)|\^\d+)?[\s\p{Z}]*[:：])+"
)


class Threads(NamedTuple):
    """Posts by thread.

    posts: int64 [posts], grouped by thread, in order within; threads by the order of their first posts.
    offsets: int64 [threads + 1], where in `posts` each thread begins.
    windowed: bool [threads], whether a source stands at most WINDOW_POSTS posts before its copy.
    thread_of: int64 [posts], each post's thread.
    """

    posts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    windowed: NDArray[np.bool_]
    thread_of: NDArray[np.int64]


def title_key(titles: pa.Array) -> NDArray[np.uint64]:
    """Hashes of titles that are equal but for "Re:", "[list]", case and white space; 0 for no title."""
    encoded = titles.dictionary_encode()  # the posts of a thread mostly share one
    bare = pc.replace_substring_regex(encoded.dictionary, _REPLY, "", max_replacements=1)
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(bare))
    hashes = hash_strings(pc.utf8_lower(pc.binary_join(words, " ")))
    places: NDArray[np.int32] = encoded.indices.fill_null(-1).to_numpy()
    return np.append(hashes, np.uint64(0))[places]


def group_threads(
    thread_codes: NDArray[np.integer],
    parents: NDArray[np.int64],
    path_codes: NDArray[np.int32],
    title_hashes: NDArray[np.uint64],
    times: NDArray[np.int64],
    rank: NDArray[np.int64],
    is_page: NDArray[np.bool_],
) -> Threads:
    """The threads of a dump.

    thread_codes: codes of thread ids, -1 for none; parents: positions, -1 for none; title_hashes: of
    `title_key`; times: seconds or MISSING; rank: of `order_posts`; is_page: whether the post stands in a
    file that is one page or text thread.

    Equal thread ids and parent links join posts, and so does a page, for its posts without a thread id.
    What has neither, nor a page, is joined by equal title within a source, while each post is within
    TITLE_GAP of the one before; what has no title either is one windowed thread.
    """
    titles = codes(pair_keys(title_hashes, path_codes))
    order = inverse(rank)
    threads = thread_codes.astype(np.int64, copy=False)
    roots, window = _join(threads, parents, path_codes, titles, times, order, is_page)
    posts, thread_of, counts = _group(roots, order)
    windowed = np.zeros(len(counts), np.bool_)
    if window >= 0:
        windowed[thread_of[window]] = True
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return Threads(posts, offsets, windowed, thread_of)


@helper
def _root(roots: NDArray[np.int64], post: int | np.int64) -> int | np.int64:
    while roots[post] != post:
        roots[post] = roots[roots[post]]
        post = roots[post]
    return post


@helper
def _union(roots: NDArray[np.int64], one: int | np.int64, two: int | np.int64) -> None:
    one = _root(roots, one)
    two = _root(roots, two)
    # the smaller position is the root, whatever the order of joining
    if one < two:
        roots[two] = one
    else:
        roots[one] = two


@njit(nogil=True, cache=True)
def _join(
    threads: NDArray[np.int64],
    parents: NDArray[np.int64],
    paths: NDArray[np.int32],
    titles: NDArray[np.int32],
    times: NDArray[np.int64],
    order: NDArray[np.int64],
    is_page: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], np.int64]:
    """For each post the first post of its thread; and a post of the windowed thread, or -1."""
    count = threads.shape[0]
    roots = np.arange(count, dtype=np.int64)
    linked = np.zeros(count, np.bool_)
    most = np.int64(0)
    for post in range(count):
        most = max(most, threads[post] + 1, np.int64(paths[post]) + 1, np.int64(titles[post]) + 1)
        if parents[post] >= 0:
            linked[post] = linked[parents[post]] = True
            _union(roots, post, parents[post])
    last = np.full(most, -1, np.int64)
    for post in range(count):
        if threads[post] >= 0:
            if last[threads[post]] >= 0:
                _union(roots, post, last[threads[post]])
            last[threads[post]] = post
    last[:] = -1
    for post in range(count):
        if is_page[post] and threads[post] < 0:
            if last[paths[post]] >= 0:
                _union(roots, post, last[paths[post]])
            last[paths[post]] = post
    last[:] = -1
    last_time = np.full(most, MISSING)
    window = np.int64(-1)
    for post in order:
        if threads[post] >= 0 or linked[post] or is_page[post]:
            continue
        title = titles[post]
        if title < 0:
            if window >= 0:
                _union(roots, post, window)
            window = post
            continue
        time = times[post] if times[post] != MISSING else last_time[title]
        if last[title] >= 0 and (last_time[title] == MISSING or time - last_time[title] <= TITLE_GAP):
            _union(roots, post, last[title])
        last[title] = post
        last_time[title] = time
    return roots, window


@njit(nogil=True, cache=True)
def _group(
    roots: NDArray[np.int64], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Posts grouped by thread, each post's thread, and how many posts each thread has."""
    numbers = np.full(roots.shape[0], -1, np.int64)  # of threads, by root
    thread_of = np.empty(roots.shape[0], np.int64)
    threads = 0
    for post in order:
        root = _root(roots, post)
        if numbers[root] < 0:
            numbers[root] = threads
            threads += 1
        thread_of[post] = numbers[root]
    counts = np.zeros(threads, np.int64)
    for post in order:
        counts[thread_of[post]] += 1
    ends = np.cumsum(counts) - counts
    posts = np.empty(roots.shape[0], np.int64)
    for post in order:
        posts[ends[thread_of[post]]] = post
        ends[thread_of[post]] += 1
    return posts, thread_of, counts
