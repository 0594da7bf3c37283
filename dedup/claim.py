"""Who may write an output folder: one run at a time, and only what it began itself or was told to replace.

OUT/.dedup/ is there while a run is under way, and after it was killed. `run-started.json` in it says what
the run was to do, so that the same command goes on with it; `lock` is held by the run, and let go of by
the system however the run ends.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from dedup import memo
from dedup.config import Config
from dedup.errors import InputError, OutputError
from dedup.outputs import (
    FORMAT,
    MANIFEST,
    OURS,
    RUN_FACTS,
    finished_before,
    is_finished,
    load_manifest,
    versions,
)
from dedup.readers import stores
from dedup.readers.sources import STANDARD_INPUT
from dedup.writers.atomic import WORK_FOLDER, sync_folder

_MARKER, _LOCK = "run-started.json", "lock"
_PASSING = re.compile(rf"tmp|scratch-.*|{memo.UNFINISHED}.*")
"""What no later run has a use for."""
_PATIENCE_SECONDS = 3.0
"""So long the workers of a run that was killed have to notice it."""


class Claim:
    """The right to write an output folder; as a context manager it is given back at the end.

    resumed: whether the folder holds the beginning of the same run.
    """

    def __init__(self, lock: BinaryIO | None, marker: dict[str, Any], resumed: bool) -> None:
        self.resumed = resumed
        self._lock = lock
        self._inputs: list[dict[str, Any]] = marker["inputs"]

    def check_inputs(self) -> None:
        """Raises InputError when an input is not what it was when the run began."""
        for given in self._inputs:
            if _look_at(given["path"]) != given:
                raise InputError(
                    "changed or vanished while it was read.",
                    where=given["path"],
                    hint="Put it back and give the same command again, or start over with --force.",
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()


def claim(
    out: Path,
    *,
    force: bool = False,
    inputs: Iterable[str] = (),
    earlier: Iterable[str] = (),
    config: Config | None = None,
    address: str | None = None,
) -> Claim:
    """Make `out` ready for a run over these inputs, and mark it as one that is under way.

    earlier: names of the corpora that the first of the inputs belong to. address: where the folder goes when
    it is complete.

    A folder in which the same run was stopped is resumed. With `force`, the files that an earlier run
    wrote there are deleted, and no others. Raises OutputError for a folder that must not be touched: a
    finished one, one where another run is going on or was stopped, one that holds other people's files,
    or one that an input lies in.
    """
    where, inputs = str(out), list(inputs)
    if out.exists() and not out.is_dir():
        raise OutputError("is a file, not a folder.", where=where, hint="Choose another --output.")
    _refuse_inputs_inside(out, inputs)
    finished, started = is_finished(out), (out / WORK_FOLDER).is_dir()
    if finished and not force:
        if started:
            _finish(out)
        raise finished_before(str(out))
    if out.is_dir() and any(out.iterdir()) and not (finished or started):
        raise OutputError(
            "is not empty, and not an output folder of dedup.", where=where, hint="Choose another --output."
        )
    marker = _marker(inputs, list(earlier), config or Config(), address)
    try:
        (out / WORK_FOLDER).mkdir(parents=True, exist_ok=True)
        lock = _lock(out)
        try:
            if not finished and is_finished(out):  # by a run that has just let go of the lock
                shutil.rmtree(out / WORK_FOLDER)
                raise finished_before(str(out))
            before = None if force else _read_marker(out / WORK_FOLDER)
            if before is not None:
                _refuse_another_run(out, before, marker)
            _clear(out, everything=before is None)
            if before is None:
                _write_marker(out, marker)
            return Claim(lock, marker, before is not None)
        except BaseException:
            if lock is not None:
                lock.close()
            raise
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror or error}).", where=where) from error


def _finish(out: Path) -> None:
    """Remove the work folder of a run that was stopped when nothing else was left to do."""
    with suppress(OSError, OutputError):  # somebody else is at it, or nobody may
        lock = _lock(out)
        shutil.rmtree(out / WORK_FOLDER)
        if lock is not None:
            lock.close()


def _refuse_inputs_inside(out: Path, inputs: list[str]) -> None:
    folder = out.resolve()
    for path in inputs:
        is_here = path != STANDARD_INPUT and not stores.is_address(path)
        if is_here and Path(path).resolve().is_relative_to(folder):
            raise OutputError("lies inside the output folder.", where=path, hint="Choose another --output.")


def _lock(out: Path) -> BinaryIO | None:
    """The lock of a work folder; None where the system or the disk knows no locks."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    path, give_up = out / WORK_FOLDER / _LOCK, time.monotonic() + _PATIENCE_SECONDS
    while True:
        path.parent.mkdir(exist_ok=True)
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # a run that has just finished takes the work folder away, and the file of the lock with it
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        except BlockingIOError:
            pass
        except OSError:
            file.close()
            return None
        file.close()
        if time.monotonic() > give_up:
            raise OutputError(
                "another run is going on in this folder.",
                where=str(out),
                hint="Wait for it, or choose another --output.",
            )
        time.sleep(0.1)


def _marker(inputs: list[str], earlier: list[str], config: Config, address: str | None) -> dict[str, Any]:
    """What must be the same for a run to go on with the work of another."""
    return {
        "format": FORMAT,
        "versions": versions(),
        "config": config.as_dict(),
        "earlier": earlier,
        "address": address,
        "inputs": [_look_at(path) for path in inputs],
    }


def _look_at(path: str) -> dict[str, Any]:
    """Size and time of an input; without them when it is not there, or no file to read twice."""
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if stores.is_address(path):
        entry = stores.look_at(path)
        return {"path": shown} | ({"bytes": entry.size, "mtime_ns": entry.mtime_ns} if entry else {})
    try:
        found = os.stat(path) if path != STANDARD_INPUT else None  # noqa: PTH116  a path stays a string
    except OSError:
        found = None
    if found is None:
        return {"path": shown}
    return {"path": shown, "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def _read_marker(work: Path) -> dict[str, Any] | None:
    """What the folder was begun for; None where a run was stopped before it could say."""
    try:
        found = json.loads((work / _MARKER).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _write_marker(out: Path, marker: dict[str, Any]) -> None:
    work = out / WORK_FOLDER
    unfinished = work / f"{memo.UNFINISHED}{_MARKER}"
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(marker, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(work / _MARKER)
    sync_folder(work)
    sync_folder(out)


def _refuse_another_run(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    hint = "Give the command of that run again to go on with it, or start over with --force."
    what = "holds the output of a run that was not finished, "
    if any(given.get("path") == STANDARD_INPUT for given in now["inputs"]):
        raise OutputError(
            f"{what}and standard input cannot be read a second time.",
            where=str(out),
            hint="Start over with --force.",
        )
    if differing := next(_differences(before, now), None):
        raise OutputError(f"{what}and not this one: {differing}.", where=str(out), hint=hint)


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name in ("format", "versions", "config"):
        yield from _differing(before.get(name), now[name], name)
    known = before.get("inputs")
    inputs = known if isinstance(known, list) else []
    if [given.get("path") for given in inputs] != [given["path"] for given in now["inputs"]]:
        yield "it had other inputs"
    if before.get("earlier") != now["earlier"]:
        yield "it had other --against or --reference"
    if before.get("address") != now["address"]:
        yield "it had another --output"
    for old, new in zip(inputs, now["inputs"], strict=False):
        if old != new:
            yield f"{new['path']} was changed since"


def _differing(before: Any, now: Any, name: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in {**now, **before}:
            yield from _differing(before.get(key), now.get(key), f"{name}.{key}")
    elif before != now:
        yield f"{name.removeprefix('config.')} was {json.dumps(before)} and is {json.dumps(now)}"


def _clear(out: Path, everything: bool) -> None:
    """Remove what an earlier run wrote and this one writes again; `everything`: its work, too."""
    earlier = _earlier_files(out)
    for path in (out / WORK_FOLDER).iterdir():
        if path.name != _LOCK and (everything or _PASSING.fullmatch(path.name)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in earlier:
        path.unlink(missing_ok=True)
    for folder in ("corpus", "provenance", "rejected"):
        _remove_if_empty(out / folder)


def _earlier_files(out: Path) -> list[Path]:
    """What an earlier run wrote: for a finished one what its manifest lists, else all names we give."""
    if is_finished(out):
        names = {file.path for file in load_manifest(out).outputs} | {"report.json", RUN_FACTS, MANIFEST}
    else:
        names = {path.relative_to(out).as_posix() for path in (*out.glob("*/*"), *out.glob("*"))}
    # Never through a link that leads out of the folder. The manifest goes first: without it, what is
    # left after an interruption does not look finished.
    return [
        out / name
        for name in sorted(names, key=lambda name: (name != MANIFEST, name))
        if OURS.fullmatch(name) and not (out / name).parent.is_symlink() and (out / name).is_file()
    ]


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()
