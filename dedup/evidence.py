"""Removed passages and the kept text that is said to have them, brought together and compared.

What a record claims is written down while the records go by (`ask`), and compared when its source
does (`look_up`). In between it waits in a database without a name, which is in memory while it is
small and in a temporary file when it is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import pyarrow as pa
from rapidfuzz.distance import LCSseq

from dedup.config import Config
from dedup.errors import ConfigError
from dedup.normalize import normalize
from dedup.normalize.edits import Change, apply
from dedup.readers.base import list_array, posts_batch, repeated
from dedup.report.kinds import COPIES, REPAIRS
from dedup.schema import CHROME
from dedup.text.shingles import jaccard
from dedup.text.tokens import Tokens, tokenize

_SOURCED = {*COPIES, "boilerplate"}
_OWN = {*REPAIRS, "page_chrome"}
"""Changes that leave a post's own words as they are."""
_NEAR, _EXACT = 1, 2
_COPIES_BY_POST = {"near_duplicate": _NEAR, "exact_duplicate": _EXACT}
_BATCH = 2048
_BATCH_CHARS = 8 << 20
_SLACK = 0.9
"""Words are found anew here, without the lines around them, and a few may be cut in another place."""
_ROUNDING = 0.001

_TABLES = """
PRAGMA cache_size = -65536;
CREATE TABLE asked (
    corpus TEXT, source TEXT, number INTEGER, post_id TEXT, first INTEGER, last INTEGER, score REAL,
    text TEXT, whole INTEGER, done INTEGER DEFAULT 0
);
CREATE TABLE wrong (number INTEGER, post_id TEXT, what TEXT);
"""


class _Asked(NamedTuple):
    """A claim: `text` of a post stands at first:last of the raw text of its source, to this degree."""

    row: int
    number: int
    post_id: str
    first: int | None
    last: int | None
    score: float
    text: str
    whole: int  # 0, or for two posts as a whole, whose similarity is `score`: _NEAR or _EXACT


class Evidence:
    """The claims of an output's records. `config`: the settings of its run, from the manifest."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        try:
            self._config = Config().with_settings(dict(config))
        except ConfigError:  # of another version
            self._config = Config()
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")
        self._waiting: list[tuple[_Asked, str]] = []
        self._whole: list[tuple[tuple[Any, ...], str, list[dict[str, Any]]]] = []
        self._waiting_chars = 0
        self._indexed = False
        self.asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def ask(self, number: int, record: Mapping[str, Any]) -> None:
        """Note what a provenance record claims; `number` is its place among all."""
        claims = []
        for edit in record["edits"]:
            if edit["why"] not in _SOURCED:
                continue
            source = edit["source_id"]
            if source is not None:
                place = edit["source_start"], edit["source_end"], edit["score"]
                corpus = edit.get("source_corpus", "")
                claims.append((corpus, source, number, record["id"], *place, edit["raw"], 0))
            elif _has_words(edit["raw"]):
                self._wrong(number, record["id"], f"{edit['why']} at {edit['start']} names no source")
        if record["reason"] in COPIES:
            if record["duplicate_of"] is None or record["similarity"] is None:
                self._wrong(number, record["id"], f"was dropped as {record['reason']} without evidence")
            elif record["reason"] in _COPIES_BY_POST:
                raw = "".join(edit["raw"] for edit in record["edits"])
                corpus, source = record.get("source_corpus", ""), record["duplicate_of"]
                whole = _COPIES_BY_POST[record["reason"]]
                claim = corpus, source, number, record["id"], record["similarity"], whole
                self._whole.append((claim, raw, _chrome(record["edits"])))
                self._waiting_chars += len(raw)
                if len(self._whole) == _BATCH or self._waiting_chars > _BATCH_CHARS:
                    self._ask_whole()
        self.asked += len(claims)
        self._database.executemany(
            "INSERT INTO asked (corpus, source, number, post_id, first, last, score, text, whole)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            claims,
        )

    def _ask_whole(self) -> None:
        """Note what is claimed of whole posts: many at a time, as their texts are cleaned for it."""
        waiting, self._whole, self._waiting_chars = self._whole, [], 0
        chrome = {row: spans for row, (_, _, spans) in enumerate(waiting) if spans}
        texts = self._clean([raw for _, raw, _ in waiting], chrome) if waiting else []
        self.asked += len(waiting)
        self._database.executemany(
            "INSERT INTO asked (corpus, source, number, post_id, score, whole, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*claim, text) for (claim, _, _), text in zip(waiting, texts, strict=True)],
        )

    def look_up(self, record: Mapping[str, Any], raw: str | None, corpus: str = "") -> None:
        """Compare what was claimed of this post; `raw` is its restored text, None where there is none.

        corpus: the earlier corpus the post is of, if it is of one.
        """
        if not self._indexed:
            self._ask_whole()
            self._database.execute("CREATE INDEX by_source ON asked (source, corpus)")
            self._indexed = True
        source = record["id"], corpus
        if raw is not None:
            # one by one: a post may have a million copies
            found = self._database.execute(
                "SELECT rowid, number, post_id, first, last, score, text, whole FROM asked"
                " WHERE source = ? AND corpus = ?",
                source,
            )
            self._compare_all(map(_Asked._make, found), record, raw)
        self._database.execute(
            "UPDATE asked SET done = 1 WHERE source = ? AND corpus = ? AND NOT done", source
        )

    def _compare_all(self, claims: Iterator[_Asked], record: Mapping[str, Any], raw: str) -> None:
        """Compare what is claimed of a post with its text."""
        own = None
        for asked in claims:
            if record["action"] == "drop":
                self._wrong(asked.number, asked.post_id, f"its source {record['id']!r} was dropped, too")
            elif asked.whole:
                own = self._own_text(raw, record["edits"]) if own is None else own
                self._compare_later(asked, own)
            elif asked.first is None or asked.last is None:
                if _has_words(asked.text):
                    self._wrong(
                        asked.number, asked.post_id, f"says not where in {record['id']!r} its words are"
                    )
            elif not 0 <= asked.first <= asked.last <= len(raw):
                place = f"{asked.first}:{asked.last} of {record['id']!r}"
                what = f"its words are said to be at {place}, which is shorter"
                self._wrong(asked.number, asked.post_id, what)
            else:
                self._compare_later(asked, _kept_text(raw, record["edits"], asked.first, asked.last))

    def give_up(self, corpus: str) -> None:
        """An earlier corpus cannot be read: nobody knows whether what is claimed of it is true."""
        self._database.execute("UPDATE asked SET done = 1 WHERE corpus = ?", (corpus,))

    def finish(self) -> None:
        """Compare what is left, and complain of sources that never came."""
        self._compare()
        self._database.execute(
            "INSERT INTO wrong SELECT number, post_id, 'its source ' || quote(source) || ' does not exist'"
            " FROM asked WHERE NOT done"
        )

    def problems(self) -> Iterator[tuple[int, str, str]]:
        """What is wrong: number and id of the post, and what; in order."""
        yield from self._database.execute("SELECT number, post_id, what FROM wrong ORDER BY number, rowid")

    def _wrong(self, number: int, post_id: str, what: str) -> None:
        self._database.execute("INSERT INTO wrong VALUES (?, ?, ?)", (number, post_id, what))

    def _own_text(self, raw: str, edits: list[dict[str, Any]]) -> str:
        """The clean text of a post before anything was removed as a copy."""
        if all(edit["why"] in _OWN for edit in edits):
            return apply(
                raw, [Change(edit["start"], edit["end"], edit["new"], edit["why"]) for edit in edits]
            )
        # a removed passage took the repairs inside it with it
        chrome = _chrome(edits)
        return self._clean([raw], {0: chrome} if chrome else {})[0]

    def _clean(self, texts: list[str], chrome: dict[int, list[dict[str, Any]]]) -> list[str]:
        rows = len(texts)
        columns = {"path": repeated("", rows), "encoding": repeated("", rows)}
        columns |= {"text": pa.array(texts, pa.string()), "record": pa.array(range(rows), pa.int64())}
        columns["chrome"] = list_array(chrome, rows, pa.list_(CHROME))
        batch = normalize(posts_batch(rows, columns), self._config.normalize)
        clean: list[str] = batch.column("clean").to_pylist()
        return clean

    def _compare_later(self, asked: _Asked, there: str) -> None:
        self._waiting.append((asked, there))
        self._waiting_chars += len(there) + len(asked.text)
        if len(self._waiting) == _BATCH or self._waiting_chars > _BATCH_CHARS:
            self._compare()

    def _compare(self) -> None:
        waiting, self._waiting, self._waiting_chars = self._waiting, [], 0
        texts = [asked.text for asked, _ in waiting], [there for _, there in waiting]
        here, there = (_words(side) for side in texts)
        doubtful = [row for row, (asked, _) in enumerate(waiting) if not self._holds(asked, here, there, row)]
        if not doubtful:
            return
        # broken encodings inside, perhaps: once more as the run saw the texts
        here, there = (_words(self._clean([side[row] for row in doubtful], {})) for side in texts)
        for at, row in enumerate(doubtful):
            asked = waiting[row][0]
            if not self._holds(asked, here, there, at):
                what = (
                    f"resembles the post that stands for it less than {asked.score}"
                    if asked.whole
                    else f"the words {asked.text[:60]!r} do not stand where its record says"
                )
                self._wrong(asked.number, asked.post_id, what)

    def _holds(self, asked: _Asked, here: Tokens, there: Tokens, row: int) -> bool:
        mine, other = (
            tokens.hashes[tokens.offsets[row] : tokens.offsets[row + 1]] for tokens in (here, there)
        )
        if len(mine) == len(other) and (mine == other).all():
            return True
        if not asked.whole:
            shared = LCSseq.similarity(mine.tolist(), other.tolist())
            return bool(shared + 1 >= asked.score * _SLACK * len(mine))
        if asked.whole == _EXACT:
            return False
        both = pa.concat_arrays([pa.array(mine), pa.array(other)]).to_numpy()
        size = self._config.match.shingle_words
        true = jaccard(both, 0, len(mine), len(mine), len(both), size)
        return abs(true - asked.score) <= _ROUNDING


def _chrome(edits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stretches of a post that its reader knew to be no text of it."""
    return [
        {"start": edit["start"], "end": edit["end"], "why": "page_chrome"}
        for edit in edits
        if edit["why"] == "page_chrome"
    ]


def _words(texts: list[str]) -> Tokens:
    return tokenize(pa.array(texts, pa.string()))


def _has_words(text: str) -> bool:
    return len(_words([text]).hashes) > 0


def _kept_text(raw: str, edits: list[dict[str, Any]], start: int, end: int) -> str:
    """What of raw[start:end] is still in the corpus."""
    pieces, at = [], start
    for edit in edits:
        if edit["end"] <= start or edit["start"] >= end:
            continue
        pieces += [raw[at : max(at, edit["start"])], edit["new"]]
        at = edit["end"]
    return "".join([*pieces, raw[at:end]])
