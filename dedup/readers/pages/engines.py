"""Which forum engine made a page."""

from __future__ import annotations

from collections.abc import Mapping

from dedup.readers.pages import (
    discourse,
    drupal,
    generic,
    invision,
    mybb,
    phpbb,
    smf,
    vbulletin,
    xenforo,
)
from dedup.readers.pages.page import Engine

ENGINES: tuple[Engine, ...] = (
    xenforo.ENGINE,
    discourse.ENGINE,
    vbulletin.ENGINE,
    smf.ENGINE,
    invision.ENGINE,
    mybb.ENGINE,
    phpbb.ENGINE_3,
    phpbb.ENGINE_2,
    drupal.ENGINE,
)
"""Asked in this order; the first that finds its tells reads the page."""

TELLS = tuple(tell for engine in ENGINES for tell in engine.tells)


def engine_of(found: Mapping[bytes, int]) -> Engine:
    """The engine that made a page in whose front these strings are, else the one for repeated blocks."""
    told = (engine for engine in ENGINES if not found.keys().isdisjoint(engine.tells))
    return next(told, generic.ENGINE)
