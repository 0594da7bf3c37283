"""The addresses of stores (`s3://bucket/dump.jsonl.zst`), through Arrow's own file systems."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from dedup.errors import InputError, OutputError

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?P<rest>[^?]*)(?P<query>\?.*)?", re.DOTALL)
"""One letter is a drive; pathlib makes // one /."""
_READ_AHEAD_BYTES = 4 << 20
"""Each request to a store takes a while, however little it asks for."""
_SHOWN = 300
"""Characters of what a store says."""


class Entry(NamedTuple):
    """What a store knows of a file: bytes, and when it was changed."""

    size: int
    mtime_ns: int | None


class Place(NamedTuple):
    """Where an address leads: the file system, how it calls the root of the address and what is there, and
    what stands before and behind the rest of a name in an address."""

    files: Any
    root: str
    name: str
    before: str
    behind: str

    def address_of(self, name: str) -> str:
        """The address of what the file system calls so."""
        return f"{self.before}{name.removeprefix(self.root)}{self.behind}"


def is_address(path: str) -> bool:
    """Whether a path is the address of a store, and no folder here is named so."""
    found = _ADDRESS.fullmatch(path)
    return found is not None and not Path(f"{found['scheme']}:").is_dir()


def find_files(address: str) -> list[str]:
    """Addresses of the file, of all files of a folder, or of those that match a pattern, in order of names.

    As in folders here, hidden files are left out, and of what a run wrote all but the corpus. A pattern
    has no `**`. Raises InputError where there is none.
    """
    place = find_place(address)
    with complaints(address):
        from pyarrow.fs import FileType

        kind = place.files.get_file_info(place.name).type
        if kind == FileType.File:
            return [address]
        if kind == FileType.Directory:
            found = _below(place.files, place.name)
        elif "*" in place.name or "[" in place.name:
            found = _matching(place)
        else:
            raise InputError("does not exist.", where=address)
    if not found:
        raise InputError("no file is there.", where=address, hint="Check the address.")
    return [place.address_of(name) for name in found]


def open_file(address: str) -> Any:
    """The file's bytes from the front. Raises InputError where it cannot be opened."""
    place = find_place(address)
    with complaints(address):
        return place.files.open_input_stream(place.name, compression=None, buffer_size=_READ_AHEAD_BYTES)


def below(folder: str, name: str) -> str:
    """The path of what is in a folder here, or the address of what is below one."""
    if not is_address(folder):
        return str(Path(folder, name))
    place = find_place(folder)
    return place.address_of(f"{place.name.rstrip('/')}/{name}")


@contextmanager
def as_file(path: str, folder: Path) -> Iterator[Path]:
    """A file as one that lies here: for an address a copy in `folder`, as long as the context lasts."""
    if not is_address(path):
        yield Path(path)
        return
    with tempfile.NamedTemporaryFile(prefix="scratch-", dir=folder) as copy, open_file(path) as file:
        with complaints(path):
            while piece := file.read(_READ_AHEAD_BYTES):
                copy.write(piece)
        copy.flush()
        yield Path(copy.name)


def look_at(address: str) -> Entry | None:
    """Size and time of a file; None where it is not."""
    from pyarrow.fs import FileType

    place = find_place(address)
    with complaints(address):
        found = place.files.get_file_info(place.name)
    return Entry(found.size, found.mtime_ns) if found.type == FileType.File else None


def find_place(address: str) -> Place:
    """Where an address leads. Raises InputError where no file system knows it, or it holds a password."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError("is no address.", where=address)
    # of three slashes pathlib leaves one; and no other machine's files are opened by such an address
    rest = f"/{found['rest'].lstrip('/')}" if found["scheme"] == "file" else found["rest"]
    authority, _, path = rest.partition("/")
    if "@" in authority and ":" in authority.partition("@")[0]:
        raise InputError(
            "an address must not hold a password: it would stand in every record.",
            where=f"{found['scheme']}://…@{authority.rpartition('@')[2]}/{path}",
            hint="Set it where the store's own tools look for it (AWS_ACCESS_KEY_ID and so on).",
        )
    query = found["query"] or ""
    with complaints(address):
        files, root = _open_store(f"{found['scheme']}://{authority}/{query}")
    root = root.rstrip("/")
    name = f"{root}/{path}".rstrip("/") or "/"
    return Place(files, root, name, f"{found['scheme']}://{authority}", query)


@cache
def _open_store(root: str) -> tuple[Any, str]:
    """The file system of an address, and how it calls the address's root."""
    from pyarrow.fs import FileSystem

    files, name = FileSystem.from_uri(root)
    return files, name


def _below(files: Any, folder: str) -> list[str]:
    """The files below a folder that are input."""
    from pyarrow.fs import FileSelector, FileType

    infos = files.get_file_info(FileSelector(folder, recursive=True))
    found = {tuple(info.path.split("/")) for info in infos if info.type == FileType.File}
    depth = len(folder.rstrip("/").split("/"))
    names = {name for name in found if not any(part.startswith(".") for part in name[depth:])}
    for manifest in [name for name in found if name[-1] == "manifest.json"]:
        top = manifest[:-1]
        inside = {name for name in names if name[: len(top)] == top}
        if {"corpus", "provenance"} <= {name[len(top)] for name in inside}:
            names -= {name for name in inside if name[len(top)] != "corpus"}
    return ["/".join(name) for name in sorted(names)]


def _matching(place: Place) -> list[str]:
    """The files whose names match a pattern part by part, and those below folders that do."""
    from pyarrow.fs import FileSelector, FileType

    parts = place.name.split("/")
    plain = next(number for number, part in enumerate(parts) if "*" in part or "[" in part)
    at = ["/".join(parts[:plain])]
    found: list[str] = []
    for number, part in enumerate(parts[plain:], plain + 1):
        entries = [info for folder in at for info in place.files.get_file_info(FileSelector(folder))]
        fitting = [info for info in entries if fnmatchcase(info.base_name, part)]
        at = sorted(info.path for info in fitting if info.type == FileType.Directory)
        if number == len(parts):
            found += [info.path for info in fitting if info.type == FileType.File]
            found += [name for folder in at for name in _below(place.files, folder)]
    return sorted(found, key=lambda name: name.split("/"))


@contextmanager
def complaints(address: str, kind: type[InputError | OutputError] = InputError) -> Iterator[None]:
    """What a store or Arrow says of an address is an error of this kind."""
    try:
        yield
    except FileNotFoundError:
        raise kind("does not exist.", where=address) from None
    except (OSError, pa.ArrowException, NotImplementedError) as error:
        said = (str(error) or type(error).__name__).partition("\n")[0][:_SHOWN].rstrip(".")
        raise kind(
            f"cannot be reached ({said}).",
            where=address,
            hint="Check the address and the settings of its store. Arrow knows s3, gs, abfs and hdfs.",
        ) from None
