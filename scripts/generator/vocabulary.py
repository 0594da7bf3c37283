"""Running text of a language: real common words, synthesised rare ones, Zipf frequencies, sentences.

Words are drawn as big arrays of ids into tables that hold every form a word can take in a sentence
(capitalised, with a comma, ending a paragraph ...), so a post's text is one `"".join`.
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np

from .languages import LANGUAGES, Language

BATCH_WORDS = 1 << 16
DRAWS = 1 << 20
RARE_WORDS = {"en": 24_000, "de": 12_000}
RARE_WORDS_ELSEWHERE = 6_000
NUMBERS, URLS = 400, 600
NUMBER_SHARE, URL_SHARE, QUOTED_SHARE, COMMA_SHARE = 0.012, 0.0015, 0.004, 0.06

# The forms of a word, in the order of the table.
PLAIN, CAPITAL, COMMA, STOP, ASK, SHOUT, PARAGRAPH, QUOTED = range(8)

_KANA = "あいうえおかきくけこさしすせそたちつてとなにのはひふほまみむめもやゆよらりるれろわん"
_KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニノハヒフホマミムメモラリルレロンー"


def _rare_words(name: str, language: Language, count: int, draw: random.Random) -> list[str]:
    """Made-up words, none of them common or twice."""
    ideographs = [chr(c) for c in draw.sample(range(0x4E00, 0x9000), 2_600)]

    def ideograph() -> str:
        return ideographs[int(len(ideographs) * draw.random() ** 2)]

    def word() -> str:
        if name == "zh":
            return "".join(ideograph() for _ in range(draw.choice((1, 2, 2, 2, 3))))
        if name == "ja":
            shape = draw.random()
            if shape < 0.3:
                return "".join(
                    draw.choice(_KATAKANA[:-1] if i == 0 else _KATAKANA) for i in range(draw.randint(3, 6))
                )
            tail = "".join(draw.choice(_KANA) for _ in range(draw.randint(1, 3)))
            return ideograph() + (ideograph() if shape < 0.7 else tail)
        onsets, nuclei, codas = language.syllables
        return "".join(
            draw.choice(onsets) + draw.choice(nuclei) + draw.choice(codas)
            for _ in range(draw.choice((1, 1, 2, 2, 2, 2, 3, 3)))
        )

    found = dict.fromkeys(language.common)
    while len(found) < len(language.common) + count:
        candidate = word()
        if len(candidate) > 1 or not language.spaced:
            found[candidate] = None
    return list(found)[len(language.common) :]


def _forms(language: Language, words: list[str]) -> list[str]:
    """All forms of all words, form by form."""
    space = " " if language.spaced else ""
    capital = [word[0].upper() + word[1:] for word in words]
    return [
        *(word + space for word in words),
        *(word + space for word in capital),
        *(word + language.comma + space for word in words),
        *(word + language.stop + space for word in words),
        *(word + language.ask + space for word in words),
        *(word + language.shout + space for word in words),
        *(word + language.stop.strip() + "\n\n" for word in words),
        *(f'"{word}"{space}' for word in words),
    ]


class Vocabulary:
    """The words of a language, their forms and their frequencies."""

    def __init__(self, name: str) -> None:
        self.language = LANGUAGES[name]
        draw = random.Random(f"vocabulary {name}")
        rare = _rare_words(name, self.language, RARE_WORDS.get(name, RARE_WORDS_ELSEWHERE), draw)
        numbers = [str(int(10 ** draw.uniform(0.4, 4.5))) for _ in range(NUMBERS)]
        plain_rare = [word for word in rare if word.isascii()] or ["page", "item", "view", "post"]
        space = "" if self.language.spaced else " "  # a URL stands apart in every script
        urls = [
            f"{space}http://www.{draw.choice(plain_rare)}{draw.randint(1, 99)}.example/"
            f"{draw.choice(plain_rare)}?p={draw.randint(1, 99999)}{space}"
            for _ in range(URLS)
        ]
        self.words = [*self.language.common, *rare]
        zipf = 1.0 / (np.arange(len(self.words)) + 2.7) ** 1.07
        zipf *= (1 - NUMBER_SHARE - URL_SHARE) / zipf.sum()
        shares = np.concatenate(
            [zipf, np.full(NUMBERS, NUMBER_SHARE / NUMBERS), np.full(URLS, URL_SHARE / URLS)]
        )
        # Which word each of DRAWS equally likely draws is: one look-up a word, where a search takes twenty.
        places = (np.arange(DRAWS) + 0.5) / DRAWS
        self.drawn = np.searchsorted(np.cumsum(shares), places).clip(max=len(shares) - 1).astype(np.int32)
        self.size = len(shares)
        self.forms = np.array(_forms(self.language, [*self.words, *numbers, *urls]), dtype=object)


@cache
def vocabulary(name: str) -> Vocabulary:
    """The vocabulary of a language, built once: it is the same for every seed, as in life."""
    return Vocabulary(name)


class TextStream:
    """Endless running text of one language, taken a number of words at a time."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.vocabulary = vocabulary(name)
        self.language = self.vocabulary.language
        self._rng = np.random.default_rng([seed, *name.encode()])
        self._pieces: list[str] = []
        self._at = 0
        self._rare = random.Random(f"rare {name} {seed}")

    @staticmethod
    def sample(name: str, key: str, words: int) -> str:
        """A few words that depend on `key` alone."""
        draw = random.Random(f"sample {key}")
        known = vocabulary(name).words
        picked = [known[int(len(known) * draw.random() ** 3)] for _ in range(words)]
        return (" " if LANGUAGES[name].spaced else "").join(picked)

    def text(self, words: int) -> str:
        """A passage of about so many words: sentences, now and then a paragraph, a full stop at the end."""
        passage = self._take(words).rstrip(" \n,.?!，。、？！،؟")
        return passage[:1].upper() + passage[1:] + self.language.stop.strip()

    def phrase(self, words: int) -> str:
        """Words without stops, as in a title."""
        pieces = [piece.strip(' \n,.?!，。、？！،؟"') for piece in self._take_pieces(words)]
        joined = (" " if self.language.spaced else "").join(pieces)
        return joined[:1].upper() + joined[1:]

    def word(self) -> str:
        """A word that is not among the commonest."""
        words = self.vocabulary.words
        return words[200 + int((len(words) - 200) * self._rare.random() ** 2)]

    def _take(self, words: int) -> str:
        return "".join(self._take_pieces(words))

    def _take_pieces(self, words: int) -> list[str]:
        if self._at + words > len(self._pieces):
            self._pieces = self._pieces[self._at :] + self._draw(max(BATCH_WORDS, words))
            self._at = 0
        start, self._at = self._at, self._at + words
        return self._pieces[start : self._at]

    def _draw(self, count: int) -> list[str]:
        rng, table = self._rng, self.vocabulary
        ids = table.drawn[rng.integers(0, DRAWS, count)]
        lengths = np.clip(np.exp(rng.normal(2.5, 0.5, count // 3)), 4, 45).astype(np.int64)
        ends = np.cumsum(lengths) - 1
        ends = ends[ends < count]
        form = np.full(count, PLAIN)
        form[rng.random(count) < COMMA_SHARE] = COMMA
        form[rng.random(count) < QUOTED_SHARE] = QUOTED
        form[0] = CAPITAL
        form[np.minimum(ends + 1, count - 1)] = CAPITAL
        form[ends] = rng.choice([STOP, ASK, SHOUT, PARAGRAPH], size=len(ends), p=[0.72, 0.08, 0.06, 0.14])
        pieces: list[str] = table.forms[form * table.size + ids].tolist()
        return pieces
