"""From paths to open streams: files, folders, globs, addresses and standard input, plain or compressed."""

from __future__ import annotations

import bz2
import glob
import hashlib
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import zstandard

from dedup.errors import InputError
from dedup.readers import stores
from dedup.readers.base import ByteStream
from dedup.stopping import temporary_folder

STANDARD_INPUT = "-"
COMPRESSION_SUFFIXES = (".gz", ".zst", ".bz2", ".xz")

_MOST_AT_ONCE = 8 << 20
"""Python makes room for all bytes that are asked for, however small the file is."""
# A piece of compressed input; small, because zstd gives all that a piece holds at once: 128 MB at the worst.
_PIECE_BYTES = 4 << 10
_UNPACKED_BYTES = 1 << 20
"""The others give no more than this at once."""
FREE_BYTES = 256 << 20
"""So much may come out of compressed input, however small it is."""
MAX_EXPANSION = 250
"""Beyond that, so many times its size."""


@dataclass(frozen=True)
class Source:
    """One input: a file or address as the user named it (or as it stands below what they named), or "-"."""

    path: str

    @property
    def _plain(self) -> str:
        """The path without the settings that may follow an address."""
        return self.path.partition("?")[0] if stores.is_address(self.path) else self.path

    @property
    def shown(self) -> str:
        """The path as records and reports name it: always valid Unicode."""
        return self.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    @property
    def is_packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return self._plain.lower().endswith(COMPRESSION_SUFFIXES)

    @property
    def name(self) -> str:
        """The file's name without the suffix of its compression, for recognising the format."""
        name = self._plain.replace("\\", "/").rpartition("/")[2]
        stem, dot, suffix = name.rpartition(".")
        return stem if dot + suffix.lower() in COMPRESSION_SUFFIXES else name


@dataclass(frozen=True)
class InputFile:
    """What the manifest says about an input: its bytes as they lie on disk."""

    path: str
    sha256: str
    bytes: int


@dataclass
class Inputs:
    """Collects an InputFile for each source, in order, as its reading ends."""

    files: list[InputFile] = field(default_factory=list)


def find_sources(paths: Iterable[str | os.PathLike[str]]) -> list[Source]:
    """All inputs that `paths` name: in the order of the arguments, folders walked in order of names.

    Globs that no shell expanded are expanded, "-" is standard input, hidden files below a folder are
    left out, and a file that is reached twice (also by a symbolic link) stands once. Of a folder that a run
    wrote only the corpus is input: the rest of it are no posts.

    Raises InputError when a path does not exist or leads to no file.
    """
    found: list[Source] = []
    seen: set[str] = set()
    for given in paths:
        path = os.fspath(given)
        candidates = [path] if path == STANDARD_INPUT else _files_of(path)
        for candidate in candidates:
            is_here = candidate != STANDARD_INPUT and not stores.is_address(candidate)
            real = os.path.realpath(candidate) if is_here else candidate
            if real not in seen:
                seen.add(real)
                found.append(Source(candidate))
    if not found:
        raise InputError("no input was named.", hint="Give files, folders, globs, or - for standard input.")
    return found


def _files_of(path: str) -> list[str]:
    if stores.is_address(path):
        return stores.find_files(path)
    if os.path.isdir(path):  # noqa: PTH112  a path stays the string the user gave
        files = _walk(path, set())
        if not files:
            raise InputError("the folder holds no file.", where=path)
        return files
    if os.path.lexists(path):
        if not os.path.exists(path):  # noqa: PTH110
            raise InputError("is a symbolic link that leads nowhere.", where=path)
        return [path]
    if glob.has_magic(path):
        files = []
        for match in sorted(glob.glob(path, recursive=True)):  # noqa: PTH207
            files += _walk(match, set()) if os.path.isdir(match) else [match]  # noqa: PTH112
        if not files:
            raise InputError("no file matches.", where=path, hint="Check the pattern and the folder.")
        return files
    raise InputError("does not exist.", where=path, hint=_nearest(path))


def size_of(path: str) -> int:
    """The bytes of an input that is not standard input. Raises OSError where it is not there."""
    if not stores.is_address(path):
        return os.stat(path).st_size  # noqa: PTH116  a path stays a string
    entry = stores.look_at(path)
    if entry is None:
        raise FileNotFoundError(path)
    return entry.size


def _nearest(path: str) -> str:
    parent = Path(path).parent
    if not parent.is_dir():
        return f"There is no folder {parent} either."
    from rapidfuzz import process  # only a mistyped path needs it

    names = sorted(entry.name for entry in parent.iterdir())
    close = process.extractOne(Path(path).name, names, score_cutoff=60)
    return f"Did you mean {parent / close[0]}?" if close else f"Check the spelling; {parent} exists."


def _walk(folder: str, above: set[str]) -> list[str]:
    """Files below a folder. `above` holds the real paths of the folders we are in: a link to one of
    them would never end."""
    real = os.path.realpath(folder)
    if real in above:
        return []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"the folder cannot be listed ({error.strerror}).", where=folder, hint="Check its permissions."
        ) from None
    if {"corpus", "provenance", "manifest.json"} <= {entry.name for entry in ordered}:
        ordered = [entry for entry in ordered if entry.name == "corpus"]
    for entry in ordered:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            files += _walk(entry.path, above | {real})
        elif entry.is_file():
            files.append(entry.path)
    return files


class SourceStream:
    """An open input: decompressed bytes from the front, hashed as they lie on disk on the way.

    Whatever goes wrong while reading looks like the end of the stream, so that what came before is
    still processed; `fault` then says what happened, and `position` where in the decompressed bytes.
    """

    def __init__(
        self,
        raw: BinaryIO,
        path: str,
        close_raw: bool = True,
        *,
        file: Path | None = None,
        max_expansion: int = MAX_EXPANSION,
    ) -> None:
        """`raw` is read from its front; `file` is where it lies, when it is a file."""
        self.path = path
        self._file = file
        self._max_expansion = max_expansion
        self._unpacked = 0
        self.position = 0
        self.fault: str | None = None
        self._raw = raw
        self._close_raw = close_raw
        self._sha256 = hashlib.sha256()
        self._raw_bytes = 0
        self._ahead = b""  # decompressed, not yet given out
        self._raw_ahead = self._read_raw(_PIECE_BYTES)
        self._codec = _codec_of(self._raw_ahead)
        self._member = self._codec.start() if self._codec else None
        self._fed = False  # whether the present member has been given a byte

    @property
    def plain_path(self) -> Path | None:
        """The file itself, when its bytes are those of this stream."""
        return self._file if self._codec is None else None

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        parts = [self._ahead[:size]] if self._ahead else []  # of one part, `join` makes no copy
        self._ahead = self._ahead[size:]
        have = sum(map(len, parts))
        while have < size:
            piece = self._next(size - have)
            if not piece:
                break
            parts.append(piece)
            have += len(piece)
        data = b"".join(parts)
        if len(data) > size:
            data, self._ahead = data[:size], data[size:]
        self.position += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """The next bytes without taking them."""
        data = self.read(size)
        self.position -= len(data)
        self._ahead = data + self._ahead
        return data

    def finish(self) -> InputFile:
        """Read to the end of the file, also past a fault, and say what it was."""
        while self._read_raw(1 << 20):
            pass
        return InputFile(self.path, self._sha256.hexdigest(), self._raw_bytes)

    def close(self) -> None:
        if self._close_raw:
            self._raw.close()

    def __enter__(self) -> SourceStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_raw(self, size: int) -> bytes:
        try:
            data = self._raw.read(min(size, _MOST_AT_ONCE)) or b""
        except OSError as error:
            self._fail(f"cannot be read further: {error.strerror or error}")
            return b""
        self._sha256.update(data)
        self._raw_bytes += len(data)
        return data

    def _fail(self, message: str) -> None:
        self.fault = self.fault or message

    def _next(self, size: int) -> bytes:
        """Some more decompressed bytes; none at the end or after a fault."""
        if self._codec is None:
            data, self._raw_ahead = self._raw_ahead, b""
            return data or self._read_raw(size)
        while self.fault is None:
            if self._member is not None and not getattr(self._member, "needs_input", True):
                piece = b""
            else:
                piece = self._raw_ahead or self._read_raw(_PIECE_BYTES)
                self._raw_ahead = b""
                if not piece:
                    if self._member is not None and self._fed:
                        self._fail(f"the {self._codec.name} data ends in the middle")
                    return b""
            data = self._decompress(piece, self._codec)
            if data:
                return data
        return b""

    def _decompress(self, piece: bytes, codec: _Codec) -> bytes:
        if self._member is None:
            piece = piece.lstrip(b"\0")  # padding between members and at the end
            if not piece:
                return b""
            if len(piece) < 16:
                piece += self._read_raw(_PIECE_BYTES)
            if _codec_of(piece) is not codec:
                self._fail(f"bytes that are no {codec.name} data follow the {codec.name} data")
                return b""
            self._member = codec.start()
        member = self._member
        self._fed = True
        try:
            data: bytes = codec.unpack(member, piece)
        except codec.errors as error:
            self._fail(f"the {codec.name} data is damaged ({error})")
            return b""
        if member.eof:
            self._member, self._fed = None, False
            self._raw_ahead = member.unused_data + self._raw_ahead
        else:
            self._raw_ahead = getattr(member, "unconsumed_tail", b"") + self._raw_ahead
        self._unpacked += len(data)
        if self._unpacked > max(FREE_BYTES, self._max_expansion * self._raw_bytes):
            self._fail(
                f"the {codec.name} data unpacks to more than {self._max_expansion} times its size; if"
                " it is no bomb, raise read.max_expansion"
            )
        return data


@dataclass(frozen=True)
class _Codec:
    name: str
    start: Callable[[], Any]
    errors: tuple[type[Exception], ...]
    unpack: Callable[[Any, bytes], bytes] = lambda member, piece: member.decompress(piece, _UNPACKED_BYTES)


_CODECS = {
    "gzip": _Codec("gzip", lambda: zlib.decompressobj(wbits=31), (zlib.error,)),
    "bzip2": _Codec("bzip2", bz2.BZ2Decompressor, (OSError, ValueError)),
    "xz": _Codec("xz", lzma.LZMADecompressor, (lzma.LZMAError,)),
    "zstd": _Codec(
        "zstd",
        # Dumps made with `zstd --long=31` need a window of 2 GiB.
        lambda: zstandard.ZstdDecompressor(max_window_size=2**31).decompressobj(),
        (zstandard.ZstdError,),
        lambda member, piece: member.decompress(piece),
    ),
}


def _codec_of(head: bytes) -> _Codec | None:
    if head.startswith(b"\x1f\x8b"):
        return _CODECS["gzip"]
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return _CODECS["bzip2"]
    if head.startswith(b"\xfd7zXZ\0"):
        return _CODECS["xz"]
    if head[1:4] == b"\xb5\x2f\xfd" and head[:1] == b"\x28":
        return _CODECS["zstd"]
    if head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:  # a skippable frame
        return _CODECS["zstd"]
    return None


@contextmanager
def on_disk(stream: ByteStream) -> Iterator[Path]:
    """The whole of a stream as a file that can be sought in: itself where it is one, else a copy that is
    deleted afterwards. Raises OSError when there is no room for it."""
    path = getattr(stream, "plain_path", None)
    if path is not None:
        yield path
        return
    with temporary_folder("dedup-") as folder:
        with (folder / "copy").open("wb") as copy:
            while data := stream.read(1 << 20):
                copy.write(data)
        yield folder / "copy"


def open_source(source: Source, max_expansion: int = MAX_EXPANSION) -> SourceStream:
    """Open an input; compression is recognised by its first bytes, whatever the name says.

    max_expansion: compressed input that unpacks to more than so many times its size is read no further.
    Raises InputError when it cannot be opened.
    """
    if source.path == STANDARD_INPUT:
        return SourceStream(sys.stdin.buffer, source.shown, close_raw=False, max_expansion=max_expansion)
    if stores.is_address(source.path):
        return SourceStream(stores.open_file(source.path), source.shown, max_expansion=max_expansion)
    path = Path(source.path)
    try:
        return SourceStream(
            path.open("rb"),
            source.shown,
            file=path if path.is_file() else None,  # a pipe can be read once only
            max_expansion=max_expansion,
        )
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror}).", where=source.shown, hint="Check its permissions."
        ) from None
