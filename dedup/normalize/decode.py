"""From bytes to text, for bytes of unknown encoding: a cascade from the certain to the likely.

1. A byte order mark.
2. NUL bytes in the pattern of UTF-16 or UTF-32 (looked at before UTF-8: ASCII in UTF-16 is valid UTF-8).
3. The escape sequences of ISO-2022-JP and ISO-2022-KR (valid UTF-8 too).
4. UTF-8.
5. Line by line: lines of valid UTF-8 stay that, since dumps are often glued together from pages of several
   encodings; the encoding of the others is detected once, from all of them.
6. For a line that even so cannot be decoded: Windows-1252 as browsers read it, which takes any byte.

Nothing here raises on bytes, whatever they are, and no text holds a lone surrogate. NUL and other control
characters stay in the text; repairing them is an edit.
"""

from __future__ import annotations

import codecs
import re

import chardet
import ftfy.bad_codecs

from dedup.errors import ConfigError

ftfy.bad_codecs.ok()  # registers the sloppy codecs

LAST_RESORT = "windows-1252"
MAX_SAMPLE_BYTES = 200_000
"""How much of the lines that are no UTF-8 the detector sees."""

SURE = 0.2
"""Confidence from which on chardet is believed when it names an encoding of DOS or old Macs: from a few
bytes it takes `it\\x92s` for Central European Macintosh. Where the lines are dense with bytes that are no
ASCII it is believed all the same.

Right of 358 legacy files in 40 encodings, 20 odd lines of each and one line, and of 226 Western mails,
whole and one line: this 356, 325, 212, 214; without the density 356, 317, 212, 214; chardet always
believed 353, 329, 211, 169; charset-normalizer 332, 246, 137, 117; resiliparse 283, 258, 189,
180; always Windows-1252 19, 22, 219, 221."""
LIKELY = 0.03
"""Confidence below which it is not believed at all."""
_NO_ASCII = re.compile(rb"[\x80-\xff]")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
_ALL_ERAS = chardet.EncodingEra.ALL & ~chardet.EncodingEra.MAINFRAME
_WEB_ERAS = chardet.EncodingEra.MODERN_WEB | chardet.EncodingEra.LEGACY_ISO

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPES = (
    (re.compile(rb"\x1b\$[@B]"), "iso-2022-jp"),
    (re.compile(rb"\x1b\$\)C"), "iso-2022-kr"),
)
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
"""What is meant, on the web, where the detector finds the narrower encoding."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(data: bytes, encoding: str | None = None, declared: str | None = None) -> tuple[str, str]:
    """The text of a whole file or message, and the name of its encoding (`utf-8+koi8-r` for a mixture).

    With `encoding` given, bytes it does not know become U+FFFD. Raises ConfigError when there is no such
    text encoding. `declared` is what the file says of itself: it is believed for lines that are no UTF-8,
    as browsers do, if there is such an encoding.

    >>> decode(b"na\\xefve")
    ('naïve', 'windows-1252')
    """
    if encoding is not None:
        return _decode_as(data, encoding)
    mark, whole = _whole_encoding(data)
    if whole is not None:
        return _without_surrogates(data[len(mark) :].decode(whole, "replace")), whole
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    fallback = _meant_by(declared) or _detect(data)
    lines, names = [], set()
    for line in data.split(b"\n"):
        text, name = decode_line(line, fallback)
        lines.append(text)
        if not line.isascii():
            names.add(name)
    return "\n".join(lines), "+".join(sorted(names, key=lambda name: (name != "utf-8", name)))


def find_encoding(head: bytes) -> str | None:
    """How to read a file that begins with `head` line by line, or None where UTF-8 will do.

    A name that begins with `utf-16` or `utf-32`, or with `iso-2022`, means the file as a whole; any other
    is the fallback for lines that are no UTF-8 (see `decode_line`).
    """
    _, whole = _whole_encoding(head)
    if whole is not None:
        return None if whole == "utf-8" else whole
    head = head[: head.rfind(b"\n") + 1] or head  # a cut line may end inside a character
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return _detect(head)
    return None


def decode_line(line: bytes, fallback: str) -> tuple[str, str]:
    """One line, and what it was decoded with: UTF-8, else `fallback`, else Windows-1252."""
    try:
        return line.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return _without_surrogates(line.decode(fallback)), fallback
    except (UnicodeError, LookupError):
        return _decode_last_resort(line), LAST_RESORT


def _decode_as(data: bytes, encoding: str) -> tuple[str, str]:
    try:
        name = codecs.lookup(encoding).name
        if name == "utf-8":
            data = data.removeprefix(codecs.BOM_UTF8)
        return _without_surrogates(data.decode(encoding, "replace")), name
    except (LookupError, UnicodeError, ValueError):
        raise ConfigError(
            f"cannot decode text with encoding {encoding!r}.", hint="Leave it out to have it found."
        ) from None


def _decode_last_resort(line: bytes) -> str:
    # ftfy's codec keeps 0x1A for its own use.
    return line.decode("sloppy-windows-1252").replace("\ufffd", "\x1a")


def _whole_encoding(data: bytes) -> tuple[bytes, str | None]:
    """A byte order mark and the encoding that all of the data is in, where its bytes give it away."""
    for mark, name in _MARKS:
        if data.startswith(mark) and (name != "utf-32-le" or len(data) % 4 == 0):
            return mark, name if name != "utf-8" or _is_utf8(data) else None
    return b"", _nul_pattern(data[:65536]) or _escape_pattern(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _nul_pattern(head: bytes) -> str | None:
    """UTF-16 or UTF-32, from where in the code units the NUL bytes are."""
    if b"\0" not in head:
        return None
    fourths = [head[place::4] for place in range(4)]
    zeros = [fourth.count(0) / max(1, len(fourth)) for fourth in fourths]
    # In UTF-32 the highest byte is always NUL and the next one nearly so; the lowest one hardly ever.
    for name, high, next_high, low in (("utf-32-le", 3, 2, 0), ("utf-32-be", 0, 1, 3)):
        if zeros[high] == 1 and zeros[next_high] > 0.9 and zeros[low] < 0.1:
            return name
    for name, highs, lows in (
        ("utf-16-le", head[1::2], head[::2]),
        ("utf-16-be", head[::2], head[1::2]),
    ):
        if lows.count(0) * 10 > highs.count(0):
            continue
        # In the scripts up to Arabic nearly every high byte is below 9, and other text has no such bytes.
        if sum(map(highs.count, range(9))) > len(highs) / 2:
            return name
        # In the others it is those of spaces, digits and line feeds alone.
        if highs.count(0) * 50 > len(highs) and not _is_utf8(head):
            return name
    return None


def _escape_pattern(data: bytes) -> str | None:
    if b"\x1b" not in data or b"\x1b$" not in data:  # two bytes are looked for much slower than one
        return None
    for escape, name in _ESCAPES:
        if escape.search(data):
            try:
                data.decode(name)
            except UnicodeDecodeError:
                continue
            return name
    return None


def _meant_by(declared: str | None) -> str | None:
    """The encoding that pages and mails mean by a name; None for none, and for those their bytes deny."""
    if declared is None:
        return None
    try:
        name = codecs.lookup(declared.removeprefix("x-")).name
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        return None  # no encoding, or one that is no text encoding
    if name.startswith(("utf", "unicode", "idna", "punycode", "raw")):
        return None
    return _SUPERSETS.get(name, name).replace("cp125", "windows-125")


def _detect(data: bytes) -> str:
    """The encoding of the lines that are no UTF-8."""
    sample, size = [], 0
    for line in data.split(b"\n"):
        if not line.isascii() and not _is_utf8(line):
            sample.append(line)
            size += len(line)
            if size > MAX_SAMPLE_BYTES:
                break
    lines = b"\n".join(sample)
    name, confidence = _chardet(lines, _ALL_ERAS)
    if confidence < SURE and not _is_dense(lines):
        name, confidence = _chardet(lines, _WEB_ERAS)
        return name if confidence >= LIKELY else LAST_RESORT
    return name


def _is_dense(sample: bytes) -> bool:
    """Whether so many bytes are no ASCII that the script cannot be Latin with an odd apostrophe in it."""
    ascii_letters = len(_ASCII_LETTER.findall(sample))
    others = len(_NO_ASCII.findall(sample))
    return others >= 12 and others * 4 >= ascii_letters


def _chardet(sample: bytes, eras: chardet.EncodingEra) -> tuple[str, float]:
    found = chardet.detect(sample, encoding_era=eras)
    try:
        name = codecs.lookup(found["encoding"] or LAST_RESORT).name
    except LookupError:
        return LAST_RESORT, 0.0
    # chardet's own `prefer_superset` turns ISO-8859-5 into Windows-1251, which is no superset of it.
    return _SUPERSETS.get(name, name).replace("cp125", "windows-125"), found["confidence"]


def _without_surrogates(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
