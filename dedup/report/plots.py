"""Distributions and ratios → SVG for the report page. The only place that loads vl-convert.

Vega-Lite specifications, drawn by vl-convert: it needs no other package, its SVG carries no inline style
(which the page's security policy would refuse), and colours are placeholders that the page's style sheet
maps to those of its light and dark themes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dedup.errors import ConfigError
from dedup.report.survey import DISTANCES, LENGTHS, SIMILARITY_BINS, SIZES, Survey
from dedup.report.visible import visible_line
from dedup.sketch.bands import recall_at

INK, MUTED, RULE, ACCENT, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Placeholders: the style sheet says what they look like."""
_WIDTH, _HEIGHT = 380, 190
_FULL_WIDTH = 440
"""What `_WIDTH` comes to with its axis: all plots of the page are scaled alike."""
_FEW = 5
_MAX_POINTS = 48
_MAX_ROWS = 12
_MAX_LABEL = 26
_MAX_TICK = 6
_SIZE = re.compile(r'^<svg ([^>]*?)\bwidth="([\d.]+)" height="([\d.]+)"')

Rows = list[dict[str, Any]]


class Plot(NamedTuple):
    """A plot with the words and numbers that say the same."""

    name: str
    title: str
    caption: str
    svg: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots(ratios: Mapping[str, Any], survey: Survey) -> list[Plot]:
    """The plots that have something to show.

    Raises ConfigError when vl-convert is not installed.
    """
    made = [
        _over_time(ratios),
        _similarity(survey),
        _bars(
            "clusters",
            "Sizes of clusters",
            "Posts that are equal or nearly so, the one that stays included.",
            ("posts", "clusters"),
            _ranges(SIZES, survey.cluster_sizes()),
        ),
        _bars(
            "lengths",
            "How long quotes are",
            "Passages of earlier posts that were taken out of posts with something of their own to say.",
            ("characters", "passages"),
            _ranges(LENGTHS, survey.lengths),
        ),
        _bars(
            "distances",
            "How far back quotes reach",
            _distance_caption(survey),
            ("posts back", "passages"),
            _ranges(DISTANCES, survey.distances),
        ),
        _repairs(survey),
        _boards(ratios),
    ]
    return [plot for plot in made if plot is not None]


def _over_time(ratios: Mapping[str, Any]) -> Plot | None:
    months = ratios["by"]["month"]["rows"]
    if len(months) < 2:
        return None
    rows = [
        {"month": f"{row['key']}-01", "ratio": row["duplicate_ratio"], "posts": row["posts"]}
        for row in months
    ]
    time = {
        "field": "month",
        "type": "temporal",
        "axis": {
            "title": None,
            "grid": False,
            "tickCount": 6,
            "labelOverlap": "greedy",
            "labelSeparation": 10,
        },
    }
    share = {
        "mark": {
            "type": "line",
            "color": ACCENT,
            "strokeJoin": "round",
            "strokeWidth": 1.5,
            "point": {"color": ACCENT, "size": 18} if len(months) <= _MAX_POINTS else False,
        },
        "height": _HEIGHT - 70,
        "width": _WIDTH,
        "encoding": {
            "x": {**time, "axis": None},
            "y": _axis("ratio", "copied characters", format=".0%"),
        },
    }
    posts = {
        "mark": {"type": "bar", "color": MUTED, "opacity": 0.5, "width": {"band": 0.8}},
        "height": 40,
        "width": _WIDTH,
        "encoding": {
            "x": {**time, "timeUnit": "yearmonth"},
            "y": _axis("posts", "posts", max(row["posts"] for row in rows), tickCount=2),
        },
    }
    spec = {"data": {"values": rows}, "vconcat": [share, posts], "spacing": 8}
    return Plot(
        "months",
        "Over time",
        "Share of each month's characters that are copies; below it, the posts of the month.",
        _draw(spec),
        ("month", "posts", "copied"),
        tuple((str(row["key"]), f"{row['posts']:,}", _percent(row["duplicate_ratio"])) for row in months),
    )


def _similarity(survey: Survey) -> Plot | None:
    if not survey.similarity.any():
        return None
    match = survey.match
    bars = [
        {"from": number / SIMILARITY_BINS, "to": (number + 1) / SIMILARITY_BINS, "posts": int(posts)}
        for number, posts in enumerate(survey.similarity)
    ]
    curve = [
        {"similarity": step / 100, "chance": recall_at(step / 100, match.bands, match.rows)}
        for step in range(101)
    ]
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": "similarity", "grid": False, "labelFlush": False, "tickCount": 5},
    }
    spec = {
        "width": _WIDTH - 40,
        "height": _HEIGHT,
        "resolve": {"scale": {"y": "independent"}},
        "layer": [
            {
                "data": {"values": bars},
                "mark": {"type": "bar", "color": ACCENT, "binSpacing": 1},
                "encoding": {
                    "x": {**x, "field": "from", "bin": {"binned": True}},
                    "x2": {"field": "to"},
                    "y": _axis("posts", "near-duplicates dropped", int(survey.similarity.max())),
                },
            },
            {
                "data": {"values": curve},
                "mark": {"type": "line", "color": SECOND, "strokeWidth": 1.5},
                "encoding": {
                    "x": {**x, "field": "similarity"},
                    "y": _axis("chance", "chance to be compared", format=".0%", grid=False),
                },
            },
            {
                "data": {"values": [{"at": match.threshold}]},
                "mark": {"type": "rule", "color": INK, "strokeDash": [3, 3]},
                "encoding": {"x": {**x, "field": "at"}},
            },
        ],
    }
    rows = [
        (f"{row['from']:.2f}–{row['to']:.2f}", f"{row['posts']:,}", _percent(_chance(row, survey)))
        for row in bars
        if row["posts"]
    ]
    return Plot(
        "similarity",
        "How alike near-duplicates are",
        f"Dashed: the threshold of {match.threshold:g}, under which nothing is dropped. The curve is the"
        f" chance that two posts meet in one of {match.bands} bands of {match.rows} rows and are compared:"
        f" {_percent(recall_at(match.threshold, match.bands, match.rows))} at the threshold.",
        _draw(spec),
        ("similarity", "posts", "chance to be compared"),
        tuple(rows),
    )


def threshold_plot(
    name: str,
    title: str,
    caption: str,
    points: Sequence[tuple[float, int, int]],
    columns: tuple[str, str],
) -> Plot:
    """A line for each shingle size; points are (threshold, shingle size, value)."""
    sizes = sorted({size for _, size, _ in points})
    ends = {size: max(point for point in points if point[1] == size) for size in sizes}
    rows = [
        {
            "threshold": threshold,
            "size": f"{size} words",
            "value": value,
            "end": f"{size} words" if (threshold, size, value) == ends[size] else "",
        }
        for threshold, size, value in points
    ]
    colours = [ACCENT, SECOND, INK, MUTED]
    x = {
        "field": "threshold",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False},
        "axis": {"title": columns[0], "grid": False, "tickCount": 5},
    }
    colour = {
        "field": "size",
        "type": "nominal",
        "legend": None,
        "scale": {
            "domain": [f"{size} words" for size in sizes],
            "range": [colours[number % len(colours)] for number in range(len(sizes))],
        },
    }
    base = {"x": x, "y": _axis("value", columns[1], max(value for *_, value in points)), "color": colour}
    spec = {
        "width": _WIDTH - 60,
        "height": _HEIGHT,
        "data": {"values": rows},
        "layer": [
            {"mark": {"type": "line", "point": {"size": 22}}, "encoding": base},
            {
                "mark": {"type": "text", "align": "left", "dx": 8},
                "encoding": {**base, "text": {"field": "end"}},
            },
        ],
    }
    return Plot(
        name,
        title,
        caption,
        _draw(spec),
        (columns[0], "shingles", columns[1]),
        tuple((f"{threshold:g}", f"{size} words", f"{value:,}") for threshold, size, value in points),
    )


def _chance(row: Mapping[str, Any], survey: Survey) -> float:
    match = survey.match
    return recall_at((row["from"] + row["to"]) / 2, match.bands, match.rows)


def _distance_caption(survey: Survey) -> str:
    caption = "Posts of the same thread between a post and the one it quotes, in the order of the input."
    if survey.thread_rate > 1:
        caption += f" Measured in one thread of {survey.thread_rate}."
    if survey.across:
        caption += f" {survey.across:,} more passages come from another thread."
    return caption


def _bars(
    name: str, title: str, caption: str, columns: tuple[str, str], ranges: list[tuple[str, int]]
) -> Plot | None:
    total = sum(number for _, number in ranges)
    if not total:
        return None
    # "1600–3199" under every bar would not fit; where a bin begins says enough
    brief = max(len(label) for label, _ in ranges) > _MAX_TICK
    rows = [
        {"range": label.split("–")[0] if brief else label, "count": number, "label": _brief(number)}
        for label, number in ranges
    ]
    x = {
        "field": "range",
        "type": "ordinal",
        "sort": None,
        "axis": {"title": f"{columns[0]}, from" if brief else columns[0], "labelAngle": 0},
    }
    y = _axis("count", columns[1], max(number for _, number in ranges))
    spec = {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": rows},
        "encoding": {"x": x, "y": y},
        "layer": [
            {"mark": {"type": "bar", "color": ACCENT, "width": {"band": 0.86}}},
            {
                "transform": [{"filter": "datum.count > 0"}],
                "mark": {"type": "text", "dy": -6, "color": MUTED, "fontSize": 10},
                "encoding": {"text": {"field": "label"}},
            },
        ],
    }
    return Plot(
        name,
        title,
        caption,
        _draw(spec),
        (*columns, "share"),
        tuple((label, f"{number:,}", _percent(number / total)) for label, number in ranges),
    )


def _repairs(survey: Survey) -> Plot | None:
    """Sideways bars of what was repaired most often; one label looks like "â€™ → ’"."""
    if not survey.repairs:
        return None
    ranked = sorted(survey.repairs.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        {"label": f"{_mark(raw)} → {_mark(new)}", "count": number}
        for (raw, new), number in ranked[:_MAX_ROWS]
    ]
    read = ", ".join(f"{visible_line(name)} {posts:,}" for name, posts in survey.encodings.most_common(8))
    return Plot(
        "repairs",
        "Encodings repaired",
        f"What stood there → what stands there now, and how often. Posts by the encoding they were read in:"
        f" {read}.",
        _draw(_sideways(rows, "repairs")),
        ("repair", "times"),
        tuple((str(row["label"]), f"{row['count']:,}") for row in rows),
    )


def _boards(ratios: Mapping[str, Any]) -> Plot | None:
    boards = [row for row in ratios["by"]["board"]["rows"] if row["key"]]
    if len(boards) < 2:
        return None
    rows = [{"label": _short(row["key"]), "count": row["duplicate_ratio"]} for row in boards[:_MAX_ROWS]]
    return Plot(
        "boards",
        "Boards",
        "Share of a board's characters that are copies, boards with most posts first.",
        _draw(_sideways(rows, "copied characters", format=".0%")),
        ("board", "posts", "copied"),
        tuple(
            (_short(row["key"]), f"{row['posts']:,}", _percent(row["duplicate_ratio"]))
            for row in boards[:_MAX_ROWS]
        ),
    )


def _sideways(rows: Rows, title: str, **axis: Any) -> dict[str, Any]:
    # labels may be equal once they are cut; a number before each keeps the bars apart
    keyed = [{**row, "key": f"{number}|{row['label']}"} for number, row in enumerate(rows)]
    y = {
        "field": "key",
        "type": "ordinal",
        "sort": None,
        "axis": {
            "title": None,
            "labelExpr": "slice(datum.label, indexof(datum.label, '|') + 1)",
            "labelColor": INK,
            "labelLimit": 170,
        },
    }
    counts = "format" not in axis
    largest = max(row["count"] for row in rows) if counts else None
    return {
        "width": _FULL_WIDTH,
        "height": {"step": 18},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": keyed},
        "mark": {"type": "bar", "color": ACCENT, "height": {"band": 0.8}},
        "encoding": {"y": y, "x": _axis("count", title, largest, **axis)},
    }


def _axis(field: str, title: str, largest: float | None = None, **more: Any) -> dict[str, Any]:
    """A quantitative channel; `largest` is given for counts, which have no ticks between whole numbers."""
    axis = {"title": title, "tickCount": 4}
    if largest is not None:
        axis["format"] = ",d"
    if largest is not None and largest <= _FEW:
        axis["values"] = list(range(int(largest) + 1))
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"zero": True, "nice": True},
        "axis": {**axis, **more},
    }


def _ranges(bounds: Sequence[int], counts: NDArray[np.int64]) -> list[tuple[str, int]]:
    """Labels and counts of bins: `2`, `6–10`, `101+`; empty bins at the end are left out."""
    labels = [f"{low}" if high == low + 1 else f"{low}–{high - 1}" for low, high in pairwise(bounds)]
    labels.append(f"{bounds[-1]}+")
    filled = np.flatnonzero(counts)
    if not len(filled):
        return []
    pairs = list(zip(labels, (int(number) for number in counts), strict=True))
    return pairs[: max(int(filled[-1]) + 1, _FEW)]


def _brief(number: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _short(text: str) -> str:
    line = visible_line(text)
    return line if len(line) <= _MAX_LABEL else f"{line[: _MAX_LABEL - 1]}…"


def _mark(text: str) -> str:
    return visible_line(text.replace(" ", "␣")) if text else "nothing"


def _draw(spec: dict[str, Any]) -> str:
    try:
        import vl_convert
    except ImportError:
        from dedup.report.page import INSTALL, NOT_INSTALLED

        raise ConfigError(NOT_INSTALLED, hint=INSTALL) from None
    config = {
        "aria": False,  # the page gives each plot a name and a table of its numbers
        "background": None,
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": MUTED,
            "titleColor": MUTED,
            "titleFontWeight": "normal",
            "titleFontSize": 11,
            "labelFontSize": 11,
            "domainColor": RULE,
            "tickColor": RULE,
            "gridColor": RULE,
            "gridOpacity": 0.6,
            "domain": False,
            "ticks": False,
            "labelPadding": 4,
            "titlePadding": 8,
        },
    }
    svg = str(vl_convert.vegalite_to_svg({**spec, "config": config, "padding": 4}, vl_version="5.20"))
    return _SIZE.sub(_sized, svg, count=1)


def _sized(match: re.Match[str]) -> str:
    """The opening tag without a fixed size, so that the page can scale the plot; hidden from readers."""
    return f'<svg {match[1]} aria-hidden="true" focusable="false"'
