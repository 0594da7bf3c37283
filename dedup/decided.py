"""All that has been decided about the posts of a run, kept in the work folder until it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.decide import Decisions

_IDS = "ids.arrow"
_IDS_SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False)])


class Recounted(NamedTuple):
    """Where an earlier corpus is not what it would be, had it been cleaned together with what came since.

    signatures: int64, the posts of earlier corpora with a signature that has turned out to be one only now,
    and stays there. stock: int64, numbers of pieces (see `removed`) of what has turned out to be stock text
    only now, and is gone there.
    """

    signatures: NDArray[np.int64]
    stock: NDArray[np.int64]


class Decided(NamedTuple):
    """What becomes of all posts of a stage.

    blocks: int64 [blocks + 1], where each block's posts begin. offsets: int64 [posts + 1], where each
    post's words begin. months: int32 [posts] (see `order.months_of`). answers: bool [posts] (see
    `index.Index`). ids: the final ids, block by block.
    """

    blocks: NDArray[np.int64]
    offsets: NDArray[np.int64]
    months: NDArray[np.int32]
    answers: NDArray[np.bool_]
    decisions: Decisions
    recounted: Recounted
    ids: list[pa.StringArray]


def write_decided(folder: Path, decided: Decided) -> None:
    """Put it into a folder."""
    for name, array in _arrays(decided).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    with pa.OSFile(str(folder / _IDS), "wb") as sink, pa.ipc.new_file(sink, _IDS_SCHEMA) as writer:
        for ids in decided.ids:
            writer.write_batch(pa.RecordBatch.from_arrays([ids], schema=_IDS_SCHEMA))


def read_decided(folder: Path) -> Decided:
    """Read it back: mapped, so that what is not being looked at need not be in memory."""

    def load(name: str) -> Any:
        # as they were, writable: kernels are compiled for that
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False))

    with pa.memory_map(str(folder / _IDS)) as source:
        reader = pa.ipc.open_file(source)
        ids = [reader.get_batch(number).column(0) for number in range(reader.num_record_batches)]
    return Decided(
        load("blocks"),
        load("offsets"),
        load("months"),
        load("answers"),
        Decisions(*map(load, Decisions._fields)),
        Recounted(*map(load, Recounted._fields)),
        ids,
    )


def _arrays(decided: Decided) -> dict[str, NDArray[Any]]:
    return {
        "blocks": decided.blocks,
        "offsets": decided.offsets,
        "months": decided.months,
        "answers": decided.answers,
        **decided.decisions._asdict(),
        **decided.recounted._asdict(),
    }
