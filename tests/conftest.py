"""Where the samples are, and outputs of them that many tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from dedup.config import Config
from dedup.pipeline import clean

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="session")
def forum_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/forum.jsonl`, cleaned with default settings."""
    out = tmp_path_factory.mktemp("forum") / "out"
    clean([DATA / "forum.jsonl"], out, Config().with_settings({"run": {"workers": 1}}))
    return out


@pytest.fixture(scope="session")
def thread_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/thread.txt`, cleaned with default settings."""
    out = tmp_path_factory.mktemp("thread") / "out"
    clean([DATA / "thread.txt"], out, Config().with_settings({"run": {"workers": 1}}))
    return out
