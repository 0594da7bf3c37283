"""What settings would do to a sample → a table on 80 columns, and pairs to judge by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console
from rich.text import Text

from dedup.report.explained import print_side_by_side
from dedup.report.terminal import Columns, console_on_stdout
from dedup.report.visible import visible_line
from dedup.tune import Example, Tuning


def print_tuning(tuning: Tuning, *, examples: int) -> None:
    """Print the outcomes, and `examples` pairs between each two thresholds, on standard output."""
    console = console_on_stdout()
    for note in notes(tuning):
        console.print(Text(note))
    console.print()
    _print_outcomes(console, tuning)
    for heading, pairs in brackets(tuning):
        if pairs[0].shingle_words != tuning.chosen.shingle_words or not examples:
            continue
        console.print()
        console.print(Text(heading, "bold"))
        for pair in _some(pairs, examples):
            headings = (f"removed {visible_line(pair.removed_id)}", f"stays {visible_line(pair.stays_id)}")
            console.print(Text(f"similarity {pair.similarity:.3f}"))
            print_side_by_side(console, headings, (pair.removed_text, pair.stays_text))


def notes(tuning: Tuning) -> list[str]:
    """What was looked at, in sentences."""
    if tuning.posts == tuning.dump_posts:
        return [f"All {tuning.posts:,} posts were looked at."]
    return [
        f"{tuning.posts:,} of {tuning.dump_posts:,} posts were looked at, in whole threads. The dump has more"
        " near-duplicates than the table says: a copy in another thread is seen only if both are among them.",
    ]


def brackets(tuning: Tuning) -> Iterator[tuple[str, list[Example]]]:
    """The examples between two thresholds, by shingle size, each under a heading."""
    ordered = sorted(tuning.examples, key=lambda one: (one.shingle_words, one.low))
    for (words, low), pairs in groupby(ordered, key=lambda one: (one.shingle_words, one.low)):
        found = list(pairs)
        high = found[0].high
        stays = f", stays at {high:g}" if high is not None else ""
        yield f"removed at a threshold of {low:g}{stays} (shingles of {words} words)", found


def _some(pairs: list[Example], number: int) -> list[Example]:
    """The least alike first, then evenly."""
    step = max(1, len(pairs) // number)
    return pairs[::step][:number]


def _print_outcomes(console: Console, tuning: Tuning) -> None:
    columns = ("shingles", "threshold", " ", "near", "reposts", "dropped", "copied", "bands", "found")
    table = Columns(console, columns, needless=("reposts", "copied", "bands", "found"))
    last = None
    for outcome in tuning.outcomes:
        chosen = outcome[:2] == (tuning.chosen.threshold, tuning.chosen.shingle_words)
        table.add(
            "" if outcome.shingle_words == last else f"{outcome.shingle_words} words",
            f"{outcome.threshold:g}",
            "*" if chosen else "",
            outcome.near_duplicates,
            outcome.reposts,
            outcome.dropped,
            f"{outcome.duplicate_ratio * 100:.1f} %",
            f"{outcome.bands}x{outcome.rows}",
            f"{outcome.recall * 100:.1f} %",
            style="bold" if chosen else None,
        )
        last = outcome.shingle_words
    table.print()
    console.print()
    console.print(
        Text(
            "near: near-duplicates; copied: of the characters; found: the chance that a pair of exactly the"
            " threshold is compared; *: the settings as they are"
        )
    )
