"""Write the dump of a made-up forum and the exact truth about it.

    python scripts/generate.py OUT_FOLDER --posts 100000 --seed 7 [--languages en,de] [--mix quality|bench]
    python scripts/generate.py OUT_FOLDER --posts 100000 --case hot-thread|one-quote|identical

    dump.jsonl   what the program reads: id, author, thread_id, parent_id, date, title, board, text
    truth.jsonl  id, text, author, thread_id, the quotes in it, its signature, code copied from others
    pairs.jsonl  pairs of posts: a, b, duplicate, and their exact Jaccard similarity over 5-word shingles
    kinds.jsonl  id, language, and which phenomena the post shows (the first one is why it was written)

Offsets count code points of `text`. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generator import CASES, LANGUAGE_NAMES, PHENOMENA, Record, generate

__all__ = ["CASES", "LANGUAGE_NAMES", "PHENOMENA", "Record", "generate", "write"]

FILES = ("dump.jsonl", "truth.jsonl", "pairs.jsonl", "kinds.jsonl")
BATCH_POSTS = 2_000


def write(records: Iterable[Record], folder: Path) -> int:
    """Write the four files into `folder`, made if need be; gives the number of posts."""
    folder.mkdir(parents=True, exist_ok=True)
    encode = msgspec.json.Encoder().encode
    source, count = iter(records), 0
    with ExitStack() as stack:
        dump, truth, pairs, kinds = (stack.enter_context((folder / name).open("wb")) for name in FILES)
        while batch := list(islice(source, BATCH_POSTS)):
            count += len(batch)
            dump.writelines(encode(_dump_line(record)) + b"\n" for record in batch)
            truth.writelines(encode(_truth_line(record)) + b"\n" for record in batch)
            pairs.writelines(encode(pair) + b"\n" for record in batch for pair in record.pairs)
            kinds.writelines(encode(_kinds_line(record)) + b"\n" for record in batch)
    return count


def _dump_line(record: Record) -> dict[str, object]:
    line: dict[str, object] = {"id": record.id, "author": record.author, "thread_id": record.thread_id}
    if record.parent_id is not None:
        line["parent_id"] = record.parent_id
    line |= {"date": record.date, "title": record.title, "board": record.board, "text": record.text}
    return line


def _truth_line(record: Record) -> dict[str, object]:
    line: dict[str, object] = {
        "id": record.id,
        "text": record.text,
        "author": record.author,
        "thread_id": record.thread_id,
        "quotes": record.quotes,
    }
    if record.signature is not None:
        line["signature"] = record.signature
    if record.code:
        line["code"] = record.code
    return line


def _kinds_line(record: Record) -> dict[str, object]:
    return {"id": record.id, "language": record.language, "kinds": record.kinds}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="OUT_FOLDER")
    parser.add_argument("--posts", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--languages", metavar="en,de,...", help=f"of {','.join(LANGUAGE_NAMES)}; default: the mix's"
    )
    parser.add_argument("--mix", choices=("quality", "bench"), default="quality")
    parser.add_argument(
        "--case", choices=tuple(CASES), help="instead of a mix: a dump that is hard on one part"
    )
    options = parser.parse_args(arguments)
    languages = options.languages.split(",") if options.languages else None
    unknown = set(languages or ()) - set(LANGUAGE_NAMES)
    if unknown:
        parser.error(f"unknown language {', '.join(sorted(unknown))}; known: {', '.join(LANGUAGE_NAMES)}")
    gc.disable()  # no cycles are made, and the collector would walk the living posts over and over
    if options.case:
        records = CASES[options.case](options.posts, options.seed)
    else:
        records = generate(options.posts, options.seed, languages, options.mix)
    count = write(records, options.folder)
    print(f"{count} posts in {options.folder}")


if __name__ == "__main__":
    main()
