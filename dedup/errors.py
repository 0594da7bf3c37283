"""Everything that can go wrong for a user, as a tree:

DedupError
├── ConfigError    a setting or flag that cannot be (exit code 2)
├── InputError     an input that cannot be found or opened (exit code 4)
├── OutputError    an output folder that cannot be written or must not be touched (exit code 4)
└── PostNotFoundError  a post id that an output folder does not know (exit code 2)

Each message says what happened, where, and what to try. A single unreadable *record* is no error:
it is counted and kept in `rejected/`.
"""

from __future__ import annotations


class DedupError(Exception):
    """Base of all errors a user can meet: what happened, where, and what to try next."""

    exit_code = 4

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} {self.hint}" if self.hint else text


class ConfigError(DedupError):
    """A setting, flag or configuration file that cannot be used."""

    exit_code = 2


class InputError(DedupError):
    """An input path that does not exist, cannot be opened, or has no known format."""


class OutputError(DedupError):
    """An output folder that cannot be written, or that must not be overwritten."""


class PostNotFoundError(DedupError):
    """No post of that id in this output folder."""

    exit_code = 2
