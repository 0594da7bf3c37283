"""Near-duplicates with datasketch as its documentation shows it, the first post of its kind stays.

python datasketch_lsh.py DUMP CORPUS LEVEL
"""

from __future__ import annotations

from collections.abc import Iterator

from corpus import arguments, read_batches, write
from datasketch import MinHash, MinHashLSH

THRESHOLD = 0.7
PERMUTATIONS = 128


def keep_first(dump: str) -> Iterator[bytes]:
    """Lines of posts for which the index finds nothing before them."""
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    kept = 0
    for lines, shingles in read_batches(dump):
        tokens = ([shingle.encode() for shingle in post] for post in shingles)
        for line, sketch in zip(lines, MinHash.generator(tokens, num_perm=PERMUTATIONS), strict=True):
            if not index.query(sketch):
                index.insert(kept, sketch)
                kept += 1
                yield line


if __name__ == "__main__":
    dump, corpus, level = arguments()
    write(keep_first(dump), corpus, level)
