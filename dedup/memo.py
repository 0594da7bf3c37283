"""Work that a killed run need not do again: folders of the work folder that hold a result each.

A folder is named after all that its content depends on, and has its name only when it is complete; what
it holds is checked before it is used again. So whatever a crash left behind, the worst is lost time.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import xxhash

from dedup.writers.atomic import disk_errors

_DONE = "done.json"
_FORMAT = 2  # raise when what is kept changes: a run of an older version is then begun anew
UNFINISHED = "unfinished-"
"""Beginning of the names of folders that are not complete."""


def name_of(kind: str, *content: Any) -> str:
    """The name of a result that depends on this content alone."""
    return f"{kind}-{xxhash.xxh3_128_hexdigest(msgspec.msgpack.encode((_FORMAT, *content)))}"


def keep(folder: Path, fill: Callable[[Path], None]) -> None:
    """Have `fill` write a result into a new folder, and give it its name when it is complete.

    Raises OutputError when the disk refuses.
    """
    with disk_errors(folder):
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
        try:
            fill(unfinished)
            sums = {path.name: _sum(path) for path in sorted(unfinished.iterdir())}
            (unfinished / _DONE).write_text(json.dumps(sums), encoding="utf-8")
            unfinished.rename(folder)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not is_kept(folder):  # another worker may have been quicker with the same
                raise


def is_kept(folder: Path) -> bool:
    """Whether a result is there, complete and undamaged; a damaged one is taken away."""
    if not folder.is_dir():
        return False
    with suppress(OSError, ValueError, AttributeError, RecursionError):
        sums = json.loads((folder / _DONE).read_bytes())
        if all(_sum(folder / name) == known for name, known in sums.items()):
            return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _sum(path: Path) -> str:
    with pa.memory_map(str(path)) as file:
        return xxhash.xxh3_128_hexdigest(file.read_buffer())
