"""Scores → a small table, the shares that matter most in bold."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from dedup.evaluate import DuplicateScores, QuoteScores
from dedup.report.terminal import console_on_stdout

_Rows = list[tuple[str, float | None, str]]


def print_scores(scores: QuoteScores | DuplicateScores) -> None:
    """Print scores on standard output, a line for each."""
    quotes = isinstance(scores, QuoteScores)
    rows = _quote_rows(scores) if isinstance(scores, QuoteScores) else _duplicate_rows(scores)
    console = console_on_stdout()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("quotes" if quotes else "duplicates")
    table.add_column("share", justify="right")
    table.add_column("")
    for name, share, meaning in rows:
        shown = "–" if share is None else f"{share * 100:.2f} %"
        table.add_row(name, Text(shown, style="bold"), Text(meaning, style="dim"))
    console.print(table)
    console.print()
    if isinstance(scores, QuoteScores):
        console.print(Text(f"{scores.quotes:,} quotes in {scores.posts:,} posts"))
        unknown = f"{scores.unknown_ids:,} posts of the output are not in the truth"
    else:
        console.print(Text(f"{scores.duplicate_pairs:,} pairs of duplicates"))
        unknown = f"{scores.unknown_ids:,} posts of the truth are not in the output"
    if scores.unknown_ids:
        console.print(Text(unknown))


def _quote_rows(scores: QuoteScores) -> _Rows:
    return [
        ("precision", scores.char_precision, "of the characters taken as copies, those that are"),
        ("recall", scores.char_recall, "of the quoted characters, those found"),
        ("F1", scores.char_f1, ""),
        ("quotes found", scores.quote_recall, "at least half of them"),
        ("short quotes", scores.quote_recall_short, "the same, under 60 characters"),
        ("source right", scores.source_accuracy, "of those found, where the source is known"),
        ("own text lost", scores.new_text_lost, "of the posts' own characters"),
        ("unmarked copies", scores.unmarked_copies, "real, not in the truth, not counted"),
    ]


def _duplicate_rows(scores: DuplicateScores) -> _Rows:
    rows: _Rows = [
        ("precision", scores.precision, "of the pairs taken as duplicates, those that are"),
        ("recall", scores.recall, "of the pairs of duplicates, those found"),
        ("F1", scores.f1, ""),
    ]
    if scores.clusters:
        rows.append(("Rand index", scores.ari, "of the clusters, adjusted for chance"))
    return rows
