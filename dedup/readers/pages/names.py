"""Whose words a quote holds, from the line above it: "Ann wrote:", "Zitat von: Ann am 3. Mai 2010"."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MOST_CHARS = 300
_MOST_PHRASES = 40

# What follows the name where a page has no author by whom the phrase could be learned.
_PHRASES = (
    " wrote:",
    " said:",
    " schrieb:",
    " hat geschrieben:",
    " hat folgendes geschrieben:",
    " a écrit:",
    " a écrit :",
    " escribió:",
    " ha scritto:",
    " escreveu:",
    " schreef:",
    " skrev:",
    " napisał:",
    " napisał(a):",
    " pisze:",
    " píše:",
    " napsal:",
    " napsal(a):",
    " napísal:",
    " írta:",
    " yazdı:",
    " a scris:",
    " έγραψε:",
    " пишет:",
    " писал:",
    " написал:",
    " написала:",
    " написав:",
    " писал(а):",
    " написал(а):",
    " kirjoitti:",
)
_LED = re.compile(
    r"(?:quote: )?(?:originally posted by|originally written by|quote from|quoting|zitat von|сообщение от"
    r"|envoyé par|mensaje de|originariamente inviato da|oorspronkelijk geplaatst door|ursprungligen postat av"
    r"|opprinnelig postet av|originalt skrevet af|alkuperäinen kirjoittaja)(?::\s*+|\s++)(\S.{0,79})",
    re.IGNORECASE,
)
"""What stands in front of the name."""
_ARGUMENTS = re.compile(r"author=([^=]{1,80}?)(?= link=| date=)")
"""Of a tag of SMF, where a converter of pages took all of them for the name."""
_LEADING = re.compile(r"\([^()]*\)\s*")  # MyBB puts the date in front
_DATES = (
    re.compile(
        r"(.{1,80}?)\s(?:on|am|le|el|il|op|em|på|den|от|dnia|dne|dňa|w dniu)\s(?=(?:\S+\s){0,2}\S{0,3}\d)"
    ),
    re.compile(r"(.{1,80}?)\s[^\W\d]{1,8}\s(?=(?:[^\W\d]+\.?\s)?\d)"),  # any other short word
)


class HeaderNames:
    """Finds names in the quote headers of one page, whatever its language.

    A header that begins with the name of somebody who posts on the page shows how headers go on there.
    """

    def __init__(self, authors: Iterable[str]) -> None:
        self._authors = sorted({author for author in authors if author}, key=len, reverse=True)
        self._phrases = dict.fromkeys(_PHRASES)

    def find(self, header: str) -> str | None:
        """The name in a header, or None.

        >>> HeaderNames([]).find("Quote from: Ann Lee on March 05, 2010, 10:00:00 AM")
        'Ann Lee'
        >>> HeaderNames(["Bo"]).find("Bo kirjutas:")
        'Bo'
        >>> HeaderNames([]).find("author=Bo link=topic=3.msg7#msg7 date=12577911 wrote:")
        'Bo'
        """
        header = " ".join(header[:_MOST_CHARS].split())
        if leading := _LEADING.match(header):
            header = header[leading.end() :]
        if raw := _ARGUMENTS.match(header):
            return raw[1].strip() or None
        name = self._known(header)
        if name is not None:
            self.learn(header, name)
            return name
        led = _LED.fullmatch(header.rstrip(" :"))
        _, colon, rest = header.partition(": ")
        if led is not None:
            dated = next((found for date in _DATES if (found := date.match(led[1]))), None)
            return dated[1].rstrip(" -–,") if dated else led[1]
        if colon:
            rest = rest.strip()
            if (name := self._known(rest)) is not None:
                return name
            dated = next((found for date in _DATES if (found := date.match(rest))), None)
            return dated.group(1).rstrip(" -–,") if dated else None
        folded = header.lower()
        if len(folded) != len(header):  # of a few capitals
            folded = header
        for phrase in self._phrases:
            if folded.endswith(phrase) and len(folded) > len(phrase):
                return header[: len(header) - len(phrase)].strip() or None
        return None

    def learn(self, header: str, name: str) -> None:
        """Remember what follows a name that is known for one: " kirjutas:"."""
        if not header.startswith(name):
            return
        phrase, colon, _ = header[len(name) : _MOST_CHARS].lower().partition(":")
        if not colon or not phrase or f"{phrase}:" in self._phrases:
            return
        if len(self._phrases) < _MOST_PHRASES and not any(map(str.isdigit, phrase)):
            self._phrases[f"{phrase}:"] = None

    def _known(self, text: str) -> str | None:
        for author in self._authors:
            if text.startswith(author) and not text[len(author) : len(author) + 1].isalnum():
                return author
        return None
