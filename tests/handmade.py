"""A small output folder written by hand, as section "Output" of the README describes one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import xxhash
import zstandard

FOX = "A red fox crossed the frozen river at dawn and left no trace in the snow."
ODD = "Odd [bold]markup[/bold] \x1b[2J and \u202eback\u202c stay\u00a0here.  "


def edit(raw_text: str, raw: str, why: str, new: str = "", **source: Any) -> dict[str, Any]:
    """One edit of `raw_text`, found by what it replaces."""
    start = raw_text.index(raw)
    known = {"source_id": None, "source_start": None, "source_end": None, "via_id": None}
    extra = {"score": None, "group": None, "flags": []}
    return {
        "start": start,
        "end": start + len(raw),
        "raw": raw,
        "new": new,
        "why": why,
        **known,
        **extra,
        **source,
    }


def post(
    post_id: str,
    text: str,
    author: str | None,
    *edits: dict[str, Any],
    reason: str | None = None,
    kept_copies: tuple[dict[str, Any], ...] = (),
    duplicate_of: str | None = None,
    similarity: float | None = None,
    thread_id: str = "t/1",
) -> dict[str, Any]:
    """What a run knows of one post: its provenance record, its corpus record, its raw text."""
    clean = text
    for change in reversed(edits):
        clean = clean[: change["start"]] + change["new"] + clean[change["end"] :]
    repairs = all(change["why"] in ("encoding", "whitespace") for change in edits)
    action = "drop" if reason else "keep" if repairs else "trim"
    metadata = {"author": author, "thread_id": thread_id, "parent_id": None, "title": None}
    metadata |= {"board": "animals", "cluster_id": "1" if duplicate_of or post_id == "1" else None}
    source = {"path": "dump.jsonl", "record": 0, "encoding": "utf-8"}
    provenance = {
        "id": post_id,
        "thread_id": thread_id,
        "source": source,
        "action": action,
        "reason": reason,
        "duplicate_of": duplicate_of,
        "similarity": similarity,
        "raw_chars": len(text),
        "clean_chars": len(clean),
        "raw_hash": xxhash.xxh3_128_hexdigest(text.encode()),
        "edits": list(edits),
        "kept_copies": list(kept_copies),
    }
    created = "2004-05-06T07:08:09Z"
    if action == "drop":
        provenance |= {"metadata": metadata, "created": created}
    corpus = {
        "id": post_id,
        "text": clean,
        "source": source["path"],
        "created": created,
        "metadata": metadata,
    }
    return {"provenance": provenance, "corpus": corpus, "raw": text}


def posts() -> list[dict[str, Any]]:
    """Seven posts of one thread: a source, a quote, a quote of the quote, copies, repairs, code."""
    origin = {"source_id": "1", "source_start": 0, "source_end": len(FOX), "score": 1.0}
    quote = f"{FOX}\nMy own view is that it walked on ice all along."
    again = f"{FOX}\nAnd mine is that foxes can fly when nobody looks."
    near = FOX.replace("dawn", "dusk")
    code = "for fox in foxes: fox.run()\nThat is how I would write it."
    return [
        post("1", FOX, "ann"),
        post("2", quote, "bob", edit(quote, f"{FOX}\n", "quote", **origin, group=0)),
        post("3", again, "cyd", edit(again, f"{FOX}\n", "quote", **origin, group=0, via_id="2")),
        post("4", FOX, "bob", edit(FOX, FOX, "exact_duplicate"), reason="exact_duplicate", duplicate_of="1"),
        post(
            "5",
            near,
            "dee",
            edit(near, near, "near_duplicate", **origin | {"score": 0.75}),
            reason="near_duplicate",
            duplicate_of="1",
            similarity=0.75,
        ),
        post("6", ODD, None, edit(ODD, "\u00a0", "whitespace", " "), edit(ODD, "  ", "whitespace")),
        post(
            "7",
            code,
            "ann",
            kept_copies=(
                edit(code, "for fox in foxes: fox.run()", "quote", source_id="99", flags=["source_missing"]),
            ),
        ),
    ]


def write_output(out: Path, made: list[dict[str, Any]]) -> Path:
    """Write the folder; returns it."""
    out.mkdir(parents=True)
    files = []
    kept = [one["corpus"] for one in made if one["provenance"]["action"] != "drop"]
    for record, one in enumerate(made, 1):
        one["provenance"]["source"] = one["provenance"]["source"] | {"record": record}
    for folder, records in (("corpus", kept), ("provenance", [one["provenance"] for one in made])):
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        data = zstandard.compress(lines.encode())
        name = f"{folder}/part-00000.jsonl.zst"
        (out / folder).mkdir()
        (out / name).write_bytes(data)
        files.append(
            {
                "path": name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
                "records": len(records),
            }
        )
    manifest = {"dedup": "0", "format": 1, "inputs": [], "config": {}, "versions": {}}
    manifest |= {"counts": {"posts": len(made), "rejected": 0}, "outputs": files}
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return out
