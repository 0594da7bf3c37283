"""A sample of a dump, decided on with several settings → what each would remove, side by side.

Reading and quotes are the same for all settings and done once; then each setting compares and decides
with the very steps of the pipeline. Nothing is kept but the numbers and some pairs to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from dedup.config import Config, Match
from dedup.decide import WHYS, Decisions
from dedup.engines.local import LocalEngine
from dedup.index import Index, index_posts
from dedup.normalize import normalize
from dedup.pipeline import compile_kernels, decide, resemble
from dedup.progress import Progress, Silent
from dedup.quotes.find import find_passages
from dedup.quotes.spans import Passages
from dedup.report.ratios import Ratios
from dedup.results import make_results, make_tasks
from dedup.sample import sample_threads
from dedup.sketch.bands import recall_at
from dedup.stage import Stage, raw_texts, write_blocks
from dedup.stopping import temporary_folder

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
SHINGLES = (3, 5, 8)
SAMPLE_POSTS = 20_000
EXAMPLES = 12
"""Pairs that are shown between two thresholds."""
MIN_RECALL = 0.97
"""The chance that a pair at the threshold is found, under which other bands are chosen."""
MAX_CHARS = 20_000
"""Characters of an example that are kept."""


class Outcome(NamedTuple):
    """What one setting does to the sample."""

    threshold: float
    shingle_words: int
    bands: int
    rows: int
    recall: float
    """The chance that a pair of exactly the threshold is found."""
    near_duplicates: int
    reposts: int
    dropped: int
    near_characters: float
    """Share of all characters that near-duplicates take."""
    duplicate_ratio: float


class Example(NamedTuple):
    """A post that the lowest threshold drops as a near-duplicate, and the one that stands for it."""

    shingle_words: int
    low: float
    """The highest of the thresholds that drops it."""
    high: float | None
    """The next one, where it stays; None when every one drops it."""
    similarity: float
    removed_id: str
    removed_text: str
    stays_id: str
    stays_text: str


class Tuning(NamedTuple):
    """What `tune` found: outcomes by shingle size and threshold, examples by both, the least alike first."""

    posts: int
    dump_posts: int
    chosen: Match
    """The settings the run was given; one of the outcomes is theirs."""
    outcomes: tuple[Outcome, ...]
    examples: tuple[Example, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            "posts": self.posts,
            "dump_posts": self.dump_posts,
            "chosen": msgspec.to_builtins(self.chosen),
            "outcomes": [outcome._asdict() for outcome in self.outcomes],
            "examples": [example._asdict() for example in self.examples],
        }


def tune(
    paths: Sequence[str | os.PathLike[str]],
    config: Config | None = None,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    shingles: Sequence[int] = SHINGLES,
    sample_posts: int = SAMPLE_POSTS,
    progress: Progress | None = None,
) -> Tuning:
    """Try thresholds and shingle sizes, those of `config` among them, on a sample of whole threads.

    The same dump and settings give the same result. Raises InputError for a path that does not exist and
    ConfigError for a threshold or a size that cannot be.
    """
    config, progress = config or Config(), progress or Silent()
    compile_kernels(progress.note)
    grid = _grid(config, thresholds, shingles)
    with temporary_folder("dedup-tune-") as folder, LocalEngine(config.run.workers) as engine:
        with progress.stage("read", None, "posts") as bar:
            sample = sample_threads(paths, config.read, sample_posts, bar.advance)
        with progress.stage("quotes", sample.posts, "posts") as bar:
            stage = write_blocks(folder, (normalize(one, config.normalize) for one in sample.batches()))
            bar.advance(sample.posts)
            index, ids = index_posts(stage, config, engine)
            trial = _Trial(stage, index, ids, find_passages(index, config.quotes, engine), engine)
        outcomes: list[Outcome] = []
        examples: list[Example] = []
        with progress.stage("compare", len(grid), "settings") as bar:
            for setting in grid:
                decisions = trial.decide(setting)
                outcomes.append(trial.outcome(setting, decisions))
                if setting.match.threshold == min(one.match.threshold for one in grid):
                    bounds = sorted({one.match.threshold for one in grid})
                    examples += trial.examples(setting, decisions, bounds)
                bar.advance(1)
    return Tuning(sample.posts, sample.seen, _with_bands(config).match, tuple(outcomes), tuple(examples))


def bands_for(threshold: float, match: Match) -> tuple[int, int]:
    """Bands and rows that find a pair of this similarity with a chance of at least MIN_RECALL.

    Those of `match` if they do; else as many rows as do, as fewer rows mean more pairs to compare.

    >>> bands_for(0.7, Match()), bands_for(0.5, Match())
    ((25, 5), (42, 3))
    """
    given = (match.bands, match.rows)
    if recall_at(threshold, *given) >= MIN_RECALL:
        return given
    for rows in range(match.permutations, 1, -1):
        if recall_at(threshold, match.permutations // rows, rows) >= MIN_RECALL:
            return match.permutations // rows, rows
    return match.permutations, 1


def settings_toml(config: Config) -> str:
    """A `dedup.toml` of all settings that are not the defaults, and of the threshold and shingle size.

    Bands are chosen for the threshold.
    """
    default = msgspec.to_builtins(Config())
    always = {"threshold", "shingle_words"}
    lines: list[str] = []
    for section, values in msgspec.to_builtins(_with_bands(config)).items():
        own = [
            f"{key} = {_toml(value)}"
            for key, value in values.items()
            if value is not None
            and (value != default[section][key] or (section == "match" and key in always))
        ]
        if own:
            lines += [*([""] if lines else []), f"[{section}]", *own]
    return "\n".join(lines) + "\n"


def _with_bands(config: Config) -> Config:
    bands, rows = bands_for(config.match.threshold, config.match)
    return config.with_settings({"match": {"bands": bands, "rows": rows}})


def _grid(config: Config, thresholds: Sequence[float], shingles: Sequence[int]) -> list[Config]:
    """A configuration for every pair, by shingle size, then threshold."""
    sizes = sorted({*shingles, config.match.shingle_words})
    steps = sorted({*thresholds, config.match.threshold})
    return [
        _with_bands(config.with_settings({"match": {"threshold": step, "shingle_words": size}}, "tune"))
        for size in sizes
        for step in steps
    ]


class _Trial:
    """The sample, read and searched for quotes, on which settings are tried."""

    def __init__(
        self,
        stage: Stage,
        index: Index,
        ids: list[pa.StringArray],
        passages: Passages,
        engine: LocalEngine,
    ) -> None:
        self._stage, self._index, self._ids = stage, index, ids
        self._passages, self._engine = passages, engine

    def decide(self, config: Config) -> Decisions:
        """The decisions of one setting."""
        # the steps write to the state; each setting gets the same one
        index = self._index._replace(state=self._index.state.copy())
        return decide(index, resemble(index, self._passages, config, self._engine), config)

    def outcome(self, config: Config, decisions: Decisions) -> Outcome:
        """What the decisions come to."""
        index, ratios = self._index, Ratios()
        for task in make_tasks(
            self._stage, index.blocks, index.input_offsets, decisions, self._ids, index.answers, False
        ):
            ratios.add(make_results(task))
        report, match = ratios.as_dict(), config.match
        removed = report["removed"]
        return Outcome(
            threshold=match.threshold,
            shingle_words=match.shingle_words,
            bands=match.bands,
            rows=match.rows,
            recall=recall_at(match.threshold, match.bands, match.rows),
            near_duplicates=removed["near_duplicate"]["dropped_posts"],
            reposts=removed["repost"]["dropped_posts"],
            dropped=report["posts"]["dropped"],
            near_characters=removed["near_duplicate"]["ratios"]["characters"],
            duplicate_ratio=report["duplicate_ratio"],
        )

    def examples(self, config: Config, decisions: Decisions, bounds: Sequence[float]) -> Iterator[Example]:
        """Near-duplicates between each two thresholds: the least alike, the most, and some between."""
        near = np.flatnonzero(decisions.reason == WHYS.index("near_duplicate"))
        near = near[np.argsort(decisions.similarity[near], kind="stable")]
        alike = np.round(decisions.similarity[near].astype(np.float64), 4)
        for low, high in zip(bounds, [*bounds[1:], None], strict=True):
            inside = near[(alike >= low) & (alike < (2.0 if high is None else high))]
            few = np.unique(np.linspace(0, len(inside) - 1, min(EXAMPLES, len(inside))).astype(int))
            for post in inside[few].tolist():
                survivor = int(decisions.duplicate_of[post])
                yield Example(
                    config.match.shingle_words,
                    low,
                    high,
                    float(decisions.similarity[post]),
                    *self._post(post),
                    *self._post(survivor),
                )

    def _post(self, post: int) -> tuple[str, str]:
        """Its id and the beginning of its raw text."""
        block = int(np.searchsorted(self._index.blocks, post, side="right")) - 1
        row = post - int(self._index.blocks[block])
        text = raw_texts(self._stage.posts(block).slice(row, 1))[0].as_py()
        return self._ids[block][row].as_py(), text[:MAX_CHARS]


def _toml(value: Any) -> str:
    """A setting as TOML: JSON's strings, numbers and lists are TOML's, tables are not."""
    from dedup.report.visible import json_line

    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json_line(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    return json_line(value)
