"""What settings would do to a sample → one HTML page: curves, a table, and pairs to judge by."""

from __future__ import annotations

from collections.abc import Sequence

from dedup.report.evidence import Card, Post, compare
from dedup.report.page import render_tuning
from dedup.report.plots import Plot, threshold_plot
from dedup.report.tuned import brackets, notes
from dedup.report.visible import visible_line
from dedup.tune import Example, Tuning

_LEAD = 90


def tuning_page(tuning: Tuning, paths: Sequence[str]) -> str:
    """The page. Raises ConfigError when a library of the extra `report` is missing."""
    return render_tuning(
        title=", ".join(paths),
        plots=_plots(tuning),
        cards=[_card(pair) for _, pairs in brackets(tuning) for pair in pairs],
        notes=notes(tuning),
        outcomes=tuning.outcomes,
        chosen=tuning.chosen,
    )


def _plots(tuning: Tuning) -> list[Plot]:
    rows = tuning.outcomes
    return [
        threshold_plot(
            "near",
            "Near-duplicates by threshold",
            "Posts that are dropped as near-duplicates, for each size of shingles.",
            [(row.threshold, row.shingle_words, row.near_duplicates) for row in rows],
            ("threshold", "near-duplicates"),
        ),
        threshold_plot(
            "reposts",
            "Reposts by threshold",
            "Posts without words of their own that are not alike enough to one other post: what is no"
            " near-duplicate can still be a repost, and goes too unless --reposts keep says otherwise.",
            [(row.threshold, row.shingle_words, row.reposts) for row in rows],
            ("threshold", "reposts"),
        ),
    ]


def _card(pair: Example) -> Card:
    removed = Post(pair.removed_id, None, None, None, pair.removed_text)
    stays = Post(pair.stays_id, None, None, None, pair.stays_text)
    words = " ".join(pair.removed_text[: 4 * _LEAD].split())
    return Card(
        ids=(pair.removed_id, pair.stays_id),
        kind=f"{pair.shingle_words}_words",
        title=f"removed at {pair.low:g}" + (f", stays at {pair.high:g}" if pair.high is not None else ""),
        lead=visible_line(words[:_LEAD]),
        similarity=pair.similarity,
        borderline=False,
        comparisons=(compare(removed, stays, ("removed", "stays"), f"similarity {pair.similarity:.3f}"),),
        more="",
    )
