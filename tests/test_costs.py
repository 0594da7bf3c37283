"""What cleaning costs, counted instead of timed: calls, lines, bytes. The same on every machine.

The bounds are today's figures and a fifth more. A figure over its bound is a regression, or a price paid
on purpose: then raise the bound and say in the commit what it buys.
"""

from __future__ import annotations

import cProfile
import gc
import importlib.util
import json
import pstats
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from dedup import index, pipeline
from dedup.config import Config
from dedup.pipeline import clean
from dedup.progress import Silent

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "dedup"
CONFIG = Config().with_settings({"run": {"workers": 1}})
FEW, MANY = 1_000, 2_000
HOT_CASES = ("hot-thread", "one-quote", "identical")
FEW_LINES, MANY_LINES = 6, 18
"""Posts of dumps that are cleaned without compiled kernels."""
FEW_SHORT, MANY_SHORT = 20, 100

CALLS_PER_POST = 12.0
"""Of Python functions and of C functions from Python, libraries' own included."""
PLAIN_CALLS_PER_POST = 2.5
"""The same for posts that nothing is wrong with."""
OWN_CALLS_PER_POST = 0.8
"""Of functions and kernels of this package: what does not need Python is done in batches."""
HELD_BYTES_PER_POST = 75
"""Of memory, at the end of any stage, besides pyarrow's buffers and the files of the work folder."""
LINES_PER_KB = {
    "text": 33_000,
    "sketch": 29_000,
    "quotes": 15_000,
    "normalize": 18_000,
    "writers": 14_000,
    "ids": 6_000,
    "readers": 800,
}
"""Executed lines for a thousand bytes more of JSON lines, by step."""
OTHER_LINES_PER_KB = 3_700
GROWTH = 1.15
"""How much more a byte may cost in a dump five times as large. Comparing each post with all earlier ones,
word by word, would make it 1.4."""


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = _load("generate")


class Dumps:
    """Generated dumps, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def bench(self, posts: int) -> Path:
        return self._write(f"bench-{posts}", generator.generate(posts, 7, mix="bench"))

    def case(self, case: str, posts: int) -> Path:
        return self._write(f"{case}-{posts}", generator.CASES[case](posts, 7))

    def plain(self, posts: int) -> Path:
        """Only posts of the bench mix that nothing can be wrong with: ASCII, no entities."""
        records = generator.generate(4 * posts, 7, ["en"], "bench")
        plain = (r for r in records if r.text.isascii() and "&" not in r.text)
        return self._write(f"plain-{posts}", islice(plain, posts))

    def short(self, case: str, posts: int) -> Path:
        """Posts of two sentences, one of them somebody else's: so short that pairs of posts would show."""
        dump, random = self._folder / f"{case}-{posts}.jsonl", Random(7)
        sentences = [" ".join(f"w{random.randrange(10**6)}" for _ in range(12)) + "." for _ in range(posts)]
        said = {
            "hot-thread": lambda number: f"> {sentences[max(0, number - 1)]}\n\n{sentences[number]}",
            "one-quote": lambda number: f"> {sentences[0]}\n\n{sentences[number]}",
            "identical": lambda number: f"{sentences[0]}\n\n{sentences[1]}",
        }[case]
        with dump.open("w", encoding="utf-8") as file:
            for number in range(posts):
                post = {"id": number, "author": f"a{number % 9}", "thread_id": 1, "text": said(number)}
                file.write(json.dumps(post) + "\n")
        return dump

    def _write(self, name: str, records: Iterable[Any]) -> Path:
        dump = self._folder / name / "dump.jsonl"
        if not dump.is_file():
            generator.write(records, dump.parent)
        return dump


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Dumps:
    return Dumps(tmp_path_factory.mktemp("dumps"))


Count = Callable[[Path], Counter[str]]


@pytest.fixture(scope="module")
def count_calls(dumps: Dumps, tmp_path_factory: pytest.TempPathFactory) -> Count:
    out = tmp_path_factory.mktemp("counted") / "out"
    clean([dumps.bench(FEW)], out, CONFIG)  # what is loaded once in a process is no cost of a post

    def count(dump: Path) -> Counter[str]:
        profile = cProfile.Profile()
        gc.disable()  # when it runs is chance, and others have hung their own functions onto it
        try:
            profile.runcall(clean, [dump], out, CONFIG, force=True)
        finally:
            gc.enable()
        calls: Counter[str] = Counter()
        for (file, _, name), (_, number, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
            calls["all"] += number
            if PACKAGE in Path(file).parents:
                calls["own"] += number
                calls[f"{Path(file).stem}.{name}"] += number
        return calls

    return count


def _per_post(few: Counter[str], many: Counter[str]) -> dict[str, float]:
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in ("all", "own")}


def test_a_post_more_costs_few_calls(dumps: Dumps, count_calls: Count) -> None:
    cost = _per_post(count_calls(dumps.bench(FEW)), count_calls(dumps.bench(MANY)))
    assert cost["all"] <= CALLS_PER_POST, cost
    assert cost["own"] <= OWN_CALLS_PER_POST, cost


@pytest.mark.parametrize("case", HOT_CASES)
def test_a_post_more_costs_few_calls_where_posts_are_alike(
    case: str, dumps: Dumps, count_calls: Count
) -> None:
    cost = _per_post(count_calls(dumps.case(case, FEW)), count_calls(dumps.case(case, MANY)))
    assert cost["all"] <= CALLS_PER_POST, cost
    assert cost["own"] <= OWN_CALLS_PER_POST, cost


def test_plain_posts_never_become_python_objects(dumps: Dumps, count_calls: Count) -> None:
    few, many = count_calls(dumps.plain(FEW)), count_calls(dumps.plain(MANY))
    cost = _per_post(few, many)
    assert many["repair.repair"] == 0, many.most_common(20)
    assert cost["all"] <= PLAIN_CALLS_PER_POST, cost


def test_each_suspect_post_is_repaired_and_no_other(dumps: Dumps, count_calls: Count) -> None:
    dump = dumps.bench(FEW)
    texts = [json.loads(line)["text"] for line in dump.read_text(encoding="utf-8").split("\n") if line]
    suspect = sum(not text.isascii() or "&" in text for text in texts)
    assert 0 < count_calls(dump)["repair.repair"] < suspect / 2  # most of what is not ASCII is right


class Scale(Silent):
    """Weighs what is in memory at the end of each stage."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Any]:
        with super().stage(name, total, unit) as stage:
            yield stage
        gc.collect()
        self.held[name] = tracemalloc.get_traced_memory()[0]


def test_a_post_more_holds_little_memory(
    dumps: Dumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as in a dump that is a thousand times as large: many blocks, and arrays too large for memory
    monkeypatch.setattr(pipeline, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(index, "memory_for", lambda *_: 1 << 15)
    held = []
    few, many = FEW // 2, MANY // 2
    for dump in (dumps.bench(100), dumps.bench(few), dumps.bench(many)):  # the first loads what is needed
        scale = Scale()
        tracemalloc.start()
        try:
            clean([dump], tmp_path / "out", CONFIG, force=True, progress=scale)
        finally:
            tracemalloc.stop()
        held.append(scale.held)
    per_post = {name: (held[2][name] - held[1][name]) / (many - few) for name in held[2]}
    assert max(per_post.values()) <= HELD_BYTES_PER_POST, per_post


def _count_lines(dumps: list[Path], *arguments: str) -> list[dict[str, int]]:
    """Lines by step of each dump; see count_lines.py."""
    command = [sys.executable, str(ROOT / "tests" / "count_lines.py"), *arguments, *map(str, dumps)]
    counted: list[dict[str, int]] = json.loads(subprocess.check_output(command, cwd=dumps[0].parent))
    return counted


def test_a_word_more_costs_few_steps_of_the_kernels(dumps: Dumps) -> None:
    few, many = dumps.bench(FEW_LINES), dumps.bench(MANY_LINES)
    less, more = _count_lines([few, many])
    kb = (many.stat().st_size - few.stat().st_size) / 1_000
    cost = {step: (lines - less.get(step, 0)) / kb for step, lines in more.items()}
    others = sum(lines for step, lines in cost.items() if step not in LINES_PER_KB)
    assert {step: cost[step] for step, bound in LINES_PER_KB.items() if cost[step] > bound} == {}, cost
    assert others <= OTHER_LINES_PER_KB, cost


def test_hot_dumps_cost_no_more_when_they_grow(dumps: Dumps) -> None:
    steps = "quotes,match,decide,cut,trace,own,keep,order,results"
    paths = [dumps.short(case, posts) for case in HOT_CASES for posts in (FEW_SHORT, MANY_SHORT)]
    lines = [sum(count.values()) for count in _count_lines(paths, "--in", steps)]
    costs = [count / path.stat().st_size for count, path in zip(lines, paths, strict=True)]
    growth = {
        case: large / small for case, small, large in zip(HOT_CASES, costs[::2], costs[1::2], strict=True)
    }
    assert max(growth.values()) <= GROWTH, growth
