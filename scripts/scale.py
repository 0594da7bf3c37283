"""What a run costs on each engine: time, memory by role, and what Spark shuffles.

    python scripts/scale.py DUMP OUT_FOLDER --on local
    python scripts/scale.py DUMP OUT_FOLDER --on spark --master local[2]
    python scripts/scale.py DUMP OUT_FOLDER --on cluster      # a master and two workers on this machine

One JSON object goes to standard output. Linux alone: memory and CPU seconds are read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from spark_cluster import CONF, ENVIRONMENT, cluster  # noqa: E402 - where it is found stands above

from dedup import own_process  # noqa: E402
from dedup.engines.local import on_this_machine  # noqa: E402
from dedup.engines.spark import on_spark  # noqa: E402
from dedup.pipeline import clean  # noqa: E402
from dedup.progress import Silent  # noqa: E402

LOOK_SECONDS = 0.5
GLIMPSE_SECONDS = 0.05
"""So often the driver's anonymous memory is read, which costs little."""
TICKS = os.sysconf("SC_CLK_TCK")


def role_of(command: str) -> str:
    """What a process is, by its command line."""
    if "deploy.master" in command or "deploy.worker" in command:
        return "cluster"
    if "CoarseGrainedExecutorBackend" in command:
        return "executors"
    if "pyspark.daemon" in command:
        return "python workers"
    return "driver's Java" if "java" in command.split("\0")[0] else "driver"


class Driver(Silent):
    """What this process spends in each stage: CPU seconds, but for those of the watch, and the most anonymous
    memory, in MB."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.seconds: dict[str, float] = {}
        self.anonymous: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Any]:
        began = time.process_time() - self._watch.seconds
        self._watch.anonymous = 0
        with super().stage(name, total, unit) as bar:
            yield bar
        self.seconds[name] = round(time.process_time() - self._watch.seconds - began, 1)
        self.anonymous[name] = self._watch.anonymous >> 10


class Watch(threading.Thread):
    """Looks at this process and all below it: peak memory (proportional set size) and CPU seconds by role."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[str, int] = defaultdict(int)
        self._cpu: dict[int, tuple[str, float]] = {}
        self._done = threading.Event()
        self.seconds = 0.0
        """CPU seconds that looking takes."""
        self.anonymous = 0
        """The most anonymous memory of this process since it was set to 0, in KB."""

    def run(self) -> None:
        next_look = 0.0
        while not self._done.wait(GLIMPSE_SECONDS):
            status = Path("/proc/self/status").read_text()
            self.anonymous = max(self.anonymous, int(status.partition("RssAnon:")[2].split()[0]))
            if time.monotonic() >= next_look:
                self.look()
                next_look = time.monotonic() + LOOK_SECONDS
            self.seconds = time.thread_time()

    def look(self) -> None:
        now: dict[str, int] = defaultdict(int)
        parents: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        for pid in parents:
            above = pid
            while above in parents and above != os.getpid():
                above = parents[above]
            if above != os.getpid():
                continue
            folder = Path("/proc", str(pid))
            try:
                role = role_of((folder / "cmdline").read_text())
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                sizes = dict(
                    line.split(":") for line in (folder / "smaps_rollup").read_text().splitlines()[1:]
                )
            except (OSError, IndexError):
                continue
            self._cpu[pid] = role, (int(fields[11]) + int(fields[12])) / TICKS
            now[role] += int(sizes["Pss"].split()[0])
            if pid == os.getpid():
                now["driver, but files"] = int(sizes["Pss_Anon"].split()[0])
        total = sum(kilobytes for role, kilobytes in now.items() if role != "driver, but files")
        for role, kilobytes in {**now, "all": total}.items():
            self.peaks[role] = max(self.peaks[role], kilobytes >> 10)

    def end(self) -> dict[str, Any]:
        self.look()
        self._done.set()
        self.join()
        seconds: dict[str, float] = defaultdict(float)
        for role, spent in self._cpu.values():
            seconds[role] += spent
        return {
            "peak_mb": dict(self.peaks),
            "cpu_seconds": {role: round(spent, 1) for role, spent in seconds.items()},
        }


def shuffled(logs: Path) -> list[dict[str, Any]]:
    """Each stage of the event logs that shuffled: bytes and records written, bytes read."""
    stages: dict[int, dict[str, Any]] = {}
    for log in sorted(path for path in logs.rglob("*") if path.is_file()):
        for line in log.read_text("utf-8").splitlines():
            event = json.loads(line) if line.startswith('{"Event":"SparkListenerTaskEnd"') else {}
            metrics = event.get("Task Metrics") or {}
            wrote, read = metrics.get("Shuffle Write Metrics", {}), metrics.get("Shuffle Read Metrics", {})
            made = wrote.get("Shuffle Bytes Written", 0)
            taken = read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0)
            if made or taken:
                stage = stages.setdefault(
                    event["Stage ID"], {"stage": event["Stage ID"], "bytes": 0, "records": 0, "read": 0}
                )
                stage["bytes"] += made
                stage["records"] += wrote.get("Shuffle Records Written", 0)
                stage["read"] += taken
    return list(stages.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dump")
    parser.add_argument("out", type=Path)
    parser.add_argument("--on", choices=["local", "spark", "cluster"], default="local")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--memory", default="1g", help="of each JVM that works")
    parser.add_argument("--partitions", default="2", help="of what is shuffled")
    given = parser.parse_args()
    own_process.prepare()
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "events")
        logs.mkdir()
        workers = cluster(Path(folder), "1200m") if given.on == "cluster" else nullcontext()
        with workers as started:
            conf = {
                **CONF,
                "spark.driver.memory": given.memory,
                "spark.executor.memory": given.memory,
                "spark.sql.shuffle.partitions": given.partitions,
                "spark.eventLog.enabled": "true",
                "spark.eventLog.compress": "false",
                "spark.eventLog.dir": f"file://{logs}",
            }
            engine = (
                on_this_machine
                if given.on == "local"
                else on_spark(master=started.url if started else given.master, conf=conf)
            )
            watch = Watch()
            watch.start()
            began = time.perf_counter()
            spent = Driver(watch)
            summary = clean([given.dump], given.out, engine=engine, progress=spent)
            seconds = round(time.perf_counter() - began, 1)
            measured = watch.end()
        run = json.loads((given.out / "run.json").read_text("utf-8"))
        posts = summary.report["posts"]["in"]
        result = {
            "on": given.on if given.on != "spark" else given.master,
            "posts": posts,
            "seconds": seconds,
            "stages": {name: stage["seconds"] for name, stage in run["stages"].items()},
            "load": [round(load, 1) for load in os.getloadavg()],
            **measured,
            "driver_cpu_seconds": spent.seconds,
            "driver_anonymous_mb": spent.anonymous,
            "shuffles": shuffled(logs),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
