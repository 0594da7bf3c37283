"""Which posts stand for which, against labelled pairs or clusters.

Two posts are duplicates when they stand for the same post: a dropped one for its survivor, and a trimmed
one for the post that most of its removed text comes from, where that is at least TRIM_SHARE of the
shorter of the two (to those who label, a copy that grew or has a footer is a duplicate).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dedup.evaluate.truth import Cluster, Pair

TRIM_SHARE = 0.7


class DuplicateScores(msgspec.Struct, frozen=True):
    """How well duplicates were found, over pairs of posts.

    ari: adjusted Rand index (Hubert and Arabie 1985), for clusters only; None where chance alone
    decides. duplicate_pairs: in the truth. unknown_ids: ids of the truth that the output does not have.
    """

    precision: float
    recall: float
    f1: float
    duplicate_pairs: int
    unknown_ids: int
    ari: float | None = None
    clusters: bool = False

    def as_dict(self) -> dict[str, Any]:
        figures = msgspec.structs.asdict(self)
        if not figures.pop("clusters"):
            del figures["ari"]
        return figures


def read_labels(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """For each post of the provenance, the post it stands for; itself where it stands alone."""
    size: dict[str, int] = {}
    above: dict[str, str] = {}
    trimmed: dict[str, tuple[str, int]] = {}
    for record in records:
        key = str(record["id"])
        size[key] = record["raw_chars"]
        if record["duplicate_of"] is not None:
            above[key] = str(record["duplicate_of"])
        elif record["action"] != "keep":
            taken: Counter[str] = Counter()
            for edit in record["edits"]:
                if edit.get("source_id") is not None:
                    taken[str(edit["source_id"])] += edit["end"] - edit["start"]
            if taken:
                trimmed[key] = taken.most_common(1)[0]
    for key, (source, chars) in trimmed.items():
        if chars >= TRIM_SHARE * min(size[key], size.get(source, size[key])):
            above[key] = source
    return {key: _top(key, above) for key in size}


def _top(key: str, above: Mapping[str, str]) -> str:
    seen = set()
    while key in above and key not in seen:
        seen.add(key)
        key = above[key]
    return key


def score_pairs(pairs: Iterable[Pair], labels: Mapping[str, str]) -> tuple[DuplicateScores, int]:
    """Scores over the listed pairs alone; and how many posts those name."""
    counts: Counter[tuple[bool, bool]] = Counter()
    ids: set[str] = set()
    for pair in pairs:
        a, b = str(pair.a), str(pair.b)
        ids |= {a, b}
        counts[pair.duplicate, labels.get(a, a) == labels.get(b, b)] += 1
    found, missed, wrong = counts[True, True], counts[True, False], counts[False, True]
    return _scores(found, missed, wrong, len(ids - labels.keys())), len(ids)


def score_clusters(clusters: Iterable[Cluster], labels: Mapping[str, str]) -> tuple[DuplicateScores, int]:
    """Scores over all pairs of the listed posts; and how many posts those are."""
    cluster_of = {str(key): str(cluster.cluster) for cluster in clusters for key in cluster.ids}
    in_truth = _pairs(Counter(cluster_of.values()))
    in_output = _pairs(Counter(labels.get(key, key) for key in cluster_of))
    in_both = _pairs(Counter((cluster, labels.get(key, key)) for key, cluster in cluster_of.items()))
    in_all = _pairs(Counter({"": len(cluster_of)}))
    by_chance = in_truth * in_output / in_all if in_all else 0.0
    most = (in_truth + in_output) / 2
    ari = round((in_both - by_chance) / (most - by_chance), 4) if most != by_chance else None
    unknown = len(cluster_of.keys() - labels.keys())
    scores = _scores(in_both, in_truth - in_both, in_output - in_both, unknown)
    return msgspec.structs.replace(scores, ari=ari, clusters=True), len(cluster_of)


def _pairs(sizes: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


def _scores(found: int, missed: int, wrong: int, unknown: int) -> DuplicateScores:
    precision = found / (found + wrong) if found + wrong else 1.0
    recall = found / (found + missed) if found + missed else 1.0
    f1 = round(2 * precision * recall / (precision + recall), 4) if precision and recall else 0.0
    return DuplicateScores(round(precision, 4), round(recall, 4), f1, found + missed, unknown)
