"""What people do in a forum: one function for each, from the board's state to a draft.

A function gives None when it cannot happen here (a thread's first post cannot quote); the post is then
a plain one. Names are those in `kinds.jsonl`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import noise
from .draft import Draft, Said, Span
from .listing import corrected, listing

if TYPE_CHECKING:
    from .board import Board, Thread

Action = Callable[["Board", "Thread", str], Draft | None]
PHENOMENA: dict[str, Action] = {}

NEAR_SIMILARITIES = (0.95, 0.9, 0.85, 0.8, 0.77, 0.73, 0.67, 0.6, 0.5)
EMPTY_TEXTS = ("", "[deleted]", "[removed]", " \n")
OMISSIONS = (" [...] ", " ... ", "\n[…]\n", " (…) ")


def _phenomenon(action: Action) -> Action:
    PHENOMENA[action.__name__] = action
    return action


def _copy(
    board: Board,
    thread: Thread,
    draft: Draft,
    source: Said,
    span: Span,
    *,
    passage: str | None = None,
    score: float = 100.0,
    named_share: float = 0.55,
    language: str | None = None,
) -> None:
    """A quote with a line that names its author, a bare "Quote:" line, or nothing before it."""
    roll = board.random()
    named = roll < named_share
    header = None
    if named:
        header = board.attribution(thread, source.author, language)
    elif roll < named_share + 0.1:
        header = board.language(thread).bare_header
    draft.kinds.append("attributed" if named else "unmarked")
    if draft.parts:
        draft.put("\n\n")
    draft.copy(source, span, attribution=header, named=named, passage=passage, score=score)


def _reply(
    board: Board, thread: Thread, author: str, words: float, least: int
) -> tuple[Draft, Said, Span] | None:
    """A new draft, somebody to answer and a passage of at least so many words of theirs."""
    source = board.pick_recent(thread, author)
    if source is None:
        return None
    span = board.excerpt(thread, source, board.words(words, 0.8, least))
    if span[1] - span[0] < least * board.language(thread).word_chars * 0.6:
        return None
    return Draft(), source, span


def say_something(board: Board, thread: Thread) -> Draft:
    """What anybody can do at any time."""
    draft = Draft()
    draft.say(board.own_text(thread))
    return draft


@_phenomenon
def plain(board: Board, thread: Thread, author: str) -> Draft | None:
    return say_something(board, thread)


@_phenomenon
def partial_quote(board: Board, thread: Thread, author: str) -> Draft | None:
    reply = _reply(board, thread, author, board.mix.quote_words, 4)
    if reply is None:
        return None
    draft, source, span = reply
    _copy(board, thread, draft, source, span)
    draft.say(board.own_text(thread))
    return draft


@_phenomenon
def full_quote(board: Board, thread: Thread, author: str) -> Draft | None:
    """All of a post, the answer below. The answer is no duplicate, however similar the posts are."""
    plain_posts = [said for said in thread.recent if not said.quotes and said.author != author]
    if not plain_posts:
        return None
    source, draft = plain_posts[-1 - int(board.random() * min(4, len(plain_posts)))], Draft()
    _copy(board, thread, draft, source, (source.own[0][0], source.body_end), named_share=0.4)
    draft.say(board.own_text(thread))
    if board.random() < board.mix.compared_quotes:
        draft.pairs.append((source, "full_quote"))
    return draft


@_phenomenon
def quote_of_quote(board: Board, thread: Thread, author: str) -> Draft | None:
    for source in reversed(thread.recent):
        first = source.quotes[0] if source.quotes else None
        if (
            first is not None
            and first.src is not None
            and source.author != author
            and first.level == 1
            and max(quote.level for quote in source.quotes) < 3
            and any(span[0] >= first.end for span in source.own)
        ):
            draft = Draft()
            named = board.random() < 0.7
            draft.kinds.append("attributed" if named else "unmarked")
            draft.copy_nested(source, board.attribution(thread, source.author) if named else None, named)
            draft.say(board.own_text(thread))
            return draft
    return None


@_phenomenon
def multi_quote(board: Board, thread: Thread, author: str) -> Draft | None:
    """Two or three posts answered one after the other."""
    draft, answered = Draft(), set[str]()
    for _ in range(3):
        source = board.pick_recent(thread, author)
        if source is not None and source.id not in answered:
            answered.add(source.id)
            span = board.excerpt(thread, source, board.words(board.mix.quote_words, 0.7, 6))
            _copy(board, thread, draft, source, span)
            draft.say(board.own_text(thread))
    return draft if len(answered) > 1 else None


def _thirds(board: Board, thread: Thread, source: Said) -> list[Span] | None:
    """Two or three passages of a post in order, with something left out between them."""
    low, high = source.longest_own()
    count = 3 if high - low > 120 * board.language(thread).word_chars else 2
    if high - low < 30 * board.language(thread).word_chars:
        return None
    step = (high - low) // count
    spans = [
        board.excerpt(
            thread,
            source,
            int(step / board.language(thread).word_chars * 0.6),
            (low + i * step, low + (i + 1) * step),
        )
        for i in range(count)
    ]
    if board.language(thread).spaced:
        spans = [_whole_words(source.text, span) for span in spans]
    return [span for span in spans if span[1] > span[0]]


def _whole_words(text: str, span: Span) -> Span:
    """The span without the halves of words at its ends."""
    start, end = span
    while start < end and start > 0 and not text[start - 1].isspace():
        start += 1
    while end > start and end < len(text) and not text[end].isspace():
        end -= 1
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


@_phenomenon
def interleaved(board: Board, thread: Thread, author: str) -> Draft | None:
    """A post taken apart, each part answered."""
    source = board.pick_recent(thread, author)
    spans = _thirds(board, thread, source) if source else None
    if source is None or not spans:
        return None
    draft = Draft()
    for i, span in enumerate(spans):
        _copy(board, thread, draft, source, span, named_share=0.7 if i == 0 else 0.0)
        draft.say(board.own_text(thread))
    return draft


@_phenomenon
def ellipsis(board: Board, thread: Thread, author: str) -> Draft | None:
    """One quote with something left out."""
    source = board.pick_recent(thread, author)
    spans = _thirds(board, thread, source) if source else None
    if source is None or not spans:
        return None
    draft = Draft()
    named = board.random() < 0.5
    draft.kinds.append("attributed" if named else "unmarked")
    draft.copy(
        source, spans[0], attribution=board.attribution(thread, source.author) if named else None, named=named
    )
    for span in spans[1:]:
        begin = draft.length
        draft.put(board.pick(OMISSIONS))
        draft.copy(source, span, named=named, block_start=begin)
    draft.say(board.own_text(thread))
    return draft


def _noisy(name: str, words: float, change: Callable[[Board, Thread, str], tuple[str, float]]) -> None:
    """Register a partial quote whose text changes on the way; `change` gives the copy and its score."""

    def action(board: Board, thread: Thread, author: str) -> Draft | None:
        reply = _reply(board, thread, author, words, 12)
        if reply is None:
            return None
        draft, source, span = reply
        passage, score = change(board, thread, source.text[span[0] : span[1]])
        _copy(board, thread, draft, source, span, passage=passage, score=score)
        draft.say(board.own_text(thread))
        return draft

    PHENOMENA[name] = action


def _replace(share: float) -> Callable[[Board, Thread, str], tuple[str, float]]:
    def change(board: Board, thread: Thread, passage: str) -> tuple[str, float]:
        stream, spaced = board.streams[thread.language], board.language(thread).spaced
        words = len(passage.split()) if spaced else len(passage)
        count = max(1, round(words * share))
        copy = noise.replace_words(passage, count, spaced, stream.word, board.draw)
        return copy, round(100 * (1 - count / words), 1)

    return change


def _cut(board: Board, thread: Thread, passage: str) -> tuple[str, float]:
    """Broken off in the middle of a word."""
    end = len(passage) - 2
    while end > 1 and not (passage[end - 1].isalnum() and passage[end].isalnum()):
        end -= 1
    return passage[:end] + "...", 99.0


_noisy(
    "prefix_rewrapped",
    60,
    lambda board, thread, text: (noise.rewrap(text, board.language(thread).spaced), 100.0),
)
_noisy("smart_quotes", 40, lambda board, thread, text: (noise.curl(text, board.draw), 100.0))
_noisy("mojibake_quote", 40, lambda board, thread, text: (noise.mojibake(text, board.draw), 99.0))
_noisy("entity_quote", 40, lambda board, thread, text: (noise.entities(text, board.draw), 99.0))
_noisy("odd_space_quote", 40, lambda board, thread, text: (noise.odd_spaces(text, board.draw), 100.0))
_noisy("words_replaced_2", 80, _replace(0.02))
_noisy("words_replaced_5", 60, _replace(0.05))
_noisy("words_replaced_10", 50, _replace(0.10))
_noisy("truncated", 50, _cut)


@_phenomenon
def translated_attribution(board: Board, thread: Thread, author: str) -> Draft | None:
    """The reader's forum software speaks another language than the thread."""
    reply = _reply(board, thread, author, board.mix.quote_words, 6)
    others = [name for name in ("en", "de", "ru", "zh", "ja", "he") if name != thread.language]
    if reply is None:
        return None
    draft, source, span = reply
    _copy(board, thread, draft, source, span, named_share=1.0, language=board.pick(others))
    draft.say(board.own_text(thread))
    return draft


@_phenomenon
def missing_source(board: Board, thread: Thread, author: str) -> Draft | None:
    """A quote of a post that is not in the dump; others of the thread quote the same one."""
    if thread.absent is None:
        gone = board.pick(thread.crew) + "_gone"
        thread.absent = gone, board.streams[thread.language].text(board.words(40, 0.4, 20))
    gone, passage = thread.absent
    draft = Draft()
    named = board.random() < 0.6
    draft.copy_absent(passage, gone if named else None, board.attribution(thread, gone) if named else None)
    draft.say(board.own_text(thread))
    return draft


def _own_noise(name: str, change: Callable[[str, Board], str]) -> None:
    """Register a plain post whose text was damaged on the way into the dump."""

    def action(board: Board, thread: Thread, author: str) -> Draft | None:
        draft = Draft()
        draft.say(change(board.own_text(thread, 12), board))
        # Nobody quotes it, so that each kind of damage is measured on its own.
        draft.quotable = False
        return draft

    PHENOMENA[name] = action


_own_noise("typographic", lambda text, board: noise.curl(text, board.draw))
_own_noise("mojibake", lambda text, board: noise.mojibake(text, board.draw))
_own_noise("entities", lambda text, board: noise.entities(text, board.draw))
_own_noise("odd_spaces", lambda text, board: noise.odd_spaces(text, board.draw))


@_phenomenon
def stock_phrase(board: Board, thread: Thread, author: str) -> Draft | None:
    """Own words with a phrase that everybody uses: no quote."""
    draft = Draft()
    language = board.language(thread)
    phrase = board.pick(language.stock) + language.stop.strip()
    draft.say(board.own_text(thread))
    draft.say(phrase[:1].upper() + phrase[1:])
    return draft


@_phenomenon
def code_listing(board: Board, thread: Thread, author: str) -> Draft | None:
    draft = Draft()
    draft.say(board.own_text(thread))
    draft.put_code(listing(board.draw))
    draft.say(board.own_text(thread))
    return draft


@_phenomenon
def pasted_code(board: Board, thread: Thread, author: str) -> Draft | None:
    """Somebody's listing again, corrected: an answer, not a quote."""
    for source in reversed(thread.recent):
        if source.code is not None and source.author != author:
            draft = Draft()
            draft.say(board.own_text(thread))
            draft.copy_code(source, corrected(source.text[slice(*source.code)], board.draw))
            return draft
    return None


@_phenomenon
def exact_duplicate(board: Board, thread: Thread, author: str) -> Draft | None:
    """The same post again in another thread, mostly by the same author."""
    source = board.pick_older(thread)
    if source is None:
        return None
    # Somebody else's copy would not carry the signature.
    same = source.signature is not None or board.random() < 0.7
    draft = Draft(author=source.author if same else author, finished=True, signature=source.signature)
    draft.put(source.text)
    draft.pairs.append((source, "exact"))
    return draft


@_phenomenon
def double_post(board: Board, thread: Thread, author: str) -> Draft | None:
    """The button pressed twice."""
    source = thread.last
    if source is None or not source.own or source.quotes or source.body_end < 60 or source.code:
        return None
    draft = Draft(author=source.author, finished=True, signature=source.signature)
    draft.put(source.text)
    draft.pairs.append((source, "double_post"))
    return draft


@_phenomenon
def near_duplicate(board: Board, thread: Thread, author: str) -> Draft | None:
    """An edited repost: words changed here and there, evenly, down to a similarity of one half."""
    source = board.pick_older(thread, 40)
    language = board.language(thread)
    if source is None:
        return None
    text = source.text[: source.body_end]
    words = len(text.split()) if language.spaced else len(text)
    similarity = board.pick(NEAR_SIMILARITIES)
    # A changed word changes five shingles; of n, those m are lost on both sides: J = (n - m) / (n + m).
    count = max(1, round(words * (1 - similarity) / (1 + similarity) / 5))
    draft = Draft(author=source.author if board.random() < 0.7 else author)
    copy = noise.replace_words(text, count, language.spaced, board.streams[thread.language].word, board.draw)
    draft.whole_copy(source, (0, source.body_end), copy, round(100 * (1 - count / words), 1))
    draft.pairs.append((source, "near"))
    return draft


@_phenomenon
def repost(board: Board, thread: Thread, author: str) -> Draft | None:
    """Part of a post of another thread and nothing else."""
    source = board.pick_older(thread, 70)
    if source is None:
        return None
    span = board.excerpt(thread, source, 45)
    draft = Draft()
    draft.whole_copy(source, span, source.text[span[0] : span[1]], 100.0)
    return draft


@_phenomenon
def cross_thread_quote(board: Board, thread: Thread, author: str) -> Draft | None:
    source = board.pick_older(thread, 45)
    if source is None or source.author == author:
        return None
    draft = Draft()
    _copy(board, thread, draft, source, board.excerpt(thread, source, board.words(50, 0.4, 35)))
    draft.say(board.own_text(thread))
    draft.parent = None
    return draft


@_phenomenon
def short(board: Board, thread: Thread, author: str) -> Draft | None:
    """ "+1": the same words by different people are no duplicates."""
    draft = Draft(finished=True)
    text = board.pick(board.language(thread).short)
    earlier = board.shorts.get(text)
    if earlier is not None and earlier.author == author:
        return None
    draft.say(text)
    if earlier is not None:
        draft.pairs.append((earlier, "short"))
    return draft


@_phenomenon
def empty(board: Board, thread: Thread, author: str) -> Draft | None:
    draft = Draft(finished=True)
    draft.put(board.pick(EMPTY_TEXTS))
    return draft
