"""Own words → signatures → band keys.

minhash  MinHash signatures, equal to datasketch's
bands    keys that similar posts share
"""

from __future__ import annotations

from dedup.sketch.bands import NO_BAND, band_keys, recall_at
from dedup.sketch.minhash import permutations, signature, signatures

__all__ = ["NO_BAND", "band_keys", "permutations", "recall_at", "signature", "signatures"]
