"""What a tag means in the markup of forum engines.

One table for all engines: their class names hardly ever mean different things, and posts carry markup of
the engine a board ran on before it moved.
"""

from __future__ import annotations

import re
from html import unescape
from typing import NamedTuple

(
    INLINE,
    BLOCK,  # begins and ends a line
    PARAGRAPH,  # a blank line before and after
    CELL,
    LIST,
    ITEM,
    PRE,
    LINK,
    DROP,  # with all that is in it
    QUOTE,
    HEADER,  # says whose words the quote around it holds
    HEADING,  # says whose words the quote that follows it holds
    CODEBOX,
    LABEL,  # "Code:", where it stands in a CODEBOX; a HEADER where it stands in a QUOTE
) = range(14)


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


VOID = _names("area base br col embed hr img input link meta param source track wbr")


def _kinds(listed: dict[int, str]) -> dict[str, int]:
    return {name: kind for kind, names in listed.items() for name in names.split()}


_BY_NAME = _kinds(
    {
        BLOCK: "address article aside body center dd details div dt fieldset figcaption figure footer form"
        " header html legend main nav section summary table tbody tfoot thead tr caption",
        PARAGRAPH: "p h1 h2 h3 h4 h5 h6 dl",
        CELL: "td th",
        LIST: "ul ol",
        ITEM: "li",
        PRE: "pre listing xmp textarea",
        LINK: "a",
        DROP: "script style head noscript template svg math button select iframe object audio video canvas"
        " title noembed noframes plaintext",
        QUOTE: "blockquote",
        LABEL: "cite",
    }
)
# Class names in lower case, of XenForo, phpBB, SMF, vBulletin, Discourse, Invision, MyBB, XMB and Drupal.
_BY_CLASS = _kinds(
    {
        BLOCK: "postcontent messagetext",  # blockquotes around whole bodies
        QUOTE: "quote bbcodequote bbcodeblock--quote bbcode_quote bbc_standard_quote bbc_alternate_quote"
        " quotecontent quotemessage ipsquote ipsblockquote mycode_quote quote-msg bb-quote-body",
        HEADER: "quote-author bb-quote-author attribution bbcode_postedby ipsquote_citation",
        HEADING: "quoteheader quotetitle citation genmed",
        CODEBOX: "bbcodeblock--code bbcodecode bbcodephp bbcodehtml codebox codeblock",
        LABEL: "bbcodeblock-title title type",
        DROP: "quoteexpand bbcodeblock-expandlink bbcodeblock-shrinklink messagetextendmarker quote-controls"
        " bbcode_quote_container bbcode_description codeheader codeoperation quotefooter attachbox"
        " inline-attachment attachments thumbattachments message-lastedit sr-only"
        " responsive-hide bbcodeblock--unfurl unfurl bbcodespoiler-button u-hiddenvisually js-lbimagetitle"
        " js-selecttoquoteend post_edit gensmall lightbox onebox-metadata edit signature user-signature"
        " forum-topic-navigation",
    }
)
_WITH_CLASS = _names(
    "div span blockquote aside table td p a header cite dl fieldset ul section h3 h4 figure b"
)

_NAME = re.compile(r"<([^\s>/]+)")
_ATTRIBUTE = re.compile(r'\s([^\s=>"]+)(?:="([^"]*)")?')

_BLANKS = re.compile(r"[ \t\n\r\f]+")
_SMILEY = re.compile(r"smil|emo[jt]", re.IGNORECASE)
_LONGEST_SMILEY = 40
_SOURCE_POST = re.compile(
    r"(?:[?&;/](?:p|pid|msg|post|comment)=|\.msg|#(?:p|pid|post-?|msg|entry|comment-|findComment-)|[?&]id=)(\d+)"
)
_DISCOURSE_SOURCE = re.compile(r"^post: ?(\d+)")


class Tag(NamedTuple):
    """An opening tag."""

    name: str
    attributes: dict[str, str]
    kind: int


def read_tag(token: str) -> Tag:
    """An opening tag of serialised HTML."""
    found = _NAME.match(token)
    name = found.group(1).lower() if found else ""
    if token.find("=", len(name)) < 0:
        attributes, kind = {}, _BY_NAME.get(name, INLINE)
    else:
        attributes = {key: unescape(value) for key, value in _ATTRIBUTE.findall(token)}
        kind = _kind_of(name, attributes)
    return Tag(name, attributes, kind)


def _kind_of(name: str, attributes: dict[str, str]) -> int:
    by_name = _BY_NAME.get(name, INLINE)
    if by_name == DROP or name not in _WITH_CLASS:
        return by_name
    for part in attributes.get("class", "").lower().split():
        kind = _BY_CLASS.get(part)
        if kind is not None and not (kind == LABEL and by_name not in (BLOCK, LABEL)):
            return kind
    style = attributes.get("style", "")
    if style:
        # vBulletin 3 has no class names of its own for these
        if name == "td" and attributes.get("class") == "alt2" and "inset" in style:
            return QUOTE
        if name == "div" and attributes.get("class") == "smallfont" and "margin-bottom" in style:
            return HEADING
        if "display:none" in style.replace(" ", "").lower() and name == "span":
            return DROP
    return by_name


def cited(tag: Tag) -> tuple[str | None, str | None]:
    """Who and which post a quote's own attributes name."""
    get = tag.attributes.get
    if not tag.attributes:
        return None, None
    if "data-username" in tag.attributes:  # Discourse: topic and number are the post's id
        topic, number = get("data-topic"), get("data-post")
        return get("data-username") or None, f"{topic}/{number}" if topic and number else None
    author = get("data-quote") or get("data-author") or get("data-ipsquote-username") or None
    post_id = get("data-ipsquote-contentcommentid") or get("data-cid") or None
    if source := _DISCOURSE_SOURCE.match(get("data-source", "")):
        post_id = source.group(1)
    elif "cite" in tag.attributes and (found := source_post(get("cite", ""))):
        post_id = found
    return author, post_id


def source_post(address: str) -> str | None:
    """The post whose address this is."""
    found = _SOURCE_POST.search(address)
    return found.group(1) if found else None


def smiley(tag: Tag) -> str | None:
    """What a picture stands for, if it is a smiley."""
    alt = tag.attributes.get("alt") or tag.attributes.get("title", "")
    if not alt or len(alt) > _LONGEST_SMILEY:
        return None
    where = f"{tag.attributes.get('class', '')} {tag.attributes.get('src', '')[:300]}"
    return _BLANKS.sub(" ", alt).strip(" ") if _SMILEY.search(where) else None
