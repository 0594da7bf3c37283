"""Runs that are killed, starved and lied to: afterwards the same command ends with the same bytes.

DEDUP_FAULTS=200 tries so many kills and signals instead of a few, and prints what it counted.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA
from test_promises import fingerprint

from dedup import pipeline, stage
from dedup.config import Config
from dedup.engines.local import LocalEngine
from dedup.errors import DedupError, InputError, OutputError
from dedup.outputs import is_finished
from dedup.verification import verify
from dedup.writers.atomic import AtomicFile

if sys.platform != "linux":
    pytest.skip("signals, limits and /proc as Linux has them", allow_module_level=True)

TRIES = int(os.environ.get("DEDUP_FAULTS", "3"))
BLOCK_BYTES = 1 << 15
RUNNER = f"""
import sys
import threading
from dedup import pipeline
pipeline.BLOCK_BYTES = {BLOCK_BYTES}
from dedup.cli import main
main(sys.argv[1:])
"""
ROOT = DATA.parent
ONE = Config().with_settings({"run": {"workers": 1}})


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BLOCK_BYTES", BLOCK_BYTES)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dump")
    generator = ROOT / "scripts" / "generate.py"
    options = ["--posts", "500", "--seed", "7", "--mix", "bench"]
    subprocess.run([sys.executable, generator, folder, *options], check=True, capture_output=True)
    return folder / "dump.jsonl"


@pytest.fixture(scope="module")
def undisturbed(dump: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of all files of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    pipeline.clean([dump], out, Config().with_settings({"run": {"workers": 1}}))
    return fingerprint(out)


def start(*arguments: str | Path, env: dict[str, str] | None = None, **how: Any) -> subprocess.Popen[str]:
    """`dedup` in a group of processes of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
        **how,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and errors; no process of the run is left, and no traceback was shown."""
    _, errors = process.communicate(timeout=120)
    give_up = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < give_up:
            os.killpg(process.pid, 0)
            time.sleep(0.05)
    assert "Traceback" not in errors
    return process.returncode, errors


def begun(process: subprocess.Popen[str], out: Path) -> None:
    """Wait until the run has said what it is to do."""
    while process.poll() is None and not (out / ".dedup" / "run-started.json").exists():
        time.sleep(0.01)


def command(dump: Path, out: Path) -> list[str | Path]:
    return ["clean", dump, "-o", out, "--workers", "2", "-q"]


def go_on(dump: Path, out: Path) -> None:
    """Give the command again. A run can be stopped when all is done but to tidy up."""
    if is_finished(out):
        with pytest.raises(OutputError, match="finished"):
            pipeline.clean([dump], out, ONE)
    else:
        pipeline.clean([dump], out, ONE)


def resume_and_check(dump: Path, out: Path, undisturbed: dict[str, str]) -> None:
    for path in out.glob("*/part-*"):  # whatever has its final name is complete
        name = path.relative_to(out).as_posix()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == undisturbed[name]
    go_on(dump, out)
    assert fingerprint(out) == undisturbed
    assert verify(out).problems == []


def test_killed_at_any_moment(dump: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    moments, found, whole = random.Random(1), Counter[str](), 4.0
    for number in range(TRIES):
        out = tmp_path / f"killed-{number}"
        for _ in range(1 + number % 3):  # some runs are killed again when they go on
            process = start(*command(dump, out))
            if number % 4:  # most moments while it works, and not while it loads
                begun(process, out)
            began = time.monotonic()
            try:
                process.wait(moments.uniform(0, 1) * whole)
                whole = max(0.5, time.monotonic() - began)  # so long it takes here
            except subprocess.TimeoutExpired:
                process.kill()
            end(process)
            work = {path.name.partition("-")[0] for path in (out / ".dedup").glob("*")}
            found["finished" if is_finished(out) else ", ".join(sorted(work)) or "nothing yet"] += 1
            if is_finished(out):
                break
        resume_and_check(dump, out, undisturbed)
        shutil.rmtree(out)
    print(f"\nSIGKILL, what was there afterwards: {dict(found)}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal(
    number: signal.Signals, code: int, dump: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    moments, codes = random.Random(number), Counter[int]()
    for attempt in range(max(1, TRIES // 4)):
        out = tmp_path / f"out-{attempt}"
        process = start(*command(dump, out))
        begun(process, out)
        time.sleep(moments.uniform(0, 1))
        # Ctrl-C goes to all processes of a terminal, `kill` to the one it names
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        found, errors = end(process)
        codes[found] += 1
        if found != 0:
            assert found == code
            assert "The same command goes on" in errors
        resume_and_check(dump, out, undisturbed)
    print(f"\n{number.name}, exit codes: {dict(codes)}")


def _die_while_answering(size: int) -> bytes:
    threading.Thread(target=lambda: (time.sleep(0.05), os._exit(9)), daemon=True).start()
    return bytes(size)


def test_a_worker_dies_in_the_midst_of_its_answer() -> None:
    """Nobody waits for the rest of it; the other workers do what they were asked to."""
    with LocalEngine(2) as engine:
        assert list(engine.map_batches(abs, [-1, -2, -3])) == [1, 2, 3]
        with pytest.raises(DedupError, match="ended from outside"):
            list(engine.map_batches(_die_while_answering, [1 << 28, 1 << 28]))


def test_exceptions_of_workers_say_where_they_come_from() -> None:
    with LocalEngine(2) as engine, pytest.raises(TypeError) as caught:
        list(engine.map_batches(abs, [-1, "two", -3]))
    assert "In a worker process" in caught.value.__notes__[0]


def test_a_worker_is_killed(dump: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(*command(dump, out))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (workers := children.read_text().split()):
        time.sleep(0.005)
    os.kill(int(workers[0]), signal.SIGKILL)
    code, errors = end(process)
    assert code == 4 and "a worker process was ended from outside" in errors
    resume_and_check(dump, out, undisturbed)


@pytest.mark.parametrize("size", [0, 20_000, 100_000] if TRIES > 10 else [20_000])
def test_no_file_may_grow_over_a_limit(
    size: int, dump: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    limit = (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    process = start(*command(dump, out), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    code, errors = end(process)
    assert code == 4 and "File too large" in errors
    assert errors.count("\n") == 1
    resume_and_check(dump, out, undisturbed)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A disk of its own; gives what changes its options."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    try:
        yield lambda how: subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True) and None
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("size", ["64k", "700k", "1500k"] if TRIES > 10 else ["700k"])
def test_the_disk_is_full(size: str, dump: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64m") as remount:
        out = tmp_path / "disk" / "out"
        process = start(*command(dump, out))
        while not (out / ".dedup").exists() and process.poll() is None:
            time.sleep(0.001)  # a disk that is too small from the start is refused
        remount(f"size={size}")
        code, errors = end(process)
        assert code == 4 and "No space left on device" in errors
        remount("size=64m")
        resume_and_check(dump, out, undisturbed)


def test_the_output_is_read_only(dump: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64m") as remount:
        out = tmp_path / "disk" / "out"
        remount("ro")
        with pytest.raises(OutputError, match=r"cannot be written \(Read-only file system\)"):
            pipeline.clean([dump], out, ONE)
        remount("rw")
        resume_and_check(dump, out, undisturbed)
        remount("ro")
        assert verify(out).problems == []


def test_there_is_no_room_for_temporary_files(
    dump: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "4k"):
        (tmp_path / "disk" / "full").write_bytes(b"1" * 4096)
        process = start(*command(dump, tmp_path / "out"), env={"TMPDIR": str(tmp_path / "disk")})
        assert end(process)[0] == 0
    assert fingerprint(tmp_path / "out") == undisturbed


# inside one process: faults at chosen places


def write_places() -> list[tuple[Any, str]]:
    """Where files are written, named and made durable."""
    return [
        (AtomicFile, "__init__"),
        (AtomicFile, "write"),
        (AtomicFile, "commit"),
        (stage, "_write"),
        (np, "save"),
        (Path, "rename"),
        (Path, "replace"),
        (os, "fsync"),
    ]


def failing_at(number: int, patch: pytest.MonkeyPatch) -> Counter[str]:
    """Make the write of this number fail, counted over all places; what was called is counted."""
    calls, called = count(), Counter[str]()

    def failing(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            called[name] += 1
            if next(calls) == number:
                raise OSError(28, "No space left on device")
            return function(*arguments, **named)

        return call

    for home, name in write_places():
        patch.setattr(home, name, failing(getattr(home, name), name))
    return called


def test_a_write_fails(dump: Path, undisturbed: dict[str, str], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        called = failing_at(-1, patch)
        pipeline.clean([dump], tmp_path / "counted", ONE)
    writes = called.total()
    numbers = range(writes) if writes <= TRIES else random.Random(2).sample(range(writes), TRIES + 2)
    for number in numbers:
        out = tmp_path / f"out-{number}"
        with pytest.MonkeyPatch.context() as patch:
            failing_at(number, patch)
            with pytest.raises((DedupError, OSError), match="No space left"):
                pipeline.clean([dump], out, ONE)
        go_on(dump, out)
        assert fingerprint(out) == undisturbed
        shutil.rmtree(out)
    print(f"\nwrite errors: {len(numbers)} of {writes} places, {dict(called)}")


@pytest.mark.parametrize("what", ["grows", "shrinks", "is written anew", "vanishes", "is replaced"])
def test_an_input_does_not_stay_what_it_was(
    what: str, dump: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, out = Path(shutil.copy2(dump, tmp_path / "dump.jsonl")), tmp_path / "out"
    before = here.stat()

    def disturb() -> None:
        content = here.read_bytes()
        if what == "vanishes":
            here.unlink()
        elif what == "is replaced":
            (tmp_path / "new").write_bytes(content.replace(b"the", b"The"))
            (tmp_path / "new").replace(here)
        else:
            here.write_bytes(
                {"grows": content * 2, "shrinks": content[: len(content) // 2]}.get(what, content)
            )

    def disturbed(*arguments: Any) -> Iterator[Any]:
        for number, block in enumerate(read_blocks(*arguments)):
            if number == 1:
                disturb()
            yield block

    read_blocks = pipeline.read_blocks
    monkeypatch.setattr(pipeline, "read_blocks", disturbed)
    with pytest.raises(InputError, match="changed or vanished"):
        pipeline.clean([here], out, ONE)
    monkeypatch.setattr(pipeline, "read_blocks", read_blocks)
    if what != "vanishes":
        with pytest.raises(OutputError, match="was changed since"):
            pipeline.clean([here], out, ONE)
    shutil.copy2(dump, here)
    os.utime(here, ns=(before.st_atime_ns, before.st_mtime_ns))
    pipeline.clean([here], out, ONE)
    names = [name for name in undisturbed if name.startswith("corpus")]
    assert len(fingerprint(out)) == len(undisturbed) and names
    assert verify(out).problems == []


def test_the_clock_jumps(
    dump: Path, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = random.Random(3)
    monkeypatch.setattr(time, "time", lambda: jumps.uniform(0, 4e9))
    pipeline.clean([dump], tmp_path / "out", ONE)
    assert fingerprint(tmp_path / "out") == undisturbed
