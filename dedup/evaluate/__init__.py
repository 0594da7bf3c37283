"""An output folder against labels made by hand or by markup: how good the detection was.

truth       the labels, and which kind of them a file holds
quotes      what was taken as a copy, against the quotes that are there, character by character
duplicates  which posts stand for which, against labelled pairs or clusters
"""

from __future__ import annotations

from pathlib import Path

from dedup.errors import InputError
from dedup.evaluate.duplicates import DuplicateScores, read_labels, score_clusters, score_pairs
from dedup.evaluate.quotes import QuoteScores, read_removals, score_quotes
from dedup.evaluate.truth import Cluster, Pair, QuotedPost, read_truth, truth_kind
from dedup.outputs import read_provenance

__all__ = ["DuplicateScores", "QuoteScores", "evaluate"]

_HINT = "Give the labels of the dump that this folder was made of."


def evaluate(truth: Path, out: Path) -> QuoteScores | DuplicateScores:
    """The scores of a finished output folder against the labels in `truth`.

    truth: JSON lines, plain or compressed, of one kind: posts with their `quotes`, pairs (`a`, `b`,
    `duplicate`), or clusters (`cluster`, `ids`). Offsets count code points of the raw text.
    Raises InputError when `truth` cannot be read, holds no labels, or labels none of the posts;
    OutputError when `out` is not finished or is damaged.
    """
    kind = truth_kind(truth)
    records = read_provenance(out)
    if kind is QuotedPost:
        removals = read_removals(records)
        quotes = score_quotes(lambda: read_truth(truth, QuotedPost), removals)
        if quotes.unknown_ids == len(removals.ids):
            raise InputError(f"labels none of the posts in {out}.", where=str(truth), hint=_HINT)
        return quotes
    labels = read_labels(records)
    if kind is Pair:
        duplicates, ids = score_pairs(read_truth(truth, Pair), labels)
    else:
        duplicates, ids = score_clusters(read_truth(truth, Cluster), labels)
    if duplicates.unknown_ids == ids:
        raise InputError(f"labels none of the posts in {out}.", where=str(truth), hint=_HINT)
    return duplicates
