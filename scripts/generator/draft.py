"""A post under construction: what its author says, what is copied, and where each part stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from .record import CodeCopy, Pair, Quote, Source

Span = tuple[int, int]


@dataclass(slots=True)
class Said:
    """A finished post as later posts can quote it."""

    id: str
    author: str
    thread_id: str
    text: str
    own: list[Span]
    """The author's own passages, in order: no quotes, no attribution lines, no signature."""
    quotes: list[Quote]
    code: Span | None
    signature: Span | None

    @property
    def body_end(self) -> int:
        """Where the post ends without its signature."""
        return len((self.text[: self.signature[0]] if self.signature else self.text).rstrip())

    def longest_own(self) -> Span:
        return max(self.own, key=lambda span: span[1] - span[0])


@dataclass(slots=True)
class Draft:
    """Grows a post part by part and keeps the truth about each part."""

    kinds: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    length: int = 0
    own: list[Span] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    code: list[CodeCopy] = field(default_factory=list)
    listing: Span | None = None
    pairs: list[tuple[Said, str]] = field(default_factory=list)
    """Earlier posts this one is to be compared with, and what kind of pair they are."""
    author: str | None = None
    parent: str | None = None
    signature: Span | None = None
    finished: bool = False
    """No signature is to be added."""
    quotable: bool = True

    def put(self, text: str) -> None:
        """Text that is nobody's: line ends, attribution lines, marks of an omission."""
        self.parts.append(text)
        self.length += len(text)

    def say(self, text: str) -> None:
        """The author's own words, on a line of their own."""
        if self.parts:
            self.put("\n\n" if self.quotes and len(text) & 1 else "\n")
        self.own.append((self.length, self.length + len(text)))
        self.put(text)

    def copy(
        self,
        source: Said,
        span: Span,
        *,
        attribution: str | None = None,
        named: bool = False,
        passage: str | None = None,
        score: float = 100.0,
        block_start: int | None = None,
    ) -> None:
        """A quote of `source`; `passage` is what became of the copied text, where it changed."""
        self.parent = self.parent or source.id
        begin = self.length if block_start is None else block_start
        if attribution:
            self.put(attribution + "\n")
        copied = source.text[span[0] : span[1]] if passage is None else passage
        start = self.length
        self.put(copied)
        self.quotes.append(
            Quote(
                level=1,
                block_start=begin,
                start=start,
                end=self.length,
                author=source.author if named else None,
                src=Source(
                    post_id=source.id,
                    start=span[0],
                    end=span[1],
                    kind="exact" if score == 100.0 else "fuzzy",
                    score=score,
                    basis="author" if named else "text",
                ),
                own_start=start,
                own_end=self.length,
            )
        )

    def copy_nested(self, source: Said, attribution: str | None, named: bool) -> None:
        """A quote of a post together with the quote that it opens with, and what it answers to that."""
        first = source.quotes[0]
        answer = next(span for span in source.own if span[0] >= first.end)
        begin = self.length
        if attribution:
            self.put(attribution + "\n")
        start = self.length
        shift = start - first.block_start
        self.put(source.text[first.block_start : answer[1]])
        self.parent = self.parent or source.id
        self.quotes.append(
            Quote(
                level=1,
                block_start=begin,
                start=start,
                end=self.length,
                author=source.author if named else None,
                src=Source(source.id, answer[0], answer[1], "exact", 100.0, "author" if named else "text"),
                own_start=answer[0] + shift,
                own_end=answer[1] + shift,
            )
        )
        for inner in source.quotes:
            if inner.end <= answer[0]:
                self.quotes.append(
                    Quote(
                        level=inner.level + 1,
                        block_start=inner.block_start + shift,
                        start=inner.start + shift,
                        end=inner.end + shift,
                        author=inner.author,
                        src=inner.src,
                        own_start=inner.own_start + shift,
                        own_end=inner.own_end + shift,
                    )
                )

    def copy_absent(self, passage: str, author: str | None, attribution: str | None) -> None:
        """A quote of a post that the dump does not have."""
        begin = self.length
        if attribution:
            self.put(attribution + "\n")
        start = self.length
        self.put(passage)
        self.quotes.append(Quote(1, begin, start, self.length, author, None, start, self.length))

    def copy_code(self, source: Said, code: str) -> None:
        """Source code that `source` has too."""
        self.parent = self.parent or source.id
        start = self.put_code(code)
        self.code.append(CodeCopy(start, start + len(code), source.id))

    def put_code(self, code: str) -> int:
        """A listing on lines of its own; gives where it starts."""
        self.put("\n\n")
        start = self.length
        self.listing = start, start + len(code)
        self.put(code + "\n")
        return start

    def whole_copy(self, source: Said, span: Span, passage: str, score: float) -> None:
        """A post that is nothing but a copy."""
        self.copy(source, span, passage=passage, score=score)
        self.parent = None
        self.finished = True

    def text(self) -> str:
        return "".join(self.parts)


def said_in_full(draft: Draft, post_id: str, author: str, thread_id: str, text: str) -> Said:
    """The draft as later posts see it."""
    return Said(post_id, author, thread_id, text, draft.own, draft.quotes, draft.listing, draft.signature)


def pairs_of(
    draft: Draft, post_id: str, text: str, threshold: float, similarity: dict[str, float]
) -> list[Pair]:
    """The draft's pairs with their true similarity, as `similarity` holds it by post id."""
    return [
        Pair(
            a=source.id,
            b=post_id,
            duplicate=kind not in ("full_quote", "short") and similarity[source.id] >= threshold,
            jaccard=similarity[source.id],
            kind=kind,
        )
        for source, kind in draft.pairs
    ]
