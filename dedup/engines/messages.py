"""Objects between processes of one run, over sockets; what is large is not copied into a pickle.

Pickle's protocol 5 (PEP 574) leaves out the buffers of arrays and tables; large `bytes` are left out here.
They follow the pickle as they are, and are read into the memory where they stay.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
from typing import Any

import numpy as np

_LARGE = 1 << 15
"""Bytes; less is pickled with the rest."""
_HEAD = struct.Struct("<QII")
"""The bytes of the pickle; how many `bytes` and how many buffers follow it. Their sizes come first."""
_AT_ONCE = 1 << 30
"""Bytes; some systems refuse more than 2 GB."""
_ALL = getattr(socket, "MSG_WAITALL", 0)


def send(to: socket.socket, value: Any) -> None:
    """Raises OSError when nobody reads it."""
    buffers: list[pickle.PickleBuffer] = []

    def leave_out(buffer: pickle.PickleBuffer) -> bool:
        is_small = buffer.raw().nbytes < _LARGE
        if not is_small:
            buffers.append(buffer)
        return is_small

    pickled = io.BytesIO()
    # no method of the pickler: a circle of references would keep what was sent until somebody looks for it
    pickler = _Pickler(pickled, 5, buffer_callback=leave_out)
    pickler.left_out = []
    pickler.dump(value)
    follow: list[bytes | memoryview] = [*pickler.left_out, *(buffer.raw() for buffer in buffers)]
    head = _HEAD.pack(pickled.tell(), len(pickler.left_out), len(buffers))
    sizes = struct.pack(f"<{len(follow)}Q", *(len(piece) for piece in follow))
    to.sendall(head + sizes)
    for piece in (pickled.getbuffer(), *follow):
        to.sendall(piece)


def receive(source: socket.socket) -> Any:
    """Raises EOFError or OSError when the other side is gone."""
    size, large, buffers = _HEAD.unpack(_read(source, _HEAD.size))
    sizes = struct.unpack(f"<{large + buffers}Q", _read(source, 8 * (large + buffers)))
    pickled = io.BytesIO(_read(source, size))
    pieces = [_read(source, piece) for piece in sizes[:large]]
    return _Unpickler(pickled, pieces, [_read_into(source, buffer) for buffer in sizes[large:]]).load()


class _Pickler(pickle.Pickler):
    left_out: list[bytes]

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not bytes or len(value) < _LARGE:
            return None
        self.left_out.append(value)
        return len(self.left_out) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, pieces: list[bytes], buffers: list[Any]) -> None:
        self._pieces = pieces
        super().__init__(file, buffers=buffers)

    def persistent_load(self, number: int) -> bytes:
        return self._pieces[number]


def _read(source: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        parts.append(source.recv(min(size, _AT_ONCE), _ALL))
        if not parts[-1]:
            raise EOFError
        size -= len(parts[-1])
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_into(source: socket.socket, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    buffer = np.empty(size, np.uint8)  # writable, as arrays are
    rest = buffer.data
    while rest:
        read = source.recv_into(rest, min(len(rest), _AT_ONCE), _ALL)
        if not read:
            raise EOFError
        rest = rest[read:]
    return buffer
