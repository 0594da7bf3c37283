"""An explanation → a screen: each passage beside what it copies, differing words marked."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SQUARE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dedup.explain import Explanation, Passage, Related
from dedup.report.difference import Stretch, differing_words
from dedup.report.kinds import REPAIRS
from dedup.report.terminal import console_on_stdout
from dedup.report.visible import visible, visible_line

SHORT = 500
"""Characters of a passage that are shown unless all are asked for."""
MAX_REPAIRS = 10


def print_explanation(explanation: Explanation, *, full: bool = False) -> None:
    """Print an explanation on standard output. Text that came from the dump is made visible."""
    console = console_on_stdout()
    _print_head(console, explanation)
    repairs = [edit for edit in explanation.edits if edit.why in REPAIRS]
    edits = [edit for edit in explanation.edits if edit.why not in REPAIRS]
    for number, edit in enumerate(edits, 1):
        whole = edit.start == 0 and edit.end == explanation.raw_chars
        duplicate = explanation.duplicate_text if whole and edit.source_text is None else None
        _print_passage(console, f"{number}. removed", edit, explanation.duplicate_of, duplicate, full)
    for number, copy in enumerate(explanation.kept_copies, 1):
        _print_passage(console, f"{number}. stays", copy, None, None, full)
    _print_repairs(console, repairs, full)
    _print_related(console, "copies of one another", explanation.cluster)
    _print_related(console, "copied by", explanation.copied_by)
    if not edits and not explanation.kept_copies:
        console.print()
        _print_text(console, explanation.text, full)


def print_side_by_side(
    console: Console, headings: tuple[str, str], texts: tuple[str, str], *, full: bool = False
) -> None:
    """Two texts in two columns, the words in which they differ marked, their beginnings unless `full`."""
    table = Table(expand=True, padding=(0, 1), box=SQUARE)
    for heading in headings:
        table.add_column(Text(heading), ratio=1, overflow="fold")
    sides = zip(texts, differing_words(*texts), strict=True)
    table.add_row(*(_marked(console, text, changed, full) for text, changed in sides))
    console.print(table)


def _print_head(console: Console, explanation: Explanation) -> None:
    console.print(Text.assemble("post ", (visible_line(explanation.id), "bold")))
    where = f"{explanation.path} record {explanation.record} ({explanation.encoding})"
    if explanation.thread_id is not None:
        where = f"thread {explanation.thread_id}, {where}"
    console.print(Text(visible_line(where)))
    sizes = f"{explanation.raw_chars:,} characters"
    if explanation.action == "drop":
        text = f"dropped as {_name(explanation.reason or '')}: {sizes}"
    elif explanation.action == "trim":
        text = f"trimmed: {sizes}, {explanation.clean_chars:,} of them stay"
    else:
        text = f"kept: {sizes}"
    if explanation.duplicate_of is not None:
        text += f"; {visible_line(explanation.duplicate_of)} stands for it"
        if explanation.similarity is not None:
            text += f" (similarity {explanation.similarity:.3f})"
    console.print(Text(text, style="bold"))


def _print_passage(
    console: Console,
    title: str,
    passage: Passage,
    survivor: str | None,
    survivor_text: str | None,
    full: bool,
) -> None:
    source, text = passage.source_id, passage.source_text
    if text is None and survivor_text is not None:
        source, text = survivor, survivor_text
    console.print()
    console.print(
        Text(f"{title} as {_name(passage.why)}, characters {passage.start:,}–{passage.end:,}", "bold")
    )
    if evidence := _evidence(passage, source):
        console.print(Text(visible_line(evidence)))
    if passage.new:
        console.print(Text(f"in its place: {visible_line(passage.new)}"))
    if text is None or source is None:
        _print_text(console, passage.raw, full)
        return
    print_side_by_side(console, ("this post", f"post {visible_line(source)}"), (passage.raw, text), full=full)
    _print_cut(console, (passage.raw, text), full)


def _evidence(passage: Passage, source: str | None) -> str:
    parts = []
    if source is not None:
        stretch = ""
        if passage.source_start is not None and passage.source_end is not None:
            stretch = f", characters {passage.source_start:,}–{passage.source_end:,}"
        absent = passage.source_text is None and passage.source_id is not None
        parts.append(f"first said in {source}{stretch}{', which is not in this folder' if absent else ''}")
    if passage.via:
        parts.append(f"copied from {', which has it from '.join(passage.via)}")
    if passage.score is not None:
        parts.append(f"score {passage.score:.3f}")
    if passage.flags:
        parts.append(", ".join(passage.flags))
    return "; ".join(parts)


def _print_repairs(console: Console, repairs: Sequence[Passage], full: bool) -> None:
    if not repairs:
        return
    console.print()
    console.print(Text(f"{len(repairs):,} repairs of encoding and white space", "bold"))
    shown = repairs if full else repairs[:MAX_REPAIRS]
    for edit in shown:
        raw, new = (visible_line(side if full else _short(side, 60)) for side in (edit.raw, edit.new))
        console.print(Text(f"{edit.why} at {edit.start:,}: “{raw}” → “{new}”"))
    if len(repairs) > len(shown):
        console.print(Text(f"… and {len(repairs) - len(shown):,} more (--full shows them)", "dim"))


def _print_related(console: Console, title: str, related: Related) -> None:
    if related.count:
        names = ", ".join(visible_line(post_id) for post_id in related.ids)
        more = related.count - len(related.ids)
        console.print()
        console.print(Text.assemble((f"{title}: ", "bold"), names, f" and {more:,} more" if more else ""))


def _print_text(console: Console, text: str, full: bool) -> None:
    table = Table(expand=True, padding=(0, 1), box=SQUARE, show_header=False)
    table.add_column(overflow="fold")
    table.add_row(_marked(console, text, [], full))
    console.print(table)
    _print_cut(console, (text,), full)


def _print_cut(console: Console, texts: Sequence[str], full: bool) -> None:
    longest = max(map(len, texts))
    if not full and longest > SHORT:
        console.print(Text(f"the first {SHORT} of {longest:,} characters; --full shows all", "dim"))


def _marked(console: Console, text: str, changed: Sequence[Stretch], full: bool) -> Text:
    """The text with its differing words in colour, or in braces where there is none."""
    colour = console.is_terminal and not console.no_color
    end = len(text) if full else min(len(text), SHORT)
    marked, at = Text(), 0
    for start, stop in changed:
        if start >= end:
            break
        marked.append(visible(text[at:start]))
        word = visible(text[start:stop])
        marked.append(word if colour else f"{{{word}}}", "bold red" if colour else "")
        at = stop
    marked.append(visible(text[at : max(at, end)]))
    if end < len(text):
        marked.append("…", "dim")
    return marked


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _name(why: str) -> str:
    return visible_line(why.replace("_", " "))
