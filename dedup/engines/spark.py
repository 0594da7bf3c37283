"""A Spark cluster: the same steps as tasks, through `mapInArrow`.

What a task works on, and what it makes, are files of the run's work folder, which all workers must see
under the same path; Spark itself carries numbers of files alone. So the driver holds nothing but what it
is at, no message is too long, and a task whose worker died is run again: it reads the same file and writes
the same one, under its name when it is complete.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import islice
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pyarrow as pa

from dedup import errors, outputs
from dedup.config import Run
from dedup.engines import wire
from dedup.engines.base import Engine, StartEngine
from dedup.engines.local import LocalEngine, in_order
from dedup.engines.session import first_line, spark_session
from dedup.errors import ConfigError, DedupError, OutputError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Item = TypeVar("Item")
Result = TypeVar("Result")

_JOBS = 2
"""Jobs under way, each with a task for every core of the cluster: one fills what the other leaves idle."""
_CHECK_SECONDS = 300
"""So long the cluster may take until its first workers have answered."""
_FAILED = pa.schema([("task", pa.int64()), ("failure", pa.binary())])


class Failure(msgspec.Struct, frozen=True):
    """An error of a task as it comes back: the name of a class, and what it says."""

    kind: str
    what: str
    where: str | None
    hint: str | None
    details: str


def on_spark(
    session: SparkSession | None = None,
    *,
    master: str | None = None,
    conf: Mapping[str, str] | None = None,
) -> StartEngine:
    """An engine for `clean`: on this session, the active one, or one that is started with these settings.

    The output folder must be on a file system that the driver and all workers see under the same path,
    and the workers need the same versions of this package and what it rests on. Raises ConfigError
    where PySpark or Java is missing, and where versions differ.
    """

    @contextmanager
    def start(work: Path, config: Run) -> Iterator[Engine]:
        if session is not None:
            with SparkEngine(session, work, config.workers) as engine:
                yield engine
        else:
            with spark_session(master, conf or {}) as ours, SparkEngine(ours, work, config.workers) as engine:
                yield engine

    return start


class SparkEngine:
    """Runs steps as tasks of a Spark session, and kernels over arrays that stay here on this machine."""

    def __init__(self, session: SparkSession, work: Path, workers: int | None = None) -> None:
        self._session, self._context = session, session.sparkContext
        self._here = LocalEngine(workers)
        self.workers = self._here.workers
        self._folder = Path(tempfile.mkdtemp(prefix="scratch-spark-", dir=work))
        self._group = self._folder.name
        self._jobs = ThreadPoolExecutor(_JOBS, "dedup-spark")
        self._expected = environment()
        self._put = 0
        """Items put into the folder so far."""

    def map_batches(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.map_batches`."""
        step = self._context.broadcast(function)
        kind = wire.result_type(function)
        try:
            for tasks in in_order(self._jobs, partial(self._run, step), self._put_all(items), _JOBS):
                for task in tasks:
                    yield wire.unpack(self._path(task, "result").read_bytes(), kind)
                    for name in ("item", "result"):
                        self._path(task, name).unlink(missing_ok=True)
        finally:
            step.unpersist()

    def map_kernels(self, function: Callable[..., Result], *items: Iterable[Any]) -> Iterator[Result]:
        """See `Engine.map_kernels`."""
        return self._here.map_kernels(function, *items)

    def check(self) -> None:
        """Raises ConfigError when workers differ from this machine, DedupError when there are none."""
        late = Event()

        def give_up() -> None:
            late.set()
            self._context.cancelJobGroup(self._group)

        timer = Timer(_CHECK_SECONDS, give_up)
        timer.daemon = True
        timer.start()
        try:
            deque(self.map_batches(_answer, range(self._cores())), maxlen=0)
        except DedupError:
            if late.is_set():
                raise DedupError(
                    f"no Spark worker answered within {_CHECK_SECONDS} seconds.",
                    where=self._context.master,
                    hint="Has the cluster free cores and the memory that --conf asks for?",
                ) from None
            raise
        finally:
            timer.cancel()

    def __enter__(self) -> SparkEngine:
        self._here.__enter__()
        self.check()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._context.cancelJobGroup(self._group)
        self._jobs.shutdown(cancel_futures=True)
        self._here.__exit__(kind, *rest)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _cores(self) -> int:
        return max(1, int(self._context.defaultParallelism))

    def _path(self, task: int, name: str) -> Path:
        return self._folder / f"{task}.{name}"

    def _put_all(self, items: Iterable[Item]) -> Iterator[range]:
        """Put items into files, for a job each time."""
        rest = iter(items)
        while True:
            first = self._put
            for item in islice(rest, self._cores()):
                self._path(self._put, "item").write_bytes(wire.pack(item))
                self._put += 1
            if self._put == first:
                return
            yield range(first, self._put)

    def _run(self, step: Any, tasks: range) -> range:
        """One job. Its result are the tasks that failed, and why."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        folder, expected = str(self._folder), self._expected

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield work_on(batch.column(0).to_pylist(), folder, step.value, expected)

        self._context.setJobGroup(self._group, "dedup", interruptOnCancel=True)
        numbers = self._session.range(tasks.start, tasks.stop, 1, len(tasks))
        try:
            rows = numbers.mapInArrow(work, "task long, failure binary").collect()
        except (PySparkException, Py4JError) as error:
            raise _explained(error) from None
        for row in rows:
            raise _raised(msgspec.msgpack.decode(bytes(row.failure), type=Failure))
        return tasks


def work_on(
    tasks: list[int], folder: str, function: Callable[[Any], Any], expected: dict[str, str]
) -> pa.RecordBatch:
    """In a worker: do the tasks; those that failed, and why."""
    failures = {}
    for task in tasks:
        try:
            _work_on_one(Path(folder, f"{task}.item"), Path(folder, f"{task}.result"), function, expected)
        except Exception as error:
            failures[task] = msgspec.msgpack.encode(_failure(error))
    return pa.record_batch([list(failures), list(failures.values())], schema=_FAILED)


def _work_on_one(item: Path, result: Path, function: Callable[[Any], Any], expected: dict[str, str]) -> None:
    found = environment()
    if found != expected:
        differ = ", ".join(
            f"{name} {found.get(name, 'unknown')} instead of {version}"
            for name, version in expected.items()
            if found.get(name) != version
        )
        raise ConfigError(
            f"versions differ from those of the driver: {differ}.",
            where=f"Spark worker on {platform.node()}",
            hint="Install the same versions everywhere.",
        )
    try:
        content = item.read_bytes()
    except OSError as error:
        raise OutputError(
            f"cannot be read by the Spark worker on {platform.node()} ({error.strerror}).",
            where=str(item.parent),
            hint="Choose an --output that the driver and all workers see under the same path.",
        ) from None
    made = wire.pack(function(wire.unpack(content, wire.item_type(function))))
    unfinished = result.with_name(f"{result.name}-{os.urandom(8).hex()}")
    unfinished.write_bytes(made)
    unfinished.replace(result)


@cache
def environment() -> dict[str, str]:
    """The versions of all that can change a byte of what a step makes."""
    python = ".".join(platform.python_version_tuple()[:2])
    return outputs.versions() | {"numba": outputs.package_version("numba"), "python": python}


def _answer(number: int) -> int:
    return number


def _failure(error: Exception) -> Failure:
    details = "In a Spark worker:\n" + traceback.format_exc()
    if isinstance(error, DedupError):
        return Failure(type(error).__name__, error.what, error.where, error.hint, details)
    return Failure("", f"{type(error).__name__}: {error}", None, None, details)


def _raised(failure: Failure) -> Exception:
    known = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    kind = known.get(failure.kind)
    error = (
        kind(failure.what, where=failure.where, hint=failure.hint)
        if kind is not None and issubclass(kind, DedupError)
        else RuntimeError(failure.what)
    )
    error.add_note(failure.details)
    return error


def _explained(error: Exception) -> DedupError:
    """What Spark says of a job that it gave up."""
    text = str(error)
    if "PYTHON_VERSION_MISMATCH" in text:
        return ConfigError(
            "the Python of Spark's workers is of another version than this one.",
            hint=f"Set PYSPARK_PYTHON on the workers to a Python {platform.python_version()}.",
        )
    if "No module named" in text:
        missing = text.partition("No module named")[2].split("'")[1]
        return ConfigError(
            f"the Python of Spark's workers has no module {missing}.",
            hint="Install the same versions of dedup there, or set PYSPARK_PYTHON to a Python that has them.",
        )
    return DedupError(
        f"Spark gave a job up: {first_line(error)}.",
        hint="Look at the logs of its executors; the same command goes on where this stopped.",
    )
