"""Ratios, plots and evidence → one HTML file. The only place that loads jinja2.

The page stands alone: style and script are inside it, allowed by their hash and by nothing else
(Content-Security-Policy), and it asks no network for anything. Text of the dump is escaped by jinja2's
autoescape, after control and direction characters were made visible.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedup.errors import ConfigError
from dedup.report.kinds import COPIES
from dedup.report.plots import Plot
from dedup.report.visible import visible_line

if TYPE_CHECKING:
    from dedup.report.evidence import Card

CARD_BYTES = 3_000_000
"""Evidence that a page holds, in bytes of HTML; what is over it is left out and counted."""
MAX_KEY = 80
"""Characters of a name that a table shows."""
NOT_INSTALLED = "HTML pages need jinja2 and vl-convert, which are not installed."
INSTALL = "Install them with: pip install 'dedup[report]'"
_HERE = Path(__file__).parent / "templates"


def render_tuning(
    *, title: str, plots: Sequence[Plot], cards: Sequence[Card], notes: Sequence[str], **values: Any
) -> str:
    """The page that shows what settings would do to a sample."""
    templates = load_templates()
    shown = _rendered(templates, cards)
    return page(
        templates,
        "tuned.html",
        title=title,
        plots=plots,
        cards=shown,
        kinds=list(dict.fromkeys(card.kind for card in cards)),
        left_out=len(cards) - len(shown),
        notes=notes,
        **values,
    )


def render_report(
    *,
    title: str,
    ratios: Mapping[str, Any],
    plots: Sequence[Plot],
    cards: Sequence[Card],
    notes: Sequence[str],
    rejected: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> str:
    """The report page of a run.

    notes: what is sampled, in sentences. rejected: the first records that could not be read.
    """
    templates = load_templates()
    shown = _rendered(templates, cards)
    links: dict[str, str] = {}
    for number, card in enumerate(cards[: len(shown)], 1):
        for post_id in card.ids:
            links.setdefault(post_id, f"e{number}")
    return page(
        templates,
        "report.html",
        title=title,
        ratios={"against": {}, **ratios},
        plots=plots,
        cards=shown,
        kinds=list(dict.fromkeys(card.kind for card in cards[: len(shown)])),
        left_out=len(cards) - len(shown),
        notes=notes,
        rejected=rejected,
        settings=settings,
        links=links,
        bar=list(_bar(ratios)),
        copies=COPIES,
    )


def load_templates() -> Any:
    """The jinja2 environment of the pages. Raises ConfigError when jinja2 is not installed."""
    try:
        import jinja2
    except ImportError:
        raise ConfigError(NOT_INSTALLED, hint=INSTALL) from None
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_HERE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": _count,
        "posts": _posts,
        "percent": _percent,
        "name": _name,
        "key": _key,
        "svg": _markup,
    }
    return environment


def page(templates: Any, name: str, **values: Any) -> str:
    """A template filled in, with style, script and the policy that allows them alone."""
    style, script = (_read(file) for file in ("page.css", "page.js"))
    filled: str = templates.get_template(name).render(
        **values,
        style=_markup(style),
        script=_markup(script),
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)};"
        " base-uri 'none'; form-action 'none'",
    )
    return filled


def _rendered(templates: Any, cards: Iterable[Card]) -> list[Any]:
    """The cards as HTML, as many as a page holds."""
    card_html = templates.get_template("macros.html").module.card
    shown, left = [], CARD_BYTES
    for number, card in enumerate(cards, 1):
        html = card_html(card, number)
        left -= len(html.encode())
        if left < 0:
            break
        shown.append(html)
    return shown


def _bar(ratios: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """What became of the characters, as stretches of a bar 1000 wide, the kept ones first."""
    whole = ratios["in"]["characters"] or 1
    removed = {why: row["characters"] for why, row in ratios["removed"].items() if row["characters"]}
    kept = max(0, whole - sum(removed.values()))
    at = 0.0
    for name, characters in (("in the corpus", kept), *removed.items()):
        width = 1000 * characters / whole
        yield {
            "name": name.replace("_", " "),
            "class": f"k-{name.replace(' ', '-').replace('_', '-')}",
            "characters": characters,
            "share": characters / whole,
            "x": round(at, 2),
            "width": round(width, 2),
        }
        at += width


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _markup(text: str) -> Any:
    """Our own style, script and plots, which are HTML already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - nothing of the dump but what vl-convert has escaped


def _count(number: int) -> str:
    return f"{number:,}"


def _posts(number: int) -> str:
    return "1 post" if number == 1 else f"{number:,} posts"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _name(why: str) -> str:
    if why == "kept":
        return "copy that stays"
    return visible_line(why.replace("_", " "))


def _key(key: str) -> str:
    """A name of the dump on one line, cut."""
    line = visible_line(str(key)[: 2 * MAX_KEY])
    return line if len(line) <= MAX_KEY else f"{line[: MAX_KEY - 1]}…"
