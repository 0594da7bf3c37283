"""A Spark cluster: the same steps as tasks, through `mapInArrow`.

What a task works on, and what it makes, are files of the run's work folder, which all workers must see
under the same path; Spark itself carries numbers of files alone. So the driver holds nothing but what it
is at, no message is too long, and a task whose worker died is run again: it reads the same file and writes
the same one, under its name when it is complete.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dedup import errors, outputs
from dedup.config import Run
from dedup.engines import wire
from dedup.engines.base import Engine, StartEngine
from dedup.engines.local import LocalEngine, in_order
from dedup.engines.session import first_line, spark_session
from dedup.engines.sieve import Rows, repeated_cells, sift, write_rows
from dedup.errors import ConfigError, DedupError, OutputError
from dedup.parts import Repeated
from dedup.scratch import Scratch, SharedFile
from dedup.writers.atomic import disk_errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Item = TypeVar("Item")
Result = TypeVar("Result")

_JOBS = 2
"""Jobs under way, each with work for every core of the cluster: one fills what the other leaves idle."""
_MOST_EACH = 8
"""Items for each core in a job: a job takes a tenth of a second, however little it does."""
_CHECK_SECONDS = 300
"""So long the cluster may take until its first workers have answered."""
_ITEM, _RESULT = "item", "result"
_ROWS = 1 << 16
"""Rows of a join that are read back together."""
_ANY = (1 << 63) - 1
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

    The output folder, or `work`, must be on a file system that driver and workers see under the same path,
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
        try:
            self._session, self._context = session, session.sparkContext
        except AttributeError:  # of Spark Connect
            raise ConfigError(
                "this Spark session has no context, which carries the steps to the workers.",
                hint="Give a classic session: SparkSession.builder.master(…).getOrCreate().",
            ) from None
        self._here = LocalEngine(workers)
        self.workers = self._here.workers
        self._folder = Path(tempfile.mkdtemp(prefix="scratch-spark-", dir=work))
        (shared := self._folder / "arrays").mkdir()
        self.shared: Path | None = shared
        self.parts = self._cores()
        self._group = self._folder.name
        self._jobs = ThreadPoolExecutor(_JOBS, "dedup-spark")
        self._expected = environment()
        self._put = 0
        """Items put into the folder so far."""

    def map_batches(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.map_batches`."""
        kind = wire.result_type(function)
        for task in self._tasks(_Step(function, self._folder, Path.cwd()), items):
            result = _path(self._folder, task, _RESULT)
            yield wire.unpack(result.read_bytes(), kind)
            result.unlink(missing_ok=True)

    def map_parts(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine.map_parts`."""
        return self.map_batches(function, items)

    def map_rows(
        self, function: Callable[[Item], pa.RecordBatch], items: Iterable[Item], wanted: Repeated
    ) -> Iterator[pa.RecordBatch]:
        """See `Engine.map_rows`: just those that are wanted, found by a join of what the tasks wrote."""
        folder = Path(tempfile.mkdtemp(prefix="join-", dir=self._folder))
        (rows := folder / "rows").mkdir()
        (some := folder / "some").mkdir()
        step = _Step(function, self._folder, Path.cwd(), rows, tuple(wanted.keys))
        tasks = list(self._tasks(step, items))
        if self._sift(tasks, rows, some, wanted.keys):
            self._jobs.submit(self._select, some, folder / "wanted", wanted).result()
        for path in folder.glob("wanted/*.parquet"):
            yield from pq.ParquetFile(path).iter_batches(_ROWS)
        shutil.rmtree(folder, ignore_errors=True)

    def _sift(self, tasks: list[int], rows: Path, some: Path, keys: list[str]) -> int:
        """Put the rows of these tasks that may be wanted into another folder; how many they are."""
        results = [_path(self._folder, task, _RESULT) for task in tasks]
        files = [rows / f"{task}.parquet" for task in tasks]  # other files are of tasks that died
        total = sum(pq.read_metadata(file).num_rows for file in files)
        cells = (wire.unpack(result.read_bytes(), NDArray[np.uint32]) for result in results)
        repeated = Scratch(self._folder, shared=self.shared).copy(repeated_cells(cells, total))
        for result in results:
            result.unlink(missing_ok=True)
        share = max(1, len(files) // (_JOBS * self.parts))
        shares = (Rows(files[at : at + share], keys, repeated, some) for at in range(0, len(files), share))
        kept = sum(self.map_batches(sift, shares))
        shutil.rmtree(rows, ignore_errors=True)  # a second attempt at a task may be at it yet
        return kept

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
            with _whatever_became_of_spark():
                self._context.cancelJobGroup(self._group)
        self._jobs.shutdown(cancel_futures=True)
        self._here.__exit__(kind, *rest)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _cores(self) -> int:
        return max(1, int(self._context.defaultParallelism))

    def _tasks(self, step: _Step, items: Iterable[Any]) -> Iterator[int]:
        """Do a step with all items; the numbers of the tasks, in order, as they are done."""
        carried = self._context.broadcast(step)
        try:
            for tasks in in_order(self._jobs, partial(self._run, carried), self._put_all(items), _JOBS):
                for task in tasks:
                    _path(self._folder, task, _ITEM).unlink(missing_ok=True)
                    yield task
        finally:
            with _whatever_became_of_spark():
                carried.destroy()

    def _put_all(self, items: Iterable[Any]) -> Iterator[range]:
        """Put items into files, for a job each time: few at first, so that it begins at once, then more."""
        rest = iter(items)
        written: set[SharedFile] = set()
        for job in count():
            first = self._put
            each = min(1 << job // _JOBS, _MOST_EACH)
            for item in islice(rest, self._cores() * each):
                shared: set[SharedFile] = set()
                packed = wire.pack(item, shared)
                with disk_errors(self._folder):
                    for file in shared - written:  # to where other machines see it
                        file.flush()
                    _path(self._folder, self._put, _ITEM).write_bytes(packed)
                written |= shared
                self._put += 1
            if self._put == first:
                return
            yield range(first, self._put)

    def _run(self, carried: Any, tasks: range) -> range:
        """One job: all these tasks, as many of Spark's as there are cores."""
        expected = self._expected

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield work_on(batch.column(0).to_pylist(), carried.value, expected)

        with self._job():
            numbers = self._session.range(tasks.start, tasks.stop, 1, min(len(tasks), self._cores()))
            failed = numbers.mapInArrow(work, "task long, failure binary").collect()
        for row in failed:
            raise _raised(msgspec.msgpack.decode(bytes(row.failure), type=Failure))
        return tasks

    def _select(self, given: Path, found: Path, wanted: Repeated) -> None:
        """Have Spark write those rows of a folder that are wanted into another.

        The rows travel once. Those of one key are sorted and counted on disk where they are many: nothing
        of them is held together in memory.
        """
        from pyspark.sql import Window
        from pyspark.sql.functions import dense_rank
        from pyspark.sql.functions import max as greatest

        same = Window.partitionBy(*wanted.keys)
        number, values = dense_rank().over(same.orderBy(wanted.among)), greatest("number").over(same)
        with self._job():
            # Spark takes what it reads for a pattern
            rows = self._session.read.parquet("file://" + re.sub(r"([\\\[\]{}*?])", r"\\\1", str(given)))
            counted = rows.withColumn("number", number).withColumn("values", values)
            repeated = counted.where(counted["values"].between(2, wanted.most or _ANY))
            repeated.select(*rows.columns).write.parquet(f"file://{found}")

    @contextmanager
    def _job(self) -> Iterator[None]:
        """What is done in the context is a job of this engine; what Spark says of it is a DedupError."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        self._context.setJobGroup(self._group, "dedup", interruptOnCancel=True)
        try:
            yield
        except (PySparkException, Py4JError) as error:
            raise _explained(error) from None


@contextmanager
def _whatever_became_of_spark() -> Iterator[None]:
    """To tidy up after an error must not hide it: the session may have ended meanwhile."""
    from py4j.protocol import Py4JError

    with suppress(Py4JError, AttributeError, OSError):
        yield


class _Step(NamedTuple):
    """What all tasks of a step have in common; Spark carries it to the workers."""

    function: Callable[[Any], Any]
    folder: Path  # of the items and results
    here: Path  # what relative paths in items start from
    rows: Path | None = None  # where the rows go that it makes, if they are rows
    keys: tuple[str, ...] = ()  # of these rows


def work_on(tasks: list[int], step: _Step, expected: dict[str, str]) -> pa.RecordBatch:
    """In a worker: do the tasks; those that failed, and why."""
    failures = {}
    for task in tasks:
        try:
            _work_on_one(task, step, expected)
        except Exception as error:
            failures[task] = msgspec.msgpack.encode(_failure(error))
    return pa.record_batch([list(failures), list(failures.values())], schema=_FAILED)


def _work_on_one(task: int, step: _Step, expected: dict[str, str]) -> None:
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
        content = _path(step.folder, task, _ITEM).read_bytes()
    except OSError as error:
        raise OutputError(
            f"cannot be read by the Spark worker on {platform.node()} ({error.strerror}).",
            where=str(step.folder),
            hint="Choose an --output, or a --work, that the driver and all workers see under the same path.",
        ) from None
    with suppress(OSError):  # what is read there and missing is complained of then
        os.chdir(step.here)
    made = step.function(wire.unpack(content, wire.item_type(step.function)))
    if step.rows is not None:
        made = write_rows(made, step.rows / f"{task}.parquet", [*step.keys])
    result = _path(step.folder, task, _RESULT)
    # hidden, and another one wherever the task is run
    unfinished = result.with_name(f".{result.name}-{os.urandom(8).hex()}")
    with disk_errors(result):
        unfinished.write_bytes(wire.pack(made))
        unfinished.replace(result)


def _path(folder: Path, task: int, ending: str) -> Path:
    return folder / f"{task}.{ending}"


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
    if missing := re.search(r"No module named '([^']*)'", text):
        return ConfigError(
            f"the Python of Spark's workers has no module {missing[1]}.",
            hint="Install the same versions of dedup there, or set PYSPARK_PYTHON to a Python that has them.",
        )
    return DedupError(
        f"Spark gave a job up: {first_line(error)}.",
        hint="Look at the logs of its executors; the same command goes on where this stopped.",
    )
