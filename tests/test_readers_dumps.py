"""Records that hold others, bodies that are HTML, and what single sites mean by their fields."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Read
from dedup.readers import READERS, parse_block
from dedup.readers.fast_html import convert
from dedup.readers.html_text import Fragment, fragment_text
from dedup.readers.markup import looks_like_html

Rows = list[dict[str, Any]]


def parse(
    data: bytes | str | dict[str, Any] | list[Any],
    reader: str = "json",
    settings: Read | None = None,
    block_bytes: int = 1 << 20,
) -> tuple[Rows, Rows]:
    if not isinstance(data, bytes | str):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    settings = settings or Read()
    blocks = READERS[reader].blocks(io.BytesIO(data), "dump", settings, block_bytes)
    parsed = [parse_block(block, settings) for block in blocks]
    for each in parsed:
        each.posts.validate(full=True)
        each.rejected.validate(full=True)
    return (
        [row for each in parsed for row in each.posts.to_pylist()],
        [row for each in parsed for row in each.rejected.to_pylist()],
    )


def quoted(post: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [
        (post["text"][mark["start"] : mark["end"]], mark["author"], mark["post_id"]) for mark in post["marks"]
    ]


# Topics


def test_a_scraped_topic_gives_its_posts_what_they_lack() -> None:
    topic = {
        "id": 7,
        "title": "Kilns",
        "path": ["Home", "Firing"],
        "posts": [
            {"postid": 1, "user": {"name": "ann"}, "content": "Hello", "title": ""},
            {"postid": 2, "user": {"name": "bob"}, "content": "Hello ann", "title": "Re: Kilns"},
        ],
    }
    posts, rejects = parse(json.dumps(topic, indent=2))
    assert rejects == []
    assert [(post["id"], post["author"], post["text"], post["record"]) for post in posts] == [
        ("1", "ann", "Hello", 1),
        ("2", "bob", "Hello ann", 2),
    ]
    assert {post["thread_id"] for post in posts} == {"7"}
    assert [post["title"] for post in posts] == ["Kilns", "Re: Kilns"]
    assert {post["board"] for post in posts} == {"Firing"}


def test_a_post_of_a_topic_answers_the_one_it_quotes() -> None:
    def quote(post: str, inside: str = "") -> str:
        return f'<blockquote data-quote="x" data-source="post: {post}">{inside}Q</blockquote><p>mine</p>'

    bodies = ["<p>Q</p>", quote("1"), quote("99") + quote("2", quote("1")), quote("4")]
    topic = {"title": "T", "posts": [{"id": n, "content": body} for n, body in enumerate(bodies, 1)]}
    posts, _ = parse([topic, {"title": "U", "posts": [{"id": 9, "content": quote("1")}]}])
    assert [post["parent_id"] for post in posts] == [None, "1", "2", None, None]


def test_topics_on_lines_and_in_arrays() -> None:
    topics = [{"id": n, "posts": [{"id": 10 * n + i, "text": f"post {i}"} for i in (1, 2)]} for n in (1, 2)]
    lines = "\n".join(map(json.dumps, topics))
    for data, reader in ((lines, "jsonl"), (json.dumps(topics), "json"), ({"threads": topics}, "json")):
        posts, rejects = parse(data, reader)
        assert rejects == []
        assert [(post["id"], post["thread_id"]) for post in posts] == [
            ("11", "1"),
            ("12", "1"),
            ("21", "2"),
            ("22", "2"),
        ]


def test_comments_of_a_post_are_replies_to_it() -> None:
    post = {"id": 1, "text": "A post", "tags": ["x"], "comments": [{"id": 2, "text": "A comment"}]}
    posts, _ = parse([post])
    assert [(each["id"], each["text"], each["parent_id"]) for each in posts] == [
        ("1", "A post", None),
        ("2", "A comment", "1"),
    ]
    assert json.loads(posts[0]["metadata"]) == {"tags": ["x"]}


def test_a_list_without_posts_is_a_field_like_others() -> None:
    record = {"id": 1, "text": "A post", "items": [{"sku": 5}], "posts": 512, "replies": []}
    posts, _ = parse([record])
    assert len(posts) == 1
    assert json.loads(posts[0]["metadata"]) == {"items": [{"sku": 5}], "posts": 512, "replies": []}


def test_posts_nested_too_deeply_stay_in_the_metadata() -> None:
    record: dict[str, Any] = {"id": 200, "text": "deepest"}
    for number in range(199, -1, -1):
        record = {"id": number, "text": f"depth {number}", "children": [record]}
    posts, rejects = parse([record])
    assert rejects == []
    assert [post["id"] for post in posts] == [str(number) for number in range(65)]
    assert posts[64]["parent_id"] == "63"
    assert "deepest" in posts[64]["metadata"]


def test_discourse() -> None:
    cooked = (
        '<aside class="quote no-group" data-username="ann" data-post="1" data-topic="7">'
        '<div class="title"><div class="quote-controls"></div> ann:</div>'
        "<blockquote><p>Is it the shelf?</p></blockquote></aside><p>It is &amp; was.</p>"
    )
    topic = {
        "id": 7,
        "title": "Kilns",
        "post_stream": {
            "stream": [11, 12],
            "posts": [
                {"id": 11, "username": "ann", "post_number": 1, "topic_id": 7, "cooked": "<p>Hello</p>"},
                {
                    "id": 12,
                    "username": "bob",
                    "post_number": 2,
                    "topic_id": 7,
                    "reply_to_post_number": 1,
                    "cooked": cooked,
                },
            ],
        },
    }
    posts, _ = parse(topic, "jsonl")
    assert [post["text"] for post in posts] == ["Hello", "ann:\nIs it the shelf?\n\nIt is & was."]
    assert posts[1]["parent_id"] == "11"
    assert quoted(posts[1]) == [("Is it the shelf?", "ann", "11")]
    assert posts[0]["title"] == posts[1]["title"] == "Kilns"


def test_imageboard() -> None:
    thread = {
        "posts": [
            {"no": 100, "resto": 0, "time": 1700000000, "name": "Anonymous", "sub": "Kilns", "com": "Show."},
            {"no": 101, "resto": 100, "time": 1700000100, "name": "Anonymous"},
            {
                "no": 102,
                "resto": 100,
                "time": 1700000200,
                "name": "eve",
                "com": '<a href="#p100" class="quotelink">&gt;&gt;100</a><br>'
                '<span class="quote">&gt;Show.</span><br>No, I won&#039;t',
            },
        ]
    }
    posts, rejects = parse(thread)
    assert rejects == []
    assert [(post["id"], post["thread_id"], post["author"]) for post in posts] == [
        ("100", "100", None),
        ("101", "100", None),
        ("102", "100", "eve"),
    ]
    assert posts[0]["title"] == "Kilns"
    assert posts[1]["text"] == ""
    assert posts[2]["text"] == ">>100\n>Show.\nNo, I won't"
    assert posts[2]["parent_id"] == "100"
    assert quoted(posts[2]) == [(">Show.", None, "100")]


def test_hacker_news() -> None:
    lines = [
        {"id": 1, "type": "story", "by": "ann", "time": 1700000000, "title": "Kilns", "url": "u"},
        {"id": 2, "type": "comment", "by": "bob", "parent": 1, "text": "I&#x27;d say<p>so."},
        {"id": 3, "type": "comment", "deleted": True, "parent": 1},
    ]
    posts, rejects = parse("\n".join(map(json.dumps, lines)), "jsonl")
    assert rejects == []
    assert [(post["text"], post["parent_id"]) for post in posts] == [
        ("", None),
        ("I'd say\n\nso.", "1"),
        ("", "1"),
    ]


def test_hacker_news_items_with_children() -> None:
    item = {"id": 1, "text": "A", "children": [{"id": 2, "text": "B", "children": [{"id": 3, "text": "C"}]}]}
    posts, _ = parse(item)
    assert [(post["id"], post["parent_id"]) for post in posts] == [("1", None), ("2", "1"), ("3", "2")]


def test_reddit() -> None:
    lines = [
        {"id": "s1", "subreddit": "kilns", "author": "ann", "selftext": "Help", "title": "T"},
        {
            "id": "c1",
            "subreddit": "kilns",
            "author": "bob",
            "link_id": "t3_s1",
            "parent_id": "t3_s1",
            "body": "&gt; Help\n\nNo.",
        },
        {
            "id": "c2",
            "subreddit": "kilns",
            "author": "eve",
            "link_id": "t3_s1",
            "parent_id": "t1_c1",
            "body": "[removed]",
        },
    ]
    posts, _ = parse("\n".join(map(json.dumps, lines)), "jsonl")
    assert [(post["thread_id"], post["parent_id"]) for post in posts] == [
        ("s1", None),
        ("s1", "s1"),
        ("s1", "c1"),
    ]
    assert quoted(posts[1]) == [("&gt; Help", None, None)]
    assert {post["board"] for post in posts} == {"kilns"}


def test_a_reddit_listing() -> None:
    comment = {"id": "c1", "subreddit": "k", "link_id": "t3_s1", "parent_id": "t3_s1", "body": "Hi"}
    reply = {**comment, "id": "c2", "parent_id": "t1_c1", "body": "Ho", "replies": ""}
    comment["replies"] = {"kind": "Listing", "data": {"children": [{"kind": "t1", "data": reply}]}}
    listing = {"kind": "Listing", "data": {"children": [{"kind": "t1", "data": comment}]}}
    posts, rejects = parse([listing])
    assert rejects == []
    assert [(post["id"], post["parent_id"], post["thread_id"]) for post in posts] == [
        ("c1", "s1", "s1"),
        ("c2", "c1", "s1"),
    ]


# Bodies that are HTML


def test_the_source_tells_whether_bodies_are_html() -> None:
    html = ["<p>One &amp; two</p>", "<p>Three<br>four</p>", "plain"]
    assert looks_like_html(html)
    assert not looks_like_html(["if a < b and c", "use <br> there", "R & D"])
    assert not looks_like_html(["Write <p> for a paragraph.", *["Nothing of the kind."] * 9])
    assert not looks_like_html([])
    lines = "\n".join(json.dumps({"text": text}) for text in html)
    assert [post["text"] for post in parse(lines, "jsonl")[0]] == ["One & two", "Three\nfour", "plain"]
    as_text = Read(markup="text")
    assert [post["text"] for post in parse(lines, "jsonl", as_text)[0]] == html
    forced = Read(markup="html")
    assert parse('{"text": "a &lt; b"}', "jsonl", forced)[0][0]["text"] == "a < b"


def test_where_blocks_are_cut_makes_no_difference() -> None:
    lines = "\n".join(json.dumps({"id": n, "text": f"<p>Post {n}</p>" * 20}) for n in range(2000))
    assert parse(lines, "jsonl", block_bytes=1 << 30) == parse(lines, "jsonl", block_bytes=1000)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<p>One\n  <b>two</b> </p>\n", "One two"),
        ("One<br/>two<br><br>three", "One\ntwo\n\nthree"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n\n  - c"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<pre><code>if a:\n    b &lt; c\n</code></pre>after", "if a:\n    b < c\n\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a\tb\nc"),
        ("a <!-- <b>no</b> --> b", "a b"),
        ("a<script>var x = '<p>';</script>b<style>p {}</style>", "ab"),
        ('<a title="a > b" href="#">link</a>', "link"),
        (
            '<a href="http://example.org/a/long/way">http://example.org/a/...</a>',
            "http://example.org/a/long/way",
        ),
        ('<img src="x.gif" alt=":-)"> <img src="y.jpg" alt="A photo of us">', ":-)"),
        ("I <3 you, 1 < 2 > 0", "I <3 you, 1 < 2 > 0"),
        ("&lt;p&gt; is a tag; &amp;lt; is an entity", "<p> is a tag; &lt; is an entity"),
        ("<b>never <i>closed", "never closed"),
        ("</div></p>closed twice", "closed twice"),
        ("&nbsp;x&#xD800;", "\u00a0x\ufffd"),
        ("", ""),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert fragment_text(html).text == text


@pytest.mark.parametrize(
    ("html", "quote", "author", "post_id"),
    [
        ("<blockquote><p>Q</p></blockquote><p>mine</p>", "Q", None, None),
        (
            '<blockquote class="bbCodeBlock bbCodeBlock--quote" data-quote="ann" data-source="post: 17">'
            '<div class="bbCodeBlock-title"><a href="/goto/post?id=17">ann said:</a></div>'
            '<div class="bbCodeBlock-content">Q<div class="bbCodeBlock-expandLink">Click to expand'
            "...</div></div>"
            "</blockquote>mine",
            "Q",
            "ann",
            "17",
        ),
        (
            '<blockquote class="messageText"><div class="bbCodeBlock bbCodeQuote" data-author="ann"><aside>'
            '<div class="attribution type">ann said: <a href="goto/post?id=17#post-17">↑</a></div>'
            '<blockquote class="quoteContainer"><div class="quote">Q</div><div class="quoteExpand"'
            ">Click</div>"
            "</blockquote></aside></div>mine</blockquote>",
            "Q",
            "ann",
            "17",
        ),
        (
            '<blockquote cite="./viewtopic.php?p=17#p17"><div><cite><a href="./u=2">ann</a> wrote:'
            "</cite>Q</div>"
            "</blockquote>mine",
            "Q",
            "ann",
            "17",
        ),
        (
            '<blockquote class="ipsQuote" data-ipsquote-username="ann" data-ipsquote-contentcommentid="17">'
            "<div><p>Q</p></div></blockquote><p>mine</p>",
            "Q",
            "ann",
            "17",
        ),
        (
            '<div class="bbcode_quote"><div class="quote_container"><div class="bbcode_postedby">O'
            "riginally posted"
            ' by <strong>ann</strong> <a href="#post17">x</a></div><div class="message">Q</div></d'
            "iv></div>mine",
            "Q",
            "ann",
            "17",
        ),
        ('<div class="quoteheader">Quote from: ann</div><div class="quote">Q</div>mine', "Q", "ann", None),
        ('<div class="quoteheader">Cytuj</div><div class="quote">Q</div>mine', "Q", None, None),
        ('<div class="quoteheader">Quote from: ann</div>own<div class="quote">Q</div>mine', "Q", None, None),
        (
            '<div class="quoteheader"><div class="topslice_quote"><a href="?topic=3.msg17#msg17">Quote'
            ' from: ann on May 3, 2010</a></div></div><blockquote class="bbc_standard_quote">Q</blockquote>'
            "mine",
            "Q",
            "ann",
            "17",
        ),
        ("<blockquote><div><cite>ann pisze:</cite>Q</div></blockquote>mine", "Q", "ann", None),
        (
            '<table class="quote"><tr><td class="quote"><a href="viewthread.php?pid=17">Originally'
            ' posted by ann &nbsp;</a></td></tr><tr><td class="quotemessage">Q</td></tr></table>mine',
            "Q",
            "ann",
            "17",
        ),
        (
            '<table><tr><td class="alt2" style="border:1px inset"><div>Сообщение от <strong>ann</strong> '
            '<a href="showthread.php?p=17#post17">x</a></div><div style="font-style:italic">Q</div></td></tr>'
            "</table>mine",
            "Q",
            "ann",
            "17",
        ),
        (
            '<table class="quote"><tr><td class="quote">Quote: <a href="viewthread.php?pid=17">ann'
            "</a></td></tr>"
            '<tr><td class="quotemessage">Q</td></tr></table>mine',
            "Q",
            None,
            "17",
        ),
        (
            '<td class="alt2" style="border:1px inset"><div style="font-style:italic">Q</div></td>mine',
            "Q",
            None,
            None,
        ),
    ],
)
def test_quotes_of_html(html: str, quote: str, author: str | None, post_id: str | None) -> None:
    fragment = fragment_text(html)
    assert [
        (fragment.text[each.start : each.end], each.author, each.post_id) for each in fragment.quotes
    ] == [(quote, author, post_id)]
    assert fragment.text.endswith("mine")
    assert "Click" not in fragment.text


def test_a_quote_in_a_quote() -> None:
    fragment = fragment_text("<blockquote><blockquote>first</blockquote>second</blockquote>third")
    assert [fragment.text[quote.start : quote.end] for quote in fragment.quotes] == [
        "first\n\nsecond",
        "first",
    ]


def test_a_quote_of_smf_that_begins_with_another() -> None:
    fragment = fragment_text(
        '<blockquote class="bbc_standard_quote"><cite><a href="#msg7">Quote from: ann on May 3</a></cite>'
        '<blockquote class="bbc_alternate_quote">first</blockquote>second</blockquote>mine'
    )
    assert [(fragment.text[each.start : each.end], each.author) for each in fragment.quotes] == [
        ("first\n\nsecond", "ann"),
        ("first", None),
    ]


def test_ten_thousand_levels() -> None:
    depth = 10_000
    fragment = fragment_text(
        "<blockquote>" * depth + "deep" + "</blockquote>" * depth + "<div>" * depth + "end"
    )
    assert fragment.text == "deep\n\nend"
    assert 0 < len(fragment.quotes) <= 100


_TAGS = (
    "<p> </p> <br> <blockquote> </blockquote> <div class='quote'> <div> </div> <li> <ul> <ol> </ol> </ul>",
    "<pre> </pre> <td> <tr> <table class='quote'> </table> <a href='x#p12'> </a> <b> </b> <script> </script>",
    "<cite> </cite> <!-- --> < > & &lt; &amp;lt; &#0; \" ' <img alt=':)'> text words \n",
)
_PIECES = [piece for tags in _TAGS for piece in tags.split(" ")]
_SPECIAL = [" ", "\t", "\u00a0", '<div class="quoteExpand">', "<blockquote class='messageText'>"]
_SOUP = st.lists(st.sampled_from(_PIECES + _SPECIAL), max_size=60)


@given(_SOUP)
def test_any_soup_gives_text_and_quotes_in_it(pieces: list[str]) -> None:
    fragment = fragment_text("".join(pieces))
    for quote in fragment.quotes:
        assert 0 <= quote.start < quote.end <= len(fragment.text)
    assert [quote.start for quote in fragment.quotes] == sorted(quote.start for quote in fragment.quotes)
    assert fragment.text == fragment.text.lstrip(" ") or "<pre" in "".join(pieces) or "\u00a0" in pieces


# What a kernel reads by itself, mostly.
_PLAIN = (
    "<p> </p> <br> <br/> <blockquote> </blockquote> <pre> <pre\nclass='x'> </pre> <ul> </ul> <ol> </ol> <li>",
    "</li> <td> <th> <tr> <table> </table> <div> </div> <h1> <h2\nid='a'> </h2> <hr> <code> </code> <b> </b>",
    '<dl> <dd> <a\nhref="x"> <a> </a> <img\nalt="Ann"> <img\nalt="x3"> <span\nid="a"> </span> <aside>',
    "&amp; &lt; &quot; &nbsp; &#39; &#x2019; &#10; & \n\n \t a words é x… \u2028 http://x… <p\ntitle='a'>",
)
_PLAIN_SOUP = st.lists(st.sampled_from([*" ".join(_PLAIN).split(" "), " ", " ", "\n"]), max_size=25)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PLAIN_SOUP, max_size=4))
def test_a_kernel_reads_what_the_writer_reads(soups: list[list[str]]) -> None:
    bodies = ["".join(pieces) for pieces in soups]
    looked_into = []

    def fragment(body: str) -> Fragment:
        looked_into.append(body)
        return fragment_text(body)

    texts, quotes, fragments = convert(pa.array(bodies, pa.string()), fragment)
    for row, (body, text) in enumerate(zip(bodies, texts.to_pylist(), strict=True)):
        held = "<" in body or "&" in body
        assert (text, quotes.get(row, [])) == (fragment_text(body) if held else (body, []))
        assert fragments[row] == held
    assert all("<" in body or "&" in body for body in looked_into)


def test_an_ordinary_body_needs_no_second_look() -> None:
    body = '<p>Ann &amp; <a href="x">Bo</a><br>é <img src="x" alt="Her kiln"></p>'
    body += "<blockquote>Q</blockquote><ol><li>1"

    def fragment(body: str) -> Fragment:
        raise AssertionError(body)

    texts, quotes, _ = convert(pa.array(["none", body]), fragment)
    assert texts.to_pylist() == ["none", "Ann & Bo\né\n\nQ\n\n1. 1"]
    assert [quote[:2] for quote in quotes[1]] == [(12, 13)]
