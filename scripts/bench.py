"""Measure `dedup clean` against its peers on the same dumps, or alone on dumps of growing size.

    python scripts/bench.py DUMP... [--only dedup,text-dedup] [--runs 3]
    python scripts/bench.py --scale 100000,1000000,3000000,10000000
    python scripts/bench.py --scale 100000 --case hot-thread|one-quote|identical

DUMP is JSON lines with a field `text`, plain or compressed; labels of development data are taken out
first. The peers are installed into an environment of their own when they are first needed. A peer that
cannot be installed, fails or takes too long is shown as such, and the others run on. `--scale` runs once on
a generated dump of each size, and with `--case` also on one twice as large.

Results go to docs/benchmarks.md, every run to the JSON beside it, plots to SVG beside it; what other dumps
gave stays there. Runs on Linux. Measure on a quiet machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from contest import growth, peers, results, rounds  # noqa: E402 - the path above comes first
from contest.contestants import CONTESTANTS  # noqa: E402
from contest.look import ask  # noqa: E402

MORE = ("start", "cold")
NAMES = (*(contestant.name for contestant in CONTESTANTS), *MORE)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    only = options.only.split(",") if options.only else list(NAMES)
    needs = sorted({package for c in CONTESTANTS if c.name in only for package in c.needs})
    peers_folder = options.peers.resolve()
    if options.dumps and needs:
        peers_python = peers.prepare(peers_folder, _say)
        installed = peers.versions(peers_python, needs)
    else:
        peers_python, installed = peers_folder / "bin" / "python", {}
    known = ask("facts")
    kept = results.load(options.results)
    about = {"machine": results.machine(), "versions": known["versions"] | installed}
    with ExitStack() as stack:
        if options.work:
            options.work.mkdir(parents=True, exist_ok=True)
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dedup-bench-")))
        setting = rounds.Setting(
            work=work.resolve(),
            runs=options.runs,
            workers=options.workers,
            level=known["compression_level"],
            limit=options.limit,
            python=peers_python,
            installed=installed,
            say=_say,
        )
        for path in options.dumps:
            dump = setting.work / "dump.jsonl"
            posts = ask("plain", str(path.resolve()), str(dump))
            entry = rounds.hold(dump, _name_of(path), posts, only, setting)
            dump.unlink()
            results.put(kept["dumps"], "name", entry | about)
            results.save(options.results, kept)
        if options.scale:
            sizes = [size * times for size in options.scale for times in ((1, 2) if options.case else (1,))]
            entry = growth.grow(sizes, options.case, setting)
            results.put(kept["growth"], "case", entry | about)
            results.save(options.results, kept)
    _say(f"Written: {options.results}")


def _name_of(path: Path) -> str:
    """`gbadev_phpbb2.jsonl.zst` → `gbadev_phpbb2`; a generated dump is called by its folder."""
    name = path.name.partition(".")[0]
    return path.resolve().parent.name if name == "dump" else name


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _options(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dumps", nargs="*", type=Path, metavar="DUMP")
    parser.add_argument("--only", metavar="A,B", help=f"of {','.join(NAMES)}; default: all")
    parser.add_argument("--runs", type=int, default=3, help="rounds on a dump; default: 3")
    parser.add_argument("--workers", type=int, default=2, help="of each contestant; default: 2")
    parser.add_argument("--limit", type=float, default=7_200, metavar="SECONDS", help="for one run")
    parser.add_argument("--scale", metavar="N,N", type=_sizes, help="run alone on so many generated posts")
    parser.add_argument("--case", choices=("hot-thread", "one-quote", "identical"))
    parser.add_argument("--peers", type=Path, default=ROOT / "build" / "peers", metavar="FOLDER")
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "benchmarks.md", metavar="FILE")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep generated dumps here, to use again")
    options = parser.parse_args(arguments)
    if bool(options.dumps) == bool(options.scale):
        parser.error("give dumps, or --scale")
    if options.case and not options.scale:
        parser.error("--case goes with --scale")
    unknown = set(options.only.split(",") if options.only else ()) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NAMES)}")
    if options.runs < 1 or options.workers < 1:
        parser.error("--runs and --workers are at least 1")
    for path in options.dumps:
        if not path.is_file():
            parser.error(f"{path} is not there")
    if not sys.platform.startswith("linux"):
        parser.error("time and memory of whole process trees are measured on Linux alone")
    return options


def _sizes(text: str) -> list[int]:
    return [int(size.replace("_", "")) for size in text.split(",")]


if __name__ == "__main__":
    main()
