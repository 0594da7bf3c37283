"""Ratios → tables for other programs: CSV for spreadsheets, Markdown for notebooks and issues.

Names come from the dump. A spreadsheet runs a cell that begins with `=` as a formula, so such cells get
an apostrophe before them (OWASP, "CSV Injection"); Markdown's own signs are escaped.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dedup.report.kinds import OTHERWISE
from dedup.report.visible import visible, visible_line

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the first four in full width, which some spreadsheets take for them."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+.!|~&$:@^-])")
_TOP = 10

Cell = str | int | float | None


class Table(NamedTuple):
    """Rows under a title, the first column a name and the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def tables(ratios: Mapping[str, Any], by: str | None = None) -> list[Table]:
    """The tables of a report, or of one kind of group alone."""
    if by is not None:
        return [_groups(by, ratios["by"][by]["rows"])]
    found = [_totals(ratios), _removed(ratios), _repairs(ratios), _kept(ratios)]
    found.append(_against(ratios))
    found += [_groups(name, group["rows"]) for name, group in ratios["by"].items()]
    found += [
        Table(
            "biggest clusters",
            ("cluster", "posts"),
            [(row["cluster_id"], row["posts"]) for row in ratios["clusters"]["largest"]],
        ),
        Table(
            "most quoted posts",
            ("post", "posts"),
            [(row["post_id"], row["posts"]) for row in ratios["most_quoted"]],
        ),
    ]
    return [table for table in found if table.rows]


def to_csv(found: Sequence[Table]) -> str:
    """One CSV of all tables: a column says which table a row belongs to, if there are several.

    Columns that a table does not have are empty. Lines end with CR LF (RFC 4180). Ratios are fractions.
    """
    several = len(found) > 1
    columns = {column: None for table in found for column in table.columns[1:]}
    name = "name" if several else found[0].columns[0]
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([*(["table"] if several else []), name, *columns])
    for table in found:
        for first, *numbers in table.rows:
            values = dict(zip(table.columns[1:], numbers, strict=True))
            row = [_csv_cell(first), *(values.get(column) for column in columns)]
            writer.writerow([table.title, *row] if several else row)
    return file.getvalue()


def to_markdown(found: Sequence[Table], ratios: Mapping[str, Any]) -> str:
    """The tables as GitHub's Markdown, long ones cut, under one sentence that says the most."""
    duplicate = ratios["ratios"]["duplicate"]
    lines = [
        f"**{duplicate['characters']:.1%} of the characters are copies**"
        f" ({duplicate['words']:.1%} of the words, {duplicate['posts']:.1%} of the posts whole)."
    ]
    for table in found:
        lines += ["", *_markdown(table, cut=len(found) > 1)]
    return "\n".join(lines) + "\n"


def _markdown(table: Table, *, cut: bool) -> Iterator[str]:
    yield "| " + " | ".join((table.title, *table.columns[1:])) + " |"
    yield "|---|" + "---:|" * (len(table.columns) - 1)
    rows = table.rows[:_TOP] if cut and table.title != "removed" else table.rows
    for first, *numbers in rows:
        yield "| " + " | ".join((_markdown_text(first), *map(_number, numbers))) + " |"
    if len(rows) < len(table.rows):
        yield f"\nThe first {len(rows)} of {len(table.rows)}."


def _totals(ratios: Mapping[str, Any]) -> Table:
    rows = {"read": ratios["in"], **ratios["by_action"], "in the corpus": ratios["out"]}
    return Table(
        "totals",
        ("", "posts", "words", "characters"),
        [(name, row["posts"], row["words"], row["characters"]) for name, row in rows.items()]
        + [("rejected", ratios["posts"]["rejected"], None, None)],
    )


def _removed(ratios: Mapping[str, Any]) -> Table:
    columns = ("", "posts", "passages", "words", "characters", "dropped", "ratio")
    return Table(
        "removed",
        columns,
        [
            (why, *(row[name] for name in columns[1:5]), row["dropped_posts"], row["ratios"]["characters"])
            for why, row in ratios["removed"].items()
            if row["passages"] or row["dropped_posts"]
        ],
    )


def _repairs(ratios: Mapping[str, Any]) -> Table:
    return Table(
        "repairs",
        ("", "posts", "passages", "characters"),
        [
            (why, row["posts"], row["edits"], row["characters"])
            for why, row in ratios["repairs"].items()
            if row["edits"]
        ],
    )


def _kept(ratios: Mapping[str, Any]) -> Table:
    columns = ("", "posts", "passages", "words", "characters")
    return Table(
        "copies that stay",
        columns,
        [
            (flag, *(row[name] for name in columns[1:]))
            for flag, row in ratios["kept_copies"]["by_flag"].items()
        ],
    )


def _against(ratios: Mapping[str, Any]) -> Table:
    columns = ("", "posts", "dropped", "passages", "words")
    return Table(
        "stood before in",
        (*columns, *(kind.replace("_", " ") for kind in OTHERWISE)),
        [
            (
                name,
                row["posts_touched"],
                row["posts_dropped"],
                row["passages"],
                row["words"],
                *(row["counted_otherwise"][kind]["posts"] for kind in OTHERWISE),
            )
            for name, row in ratios.get("against", {}).items()
        ],
    )


def _groups(by: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = (by, "posts", "dropped", "characters", "removed", "copied", "ratio")
    return Table(
        by,
        columns,
        [(row["key"], *(row[name] for name in columns[1:-1]), row["duplicate_ratio"]) for row in rows],
    )


def _csv_cell(value: Cell) -> Cell:
    """Text that no spreadsheet takes for a formula, without control and direction characters."""
    if not isinstance(value, str):
        return value
    # visible() would hide the very characters that make a cell a formula, so it is asked first
    return f"'{visible(value)}" if value.startswith(_FORMULA) else visible(value)


def _markdown_text(value: Cell) -> str:
    return _MARKDOWN.sub(r"\\\1", visible_line("" if value is None else str(value)))


def _number(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}"
