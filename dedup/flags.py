"""Command-line flags → a `Config`: which flag sets what, and what each says about itself.

The words a flag may take stand in `config` as well; they are written out here because reading
`config` costs `--help` a fifth of its time (a test compares them).
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from dedup.errors import ConfigError

if TYPE_CHECKING:
    from dedup.config import Config
    from dedup.engines.base import StartEngine

SETTINGS = {
    "input_format": ("read", "input_format"),
    "separator": ("read", "separator"),
    "date_format": ("read", "date_format"),
    "redact": ("read", "redact"),
    "threshold": ("match", "threshold"),
    "shingle_words": ("match", "shingle_words"),
    "keep": ("decide", "keep"),
    "quotes": ("decide", "quotes"),
    "reposts": ("decide", "reposts"),
    "near": ("decide", "near"),
    "exact": ("decide", "exact"),
    "boilerplate": ("decide", "boilerplate"),
    "code": ("decide", "code"),
    "output_format": ("write", "output_format"),
    "workers": ("run", "workers"),
    "memory": ("run", "memory_mb"),
}
"""Parameter of a command → the setting it overrides."""

Removal = Literal["remove", "keep"]
Number = TypeVar("Number", int, float)


def _removal(what: str, flag: str) -> Any:
    return typer.Option(f"--{flag}", help=f"What to do with {what}.")


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings file; else dedup.toml, or [tool.dedup] of pyproject.toml, in this folder.",
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Format of the input; recognised when not given. A wrong name lists the known ones.",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=FIELD",
        help="Which field of a record is which, as text=msg or author=nick. Repeatable.",
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        metavar="LINE",
        help="The line that ends a post in a plain-text thread; none makes every file one post.",
    ),
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT", help="How dates are written, as %d.%m.%Y %H:%M; recognised when not given."
    ),
]
Redact = Annotated[
    Literal["email"] | None,
    typer.Option(
        help="Replace mail addresses by [email] while reading: no output holds them but rejected records, "
        "and restore cannot bring them back."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="0..1",
        help="Similarity (Jaccard, word shingles) from which posts are near-duplicates; 0.7 if not set.",
    ),
]
ShingleWords = Annotated[
    int | None,
    typer.Option(metavar="COUNT", help="Words in a row that make a shingle; 5 if not set."),
]
Keep = Annotated[
    Literal["earliest", "latest", "longest"] | None,
    typer.Option(help="Which of several equal posts stays; earliest if not set."),
]
Quotes = Annotated[
    Literal["remove", "mark", "keep"] | None,
    typer.Option(help="What to do with quoted passages; mark leaves [quote ID] in their place."),
]
Reposts = Annotated[Removal | None, _removal("posts made of passages of earlier posts", "reposts")]
Near = Annotated[Removal | None, _removal("near-duplicate posts", "near")]
Exact = Annotated[Removal | None, _removal("posts equal to an earlier one", "exact")]
Boilerplate = Annotated[Removal | None, _removal("signatures and stock text", "boilerplate")]
Code = Annotated[Removal | None, _removal("source code that an earlier post has; kept if not set", "code")]
OutputFormat = Annotated[
    Literal["jsonl", "parquet", "text"] | None,
    typer.Option(help="Format of the corpus; jsonl if not set."),
]
Memory = Annotated[
    int | None,
    typer.Option(
        "--memory",
        metavar="MB",
        min=512,
        help="Memory to take, about; the default is 1 GB and a tenth of the input. More lies in files.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="COUNT", help="Processes to use; all cores if not set. Changes no byte of the output."
    ),
]
Engine = Annotated[
    Literal["local", "spark"],
    typer.Option(
        help="What runs the steps: this machine, or a Spark cluster. Changes no byte of the output."
    ),
]
Master = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="With --engine spark: where it runs, as spark://host:7077; on this machine if not set.",
    ),
]
Conf = Annotated[
    list[str] | None,
    typer.Option(
        "--conf",
        metavar="KEY=VALUE",
        help="With --engine spark: a setting of it, as spark.executor.memory=2g. Repeatable.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Any other setting, as quotes.min_words=8; the value is TOML. Repeatable.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors on the terminal.")]


def config_from(parameters: Mapping[str, Any]) -> Config:
    """The settings file, overridden by `--set`, overridden by flags of their own.

    `parameters` are a command's (`typer.Context.params`); those that are no setting are passed over.
    Raises ConfigError.
    """
    from dedup.config import load_config

    config = load_config(parameters.get("config_file"))
    if given := _assignments(parameters.get("settings") or []):
        config = config.with_settings(given, "--set")
    flags: dict[str, dict[str, Any]] = {}
    for name, (section, key) in SETTINGS.items():
        if (value := parameters.get(name)) is not None:
            flags.setdefault(section, {})[key] = value
    if fields := _fields(parameters.get("fields") or []):
        flags.setdefault("read", {})["fields"] = {**config.read.fields, **fields}
    return config.with_settings(flags, "command line")


def engine_from(parameters: Mapping[str, Any]) -> StartEngine:
    """What `--engine`, `--master` and `--conf` ask for. Raises ConfigError."""
    master, conf = parameters["master"], parameters["conf"] or []
    if parameters["engine"] == "spark":
        from dedup.engines.spark import on_spark

        return on_spark(
            master=master, conf=dict(_pair(pair, "--conf", "--conf spark.cores.max=8") for pair in conf)
        )
    if master is not None or conf:
        raise ConfigError("--master and --conf are settings of Spark.", hint="Add --engine spark.")
    from dedup.engines.local import on_this_machine

    return on_this_machine


def numbers(text: str, kind: Callable[[str], Number], flag: str) -> list[Number]:
    """The numbers of a list with commas. Raises ConfigError for what is none."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{text!r} is no list of numbers.", where=flag, hint=f"Write {flag} 5,8.") from None


def names(text: str, flag: str) -> list[str]:
    """The names of a list with commas; one that has a comma itself stands in quotation marks, as in CSV.

    Raises ConfigError where there is none.
    """
    try:
        found = [name for row in csv.reader([text]) for name in row if name]
    except csv.Error:
        found = []
    if not found:
        raise ConfigError(f"{text!r} is no list of names.", where=flag, hint=f"Write {flag} 5,8.")
    return found


def _fields(pairs: Sequence[str]) -> dict[str, str]:
    return dict(_pair(pair, "--field", "--field text=msg") for pair in pairs)


def _assignments(pairs: Sequence[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, value = _pair(pair, "--set", "--set quotes.min_words=8")
        section, dot, key = name.partition(".")
        if not (section and dot and key):
            raise ConfigError(
                f"{pair!r} names no section.", where="--set", hint="Write --set quotes.min_words=8."
            )
        settings.setdefault(section, {})[key] = _toml_value(value)
    return settings


def _pair(text: str, flag: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value):
        raise ConfigError(f"{text!r} is no NAME=VALUE.", where=flag, hint=f"Write {example}.")
    return name.strip(), value


def _toml_value(text: str) -> Any:
    """A TOML value; what is none is a string, so that words need no quotes inside the shell's."""
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if len(table) == 1 else text
