"""The HTML of posts' bodies → their raw texts, and what the markup says is a quote.

Paragraphs are parted by a blank line; list items, table rows and line breaks begin a line; code keeps its
white space; a smiley is its `alt`; a link is its text, and its address where the text is the address cut
short. Buttons, labels and scripts are no text of the post. The line above a quote becomes the name of who
is quoted and a colon, in any language, where the page tells the name; else it stays as it is.

    HTML → tokens: where tags stand → writer: text and notes → here: names and addresses
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dedup.arrays import Bytes, Int64s
from dedup.readers.pages import writer
from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.tags import Tag, cited, source_post
from dedup.readers.pages.tokens import CODE, TagTable, may_hold_raw
from dedup.readers.pages.urls import unwrap
from dedup.text import eights
from dedup.text.tokens import utf8_buffers

_LONGEST_ADDRESS = 400
# No text, and nothing to look for tags in: what is in these is not escaped in a serialised tree.
_RAW = re.compile(r"<!--|<(script|style|iframe|noembed|noframes|xmp|plaintext)\b")
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_SHORTENED = re.compile(r"(?:https?://|www\.)\S*\s?(?:\.\.\.|…)\s?\S*\Z")
_TAGS = TagTable()
"""Of all pages that this process reads."""


class Body(NamedTuple):
    """One element of a page."""

    html: str
    """As a parser serialised it."""
    names: HeaderNames
    """Knows the authors of the page."""
    plain_blockquotes: bool = True
    """Whether a `<blockquote>` without a class is a quote on this engine, or only indented."""


class Rendered(NamedTuple):
    """Raw texts, and the quotes their markup tells."""

    texts: list[str]
    marks: dict[int, list[dict[str, Any]]]
    """By row, where there are some: fields of MARK, outer ones first."""


def render(bodies: Sequence[Body]) -> Rendered:
    """The texts of elements, in order: what the label of one says may tell names in those of its page."""
    htmls = [body.html for body in bodies]
    data, begins = _buffers(htmls)
    raw = np.flatnonzero(may_hold_raw(data, begins)).tolist()
    if raw:
        for row in raw:
            htmls[row] = without_raw(htmls[row])
        data, begins = _buffers(htmls)
    places, firsts = _TAGS.find_tags(data, begins)
    rows, size = len(bodies), int(begins[-1])
    plain = np.array([body.plain_blockquotes for body in bodies], np.bool_)
    deepest = int(np.diff(firsts).max(initial=0)) + 1
    # sized for the worst case: what is not written to costs no memory
    out = np.empty((writer.MOST_GROWTH + 1) * size + 2 * eights.SIZE, np.uint8)
    notes = np.empty((writer.MOST_NOTES * len(places) + size // len("<br>") + rows, 4), np.int64)
    ends = np.zeros((rows + 1, 2), np.int64)
    words = len(out) - size - eights.SIZE
    said = writer.write_texts(
        data, begins, places, firsts, *_TAGS.meanings, plain, deepest, out, words, notes, ends
    )
    made = _Made(data, places, out[: ends[-1, 0]].tobytes(), out[words:said].tobytes())
    texts, marks = [], {}
    noted = notes[: ends[-1, 1]].tolist()
    for row, ((start, first), (end, last)) in enumerate(pairwise(ends.tolist())):
        if first == last:
            texts.append(made.text[start:end].decode())
        else:
            text = _Text(made, start, end, bodies[row].names)
            texts.append(text.read(noted[first:last]))
            if text.ended:
                marks[row] = text.marks()
    return Rendered(texts, marks)


def _buffers(htmls: list[str]) -> tuple[Bytes, Int64s]:
    """Texts as bytes, with a word more, and where each begins."""
    data, begins = utf8_buffers(pa.array([*htmls, " " * eights.SIZE], pa.string()))
    return data, begins[:-1]


class _Made(NamedTuple):
    """What the kernels made of all rows."""

    data: Bytes
    places: Int64s
    text: bytes
    said: bytes
    """The words of labels."""

    def href(self, place: int) -> str:
        """The address of a link."""
        _, _, start, end, code = self.places[place].tolist()
        tag: Tag | None = _TAGS.tags[code]
        if tag is not None and start == end:
            return tag.attributes.get("href", "")
        address: bytes = self.data[start:end].tobytes()
        return unescape(address.decode())


class _Quote:
    """A quote, as far as it was read."""

    __slots__ = ("author", "end", "header", "post_id", "start")

    def __init__(self, author: str | None, post_id: str | None) -> None:
        self.author, self.post_id = author, post_id
        self.header = ""
        self.start = self.end = -1


class _Label:
    """The line above a quote."""

    __slots__ = ("names", "post_id", "text")

    def __init__(self) -> None:
        self.text = ""
        self.names: list[str] = []  # what stands in links and in bold
        self.post_id: str | None = None


class _Text:
    """One text, of what a kernel made and noted."""

    def __init__(self, made: _Made, start: int, end: int, names: HeaderNames) -> None:
        self._made, self._names = made, names
        self._at, self._end = start, end
        self._parts: list[str] = []
        self._length = 0
        self._quotes: dict[int, _Quote] = {}
        self._labels: dict[int, _Label] = {}
        self.ended: list[_Quote] = []

    def read(self, notes: list[list[int]]) -> str:
        """The whole text, after what is noted was done (see `writer`)."""
        made = self._made
        for kind, of, start, end in notes:
            if kind == writer.SPAN:
                if name := made.said[start:end].decode().strip():
                    self._label(of).names.append(name)
            elif kind == writer.SOURCE:
                label = self._label(of)
                label.post_id = label.post_id or source_post(made.href(start))
            elif kind == writer.LABEL_END:
                text = made.said[start:end].decode()
                self._label(of).text = _BLANKS.sub(" ", text).strip(" \xa0")
            elif kind == writer.OPENED:
                tag = _TAGS.tags[made.places[start, CODE]]
                self._quotes[of] = _Quote(*cited(tag)) if tag and tag.attributes else _Quote(None, None)
            elif kind == writer.NAMED:
                self._name(self._quotes[of], self._label(start))
            elif kind == writer.LABELLED:
                self._move_to(start)
                quote = self._quotes[of]
                self._put(f"{quote.author}:" if quote.author else quote.header)
            elif kind == writer.BEGUN:
                self._move_to(start)
                self._quotes[of].start = self._length
            elif kind == writer.ENDED:
                self._move_to(start)
                self._quotes[of].end = self._length
                self.ended.append(self._quotes[of])
            else:
                self._lengthen(of, start, end)
        self._move_to(self._end)
        return "".join(self._parts)

    def marks(self) -> list[dict[str, Any]]:
        """The quotes that have ended."""
        marks: dict[tuple[int, int], dict[str, Any]] = {}
        for quote in self.ended:
            # elements around one another with the same text are one quote
            known = marks.get((quote.start, quote.end))
            if known is None or known["author"] is None:
                marks[quote.start, quote.end] = {
                    "start": quote.start,
                    "end": quote.end,
                    "author": quote.author or (known and known["author"]),
                    "post_id": quote.post_id or (known and known["post_id"]),
                }
        return sorted(marks.values(), key=lambda mark: (mark["start"], -mark["end"]))

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _move_to(self, at: int) -> None:
        if at > self._at:
            self._put(self._made.text[self._at : at].decode())
            self._at = at

    def _label(self, number: int) -> _Label:
        label = self._labels.get(number)
        if label is None:
            label = self._labels[number] = _Label()
        return label

    def _name(self, quote: _Quote, label: _Label) -> None:
        """Give a quote what its label says."""
        text = label.text
        if quote.author is None:
            whole = [name for name in label.names if name != text and any(char.isalnum() for char in name)]
            quote.author = whole[0].strip(" @:") if whole else self._names.find(text)
            if whole and quote.author:
                self._names.learn(text, quote.author)
        quote.post_id = quote.post_id or label.post_id
        quote.header = text or quote.header

    def _lengthen(self, place: int, start: int, end: int) -> None:
        """Write the address that a link's text was cut short from."""
        self._move_to(start)
        text = self._made.text[start:end].decode()
        if len(text) >= _LONGEST_ADDRESS or not _SHORTENED.match(text):
            return
        href = self._made.href(place)
        if len(href) > len(text) and href.startswith(("http://", "https://")):
            self._put(unwrap(href))
            self._at = end
            if end < self._end and href[-1] in " \t\n" and self._made.text[end] in b" \t":
                self._at += 1  # one blank is enough


def without_raw(html: str) -> str:
    """What is left without comments and elements of raw text; those that do not end stay.

    What one kind ends with is not looked for again once it was not found: time is linear.
    """
    kept: list[str] = []
    done = at = 0
    endless: set[str] = set()
    while opener := _RAW.search(html, at):
        at = opener.end()
        closer = f"</{opener[1]}>" if opener[1] else "-->"
        if closer in endless:
            continue
        inside = html.find(">", at) if opener[1] else at
        end = html.find(closer, inside) if inside >= 0 else -1
        if end < 0:
            endless.add(closer)
            continue
        kept.append(html[done : opener.start()])
        done = at = end + len(closer)
    kept.append(html[done:])
    return "".join(kept)
