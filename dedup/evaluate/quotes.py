"""What was taken out as a copy, against the quotes that are really there.

Counted over letters and digits only, so that white space, `>` and punctuation weigh nothing. Left out
are what no truth tells or nobody is to blame for: attribution lines, quotes whose source is not in the
dump, signatures, posts that say the same as an earlier one, and *unmarked copies*: text outside the
known quotes that does stand, in a run of COPY_WORDS words, in the post it is said to come from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup.evaluate.truth import LabelledQuote, QuotedPost

COPY_REASONS = frozenset({"quote", "repost", "near_duplicate", "exact_duplicate"})
REPAIR_REASONS = frozenset({"encoding", "whitespace", "shortened"})
TRUSTED_BASES = frozenset({"markup_id", "author", "reply_chain"})
"""Where the truth knows the quoted post from what people wrote, and did not search for it."""
COPY_WORDS = 8
SHORT_CHARS = 60
"""A quote of fewer characters is short."""
DOUBLE_POST_CHARS = 40
"""Two posts of the same text, longer than this, are one for the count."""

_WORD = re.compile(r"\w+")
_CACHED_SOURCES = 64
"""Quoted posts stand near one another; the runs of a text take fifty times its space."""

# What a character is in truth, and how it was treated.
_OWN, _QUOTED, _LEFT_OUT, _UNMARKED = range(4)
_COPY, _OTHER = 1, 2


class Removal(NamedTuple):
    """A stretch that was taken out of a post: where, and which posts it is said to come from."""

    start: int
    end: int
    sources: tuple[str, ...]
    is_copy: bool  # else it went as boilerplate, chrome or the like


class Removals(NamedTuple):
    """What was taken out, by post, and the ids of all posts."""

    of_post: dict[str, list[Removal]]
    ids: set[str]


class QuoteCounts(NamedTuple):
    """What `QuoteScores` are made of; the counts of several posts add up.

    Characters: found and missed of the quotes, `taken` and `lost` of the own ones (taken as copies; taken
    in any way). The others count quotes, but for `posts`.
    """

    posts: int = 0
    found_chars: int = 0
    missed_chars: int = 0
    own_chars: int = 0
    taken_chars: int = 0
    lost_chars: int = 0
    unmarked_chars: int = 0
    quotes: int = 0
    found: int = 0
    short: int = 0
    short_found: int = 0
    attributable: int = 0
    attributed: int = 0


class QuoteScores(msgspec.Struct, frozen=True):
    """How well quotes were found; a share is None where there is nothing to have a share of.

    quote_recall: of the quotes, those of which at least half is found; `_short`: of the short ones.
    source_accuracy: of the quotes found whose post is known, those said to come from it.
    new_text_lost: of the own characters, those taken out for whatever reason.
    unmarked_copies: characters left out as such, as a share of the quoted ones.
    unknown_ids: posts that the truth does not have.
    """

    posts: int
    quotes: int
    char_precision: float | None
    char_recall: float | None
    char_f1: float
    quote_recall: float | None
    quote_recall_short: float | None
    source_accuracy: float | None
    new_text_lost: float | None
    unmarked_copies: float | None
    unknown_ids: int = 0

    def as_dict(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self)


def read_removals(records: Iterable[Mapping[str, Any]]) -> Removals:
    """What provenance records say was taken out."""
    of_post: dict[str, list[Removal]] = {}
    ids = set()
    for record in records:
        key = str(record["id"])
        ids.add(key)
        if removals := [
            Removal(
                edit["start"],
                edit["end"],
                tuple({str(edit[name]) for name in ("source_id", "via_id") if edit.get(name) is not None}),
                edit["why"] in COPY_REASONS,
            )
            for edit in record["edits"]
            if edit["why"] not in REPAIR_REASONS
        ]:
            of_post.setdefault(key, []).extend(removals)
    return Removals(of_post, ids)


def score_quotes(read: Callable[[], Iterable[QuotedPost]], removals: Removals) -> QuoteScores:
    """Scores of what was taken out. `read` gives all posts, in order; it is called twice."""
    total, known = QuoteCounts(), set()
    for post, counts in count_posts(read, removals):
        known.add(str(post.id))
        total = add(total, counts)
    return scores_of(total, unknown_ids=len(removals.ids - known))


def count_posts(
    read: Callable[[], Iterable[QuotedPost]], removals: Removals
) -> Iterator[tuple[QuotedPost, QuoteCounts]]:
    """Each post with its counts. `read` gives all posts, in order; it is called twice."""
    wanted = {
        source
        for spans in removals.of_post.values()
        for span in spans
        if span.is_copy
        for source in span.sources
    }
    texts = {key: post.text for post in read() if (key := str(post.id)) in wanted}

    @lru_cache(maxsize=_CACHED_SOURCES)
    def runs_of(source: str) -> frozenset[tuple[str, ...]]:
        return frozenset(_runs(_WORD.findall(texts.get(source, ""))))

    seen: set[bytes] = set()
    for post in read():
        words = " ".join(post.text.split())
        digest = xxhash.xxh3_128_digest(words.encode("utf-8", "surrogatepass"))
        if len(words) > DOUBLE_POST_CHARS and digest in seen:
            yield post, QuoteCounts(posts=1)
            continue
        seen.add(digest)
        yield post, _count(post, removals.of_post.get(str(post.id), []), runs_of)


def add(one: QuoteCounts, other: QuoteCounts) -> QuoteCounts:
    """The counts of both."""
    return QuoteCounts(*(a + b for a, b in zip(one, other, strict=True)))


def scores_of(counts: QuoteCounts, unknown_ids: int = 0) -> QuoteScores:
    """Counts → shares, rounded to four digits."""
    quoted = counts.found_chars + counts.missed_chars
    precision = _share(counts.found_chars, counts.found_chars + counts.taken_chars)
    recall = _share(counts.found_chars, quoted)
    return QuoteScores(
        posts=counts.posts,
        quotes=counts.quotes,
        char_precision=precision,
        char_recall=recall,
        char_f1=f1_of(precision, recall),
        quote_recall=_share(counts.found, counts.quotes),
        quote_recall_short=_share(counts.short_found, counts.short),
        source_accuracy=_share(counts.attributed, counts.attributable),
        new_text_lost=_share(counts.lost_chars, counts.own_chars),
        unmarked_copies=_share(counts.unmarked_chars, quoted),
        unknown_ids=unknown_ids,
    )


def f1_of(precision: float | None, recall: float | None) -> float:
    """The harmonic mean; of rounded figures, so that whoever works it out from those gets the same."""
    return round(2 * precision * recall / (precision + recall), 4) if precision and recall else 0.0


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _counted(text: str) -> NDArray[np.bool_]:
    """Which characters are letters or digits."""
    if text.isascii():  # most posts of most boards, and ten times faster
        return np.frombuffer(text.encode().translate(_ASCII_COUNTED), np.bool_)
    # Explicitly little-endian: "utf-32" would begin with a byte order mark.
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    return np.take(_all_counted(), points)


_ASCII_COUNTED = bytes(chr(byte).isalnum() for byte in range(256))


@cache
def _all_counted() -> NDArray[np.bool_]:
    return np.fromiter((chr(point).isalnum() for point in range(0x110000)), np.bool_, 0x110000)


def _count(
    post: QuotedPost, removals: list[Removal], runs_of: Callable[[str], frozenset[tuple[str, ...]]]
) -> QuoteCounts:
    text, size = post.text, len(post.text)
    counted = _counted(text)
    if not removals and not post.quotes and not post.signature:
        return QuoteCounts(posts=1, own_chars=int(counted.sum()))
    quotes = [quote for quote in post.quotes if quote.level == 1]
    truth, taken = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for quote in quotes:
        if quote.block_start is not None:
            truth[max(0, quote.block_start) : max(0, quote.start)] = _LEFT_OUT
        truth[quote.start : max(0, quote.end)] = _QUOTED if quote.src else _LEFT_OUT
    if post.signature:
        truth[slice(*post.signature)] = _LEFT_OUT
    for removal in removals:
        start, end = max(0, removal.start), max(0, removal.end)
        taken[start:end] |= _COPY if removal.is_copy else _OTHER
        # Most often only white space is taken beyond a quote: no need to look at the source then.
        if removal.is_copy and (counted[start:end] & (truth[start:end] == _OWN)).any():
            _mark_unmarked(text, start, end, removal.sources, truth, runs_of)
    # One number for each pair of truth and treatment.
    cells = np.bincount(truth[counted] * 4 + taken[counted], minlength=16).reshape(4, 4)
    as_copy = cells[:, _COPY] + cells[:, _COPY | _OTHER]
    of_kind = cells.sum(axis=1)
    counts = QuoteCounts(
        posts=1,
        found_chars=int(as_copy[_QUOTED]),
        missed_chars=int(of_kind[_QUOTED] - as_copy[_QUOTED]),
        own_chars=int(of_kind[_OWN]),
        taken_chars=int(as_copy[_OWN]),
        lost_chars=int(of_kind[_OWN] - cells[_OWN, 0]),
        unmarked_chars=int(of_kind[_UNMARKED]),
    )
    for quote in quotes:
        if quote.src:
            counts = add(counts, _count_quote(quote, removals, counted, taken))
    return counts


def _count_quote(
    quote: LabelledQuote, removals: list[Removal], counted: NDArray[np.bool_], taken: NDArray[np.uint8]
) -> QuoteCounts:
    here = slice(quote.start, quote.end)
    chars = int(counted[here].sum())
    if not chars:
        return QuoteCounts()
    found = 2 * int((taken[here][counted[here]] & _COPY).sum()) >= chars
    short = quote.end - quote.start < SHORT_CHARS
    attributable = found and quote.src is not None and quote.src.basis in TRUSTED_BASES
    return QuoteCounts(
        quotes=1,
        found=found,
        short=short,
        short_found=found and short,
        attributable=attributable,
        attributed=attributable and _is_attributed(quote, removals),
    )


def _is_attributed(quote: LabelledQuote, removals: list[Removal]) -> bool:
    """Whether no post is said to have more of the quote than the one it is from."""
    covered: Counter[str] = Counter()
    for removal in removals:
        overlap = min(removal.end, quote.end) - max(removal.start, quote.start)
        if overlap > 0 and removal.is_copy:
            for source in removal.sources:
                covered[source] += overlap
    source = str(quote.src.post_id) if quote.src else ""
    return source in covered and covered[source] == max(covered.values())


def _mark_unmarked(
    text: str,
    start: int,
    end: int,
    sources: Iterable[str],
    truth: NDArray[np.uint8],
    runs_of: Callable[[str], frozenset[tuple[str, ...]]],
) -> None:
    """Mark in `truth` what of text[start:end] one of the sources does have, outside the known quotes."""
    known = [runs_of(source) for source in sources]
    words = list(_WORD.finditer(text, start, end))
    for at, run in enumerate(_runs([word[0] for word in words])):
        if any(run in runs for runs in known):
            here = truth[words[at].start() : words[at + COPY_WORDS - 1].end()]
            here[here == _OWN] = _UNMARKED


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    """All runs of COPY_WORDS words, case apart."""
    folded = [word.casefold() for word in words]
    return zip(*(folded[at:] for at in range(COPY_WORDS)), strict=False)
