"""Outputs at the addresses of stores: made in a folder here, and uploaded when they are complete.

A store has no locks, no mapped files and no names that a file gets only when it is complete, and a run needs
all of them. So its folder lies here; at the end the files are uploaded, and the manifest last, which makes
the output a finished one there. Until then `.dedup/run-started.json` says at the address, too, that a run is
under way, and where.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import Any

from dedup.engines.local import in_order
from dedup.errors import ConfigError, OutputError
from dedup.outputs import MANIFEST, OURS, RUN_FACTS, finished_before, is_manifest, json_bytes, remove_folder
from dedup.readers import stores
from dedup.writers.atomic import WORK_FOLDER, OutputFile

_MARK = f"{WORK_FOLDER}/run-started.json"
_UPLOADED = "uploaded"
"""Sums of what is at the address already, in the work folder: a run that was stopped goes on from there."""
_AT_ONCE = 8
_PIECE_BYTES = 8 << 20


def find_upload(out: str, work: str | os.PathLike[str] | None) -> Upload | None:
    """The upload that an output at an address takes; None where it is a folder here.

    work: the folder that is uploaded; if none is given, one below the current folder, named after the
    address, so that the same command finds it again. Raises ConfigError where a folder here has one.
    """
    if not stores.is_address(out):
        if work is not None:
            hint = "A folder holds the run's own files itself: leave --work away."
            raise ConfigError("--work is for an output at an address.", where=out, hint=hint)
        return None
    name = f".dedup-{hashlib.sha256(out.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    return Upload(out, Path(name if work is None else work))


class Upload:
    """The way of a run's files from `folder` to `address`."""

    def __init__(self, address: str, folder: Path) -> None:
        self._place = stores.find_place(address)
        self.address, self.folder = self._place.address_of(self._place.name), folder
        self._mark = json_bytes({"host": platform.node(), "folder": str(folder.absolute())})
        self._before: set[str] = set()

    def begin(self, inputs: Iterable[str], *, force: bool, resumed: bool) -> None:
        """Make sure that the run may write there, and say there that it is under way.

        resumed: whether there is something in the folder here that is worth keeping. Raises OutputError as
        `claim` does for a folder, and where the store cannot be written to.
        """
        kept = resumed
        try:
            for path in inputs:
                if self._is_inside(path):
                    hint = "Choose another --output."
                    raise OutputError("lies inside the output folder.", where=path, hint=hint)
            with _complaints(self.address):
                self._before = self._names()
                finished = MANIFEST in self._before and is_manifest(self._read(MANIFEST))
                mark = self._read(_MARK) if _MARK in self._before else None
                if finished and mark == self._mark and not force:  # nothing else was left to do
                    self._delete_mark()
                    kept = False
                if not force or not finished:
                    self._refuse(finished, mark, force)
                self._write(_MARK, self._mark)
        except BaseException:
            if not kept:
                remove_folder(self.folder)
            raise

    def _refuse(self, finished: bool, mark: bytes | None, force: bool) -> None:
        if finished:
            raise finished_before(self.address)
        if self._before and mark is None:
            raise OutputError(
                "is not empty, and not an output folder of dedup.",
                where=self.address,
                hint="Choose another --output.",
            )
        if mark is not None and mark != self._mark and not force:
            raise OutputError(
                f"a run that is not finished was begun there, {_whose(mark)}.",
                where=self.address,
                hint="Give its command again there to go on with it, or start over with --force.",
            )

    def upload(self, files: Iterable[OutputFile], advance: Callable[[int], None]) -> None:
        """Upload files of the folder, but those that are there from before. Raises OutputError."""
        files = list(files)
        there = self._uploaded()
        with (
            _complaints(self.address),
            (self.folder / WORK_FOLDER / _UPLOADED).open("ab", buffering=0) as noted,
            ThreadPoolExecutor(_AT_ONCE, "dedup-upload") as pool,
        ):
            if MANIFEST in self._before:  # what is there from now on is no finished output
                self._delete(MANIFEST)
            missing = (file for file in files if there.get(file.path) != file.sha256)
            for size in in_order(pool, partial(self._upload, noted=noted), missing, 2 * _AT_ONCE):
                advance(size)
            for name in self._before - {file.path for file in files}:
                if OURS.fullmatch(name) and name != MANIFEST:
                    self._delete(name)

    def finish(self, content: dict[str, Any]) -> None:
        """Upload what remains, with the manifest last, and remove the folder here."""
        with _complaints(self.address):
            self._write(RUN_FACTS, (self.folder / RUN_FACTS).read_bytes())
            self._write(MANIFEST, json_bytes(content))
            self._delete_mark()
        remove_folder(self.folder)

    def _is_inside(self, path: str) -> bool:
        if not stores.is_address(path):
            return False
        place = stores.find_place(path)
        return place.before == self._place.before and place.name.startswith(f"{self._place.name}/")

    def _uploaded(self) -> dict[str, str]:
        """Names and sums of files that an earlier attempt uploaded."""
        noted = self.folder / WORK_FOLDER / _UPLOADED
        lines = noted.read_bytes().splitlines() if noted.exists() else []
        found: dict[str, str] = {}
        for line in lines:
            try:
                name, digest = json.loads(line)
            except ValueError:  # its end was not written
                continue
            if name in self._before:
                found[name] = digest
        return found

    def _upload(self, file: OutputFile, noted: RawIOBase) -> int:
        with (self.folder / file.path).open("rb") as source:
            self._write(file.path, iter(lambda: source.read(_PIECE_BYTES), b""))
        path = self._path(file.path)
        size: int = self._place.files.get_file_info(path).size
        if size != file.bytes:
            where = self._place.address_of(path)
            raise OutputError(f"is {size} bytes long there, not {file.bytes}.", where=where)
        noted.write(json.dumps([file.path, file.sha256]).encode() + b"\n")
        return size

    # -- the store

    def _path(self, name: str) -> str:
        return f"{self._place.name.rstrip('/')}/{name}"

    def _names(self) -> set[str]:
        """Names of all files there, relative to the address."""
        from pyarrow.fs import FileSelector, FileType

        files, name = self._place.files, self._place.name
        kind = files.get_file_info(name).type
        if kind == FileType.File:
            raise OutputError("is a file, not a folder.", where=self.address, hint="Choose another --output.")
        found = files.get_file_info(FileSelector(name, recursive=True, allow_not_found=True))
        return {info.path[len(self._path("")) :] for info in found if info.type == FileType.File}

    def _read(self, name: str) -> bytes:
        with self._place.files.open_input_stream(self._path(name)) as file:
            return bytes(file.read())

    def _write(self, name: str, content: bytes | Iterator[bytes]) -> None:
        path = self._path(name)
        try:
            file = self._place.files.open_output_stream(path, compression=None)
        except FileNotFoundError:  # a store that has folders
            self._place.files.create_dir(path.rpartition("/")[0], recursive=True)
            file = self._place.files.open_output_stream(path, compression=None)
        with file:
            for piece in [content] if isinstance(content, bytes) else content:
                file.write(piece)

    def _delete_mark(self) -> None:
        self._place.files.delete_dir(self._path(WORK_FOLDER))

    def _delete(self, name: str) -> None:
        self._place.files.delete_file(self._path(name))


def _whose(mark: bytes) -> str:
    try:
        found = json.loads(mark)
        return f"on {found['host']} in {found['folder']}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "by whom cannot be read"


@contextmanager
def _complaints(address: str) -> Iterator[None]:
    with stores.complaints(address, OutputError):
        yield
