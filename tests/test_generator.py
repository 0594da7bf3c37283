"""The generator keeps its promises: the same bytes for a seed, and a truth that is true."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from html import unescape
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rapidfuzz import fuzz

ROOT = Path(__file__).resolve().parents[1]
SCORER = ROOT.parent / "shared" / "tools" / "score_quotes.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


generator = load(ROOT / "scripts" / "generate.py")


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quality")
    generator.write(generator.generate(2_500, 7), folder)
    return folder


@pytest.fixture(scope="module")
def posts(dump: Path) -> dict[str, dict[str, Any]]:
    return {post["id"]: post for post in read(dump / "truth.jsonl")}


@pytest.fixture(scope="module")
def kinds(dump: Path) -> dict[str, list[str]]:
    return {post["id"]: post["kinds"] for post in read(dump / "kinds.jsonl")}


def test_the_same_seed_gives_the_same_bytes(dump: Path, tmp_path: Path) -> None:
    generator.main([str(tmp_path / "again"), "--posts", "2500", "--seed", "7"])
    for name in generator.FILES:
        assert (tmp_path / "again" / name).read_bytes() == (dump / name).read_bytes(), name


def test_another_seed_gives_other_posts() -> None:
    first, second = ({record.text for record in generator.generate(100, seed)} for seed in (1, 2))
    assert len(first & second) < 15  # "+1" and the like


def test_a_longer_dump_starts_like_a_shorter_one() -> None:
    assert list(generator.generate(50, 3)) == list(islice(generator.generate(400, 3), 50))


def test_ids_and_dates_grow_and_threads_stay_together(dump: Path) -> None:
    lines = read(dump / "dump.jsonl")
    assert [line["id"] for line in lines] == sorted({line["id"] for line in lines})
    assert [line["date"] for line in lines] == sorted(line["date"] for line in lines)
    switches = sum(a["thread_id"] != b["thread_id"] for a, b in pairwise(lines))
    assert 0 < switches < len(lines) / 3
    for line in lines:
        assert "quotes" not in line and {"author", "title", "board", "text"} <= line.keys()


def test_the_dump_and_the_truth_hold_the_same_posts(dump: Path, posts: dict[str, dict[str, Any]]) -> None:
    for line in read(dump / "dump.jsonl"):
        truth = posts[line["id"]]
        assert [line[name] for name in ("text", "author", "thread_id")] == [
            truth[name] for name in ("text", "author", "thread_id")
        ]
        assert line.get("parent_id") is None or int(line["parent_id"]) < int(line["id"])


def test_every_phenomenon_and_language_is_there(dump: Path, kinds: dict[str, list[str]]) -> None:
    seen = Counter(kind for shown in kinds.values() for kind in shown)
    assert set(generator.PHENOMENA) | {"attributed", "unmarked", "signature"} == set(seen)
    assert min(seen.values()) >= 10, seen.most_common()[-3:]
    assert {line["language"] for line in read(dump / "kinds.jsonl")} == set(generator.LANGUAGE_NAMES)


def test_levels_of_quotes(posts: dict[str, dict[str, Any]]) -> None:
    assert {quote["level"] for post in posts.values() for quote in post["quotes"]} >= {1, 2, 3}


def repaired(text: str) -> str:
    """The copy as it was before it was damaged, letters and digits only."""
    pieces = []
    for byte_run in re.split(
        r"([\u0000-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]+)", text
    ):
        try:
            raw = b"".join(c.encode("cp1252") if ord(c) > 255 else c.encode("latin-1") for c in byte_run)
            pieces.append(raw.decode("utf-8"))
        except UnicodeError:
            pieces.append(byte_run)
    return "".join(
        c for c in unicodedata.normalize("NFKC", unescape("".join(pieces))).casefold() if c.isalnum()
    )


def test_a_quote_is_a_copy_of_its_source(
    posts: dict[str, dict[str, Any]], kinds: dict[str, list[str]]
) -> None:
    checked = 0
    for post in posts.values():
        for quote in post["quotes"]:
            source = quote["src"]
            assert 0 <= quote["block_start"] <= quote["start"] < quote["end"] <= len(post["text"])
            assert quote["start"] <= quote["own_start"] < quote["own_end"] <= quote["end"]
            if source is None:
                continue
            assert int(source["post_id"]) < int(post["id"])
            said = posts[source["post_id"]]
            original = said["text"][source["start"] : source["end"]]
            copy = post["text"][quote["own_start"] : quote["own_end"]]
            if quote["author"] is not None:
                assert quote["author"] == said["author"] and source["basis"] == "author"
                # The parts of one quote share its attribution line.
                header = post["text"][quote["block_start"] : quote["start"]]
                assert said["author"] in header or kinds[post["id"]][0] in ("ellipsis", "quote_of_quote")
            assert repaired(original) and original == original.strip()
            likeness = fuzz.ratio(repaired(copy), repaired(original))
            assert likeness == 100 or source["kind"] == "fuzzy", (post["id"], kinds[post["id"]])
            assert likeness >= (35 if kinds[post["id"]][0] == "near_duplicate" else 60), kinds[post["id"]]
            checked += 1
    assert checked > 800


def test_own_words_surround_a_quote(posts: dict[str, dict[str, Any]], kinds: dict[str, list[str]]) -> None:
    for post in posts.values():
        if post["quotes"] and kinds[post["id"]][0] not in ("near_duplicate", "repost"):
            last = max(quote["end"] for quote in post["quotes"])
            assert len(post["text"]) - last > 10, post["id"]


def test_a_replaced_share_is_the_stated_one(
    dump: Path, posts: dict[str, dict[str, Any]], kinds: dict[str, list[str]]
) -> None:
    languages = {line["id"]: line["language"] for line in read(dump / "kinds.jsonl")}
    for name, share in (("words_replaced_2", 0.02), ("words_replaced_5", 0.05), ("words_replaced_10", 0.1)):
        for post_id, shown in kinds.items():
            if shown[0] != name:
                continue
            for quote in posts[post_id]["quotes"]:
                copy = posts[post_id]["text"][quote["start"] : quote["end"]]
                source = posts[quote["src"]["post_id"]]["text"][quote["src"]["start"] : quote["src"]["end"]]
                # In an unspaced script a character counts as a word.
                spaced = languages[post_id] not in ("zh", "ja", "th")
                old, new = (source.split(), copy.split()) if spaced else (list(source), list(copy))
                changed = sum(a != b for a, b in zip(old, new, strict=True))
                assert changed == max(1, round(len(old) * share))


def test_rewrapped_lines_are_prefixed_and_short(
    posts: dict[str, dict[str, Any]], kinds: dict[str, list[str]]
) -> None:
    for post_id, shown in kinds.items():
        if shown[0] == "prefix_rewrapped":
            quote = posts[post_id]["quotes"][0]
            for line in posts[post_id]["text"][quote["start"] : quote["end"]].split("\n"):
                assert line.startswith(">") and (len(line) <= 72 or "http" in line)


def test_a_signature_ends_posts_of_one_author(posts: dict[str, dict[str, Any]]) -> None:
    owners, threads = defaultdict(set), defaultdict(set)
    for post in posts.values():
        if "signature" in post:
            start, end = post["signature"]
            assert end == len(post["text"]) and start < end
            owners[post["text"][start:end]].add(post["author"])
            threads[post["text"][start:end]].add(post["thread_id"])
    assert all(len(authors) == 1 for authors in owners.values())
    assert sum(len(ids) >= 3 for ids in threads.values()) >= 5


def test_pasted_code_is_corrected_code(posts: dict[str, dict[str, Any]]) -> None:
    copies = [(post, copy) for post in posts.values() for copy in post.get("code", ())]
    assert copies
    for post, copy in copies:
        lines = post["text"][copy["start"] : copy["end"]].split("\n")
        known = posts[copy["post_id"]]["text"].split("\n")
        assert 1 <= sum(line not in known for line in lines) <= 2


def obvious_jaccard(a: str, b: str) -> float:
    """Written here a second time, so that a slip in the script's own cannot hide."""

    def runs(text: str) -> set[str]:
        found: list[str] = []
        for part in re.split(r"(https?://\S+)", text):
            alone = re.sub(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff])", r" \1 ", part)
            found += [part] if part.startswith("http") else re.findall(r"\w+|[\u0e00-\u0e7f]", alone)
        found = [unicodedata.normalize("NFKC", word).casefold() for word in found]
        return {" ".join(found[i : i + 5]) for i in range(max(1, len(found) - 4))}

    return len(runs(a) & runs(b)) / len(runs(a) | runs(b))


def test_pairs_have_the_stated_similarity(dump: Path, posts: dict[str, dict[str, Any]]) -> None:
    pairs = read(dump / "pairs.jsonl")
    assert {pair["kind"] for pair in pairs} == {"exact", "double_post", "near", "full_quote", "short"}
    for pair in pairs:
        a, b = posts[pair["a"]], posts[pair["b"]]
        assert pair["jaccard"] == pytest.approx(obvious_jaccard(a["text"], b["text"]))
        if pair["kind"] in ("exact", "double_post"):
            assert pair["duplicate"] and a["text"] == b["text"]
        elif pair["kind"] == "near":
            assert pair["duplicate"] == (pair["jaccard"] >= 0.7) and a["text"] != b["text"]
        else:
            assert not pair["duplicate"] and a["author"] != b["author"]
    near = [pair["jaccard"] for pair in pairs if pair["kind"] == "near"]
    assert min(near) < 0.65 and max(near) > 0.85


@pytest.mark.skipif(not SCORER.is_file(), reason="no ../shared/tools/score_quotes.py here")
def test_the_truth_scores_full_marks(dump: Path, posts: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    scorer = load(SCORER)
    spans = [
        {"post": post["id"], "start": quote["start"], "end": quote["end"], "source": quote["src"]["post_id"]}
        for post in posts.values()
        for quote in post["quotes"]
        if quote["level"] == 1 and quote["src"]
    ]
    predicted = tmp_path / "predicted.jsonl"
    predicted.write_text("".join(json.dumps(span) + "\n" for span in spans), encoding="utf-8")
    scores = scorer.score(str(dump / "truth.jsonl"), scorer.read_predictions([str(predicted)]))
    assert scores["char_f1"] == 1.0
    assert scores["source_accuracy"] == 1.0
    assert scores["quote_recall"] == scores["quote_recall_short"] == 1.0
    assert scores["new_text_lost"] == 0.0 and scores["unknown_ids"] == 0


def test_the_bench_mix_looks_like_a_board() -> None:
    records = list(generator.generate(6_000, 1, mix="bench"))
    shown = Counter(record.kinds[0] for record in records)
    quoting = sum(
        any(quote.level == 1 for quote in record.quotes)
        for record in records
        if record.kinds[0] not in ("near_duplicate", "repost")
    )
    assert 0.26 < quoting / len(records) < 0.34
    assert 0.02 < (shown["exact_duplicate"] + shown["double_post"]) / len(records) < 0.035
    assert 0.02 < shown["near_duplicate"] / len(records) < 0.035
    sizes = sorted(len(record.text.split()) for record in records)
    assert 35 < sizes[3_000] < 65 and sizes[-1] > 1_000
    mean_bytes = sum(len(record.text.encode()) for record in records) / len(records)
    assert 450 < mean_bytes < 750


def test_languages_can_be_chosen() -> None:
    assert {record.language for record in generator.generate(120, 5, languages=["th", "he"])} == {"th", "he"}
    with pytest.raises(SystemExit):
        generator.main(["unused", "--languages", "en,xx"])


@pytest.mark.parametrize("case", ["hot-thread", "one-quote", "identical"])
def test_cases(case: str) -> None:
    records = list(generator.CASES[case](300, 2))
    assert len({record.id for record in records}) == 300
    if case == "hot-thread":
        assert len({record.thread_id for record in records}) == 1
    elif case == "one-quote":
        assert {quote.src.post_id for record in records[1:] for quote in record.quotes} == {records[0].id}
        assert all(records[0].text in record.text for record in records)
    else:
        assert len({record.text for record in records}) == 1
        assert len({record.thread_id for record in records}) > 10
        assert sum(len(record.pairs) for record in records) == 299
