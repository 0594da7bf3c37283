"""Passages and pairs → what becomes of each post.

Posts are taken in order, so everything a post was copied from is settled before the post itself. Every
passage is walked to text that stays: where its source was itself taken out, to the source's source. A
passage that cannot be walked stays. What is left decides: a post with a block of its own words is
trimmed; one without is a near-duplicate of the post it is verified to resemble, or a repost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Bytes, Flags, Int, Int32s, Int64s, UInt16s, UInt32s
from dedup.quotes.find import PROTECTED, RESEMBLES, SIGNATURE
from dedup.quotes.within import BOILERPLATE, CHROME, CHROME_BEFORE, COPIED, IS_CODE, OWN, _grow_rows
from dedup.text.shingles import count_shingles, jaccard, shingle_hash, similarity_of_sets
from dedup.text.tokens import LINE_START, RARITY_MASK, URL

KEEP, TRIM, DROP = range(3)
ACTIONS = ("keep", "trim", "drop")

WHYS = (
    "quote",
    "repost",
    "exact_duplicate",
    "near_duplicate",
    "boilerplate",
    "quote_chrome",
    "empty",
)
QUOTE, REPOST, EXACT, NEAR, BOILER, QUOTE_CHROME, EMPTY = range(7)
"""Index into WHYS; 255 in `reason` where there is none."""
NO_REASON = 255

# further flags of a span, beside those of `quotes.within`
SOURCE_MISSING = 1 << 12
SOURCE_LOST = 1 << 13

OWN_BLOCK_WORDS = 8
OWN_LINE_WORDS = 3
REPOST_SHARE = 90
"""Percent of a repost's words that must stand elsewhere."""
REPOST_OWN_SHARE = 98
"""Percent of a repost's words that must lie in copied passages: "so true" is worth keeping."""
MOST_TRIED = 16
"""Posts that one post is compared with as a whole."""
SOURCE_SHARE = 90
"""Percent of a passage's matched words that must be found in text that stays."""

# columns of a row: one edit of a post, in words
ROW_POST, ROW_START, ROW_END, ROW_WHY, ROW_SOURCE, ROW_SOURCE_START, ROW_SOURCE_END = range(7)
ROW_VIA, ROW_MATCHED, ROW_FLAGS, ROW_GROUP, ROW_KEPT = range(7, 12)
ROW_COLUMNS = 12


class Decisions(NamedTuple):
    """What becomes of each post, in words.

    action: uint8 [posts], KEEP, TRIM or DROP. reason: uint8, index into WHYS or NO_REASON.
    duplicate_of: int64, the survivor of a dropped post, or -1. similarity: float32, NaN where none.
    copy_of: int64, the post this one is an exact or near-duplicate of, whether dropped or told to stay.
    rows: int64 [m, 12], edits and kept copies, sorted by (post, start); word positions are global.
    """

    action: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    duplicate_of: NDArray[np.int64]
    similarity: NDArray[np.float32]
    copy_of: NDArray[np.int64]
    rows: NDArray[np.int64]


class Policy(NamedTuple):
    """Which kinds of copies are removed, as the kernel takes it."""

    quotes: bool
    reposts: bool
    near: bool
    exact: bool
    boilerplate: bool
    code: bool
    quote_chrome: bool
    threshold: float
    shingle_words: int
    across_min_words: int


@njit(nogil=True, cache=True)
def has_own_block(state: Bytes, info: UInt16s, begin: Int, end: Int) -> Any:
    """Whether OWN_BLOCK_WORDS own words stand in a row, or OWN_LINE_WORDS fill a line, or a link is own."""
    row = 0
    line = 0
    whole = True
    for i in range(begin, end):
        if info[i] & LINE_START:
            if whole and line >= OWN_LINE_WORDS:
                return True
            line = 0
            whole = True
        line += 1
        if state[i] == OWN:
            row += 1
            if row >= OWN_BLOCK_WORDS or info[i] & RARITY_MASK == URL:
                return True
        else:
            row = 0
            whole = False
    return whole and line >= OWN_LINE_WORDS


@njit(nogil=True, cache=True)
def _has_own_line(state: Bytes, info: UInt16s, begin: Int, end: Int) -> Any:
    """Whether a line, however short, is all own words."""
    whole = False
    for i in range(begin, end):
        if info[i] & LINE_START:
            if whole:
                return True
            whole = True
        whole = whole and state[i] == OWN
    return whole


@njit(nogil=True, cache=True)
def _shingles_of_rest(hashes: UInt32s, begin: Int, end: Int, elsewhere: Flags, shingle_words: Int) -> Any:
    """Sorted shingles of the words begin:end: those not wholly said `elsewhere`, and the others."""
    rest = np.empty(count_shingles(end - begin, shingle_words), np.uint64)
    others = np.empty_like(rest)
    rest_count = 0
    others_count = 0
    width = min(end - begin, shingle_words)
    inside = 0
    for i in range(end - begin):
        inside += elsewhere[i]
        first = i - width + 1
        if first > 0:
            inside -= elsewhere[first - 1]
        if first >= 0:
            key = shingle_hash(hashes, begin + first, width)
            if inside == width:
                others[others_count] = key
                others_count += 1
            else:
                rest[rest_count] = key
                rest_count += 1
    return np.unique(rest[:rest_count]), np.unique(others[:others_count])


@njit(nogil=True, cache=True)
def _likeness_of_rest(
    hashes: UInt32s,
    state: Bytes,
    begin: Int,
    end: Int,
    from_other: Flags,
    other_begin: Int,
    other_end: Int,
    shingle_words: Int,
) -> Any:
    """Jaccard similarity of two posts without what either has from others, signatures and "X wrote:".

    from_other: bool [end - begin], which of the post's words are copied from the other one.
    """
    elsewhere = np.zeros(end - begin, np.bool_)
    for i in range(begin, end):
        elsewhere[i - begin] = _leaves(state[i]) and not from_other[i - begin]
    rest, gone = _shingles_of_rest(hashes, begin, end, elsewhere, shingle_words)
    elsewhere = np.zeros(other_end - other_begin, np.bool_)
    for i in range(other_begin, other_end):
        elsewhere[i - other_begin] = _leaves(state[i])
    other_rest, _ = _shingles_of_rest(hashes, other_begin, other_end, elsewhere, shingle_words)
    # what the post has from a third one counts on neither side
    kept = np.empty_like(other_rest)
    count = 0
    for key in other_rest:
        at = np.searchsorted(gone, key)
        if at == gone.shape[0] or gone[at] != key:
            kept[count] = key
            count += 1
    return similarity_of_sets(rest, kept[:count])


@njit(nogil=True, cache=True)
def _leaves(state: Int) -> bool:
    """Whether a word in this state is taken out of its post."""
    return state in (COPIED, CHROME, BOILERPLATE)


@njit(nogil=True, cache=True)
def _walk(
    at: Int,
    length: Int,
    post: Int,
    action: Bytes,
    stands_for: Int64s,
    offsets: Int64s,
    taken: Int64s,
    taken_of: Int64s,
    pieces: Int64s,
    pieces_of: Int64s,
    out: Int64s,
    count: Int,
    here: Int,
) -> Any:
    """Where the words at:at+length of a settled post live on.

    Appends (here, length, final post, final position) to `out`; returns (out, count, chrome): chrome
    words ("X wrote:") were taken out for good and need no place.
    """
    chrome = np.int64(0)
    if action[post] == DROP and stands_for[post] != post:
        at += offsets[stands_for[post]] - offsets[post]
        post = stands_for[post]
    first = taken_of[post, 0]
    last = taken_of[post, 1]
    stop = at + length
    # the first taken stretch that ends after `at`
    low = first
    high = last
    while low < high:
        middle = (low + high) >> 1
        if taken[middle, 1] <= at:
            low = middle + 1
        else:
            high = middle
    stretch = low
    low = pieces_of[post, 0]
    high = pieces_of[post, 1]
    while low < high:
        middle = (low + high) >> 1
        if pieces[middle, 0] + pieces[middle, 1] <= at:
            low = middle + 1
        else:
            high = middle
    piece = low
    i = at
    while i < stop:
        next_taken = taken[stretch, 0] if stretch < last else stop
        if i < next_taken:
            until = min(stop, next_taken)
            if count == out.shape[0]:
                out = _grow_rows(out)
            out[count, 0] = here + i - at
            out[count, 1] = until - i
            out[count, 2] = post
            out[count, 3] = i
            count += 1
            i = until
            continue
        until = min(stop, taken[stretch, 1])
        if taken[stretch, 2]:
            chrome += until - i
        while piece < pieces_of[post, 1] and pieces[piece, 0] < until:
            a = max(i, pieces[piece, 0])
            b = min(until, pieces[piece, 0] + pieces[piece, 1])
            if b > a:
                if count == out.shape[0]:
                    out = _grow_rows(out)
                out[count, 0] = here + a - at
                out[count, 1] = b - a
                out[count, 2] = pieces[piece, 2]
                out[count, 3] = pieces[piece, 3] + a - pieces[piece, 0]
                count += 1
            if pieces[piece, 0] + pieces[piece, 1] > until:
                break
            piece += 1
        i = until
        if until == taken[stretch, 1]:
            stretch += 1
    return out, count, chrome


@njit(nogil=True, cache=True)
def settle(
    order: Int64s,
    offsets: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
    authors: Int32s,
    threads: Int64s,
    spans: Int64s,
    span_of: Int64s,
    runs: Int64s,
    stands_for: Int64s,
    empty: Flags,
    protected: Flags,
    policy: Policy,
) -> Any:
    """Decide on every post, in order.

    order: int64 [posts], post numbers by rank. spans: int64 [m, 9], sorted by (post, start), those of
    post p at span_of[p]:span_of[p + 1]; source -1: a quote whose source is missing. runs: int64 [r, 3].
    stands_for: int64 [posts], an exact duplicate's first post, else the post itself.
    empty, protected: bool [posts]. `state` is brought up to date. Returns the fields of `Decisions`.
    """
    posts = order.shape[0]
    action = np.zeros(posts, np.uint8)
    reason = np.full(posts, NO_REASON, np.uint8)
    duplicate_of = np.full(posts, -1, np.int64)
    similarity = np.full(posts, np.nan, np.float32)
    copy_of = np.full(posts, -1, np.int64)
    # of one type each, or numba compiles the helpers once for every constant
    none, zero, one = np.int64(-1), np.int64(0), np.int64(1)
    rows = np.empty((256, ROW_COLUMNS), np.int64)
    row_count = np.int64(0)
    taken = np.empty((256, 3), np.int64)
    taken_count = np.int64(0)
    taken_of = np.zeros((posts, 2), np.int64)
    pieces = np.empty((256, 4), np.int64)
    piece_count = np.int64(0)
    pieces_of = np.zeros((posts, 2), np.int64)
    walked = np.empty((256, 4), np.int64)

    for post in order:
        begin = offsets[post]
        end = offsets[post + 1]
        taken_of[post, :] = taken_count
        pieces_of[post, :] = piece_count
        if empty[post]:
            action[post] = DROP
            reason[post] = EMPTY
            rows, row_count = _write_row(
                rows,
                row_count,
                post,
                begin,
                end,
                np.int64(EMPTY),
                none,
                none,
                none,
                none,
                zero,
                zero,
                zero,
                zero,
            )
            taken, taken_count = _take(taken, taken_count, begin, end, zero)
            taken_of[post, 1] = taken_count
            continue
        copy_of[post] = stands_for[post] if stands_for[post] != post else -1
        if protected[post]:
            continue
        if stands_for[post] != post and policy.exact:
            survivor = stands_for[post]
            action[post] = DROP
            reason[post] = EXACT
            similarity[post] = 1.0
            duplicate_of[post] = survivor
            if action[survivor] == DROP:
                # the copy of a copy answers to what stays, and for the same reason
                reason[post] = reason[survivor]
                duplicate_of[post] = duplicate_of[survivor]
                similarity[post] = similarity[survivor]
                copy_of[post] = copy_of[survivor] if copy_of[survivor] >= 0 else survivor
            why = np.int64(reason[post])
            walked_count = np.int64(0)
            walked, walked_count, _ = _walk(
                begin, end - begin, post, action, stands_for, offsets, taken, taken_of, pieces, pieces_of,
                walked, zero, begin,
            )  # fmt: skip
            rows, row_count = _write_rows(
                rows,
                row_count,
                post,
                begin,
                end,
                why,
                survivor,
                zero,
                zero,
                walked,
                zero,
                walked_count,
            )
            if end == begin:  # no words, and still all of it goes
                rows, row_count = _write_row(
                    rows,
                    row_count,
                    post,
                    begin,
                    end,
                    np.int64(EXACT),
                    survivor,
                    none,
                    none,
                    none,
                    zero,
                    zero,
                    zero,
                    zero,
                )
            continue

        # -- walk every passage to text that stays
        first_span = span_of[post]
        last_span = span_of[post + 1]
        if first_span == last_span:
            continue
        walked_count = np.int64(0)
        walked_of = np.zeros((last_span - first_span, 2), np.int64)
        standing_of = np.zeros(last_span - first_span, np.int64)
        alive = np.zeros(last_span - first_span, np.bool_)
        lost = np.zeros(last_span - first_span, np.bool_)
        for s in range(first_span, last_span):
            if spans[s, 3] < 0:
                continue
            walked_from = walked_count
            matched = np.int64(0)
            standing = np.int64(0)
            for r in range(spans[s, 7], spans[s, 8]):
                matched += runs[r, 2]
                walked, walked_count, chrome = _walk(
                    runs[r, 1], runs[r, 2], spans[s, 3], action, stands_for, offsets, taken, taken_of,
                    pieces, pieces_of, walked, walked_count, runs[r, 0],
                )  # fmt: skip
                standing += chrome
            for w in range(walked_from, walked_count):
                standing += walked[w, 1]
            walked_of[s - first_span, 0] = walked_from
            walked_of[s - first_span, 1] = walked_count
            standing_of[s - first_span] = standing
            if standing * 100 >= matched * SOURCE_SHARE:
                alive[s - first_span] = True
            else:
                lost[s - first_span] = True
                for i in range(spans[s, 1], spans[s, 2]):
                    state[i] = OWN

        # -- what kind of post is left
        own_block = has_own_block(state, info, begin, end)
        own_words = np.int64(0)
        words_of_post = np.int64(0)  # but signatures and "X wrote:"
        for i in range(begin, end):
            own_words += state[i] == OWN
            words_of_post += state[i] != CHROME and state[i] != BOILERPLATE
        standing_words = np.int64(0)
        code_words = np.int64(0)
        shielded = False
        best_source = np.int64(-1)
        best_words = np.int64(0)
        for s in range(first_span, last_span):
            if not alive[s - first_span] or spans[s, 6] & SIGNATURE:
                continue
            if spans[s, 6] & IS_CODE:
                code_words += spans[s, 2] - spans[s, 1]
                continue
            standing_words += standing_of[s - first_span]
            shielded = shielded or spans[s, 6] & PROTECTED != 0
            for w in range(walked_of[s - first_span, 0], walked_of[s - first_span, 1]):
                words = np.int64(0)
                if walked[w, 2] != best_source:
                    for t in range(first_span, last_span):
                        if alive[t - first_span] and not spans[t, 6] & (SIGNATURE | IS_CODE):
                            for v in range(walked_of[t - first_span, 0], walked_of[t - first_span, 1]):
                                if walked[v, 2] == walked[w, 2]:
                                    words += walked[v, 1]
                    if words > best_words:
                        best_words = words
                        best_source = walked[w, 2]
        verdict: Int = np.int64(QUOTE)
        # copied code stays, and so does what is protected: then the post does
        stays = shielded or (code_words > 0 and not policy.code)
        if best_source >= 0 and not own_block and not stays:
            # the post it is most like, of those that any of it comes from
            most_like = best_source
            likeness = 0.0
            tried = np.empty(MOST_TRIED, np.int64)
            tries = 0
            for w in range(walked_count):
                known = False
                for t in range(tries):
                    known = known or tried[t] == walked[w, 2]
                if known or tries == MOST_TRIED:
                    continue
                other = walked[w, 2]
                tried[tries] = other
                tries += 1
                alike = jaccard(hashes, begin, end, offsets[other], offsets[other + 1], policy.shingle_words)
                if alike > likeness:
                    likeness = alike
                    most_like = other
            answers = (
                threads[post] == threads[most_like]
                and authors[post] >= 0
                and authors[post] != authors[most_like]
                and _has_own_line(state, info, begin, end)
            )
            if likeness >= policy.threshold and not answers:
                # a quote or signature that both have does not make them alike
                from_other = np.zeros(end - begin, np.bool_)
                for s in range(first_span, last_span):
                    for w in range(walked_of[s - first_span, 0], walked_of[s - first_span, 1]):
                        if walked[w, 2] == most_like and not spans[s, 6] & SIGNATURE:
                            from_other[walked[w, 0] - begin : walked[w, 0] + walked[w, 1] - begin] = True
                likeness_of_rest = _likeness_of_rest(
                    hashes, state, begin, end, from_other,
                    offsets[most_like], offsets[most_like + 1], policy.shingle_words,
                )  # fmt: skip
            else:
                likeness_of_rest = 0.0
            if min(likeness, likeness_of_rest) >= policy.threshold and not answers:
                copy_of[post] = most_like
                if policy.near:
                    action[post] = DROP
                    reason[post] = NEAR
                    similarity[post] = likeness
                    duplicate_of[post] = most_like
                verdict = NEAR
            elif (
                standing_words * 100 >= words_of_post * REPOST_SHARE
                and own_words * 100 <= words_of_post * (100 - REPOST_OWN_SHARE)
                and not _has_own_line(state, info, begin, end)
            ):
                if policy.reposts:
                    action[post] = DROP
                    reason[post] = REPOST
                    similarity[post] = standing_words / (words_of_post + (words_of_post == 0))
                    duplicate_of[post] = best_source
                verdict = REPOST

        # -- write it down
        first_row = row_count
        for s in range(first_span, last_span):
            k = s - first_span
            flags = spans[s, 6]
            group: Int = s  # spans of one source are one quote
            for t in range(first_span, s):
                if spans[t, 3] == spans[s, 3]:
                    group = t
                    break
            kind: Int = verdict
            removed = alive[k] and not flags & PROTECTED
            if flags & SIGNATURE:
                kind = BOILER
                removed = removed and (policy.boilerplate or action[post] == DROP)
                if action[post] == DROP:
                    kind = verdict
            elif action[post] != DROP:
                if flags & IS_CODE:
                    removed = removed and policy.code
                # of another kind, and still here: it is configured to stay
                removed = removed and policy.quotes and verdict == QUOTE
                if flags & RESEMBLES and spans[s, 5] < policy.across_min_words:
                    if lost[k] or alive[k]:
                        for i in range(spans[s, 1], spans[s, 2]):
                            state[i] = OWN
                    continue  # a few words in common with a resembling post are no quote
            if spans[s, 3] < 0:
                rows, row_count = _write_row(
                    rows,
                    row_count,
                    post,
                    spans[s, 1],
                    spans[s, 2],
                    np.int64(QUOTE),
                    none,
                    none,
                    none,
                    none,
                    zero,
                    np.int64(SOURCE_MISSING),
                    group,
                    one,
                )
                continue
            if lost[k]:
                flags |= SOURCE_LOST
            if not removed and action[post] == DROP:
                continue  # it goes with the whole
            if not removed:
                source_start = runs[spans[s, 7], 1]
                source_end = runs[spans[s, 8] - 1, 1] + runs[spans[s, 8] - 1, 2]
                rows, row_count = _write_row(
                    rows, row_count, post, spans[s, 1], spans[s, 2], kind,
                    spans[s, 3], source_start, source_end, none, spans[s, 5], flags, group, one,
                )  # fmt: skip
                continue
            if action[post] == KEEP:
                action[post] = TRIM
            if flags & CHROME_BEFORE and policy.quote_chrome:
                chrome_start = spans[s, 1]
                while chrome_start > begin and state[chrome_start - 1] == CHROME:
                    chrome_start -= 1
                if chrome_start < spans[s, 1]:
                    rows, row_count = _write_row(
                        rows,
                        row_count,
                        post,
                        chrome_start,
                        spans[s, 1],
                        np.int64(QUOTE_CHROME),
                        none,
                        none,
                        none,
                        none,
                        zero,
                        zero,
                        group,
                        zero,
                    )
                    taken, taken_count = _take(taken, taken_count, chrome_start, spans[s, 1], one)
            rows, row_count = _write_rows(
                rows, row_count, post, spans[s, 1], spans[s, 2], kind, spans[s, 3], flags, group,
                walked, walked_of[k, 0], walked_of[k, 1],
            )  # fmt: skip
            if action[post] != DROP:
                taken, taken_count = _take(taken, taken_count, spans[s, 1], spans[s, 2], zero)
            for w in range(walked_of[k, 0], walked_of[k, 1]):
                if piece_count == pieces.shape[0]:
                    pieces = _grow_rows(pieces)
                pieces[piece_count] = walked[w]
                piece_count += 1
        if action[post] == DROP:
            _share_out(rows, first_row, row_count, begin, end)
            taken_count = taken_of[post, 0]
            taken, taken_count = _take(taken, taken_count, begin, end, zero)
        taken_of[post, 1] = taken_count
        pieces_of[post, 1] = piece_count
    return action, reason, duplicate_of, similarity, copy_of, rows[:row_count].copy()


@njit(nogil=True, cache=True)
def _share_out(rows: Int64s, first: Int, last: Int, begin: Int, end: Int) -> None:
    """The rows of a dropped post hold all its words, so that their scores count what nobody has."""
    if last > first:
        rows[first, ROW_START] = begin
        for r in range(first + 1, last):
            rows[r - 1, ROW_END] = rows[r, ROW_START]
        rows[last - 1, ROW_END] = end


@njit(nogil=True, cache=True)
def _take(taken: Int64s, count: Int, start: Int, end: Int, chrome: Int) -> Any:
    if count == taken.shape[0]:
        taken = _grow_rows(taken)
    taken[count, 0] = start
    taken[count, 1] = end
    taken[count, 2] = chrome
    return taken, count + 1


@njit(nogil=True, cache=True)
def _write_row(
    rows: Int64s,
    count: Int,
    post: Int,
    start: Int,
    end: Int,
    why: Int,
    source: Int,
    source_start: Int,
    source_end: Int,
    via: Int,
    matched: Int,
    flags: Int,
    group: Int,
    kept: Int,
) -> Any:
    if count == rows.shape[0]:
        rows = _grow_rows(rows)
    rows[count, ROW_POST] = post
    rows[count, ROW_START] = start
    rows[count, ROW_END] = end
    rows[count, ROW_WHY] = why
    rows[count, ROW_SOURCE] = source
    rows[count, ROW_SOURCE_START] = source_start
    rows[count, ROW_SOURCE_END] = source_end
    rows[count, ROW_VIA] = via
    rows[count, ROW_MATCHED] = matched
    rows[count, ROW_FLAGS] = flags
    rows[count, ROW_GROUP] = group
    rows[count, ROW_KEPT] = kept
    return rows, count + 1


@njit(nogil=True, cache=True)
def _write_rows(
    rows: Int64s,
    count: Int,
    post: Int,
    start: Int,
    end: Int,
    why: Int,
    source: Int,
    flags: Int,
    group: Int,
    walked: Int64s,
    first: Int,
    last: Int,
) -> Any:
    """One row for each stretch of the passage that lives on in one place."""
    w = first
    row_start = start
    while w < last:
        final = walked[w, 2]
        there = walked[w, 3]
        there_end = there + walked[w, 1]
        matched = walked[w, 1]
        stop = w + 1
        # pieces of one final post, in order there too, make one row
        while stop < last and walked[stop, 2] == final and walked[stop, 3] >= there_end:
            there_end = walked[stop, 3] + walked[stop, 1]
            matched += walked[stop, 1]
            stop += 1
        row_end = walked[stop, 0] if stop < last else end
        via = source if source != final else np.int64(-1)
        rows, count = _write_row(
            rows,
            count,
            post,
            row_start,
            row_end,
            why,
            final,
            there,
            there_end,
            via,
            matched,
            flags,
            group,
            np.int64(0),
        )
        row_start = row_end
        w = stop
    return rows, count
