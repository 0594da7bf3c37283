"""`scripts/bench.py` measures what it says, and shows a failure as one."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "forum.jsonl"

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="process trees are measured on Linux alone"
)


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def measure(code: str, limit: float) -> dict[str, object]:
    """Measure some Python, in a process that has no other children."""
    script = (
        "import json, os, sys; from pathlib import Path; from contest.measure import measure;"
        "m = measure([sys.executable, '-c', sys.argv[1]], Path.cwd(), os.environ, float(sys.argv[2]));"
        "print(json.dumps(m._asdict()))"
    )
    command = [sys.executable, "-c", script, code, str(limit)]
    answer = subprocess.run(
        command, cwd=ROOT / "scripts", stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    measured: dict[str, object] = json.loads(answer.stdout)
    return measured


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, measured twice."""
    page = tmp_path_factory.mktemp("results") / "benchmarks.md"
    for only in ("floor", "dedup,floor"):
        done = bench(SAMPLE, "--only", only, "--runs", "1", "--results", page)
        assert done.returncode == 0, done.stderr
    return page


def test_a_dump_has_one_section_with_all_who_ran(results: Path) -> None:
    page = results.read_text(encoding="utf-8")
    assert page.count("## forum") == 1
    assert "| dedup clean | " in page and "pyarrow, to Parquet | " in page
    assert str(ROOT) not in page and str(results.parent) not in page


def test_every_run_is_kept(results: Path) -> None:
    (entry,) = json.loads(results.with_suffix(".json").read_text(encoding="utf-8"))["dumps"]
    assert entry["posts"] == len(SAMPLE.read_bytes().splitlines())
    by_name = {contestant["name"]: contestant for contestant in entry["contestants"]}
    assert by_name["floor"]["kept_posts"] == entry["posts"] > by_name["dedup"]["kept_posts"] > 0
    for contestant in by_name.values():
        (run,) = contestant["runs"]
        assert contestant["failure"] is None
        assert run["seconds"] > 0 and run["cpu_seconds"] > 0 and run["corpus_bytes"] > 0
        assert run["peak_mb"] >= run["largest_mb"] > 20


def test_the_plot_is_an_svg(results: Path) -> None:
    plot = xml.etree.ElementTree.parse(results.with_name("benchmarks-forum.svg"))  # noqa: S314 - ours
    assert "dedup clean" in [element.text for element in plot.iter()]


def test_growth_is_shown_for_twice_the_posts(tmp_path: Path) -> None:
    page = tmp_path / "growth.md"
    done = bench("--scale", "20", "--case", "identical", "--results", page, "--work", tmp_path / "work")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["growth"]
    assert [row["posts"] for row in entry["rows"]] == [20, 40]
    assert all(row["stages"].keys() >= {"read", "write"} for row in entry["rows"])
    assert (tmp_path / "work" / "identical-40" / "dump.jsonl").is_file()
    assert page.with_name("growth-identical.svg").is_file()


def test_all_processes_are_counted_also_those_nobody_waits_for() -> None:
    spin = "import time; end = time.process_time() + 0.3\\nwhile time.process_time() < end: pass"
    code = (
        f"import subprocess, sys;subprocess.Popen([sys.executable, '-c', '{spin}'], start_new_session=True)"
    )
    measured = measure(code, 60)
    assert measured["failure"] is None
    assert float(str(measured["cpu_seconds"])) > 0.3


def test_a_failure_is_shown_with_its_last_words() -> None:
    measured = measure("import sys; print('a'); sys.exit('no such luck\\n')", 60)
    assert measured["failure"] == "exit code 1: no such luck"


def test_what_takes_too_long_is_stopped() -> None:
    measured = measure("import time; time.sleep(50)", 0.5)
    assert measured["failure"] == "stopped after 0.5 s"


def test_wrong_arguments_are_said(tmp_path: Path) -> None:
    for arguments, complaint in (
        ((), "give dumps, or --scale"),
        ((SAMPLE, "--only", "dedup,nobody"), "unknown: nobody"),
        ((tmp_path / "none.jsonl",), "is not there"),
        ((SAMPLE, "--case", "identical"), "--case goes with --scale"),
    ):
        done = bench(*arguments)
        assert done.returncode == 2 and complaint in done.stderr, done.stderr
