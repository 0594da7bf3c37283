"""Ratios → a screen of 80 columns that is read in ten seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dedup.report.visible import visible_line

MAX_WIDTH = 100
_TOP = 5
_BAR = 12
_LEVELS = " ▁▂▃▄▅▆▇█"


def console_on_stdout() -> Console:
    """Standard output, 80 columns when it is no terminal; markup and emoji codes mean nothing there."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = _Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, MAX_WIDTH)
    return console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would exit with 1 here, which means something else to us; `cli` knows what to do."""
        raise  # the BrokenPipeError, which rich is handling when it calls this


def print_summary(ratios: dict[str, Any], out: Path, seconds: float) -> None:
    """What `clean` says at its end: how much came in, what went, and where the rest is."""
    console = console_on_stdout()
    posts = ratios["in"]["posts"]
    rate = f" ({posts / seconds:,.0f} posts/s)" if seconds > 0 else ""
    console.print(Text(f"{_count(posts, 'post')} in {seconds:.1f} s{rate} → {visible_line(str(out))}"))
    _print_totals(console, ratios)
    _print_removed(console, ratios)


def print_report(ratios: dict[str, Any]) -> None:
    """The whole report: totals, kinds, and where the copies are."""
    console = console_on_stdout()
    _print_totals(console, ratios)
    _print_removed(console, ratios)
    _print_remarks(console, ratios)
    _print_similarity(console, ratios["similarity"])
    for name in ("thread", "author"):
        if rows := ratios["by"][name]["rows"][:_TOP]:
            console.print()
            _print_group(console, f"most copied, by {name}", rows)
    _print_pairs(
        console,
        [
            (
                "biggest clusters",
                [(row["cluster_id"], row["posts"]) for row in ratios["clusters"]["largest"][:_TOP]],
            ),
            (
                "most quoted posts",
                [(row["post_id"], row["posts"]) for row in ratios["most_quoted"][:_TOP]],
            ),
        ],
    )


def print_groups(ratios: dict[str, Any], by: str) -> None:
    """The ratios of one kind of group, all rows that `report.json` has."""
    console = console_on_stdout()
    group = ratios["by"][by]
    if group["rows"]:
        _print_group(console, by, group["rows"])
    shown = len(group["rows"])
    console.print(Text(f"{shown:,} of {_count(group['groups'], by)} shown"), style="dim")
    if (sampled := group.get("sampled", 1)) > 1:
        console.print(Text(f"of a sample: one post of {sampled:,}"), style="dim")


def _print_totals(console: Console, ratios: dict[str, Any]) -> None:
    table = _table(["", "posts", "words", "characters"])
    rows = {"read": ratios["in"], **ratios["by_action"], "in the corpus": ratios["out"]}
    for name, row in rows.items():
        table.add_row(name, *_numbers(row.values()), style="bold" if name == "in the corpus" else None)
    console.print(table)
    console.print()


def _print_removed(console: Console, ratios: dict[str, Any]) -> None:
    table = _table(["removed as", "posts", "words", "characters", "share", ""])
    for why, row in ratios["removed"].items():
        if row["passages"] or row["dropped_posts"]:
            share = row["ratios"]["characters"]
            numbers = _numbers((row["posts"], row["words"], row["characters"]))
            table.add_row(why.replace("_", " "), *numbers, _percent(share), _bar(console, share))
    if table.row_count:
        console.print(table)
        console.print()
    duplicate = ratios["ratios"]["duplicate"]
    console.print(
        Text.assemble(
            "copies: ",
            (_percent(duplicate["characters"]).strip(), "bold"),
            f" of the characters, {_percent(duplicate['words']).strip()} of the words,"
            f" {_percent(duplicate['posts']).strip()} of the posts whole",
        )
    )


def _print_remarks(console: Console, ratios: dict[str, Any]) -> None:
    repairs, kept = ratios["repairs"], ratios["kept_copies"]
    for why, row in repairs.items():
        if row["edits"]:
            console.print(Text(f"{why} repaired: {row['edits']:,} times in {_count(row['posts'], 'post')}"))
    if kept["passages"]:
        flags = ", ".join(
            f"{visible_line(flag)} {row['passages']:,}"
            for flag, row in sorted(kept["by_flag"].items(), key=lambda item: (-item[1]["passages"], item[0]))
        )
        console.print(Text(f"copies that stay: {kept['passages']:,}" + (f" ({flags})" if flags else "")))
    if rejected := ratios["posts"]["rejected"]:
        console.print(Text(f"rejected: {_count(rejected, 'record')}"))


def _print_similarity(console: Console, similarity: dict[str, list[int]]) -> None:
    plain = not console.encoding.startswith("utf")
    for number, (why, bins) in enumerate((why, bins) for why, bins in similarity.items() if sum(bins)):
        if number == 0:
            console.print()
        levels = [-(-count * 8 // max(bins)) for count in bins]
        line = "".join(f"{level}" if plain else _LEVELS[level] for level in levels)
        console.print(Text(f"similarity 0 {line} 1  {why.replace('_', ' ')} ({sum(bins):,})"))


def _print_group(console: Console, title: str, rows: Iterable[dict[str, Any]]) -> None:
    table = _table([title, "posts", "dropped", "characters", "copied", "share"])
    for row in rows:
        numbers = _numbers((row["posts"], row["dropped"], row["characters"], row["copied"]))
        table.add_row(Text(visible_line(row["key"])), *numbers, _percent(row["duplicate_ratio"]))
    console.print(table)


def _print_pairs(console: Console, lists: Sequence[tuple[str, list[tuple[str, int]]]]) -> None:
    for title, pairs in lists:
        if pairs:
            table = _table([title, "posts"])
            for key, count in pairs:
                table.add_row(Text(visible_line(key)), f"{count:,}")
            console.print()
            console.print(table)


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        if number == 0:
            table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=14)
        else:
            table.add_column(column, justify="right" if column else "left", no_wrap=True)
    return table


def _numbers(values: Iterable[int]) -> list[str]:
    return [f"{value:,}" for value in values]


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _bar(console: Console, share: float) -> str:
    full = "█" if console.encoding.startswith("utf") else "#"
    return full * round(share * _BAR) or ("·" if share and full == "█" else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
