"""`dedup.readers.pages.render` as it would be written in plain Python: slow, and easy to follow."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.render import without_raw
from dedup.readers.pages.tags import (
    BLOCK,
    CELL,
    CODEBOX,
    DROP,
    HEADER,
    HEADING,
    INLINE,
    ITEM,
    LABEL,
    LINK,
    LIST,
    PARAGRAPH,
    PRE,
    QUOTE,
    VOID,
    Tag,
    cited,
    read_tag,
    smiley,
    source_post,
)
from dedup.readers.pages.urls import unwrap
from dedup.readers.pages.writer import MAX_QUOTE_DEPTH

_MAX_INDENT = 4
_MAX_BREAKS = 3
_LONGEST_ADDRESS = 400

# Names may hold a `<`, as in `<b<br>`; a few, lest each `<` of many is looked at from every other.
_TO_ANGLE = r'[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+'
_TOKEN = re.compile(f"(<(?!br>){_TO_ANGLE}(?:<{_TO_ANGLE}){{0,8}}+>)")  # a line break stays in its text
_BREAK = "<br>"
_BLANK = " \t\n\r\f"
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_SHORTENED = re.compile(r"(?:https?://|www\.)\S*\s?(?:\.\.\.|…)\s?\S*\Z")


class Rendered(NamedTuple):
    """Raw text, with the quotes its markup tells (fields of MARK), outer ones first."""

    text: str
    marks: list[dict[str, Any]]


class Quote:
    """A quote whose element is open, or that has ended."""

    __slots__ = ("author", "end", "header", "post_id", "start")

    def __init__(self, author: str | None = None, post_id: str | None = None) -> None:
        self.author, self.post_id = author, post_id
        self.header = ""
        self.start = -1  # until it has text
        self.end = -1


class _Header:
    """The line above a quote, as it is collected."""

    def __init__(self, before: bool) -> None:
        self.before = before  # it stands before its quote, not in it
        self.parts: list[str] = []
        self.names: list[str] = []  # what stands in links and in bold
        self.post_id: str | None = None

    @property
    def text(self) -> str:
        return _BLANKS.sub(" ", "".join(self.parts)).strip(" \xa0")


def render(html: str, names: HeaderNames, plain_blockquotes: bool = True) -> Rendered:
    """The text of one element, given as a parser serialised it.

    names: knows the authors of the page; plain_blockquotes: whether a `<blockquote>` without a class is a
    quote on this engine, or only indented.
    """
    return _Writer(names, plain_blockquotes).run(html)


class _Writer:
    def __init__(self, names: HeaderNames, plain_blockquotes: bool) -> None:
        self.names, self.plain_blockquotes = names, plain_blockquotes
        self.out: list[str] = []
        self.length = 0
        self.breaks = 0  # line feeds due before the next text
        self.gap = ""  # blank due before the next text on the same line
        self.open: list[tuple[str, int]] = []
        self.dropped = 0  # depth inside an element that is no text
        self.pre = 0
        self.lists: list[int] = []  # number of the last item; -1 where items are not numbered
        self.links: list[str] = []
        self.containers: list[Quote | None] = []  # open quotes, and None for boxes of code
        self.pending: list[Quote] = []  # open quotes without text yet
        self.quotes: list[Quote] = []
        self.header: _Header | None = None
        self.heading: _Header | None = None  # waits for its quote
        self.header_depth = 0

    def run(self, html: str) -> Rendered:
        pieces = _TOKEN.split(without_raw(html))
        if pieces[0]:
            self.text(pieces[0])
        first = True
        for token, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            if token[1] == "/":
                self.close(token[2:-1])
            else:
                self.begin(read_tag(token), first)
                first = False
            if piece and not self.dropped:
                self.text(piece)
        while self.containers:
            self._end_container()
        marks: dict[tuple[int, int], dict[str, Any]] = {}
        for quote in self.quotes:
            if quote.start >= 0:
                # elements around one another with the same text are one quote
                known = marks.get((quote.start, quote.end))
                if known is None or known["author"] is None:
                    marks[quote.start, quote.end] = {
                        "start": quote.start,
                        "end": quote.end,
                        "author": quote.author or (known and known["author"]),
                        "post_id": quote.post_id or (known and known["post_id"]),
                    }
        ordered = sorted(marks.values(), key=lambda mark: (mark["start"], -mark["end"]))
        return Rendered("".join(self.out), ordered)

    # -- tags

    def begin(self, tag: Tag, root: bool = False) -> None:
        name, kind = tag.name, tag.kind
        if self.dropped:
            self.dropped += name not in VOID
            return
        if name in VOID:
            if name == "br":
                self.line_break()
            elif name == "img":
                self._image(tag)
            elif name == "hr":
                self._block(1)
            return
        # vBulletin 4 and XenForo 1 wrap the whole body in a blockquote
        kind = BLOCK if root else self._kind_here(tag)
        if kind == DROP:
            self.dropped = 1
            return
        self.open.append((name, kind))
        if self.header is not None:
            self._in_header(tag, kind)
        elif kind != INLINE:
            self._begin_kind(tag, kind)

    def _kind_here(self, tag: Tag) -> int:
        """What an element is where it stands."""
        kind, name = tag.kind, tag.name
        if kind in (INLINE, LINK, DROP):
            return kind
        if kind == QUOTE:
            indented = name == "blockquote" and "class" not in tag.attributes and not self.plain_blockquotes
            return BLOCK if indented else QUOTE
        if not self.containers:
            if kind == LABEL:
                return INLINE if name == "cite" else BLOCK
            return BLOCK if kind == HEADER else kind
        quote = self.containers[-1]
        if quote is None:  # in a box of code, the first line says "Code: Select all"
            return DROP if kind == LABEL or name in ("p", "dt") else kind
        fresh = quote.start < 0 and not quote.header
        if kind == LABEL:
            return HEADER if fresh else INLINE if name == "cite" else BLOCK
        if name == "div" and not tag.attributes and quote.start < 0 and self.open[-1] == ("td", QUOTE):
            return HEADER  # vBulletin 3: the first line of a quote that names its author
        return kind

    def _begin_kind(self, tag: Tag, kind: int) -> None:
        if kind == LINK:
            self.links.append(tag.attributes.get("href", ""))
        elif kind in (BLOCK, HEADING, HEADER, CODEBOX, QUOTE):
            self._block(1)
            if kind == QUOTE:
                self._begin_quote(tag)
            elif kind == CODEBOX:
                self.containers.append(None)
            elif kind != BLOCK:
                self.header = _Header(before=kind == HEADING)
                self.header_depth = len(self.open)
        elif kind == PARAGRAPH:
            # the first paragraph of a list item stays on its line
            self._block(2 if not self.out or self.breaks or not self.out[-1].endswith("- ") else 0)
        elif kind == CELL:
            if not self.breaks and self.out:
                self.gap = "\t"
        elif kind == LIST:
            self._block(2 if not self.lists else 1)
            self.lists.append(0 if tag.name == "ol" else -1)
        elif kind == ITEM:
            self._item()
        elif kind == PRE:
            self._block(1)
            self.pre += 1

    def close(self, name: str) -> None:
        if self.dropped:
            self.dropped -= name not in VOID
            return
        if not self.open or self.open[-1][0] != name:
            return
        _, kind = self.open.pop()
        if kind == INLINE:
            return
        if self.header is not None:
            if len(self.open) < self.header_depth:
                self._end_header(self.header)
                self._block(1)
            return
        if kind == LINK:
            if self.links:
                self.links.pop()
        elif kind in (BLOCK, HEADING, HEADER, ITEM):
            self._block(1)
        elif kind == PARAGRAPH:
            self._block(2)
        elif kind == PRE:
            self.pre -= 1
            self._block(1)
        elif kind == LIST:
            self.lists.pop()
            self._block(1 if self.lists else 2)
        elif kind in (QUOTE, CODEBOX):
            self._end_container()
            self._block(2 if kind == QUOTE else 1)

    def line_break(self) -> None:
        if self.header is not None:
            self.header.parts.append(" ")
        else:
            self.breaks = min(self.breaks + 1, _MAX_BREAKS)
            self.gap = ""

    def _block(self, breaks: int) -> None:
        if self.breaks < breaks:
            self.breaks = breaks
        if breaks:
            self.gap = ""

    def _item(self) -> None:
        self._block(1)
        marker = "- "
        if self.lists and self.lists[-1] >= 0:
            self.lists[-1] += 1
            marker = f"{self.lists[-1]}. "
        self.write("  " * min(max(0, len(self.lists) - 1), _MAX_INDENT) + marker)

    def _image(self, tag: Tag) -> None:
        text = smiley(tag)
        if text is not None and self.header is None:
            self.write(text)

    # -- quotes

    def _begin_quote(self, tag: Tag) -> None:
        author, post_id = cited(tag)
        quote = Quote(author, post_id)
        self._block(2)
        heading, self.heading = self.heading, None
        if heading is not None:
            self._name(quote, heading)
        self.containers.append(quote)
        if len(self.containers) <= MAX_QUOTE_DEPTH:
            self.pending.append(quote)

    def _end_container(self) -> None:
        quote = self.containers.pop()
        if quote is None:
            return
        if quote.start >= 0:
            quote.end = self.length
            self.quotes.append(quote)
        elif self.pending and self.pending[-1] is quote:
            self.pending.pop()

    def _in_header(self, tag: Tag, kind: int) -> None:
        header = self.header
        if header is None:
            return
        if kind == LINK:
            header.post_id = header.post_id or source_post(tag.attributes.get("href", ""))

    def _end_header(self, header: _Header) -> None:
        self.header = None
        if header.before:
            self.heading = header
            return
        quote = self.containers[-1] if self.containers else None
        if quote is not None:
            self._name(quote, header)

    def _name(self, quote: Quote, header: _Header) -> None:
        """Give a quote what its header says."""
        text = header.text
        if quote.author is None:
            whole = [name for name in header.names if name != text and any(char.isalnum() for char in name)]
            quote.author = whole[0].strip(" @:") if whole else self.names.find(text)
            if whole and quote.author:
                self.names.learn(text, quote.author)
        quote.post_id = quote.post_id or header.post_id
        quote.header = text or quote.header

    # -- text

    def text(self, piece: str) -> None:
        """What stands between two tags, with its line breaks."""
        first, *lines = piece.split(_BREAK)
        if first:
            self._line(first)
        for line in lines:
            self.line_break()
            if line:
                self._line(line)

    def _line(self, piece: str) -> None:
        if "&" in piece:
            piece = _unescape(piece)
        if self.header is not None:
            self.header.parts.append(piece)
            if self.open[-1][0] in ("a", "strong", "b", "em") and (name := piece.strip()):
                self.header.names.append(name)
            return
        if self.pre:
            self._text_as_is(piece)
            return
        bare = piece.strip(_BLANK)
        if not bare or (bare[0] == "\xa0" and (self.breaks or not self.out) and not bare.strip(" \xa0")):
            self.gap = self.gap or " "  # `<p>&nbsp;</p>` is how editors write an empty line
            return
        if piece[0] in _BLANK and not self.gap:
            self.gap = " "
        bare = _one_line(bare)
        if self.links and len(bare) < _LONGEST_ADDRESS and ("..." in bare or "…" in bare):
            bare = _full_address(bare, self.links[-1])
        self.write(bare)
        if piece[-1] in _BLANK:
            self.gap = " "

    def _text_as_is(self, piece: str) -> None:
        piece = piece.replace("\r\n", "\n").replace("\r", "\n")
        bare = piece.lstrip("\n")
        self.breaks += len(piece) - len(bare)
        piece = bare.rstrip("\n")
        if piece:
            self.write(piece)
        self.breaks += len(bare) - len(piece)

    def write(self, text: str) -> None:
        """Text on the present line, after what is due before it."""
        if self.heading is not None:
            self.heading = None  # what it was the label of was no quote
        if self.pending:
            for quote in self.pending:
                author = quote.author
                if author or quote.header:
                    self._due()
                    self._put(f"{author}:" if author else quote.header)
                    self.breaks = 1
                self._due()
                quote.start = self.length
            self.pending.clear()
        if self.breaks or self.gap:
            self._due()
        self.out.append(text)
        self.length += len(text)

    def _due(self) -> None:
        if self.breaks:
            if self.out:
                self._put("\n" * self.breaks)
            self.breaks = 0
            self.gap = ""
        elif self.gap:
            if self.out and not self.out[-1].endswith((" ", "\n", "\t")):
                self._put(self.gap)
            self.gap = ""

    def _put(self, text: str) -> None:
        self.out.append(text)
        self.length += len(text)


def _unescape(text: str) -> str:
    """A text as it was before a parser serialised it: it escapes these, and no others."""
    text = text.replace("&nbsp;", "\xa0").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&quot;", '"').replace("&amp;", "&")


def _one_line(text: str) -> str:
    """A text with one blank for each run of them. Plain searches: an expression looks at every character."""
    for blank in "\n\t\r\f":
        if blank in text:
            text = text.replace(blank, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _full_address(text: str, href: str) -> str:
    """The address a link's text was cut short from."""
    if _SHORTENED.match(text) and len(href) > len(text) and href.startswith(("http://", "https://")):
        return unwrap(href)
    return text
