"""The text of a mail that is nothing but HTML, as a mail reader shows it; quotes get their `>`."""

from __future__ import annotations

import re

_BLOCKS = frozenset(
    (
        "address", "article", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset", "figure",
        "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main", "nav",
        "ol", "p", "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    )
)  # fmt: skip
_PARAGRAPHS = frozenset(
    ("blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul")
)
_SKIPPED = frozenset(("head", "script", "style", "template", "title"))
_MOST_QUOTES = 20
_BLANKS = re.compile(r"[ \t\r\n\f]+")


def html_text(html: str) -> str:
    """The visible text, a line for each block."""
    from selectolax.lexbor import LexborHTMLParser

    root = LexborHTMLParser(html).root
    lines: list[str] = []
    line: list[str] = []
    depth, kept = 0, 0  # of quotes, and of <pre>
    gap = -1  # of how many quotes a blank line is due, if one is

    def end_line(blank: bool) -> None:
        nonlocal gap
        text = "".join(line).strip(" \n")
        line.clear()
        level = min(depth, _MOST_QUOTES)
        if text:
            if gap >= 0:
                lines.append("> " * min(gap, level))
            lines.extend("> " * level + part for part in text.split("\n"))
            gap = -1
        if blank and lines:
            gap = level if gap < 0 else min(gap, level)

    def step(tag: str, by: int) -> None:
        nonlocal depth, kept
        if tag in _BLOCKS:
            end_line(tag in _PARAGRAPHS)
            depth += by * (tag == "blockquote")
            kept += by * (tag == "pre")

    node = root
    while node is not None:  # no recursion: pages may be nested as deep as they like
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            line.append(text if kept else _BLANKS.sub(" ", text))
        elif tag == "br":
            line.append("\n")
        step(tag, 1)
        child = None if tag in _SKIPPED else node.child
        while child is None and node is not None:
            step(node.tag or "", -1)
            child, node = node.next, node.parent
        node = child
    end_line(False)
    return "\n".join(line.rstrip() for line in lines)
