"""How properties are tested, where the samples are, and outputs of them that many tests look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from dedup.config import Config
from dedup.pipeline import clean

# The same examples in every run, so that a change is judged by what it changes. New ones are looked for
# with HYPOTHESIS_PROFILE=default.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

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
