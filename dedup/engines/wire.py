"""What travels to workers on other machines and back: msgpack, with arrays and tables as raw bytes.

An array that lies in a file which all workers see travels as its place there.
Nothing is unpickled: what is read back has the types that the step's own annotations name, or is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec
import numpy as np
import pyarrow as pa

from dedup.scratch import Place, SharedFile, open_place, shared_file

_COLUMN = "column"


def item_type(function: Callable[..., Any]) -> Any:
    """The type of a step's first argument, by its annotation."""
    hints = get_type_hints(_bare(function))
    return next(iter(hints.values()))


def result_type(function: Callable[..., Any]) -> Any:
    """The type of what a step returns, by its annotation."""
    return get_type_hints(_bare(function))["return"]


def pack(value: Any, shared: set[SharedFile] | None = None) -> bytes:
    """A value of plain data, named tuples, msgspec structs, NumPy arrays, Arrow arrays and tables.

    With a set, arrays that lie in shared files travel as their places, and the set has these files.
    """
    return msgspec.msgpack.encode(value, enc_hook=partial(_encode, shared=shared))


def unpack(data: bytes, kind: Any) -> Any:
    """The value again. Raises msgspec.MsgspecError for what is none of this type."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_decode)


def _bare(function: Callable[..., Any]) -> Callable[..., Any]:
    return _bare(function.func) if isinstance(function, partial) else function


def _encode(value: Any, shared: set[SharedFile] | None = None) -> Any:
    if isinstance(value, np.ndarray):
        if shared is not None and (found := shared_file(value)) is not None:
            file, place = found
            shared.add(file)
            return value.dtype.str, value.shape, place
        return value.dtype.str, value.shape, np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    if isinstance(value, pa.Array):
        return _encode(pa.record_batch([value], names=[_COLUMN]))
    if isinstance(value, pa.RecordBatch | pa.Table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write(value)
        return memoryview(sink.getvalue())
    if isinstance(value, Path):
        return str(value)
    # what msgspec asks of a hook for a type it cannot handle
    raise NotImplementedError(f"{type(value).__name__} does not travel")


def _decode(kind: Any, data: Any) -> Any:
    kind = get_origin(kind) or kind
    if kind is np.ndarray:
        name, shape, content = data
        if isinstance(content, list):
            path, start = content
            return open_place(Place(Path(path), start), shape, name)
        # writable, as where it came from: kernels are compiled for that
        return np.frombuffer(bytearray(content), np.dtype(name)).reshape(shape)
    if kind is Path:
        return Path(data)
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    if kind is pa.Table:
        return table
    batch = table.combine_chunks().to_batches()
    if kind is pa.RecordBatch:
        return batch[0] if batch else pa.RecordBatch.from_pylist([], table.schema)
    column = table.column(_COLUMN)
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)
