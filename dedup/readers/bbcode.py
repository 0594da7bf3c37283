"""Quotes that BBCode marks: `[quote=…]` to `[/quote]`, with the author and post the tag names.

The tags differ from engine to engine:

    phpBB       [quote:1a2b3c="Ann"]…[/quote:1a2b3c]   [quote="Ann" post_id=7 time=1 user_id=2]
    vBulletin   [QUOTE=Ann;7]            XenForo    [QUOTE="Ann, post: 7, member: 2"]
    SMF         [quote author=Ann link=topic=3.msg7#msg7 date=1]
    MyBB        [quote='Ann' pid='7' dateline='1']     Invision   [quote name='Ann' post='7']
    Discourse   [quote="Ann, post:2, topic:3"]

A tag without its partner is text, and so is what stands between `[code]` and `[/code]`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Alternatives that begin differently, possessive repetitions, and an end within reach: linear time.
_TAG = re.compile(
    r"\[(?P<close>/?)(?i:(?P<name>quote|code|noparse|nobbc))"
    r"(?P<rest>(?=[\]=:\s])(?:\"[^\"\n]{0,200}+\"|'[^'\n]{0,200}+'(?=[\s\]])|[^\]\"\n]){0,400}+\]"
    r"|[=:\s][^\]\n]{0,400}+\])"
)
_ATTRIBUTE = re.compile(
    r"\s(author|name|link|pid|post_id|post|topic|msg_id)\s?=\s?(\"[^\"]*+\"|'[^']*+'|\S++)"
)
_SMF_AUTHOR = re.compile(r"\sauthor=(.*?)(?= link=| date=|$)")
_COMMA_PAIR = re.compile(r",\s*(post|topic|member|full|username)\s*:\s*([^,]*+)")
_PHPBB_UID = re.compile(r"^:(?:[0-9a-z]{1,2}:)?[0-9a-z]{5,10}(?==|$)|(?<=[\"']):[0-9a-z]{5,10}$")
_SMF_MESSAGE = re.compile(r"msg=?(\d{1,20})")


class Tagged(NamedTuple):
    """One quote of a text: its extent with both tags, the tags themselves, and whom the tag names."""

    start: int
    body_start: int
    body_end: int
    end: int
    author: str | None
    post_id: str | None


def find_tagged(text: str) -> list[Tagged]:
    """The quotes of a text, in order of their starts, nested ones included.

    >>> find_tagged('[quote="Ann, post: 7, member: 2"]Hi[/quote] ho')
    [Tagged(start=0, body_start=33, body_end=35, end=43, author='Ann', post_id='7')]
    """
    tags = list(_TAG.finditer(text))
    last_close: dict[str, int] | None = None  # rarely asked for
    found: list[Tagged] = []
    opened: list[re.Match[str]] = []
    literal: str | None = None  # the tag whose text is taken as it is
    for number, tag in enumerate(tags):
        name = tag["name"].lower()
        if literal is not None:
            if name == literal and tag["close"]:
                literal = None
        elif name != "quote":
            if last_close is None:
                last_close = {each["name"].lower(): at for at, each in enumerate(tags) if each["close"]}
            if not tag["close"] and last_close.get(name, -1) > number:
                literal = name
        elif not tag["close"]:
            opened.append(tag)
        elif opened:
            opening = opened.pop()
            author, post_id = read_tag(opening["rest"][:-1])
            found.append(Tagged(opening.start(), opening.end(), tag.start(), tag.end(), author, post_id))
    found.sort()
    return found


def read_tag(rest: str) -> tuple[str | None, str | None]:
    """Author and post id that the inside of an opening tag names, without its first word.

    >>> read_tag(" author=Ann Bee link=topic=3.msg7#msg7 date=1")
    ('Ann Bee', '7')
    >>> read_tag('="Ann, post:2, topic:3"')
    ('Ann', '3/2')
    """
    rest = _PHPBB_UID.sub("", rest.rstrip())
    if not rest:
        return None, None
    named = {key: _unquoted(value) for key, value in _ATTRIBUTE.findall(rest)}
    post_id = named.get("pid") or named.get("post_id") or named.get("post") or named.get("msg_id")
    if post_id is None and (message := _SMF_MESSAGE.search(named.get("link", ""))):
        post_id = message[1]
    if not rest.lstrip().startswith("="):
        author = _SMF_AUTHOR.search(rest)
        return _name(author[1] if author else named.get("name", "")), post_id
    value = rest.lstrip()[1:].lstrip()
    attribute = _ATTRIBUTE.search(value)
    if attribute:
        value = value[: attribute.start()]
    if value[:1] in ("'", '"') and (end := value.rfind(value[0])) > 0:
        value = value[1:end]
    if first := _COMMA_PAIR.search(value):
        pairs = dict(_COMMA_PAIR.findall(value))
        value = pairs.get("username") or value[: first.start()]
        post_id = pairs.get("post", "").strip() or None
        if post_id and "topic" in pairs:  # Discourse counts posts anew in every topic
            post_id = f"{pairs['topic'].strip()}/{post_id}"
    elif post_id is None:
        name, semicolon, number = value.rpartition(";")
        if semicolon and number.strip().lstrip("n").isdecimal():
            value, post_id = name, number.strip()
    return _name(value), post_id


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value


def _name(value: str) -> str | None:
    return _unquoted(value.strip()).strip() or None
