"""Figures → SVG, by hand: two small plots are no reason for a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log

WIDTH = 720
LABELS = 230
BAR = 22
STYLE = (
    "text{font:13px sans-serif;fill:#333}.own{fill:#2f6fb0}.peer{fill:#b3b3b3}.floor{fill:#dedede}"
    ".line{fill:none;stroke:#2f6fb0;stroke-width:2}.even{fill:none;stroke:#b3b3b3;stroke-dasharray:4 4}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.floor{fill:#666}}"
)


def draw_bars(speeds: Sequence[tuple[str, float | None, bool]]) -> str:
    """A bar for each title, MB/s and whether it is a floor; None: it failed."""
    most = max((speed for _, speed, _ in speeds if speed), default=1.0)
    shapes = [_text(LABELS, 16, "MB of JSON lines a second")]
    for row, (title, speed, floor) in enumerate(speeds):
        top = 28 + row * (BAR + 8)
        shapes.append(_text(LABELS - 8, top + 16, title, "end"))
        if speed is None:
            shapes.append(_text(LABELS, top + 16, "failed"))
            continue
        length = max(1.0, (WIDTH - LABELS - 70) * speed / most)
        kind = "floor" if floor else "peer" if row else "own"
        shapes.append(f'<rect class="{kind}" x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}"/>')
        shapes.append(_text(LABELS + length + 6, top + 16, f"{speed:,.1f}"))
    return _svg(shapes, 36 + len(speeds) * (BAR + 8))


def draw_growth(rows: Sequence[tuple[int, float, float]]) -> str:
    """Seconds and MiB over posts, on logarithmic axes; dashed: in proportion to the first size."""
    half = WIDTH / 2
    return _svg(
        [
            *_curve([(posts, seconds) for posts, seconds, _ in rows], "seconds", 60, half - 110),
            *_curve([(posts, memory) for posts, _, memory in rows], "peak MiB", half + 60, half - 110),
        ],
        260,
    )


def _curve(points: Sequence[tuple[int, float]], title: str, left: float, width: float) -> list[str]:
    top, height = 36, 170
    (first, start), (last, _) = points[0], points[-1]
    even = [(first, start), (last, start * last / first)]
    low = min(value for _, value in points)
    high = max(value for _, value in [*points, *even])

    def place(posts: float, value: float) -> tuple[float, float]:
        across = log(posts / first) / log(last / first)
        up = log(value / low) / log(high / low) if high > low else 0
        return left + across * width, top + (1 - up) * height

    shapes = [_text(left, 16, f"{title}; posts →")]
    for kind, values in (("even", even), ("line", points)):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in values))
        shapes.append(f'<polyline class="{kind}" points="{line}"/>')
    for posts, value in points:
        x, y = place(posts, value)
        shapes.append(f'<circle class="own" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        shapes.append(_text(x - 6, y - 8, f"{value:,.0f}" if value >= 10 else f"{value:.1f}", "end"))
        shapes.append(_text(x, top + height + 24, f"{posts:,}", "middle"))
    return shapes


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(shapes: Sequence[str], height: float) -> str:
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    inner = "\n".join(shapes)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n{inner}\n</svg>\n'
