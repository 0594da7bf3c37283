"""What is asked of libraries, in a process of its own, so that the measuring process stays small.

python look.py facts           → JSON: compression level and versions
python look.py plain DUMP FILE → the dump as plain JSON lines without its labels
python look.py count FOLDER    → how many posts a corpus holds
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parents[1]
OWN_PACKAGES = ("numba", "numpy", "pyarrow", "zstandard")


def ask(*question: str) -> Any:
    """Ask in a process of its own. Raises CalledProcessError when there is no answer."""
    answer = subprocess.run([sys.executable, __file__, *question], stdout=subprocess.PIPE, check=True)
    return json.loads(answer.stdout)


def facts() -> dict[str, Any]:
    """Compression level of a corpus, and versions of what dedup runs on."""
    from dedup.config import Config

    return {
        "compression_level": Config().write.compression_level,
        "versions": {name: importlib.metadata.version(name) for name in ("dedup", *OWN_PACKAGES)},
    }


def plain(dump: Path, file: Path) -> int:
    """Write a dump, compressed or not, as plain JSON lines without its labels; gives the number of posts."""
    from boards import write_unlabelled

    return write_unlabelled(dump, file)


def count(corpus: Path) -> int:
    """How many posts the files of a corpus hold, JSON lines, Parquet or Arrow."""
    import pyarrow
    import pyarrow.parquet
    import zstandard

    posts = 0
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            posts += pyarrow.parquet.read_metadata(path).num_rows
        elif path.suffix == ".arrow":
            with pyarrow.memory_map(str(path)) as source:
                posts += sum(batch.num_rows for batch in pyarrow.ipc.open_stream(source))
        elif path.name.endswith(".jsonl.zst"):
            with path.open("rb") as source, zstandard.ZstdDecompressor().stream_reader(source) as lines:
                while block := lines.read(1 << 20):
                    posts += block.count(b"\n")
    return posts


if __name__ == "__main__":
    sys.path[:0] = [str(SCRIPTS), str(SCRIPTS.parent)]
    match sys.argv[1:]:
        case ["facts"]:
            print(json.dumps(facts()))
        case ["plain", dump, file]:
            print(plain(Path(dump), Path(file)))
        case ["count", corpus]:
            print(count(Path(corpus)))
        case _:
            sys.exit(__doc__)
