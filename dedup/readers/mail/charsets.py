"""Bytes of a mail → text: what the mail declares is believed as far as the bytes allow."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from dedup.normalize.decode import decode

_SURROGATE = re.compile("[\ud800-\udfff]")
_WEB = {
    "ascii": None,
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
"""What is sent under the name of the narrower charset."""
_NOT_FOR_MAIL = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_LATIN = {"cp1252", "cp1254", "iso8859-15", "iso8859-2", "cp1250", "mac-roman", "cp437", "cp850"}
_SAME_IN_ALL = bytes((*range(128), *b"\x85\x91\x92\x93\x94\x95\x96\x97\x99\xa0\xa9\xae\xb0\xb7"))
"""ASCII, and the punctuation that all of windows-1250 to 1257 have in the same place."""
_HIGH = bytes(range(128, 256))
_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))


def decode_text(data: bytes, charset: str | None) -> tuple[str, str]:
    """Text, and the name of the encoding its bytes were in.

    ASCII and UTF-8 give themselves away; else the declared charset decodes it, unless it cannot or that would
    make more accents than letters of it; else it is found out.
    """
    codec = _codec(charset) if charset else None
    if data.isascii() and b"\x1b" not in data and (codec is None or not codec.startswith(("utf-", "hz"))):
        return data.decode("ascii"), "utf-8"
    escaped = b"\x1b" in data  # the charsets of ISO 2022 look like ASCII
    if not escaped and not (codec is not None and _is_multibyte(codec)):
        try:
            return data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            pass
    if codec is not None and not (codec in _LATIN and _mostly_high(data)):
        try:
            return _SURROGATE.sub("\ufffd", data.decode(codec)), _shown(codec)
        except (UnicodeError, ValueError):
            pass
    if not data.translate(None, _SAME_IN_ALL):
        return data.decode("cp1252"), "windows-1252"
    return decode(data)


@lru_cache(1024)
def _codec(charset: str) -> str | None:
    """The codec for a declared charset, None where there is none for text."""
    try:
        found = codecs.lookup(charset.strip())
    except (LookupError, ValueError):  # a NUL in the name, say
        return None
    if found.name in _NOT_FOR_MAIL or not getattr(found, "_is_text_encoding", True):
        return None
    return _WEB.get(found.name, found.name)


@lru_cache(256)
def _is_multibyte(codec: str) -> bool:
    """Whether two bytes over 127 can be one character, so that short texts may look like UTF-8 by chance."""
    try:
        return len(b"\xc4\xa3".decode(codec, "replace")) < 2
    except (UnicodeError, LookupError):
        return False


def _mostly_high(data: bytes) -> bool:
    high = len(data) - len(data.translate(None, _HIGH))
    return high > len(data) - len(data.translate(None, _LETTERS))


def _shown(codec: str) -> str:
    return codec.replace("cp125", "windows-125")
