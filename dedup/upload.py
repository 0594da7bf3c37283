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
from functools import partial
from io import RawIOBase
from pathlib import Path
from typing import Any

from dedup import memo
from dedup.engines.local import in_order
from dedup.errors import ConfigError, OutputError
from dedup.outputs import (
    MANIFEST,
    OURS,
    RUN_FACTS,
    finished_before,
    is_manifest,
    json_bytes,
    parse_manifest,
    remove_folder,
)
from dedup.readers import stores
from dedup.readers.sources import STANDARD_INPUT
from dedup.writers.atomic import WORK_FOLDER, OutputFile, disk_errors

_MARK = f"{WORK_FOLDER}/run-started.json"
_OUR_MARK, _UPLOADED, _LAST = "upload-mark.json", "uploaded", "manifest.json"
"""In the work folder here: the mark that stands at the address; sums of what is there already, so that a run
that was stopped goes on from there; and the manifest that goes there last."""
_AT_ONCE = 4
"""Files; Arrow holds what it is given until the store has it."""
_PIECE_BYTES = 8 << 20
_complaints = partial(stores.complaints, kind=OutputError)


def find_upload(out: str, work: str | os.PathLike[str] | None) -> Upload | None:
    """The upload that an output at an address takes; None where it is a folder here.

    work: the folder below which the run has its own; the current one, if none is given. Raises ConfigError
    where a folder here has one, OutputError for an address that cannot be an output's.
    """
    if stores.is_address(out):
        return Upload(out, Path(work or ""))
    if work is not None:
        hint = "A folder holds the run's own files itself: leave --work away."
        raise ConfigError("--work is for an output at an address.", where=out, hint=hint)
    return None


class Upload:
    """The way of a run's files to `address`, from `folder`: one below `work` that is named after the address,
    so that the same command finds it again, and nobody else has anything in it."""

    def __init__(self, address: str, work: Path) -> None:
        self._place = place = stores.find_place(address)
        self.address = place.address_of(place.name)
        parts = place.name.removeprefix(place.root).strip("/")
        if parts and not {"", ".", ".."}.isdisjoint(parts.split("/")):
            hint = "Write it without empty parts, . and .."
            raise OutputError("stores know no such names.", where=address, hint=hint)
        digest = hashlib.sha256(self.address.encode("utf-8", "surrogateescape")).hexdigest()
        self.folder = work / f".dedup-{digest[:16]}"
        self._mark = b""

    def begin(self, inputs: Iterable[str], *, force: bool, resumed: bool) -> None:
        """Make sure that the run may write there, and say there that it is under way.

        resumed: whether the folder here holds the beginning of this run. Raises OutputError as `claim` does
        for a folder, and where the store cannot be written to.
        """
        kept = resumed
        try:
            for path in (*inputs, str(self.folder)):
                if self._is_inside(path):
                    hint = "Choose another --output."
                    raise OutputError("lies inside the output folder.", where=path, hint=hint)
            self._mark = self._own_mark()
            with _complaints(self.address):
                names = self._names()
                manifest = self._read(MANIFEST) if MANIFEST in names else b""
                mark = self._read(_MARK) if _MARK in names else None
                if mark == self._mark and manifest and manifest == self._last():
                    self._delete_mark()  # nothing else was left to do
                    kept = False
                    raise finished_before(self.address)
                if mark != self._mark:
                    self._refuse(names, is_manifest(manifest), mark, force)
                self._write(_MARK, self._mark)
        except BaseException:
            if not kept:
                remove_folder(self.folder)
            raise

    def _refuse(self, names: set[str], finished: bool, mark: bytes | None, force: bool) -> None:
        """Raises OutputError where somebody else's files are at the address."""
        if finished and not force:
            raise finished_before(self.address)
        if names and not finished and mark is None:
            raise OutputError(
                "is not empty, and not an output folder of dedup.",
                where=self.address,
                hint="Choose another --output.",
            )
        if mark is not None and not force:
            raise OutputError(
                f"a run that is not finished was begun there, {_whose(mark)}.",
                where=self.address,
                hint="Give its command again there to go on with it, or start over with --force.",
            )

    def upload(self, files: Iterable[OutputFile], advance: Callable[[int], None]) -> None:
        """Upload files of the folder, but those that are there from before. Raises OutputError."""
        files = list(files)
        with (
            _complaints(self.address),
            (self.folder / WORK_FOLDER / _UPLOADED).open("ab", buffering=0) as noted,
            ThreadPoolExecutor(_AT_ONCE, "dedup-upload") as pool,
        ):
            names = self._check_mark()
            there = self._uploaded(names)
            before = self._earlier_files(names)
            if MANIFEST in names:  # what is there from now on is no finished output
                self._delete(MANIFEST)
            missing = (file for file in files if there.get(file.path) != file.sha256)
            for size in in_order(pool, partial(self._upload, noted=noted), missing, 2 * _AT_ONCE):
                advance(size)
            for name in sorted(before - {MANIFEST} - {file.path for file in files}):
                self._delete(name)

    def finish(self, content: dict[str, Any]) -> None:
        """Upload what remains, with the manifest last, and remove the folder here."""
        manifest = json_bytes(content)
        last = self.folder / WORK_FOLDER / _LAST
        with disk_errors(last):
            last.write_bytes(manifest)
        with _complaints(self.address):
            self._check_mark()
            self._write(RUN_FACTS, (self.folder / RUN_FACTS).read_bytes())
            self._write(MANIFEST, manifest)
            self._delete_mark()
        remove_folder(self.folder)

    def _own_mark(self) -> bytes:
        """What the mark of this run says; the same as long as its folder is there, wherever it goes on."""
        path = self.folder / WORK_FOLDER / _OUR_MARK
        if not path.exists():
            token, folder = os.urandom(16).hex(), str(self.folder.absolute())
            unfinished = path.with_name(f"{memo.UNFINISHED}{_OUR_MARK}")
            with disk_errors(path):
                unfinished.write_bytes(json_bytes({"host": platform.node(), "folder": folder, "run": token}))
                unfinished.replace(path)
        return path.read_bytes()

    def _last(self) -> bytes | None:
        """The manifest that was about to be uploaded."""
        last = self.folder / WORK_FOLDER / _LAST
        return last.read_bytes() if last.exists() else None

    def _check_mark(self) -> set[str]:
        """The names of all files there. Raises OutputError where another run was told to start over there."""
        names = self._names()
        if _MARK not in names or self._read(_MARK) != self._mark:
            raise OutputError(
                "another run was begun there meanwhile, with --force.",
                where=self.address,
                hint="Choose another --output, or start over with --force when that run is finished.",
            )
        return names

    def _is_inside(self, path: str) -> bool:
        """Whether a file, here or in a store, lies in the output folder."""
        files, outer = self._place.files, self._place.name
        here = files.type_name == "local"
        if path == STANDARD_INPUT:
            return False
        if stores.is_address(path):
            place = stores.find_place(path)
            if not place.files.equals(files):
                return False
            path = place.name
        elif not here:
            return False
        if here:  # where there are links
            path, outer = os.path.realpath(path), os.path.realpath(outer)
        return f"{path}/".startswith(f"{outer.rstrip('/')}/")

    def _earlier_files(self, names: set[str]) -> set[str]:
        """What an earlier run wrote there: what its manifest lists; without one, all names we give."""
        manifest = self._read(MANIFEST) if MANIFEST in names else b""
        if is_manifest(manifest):
            listed = {file.path for file in parse_manifest(manifest, self.address).outputs}
            names = names & (listed | {"report.json", RUN_FACTS, MANIFEST})
        return {name for name in names if OURS.fullmatch(name)}

    def _uploaded(self, names: set[str]) -> dict[str, str]:
        """Names and sums of files that an earlier attempt uploaded."""
        noted = (self.folder / WORK_FOLDER / _UPLOADED).read_bytes()
        found: dict[str, str] = {}
        for line in noted.splitlines():
            try:
                name, digest = json.loads(line)
            except ValueError:  # its end was not written
                continue
            if name in names:
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
