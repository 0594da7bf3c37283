"""The tables that flow through `dedup`, in flow order.

All offsets are half-open. Offsets into a post's text count Unicode code points and fit in int32;
positions of posts in the dump (`post`) are int64. Text columns are UTF-8 and never hold a lone
surrogate.

    read       POSTS, REJECTED
    normalize  NORMALIZED  = POSTS + clean text and the edits that lead to it
    decide     RESULTS     = what becomes of each post, with its edits
"""

from __future__ import annotations

import pyarrow as pa

MARK = pa.struct(
    [
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("author", pa.string()),  # whom the markup names, or null
        ("post_id", pa.string()),  # which post the markup names, or null
    ]
)
"""A stretch of raw text that the dump itself marks as a quote, with its tags."""

CHROME = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("why", pa.string())])
"""A stretch of raw text the reader knows to be no post text: separators, a title line, "Top"
(`page_chrome`); tags of a quote, inside its mark, which go with it (`quote_chrome`)."""

ESCAPE = pa.struct([("at", pa.int32()), ("raw", pa.string())])
"""A lone surrogate that became U+FFFD at `at`; `raw` is how the dump wrote it (`\\ud800`)."""

POSTS = pa.schema(
    [
        pa.field("id", pa.string()),  # the dump's own id, null where it has none
        pa.field("text", pa.string(), nullable=False),  # raw text
        pa.field("author", pa.string()),
        pa.field("thread_id", pa.string()),
        pa.field("parent_id", pa.string()),
        pa.field("title", pa.string()),
        pa.field("board", pa.string()),
        pa.field("created", pa.string()),  # as the dump writes it; parsed once per source in `order`
        pa.field("path", pa.string(), nullable=False),  # as given by the user ("-" for standard input)
        pa.field("record", pa.int64(), nullable=False),  # position in the file, from 1
        pa.field("encoding", pa.string(), nullable=False),  # what the bytes were decoded with
        pa.field("metadata", pa.string(), nullable=False),  # JSON object: all other fields, as they were
        pa.field("marks", pa.list_(MARK), nullable=False),
        pa.field("chrome", pa.list_(CHROME), nullable=False),
        pa.field("escapes", pa.list_(ESCAPE), nullable=False),
    ]
)

REJECTED = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("byte_start", pa.int64(), nullable=False),  # in the decompressed input
        pa.field("byte_end", pa.int64(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("bytes", pa.binary(), nullable=False),
    ]
)
"""A record that could not be read, with its bytes."""

CHANGE = pa.struct(
    [
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("new", pa.string()),
        ("why", pa.string()),  # encoding, whitespace, shortened or page_chrome
    ]
)
"""One replacement on the way from raw text to clean text, in raw offsets. Sorted, not overlapping."""

NORMALIZED = POSTS.append(pa.field("clean", pa.string(), nullable=False)).append(
    pa.field("changes", pa.list_(CHANGE), nullable=False)
)

EDIT = pa.struct(
    [
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("raw", pa.string()),
        ("new", pa.string()),
        ("why", pa.string()),
        ("source_id", pa.string()),  # the origin: kept text that holds the passage
        ("source_corpus", pa.string()),  # the earlier corpus that holds it, null where it is this one
        ("source_start", pa.int32()),  # in raw offsets of the source
        ("source_end", pa.int32()),
        ("via_id", pa.string()),  # the post actually quoted, when it is not the origin
        ("score", pa.float32()),  # share of the span's words that the source has, in order
        ("group", pa.int32()),  # spans of one quote share a number
        ("flags", pa.list_(pa.string())),  # same_author, across_threads, source_missing, source_lost …
    ]
)
"""One change of a post as provenance records it (`edits`), or a copy that stays (`kept_copies`)."""

RESULTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # unique in the whole dump
        pa.field("text", pa.string(), nullable=False),  # the final text; empty when dropped
        pa.field("author", pa.string()),
        pa.field("thread_id", pa.string()),
        pa.field("parent_id", pa.string()),
        pa.field("title", pa.string()),
        pa.field("board", pa.string()),
        pa.field("created", pa.string()),
        pa.field("path", pa.string(), nullable=False),
        pa.field("record", pa.int64(), nullable=False),
        pa.field("encoding", pa.string(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("escapes", pa.list_(ESCAPE), nullable=False),
        pa.field("action", pa.string(), nullable=False),  # keep, trim or drop
        pa.field("reason", pa.string()),  # the `why` that dropped the post
        pa.field("duplicate_of", pa.string()),
        pa.field("source_corpus", pa.string()),  # the earlier corpus that holds `duplicate_of`
        pa.field("similarity", pa.float32()),
        pa.field("cluster_id", pa.string()),  # joins posts that are copies of one another
        pa.field("raw_chars", pa.int32(), nullable=False),
        pa.field("clean_chars", pa.int32(), nullable=False),
        pa.field("raw_words", pa.int32(), nullable=False),
        pa.field("clean_words", pa.int32(), nullable=False),
        pa.field("raw_hash", pa.string(), nullable=False),  # xxh3_128 hex of the raw text in UTF-8
        pa.field("edits", pa.list_(EDIT), nullable=False),
        pa.field("kept_copies", pa.list_(EDIT), nullable=False),
    ]
)
"""What becomes of each post, one row an input post, in input order."""
