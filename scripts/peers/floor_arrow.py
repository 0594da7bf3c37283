"""No work at all: the dump through pyarrow's JSON reader, and out as Parquet, which is what it can write.

python floor_arrow.py DUMP CORPUS LEVEL
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.json
import pyarrow.parquet

BLOCK_BYTES = 1 << 24  # a record may not be longer

if __name__ == "__main__":
    dump, corpus, level = sys.argv[1:]
    Path(corpus).mkdir(parents=True)
    # whole: reading block by block, it would take a field's type from the first block alone
    table = pyarrow.json.read_json(dump, pyarrow.json.ReadOptions(block_size=BLOCK_BYTES))
    pyarrow.parquet.write_table(
        table, Path(corpus) / "part-00000.parquet", compression="zstd", compression_level=int(level)
    )
