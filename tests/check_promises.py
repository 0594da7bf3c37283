"""Checks the promises of an output folder against the posts that went in, slowly and obviously.

Knows the record formats and nothing of the code under test: words are found with a regular expression
and NFKC, similarities with Python sets, edits are applied with slices.
"""

from __future__ import annotations

import functools
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ftfy
import zstandard

COPIES = {"quote", "repost", "exact_duplicate", "near_duplicate", "boilerplate"}
"""Reasons that must name a source whose kept text has the words."""
PLAIN = {"encoding", "whitespace", "shortened", "page_chrome", "quote_chrome", "empty"}
"""Reasons that need no source."""
DROPS = {"exact_duplicate", "near_duplicate", "repost"}
LEAST_SCORE = 0.5
"""Of the words of a passage that goes as a quote, so many must be the sources'."""
ROUNDING = 0.001

REPAIR = ftfy.TextFixerConfig(
    unescape_html=True,
    normalization=None,
    uncurl_quotes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
)

_BLANKS = re.compile(r"[^\S\n]")  # a no-break space can stand between two halves of a repair
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"(?:https?://|www\.)[^\s<>\"]+|(?=[{_UNSPACED}])[^\W_]|[^\W_{_UNSPACED}]+")


def read_lines(out: Path, folder: str) -> list[dict[str, Any]]:
    """All records of one folder of JSON lines."""
    records = []
    for path in sorted((out / folder).glob("*.jsonl.zst")):
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            records += [json.loads(line) for line in io.TextIOWrapper(stream, "utf-8", newline="\n")]
    return records


@functools.lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Text as two copies of it are compared: repaired, compatibility-folded, without invisible characters."""
    text = _BLANKS.sub(" ", text)
    for _ in range(2):  # one repair can make room for another
        text = ftfy.fix_text(text, REPAIR)
    letters = "".join(
        unicodedata.normalize("NFKC", char) if unicodedata.category(char)[0] in "LN" else char
        for char in text
    )
    text = unicodedata.normalize("NFD", letters.casefold())  # so that the marks below can go
    return "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Mn", "Me"))


@functools.lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, folded."""
    return tuple(_WORD.findall(fold(text)))


def shingles(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    """All runs of `size` words; of a shorter text its words as one."""
    if len(words) < size:
        return {tuple(words)} if words else set()
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


def jaccard(one: Sequence[str], other: Sequence[str], size: int) -> float:
    """True Jaccard similarity of the sets of shingles."""
    a, b = shingles(one, size), shingles(other, size)
    return len(a & b) / len(a | b) if a and b else 0.0


def shared_words(words: Sequence[str], source: Sequence[str]) -> int:
    """How many of `words` the source has, in order."""
    table = [0] * (len(source) + 1)
    for word in words:
        above = 0
        for at, other in enumerate(source, 1):
            above, table[at] = table[at], above + 1 if word == other else max(table[at], table[at - 1])
    return table[-1]


def apply_edits(raw: str, edits: list[dict[str, Any]]) -> str:
    """The raw text with every edit made."""
    pieces, at = [], 0
    for edit in edits:
        pieces += [raw[at : edit["start"]], edit["new"]]
        at = edit["end"]
    return "".join([*pieces, raw[at:]])


def kept_text(raw: str, edits: list[dict[str, Any]], start: int, end: int) -> str:
    """What of raw[start:end] is still in the corpus."""
    pieces, at = [], start
    for edit in edits:
        if edit["end"] <= start or edit["start"] >= end:
            continue
        pieces.append(raw[at : max(at, edit["start"])])
        pieces.append(edit["new"])
        at = edit["end"]
    return "".join([*pieces, raw[at:end]])


def own_text(raw: str, edits: list[dict[str, Any]]) -> str:
    """The raw text with nothing but repairs made."""
    return apply_edits(
        raw, [edit for edit in edits if edit["why"] in ("encoding", "whitespace", "shortened", "page_chrome")]
    )


def own_block(text: str, others: set[tuple[str, ...]]) -> str | None:
    """Eight words in a row, or a line of three or more, that surely nobody else wrote.

    others: words, and pairs of neighbouring words, of all other posts. Of the eight no pair may stand
    elsewhere, of the line no word. A line that ends in a colon may be about a quote and is passed over.
    None when there is no such block.
    """
    lines = [() if line.rstrip().endswith(":") else words_of(line) for line in text.split("\n")]
    for line in lines:
        if len(line) >= 3 and not any((word,) in others for word in line):
            return " ".join(line)
    words = tuple(word for line in lines for word in line)
    row = 0
    for at in range(len(words) - 1):
        row = 0 if words[at : at + 2] in others else row + 1
        if row >= 7:
            return " ".join(words[at - 6 : at + 2])
    return None


class Check:
    """One finished output folder beside the raw texts that went in, in input order."""

    def __init__(self, out: Path, raw_texts: Sequence[str]) -> None:
        self.raw_texts = raw_texts
        self.records = read_lines(out, "provenance")
        self.corpus = read_lines(out, "corpus")
        self.manifest = json.loads((out / "manifest.json").read_text("utf-8"))
        self.place = {record["id"]: at for at, record in enumerate(self.records)}

    def problems(self) -> list[str]:
        """Every promise that is broken, in words; empty when all are kept."""
        return [
            f"{name}: {problem}"
            for name, check in (
                ("complete", self.complete),
                ("restore", self.restore),
                ("nothing lost", self.nothing_lost),
                ("own words stay", self.own_words_stay),
                ("verified", self.verified),
            )
            for problem in check()
        ]

    def complete(self) -> Iterator[str]:
        """Every post once in the provenance, in input order, and in the corpus unless dropped."""
        if len(self.records) != len(self.raw_texts):
            yield f"{len(self.raw_texts)} posts went in, the provenance has {len(self.records)}"
        if len(self.place) != len(self.records):
            yield "ids are not unique"
        kept = [record["id"] for record in self.records if record["action"] != "drop"]
        if kept != [document["id"] for document in self.corpus]:
            yield "the corpus does not hold exactly the posts that were not dropped, in order"
        counts = self.manifest["counts"]
        for action in ("keep", "trim", "drop"):
            if counts[action] != sum(record["action"] == action for record in self.records):
                yield f"the manifest counts {counts[action]} posts for {action}"
        for record in self.records:
            whys = {edit["why"] for edit in record["edits"]}
            if not whys <= COPIES | PLAIN:
                yield f"{record['id']}: unknown why in {whys}"
            cut = bool(whys - {"encoding", "whitespace", "shortened", "page_chrome"})
            if record["action"] != "drop" and (record["action"] == "trim") != cut:
                yield f"{record['id']}: {record['action']}, but its edits are {sorted(whys)}"
            if record["action"] == "drop" and record["reason"] not in DROPS | {"empty"}:
                yield f"{record['id']}: dropped for {record['reason']}"
            if record["action"] != "drop" and record["reason"] is not None:
                yield f"{record['id']}: not dropped, but has the reason {record['reason']}"

    def restore(self) -> Iterator[str]:
        """Edits are sorted and true, lead to the clean text, and cover a dropped post."""
        texts = {document["id"]: document["text"] for document in self.corpus}
        for raw, record in zip(self.raw_texts, self.records, strict=True):
            at = 0
            for edit in record["edits"]:
                if not at <= edit["start"] <= edit["end"] <= len(raw):
                    yield f"{record['id']}: edit {edit} overlaps, or lies outside"
                if raw[edit["start"] : edit["end"]] != edit["raw"]:
                    yield f"{record['id']}: edit {edit} is not what the raw text says there"
                if edit["start"] == edit["end"] and not edit["new"]:
                    yield f"{record['id']}: edit {edit} does nothing"
                at = edit["end"]
            clean = apply_edits(raw, record["edits"])
            if record["action"] == "drop":
                covered = sum(edit["end"] - edit["start"] for edit in record["edits"])
                if covered != len(raw) or clean:
                    yield f"{record['id']}: the edits of a dropped post leave {clean!r}"
            elif clean != texts.get(record["id"]):
                yield f"{record['id']}: the edits do not lead to the clean text"
            if record["raw_chars"] != len(raw) or record["clean_chars"] != len(clean):
                yield f"{record['id']}: raw_chars or clean_chars is wrong"

    def nothing_lost(self) -> Iterator[str]:
        """Every removed copy leads to kept text that has its words, up to the score."""
        for record in self.records:
            passages: dict[int, list[dict[str, Any]]] = {}
            for edit in record["edits"]:
                if edit["why"] in COPIES:
                    yield from self._source_has(record, edit)
                if edit["why"] in ("quote", "boilerplate"):
                    passages.setdefault(edit["group"], []).append(edit)
            for edits in passages.values():
                words = [len(words_of(edit["raw"])) for edit in edits]
                copied = sum(edit["score"] * n for edit, n in zip(edits, words, strict=True))
                if copied < LEAST_SCORE * sum(words):
                    yield f"{record['id']}: only {copied} words of {edits[0]['raw'][:60]!r} are copied"

    def _source_has(self, record: dict[str, Any], edit: dict[str, Any]) -> Iterator[str]:
        what = f"{record['id']} [{edit['start']}:{edit['end']}] {edit['why']} {edit['raw'][:60]!r}"
        words = words_of(edit["raw"])
        if not words and edit["source_id"] is None:
            return
        at = self.place.get(edit["source_id"])
        if at is None:
            yield f"{what}: no source"
            return
        source = self.records[at]
        if source["action"] == "drop":
            yield f"{what}: its source {source['id']} was dropped"
            return
        if not words:
            return
        start, end = edit["source_start"], edit["source_end"]
        if start is None or end is None or not 0 <= start <= end <= len(self.raw_texts[at]):
            yield f"{what}: source offsets {start}:{end}"
            return
        there = words_of(kept_text(self.raw_texts[at], source["edits"], start, end))
        shared = shared_words(words, there)
        if shared + 1 < edit["score"] * 0.9 * len(words):
            yield (
                f"{what}: of {len(words)} words {shared} stand in {source['id']} [{start}:{end}],"
                f" though the score is {edit['score']}"
            )

    def own_words_stay(self) -> Iterator[str]:
        """No dropped post has a block of words that is surely its own."""
        runs = [shingles(words, 1) | shingles(words, 2) for words in map(words_of, self.raw_texts)]
        for number, record in enumerate(self.records):
            if record["action"] != "drop" or record["reason"] in ("empty", "exact_duplicate"):
                continue
            others = set().union(*runs[:number], *runs[number + 1 :])
            block = own_block(own_text(self.raw_texts[number], record["edits"]), others)
            if block is not None:
                yield f"{record['id']}: dropped as {record['reason']}, and only it says {block!r}"

    def verified(self) -> Iterator[str]:
        """Every dropped copy names a kept post and its true similarity to it."""
        settings = self.manifest["config"]["match"]
        for raw, record in zip(self.raw_texts, self.records, strict=True):
            if record["reason"] not in DROPS:
                if record["similarity"] is not None or record["duplicate_of"] is not None:
                    yield f"{record['id']}: not dropped as a copy, and yet of {record['duplicate_of']}"
                continue
            at = self.place.get(record["duplicate_of"])
            if at is None or record["similarity"] is None:
                yield f"{record['id']}: dropped as {record['reason']} without evidence"
                continue
            survivor = self.records[at]
            if survivor["action"] == "drop":
                yield f"{record['id']}: stands for nothing, as {survivor['id']} was dropped too"
            mine, other = words_of(raw), words_of(own_text(self.raw_texts[at], survivor["edits"]))
            if record["reason"] == "near_duplicate":
                if record["similarity"] < settings["threshold"]:
                    yield f"{record['id']}: dropped at similarity {record['similarity']}"
                true = jaccard(mine, other, settings["shingle_words"])
                if abs(true - record["similarity"]) > ROUNDING:
                    yield f"{record['id']}: similarity {record['similarity']}, in truth {true}"
            if record["reason"] == "exact_duplicate" and record["similarity"] == 1 and mine != other:
                yield f"{record['id']}: no exact duplicate of {survivor['id']}"
