"""Which forum engine made a page."""

from __future__ import annotations

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
from dedup.readers.pages.needles import Needles
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

_HEAD_BYTES = 1 << 16
_TELLS = Needles([tell for engine in ENGINES for tell in engine.tells])


def engine_of(data: bytes) -> Engine:
    """The engine that made a page, else the one that looks for repeated blocks."""
    found = _TELLS.first_places(data[:_HEAD_BYTES])
    told = (engine for engine in ENGINES if not found.keys().isdisjoint(engine.tells))
    return next(told, generic.ENGINE)
