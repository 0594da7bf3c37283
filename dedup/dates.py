"""From dates as forums write them to seconds since 1970 in UTC; the format is chosen once per source.

A format is a regular expression with named parts that runs over the whole column at once; arithmetic on
columns does the rest, so no date is looked at on its own. A format of the user's, written as for
`strptime`, becomes such an expression too.

Whatever is read, am and pm are heeded (`email.utils` silently ignores them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dedup.errors import ConfigError

Integers = npt.NDArray[np.int64]

_SAMPLE = 1024
"""So many dates, spread over the column, decide the format; a tie is decided by all."""

_MONTHS: dict[str, int] = {
    name: month
    for month, names in enumerate(
        (
            "jan january januar janvier janv ene enero gen gennaio januari janeiro jän jänner"
            " sty styczeń stycznia leden ledna január ianuarie янв январь января січень січня"
            " tammi tammikuu tammikuuta ocak",
            "feb february februar février fevrier févr fevr febrero febbraio februari fev fevereiro"
            " lut luty lutego úno únor února február februarie фев февр февраль февраля лютий лютого"
            " helmi helmikuu helmikuuta şubat",
            "mar march märz mär mrz mars marzo maart mrt março marco marts"
            " marzec marca bře březen března marec március martie мар март марта березень березня"
            " maalis maaliskuu maaliskuuta mart",
            "apr april avr avril abr abril aprile"
            " kwi kwiecień kwietnia dub duben dubna apríl április aprilie апр апрель апреля квітень квітня"
            " huhti huhtikuu huhtikuuta nisan",
            "may mai mayo mag maggio mei maio maj"
            " maja kvě květen května máj mája május май мая травень травня"
            " touko toukokuu toukokuuta mayıs",
            "jun june juni juin junio giu giugno junho"
            " cze czerwiec czerwca čer červen června jún júna június iunie июн июнь июня червень червня"
            " kesä kesäkuu kesäkuuta haziran",
            "jul july juli juil juillet julio lug luglio julho"
            " lip lipiec lipca čvc červenec července júl júla július iulie июл июль июля липень липня"
            " heinä heinäkuu heinäkuuta temmuz",
            "aug august août aout ago agosto augustus augusti"
            " sie sierpień sierpnia srp srpen srpna augusta augusztus авг август августа серпень серпня"
            " elo elokuu elokuuta ağustos",
            "sep sept september septembre septiembre set settembre setembro"
            " wrz wrzesień września zář září septembra szeptember septembrie сен сент сентябрь сентября"
            " вересень вересня syys syyskuu syyskuuta eylül",
            "oct october okt oktober octobre octubre ott ottobre out outubro"
            " paź październik października říj říjen října október októbra octombrie окт октябрь октября"
            " жовтень жовтня loka lokakuu lokakuuta ekim",
            "nov november novembre noviembre novembro"
            " lis listopad listopada listopadu novembra noiembrie ноя нояб ноябрь ноября"
            " листопад листопада marras marraskuu marraskuuta kasım",
            "dec december dez dezember déc décembre decembre dic diciembre dicembre dezembro desember"
            " gru grudzień grudnia pro prosinec prosince decembra decembrie дек декабрь декабря"
            " грудень грудня joulu joulukuu joulukuuta aralık",
        ),
        start=1,
    )
    for name in names.split()
}
_ZONES: dict[str, int] = {
    name: hours * 60
    for hours, names in {
        0: "z ut utc gmt wet",
        1: "cet met mez west bst",
        2: "cest mest mesz eet",
        3: "eest msk",
        9: "jst",
        10: "aest",
        11: "aedt",
        12: "nzst",
        13: "nzdt",
        -4: "edt",
        -5: "est cdt",
        -6: "cst mdt",
        -7: "mst pdt",
        -8: "pst akdt",
        -9: "akst",
        -10: "hst",
    }.items()
    for name in names.split()
}
"""Name of a time zone → minutes east of UTC; a name that is not here counts as UTC."""

# \pL would make the expressions three times slower. This holds the letters of Latin alphabets and Cyrillic.
_LETTER = r"[A-Za-z\x{C0}-\x{4FF}]"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_MONTH = r"(?P<month>\d{1,2})"
_DAY = r"(?P<day>\d{1,2})"
_NAME = rf"(?P<name>{_LETTER}{{3,}})\.?"
_WEEKDAY = rf"(?:{_LETTER}+\.?[\s,]+)?"
# A scraper's `<span title="2011-07-23 09:20:21Z">Jul 23</span>`: what it says for machines, else its text.
_ELEMENT = (
    (r"""^<[^<>]*\s(?:datetime|title)=["']([^"'<>]*\d{4}[^"'<>]*)["'].*$""", r"\1"),
    (r"^<[^<>]*>([^<>]*)</\w+>$", r"\1"),
)
_HALF = r"(?P<half>[aApP])\.?[mM]\.?"
_OFFSET = r"(?P<sign>[+-])(?P<zone_hours>\d{2}):?(?P<zone_minutes>\d{2})"
_ZONE = rf"(?:(?:UTC|GMT)?{_OFFSET}|\(?(?P<zone>{_LETTER}{{1,5}})\)?)"
_CLOCK = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    rf"(?:\s*{_HALF})?"
)
_BEFORE_TIME = r"(?:at|um|à|om|alle|a las|às|ore|w|v|o|klo|kl\.?|в|у|·|@|-|–)"
_TIME = rf"(?:(?:[\s,]*T|[\s,]+(?:{_BEFORE_TIME}\s+)?){_CLOCK}(?:\s*{_ZONE}(?:\s*\([^)]*\))?)?)?"


class _Format(NamedTuple):
    pattern: str
    certain: bool = True
    """What it matches can be read in no other way: it may also read what the chosen format leaves."""


_DAY_FIRST = _Format(rf"{_WEEKDAY}{_DAY}(?:[./-]|\. ){_MONTH}(?:[./-]|\. ){_YEAR}{_TIME}", certain=False)
_MONTH_FIRST = _Format(rf"{_WEEKDAY}{_MONTH}[./-]{_DAY}[./-]{_YEAR}{_TIME}", certain=False)
_YEAR_FIRST = _Format(rf"(?P<year>\d{{4}})[-/.]{_MONTH}[-/.]{_DAY}{_TIME}")
_FORMATS = (
    # 2007-07-10T19:04:00.123Z, 2007-07-10 19:04 UTC, 2007/07/10
    _YEAR_FIRST,
    # Wed Jan 08, 2003 9:31 pm; January 8th, 2003 at 9:31 PM
    _Format(rf"{_WEEKDAY}{_NAME}\s+{_DAY}(?:st|nd|rd|th)?[\s,]+{_YEAR}{_TIME}"),
    # Sun, 28 May 2006 18:02:24 -0400 (EDT); 8. Januar 2003, 21:31; 08-Jan-2003
    _Format(
        rf"{_WEEKDAY}{_DAY}(?:st|nd|rd|th|\.)?[\s-]+(?:(?:de|of)\s+)?{_NAME}[\s,-]+(?:de\s+)?{_YEAR}{_TIME}"
    ),
    # Wed Apr 16 20:46:41 EST 2003
    _Format(rf"{_WEEKDAY}{_NAME}\s+{_DAY}\s+{_CLOCK}(?:\s+{_ZONE})?\s+(?P<year>\d{{4}})"),
    # 19:04, 10 July 2007 (UTC)
    _Format(rf"{_CLOCK}[\s,]+{_DAY}\.?\s+{_NAME}\s+{_YEAR}(?:\s*{_ZONE})?"),
    # 2007. július 10. 19:04; 2007 Jul 10
    _Format(rf"(?P<year>\d{{4}})\.?[\s,-]+{_NAME}[\s-]+{_DAY}\.?{_TIME}"),
    # 2007年7月10日 19:04
    _Format(rf"(?P<year>\d{{4}})\s?[年년]\s?{_MONTH}\s?[月월]\s?{_DAY}\s?[日일](?:\s*\([^)]*\))?{_TIME}"),
    # 20070710T190400Z, 20070710190400
    _Format(
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})T?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})"
        rf"(?:{_ZONE})?"
    ),
    # seconds, milliseconds, microseconds since 1970
    _Format(r"(?P<epoch>\d{9,10})(?:\.\d*)?"),
    _Format(r"(?P<epoch>\d{9,10})\d{3}(?:\.\d*)?"),
    _Format(r"(?P<epoch>\d{9,10})\d{6}"),
    _DAY_FIRST,
    _MONTH_FIRST,
)


def parse_dates(
    created: pa.StringArray | pa.ChunkedArray,
    date_format: str | None = None,
    map_chunks: Callable[..., Iterable[Any]] = map,
) -> pa.ChunkedArray:
    """Seconds since 1970 in UTC (int64) for each date of one source's column; null where it cannot be read.

    `date_format` is a `strptime` format that all dates are read with. Without one, the known format that
    reads most is chosen once for the column; dates it cannot read are read with another only where that
    other is unambiguous. 4/5/2003 is read as the column's other dates decide (a part over 12 is the day);
    where none does, the month comes first beside am or pm, else the day. A date without a time is
    midnight, one without a zone UTC; two-digit years are 1969 to 2068. `map_chunks` works as `map` does,
    and may read the chunks of the column side by side.

    Raises ConfigError for a `date_format` that cannot be.

    >>> parse_dates(pa.array(["Wed Jan 08, 2003 9:31 pm"])).to_pylist()
    [1042061460]
    """
    chunks = created.chunks if isinstance(created, pa.ChunkedArray) else [created]
    dates = list(map_chunks(_plain_blanks, chunks))
    if date_format is not None:
        pattern = _from_strptime(date_format)
        return pa.chunked_array(map_chunks(lambda part: _read(part, pattern), dates), pa.int64())
    present = pa.chunked_array(dates, pa.string()).drop_null()
    if not len(present):
        return pa.chunked_array([pa.nulls(len(part), pa.int64()) for part in dates], pa.int64())
    chosen = _choose(present)
    return pa.chunked_array(map_chunks(lambda part: _read_all(part, chosen), dates), pa.int64())


def _read_all(dates: pa.StringArray, chosen: _Format) -> pa.Int64Array:
    """Seconds of the dates by the chosen format, or by another that is certain."""
    seconds = _read(dates, chosen.pattern)
    for other in _FORMATS:
        left = pc.and_(pc.is_null(seconds), pc.is_valid(dates))
        rows = pc.indices_nonzero(left)
        if not len(rows):
            break
        if other.certain and other is not chosen:
            seconds = pc.replace_with_mask(seconds, left, _read(dates.take(rows), other.pattern))
    return seconds


def _plain_blanks(created: pa.StringArray) -> pa.StringArray:
    for blank in ("\u00a0", "\u202f", "\u200e"):  # browsers and locales put these before "PM"
        created = pc.replace_substring(created, blank, " ")
    trimmed = pc.utf8_trim_whitespace(created)
    if pc.any(pc.starts_with(trimmed, "<")).as_py():
        for pattern, inside in _ELEMENT:
            trimmed = pc.utf8_trim_whitespace(pc.replace_substring_regex(trimmed, pattern, inside))
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


def _choose(dates: pa.ChunkedArray) -> _Format:
    """The format of a column without nulls."""
    step = max(1, len(dates) // _SAMPLE)
    sample = dates.take(pa.array(np.arange(0, len(dates), step))).combine_chunks()
    counts: dict[_Format, int] = {}
    for each in _FORMATS:
        counts[each] = _readable(sample, each)
        if each.certain and counts[each] == len(sample):
            return each
    best = max(_FORMATS, key=lambda each: counts[each])  # the first of equals
    if best.certain or counts[_DAY_FIRST] != counts[_MONTH_FIRST]:
        return best
    day_first, month_first = (
        sum(_readable(part, each) for part in dates.chunks) for each in (_DAY_FIRST, _MONTH_FIRST)
    )
    if day_first != month_first:
        return _DAY_FIRST if day_first > month_first else _MONTH_FIRST
    twelve_hours = pc.any(pc.match_substring_regex(dates, rf"\d\s*{_HALF}")).as_py()
    return _MONTH_FIRST if twelve_hours else _DAY_FIRST


def _readable(dates: pa.StringArray, each: _Format) -> int:
    seconds = _read(dates, each.pattern)
    return int(len(seconds) - seconds.null_count)


def _read(dates: pa.StringArray, pattern: str) -> pa.Int64Array:
    """Seconds of the dates that match, null for the others and for days and times that do not exist."""
    if pattern == _YEAR_FIRST.pattern and (plain := _read_plain(dates)) is not None:
        return plain
    parts = pc.extract_regex(dates, rf"^(?:{pattern})$")
    found = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(found)
    groups = {name: pc.struct_field(parts, name).take(pa.array(rows)) for name in _names(parts.type)}
    seconds = np.zeros(len(dates), np.int64)
    valid = np.zeros(len(dates), np.bool_)
    if "epoch" in groups:
        seconds[rows], valid[rows] = _number(groups["epoch"], 0), True
    elif len(rows):
        seconds[rows], valid[rows] = _seconds(groups, len(rows))
    return pa.array(seconds, mask=~valid)


def _read_plain(dates: pa.StringArray) -> pa.Int64Array | None:
    """The same where all are `2007-07-10`, with ` 19:04` or ` 19:04:00` perhaps: ten times as fast."""
    sizes = pc.fill_null(pc.binary_length(dates), 10).to_numpy()
    if not np.isin(sizes, (10, 16, 19)).all():
        return None
    try:
        return dates.cast(pa.timestamp("s")).cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _names(parts: pa.StructType) -> list[str]:
    return [parts.field(index).name for index in range(parts.num_fields)]


def _number(digits: pa.StringArray, absent: int) -> Integers:
    filled = pc.if_else(pc.equal(digits, ""), str(absent), digits)
    numbers: Integers = pc.cast(filled, pa.int64()).to_numpy()
    return numbers


def _seconds(groups: dict[str, pa.StringArray], rows: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    def number(name: str, absent: int) -> Integers:
        return _number(groups[name], absent) if name in groups else np.full(rows, absent, np.int64)

    year = number("year", 1970)
    if "year" in groups:
        short = pc.equal(pc.utf8_length(groups["year"]), 2).to_numpy(zero_copy_only=False)
        year = np.where(short, np.where(year < 69, 2000, 1900) + year, year)
    month = _looked_up(groups["name"], _MONTHS) if "name" in groups else number("month", 1)
    day = number("day", 1)
    hour, minute, second = number("hour", 0), number("minute", 0), number("second", 0)
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (minute < 60) & (second <= 60) & (hour < 24)
    valid &= day <= _month_lengths(year, np.clip(month, 1, 12))
    if "half" in groups:
        half = pc.utf8_lower(groups["half"])
        am, pm = (pc.equal(half, letter).to_numpy(zero_copy_only=False) for letter in "ap")
        valid &= ~(am & (hour > 12))
        # 12 am is midnight, 12 pm noon; "21:31 pm" is said twice.
        hour = np.where((am | pm) & (hour <= 12), hour % 12 + 12 * pm, hour)
    offset = np.zeros(rows, np.int64)
    if "zone" in groups:
        offset = np.maximum(_looked_up(groups["zone"], _ZONES), -24 * 60)
    if "sign" in groups:
        minus = pc.equal(groups["sign"], "-").to_numpy(zero_copy_only=False)
        offset += np.where(minus, -1, 1) * (number("zone_hours", 0) * 60 + number("zone_minutes", 0))
    days = _days_since_1970(year, month, day)
    return ((days * 24 + hour) * 60 + minute - offset) * 60 + second, valid


def _looked_up(words: pa.StringArray, table: dict[str, int]) -> Integers:
    """The table's number for each word in any case; 0 where it has none."""
    found = pc.index_in(pc.utf8_lower(words), pa.array(list(table)))
    numbers = np.array([*table.values(), 0], np.int64)
    chosen: Integers = numbers[pc.fill_null(found, len(table)).to_numpy()]
    return chosen


def _month_lengths(year: Integers, month: Integers) -> Integers:
    lengths: Integers = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)[month]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths[leap & (month == 2)] = 29
    return lengths


def _days_since_1970(year: Integers, month: Integers, day: Integers) -> Integers:
    """Days of the Gregorian calendar (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms)."""
    year = year - (month <= 2)
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days: Integers = era * 146_097 + day_of_era - 719_468
    return days


_DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<year>\d{2})",
    "m": _MONTH,
    "d": _DAY,
    "b": _NAME,
    "B": _NAME,
    "a": rf"{_LETTER}+\.?",
    "A": rf"{_LETTER}+\.?",
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour>\d{1,2})",
    "M": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})",
    "f": r"\d{1,9}",
    "p": _HALF,
    "z": rf"(?:{_OFFSET}|[zZ])",
    "Z": rf"(?P<zone>{_LETTER}{{1,5}})",
    "s": r"(?P<epoch>\d{1,11})(?:\.\d*)?",
    "%": "%",
}


def _from_strptime(date_format: str) -> str:
    parts = []
    for directive, blank, other in re.findall(r"%(.|$)|(\s+)|([^%\s]+)", date_format, re.DOTALL):
        if blank:
            parts.append(r"\s+")
        elif other:
            parts.append(re.escape(other))
        elif directive in _DIRECTIVES:
            parts.append(_DIRECTIVES[directive])
        else:
            raise ConfigError(
                f"read.date_format: %{directive} is not known.",
                hint=f"Known are {', '.join('%' + name for name in _DIRECTIVES)}.",
            )
    pattern = "".join(parts)
    names = re.findall(r"\?P<(\w+)>", pattern)
    if len(set(names)) < len(names):
        raise ConfigError(f"read.date_format: {date_format!r} names a part of the date twice.")
    if not {"year", "epoch"} & set(names):
        raise ConfigError(f"read.date_format: {date_format!r} has no year.", hint="Put in %Y, %y or %s.")
    return pattern
