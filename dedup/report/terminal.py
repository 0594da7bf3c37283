"""Ratios → a screen of 80 columns that is read in ten seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dedup.report.kinds import OTHERWISE
from dedup.report.visible import visible_line

MAX_WIDTH = 100
_TOP = 5
_GAP, _MIN_NAME = 2, 14
_BAR = 12
_LEVELS = " ▁▂▃▄▅▆▇█"
_NARROW = 60
"""On fewer columns only what matters most is shown, in round numbers."""


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


def print_summary(ratios: dict[str, Any], out: Path | str, seconds: float) -> None:
    """What `clean` says at its end: how much came in, what went, and where the rest is."""
    console = console_on_stdout()
    posts = ratios["in"]["posts"]
    rate = f" ({posts / seconds:,.0f} posts/s)" if seconds > 0 else ""
    console.print(Text(f"{_count(posts, 'post')} in {seconds:.1f} s{rate} → {visible_line(str(out))}"))
    _print_totals(console, ratios)
    _print_removed(console, ratios)
    _print_against(console, ratios)
    _print_headline(console, ratios)


def print_stages(run: dict[str, Any]) -> None:
    """What each stage of a run took (the content of run.json): seconds, MB of input a second, memory."""
    console = console_on_stdout()
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("stage")
    for name in ("seconds", "MB/s", "peak memory"):
        table.add_column(name, justify="right")
    for name, took in run["stages"].items():
        table.add_row(Text(name), *_took(took))
    whole = {**run, "mb_per_second": run["input_bytes"] / 1e6 / run["seconds"] if run["seconds"] else None}
    table.add_row(Text("all"), *_took(whole), style="bold")
    console.print(table)


def _took(facts: dict[str, Any]) -> list[str]:
    speed, peak = facts["mb_per_second"], facts["peak_memory_mb"]
    return [
        f"{facts['seconds']:,.1f}",
        f"{speed:,.1f}" if speed is not None else "",
        f"{peak:,} MB" if peak is not None else "",
    ]


def print_report(ratios: dict[str, Any]) -> None:
    """The whole report: totals, kinds, and where the copies are."""
    console = console_on_stdout()
    _print_headline(console, ratios)
    console.print()
    _print_totals(console, ratios)
    _print_removed(console, ratios)
    _print_against(console, ratios)
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


def _print_headline(console: Console, ratios: dict[str, Any]) -> None:
    duplicate = ratios["ratios"]["duplicate"]
    console.print(
        Text.assemble(
            "copies: ",
            (_percent(duplicate["characters"]).strip(), "bold"),
            f" of the characters, {_percent(duplicate['words']).strip()} of the words,"
            f" {_percent(duplicate['posts']).strip()} of the posts whole",
        )
    )


def _print_totals(console: Console, ratios: dict[str, Any]) -> None:
    table = Columns(console, ("", "posts", "words", "characters"), needless=("words",))
    rows = {"read": ratios["in"], **ratios["by_action"], "in the corpus": ratios["out"]}
    for name, row in rows.items():
        table.add(name, *row.values(), style="bold" if name == "in the corpus" else None)
    table.print()
    console.print()


def _print_removed(console: Console, ratios: dict[str, Any]) -> None:
    columns = ("removed as", "posts", "words", "characters", "share", "")
    table = Columns(console, columns, needless=("words", "characters", ""))
    for why, row in ratios["removed"].items():
        if row["passages"] or row["dropped_posts"]:
            share = row["ratios"]["characters"]
            sizes = (row["posts"], row["words"], row["characters"])
            table.add(why.replace("_", " "), *sizes, _percent(share), _bar(console, share))
    if table.rows:
        table.print()
        console.print()


def _print_against(console: Console, ratios: dict[str, Any]) -> None:
    """The overlap with what was there before."""
    rows = ratios.get("against", {})
    if not rows:
        return
    columns = ("stood before in", "posts", "dropped", "passages", "words")
    table = Columns(console, columns, needless=("passages", "words"))
    for name, row in rows.items():
        sizes = (row["posts_touched"], row["posts_dropped"], row["passages"], row["words"])
        table.add(visible_line(name), *sizes)
    table.print()
    for name, row in rows.items():
        stay, went = (row["counted_otherwise"][kind]["posts"] for kind in OTHERWISE)
        parts = [f"{_count(stay, 'post')} would have lost a signature"] if stay else []
        parts += [f"{_count(went, 'post')} would have kept stock text"] if went else []
        if parts:
            line = f"{visible_line(name)}: cleaned together with this, {' and '.join(parts)} there"
            console.print(Text(f"{line} (ids in report.json)"))
    console.print()


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
    columns = (title, "posts", "dropped", "characters", "copied", "share")
    table = Columns(console, columns, needless=("dropped", "characters", "copied"))
    for row in rows:
        sizes = (row["posts"], row["dropped"], row["characters"], row["copied"])
        table.add(visible_line(row["key"]), *sizes, _percent(row["duplicate_ratio"]))
    table.print()


def _print_pairs(console: Console, lists: Sequence[tuple[str, list[tuple[str, int]]]]) -> None:
    for title, pairs in lists:
        if pairs:
            table = Columns(console, (title, "posts"))
            for key, count in pairs:
                table.add(visible_line(key), count)
            console.print()
            table.print()


class Columns:
    """A table: names to the left, numbers to the right, some of them left out where there is no room."""

    def __init__(self, console: Console, columns: Sequence[str], needless: Sequence[str] = ()) -> None:
        self._console = console
        self._narrow = console.width < _NARROW
        self._shown = [
            number
            for number, column in enumerate(columns)
            if number == 0 or not (self._narrow and column in needless)
        ]
        self._table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold", pad_edge=False)
        self._widths = [cell_len(columns[number]) for number in self._shown]
        for number in self._shown:
            if number == 0:
                self._table.add_column(columns[0], no_wrap=True, overflow="ellipsis", min_width=_MIN_NAME)
            else:
                justify: Literal["left", "right"] = "right" if columns[number] else "left"
                self._table.add_column(columns[number], justify=justify, no_wrap=True)

    def add(self, *cells: str | int, style: str | None = None) -> None:
        shown = [self._text(cells[number]) for number in self._shown]
        self._widths = [max(width, cell.cell_len) for width, cell in zip(self._widths, shown, strict=True)]
        self._table.add_row(*shown, style=style)

    @property
    def rows(self) -> int:
        return self._table.row_count

    def print(self) -> None:
        # rich would rather cut the numbers than the name
        numbers = sum(width + _GAP for width in self._widths[1:])
        self._table.columns[0].max_width = max(_MIN_NAME, self._console.width - numbers - _GAP)
        self._console.print(self._table)

    def _text(self, cell: str | int) -> Text:
        if isinstance(cell, str):
            return Text(cell)
        return Text(_round(cell) if self._narrow else f"{cell:,}")


def _round(number: int) -> str:
    """
    >>> _round(999), _round(12_345), _round(9_736_310)
    ('999', '12.3k', '9.7M')
    """
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _bar(console: Console, share: float) -> str:
    full = "█" if console.encoding.startswith("utf") else "#"
    return full * round(share * _BAR) or ("·" if share and full == "█" else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
