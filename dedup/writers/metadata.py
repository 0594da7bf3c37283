"""One type for every metadata key of a corpus, so that typed readers can load it.

`datasets.load_dataset` takes the column types from the first 10 MB of the first shard and fails when
a later record does not fit: another type, a nested field not seen before, or a string where there were
only nulls. So every key's types are noted while records are written, with the record where each was
first seen, and afterwards `plan_types` says what has to change:

- a key of several types, or of one that the beginning does not show, becomes a string everywhere
  (values that are no strings become their JSON text);
- a string key that the beginning lacks gets an empty string in the first record alone;
- a dump with more than MAX_KEYS keys has them all put into one JSON text, `fields`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import msgspec

OWN_KEYS = ("author", "thread_id", "parent_id", "title", "board", "cluster_id")
"""Keys of `metadata` that every corpus record has, null where the dump says nothing."""

FOLDED_KEY = "fields"
MAX_KEYS = 1000
MAX_PATHS = 200
"""A key with more nested fields than this becomes a string."""
_MAX_DEPTH = 16

Path = tuple[str, ...]
"""Where a value stands in a record: `("metadata", "tags", "[]")` are the elements of `tags`."""
FirstSeen = dict[Path, dict[str, int]]
"""The kinds of JSON value found at each path, each with the number of the first record that has it."""

_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_KINDS = {
    **dict.fromkeys(b"-0123456789", "int"),
    ord('"'): "string",
    ord("t"): "bool",
    ord("f"): "bool",
    ord("n"): "null",
    ord("{"): "object",
    ord("["): "array",
}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_metadata(text: str) -> dict[str, Any]:
    """The dump's own fields as raw JSON values, each on one line and readable by strict parsers.

    Half a surrogate pair becomes U+FFFD and NaN becomes null.
    """
    try:
        return _decode_raw(text)
    except (msgspec.DecodeError, RecursionError):
        return _decode_raw(_encode(_mend(text)))


def _mend(text: str) -> dict[str, Any]:
    """Read JSON as leniently as the standard library does, and make it strict."""

    def replace(value: Any) -> Any:
        if isinstance(value, str):
            return _LONE_SURROGATE.sub("\ufffd", value)
        if isinstance(value, dict):
            return {replace(key): replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        return value

    def whole(number: str) -> int | float:
        return int(number) if len(number) < 100 else float(number)

    try:
        fields = json.loads(text, strict=False, parse_int=whole, parse_constant=lambda name: None)
        return replace(fields) if isinstance(fields, dict) else {FOLDED_KEY: replace(text)}
    except (ValueError, RecursionError):
        return {FOLDED_KEY: text}


def rename_clashes(own: dict[str, str | None], fields: dict[str, Any]) -> dict[str, Any]:
    """The dump's fields without those we set: one that says otherwise is kept as `dump_KEY`."""
    if fields.keys().isdisjoint(own):
        return fields
    renamed: dict[str, Any] = {}
    for key, value in fields.items():
        if key not in own:
            renamed[key] = value
        elif bytes(value) != _encode(own[key]):
            name = f"dump_{key}"
            while name in fields:
                name = f"dump_{name}"
            renamed[name] = value
    return renamed


def read_metadata(own: dict[str, str | None], text: str) -> dict[str, Any]:
    """The dump's own fields as Python values, under the names they have in a corpus record."""
    fields: dict[str, Any] = msgspec.json.decode(_encode(rename_clashes(own, parse_metadata(text))))
    return fields


def note_kinds(fields: dict[str, Any], record: int, seen: FirstSeen) -> None:
    """Note the kinds of a record's fields; nested values become equal ones without duplicate keys."""
    for key, value in fields.items():
        raw = bytes(value)
        kind = _KINDS[raw[0]]
        if kind == "int":
            if not raw.isdigit() or len(raw) > 18:
                kind = _number_kind(raw)
        elif kind == "object" or kind == "array":
            fields[key] = _note_nested(raw, ("metadata", key), record, seen, 0)
            continue
        note_kind(record, key, kind, seen)


def note_kind(record: int, key: str, kind: str, seen: FirstSeen) -> None:
    """Note the kind of one field."""
    path = ("metadata", key)
    if path not in seen:
        seen[path] = {kind: record}
    elif kind not in seen[path]:
        seen[path][kind] = record


def _note_nested(raw: bytes, path: Path, record: int, seen: FirstSeen, depth: int) -> Any:
    kind = _KINDS[raw[0]]
    value: Any = msgspec.Raw(raw)
    if kind == "int":
        kind = _number_kind(raw)
    elif depth == _MAX_DEPTH:
        kind = "deep"
        value = msgspec.Raw(msgspec.json.format(raw, indent=-1))
    elif kind == "object":
        members = _decode_raw(raw)
        value = {
            key: _note_nested(bytes(item), (*path, f".{key}"), record, seen, depth + 1)
            for key, item in members.items()
        }
    elif kind == "array":
        elements = (*path, "[]")
        value = [
            _note_nested(bytes(item), elements, record, seen, depth + 1) for item in _decode_raw_list(raw)
        ]
    seen.setdefault(path, {}).setdefault(kind, record)
    return value


def _number_kind(raw: bytes) -> str:
    """Readers take whole numbers as 64-bit ones, and others as doubles."""
    if b"." not in raw and b"e" not in raw and b"E" not in raw:
        if len(raw) < 19 or (len(raw) < 25 and -(1 << 63) <= int(raw) < 1 << 63):
            return "int"
        # Larger ones do not survive in a double.
        return "huge"
    return "float" if math.isfinite(float(raw)) else "huge"


class TypePlan(msgspec.Struct, frozen=True):
    """What must change for a corpus to have one type a key; goes into the manifest, so it can be undone."""

    as_text: dict[str, list[str]] = {}
    """Keys whose values become strings, with the kinds they have in the dump."""
    filled: dict[str, bool] = {}
    """Keys that are an empty string in the first record; true where it has them, as null.
    `created` is a key of the record, the others are of its metadata."""
    named: list[str] = []
    """Keys that are never more than null, and are added to the first record."""
    folded: bool = False
    """All fields of the dump stand in one JSON text, `fields`."""

    def __bool__(self) -> bool:
        return bool(self.as_text or self.filled or self.named or self.folded)

    def apply(self, metadata: dict[str, Any], first: bool) -> dict[str, Any]:
        """A record's metadata (raw JSON values) with one type a key; `first`: it is the corpus's first."""
        if self.folded:
            own = {key: metadata[key] for key in OWN_KEYS}
            fields = {key: value for key, value in metadata.items() if key not in own}
            metadata = {**own, FOLDED_KEY: _encode(fields).decode()}
        for key in self.as_text:
            if key in metadata:
                raw = bytes(metadata[key])
                if raw[0] not in b'"n':
                    metadata[key] = raw.decode()
        if first:
            metadata.update(dict.fromkeys(self.named))
            metadata.update(dict.fromkeys(self.filled.keys() - {"created"}, ""))
        return metadata

    def undo(self, metadata: dict[str, Any], first: bool) -> dict[str, Any]:
        """Take a corpus record's metadata (decoded) back to what the dump had.

        Only where a key had strings beside other kinds can they not be told apart: they stay strings.
        """
        if first:
            for key in (*self.named, *self.filled.keys() - {"created"}):
                if self.filled.get(key):
                    metadata[key] = None
                else:
                    metadata.pop(key, None)
        for key, kinds in self.as_text.items():
            if "string" not in kinds and isinstance(metadata.get(key), str):
                metadata[key] = msgspec.json.decode(metadata[key])
        if self.folded:
            metadata.update(msgspec.json.decode(metadata.pop(FOLDED_KEY)))
        return metadata


class KindTable:
    """What kinds of value a corpus has at each path, and from which record on. Bounded in size."""

    def __init__(self) -> None:
        self._seen: FirstSeen = {}
        self._keys: set[str] = set()
        self._wide: dict[str, int] = {}

    def add(self, seen: FirstSeen, offset: int) -> None:
        """Add what was seen in a batch of records that begins at record number `offset`."""
        for path, kinds in seen.items():
            if path[0] == "metadata" and path[1] not in OWN_KEYS and not self._admit(path):
                continue
            known = self._seen.setdefault(path, {})
            for kind, record in kinds.items():
                known.setdefault(kind, offset + record)

    def _admit(self, path: Path) -> bool:
        key = path[1]
        if len(self._keys) > MAX_KEYS:
            return False
        if len(path) == 2:
            self._keys.add(key)
        elif path not in self._seen:
            self._wide[key] = self._wide.get(key, 0) + 1
            return self._wide[key] <= MAX_PATHS
        return True

    def plan(self, head: int) -> TypePlan:
        """What to change, when readers take their types from the first `head` records."""
        folded = len(self._keys) > MAX_KEYS
        as_text = {key for key, paths in self._wide.items() if paths > MAX_PATHS}
        filled: dict[str, bool] = {}
        named: list[str] = []
        for path, found in self._seen.items():
            key = path[-1] if path[0] != "metadata" else path[1]
            if folded and key in self._keys:
                continue
            kinds = found.keys() - {"null"}
            if not kinds:
                if found["null"] >= head:
                    if len(path) == 2:
                        named.append(key)
                    else:
                        as_text.add(key)
            elif not _one_type(kinds):
                as_text.add(key)
            elif found["float" if "float" in kinds else next(iter(kinds))] >= head:
                if kinds == {"string"} and len(path) <= 2:
                    filled[key] = found.get("null") == 0
                else:
                    as_text.add(key)
        if folded:
            as_text.clear()
        for key in as_text:
            found = self._seen["metadata", key]
            if all(record >= head for kind, record in found.items() if kind != "null"):
                filled[key] = found.get("null") == 0
        kinds_of = {key: sorted(self._seen["metadata", key].keys() - {"null"}) for key in sorted(as_text)}
        return TypePlan(kinds_of, dict(sorted(filled.items())), sorted(named), folded)


def _one_type(kinds: Iterable[str]) -> bool:
    kinds = set(kinds)
    return kinds == {"int", "float"} or (len(kinds) == 1 and not kinds & {"huge", "deep"})
