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

from dedup.arrays import Bytes, Flags, Int, Int32s, Int64s, UInt16s, UInt32s, grow_rows, inverse
from dedup.index import Index
from dedup.own import has_own_block, has_own_line, likeness_of_rest
from dedup.quotes.marks import loose_tags
from dedup.quotes.spans import PROTECTED, RESEMBLES, SIGNATURE
from dedup.quotes.within import BOILERPLATE, CHROME, CHROME_AFTER, CHROME_BEFORE, IN_TAG, IS_CODE, OWN
from dedup.text.shingles import jaccard
from dedup.trace import (
    DROP,
    KEEP,
    ROW_END,
    ROW_KEPT,
    ROW_POST,
    ROW_SOURCE,
    ROW_SOURCE_END,
    ROW_SOURCE_START,
    ROW_START,
    ROW_VIA,
    TRIM,
    share_out,
    sort_taken,
    take,
    walk,
    write_row,
    write_rows,
)

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

REPOST_SHARE = 90
"""Percent of a repost's words that must stand elsewhere."""
REPOST_OWN_SHARE = 98
"""Percent of a repost's words that must lie in copied passages: "so true" is worth keeping."""
MOST_TRIED = 16
"""Posts that one post is compared with as a whole."""
SOURCE_SHARE = 80
"""Percent of a passage's matched words that must be found in text that stays: as many as an edited quote
has from its source, so that a quote of it goes where it went."""


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


def in_input_order(decisions: Decisions, index: Index) -> Decisions:
    """The decisions with posts and words numbered as they stand in the input, and rows sorted so."""
    number_of = inverse(index.input_of)
    # one more for -1, which stays
    input_of = np.append(index.input_of, np.int64(-1))
    shifts = index.input_offsets[index.input_of] - index.offsets[:-1]
    rows = decisions.rows
    for post, columns in ((ROW_POST, (ROW_START, ROW_END)), (ROW_SOURCE, (ROW_SOURCE_START, ROW_SOURCE_END))):
        known = rows[:, post] >= 0
        moves = np.where(known, shifts[rows[:, post]] if len(shifts) else 0, 0)
        for column in columns:
            rows[:, column] += np.where(rows[:, column] >= 0, moves, 0)
    for post in (ROW_POST, ROW_SOURCE, ROW_VIA):
        rows[:, post] = input_of[rows[:, post]]
    ordered = index.scratch.zeros(rows.shape, np.int64)
    order = np.lexsort((rows[:, ROW_START], rows[:, ROW_POST]))
    np.take(rows, order, axis=0, out=ordered, mode="clip")  # another mode would copy all of it first
    return Decisions(
        decisions.action[number_of],
        decisions.reason[number_of],
        input_of[decisions.duplicate_of[number_of]],
        decisions.similarity[number_of],
        input_of[decisions.copy_of[number_of]],
        ordered,
    )


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
    mark_offsets: Int64s,
    mark_spans: Int64s,
    stands_for: Int64s,
    empty: Flags,
    protected: Flags,
    policy: Policy,
    action: Bytes,
    reason: Bytes,
    duplicate_of: Int64s,
    similarity: NDArray[np.float32],
    copy_of: Int64s,
    taken_of: Int64s,
    pieces_of: Int64s,
    rows: Int64s,
    taken: Int64s,
    pieces: Int64s,
) -> Any:
    """Decide on every post, in order.

    order: int64 [posts], post numbers by rank. spans: int64 [m, 9], sorted by (post, start), those of
    post p at span_of[p]:span_of[p + 1]; source -1: a quote whose source is missing. runs: int64 [r, 3].
    mark_offsets, mark_spans: see `Marks`.
    stands_for: int64 [posts], an exact duplicate's first post, else the post itself.
    empty, protected: bool [posts]. `state` is brought up to date. Fills in action, reason, duplicate_of,
    similarity and copy_of, and returns rows (see `Decisions`). taken_of, pieces_of: int64 [posts, 2], for
    what only this kernel looks at; so are taken (int64 [n, 3]) and pieces ([n, 5]), which have room for what
    is likely, as rows has. The arrays are 0 at first.
    """
    reason[:] = NO_REASON
    duplicate_of[:] = -1
    similarity[:] = np.nan
    copy_of[:] = -1
    # of one type each, or numba compiles the helpers once for every constant
    none, zero, one = np.int64(-1), np.int64(0), np.int64(1)
    row_count = np.int64(0)
    taken_count = np.int64(0)
    piece_count = np.int64(0)
    walked = np.empty((256, 5), np.int64)

    for post in order:
        begin = offsets[post]
        end = offsets[post + 1]
        taken_of[post, :] = taken_count
        pieces_of[post, :] = piece_count
        if empty[post]:
            action[post] = DROP
            reason[post] = EMPTY
            rows, row_count = write_row(
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
            taken, taken_count = take(taken, taken_count, begin, end, zero)
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
            walked, walked_count = walk(
                begin, end - begin, post, action, stands_for, offsets, taken, taken_of, pieces, pieces_of,
                walked, zero, begin,
            )  # fmt: skip
            rows, row_count = write_rows(
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
                rows, row_count = write_row(
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
        announces = np.zeros(last_span - first_span, np.bool_)
        for s in range(first_span, last_span):
            if spans[s, 3] < 0:
                continue
            walked_from = walked_count
            matched = np.int64(0)
            standing = np.int64(0)
            kept = False
            for r in range(spans[s, 7], spans[s, 8]):
                matched += runs[r, 2]
                walked, walked_count = walk(
                    runs[r, 1], runs[r, 2], spans[s, 3], action, stands_for, offsets, taken, taken_of,
                    pieces, pieces_of, walked, walked_count, runs[r, 0],
                )  # fmt: skip
            for w in range(walked_from, walked_count):
                standing += walked[w, 1]
                kept = kept or walked[w, 4] == 0
            walked_of[s - first_span, 0] = walked_from
            walked_of[s - first_span, 1] = walked_count
            standing_of[s - first_span] = standing
            found = standing * 100 >= matched * SOURCE_SHARE
            if found and kept:
                alive[s - first_span] = True
            elif found:
                announces[s - first_span] = True  # nothing but "X wrote:", which went from the source
            else:
                lost[s - first_span] = True
                for i in range(spans[s, 1], spans[s, 2]):
                    state[i] = OWN

        # a quoted "X wrote:" goes with what it announces
        for s in range(last_span - 1, first_span - 1, -1):
            k = s - first_span
            if not announces[k]:
                continue
            announces[k] = (
                s + 1 < last_span
                and (alive[k + 1] or announces[k + 1])
                and spans[s + 1, 1] == spans[s, 2]
                and not spans[s + 1, 6] & (SIGNATURE | IS_CODE | PROTECTED)
            )
            lost[k] = not announces[k]
            if announces[k]:
                spans[s + 1, 6] |= CHROME_BEFORE
            for i in range(spans[s, 1], spans[s, 2]):
                state[i] = CHROME if announces[k] else OWN

        # -- what kind of post is left
        own_block = has_own_block(state, info, begin, end)
        own_words = np.int64(0)
        words_of_post = np.int64(0)  # but signatures and "X wrote:"
        for i in range(begin, end):
            own_words += state[i] == OWN
            words_of_post += state[i] not in (CHROME, CHROME_AFTER, BOILERPLATE, IN_TAG)
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
                if walked[w, 2] != best_source and walked[w, 4] == 0:
                    for t in range(first_span, last_span):
                        if alive[t - first_span] and not spans[t, 6] & (SIGNATURE | IS_CODE):
                            for v in range(walked_of[t - first_span, 0], walked_of[t - first_span, 1]):
                                if walked[v, 2] == walked[w, 2] and walked[v, 4] == 0:
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
                if known or tries == MOST_TRIED or walked[w, 4]:
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
                and has_own_line(state, info, begin, end)
            )
            if likeness >= policy.threshold and not answers:
                # a quote or signature that both have does not make them alike
                from_other = np.zeros(end - begin, np.bool_)
                for s in range(first_span, last_span):
                    for w in range(walked_of[s - first_span, 0], walked_of[s - first_span, 1]):
                        if walked[w, 2] == most_like and not spans[s, 6] & SIGNATURE:
                            from_other[walked[w, 0] - begin : walked[w, 0] + walked[w, 1] - begin] = True
                rest = likeness_of_rest(
                    hashes, state, begin, end, from_other,
                    offsets[most_like], offsets[most_like + 1], policy.shingle_words,
                )  # fmt: skip
            else:
                rest = 0.0
            if min(likeness, rest) >= policy.threshold and not answers:
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
                and not has_own_line(state, info, begin, end)
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
            if announces[k]:
                continue
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
                rows, row_count = write_row(
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
                rows, row_count = write_row(
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
                    rows, row_count = write_row(
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
                    taken, taken_count = take(taken, taken_count, chrome_start, spans[s, 1], one)
            rows, row_count = write_rows(
                rows, row_count, post, spans[s, 1], spans[s, 2], kind, spans[s, 3], flags, group,
                walked, walked_of[k, 0], walked_of[k, 1],
            )  # fmt: skip
            if action[post] != DROP:
                taken, taken_count = take(taken, taken_count, spans[s, 1], spans[s, 2], zero)
            chrome_end = spans[s, 2]
            while policy.quote_chrome and chrome_end < end and state[chrome_end] == CHROME_AFTER:
                chrome_end += 1
            if chrome_end > spans[s, 2]:
                rows, row_count = write_row(
                    rows, row_count, post, spans[s, 2], chrome_end, np.int64(QUOTE_CHROME),
                    none, none, none, none, zero, zero, group, zero,
                )  # fmt: skip
                taken, taken_count = take(taken, taken_count, spans[s, 2], chrome_end, one)
            for w in range(walked_of[k, 0], walked_of[k, 1]):
                if piece_count == pieces.shape[0]:
                    pieces = grow_rows(pieces)
                pieces[piece_count] = walked[w]
                piece_count += 1
        first_mark = mark_offsets[post]
        last_mark = mark_offsets[post + 1]
        if action[post] == TRIM and first_mark < last_mark and policy.quote_chrome:
            gone = np.zeros(end - begin, np.bool_)
            for r in range(first_row, row_count):
                if not rows[r, ROW_KEPT]:
                    gone[rows[r, ROW_START] - begin : rows[r, ROW_END] - begin] = True
            tags = loose_tags(mark_spans, first_mark, last_mark, info, gone, begin)
            for t in range(tags.shape[0]):
                rows, row_count = write_row(
                    rows, row_count, post, tags[t, 0], tags[t, 1], np.int64(QUOTE_CHROME),
                    none, none, none, none, zero, zero, first_span, zero,
                )  # fmt: skip
                taken, taken_count = take(taken, taken_count, tags[t, 0], tags[t, 1], one)
            sort_taken(taken, taken_of[post, 0], taken_count)
        if action[post] == DROP:
            share_out(rows, first_row, row_count, begin, end)
            taken_count = taken_of[post, 0]
            taken, taken_count = take(taken, taken_count, begin, end, zero)
        taken_of[post, 1] = taken_count
        pieces_of[post, 1] = piece_count
    return rows[:row_count]
