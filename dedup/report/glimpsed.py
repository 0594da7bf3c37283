"""What `peek` saw, and the formats that are read → the terminal; posts as `visible` makes them."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dedup.peek import Format, Glimpse
from dedup.report.terminal import console_on_stdout
from dedup.report.visible import visible, visible_line

_MAX_LINES = 12
_MAX_CHARS = 1200
_FACTS = (("author", "author"), ("thread", "thread_id"), ("parent", "parent_id"), ("title", "title"))


def print_formats(formats: list[Format]) -> None:
    """A line for each format."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for name in ("format", "files", "what"):
        table.add_column(name)
    for each in formats:
        table.add_row(each.name, " ".join(each.suffixes), each.what)
    console = console_on_stdout()
    console.print(table)
    console.print()
    console.print(Text("All of them plain or compressed (.gz, .zst, .bz2, .xz); recognised by content."))


def print_glimpse(glimpse: Glimpse) -> None:
    """The front of one input."""
    console = console_on_stdout()
    head = Text(visible_line(glimpse.path), style="bold")
    head.append(f": {glimpse.format or 'no reader knows it'}", style="not bold")
    if glimpse.encoding:
        head.append(f", {glimpse.encoding}", style="not bold")
    if glimpse.markup == "html":
        head.append(", bodies are HTML", style="not bold")
    console.print(head)
    if glimpse.fields:
        taken = ", ".join(f"{column} ← {visible_line(key)}" for column, key in glimpse.fields.items())
        console.print(Text(f"  {taken}"))
    if glimpse.other_fields:
        names = ", ".join(map(visible_line, glimpse.other_fields[:20]))
        more = ", …" if len(glimpse.other_fields) > 20 else ""
        console.print(Text(f"  as they are: {names}{more}", style="dim"))
    for post in glimpse.posts:
        _print_post(console, post)
    for reject in glimpse.rejected:
        console.print()
        console.print(Text(f"record {reject['record']:,} is rejected: {visible_line(reject['error'])}"))
    console.print()


def _print_post(console: Console, post: dict[str, Any]) -> None:
    console.print()
    head = Text(f"record {post['record']:,}", style="bold")
    head.append(f"  id {_shown(post['id'])}", style="not bold")
    console.print(head)
    facts = [f"{name} {_shown(post[column])}" for name, column in _FACTS]
    time = post.get("time") or "unknown"
    written = f" ({visible_line(post['created'][:60])})" if post["created"] else ""
    console.print(Text("  " + ", ".join(facts)))
    console.print(Text(f"  time {time}{written}, {post['encoding']}, {len(post['text']):,} characters"))
    for line, quoted in _lines(post):
        console.print(Text("  ┃ " if quoted else "  │ ", style="dim"), Text(line), sep="", soft_wrap=True)
    for mark in post["marks"][:8]:
        named = [_shown(mark["author"])] if mark["author"] else []
        named += [f"post {_shown(mark['post_id'])}"] if mark["post_id"] else []
        whom = f" of {', '.join(named)}" if named else ""
        console.print(Text(f"  quote at {mark['start']:,}–{mark['end']:,}{whom}", style="dim"))
    for chrome in post["chrome"][:8]:
        console.print(Text(f"  {chrome['why']} at {chrome['start']:,}–{chrome['end']:,}", style="dim"))


def _lines(post: dict[str, Any]) -> list[tuple[str, bool]]:
    """The first lines of a post, and whether each is in a quote."""
    text = post["text"]
    lines: list[tuple[str, bool]] = []
    at = 0
    for line in text[:_MAX_CHARS].split("\n")[:_MAX_LINES]:
        quoted = any(mark["start"] < at + max(len(line), 1) and at < mark["end"] for mark in post["marks"])
        lines.append((visible(line), quoted))
        at += len(line) + 1
    if at <= len(text):
        lines.append(("…", False))
    return lines


def _shown(value: str | None) -> str:
    return "–" if value is None else visible_line(value if len(value) <= 80 else value[:79] + "…")
