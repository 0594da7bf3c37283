"""No work at all: every post through orjson, and out again.

python floor_orjson.py DUMP CORPUS LEVEL
"""

from __future__ import annotations

from pathlib import Path

import orjson
from corpus import arguments, write

if __name__ == "__main__":
    dump, corpus, level = arguments()
    with Path(dump).open("rb") as file:
        write((orjson.dumps(orjson.loads(line)) + b"\n" for line in file), corpus, level)
