"""Chosen posts and the texts of their sources → cards that show a removed passage beside what it copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from dedup.errors import PostNotFoundError
from dedup.originals import restore
from dedup.report.difference import differing_words
from dedup.report.excerpt import LIMIT, Mark, Piece, excerpt, joined
from dedup.report.survey import KINDS, Chosen, Found, Survey
from dedup.report.visible import visible_line

MAX_CHARS = 200_000
"""Characters of a post that are looked at; evidence beyond them is named and not shown."""
MAX_TOTAL_CHARS = 50_000_000
"""Characters of all posts together; of those after them only the beginning is looked at."""
MAX_COMPARISONS = 4
"""Sources of one post, or copies of one survivor, that a card shows."""
_LEAD = 90


class Post(NamedTuple):
    """A post as a card shows it."""

    id: str
    author: str | None
    thread_id: str | None
    created: str | None
    text: str
    """The beginning of its raw text, at most MAX_CHARS."""


class Side(NamedTuple):
    """One of the two texts of a comparison."""

    heading: str
    byline: str
    pieces: tuple[Piece, ...]


class Comparison(NamedTuple):
    """A text beside the one it copies; `right` is None where that is not in the folder."""

    facts: str
    left: Side
    right: Side | None


class Card(NamedTuple):
    """The evidence for one post, or for the posts that one survivor stands for."""

    ids: tuple[str, ...]
    """Of the posts it is about, as the dump has them; all else here is safe to show."""
    kind: str
    title: str
    lead: str
    similarity: float | None
    """Of its least similar copy, between 0 and 1; the filter goes by it."""
    borderline: bool
    comparisons: tuple[Comparison, ...]
    more: str
    """What the card leaves out, or nothing."""


def read_posts(out: Path, survey: Survey) -> dict[str, Post]:
    """The posts that cards of this survey show, by id: one more pass over the folder."""
    wanted = {post.id for post in survey.chosen}
    for post in survey.chosen:
        wanted.update(list(_sources(post.passages))[:MAX_COMPARISONS])
        if post.duplicate_of is not None:
            wanted.add(post.duplicate_of)
    posts: dict[str, Post] = {}
    total = 0
    with suppress(PostNotFoundError):  # raised at the end: a quoted post may be in no dump
        for restored in restore(out, ids=wanted):
            shown = MAX_CHARS if total < MAX_TOTAL_CHARS else LIMIT
            posts[restored["id"]] = as_post(restored, shown)
            total += len(posts[restored["id"]].text)
    return posts


def as_post(restored: Mapping[str, Any], limit: int = MAX_CHARS) -> Post:
    """A restored post, cut to what is looked at."""
    metadata = restored["metadata"]
    return Post(
        restored["id"],
        _text_or_none(metadata.get("author")),
        _text_or_none(metadata.get("thread_id")),
        _text_or_none(restored["created"]),
        restored["text"][:limit],
    )


def make_cards(survey: Survey, posts: Mapping[str, Post]) -> list[Card]:
    """Cards for the posts of a survey, the most doubtful of every kind first, in turns."""
    cards: dict[str, list[Card]] = {kind: [] for kind in KINDS}
    clusters: dict[tuple[str, str], list[Chosen]] = {}
    for post in survey.chosen:
        if post.id not in posts:
            continue
        if post.kind in ("near_duplicate", "exact_duplicate") and post.duplicate_of in posts:
            clusters.setdefault((post.kind, post.duplicate_of or ""), []).append(post)
        else:
            cards[post.kind].append(_passages_card(post, posts))
    for (kind, survivor), members in clusters.items():
        size = survey.removed_as_copy_of[survivor]
        cards[kind].append(_cluster_card(kind, posts[survivor], members, size, posts))
    ranked = [
        (not card.borderline, rank, KINDS.index(kind), card)
        for kind in KINDS
        for rank, card in enumerate(cards[kind])
    ]
    return [card for *_, card in sorted(ranked, key=lambda row: row[:3])]


def compare(left: Post, right: Post, names: tuple[str, str], facts: str) -> Comparison:
    """Two whole posts side by side, the words in which they differ marked."""
    marks = differing_words(left.text, right.text)
    sides = [
        _side(post, name, joined(stretches, post.text, "only"))
        for post, name, stretches in zip((left, right), names, marks, strict=True)
    ]
    return Comparison(facts, sides[0], sides[1])


def _cluster_card(
    kind: str, survivor: Post, members: Sequence[Chosen], copies: int, posts: Mapping[str, Post]
) -> Card:
    shown = members[:MAX_COMPARISONS]
    comparisons = tuple(
        compare(
            posts[member.id],
            survivor,
            ("removed", "stays"),
            _share("similarity", member.similarity),
        )
        for member in shown
    )
    hidden = copies - len(shown)
    first = posts[shown[0].id]
    if copies == 1:
        title = f"{visible_line(first.id)} is a copy of {visible_line(survivor.id)}"
    else:
        title = f"{copies + 1:,} posts like {visible_line(survivor.id)}"
    return Card(
        ids=(survivor.id, *(member.id for member in shown)),
        kind=kind,
        title=title,
        lead=_lead(first.text),
        similarity=shown[0].similarity,
        borderline=any(member.borderline for member in shown) and kind == "near_duplicate",
        comparisons=comparisons,
        more=f"{hidden:,} more copies of it are not shown." if hidden > 0 else "",
    )


def _passages_card(post: Chosen, posts: Mapping[str, Post]) -> Card:
    """The post with its passages marked, beside the stretch of each source."""
    this = posts[post.id]
    passages = [found for found in post.passages if found.source_id is not None and _is_copy(post, found)]
    bare = [found for found in post.passages if found not in passages]
    comparisons = []
    sources = list(_sources(passages))
    for source_id in sources[:MAX_COMPARISONS]:
        mine = [found for found in passages if found.source_id == source_id]
        comparisons.append(_beside_source(this, mine, posts.get(source_id), source_id))
    if not comparisons:
        marks = [Mark(found.start, found.end, _mark_kind(found)) for found in bare]
        comparisons = [Comparison(_facts(bare), _side(this, "post", marks), None)]
    scores = [found.score for found in passages if found.score is not None]
    similarity = post.similarity if post.similarity is not None else min(scores, default=None)
    notes = []
    if len(sources) > MAX_COMPARISONS:
        notes.append(f"{len(sources) - MAX_COMPARISONS:,} more sources are not shown.")
    if post.more_passages:
        notes.append(f"{post.more_passages:,} more passages are not shown.")
    return Card(
        ids=(post.id, *sources[:MAX_COMPARISONS]),
        kind=post.kind,
        title=_title(post, sources),
        lead=_lead(this.text[passages[0].start : passages[0].end] if passages else this.text),
        similarity=similarity,
        borderline=post.borderline and post.kind in ("repost", "quote"),
        comparisons=tuple(comparisons),
        more=" ".join(notes),
    )


def _title(post: Chosen, sources: Sequence[str]) -> str:
    this = visible_line(post.id)
    others = ", ".join(visible_line(source) for source in sources[:3])
    others += f" and {len(sources) - 3:,} more" if len(sources) > 3 else ""
    if post.kind == "kept":
        return f"{this} has a copy that stays" + (f", of {others}" if others else "")
    if post.kind == "repost":
        return f"{this} is made of {others}" if others else f"{this} is a repost"
    if post.kind == "boilerplate":
        return f"{this} ends like other posts of its author"
    return f"{this} quotes {others}" if others else f"{this} quotes"


def _is_copy(post: Chosen, found: Found) -> bool:
    """Whether a passage belongs to what the card is about."""
    if post.kind == "boilerplate":
        return found.why == "boilerplate"
    if post.kind == "kept":
        return found.stays
    return not found.stays


def _beside_source(this: Post, passages: Sequence[Found], source: Post | None, source_id: str) -> Comparison:
    facts = _facts(passages)
    mine = [Mark(found.start, found.end, _mark_kind(found)) for found in passages]
    if source is None:
        note = f"{visible_line(source_id)} is not in this folder"
        return Comparison(f"{facts}; {note}" if facts else note, _side(this, "this post", mine), None)
    theirs = []
    for found in passages:
        if found.source_start is None or found.source_end is None:
            continue
        theirs.append(Mark(found.source_start, found.source_end, "copy"))
        left = this.text[found.start : found.end]
        right = source.text[found.source_start : found.source_end]
        changed = differing_words(left, right)
        mine += _moved(joined(changed[0], left, "only"), found.start)
        theirs += _moved(joined(changed[1], right, "only"), found.source_start)
    return Comparison(facts, _side(this, "this post", mine), _side(source, "first said in", theirs))


def _moved(marks: Iterable[Mark], by: int) -> list[Mark]:
    return [Mark(mark.start + by, mark.end + by, mark.kind) for mark in marks]


def _mark_kind(found: Found) -> str:
    return "stays" if found.stays else "copy"


def _facts(passages: Sequence[Found]) -> str:
    facts = []
    scores = [found.score for found in passages if found.score is not None]
    if scores:
        facts.append(_share("found in the source", min(scores)))
    vias = {visible_line(found.via_id): None for found in passages if found.via_id is not None}
    if vias:
        facts.append(f"copied from {', '.join(list(vias)[:3])}")
    flags = {visible_line(flag.replace("_", " ")): None for found in passages for flag in found.flags}
    whys = {found.why.replace("_", " "): None for found in passages}
    facts.append(", ".join([*whys, *flags]))
    return "; ".join(fact for fact in facts if fact)


def _share(name: str, share: float | None) -> str:
    return "" if share is None else f"{name} {share:.3f}"


def _side(post: Post, heading: str, marks: Sequence[Mark]) -> Side:
    byline = [part for part in (post.author, post.created) if part]
    where = [f"thread {post.thread_id}"] if post.thread_id else []
    return Side(
        f"{heading} {visible_line(post.id)}",
        visible_line(_short(" · ".join([*byline, *where]), 160)),
        excerpt(post.text, marks, LIMIT),
    )


def _sources(passages: Iterable[Found]) -> Iterable[str]:
    return {found.source_id: None for found in passages if found.source_id is not None}


def _lead(text: str) -> str:
    """The first words of a text on one line."""
    words = " ".join(text[: 4 * _LEAD].split())
    return visible_line(_short(words, _LEAD))


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _text_or_none(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
