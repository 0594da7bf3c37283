"""Contestants in turns on one dump: A B C A B C, so that whatever slows the machine slows all of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .contestants import CONTESTANTS, DEDUP, Contestant, Job, corpus_of, environment
from .look import ask
from .measure import Measured, measure

FEW_POSTS = 10
START_RUNS = 5


class Setting(NamedTuple):
    """How a contest is run."""

    work: Path
    """A folder for dumps and outputs."""
    runs: int
    workers: int
    level: int
    limit: float
    """Seconds that a run may take."""
    python: Path
    """The peers' Python."""
    installed: dict[str, str]
    """The peers' packages and their versions."""
    say: Callable[[str], None]


def hold(dump: Path, name: str, posts: int, only: Sequence[str], setting: Setting) -> dict[str, Any]:
    """All rounds on a dump, as the results file keeps them."""
    entry: dict[str, Any] = {
        "name": name,
        "posts": posts,
        "bytes": dump.stat().st_size,
        "runs": setting.runs,
        "workers": setting.workers,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    racing = []
    entry["contestants"] = results = []
    for contestant in (c for c in CONTESTANTS if c.name in only):
        result: dict[str, Any] = {"name": contestant.name, "title": contestant.title, "runs": []}
        result["floor"] = contestant.floor
        result["command"] = _shown(contestant.command(_job(dump, setting)), dump, setting)
        missing = [package for package in contestant.needs if package not in setting.installed]
        result["failure"] = f"{', '.join(missing)} could not be installed" if missing else None
        results.append(result)
        if not missing:
            racing.append((contestant, result))
    if "dedup" in only or "start" in only:
        _run_few(dump, setting)  # whoever has not yet compiled the kernels does it here
    for turn in range(setting.runs):
        for contestant, result in racing:
            if result["failure"]:
                continue
            setting.say(f"{name}, round {turn + 1} of {setting.runs}: {contestant.title}")
            _run(contestant, dump, result, setting, last=turn == setting.runs - 1)
    if "start" in only:
        setting.say(f"{name}: start")
        entry["start"] = _starts(dump, setting)
    if "cold" in only:
        setting.say(f"{name}: the first run on a machine")
        entry["cold"] = _cold(dump, setting)
    return entry


def _run(contestant: Contestant, dump: Path, result: dict[str, Any], setting: Setting, *, last: bool) -> None:
    job = _job(dump, setting)
    measured = _measure(contestant.command(job), job, setting)
    if measured.failure:
        result["failure"] = measured.failure
        setting.say(f"{contestant.title} failed: {measured.failure}")
        return
    result["runs"].append({**_figures(measured), "corpus_bytes": _bytes_in(corpus_of(contestant, job))})
    if last:
        result["kept_posts"] = ask("count", str(corpus_of(contestant, job)))
    shutil.rmtree(job.out)


def _run_few(dump: Path, setting: Setting) -> Measured:
    few = setting.work / "few.jsonl"
    with dump.open("rb") as lines:
        few.write_bytes(b"".join(next(lines, b"") for _ in range(FEW_POSTS)))
    job = _job(few, setting)
    return _measure(CONTESTANTS[0].command(job), job, setting)


def _starts(dump: Path, setting: Setting) -> dict[str, list[float]]:
    """Seconds of starts: of the help, and of a run on a few posts."""
    seconds: dict[str, list[float]] = {"help": [], "few_posts": []}
    for _ in range(START_RUNS):
        job = _job(dump, setting)
        seconds["help"].append(_measure([*DEDUP, "--help"], job, setting).seconds)
        seconds["few_posts"].append(_run_few(dump, setting).seconds)
    return seconds


def _cold(dump: Path, setting: Setting) -> dict[str, Any]:
    """The first run ever: no kernel is compiled, no table made."""
    job = _job(dump, setting)
    caches = {"NUMBA_CACHE_DIR": str(job.out / "numba"), "DEDUP_CACHE": str(job.out / "cache")}
    measured = measure(
        CONTESTANTS[0].command(job), job.out, environment(job) | caches, max(setting.limit, 3_600)
    )
    shutil.rmtree(job.out)
    return {**_figures(measured), "failure": measured.failure}


def _job(dump: Path, setting: Setting) -> Job:
    out = setting.work / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return Job(dump, out, setting.workers, setting.level, setting.python)


def _measure(command: list[str], job: Job, setting: Setting) -> Measured:
    # In the run's own folder no settings file is found.
    return measure(command, job.out, environment(job), setting.limit)


def _figures(measured: Measured) -> dict[str, float]:
    return {name: round(getattr(measured, name), 3) for name in Measured._fields if name != "failure"}


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _shown(command: list[str], dump: Path, setting: Setting) -> str:
    """A command as it is written down: without this machine's folders."""
    shown = []
    for part in command:
        path = Path(part)
        if part == str(dump):
            part = "DUMP"
        elif setting.work in path.parents:
            part = f"OUT/{path.relative_to(setting.work / 'out')}"
        elif path.is_absolute():
            part = path.name
        shown.append(part)
    return " ".join(shown)
