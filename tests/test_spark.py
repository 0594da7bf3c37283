"""Both engines give the same bytes, on a real cluster, whoever dies; and who has no cluster is told so."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from conftest import DATA
from spark_cluster import CONF, ENVIRONMENT, ROOT, Cluster, as_rows, cluster, kill, need_spark
from test_promises import fingerprint

from dedup import pipeline, scratch
from dedup.config import Config
from dedup.engines import spark
from dedup.engines.spark import on_spark
from dedup.errors import ConfigError, OutputError
from dedup.parts import Repeated

if sys.platform != "linux":
    pytest.skip("processes and /proc as Linux has them", allow_module_level=True)
need_spark()

BLOCK_BYTES = 1 << 15
"""So that small dumps are many tasks, and their arrays lie in files."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BLOCK_BYTES", BLOCK_BYTES)
    monkeypatch.setattr(scratch, "_SHARED_BYTES", 1 << 7)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def session(workers: Cluster) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        ours = SparkSession.builder.master(workers.url).config(map=CONF).getOrCreate()
        yield ours
        ours.stop()


def generated(folder: Path, *options: str) -> Path:
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate.py", folder, *options], check=True, capture_output=True
    )
    return folder / "dump.jsonl"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(tmp_path_factory.mktemp("board"), "--posts", "400", "--seed", "8")


def run_both(
    session: Any, folder: Path, paths: list[Path], settings: dict[str, Any] | None = None, **how: Any
) -> None:
    """Clean with both engines, and compare every byte."""
    config = Config().with_settings({**(settings or {}), "run": {"workers": 1}})
    pipeline.clean(paths, folder / "local", config, **how)
    pipeline.clean(paths, folder / "spark", config, engine=on_spark(session), **how)
    assert fingerprint(folder / "spark") == fingerprint(folder / "local")
    assert not (folder / "spark" / ".dedup").exists()


# -- six dumps that pass through every step


def test_a_forum_and_a_thread(session: Any, tmp_path: Path) -> None:
    run_both(session, tmp_path, [DATA / "forum.jsonl", DATA / "thread.txt"])


def test_a_generated_board(session: Any, board: Path, tmp_path: Path) -> None:
    run_both(session, tmp_path, [board], {"decide": {"keep": "longest", "quotes": "mark", "code": "remove"}})


def test_copies_into_parquet(session: Any, tmp_path: Path) -> None:
    dump = generated(tmp_path / "dump", "--posts", "400", "--seed", "9", "--mix", "bench")
    run_both(session, tmp_path, [dump], {"write": {"output_format": "parquet", "shard_posts": 150}})


def test_a_thread_that_everybody_is_in(session: Any, tmp_path: Path) -> None:
    dump = generated(tmp_path / "dump", "--posts", "400", "--case", "hot-thread")
    run_both(session, tmp_path, [dump], {"write": {"output_format": "text"}})


def test_pages_and_mail_and_what_cannot_be_read(session: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    lines = [
        json.dumps({"id": "1", "text": "a lone \ud800 surrogate\u00a0\u00a0 here"}),
        "{no",
        "",
        '{"text": 3}',
    ]
    broken.write_bytes("\n".join(lines).encode() + b'\n{"text": "na\xefve \xe2\x80\x99 bytes"}\n')
    run_both(session, tmp_path, [DATA / "pages", DATA / "list.mbox", broken], {"read": {"redact": "email"}})


def test_against_what_was_there_before(
    session: Any, tmp_path: Path, forum_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(forum_out.parent)  # which is not where the workers are
    dump = generated(tmp_path / "dump", "--posts", "200", "--case", "identical")
    before = {"against": [forum_out.name], "reference": [DATA / "thread.txt"]}
    run_both(session, tmp_path, [dump, DATA / "forum.jsonl"], **before)


def test_files_at_addresses_are_read_by_the_tasks_and_outputs_go_there(
    session: Any, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "dumps").mkdir()
    lines = board.read_bytes().splitlines(keepends=True)
    for number in range(5):
        part = b"".join(lines[number::5]) + b"{no\n" * number
        (folder / f"{number} [*].jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(part))
    shutil.copy(DATA / "list.mbox", folder)

    def local(*_: Any) -> Any:
        raise AssertionError("read by the driver")

    addresses = [f"file://{folder}/*.zst", f"file://{folder}/list.mbox"]
    pipeline.clean(addresses, tmp_path / "local", Config().with_settings({"run": {"workers": 1}}))
    monkeypatch.setattr(pipeline, "group_blocks", local)
    to = f"file://{tmp_path}/spark"
    pipeline.clean(addresses, to, work=tmp_path / "work", engine=on_spark(session))
    assert fingerprint(tmp_path / "spark") == fingerprint(tmp_path / "local")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_dump_without_posts(session: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text("{no\n", "utf-8")
    run_both(session, tmp_path, [tmp_path / "broken.jsonl"])


# -- joins


def test_rows_that_repeat_come_back_from_any_folder(session: Any, tmp_path: Path) -> None:
    (folder := tmp_path / "of [ours] {*}\\ %20 \u00e9?").mkdir()
    random = Random(1)
    parts = [
        [(random.choice([-(1 << 63), -7, *range(30)]), random.randrange(6)) for _ in range(9)]
        for _ in range(7)
    ]
    everything = [pair for part in parts for pair in part]
    for most in (3, None):
        threads = {key: {thread for k, thread in everything if k == key} for key, _ in everything}
        right = sorted(pair for pair in everything if 2 <= len(threads[pair[0]]) <= (most or len(everything)))
        assert 0 < len(right) < len(everything)
        with spark.SparkEngine(session, folder) as engine:
            batches = list(engine.map_rows(as_rows, parts, Repeated(["key"], "thread", most)))
        found = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
        assert sorted(found) == right
    assert list(folder.iterdir()) == []


# -- what goes wrong


class WhenStageAdvances:
    """A `Progress` that does something when each of some stages has come so far as to have a first result."""

    def __init__(self, stages: set[str], do: Callable[[], None]) -> None:
        self._stages, self._do = stages, do

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Any]:
        self._under_way = name
        yield self

    def note(self, message: str) -> None:
        pass

    def advance(self, n: int) -> None:
        if self._under_way in self._stages:
            self._stages.discard(self._under_way)
            self._do()


def test_an_executor_is_killed_in_the_middle(
    session: Any, workers: Cluster, board: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        killed.append(min(workers.executors()))
        kill(killed[-1])

    pipeline.clean([board], tmp_path / "local", Config().with_settings({"run": {"workers": 1}}))
    stages = WhenStageAdvances({"read"}, kill_one)
    pipeline.clean([board], tmp_path / "spark", engine=on_spark(session), progress=stages)
    assert len(killed) == 1 and killed[0] not in workers.executors()
    assert fingerprint(tmp_path / "spark") == fingerprint(tmp_path / "local")


def test_workers_with_other_versions(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = spark.environment()
    monkeypatch.setattr(spark, "environment", lambda: here | {"ftfy": "5.0"})
    with pytest.raises(ConfigError, match=r"ftfy \S+ instead of 5\.0"):
        pipeline.clean([DATA / "forum.jsonl"], tmp_path / "out", engine=on_spark(session))


def test_workers_that_do_not_see_the_work_folder(session: Any, tmp_path: Path) -> None:
    with spark.SparkEngine(session, tmp_path) as engine:
        shutil.rmtree(engine._folder)
        engine._folder.mkdir()

        def items() -> Iterator[int]:
            yield 1
            for path in engine._folder.iterdir():
                path.unlink()

        with pytest.raises(OutputError, match="driver and all workers see"):
            list(engine.map_batches(spark._answer, items()))


def fail(number: int) -> int:
    if number == 1:
        raise OutputError("cannot be written (no space).", where="out", hint="Is the disk full?")
    return 1 // number


def test_errors_of_tasks_come_back_as_they_are(session: Any, tmp_path: Path) -> None:
    with spark.SparkEngine(session, tmp_path) as engine:
        with pytest.raises(OutputError, match=r"out: cannot be written \(no space\)\. Is the disk full"):
            list(engine.map_batches(fail, [2, 1]))
        with pytest.raises(RuntimeError, match="ZeroDivisionError") as caught:
            list(engine.map_batches(fail, [0]))
        assert "in fail" in caught.value.__notes__[0]
        assert list(engine.map_batches(fail, range(2, 9))) == [0] * 7  # and it goes on


def test_workers_without_our_modules(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("def step(number: int) -> int:\n    return number\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    step = importlib.import_module("only_here").step
    with (
        spark.SparkEngine(session, tmp_path) as engine,
        pytest.raises(ConfigError, match="workers has no module only_here"),
    ):
        list(engine.map_batches(step, [1]))


def processes_of(session_id: int) -> list[bytes]:
    """The command lines of what still runs of a session of processes."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session_id and fields[0] != "Z":
            found.append(command)
    return found


def start_command(out: Path) -> subprocess.Popen[str]:
    """`dedup clean --engine spark` on this machine, in a session of processes of its own."""
    conf = [f"--conf={name}={value}" for name, value in CONF.items() if name.startswith("spark.driver")]
    where = ["--engine", "spark", "--master", "local[2]", *conf]
    return subprocess.Popen(
        [sys.executable, "-m", "dedup", "clean", DATA / "forum.jsonl", "-o", out, *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | ENVIRONMENT,
    )


def nothing_runs_of(process: subprocess.Popen[str]) -> bool:
    """Whether all processes of its session end soon."""
    give_up = time.monotonic() + 20
    while processes_of(process.pid) and time.monotonic() < give_up:
        time.sleep(0.05)
    return not processes_of(process.pid)


def test_the_command_line(tmp_path: Path, forum_out: Path) -> None:
    process = start_command(tmp_path / "out")
    summary, complaint = process.communicate(timeout=150)
    assert (process.returncode, complaint) == (0, "")
    assert "posts" in summary
    assert fingerprint(tmp_path / "out") == fingerprint(forum_out)
    assert nothing_runs_of(process)


@pytest.mark.parametrize(
    ("number", "code", "there"), [(signal.SIGINT, 130, b"bin/java"), (signal.SIGTERM, 143, b"pyspark.daemon")]
)
def test_a_signal_leaves_no_process_behind(number: int, code: int, there: bytes, tmp_path: Path) -> None:
    process = start_command(tmp_path / "out")
    give_up = time.monotonic() + 90
    while not any(there in command for command in processes_of(process.pid)):
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.05)
    os.killpg(process.pid, number)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == code, complaint
    assert "Traceback" not in complaint and complaint.count("\n") == 1
    assert nothing_runs_of(process)
