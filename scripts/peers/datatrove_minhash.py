"""Near-duplicates with datatrove's MinHash, all four stages, with its own executor.

python datatrove_minhash.py DUMP CORPUS LEVEL WORKERS
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

CONFIG = MinhashConfig(n_grams=5)  # 14 buckets of 8 hashes, its default: half are found at 0.72


def split(dump: Path, folder: Path, parts: int) -> None:
    """Cut the dump at line ends: a task takes whole files, and one file would keep one task busy."""
    folder.mkdir()
    size = dump.stat().st_size
    with dump.open("rb") as file:
        for part in range(parts):
            rest = size * (part + 1) // parts - file.tell()
            with (folder / f"{part:03d}.jsonl").open("wb") as target:
                while rest > 0 and (block := file.read(min(rest, 1 << 22))):
                    target.write(block)
                    rest -= len(block)
                target.write(file.readline())


def deduplicate(dump: Path, corpus: Path, work: Path, workers: int) -> None:
    """Sign, match in buckets, cluster, filter."""
    split(dump, work / "dump", workers)
    reader = JsonlReader(str(work / "dump"))
    steps = (
        ("sign", workers, [reader, MinhashDedupSignature(str(work / "signatures"), config=CONFIG)]),
        (
            "match",
            CONFIG.num_buckets,
            [MinhashDedupBuckets(str(work / "signatures"), str(work / "buckets"), config=CONFIG)],
        ),
        ("cluster", 1, [MinhashDedupCluster(str(work / "buckets"), str(work / "removed"), config=CONFIG)]),
        (
            "filter",
            workers,
            [
                reader,
                MinhashDedupFilter(str(work / "removed")),
                JsonlWriter(str(corpus), "${rank}.jsonl.zst", compression="zstd"),
            ],
        ),
    )
    for name, tasks, pipeline in steps:
        logs = str(work / "logs" / name)
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=workers, logging_dir=logs).run()


if __name__ == "__main__":
    dump, corpus, _, workers = sys.argv[1:]  # its writer takes no compression level
    work = Path(tempfile.mkdtemp(dir=Path(corpus).parent))
    deduplicate(Path(dump), Path(corpus), work, int(workers))
    shutil.rmtree(work)
