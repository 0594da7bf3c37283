"""The output folder as a whole: what is in it, how it is finished, how it is read back.

OUT/corpus/part-00000.jsonl.zst …    kept and trimmed posts
OUT/provenance/part-00000.jsonl.zst …  one record for every input post
OUT/rejected/…                       records that could not be read, if any
OUT/report.json, OUT/run.json        ratios; timings and machine
OUT/manifest.json                    inputs, settings, counts, outputs; written last
OUT/.dedup/                          there only while a run is under way (see `claim`)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from dedup.config import Config
from dedup.errors import OutputError
from dedup.readers import stores
from dedup.writers.atomic import WORK_FOLDER, AtomicFile, OutputFile, sync_folder
from dedup.writers.metadata import OWN_KEYS, TypePlan, read_metadata
from dedup.writers.shards import read_line_blocks
from dedup.writers.text import TextPosts

FORMAT = 1
"""Version of the output folder's layout."""
MANIFEST, RUN_FACTS = "manifest.json", "run.json"
OURS = re.compile(
    r"corpus/part-\d{5,}\.(jsonl\.zst|parquet|txt\.zst)|(provenance|rejected)/part-\d{5,}\.jsonl\.zst"
    r"|rejected/bytes-\d{5,}\.bin|report\.json|run\.json|manifest\.json"
)
"""The names of all files that a run writes."""
_VERSIONS = [
    *("dedup", "ftfy", "datasketch", "wordfreq", "rapidfuzz"),
    *("pyarrow", "numpy", "xxhash", "zstandard", "chardet"),
]
"""Packages whose version can change a byte of the output."""


class InputFile(msgspec.Struct, frozen=True):
    """An input as the manifest lists it."""

    path: str  # as given by the user
    sha256: str
    bytes: int


class EarlierCorpus(msgspec.Struct, frozen=True):
    """A corpus that was there before: what it is called (`source_corpus`), and its files."""

    name: str
    files: list[InputFile]


class Manifest(msgspec.Struct, frozen=True):
    """`manifest.json`: what a finished output folder was made of, and what is in it."""

    dedup: str  # version
    format: int
    inputs: list[InputFile]
    config: dict[str, Any]
    versions: dict[str, str]
    counts: dict[str, Any]
    outputs: list[OutputFile]
    types: TypePlan = TypePlan()
    """What was changed to give every metadata key of the corpus one type."""
    against: list[EarlierCorpus] = []
    """What was there before, and was a source for this one."""
    sha256: str = ""
    """Of the manifest itself as it is written without this."""


def is_finished(out: Path) -> bool:
    """Whether `out` holds the complete output of a run."""
    try:
        return is_manifest((out / MANIFEST).read_bytes())
    except OSError:
        return False


def is_manifest(content: bytes) -> bool:
    """Whether this is a manifest that a run wrote."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "dedup" in found and "outputs" in found


def finished_before(where: str) -> OutputError:
    """What a new run is told of a finished output."""
    return OutputError(
        "holds the finished output of an earlier run.",
        where=where,
        hint="Choose another --output, or replace it with --force.",
    )


def write_json(out: Path, name: str, content: Any) -> OutputFile:
    """Write `report.json` or the like, atomically."""
    file = AtomicFile(out, name)
    file.write(json_bytes(content))
    return file.commit()


def json_bytes(content: Any) -> bytes:
    """JSON as our files hold it."""
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be written as JSON, with a sum of itself as its last member: no other file has one of it."""
    unsealed = {**content, "sha256": ""}
    return {**unsealed, "sha256": hashlib.sha256(json_bytes(unsealed)).hexdigest()}


def is_whole(path: Path) -> bool:
    """Whether a `sealed` file is, byte for byte, as it was written. Raises OSError."""
    content = path.read_bytes()
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and content == json_bytes(found) and found == sealed(found)


def write_facts(out: Path, facts: Mapping[str, Any]) -> None:
    """Write `run.json`. No manifest knows it: it differs from run to run, and the manifest does not."""
    write_json(out, RUN_FACTS, sealed(facts))


def write_manifest(
    out: Path,
    *,
    inputs: Iterable[InputFile],
    config: Config,
    counts: Mapping[str, Any],
    outputs: Iterable[OutputFile],
    types: TypePlan = TypePlan(),  # noqa: B008 - it is frozen
    against: Iterable[EarlierCorpus] = (),
    finish: Callable[[dict[str, Any]], None] | None = None,
) -> Manifest:
    """Write `manifest.json`, which makes the folder a finished one, and remove the work folder.

    finish: does so in another way, given the content.
    """
    found = versions()
    manifest = Manifest(
        found["dedup"],
        FORMAT,
        list(inputs),
        config.as_dict(),
        found,
        dict(counts),
        list(outputs),
        types,
        list(against),
    )
    content = sealed(msgspec.to_builtins(manifest))
    if finish is not None:
        finish(content)
    else:
        write_json(out, MANIFEST, content)
        sync_folder(out)
        remove_folder(out / WORK_FOLDER)
    return msgspec.structs.replace(manifest, sha256=content["sha256"])


def remove_folder(work: Path) -> None:
    """Remove a run's own folder, side by side: the system takes a second for the pages of gigabytes."""
    remove = partial(shutil.rmtree, ignore_errors=True)
    with suppress(OSError), ThreadPoolExecutor(2) as pool:
        for _ in pool.map(remove, [*work.iterdir()]):
            pass
    remove(work)


def versions() -> dict[str, str]:
    """The versions of all that can change a byte of the output."""
    return {name: package_version(name) for name in _VERSIONS} | {"unicode": unicodedata.unidata_version}


def package_version(name: str) -> str:
    """The version of an installed package, or "unknown"."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def load_manifest(out: Path) -> Manifest:
    """The manifest of a finished output folder.

    Raises OutputError when `out` is no output folder of dedup, or not a finished one.
    """
    hint = "Give the folder that `dedup clean --output` wrote."
    if stores.is_address(str(out)):
        hint = "Copy the output here, and give that folder."
        raise OutputError("is the address of a store, not a folder.", where=str(out), hint=hint)
    try:
        return parse_manifest((out / MANIFEST).read_bytes(), str(out / MANIFEST))
    except OSError:
        if (out / WORK_FOLDER).is_dir():
            raise OutputError(
                "holds the output of a run that was not finished.",
                where=str(out),
                hint="Give its command again to go on with it.",
            ) from None
        raise OutputError("is not an output folder of dedup.", where=str(out), hint=hint) from None


def parse_manifest(content: bytes, where: str) -> Manifest:
    """The manifest in a file. Raises OutputError where there is none."""
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise OutputError(f"is not a manifest of dedup ({error}).", where=where) from None


def read_provenance(out: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The provenance records of a finished output folder, in input order, one shard block at a time.

    Raises OutputError when the folder is not finished or a shard is missing or damaged.
    """
    out = Path(out)
    return _read_json_lines(out, _shards(load_manifest(out), "provenance/", ".jsonl.zst"))


def read_rejected(out: Path) -> Iterator[dict[str, Any]]:
    """The records that a run could not read: `path`, `record`, `error` and their bytes.

    Raises OutputError as `read_provenance` does.
    """
    return _read_json_lines(out, _shards(load_manifest(out), "rejected/", ".jsonl.zst"))


def read_corpus(out: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The corpus records of a finished output folder, in input order and whatever its format.

    A text corpus has no ids and no metadata; its records take the id from the provenance, and their
    `created` is null. Raises OutputError as `read_provenance` does.
    """
    out = Path(out)
    manifest = load_manifest(out)
    if shards := _shards(manifest, "corpus/", ".jsonl.zst"):
        return ({**record, "created": record.get("created")} for record in _read_json_lines(out, shards))
    if shards := _shards(manifest, "corpus/", ".parquet"):
        return _read_parquet(out, shards)
    return _read_text(out, _shards(manifest, "corpus/", ".txt.zst"))


def corpus_files(manifest: Manifest) -> list[str]:
    """The shards of the corpus, whatever its format, in order."""
    return _shards(manifest, "corpus/", "")


def provenance_files(manifest: Manifest) -> list[str]:
    """The shards of the provenance, in order."""
    return _shards(manifest, "provenance/", "")


def _shards(manifest: Manifest, folder: str, ending: str) -> list[str]:
    """Shards of a kind, in order; only names we give ourselves, as a manifest is a file like any other."""
    names = (file.path for file in manifest.outputs)
    return [
        name for name in names if name.startswith(folder) and name.endswith(ending) and OURS.fullmatch(name)
    ]


def _read_json_lines(out: Path, shards: list[str]) -> Iterator[dict[str, Any]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for name in shards:
        try:
            for block in read_line_blocks(out / name):
                yield from decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OutputError(f"is damaged ({error}).", where=str(out / name)) from error


def _read_parquet(out: Path, shards: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq  # 0.1 s, and most corpora are JSON lines

    for name in shards:
        try:
            for batch in pq.ParquetFile(out / name).iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    own = {key: row[key] for key in OWN_KEYS}
                    document = {key: row[key] for key in ("id", "text", "source", "created")}
                    document["metadata"] = {**own, **read_metadata(own, row["metadata"])}
                    yield document
        except (OSError, ValueError) as error:
            raise OutputError(f"cannot be read ({error}).", where=str(out / name)) from error


def _read_text(out: Path, shards: list[str]) -> Iterator[dict[str, Any]]:
    posts = TextPosts([out / name for name in shards])
    for record in read_provenance(out):
        if record["action"] != "drop":
            text = posts.next_text(clean_length(record))
            source = record["source"]["path"]
            own = dict.fromkeys(OWN_KEYS) | {"thread_id": record["thread_id"]}
            yield {"id": record["id"], "text": text, "source": source, "created": None, "metadata": own}


def clean_length(record: Mapping[str, Any]) -> int:
    """Code points of a post's clean text, from its provenance record."""
    gone = sum(len(edit["raw"]) - len(edit["new"]) for edit in record["edits"])
    return int(record["raw_chars"]) - gone
