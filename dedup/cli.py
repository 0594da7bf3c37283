"""The command line: arguments → `Config` → pipeline → report.

Exit codes: 0 done, 1 a limit such as `--fail-over` exceeded or a fault found by `verify`, 2 usage or
configuration, 3 done but some input was rejected, 4 the run failed; 130 interrupted, 143 ended by a
signal, 141 nobody reads the output any more.

Only typer is imported here; what a command needs is imported when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, ParamSpec

import typer

from dedup import flags
from dedup.errors import ConfigError, DedupError, OutputError
from dedup.progress import Progress, progress_on
from dedup.stopping import (
    INTERRUPTED,
    end_on_signals,
    gone_when_stopped,
    hint_when_stopped,
    leave,
    temporary_folder,
)

if TYPE_CHECKING:
    from dedup.verification import Verified

DONE, LIMIT, USAGE, REJECTED, FAILED, BROKEN_PIPE = 0, 1, 2, 3, 4, 141

P = ParamSpec("P")

app = typer.Typer(
    name="dedup",
    help="Make a corpus of a scraped forum dump in which every passage stands once, where it was first said.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would cost --help a third of its 0.3 s, and eat [brackets]
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line (`sys.argv` when no arguments are given) and exit with its code."""
    end_on_signals()
    try:
        app(args=arguments, prog_name="dedup")
    except SystemExit as end:
        leave(end.code)
    leave(DONE)


def _tidy(command: Callable[P, None]) -> Callable[P, None]:
    """No traceback reaches a user: every way out of a command is a line and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.BadParameter):
            raise
        except DedupError as error:
            _complain(error.message)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:  # where signals do not end the process
            _complain("interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Python flushes standard output once more at exit; with nobody to read it, that must go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except Exception as error:
            _complain_of_bug(error)
            raise typer.Exit(FAILED) from None

    return run


def _complain(message: str) -> None:
    from dedup.report.visible import visible_line

    print(f"dedup: {visible_line(message)}", file=sys.stderr)


def _complain_of_bug(error: Exception) -> None:
    if os.environ.get("DEDUP_DEBUG"):
        import traceback

        traceback.print_exception(error)
        return
    if isinstance(error, OSError) and error.strerror:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        what = f"unexpected {type(error).__name__}: {error}"
    _complain(f"{what[:400]}. Run again with DEDUP_DEBUG=1 for the details.")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"dedup {version('dedup')}")
        except PackageNotFoundError:
            print("dedup (not installed: run from its source folder)")
        raise typer.Exit


@app.callback()
def _dedup(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


OutFolder = Annotated[Path, typer.Argument(metavar="OUT", help="The output folder of a finished clean.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


@app.command()
@_tidy
def clean(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Files, folders, globs and addresses (s3://…) to read; - is standard input."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Folder or address (s3://…) to write to; made if it is not there.",
        ),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="OUT",
            help="Output of an earlier run: what stands there goes, and it stays as it is. Repeatable.",
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="PATH",
            help="The same for any other input, as a benchmark that a corpus must not hold. Repeatable.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what an earlier run wrote into OUT, and nothing else.")
    ] = False,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work",
            metavar="FOLDER",
            help="Where the run has its own folder until it is uploaded, if OUT is an address; else here.",
        ),
    ] = None,
    input_format: flags.InputFormat = None,
    fields: flags.Fields = None,
    separator: flags.Separator = None,
    date_format: flags.DateFormat = None,
    redact: flags.Redact = None,
    threshold: flags.Threshold = None,
    shingle_words: flags.ShingleWords = None,
    keep: flags.Keep = None,
    quotes: flags.Quotes = None,
    reposts: flags.Reposts = None,
    near: flags.Near = None,
    exact: flags.Exact = None,
    boilerplate: flags.Boilerplate = None,
    code: flags.Code = None,
    output_format: flags.OutputFormat = None,
    workers: flags.Workers = None,
    memory: flags.Memory = None,
    engine: flags.Engine = "local",
    master: flags.Master = None,
    conf: flags.Conf = None,
    settings: flags.Set = None,
    config_file: flags.ConfigFile = None,
    quiet: flags.Quiet = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show at the end what each stage took."),
    ] = False,
) -> None:
    """Clean a dump: every passage once, each change recorded so that it can be explained and undone.

    OUT gets corpus/, provenance/, rejected/ (when something could not be read), report.json, run.json
    and manifest.json.
    """
    config, start = flags.config_from(context.params), flags.engine_from(context.params)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else numpy starts threads that nothing uses
    from dedup import own_process

    own_process.prepare()
    from dedup.pipeline import clean as clean_dump

    resumes = "" if "-" in paths else "The same command goes on from here."
    with hint_when_stopped(resumes):
        summary = clean_dump(
            paths,
            output,
            config,
            against=against or [],
            reference=reference or [],
            force=force,
            work=work,
            progress=progress_on(quiet=quiet),
            engine=start,
        )
    if not quiet:
        from dedup.report import terminal

        terminal.print_summary(summary.report, summary.out, summary.run["seconds"])
    if verbose:
        from dedup.report import terminal

        terminal.print_stages(summary.run)
    if summary.rejected:
        from dedup.readers import stores

        there = stores.below(str(summary.out), "rejected")
        _complain(f"{summary.rejected:,} records could not be read; they are in {there}.")
        raise typer.Exit(REJECTED)


@app.command()
@_tidy
def report(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="An output folder of clean, or a dump to look at."),
    ],
    by: Annotated[
        Literal["thread", "author", "board", "month", "file", "language"] | None,
        typer.Option("--by", help="Show only the ratios of these groups."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with plots and the evidence of every kind."
        ),
    ] = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead.")] = False,
    fail_over: Annotated[
        float | None,
        typer.Option(
            "--fail-over",
            metavar="0..1",
            min=0,
            max=1,
            help="Exit with 1 when more than this share of the characters are copies.",
        ),
    ] = None,
    input_format: flags.InputFormat = None,
    fields: flags.Fields = None,
    separator: flags.Separator = None,
    date_format: flags.DateFormat = None,
    threshold: flags.Threshold = None,
    shingle_words: flags.ShingleWords = None,
    redact: flags.Redact = None,
    workers: flags.Workers = None,
    settings: flags.Set = None,
    config_file: flags.ConfigFile = None,
    quiet: flags.Quiet = False,
) -> None:
    """Show how much of a dump is copied: by posts, words and characters, and where.

    A dump is cleaned for this into a temporary folder of which nothing is kept.
    """
    if json + csv + markdown > 1:
        raise ConfigError("--json, --csv and --markdown exclude one another.", hint="Choose one.")
    with _output_of(paths, context.params, progress_on(quiet=quiet)) as (out, ratios, rejected):
        if by == "language":
            from dedup.report.languages import language_groups

            ratios["by"]["language"] = language_groups(out)
        if html is not None:
            from dedup.report.build import report_page

            _write_page(html, report_page(out, ratios), quiet=quiet)
    if json:
        _print_json(ratios["by"][by] if by else ratios)
    elif csv or markdown:
        from dedup.report.tables import tables, to_csv, to_markdown

        found = tables(ratios, by)
        text = to_csv(found) if csv else to_markdown(found, ratios)
        _write_lines([text.encode("utf-8", "backslashreplace")])
    elif html is None or by:
        from dedup.report import terminal

        if by:
            terminal.print_groups(ratios, by)
        else:
            terminal.print_report(ratios)
    ratio = ratios["duplicate_ratio"]
    if fail_over is not None and ratio > fail_over:
        _complain(f"{ratio:.1%} of the characters are copies, over the limit of {fail_over:.1%}.")
        raise typer.Exit(LIMIT)
    if rejected:
        _complain(f"{rejected:,} records could not be read.")
        raise typer.Exit(REJECTED)


@contextmanager
def _output_of(
    paths: Sequence[str], parameters: dict[str, Any], progress: Progress
) -> Iterator[tuple[Path, dict[str, Any], int]]:
    """An output folder with its ratios, and the rejected records of a dump that is cleaned for it."""
    from dedup.report import saved

    if saved.is_output(paths):
        yield Path(paths[0]), saved.ratios_of_output(Path(paths[0])), 0
        return
    config = flags.config_from(parameters)
    from dedup.pipeline import clean as clean_dump

    with temporary_folder("dedup-report-") as folder:
        summary = clean_dump(paths, folder / "out", config, progress=progress)
        yield folder / "out", summary.report, summary.rejected


@app.command()
@_tidy
def tune(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Files, folders, globs and addresses (s3://…) to read; - is standard input."
        ),
    ],
    thresholds: Annotated[
        str, typer.Option("--thresholds", metavar="T,T", help="Thresholds to try, separated by commas.")
    ] = "0.5,0.6,0.7,0.8,0.9",
    shingles: Annotated[
        str, typer.Option("--shingles", metavar="K,K", help="Shingle sizes to try, in words.")
    ] = "3,5,8",
    sample_posts: Annotated[
        int, typer.Option("--sample", metavar="POSTS", min=1, help="Posts to look at, in whole threads.")
    ] = 20_000,
    examples: Annotated[
        int,
        typer.Option("--examples", metavar="COUNT", min=0, max=12, help="Pairs to show for each threshold."),
    ] = 1,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with more pairs instead.")
    ] = None,
    json: Json = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FILE",
            help="Write the settings given here (--threshold, --shingle-words and others) as a dedup.toml.",
        ),
    ] = None,
    threshold: flags.Threshold = None,
    shingle_words: flags.ShingleWords = None,
    input_format: flags.InputFormat = None,
    fields: flags.Fields = None,
    separator: flags.Separator = None,
    date_format: flags.DateFormat = None,
    workers: flags.Workers = None,
    settings: flags.Set = None,
    config_file: flags.ConfigFile = None,
    quiet: flags.Quiet = False,
) -> None:
    """Show what other thresholds and shingle sizes would remove from a sample, with pairs to judge by.

    Look, choose, and run again with --threshold and --write dedup.toml: clean reads that file.
    """
    config = flags.config_from(context.params)
    tried = flags.numbers(thresholds, float, "--thresholds"), flags.numbers(shingles, int, "--shingles")
    if write is not None and write.exists():
        raise ConfigError(
            "exists and may hold other settings.",
            where=str(write),
            hint="Choose another --write, or edit match.threshold and match.shingle_words in it.",
        )
    from dedup.tune import settings_toml
    from dedup.tune import tune as try_settings

    tuning = try_settings(
        paths,
        config,
        thresholds=tried[0],
        shingles=tried[1],
        sample_posts=sample_posts,
        progress=progress_on(quiet=quiet),
    )
    if write is not None:
        _write_file(write, [settings_toml(config).encode()])
    if json:
        _print_json(tuning.as_dict())
    if html is not None:
        from dedup.report.tuned_page import tuning_page

        _write_page(html, tuning_page(tuning, paths), quiet=quiet)
    elif not json:
        from dedup.report.tuned import print_tuning

        print_tuning(tuning, examples=examples)


@app.command()
@_tidy
def explain(
    out: OutFolder,
    post_id: Annotated[str, typer.Argument(metavar="POST_ID", help="Id of the post, as the corpus has it.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page instead.")
    ] = None,
    json: Json = False,
    full: Annotated[bool, typer.Option("--full", help="Show long passages whole.")] = False,
) -> None:
    """Show what was removed from a post and why, beside the text it copies."""
    from dedup.explain import explain as explain_post

    explanation = explain_post(out, post_id)
    if json:
        _print_json(explanation.as_dict())
    if html is not None:
        from dedup.report.explained_page import explanation_page

        _write_page(html, explanation_page(explanation))
    elif not json:
        from dedup.report.explained import print_explanation

        print_explanation(explanation, full=full)


@app.command()
@_tidy
def restore(
    out: OutFolder,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write; standard output if not given."),
    ] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option(
            "--ids",
            metavar="ID,ID",
            help='Only these posts, separated by commas; one with a comma in "". Repeatable.',
        ),
    ] = None,
    reason: Annotated[
        list[str] | None,
        typer.Option(
            "--reason", metavar="WHY", help="Only what was removed for this reason, as quote. Repeatable."
        ),
    ] = None,
) -> None:
    """Give the original posts back, as JSON lines.

    With --reason, those that something was removed from for this reason, dropped ones included; only
    that comes back, and what was removed or repaired for other reasons stays so.
    """
    from dedup.originals import restore as restore_posts
    from dedup.report.visible import json_line

    wanted = None if ids is None else {one for group in ids for one in flags.names(group, "--ids")}
    posts = restore_posts(out, ids=wanted, reasons=_known_reasons(reason or []) or None)
    lines = (json_line(post).encode() + b"\n" for post in posts)
    if output is None:
        _write_lines(lines)
    else:
        _write_file(output, lines)


def _known_reasons(given: Sequence[str]) -> set[str]:
    from dedup.report.kinds import REMOVALS

    for reason in given:
        if reason not in REMOVALS:
            raise ConfigError(
                f"{reason!r} is no reason.", where="--reason", hint=f"Choose from {', '.join(REMOVALS)}."
            )
    return set(given)


@app.command()
@_tidy
def peek(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Files, folders and globs to look at; - is standard input."),
    ],
    posts: Annotated[
        int,
        typer.Option("--posts", "-n", metavar="COUNT", min=0, help="How many posts of a file to show."),
    ] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file instead.")] = False,
    input_format: flags.InputFormat = None,
    fields: flags.Fields = None,
    separator: flags.Separator = None,
    date_format: flags.DateFormat = None,
    settings: flags.Set = None,
    config_file: flags.ConfigFile = None,
) -> None:
    """Show the first posts of each file as they are understood: fields, times, quotes, encoding.

    A quick look before a run; nothing is written.
    """
    config = flags.config_from(context.params)
    from dedup.peek import peek as peek_at

    seen = False
    for glimpse in peek_at(paths, config.read, posts):
        seen = seen or bool(glimpse.posts)
        if json:
            from dedup.report.visible import json_line

            _write_lines([json_line(glimpse.as_dict()).encode() + b"\n"])
        else:
            from dedup.report.glimpsed import print_glimpse

            print_glimpse(glimpse)
    if not seen and posts:
        _complain("no post could be read.")
        raise typer.Exit(REJECTED)


@app.command()
@_tidy
def formats(json: Json = False) -> None:
    """List the formats that are read."""
    from dedup.peek import formats as known_formats

    if json:
        _print_json([each._asdict() for each in known_formats()])
        return
    from dedup.report.glimpsed import print_formats

    print_formats(known_formats())


@app.command()
@_tidy
def verify(out: OutFolder, json: Json = False) -> None:
    """Check that an output is as it was written, that every post can be restored, and every copy found.

    Exits with 1 when something is wrong, and says in which file and at which record. Good before the
    original dump is deleted.
    """
    from dedup.verification import verify as verify_output

    found = verify_output(out)
    if json:
        import msgspec

        _print_json(msgspec.to_builtins(found))
    else:
        _write_lines(f"{line}\n".encode() for line in _verified_lines(found))
    if found.problem_count:
        raise typer.Exit(LIMIT)


def _verified_lines(found: Verified) -> Iterable[str]:
    from dedup.report.visible import visible_line

    for problem in found.problems:
        record = f", record {problem.record:,}" if problem.record else ""
        post = f", post {problem.post_id!r}" if problem.post_id is not None else ""
        yield visible_line(f"{problem.file}{record}{post}: {problem.what}")
    if found.problem_count > len(found.problems):
        yield f"… and {found.problem_count - len(found.problems):,} more"
    looked_at = f"{found.files:,} files, {found.posts:,} posts, {found.passages:,} removed passages"
    yield f"{looked_at}: {f'{found.problem_count:,} problems' if found.problem_count else 'all is well'}"


@app.command("eval")
@_tidy
def evaluate(
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="JSON lines of labelled quotes, pairs or clusters.")
    ],
    out: OutFolder,
    json: Json = False,
) -> None:
    """Show how good the detection was on a dump whose copies are known.

    TRUTH holds posts with their quotes ({"id", "text", "quotes": [{"start", "end", "src": {"post_id"}}]}),
    pairs of posts ({"a", "b", "duplicate"}) or clusters ({"cluster", "ids"}).
    """
    from dedup.evaluate import evaluate as evaluate_output

    scores = evaluate_output(truth, out)
    if json:
        _print_json(scores.as_dict())
        return
    from dedup.report.scored import print_scores

    print_scores(scores)


def _print_json(value: Any) -> None:
    from dedup.report.visible import json_line

    _write_lines([json_line(value, indent=2).encode() + b"\n"])


def _write_lines(lines: Iterable[bytes]) -> None:
    """Data goes out as UTF-8 whatever the terminal's locale says."""
    sys.stdout.flush()
    for line in lines:
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _write_page(path: Path, page: str, *, quiet: bool = False) -> None:
    data = page.encode("utf-8", "backslashreplace")
    _write_file(path, [data])
    if not quiet:
        from dedup.report.visible import visible_line

        print(f"{visible_line(str(path))}: {len(data) / 1000:,.0f} kB", file=sys.stderr)


def _write_file(path: Path, lines: Iterable[bytes]) -> None:
    """The file appears, or replaces another, only when it is complete."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with gone_when_stopped(unfinished):
            with unfinished.open("xb") as file:
                file.writelines(lines)
            unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror}).", where=str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)
