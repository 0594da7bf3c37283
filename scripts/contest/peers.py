"""An environment of their own for the peers: their dependencies are many, and not dedup's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

PEERS = Path(__file__).resolve().parents[1] / "peers"
REQUIREMENTS = PEERS / "requirements.txt"

ASK = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def prepare(folder: Path, say: Callable[[str], None]) -> Path:
    """The peers' Python in `folder`, made and filled when that has not been done yet.

    What cannot be installed is said and left out. Raises CalledProcessError when there can be no
    environment at all.
    """
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    if not python.exists():
        say(f"Making an environment for the peers in {folder}.")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    say(f"Installing the peers into {folder}: this takes minutes.")
    if not _install(python, ["-r", str(REQUIREMENTS)]):
        lines = (line.strip() for line in wanted.split("\n"))
        for line in lines:
            if line and not line.startswith("#") and not _install(python, [line]):
                say(f"Cannot be installed: {line}")
    done.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path, packages: Iterable[str]) -> dict[str, str]:
    """Which of the packages that Python has, and in which version."""
    answer = subprocess.run([str(python), "-c", ASK, *packages], stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(answer.stdout)
    return found


def _install(python: Path, what: list[str]) -> bool:
    command = [str(python), "-m", "pip", "install", "--quiet", "--no-input", *what]
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0
