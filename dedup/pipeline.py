"""The whole flow: read, normalize, find quotes, pair up, decide, write, report.

From a scraped forum dump to a corpus in which every passage stands once, where it was first said. The
posts of all inputs are read and normalized block by block; copied passages are found within threads and
across them; what is left is compared for near-duplicates; every post is decided on in order; corpus,
provenance and report are written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import kernels, memo, outputs
from dedup.claim import Claim, claim
from dedup.clock import Clock, Watch, unwatched
from dedup.config import Config, Read
from dedup.decide import ACTIONS, NO_REASON, WHYS, Decisions, Policy, in_input_order, settle
from dedup.decided import Decided, read_decided, write_decided
from dedup.earlier import Earlier, count_overlap, find_earlier, recount
from dedup.engines.base import Engine, StartEngine
from dedup.engines.local import on_this_machine
from dedup.index import Index, index_posts
from dedup.keep import swap_survivors
from dedup.match import pair_up
from dedup.match.exact import SHORT_WORDS
from dedup.normalize import keep_page_chrome, normalize
from dedup.order import month_names
from dedup.progress import Progress, Silent
from dedup.quotes.find import align_pairs, find_passages, protect
from dedup.quotes.spans import Passages, join
from dedup.quotes.within import count_own
from dedup.readers import Block, Inputs, Source, find_sources, group_blocks, parse_blocks, read_blocks
from dedup.readers.sources import STANDARD_INPUT, InputFile, size_of
from dedup.readers.stores import is_address
from dedup.removed import read_removed
from dedup.report.ratios import Ratios
from dedup.results import Task, make_results, make_tasks
from dedup.scratch import check_room
from dedup.stage import Stage, holds_posts, read_rejects, write_block, write_rejects
from dedup.stopping import temporary_folder
from dedup.trace import ROW_COLUMNS
from dedup.upload import Upload, find_upload
from dedup.writers import Encoded, RejectedWriter, ResultsWriter, encode_jsonl
from dedup.writers.atomic import WORK_FOLDER

BLOCK_BYTES = 8 << 20
"""Input that one reading task takes, at most; changes no byte of the output."""
_BLOCKS_EACH = 8
"""So many tasks for each worker where the input is small, so that none waits long for another's last."""


class ReadBlock(NamedTuple):
    """What was made of a group of blocks: a folder of the work folder, None where there are no posts; the
    rejects; the bytes there were."""

    name: str | None
    rejects: pa.RecordBatch
    size: int


class Summary(NamedTuple):
    """What a run did: where (a folder here, or an address), the content of report.json, rejected records, the
    content of run.json."""

    out: Path | str
    report: dict[str, Any]
    rejected: int
    run: dict[str, Any]


def clean(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    config: Config | None = None,
    *,
    against: Sequence[str | os.PathLike[str]] = (),
    reference: Sequence[str | os.PathLike[str]] = (),
    force: bool = False,
    work: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    engine: StartEngine = on_this_machine,
) -> Summary:
    """Clean dumps into `out`, a folder or an address: corpus, provenance, rejected records, manifest, report.

    paths: files, folders, globs, addresses (see `readers.stores`), or "-" for standard input. A run that
    was stopped, given again, goes on where it was. against: outputs of earlier runs; reference: any
    other input. What stands in them is taken out of the dump, and they stay as they are. force: replace
    what an earlier run wrote in `out`. work: the folder below which the run has its own, where `out` is an
    address; else the current one. engine: what runs the steps, as
    `engines.spark.on_spark()`; changes no byte. Raises InputError for a path that does not exist, or whose
    content changes meanwhile, OutputError for a folder that cannot or must not be written or read,
    ConfigError for settings that cannot be.
    """
    config, progress = config or Config(), progress or Silent()
    upload = find_upload(os.fspath(out), work)
    folder = Path(out) if upload is None else upload.folder
    earlier = find_earlier(against, reference)
    sources = [
        source for given in (*(corpus.paths for corpus in earlier), paths) for source in find_sources(given)
    ]
    inputs = [*(shard for corpus in earlier for shard in corpus.provenance), *(s.path for s in sources)]
    check_room(folder, sources)
    names, address = [corpus.name for corpus in earlier], None if upload is None else upload.address
    with claim(folder, force=force, inputs=inputs, earlier=names, config=config, address=address) as claimed:
        if upload is not None:
            upload.begin(inputs, force=force, resumed=claimed.resumed)
        if claimed.resumed:
            progress.note(f"Going on with the run that was stopped in {folder}.")
        compile_kernels(progress.note)
        # its time is that of the run, as all later ones have it
        clock, size = Clock(progress), _size_of(sources)
        return run(paths, folder, config, clock, claimed, earlier, size, engine, upload)


def run(
    paths: Sequence[str | os.PathLike[str]],
    out: Path,
    config: Config,
    clock: Clock,
    claimed: Claim,
    earlier: Sequence[Earlier] = (),
    input_bytes: int | None = None,
    start: StartEngine = on_this_machine,
    upload: Upload | None = None,
) -> Summary:
    """The flow itself, into a folder that is ready for it. input_bytes: of all inputs, where known."""
    inputs, before = Inputs(), [Inputs() for _ in earlier]
    work = (out / WORK_FOLDER).absolute()  # a worker may be in another folder
    with start(work, config.run) as engine:
        rejected = RejectedWriter(out, config.write)
        with clock.stage("read", input_bytes, "bytes") as stage_bar:
            share = BLOCK_BYTES if input_bytes is None else input_bytes // (_BLOCKS_EACH * engine.workers)
            take = partial(
                read,
                work=work,
                engine=engine,
                block_bytes=min(BLOCK_BYTES, max(BLOCK_BYTES // 4, share)),
                rejected=rejected,
                advance=stage_bar.advance,
            )
            names: list[str] = []
            corpora: list[str] = []
            removed: list[tuple[str, str]] = []
            # how the dump is to be read says nothing of what was there before
            plainly = msgspec.structs.replace(config, read=Read())
            for corpus, seen in zip(earlier, before, strict=True):
                names += take(corpus.paths, config=plainly, inputs=seen)
                corpora += [corpus.name] * (len(names) - len(corpora))
                step = partial(read_removed, work=work, settings=config.normalize)
                for name, shard in engine.map_batches(step, corpus.provenance):
                    removed.append((corpus.name, name))
                    seen.files.append(shard)
                corpus.check_sums(seen.files)
            names += take(paths, config=config, inputs=inputs)
            stage = Stage(work, names, corpora, removed)
        claimed.check_inputs()
        decided = decide_or_recall(stage, config, engine, clock)
        first = int(decided.blocks[len(corpora)])
        with clock.stage("write", len(decided.decisions.action) - first, "posts") as stage_bar:
            tasks = make_tasks(
                stage,
                decided.blocks,
                decided.offsets,
                decided.decisions,
                decided.ids,
                decided.answers,
                config.decide.quotes == "mark",
                engine.map_kernels,
            )
            months = (decided.months[begin:end] for begin, end in pairwise(decided.blocks[len(corpora) :]))
            writer, ratios = write(tasks, months, out, config, engine, stage_bar.advance)
            files = [*writer.close(), *rejected.close()]
    counts = count(decided.decisions, first, rejected.records)
    report = ratios.as_dict(rejected.records)
    if earlier:
        report["against"] = count_overlap([corpus.name for corpus in earlier], stage, decided)
    del decided, tasks, months  # mapped files would outlive the work folder on a network's disk
    files.append(outputs.write_json(out, "report.json", report))
    if upload is not None:
        with clock.stage("upload", sum(file.bytes for file in files), "bytes") as stage_bar:
            upload.upload(files, stage_bar.advance)
    facts = clock.facts(engine.workers, sum(file.bytes for file in inputs.files))
    outputs.write_facts(out, facts)
    outputs.write_manifest(
        out,
        inputs=_listed(inputs),
        config=config,
        counts=counts,
        outputs=files,
        types=writer.type_plan,
        against=[
            outputs.EarlierCorpus(corpus.name, _listed(seen))
            for corpus, seen in zip(earlier, before, strict=True)
        ],
        finish=None if upload is None else upload.finish,
    )
    return Summary(out if upload is None else upload.address, report, rejected.records, facts)


def compile_kernels(note: Callable[[str], None]) -> None:
    """Compile all kernels where no run on this machine has: here, once, and not in each worker."""
    if kernels.are_compiled():
        return
    note("Compiling kernels: the first run on a machine takes a minute or two longer.")
    with temporary_folder("dedup-compile-") as folder:
        dump, out = kernels.write_dump(folder), folder / "out"
        with claim(out) as claimed:
            run([dump], out, Config().with_settings({"run": {"workers": 1}}), Clock(Silent()), claimed)
    kernels.remember()


def read(
    paths: Sequence[str | os.PathLike[str]],
    work: Path,
    config: Config,
    engine: Engine,
    inputs: Inputs,
    rejected: RejectedWriter,
    block_bytes: int,
    advance: Any,
) -> list[str]:
    """Read, normalize and tokenize inputs into the work folder, but what is there from before.

    The names of the blocks, in order.
    """
    names: list[str] = []
    for name, rejects, size in _read_all(paths, work, config, engine, block_bytes, inputs):
        rejected.write(rejects)
        advance(size)
        if name is not None:
            names.append(name)
    return names


def _read_all(
    paths: Sequence[str | os.PathLike[str]],
    work: Path,
    config: Config,
    engine: Engine,
    block_bytes: int,
    inputs: Inputs,
) -> Iterator[ReadBlock]:
    """Every block of the inputs, in order."""
    sources = [source.path for source in find_sources(paths)] if engine.shared else []
    # what is a path here need be none elsewhere; an address is one everywhere
    if sources and len(sources) >= engine.parts and all(map(is_address, sources)):
        for blocks, files in engine.map_batches(partial(read_source, work=work, config=config), sources):
            inputs.files += files
            yield from blocks
    else:
        groups = group_blocks(read_blocks(paths, config.read, block_bytes, inputs), block_bytes)
        yield from engine.map_batches(partial(read_one, work=work, config=config), groups)


def read_source(path: str, work: Path, config: Config) -> tuple[list[ReadBlock], list[InputFile]]:
    """A whole input, as `read_one` does one block after the other; and what it was."""
    inputs = Inputs()
    groups = group_blocks(read_blocks([path], config.read, BLOCK_BYTES, inputs), BLOCK_BYTES)
    return [read_one(group, work, config) for group in groups], inputs.files


def read_one(blocks: list[Block], work: Path, config: Config) -> ReadBlock:
    """A group of blocks of input → normalized posts and words in a folder of the work folder."""
    name, size = memo.name_of("block", config.as_dict(), blocks), sum(len(block.data) for block in blocks)
    if memo.is_kept(work / name):
        rejects = read_rejects(work / name)
        return ReadBlock(name if holds_posts(work / name) else None, rejects, size)
    posts, rejects = parse_blocks(blocks, config.read)
    if config.decide.page_chrome == "keep":
        posts = keep_page_chrome(posts)

    def fill(folder: Path) -> None:
        write_rejects(folder, rejects)
        if posts.num_rows:
            write_block(folder, normalize(posts, config.normalize))

    memo.keep(work / name, fill)
    return ReadBlock(name if posts.num_rows else None, rejects, size)


def decide_or_recall(stage: Stage, config: Config, engine: Engine, clock: Clock) -> Decided:
    """What becomes of all posts; kept, so that a run killed while it writes has only that left to do."""
    name = memo.name_of("decided", config.as_dict(), stage.names, stage.corpora, stage.removed)
    folder = stage.folder / name
    if not memo.is_kept(folder):
        _decide_all(folder, stage, config, engine, clock)
    return read_decided(folder)  # the index is gone by now


def _decide_all(folder: Path, stage: Stage, config: Config, engine: Engine, clock: Clock) -> None:
    index, ids = index_posts(stage, config, engine, clock.stage)
    passages = find_passages(index, config.quotes, engine, clock.stage)
    passages = resemble(index, passages, config, engine, clock.stage)
    with clock.stage("decide", None, "posts"):
        recounted = recount(stage, index, passages)
        decisions = decide(index, passages, config)
        decided = Decided(
            index.blocks, index.input_offsets, index.months, index.answers, decisions, recounted, ids
        )
        memo.keep(folder, partial(write_decided, decided=decided))


def resemble(
    index: Index, passages: Passages, config: Config, engine: Engine, watch: Watch = unwatched
) -> Passages:
    """Add what near-duplicates have in common, found by signatures of what is left of the posts."""
    # what is shorter was compared as a whole text: "+1" is nobody's near-duplicate
    active = (index.stands_for == np.arange(len(index.rank))) & ~index.empty
    some = np.flatnonzero(active)
    active[some] = count_own(some, index.offsets, index.info, index.state) >= SHORT_WORDS
    with watch("match", int(active.sum()), "posts") as bar:
        pairs = pair_up(
            index.offsets,
            index.hashes,
            index.state,
            index.rank,
            active,
            config.match,
            engine.map_parts,
            engine.map_rows,
            index.scratch.zeros,
            bar.advance,
        )
        return join([passages, align_pairs(index, pairs, config.quotes)], index.scratch.zeros)


def decide(index: Index, passages: Passages, config: Config) -> Decisions:
    """Decide on every post, in order; the decisions stand in input order."""
    settings = config.decide
    passages = protect(index, passages, settings.protect_phrases)
    policy = Policy(
        quotes=settings.quotes != "keep",
        reposts=settings.reposts == "remove",
        near=settings.near == "remove",
        exact=settings.exact == "remove",
        boilerplate=settings.boilerplate == "remove",
        code=settings.code == "remove",
        quote_chrome=settings.quote_chrome == "remove",
        threshold=config.match.threshold,
        shingle_words=config.match.shingle_words,
        across_min_words=config.quotes.across_min_words,
    )
    posts, zeros = len(index.rank), index.scratch.zeros
    likely = 2 * len(passages.spans) + posts // 8 + 64  # rows, stretches and pieces; more are held in memory
    action, reason = zeros(posts, np.uint8), zeros(posts, np.uint8)
    similarity = zeros(posts, np.float32)
    duplicate_of, copy_of = zeros(posts, np.int64), zeros(posts, np.int64)
    rows = settle(
        index.order,
        index.offsets,
        index.hashes,
        index.info,
        index.state,
        index.authors,
        index.threads.thread_of,
        passages.spans,
        np.searchsorted(passages.spans[:, 0], np.arange(len(index.rank) + 1)),
        passages.runs,
        index.marks.offsets,
        index.marks.spans,
        index.stands_for,
        index.empty,
        index.protected,
        policy,
        action,
        reason,
        duplicate_of,
        similarity,
        copy_of,
        zeros((posts, 2), np.int64),
        zeros((posts, 2), np.int64),
        zeros((likely, ROW_COLUMNS), np.int64),
        zeros((likely, 3), np.int64),
        zeros((likely, 5), np.int64),
    )
    decisions = Decisions(action, reason, duplicate_of, similarity, copy_of, rows)
    return in_input_order(swap_survivors(decisions, index, config), index)


def write(
    tasks: Iterable[Task],
    months: Iterable[NDArray[np.int32]],
    out: Path,
    config: Config,
    engine: Engine,
    advance: Any,
) -> tuple[ResultsWriter, Ratios]:
    """Results of all blocks, written in order; ratios on the way."""
    writer, ratios = ResultsWriter(out, config.write), Ratios()
    step = partial(write_one, as_lines=config.write.output_format == "jsonl")
    for results, lines, counted in engine.map_batches(step, zip(tasks, months, strict=True)):
        if results is not None:
            writer.write(results)
            posts = results.num_rows
        elif lines is not None:
            writer.write_encoded(lines)
            posts = lines.provenance.records
        ratios.merge(counted)
        advance(posts)
    return writer, ratios


def write_one(
    block: tuple[Task, NDArray[np.int32]], as_lines: bool
) -> tuple[pa.RecordBatch | None, Encoded | None, Ratios]:
    """The results of one block, or lines of corpus and provenance if so wanted, and what they count."""
    task, months = block
    batch, ratios = make_results(task), Ratios()
    ratios.add(batch, month_names(months))
    return (None, encode_jsonl(batch), ratios) if as_lines else (batch, None, ratios)


def _size_of(sources: Sequence[Source]) -> int | None:
    """The bytes there are to read; None where the size of a file says little of what is in it."""
    if any(source.path == STANDARD_INPUT or source.is_packed for source in sources):
        return None
    return sum(size_of(source.path) for source in sources)


def _listed(inputs: Inputs) -> list[outputs.InputFile]:
    return [outputs.InputFile(file.path, file.sha256, file.bytes) for file in inputs.files]


def count(decisions: Decisions, first: int, rejected: int) -> dict[str, Any]:
    """The manifest's counts, of the posts from `first`."""
    action, reason = decisions.action[first:], decisions.reason[first:]
    actions = np.bincount(action, minlength=len(ACTIONS)).tolist()
    reasons = np.bincount(reason[reason != NO_REASON]).tolist()
    return {
        "posts": len(action),
        **dict(zip(ACTIONS, actions, strict=True)),
        "reasons": {WHYS[code]: posts for code, posts in enumerate(reasons) if posts},
        "rejected": rejected,
    }
