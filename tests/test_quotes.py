"""What counts as a quote, what does not, and how far it goes."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from dedup.config import Config
from dedup.outputs import read_corpus
from dedup.passages import find_quotes
from dedup.pipeline import clean
from dedup.quotes import find, repeated

SAID = {
    "en": "The third kiln shelf cracked again last night, right along the line that we glued in March.",
    "de": "Die dritte Ofenplatte ist gestern Nacht gerissen, genau an der Stelle, die wir geklebt hatten.",
    "ru": "Третья полка печи снова треснула прошлой ночью, точно по шву, который мы заклеили весной.",
    "he": "המדף השלישי של התנור נסדק שוב אתמול בלילה, בדיוק לאורך הקו שהדבקנו בחודש מרץ.",
    "zh": "窑炉的第三块棚板昨晚又裂开了，正好沿着我们三月份粘合的那条线，看来胶水不耐高温。",
    "th": "ชั้นวางที่สามของเตาเผาแตกอีกครั้งเมื่อคืนนี้ ตรงแนวที่เราทากาวไว้ในเดือนมีนาคมพอดี",
}
ANSWER = "Mine held for six years, but then I never fire above cone six, and I let it cool for two days."


def found_in(*posts: tuple[str, str], thread: str | None = "t", **settings: Any) -> list[dict[str, Any]]:
    """The passages found in posts of (author, text), with the text of each."""
    records = [
        {"id": str(i), "author": author, "thread_id": thread or str(i), "text": text}
        for i, (author, text) in enumerate(posts)
    ]
    rows: list[dict[str, Any]] = find_quotes(
        records, Config().with_settings({"quotes": settings} if settings else {})
    ).to_pylist()
    return [{**row, "text": records[int(row["id"])]["text"][row["start"] : row["end"]]} for row in rows]


def gone(*posts: tuple[str, str], **settings: Any) -> list[tuple[str, str, str | None]]:
    """(post, text, source) of every passage that is taken out."""
    return [
        (row["id"], row["text"].strip(), row["source_id"])
        for row in found_in(*posts, **settings)
        if row["removed"]
    ]


def left_of(*posts: tuple[str, str], **settings: Any) -> dict[str, str]:
    """What is left of each post, by id."""
    records = [
        {"id": str(i), "author": author, "thread_id": "t", "text": text}
        for i, (author, text) in enumerate(posts)
    ]
    with TemporaryDirectory() as folder:
        dump = Path(folder, "dump.jsonl")
        dump.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        clean([dump], Path(folder, "out"), Config().with_settings({"run": {"workers": 1}, **settings}))
        return {document["id"]: document["text"] for document in read_corpus(Path(folder, "out"))}


@pytest.mark.parametrize("language", SAID)
def test_a_copy_goes_in_every_script(language: str) -> None:
    said = SAID[language]
    assert gone(("ann", said), ("bob", f"{said}\n\n{ANSWER}")) == [("1", said, "0")]


def test_a_few_words_are_a_quote_where_a_line_names_their_author() -> None:
    assert gone(("ann", SAID["en"]), ("bob", f"ann wrote:\nright along the line\n\n{ANSWER}")) == [
        ("1", "right along the line", "0")
    ]
    assert gone(("ann", SAID["en"]), ("bob", f"{ANSWER}\nThere, right along the line, it was thin.")) == []


@pytest.mark.parametrize(
    ("header", "language"),
    [("อ้างอิง:", "th"), ("คุณ สมชาย เขียนว่า:", "th"), ("引用:", "zh"), ("ann 写道:", "zh")],
)
def test_a_line_that_announces_goes_with_the_quote_in_scripts_without_spaces(
    header: str, language: str
) -> None:
    said = SAID[language]
    rows = found_in(("ann", said), ("bob", f"{header}\n{said}\n\n{ANSWER}"))
    assert [row["text"].strip() for row in rows] == [said]
    assert left_of(("ann", said), ("bob", f"{header}\n{said}\n\n{ANSWER}"))["1"] == ANSWER


LONG_TALK = [
    "I personally see a lot of kilns fail for want of tools, so if you could write the book, welcome :)",
    "But if you do want the other glue, you could do as ann and others have said, or here is another ...",
    "Anyway, the lines of the table that ann posted in spring are the ones to change, and should end up so:",
]


@pytest.mark.parametrize("talk", LONG_TALK)
def test_a_long_sentence_before_a_quote_is_no_attribution(talk: str) -> None:
    assert talk in left_of(("ann", SAID["en"]), ("bob", f"{talk}\n{SAID['en']}\n\n{REMARKS[0]}"))["1"]


def test_the_broken_word_of_a_shortened_quote_goes_with_it() -> None:
    said = f"{SAID['en']} {ANSWER}"
    broken = f"{said[: said.index('above cone') + 3]}..."
    assert left_of(("ann", said), ("bob", f"ann wrote:\n{broken}\n\n{REMARKS[1]}"))["1"] == REMARKS[1]


def test_a_link_is_a_quote_where_a_line_announces_it() -> None:
    link = "http://kilns.example/shelves/cordierite.html"
    said = f"{SAID['en']}\nSee {link} for more."
    rows = found_in(("ann", said), ("bob", f"Quote:\n{link}\n\n{ANSWER}"))
    assert [(row["text"].strip(), row["source_id"], row["removed"]) for row in rows] == [(link, "0", True)]


def test_a_short_line_alone_is_nobodys_quote() -> None:
    line = "That is what I did."
    said = f"{SAID['en']}\n\n{line}"
    assert gone(("ann", said), ("bob", f"{ANSWER}\n\n{line}\n\n{REMARKS[0]}")) == []
    # in company of more from the same post it is
    assert ("1", line, "0") in gone(("ann", said), ("bob", f"{SAID['en']}\n\n{ANSWER}\n\n{line}"))


def test_talk_about_quotes_and_names_is_no_attribution() -> None:
    talk = "I will quote the price once more, and ask ann at the line:"
    rows = found_in(("ann", SAID["en"]), ("bob", f"{ANSWER}\n{talk}\nright along the line\n\n{ANSWER[::-1]}"))
    assert [row for row in rows if row["removed"]] == []


def test_a_quote_of_a_quote_leads_to_the_first_who_said_it() -> None:
    first = f"ann wrote:\n> {SAID['en']}\n\n{ANSWER}"
    quoted = "\n".join(f"> {line}" for line in first.split("\n"))
    rows = found_in(
        ("ann", SAID["en"]),
        ("bob", first),
        ("cid", f"bob wrote:\n{quoted}\n\nSix years is long, mine lasted for one winter and a half."),
        ("dan", "ann is right about the glue, and nobody else should have the last word on shelves here."),
        use_marks=False,
    )
    third = [row for row in rows if row["id"] == "2"]
    assert [(row["source_id"], row["via_id"]) for row in third] == [("0", "1"), ("1", None)]
    assert all(row["removed"] for row in third)


REMARKS = [
    "Cordierite does not like cold draughts, so keep the vent shut until morning.",
    "My neighbour swears by silicon carbide, but she pays three times as much.",
    "Turn them over after every tenth firing and they stay flat for years.",
    "Whoever stacks heavy pots in the middle gets what he deserves.",
    "The maker told me on the phone that props belong above one another.",
    "Sand between prop and shelf is cheaper than any of this advice.",
]


def test_quotes_of_quotes_are_walked_however_deep() -> None:
    posts = [("ann", SAID["en"])]
    for author, remark in zip(["bob", "cid", "dan", "eve", "fay", "gus"], REMARKS, strict=True):
        quoted = "\n".join(f"> {line}" for line in posts[-1][1].split("\n"))
        posts.append((author, f"On Monday {posts[-1][0]} wrote:\n{quoted}\n{remark}"))
    rows = found_in(*posts, use_marks=False)
    assert all(row["removed"] for row in rows)
    assert {row["source_id"] for row in rows if row["id"] == "6"} == set("012345")


def test_answers_between_quotes_stay() -> None:
    said = (
        "Which glue did you take for the crack in the shelf?\nAnd how long does it have to dry before firing?"
    )
    one, two = said.split("\n")
    answers = (
        "A refractory cement from the hardware store, nothing special.",
        "Three days in the sun, turned twice.",
    )
    text = f"ann wrote:\n{one}\n\n{answers[0]}\n\n{two}\n\n{answers[1]}"
    assert gone(("ann", said), ("bob", text)) == [("1", one, "0"), ("1", two, "0")]


def test_a_quote_shortened_by_an_ellipsis_is_two_spans_of_one_group() -> None:
    bet = "So either the glue was old or the shelf was damp, and I would bet on the glue."
    said = f"{SAID['en']} {ANSWER} {bet}"
    text = f"{SAID['en']} [...] {bet}"
    rows = found_in(("ann", said), ("bob", f"{text}\n\nDamp shelves crack across the grain, never along it."))
    assert len(rows) == 2
    assert len({row["group"] for row in rows}) == 1


def test_words_changed_in_a_sentence_leave_it_a_copy() -> None:
    said = f"{SAID['en']} {ANSWER}"
    edited = said.replace("last night", "yesterday").replace("glued", "mended").replace("two days", "a week")
    rows = found_in(("ann", said), ("bob", f"{edited}\n\n{REMARKS[0]}"))
    assert [(row["removed"], row["source_id"]) for row in rows] == [(True, "0")]
    assert 0.8 <= rows[0]["score"] < 1


def test_a_source_edited_after_it_was_quoted_is_a_source_still() -> None:
    said = f"{SAID['en']} {ANSWER}"
    edited = said.replace("last night", "this morning").replace("above cone six", "over cone five")
    text = f"ann wrote:\n{said}\n\n{REMARKS[0]}"
    rows = found_in(("ann", edited), ("bob", text))
    assert [(row["removed"], row["source_id"], row["text"].strip()) for row in rows] == [(True, "0", said)]
    assert 0.8 <= rows[0]["score"] < 1


def test_a_quote_of_an_edited_quote_goes_as_well() -> None:
    said = f"{SAID['en']} {ANSWER}"
    edited = said.replace("third", "fourth").replace("glued in March", "nailed in May").replace("six", "two")
    posts = [("ann", said), ("bob", f"ann wrote:\n{edited}\n\n{REMARKS[0]}")]
    rows = found_in(*posts, ("cid", f"bob wrote:\n{edited}\n{REMARKS[0]}\n\n{REMARKS[1]}"))
    assert all(row["removed"] for row in rows)
    assert {row["id"] for row in rows} == {"1", "2"}


def test_a_form_filled_in_twice_is_no_copy() -> None:
    form = "Kiln: {}\nYear: {}\nShelves: {}\nCones fired: {}\nController: {}\nPlace: {}"
    mine = form.format("Rohde", 2004, "cordierite", 6, "Bentrup", "cellar")
    yours = form.format("Nabertherm", 1999, "silicon carbide", 10, "none", "barn")
    assert gone(("ann", f"Mine:\n\n{mine}"), ("bob", f"Here is mine:\n\n{yours}")) == []


CODE = """for (i = 0; i < shelves; i++) {
    heat[i] = read_probe(i) * scale;
    if (heat[i] > limit) {
        stop_kiln(i, "too hot");
    }
}"""


def test_pasted_code_stays_and_quoted_code_goes() -> None:
    pasted = found_in(("ann", f"It hangs:\n\n{CODE}"), ("bob", f"{ANSWER}\n\n{CODE}"))
    assert [(row["removed"], row["flags"]) for row in pasted] == [(False, ["code"])]
    quoted = found_in(
        ("ann", f"It hangs:\n\n{CODE}"), ("bob", f"ann wrote:\nIt hangs:\n\n{CODE}\n\n{ANSWER}")
    )
    assert quoted
    assert all(row["removed"] for row in quoted)


MISSING = (
    "> The old brick kiln behind the school was torn down in spring,\n> and nobody kept the arch stones."
)


def test_a_quote_whose_source_is_missing_stays_and_is_flagged() -> None:
    rows = found_in(("ann", SAID["en"]), ("bob", f"{MISSING}\n\n{ANSWER}"))
    assert [(row["removed"], row["flags"], row["source_id"]) for row in rows] == [
        (False, ["source_missing"], None)
    ]


def test_of_two_quotes_of_an_absent_post_the_second_refers_to_the_first() -> None:
    rows = found_in(
        ("bob", f"{MISSING}\n\n{ANSWER}"), ("cid", f"{MISSING}\n\nI have two of the stones in my garden.")
    )
    assert [(row["id"], row["removed"], row["source_id"]) for row in rows] == [
        ("0", False, None),
        ("1", True, "0"),
    ]


def test_what_another_thread_has_is_not_missing() -> None:
    said = f"{SAID['en']} {ANSWER}"
    rows = found_in(
        ("ann", said),
        ("bob", f"> {said}\n\nGlue does not hold at red heat, whatever they sell."),
        thread=None,
    )
    assert [(row["removed"], row["source_id"]) for row in rows] == [(True, "0")]


def test_two_who_quote_each_other_both_keep_their_own_words() -> None:
    rows = found_in(
        ("ann", f"{SAID['en']}\n\nbob wrote:\n> {ANSWER}"),
        ("bob", f"ann wrote:\n> {SAID['en']}\n\n{ANSWER}"),
    )
    assert next(row["id"] for row in rows if row["removed"]) == "1"
    assert not [row for row in rows if row["id"] == "0" and row["removed"]]


@pytest.mark.parametrize(
    ("header", "closer", "language"),
    [
        ("ann said:\n↑\n", "Click to expand...", "en"),
        ("ann schrieb:\n", "Zum Vergrößern anklicken....", "de"),
        ("ann сказал(а):\n", "Нажмите, чтобы раскрыть...", "ru"),
        ("ann 说：\n", "点击展开...", "zh"),
    ],
)
def test_what_closes_a_quote_goes_with_it(header: str, closer: str, language: str) -> None:
    said = SAID[language]
    reply = f"{header}{said}\n{closer}\n\n{ANSWER}"
    assert left_of(("ann", said), ("bob", reply)) == {"0": said, "1": ANSWER}


def test_what_closes_a_quote_stays_where_no_quote_goes() -> None:
    assert left_of(("ann", SAID["en"]), ("bob", f"{ANSWER}\nClick to expand..."))["1"].endswith("expand...")


def test_a_line_of_its_own_between_quoted_ones_is_an_answer() -> None:
    said = f"{SAID['en']}\nHas anybody here mended a shelf with mullite wash and lived to fire it again?"
    first, second = said.split("\n")
    left = left_of(("ann", said), ("bob", f"ann wrote:\n{first}\nOh dear.\n\nann wrote:\n{second}\nYes."))
    assert left["1"].replace("\n", " ") == "Oh dear.  Yes."


@pytest.mark.parametrize(
    "changed",
    [
        "[The kiln shelf] cracked again last night, right along the line that we glued in March.",
        "Third kiln shelf cracked again last night, right along the line that we glued in March.",
    ],
)
def test_the_first_words_of_a_quote_may_be_changed(changed: str) -> None:
    said = "Well, the third kiln shelf cracked again last night, right along the line that we glued in March."
    assert left_of(("ann", said), ("bob", f"ann wrote:\n{changed}\n\n{ANSWER}"))["1"] == ANSWER


def test_a_line_of_talk_announces_and_stays() -> None:
    talk = "This is just what I said before:"
    assert left_of(("ann", SAID["en"]), ("bob", f"{talk}\n{SAID['en']}\n\n{ANSWER}"))["1"].startswith(talk)


def test_a_sentence_that_names_a_function_is_prose() -> None:
    said = (
        "You can add the shelves to the list and call the (kiln_select_shelf) function as soon as it cools."
    )
    assert gone(("ann", said), ("bob", f"{said}\n\n{ANSWER}")) == [("1", said, "0")]


@pytest.mark.parametrize("seeds", [1, 2, 7])
def test_how_many_seeds_a_job_takes_changes_nothing(seeds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [" ".join(f"{word}{post}" for word in (SAID["en"] + " " + ANSWER).split(" ")) for post in range(4)]
    answers = [" ".join(f"{word}{post}" for word in reversed(ANSWER.split(" "))) for post in range(4)]
    posts = [("ann", text) for text in said]
    posts += [("bob", f"{said[post]}\n\n{answers[post]}") for post in range(3)]
    posts.append(("cid", "\n\n".join([*said, answers[3]])))  # the last has the most
    whole = found_in(*posts, thread=None)
    assert {row["id"] for row in whole} == {"4", "5", "6", "7"}
    monkeypatch.setattr(find, "_JOB_SEEDS", seeds)
    assert found_in(*posts, thread=None) == whole


def test_how_few_cells_shingles_are_counted_in_first_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells only say what is surely not common: here all may be. Copies of a line, and of what is sampled."""
    long_one = " ".join(f"{word}{turn}" for turn in range(5) for word in SAID["en"].split(" "))
    said = [SAID["en"], SAID["de"], long_one]
    records = []
    for thread in range(Config().quotes.stock_threads + 2):
        for n, text in enumerate(said if thread else [*said, ANSWER]):
            for author in ("ann", "bob"):
                own = " ".join(f"walnut{thread}x{n}{author}{word}" for word in range(9))
                post = {"id": f"{thread}-{n}-{author}", "author": author, "thread_id": str(thread)}
                records.append({**post, "text": f"{text}\n\n{own}"})
    whole = find_quotes(records)
    stock = {row["id"] for row in whole.to_pylist() if row["source_id"] is not None}
    assert "0-3-bob" in stock and "1-0-bob" not in stock
    monkeypatch.setattr(repeated, "_cells_for", lambda *_: 2)
    assert find_quotes(records).equals(whole)
