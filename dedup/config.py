"""Settings, frozen, one table per step; read from `dedup.toml` or `[tool.dedup]` in `pyproject.toml`.

Whatever can change a byte of the output stands here and goes into the manifest. What only changes how
fast it is made (workers, memory) stands in `Run` and does not.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec
from rapidfuzz import process

from dedup.errors import ConfigError

Keep = Literal["earliest", "latest", "longest"]
Handling = Literal["remove", "mark", "keep"]
Removal = Literal["remove", "keep"]


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Read(_Settings, frozen=True):
    input_format: str | None = None
    """Name of a reader (`text`, `jsonl`); recognised from name and content when not given."""
    fields: dict[str, str] = {}
    """Which field of a record is which: `{"text": "msg", "author": "nick"}`."""
    separator: str | None = None
    """The line that ends a post in a plain-text thread; the default is a line of U+00A0 alone.
    The word `none` makes every file one post."""
    date_format: str | None = None
    """`strptime` format of the dates; recognised once per source when not given."""
    encoding: str | None = None
    """Encoding of the input bytes; found out when not given."""
    markup: Literal["html", "text"] | None = None
    """What the bodies of records are written in; recognised once per source when not given."""
    table: str | None = None
    """The table of a database that holds the posts; recognised by its columns when not given."""
    redact: Literal["email"] | None = None
    """`email`: mail addresses are replaced by `[email]` while reading, so that no output holds them, also
    not provenance (rejected records are kept as they were; ids stay, as posts are linked by them)."""
    edit_notes: bool = False
    """Lines like "Last edited by Ann on May 3, 2010; edited 2 times" at the edges of posts are page chrome
    wherever three posts have one; else only where other page chrome stands there, too."""
    max_record_mb: int = 256
    """A record over this size is rejected."""
    max_expansion: int = 250
    """Compressed input that unpacks to more than so many times its size, and 256 MB, is read no further."""


class Normalize(_Settings, frozen=True):
    encoding: bool = True
    """Repair mojibake, stray entities and control characters with ftfy."""
    whitespace: bool = True
    uncurl_quotes: bool = False
    fix_character_width: bool = False
    fix_latin_ligatures: bool = False
    nfkc: bool = False
    """Unicode normalization form KC."""
    unwrap_lines: bool = False
    """Join the lines of paragraphs that were wrapped at a fixed width."""
    strip_tracking: bool = False
    """Take parameters out of web addresses that only say who clicked where."""
    max_repeats: int = 0
    """A letter, `!` or `?` stands at most so many times in a row; 0: as often as it does."""


class Quotes(_Settings, frozen=True):
    min_words: int = 6
    """A passage of fewer words needs an attribution line or a mark."""
    min_evidence: float = 40.0
    """How surprising a passage's words must be together, in nats, to count as copied: as whole lines or
    sentences so much, inside a line three times as much."""
    min_evidence_lines: float = 15.0
    """The same for a passage that fills whole paragraphs."""
    max_gap_words: int = 4
    """Words that may differ inside one passage, on either side."""
    across_threads: bool = True
    across_min_words: int = 25
    use_marks: bool = True
    """Use quote marks of the dump (`>` prefixes, markup) as evidence."""
    signature_threads: int = 3
    """A line block that ends an author's posts in so many threads is a signature."""
    stock_threads: int = 20
    """A passage most of whose shingles stand in more threads than this is stock text, not a quote."""


class Match(_Settings, frozen=True):
    threshold: float = 0.7
    """Jaccard similarity of word shingles at or over which posts are near-duplicates."""
    shingle_words: int = 5
    permutations: int = 128
    bands: int = 25
    rows: int = 5
    seed: int = 1


class Decide(_Settings, frozen=True):
    keep: Keep = "earliest"
    quotes: Handling = "remove"
    reposts: Removal = "remove"
    near: Removal = "remove"
    exact: Removal = "remove"
    boilerplate: Removal = "remove"
    code: Removal = "keep"
    page_chrome: Removal = "remove"
    quote_chrome: Removal = "remove"
    protect_authors: list[str] = []
    """Posts of these authors stay as they are."""
    protect_phrases: list[str] = []
    """A copied passage that holds one of these phrases stays."""


class Write(_Settings, frozen=True):
    output_format: Literal["jsonl", "parquet", "text"] = "jsonl"
    shard_posts: int = 100_000
    compression_level: int = 1


class Run(_Settings, frozen=True):
    """How to run; changes no byte of the output."""

    workers: int | None = None
    """Processes and threads; all cores when not given."""
    memory_mb: int | None = None
    """Memory a run may take, about: what outgrows it lies in files of the work folder. When not given:
    1 GB, a tenth of the input, and 200 MB for each worker beyond two."""


class Config(_Settings, frozen=True):
    """All settings of a run.

    >>> Config().match.threshold
    0.7
    """

    read: Read = Read()
    normalize: Normalize = Normalize()
    quotes: Quotes = Quotes()
    match: Match = Match()
    decide: Decide = Decide()
    write: Write = Write()
    run: Run = Run()

    def with_settings(self, settings: dict[str, Any], where: str | None = None) -> Config:
        """A copy with some settings replaced: `{"match": {"threshold": 0.8}}`.

        Raises ConfigError, with a suggestion, for an unknown key or a value that cannot be.
        """
        merged = msgspec.to_builtins(self)
        _merge(merged, settings, where, ())
        try:
            config = msgspec.convert(merged, Config)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{error}.".replace("`$", "`"), where=where) from None
        _check(config, where)
        return config

    def as_dict(self) -> dict[str, Any]:
        """What the manifest records: every setting that can change the output."""
        settings: dict[str, Any] = msgspec.to_builtins(self)
        del settings["run"]
        return settings


def load_config(path: Path | None = None, folder: Path | None = None) -> Config:
    """Settings from `path`, or from `dedup.toml` or `[tool.dedup]` of `pyproject.toml` in `folder`.

    Raises ConfigError when the file cannot be read, is no TOML, or holds an unknown key.
    """
    if path is not None:
        return Config().with_settings(_read_toml(path), str(path))
    folder = folder or Path.cwd()
    if (folder / "dedup.toml").is_file():
        return load_config(folder / "dedup.toml")
    project = folder / "pyproject.toml"
    if project.is_file():
        table = _read_toml(project).get("tool", {}).get("dedup", {})
        return Config().with_settings(table, f"{project} [tool.dedup]")
    return Config()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}).", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not valid TOML ({error}).", where=str(path)) from None


def _merge(into: dict[str, Any], new: dict[str, Any], where: str | None, at: tuple[str, ...]) -> None:
    for key, value in new.items():
        name = ".".join((*at, key))
        if key not in into:
            close = process.extractOne(key, list(into), score_cutoff=60)
            known = ", ".join(into)
            hint = f"Did you mean {'.'.join((*at, close[0]))}?" if close else f"Known here: {known}."
            raise ConfigError(f"unknown setting {name}.", where=where, hint=hint)
        if isinstance(into[key], dict) and at == ():
            if not isinstance(value, dict):
                raise ConfigError(f"{name} is a table, not a value.", where=where, hint=f"Write [{name}].")
            _merge(into[key], value, where, (*at, key))
        else:
            into[key] = value


def _check(config: Config, where: str | None) -> None:
    match, quotes = config.match, config.quotes
    problems = [
        (0 < match.threshold <= 1, "match.threshold must be over 0 and at most 1."),
        (match.shingle_words >= 1, "match.shingle_words must be at least 1."),
        (match.bands >= 1 and match.rows >= 1, "match.bands and match.rows must be at least 1."),
        (
            match.bands * match.rows <= match.permutations,
            f"match.bands x match.rows = {match.bands * match.rows} needs as many match.permutations"
            f" ({match.permutations}).",
        ),
        (
            config.normalize.max_repeats == 0 or config.normalize.max_repeats >= 2,
            "normalize.max_repeats must be 0 (off) or at least 2.",
        ),
        (quotes.min_words >= 1, "quotes.min_words must be at least 1."),
        (quotes.across_min_words >= 12, "quotes.across_min_words must be at least 12."),
        (0 <= quotes.max_gap_words <= 16, "quotes.max_gap_words must be between 0 and 16."),
        (config.write.shard_posts >= 1, "write.shard_posts must be at least 1."),
        (1 <= config.write.compression_level <= 19, "write.compression_level must be between 1 and 19."),
        (1 <= config.quotes.stock_threads <= 254, "quotes.stock_threads must be between 1 and 254."),
        (config.read.max_record_mb >= 1, "read.max_record_mb must be at least 1."),
        (config.read.max_expansion >= 1, "read.max_expansion must be at least 1."),
        (config.run.memory_mb is None or config.run.memory_mb >= 512, "run.memory_mb must be at least 512."),
        (config.run.workers is None or config.run.workers >= 1, "run.workers must be at least 1."),
    ]
    for fine, message in problems:
        if not fine:
            raise ConfigError(message, where=where)
