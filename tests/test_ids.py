"""Hashes of strings, ids that are unique, links to parents."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup.ids import assign_ids, codes, find_first, hash_column, hash_strings, link_parents, pair_keys

KERNELS = settings(deadline=None)  # the first example waits for a compiler

# few letters, so that made-up ids meet the dump's own: `a#1` is an id, `a` a path
ID = st.one_of(
    st.none(), st.sampled_from(["", "1", "2", "a", "a:1", "a#1", "a:1#2", "1#2", "1#2~1", "a#1~1"])
)
ROWS = st.lists(st.tuples(ID, st.sampled_from(["a", "a:1", "1"]), ID), max_size=14)
Row = tuple[str | None, str, str | None]


def batches_of(rows: list[Row], cuts: list[int]) -> list[pa.RecordBatch]:
    seen: Counter[str] = Counter()
    records = []
    for _, path, _ in rows:
        seen[path] += 1
        records.append(seen[path])
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    id_, path, parent = (pa.array(column, pa.string()) for column in columns)
    whole = pa.record_batch(
        {"id": id_, "path": path, "parent_id": parent, "record": pa.array(records, pa.int64())}
    )
    places = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    return [whole.slice(one, two - one) for one, two in pairwise(places)]


def ids_of(rows: list[Row], cuts: list[int]) -> list[str]:
    batches = batches_of(rows, cuts)
    ids, paths = hash_column(batches, "id"), codes(hash_column(batches, "path"))
    columns = list(assign_ids(batches, ids, paths))
    assert [len(column) for column in columns] == [batch.num_rows for batch in batches]
    assert all(column.type == pa.string() for column in columns)
    return [id_ for column in columns for id_ in column.to_pylist()]


@KERNELS
@given(st.lists(st.one_of(st.none(), st.text(max_size=20), st.binary(max_size=40).map(repr)), max_size=20))
def test_hashes_are_equal_where_strings_are(texts: list[str | None]) -> None:
    hashes = hash_strings(pa.array(texts, pa.string())).tolist()
    assert len(set(hashes)) == len({text or None for text in texts})
    assert all((hash_ == 0) == (not text) for hash_, text in zip(hashes, texts, strict=True))


@KERNELS
@given(st.lists(st.one_of(st.none(), st.text(max_size=9)), max_size=12), st.integers(0, 12))
def test_hashes_do_not_depend_on_how_a_column_is_laid_out(texts: list[str | None], cut: int) -> None:
    whole = pa.array(texts, pa.string())
    hashes = hash_strings(whole, 7).tolist()
    chunks = pa.chunked_array([whole[:cut], whole[cut:]])
    assert hash_strings(chunks, 7).tolist() == hashes
    assert hash_strings(whole[cut:], 7).tolist() == hashes[cut:]
    assert hash_strings(whole.cast(pa.large_string()), 7).tolist() == hashes


def test_hashes_of_similar_strings_are_well_mixed() -> None:
    texts = pa.array([str(number) for number in range(20_000)])
    for seed in (0, 1):
        hashes = hash_strings(texts, seed)
        assert len(np.unique(hashes)) == len(texts)
        bits = (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02
    between = hash_strings(texts, 0) ^ hash_strings(texts, 1)
    bits = (between[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02


def test_a_hidden_value_behind_a_null_is_not_hashed() -> None:
    with_null = pa.StringArray.from_buffers(
        2, pa.py_buffer(np.array([0, 3, 6], np.int32)), pa.py_buffer(b"abcdef"), pa.py_buffer(b"\x02"), 1
    )
    assert hash_strings(with_null).tolist() == hash_strings(pa.array([None, "def"])).tolist()


@KERNELS
@given(st.lists(st.integers(0, 5), max_size=30))
def test_codes_count_by_first_appearance(keys: list[int]) -> None:
    numbers: dict[int, int] = {0: -1}
    for key in keys:
        numbers.setdefault(key, len(numbers) - 1)
    assert codes(np.array(keys, np.uint64)).tolist() == [numbers[key] for key in keys]


@KERNELS
@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 12), max_size=10))
def test_first_places_are_found(keys: list[int], wanted: list[int]) -> None:
    found = find_first(np.array(keys, np.uint64), np.array(wanted, np.uint64)).tolist()
    assert found == [keys.index(key) if key and key in keys else -1 for key in wanted]


def test_pairs_differ_where_either_part_does() -> None:
    hashes, numbers = np.meshgrid(np.arange(1, 300, dtype=np.uint64), np.arange(-1, 300))
    pairs = pair_keys(hashes.ravel(), numbers.ravel())
    assert len(np.unique(pairs)) == hashes.size
    assert not pair_keys(np.zeros(3, np.uint64), np.arange(3)).any()


@settings(KERNELS, max_examples=150)
@given(ROWS, st.lists(st.integers(0, 14), max_size=3))
@example([("a#1", "1", None), (None, "a", None), ("a#1~1", "1", None)], [])
@example([("1", "a", None), ("1", "a:1", None), ("a:1", "1", None), ("a:1", "1", None)], [])
def test_ids_are_unique_and_do_not_depend_on_the_batches(rows: list[Row], cuts: list[int]) -> None:
    ids = ids_of(rows, [])
    assert len(set(ids)) == len(ids)
    assert all(ids)
    assert ids_of(rows, cuts) == ids
    own = Counter(id_ for id_, _, _ in rows if id_)
    for (id_, _, _), final in zip(rows, ids, strict=True):
        assert final == id_ or not id_ or own[id_] > 1


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ([("7", "a", None), (None, "a", None), ("", "a", None)], ["7", "a#2", "a#3"]),
        ([("7", "a", None), ("7", "b", None), ("8", "b", None)], ["a:7", "b:7", "8"]),
        ([("7", "a", None), ("7", "a", None), ("7", "a", None)], ["7", "7#2", "7#3"]),
        ([("7", "a", None), ("7", "a", None), ("7", "b", None)], ["a:7", "a:7#2", "b:7"]),
        ([(None, "a", None), ("a#1", "b", None)], ["a#1~1", "a#1"]),
    ],
)
def test_what_becomes_of_ids(rows: list[Row], ids: list[str]) -> None:
    assert ids_of(rows, [1]) == ids


def slow_parents(rows: list[Row]) -> list[int]:
    result = []
    for position, (_, path, parent) in enumerate(rows):
        same = [i for i, (id_, file, _) in enumerate(rows) if id_ and id_ == parent and file == path]
        other = [i for i, (id_, _, _) in enumerate(rows) if id_ and id_ == parent]
        files = {rows[i][1] for i in other}
        found = same[0] if same else other[0] if len(files) == 1 else -1
        result.append(-1 if found == position else found)
    return result


@KERNELS
@given(ROWS, st.lists(st.integers(0, 14), max_size=3))
def test_parents_are_found_in_the_file_then_in_the_one_other(rows: list[Row], cuts: list[int]) -> None:
    batches = batches_of(rows, cuts)
    paths = codes(hash_column(batches, "path"))
    linked = link_parents(hash_column(batches, "id"), hash_column(batches, "parent_id"), paths)
    assert linked.tolist() == slow_parents(rows)
