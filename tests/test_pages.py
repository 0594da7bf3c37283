"""Saved forum pages: a sample of each engine, read as a person would read it.

`tests/pages/NAME.toml` says what stands in `data/pages/NAME.html`.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from check_promises import Check, read_lines
from selectolax.lexbor import LexborHTMLParser

from dedup import clean
from dedup.config import Read
from dedup.readers import Block, group_blocks, parse_block, parse_blocks, read_blocks, read_posts, recognise
from dedup.readers.pages.names import HeaderNames
from dedup.readers.pages.render import Body, render
from dedup.readers.pages.writer import MAX_QUOTE_DEPTH

SAMPLES = Path(__file__).parents[1] / "data" / "pages"
DESCRIBED = Path(__file__).parent / "pages"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.html"))


def read(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Posts and rejects of one file."""
    posts, rejected = [], []
    for block in read_blocks([path]):
        parsed = parse_block(block, Read())
        posts += parsed.posts.to_pylist()
        rejected += parsed.rejected.to_pylist()
    return posts, rejected


def understood(posts: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of POSTS in the form the samples are described in; what is null is left out."""
    found = []
    for record, row in enumerate(posts, 1):
        assert row["record"] == record
        post = {key: row[key] for key in ("id", "parent_id", "author", "created") if row[key] is not None}
        extra = json.loads(row["metadata"])
        post |= {key: extra[key] for key in ("number", "subject") if key in extra}
        post["text"] = row["text"]
        for span in row["chrome"]:
            assert (span["end"], span["why"]) == (len(row["text"]), "page_chrome")
            post["text"] = row["text"][: span["start"]]
            post["signature"] = row["text"][span["start"] :].strip("\n")
        quotes = [
            {
                **{key: mark[key] for key in ("author", "post_id") if mark[key] is not None},
                "text": row["text"][mark["start"] : mark["end"]],
            }
            for mark in row["marks"]
        ]
        found.append({**post, "quotes": quotes} if quotes else post)
    thread = {key: posts[0][key] for key in ("thread_id", "title", "board") if posts[0][key] is not None}
    for row in posts:
        assert {key: row[key] for key in thread} == thread
    return {**thread, "posts": found}


def test_every_sample_is_described() -> None:
    assert sorted(path.stem for path in DESCRIBED.glob("*.toml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_read_as_a_person_would(name: str) -> None:
    path = SAMPLES / f"{name}.html"
    reader = recognise("page", path.read_bytes()[: 1 << 16])
    assert reader is not None
    assert reader.name == "html"
    posts, rejected = read(path)
    assert rejected == []
    found = understood(posts)
    described = tomllib.loads((DESCRIBED / f"{name}.toml").read_text(encoding="utf-8"))
    assert found["posts"] == described["posts"]
    assert found == described


def write(path: Path, html: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(html.encode(encoding))
    return path


def page(*bodies: str, head: str = "", thread: str = "https://x.example/threads/a.1/") -> str:
    """A XenForo 2 page of these posts."""
    posts = "".join(
        f'<article class="message" data-author="Ann" data-content="post-{number}">'
        f'<div class="message-body">{body}</div></article>'
        for number, body in enumerate(bodies, 1)
    )
    return f'<html id="XF"><head><link rel="canonical" href="{thread}">{head}</head><body>{posts}'


def text_and_quotes(html: str, plain_blockquotes: bool = True) -> tuple[str, list[tuple[Any, ...]]]:
    """What `render` makes of a post's HTML: the text, and author, post id and text of each quote."""
    tree = LexborHTMLParser(f'<div id="body">{html}</div>')
    body = tree.css_first("#body")
    assert body is not None
    rendered = render([Body(body.html or "", HeaderNames(["Ann", "Bo"]), plain_blockquotes)])
    (text,) = rendered.texts
    quotes = [
        (mark["author"], mark["post_id"], text[mark["start"] : mark["end"]])
        for mark in rendered.marks.get(0, [])
    ]
    return text, quotes


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<p>a</p>\n<p>b\n c</p>d", "a\n\nb c\n\nd"),
        ("a <b>b</b>c <i> d</i>", "a bc d"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("x<ul><li>a<li><p>b</p><ol><li>c</ol></ul>y", "x\n\n- a\n- b\n\n  1. c\n\ny"),
        ("x<pre>\n  a\n    b\n\n</pre>y", "x\n  a\n    b\n\ny"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a\tb\nc"),
        ("a<script>b</script>c<style>d</style>e<!-- f -->g<iframe><b></iframe>h", "acegh"),
        ("a<svg><style>x<b></style></svg>b", "ab"),
        ("a<button>b</button><select><option>c</select>d", "ad"),
        ("<textarea></div>a</textarea>b", "</div>a\nb"),
        ("1 &lt; 2 &amp;amp; 3 > 2", "1 < 2 &amp; 3 > 2"),
        ('<a title="a > b" href="x">c</a>', "c"),
        ('<img alt=":)" class="smilie"> <img alt="IMG_1.jpg" src="x.jpg">a', ":) a"),
        ('<a href="http://x.example/long/path">http://x.example/lo...th</a>', "http://x.example/long/path"),
        ('<a href="/web/2006/http://x.example/long/path">http://x.ex...th</a>', "http://x.ex...th"),
        (
            '<a href="https://web.archive.org/web/20060102030405/http://x.example/long">http://x.ex...g</a>',
            "http://x.example/long",
        ),
        ("<p>&nbsp;</p><p>a</p>", "a"),
        ("", ""),
        ("<b><i>a<p>b</b>c", "a\n\nbc"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert text_and_quotes(html) == (text, [])


@pytest.mark.parametrize(
    ("html", "text", "quotes"),
    [
        ("<blockquote>a</blockquote>b", "a\n\nb", [(None, None, "a")]),
        ("<blockquote></blockquote>b", "b", []),
        ("<blockquote><blockquote>a</blockquote></blockquote>b", "a\n\nb", [(None, None, "a")]),
        ("<blockquote><cite>Ann skrobit:</cite>a</blockquote>", "Ann:\na", [("Ann", None, "a")]),
        (
            "<blockquote><cite>Bo skrobit:</cite>a</blockquote>"
            "<blockquote><cite>Eve skrobit:</cite>b</blockquote>",
            "Bo:\na\n\nEve:\nb",
            [("Bo", None, "a"), ("Eve", None, "b")],
        ),
        ("<blockquote><cite>Eve skrobit:</cite>a</blockquote>", "Eve skrobit:\na", [(None, None, "a")]),
        (
            '<div class="quoteheader">Quote</div><div class="quote">a</div>b',
            "Quote\na\n\nb",
            [(None, None, "a")],
        ),
        ('<div class="quoteheader">Quote</div>b', "b", []),
        ('<blockquote class="bbCodeBlock--quote" data-quote="Ann">a', "Ann:\na", [("Ann", None, "a")]),
        ("a <cite>book</cite> b", "a book b", []),
    ],
)
def test_quotes_in_html(html: str, text: str, quotes: list[tuple[Any, ...]]) -> None:
    assert text_and_quotes(html) == (text, quotes)


def test_an_indented_passage_is_no_quote_where_the_engine_has_its_own_markup() -> None:
    assert text_and_quotes("a<blockquote>b</blockquote>", plain_blockquotes=False) == ("a\nb", [])


def test_ten_thousand_quotes_in_one_another(tmp_path: Path) -> None:
    posts, rejected = read(write(tmp_path / "deep.html", page("<blockquote>q" * 10_000)))
    assert rejected == []
    assert posts[0]["text"].split() == ["q"] * 10_000
    assert len(posts[0]["marks"]) == MAX_QUOTE_DEPTH


def test_elements_too_deep_in_one_another_are_a_reject(tmp_path: Path) -> None:
    posts, rejected = read(write(tmp_path / "deep.html", page("<div>" * 50_000)))
    assert posts == []
    assert "deep in one another" in rejected[0]["error"]


@pytest.mark.parametrize(
    "html",
    [
        '<html id="XF"><div class="structItem"><a href="/threads/a.1/">Bees</a></div>',
        '<html><meta name="generator" content="vBulletin 3.8.4" /><form action="login.php">Log in</form>',
        '<html><span class="postdetails">No posts exist for this topic</span>',
        "<!DOCTYPE html><title>404</title><h1>Not found</h1>",
        "<html>",
        '<html><div class="post"></div><div class="post"></div>',
    ],
)
def test_a_page_without_posts_is_a_reject_that_says_so(html: str, tmp_path: Path) -> None:
    posts, rejected = read(write(tmp_path / "page.html", html))
    assert posts == []
    assert len(rejected) == 1
    assert rejected[0]["error"].startswith("no posts in this ")
    assert rejected[0]["bytes"] == html.encode()


@pytest.mark.parametrize(
    ("declared", "encoding", "found"),
    [
        ("utf-8", "utf-8", "utf-8"),
        ("iso-8859-1", "cp1252", "windows-1252"),
        ("iso-8859-2", "iso-8859-2", "iso8859-2"),
        ("iso-8859-1", "utf-8", "utf-8"),  # saved as UTF-8 by a script that kept the tag
        ("x-sjis", "shift_jis", "cp932"),
        ("no-such-thing", "utf-8", "utf-8"),
        ("utf-8", "utf-16", "utf-16-le"),
    ],
)
def test_charsets(declared: str, encoding: str, found: str, tmp_path: Path) -> None:
    words = "いろは" if encoding == "shift_jis" else "žluťoučký" if encoding == "iso-8859-2" else "naïve"
    html = page(words, head=f'<meta http-equiv="Content-Type" content="text/html; charset={declared}">')
    posts, _ = read(write(tmp_path / "page.html", html, encoding))
    assert (posts[0]["text"], posts[0]["encoding"]) == (words, found)


def test_pages_and_captures_of_a_thread_have_the_same_thread_and_ids(tmp_path: Path) -> None:
    wombat = '<script>__wm.wombat("http://www.x.example:80/f/viewtopic.php?t=5&start=15","2006","https://w/");</script>'
    rows = (
        '<a class="maintitle" href="{url}?t=5">Bees</a><table><tr>'
        '<td><span class="name"><a name="9"></a><b>Ann</b></span></td>'
        '<td><span class="postdetails">Posted: x</span><span class="postbody">a</span></td></tr></table>'
    )
    pages = [
        f"<html><head>{wombat}</head>" + rows.format(url="/web/2006/http://x.example/f/viewtopic.php"),
        "<html><!-- saved from url=(0030)https://x.example/f/viewtopic.php?t=5&sid=1 -->"
        + rows.format(url="viewtopic.php"),
        "<html><!-- Mirrored from x.example/f/viewtopic.php?t=5 by HTTrack -->"
        + rows.format(url="viewtopic.php"),
    ]
    found = [read(write(tmp_path / f"{number}.html", html))[0][0] for number, html in enumerate(pages)]
    assert {(post["thread_id"], post["id"]) for post in found} == {("x.example/f/5", "9")}
    bare, _ = read(write(tmp_path / "bare.html", "<html>" + rows.format(url="viewtopic.php")))
    assert bare[0]["thread_id"] == f"{tmp_path}/5"


def test_a_page_captured_twice_is_kept_once(tmp_path: Path) -> None:
    said = "The queen left the hive on Tuesday and took half of the bees with her."
    long = (
        "Mine stayed the whole summer in spite of the heat and the wasps. I had given them a second box in"
        " April, before the rape came into flower, and a wet sheet over the roof at noon. By August there"
        " were nine combs of brood, and nobody had ever thought of leaving."
    )
    more = "Edit: they swarmed in May of the next year after all, on the one day that I was away."
    first, later = page(said, long), page(said, f"{long}<br><br>{more}")
    pages = [
        write(tmp_path / "2004.html", first),
        write(tmp_path / "2005.html", first),
        write(tmp_path / "2006.html", later),
    ]
    clean(pages, tmp_path / "out")
    records = read_lines(tmp_path / "out", "provenance")
    assert [record["reason"] for record in records[2:5]] == ["exact_duplicate"] * 3
    assert [record["action"] for record in records] == ["keep", "keep", "drop", "drop", "drop", "trim"]
    texts = [record["text"] for record in read_lines(tmp_path / "out", "corpus")]
    assert texts == [said, long, more]


def test_a_page_of_a_web_archive_is_known_by_its_address() -> None:
    html = '<html id="XF"><article class="message"><div class="message-body">a'
    path = "crawl.warc.gz#http://www.x.example/f/threads/bees.7/page-2"
    parsed = parse_block(Block(html.encode(), path, 1, 0, "html"))
    assert parsed.posts["thread_id"].to_pylist() == ["x.example/f/7"]


@pytest.mark.parametrize(("head", "posts"), [("", 1), ('<meta property="og:type" content="article">', 0)])
def test_a_lone_block_is_a_thread_without_answers_unless_the_page_is_an_article(
    head: str, posts: int, tmp_path: Path
) -> None:
    said = '<b class="author">Ann</b><i class="date">1.2.2003</i><div class="body">a</div>'
    found, _ = read(write(tmp_path / "page.html", f'<html><head>{head}</head><div class="post">{said}</div>'))
    assert len(found) == posts


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('<b class="nick">Ann</b> <i class="date">1.2.2003</i><div class="content">Words</div>', "Words"),
        (
            '<b class="nick">Ann</b> <i class="date">1.2.2003</i>Words <i class="text-small">x</i>',
            "Ann 1.2.2003Words x",
        ),
    ],
)
def test_a_block_that_may_be_a_body_itself_holds_one(said: str, text: str, tmp_path: Path) -> None:
    blocks = "".join(f'<div class="message" id="m{number}">{said}</div>' for number in range(3))
    found, _ = read(write(tmp_path / "page.html", f"<html><body>{blocks}</body></html>"))
    assert [post["text"] for post in found] == [text] * 3


@pytest.mark.parametrize(
    ("written", "created"),
    [
        ("Today, 01:15", "2004-03-30 01:15:00"),
        ("Today at 10:15:03 PM", "2004-03-29 22:15:03"),  # west of Greenwich it is still the 29th
        ("Yesterday at 9:30 pm", "2004-03-29 21:30:00"),
        ("Gestern, 21:30 Uhr", "2004-03-29 21:30:00"),
        ("Сегодня в 02:03", "2004-03-30 02:03:00"),
        ("Hier à 25:00", "Hier à 25:00"),
        ("Today", "Today"),
        ("Mar 3, 2004 10:15", "Mar 3, 2004 10:15"),
    ],
)
def test_dates_count_from_when_the_page_was_fetched(written: str, created: str, tmp_path: Path) -> None:
    html = (
        '<html class="has-no-js" id="XF"><article class="message" data-content="post-1" data-author="ann">'
        f'<time>{written}</time><div class="message-body"><div class="bbWrapper">Hi</div></div></article>'
    )
    (tmp_path / "20040330030100").mkdir()
    write(tmp_path / "20040330030100" / "page.html", html)
    saved = "<!-- Page saved with SingleFile\n saved date: Tue Mar 30 2004 05:01:00 GMT+0200 (CEST)\n-->"
    write(tmp_path / "page.html", html.replace("<article", f"{saved}<article", 1))
    write(tmp_path / "unknown.html", html)
    found = [read(path)[0][0] for path in sorted(tmp_path.rglob("page.html"))]
    assert [post["created"] for post in found] == [created] * 2
    assert [json.loads(post["metadata"]).get("written") for post in found] == (
        [None if written == created else written] * 2
    )
    assert read(tmp_path / "unknown.html")[0][0]["created"] == written
    head = "WARC-Type: resource\r\nWARC-Date: 2004-03-30T03:01:00Z\r\nContent-Type: text/html"
    archive = f"WARC/1.0\r\n{head}\r\nContent-Length: {len(html.encode())}\r\n\r\n{html}\r\n\r\n"
    write(tmp_path / "page.warc", archive)
    assert read(tmp_path / "page.warc")[0][0]["created"] == created


def test_the_reader_can_be_forced() -> None:
    reader = recognise("page", b"plain words", "html")
    assert reader is not None
    assert reader.name == "html"
    forced = reader.parse(Block(b"plain words", "page", 1, 0, "html"), Read())
    assert forced.rejected.num_rows == 1


def test_groups_of_pages_give_what_pages_give_alone() -> None:
    paths = sorted(SAMPLES.glob("*.html"))
    alone = [parse_block(block) for block in read_blocks(paths)]
    groups = list(group_blocks(read_blocks(paths), 10_000))
    assert 1 < len(groups) < len(paths)
    together = [parse_blocks(group) for group in groups]
    assert pa.concat_batches([parsed.posts for parsed in together]).equals(
        pa.concat_batches([parsed.posts for parsed in alone])
    )


def test_the_promises_hold_on_the_pages(tmp_path: Path) -> None:
    texts = [text for posts in read_posts([SAMPLES]) for text in posts["text"].to_pylist()]
    clean([SAMPLES], tmp_path / "out")
    assert Check(tmp_path / "out", texts).problems() == []
    counts = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["counts"]
    assert counts["posts"] == len(texts)
    assert counts["rejected"] == 0
    edits = [edit["why"] for record in read_lines(tmp_path / "out", "provenance") for edit in record["edits"]]
    assert edits.count("quote") >= 15
