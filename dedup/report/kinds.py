"""The reasons text is changed for (`why` in provenance), by what they mean for a ratio."""

from __future__ import annotations

COPIES = ("exact_duplicate", "near_duplicate", "repost", "quote")
REMOVALS = (*COPIES, "boilerplate", "quote_chrome", "page_chrome", "empty")
REPAIRS = ("encoding", "whitespace", "shortened")
OTHERWISE = ("signatures_that_stay", "stock_text_that_went")
"""What of an earlier corpus would be otherwise, had it been cleaned together with a later dump: what turned
out to be a signature only then, and what turned out to be stock text, which no run removes."""
