"""A real Spark cluster on loopback: one master and two workers of one core, ended by their process ids."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from dedup.engines.session import check_java
from dedup.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
SMALL_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss512k"
SECONDS = 90
ROWS = pa.schema([("key", pa.int64()), ("thread", pa.int64())])
CONF = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": SMALL_JAVA,
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    "spark.executor.extraJavaOptions": SMALL_JAVA,
    "spark.shuffle.service.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
}
ENVIRONMENT = {
    "PYSPARK_PYTHON": sys.executable,
    "PYTHONPATH": os.pathsep.join(
        filter(None, [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    ),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_DAEMON_MEMORY": "200m",
    "SPARK_DAEMON_JAVA_OPTS": SMALL_JAVA,
    "SPARK_NO_DAEMONIZE": "1",
}


def need_spark() -> None:
    """Skip the module where PySpark or Java is missing, but not where DEDUP_SPARK=required."""
    try:
        import pandas  # noqa: F401 - mapInArrow asks for it
        import pyspark  # noqa: F401

        check_java()
    except (ImportError, ConfigError) as error:
        if os.environ.get("DEDUP_SPARK") == "required":
            raise
        pytest.skip(f"no Spark here: {error}", allow_module_level=True)


class Cluster:
    """Its URL, and the processes of its workers."""

    def __init__(self, folder: Path, memory: str) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        host = ["--host", "127.0.0.1", "--webui-port", "0"]
        master = self._start("master.Master", *host, "--port", "0")
        self.url = self._wait(master, r"Starting Spark master at (spark://\S+)")
        for _ in range(2):  # who waits for executors waits for these
            room = ["--cores", "1", "--memory", memory, "--work-dir", folder]
            self._start("worker.Worker", *host, *room, self.url)

    def executors(self) -> list[int]:
        """The processes that do the work."""
        parents = {process.pid for process in self._processes[1:]}
        found = []
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                parent = re.search(r"^PPid:\t(\d+)$", status.read_text(), re.MULTILINE)
                command = (status.parent / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if parent and int(parent[1]) in parents and b"CoarseGrainedExecutorBackend" in command:
                found.append(int(status.parent.name))
        return found

    def end(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str, *arguments: str | Path) -> Path:
        import pyspark

        log = self._folder / f"{len(self._processes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    Path(pyspark.__file__).parent / "bin" / "spark-class",
                    f"org.apache.spark.deploy.{name}",
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | ENVIRONMENT,
                start_new_session=True,
            )
        self._processes.append(process)
        return log

    def _wait(self, log: Path, pattern: str) -> str:
        give_up = time.monotonic() + SECONDS
        while time.monotonic() < give_up:
            if found := re.search(pattern, log.read_text("utf-8", "replace")):
                return found[1]
            time.sleep(0.1)
        self.end()
        raise AssertionError(f"no {pattern} in:\n{log.read_text('utf-8', 'replace')}")


@contextmanager
def cluster(folder: Path, memory: str = "600m") -> Iterator[Cluster]:
    """A cluster that lives as long as the context; memory: of each worker's executors."""
    started = Cluster(folder, memory)
    try:
        yield started
    finally:
        started.end()


def kill(process: int) -> None:
    """As a machine that goes away."""
    os.kill(process, signal.SIGKILL)


def as_rows(pairs: list[tuple[int, int]]) -> pa.RecordBatch:
    """A step: pairs as rows. It stands here because workers must find it."""
    keys, threads = zip(*pairs, strict=True)
    return pa.record_batch([list(keys), list(threads)], schema=ROWS)
