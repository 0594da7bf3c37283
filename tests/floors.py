"""How well the program does on a made-up forum: a figure for each phenomenon and each language.

python tests/floors.py    # today's figures, rounded down a little, as floors.toml has them
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from check_promises import jaccard, words_of  # noqa: E402 - the path above comes first

from dedup.config import Config  # noqa: E402
from dedup.evaluate.quotes import QuoteCounts, add, count_posts, read_removals, scores_of  # noqa: E402
from dedup.evaluate.truth import QuotedPost, read_truth  # noqa: E402
from dedup.outputs import read_corpus, read_provenance  # noqa: E402
from dedup.pipeline import clean  # noqa: E402

POSTS, SEED = 6_000, 11
SLACK = 0.02
"""What a floor is under the figure reached: a few posts more or less."""
OWN_SLACK = 0.005
"""The same for own words kept, where little is allowed to go."""
FEWEST = 12
"""A figure over fewer quotes or pairs says nothing."""
FEWEST_CHARS = 2_000
SHINGLE_WORDS = Config().match.shingle_words
COPIES = {"exact_duplicate", "double_post", "near_duplicate", "repost"}
"""Posts that have no own words: what little differs in them is not their author's."""

Figures = dict[str, dict[str, float]]


def load(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


class Forum:
    """A made-up forum, cleaned: its truth, and what the program says of each post."""

    def __init__(self, folder: Path, posts: int = POSTS, seed: int = SEED) -> None:
        self.folder, self.out = folder, folder / "out"
        generator = load(ROOT / "scripts" / "generate.py")
        generator.write(generator.generate(posts, seed), folder)
        clean([folder / "dump.jsonl"], self.out, Config().with_settings({"run": {"workers": 1}}))
        self.records = {record["id"]: record for record in read_provenance(self.out)}
        self.truth = {post["id"]: post for post in self.lines("truth")}
        self.kinds = {line["id"]: line for line in self.lines("kinds")}
        self.pairs = self.lines("pairs")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """One of the files the generator wrote."""
        with (self.folder / f"{name}.jsonl").open(encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]

    def groups_of(self, post_id: str) -> list[str]:
        """What a post's figures count for: why it was written, its language, and everything."""
        line = self.kinds[post_id]
        named = ["attributed"] if "attributed" in line["kinds"] else []
        named += ["unmarked"] if "unmarked" in line["kinds"] else []
        return [line["kinds"][0], f"language {line['language']}", *named, "all"]

    def stands_for(self, post_id: str) -> str:
        """The post that stands for a dropped one; the post itself otherwise."""
        while (record := self.records[post_id])["duplicate_of"] is not None:
            post_id = record["duplicate_of"]
        return post_id

    def is_duplicate(self, pair: dict[str, Any]) -> bool:
        """Whether the two posts are taken as copies of one text; a repost is less than that."""
        same = self.stands_for(pair["a"]) == self.stands_for(pair["b"])
        return same and self.records[pair["b"]]["reason"] in ("exact_duplicate", "near_duplicate")

    def figures(self) -> Figures:
        """All figures, by group and name."""
        found: Figures = defaultdict(dict)
        for group, counts in self._counts().items():
            scores = scores_of(counts)
            if counts.quotes >= FEWEST and scores.char_recall is not None:
                found[group]["char_recall"] = scores.char_recall
                found[group]["quote_recall"] = scores.quote_recall or 0.0
            if counts.quotes >= FEWEST and scores.char_precision is not None and group not in COPIES:
                found[group]["char_precision"] = scores.char_precision
            if counts.short >= FEWEST:
                found[group]["quote_recall_short"] = scores.quote_recall_short or 0.0
            if counts.attributable >= FEWEST:
                found[group]["source_accuracy"] = scores.source_accuracy or 0.0
            if counts.own_chars >= FEWEST_CHARS and group not in COPIES:
                found[group]["own_text_kept"] = 1 - (scores.new_text_lost or 0.0)
        for group, right in self._judged_pairs().items():
            if len(right) >= FEWEST:
                found[group]["pairs_right"] = sum(right) / len(right)
        for group, shares in self._code_kept().items():
            found[group]["code_kept"] = sum(shares) / len(shares)
        return dict(found)

    def _counts(self) -> dict[str, QuoteCounts]:
        removals = read_removals(self.records.values())
        totals: dict[str, QuoteCounts] = defaultdict(QuoteCounts)
        for post, counts in count_posts(
            lambda: read_truth(self.folder / "truth.jsonl", QuotedPost), removals
        ):
            groups = self.groups_of(str(post.id))
            if groups[0] in COPIES:
                groups = groups[:1]  # no own words and no marks: they would blur the other figures
            for group in groups:
                totals[group] = add(totals[group], counts)
        return totals

    def _judged_pairs(self) -> dict[str, list[bool]]:
        """By kind of pair, and by language: whether the second post was rightly dropped, or rightly not."""
        right: dict[str, list[bool]] = defaultdict(list)
        for pair in self.pairs:
            if 0.65 <= pair["jaccard"] < 0.75:
                continue  # a repaired character decides which side of the threshold it is on
            same = self.is_duplicate(pair)
            language = self.kinds[pair["b"]]["language"]
            for group in (f"pairs {pair['kind']}", f"language {language}"):
                right[group].append(same == pair["duplicate"])
        return right

    def _code_kept(self) -> dict[str, list[float]]:
        shares: dict[str, list[float]] = defaultdict(list)
        for post_id, post in self.truth.items():
            for code in post.get("code", []):
                gone = sum(
                    max(0, min(edit["end"], code["end"]) - max(edit["start"], code["start"]))
                    for edit in self.records[post_id]["edits"]
                    if edit["why"] not in ("encoding", "whitespace")
                )
                shares[self.kinds[post_id]["kinds"][0]].append(1 - gone / (code["end"] - code["start"]))
        return shares

    def below_threshold(self, threshold: float) -> list[tuple[str, float]]:
        """Posts dropped as near-duplicates of a post that they do not resemble so much."""
        likeness = [
            (post_id, jaccard(self._words(post_id), self._words(record["duplicate_of"]), SHINGLE_WORDS))
            for post_id, record in self.records.items()
            if record["reason"] == "near_duplicate"
        ]
        return [(post_id, similarity) for post_id, similarity in likeness if similarity < threshold]

    def _words(self, post_id: str) -> tuple[str, ...]:
        return words_of(self.truth[post_id]["text"])

    def near_duplicates_at(self, least: float) -> list[bool]:
        """For each generated near-duplicate at least so similar, once repaired, whether it was found."""
        return [
            self.is_duplicate(pair)
            for pair in self.pairs
            if pair["kind"] == "near"
            and jaccard(self._words(pair["a"]), self._words(pair["b"]), SHINGLE_WORDS) >= least
        ]

    def dropped_with_own_words(self, words: int) -> Iterator[str]:
        """Posts that were dropped though so many words in a row are their author's own."""
        for post_id, record in self.records.items():
            if record["action"] != "drop" or self.kinds[post_id]["kinds"][0] in COPIES:
                continue
            if any(len(words_of(text)) >= words for text in own_texts(self.truth[post_id])):
                yield post_id

    def changed_by_cleaning_again(self) -> list[str]:
        """Posts of the corpus that cleaning the corpus changes."""
        first = {document["id"]: document["text"] for document in read_corpus(self.out)}
        again = self.folder / "again"
        parts = sorted((self.out / "corpus").iterdir())
        clean(parts, again, Config().with_settings({"run": {"workers": 1}}))
        second = {document["id"]: document["text"] for document in read_corpus(again)}
        return [post_id for post_id, text in first.items() if second.get(post_id) != text]


def own_texts(post: dict[str, Any]) -> list[str]:
    """The stretches of a post that are neither quote, attribution line, copied code nor signature."""
    taken = [(quote["block_start"], quote["end"]) for quote in post["quotes"]]
    taken += [(code["start"], code["end"]) for code in post.get("code", [])]
    taken += [tuple(post["signature"])] if post.get("signature") else []
    texts, at = [], 0
    for start, end in sorted(taken):
        texts.append(post["text"][at : max(at, start)])
        at = max(at, end)
    return [*texts, post["text"][at:]]


def as_toml(figures: Figures) -> str:
    """Floors a little under the figures."""
    lines = []
    for group in sorted(figures):
        lines.append(f'["{group}"]')
        for name, figure in sorted(figures[group].items()):
            slack = OWN_SLACK if name == "own_text_kept" else SLACK
            lines.append(f"{name} = {max(0, math.floor((figure - slack) * 1000) / 1000):.3f}")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(as_toml(Forum(Path(scratch)).figures()))
