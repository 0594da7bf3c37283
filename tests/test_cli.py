"""The command line: help everywhere, every exit code, data on standard output and nothing but data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from handmade import FOX, ODD, posts, write_output
from hostile_forums import write_forum
from typer.testing import CliRunner

from dedup import cli, config, flags
from dedup.cli import app
from dedup.engines.base import StartEngine
from dedup.engines.local import on_this_machine
from dedup.errors import InputError
from dedup.progress import Notes, Progress, Silent, progress_on
from dedup.report.ratios import Ratios

ROOT = Path(__file__).resolve().parents[1]
run = CliRunner()


def report_with(ratio: float) -> dict[str, Any]:
    return Ratios().as_dict() | {"duplicate_ratio": ratio}


@dataclass
class Summary:
    out: Path
    rejected: int
    report: dict[str, Any]
    run: dict[str, Any] = field(default_factory=lambda: {"seconds": 1.0})


class FakePipeline:
    """Stands in for the pipeline: keeps what it is called with, gives or raises what it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], str, config.Config, bool]] = []
        self.progress: Progress | None = None
        self.rejected = 0
        self.ratio = 0.25
        self.error: BaseException | None = None

    def clean(
        self,
        paths: Sequence[str],
        out: str,
        settings: config.Config,
        *,
        against: Sequence[str] = (),
        reference: Sequence[str] = (),
        force: bool = False,
        work: Path | None = None,
        progress: Progress | None = None,
        engine: StartEngine = on_this_machine,
    ) -> Summary:
        self.calls.append((list(paths), out, settings, force))
        self.progress = progress
        if self.error is not None:
            raise self.error
        return Summary(Path(out), self.rejected, report_with(self.ratio))

    @property
    def config(self) -> config.Config:
        return self.calls[-1][2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file but a test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> FakePipeline:
    fake = FakePipeline()
    module = ModuleType("dedup.pipeline")
    module.clean = fake.clean  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dedup.pipeline", module)
    return fake


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_output(tmp_path_factory.mktemp("cli") / "out", posts())
    (folder / "report.json").write_text(json.dumps(report_with(0.4)), encoding="utf-8")
    return folder


def dedup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "dedup", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | environment,
    )


# Help


def test_every_command_and_option_has_help() -> None:
    group = typer.main.get_command(app)
    names = {"clean", "eval", "explain", "formats", "peek", "report", "restore", "tune", "verify"}
    assert set(group.commands) == names  # type: ignore[attr-defined]
    for name, command in [("dedup", group), *group.commands.items()]:  # type: ignore[attr-defined]
        assert command.help, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"


def test_every_flag_is_a_setting_and_takes_the_words_the_setting_takes() -> None:
    from typing import get_args

    group = typer.main.get_command(app)
    known = {parameter.name for parameter in group.commands["clean"].params}  # type: ignore[attr-defined]
    assert set(flags.SETTINGS) <= known
    default = config.Config()
    for section, key in flags.SETTINGS.values():
        assert hasattr(getattr(default, section), key)
    for alias, words in (
        (flags.Keep, config.Keep),
        (flags.Quotes, config.Handling),
        (flags.Near, config.Removal),
    ):
        assert get_args(get_args(get_args(alias)[0])[0]) == get_args(words)


_COMMANDS: list[list[str]] = [[], ["clean"], ["report"], ["tune"], ["explain"], ["restore"], ["verify"]]


@pytest.mark.parametrize("arguments", _COMMANDS)
def test_help_of_the_real_program(arguments: list[str]) -> None:
    done = dedup(*arguments, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: dedup")
    assert max(map(len, done.stdout.split("\n"))) <= 80


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, dedup.cli\n"
        "heavy = {'pyarrow', 'numba', 'numpy', 'rich', 'rapidfuzz', 'msgspec', 'datasketch'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_version() -> None:
    done = dedup("--version")
    assert done.returncode == 0 and done.stdout.startswith("dedup")


# Usage and configuration: 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clean", "a.txt"], "--output"),
        (["clean", "a.txt", "-o", "out", "--keep", "oldest"], "earliest"),
        (["clean", "a.txt", "-o", "out", "--threshold", "7"], "match.threshold"),
        (["clean", "a.txt", "-o", "out", "--set", "match.treshold=0.8"], "Did you mean match.threshold?"),
        (["clean", "a.txt", "-o", "out", "--set", "threshold=0.8"], "names no section"),
        (["clean", "a.txt", "-o", "out", "--set", "quotes.min_words"], "NAME=VALUE"),
        (["clean", "a.txt", "-o", "out", "--field", "text"], "NAME=VALUE"),
        (["clean", "a.txt", "-o", "out", "--config", "missing.toml"], "missing.toml"),
        (["report", "a.txt", "--fail-over", "3"], "--fail-over"),
        (["nonsense"], "nonsense"),
    ],
)
def test_usage_errors_exit_with_2_and_say_why(
    pipeline: FakePipeline, arguments: list[str], message: str
) -> None:
    done = run.invoke(app, arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert not pipeline.calls


def test_an_unknown_key_of_a_settings_file(tmp_path: Path) -> None:
    (tmp_path / "dedup.toml").write_text("[quotes]\nmin_wrods = 3\n", encoding="utf-8")
    done = dedup("clean", "a.txt", "-o", "out")
    assert done.returncode == 2
    assert "dedup.toml" in done.stderr and "quotes.min_words" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_post(out: Path) -> None:
    done = run.invoke(app, ["explain", str(out), "77"])
    assert done.exit_code == 2 and "77" in done.stderr


def test_unknown_reason_and_ids_of_restore(out: Path) -> None:
    assert run.invoke(app, ["restore", str(out), "--reason", "qoute"]).exit_code == 2
    for nothing in ("", ",", "1\n2"):  # not everything
        assert run.invoke(app, ["restore", str(out), "--ids", nothing]).exit_code == 2
    done = run.invoke(app, ["restore", str(out), "--ids", "1,nobody"])
    assert done.exit_code == 2 and "nobody" in done.stderr


# Settings


def test_flags_override_set_overrides_file(pipeline: FakePipeline, tmp_path: Path) -> None:
    (tmp_path / "dedup.toml").write_text(
        "[match]\nthreshold = 0.5\nshingle_words = 4\n[quotes]\nmin_words = 9\n"
        "[read.fields]\nauthor = 'nick'\n",
        encoding="utf-8",
    )
    arguments = ["--set", "match.shingle_words=6", "--set", "match.threshold=0.6", "--threshold", "0.8"]
    arguments += ["--set", "decide.protect_authors=['ann']", "--set", "write.output_format=text"]
    arguments += ["--field", "text=msg", "--quotes", "mark", "--workers", "1", "--separator", "--"]
    done = run.invoke(app, ["clean", "a.txt", "b", "-o", "out", "--force", *arguments])
    assert done.exit_code == 0, done.stderr
    paths, folder, used, force = pipeline.calls[-1]
    assert (paths, folder, force) == (["a.txt", "b"], "out", True)
    assert (used.match.threshold, used.match.shingle_words, used.quotes.min_words) == (0.8, 6, 9)
    assert used.decide.protect_authors == ["ann"] and used.decide.quotes == "mark"
    assert used.read.fields == {"author": "nick", "text": "msg"} and used.read.separator == "--"
    assert used.run.workers == 1 and used.write.output_format == "text"


def test_settings_of_pyproject(pipeline: FakePipeline, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.dedup.match]\nthreshold = 0.5\n", encoding="utf-8")
    assert run.invoke(app, ["clean", "-", "-o", "out"]).exit_code == 0
    assert pipeline.config.match.threshold == 0.5


@pytest.mark.parametrize("flag", ["reposts", "near", "exact", "boilerplate", "code"])
def test_what_becomes_of_each_kind(pipeline: FakePipeline, flag: str) -> None:
    assert run.invoke(app, ["clean", "-", "-o", "out", f"--{flag}", "keep"]).exit_code == 0
    assert getattr(pipeline.config.decide, flag) == "keep"


# Exit codes of clean


def test_done(pipeline: FakePipeline) -> None:
    done = run.invoke(app, ["clean", "a.txt", "-o", "out"])
    assert done.exit_code == 0 and "in the corpus" in done.stdout and done.stderr == ""


def test_done_but_some_input_rejected(pipeline: FakePipeline) -> None:
    pipeline.rejected = 2
    done = run.invoke(app, ["clean", "a.txt", "-o", "out"])
    assert done.exit_code == 3 and "rejected" in done.stderr


def test_quiet_says_nothing(pipeline: FakePipeline) -> None:
    done = run.invoke(app, ["clean", "a.txt", "-o", "out", "--quiet"])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert isinstance(pipeline.progress, Silent)


def test_a_failed_run(pipeline: FakePipeline) -> None:
    pipeline.error = InputError("does not exist.", where="a\x1b[2J.txt", hint="Check the path.")
    done = run.invoke(app, ["clean", "a.txt", "-o", "out"])
    assert done.exit_code == 4
    assert done.stderr == "dedup: a\\x1b[2J.txt: does not exist. Check the path.\n"


def test_a_bug_is_one_line(pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.error = KeyError("two\nlines")
    monkeypatch.delenv("DEDUP_DEBUG", raising=False)
    done = run.invoke(app, ["clean", "a.txt", "-o", "out"])
    assert done.exit_code == 4
    assert done.stderr.count("\n") == 1 and "DEDUP_DEBUG=1" in done.stderr
    monkeypatch.setenv("DEDUP_DEBUG", "1")
    done = run.invoke(app, ["clean", "a.txt", "-o", "out"])
    assert done.exit_code == 4 and "Traceback" in done.stderr


def test_interrupted(pipeline: FakePipeline) -> None:
    pipeline.error = KeyboardInterrupt()
    done = run.invoke(app, ["clean", "a.txt", "-o", "out"])
    assert done.exit_code == 130
    assert done.stderr == "dedup: interrupted.\n"


# report


def test_report_of_an_output_folder(out: Path) -> None:
    done = run.invoke(app, ["report", str(out)])
    assert done.exit_code == 0 and "copies:" in done.stdout and done.stderr == ""


def test_report_as_json(out: Path) -> None:
    assert json.loads(run.invoke(app, ["report", str(out), "--json"]).stdout) == report_with(0.4)
    part = run.invoke(app, ["report", str(out), "--json", "--by", "thread"]).stdout
    assert json.loads(part) == report_with(0.4)["by"]["thread"]


@pytest.mark.parametrize("by", ["thread", "author", "board", "month", "file"])
def test_report_by_group(out: Path, by: str) -> None:
    done = run.invoke(app, ["report", str(out), "--by", by])
    assert done.exit_code == 0 and f"0 of 0 {by}s shown" in done.stdout


@pytest.mark.parametrize(("limit", "code"), [("0.3", 1), ("0.4", 0), ("0.5", 0)])
def test_report_over_a_limit(out: Path, limit: str, code: int) -> None:
    done = run.invoke(app, ["report", str(out), "--fail-over", limit])
    assert done.exit_code == code
    assert ("over the limit" in done.stderr) == bool(code)


def test_report_of_a_dump_keeps_nothing(pipeline: FakePipeline) -> None:
    pipeline.rejected = 1
    done = run.invoke(app, ["report", "a.txt", "b.txt", "--json", "--field", "text=msg"])
    assert done.exit_code == 3 and json.loads(done.stdout)["duplicate_ratio"] == 0.25
    paths, folder, used, _ = pipeline.calls[-1]
    assert paths == ["a.txt", "b.txt"] and not folder.parent.exists()
    assert used.read.fields == {"text": "msg"}
    assert run.invoke(app, ["report", "a.txt", "--fail-over", "0.1"]).exit_code == 1


def test_report_of_an_unfinished_run(tmp_path: Path) -> None:
    (tmp_path / "half" / ".dedup").mkdir(parents=True)
    done = run.invoke(app, ["report", str(tmp_path / "half")])
    assert done.exit_code == 4 and "not finished" in done.stderr


def test_a_damaged_report(tmp_path: Path) -> None:
    folder = write_output(tmp_path / "out", posts())
    for damage in ("{", "[]", "{}"):
        (folder / "report.json").write_text(damage, encoding="utf-8")
        done = run.invoke(app, ["report", str(folder)])
        assert done.exit_code == 4 and "report.json" in done.stderr


def test_a_lost_report_is_counted_again(tmp_path: Path) -> None:
    folder = write_output(tmp_path / "out", posts())
    done = run.invoke(app, ["report", str(folder), "--json"])
    assert done.exit_code == 0, done.stderr
    ratios = json.loads(done.stdout)
    assert ratios["posts"] == {"in": 7, "kept": 3, "trimmed": 2, "dropped": 2, "rejected": 0}
    assert ratios["removed"]["quote"]["characters"] == 2 * (len(FOX) + 1)
    assert ratios["removed"]["quote"]["words"] == 2 * len(FOX.split())
    assert ratios["clusters"]["largest"] == [{"cluster_id": "1", "posts": 3}]
    assert ratios["kept_copies"]["by_flag"]["source_missing"]["passages"] == 1
    assert ratios["by"]["month"]["rows"][0]["key"] == "2004-05"


# explain and restore


def test_explain(out: Path) -> None:
    done = run.invoke(app, ["explain", str(out), "2"])
    assert done.exit_code == 0 and "removed as quote" in done.stdout
    explained = json.loads(run.invoke(app, ["explain", str(out), "6", "--json"]).stdout)
    assert explained["text"] == ODD


def test_ids_with_commas_can_be_asked_for(tmp_path: Path) -> None:
    dump = write_forum(tmp_path / "a, b.jsonl", [{"text": f"A lantern by quarry {n}."} for n in (1, 2, 3)])
    assert run.invoke(app, ["clean", str(dump), "-o", str(tmp_path / "out"), "-q"]).exit_code == 0
    done = run.invoke(app, ["restore", str(tmp_path / "out"), "--ids", f'"{dump}#1","{dump}#3"'])
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [f"{dump}#1", f"{dump}#3"]


def test_restore(out: Path, tmp_path: Path) -> None:
    made = {one["provenance"]["id"]: one["raw"] for one in posts()}
    done = run.invoke(app, ["restore", str(out)])
    assert done.exit_code == 0
    assert {post["id"]: post["text"] for post in map(json.loads, done.stdout.split("\n")[:-1])} == made
    file = tmp_path / "back.jsonl"
    dropped = run.invoke(app, ["restore", str(out), "--reason", "near_duplicate"]).stdout
    assert [json.loads(line)["id"] for line in dropped.split("\n")[:-1]] == ["5"]
    done = run.invoke(app, ["restore", str(out), "-o", str(file), "--ids", "4,6"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert [json.loads(line)["id"] for line in file.read_text(encoding="utf-8").split("\n")[:-1]] == [
        "4",
        "6",
    ]


def test_no_half_written_file(out: Path, tmp_path: Path) -> None:
    done = run.invoke(app, ["restore", str(out), "-o", str(tmp_path / "x.jsonl"), "--ids", "1,nobody"])
    assert done.exit_code == 2 and not list(tmp_path.iterdir())
    done = run.invoke(app, ["restore", str(out), "-o", str(tmp_path / "no" / "x.jsonl")])
    assert done.exit_code == 4 and "cannot be written" in done.stderr


def test_a_folder_that_is_no_output(tmp_path: Path) -> None:
    for command in (["restore", "nowhere"], ["verify", "nowhere"], ["explain", "nowhere", "1"]):
        done = run.invoke(app, command)
        assert done.exit_code == 4 and done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
def test_nobody_reads_the_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`dedup restore OUT | head -1` ends quietly."""
    code = (
        "import sys\n"
        "from dedup import cli\n"
        "def lines():\n"
        "    while True: yield b'x' * 70_000\n"
        "@cli.app.command(help='Flood.')\n"
        "@cli._tidy\n"
        "def flood() -> None: cli._write_lines(lines())\n"
        "cli.main(['flood'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == cli.BROKEN_PIPE


def test_an_ascii_terminal_and_no_colour(out: Path) -> None:
    done = dedup("explain", str(out), "6", PYTHONUTF8="0", PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and "\x1b" not in done.stdout


# Progress


class Terminal:
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    yield Terminal()


def test_bars_on_a_terminal(terminal: Terminal) -> None:
    progress = progress_on(terminal)  # type: ignore[arg-type]
    with progress.stage("reading", 2_000_000, "bytes") as outer:
        outer.advance(2_000_000)
        with progress.stage("match\x1b[2Jing", None, "posts") as inner:
            inner.advance(7)
    progress.note("kernels\nare compiled")
    assert "reading: 2.0 MB in" in terminal.written
    assert "match\\x1b[2Jing: 7 posts in" in terminal.written
    assert "kernels\\nare compiled" in terminal.written


def test_no_colour_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with progress_on(terminal).stage("reading", 2, "posts") as stage:  # type: ignore[arg-type]
        stage.advance(2)
    assert "\x1b[3" not in terminal.written.replace("\x1b[3A", "")


def test_a_stage_that_fails_leaves_no_line(terminal: Terminal) -> None:
    progress = progress_on(terminal)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="broken"), progress.stage("reading", None, "posts"):
        raise ValueError("broken")
    assert "reading: " not in terminal.written


def test_notes_alone_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_on()
    assert isinstance(progress, Notes)
    with progress.stage("reading", None, "posts") as stage:
        stage.advance(1)
    progress.note("kernels are compiled")
    assert capsys.readouterr() == ("", "kernels are compiled\n")


def test_quiet_drops_notes(terminal: Terminal) -> None:
    progress_on(terminal, quiet=True).note("kernels")  # type: ignore[arg-type]
    assert terminal.written == ""
