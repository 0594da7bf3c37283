"""An explanation → one HTML page: the post with its passages marked, and each beside its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dedup.explain import Explanation, Passage, Related
from dedup.report.difference import differing_words
from dedup.report.evidence import Comparison, Side
from dedup.report.excerpt import Mark, excerpt, joined
from dedup.report.kinds import REPAIRS
from dedup.report.page import load_templates, page
from dedup.report.visible import visible_line

MAX_CHARS = 20_000
"""Characters of a text that the page shows; the rest is counted."""
MAX_PASSAGES = 200
MAX_REPAIRS = 200


def explanation_page(found: Explanation) -> str:
    """The page. Raises ConfigError when jinja2 is not installed."""
    copies = [(passage, False) for passage in found.edits if passage.why not in REPAIRS]
    copies += [(passage, True) for passage in found.kept_copies]
    repairs = [passage for passage in found.edits if passage.why in REPAIRS]
    marks = [Mark(passage.start, passage.end, "stays" if stays else "copy") for passage, stays in copies]
    marks += [Mark(repair.start, repair.end, "repair") for repair in repairs]
    return page(
        load_templates(),
        "explained.html",
        id=visible_line(found.id),
        verdict=_verdict(found),
        where=_where(found),
        kinds={mark.kind for mark in marks},
        text=excerpt(found.text, marks, MAX_CHARS, whole=True),
        passages=[
            _passage(number, passage, stays, found)
            for number, (passage, stays) in enumerate(copies[:MAX_PASSAGES], 1)
        ],
        more_passages=max(0, len(copies) - MAX_PASSAGES),
        repairs=[_repair(repair) for repair in repairs[:MAX_REPAIRS]],
        more_repairs=max(0, len(repairs) - MAX_REPAIRS),
        related=list(_related(found)),
    )


def _verdict(found: Explanation) -> str:
    size = f"{found.raw_chars:,} characters"
    if found.action == "drop":
        verdict = f"Dropped as {_name(found.reason or '')}: {size}"
    elif found.action == "trim":
        verdict = f"Trimmed: {size}, {found.clean_chars:,} of them stay"
    else:
        verdict = f"Kept: {size}"
    if found.duplicate_of is not None:
        verdict += f"; {visible_line(found.duplicate_of)} stands for it"
        if found.similarity is not None:
            verdict += f" (similarity {found.similarity:.3f})"
    return f"{verdict}."


def _where(found: Explanation) -> str:
    thread = f"thread {found.thread_id}, " if found.thread_id is not None else ""
    return visible_line(f"{thread}{found.path} record {found.record} ({found.encoding})")


def _passage(number: int, passage: Passage, stays: bool, found: Explanation) -> dict[str, Any]:
    source, text = passage.source_id, passage.source_text
    whole = passage.start == 0 and passage.end == found.raw_chars
    if text is None and whole and not stays and found.duplicate_text is not None:
        source, text = found.duplicate_of, found.duplicate_text
    verb = "stays as" if stays else "removed as"
    return {
        "title": f"{number}. {verb} {_name(passage.why)}, characters {passage.start:,}–{passage.end:,}",
        "chain": _chain(passage, source, text, found),
        "facts": _facts(passage),
        "comparison": _compare(passage, source, text),
    }


def _chain(
    passage: Passage, source: str | None, text: str | None, found: Explanation
) -> Sequence[tuple[str, str]]:
    """The posts a passage went through, this one first, with what each of them is to it."""
    if source is None:
        return []
    links = [(visible_line(found.id), "this post")]
    links += [(visible_line(via), "has it from") for via in passage.via]
    stretch = ""
    if passage.source_start is not None and passage.source_end is not None:
        stretch = f", characters {passage.source_start:,}–{passage.source_end:,}"
    absent = "" if text is not None else ", which is not in this folder"
    links.append((visible_line(source), f"first said here{stretch}{absent}"))
    return links


def _facts(passage: Passage) -> str:
    facts = []
    if passage.score is not None:
        facts.append(f"found in the source {passage.score:.3f}")
    if passage.flags:
        facts.append(", ".join(_name(flag) for flag in passage.flags))
    if passage.new:
        facts.append(f"in its place: {visible_line(passage.new[:200])}")
    return "; ".join(facts)


def _compare(passage: Passage, source: str | None, text: str | None) -> Comparison:
    if text is None or source is None:
        return Comparison("", Side("this post", "", excerpt(passage.raw, [], MAX_CHARS)), None)
    changed = differing_words(passage.raw, text)
    sides = [
        Side(heading, "", excerpt(side, joined(stretches, side, "only"), MAX_CHARS, whole=True))
        for heading, side, stretches in (
            ("this post", passage.raw, changed[0]),
            (f"post {visible_line(source)}", text, changed[1]),
        )
    ]
    return Comparison("", sides[0], sides[1])


def _repair(repair: Passage) -> dict[str, str]:
    return {
        "why": _name(repair.why),
        "at": f"{repair.start:,}",
        "raw": visible_line(_short(repair.raw)),
        "new": visible_line(_short(repair.new)),
    }


def _related(found: Explanation) -> Iterator[tuple[str, str]]:
    for title, related in (("Copies of one another", found.cluster), ("Copied by", found.copied_by)):
        if related.count:
            yield title, _names(related)


def _names(related: Related) -> str:
    more = related.count - len(related.ids)
    return ", ".join(map(visible_line, related.ids)) + (f" and {more:,} more" if more else "")


def _name(why: str) -> str:
    return visible_line(why.replace("_", " "))


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
