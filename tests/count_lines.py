"""How many lines of `dedup` are executed for a dump, kernels included: a cost without a clock.

    python tests/count_lines.py [--in quotes,match] DUMP...

Prints a JSON list, for each dump a dictionary from the step (a folder or file of `dedup`) to the lines
executed in it. The kernels run as plain Python here, with the same results, so dumps must be small.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

os.environ["NUMBA_DISABLE_JIT"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dedup.claim import claim
from dedup.config import Config
from dedup.kernels import write_dump
from dedup.pipeline import Clock, run
from dedup.progress import Silent
from dedup.text import eights

PACKAGE = Path(__file__).resolve().parents[1] / "dedup"
CONFIG = Config().with_settings({"run": {"workers": 1}})


def count_lines(dump: Path, steps: set[str]) -> dict[str, int]:
    """Lines executed by step; in all steps when none is named."""
    counts: Counter[str] = Counter()
    step_of: dict[str, str] = {}

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        if file not in step_of:
            step_of[file] = _step(Path(file))
        step = step_of[file]
        if not step or (steps and step not in steps):
            return None

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                counts[step] += 1
            return line

        return line

    sys.settrace(enter)
    try:
        clean(dump)
    finally:
        sys.settrace(None)
    return dict(counts)


def clean(dump: Path) -> None:
    """As `pipeline.clean`, which would note on this machine that the kernels are compiled."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        with claim(out) as claimed:
            run([dump], out, CONFIG, Clock(Silent()), claimed)


def replace_intrinsics() -> None:
    """Plain Python for what is written in machine code, and so has no lines."""
    eights.load = lambda data, at: np.uint64(struct.unpack_from("<Q", data, at)[0])
    eights.store = lambda data, at, word: struct.pack_into("<Q", data, at, word)
    eights.first = lambda mask: ((int(mask) & -int(mask)).bit_length() - 1) // 8


def _step(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py") if PACKAGE in file.parents else ""


if __name__ == "__main__":
    arguments = sys.argv[1:]
    steps = set(arguments[1].split(",")) if arguments[0] == "--in" else set()
    replace_intrinsics()
    warnings.simplefilter("ignore", RuntimeWarning)  # hashes overflow on purpose
    with tempfile.TemporaryDirectory() as folder:
        clean(write_dump(Path(folder)))  # what is loaded once in a process is no cost of a dump
    print(json.dumps([count_lines(Path(dump), steps) for dump in arguments[2 if steps else 0 :]]))
