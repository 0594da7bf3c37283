"""Who runs, and with which command. Each reads the same JSON lines and writes its corpus to disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .peers import PEERS

ROOT = Path(__file__).resolve().parents[2]
DEDUP = [sys.executable, "-m", "dedup"]


class Job(NamedTuple):
    """One run: what to read, where to write, and how."""

    dump: Path
    out: Path
    """A folder that is there and empty; the corpus goes to `out/corpus`."""
    workers: int
    level: int
    """zstd level of the corpus, where a contestant lets it be chosen."""
    python: Path
    """The peers' Python, where they have one."""

    @property
    def corpus(self) -> Path:
        return self.out / "corpus"


class Contestant(NamedTuple):
    """Somebody who runs."""

    name: str
    title: str
    needs: tuple[str, ...]
    """Packages of the peers' environment."""
    command: Callable[[Job], list[str]]
    floor: bool = False
    """It only reads and writes."""


def _dedup(job: Job) -> list[str]:
    out = str(job.out / "cleaned")
    return [*DEDUP, "clean", str(job.dump), "--output", out, "--workers", str(job.workers), "--quiet"]


def _text_dedup(job: Job) -> list[str]:
    settings = {
        "path": "json",
        "data_files": job.dump,
        "split": "train",
        "cache_dir": job.out / "cache",
        "output": job.corpus,
        "column": "text",
        "ngram": 5,
        "num_perm": 128,
        "threshold": 0.7,
        "num_proc": job.workers,
    }
    flags = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    return [str(job.python), "-m", "text_dedup.minhash", *flags]


def _script(name: str, *, own: bool = False, workers: bool = False) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        python = sys.executable if own else str(job.python)
        more = [str(job.workers)] if workers else []
        return [python, str(PEERS / name), str(job.dump), str(job.corpus), str(job.level), *more]

    return command


CONTESTANTS = (
    Contestant("dedup", "dedup clean", (), _dedup),
    Contestant("text-dedup", "text-dedup, MinHash", ("text-dedup",), _text_dedup),
    Contestant(
        "datatrove",
        "datatrove, MinHash",
        ("datatrove", "spacy", "orjson"),
        _script("datatrove_minhash.py", workers=True),
    ),
    Contestant("rensa", "rensa script", ("rensa", "orjson"), _script("rensa_lsh.py")),
    Contestant("datasketch", "datasketch script", ("datasketch", "orjson"), _script("datasketch_lsh.py")),
    Contestant(
        "floor", "read and write: pyarrow, to Parquet", (), _script("floor_arrow.py", own=True), floor=True
    ),
    Contestant(
        "floor-orjson",
        "read and write: orjson, one core",
        ("orjson", "zstandard"),
        _script("floor_orjson.py"),
        floor=True,
    ),
)


def corpus_of(contestant: Contestant, job: Job) -> Path:
    """Where its corpus is after a run."""
    return job.out / "cleaned" / "corpus" if contestant.name == "dedup" else job.corpus


def environment(job: Job) -> dict[str, str]:
    """For all alike: nothing comes from the net, or stays for the next run but compiled kernels."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(job.out / "huggingface")}
    return os.environ | offline | {"PYTHONPATH": str(ROOT)}
