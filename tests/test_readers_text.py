"""Plain-text threads: where posts end, what is a title, what is page chrome."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Read
from dedup.readers import parse_block, read_posts
from dedup.readers.text import Text, split_thread

SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "seed" / "xenforo_thread.txt"
END = "\u00a0"


def split(text: str, separator: str | None = None) -> tuple[str | None, list[str], list[list[str]]]:
    """Title, raw texts, and the chrome of each."""
    title, posts = split_thread(text, separator)
    assert "".join(post.text for post in posts) == text
    for post in posts:
        ends = [0, *(place for span in post.chrome for place in span), len(post.text)]
        assert ends == sorted(ends)
    return (
        title,
        [post.text for post in posts],
        [[post.text[start:end] for start, end in post.chrome] for post in posts],
    )


def test_a_thread_with_title_and_top() -> None:
    text = f"On bees\n\nDo they sleep?\n\nAnn\n{END}\nThey do.\n{END}\nThanks!\n{END}\nTop"
    title, texts, chrome = split(text)
    assert title == "On bees"
    assert [len(texts), texts[1]] == [3, f"They do.\n{END}\n"]
    assert chrome == [["On bees\n\n", f"{END}\n"], [f"{END}\n"], [f"{END}\nTop"]]


def test_carriage_returns() -> None:
    text = f"On bees\n\nDo they sleep?\n {END}\t\nThey do.\n{END}{END}\n\nTop\n".replace("\n", "\r\n")
    title, texts, chrome = split(text)
    assert (title, len(texts)) == ("On bees", 2)
    assert chrome[1] == [f"{END}{END}\r\n\r\nTop\r\n"]
    _, texts, _ = split(f"one\r{END}\rtwo\r")
    assert texts == [f"one\r{END}\r", "two\r"]


def test_without_a_separator_a_file_is_one_post() -> None:
    for text in ("On bees\n\nDo they sleep?\n\nTop", f"a{END}b\n\nc {END}\n", "x"):
        title, texts, chrome = split(text)
        assert (title, texts, chrome) == (None, [text], [[]])
    assert split("") == (None, [], [])


def test_other_separators() -> None:
    _, texts, _ = split(f"one\n---\ntwo\n{END}\n --- \nthree --- 3\n", "---")
    assert texts == ["one\n---\n", f"two\n{END}\n --- \n", "three --- 3\n"]
    _, texts, _ = split(f"one\n{END}\ntwo", "none")
    assert texts == [f"one\n{END}\ntwo"]


@pytest.mark.parametrize(
    "first",
    [
        "Hello all,\n\nI am new.",
        "No blank line\nafter it.",
        "x" * 201 + "\n\nbody",
        "Only this line",
        "> a\n\nquote",
    ],
)
def test_what_is_no_title(first: str) -> None:
    title, texts, chrome = split(f"{first}\n{END}\nsecond\n")
    assert (title, len(texts)) == (None, 2)
    assert chrome[0] == [f"{END}\n"]


def test_empty_posts_belong_to_the_post_before() -> None:
    _, texts, _ = split(f"{END}\n\n{END}\none\n{END}\n{END}\n\n{END}\ntwo\n{END}\n\n")
    assert texts == [f"{END}\n\n{END}\none\n{END}\n{END}\n\n{END}\n", f"two\n{END}\n\n"]
    assert split(f"{END}\n\n{END}\n") == (None, [f"{END}\n\n{END}\n"], [[]])


def test_a_word_that_may_be_meant_stays() -> None:
    _, texts, chrome = split(f"Is it good?\n{END}\nTop\n{END}\nI agree.\n\nLike\n{END}\nBye.\n")
    assert texts[1] == f"Top\n{END}\n"
    assert chrome == [[f"{END}\n"]] * 3 + [[]]


def test_buttons_under_every_post_are_chrome() -> None:
    posts = ["Do they?", "They do.\n\nTwice.", "Thanks!", "Bye."]
    text = "".join(f"{post}\n\n#{n}\nLike\nReply\n{END}\n" for n, post in enumerate(posts))
    _, texts, chrome = split(text + "Back to top\n")
    assert len(texts) == 4
    assert chrome[0] == [f"#0\nLike\nReply\n{END}\n"]
    assert chrome[3] == [f"#3\nLike\nReply\n{END}\nBack to top\n"]


LINE = st.sampled_from(
    ["", " ", END, f" {END} ", "Top", "Like", "#12", "words", "A title", "---", "> quote", "\u2028x\x0c"]
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LINE, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([None, "none", "---", ""]),
    st.booleans(),
)
def test_joined_the_posts_are_the_file(
    lines: list[str], newline: str, separator: str | None, ends: bool
) -> None:
    text = newline.join(lines) + (newline if ends else "")
    split(text, separator)
    if separator != "":  # a blank line more at the end makes no post
        assert len(split(text + newline, separator)[1]) == max(len(split(text, separator)[1]), 1)


def test_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "thread.txt"
    path.write_bytes(f"On bees\n\nDo they sleep?\n{END}\n> Do they sleep?\nThey do.\n".encode("utf-16"))
    (batch,) = read_posts(str(path))
    first, second = batch.to_pylist()
    assert first["text"].startswith("On bees\n\nDo")
    assert {first["thread_id"], second["thread_id"], second["path"]} == {str(path)}
    assert (first["id"], first["author"], first["metadata"], second["record"]) == (None, None, "{}", 2)
    assert (first["title"], second["title"], first["encoding"]) == ("On bees", "On bees", "utf-16-le")
    assert second["marks"] == [{"start": 0, "end": 16, "author": None, "post_id": None}]
    assert first["chrome"][0] == {"start": 0, "end": 9, "why": "page_chrome"}


def test_a_file_over_the_limit_is_rejected() -> None:
    data = b"word " * 300_000
    limits = Read(max_record_mb=1)
    (block,) = Text().blocks(io.BytesIO(data), "big.txt", limits, 1 << 20)
    posts, rejected = parse_block(block, limits)
    assert posts.num_rows == 0
    (reject,) = rejected.to_pylist()
    assert "over the limit of 1 MB" in reject["error"]
    assert (reject["byte_start"], reject["byte_end"]) == (0, len(data))
    assert reject["bytes"] == data[: 1 << 20]


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample thread is not here")
def test_the_sample_thread() -> None:
    (batch,) = read_posts(str(SAMPLE))
    posts = batch.to_pylist()
    text = SAMPLE.read_text(encoding="utf-8")
    assert len(posts) == 5
    assert "".join(post["text"] for post in posts) == text
    assert {post["title"] for post in posts} == {text.partition("\n")[0]}
    last = posts[-1]["chrome"][-1]
    assert posts[-1]["text"][last["start"] : last["end"]].endswith("Top")
