"""`dedup clean` on dumps of growing size: time and memory must grow with it, and no faster."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .contestants import CONTESTANTS, ROOT, Job, environment
from .measure import measure
from .rounds import Setting

SEED = 7


def grow(sizes: Sequence[int], case: str | None, setting: Setting) -> dict[str, Any]:
    """Generate a dump of each size, run once on each; as the results file keeps it.

    Raises CalledProcessError when a dump cannot be generated.
    """
    rows = []
    for posts in sizes:
        setting.say(f"{case or 'bench mix'}, {posts:,} posts: generating")
        dump = generate(posts, case, setting.work)
        setting.say(f"{case or 'bench mix'}, {posts:,} posts: running")
        rows.append({"posts": posts, **_run(dump, setting)})
    return {
        "case": case or "bench mix",
        "workers": setting.workers,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "rows": rows,
    }


def generate(posts: int, case: str | None, work: Path) -> Path:
    """The dump of so many posts; one that an earlier run left in `work` is taken as it is."""
    folder = work / f"{case or 'bench'}-{posts}"
    dump = folder / "dump.jsonl"
    if dump.is_file():
        return dump
    # under another name until it is whole: the same arguments would find half a dump
    making = work / f"{folder.name}.making"
    shutil.rmtree(making, ignore_errors=True)
    command = [sys.executable, str(ROOT / "scripts" / "generate.py"), str(making)]
    kind = ["--case", case] if case else ["--mix", "bench"]
    subprocess.run(
        [*command, "--posts", str(posts), "--seed", str(SEED), *kind], check=True, stdout=subprocess.DEVNULL
    )
    for truth in making.iterdir():
        if truth.name != dump.name:
            truth.unlink()  # not needed here, and twice as large
    making.rename(folder)
    return dump


def _run(dump: Path, setting: Setting) -> dict[str, Any]:
    out = setting.work / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    job = Job(dump, out, setting.workers, setting.level, setting.python)
    measured = measure(CONTESTANTS[0].command(job), out, environment(job), setting.limit)
    row: dict[str, Any] = {"bytes": dump.stat().st_size, **measured._asdict(), "stages": {}}
    if not measured.failure:
        facts = json.loads((out / "cleaned" / "run.json").read_text(encoding="utf-8"))
        row["stages"] = {name: took["seconds"] for name, took in facts["stages"].items()}
    shutil.rmtree(out)
    return row
