"""Compressed shards, cut by record count: `corpus/part-00000.jsonl.zst`, `part-00001` and so on.

A shard is one single zstd frame, because some readers stop after the first. The compressor is fed
slices of one size, whatever the sizes the records arrive in, so that equal records give equal bytes.
It runs in a thread beside the caller, as zstandard works without the GIL.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zstandard
from numpy.typing import NDArray

from dedup.errors import OutputError
from dedup.writers.atomic import AtomicFile, OutputFile

SLICE_BYTES = 1 << 20
_WAITING_SLICES = 8
_PIECE_BYTES = 4 << 10
"""A small piece, because zstd gives all that it holds at once."""


class ShardWriter:
    """Writes shards of `shard_records` records each; `name` is a pattern: `corpus/part-{:05d}.jsonl.zst`.

    Even without a record there is one shard, so that a glob over the folder finds something.
    Errors of the thread come out of the next `write`, or of `close`.
    """

    def __init__(self, out: Path, name: str, shard_records: int, level: int) -> None:
        self._out, self._name, self._level = out, name, level
        self._shard_records = shard_records
        self._in_shard = self._shards_ended = 0
        self._buffer = bytearray()
        self._files: list[OutputFile] = []
        self._error: BaseException | None = None
        # A slice; a number ends a shard of so many records; None ends the thread.
        self._queue: queue.Queue[bytearray | memoryview | int | None] = queue.Queue(_WAITING_SLICES)
        self._thread = threading.Thread(target=self._compress_all, name=f"write {name}", daemon=True)
        self._thread.start()

    def write_lines(self, data: NDArray[np.uint8], records: int) -> None:
        """Add `records` lines, each ending in a newline and holding no other (see `write_records`)."""
        if records <= self._room():
            self._append(data.data, records)
        else:
            self.write_records(data, np.flatnonzero(data == ord("\n")) + 1)

    def write_records(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Add records of any form; `ends` says where in `data`, which is kept, each of them ends."""
        at = done = 0
        while done < len(ends):
            records = min(self._room(), len(ends) - done)
            end = int(ends[done + records - 1])
            self._append(data.data[at:end], records)
            at, done = end, done + records

    def close(self) -> list[OutputFile]:
        """Finish the last shard; the files in order.

        Raises OutputError when a shard could not be written.
        """
        if self._in_shard or not self._shards_ended:
            self._end_shard()
        self._put(None)
        self._thread.join()
        self._raise()
        return self._files

    def abort(self) -> None:
        """Stop and throw the unfinished shard away; finished ones stay."""
        if self._thread.is_alive():
            self._error = self._error or OutputError("was stopped.", where=self._name)
            self._queue.put(None)
            self._thread.join()

    def _room(self) -> int:
        """How many records the current shard still takes; begins the next one when it is full."""
        if self._in_shard == self._shard_records:
            self._end_shard()
        return self._shard_records - self._in_shard

    def _append(self, data: memoryview, records: int) -> None:
        self._in_shard += records
        if self._buffer:
            missing = SLICE_BYTES - len(self._buffer)
            self._buffer += data[:missing]
            data = data[missing:]
            if len(self._buffer) < SLICE_BYTES:
                return
            self._put_buffer()
        for at in range(0, len(data), SLICE_BYTES):
            piece = data[at : at + SLICE_BYTES]
            if len(piece) == SLICE_BYTES:
                self._put(piece)
            else:
                self._buffer += piece

    def _put_buffer(self) -> None:
        self._put(self._buffer)
        self._buffer = bytearray()

    def _end_shard(self) -> None:
        if self._buffer:
            self._put_buffer()
        self._put(self._in_shard)
        self._in_shard = 0
        self._shards_ended += 1

    def _put(self, item: bytearray | memoryview | int | None) -> None:
        if item is not None:
            self._raise()
        self._queue.put(item)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _compress_all(self) -> None:
        """The thread: never leaves the queue before the end mark, so that the caller cannot block."""
        file: AtomicFile | None = None
        compressor = zstandard.ZstdCompressor(level=self._level)
        stream = compressor.compressobj()
        while (item := self._queue.get()) is not None:
            if self._error is not None:
                continue
            try:
                if file is None:
                    file = AtomicFile(self._out, self._name.format(len(self._files)))
                    stream = compressor.compressobj()
                if isinstance(item, int):
                    file.write(stream.flush())
                    self._files.append(file.commit(item))
                    file = None
                else:
                    file.write(stream.compress(item))
            except BaseException as error:  # handed to the caller, who cannot see this thread
                self._error = error
        if file is not None:
            file.discard()


def read_blocks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of a shard, in blocks of some megabytes.

    Raises OutputError when the shard is missing, damaged, or longer or shorter than it was.
    """
    unpack = (
        zstandard.ZstdDecompressor().decompressobj()
    )  # a stream reader takes a torn frame for a whole one
    waiting: list[bytes] = []
    size = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                waiting.append(unpack.decompress(piece))
                size += len(waiting[-1])
                if size >= 4 * SLICE_BYTES:
                    yield b"".join(waiting)
                    waiting, size = [], 0
        if not unpack.eof or unpack.unused_data:
            raise OutputError("is damaged (its end is missing, or something follows it).", where=str(path))
        if size:
            yield b"".join(waiting)
    except OSError as error:
        raise OutputError(f"cannot be read ({error.strerror}).", where=str(path)) from error
    except zstandard.ZstdError as error:
        raise OutputError(f"is damaged ({error}).", where=str(path)) from error


def read_line_blocks(path: Path) -> Iterator[bytes]:
    """The same, cut after a line: every block holds whole lines."""
    rest: list[bytes] = []
    for block in read_blocks(path):
        cut = block.rfind(b"\n") + 1
        if not cut:
            rest.append(block)
            continue
        yield b"".join([*rest, block[:cut]])
        rest = [block[cut:]]
    if last := b"".join(rest):
        yield last
