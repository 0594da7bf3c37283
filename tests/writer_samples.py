"""Rows of RESULTS for tests of what is written and read back: hand-made ones and arbitrary ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash
from hypothesis import strategies as st

from dedup import outputs
from dedup.claim import claim
from dedup.config import Config, Write
from dedup.schema import RESULTS
from dedup.writers import ResultsWriter

ODD_TEXTS = [
    'He said "no\\yes".\n\tTabbed\r\nand \x00 \x1f \x7f odd',
    "U+2028 \u2028 U+0085 \x85 form feed \x0c end",
    "\n\u00a0\n a line of U+00A0 alone \n\u00a0\n",
    "Emoji 👩‍👩‍👧 and 日本語, Ελληνικά, العربية",
    "",
]
COPY = {
    "source_id": None,
    "source_start": None,
    "source_end": None,
    "via_id": None,
    "score": None,
    "group": None,
    "flags": [],
}


def post(number: int, raw: str, cuts: list[tuple[int, int, str, str]] = (), **fields: Any) -> dict[str, Any]:
    """A row of RESULTS: `raw` with these spans replaced; a dropped post loses all of it."""
    action = fields.get("action", "trim" if cuts else "keep")
    if action == "drop":
        cuts = [(0, len(raw), "", fields["reason"])]
    pieces, at = [], 0
    edits = []
    for start, end, new, why in cuts:
        pieces += [raw[at:start], new]
        at = end
        edit = {"start": start, "end": end, "raw": raw[start:end], "new": new, "why": why, **COPY}
        if why in ("quote", "exact_duplicate"):
            edit |= {"source_id": "p0", "source_start": 3, "source_end": 9, "score": 0.95832, "group": 0}
        edits.append(edit)
    text = "".join([*pieces, raw[at:]])
    return {
        "id": f"p{number}",
        "text": text,
        "author": "ann",
        "thread_id": "t1",
        "parent_id": None,
        "title": None,
        "board": None,
        "created": "2 Jan 2010, 3:04 pm",
        "path": "dump.jsonl",
        "record": number + 1,
        "encoding": "utf-8",
        "metadata": "{}",
        "escapes": [],
        "action": action,
        "reason": None,
        "duplicate_of": None,
        "source_corpus": None,
        "similarity": None,
        "cluster_id": None,
        "raw_chars": len(raw),
        "clean_chars": len(text),
        "raw_words": len(raw.split()),
        "clean_words": len(text.split()),
        "raw_hash": xxhash.xxh3_128_hexdigest(raw.encode()),
        "edits": edits,
        "kept_copies": [],
        "raw": raw,
        **fields,
    }


def table(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """The rows as a batch of RESULTS."""
    return pa.RecordBatch.from_pylist([{name: row[name] for name in RESULTS.names} for row in rows], RESULTS)


def write_output(
    out: Path, rows: list[dict[str, Any]], settings: Write | None = None, batches: list[int] | None = None
) -> list[dict[str, Any]]:
    """A finished output folder of these rows, written in batches of these sizes."""
    settings = settings or Write()
    claim(out)
    writer = ResultsWriter(out, settings)
    batch, at = table(rows), 0
    for size in [*(batches or []), len(rows)]:
        writer.write(batch.slice(at, size))
        at += size
    files = writer.close()
    outputs.write_manifest(
        out, inputs=[], config=Config(), counts={"posts": len(rows)}, outputs=files, types=writer.type_plan
    )
    return rows


_texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=40))
_names = st.one_of(st.none(), st.text(max_size=6))
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_metadata = st.dictionaries(
    st.sampled_from(["a", "b", "author", "tags", "x\n", "cluster_id"]), _json, max_size=3
)


@st.composite
def posts(draw: st.DrawFn, number: int = 0) -> dict[str, Any]:
    """An arbitrary row of RESULTS that keeps the schema's promises."""
    raw = draw(_texts)
    points = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    cuts = [
        (
            start,
            end,
            draw(st.text(max_size=3)),
            draw(st.sampled_from(["whitespace", "quote", "quote_chrome"])),
        )
        for start, end in zip(points[::2], points[1::2], strict=False)
    ]
    fields: dict[str, Any] = {}
    if draw(st.integers(0, 4)) == 0:
        fields = {"action": "drop", "reason": "exact_duplicate", "duplicate_of": "p0", "similarity": 1.0}
    fields["metadata"] = json.dumps(
        draw(_metadata), ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1))
    )
    for name in ("author", "thread_id", "parent_id", "title", "board", "created", "cluster_id"):
        fields[name] = draw(_names)
    if draw(st.booleans()):
        fields["escapes"] = [{"at": 0, "raw": "\\ud800"}]
    row = post(number, raw, cuts, **fields)
    row["id"] = f"{draw(st.text(max_size=3))}\n{number}"
    if draw(st.booleans()):
        row["kept_copies"] = [
            {**COPY, "start": 0, "end": 0, "raw": "", "new": "", "why": "code", "flags": ["same_author"]}
        ]
    return row


@st.composite
def dumps(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few arbitrary rows with ids that differ."""
    return [draw(posts(number)) for number in range(draw(st.integers(0, 8)))]
