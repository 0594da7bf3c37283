"""The corpus as plain text: the posts one after another, each ended by a line of U+00A0 alone.

This is the form of a plain-text thread that `dedup clean` reads. Ids and metadata are not in it;
they stand in the provenance, whose records are in the same order.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from dedup.config import Write
from dedup.errors import OutputError
from dedup.writers.atomic import OutputFile
from dedup.writers.columns import join, plain_text, write
from dedup.writers.encode import corpus_posts
from dedup.writers.metadata import TypePlan
from dedup.writers.shards import ShardWriter, read_blocks

END_OF_POST = "\n\u00a0\n"


class TextCorpus:
    """Writes `corpus/part-00000.txt.zst` and so on."""

    type_plan = TypePlan()

    def __init__(self, out: Path, settings: Write) -> None:
        name = "corpus/part-{:05d}.txt.zst"
        self._shards = ShardWriter(out, name, settings.shard_posts, settings.compression_level)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the posts of a batch of RESULTS that are kept or trimmed."""
        posts = corpus_posts(batch)
        data, offsets = write(join(plain_text(posts["text"]), END_OF_POST))
        self._shards.write_records(data, offsets[1:])

    def close(self) -> list[OutputFile]:
        """Finish the shards; the files in order."""
        return self._shards.close()

    def abort(self) -> None:
        self._shards.abort()


class TextPosts:
    """Reads the posts of a text corpus back, given the length of each: texts may hold anything."""

    def __init__(self, shards: list[Path]) -> None:
        self._blocks = _decode(shards)
        self._text = ""
        self._at = 0

    def next_text(self, chars: int) -> str:
        """The next post, of so many code points.

        Raises OutputError when the corpus does not go on like that.
        """
        hint = "Was a file of the corpus changed?"
        wanted = chars + len(END_OF_POST)
        if len(self._text) - self._at < wanted:
            pieces = [self._text[self._at :]]
            missing = wanted - len(pieces[0])
            while missing > 0:
                block = next(self._blocks, None)
                if block is None:
                    raise OutputError("the corpus ends before its posts do.", hint=hint)
                pieces.append(block)
                missing -= len(block)
            self._text, self._at = "".join(pieces), 0
        end = self._at + chars
        text = self._text[self._at : end]
        self._at += wanted
        if self._text[end : self._at] != END_OF_POST:
            raise OutputError("the corpus does not fit its provenance.", hint=hint)
        return text


def _decode(shards: list[Path]) -> Iterator[str]:
    for shard in shards:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for block in read_blocks(shard):
            if text := decoder.decode(block):
                yield text
