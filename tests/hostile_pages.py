"""An output folder whose posts, ids, authors and boards try to break out of an HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from handmade import FOX, edit, post, write_output

SCRIPT = "<script>window.boomed=1</script>"
ID = f'x"><img src=x onerror="window.boomed=1">{SCRIPT}'
BIDI = "\u202egnp.exe\u202c and \u2066isolated\u2069"
LONG_WORD = "w" * 100_000
ENDINGS = "]]></style></mark></details></template><!-- --><![CDATA[ {{ 7 * 7 }} {% raw %}"
TEXT = f"{FOX} {SCRIPT} {ENDINGS} {BIDI} fire\x1b[31m"


def hostile_output(out: Path) -> Path:
    """Write the folder; returns it."""
    near = TEXT.replace("dawn", "dusk")
    reply = f"{TEXT}\nAnd I say that <b>bold</b> words of one's own must stay as they are."
    stretch = {"source_id": ID, "source_start": 0, "source_end": len(TEXT), "score": 1.0}
    author = f"ann{SCRIPT}"
    made = [
        post(ID, TEXT, author),
        post(
            "near<2>",
            near,
            "=cmd|' /C calc'!A0",
            edit(near, near, "near_duplicate", **stretch),
            reason="near_duplicate",
            duplicate_of=ID,
            similarity=0.75,
        ),
        post("reply", reply, "bob", edit(reply, f"{TEXT}\n", "quote", **stretch, group=0)),
        post("long", f"{LONG_WORD} tail", "cyd"),
        post(
            "long2",
            f"{LONG_WORD} tail",
            "cyd",
            edit(f"{LONG_WORD} tail", f"{LONG_WORD} tail", "exact_duplicate"),
            reason="exact_duplicate",
            duplicate_of="long",
            similarity=1.0,
        ),
        post(
            "mojibake",
            "caf\u00c3\u00a9<b>",
            "dee",
            edit("caf\u00c3\u00a9<b>", "\u00c3\u00a9<b>", "encoding", "\u00e9"),
        ),
    ]
    for number in range(6):
        text = f"Filler {number} of the thread, said in words that nobody else has said here before."
        made.append(post(f"fill{number}", text, author, thread_id=f"t{SCRIPT}"))
    for number, one in enumerate(made):
        board = f"board {number % 2} {SCRIPT}"
        for record in (one["provenance"].get("metadata"), one["corpus"]["metadata"]):
            if record is not None:
                record["board"] = board
        one["corpus"]["created"] = f"2004-0{1 + number % 3}-06"
    return write_output(out, made)


def with_copies(out: Path, copies: int) -> Path:
    """A folder of so many near-duplicates of one post: more than a page shows."""
    made: list[dict[str, Any]] = [post("1", FOX * 9, "ann")]
    near = FOX.replace("dawn", "dusk") * 9
    stretch = {"source_id": "1", "source_start": 0, "source_end": len(FOX), "score": 0.75}
    one = post(
        "2",
        near,
        "bob",
        edit(near, near, "near_duplicate", **stretch),
        reason="near_duplicate",
        duplicate_of="1",
        similarity=0.75,
    )
    for number in range(copies):
        copy = json.loads(json.dumps(one))
        copy["provenance"] |= {"id": f"copy{number}", "duplicate_of": f"source{number // 2}"}
        made.append(copy)
        if number % 2 == 0:
            made.append(post(f"source{number // 2}", FOX * 9, "ann"))
    return write_output(out, made)
