"""Clean the development boards and print what the labels say about it, as Markdown.

    python scripts/boards.py [--data DIR] [--only NAME,NAME] [--keep DIR]

DIR holds `quotes/` and `neardup/` as the project's development data has them; by default it is
../shared/data. The labels (`quotes`, `signature`) are taken out of what the program reads. Each board is
cleaned in a process of its own; memory is that of the largest process of the run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dedup.readers.sources import Source, open_source  # noqa: E402 - the path above comes first

LABELS = ("quotes", "signature")
DEDUP = [sys.executable, "-m", "dedup"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
NO_MARKS = ("--set", "quotes.use_marks=false")


class Board(NamedTuple):
    """A labelled dump: what to read, what to compare with, and with which settings."""

    name: str
    dump: str
    truth: str
    settings: tuple[str, ...] = ()


QUOTES = [
    Board("gbadev", "quotes/gbadev_phpbb2.jsonl.zst", "quotes/gbadev_phpbb2.jsonl.zst"),
    Board("opendcl", "quotes/opendcl_smf.jsonl.zst", "quotes/opendcl_smf.jsonl.zst"),
    Board(
        "r-sig-mac, no marks",
        "quotes/rlist_r-sig-mac.jsonl.zst",
        "quotes/rlist_r-sig-mac.jsonl.zst",
        NO_MARKS,
    ),
    Board("r-sig-mac, marks", "quotes/rlist_r-sig-mac.jsonl.zst", "quotes/rlist_r-sig-mac.jsonl.zst"),
]
DUPLICATES = [
    Board(
        "avalanches",
        "neardup/avalanches_phpbb2_pages.input.jsonl.zst",
        "neardup/avalanches_phpbb2_pages.truth.jsonl.zst",
    ),
    Board(
        "R cross-posts",
        "neardup/rlists_crosspost.input.jsonl.zst",
        "neardup/rlists_crosspost.truth.jsonl.zst",
    ),
]

QUOTE_COLUMNS = {
    "quotes": "quotes",
    "precision": "char_precision",
    "recall": "char_recall",
    "F1": "char_f1",
    "quote recall": "quote_recall",
    "short quotes": "quote_recall_short",
    "source accuracy": "source_accuracy",
    "own text lost": "new_text_lost",
    "unmarked copies": "unmarked_copies",
}
DUPLICATE_COLUMNS = {
    "pairs": "duplicate_pairs",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "adjusted Rand index": "ari",
}


class Row(NamedTuple):
    """What a board gave."""

    name: str
    scores: dict[str, Any]
    posts: int
    seconds: float
    memory_mb: int


def run_board(board: Board, data: Path, folder: Path) -> Row:
    """Clean a board into `folder` and score it. Raises CalledProcessError when the run fails."""
    dump, out = folder / "dump.jsonl", folder / "out"
    posts = write_unlabelled(data / board.dump, dump)
    # In the board's folder no settings file of ours is found.
    clean = subprocess.Popen(
        [*DEDUP, "clean", str(dump), "-o", str(out), "--quiet", *board.settings],
        cwd=folder,
        env=ENVIRONMENT,
    )
    began = time.perf_counter()
    _, status, usage = os.wait4(clean.pid, 0)
    seconds = time.perf_counter() - began
    clean.returncode = os.waitstatus_to_exitcode(status)
    if clean.returncode:
        raise subprocess.CalledProcessError(clean.returncode, clean.args)
    memory_mb = usage.ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    # In a process of its own, for the memory: a new process is counted with all that this one ever had.
    scores = subprocess.run(
        [*DEDUP, "eval", str(data / board.truth), str(out), "--json"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return Row(board.name, msgspec.json.decode(scores.stdout), posts, seconds, memory_mb)


def write_unlabelled(path: Path, dump: Path) -> int:
    """Write the posts of a board without their labels; gives how many there are."""
    posts = 0
    decoder, encoder = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Encoder()
    with dump.open("wb") as file:
        for line in _lines(path):
            post = decoder.decode(line)
            for label in LABELS:
                post.pop(label, None)
            file.write(encoder.encode(post) + b"\n")
            posts += 1
    return posts


def _lines(path: Path) -> Iterator[bytes]:
    rest = b""
    with open_source(Source(str(path))) as stream:
        while block := stream.read(1 << 22):
            *lines, rest = (rest + block).split(b"\n")
            yield from (line for line in lines if line)
    if rest:
        yield rest


def print_table(rows: Sequence[Row], columns: dict[str, str]) -> None:
    """Print rows as a Markdown table."""
    titles = ["set", "posts", *columns, "seconds", "MB"]
    print(f"| {' | '.join(titles)} |\n|---|{'---:|' * (len(titles) - 1)}")
    for row in rows:
        cells = [row.name, f"{row.posts:,}", *(_cell(row.scores.get(key)) for key in columns.values())]
        print(f"| {' | '.join([*cells, f'{row.seconds:.1f}', f'{row.memory_mb:,}'])} |")
    print(flush=True)


def _cell(value: float | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="DIR")
    parser.add_argument("--only", metavar="NAME,NAME", help="sets whose name begins so; default: all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep dumps and outputs in this new folder")
    options = parser.parse_args(arguments)
    wanted = tuple(options.only.split(",")) if options.only else ("",)
    data = options.data.resolve()
    with ExitStack() as stack:
        work = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dedup-boards-")))
        for boards, columns in ((QUOTES, QUOTE_COLUMNS), (DUPLICATES, DUPLICATE_COLUMNS)):
            rows = []
            for board in boards:
                if not board.name.startswith(wanted):
                    continue
                if not (data / board.dump).is_file():
                    print(f"{data / board.dump} is not there: {board.name} is left out", file=sys.stderr)
                    continue
                folder = work.resolve() / board.name.replace(", ", "-").replace(" ", "-")
                folder.mkdir(parents=True)
                rows.append(run_board(board, data, folder))
            if rows:
                print_table(rows, columns)


if __name__ == "__main__":
    main()
