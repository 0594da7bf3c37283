"""Page chrome that scrapers left in posts: "#12", "Reply Report Share", "Last edited by …" at their edges.

A line is taken for chrome only as a whole, at the front or the end of a post, when it says what forum
software says there, and when lines of its kind stand at the edges of half of the posts at the front of the
file. "Last edited by …" stands under a few posts only: three are enough where other chrome shows that the
posts were taken from pages, or where `read.edit_notes` asks for it. What stands inside a post is never
chrome, but for the line with which XenForo ends a long quote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dedup.readers.base import list_array
from dedup.readers.marks import rows_with
from dedup.schema import POSTS

MIN_POSTS = 3
"""So many posts, and half of those at the front of a file, must have a line of a kind at their edges."""
_MOST_LINES = 12
_MOST_CHARS = 200
_MOST_EXPANDS = 200
_BLANK = " \t\r\n\xa0"

_BUTTON = (
    r"(?:back to top|go to top|top|reply(?: with quote)?|report(?: (?:post|this|to moderator))?|share"
    r"(?: this post)?|\+? ?quote|multi-?quote|like|edit|delete|permalink|pm|www|profile|bookmark"
    r"|nach oben|antworten|melden|teilen|zitieren|zitat|gefällt mir|bearbeiten"
    r"|haut(?: de page)?|répondre|signaler|partager|citer|j'aime|modifier"
    r"|arriba|responder|reportar|denunciar|compartir|citar|me gusta|editar"
    r"|su|rispondi|segnala|condividi|cita|mi piace|modifica|omhoog|reageren|rapporteren|delen|citeren"
    r"|na górę|do góry|odpowiedz|zgłoś|udostępnij|cytuj|lubię to|edytuj"
    r"|наверх|вверх|ответить|пожаловаться|поделиться|цитата|цитировать|нравится|редактировать)"
)
_LABEL = (
    r"(?:joined|join date|registered|member since|posts|messages|location|likes received|likes|trophy points"
    r"|reputation|karma|registriert(?: seit)?|dabei seit|beiträge|ort|wohnort|inscription|inscrit(?: le)?"
    r"|localisation|registrado|mensajes|ubicación|iscritto(?: il)?|messaggi|geregistreerd|berichten|dołączył"
    r"|rejestracja|posty|регистрация|сообщения|сообщений|откуда)"
)
_EDITED = (
    r"(?:last edited|edited|last modified|zuletzt (?:bearbeitet|geändert)|bearbeitet|geändert"
    r"|dernière (?:modification|édition)|modifié|última (?:edición|modificación|edição)|editado"
    r"|ultima modifica|laatst (?:bewerkt|gewijzigd|aangepast)|senast (?:redigerad|ändrad)"
    r"|sist (?:redigert|endret)"
    r"|ostatnio (?:zmieniony|edytowany|edytowane)|последний раз (?:редактировалось|отредактировано)"
    r"|последнее редактирование|отредактировано|изменено)"
)


class _Kind(NamedTuple):
    begins: str
    """How its lines begin, for RE2 and `re`."""
    goes_on: str
    """How they go on: every repetition is possessive, or over what cannot begin what follows."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """What fits its lines."""
        return re.compile(self.begins + self.goes_on, re.IGNORECASE)


_KINDS = {
    "number": _Kind(r"#\d", r"\d{0,6}"),
    "buttons": _Kind(_BUTTON, rf"(?:[\s|·•/]++{_BUTTON})*+"),
    "profile": _Kind(f"{_LABEL} ?:", r" ?\S.{0,60}"),
    "edited": _Kind(
        rf"\W{{0,3}}{_EDITED}",
        r"(?: by | von | par | por | da | door | av | przez |: ?| am | on | )"
        r"(?=[^\n]*\d{1,2}[:.h]\d{2}|[^\n]*\d{4})[^\n]+",
    ),
}
EXPAND = "expand"
"""The kind of "Click to expand...", which three posts must have, and which may stand in their midst."""
_EXPAND = (
    r"(?:click to expand|zum vergrößern anklicken|klicke(?:n sie)?,? um zu erweitern|cliquez pour agrandir"
    r"|cliquez pour étendre|ha(?:z|ga) clic para (?:expandir|ampliar)|click para expandir"
    r"|clique para expandir|clicca per (?:allargare|espandere)|klik om te vergroten"
    r"|kliknij,? (?:aby|by) rozwinąć|klicka för att (?:expandera|utvidga)|klikk for å utvide"
    r"|klik for at udvide|napsauta laajentaaksesi|pro rozšíření klikněte|klikněte pro rozbalení"
    r"|kliknite pre rozbalenie|kattints ide a (?:kinyitáshoz|kibontáshoz)|click pentru a extinde"
    r"|genişletmek için tıkla|нажмите,? (?:чтобы раскрыть|для раскрытия)|натисніть,? щоб розгорнути"
    r"|κάντε κλικ για (?:ανάπτυξη|επέκταση)|לחץ (?:כדי להרחיב|להרחבה)|(?:اضغط|انقر) للتوسيع"
    r"|nhấn để mở rộng|klik untuk memperluas|คลิกเพื่อขยาย|クリックして展開|点击展开|點擊展開|클릭하여 확장)"
    r" ?(?:\.{3,4}|…)"
)
_EXPAND_LINE = re.compile(
    rf"(?:\A|(?<=\n))[ \t\xa0]{{0,8}}{_EXPAND}[ \t\xa0\r]{{0,8}}(?:\n|\Z)", re.IGNORECASE
)
_PATTERNS = {name: kind.pattern for name, kind in _KINDS.items()}


SAMPLE_POSTS = 1000
"""So many posts at the front of a file tell what stands at their edges."""


def find_edges(posts: pa.RecordBatch, edit_notes: bool) -> tuple[str, ...]:
    """The kinds of chrome that stand at the edges of a file's posts, of which these are the first.

    edit_notes: see `config.Read`.
    """
    # Many files are small: RE2 would take longer to compile the lists of words than this takes.
    texts = [text for text in posts.column("text").slice(0, SAMPLE_POSTS).to_pylist() if text]
    kinds = tuple(_KINDS)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_edges(text, 0, len(text), kinds).kinds)
        if "...\n" in text or "…\n" in text or text.endswith(("...", "…")):
            counts[EXPAND] += _EXPAND_LINE.search(text) is not None
    found = [name for name in _KINDS if counts[name] >= MIN_POSTS and 2 * counts[name] >= len(texts)]
    if "edited" not in found and counts["edited"] >= MIN_POSTS and (found or edit_notes):
        found.append("edited")
    return (*found, EXPAND) if counts[EXPAND] >= MIN_POSTS else tuple(found)


def mark_edges(posts: pa.RecordBatch, kinds: Sequence[str]) -> pa.RecordBatch:
    """The posts with the chrome of these kinds at their edges listed in `chrome`.

    A post that would have nothing left keeps all, and quotes that the dump marks are not touched.
    """
    if EXPAND in kinds:
        posts = mark_expand(posts)
        kinds = [kind for kind in kinds if kind != EXPAND]
        if not kinds:
            return posts
    texts = posts.column("text")
    likely = _with_edges(texts, kinds)
    if not len(likely):
        return posts
    spans_of = dict(enumerate(posts.column("chrome").to_pylist()))
    all_marks = posts.column("marks").take(likely).to_pylist()
    for row, text, marks in zip(likely.to_pylist(), texts.take(likely).to_pylist(), all_marks, strict=True):
        spans = spans_of[row]
        first = min((span["start"] for span in [*marks, *spans]), default=len(text))
        last = max((span["end"] for span in [*marks, *spans]), default=0)
        edges = _edges(text, last, first, kinds)
        if edges.front:
            spans.insert(0, {"start": 0, "end": edges.front, "why": "page_chrome"})
        if edges.back < len(text):
            spans.append({"start": edges.back, "end": len(text), "why": "page_chrome"})
    return _with_chrome(posts, spans_of)


def mark_expand(posts: pa.RecordBatch) -> pa.RecordBatch:
    """The posts with lines like "Click to expand..." listed in `chrome`, a marked quote's as its own."""
    texts = posts.column("text")
    likely = _with_expand(texts)
    if not len(likely):
        return posts
    spans_of = dict(enumerate(posts.column("chrome").to_pylist()))
    all_marks = posts.column("marks").take(likely).to_pylist()
    for row, text, marks in zip(likely.to_pylist(), texts.take(likely).to_pylist(), all_marks, strict=True):
        for found in islice(_EXPAND_LINE.finditer(text), _MOST_EXPANDS):
            start, end = found.span()
            if any(start < span["end"] and span["start"] < end for span in spans_of[row]):
                continue
            quoted = any(mark["start"] <= start and end <= mark["end"] for mark in marks)
            why = "quote_chrome" if quoted else "page_chrome"
            spans_of[row].append({"start": start, "end": end, "why": why})
        spans_of[row].sort(key=lambda span: int(span["start"]))
    return _with_chrome(posts, spans_of)


def _with_edges(texts: pa.StringArray, kinds: Sequence[str]) -> pa.UInt64Array:
    """The rows that may have such chrome; RE2 looks from the edge inwards, no further than it must."""
    begins = "|".join(_KINDS[kind].begins for kind in kinds)
    front = pc.match_substring_regex(texts, rf"(?i)\A[\s\x{{a0}}]*(?:{begins})")
    back = pc.match_substring_regex(texts, rf"(?i)(?:\A|\n)[\s\x{{a0}}]*(?:{begins})[^\n]*[\s\x{{a0}}]*\z")
    return pc.indices_nonzero(pc.or_(front, back))


def _with_expand(texts: pa.StringArray) -> pa.UInt64Array:
    """The rows with a line like "Click to expand..."."""
    if not len(rows_with(b"...", texts)) and not len(rows_with("…".encode(), texts)):
        return pa.array([], pa.uint64())
    line = rf"(?i)(?:\A|\n)[ \t\x{{a0}}]{{0,8}}{_EXPAND}[ \t\x{{a0}}\r]{{0,8}}(?:\n|\z)"
    return pc.indices_nonzero(pc.match_substring_regex(texts, line))


def _with_chrome(posts: pa.RecordBatch, spans_of: dict[int, list[dict[str, Any]]]) -> pa.RecordBatch:
    found = {row: spans for row, spans in spans_of.items() if spans}
    at = POSTS.get_field_index("chrome")
    return posts.set_column(at, POSTS.field(at), list_array(found, posts.num_rows, POSTS.field(at).type))


class _Edges(NamedTuple):
    front: int
    """Where the chrome at the front ends; 0 without any."""
    back: int
    """Where the chrome at the end begins; the length of the text without any."""
    kinds: set[str]


def _edges(text: str, floor: int, ceiling: int, kinds: Sequence[str]) -> _Edges:
    """The chrome before `ceiling` at the front of a text and from `floor` on at its end."""
    seen: set[str] = set()
    front = at = 0
    for _ in range(_MOST_LINES):
        end = text.find("\n", at) + 1 or len(text)
        if at == len(text) or end > ceiling or (kind := _kind_of(text, at, end, kinds)) is None:
            break
        if kind:
            front = end
            seen.add(kind)
        at = end
    back = at = len(text)
    for _ in range(_MOST_LINES):
        begin = text.rfind("\n", 0, max(at - 1, 0)) + 1
        if at == 0 or begin < floor or (kind := _kind_of(text, begin, at, kinds)) is None:
            break
        if kind:
            back = begin
            seen.add(kind)
        at = begin
    if not text[front:back].strip(_BLANK):
        return _Edges(0, len(text), set())
    return _Edges(front, back, seen)


def _kind_of(text: str, start: int, end: int, kinds: Sequence[str]) -> str | None:
    """The kind of chrome that a line is; empty for a blank one, None for others."""
    if end - start > _MOST_CHARS:
        return None
    line = text[start:end].strip(_BLANK)
    return next((kind for kind in kinds if _PATTERNS[kind].fullmatch(line)), None) if line else ""
