"""The body of a post that is HTML → its text, and what its markup says is a quote.

Bodies in dumps are short, and there are millions of them: a tree for each would cost ten times what this
takes, so tags are met one after the other, with a stack of those that are open. Whatever the markup is
like, the time is linear in its length.

Paragraphs are parted by a blank line; list items, table rows and `<br>` begin a line; `<pre>` keeps its
white space; scripts, styles and "Click to expand" go; a smiley is its `alt`; a link is its text, and its
address where the text is an address cut short.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from itertools import accumulate
from typing import NamedTuple

from dedup.readers.pages.names import HeaderNames

MAX_QUOTE_DEPTH = 100
"""Quotes nested deeper are marked as part of those around them."""


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_TAG = re.compile(r"<([^<>]*)>")
_NAME = re.compile(r"(/?)([A-Za-z][A-Za-z0-9]*)(?=[\s/:]|\Z)")
# A name without a value is matched too, so that it is looked at once.
_ATTRIBUTE = re.compile(r"""([A-Za-z_:][\w:.-]*+)(?:\s*+(=)\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?+""")
_BLANKS = re.compile(r"  +")
_BLANK_OF = str.maketrans("\t\n\r\f", "    ")
_POST = re.compile(r"(?:[?&;](?:p|pid)=|#(?:p|post-?|findComment-|comment-|msg|pid)|^post: ?)(\d+)")
_MAX_ATTRIBUTE = 4096
_SPACES = (" ", "\n", "\t")
_SHORT = re.compile(r"(?:https?://|www\.)(?>\S*(?:\.\.\.|…))\S*+")
_SMILEY = re.compile(r"[:;=8xX][^\s<>]{1,30}|[^\w\s]{1,8}")

_FOREIGN_NAMES = HeaderNames(())
"""Reads "Ann wrote:" without knowing who writes in the dump."""

SKIPPED = _names("script style head noscript template svg button select iframe object")
PARAGRAPHS = _names("p ul ol dl pre h1 h2 h3 h4 h5 h6 blockquote table aside")
BLOCKS = _names(
    "div section article li tr dt dd tbody thead figure figcaption center form fieldset legend header footer"
    " details summary address main nav td th"
)
TRACKED = _names("blockquote div aside table td fieldset cite header pre ul ol") | SKIPPED
"""Elements of which it must be known where they end."""
LOOKED_INTO = _names("blockquote div aside table td fieldset cite header span img")
"""Elements whose attributes say something."""
_INLINE = _names(
    "b i em strong u s span sup sub font small code tt var abbr big strike del ins kbd wbr label q samp mark"
)

# What the commonest tags do, as they are written: so many line feeds are due, 0 for none.
_BREAK, _END_OF_LINK = 9, 8
_PLAIN: dict[str, int] = {"br": _BREAK, "br/": _BREAK, "br /": _BREAK, "/a": _END_OF_LINK}
_PLAIN |= {slash + name: 0 for name in _INLINE for slash in ("", "/")}
_PLAIN |= {slash + name: 2 for name in PARAGRAPHS - TRACKED for slash in ("", "/")}
_PLAIN |= {slash + name: 1 for name in BLOCKS - TRACKED - {"li", "th"} for slash in ("", "/")}

# Class names, in lower case.
_QUOTE_CLASSES = _names(
    "quote bbcode_quote bbcodequote bbcodeblock--quote bbc_standard_quote bbc_alternate_quote quotecontent"
    " quotemessage quotebody ipsquote ipsblockquote"
)
_HEADER_CLASSES = _names(
    "quoteheader quotetitle title bbcodeblock-title ipsquote_citation bbcode_postedby attribution"
    " quote-author topslice_quote"
)
_HEADING_CLASSES = _names("quoteheader quotetitle")
"""Of what stands in front of a quote and says whose it is (SMF)."""
_BODY_CLASSES = _names("messagetext postcontent post_body post-body entry-content postbody")
_CHROME_CLASSES = _names(
    "quoteexpand bbcodeblock-expandlink bbcodeblock-shrinklink messagetextendmarker quote-controls"
    " bbcode_quote_container responsive-hide sr-only"
)
_AUTHOR_KEYS = ("data-quote", "data-username", "data-ipsquote-username", "data-cite", "data-author")
_POST_KEYS = ("data-ipsquote-contentcommentid", "data-post-id")


class Quote(NamedTuple):
    """A stretch of the text that the markup calls a quote."""

    start: int
    end: int
    author: str | None
    post_id: str | None
    number: str | None
    """The post's number in its topic, where the markup gives that and no id (Discourse)."""


class Fragment(NamedTuple):
    """What a piece of HTML says."""

    text: str
    quotes: list[Quote]
    """By where they begin, outer ones first."""


def fragment_text(html: str) -> Fragment:
    """The text of a piece of HTML, and its quotes; offsets count code points of the text.

    >>> fragment_text("<blockquote><p>One &amp; two</p></blockquote><p>Three</p>").text
    'One & two\\n\\nThree'
    """
    return _Writer(html).run()


class _Open:
    """A tracked element that is open."""

    __slots__ = (
        "author",
        "depth",
        "end",
        "first",
        "items",
        "kind",
        "mark",
        "name",
        "number",
        "post_id",
        "role",
        "start",
    )

    def __init__(self, name: str, role: str) -> None:
        self.name, self.role = name, role  # quote, header, skip, list, pre or nothing
        self.depth = 0  # open elements of its name in it that are of no interest
        self.kind: tuple[str, frozenset[str]] = ("", frozenset())  # of a quote
        self.start = -1  # of a quote: number of the piece its own text begins with; -1: none yet
        self.end = -1
        self.items = 0  # of a list
        # of a header: number of the piece it begins with, and a name may begin with; -2: it had its name
        self.first = self.mark = -1
        self.author: str | None = None
        self.post_id: str | None = None
        self.number: str | None = None


class _Writer:
    """Goes from tag to tag. Places are counted in pieces of `out` until the end."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.out: list[str] = []
        self.breaks = 0  # line feeds due before the next text
        self.lead = ""  # what the next text begins with: the mark of a list item
        self.open: list[_Open] = []
        self.tracked: dict[str, list[_Open]] = {}  # the same by name
        self.quotes: list[_Open] = []
        self.headers: list[_Open] = []
        self.lists: list[_Open] = []
        self.found: list[_Open] = []
        self.heading: _Open | None = None  # in front of the quote that may follow
        self.after_header = False
        self.skipping = False
        self.pre = 0
        self.link: tuple[int, str] | None = None

    def run(self) -> Fragment:
        html = self.html
        if "<!--" in html:
            html = _without_comments(html)
        pieces = _TAG.split(html)
        if pieces[0]:
            self._text(pieces[0])
        find = _PLAIN.get
        for number in range(1, len(pieces), 2):
            tag = pieces[number]
            action = find(tag)
            if action is None or self.headers or self.skipping:
                if tag.count('"') % 2:  # a > in an attribute
                    tag = _join_attribute(pieces, number, tag)
                self._tag(tag)
            elif action:
                if action == _BREAK:
                    if self.breaks < 2:
                        self.breaks += 1
                elif action == _END_OF_LINK:
                    self._end_link()
                elif self.breaks < action and not self.lead:
                    self.breaks = action
            text = pieces[number + 1]
            if text and not self.skipping and (text != "\n" or self.pre or not self.breaks):
                self._text(text)
        while self.open:
            self._pop()
        return self._fragment()

    def _fragment(self) -> Fragment:
        if not self.found:
            return Fragment("".join(self.out).rstrip(" \t\n"), [])
        ends = list(accumulate(map(len, self.out), initial=0))
        text = "".join(self.out)
        quotes = []
        for quote in self.found:
            start, end = ends[quote.start], ends[quote.end]
            end = start + len(text[start:end].rstrip(" \t\n"))
            if start < end:
                quotes.append(Quote(start, end, quote.author, quote.post_id, quote.number))
        quotes.sort(key=lambda quote: (quote.start, -quote.end))
        return Fragment(text.rstrip(" \t\n"), quotes)

    def _text(self, piece: str) -> None:
        if not self.pre:
            # plain searches first: an expression looks at every character
            if "\n" in piece and not piece.strip("\n "):
                piece = " "
            elif "\n" in piece or "\t" in piece or "\r" in piece or "\f" in piece:
                piece = piece.translate(_BLANK_OF)
            if "  " in piece:
                piece = _BLANKS.sub(" ", piece)
            if piece[0] == " " and (self.breaks or not self.out or self.out[-1][-1:] in _SPACES):
                piece = piece[1:]
                if not piece:
                    return
        if "&" in piece:
            piece = unescape(piece)
        self._write(piece)

    def _write(self, piece: str) -> None:
        out = self.out
        if self.breaks:
            if out:
                out[-1] = out[-1].rstrip(" \t")
                out.append("\n" if self.after_header else "\n" * self.breaks)
            self.breaks = 0
        if self.quotes and not self.headers:
            for quote in reversed(self.quotes):
                if quote.start >= 0:
                    break
                quote.start = len(out)
            self.after_header = False
        if self.lead:
            piece, self.lead = self.lead + piece, ""
        out.append(piece)

    def _break(self, lines: int) -> None:
        if self.breaks < lines:
            self.breaks = lines

    def _tag(self, tag: str) -> None:
        closing, name = _name_of(tag)
        if not name:
            if tag[:1] not in ("!", "?", "/") and not self.skipping:
                self._text(f"<{tag}>")  # no tag at all
        elif self.skipping:
            self._tag_in_skipped(name, closing, tag)
        elif name == "br":
            self.breaks = min(self.breaks + 1, 2)
        elif closing:
            self._close(name)
        else:
            self._begin(name, tag)

    def _tag_in_skipped(self, name: str, closing: str, tag: str) -> None:
        skipped = self.open[-1]
        if name == skipped.name and not tag.endswith("/"):
            skipped.depth += -1 if closing else 1
            if skipped.depth < 0:
                self._pop()

    def _begin(self, name: str, tag: str) -> None:
        if name == "a":
            self.link = (len(self.out), tag)
            if self.headers:
                self._note_source(_attributes(tag), self.quotes[-1], self.headers[-1])
            elif self.heading is not None and self.heading.end < 0:
                self._note_source(_attributes(tag), self.heading, self.heading)
            return
        attributes: dict[str, str] = {}
        classes: frozenset[str] = frozenset()
        if name in LOOKED_INTO and "=" in tag:
            attributes = _attributes(tag)
            if "class" in attributes:
                classes = _classes(attributes["class"])
        if name in SKIPPED or not classes.isdisjoint(_CHROME_CLASSES):
            if not tag.endswith("/"):
                self._push(name, "skip")
                self.skipping = True
        elif name == "img":
            self._image(attributes, classes)
        elif name == "hr":
            self._break(2)
        elif name in ("strong", "b"):
            if self.headers and self.headers[-1].mark == -1:
                self.headers[-1].mark = len(self.out)
        elif name in BLOCKS or name in PARAGRAPHS or name == "cite":
            self._begin_block(name, tag, attributes, classes)

    def _begin_block(self, name: str, tag: str, attributes: dict[str, str], classes: frozenset[str]) -> None:
        if name in ("td", "th"):
            if self.breaks == 0 and self.out and self.out[-1][-1:] not in ("\n", "\t"):
                self.out.append("\t")
        elif name != "cite" and not (name == "p" and self.lead):
            self._break(2 if name in PARAGRAPHS else 1)
        if name == "li":
            self._item()
        if name not in TRACKED or tag.endswith("/"):
            return
        if name == "pre":
            self.pre += 1
            self._push(name, "pre")
            return
        if name in ("ul", "ol"):
            self.lists.append(self._push(name, "list"))
            return
        is_quote = _is_quote(name, attributes, classes)
        in_quote = bool(self.quotes) and self.quotes[-1].start < 0
        if in_quote and (
            name in ("cite", "header")
            or not classes.isdisjoint(_HEADER_CLASSES)
            or (name == "td" and "quote" in classes)
            or (
                tag == "div" and self.open[-1].name == "td" and self.open[-1] is self.quotes[-1]
            )  # vBulletin 3
        ):
            self.headers.append(self._push(name, "header"))
            self.headers[-1].first = len(self.out)
            return
        if not in_quote and not classes.isdisjoint(_HEADING_CLASSES):
            self.heading = self._push(name, "heading")
            self.heading.first = len(self.out)
            return
        # SMF colours a quote in a quote otherwise
        kind = (name, (classes & _QUOTE_CLASSES) - {"bbc_standard_quote", "bbc_alternate_quote"})
        if is_quote and in_quote and self.quotes[-1].kind != kind:
            _fill(self.quotes[-1], attributes)  # one quote in two elements
        elif is_quote and len(self.quotes) < MAX_QUOTE_DEPTH:
            quote = self._push(name, "quote")
            quote.kind = kind
            _fill(quote, attributes)
            if self.heading is not None and self.heading.end == len(self.out):
                quote.author = quote.author or self.heading.author
                quote.post_id = quote.post_id or self.heading.post_id
            self.quotes.append(quote)
            return
        if self.tracked.get(name):
            self.tracked[name][-1].depth += 1

    def _item(self) -> None:
        mark = "- "
        if self.lists and self.lists[-1].name == "ol":
            self.lists[-1].items += 1
            mark = f"{self.lists[-1].items}. "
        self.lead = "  " * min(max(len(self.lists) - 1, 0), 8) + mark

    def _image(self, attributes: dict[str, str], classes: frozenset[str]) -> None:
        alt = unescape(attributes.get("alt", ""))
        named = any("smil" in each or "emoji" in each for each in classes)
        if alt and len(alt) <= 32 and (named or _SMILEY.fullmatch(alt)):
            self._write(alt)

    def _note_source(self, attributes: dict[str, str], quote: _Open, header: _Open) -> None:
        """A link in the head of a quote leads to the post it quotes."""
        if quote.post_id is None:
            quote.post_id = attributes.get("data-post-id") or _post_of(unescape(attributes.get("href", "")))
        if header.name == "cite" and header.mark == -1:
            header.mark = len(self.out)

    def _close(self, name: str) -> None:
        if name == "a":
            self._end_link()
        if name in ("a", "strong", "b"):
            if self.headers and self.headers[-1].mark >= 0:
                self._name_author(self.headers[-1])
        elif name in TRACKED:
            entries = self.tracked.get(name)
            if not entries:
                self._break(1 if name in BLOCKS and name != "td" else 0)
            elif entries[-1].depth:
                entries[-1].depth -= 1
                self._break(2 if name in PARAGRAPHS else 1 if name != "td" else 0)
            else:
                entry = entries[-1]
                while self._pop() is not entry:
                    pass
        elif name in PARAGRAPHS:
            self._break(2)
        elif name == "li":
            self._break(1)
            self.lead = ""
        elif name in BLOCKS and name != "th":
            self._break(1)

    def _end_link(self) -> None:
        """Where a link's text is its address cut short, the address stands in its place."""
        if self.link is None:
            return
        first, tag = self.link
        self.link = None
        written = "".join(self.out[first:]).strip()
        if ("..." in written or "…" in written) and _SHORT.fullmatch(written):
            address = unescape(_attributes(tag).get("href", ""))
            cut = re.split(r"\.\.\.|…", written, maxsplit=1)[0]
            if address.startswith((cut, f"http://{cut}", f"https://{cut}")):
                del self.out[first:]
                self.out.append(address)

    def _name_author(self, header: _Open) -> None:
        quote = self.quotes[-1] if self.quotes else None
        if quote is not None and quote.author is None:
            text = "".join(self.out[header.mark :]).strip(" \t\n")
            if text and len(text) <= 80 and text[-1] != ":":
                quote.author = _FOREIGN_NAMES.find(text) or text  # a link may be the whole line
        header.mark = -2

    def _name_from(self, first: int) -> str | None:
        """Whom the line above a quote names; it begins with this piece."""
        return _FOREIGN_NAMES.find("".join(self.out[first:]))

    def _push(self, name: str, role: str) -> _Open:
        entry = _Open(name, role)
        self.open.append(entry)
        self.tracked.setdefault(name, []).append(entry)
        return entry

    def _pop(self) -> _Open:
        entry = self.open.pop()
        self.tracked[entry.name].pop()
        if entry.role == "skip":
            self.skipping = False
            return entry
        if entry.role == "pre":
            self.pre -= 1
            if self.out:
                self.out[-1] = self.out[-1].rstrip("\n")
        elif entry.role == "list":
            self.lists.pop()
        elif entry.role == "header":
            self.headers.pop()
            self.after_header = True
            if self.quotes and self.quotes[-1].author is None:
                self.quotes[-1].author = self._name_from(entry.first)
        elif entry.role == "heading":
            entry.end = len(self.out)
            entry.author = self._name_from(entry.first)
        elif entry.role == "quote":
            self.quotes.pop()
            entry.end = len(self.out)
            if entry.start >= 0:
                self.found.append(entry)
        self._break(2 if entry.name in PARAGRAPHS else 1 if entry.name not in ("td", "cite") else 0)
        if entry.role == "header":
            self._break(1)
        return entry


@lru_cache(4096)
def _name_of(tag: str) -> tuple[str, str]:
    match = _NAME.match(tag)
    return (match[1], match[2].lower()) if match else ("", "")


def _attributes(tag: str) -> dict[str, str]:
    return {
        name.lower(): double or single or bare
        for name, sign, double, single, bare in _ATTRIBUTE.findall(tag)
        if sign
    }


@lru_cache(4096)
def _classes(value: str) -> frozenset[str]:
    return frozenset(value.lower().split())


def _is_quote(name: str, attributes: dict[str, str], classes: frozenset[str]) -> bool:
    if name == "blockquote":
        return classes.isdisjoint(_BODY_CLASSES)
    if not classes.isdisjoint(_QUOTE_CLASSES):
        return True
    # vBulletin 3 frames its quotes so, and nothing else.
    return name == "td" and "alt2" in classes and "inset" in attributes.get("style", "")


def _fill(quote: _Open, attributes: dict[str, str]) -> None:
    """What a quote's attributes say of its source."""
    for key in _AUTHOR_KEYS:
        if quote.author is None and attributes.get(key):
            quote.author = unescape(attributes[key])
    for key in _POST_KEYS:
        if quote.post_id is None and attributes.get(key):
            quote.post_id = attributes[key]
    for key in ("data-source", "cite"):
        if quote.post_id is None and key in attributes:
            quote.post_id = _post_of(unescape(attributes[key]))
    if quote.post_id is None and attributes.get("data-post", "").isdecimal():
        quote.number = attributes["data-post"]


def _post_of(address: str) -> str | None:
    match = _POST.search(address)
    return match[1] if match else None


def _without_comments(html: str) -> str:
    kept = []
    at = 0
    while (start := html.find("<!--", at)) >= 0:
        end = html.find("-->", start + 4)
        kept.append(html[at:start])
        if end < 0:
            return "".join(kept)
        at = end + 3
    kept.append(html[at:])
    return "".join(kept)


def _join_attribute(pieces: list[str], number: int, tag: str) -> str:
    """A tag that was cut at a `>` inside quotation marks, put together again."""
    text = pieces[number + 1]
    mark = text.find('"', 0, _MAX_ATTRIBUTE)
    end = text.find(">", mark, _MAX_ATTRIBUTE) if mark >= 0 else -1
    if end < 0:
        return tag
    pieces[number + 1] = text[end + 1 :]
    return f"{tag}>{text[:end]}"
