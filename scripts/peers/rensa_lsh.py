"""Near-duplicates with rensa: R-MinHash and its LSH index, the first post of its kind stays.

python rensa_lsh.py DUMP CORPUS LEVEL
"""

from __future__ import annotations

from collections.abc import Iterator

from corpus import arguments, read_batches, write
from rensa import RMinHash, RMinHashLSH

THRESHOLD = 0.7
PERMUTATIONS = 128
BANDS = 16  # the index takes no number that does not divide the permutations


def keep_first(dump: str) -> Iterator[bytes]:
    """Lines of posts that are like none before them."""
    index = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)
    kept: list[RMinHash] = []
    for lines, shingles in read_batches(dump):
        for line, sketch in zip(lines, RMinHash.from_token_sets(shingles, PERMUTATIONS, 1), strict=True):
            if not any(sketch.jaccard(kept[key]) >= THRESHOLD for key in index.query(sketch)):
                index.insert(len(kept), sketch)
                kept.append(sketch)
                yield line


if __name__ == "__main__":
    dump, corpus, level = arguments()
    write(keep_first(dump), corpus, level)
