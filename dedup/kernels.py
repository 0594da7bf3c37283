"""Whether this machine has compiled the kernels yet, and the posts to compile them with."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from dedup.outputs import package_version
from dedup.text.tables import cache_folder

_SAID = "The third kiln shelf cracked again last night, right along the line that we had glued in March."
_MORE = "Mine held for six years, but then I never fire above cone six, and I let it cool for two days."
_POSTS = [
    {"id": "1", "author": "ann", "thread_id": "1", "date": "2003-01-08", "text": f"{_SAID} {_MORE}"},
    {
        "id": "2",
        "author": "bob",
        "thread_id": "1",
        "text": f"ann wrote:\n> {_SAID}\n\nSo it did, \u00c3\u00bc!",
    },
    {
        "id": "3",
        "author": "eve",
        "thread_id": "2",
        "text": f"{_SAID}  {_MORE}\r\n\r\n\r\nThat is what she said.",
        "likes": 3,
    },
    {"id": "4", "author": "eve", "thread_id": "2", "text": "+1"},
    {"id": "5", "author": "eve", "thread_id": "2", "text": "+1"},
    *(
        {"id": thread, "author": "cid", "thread_id": thread, "text": f"{word} it.\n\n-- \nStill firing, cid"}
        for thread, word in (("6", "Sold"), ("7", "Kept"), ("8", "Cut"))
    ),
]


def are_compiled() -> bool:
    """Whether a run on this machine has compiled the kernels of this version."""
    return _mark().exists()


def remember() -> None:
    """Note that it has. Compiled code lies in numba's own cache; the note only says so."""
    with suppress(OSError):  # compiling once too often does no harm
        _mark().parent.mkdir(parents=True, exist_ok=True)
        _mark().touch()


def write_dump(folder: Path) -> Path:
    """A few posts that pass through every step."""
    dump = folder / "dump.jsonl"
    dump.write_text("\n".join(map(json.dumps, _POSTS)), encoding="utf-8")
    return dump


def _mark() -> Path:
    return cache_folder() / f"kernels-{package_version('dedup')}-{package_version('numba')}"
