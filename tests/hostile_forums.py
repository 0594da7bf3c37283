"""Small forums that try everything at once, as hypothesis strategies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

_COMMON = ["the", "a", "of", "and", "to", "in", "it", "is", "was", "that", "for", "on", "you", "with", "not"]
_RARE = [
    *("lantern", "gravel", "oboe", "thistle", "quarry", "mackerel", "velvet", "turbine", "saffron", "ledger"),
    *(
        "harbour",
        "pigeon",
        "granite",
        "walnut",
        "compass",
        "ribbon",
        "furnace",
        "orchid",
        "magnet",
        "parsley",
    ),
    *("parsley", "anchor", "cobalt", "hinge", "marzipan", "otter", "plinth", "quill", "rudder", "sextant"),
    *("tundra", "umber", "vortex", "wicker", "yeast", "zither", "bramble", "cinder", "dapple", "ember"),
]
_ODD_WORDS = [
    *(
        "naïve",
        "cafe\u0301",
        "ﬁnally",
        "Straße",
        "ＷＩＤＥ",
        "don't",
        "don’t",
        "co\u00adoperate",
        "zero\u200bwidth",
    ),
    *(
        "https://example.org/a?b=1",
        "www.example.com",
        "İstanbul",
        "x\u0301\u0323",
        "👩\u200d👩\u200d👧",
        "①②",
        "1,5",
    ),
    *(
        "שלום",
        "\u202bمرحبا\u202c",
        "привет",
        "ça",
        "&amp;",
        "&lt;b&gt;",
        "itâ€™s",
        "Ã©tÃ©",
        "\u0000",
        "\u0085",
    ),
]
_ODD_SENTENCES = [
    "我昨天把灯笼挂在院子里的树上了。",
    "今日は天気がいいから散歩しましょう。",
    "วันนี้อากาศดีมากเราไปเดินเล่นกันเถอะ",
    "Ich habe gestern die Laterne über die Straße gehängt.",
    "الفانوس معلق على الشجرة منذ أمس والريح شديدة",
    "Donâ€™t let them sell you anything galvanised: itâ€™s smoke.",
    "for lamp in lamps:\n    lamp.light(oil=True)\n    if lamp.broken: lamp.mend()\nreturn lamps",
]
_BREAKS = ["\n", "\n\n", "\r\n", "\r\n\r\n\r\n", "\n\n\n\n", " \n", "\u2028", "\x0c", "\u00a0\n", "\r"]
_SPACES = [" ", " ", " ", " ", " ", "  ", "\u00a0", "\t", "\u3000"]
_SMALL = [
    "+1",
    "Thanks!",
    "thanks",
    "",
    "[deleted]",
    "[removed]",
    " ",
    "\u00a0",
    "\n\n",
    "...",
    "👍",
    ">",
    "\u200b",
]
_AUTHORS = ["ann", "Bob", "王小明", "d'Arcy [admin]", "Zoë", None, ""]
_SIGNATURES = {
    "ann": "-- \nann | keeper of seven lanterns | mackerel on toast since the flood",
    "Bob": "_________________\nNever trust a turbine you cannot oil with your own gravel",
}


def sentences() -> st.SearchStrategy[str]:
    words = st.one_of(
        st.sampled_from(_COMMON), st.sampled_from(_RARE), st.sampled_from(_RARE), st.sampled_from(_RARE)
    )
    plain = st.lists(words, min_size=4, max_size=22).map(lambda found: " ".join(found).capitalize() + ".")
    odd = st.lists(
        st.tuples(st.one_of(words, words, st.sampled_from(_ODD_WORDS)), st.sampled_from(_SPACES)),
        min_size=4,
        max_size=16,
    ).map(lambda found: "".join(word + space for word, space in found))
    return st.one_of(plain, plain, odd, st.sampled_from(_ODD_SENTENCES))


@st.composite
def own_texts(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 11)) == 0:
        return draw(st.sampled_from(_SMALL))
    parts = draw(st.lists(st.tuples(sentences(), st.sampled_from([" ", *_BREAKS])), min_size=1, max_size=6))
    return "".join(sentence + space for sentence, space in parts)


def _wrapped(text: str) -> str:
    words = text.split(" ")
    return "\n".join(" ".join(words[at : at + 9]) for at in range(0, len(words), 9))


@st.composite
def quotes(draw: st.DrawFn, author: str | None, text: str) -> str:
    """A copy of a text or a part of it, as forums write quotes."""
    start, stop = 0, len(text)
    if draw(st.booleans()):
        cuts = [0, *(at for at, char in enumerate(text) if char in " \n.。"), len(text)]
        start, stop = sorted((draw(st.sampled_from(cuts)), draw(st.sampled_from(cuts))))
    part = text[start:stop]
    change = draw(st.integers(0, 8))
    if change == 0:
        part = part.replace("'", "’").replace(" ", "\u00a0")
    elif change == 1:
        part = _wrapped(part)
    elif change == 2:
        words = part.split(" ")
        if len(words) > 4:
            words[draw(st.integers(1, len(words) - 2))] = draw(
                st.sampled_from(["[...]", "…", "mackerel", "[sic]"])
            )
        part = " ".join(words)
    elif change == 3:
        part = part.upper()
    shape = draw(st.integers(0, 5))
    if shape == 0:
        return f"{author} wrote:\n{part}"
    if shape == 1:
        return f'"{part}"'
    if shape == 2:
        return "\n".join(f"> {line}" for line in part.split("\n"))
    if shape == 3:
        return f"On 3 Mar 2009, {author} said:\n" + "\n".join(
            f"> {line}" for line in _wrapped(part).split("\n")
        )
    return part


@st.composite
def texts(draw: st.DrawFn, earlier: list[tuple[str | None, str]]) -> str:
    """The text of a post after these (author, text)."""
    kind = draw(st.integers(0, 9)) if earlier else 0
    if kind < 3:
        return draw(own_texts())
    author, source = draw(st.sampled_from(earlier))
    if kind == 3:  # exact, but perhaps for white space
        return source + draw(st.sampled_from(["", "", "", "\n", " ", "\u00a0"]))
    if kind == 4:  # near
        words = source.split(" ")
        for _ in range(draw(st.integers(1, 2))):
            words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from([*_RARE, ""]))
        return " ".join(words)
    if kind == 5:  # nothing but a quote
        return draw(quotes(author, source))
    pieces = []
    for _ in range(draw(st.integers(1, 3))):
        author, source = draw(st.sampled_from(earlier))
        pieces += [draw(quotes(author, source)), draw(st.one_of(st.just(""), own_texts(), own_texts()))]
    if draw(st.booleans()):
        pieces.insert(0, draw(own_texts()))
    return draw(st.sampled_from(_BREAKS)).join(pieces)


@st.composite
def forums(draw: st.DrawFn, most_posts: int = 14) -> list[dict[str, Any]]:
    """Records of a dump, most of them odd in some way."""
    posts: list[dict[str, Any]] = []
    said: list[tuple[str | None, str]] = []
    ids = st.one_of(st.none(), st.integers(1, 20), st.integers(1, 20).map(str), st.just("dump.jsonl#2"))
    times = st.one_of(
        st.none(),
        st.just("yesterday"),
        st.integers(0, 59).map(lambda minute: f"2009-03-03 14:{minute:02}:00"),
    )
    messy = draw(st.booleans())
    for number in range(draw(st.integers(1, most_posts))):
        author = draw(st.sampled_from(_AUTHORS))
        text = draw(texts(said))
        if author in _SIGNATURES and draw(st.booleans()):
            text += "\n" + _SIGNATURES[author]
        record: dict[str, Any] = {"id": f"p{number}", "text": text, "thread_id": str(draw(st.integers(0, 3)))}
        record["date"] = f"2009-03-03 14:{number:02}:00"
        if messy:
            record |= {
                "id": draw(ids),
                "date": draw(times),
                "thread_id": draw(st.sampled_from([None, "1", 2, ""])),
            }
            record["parent_id"] = draw(st.one_of(st.none(), st.integers(1, 20).map(str)))
            record = {key: value for key, value in record.items() if value is not None or draw(st.booleans())}
        if author is not None:
            record["author"] = author
        said.append((author, text))
        posts.append(record)
    return posts


def write_forum(path: Path, posts: list[dict[str, Any]]) -> Path:
    """The records as JSON lines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(post, ensure_ascii=False) + "\n" for post in posts)
    return path
