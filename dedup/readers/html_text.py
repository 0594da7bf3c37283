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
from typing import NamedTuple

MAX_QUOTE_DEPTH = 100
"""Quotes nested deeper are marked as part of those around them."""


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_TAG = re.compile(r"<([^<>]*)>")
_NAME = re.compile(r"(/?)([A-Za-z][A-Za-z0-9]*)(?=[\s/:]|\Z)")
_ATTRIBUTE = re.compile(r"""([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_UNPLAIN = re.compile(r"[\t\n\r\f]|  ")
_POST = re.compile(r"(?:[?&;](?:p|pid)=|#(?:p|post-?|findComment-|comment-|msg|pid)|^post: ?)(\d+)")
_SHORT = re.compile(r"(?:https?://|www\.)\S*(?:\.\.\.|…)\S*")
_SMILEY = re.compile(r"[:;=8xX][^\s<>]{1,30}|[^\w\s]{1,8}")

_SKIPPED = _names("script style head noscript template svg button select iframe object")
_PARAGRAPHS = _names("p ul ol dl pre h1 h2 h3 h4 h5 h6 blockquote table aside")
_BLOCKS = _names(
    "div section article li tr dt dd tbody thead figure figcaption center form fieldset legend header footer"
    " details summary address main nav td th"
)
_CONTAINERS = _PARAGRAPHS | _BLOCKS | {"cite"}
_WITH_ATTRIBUTES = _names("blockquote div aside table td fieldset cite header span a img")

# Class names, in lower case.
_QUOTE_CLASSES = _names(
    "quote bbcode_quote bbcodequote bbcodeblock--quote bbc_standard_quote bbc_alternate_quote quotecontent"
    " quotemessage quotebody ipsquote ipsblockquote"
)
_HEADER_CLASSES = _names(
    "quoteheader quotetitle title bbcodeblock-title ipsquote_citation bbcode_postedby attribution"
    " quote-author topslice_quote"
)
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
    """An element that is open."""

    __slots__ = ("author", "header", "kind", "name", "number", "post_id", "role", "start")

    def __init__(self, name: str, role: str) -> None:
        self.name, self.role = name, role  # quote, header, skip, list or nothing
        self.kind: tuple[str, frozenset[str]] = ("", frozenset())  # of a quote
        self.start = -1  # where the quote's own text begins; -1 until there is some
        self.author: str | None = None
        self.post_id: str | None = None
        self.number: str | None = None
        self.header = 0  # list: how many items; header: where its text begins


class _Writer:
    def __init__(self, html: str) -> None:
        self.html = html
        self.out: list[str] = []
        self.length = 0
        self.breaks = 0  # line feeds due before the next text
        self.lead = ""  # what the next text begins with: the mark of a list item
        self.open: list[_Open] = []
        self.counts: dict[str, int] = {}
        self.quotes: list[_Open] = []
        self.found: list[Quote] = []
        self.skipping = 0
        self.pre = 0
        self.headers: list[_Open] = []
        self.link: tuple[int, str] | None = None

    def run(self) -> Fragment:
        html = self.html
        if "<!--" in html:
            html = _without_comments(html)
        pieces = _TAG.split(html)
        text = True
        number, last = 0, len(pieces)
        while number < last:
            piece = pieces[number]
            if text:
                if piece and not self.skipping:
                    self._text(piece)
            else:
                if piece.count('"') % 2:  # a > in an attribute
                    number, piece = _join_attribute(pieces, number, piece)
                self._tag(piece)
            text = not text
            number += 1
        while self.open:
            self._pop()
        self._rstrip()
        self.found.sort(key=lambda quote: (quote.start, -quote.end))
        return Fragment("".join(self.out), self.found)

    def _text(self, piece: str) -> None:
        if not self.pre:
            if _UNPLAIN.search(piece):
                piece = _BLANKS.sub(" ", piece)
            if piece[0] == " " and (self.breaks or not self.out or self.out[-1][-1:] in (" ", "\n", "\t")):
                piece = piece[1:]
                if not piece:
                    return
        if "&" in piece:
            piece = unescape(piece)
        self._write(piece)

    def _write(self, piece: str) -> None:
        if self.breaks:
            if self.out:
                self._rstrip()
                self.out.append("\n" * self.breaks)
                self.length += self.breaks
            self.breaks = 0
        if self.lead:
            piece, self.lead = self.lead + piece, ""
        if self.quotes and not self.headers:
            for quote in reversed(self.quotes):
                if quote.start >= 0:
                    break
                quote.start = self.length
        self.out.append(piece)
        self.length += len(piece)

    def _rstrip(self) -> None:
        """Take blanks off the end of what is written."""
        while self.out:
            bare = self.out[-1].rstrip(" \t")
            self.length -= len(self.out[-1]) - len(bare)
            if bare:
                self.out[-1] = bare
                return
            self.out.pop()

    def _break(self, lines: int) -> None:
        if self.breaks < lines:
            self.breaks = lines

    def _tag(self, tag: str) -> None:
        closing, name = _name_of(tag)
        if not name:
            if tag[:1] not in ("!", "?", "/") and not self.skipping:
                self._text(f"<{tag}>")  # no tag at all
            return
        if self.skipping:
            self._tag_in_skipped(name, closing, tag)
        elif name == "br":
            if self.breaks < 2:
                self.breaks += 1
        elif closing:
            self._close(name)
        else:
            self._begin(name, tag)

    def _tag_in_skipped(self, name: str, closing: str, tag: str) -> None:
        skipped = self.open[-1]
        if name == skipped.name and not tag.endswith("/"):
            self.skipping += -1 if closing else 1
            if not self.skipping:
                self._pop()

    def _begin(self, name: str, tag: str) -> None:
        attributes: dict[str, str] = {}
        classes: frozenset[str] = frozenset()
        if name in _WITH_ATTRIBUTES and "=" in tag:
            attributes = _attributes(tag)
            if "class" in attributes:
                classes = _classes(attributes["class"])
        if name in _SKIPPED or not classes.isdisjoint(_CHROME_CLASSES):
            if not tag.endswith("/"):
                self._push(name, "skip")
                self.skipping = 1
            return
        if name == "img":
            self._image(attributes, classes)
        elif name == "a":
            self.link = (len(self.out), unescape(attributes.get("href", "")))
            self._note_source(attributes)
        elif name == "hr":
            self._break(2)
        elif name in _CONTAINERS:
            self._begin_block(name, tag, attributes, classes)
        elif name in ("strong", "b") and self.headers and self.headers[-1].header < 0:
            self.headers[-1].header = self.length

    def _begin_block(self, name: str, tag: str, attributes: dict[str, str], classes: frozenset[str]) -> None:
        if name in ("td", "th"):
            if self.breaks == 0 and self.out and not self.out[-1].endswith(("\n", "\t")):
                self._write("\t")
        elif name != "cite":
            self._break(2 if name in _PARAGRAPHS and not (name == "p" and self.lead) else 1)
        if tag.endswith("/") and name not in ("p", "li"):
            return
        if name == "pre":
            self.pre += 1
        if name == "li":
            self._item()
        role = ""
        if name in ("ul", "ol"):
            role = "list"
        elif _is_quote(name, attributes, classes) and len(self.quotes) < MAX_QUOTE_DEPTH:
            role = "quote"
        in_quote = bool(self.quotes) and self.quotes[-1].start < 0
        if in_quote and (
            name in ("cite", "header")
            or not classes.isdisjoint(_HEADER_CLASSES)
            or (name == "td" and "quote" in classes)
        ):
            role = "header"
        kind = (name, classes & _QUOTE_CLASSES)
        if role == "quote" and in_quote and self.quotes[-1].kind != kind:
            role = ""  # one quote in two elements
            _fill(self.quotes[-1], attributes)
        entry = self._push(name, role)
        if role == "quote":
            _fill(entry, attributes)
            entry.kind = kind
            self.quotes.append(entry)
        elif role == "header":
            entry.header = -1
            self.headers.append(entry)

    def _item(self) -> None:
        depth = sum(entry.role == "list" for entry in self.open[-40:])
        listed = next((entry for entry in reversed(self.open[-40:]) if entry.role == "list"), None)
        mark = "- "
        if listed is not None and listed.name == "ol":
            listed.header += 1
            mark = f"{listed.header}. "
        self.lead = "  " * max(0, depth - 1) + mark

    def _image(self, attributes: dict[str, str], classes: frozenset[str]) -> None:
        alt = unescape(attributes.get("alt", ""))
        named = any("smil" in each or "emoji" in each for each in classes)
        if alt and len(alt) <= 32 and (named or _SMILEY.fullmatch(alt)):
            self._write(alt)

    def _note_source(self, attributes: dict[str, str]) -> None:
        """A link in the head of a quote leads to the post it quotes."""
        if self.headers and self.quotes:
            quote = self.quotes[-1]
            found = attributes.get("data-post-id") or _post_of(unescape(attributes.get("href", "")))
            if found and quote.post_id is None:
                quote.post_id = found
            if self.headers[-1].name == "cite" and self.headers[-1].header < 0:
                self.headers[-1].header = self.length

    def _close(self, name: str) -> None:
        if name == "a" and self.link is not None:
            self._close_link(*self.link)
            self.link = None
        if name in ("a", "strong", "b") and self.headers and self.headers[-1].header >= 0:
            self._name_author(self.headers[-1])
        if name not in _CONTAINERS:
            return
        if name == "p" and not self.counts.get("p"):
            self._break(2)
        if not self.counts.get(name):
            return
        while self._pop() != name:
            pass

    def _close_link(self, first: int, address: str) -> None:
        written = "".join(self.out[first:]).strip()
        if _SHORT.fullmatch(written) and address.startswith(("http://", "https://")):
            cut = re.split(r"\.\.\.|…", written, maxsplit=1)[0]
            if address.startswith((cut, f"http://{cut}", f"https://{cut}")):
                self.length -= sum(map(len, self.out[first:]))
                del self.out[first:]
                self._write(address)

    def _name_author(self, header: _Open) -> None:
        quote = self.quotes[-1] if self.quotes else None
        if quote is not None and quote.author is None:
            text = "".join(self.out)[header.header :].strip(" \t\n")
            if text and len(text) <= 80 and text[-1] != ":":
                quote.author = text
        header.header = -2  # the first name only

    def _push(self, name: str, role: str) -> _Open:
        entry = _Open(name, role)
        self.open.append(entry)
        self.counts[name] = self.counts.get(name, 0) + 1
        return entry

    def _pop(self) -> str:
        entry = self.open.pop()
        name = entry.name
        self.counts[name] -= 1
        if entry.role == "skip":
            self.skipping = 0
            return name
        if name == "pre":
            self.pre -= 1
        if name not in ("td", "th", "cite"):
            self._break(2 if name in _PARAGRAPHS else 1)
        if name == "li":
            self.lead = ""
        if entry.role == "header":
            self.headers.remove(entry)
            self._break(1)
        elif entry.role == "quote":
            self.quotes.remove(entry)
            if entry.start >= 0:
                end = self.length - _blanks_at_end(self.out)
                if end > entry.start:
                    self.found.append(Quote(entry.start, end, entry.author, entry.post_id, entry.number))
        return name


@lru_cache(4096)
def _name_of(tag: str) -> tuple[str, str]:
    match = _NAME.match(tag)
    return (match[1], match[2].lower()) if match else ("", "")


def _attributes(tag: str) -> dict[str, str]:
    return {name.lower(): double or single or bare for name, double, single, bare in _ATTRIBUTE.findall(tag)}


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


def _blanks_at_end(out: list[str]) -> int:
    return len(out[-1]) - len(out[-1].rstrip(" \t\n")) if out else 0


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


def _join_attribute(pieces: list[str], number: int, tag: str) -> tuple[int, str]:
    """A tag that was cut at a `>` inside quotation marks, put together again; where it ends in `pieces`."""
    text = pieces[number + 1]
    mark = text.find('"')
    end = text.find(">", mark) if mark >= 0 else -1
    if end < 0 or len(text) > 4096:
        return number, tag
    pieces[number + 1] = text[end + 1 :]
    return number, f"{tag}>{text[:end]}"
