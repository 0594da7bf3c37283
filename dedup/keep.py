"""Keep policies other than `earliest`: another member of a finished cluster becomes its survivor.

Decisions are made with the earliest post as survivor, because that is the direction in which text was
copied. Then the members of each cluster of exact and near-duplicates change places, if what else was
taken out because of the old survivor can be found in the new one; else the old one stays too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

from dedup import trace
from dedup.config import Config
from dedup.decide import EXACT, NEAR, NO_REASON, Decisions
from dedup.index import Index
from dedup.own import has_own_block
from dedup.quotes.within import COPIED
from dedup.text.shingles import jaccard
from dedup.trace import DROP, KEEP, ROW_COLUMNS


def swap_survivors(decisions: Decisions, index: Index, config: Config) -> Decisions:
    """Decisions with the survivors that `config.decide.keep` asks for."""
    if config.decide.keep == "earliest":
        return decisions
    action, reason, similarity = (
        decisions.action.copy(),
        decisions.reason.copy(),
        decisions.similarity.copy(),
    )
    duplicate_of, copy_of, rows = (
        decisions.duplicate_of.copy(),
        decisions.copy_of.copy(),
        decisions.rows.copy(),
    )
    members: dict[int, list[int]] = {}
    for post in np.flatnonzero((action == DROP) & np.isin(reason, (EXACT, NEAR))).tolist():
        members.setdefault(int(duplicate_of[post]), []).append(post)
    # other posts whose removed passages lead to a survivor
    leads_to: dict[int, set[int]] = {}
    for row in rows[rows[:, trace.ROW_KEPT] == 0].tolist():
        if row[trace.ROW_SOURCE] >= 0:
            leads_to.setdefault(row[trace.ROW_SOURCE], set()).add(row[trace.ROW_POST])
    words = np.diff(index.offsets)
    new_rows: list[NDArray[np.int64]] = []
    gone_posts: set[int] = set()
    for old, cluster in sorted(members.items()):
        new = _choose([old, *cluster], index.rank, words, config.decide.keep)
        if new == old or action[old] != KEEP or index.protected[old]:
            continue
        equal = reason[new] == EXACT and similarity[new] == 1.0
        if not equal and leads_to.get(old, set()) - set(cluster):
            continue  # somebody quotes the old survivor: it stays, and so does the cluster as it is
        if any(_says_more(index, post, new) for post in [old, *cluster] if post != new and not equal):
            continue  # nobody's own words go because a later post has the rest
        likeness = {post: _likeness(index, post, new, config) for post in [old, *cluster] if post != new}
        if any(value < config.match.threshold for value in likeness.values()):
            continue
        if equal:
            # the same words at another place: whatever leads to the old one leads to the new one
            _move(rows, old, new, int(index.offsets[new] - index.offsets[old]))
            duplicate_of[duplicate_of == old] = new
            copy_of[copy_of == old] = new
        for post, value in likeness.items():
            if equal and post != old and reason[post] == EXACT:
                duplicate_of[post] = new
                copy_of[post] = new
                continue
            action[post] = DROP
            reason[post] = EXACT if equal and post == old else NEAR
            duplicate_of[post] = new
            copy_of[post] = new
            similarity[post] = value
            gone_posts.add(post)
            new_rows.append(_whole_row(index, post, new, reason[post]))
        gone_posts.add(new)
        action[new], reason[new], duplicate_of[new], copy_of[new] = KEEP, NO_REASON, -1, -1
        similarity[new] = np.nan
    if gone_posts:
        stay = ~np.isin(rows[:, trace.ROW_POST], sorted(gone_posts))
        rows = np.concatenate([rows[stay], *new_rows]) if new_rows else rows[stay]
    return Decisions(action, reason, duplicate_of, similarity, copy_of, rows)


def _choose(cluster: list[int], rank: NDArray[np.int64], words: NDArray[np.int64], keep: str) -> int:
    if keep == "latest":
        return max(cluster, key=lambda post: rank[post])
    return min(cluster, key=lambda post: (-words[post], rank[post]))


def _likeness(index: Index, one: int, other: int, config: Config) -> float:
    offsets = index.offsets
    if offsets[one] == offsets[one + 1]:
        return 1.0  # no words: only equal texts come here
    return float(
        jaccard(
            index.hashes,
            offsets[one],
            offsets[one + 1],
            offsets[other],
            offsets[other + 1],
            config.match.shingle_words,
        )
    )


def _says_more(index: Index, post: int, other: int) -> bool:
    """Whether a post has a block of words that the other does not have in the same order."""
    begin, end = (int(index.offsets[p]) for p in (post, post + 1))
    there = index.hashes[index.offsets[other] : index.offsets[other + 1]]
    state = np.zeros(end - begin, np.uint8)
    for here, _, size in LCSseq.editops(
        index.hashes[begin:end].tolist(), there.tolist()
    ).as_matching_blocks():
        state[here : here + size] = COPIED
    return bool(has_own_block(state, index.info[begin:end], 0, end - begin))


def _move(rows: NDArray[np.int64], old: int, new: int, shift: int) -> None:
    mine = rows[:, trace.ROW_SOURCE] == old
    for column in (trace.ROW_SOURCE_START, trace.ROW_SOURCE_END):
        placed = mine & (rows[:, column] >= 0)
        rows[placed, column] += shift
    rows[mine, trace.ROW_SOURCE] = new


def _whole_row(index: Index, post: int, source: int, why: int) -> NDArray[np.int64]:
    """One row for a post that goes whole, because of another."""
    row = np.full((1, ROW_COLUMNS), -1, np.int64)
    row[0, trace.ROW_POST] = post
    row[0, [trace.ROW_START, trace.ROW_END]] = index.offsets[[post, post + 1]]
    row[0, trace.ROW_WHY] = why
    row[0, trace.ROW_SOURCE] = source
    row[0, [trace.ROW_SOURCE_START, trace.ROW_SOURCE_END]] = index.offsets[[source, source + 1]]
    row[0, trace.ROW_MATCHED] = _shared_words(index, post, source)
    row[0, [trace.ROW_FLAGS, trace.ROW_GROUP, trace.ROW_KEPT]] = 0
    return row


def _shared_words(index: Index, post: int, source: int) -> int:
    """Words of the post that the source has in the same order."""
    words = (index.hashes[index.offsets[p] : index.offsets[p + 1]].tolist() for p in (post, source))
    return int(LCSseq.similarity(*words))
