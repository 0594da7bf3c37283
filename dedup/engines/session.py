"""The Spark session of a run: one that is there, or one that is started for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dedup.errors import ConfigError, DedupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LEAST_JAVA = 17
_JAVA_SECONDS = 30
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_EXCEPTION = re.compile(r"^[^\n:]*(?:Exception|Error): ([^\n]+)", re.MULTILINE)
_SHOWN = 400
"""Characters of what Spark says."""
_DEFAULTS = {"spark.app.name": "dedup", "spark.log.level": "ERROR", "spark.ui.showConsoleProgress": "false"}


@contextmanager
def spark_session(master: str | None, conf: Mapping[str, str]) -> Iterator[SparkSession]:
    """A session of our own, ended with the context, or the one that is under way in this process.

    Raises ConfigError where PySpark or Java is missing or too old, DedupError where Spark does not start.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ConfigError(
            "the engine spark needs PySpark, which is not installed.",
            hint="pip install 'dedup[spark]', and Java 17 or later.",
        ) from None
    if (active := SparkSession.getActiveSession()) is not None:
        if master is not None or conf:
            raise ConfigError(
                "a Spark session is under way, which has its master and settings.",
                hint="Stop it, or leave --master and --conf out.",
            )
        yield active
        return
    with tempfile.TemporaryFile() as log:
        session = _start(master, conf, log)
        try:
            yield session
        finally:
            session.stop()


def _start(master: str | None, conf: Mapping[str, str], log: IO[bytes]) -> SparkSession:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    submitted = "PYSPARK_GATEWAY_PORT" in os.environ  # by spark-submit: Java is there
    if not submitted:
        check_java()
    settings = SparkConf().setAll([*_DEFAULTS.items(), *conf.items()])
    if master is not None or not (submitted or settings.contains("spark.master")):
        settings.setMaster(master or "local[*]")
    # else the interpreter that PATH happens to lead to
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        # Java, which outlives its sessions, would write to our standard error. It ends with this process
        # however that ends: it reads from a pipe of ours.
        gateway = SparkContext._gateway or launch_gateway(settings, {"stdout": log, "stderr": log})
        return SparkSession(SparkContext(conf=settings, gateway=gateway))
    except (PySparkException, Py4JError, OSError, ValueError) as error:
        raise DedupError(
            f"Spark did not start: {_said(log) or first_line(error)}.", hint="Look at --master and --conf."
        ) from None


def check_java() -> None:
    """Raises ConfigError where the Java that Spark would run is missing or too old."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    hint = f"Install Java {LEAST_JAVA} or later (Debian: openjdk-17-jre-headless), or set JAVA_HOME."
    try:
        if java is None:
            raise FileNotFoundError
        told = subprocess.run(  # noqa: S603 - Spark itself runs what this is
            [java, "-version"], capture_output=True, text=True, timeout=_JAVA_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        raise ConfigError(
            "the engine spark needs Java, which was not found.", where=home, hint=hint
        ) from None
    found = _VERSION.search(told.stderr + told.stdout)
    if found is None or int(found[1]) < LEAST_JAVA:
        version = f"Java {found[1]}" if found else "no Java that says its version"
        raise ConfigError(f"this is {version}, too old for Spark.", where=java, hint=hint)


def _said(log: IO[bytes]) -> str:
    """The message of the first exception in Java's log, if there is one."""
    log.seek(0)
    found = _EXCEPTION.search(log.read().decode("utf-8", "replace"))
    return found[1].strip().rstrip(".")[:_SHOWN] if found else ""


def first_line(error: BaseException) -> str:
    """What an error of Spark says, without the stack of Java that it goes on with."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        lines = lines[1:]
    return lines[0].removeprefix(": ").rstrip(".")[:_SHOWN] if lines else type(error).__name__
