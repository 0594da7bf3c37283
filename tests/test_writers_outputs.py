"""The output folder: what is refused, what --force deletes, what a finished folder says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from writer_samples import post, write_output

from dedup import outputs
from dedup.claim import claim
from dedup.config import Config, Write
from dedup.errors import OutputError
from dedup.writers import ResultsWriter
from dedup.writers.atomic import AtomicFile


def test_a_finished_folder_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path, [post(0, "a")])
    with pytest.raises(OutputError, match=r"finished output.*--force"):
        claim(tmp_path)


def test_an_unfinished_folder_is_no_output_yet(tmp_path: Path) -> None:
    claim(tmp_path / "out")
    with pytest.raises(OutputError, match="not finished"):
        outputs.load_manifest(tmp_path / "out")


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_somebody_else_is_refused_even_with_force(tmp_path: Path, force: bool) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/part-00000.jsonl.zst").write_text("mine")
    (tmp_path / "manifest.json").write_text('{"name": "web app"}')
    with pytest.raises(OutputError, match="not empty"):
        claim(tmp_path, force=force)
    assert (tmp_path / "corpus/part-00000.jsonl.zst").read_text() == "mine"
    with pytest.raises(OutputError, match="is a file"):
        claim(tmp_path / "manifest.json", force=force)


def test_an_input_inside_the_output_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputError, match="lies inside"):
        claim(out, inputs=[str(out / "corpus" / ".." / "dump.jsonl")])
    assert not out.exists()
    claim(out, inputs=[str(tmp_path / "dump.jsonl")])


@pytest.mark.parametrize("finished", [False, True])
def test_force_deletes_only_what_a_run_wrote(tmp_path: Path, finished: bool) -> None:
    out = tmp_path / "out"
    write_output(out, [post(number, "a") for number in range(3)], Write(shard_posts=1))
    outputs.write_json(out, "run.json", {})
    if not finished:
        (out / "manifest.json").unlink()
        (out / ".dedup/tmp").mkdir(parents=True, exist_ok=True)
    others = ["notes.txt", "corpus/readme.md", "provenance/part-1.csv", "rejected/mine.bin"]
    for name in others:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    claim(out, force=True)
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert left == {*others, ".dedup/run-started.json", ".dedup/lock"}


def test_force_keeps_shards_that_the_manifest_does_not_list(tmp_path: Path) -> None:
    write_output(tmp_path, [post(0, "a")])
    (tmp_path / "corpus/part-00099.jsonl.zst").write_text("mine")
    claim(tmp_path, force=True)
    assert (tmp_path / "corpus/part-00099.jsonl.zst").exists()


def test_force_follows_no_link_and_no_listed_path_out_of_the_folder(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "part-00000.jsonl.zst").write_text("mine")
    write_output(out, [post(0, "a")])
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["outputs"].append({"path": "../elsewhere/part-00000.jsonl.zst", "sha256": "", "bytes": 0})
    (out / "manifest.json").write_text(json.dumps(manifest))
    (out / "corpus").rename(tmp_path / "corpus")
    (out / "corpus").symlink_to(elsewhere)
    claim(out, force=True)
    assert (elsewhere / "part-00000.jsonl.zst").exists()


def test_the_manifest_lists_every_file_with_its_sum(tmp_path: Path) -> None:
    write_output(tmp_path, [post(number, "a") for number in range(3)], Write(shard_posts=2))
    manifest = outputs.load_manifest(tmp_path)
    assert [(file.path, file.records) for file in manifest.outputs] == [
        ("corpus/part-00000.jsonl.zst", 2),
        ("corpus/part-00001.jsonl.zst", 1),
        ("provenance/part-00000.jsonl.zst", 2),
        ("provenance/part-00001.jsonl.zst", 1),
    ]
    for file in manifest.outputs:
        content = (tmp_path / file.path).read_bytes()
        assert (file.sha256, file.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert manifest.config == Config().as_dict()
    assert not (tmp_path / ".dedup").exists()


def test_no_file_stands_under_its_final_name_before_it_is_complete(tmp_path: Path) -> None:
    claim(tmp_path / "out")
    file = AtomicFile(tmp_path / "out", "report.json")
    file.write(b"{")
    assert not (tmp_path / "out/report.json").exists()
    assert file.commit().bytes == 1
    assert (tmp_path / "out/report.json").read_bytes() == b"{"
    with pytest.raises(KeyError), AtomicFile(tmp_path / "out", "run.json") as broken:
        broken.write(b"{")
        raise KeyError
    assert not (tmp_path / "out/run.json").exists()
    assert not list((tmp_path / "out/.dedup/tmp").iterdir())


def test_an_aborted_run_leaves_no_half_written_shard(tmp_path: Path) -> None:
    claim(tmp_path)
    writer = ResultsWriter(tmp_path, Write())
    writer.abort()
    assert not list(tmp_path.glob("*/part-*"))


def test_what_is_no_output_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not an output folder"):
        outputs.load_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(OutputError, match="not a manifest"):
        outputs.read_corpus(tmp_path)
