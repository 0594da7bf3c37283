"""An output folder → its report page: survey, plots, evidence and ratios put together."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from dedup import outputs
from dedup.report.evidence import make_cards, read_posts
from dedup.report.page import render_report
from dedup.report.plots import plots
from dedup.report.survey import Survey, survey

MAX_REJECTED = 20


def report_page(out: Path, ratios: Mapping[str, Any]) -> str:
    """The report page of a finished output folder, whose ratios are at hand.

    Two passes over provenance and one over the corpus; memory is that of a `Survey`. Raises OutputError
    when the folder cannot be read and ConfigError when a library of the extra `report` is missing.
    """
    asked_for = [row["cluster_id"] for row in ratios["clusters"]["largest"]]
    asked_for += [row["post_id"] for row in ratios["most_quoted"]]
    found = survey(out, asked_for)
    drawn = plots(ratios, found)
    cards = make_cards(found, read_posts(out, found))
    manifest = outputs.load_manifest(out)
    return render_report(
        title=_title([file.path for file in manifest.inputs], out),
        ratios=ratios,
        plots=drawn,
        cards=cards,
        notes=_notes(found),
        rejected=list(islice(outputs.read_rejected(out), MAX_REJECTED)),
        settings=manifest.config,
    )


def _title(inputs: list[str], out: Path) -> str:
    if not inputs:
        return out.name
    more = len(inputs) - 1
    return f"{inputs[0]} and {more:,} more" if more else inputs[0]


def _notes(found: Survey) -> list[str]:
    """What the page does not show, in sentences."""
    shown, of = len(found.chosen), sum(found.candidates.values())
    if shown == of:
        return []
    return [
        f"The evidence below is a sample: {shown:,} of {of:,} posts with a removal or a copy, of every kind"
        " those nearest to another decision, and some taken by chance. Ratios and distributions are of all"
        " posts."
    ]
