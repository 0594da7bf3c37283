"""Large arrays lie in files that leave nothing behind, and hold what was put into them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dedup.config import Run
from dedup.errors import OutputError
from dedup.readers.sources import Source
from dedup.scratch import Scratch, check_room, memory_for


def test_small_arrays_stay_in_memory(tmp_path: Path) -> None:
    array = Scratch(tmp_path, 1 << 20).zeros((4, 8), np.uint64)
    assert array.shape == (4, 8) and array.flags.owndata and not array.any()


def test_large_arrays_keep_their_content_and_leave_no_file(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, 1 << 20)
    array = scratch.zeros((5, 20_000), np.int64)
    assert not any(tmp_path.iterdir())
    array[:] = np.arange(100_000).reshape(5, 20_000)
    scratch.let_go()
    assert array[4, -1] == 99_999 and int(array.sum()) == 99_999 * 50_000


def test_what_others_see_has_a_name_as_long_as_it_lives(tmp_path: Path) -> None:
    (shared := tmp_path / "shared").mkdir()
    scratch = Scratch(tmp_path, 1 << 20, shared)
    array = scratch.copy(np.arange(1 << 16))
    part = array[-9:]
    assert scratch.zeros(9, np.int64).flags.owndata
    assert scratch.copy(part) is part
    assert [path.stat().st_size for path in shared.iterdir()] == [8 << 16]
    scratch.let_go()
    del array
    assert part.tolist() == [*range((1 << 16) - 9, 1 << 16)]
    del part
    assert not any(shared.iterdir())


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="only Linux tells what of a process is files"
)
@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system promises no room on a disk")
def test_a_disk_that_has_no_room_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="No space left"):
        Scratch(tmp_path, 1 << 20).zeros(1 << 20, np.uint64)
    assert not list(tmp_path.iterdir())


def test_what_was_touched_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(Scratch, "let_go", lambda self: let_go.set())
    scratch = Scratch(tmp_path, 1 << 20)
    array = scratch.zeros(1 << 22, np.uint8)
    time.sleep(0.2)  # until the watching has begun
    array[:] = 1
    assert let_go.wait(10)


def test_the_memory_a_run_may_take() -> None:
    assert memory_for(Run(), 0, 2) == 1 << 30
    assert memory_for(Run(), 10 << 30, 4) == (2 << 30) + (400 << 20)
    assert memory_for(Run(memory_mb=700), 10 << 30, 4) == 700 << 20


def test_a_disk_that_is_too_small_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(b"x" * 1_000_000)
    check_room(tmp_path, [Source(str(dump)), Source("-")])

    def nearly_full(folder: Any) -> Any:
        return shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)  # type: ignore[attr-defined]

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(OutputError, match="MB free"):
        check_room(tmp_path, [Source(str(dump))])
