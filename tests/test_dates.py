"""Dates as forums write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.dates import parse_dates
from dedup.errors import ConfigError


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def read(*dates: str | None, date_format: str | None = None) -> list[int | None]:
    seconds: list[int | None] = parse_dates(pa.array(dates, pa.string()), date_format).to_pylist()
    return seconds


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2007-07-10T19:04:05Z", utc(2007, 7, 10, 19, 4, 5)),
        ("2007-07-10T19:04:05.123456+02:00", utc(2007, 7, 10, 17, 4, 5)),
        ("2007-07-10 19:04:05", utc(2007, 7, 10, 19, 4, 5)),
        ("2007-07-10 19:04 UTC", utc(2007, 7, 10, 19, 4)),
        ("2007-07-10", utc(2007, 7, 10)),
        ("2007/07/10 19:04", utc(2007, 7, 10, 19, 4)),
        ("20070710T190405Z", utc(2007, 7, 10, 19, 4, 5)),
        ("20070710190405", utc(2007, 7, 10, 19, 4, 5)),
        ("Tue Jul 10, 2007 7:04 pm", utc(2007, 7, 10, 19, 4)),
        ("Jul 10, 2007 at 7:04 PM", utc(2007, 7, 10, 19, 4)),
        ("July 10th, 2007, 07:04 p.m.", utc(2007, 7, 10, 19, 4)),
        ("Jul 10, 2007", utc(2007, 7, 10)),
        ("Jul 10, 2007 at 7:04\u202fPM", utc(2007, 7, 10, 19, 4)),
        ("Tue, 10 Jul 2007 18:02:24 -0400 (EDT)", utc(2007, 7, 10, 22, 2, 24)),
        ("Tue, 10 Jul 07 18:02:24 EST", utc(2007, 7, 10, 23, 2, 24)),
        ("Thu, 1 Jan 98 00:00:00 +0000", utc(1998, 1, 1)),
        ("10 Jul 2007 18:02:24 GMT", utc(2007, 7, 10, 18, 2, 24)),
        ("Tue Jul 10 18:02:24 2007", utc(2007, 7, 10, 18, 2, 24)),
        ("Tue Jul  3 18:02:24 PDT 2007", utc(2007, 7, 4, 1, 2, 24)),
        ("19:04, 10 July 2007 (UTC)", utc(2007, 7, 10, 19, 4)),
        ("10.07.2007, 19:04", utc(2007, 7, 10, 19, 4)),
        ("10.07.07 19:04", utc(2007, 7, 10, 19, 4)),
        ("Dienstag, 10. Juli 2007, 19:04 Uhr", utc(2007, 7, 10, 19, 4)),
        ("10 août 2007 à 19:04", utc(2007, 8, 10, 19, 4)),
        ("10 de julio de 2007", utc(2007, 7, 10)),
        ("wtorek, 10 lipca 2007, 19:04", utc(2007, 7, 10, 19, 4)),
        ("10 Lipca 2007, 19:04:05", utc(2007, 7, 10, 19, 4, 5)),
        ("10. července 2007 v 19:04", utc(2007, 7, 10, 19, 4)),
        ("10. 7. 2007 19:04", utc(2007, 7, 10, 19, 4)),
        ("10.07.07 в 19:04", utc(2007, 7, 10, 19, 4)),
        ("10 июля 2007, 19:04", utc(2007, 7, 10, 19, 4)),
        ("2007. július 10. 19:04", utc(2007, 7, 10, 19, 4)),
        ("2007年7月10日(火) 19:04", utc(2007, 7, 10, 19, 4)),
        (
            "<span title='2007-07-10 19:04:05Z' class='t'>Jul 10</span>",
            utc(2007, 7, 10, 19, 4, 5),
        ),
        ("<b>10 July 2007</b>", utc(2007, 7, 10)),
        ("13/07/2007 19:04", utc(2007, 7, 13, 19, 4)),
        ("07/13/2007 07:04 PM", utc(2007, 7, 13, 19, 4)),
        ("1184094245", utc(2007, 7, 10, 19, 4, 5)),
        ("1184094245.0", utc(2007, 7, 10, 19, 4, 5)),
        ("1184094245123", utc(2007, 7, 10, 19, 4, 5)),
        ("  2007-07-10  ", utc(2007, 7, 10)),
        ("2004-02-29", utc(2004, 2, 29)),
        ("2003-02-29", None),
        ("2003-13-01", None),
        ("2003-01-01 25:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_one_date(date: str | None, expected: int | None) -> None:
    assert read(date) == [expected]


@pytest.mark.parametrize(
    ("clock", "hour"), [("12:00 am", 0), ("12:00 pm", 12), ("1:00 am", 1), ("1:00 pm", 13)]
)
@pytest.mark.parametrize(
    "date",
    [
        "2003-01-25 {}",
        "Sat Jan 25, 2003 {}",
        "Sat, 25 Jan 2003 {}",
        "Jan 25, 2003 at {}",
        "01/25/2003 {}",
        "25.01.2003, {}",
        "{}, 25 January 2003",
    ],
)
@pytest.mark.parametrize("upper", [False, True])
def test_noon_and_midnight(date: str, clock: str, hour: int, upper: bool) -> None:
    clock = clock.upper() if upper else clock
    assert read(date.format(clock)) == [utc(2003, 1, 25, hour)]


def test_a_part_over_twelve_decides_for_the_whole_column() -> None:
    many = ["04/05/2003"] * 3000
    assert read(*many, "04/25/2003")[0] == utc(2003, 4, 5)
    assert read(*many, "25/04/2003")[0] == utc(2003, 5, 4)


def test_without_evidence_am_and_pm_mean_month_first() -> None:
    assert read("04/05/2003 9:31 pm") == [utc(2003, 4, 5, 21, 31)]
    assert read("04/05/2003 21:31") == [utc(2003, 5, 4, 21, 31)]


def test_what_the_chosen_format_leaves_is_read_only_where_certain() -> None:
    dates = ["2003-01-25"] * 5 + ["Jan 26, 2003", "04/05/2003"]
    assert read(*dates)[5:] == [utc(2003, 1, 26), None]


def test_a_given_format_wins() -> None:
    assert read("04/05/2003 12:30 AM", date_format="%m/%d/%Y %I:%M %p") == [utc(2003, 4, 5, 0, 30)]
    assert read("[5|4] 2003", date_format="[%d|%m] %Y") == [utc(2003, 4, 5)]
    assert read("2003-04-05", date_format="%d/%m/%Y") == [None]
    assert read("86400", date_format="%s") == [86400]


@pytest.mark.parametrize("wrong", ["%Y %Q", "%d %d %Y", "%d.%m.", "%Y %"])
def test_a_format_that_cannot_be(wrong: str) -> None:
    with pytest.raises(ConfigError):
        read("2003", date_format=wrong)


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)), st.integers(-14 * 60, 14 * 60))
def test_as_datetime_reads_them(when: datetime, minutes_east: int) -> None:
    when = when.replace(microsecond=0)
    seconds = int(when.replace(tzinfo=UTC).timestamp())
    assert read(when.isoformat()) == [seconds]
    assert read(when.strftime("%a %b %d, %Y %I:%M:%S %p")) == [seconds]
    sign = "-" if minutes_east < 0 else "+"
    hours, minutes = divmod(abs(minutes_east), 60)
    there = when + timedelta(minutes=minutes_east)
    assert read(f"{there:%a, %d %b %Y %H:%M:%S} {sign}{hours:02}{minutes:02}") == [seconds]


def test_chunks_make_no_difference() -> None:
    dates = ["04/05/2003", None, "04/25/2003", "Jan 8, 2003"]
    chunked = pa.chunked_array([pa.array(dates[:1]), pa.array(dates[1:], pa.string())])
    assert parse_dates(chunked).equals(parse_dates(pa.array(dates)))
    assert parse_dates(pa.array([], pa.string())).to_pylist() == []


_PLAIN = st.builds(
    "{:04}-{:02}-{:02}{}".format,
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.one_of(
        st.just(""),
        st.builds("{}{:02}:{:02}".format, st.sampled_from(" T"), st.integers(0, 25), st.integers(0, 61)),
        st.builds("T{:02}:{:02}:{:02}".format, st.integers(0, 24), st.integers(0, 60), st.integers(0, 61)),
        st.sampled_from([" 07", " 0704", " 070405", "T07:04Z", " 0704Z", "T0704-5", "T070405Z"]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PLAIN, max_size=4))
def test_plain_dates_are_read_as_all_others(dates: list[str]) -> None:
    at_once = read(*dates)
    assert at_once == read(*dates, "2007-07-10 19:04:00 UTC")[:-1]  # which is not plain
