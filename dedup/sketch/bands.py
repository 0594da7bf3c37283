"""Signatures → band keys: posts that share a key are worth comparing.

Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4. Bands are chosen for recall; the
false candidates they let in cost a comparison each, and nothing else.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dedup.sketch.minhash import NOTHING
from dedup.text.tokens import MIX

NO_BAND = np.uint64(0)
"""The key of a post without own words: it belongs to no bucket."""

_SHIFT = np.uint64(29)


@njit(nogil=True, cache=True)
def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """One key for each band of each signature.

    signatures: uint32 [n, at least bands * rows]. Returns uint64 [bands, n], `NO_BAND` for posts
    without own words. Different bands of equal values may share keys: compare within one band.
    """
    keys = np.empty((bands, signatures.shape[0]), np.uint64)
    for post in range(signatures.shape[0]):
        nothing = True
        for value in signatures[post]:
            nothing = nothing and value == NOTHING
        for band in range(bands):
            key = np.uint64(rows)
            for at in range(band * rows, (band + 1) * rows):
                key = (key ^ np.uint64(signatures[post, at])) * MIX
                key ^= key >> _SHIFT
            keys[band, post] = NO_BAND if nothing else max(key, np.uint64(1))
    return keys


def recall_at(jaccard: float, bands: int, rows: int) -> float:
    """The chance that two posts of this similarity share a band: 1 - (1 - s^rows)^bands.

    >>> round(recall_at(0.7, bands=25, rows=5), 3)
    0.99
    """
    return float(1 - (1 - jaccard**rows) ** bands)
