"""Whole runs over the samples: what `data/README.md` says of each post; and a dump broken on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from check_promises import Check, kept_text, read_lines, words_of
from typer.testing import CliRunner

from dedup.cli import app
from dedup.config import Config
from dedup.originals import restore
from dedup.pipeline import clean

DATA = Path(__file__).resolve().parents[1] / "data"
SEED_THREAD = Path(__file__).resolve().parents[2] / "shared" / "data" / "seed" / "xenforo_thread.txt"
ONE = Config().with_settings({"run": {"workers": 1}})


def posts_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


FORUM = posts_of(DATA / "forum.jsonl")
RAW = {post["id"]: post["text"] for post in FORUM}


class Output:
    """A finished output folder, by post id."""

    def __init__(self, out: Path) -> None:
        self.records = {record["id"]: record for record in read_lines(out, "provenance")}
        self.texts = {document["id"]: document["text"] for document in read_lines(out, "corpus")}

    def edits(self, post_id: str, why: str) -> list[dict[str, Any]]:
        return [edit for edit in self.records[post_id]["edits"] if edit["why"] == why]


@pytest.fixture(scope="module")
def forum(forum_out: Path) -> Output:
    return Output(forum_out)


def test_the_promises_hold_on_the_forum(forum_out: Path) -> None:
    assert Check(forum_out, list(RAW.values())).problems() == []


def test_the_promises_hold_on_the_thread(thread_out: Path) -> None:
    texts = [post["text"] for post in restore(thread_out)]
    assert "".join(texts) == (DATA / "thread.txt").read_text("utf-8")
    assert Check(thread_out, texts).problems() == []


@pytest.mark.parametrize("sample", ["forum_out", "thread_out"])
def test_cleaning_a_cleaned_sample_changes_nothing(
    sample: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    out: Path = request.getfixturevalue(sample)
    clean([out / "corpus"], tmp_path / "again", ONE)
    assert [record for record in read_lines(tmp_path / "again", "provenance") if record["edits"]] == []
    assert Output(tmp_path / "again").texts == Output(out).texts


QUOTES = {
    # post: (its sources in the order of the text, how its clean text begins, how it ends)
    "4002": (["4001"], "A deeper cut will not help", "the crust is the bread"),
    "4003": (["4001", "4002"], "I would add that the pot", "for a full hour."),
    "4004": (["4001", "4002", "4003"], None, None),
    "4005": (["4002", "4003"], "So much to try!", "longer than half an hour."),
    "4007": (["4001", "4001"], None, "comes straight back, wait."),
    "4012": (["4010"], "Mine did exactly the same", "a smaller jar."),
    "4016": (["4011"], "I keep only twenty grams", "has to be thrown away."),
    "4020": (["4019"], "With a gas oven there is nothing to discuss", "lava rock never."),
    "4022": (["4021"], "Did the scrapyard cut it", "they’re all “artisan” and all sixty pounds."),
    "4025": (["4023"], "Seconded.", "near the stove."),
    "4028": (["4027"], "Guilty.", "the good flour."),
    "4029": (["4027"], "A gram & a half < what sticks", '"Weigh twice, bake once" as my aunt used to say.'),
    "4032": (["4031"], "Am Brühstück, würde ich wetten.", "lieber dunkel als klitschig."),
    "4035": (["4034"], "Вот батарея и виновата.", "густая меньше кислит."),
    "4038": (["4037"], "碱肯定多了。", "两克就够。"),
    "4042": (["4041"], "And I can tell you who baked that loaf", None),
    "4044": (["4040"], "Make it four.", "with a van."),
    "4054": (["4052"], "Would it still do one kilo", "round the bowl?"),
    "4055": (["4054"], "Seven hundred grams of flour", "with your hands."),
    "4060": (["4059"], "The brick!", "the cupboard opposite."),
    "4062": (["4021"], "Welcome! Somebody will tell you", "although I paid nine euros."),
    "4067": (["4065", "4065"], "Put it on the board", "the other half of the week."),
    "4068": (["4066"], "Two minutes from frozen?", "Which setting do you use?"),
}


@pytest.mark.parametrize("post_id", QUOTES)
def test_a_quote_goes_and_the_answer_stays(forum: Output, post_id: str) -> None:
    sources, begins, ends = QUOTES[post_id]
    assert forum.records[post_id]["action"] == "trim"
    assert [edit["source_id"] for edit in forum.edits(post_id, "quote")] == sources
    assert forum.texts[post_id].startswith(begins or "")
    assert forum.texts[post_id].endswith(ends or "")


def test_quotes_of_quotes_lead_to_where_it_was_first_said(forum: Output) -> None:
    vias = {
        post_id: [(edit["source_id"], edit["via_id"]) for edit in forum.edits(post_id, "quote")]
        for post_id in ("4003", "4004")
    }
    assert vias == {
        "4003": [("4001", "4002"), ("4002", None)],
        "4004": [("4001", "4003"), ("4002", "4003"), ("4003", None)],
    }


def test_what_lies_between_two_quotes_stays(forum: Output) -> None:
    assert [line for line in forum.texts["4005"].split("\n") if line] == [
        "So much to try! One thing at a time then.",
        "That may well be it, I never look where the seam ends up.",
        "And that too, since I put the pot in when I switch the oven on"
        " and never wait longer than half an hour.",
    ]


def test_halves_of_one_quote_are_one_group(forum: Output) -> None:
    one, other = forum.edits("4007", "quote")
    assert one["group"] == other["group"]


def test_a_retyped_quote_has_a_score_under_one(forum: Output) -> None:
    (edit,) = forum.edits("4068", "quote")
    assert 0.7 < edit["score"] < 1


def test_a_quote_of_another_thread_says_so(forum: Output) -> None:
    (edit,) = forum.edits("4062", "quote")
    assert edit["flags"] == ["across_threads"]


def test_attribution_lines_go_with_their_quotes(forum: Output) -> None:
    gone = {post_id for post_id in RAW if forum.edits(post_id, "quote_chrome")}
    assert {"4002", "4003", "4022", "4028", "4032", "4035", "4038", "4044", "4060", "4067", "4068"} <= gone
    assert all("wrote:" not in forum.texts[post_id] for post_id in gone)


def test_a_quote_whose_source_is_missing_stays_once(forum: Output) -> None:
    (copy,) = forum.records["4041"]["kept_copies"]
    assert copy["flags"] == ["source_missing"]
    assert copy["raw"] in forum.texts["4041"]


DROPPED = {
    "4014": ("exact_duplicate", "4013"),
    "4046": ("exact_duplicate", "4040"),
    "4049": ("near_duplicate", "4040"),
    "4063": (None, "4011"),  # an excerpt so long that it may also be called a near-duplicate
    "4045": ("empty", None),
    "4053": ("empty", None),
    "4064": ("empty", None),
}


def test_just_these_posts_are_dropped(forum: Output) -> None:
    dropped = {
        record["id"]: (record["reason"], record["duplicate_of"])
        for record in forum.records.values()
        if record["action"] == "drop"
    }
    assert dropped.keys() == DROPPED.keys()
    for post_id, (reason, survivor) in DROPPED.items():
        assert dropped[post_id][1] == survivor
        assert dropped[post_id][0] == reason or (
            reason is None and dropped[post_id][0] in ("repost", "near_duplicate")
        )


def test_short_posts_by_different_people_stay(forum: Output) -> None:
    for post_id in ("4006", "4017", "4043", "4009", "4015", "4050", "4071", "4056"):
        assert forum.texts[post_id] == RAW[post_id]


def test_pasted_code_stays_and_is_reported(forum: Output) -> None:
    assert forum.texts["4027"] == RAW["4027"]
    copies = forum.records["4027"]["kept_copies"]
    assert {copy["source_id"] for copy in copies} == {"4026"}
    assert all("code" in copy["flags"] for copy in copies)


def test_the_first_signature_stays(forum: Output) -> None:
    for first, others in (
        ("4002", ["4011", "4030", "4042", "4059", "4067"]),
        ("4004", ["4021", "4023", "4044", "4061"]),
    ):
        signature = forum.texts[first].split("\n")[-1]
        assert RAW[first].endswith(signature)
        for post_id in others:
            (edit,) = forum.edits(post_id, "boilerplate")
            assert edit["source_id"] == first
            assert signature in edit["raw"]
            assert signature not in forum.texts[post_id]


def test_encoding_and_white_space_are_repaired(forum: Output) -> None:
    assert forum.texts["4024"] == (
        "Pot bought, second-hand, with somebody’s old stew still in the enamel. It’s been through three bakes"
        " and the difference is absurd – blisters, an ear, the lot. My daughter calls it “the cauldron” and"
        " wants one for her café."
    )
    assert forum.texts["4058"] == (
        "Hello everybody,\nI have been reading along since the winter and finally dare to write.\n\n"
        "I bake in a flat with an oven from 1974 that knows two temperatures, off and cremation. My bread is"
        " better than it deserves to be, mostly thanks to this forum."
    )


def test_other_fields_travel_through(forum_out: Path) -> None:
    documents = {document["id"]: document for document in read_lines(forum_out, "corpus")}
    for post in FORUM:
        if post["id"] in documents:
            metadata = documents[post["id"]]["metadata"]
            assert (metadata["likes"], metadata["edited"]) == (post["likes"], post["edited"])
            assert metadata["author"] == post["author"]


def test_the_thread_of_plain_text(thread_out: Path) -> None:
    output = Output(thread_out)
    names = list(output.records)
    actions = [record["action"] for record in output.records.values()]
    assert actions == ["keep", "keep", "keep", "trim", "trim", "keep"]
    for copy, source in ((3, 2), (4, 0)):
        (edit,) = output.edits(names[copy], "quote")
        assert (edit["source_id"], edit["start"], edit["score"]) == (names[source], 0, 1)
    assert not any(line in ("Top", "\u00a0") for text in output.texts.values() for line in text.split("\n"))
    assert output.texts[names[0]].startswith("I have a ten inch blank")


@pytest.mark.skipif(not SEED_THREAD.exists(), reason="needs the sample thread in ../shared/data/seed")
def test_the_thread_that_this_project_began_with(tmp_path: Path) -> None:
    clean([SEED_THREAD], tmp_path / "out", ONE)
    output = Output(tmp_path / "out")
    names = list(output.records)
    assert len(names) == 5
    raw = [post["text"] for post in restore(tmp_path / "out")]
    assert "".join(raw) == SEED_THREAD.read_text("utf-8")
    assert Check(tmp_path / "out", raw).problems() == []

    assert output.texts[names[3]].startswith("Thank you so much for this.")
    assert output.texts[names[3]].endswith("many a time.")
    assert "\n" not in output.texts[names[3]]
    assert output.texts[names[4]].startswith("This comes up often.")
    for copy, source in ((3, 2), (4, 0)):
        (edit,) = output.edits(names[copy], "quote")
        assert (edit["source_id"], edit["score"], edit["via_id"]) == (names[source], 1, None)
        there = kept_text(
            raw[source], output.records[names[source]]["edits"], edit["source_start"], edit["source_end"]
        )
        assert words_of(edit["raw"]) == words_of(there)
    chrome = [edit["raw"] for name in names for edit in output.edits(name, "page_chrome")]
    assert sum(piece.count("\u00a0") for piece in chrome) == "".join(raw).split("\n").count("\u00a0") == 5
    assert "Top" in chrome[-1]


def test_a_broken_dump_is_finished_and_nothing_else_is_lost(tmp_path: Path) -> None:
    long_text = "".join(f"Word{number} goes on. " for number in range(200_000))
    lines = [
        b'\xef\xbb\xbf{"id": "bom", "text": "After the mark of a file."}',
        b'{"id": "broken", "text": "this line stops in the mid',
        b'{"id": "nul", "text": "A nul \\u0000 in a text."}',
        b'{"id": "raw nul", "text": "A raw nul \x00 in a text."}',
        b'{"id": "surrogate", "text": "Half a \\ud83d pair."}',
        json.dumps({"id": "long", "text": long_text}).encode(),
        '{"id": "latin", "text": "Ein schöner Ofen für große Brote"}'.encode("cp1252"),
        '{"id": "utf-8", "text": "Ein schöner Ofen für kleine Brote"}'.encode(),
        b"",
        b'["no", "object"]',
        b'{"id": "no text"}',
        b'{"id": "last", "text": "The last line has no end."}',
    ]
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(b"\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", dump, "-o", tmp_path / "out", "--workers", "2", "--quiet"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "3 records could not be read" in done.stderr
    output = Output(tmp_path / "out")
    assert [record["record"] for record in read_lines(tmp_path / "out", "rejected")] == [2, 10, 11]
    assert list(output.records) == ["bom", "nul", "raw nul", "surrogate", "long", "latin", "utf-8", "last"]
    assert words_of(output.texts["long"]) == words_of(long_text)
    assert output.texts["latin"] == "Ein schöner Ofen für große Brote"
    assert output.texts["utf-8"] == "Ein schöner Ofen für kleine Brote"
    assert output.texts["surrogate"] == "Half a \ufffd pair."
    assert words_of(output.texts["nul"]) == ("a", "nul", "in", "a", "text")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    assert manifest["counts"]["posts"] == 8
    assert manifest["counts"]["rejected"] == 3


def test_verbose_shows_what_each_stage_took(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["clean", str(DATA / "forum.jsonl"), "-o", str(out), "--verbose"])
    assert done.exit_code == 0, done.stderr
    facts = json.loads((out / "run.json").read_text())
    names = [line.split()[0] for line in done.stdout.partition("peak memory")[2].splitlines() if line.strip()]
    assert names == [name.split()[0] for name in facts["stages"]] + ["all"]
    assert {"read", "quotes", "match", "decide", "write"} <= facts["stages"].keys()
    assert facts["input_bytes"] == (DATA / "forum.jsonl").stat().st_size
    assert all(took["seconds"] >= 0 for took in facts["stages"].values())


SAID = "The third kiln shelf cracked again last night, right along the line that we had glued in March."
ANSWER = "Mine held for six years, but then I never fire above cone six, and I let it cool for two days."


def parents_of(paths: list[Path], out: Path) -> dict[str, str | None]:
    clean(paths, out, ONE)
    return {document["id"]: document["metadata"]["parent_id"] for document in read_lines(out, "corpus")}


@pytest.mark.parametrize(
    "tag",
    [
        '[quote="ann, post: 1, member: 2"]',
        "[QUOTE=ann;1]",
        "[quote author=ann link=topic=5.msg1#msg1 date=1]",
        '[quote="ann" post_id=1 time=1 user_id=2]',
        "[quote='ann' pid='1' dateline='1']",
    ],
)
def test_a_post_answers_the_post_of_its_thread_that_its_markup_names(tag: str, tmp_path: Path) -> None:
    def post(number: int, thread: str, text: str, day: int, **more: str) -> str:
        own = {"id": str(number), "thread_id": thread, "author": f"a{number}", "date": f"2003-01-{day:02}"}
        return json.dumps({**own, "text": text, **more}) + "\n"

    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    quote = f"{tag}{SAID}[/quote]\n"
    # the answer is dated before what it quotes: a parent comes first all the same
    first.write_text(
        post(2, "a", f"{quote}{ANSWER}", 1)
        # another thread: the id may be another board's
        + post(3, "b", f"{quote}Whose kiln was it that stood in the rain for most of last winter?", 4)
        + post(
            4, "a", f"{quote}Glue never holds where the flame comes through under the lid.", 5, parent_id="2"
        )
        # what is quoted in a quote is not answered
        + post(5, "a", f"[quote]{quote}[/quote] Who would have thought that of a shelf so new?", 6)
    )
    second.write_text(post(1, "a", SAID, 3))
    parents = {"1": None, "2": "1", "3": None, "4": "2", "5": None}
    assert parents_of([first, second], tmp_path / "out") == parents
    assert parents_of([tmp_path / "out"], tmp_path / "again") == parents
    assert [edit["source_id"] for edit in Output(tmp_path / "out").edits("2", "quote")] == ["1"]


def test_a_post_answers_one_on_another_page_of_its_thread(tmp_path: Path) -> None:
    def page(number: int, posts: str) -> Path:
        path = tmp_path / f"page{number}.html"
        address = f"https://b.example/threads/kiln.5/page-{number}"
        path.write_text(f'<html id="XF"><link rel="canonical" href="{address}">{posts}</html>')
        return path

    def post(number: int, author: str, body: str) -> str:
        head = f'<article class="message" id="js-post-{number}" data-author="{author}">'
        return f'{head}<div class="message-body"><div class="bbWrapper">{body}</div></div></article>'

    quote = '<blockquote class="bbCodeBlock--quote" data-quote="ann" data-source="post: 1">'
    pages = [
        page(1, post(1, "ann", SAID)),
        page(2, post(7, "bo", f"{quote}{SAID}</blockquote>{ANSWER}") + post(8, "eve", "Thank you, both.")),
    ]
    assert parents_of(pages, tmp_path / "out") == {"1": None, "7": "1", "8": None}


def test_a_quote_of_discourse_names_its_post_by_topic_and_number(tmp_path: Path) -> None:
    def page(name: str, topic: int, number: int, body: str) -> Path:
        head = f'<meta name="generator" content="Discourse 3"><base href="https://b.example/t/kiln/{topic}">'
        post = f'<article id="post_{number}" data-post-id="{900 + number}" data-topic-id="{topic}">'
        (tmp_path / name).write_text(
            f'<html><head>{head}</head>{post}<div class="cooked">{body}</div></article>'
        )
        return tmp_path / name

    quote = f'<aside class="quote" data-username="ann" data-post="3" data-topic="4"><p>{SAID}</p></aside>'
    pages = [
        page("1.html", 4, 3, SAID),
        page("2.html", 4, 21, f"{quote}{ANSWER}"),
        page("3.html", 5, 2, f"{quote}Another topic has this quote, and an answer to nobody in it."),
    ]
    assert parents_of(pages, tmp_path / "out") == {"4/3": None, "4/21": "4/3", "5/2": None}
