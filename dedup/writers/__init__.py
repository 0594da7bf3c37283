"""Writers: one module a format of the corpus, and one each for provenance and rejected records.

All take batches of any size and give the same bytes however their rows are cut into batches. All
write files under a temporary name and rename them when they are complete.
"""

from __future__ import annotations

from dedup.writers.atomic import OutputFile
from dedup.writers.encode import Encoded, encode_jsonl
from dedup.writers.metadata import TypePlan
from dedup.writers.registry import CORPUS_WRITERS, CorpusWriter, open_corpus
from dedup.writers.rejected import RejectedWriter
from dedup.writers.results import ResultsWriter

__all__ = [
    "CORPUS_WRITERS",
    "CorpusWriter",
    "Encoded",
    "OutputFile",
    "RejectedWriter",
    "ResultsWriter",
    "TypePlan",
    "encode_jsonl",
    "open_corpus",
]
