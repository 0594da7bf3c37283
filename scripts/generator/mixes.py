"""How often each phenomenon happens: evenly, to measure quality, or as on a real board, to measure speed."""

from __future__ import annotations

from dataclasses import dataclass

from .phenomena import PHENOMENA


@dataclass(frozen=True)
class Mix:
    """Shares and lengths of a made-up board."""

    actions: dict[str, float]
    """Relative frequency of each phenomenon."""
    languages: tuple[str, ...]
    english_share: float
    median_words: float
    spread: float
    least_words: int
    quote_words: float
    """Median length of a partial quote."""
    thread_posts: float
    alive_threads: int
    signed_authors: float
    compared_quotes: float
    """Share of the full quotes whose similarity with their source is computed: it takes time."""
    author_skew: float
    """How much the busiest authors write: 1 is evenly."""

    def language_share(self, name: str) -> float:
        others = len(self.languages) - 1
        return self.english_share if name == "en" else (1 - self.english_share) / max(1, others)


QUALITY = Mix(
    # Some can happen only now and then (code must be there to be pasted), so they are tried more often.
    actions=dict.fromkeys(PHENOMENA, 1.0)
    | {"plain": 5.0, "pasted_code": 2.0, "quote_of_quote": 1.5, "multi_quote": 1.5, "double_post": 2.0},
    languages=("en", "de", "ru", "he", "ar", "zh", "ja", "th"),
    english_share=0.3,
    median_words=60,
    spread=0.6,
    least_words=12,
    quote_words=26,
    thread_posts=14,
    alive_threads=6,
    signed_authors=0.25,
    compared_quotes=1.0,
    author_skew=4.0,
)

BENCH = Mix(
    actions={
        "plain": 46.0,
        "partial_quote": 18.0,
        "full_quote": 5.0,
        "quote_of_quote": 1.5,
        "multi_quote": 2.0,
        "interleaved": 1.2,
        "prefix_rewrapped": 1.0,
        "ellipsis": 0.4,
        "words_replaced_2": 0.4,
        "words_replaced_5": 0.4,
        "words_replaced_10": 0.2,
        "truncated": 0.3,
        "smart_quotes": 0.3,
        "mojibake_quote": 0.2,
        "translated_attribution": 0.2,
        "missing_source": 0.6,
        "typographic": 1.8,
        "mojibake": 1.0,
        "entities": 0.3,
        "odd_spaces": 0.3,
        "stock_phrase": 2.5,
        "code_listing": 0.7,
        "pasted_code": 0.3,
        "exact_duplicate": 1.7,
        "double_post": 1.0,
        "near_duplicate": 2.6,
        "repost": 0.4,
        "cross_thread_quote": 0.4,
        "short": 2.0,
        "empty": 0.1,
    },
    languages=("en", "de", "ru", "zh"),
    english_share=0.94,
    median_words=45,
    spread=1.05,
    least_words=3,
    quote_words=22,
    thread_posts=9,
    alive_threads=8,
    signed_authors=0.15,
    compared_quotes=0.1,
    author_skew=3.0,
)

MIXES = {"quality": QUALITY, "bench": BENCH}
