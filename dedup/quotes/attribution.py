"""Lines that announce a quote: "X wrote:", "Quote from: X on …", "Am … schrieb X:", "X said:" …

An attribution line is no evidence of a copy by itself; it names the author whose earlier words are
then looked for. Names come from the dump's own authors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from dedup.arrays import Int, Int64s, UInt16s, UInt32s, UInt64s, helper
from dedup.text.shingles import shingle_hash
from dedup.text.tokens import CHARACTER, COLON, LINE_START, MIX, PARAGRAPH, RARITY_MASK, TAG, tokenize

# What the line says was done with the words, in the languages forums speak.
_VERBS = [
    "wrote",
    "writes",
    "write",
    "said",
    "says",
    "posted",
    "quoted",
    "replied",
    "schrieb",
    "schreibt",
    "geschrieben",
    "sagte",
    "écrit",
    "écrivait",
    "dit",
    "escribió",
    "escribio",
    "dijo",
    "escreveu",
    "disse",
    "scritto",
    "scrive",
    "schreef",
    "skrev",
    "kirjoitti",
    "írta",
    "napisał",
    "napisała",
    "napsal",
    "napsala",
    "пишет",
    "писал",
    "писала",
    "написал",
    "написала",
    "сказал",
    "сказала",
    "написав",
    "написала",
    "каже",
    "כתב",
    "כתבה",
    "כותב",
    "اكتب",
    "كتب",
    "كتبت",
    "yazdı",
    "yazmış",
    "dedi",
    "γράφει",
    "έγραψε",
    "写",
    "寫",
    "説",
    "说",
    "說",
    "述",
    "書",
    "작성",
    "씀",
    "เขียน",
    "เขียนว่า",
    "พูดว่า",
    "กล่าวว่า",
    "写道",
    "寫道",
    "書きました",
    "viết",
    "menulis",
    "a-scris",
    "scris",
    "pisze",
]
# What stands alone above a quote, without a name.
_NOUNS = [
    "quote",
    "quoting",
    "zitat",
    "citation",
    "cita",
    "citação",
    "citazione",
    "citaat",
    "citat",
    "cytat",
    "цитата",
    "цитирую",
    "ציטוט",
    "اقتباس",
    "alıntı",
    "παράθεση",
    "引用",
    "อ้างอิง",
    "อ้างถึง",
    "인용",
    "originally",
]

# What forum software puts below a long quote, as a whole line, in the languages it is run in.
_CLOSERS = [
    "click to expand",
    "click to expand or collapse",
    "zum vergrößern anklicken",
    "zum erweitern anklicken",
    "klicke in dieses feld, um es in vollständiger größe anzuzeigen",
    "cliquez pour agrandir",
    "cliquer pour agrandir",
    "cliquez pour développer",
    "cliquez pour afficher plus",
    "haz clic para expandir",
    "haz clic para ampliar",
    "haga clic para expandir",
    "hacer clic para expandir",
    "click para expandir",
    "pulsa para expandir",
    "clicca per espandere",
    "clicca per allargare",
    "clicca per ingrandire",
    "clique para expandir",
    "clique para ampliar",
    "clicar para expandir",
    "klik om te vergroten",
    "klik om uit te vouwen",
    "klik om uit te klappen",
    "klicka för att expandera",
    "klicka för att utvidga",
    "klik for at udvide",
    "klikk for å utvide",
    "klikk for å vise mer",
    "laajenna klikkaamalla",
    "napsauta laajentaaksesi",
    "klikkaa laajentaaksesi",
    "kliknij, aby rozwinąć",
    "kliknij by rozwinąć",
    "kliknutím rozbalíte",
    "klikněte pro rozbalení",
    "kattints a kibontáshoz",
    "faceți click pentru a extinde",
    "нажмите, чтобы раскрыть",
    "нажмите для раскрытия",
    "натисніть, щоб розгорнути",
    "натисніть для розгортання",
    "щракнете за разширяване",
    "κάντε κλικ για ανάπτυξη",
    "κλικ για ανάπτυξη",
    "genişletmek için tıkla",
    "genişletmek için tıklayın",
    "לחץ להרחבה",
    "לחצו להרחבה",
    "اضغط للتوسيع",
    "إضغط للتوسيع",
    "انقر للتوسيع",
    "nhấn để mở rộng",
    "bấm để mở rộng",
    "bấm để xem đầy đủ nội dung",
    "klik untuk memperluas",
    "klik untuk melihat",
    "点击展开",
    "點擊展開",
    "クリックして展開",
    "クリックすると展開します",
    "확장하려면 클릭하세요",
    "คลิกเพื่อขยาย",
]

NAMED, ANONYMOUS = 1, 0


class Names(NamedTuple):
    """Authors' names as the attribution kernel looks them up.

    keys: uint64 [a power of two], hashes of names by open addressing, 0 where free.
    verbs, nouns, closers: uint64, sorted hashes of words, and of lines (see `_word_set`).
    """

    keys: NDArray[np.uint64]
    verbs: NDArray[np.uint64]
    nouns: NDArray[np.uint64]
    closers: NDArray[np.uint64]


MOST_NAME_WORDS = 6
MOST_LINE_WORDS = 40
MOST_SHORT_WORDS = 12
"""Words of a line that may announce a quote wherever in it the verb stands."""
MOST_NOUN_WORDS = 16
MOST_LED_WORDS = 20
MOST_WORDS_BEHIND = 3
"""Words between the name or verb of a longer line and the colon that announces."""
FEWEST_TALK_WORDS = 4
MOST_TALK_RARITY = 8 * 8
"""Average rarity, in eighths of a nat, under which a line is talk: "Like I said in my first post:" announces
a quote and is somebody's own. Dates, names and addresses are rarer, in whatever language."""
MOST_CLOSING_TOKENS = 16
MOST_CHARACTERS = 8
"""Length of the longest word in the lists above that is written in a script without spaces."""


def name_table(names: NDArray[np.uint64]) -> Names:
    """Look-up tables for the distinct author names of a dump (`hash_names`)."""
    size = 16
    while size < 4 * len(names):
        size *= 2
    keys = np.zeros(size, np.uint64)
    _fill(keys, names)
    return Names(keys, _word_set(_VERBS), _word_set(_NOUNS), _word_set(_CLOSERS))


def hash_names(names: pa.Array) -> NDArray[np.uint64]:
    """Hashes of names (string column without nulls), 0 for one without words."""
    tokens = tokenize(names)
    hashes: NDArray[np.uint64] = _hash_names(tokens.offsets, tokens.hashes)
    return hashes


def _word_set(words: list[str]) -> NDArray[np.uint64]:
    """Sorted hashes of words; of what is several tokens (in a script without spaces, a line), of them all."""
    tokens = tokenize(pa.array(words, pa.string()))
    bounds = zip(tokens.offsets[:-1].tolist(), tokens.offsets[1:].tolist(), strict=True)
    return np.unique(np.array([_hash_word(tokens.hashes, *bound) for bound in bounds], np.uint64))


@helper
def _hash_word(hashes: UInt32s, begin: Int, end: Int) -> Any:
    if end - begin == 1:
        return np.uint64(hashes[begin])
    return shingle_hash(hashes, begin, end - begin)


@helper
def _mix_word(hash_: Int) -> Any:
    mixed = np.uint64(hash_) * MIX
    return mixed ^ (mixed >> np.uint64(31))


@njit(nogil=True, cache=True)
def _hash_names(offsets: Int64s, hashes: UInt32s) -> Any:
    out = np.zeros(offsets.shape[0] - 1, np.uint64)
    for i in range(out.shape[0]):
        words = offsets[i + 1] - offsets[i]
        if 0 < words <= MOST_NAME_WORDS:
            total = np.uint64(0)
            for j in range(offsets[i], offsets[i + 1]):
                total += _mix_word(hashes[j])  # a sum: "Urbanek, Simon" is "Simon Urbanek"
            out[i] = total | np.uint64(1)
    return out


@helper
def _fill(keys: UInt64s, names: UInt64s) -> None:
    mask = np.uint64(keys.shape[0] - 1)
    for name in names:
        if name != 0:
            slot = (name >> np.uint64(20)) & mask
            while keys[slot] != 0 and keys[slot] != name:
                slot = (slot + np.uint64(1)) & mask
            keys[slot] = name


@helper
def _known(keys: UInt64s, name: Int) -> Any:
    mask = np.uint64(keys.shape[0] - 1)
    slot = (name >> np.uint64(20)) & mask
    while keys[slot] != 0:
        if keys[slot] == name:
            return True
        slot = (slot + np.uint64(1)) & mask
    return False


@helper
def _among(words: UInt64s, hash_: Int) -> Any:
    low = 0
    high = words.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if words[middle] < hash_:
            low = middle + 1
        else:
            high = middle
    return low < words.shape[0] and words[low] == hash_


@helper
def closing_line(closers: UInt64s, hashes: UInt32s, info: UInt16s, at: Int, end: Int) -> Any:
    """Where a line that closes a quote ends, or `at` where none begins there."""
    if at >= end or not info[at] & LINE_START:
        return at
    stop = at + 1
    while stop < end and not info[stop] & LINE_START and stop - at <= MOST_CLOSING_TOKENS:
        stop += 1
    return stop if _among(closers, _hash_word(hashes, at, stop)) else at


@helper
def _begins_word(words: UInt64s, hashes: UInt32s, info: UInt16s, at: Int, end: Int) -> Any:
    """Whether one of the words stands at `at`; in a script without spaces it is several tokens."""
    if _among(words, np.uint64(hashes[at])):
        return True
    if info[at] & CHARACTER:
        for length in range(2, min(MOST_CHARACTERS, end - at) + 1):
            if _among(words, shingle_hash(hashes, at, length)):
                return True
    return False


@helper
def _longest_name(hashes: UInt32s, begin: Int, end: Int, keys: UInt64s) -> Any:
    """The longest known name among the words begin:end: (hash, its begin, its end), or (0, begin, begin)."""
    best = np.uint64(0)
    best_words = 0
    best_begin = begin
    best_end = begin
    for i in range(begin, end):
        total = np.uint64(0)
        for j in range(i, min(end, i + MOST_NAME_WORDS)):
            total += _mix_word(hashes[j])
            if j - i + 1 >= best_words and _known(keys, total | np.uint64(1)):
                best = total | np.uint64(1)
                best_words = j - i + 1
                best_begin = i
                best_end = j + 1
    return best, best_begin, best_end


@helper
def _is_talk(info: UInt16s, begin: Int, end: Int) -> Any:
    """Whether a line of these words is what people say, and not what software puts above a quote.

    Of scripts without spaces nobody knows: a character is plain, whatever is written with it.
    """
    total = np.int64(0)
    for i in range(begin, end):
        if info[i] & CHARACTER:
            return False
        total += info[i] & RARITY_MASK
    return end - begin >= FEWEST_TALK_WORDS and total < MOST_TALK_RARITY * (end - begin)


@helper
def find_attributions(
    hashes: UInt32s,
    info: UInt16s,
    begin: Int,
    end: Int,
    keys: UInt64s,
    verbs: UInt64s,
    nouns: UInt64s,
    rows: Int64s,
    names: UInt64s,
) -> Any:
    """The attribution lines among a post's words begin:end.

    rows: int64 [most, 3], filled with (first word, the word after the colon, first word of the next
    line); of a line that is somebody's talk no word goes with the quote, so its first is the one after the
    colon. names: uint64 [most], the hash of the name, 0 for a line without a known one.
    Returns how many there are.
    """
    found = 0
    line = begin
    previous = begin
    while line < end and found < rows.shape[0]:
        after = line + 1
        while after < end and not info[after] & LINE_START:
            after += 1
        size = 0  # in thirds of words
        for i in range(line, after):
            size += 1 if info[i] & CHARACTER else 3
        if size <= 3 * MOST_LINE_WORDS:
            verb: Int = np.int64(-1)
            colon: Int = np.int64(-1)
            first = line  # behind the tags of a quote, which announce it by themselves
            while first < after and info[first] & TAG:
                first += 1
            for i in range(first, after):
                if info[i] & TAG:
                    continue
                if _begins_word(verbs, hashes, info, i, after):
                    verb = i
                if info[i] & COLON:
                    colon = i
            # "quote" among other words is talk about quotes
            noun = first < after and _begins_word(nouns, hashes, info, first, after)
            if colon >= 0 or noun:
                start = first
                name, name_begin, name_end = _longest_name(hashes, first, after, keys)
                if (
                    name == 0
                    and verb >= 0
                    and line > begin
                    and not info[line] & PARAGRAPH
                    and line - previous <= 30
                ):
                    # a long line, wrapped: the name may stand above the verb
                    name, name_begin, name_end = _longest_name(hashes, previous, after, keys)
                    if name != 0:
                        start = previous
                short = size <= 3 * MOST_SHORT_WORDS
                ends = colon == after - 1
                announces = noun and (short or (name != 0 and size <= 3 * MOST_NOUN_WORDS))
                if verb >= 0 and name != 0 and name_begin == start:
                    # "X said:", and what X said on the same line
                    for i in range(name_end - 1, min(name_end + MOST_WORDS_BEHIND, after)):
                        if info[i] & COLON:
                            colon = i
                            announces = True
                            break
                    announces = announces or (ends and size <= 3 * MOST_LED_WORDS)
                if verb >= 0 and ends and (name != 0 or short):
                    # in a longer line the verb comes last, or the name right behind it
                    announces = (
                        announces
                        or short
                        or after - 1 - verb <= MOST_WORDS_BEHIND
                        or verb < name_begin <= verb + 2
                    )
                if name != 0 and name_begin == start and colon == name_end - 1 and name_end == after:
                    announces = True  # the name and a colon, nothing else
                if announces:
                    rows[found, 1] = colon + 1 if colon >= 0 else after
                    leads = name != 0 and (noun or name_begin == start)
                    rows[found, 0] = rows[found, 1] if not leads and _is_talk(info, start, after) else start
                    rows[found, 2] = after
                    names[found] = name
                    found += 1
        previous = line
        line = after
    return found
