"""Posts of an output folder → ratios by language. The only place that loads py3langid.

The dump's own field `language` or `lang` is believed; else the raw text decides, with py3langid's model
of 97 languages (Lui and Baldwin 2012, "langid.py"). Posts of a few words are called `too short`: nobody
can tell the language of "+1".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import xxhash

from dedup import outputs
from dedup.errors import ConfigError
from dedup.originals import restore
from dedup.report.kinds import COPIES, REPAIRS
from dedup.report.ratios import TOP

SAMPLE_POSTS = 20_000
"""Posts whose language is looked at; of a bigger corpus at most about so many, by the hash of their id."""
MIN_LETTERS = 40
TOO_SHORT = "too short"
_MAX_CHARS = 400
"""Of each post: enough for the model, which is the slow part."""
_FIELDS = ("language", "lang")
_MAX_LANGUAGES = 500


def language_groups(out: Path) -> dict[str, Any]:
    """Ratios by language, shaped as a group of `report.json`, and `sampled`: one in so many posts.

    Two passes over the folder. Raises OutputError when it cannot be read and ConfigError when py3langid
    is not installed.
    """
    classify = _classifier()
    posts = int(outputs.load_manifest(out).counts.get("posts", 0))
    rate = max(1, -(-posts // SAMPLE_POSTS))
    chosen = None
    if rate > 1:
        chosen = {record["id"] for record in outputs.read_provenance(out) if not _hash(record["id"]) % rate}
    sums: dict[str, dict[str, int]] = {}
    records = (record for record in outputs.read_provenance(out) if chosen is None or record["id"] in chosen)
    for record, post in zip(records, restore(out, ids=chosen), strict=True):
        language = _given(post["metadata"]) or _language(post["text"], classify)
        if language not in sums and len(sums) == _MAX_LANGUAGES:
            language = "other"
        row = sums.setdefault(
            language, {"posts": 0, "dropped": 0, "characters": 0, "removed": 0, "copied": 0}
        )
        row["posts"] += 1
        row["dropped"] += record["action"] == "drop"
        row["characters"] += record["raw_chars"]
        for edit in record["edits"]:
            size = edit["end"] - edit["start"]
            row["removed"] += size if edit["why"] not in REPAIRS else 0
            row["copied"] += size if edit["why"] in COPIES else 0
    rows = [
        {"key": key, **row, "duplicate_ratio": round(row["copied"] / max(1, row["characters"]), 6)}
        for key, row in sorted(sums.items(), key=lambda item: (-item[1]["posts"], item[0]))
    ]
    return {"groups": len(rows), "rows": list(islice(rows, TOP)), "sampled": rate}


def _given(metadata: dict[str, Any]) -> str | None:
    for field in _FIELDS:
        value = metadata.get(field)
        if isinstance(value, str) and 0 < len(value) <= 35:  # the longest tag BCP 47 asks one to expect
            return value.lower()
    return None


def _language(text: str, classify: Callable[[str], tuple[str, float]]) -> str:
    beginning = text[:_MAX_CHARS]
    letters = sum(map(str.isalpha, beginning))
    # a Chinese character says as much as an English word
    dense = sum(char > "\u2e80" for char in beginning)
    return TOO_SHORT if letters + 4 * dense < MIN_LETTERS else classify(beginning)[0]


def _hash(post_id: str) -> int:
    return xxhash.xxh32_intdigest(post_id.encode())


def _classifier() -> Callable[[str], tuple[str, float]]:
    try:
        from py3langid import classify
    except ImportError:
        raise ConfigError(
            "languages need py3langid, which is not installed.",
            hint="Install it with: pip install 'dedup[report]'",
        ) from None
    found: Callable[[str], tuple[str, float]] = classify
    return found
