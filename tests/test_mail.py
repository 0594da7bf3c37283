"""Mail: where mails begin, what their headers and parts say, and what hostile ones do."""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import io
import json
import quopri
from pathlib import Path
from typing import Any

import pytest
from check_promises import Check, read_lines
from conftest import DATA
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Config, Read
from dedup.pipeline import clean
from dedup.readers import READERS, Block, parse_block, read_blocks, read_posts, recognise
from dedup.readers.mail.charsets import decode_text
from dedup.readers.mail.flowed import unflow
from dedup.readers.mail.headers import decode_header, read_address, split_message
from dedup.readers.mail.html import html_text
from dedup.readers.mail.split import mail_starts, unescape
from dedup.readers.redact import hide_addresses

FROM = b"From ann@example.org Wed Oct  7 11:15:43 2009\n"
HEAD = b"From: Ann Lee <ann@example.org>\nDate: Wed, 7 Oct 2009 10:15:43 +0100\nMessage-ID: <1@example.org>\n"


def one(data: bytes, **read: Any) -> dict[str, Any]:
    """The only post of a mail."""
    posts, rejected = parse_block(Block(data, "x.eml", 1, 0, "mail"), Read(**read))
    assert rejected.num_rows == 0
    (post,) = posts.to_pylist()
    return {**post, "metadata": json.loads(post["metadata"])}


def mail(content_type: str, body: bytes, more: str = "") -> bytes:
    return HEAD + f"Content-Type: {content_type}\n{more}\n".encode() + body


# -- where mails begin


def test_lines_of_a_body_that_look_like_an_envelope() -> None:
    bodies = [
        b"\nFrom 88.08 to 3.6 seconds: that is quick.\n\n",
        b"\nFrom here on at 12:30 in May 2010 it rained.\nNo field follows this.\n\n",
        b"no blank line before\nFrom ann@example.org Wed Oct  7 11:15:43 2009\nSubject: x\n\n",
        b"\nFrom ann@example.org Wed Oct  7 11:15:43 2009\n\nSubject: no field follows the line itself\n\n",
        b"\n>From ann@example.org Wed Oct  7 11:15:43 2009\nSubject: escaped\n\n",
    ]
    data = b"".join(FROM + HEAD + b"\n" + body for body in bodies)
    starts = mail_starts(data)
    assert len(starts) == len(bodies)
    assert all(data.startswith(FROM + HEAD, start) for start in starts)


@pytest.mark.parametrize(
    "line",
    [
        b"From ann at example.org  Wed Oct  7 11:15:43 2009",
        b"From ann@example.org Wed Oct 7 11:15 BST 2009",
        b"From ann@example.org Wed, 07 Oct 2009 11:15:43 +0100",
        b"From - Wed Oct 07 11:15:43 2009",
        b"From host!ann Wed Oct  7 11:15:43 2009 remote from host",
        b"From -3141592653589793238",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_envelopes_of_many_writers(line: bytes, end: bytes) -> None:
    data = end.join([line, b"From: a@b.org", b"Subject: x", b"", b"one", b"", b""]) * 3
    assert len(mail_starts(data)) == 3
    assert recognise("x", data) is READERS["mail"]


def test_the_sign_before_from_goes_but_not_that_of_a_quote() -> None:
    assert unescape(b"a\n>From now on\nb") == b"a\nFrom now on\nb"
    assert unescape(b"a\n> b\n>From now on\n") == b"a\n> b\n>From now on\n"
    assert unescape(b"a\n>From now on\n> b\n") == b"a\n>From now on\n> b\n"


MAILS = st.lists(
    st.tuples(
        st.sampled_from([b"", b"\nFrom x\n", b"\n>From y Mon\n", b"a: b\n", b"word " * 5000]), st.booleans()
    ),
    min_size=1,
    max_size=8,
)


@given(MAILS, st.integers(1 << 10, 1 << 16))
@settings(deadline=None, max_examples=40)
def test_where_blocks_are_cut_changes_nothing(tmp_path_factory: Any, bodies: list[Any], size: int) -> None:
    path = tmp_path_factory.mktemp("mail") / "a.mbox"
    path.write_bytes(b"".join(FROM + HEAD + b"\n" + body + b"\n" * (1 + two) for body, two in bodies))

    def read(block_bytes: int) -> list[Any]:
        return [
            row
            for block in read_blocks([path], None, block_bytes)
            for row in parse_block(block).posts.to_pylist()
        ]

    assert read(size) == read(1 << 22)


def test_a_mail_over_the_limit_is_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    small, big = FROM + HEAD + b"\nshort\n\n", FROM + HEAD + b"\n" + b"long line\n" * 300_000 + b"\n"
    path = tmp_path / "a.mbox"
    path.write_bytes(small + big + small)
    for block_bytes in (1 << 16, 1 << 24):
        parsed = [
            parse_block(block, Read(max_record_mb=1))
            for block in read_blocks([path], Read(max_record_mb=1), block_bytes)
        ]
        posts = [post for found, _ in parsed for post in found.to_pylist()]
        (reject,) = [row for _, found in parsed for row in found.to_pylist()]
        assert [post["record"] for post in posts] == [1, 3]
        assert (reject["record"], reject["byte_start"], reject["byte_end"]) == (
            2,
            len(small),
            len(small + big),
        )
        assert "over the limit of 1 MB" in reject["error"]
        assert reject["bytes"] == big[: len(reject["bytes"])]


# -- headers


def test_fields_of_a_mail() -> None:
    post = one(
        b'From: =?utf-8?q?Zo=C3=AB?= "the kiln" <zoe@example.org>\n'
        b"Subject: Re: [kiln] =?iso-8859-1?q?Sch=F6ne?=\n =?iso-8859-1?q?_T=F6pfe?=\n"
        b"Date: Wed, 7 Oct 2009 10:15:43 +0100\nMessage-ID: <2@example.org>\n"
        b"In-Reply-To: Your message of Tuesday <1@example.org>\n"
        b"References: <0@example.org>\n\t<1@example.org>\nList-Id: Kilns <kiln.example.org>\n"
        b"To: kiln@example.org\n\nHi\n"
    )
    assert post["author"] == 'Zoë "the kiln"'
    assert (post["id"], post["parent_id"], post["thread_id"]) == (
        "2@example.org",
        "1@example.org",
        "0@example.org",
    )
    assert (post["title"], post["board"]) == ("Re: [kiln] Schöne Töpfe", "kiln.example.org")
    assert (post["created"], post["text"]) == ("Wed, 7 Oct 2009 10:15:43 +0100", "Hi")
    assert post["metadata"] == {
        "from": "zoe@example.org",
        "to": "kiln@example.org",
        "references": ["0@example.org", "1@example.org"],
    }


def test_what_stands_in_for_missing_fields() -> None:
    post = one(FROM + b"From: ann@example.org\nReferences: <0@e> <1@e>\nNewsgroups: a.b,c.d\n\nHi")
    assert (post["author"], post["parent_id"], post["board"]) == ("ann@example.org", "1@e", "a.b")
    assert post["created"] == "Wed Oct  7 11:15:43 2009"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann Lee <ann@example.org>", ("Ann Lee", "ann@example.org")),
        ('"Lee, Ann" <ann@example.org>', ("Lee, Ann", "ann@example.org")),
        ("ann@example.org (Ann (the) Lee)", ("Ann (the) Lee", "ann@example.org")),
        ("ann at example.org (Ann Lee)", ("Ann Lee", "ann at example.org")),
        ("<ann@example.org>", (None, "ann@example.org")),
        ("ann@example.org", (None, "ann@example.org")),
        ("", (None, None)),
    ],
)
def test_names_and_addresses(value: str, expected: tuple[str | None, str | None]) -> None:
    assert read_address(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"=?utf-8?b?w6TDtg==?=", "äö"),
        (b"=?utf-8?b?w6TD?= =?utf-8?b?tg==?=", "äö"),  # a character cut in two
        (b"=?iso-8859-1?q?a=E4?= b =?koi8-r?b?8NLJ?=", "aä b При"),
        (b"=?nonsense?q?caf=C3=A9?=", "café"),
        (b"=?utf-8?b?w6T?= x =?utf-8?q", "ä x =?utf-8?q"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
    ],
)
def test_encoded_words(value: bytes, expected: str) -> None:
    assert decode_header(value) == expected


# -- charsets

GERMAN, RUSSIAN = "Schöne Grüße aus Köln, bis später\n", "Привет всем, печь снова треснула ночью\n"


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "shown"),
    [
        (GERMAN, "latin-1", "iso-8859-1", "windows-1252"),
        (GERMAN, "utf-8", "iso-8859-1", "utf-8"),  # wrongly declared
        (GERMAN, "latin-1", "utf-8", "windows-1252"),
        (GERMAN, "latin-1", "unknown-8bit", "windows-1252"),
        (RUSSIAN, "koi8-r", "koi8-r", "koi8-r"),
        (RUSSIAN * 5, "koi8-r", "us-ascii", "koi8-r"),
        (RUSSIAN * 5, "windows-1251", "iso-8859-1", "windows-1251"),
        ("窑炉又裂开了\n", "gbk", "gb2312", "gb18030"),
        ("こんにちは\n", "iso-2022-jp", "iso-2022-jp", "iso2022_jp"),
        ("“a” – b…\n", "cp1252", None, "windows-1252"),
        ("plain\n", "ascii", "base64", "utf-8"),  # no charset at all
        ("plain\n", "ascii", "\0", "utf-8"),
    ],
)
def test_charsets_declared_rightly_and_wrongly(
    text: str, encoding: str, declared: str | None, shown: str
) -> None:
    assert decode_text(text.encode(encoding), declared) == (text, shown)


# -- bodies


def test_transfer_encodings() -> None:
    body = GERMAN.encode()
    plain = "text/plain; charset=utf-8"
    quoted = quopri.encodestring(body)
    assert one(mail(plain, quoted, "Content-Transfer-Encoding: quoted-printable\n"))["text"] == GERMAN.strip()
    coded = base64.encodebytes(body)
    assert one(mail(plain, coded, "Content-Transfer-Encoding: BASE64\n"))["text"] == GERMAN.strip()
    assert one(mail(plain, coded[:-6], "Content-Transfer-Encoding: base64\n"))["text"].startswith(
        "Schöne Grüße"
    )
    footer = b"\n_______________________________________________\nkiln mailing list\n"
    post = one(mail(plain, coded + footer, "Content-Transfer-Encoding: base64\n"))
    assert post["text"].endswith("kiln mailing list")
    assert len(post["chrome"]) == 1


def part(kind: str, body: str, more: str = "") -> str:
    return f"--b\nContent-Type: {kind}\n{more}\n{body}\n"


def test_of_alternatives_the_plain_text_is_taken() -> None:
    both = part("text/plain", "plain") + part("text/html", "<p>html") + "--b--\n"
    assert one(mail('multipart/alternative; boundary="b"', both.encode()))["text"] == "plain"
    bare = part("text/plain", " ") + part("text/html", "<p>html") + "--b--\n"
    assert one(mail("multipart/alternative; boundary=b", bare.encode()))["text"] == "html"
    footed = part("text/html", "<p>html") + part("text/plain", "footer") + "--b--\n"
    assert one(mail("multipart/mixed; boundary=b", footed.encode()))["text"] == "html\n\nfooter"


def test_attachments_are_named_and_not_read() -> None:
    parts = part("text/plain", "Hi") + part("image/png; name=a.png", "AAAA")
    parts += part("text/plain", "secret", "Content-Disposition: attachment; filename*=utf-8''%C3%A4.txt\n")
    parts += part("message/rfc822", "Subject: inner\n\nother words")
    post = one(mail("multipart/mixed; boundary=b", parts.encode()))  # and never closed
    assert post["text"] == "Hi"
    assert post["metadata"]["attachments"] == [
        {"name": "a.png", "type": "image/png"},
        {"name": "ä.txt", "type": "text/plain"},
        {"name": "inner", "type": "message/rfc822"},
    ]


def test_uuencoded_files_are_attachments() -> None:
    data = bytes(range(100))
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, 100, 45))
    file = b"begin 644 my file.bin\n" + lines + b"`\nend\n"
    post = one(mail("text/plain", b"See below.\n\n" + file + b"\nBye\n"))
    assert post["text"] == "See below.\n\n\nBye"
    assert post["metadata"]["attachments"] == [{"name": "my file.bin", "type": "application/octet-stream"}]
    for prose in (b"begin 644 x\nTHE SHOUT\nOF ALL\nend\n", b"begin 644 x\n`\nend\n", file[:-5]):
        assert one(mail("text/plain", prose))["text"] == prose.decode().strip("\n")


def test_a_mail_that_is_nothing_but_another_one() -> None:
    assert one(mail("message/rfc822", b"Subject: inner\n\nwords"))["text"] == "words"


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("one \ntwo\nthree", "one two\nthree"),
        ("> one \n> two\n>> three \nfour", "> one two\n>> three \nfour"),
        (" From\n >x", "From\n>x"),
        ("bye \n-- \nAnn", "bye \n-- \nAnn"),
        ("one \n\ntwo", "one \ntwo"),
    ],
)
def test_flowed_lines_are_joined(text: str, joined: str) -> None:
    assert unflow(text, False) == joined


def test_the_space_of_the_wrapping_goes_where_the_mail_says_so() -> None:
    flowed = mail('text/plain; format=flowed; delsp="yes"', b"Donau \nschiff\n")
    assert one(flowed)["text"] == "Donauschiff"


def test_html_as_a_mail_reader_shows_it() -> None:
    page = "<title>no</title><style>p{}</style><p>a&nbsp;b &lt; <b>c</b></p>d<br>e"
    page += "<blockquote>f<p>g</blockquote><pre>x\n y</pre>"
    assert html_text(page).replace("\xa0", " ") == "a b < c\n\nd\ne\n\n> f\n>\n> g\n\nx\n y"


# -- against the standard library

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Subject", "From", "X-Other", "To", "References"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        st.booleans(),
    ),
    max_size=6,
)
TEXTS = st.text(st.sampled_from("ab ÄöПж\n>-.=_~"), max_size=80)


@given(HEADERS, TEXTS, st.sampled_from(["7bit", "8bit", "quoted-printable", "base64"]), st.booleans())
@settings(deadline=None)
def test_one_part_is_read_as_the_standard_library_reads_it(
    headers: list[Any], text: str, how: str, crlf: bool
) -> None:
    body = text.encode()
    if how == "quoted-printable":
        body = quopri.encodestring(body)
    elif how == "base64":
        body = base64.encodebytes(body)
    head = "".join(f"{name}: {value}{chr(10) + ' folded' if fold else ''}\n" for name, value, fold in headers)
    data = (
        f"{head}Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {how}\n\n".encode() + body
    )
    if crlf:
        data = data.replace(b"\n", b"\r\n")
    expected = email.message_from_bytes(data, policy=email.policy.compat32)
    payload = expected.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert one(data)["text"] == payload.decode("utf-8").replace("\r\n", "\n").strip("\n")
    fields = split_message(data)[0].fields
    for name in ("Subject", "From", "To", "References"):
        value = expected[name]
        ours = fields.get(name.lower())
        assert (value is None) == (ours is None)
        if ours is not None:
            assert "".join(ours.decode().split()) == "".join(str(value).split())


PARTS = st.recursive(
    st.tuples(st.sampled_from(["text/plain", "text/html", "image/png"]), TEXTS),
    lambda inner: st.tuples(
        st.sampled_from(["multipart/mixed", "multipart/alternative", "multipart/related"]),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=8,
)


def build(part: Any, level: int = 0) -> str:
    kind, inside = part
    if isinstance(inside, str):
        return f"Content-Type: {kind}; charset=utf-8\n\n{inside}"
    boundary = f"=={level}"
    parts = "".join(f"--{boundary}\n{build(each, level + 1)}\n" for each in inside)
    return f'Content-Type: {kind}; boundary="{boundary}"\n\npreamble\n{parts}--{boundary}--\nepilogue\n'


@given(PARTS)
@settings(deadline=None)
def test_parts_are_found_where_the_standard_library_finds_them(part: Any) -> None:
    data = build(part).encode()
    leaves = [each for each in email.message_from_bytes(data).walk() if not each.is_multipart()]
    plain = [each for each in leaves if each.get_content_type() == "text/plain"]
    attached = [each for each in leaves if each.get_content_type() == "image/png"]
    post = one(data)
    if part[0] != "image/png":
        assert len(post["metadata"].get("attachments", [])) == len(attached)
    for each in plain:
        payload = each.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert payload.decode().strip("\n") in post["text"] or not payload.strip()


# -- hostile mails


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Subject: " + b"=?x?q?" * 100_000 + b"\n\n",
        HEAD + b"References: " + b"<" * 500_000 + b"\n\n",
        HEAD + b"Subject: a\n" + b" b\n" * 300_000 + b"\n",
        b"x: y\n" * 300_000,
        b"x" * 1_000_000,
        HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 200_000,
        HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"\n--b" * 200_000,
        HEAD + b"Content-Type: text/plain" + b"; a=b" * 100_000 + b"\n\n",
        HEAD + b"Content-Type: text/plain" + b'; a="' * 100_000 + b"\n\n",
        HEAD + b"\n" + b"_" * 999 + b"\n" + b"x" * 1_000_000,
        HEAD + b"\n" + b"\n____________________________________\n" * 20_000,
        HEAD + b"\n" + b"\n-------------- next part --------------\n" * 20_000,
        HEAD + b"\n" + b"\n>From " * 3_000,
        HEAD + b"Content-Type: text/html\n\n" + b"<blockquote>" * 5_000 + b"x",
        FROM + HEAD + b"\n" + (b"\n" + FROM) * 20_000,
    ],
)
def test_hostile_mails_take_linear_time(data: bytes) -> None:
    parse_block(Block(data, "x", 1, 0, "mail"), Read())


def test_a_thousand_levels_of_parts() -> None:
    data = "".join(
        f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n" for level in range(1000)
    )
    post = one(HEAD + (data + "\nHi\n").encode())
    assert post["metadata"]["attachments"] == [{"name": "", "type": "multipart/mixed"}]


@given(
    st.binary(max_size=300),
    st.integers(0, 400),
    st.sampled_from(["", "multipart/mixed; boundary=b", "text/html"]),
)
@settings(deadline=None)
def test_any_bytes_are_read(noise: bytes, at: int, kind: str) -> None:
    whole = mail(kind, (part("text/plain", "a") + part("text/html", "b")).encode()) if kind else HEAD
    parse_block(Block(whole[:at] + noise + whole[at:], "x", 1, 0, "mail"), Read(redact="email"))


# -- what is recognised


def test_what_is_mail_and_what_is_not() -> None:
    assert recognise("1", HEAD + b"\nx") is READERS["mail"]
    assert (
        recognise("1", b"Path: a!b\nFrom: ann@example.org\nNewsgroups: a.b\nSubject: x\n\nHi")
        is READERS["mail"]
    )
    assert recognise("1.txt", b"From the beginning: it was wrong.\nDate: unknown\n") is READERS["text"]
    assert recognise("1.txt", b"To: all\nSubject: tiles\n\nHello") is READERS["text"]


def test_a_maildir_is_read(tmp_path: Path) -> None:
    for folder, name in (("cur", "1.M1.host:2,S"), ("new", "2.M1.host")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(HEAD + b"\nHi " + name[:1].encode())
    texts = [row["text"] for batch in read_posts(tmp_path) for row in batch.to_pylist()]
    assert texts == ["Hi 1", "Hi 2"]


# -- hidden addresses


def test_addresses_are_hidden_everywhere(tmp_path: Path) -> None:
    box = tmp_path / "a.mbox"
    box.write_bytes(
        FROM
        + b"From: ann at example.org (Ann ann@example.org)\nSubject: to bob@example.org\nDate: 7 Oct 2009\n"
        b"To: bob@example.org\n\nWrite to bob@example.org or bob (at) example.org, bob at example.org!\n\n"
        + FROM
        + b"From: cid@example.org\nSubject: x\n\n> ann@example.org wrote\n\nNo.\n"
    )
    dump = tmp_path / "a.jsonl"
    dump.write_text(
        json.dumps(
            {"text": "[quote=a@b.org]a@b.org says a[/quote] b", "author": "a@b.org", "x": {"y": "\na@b.org"}}
        )
    )
    out = tmp_path / "out"
    clean([box, dump], out, Config().with_settings({"read": {"redact": "email"}, "run": {"workers": 1}}))
    import zstandard

    for file in out.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            if file.suffix == ".zst":
                data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
            assert b"@" not in data, file
            assert b"bob at" not in data
    posts = [row for batch in read_posts([box, dump], Read(redact="email")) for row in batch.to_pylist()]
    assert posts[0]["text"] == "Write to [email] or [email], [email]!"
    assert posts[1]["author"] is None
    (tagged,) = posts[2:]
    assert tagged["marks"][0]["author"] is None
    assert tagged["text"] == "[quote=[email]][email] says a[/quote] b"
    assert [tagged["text"][c["start"] : c["end"]] for c in tagged["chrome"]] == [
        "[quote=[email]]",
        "[/quote]",
    ]
    assert json.loads(tagged["metadata"]) == {"x": {"y": "\n[email]"}}


def test_the_sample(tmp_path: Path) -> None:
    out = tmp_path / "out"
    clean([DATA / "list.mbox"], out, Config().with_settings({"run": {"workers": 1}}))
    raw = [row["text"] for batch in read_posts(DATA / "list.mbox") for row in batch.to_pylist()]
    assert Check(out, raw).problems() == []
    texts = [document["text"] for document in read_lines(out, "corpus")]
    assert [text.split("\n")[0][:30] for text in texts] == [
        "The third shelf of my kiln cra",
        "Glue never holds above cone fi",
        "Agreed, but carbide sags when ",
        "Then I will turn mine over aft",
    ]
    assert "\n\nFrom now on I will buy" in texts[0]
    assert texts[1].endswith("From 2004 to 2009 I fired the same four shelves every week.")


@pytest.mark.parametrize(
    "piece", ["a", "a@", "a at ", "a.b-", "a@b.", "=", "[quote=a", "a (at) ", "@b.org", "a@[1."]
)
def test_hiding_addresses_takes_linear_time(piece: str) -> None:
    hide_addresses(piece * 100_000, spelled=True)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("<ann.lee+x@mail.example.org>, 'bob@example.org'.", "<[email]>, '[email]'."),
        ("mailto:ann@example.org?subject=x", "mailto:[email]?subject=x"),
        ("a" * 300 + "@example.org", "[email]"),
        ("zoë@münchen.example", "[email]"),
        ("ann@[127.0.0.1] ann(at)example.org ann [at] example.org", "[email] [email] [email]"),
        ("list-bounces+ann=example.org@lists.example.org", "[email]"),
        ("@ann you said 5@10 and a@b", "@ann you said 5@10 and a@b"),
        ("look at example.org", "look at example.org"),
    ],
)
def test_what_is_an_address(text: str, hidden: str) -> None:
    assert hide_addresses(text) == hidden
