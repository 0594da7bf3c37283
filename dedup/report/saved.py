"""The ratios of a finished output folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dedup.errors import OutputError
from dedup.outputs import MANIFEST, load_manifest
from dedup.readers.stores import below, is_address, look_at


def is_output(paths: Sequence[str]) -> bool:
    """Whether `paths` is one output folder of `clean` rather than a dump.

    Raises OutputError for the folder of a run that has not finished.
    """
    if len(paths) != 1:
        return False
    if is_address(paths[0]):
        if look_at(below(paths[0], MANIFEST)) is not None:
            load_manifest(Path(paths[0]))  # says what to do
        return False
    if not (folder := Path(paths[0])).is_dir():
        return False
    if (folder / "manifest.json").is_file():
        return True
    if (folder / ".dedup").is_dir() or ((folder / "provenance").is_dir() and (folder / "corpus").is_dir()):
        raise OutputError(
            "holds a run that has not finished.",
            where=str(folder),
            hint="Start it over with --force.",
        )
    return False


def ratios_of_output(folder: Path) -> dict[str, Any]:
    """What `report.json` says; counted again from provenance and corpus when it is gone.

    Raises OutputError when it is damaged.
    """
    path = folder / "report.json"
    try:
        ratios = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        from dedup.report.recount import recount

        return recount(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(
            f"cannot be read ({error}).", where=str(path), hint="Delete it, and it is counted again."
        ) from None
    if not (isinstance(ratios, dict) and {"duplicate_ratio", "in", "removed", "by"} <= ratios.keys()):
        raise OutputError(
            "is no report of dedup.", where=str(path), hint="Delete it, and it is counted again."
        )
    return ratios
