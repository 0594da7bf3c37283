"""Passages of earlier posts of the same thread.

Posts are taken in order. Every post's shingles of three words are looked up among the *own* words of
the posts before it; a hit grows to the longest exact run and then over small gaps. A passage counts as
copied when its words are surprising enough together, the less so the more else speaks for a quote:
that it fills whole lines, that a line above names the author, that the dump marks it. Words found to be
copied are not looked up later: a quote of a quote leads to the first who said it.

Seeds and chains as in text-reuse detection (Smith et al., passim); evidence as the information content
of the words under their background frequencies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dedup.arrays import Bytes, Int, Int32s, Int64s, UInt16s, UInt32s, UInt64s, grow_rows, helper
from dedup.quotes.align import evidence_of, exact_run, finish_lines, grow_chain
from dedup.quotes.attribution import closing_line, find_attributions
from dedup.quotes.marks import announce, named_at
from dedup.text.shingles import shingle_hash
from dedup.text.tokens import CHARACTER, CODE, COLON, LINE_START, PARAGRAPH, PREFIXED, SENTENCE

SEED_WORDS = 3
MOST_POSTINGS = 64
"""Postings kept for one shingle of a thread: hot threads stay linear."""
MIN_DENSITY = 95
"""Percent of an unannounced passage's words that must be the source's."""
MIN_EDITED_DENSITY = 80
MIN_EDITED_RUN = 6
"""The same for one in which single words were changed: on average so many in a row are the source's."""
MOST_CHANGED_AT_END = 3
FEWEST_CHARACTERS = 4
"""Of a quote whose author is named, in a script without spaces; elsewhere one word is enough."""
MOST_CODE_IN_EDITED = 20
"""Percent of its words that may stand on lines of code."""
MOST_PROSE_IN_CODE = 25
"""Words of a passage of code that may stand on lines of prose, such as comments."""
MOST_ANNOUNCED_GAP = 24
"""Words between two passages of one source, one of them code, that still belong together."""
LONG_RUN_WORDS = 64
MOST_RUNS = 512
"""Exact runs of one chain; a longer passage becomes several."""

OWN, COPIED, CHROME, BOILERPLATE, CODE_COPY, IN_TAG, CHROME_AFTER = 0, 1, 2, 3, 4, 5, 6
"""What `state` says of a word."""

# columns of a span
POST, START, END, SOURCE, EVIDENCE, MATCHED, FLAGS, FIRST_RUN, LAST_RUN = range(9)
SPAN_COLUMNS = 9
# columns of a run
RUN_START, RUN_SOURCE_START, RUN_LENGTH = range(3)

# flags of a span
SAME_AUTHOR, ATTRIBUTED, IN_MARK, WHOLE_LINES, IS_CODE, ACROSS, CHROME_BEFORE = (1 << i for i in range(7))


@helper
def leaves(state: Int) -> bool:
    """Whether a word in this state is taken out of its post."""
    return state in (COPIED, CHROME, BOILERPLATE, IN_TAG, CHROME_AFTER)


@helper
def _without_strays(info: UInt16s, end: Int, chain: Int64s, first: Int, last: Int) -> Any:
    """The runs of a chain, first:last, without one or two words of the next line or the one before.

    Where a line ends with a passage, "it's" in the midst of the next is in the source by chance.
    """
    if last - first > 1 and chain[last - 1, 2] < SEED_WORDS:
        border = chain[last - 2, 0] + chain[last - 2, 2]
        stop = chain[last - 1, 0] + chain[last - 1, 2]
        if info[border] & LINE_START and stop < end and not info[stop] & LINE_START:
            last -= 1
    if (
        last - first > 1
        and chain[first, 2] < SEED_WORDS
        and info[chain[first + 1, 0]] & LINE_START
        and not info[chain[first, 0]] & LINE_START
    ):
        first += 1
    return first, last


@helper
def is_dense(
    info: UInt16s, start: Int, stop: Int, end: Int, matched: Int, runs: Int, same_author: Int
) -> Any:
    """Whether the words start:stop, matched in so many runs, are a copy and no form filled in twice.

    Single words may have been changed in whole sentences of somebody else's; who changes a listing, or
    words of his own, says something new.
    """
    words = stop - start
    if matched < runs * SEED_WORDS:
        return False  # every other line of a table
    if matched * 100 >= words * MIN_DENSITY:
        return True
    # the last words of the last sentence may be among the changed ones
    last = stop
    while last < end and last < stop + MOST_CHANGED_AT_END and not info[last] & SENTENCE:
        last += 1
    return (
        not same_author
        and matched * 100 >= words * MIN_EDITED_DENSITY
        and matched >= runs * MIN_EDITED_RUN
        and info[start] & SENTENCE
        and (last >= end or info[last] & SENTENCE)
        and _share_of(info, start, stop, CODE) < MOST_CODE_IN_EDITED
    )


@helper
def is_code(info: UInt16s, start: Int, end: Int) -> Any:
    """Whether a passage is source code: most of its lines look like it, and little prose stands between."""
    share = _share_of(info, start, end, CODE)
    return share >= 70 or (share >= 40 and (100 - share) * (end - start) < 100 * MOST_PROSE_IN_CODE)


@helper
def _is_own_line(info: UInt16s, state: Bytes, first: Int, last: Int) -> Any:
    """Whether the words first:last are own ones and stand on one line with the word `last`."""
    same = True
    for i in range(first, last):
        same = same and state[i] == OWN and not info[i + 1] & LINE_START
    return same


@helper
def _is_quoted(candidate: Int64s, source: Int, spans: Int64s, runs: Int64s) -> Any:
    """Whether most words of the source that a candidate's runs have stand in other passages already."""
    matched = np.int64(0)
    taken = np.int64(0)
    for r in range(candidate.shape[0]):
        begin = candidate[r, RUN_SOURCE_START]
        stop = begin + candidate[r, RUN_LENGTH]
        matched += stop - begin
        for s in range(spans.shape[0]):
            if spans[s, SOURCE] != source:
                continue
            for q in range(spans[s, FIRST_RUN], spans[s, LAST_RUN]):
                low = max(begin, runs[q, RUN_SOURCE_START])
                high = min(stop, runs[q, RUN_SOURCE_START] + runs[q, RUN_LENGTH])
                taken += max(np.int64(0), high - low)
    return 2 * taken > matched


@njit(nogil=True, cache=True)
def count_own(posts: Int64s, offsets: Int64s, info: UInt16s, state: Bytes) -> Any:
    """How many words of some posts (int64 [n]) are their own, characters counted as thirds: int64 [n]."""
    counts = np.zeros(posts.shape[0], np.int64)
    for n in range(posts.shape[0]):
        thirds = 0
        for i in range(offsets[posts[n]], offsets[posts[n] + 1]):
            if state[i] == OWN:
                thirds += 1 if info[i] & CHARACTER else 3
        counts[n] = thirds // 3
    return counts


@helper
def set_state(state: Bytes, starts: Int64s, ends: Int64s, kinds: Bytes) -> None:
    """Say of the words of passages (int64 [n], positions each) what they are (uint8 [n])."""
    for i in range(starts.shape[0]):
        state[starts[i] : ends[i]] = kinds[i]


@helper
def _share_of(info: UInt16s, start: Int, end: Int, flag: Int) -> Any:
    """How many of the words start:end carry a flag, in percent."""
    count = 0
    for i in range(start, end):
        if info[i] & flag:
            count += 1
    return 100 * count // max(1, end - start)


@helper
def _count_words(posts: Int64s, first: Int, last: Int, offsets: Int64s) -> Any:
    total = np.int64(0)
    for p in range(first, last):
        total += offsets[posts[p] + 1] - offsets[posts[p]]
    return total


@helper
def _table_size(words: Int) -> Any:
    size = np.int64(64)
    while size < 2 * words:
        size *= 2
    return size


@helper
def _find_candidates(
    posts: Int64s,
    d: Int,
    window: Int,
    offsets: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
    slot_key: UInt64s,
    mask: np.uint64,
    slot_first: Int32s,
    posting_next: Int32s,
    posting_at: Int64s,
    posting_post: Int32s,
    diagonal_key: Int64s,
    diagonal_start: Int64s,
    diagonal_end: Int64s,
    attributions: Int64s,
    attribution_count: Int,
    anchor: Int,
    max_gap: Int,
    mark_flags: Int,
    chain: Int64s,
    candidates: Int64s,
    runs: Int64s,
) -> Any:
    """Seeds of the post number d → exact runs → chains: rows of `candidates` (as spans) and their `runs`.

    Returns how many candidates there are, or -1 when there are more than fit in. A kernel of its own, as in
    one that makes arrays anew numba counts references to them for every word.
    """
    post = posts[d]
    begin = offsets[post]
    end = offsets[post + 1]
    count = np.int64(0)
    run_count = np.int64(0)
    long_source: Int = np.int32(-1)
    long_end: Int = np.int64(0)
    for i in range(begin, end - SEED_WORDS + 1):
        if state[i] == BOILERPLATE:
            continue
        key = shingle_hash(hashes, i, SEED_WORDS)
        slot = key & mask
        while slot_key[slot] != 0 and slot_key[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        if slot_key[slot] == 0:
            continue
        posting = slot_first[slot]
        while posting >= 0:
            j = posting_at[posting]
            source = posting_post[posting]
            posting = posting_next[posting]
            if window > 0 and d - source > window:
                continue
            # in the midst of a long run the same source has nothing better; periodic text would
            # have a run on every diagonal
            if source == long_source and i + SEED_WORDS < long_end:
                continue
            diagonal = j - i
            cell = diagonal & 4095
            if diagonal_key[cell] == diagonal and diagonal_start[cell] <= i < diagonal_end[cell]:
                continue
            source_begin = offsets[posts[source]]
            source_end = offsets[posts[source] + 1]
            back, n = exact_run(hashes, i, j, begin, end, source_begin, source_end)
            if n < SEED_WORDS:
                continue
            diagonal_key[cell] = diagonal
            diagonal_start[cell] = i - back
            diagonal_end[cell] = i + n
            if n + back >= LONG_RUN_WORDS:
                long_source = source
                long_end = i + n
            evidence = evidence_of(info, i - back, i + n)
            starts_line = info[i - back] & LINE_START
            ends_line = i + n >= end or info[i + n] & LINE_START
            if evidence < anchor and not (starts_line and ends_line) and not info[i] & mark_flags:
                announced = False
                for t in range(attribution_count):
                    announced = announced or attributions[t, 1] == i - back or attributions[t, 2] == i - back
                if not announced:
                    continue
            first, last = grow_chain(
                hashes,
                info,
                i - back,
                j - back,
                n + back,
                begin,
                end,
                source_begin,
                source_end,
                max_gap,
                chain,
            )
            for r in range(first, last):
                other = chain[r, 1] - chain[r, 0]
                cell = other & 4095
                # a run that comes later on its diagonal says nothing of what stands before it
                if diagonal_key[cell] != other or diagonal_end[cell] <= chain[first, 0]:
                    diagonal_key[cell] = other
                    diagonal_start[cell] = chain[r, 0]
                diagonal_start[cell] = min(diagonal_start[cell], chain[r, 0])
                diagonal_end[cell] = chain[r, 0] + chain[r, 2]
            first, last = finish_lines(
                hashes, info, begin, end, source_begin, source_end, max_gap, chain, first, last
            )
            # words past a line end of ours that the source has on one line agree by chance
            while last - first > 0:
                tail = chain[last - 1, 0] + chain[last - 1, 2]
                cut: Int = np.int64(0)
                for back_words in range(1, 3):
                    k = tail - back_words
                    if k <= chain[last - 1, 0] or tail >= end or info[tail] & LINE_START:
                        break
                    if info[k] & LINE_START:
                        if not info[chain[last - 1, 1] + k - chain[last - 1, 0]] & LINE_START:
                            cut = back_words
                        break
                chain[last - 1, 2] -= cut
                break
            first, last = _without_strays(info, end, chain, first, last)
            if last <= first:
                continue
            if count == candidates.shape[0] or run_count + last - first > runs.shape[0]:
                return np.int64(-1)
            matched = np.int64(0)
            surprise = np.int64(0)
            candidates[count, FIRST_RUN] = run_count
            for r in range(first, last):
                for column in range(3):
                    runs[run_count, column] = chain[r, column]
                run_count += 1
                matched += chain[r, 2]
                surprise += evidence_of(info, chain[r, 0], chain[r, 0] + chain[r, 2])
            candidates[count, POST] = post
            candidates[count, START] = chain[first, 0]
            candidates[count, END] = chain[last - 1, 0] + chain[last - 1, 2]
            candidates[count, SOURCE] = source
            candidates[count, EVIDENCE] = surprise
            candidates[count, MATCHED] = matched
            candidates[count, FLAGS] = 0
            candidates[count, LAST_RUN] = run_count
            count += 1
    return count


@njit(nogil=True, cache=True)
def find_within(
    posts: Int64s,
    thread_offsets: Int64s,
    windows: Int64s,
    offsets: Int64s,
    hashes: UInt32s,
    info: UInt16s,
    state: Bytes,
    authors: Int32s,
    author_names: UInt64s,
    name_keys: UInt64s,
    verbs: UInt64s,
    nouns: UInt64s,
    closers: UInt64s,
    mark_offsets: Int64s,
    mark_spans: Int64s,
    mark_names: UInt64s,
    stands_for: Int64s,
    min_words: Int,
    min_evidence: Int,
    min_evidence_lines: Int,
    max_gap: Int,
    repeat_factor: Int,
    mark_flags: Int,
) -> Any:
    """The copied passages of threads.

    posts: int64 [n], the posts of one thread after the other, those of a thread in the order in which their
    words lie (of two, in either); thread_offsets: int64 [threads + 1]. A thread of one post has no passages.
    windows: int64 [threads]; a source stands at most so many posts of the thread before (0: any).
    offsets, hashes, info: the words of all posts (see `Tokens`).
    state: uint8 [words], what each word is; copied words are set here.
    authors: int32 [all posts], -1 where unknown; author_names, name_keys, verbs, nouns, closers: see `Names`.
    mark_offsets, mark_spans, mark_names: see `Marks`.
    stands_for: int64 [all posts]; an exact duplicate of another post is a source, and has no passages.
    min_evidence, min_evidence_lines: in eighths of a nat.
    repeat_factor: how much more evidence (and, by two thirds, words) an author's own words take.
    mark_flags: which bits of `info` count as quote marks (0: none).
    Returns spans int64 [m, 9] and runs int64 [r, 3]; word positions are global. A marked quote whose words
    are nowhere earlier is a span of source -1 without runs: its words stay the post's own.
    """
    most = np.int64(0)
    for number in range(windows.shape[0]):
        if thread_offsets[number + 1] - thread_offsets[number] < 2:
            continue  # nothing is looked up in it
        most = max(most, _count_words(posts, thread_offsets[number], thread_offsets[number + 1], offsets))
    size = _table_size(most)
    mask = np.uint64(size - 1)
    slot_key = np.empty(size, np.uint64)
    slot_count = np.empty(size, np.uint8)
    slot_first = np.empty(size, np.int32)
    slot_last = np.empty(size, np.int32)
    posting_next = np.empty(most + 1, np.int32)
    posting_at = np.empty(most + 1, np.int64)
    posting_post = np.empty(most + 1, np.int32)
    postings = 0

    spans = np.empty((64, SPAN_COLUMNS), np.int64)
    span_count = 0
    runs = np.empty((128, 3), np.int64)
    run_count = 0

    chain = np.empty((MOST_RUNS, 3), np.int64)
    candidates = np.empty((64, SPAN_COLUMNS), np.int64)
    candidate_runs = np.empty((128, 3), np.int64)
    diagonal_key = np.empty(4096, np.int64)
    diagonal_start = np.empty(4096, np.int64)
    diagonal_end = np.empty(4096, np.int64)
    attributions = np.empty((256, 3), np.int64)
    attribution_names = np.empty(256, np.uint64)
    attribution_used = np.empty(256, np.bool_)
    anchor = min(min_evidence_lines, min_evidence) * 2 // 3

    thread: Int = np.int64(-1)
    first_post: Int = np.int64(0)
    last_post: Int = np.int64(0)
    window: Int = np.int64(0)
    for d in range(posts.shape[0]):
        if d == last_post:
            while d == last_post:
                thread += 1
                first_post = thread_offsets[thread]
                last_post = thread_offsets[thread + 1]
            if last_post - first_post < 2:
                continue
            window = windows[thread]
            size = _table_size(_count_words(posts, first_post, last_post, offsets))
            mask = np.uint64(size - 1)
            slot_key[:size] = 0
            slot_count[:size] = 0
            postings = 0
            # what a post leaves here ends before the next one of the thread begins; the first leaves nothing
            diagonal_end[:] = -1
        post = posts[d]
        begin = offsets[post]
        end = offsets[post + 1]
        fresh = stands_for[post] == post
        attribution_count = 0
        if fresh:
            attribution_count = find_attributions(
                hashes, info, begin, end, name_keys, verbs, nouns, attributions, attribution_names
            )
            attribution_count = announce(
                mark_spans,
                mark_names,
                mark_offsets[post],
                mark_offsets[post + 1],
                info,
                attributions,
                attribution_names,
                attribution_count,
            )
        candidate_count: Int = np.int64(0)
        while fresh:
            candidate_count = _find_candidates(
                posts,
                d,
                window,
                offsets,
                hashes,
                info,
                state,
                slot_key,
                mask,
                slot_first,
                posting_next,
                posting_at,
                posting_post,
                diagonal_key,
                diagonal_start,
                diagonal_end,
                attributions,
                attribution_count,
                anchor,
                max_gap,
                mark_flags,
                chain,
                candidates,
                candidate_runs,
            )
            if candidate_count >= 0:
                break
            candidates = grow_rows(candidates)
            candidate_runs = grow_rows(candidate_runs)
            diagonal_end[:] = -1

        # -- accept the strongest first; what overlaps keeps its uncovered part
        attribution_used[:] = False
        strength = np.empty(candidate_count, np.int64)
        for c in range(candidate_count):
            named: Int = 0
            name = author_names[posts[candidates[c, SOURCE]]]
            for t in range(attribution_count):
                here = (
                    attributions[t, 1] == candidates[c, START] or attributions[t, 2] == candidates[c, START]
                )
                if here and attribution_names[t] == name and name != 0:
                    named = 1
            strength[c] = -(candidates[c, EVIDENCE] * 2 + named)
        order = np.argsort(strength, kind="mergesort")
        accepted_from = span_count
        # twice: what stands next to an accepted passage begins or ends a line there
        for _ in range(2):
            for o in range(candidate_count):
                c = order[o]
                # the uncovered part that is most surprising
                start = candidates[c, START]
                stop = candidates[c, END]
                best_start = start
                best_end = start
                best = np.int64(-1)
                i = start
                while i < stop:
                    while i < stop and state[i] != OWN:
                        i += 1
                    k = i
                    while k < stop and state[k] == OWN:
                        k += 1
                    if k > i:
                        surprise = evidence_of(info, i, k)
                        if surprise > best:
                            best = surprise
                            best_start = i
                            best_end = k
                    i = k
                if best < 0:
                    continue
                cut = best_start > start or best_end < stop
                start = best_start
                stop = best_end
                evidence = np.int64(0)
                matched = np.int64(0)
                pieces = 0
                first_start = np.int64(-1)
                last_end = start
                for r in range(candidates[c, FIRST_RUN], candidates[c, LAST_RUN]):
                    a = max(start, candidate_runs[r, 0])
                    b = min(stop, candidate_runs[r, 0] + candidate_runs[r, 2])
                    if b > a:
                        if first_start < 0:
                            first_start = a
                        last_end = b
                        pieces += 1
                        matched += b - a
                        evidence += evidence_of(info, a, b)
                if matched == 0:
                    continue
                start = first_start
                stop = last_end
                source = posts[candidates[c, SOURCE]]
                # the first words of an announced quote may be changed, the first of all cut: "[He] said that"
                for t in range(attribution_count):
                    lead = start - attributions[t, 2]
                    named_here = attribution_names[t] != 0 and attribution_names[t] == author_names[source]
                    if (
                        matched >= min_words
                        and 0 < lead <= (max_gap if named_here else 1)
                        and (named_here or stop >= end or info[stop] & LINE_START)
                        and _is_own_line(info, state, start - lead, start)
                    ):
                        start -= lead
                        break
                flags = np.int64(0)
                if authors[source] >= 0 and authors[source] == authors[post]:
                    flags |= SAME_AUTHOR
                # what goes leaves a border behind, as if the post had been written without it
                after_gone = start > begin and leaves(state[start - 1])
                before_gone = stop < end and leaves(state[stop])
                starts_line = info[start] & LINE_START or after_gone
                ends_line = stop >= end or info[stop] & LINE_START or before_gone
                if starts_line and ends_line:
                    flags |= WHOLE_LINES
                paragraph = (info[start] & PARAGRAPH or after_gone) and (
                    stop >= end or info[stop] & PARAGRAPH or before_gone
                )
                announced = False
                announcement = -1
                nested = False
                for t in range(attribution_count):
                    nested = nested or start <= attributions[t, 0] < stop
                    if attributions[t, 1] == start or attributions[t, 2] == start:
                        announced = True
                        if attribution_names[t] != 0 and attribution_names[t] == author_names[source]:
                            flags |= ATTRIBUTED
                        announcement = t
                marked_name = named_at(
                    mark_spans, mark_names, mark_offsets[post], mark_offsets[post + 1], start
                )
                if marked_name != 0 and marked_name == author_names[source]:
                    flags |= ATTRIBUTED
                if mark_flags and _share_of(info, start, stop, mark_flags) >= 80:
                    flags |= IN_MARK
                if not nested and is_code(info, start, stop):  # pasted code names nobody
                    flags |= IS_CODE
                known_source = False
                company = after_gone or before_gone
                # who quotes a line and takes it up says it himself; a cleaned post shows only that
                taken_up = matched < LONG_RUN_WORDS and _is_quoted(
                    candidate_runs[candidates[c, FIRST_RUN] : candidates[c, LAST_RUN]],
                    source,
                    spans[accepted_from:span_count],
                    runs,
                )
                for a in range(accepted_from, span_count if not taken_up else accepted_from):
                    company = company or spans[a, SOURCE] == source
                    known_source = known_source or (
                        spans[a, SOURCE] == source
                        and spans[a, FLAGS] & (ATTRIBUTED | IN_MARK | CHROME_BEFORE)
                    )
                # inside a line people repeat phrases; quotes begin and end where lines or sentences do
                need = min_evidence * 3
                if flags & WHOLE_LINES:
                    need = min_evidence_lines if paragraph else min_evidence
                elif (starts_line and (stop >= end or info[stop] & SENTENCE)) or (
                    ends_line and info[start] & SENTENCE
                ):
                    need = min_evidence
                words_needed = min_words
                if flags & WHOLE_LINES:
                    words_needed = min(words_needed, 3)
                    if matched < min_words and not company:
                        need = max(need, min_evidence)  # a lone short line is mostly said anew
                if flags & SAME_AUTHOR and not (known_source and after_gone):
                    # people repeat themselves: only what is long enough was pasted
                    need = min_evidence * repeat_factor
                    words_needed = max(min_words, min_words * repeat_factor * 2 // 3)
                elif known_source:
                    need = need * 2 // 3
                if flags & ATTRIBUTED:
                    # a few words that begin alike are none: "X wrote: … I think …"
                    need = min(need, 48 if ends_line else min_evidence_lines)
                    words_needed = FEWEST_CHARACTERS if info[start] & CHARACTER else 1
                elif flags & IN_MARK or announced:
                    need = min(need, 80)
                    words_needed = min(words_needed, min_words if info[start] & CHARACTER else 3)
                # "I want to ..." below a name whose quote is gone begins as many an answer does
                if flags & ATTRIBUTED and not (ends_line or info[stop] & SENTENCE):
                    words_needed = max(words_needed, min_words)
                if cut and not flags & (ATTRIBUTED | IN_MARK):
                    need = max(need, min_evidence_lines)
                if evidence < need or matched < words_needed:
                    continue
                if not (flags & (ATTRIBUTED | IN_MARK) or announced or known_source) and not is_dense(
                    info, start, stop, end, matched, pieces, flags & SAME_AUTHOR
                ):
                    continue  # a form that two people filled in, a list in two versions
                # "… and that the sec..." breaks off inside a word of the source
                if (
                    stop + 1 < end
                    and state[stop] == OWN
                    and info[stop] & COLON
                    and not info[stop] & (LINE_START | CHARACTER)
                    and info[stop + 1] & LINE_START
                    and matched >= min_words
                    and candidates[c, END] == stop
                    and candidate_runs[candidates[c, LAST_RUN] - 1, 1]
                    + candidate_runs[candidates[c, LAST_RUN] - 1, 2]
                    < offsets[source + 1]
                ):
                    stop += 1
                if span_count == spans.shape[0]:
                    spans = grow_rows(spans)
                spans[span_count, POST] = post
                spans[span_count, START] = start
                spans[span_count, END] = stop
                spans[span_count, SOURCE] = source
                spans[span_count, EVIDENCE] = evidence
                spans[span_count, MATCHED] = matched
                spans[span_count, FIRST_RUN] = run_count
                for r in range(candidates[c, FIRST_RUN], candidates[c, LAST_RUN]):
                    a = max(start, candidate_runs[r, 0])
                    b = min(stop, candidate_runs[r, 0] + candidate_runs[r, 2])
                    if b > a:
                        if run_count == runs.shape[0]:
                            runs = grow_rows(runs)
                        runs[run_count, 0] = a
                        runs[run_count, 1] = candidate_runs[r, 1] + a - candidate_runs[r, 0]
                        runs[run_count, 2] = b - a
                        run_count += 1
                spans[span_count, LAST_RUN] = run_count
                code = flags & IS_CODE and not flags & (ATTRIBUTED | IN_MARK) and not announced
                if not code:
                    flags &= ~IS_CODE
                for i in range(start, stop):
                    state[i] = CODE_COPY if code else COPIED
                if announcement >= 0 and not code:
                    flags |= CHROME_BEFORE
                    attribution_used[announcement] = True
                    chrome_start = attributions[announcement, 0]
                    # "A wrote: B wrote:" announce one passage together
                    outer = announcement - 1
                    while outer >= 0 and attributions[outer, 2] == chrome_start:
                        chrome_start = attributions[outer, 0]
                        outer -= 1
                    for i in range(chrome_start, start):
                        if state[i] == OWN:
                            state[i] = CHROME
                spans[span_count, FLAGS] = flags
                span_count += 1

        # -- what an attribution announces and no seed found: a line of one or a few words
        for t in range(attribution_count):
            name = attribution_names[t]
            start = attributions[t, 1]
            # what was copied with its announcement was not announced here
            copied = state[attributions[t, 0]] == COPIED and start < end and state[start] == COPIED
            if attribution_used[t] or copied:
                continue
            while start < end and (state[start] == COPIED or state[start] == CHROME):
                start += 1  # what the author quoted in turn stands before it
            if (
                start >= end
                or state[start] != OWN
                or not (info[start] & LINE_START or start == attributions[t, 1])
            ):
                continue
            stop = start + 1
            while stop < end and not info[stop] & LINE_START and state[stop] == OWN:
                stop += 1
            n = stop - start
            if n > 8 or (name == 0 and evidence_of(info, start, stop) < min_evidence_lines):
                continue
            found: Int = np.int64(-1)
            found_post = np.int64(-1)
            for back in range(1, min(d - first_post, 50) + 1):
                source = posts[d - back]
                if name != 0 and author_names[source] != name:
                    continue
                for j in range(offsets[source], offsets[source + 1] - n + 1):
                    same = 0
                    while same < n and hashes[j + same] == hashes[start + same]:
                        same += 1
                    if same == n:
                        found = j
                        found_post = source
                        break
                if found >= 0:
                    break
            if found < 0:
                continue
            if span_count == spans.shape[0]:
                spans = grow_rows(spans)
            if run_count == runs.shape[0]:
                runs = grow_rows(runs)
            runs[run_count, 0] = start
            runs[run_count, 1] = found
            runs[run_count, 2] = n
            spans[span_count, POST] = post
            spans[span_count, START] = start
            spans[span_count, END] = stop
            spans[span_count, SOURCE] = found_post
            spans[span_count, EVIDENCE] = evidence_of(info, start, stop)
            spans[span_count, MATCHED] = n
            spans[span_count, FIRST_RUN] = run_count
            run_count += 1
            spans[span_count, LAST_RUN] = run_count
            flags = np.int64(CHROME_BEFORE | (ATTRIBUTED if name != 0 else 0))
            if authors[found_post] >= 0 and authors[found_post] == authors[post]:
                flags |= SAME_AUTHOR
            spans[span_count, FLAGS] = flags
            span_count += 1
            for i in range(start, stop):
                state[i] = COPIED
            for i in range(attributions[t, 0], attributions[t, 1]):
                if state[i] == OWN:
                    state[i] = CHROME

        # -- code that goes on from an announced passage of the same post is quoted, not pasted
        for a in range(accepted_from, span_count):
            if not spans[a, FLAGS] & IS_CODE:
                continue
            for b in range(accepted_from, span_count):
                gap = spans[a, START] - spans[b, END]
                if (
                    spans[b, FLAGS] & (ATTRIBUTED | IN_MARK | CHROME_BEFORE)
                    and 0 <= gap <= MOST_ANNOUNCED_GAP
                    # "Code:" alone stands in many posts
                    and (gap == 0 or spans[b, SOURCE] == spans[a, SOURCE])
                ):
                    spans[a, FLAGS] = (spans[a, FLAGS] & ~IS_CODE) | IN_MARK
                    state[spans[a, START] : spans[a, END]] = COPIED
                    break

        # -- the plain lines at the border of pasted code (its head, a comment) belong to it
        for a in range(accepted_from, span_count):
            announced = spans[a, FLAGS] & (ATTRIBUTED | IN_MARK | CHROME_BEFORE) != 0
            if announced or spans[a, FLAGS] & IS_CODE or spans[a, END] - spans[a, START] > MOST_PROSE_IN_CODE:
                continue
            for b in range(accepted_from, span_count):
                gap = max(spans[a, START] - spans[b, END], spans[b, START] - spans[a, END])
                if (
                    spans[b, SOURCE] == spans[a, SOURCE]
                    and spans[b, FLAGS] & IS_CODE
                    and 0 <= gap <= MOST_ANNOUNCED_GAP
                ):
                    spans[a, FLAGS] |= IS_CODE
                    state[spans[a, START] : spans[a, END]] = CODE_COPY
                    break

        # -- "Click to expand ..." below a quote goes with it
        for a in range(accepted_from, span_count):
            stop = spans[a, END]
            if stop < end and state[stop] == OWN and state[stop - 1] == COPIED:
                state[stop : closing_line(closers, hashes, info, stop, end)] = CHROME_AFTER

        # -- quotes whose source is nowhere earlier: marked, or below a line that announces them
        i = begin
        while i < end and fresh:
            k = i
            flags = np.int64(0)
            while k < end and info[k] & mark_flags and state[k] == OWN:
                k += 1
            if k > i:
                flags = np.int64(IN_MARK)
            for t in range(attribution_count):
                if k == i and not attribution_used[t] and attributions[t, 1] == i and attributions[t, 2] == i:
                    # as far as a quote without marks surely goes: its first paragraph
                    while k < end and state[k] == OWN and (k == i or not info[k] & PARAGRAPH):
                        k += 1
            if k - i >= min_words and evidence_of(info, i, k) >= min_evidence_lines:
                if span_count == spans.shape[0]:
                    spans = grow_rows(spans)
                spans[span_count, :] = 0
                spans[span_count, POST] = post
                spans[span_count, START] = i
                spans[span_count, END] = k
                spans[span_count, SOURCE] = -1
                spans[span_count, FLAGS] = flags
                spans[span_count, FIRST_RUN : LAST_RUN + 1] = run_count
                span_count += 1
            i = max(k, i + 1)

        # -- remember own words
        for i in range(begin, end - SEED_WORDS + 1):
            if state[i] != OWN or state[i + 1] != OWN or state[i + 2] != OWN:
                continue
            key = shingle_hash(hashes, i, SEED_WORDS)
            slot = key & mask
            while slot_key[slot] != 0 and slot_key[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            if slot_count[slot] >= MOST_POSTINGS:
                continue
            slot_key[slot] = key
            posting_at[postings] = i
            posting_post[postings] = d
            posting_next[postings] = -1
            if slot_count[slot] == 0:
                slot_first[slot] = postings
            else:
                posting_next[slot_last[slot]] = postings
            slot_last[slot] = postings
            slot_count[slot] += 1
            postings += 1
    return spans[:span_count].copy(), runs[:run_count].copy()


MARK_FLAGS = PREFIXED
