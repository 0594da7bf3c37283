"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from dedup.errors import OutputError

WORK_FOLDER = ".dedup"
"""Folder inside an output folder that exists while a run is under way."""


class OutputFile(msgspec.Struct, frozen=True):
    """A finished file of an output folder, as the manifest lists it."""

    path: str  # relative to the output folder, with forward slashes
    sha256: str
    bytes: int
    records: int | None = None


class AtomicFile:
    """A file written under a temporary name in the work folder and renamed by `commit`.

    As a context manager it commits on success and throws the temporary file away on an error.
    Raises OutputError when the disk refuses.
    """

    def __init__(self, out: Path, name: str) -> None:
        self.name = name
        self.path = out / name
        self._temporary = out / WORK_FOLDER / "tmp" / name.replace("/", "-")
        self._hash = hashlib.sha256()
        self._bytes = 0
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("wb")

    def write(self, data: bytes | memoryview) -> int:
        with disk_errors(self.path):
            self._file.write(data)
        self._hash.update(data)
        self._bytes += len(data)
        return len(data)

    def commit(self, records: int | None = None) -> OutputFile:
        """Make the file durable, give it its final name, and say what it is."""
        with disk_errors(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.path)
            sync_folder(self.path.parent)
        return OutputFile(self.name, self._hash.hexdigest(), self._bytes, records)

    def discard(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file.closed:
            return
        if kind is None:
            self.commit()
        else:
            self.discard()


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class disk_errors:  # noqa: N801 - reads as a statement: `with disk_errors(path):`
    """Turn the system's refusals into an OutputError that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise OutputError(
                f"cannot be written ({error.strerror or error}).",
                where=str(self._path),
                hint="Is the disk full or read-only?",
            ) from error
