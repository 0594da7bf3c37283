"""Progress bars with rate and time left; a line for every finished stage stays on the screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from dedup.progress import Stage
from dedup.report.visible import visible_line


class Bars:
    """A `Progress` on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False)
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Count(),
            _Rate(),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            refresh_per_second=5,
        )
        self._open = 0

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Stage]:
        if self._open == 0:
            self._bars.start()
        self._open += 1
        task = self._bars.add_task(visible_line(name), total=total, unit=unit)
        begun = time.perf_counter()
        finished = False
        try:
            yield _Bar(self._bars, task)
            finished = True
        finally:
            seconds = time.perf_counter() - begun
            done = int(next(t.completed for t in self._bars.tasks if t.id == task))
            self._bars.remove_task(task)
            self._open -= 1
            if self._open == 0:
                self._bars.stop()
            if finished:
                self._console.print(Text(finished_line(name, done, unit, seconds)))

    def note(self, message: str) -> None:
        self._console.print(Text(visible_line(message)))


def finished_line(name: str, done: int, unit: str, seconds: float) -> str:
    """What stays of a stage: its name, how much it did, how fast.

    >>> finished_line("reading", 1000, "posts", 2.0)
    'reading: 1,000 posts in 2.0 s (500 posts/s)'
    """
    amount = amount_of(done, unit)
    rate = f" ({amount_of(done / seconds, unit)}/s)" if done and seconds > 0 else ""
    return f"{visible_line(name)}: {amount} in {seconds:.1f} s{rate}"


def amount_of(count: float, unit: str) -> str:
    """A count with its unit, bytes as megabytes.

    >>> amount_of(2_500_000, "bytes")
    '2.5 MB'
    """
    return f"{count / 1e6:,.1f} MB" if unit == "bytes" else f"{count:,.0f} {unit}"


class _Bar:
    def __init__(self, bars: RichProgress, task: int) -> None:
        self._bars = bars
        self._task = task

    def advance(self, n: int) -> None:
        self._bars.advance(self._task, n)  # type: ignore[arg-type]  # a TaskID is an int


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        if task.total is None:
            return Text(amount_of(task.completed, unit))
        done = amount_of(task.completed, unit).removesuffix(f" {unit}").removesuffix(" MB")
        return Text(f"{done}/{amount_of(task.total, unit)}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{amount_of(task.speed, task.fields['unit'])}/s" if task.speed else "", style="dim")
