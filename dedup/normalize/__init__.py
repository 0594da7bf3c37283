"""Normalize: from raw text to clean text, every change an edit with its reason.

In this order: what the reader knows to be page chrome goes, broken encoding is repaired, white space is
made plain, and, if it is asked for, what loses something is done (`lossy`). Posts that need none of it,
or only plainer white space (most), never become Python objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dedup.config import Normalize
from dedup.normalize.edits import Change, apply, compose, split_at, to_clean
from dedup.normalize.gate import might_change
from dedup.normalize.lossy import is_lossy, simplify
from dedup.normalize.repair import repair
from dedup.normalize.whitespace import WHY, Tidied, tidy, tidy_all, untouched
from dedup.schema import CHANGE, NORMALIZED, POSTS

__all__ = ["keep_page_chrome", "normalize"]

QUOTE_CHROME = "quote_chrome"
MAX_ROUNDS = 3
"""How often a post is repaired at most. One change can bring up the next: a zero-width space gone from
the middle of mojibake, say."""


def normalize(posts: pa.RecordBatch, settings: Normalize) -> pa.RecordBatch:
    """Posts (schema POSTS) with their clean text and the changes that lead to it (schema NORMALIZED).

    Clean text holds no chrome, and normalizing it again changes nothing. With `settings.encoding` or
    `settings.whitespace` off, that part is left out.
    """
    raw = posts.column("text")
    drafts = {row: _Draft(raw[row].as_py(), cuts) for row, cuts in _chrome(posts.column("chrome"))}
    if settings.encoding:
        for row in np.flatnonzero(might_change(_with_drafts(raw, drafts), settings)).tolist():
            draft = drafts.get(row) or _Draft(raw[row].as_py())
            if draft.change(repair(draft.text, settings)):
                drafts[row] = draft
    texts = _with_drafts(raw, drafts)
    tidied = tidy_all(texts) if settings.whitespace else untouched(texts)
    for row, draft in drafts.items():
        draft.change(tidied.changes(row))
    if settings.encoding:
        changed = np.union1d(np.flatnonzero(np.diff(tidied.bounds)), np.array([*drafts], np.int64))
        again = might_change(tidied.texts.take(pa.array(changed)), settings)
        for row in changed[again].tolist():
            if row not in drafts:
                drafts[row] = _Draft(raw[row].as_py())
                drafts[row].change(tidied.changes(row))
            _settle(drafts[row], settings)
    if is_lossy(settings):
        for row, text in enumerate(_with_drafts(tidied.texts, drafts).to_pylist()):
            if simplify(text, settings):
                if row not in drafts:
                    drafts[row] = _Draft(raw[row].as_py())
                    drafts[row].change(tidied.changes(row))
                _simplify(drafts[row], settings)
    clean = _with_drafts(tidied.texts, drafts)
    changes = _changes(tidied, {row: draft.changes for row, draft in drafts.items()})
    return pa.RecordBatch.from_arrays([*posts.columns, clean, changes], schema=NORMALIZED)


class _Draft:
    """A post that goes through Python: its text so far, and the changes that led to it."""

    def __init__(self, raw: str, chrome: Iterable[Change] = ()) -> None:
        self._raw = self.text = raw
        self.changes: list[Change] = []
        # Where chrome was. No later change may reach across, or it would swallow the chrome's edit.
        self._cuts = np.empty(0, np.int64)
        chrome = list(chrome)
        if self.change(chrome):
            self._cuts = to_clean(np.array([cut.start for cut in chrome]), chrome, "end")

    def change(self, changes: list[Change]) -> bool:
        """Make changes to the text as it is now; False if there are none."""
        if not changes:
            return False
        if len(self._cuts):
            changes = split_at(changes, self._cuts.tolist())
            self._cuts = to_clean(self._cuts, changes, "end")
        self.text = apply(self.text, changes)
        self.changes = [change for change, _ in compose(self.changes, changes, self._raw)]
        return True


def _settle(draft: _Draft, settings: Normalize) -> None:
    """Repair and tidy again until nothing changes."""
    for _ in range(MAX_ROUNDS - 1):
        if not draft.change(repair(draft.text, settings)):
            return
        if settings.whitespace:
            draft.change(tidy(draft.text))


def keep_page_chrome(posts: pa.RecordBatch) -> pa.RecordBatch:
    """The same posts (schema POSTS), for whose page chrome nobody asks to be deleted."""
    spans = posts.column("chrome")
    owners, kept = pc.list_parent_indices(spans), pc.equal(pc.list_flatten(spans).field("why"), QUOTE_CHROME)
    offsets = np.searchsorted(owners.filter(kept).to_numpy(), np.arange(posts.num_rows + 1)).astype(np.int32)
    column = pa.ListArray.from_arrays(pa.array(offsets), pc.list_flatten(spans).filter(kept))
    return posts.set_column(posts.schema.get_field_index("chrome"), POSTS.field("chrome"), column)


def _simplify(draft: _Draft, settings: Normalize) -> None:
    """Make the changes that lose something, and those they call for, until nothing changes."""
    for _ in range(MAX_ROUNDS):
        steps = simplify(draft.text, settings)
        if not steps:
            return
        for changes in steps:
            draft.change(changes)
        if settings.whitespace:
            draft.change(tidy(draft.text))
        if settings.encoding:
            _settle(draft, settings)


def _chrome(spans: pa.ListArray) -> Iterable[tuple[int, list[Change]]]:
    """The deletions a reader asks for, by row: sorted and without overlap, whatever the reader gave.

    What belongs to a quote is decided on with the quote.
    """
    goes = pc.not_equal(pc.list_flatten(spans).field("why"), QUOTE_CHROME)
    for row in pc.unique(pc.list_parent_indices(spans).filter(goes)).to_pylist():
        cuts: list[Change] = []
        done = 0
        for span in sorted(spans[row].as_py(), key=lambda span: (span["start"], span["end"])):
            start = max(span["start"], done)
            if start < span["end"] and span["why"] != QUOTE_CHROME:
                cuts.append(Change(start, span["end"], "", span["why"]))
                done = span["end"]
        yield row, cuts


def _with_drafts(texts: pa.StringArray, drafts: Mapping[int, _Draft]) -> pa.StringArray:
    if not drafts:
        return texts
    rows = sorted(drafts)
    mask = np.zeros(len(texts), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(
        texts, pa.array(mask), pa.array([drafts[row].text for row in rows], pa.string())
    )


def _changes(tidied: Tidied, drafted: Mapping[int, list[Change]]) -> pa.ListArray:
    """The column `changes`: those of white space, except in the rows of `drafted`, which bring their own."""
    whys = pa.repeat(pa.scalar(WHY), len(tidied.starts))
    plain = _listed(tidied.bounds, tidied.starts, tidied.ends, tidied.news, whys)
    if not drafted:
        return plain
    rows = sorted(drafted)
    bounds = np.cumsum([0, *(len(drafted[row]) for row in rows)])
    columns = zip(*(change for row in rows for change in drafted[row]), strict=True)
    own = _listed(bounds, *([*columns] or [()] * CHANGE.num_fields))
    order = np.arange(len(plain))
    order[rows] = len(plain) + np.arange(len(rows))
    return pa.concat_arrays([plain, own]).take(pa.array(order))


def _listed(bounds: Any, *columns: Any) -> pa.ListArray:
    """Lists of changes: `bounds[row]:bounds[row + 1]` of the columns, which are those of CHANGE."""
    arrays = [pa.array(column, field.type) for column, field in zip(columns, CHANGE, strict=True)]
    changes = pa.StructArray.from_arrays(arrays, fields=[*CHANGE])
    return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), changes, type=pa.list_(CHANGE))
