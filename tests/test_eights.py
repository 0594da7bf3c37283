"""Eight bytes at once: the same as byte by byte."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.text import eights


def word_of(data: bytes) -> np.uint64:
    return np.frombuffer(data, "<u8")[0]


@settings(deadline=None)
@given(st.binary(min_size=8, max_size=8), st.integers(0, 255), st.integers(1, 128))
def test_the_first_byte_that_is_searched_for(data: bytes, byte: int, limit: int) -> None:
    for mask, wanted in (
        (eights.equal(word_of(data), byte), [each == byte for each in data]),
        (eights.below(word_of(data), limit), [each < limit for each in data]),
    ):
        found = [place for place in range(8) if int(mask) >> (8 * place) & 128]
        assert found[:1] == ([wanted.index(True)] if any(wanted) else [])


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_copies(data: bytes, start: int, end: int, to: int) -> None:
    start, end = sorted((min(start, len(data)), min(end, len(data))))
    text = np.zeros(to + end - start + eights.SIZE, np.uint8)
    assert eights.copy(np.frombuffer(data, np.uint8), start, end, text, to) == to + end - start
    assert text[: to + end - start].tobytes() == bytes(to) + data[start:end]
