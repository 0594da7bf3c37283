"""From a scraped forum dump, a corpus in which every passage stands once, where it was first said.

    files ──read──▶ posts ──normalize──▶ normalized posts ──quotes──▶ copied passages
                                                │                          │
                                                └──sketch, match──▶ pairs ─┤
                                                                           ▼
             report ◀── provenance ◀──write── results ◀──decide── decisions

`clean` is the whole flow, from paths to an output folder; `restore` is the way back, and `verify` says
whether it is open. The other names are pieces of it for notebooks: `read_posts` gives the posts of any
input as Arrow batches, `find_quotes` the passages that some posts copy from others, `signature` the MinHash
of a text. `read_corpus` and `read_provenance` read an output folder.

>>> import dedup
>>> config = dedup.Config().with_settings({"match": {"threshold": 0.8}})
>>> summary = dedup.clean(["dump.jsonl"], "out", config)  # doctest: +SKIP

Everything is loaded when it is first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dedup.config import Config, load_config
    from dedup.errors import ConfigError, DedupError, InputError, OutputError, PostNotFoundError
    from dedup.originals import restore
    from dedup.outputs import read_corpus, read_provenance
    from dedup.passages import find_quotes
    from dedup.pipeline import Summary, clean
    from dedup.readers import read_posts
    from dedup.sketch import signature
    from dedup.verification import Problem, Verified, verify

    __version__: str

__all__ = [
    "Config",
    "ConfigError",
    "DedupError",
    "InputError",
    "OutputError",
    "PostNotFoundError",
    "Problem",
    "Summary",
    "Verified",
    "__version__",
    "clean",
    "find_quotes",
    "load_config",
    "read_corpus",
    "read_posts",
    "read_provenance",
    "restore",
    "signature",
    "verify",
]

_HOMES = {
    "Config": "config",
    "ConfigError": "errors",
    "DedupError": "errors",
    "InputError": "errors",
    "OutputError": "errors",
    "PostNotFoundError": "errors",
    "Problem": "verification",
    "Summary": "pipeline",
    "Verified": "verification",
    "clean": "pipeline",
    "find_quotes": "passages",
    "load_config": "config",
    "read_corpus": "outputs",
    "read_posts": "readers",
    "read_provenance": "outputs",
    "restore": "originals",
    "signature": "sketch",
    "verify": "verification",
}
"""Public name → the module it lives in."""


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("dedup")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
