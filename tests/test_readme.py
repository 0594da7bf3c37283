"""What the README says is true: its commands run, its options and settings exist, its example is real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from check_promises import read_lines

from dedup.cli import app
from dedup.config import Config, load_config

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of the README, with the lines it is shown to print."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *printed = part.rstrip("\n").split("\n")
            yield command, [line for line in printed if line not in ("", "…")]


COMMANDS = list(commands())
MAIN_JOB, TESTS = (command for command, _ in COMMANDS[:2])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a fresh clone to the commands."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "data", folder / "data")
    (folder / "bin").mkdir()
    script = folder / "bin" / "dedup"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dedup "$@"\n', "utf-8")
    script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def environment(checkout: Path) -> dict[str, str]:
    paths = [str(checkout / "bin"), os.environ["PATH"]]
    source = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": os.pathsep.join(filter(None, source))}


def without_installing(command: str) -> str:
    """The command as it is in an environment where everything is installed."""
    steps = [step for step in command.split(" && ") if "-m venv" not in step and "pip install" not in step]
    return " && ".join(steps).replace(".venv/bin/dedup", "dedup")


def test_the_first_two_commands_install_and_do_everything() -> None:
    for command in (MAIN_JOB, TESTS):
        venv, install, run = command.split(" && ")
        assert venv == "python3 -m venv .venv"
        assert install.startswith(".venv/bin/pip install -q ")
        assert run.startswith(".venv/bin/")
    assert TESTS in (ROOT / ".ci" / "run").read_text("utf-8").split("\n")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(os.name != "posix", reason="the commands are for a POSIX shell")
def test_every_command_runs(checkout: Path, environment: dict[str, str]) -> None:
    for command, printed in COMMANDS:
        if command == TESTS:
            continue  # is running
        done = subprocess.run(
            ["sh", "-c", without_installing(command)],  # the README's own words
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        for line in printed:
            assert line in done.stdout.split("\n"), f"{command} printed\n{done.stdout}"


def test_the_python_runs(checkout: Path, environment: dict[str, str]) -> None:
    for block in blocks("python"):
        subprocess.run([sys.executable, "-c", block], cwd=checkout, env=environment, check=True)


def test_the_example_is_real(forum_out: Path) -> None:
    before, after = blocks("text")
    (shown,) = blocks("json")
    edit = json.loads(shown)
    raw = [
        json.loads(line) for line in (ROOT / "data" / "forum.jsonl").read_text("utf-8").split("\n") if line
    ]
    (post,) = [post for post in raw if post["text"] == before.rstrip("\n")]
    (document,) = [document for document in read_lines(forum_out, "corpus") if document["id"] == post["id"]]
    assert document["text"] == after.rstrip("\n")
    (record,) = [record for record in read_lines(forum_out, "provenance") if record["id"] == post["id"]]
    assert edit in record["edits"]


def test_every_option_it_names_exists() -> None:
    options: set[str] = set()
    for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        for parameter in command.params:
            options |= {*parameter.opts, *parameter.secondary_opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named - options - {"--help"} == set()


def test_every_command_is_described() -> None:
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"**`dedup {name}`**" in README


def test_the_settings_are_complete_and_default(tmp_path: Path) -> None:
    (block,) = blocks("toml")
    path = tmp_path / "dedup.toml"
    path.write_text(block, "utf-8")
    assert load_config(path) == Config()
    assert named_settings(block) == {
        (section, key) for section, keys in msgspec.to_builtins(Config()).items() for key in keys
    }
    path.write_text(re.sub(r"^# (?=\w+ = )", "", block, flags=re.MULTILINE), "utf-8")
    load_config(path)


def named_settings(toml: str) -> set[tuple[str, str]]:
    found, section = set(), ""
    for line in toml.split("\n"):
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(?:# )?(\w+) = ", line):
            found.add((section, match[1]))
    return found


def test_every_why_is_explained() -> None:
    from dedup.report.kinds import REMOVALS

    explained = set(re.findall(r"`(\w+)`", README))
    assert set(REMOVALS) <= explained
    assert {"encoding", "whitespace"} <= explained


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists()
