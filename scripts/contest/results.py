"""Figures kept as JSON, and written out as Markdown with their plots beside it.

The JSON is what is measured and holds every single run; the rest is made from it anew each time. A dump
measured again takes the place of its earlier figures.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from .drawing import draw_bars, draw_growth

MB = 1_000_000
MIB_BUDGET = 1_024
START_TITLES = {"help": "`dedup --help`", "few_posts": "`dedup clean` on ten posts"}


def load(path: Path) -> dict[str, Any]:
    """What earlier runs kept beside the results file `path`, or nothing yet."""
    kept = path.with_suffix(".json")
    if kept.is_file():
        results: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return results
    return {"dumps": [], "growth": []}


def put(entries: list[dict[str, Any]], key: str, entry: dict[str, Any]) -> None:
    """Add an entry, in the place of the one with the same key."""
    for position, old in enumerate(entries):
        if old[key] == entry[key]:
            entries[position] = entry
            return
    entries.append(entry)


def save(path: Path, results: dict[str, Any]) -> None:
    """Write Markdown to `path`, JSON and plots beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for entry in results["dumps"]:
        _plot_file(path, entry["name"]).write_text(draw_bars(_speeds(entry)), encoding="utf-8")
    for entry in results["growth"]:
        rows = [row for row in entry["rows"] if not row["failure"]]
        if len(rows) > 1:
            plot = draw_growth([(row["posts"], row["seconds"], row["peak_mb"]) for row in rows])
            _plot_file(path, entry["case"]).write_text(plot, encoding="utf-8")
    path.write_text("\n".join(_page(path, results)) + "\n", encoding="utf-8")
    kept = json.dumps(results, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(kept + "\n", encoding="utf-8")


def machine() -> str:
    """This machine in a line."""
    cpu = ""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text(encoding="utf-8").split("\n") if cpuinfo.is_file() else ():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip() + ", "
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{cpu}{cores} cores, {memory:.0f} GiB, {system}"


def _page(path: Path, results: dict[str, Any]) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield (
        "Written by `python scripts/bench.py`, which measures `dedup clean`, the whole of it, against what"
        " others do of it. All read the same JSON lines and write what they keep to disk. `dedup` repairs"
        " encodings, finds quotes and near-duplicates, and records every change; the peers find"
        " near-duplicates alone. The contestants of a dump ran in turns (A B C A B C …); figures are medians,"
        " ratios are medians of each round's ratio. CPU is user and system time of all processes, peak memory"
        " that of all processes together (PSS). Every run stands in"
        f" [{path.with_suffix('.json').name}]({path.with_suffix('.json').name})."
    )
    for entry in results["dumps"]:
        yield from _dump_section(path, entry)
    for entry in results["growth"]:
        yield from _growth_section(path, entry)


def _dump_section(path: Path, entry: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {entry['name']}"
    yield ""
    yield f"{entry['posts']:,} posts, {entry['bytes'] / MB:,.1f} MB of JSON lines. {_how(entry)}"
    yield ""
    yield (
        "| | seconds | MB/s | time, dedup = 1 | CPU seconds | peak MiB | largest process MiB | corpus MB"
        " | posts kept |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    own = next((c["runs"] for c in entry["contestants"] if c["name"] == "dedup"), [])
    for contestant in entry["contestants"]:
        yield _contestant_row(contestant, own, entry["bytes"])
    plot = _plot_file(path, entry["name"]).name
    yield ""
    yield f"![MB of JSON lines a second]({plot})"
    yield ""
    yield from _start_lines(entry)
    yield "```console"
    for contestant in entry["contestants"]:
        yield f"$ {contestant['command']}"
    yield "```"


def _how(entry: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    runs = f"{entry['runs']} runs each, " if "runs" in entry else ""
    return f"{entry['date']}, {entry['machine']}; {runs}{entry['workers']} workers. {versions}."


def _contestant_row(contestant: dict[str, Any], own: list[dict[str, Any]], size: int) -> str:
    title = contestant["title"]
    if contestant["failure"]:
        return f"| {title} | {_cell(contestant['failure'])} | | | | | | | |"
    runs = contestant["runs"]
    seconds = _median(runs, "seconds")
    ratios = [run["seconds"] / by["seconds"] for run, by in zip(runs, own, strict=False)]
    cells = [
        f"{seconds:.2f}",
        f"{size / MB / seconds:.1f}",
        f"{median(ratios):.2f}" if ratios else "",
        f"{_median(runs, 'cpu_seconds'):.2f}",
        f"{_median(runs, 'peak_mb'):,.0f}",
        f"{_median(runs, 'largest_mb'):,.0f}",
        f"{_median(runs, 'corpus_bytes') / MB:,.1f}",
        f"{contestant['kept_posts']:,}",
    ]
    return f"| {title} | {' | '.join(cells)} |"


def _start_lines(entry: dict[str, Any]) -> Iterator[str]:
    if "start" in entry:
        for name, title in START_TITLES.items():
            yield f"- {title}: {median(entry['start'][name]):.2f} s"
    if "cold" in entry:
        cold = entry["cold"]
        took = cold["failure"] or f"{cold['seconds']:.1f} s, {cold['peak_mb']:,.0f} MiB"
        yield f"- the first run ever, on this dump, which compiles the kernels: {took}"
    if "start" in entry or "cold" in entry:
        yield ""


def _growth_section(path: Path, entry: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## Growth: {entry['case']}"
    yield ""
    yield _how(entry)
    yield ""
    yield (
        "| posts | MB | seconds | MB/s | CPU seconds | input, times the row before | time, times"
        " | peak MiB | of it not of files | largest process MiB | budget MiB |"
    )
    yield "|" + "---:|" * 11
    before = None
    for row in entry["rows"]:
        yield _growth_row(row, before, entry["workers"])
        before = None if row["failure"] else row
    yield ""
    stages = list(dict.fromkeys(name for row in entry["rows"] for name in row["stages"]))
    yield f"| posts | {' | '.join(f'{name} s' for name in stages)} |"
    yield "|" + "---:|" * (len(stages) + 1)
    for row in entry["rows"]:
        seconds = (f"{row['stages'].get(name, 0):.2f}" for name in stages)
        yield f"| {row['posts']:,} | {' | '.join(seconds)} |"
    if sum(not row["failure"] for row in entry["rows"]) > 1:
        yield ""
        yield f"![time and memory over posts]({_plot_file(path, entry['case']).name})"


def _growth_row(row: dict[str, Any], before: dict[str, Any] | None, workers: int) -> str:
    head = f"| {row['posts']:,} | {row['bytes'] / MB:,.1f}"
    if row["failure"]:
        return f"{head} | {_cell(row['failure'])} | | | | | | | | |"
    cells = [
        f"{row['seconds']:.2f}",
        f"{row['bytes'] / MB / row['seconds']:.1f}",
        f"{row['cpu_seconds']:.2f}",
        f"{row['bytes'] / before['bytes']:.2f}" if before else "",
        f"{row['seconds'] / before['seconds']:.2f}" if before else "",
        f"{row['peak_mb']:,.0f}",
        f"{row['anonymous_mb']:,.0f}",
        f"{row['largest_mb']:,.0f}",
        f"{MIB_BUDGET + 0.1 * row['bytes'] / 2**20 + 200 * max(0, workers - 2):,.0f}",
    ]
    return f"{head} | {' | '.join(cells)} |"


def _speeds(entry: dict[str, Any]) -> list[tuple[str, float | None, bool]]:
    """Title, MB/s (None where it failed), and whether it only reads and writes."""
    return [
        (
            contestant["title"],
            None if contestant["failure"] else entry["bytes"] / MB / _median(contestant["runs"], "seconds"),
            contestant["floor"],
        )
        for contestant in entry["contestants"]
    ]


def _median(runs: list[dict[str, Any]], name: str) -> float:
    return float(median(run[name] for run in runs))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _plot_file(path: Path, name: str) -> Path:
    slug = "".join(letter if letter.isalnum() else "-" for letter in name)
    return path.with_name(f"{path.stem}-{slug}.svg")
