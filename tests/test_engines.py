"""What travels between engines and steps, and who has no cluster is told so: nothing here needs Spark."""

from __future__ import annotations

import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from typer.testing import CliRunner

from dedup.cli import app
from dedup.engines import session, sieve, wire
from dedup.engines.local import LocalEngine
from dedup.engines.spark import SparkEngine
from dedup.errors import ConfigError
from dedup.report.ratios import Ratios
from dedup.scratch import Scratch, SharedFile


class Everything(NamedTuple):
    path: Path
    words: NDArray[np.uint32]
    names: pa.StringArray
    batch: pa.RecordBatch | None
    table: pa.Table
    ratios: Ratios


def step(thing: Everything, factor: int = 1) -> tuple[Everything, int]:
    return thing, factor


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32]), arrays.array_shapes(max_dims=2, min_side=0)
    ),
    st.lists(st.none() | st.text()),
)
def test_what_travels_arrives(words: NDArray[Any], names: list[str | None]) -> None:
    column = pa.array(names, pa.string())
    batch = pa.record_batch([column], names=["name"])
    sent = Everything(Path("a/b"), words, column, batch, pa.table(batch), Ratios())
    kind = wire.item_type(step)
    assert kind is Everything
    got = wire.unpack(wire.pack(sent), kind)
    assert got.path == sent.path
    assert got.words.dtype == words.dtype and got.words.flags.writeable
    np.testing.assert_array_equal(got.words, words)
    assert got.names.equals(column) and got.batch.equals(batch) and got.table.equals(sent.table)
    assert got.ratios.as_dict() == sent.ratios.as_dict()
    result = wire.unpack(wire.pack((sent._replace(batch=None), 2)), wire.result_type(step))
    assert result[0].batch is None and result[1] == 2


def test_an_array_in_a_shared_file_travels_as_its_place(tmp_path: Path) -> None:
    words = Scratch(tmp_path, shared=tmp_path).zeros((3, 1 << 17), np.uint32)
    words[:] = np.arange(3 << 17).reshape(3, -1)
    for part in (words, words[1:], words[2, 1001:], words[0, 7:8]):
        files: set[SharedFile] = set()
        packed = wire.pack(part, files)
        assert len(packed) < 500 and len(files) == 1
        there = wire.unpack(packed, NDArray[np.uint32])
        np.testing.assert_array_equal(there, part)
        there[...] = 0  # nobody else sees that
    assert int(words.max()) == (3 << 17) - 1
    # what is no piece of a file, and what goes to somebody who may not see it, travels whole
    for part in (words[:, ::2], words[0, :0], np.arange(9)):
        np.testing.assert_array_equal(wire.unpack(wire.pack(part, files := set()), NDArray[Any]), part)
        assert not files
    assert len(wire.pack(words)) > words.nbytes


@pytest.mark.parametrize("data", [b"", b"\xc1", wire.pack({"a": 1}), wire.pack([1, 2, 3])])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        wire.unpack(data, Everything)


def java(folder: Path, says: str) -> None:
    (folder / "bin").mkdir()
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n", "utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        ('openjdk version "11.0.2" 2019-01-15', "Java 11, too old"),
        ('java version "1.8.0_292"', "Java 8, too old"),
        ("no java at all", "no Java that says its version"),
        ('openjdk version "17.0.15" 2025-04-15', None),
        ('openjdk version "25" 2025-09-16', None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for Java")
def test_which_java_will_do(
    says: str, complaint: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if complaint is None:
        session.check_java()
    else:
        with pytest.raises(ConfigError, match=complaint):
            session.check_java()


def test_java_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="needs Java, which was not found"):
        session.check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="openjdk-17-jre-headless"):
        session.check_java()


def test_why_spark_did_not_start_is_found_in_the_log_of_java() -> None:
    log = BytesIO(
        b'26/01/01 12:00:00 ERROR Setting Spark log level to "ERROR".\n'
        b'Exception in thread "main" org.apache.spark.SparkException: Master must be local or so.\n'
        b"\tat org.apache.spark.deploy.SparkSubmit.main\njava.lang.Error: too late\n"
    )
    assert session._said(log) == "Master must be local or so"
    assert session._said(BytesIO(b"WARNING: Using incubator modules\n")) == ""


def complaint(tmp_path: Path, *arguments: str) -> str:
    (tmp_path / "dump.jsonl").write_text('{"text": "one"}\n', "utf-8")
    paths = [str(tmp_path / "dump.jsonl"), "-o", str(tmp_path / "out")]
    found = CliRunner().invoke(app, ["clean", *paths, *arguments])
    assert found.exit_code == 2
    return found.stderr


def test_pyspark_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    assert "pip install 'dedup[spark]'" in complaint(tmp_path, "--engine", "spark")


def test_settings_of_spark_need_spark(tmp_path: Path) -> None:
    assert "Add --engine spark" in complaint(tmp_path, "--master", "local[2]")
    assert "Add --engine spark" in complaint(tmp_path, "--conf", "spark.cores.max=8")
    assert "'nonsense' is no NAME=VALUE" in complaint(tmp_path, "--engine", "spark", "--conf", "nonsense")


def test_a_session_of_spark_connect(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Give a classic session"):
        SparkEngine(object(), tmp_path)  # type: ignore[arg-type]


def _back(item: tuple[Any, ...]) -> tuple[Any, ...]:
    return item


@pytest.mark.parametrize("size", [0, 1, 1 << 15, (1 << 20) + 7])
def test_what_travels_to_processes_arrives(size: int) -> None:
    """Large and small, and what is the same object twice; arrays can be written to."""
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    words = np.arange(size // 8).reshape(-1, 1)
    batch = pa.record_batch([pa.array([data, None], pa.binary())], names=["data"])
    item = (data, data, [data[1:]], words, words[::2], batch, "é\0", None)
    with LocalEngine(2) as engine:
        for back in engine.map_batches(_back, [item] * 5):
            assert back[:3] == item[:3] and back[6:] == item[6:]
            assert (back[3] == words).all() and (back[4] == words[::2]).all() and back[5].equals(batch)
            assert back[3].flags.writeable


# -- rows that nobody wants


KEYED = pa.schema([("band", pa.int32()), ("post", pa.int64()), ("key", pa.int64())])


def sifted(folder: Path, tables: list[list[tuple[int, int, int]]]) -> list[tuple[int, int, int]]:
    """The rows of all tables that are left."""
    (rows := folder / "rows").mkdir()
    (some := folder / "some").mkdir()
    keys, cells, files = ["band", "key"], [], []
    for number, table in enumerate(tables):
        columns = [
            pa.array(column, field.type)
            for column, field in zip(zip(*table, strict=True), KEYED, strict=True)
        ]
        files.append(rows / f"{number}.parquet")
        cells.append(sieve.write_rows(pa.record_batch(columns, schema=KEYED), files[-1], keys))
    repeated = sieve.repeated_cells(cells, sum(map(len, tables)))
    kept = sieve.sift(sieve.Rows(files, keys, repeated, some))
    found = [tuple(row.values()) for file in some.iterdir() for row in pq.read_table(file).to_pylist()]
    assert len(found) == kept
    return found


ROW = st.tuples(st.integers(0, 3), st.integers(0, 100), st.sampled_from([0, 1, -1, 1 << 40, -(1 << 63), 7]))


@given(st.lists(st.lists(ROW, min_size=1), min_size=1, max_size=4))
def test_every_row_whose_key_stands_twice_goes_through_the_sieve(
    tmp_path_factory: pytest.TempPathFactory, tables: list[list[tuple[int, int, int]]]
) -> None:
    found = sifted(tmp_path_factory.mktemp("sieve"), tables)
    every = [row for table in tables for row in table]
    counts = Counter((band, key) for band, _, key in every)
    wanted = Counter(row for row in every if counts[row[0], row[2]] > 1)
    assert wanted <= Counter(found) <= Counter(every)


def test_most_rows_that_stand_alone_do_not(tmp_path: Path) -> None:
    random = Random(5)
    tables = [
        [(band, post, random.randrange(-(1 << 63), 1 << 63)) for band in range(3)] for post in range(4_000)
    ]
    tables.append([(1, 9_999, tables[0][1][2]), (2, 9_999, tables[0][1][2])])  # the second in another band
    found = sifted(tmp_path, tables)
    assert {tables[0][1], tables[-1][0]} <= set(found)
    assert len(found) < 12_000 / 6


def test_what_a_task_left_that_died_is_no_row(tmp_path: Path) -> None:
    class Engine(SparkEngine):
        def __init__(self) -> None:
            self._folder, self.shared, self.parts = tmp_path, tmp_path, 1

        def map_batches(self, function: Any, items: Any) -> Any:
            return map(function, items)

    (rows := tmp_path / "rows").mkdir()
    (some := tmp_path / "some").mkdir()
    batch = pa.record_batch([[1, 1, 2], [5, 6, 7], [8 << 20, 8 << 20, 9 << 20]], schema=KEYED)
    (tmp_path / "0.result").write_bytes(wire.pack(sieve.write_rows(batch, rows / "0.parquet", ["key"])))
    (rows / ".1.parquet-0011").write_bytes(b"PAR1 and no more")
    assert Engine()._sift([0], rows, some, ["key"]) == 2
    assert pq.read_table(some / "0.parquet")["post"].to_pylist() == [5, 6] and not rows.exists()
