"""Signatures are datasketch's, bit for bit; bands find what they promise."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Match
from dedup.sketch import NO_BAND, band_keys, permutations, recall_at, signature, signatures
from dedup.sketch.minhash import NOTHING, shingle_value
from dedup.text.tokens import tokenize

WORDS = st.sampled_from(
    ["the", "cat", "a", "Straße", "naïve", "привет", "東京", "ไทย", "हिन्दी", "http://a.b/c", "42"]
)
TEXTS = st.one_of(
    st.lists(WORDS, max_size=40).map(" ".join),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
)


def theirs(words: np.ndarray, shingle_words: int, count: int, seed: int) -> np.ndarray:
    """The signature as datasketch makes it, shingle by shingle."""
    sketch = MinHash(num_perm=count, seed=seed, scheme="affine32", hashfunc=shingle_value)
    width = min(len(words), shingle_words)
    for at in range(len(words) - width + 1 if width else 0):
        sketch.update(words[at : at + width])
    return sketch.hashvalues


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (64, 1), (128, 1), (128, 2), (256, 12345)])
def test_permutations_are_those_of_datasketch(count: int, seed: int) -> None:
    expected = MinHash(num_perm=count, seed=seed, scheme="affine32").permutations
    np.testing.assert_array_equal(np.array(permutations(count, seed)), expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(1, 6), st.integers(1, 70), st.data())
def test_signatures_are_those_of_datasketch(
    posts: list[str], shingle_words: int, count: int, data: st.DataObject
) -> None:
    tokens = tokenize(pa.array(posts))
    total = len(tokens.hashes)
    state = np.array(data.draw(st.lists(st.integers(0, 2), min_size=total, max_size=total)), np.uint8)
    chosen = permutations(count, 3)
    asked = np.array([len(posts) - 1, 0])
    found = signatures(tokens.offsets, tokens.hashes, state, asked, shingle_words, *chosen)
    for post, values in zip(asked, found, strict=True):
        words = slice(tokens.offsets[post], tokens.offsets[post + 1])
        own = tokens.hashes[words][state[words] == 0]
        np.testing.assert_array_equal(values, theirs(own, shingle_words, count, 3))


def test_a_post_without_own_words_has_an_empty_signature_and_no_band() -> None:
    tokens = tokenize(pa.array(["copied words only", "...", "own words here"]))
    state = np.array([1, 1, 1, 0, 0, 0], np.uint8)
    values = signatures(tokens.offsets, tokens.hashes, state, np.arange(3), 5, *permutations(16, 1))
    assert (values[:2] == NOTHING).all()
    keys = band_keys(values, 4, 4)
    assert (keys[:, :2] == NO_BAND).all()
    assert (keys[:, 2] != NO_BAND).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1, max_size=12))
def test_posts_share_a_key_when_they_agree_on_the_rows_of_the_band(rows: list[list[int]]) -> None:
    values = np.array(rows, np.uint32)
    keys = band_keys(values, 2, 3)
    for band in range(2):
        part = values[:, 3 * band : 3 * band + 3]
        same = (part[:, None] == part[None]).all(axis=2)
        np.testing.assert_array_equal(keys[band][:, None] == keys[band][None], same)


def test_a_signature_works_with_the_indexes_of_datasketch() -> None:
    words = [f"word{i}" for i in range(60)]
    index = MinHashLSH(threshold=0.5, num_perm=128)
    index.insert("kept", signature(" ".join(words)))
    copy = signature("> " + " ".join(words[:40]) + "\n> " + " ".join(words[40:]).upper())
    assert copy.jaccard(signature(" ".join(words))) == 1.0
    assert index.query(copy) == ["kept"]
    assert index.query(signature("nothing of the kind was ever said here by anybody at all")) == []
    assert signature("").is_empty()
    assert signature("lone \ud800 surrogate").jaccard(signature("lone surrogate")) == 1.0


def test_a_signature_follows_the_settings_and_can_be_updated() -> None:
    one = signature("a b c d", Match(permutations=32, bands=6, seed=9, shingle_words=4))
    assert (one.num_perm, one.seed, one.scheme) == (32, 9, "affine32")
    empty = MinHash(num_perm=32, seed=9, scheme="affine32", hashfunc=one.hashfunc)
    empty.update(tokenize(pa.array(["a b c d"])).hashes)
    assert empty == one


def test_similar_signatures_agree_as_often_as_the_posts_are_similar() -> None:
    words = [f"w{i}" for i in range(2000)]
    one, other = words[:1500], words[500:]
    similarity = 996 / (1496 + 1496 - 996)
    found = signature(" ".join(one), Match(permutations=1024)).jaccard(
        signature(" ".join(other), Match(permutations=1024))
    )
    assert found == pytest.approx(similarity, abs=0.06)


def test_recall_follows_the_s_curve() -> None:
    assert recall_at(0.0, 25, 5) == 0.0
    assert recall_at(1.0, 25, 5) == 1.0
    assert recall_at(0.7, 25, 5) == pytest.approx(0.99, abs=0.001)
    assert recall_at(0.8, 9, 13) == pytest.approx(0.40, abs=0.01)


def test_datasketch_is_loaded_only_when_one_of_its_objects_is_asked_for() -> None:
    heavy = {"datasketch", "scipy.integrate", "wordfreq"}
    code = f"import sys, dedup.sketch, dedup.match; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
