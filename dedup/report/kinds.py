"""The reasons text is changed for (`why` in provenance), by what they mean for a ratio."""

from __future__ import annotations

COPIES = ("exact_duplicate", "near_duplicate", "repost", "quote")
REMOVALS = (*COPIES, "boilerplate", "quote_chrome", "page_chrome", "empty")
REPAIRS = ("encoding", "whitespace", "shortened")
