"""Repair with ftfy, and the gate before it."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import pyarrow as pa
import pytest
from ftfy.badness import BADNESS_RE, MOJIBAKE_CATEGORIES
from ftfy.chardata import CHARMAP_ENCODINGS
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Normalize
from dedup.normalize.edits import Change, apply
from dedup.normalize.gate import RULES, might_change
from dedup.normalize.repair import MAX_LAYERED_PIECE, MAX_PIECE, fix_piece, ftfy_config, repair

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "encoding" / "ftfy"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="ftfy's published cases are not here")

DEFAULT = Normalize()
LOSSY = Normalize(uncurl_quotes=True, fix_character_width=True, fix_latin_ligatures=True)

_CLASSES = "".join(MOJIBAKE_CATEGORIES.values()).replace("\n", "")
_PRONE = sorted({char for char in map(chr, range(0x80, 0x10000)) if re.match(f"[{_CLASSES}]", char)})
_LITERALS = "ÂÃÎÐØÙàв√≈‚ВГРСΒΓΞΟβāўЂ×²³Œœ°"

characters = st.one_of(
    st.sampled_from(_PRONE),
    st.sampled_from(_LITERALS),
    st.sampled_from("aZ09 .,?!_<&;#\n\t\x00\x0b\x1b\x7f\ufeff\ufffd\u206a\u3000ﬁＡ’“"),
    st.characters(exclude_categories=["Cs"]),
)
fragments = st.one_of(
    st.text(characters, max_size=6),
    st.sampled_from(["&amp;", "&lt;", "&#41;", "&#xe9;", "&nosuch;", "&eacute", "&#;", "\x1b[31m", "<b>"]),
    st.builds(
        lambda text, encoding: text.encode().decode(encoding, "ignore"),
        st.text(st.sampled_from("éüß’“”–… àñçДаЖ日本🙂"), max_size=4),
        st.sampled_from(CHARMAP_ENCODINGS),
    ),
)
texts = st.lists(fragments, max_size=5).map("".join)
plain = st.lists(
    st.sampled_from(["quele", " s", "\uff06ThickSpace;", " ", "? ", "lorem", "Ipsum, ", "(a) = 1 "]),
    max_size=9,
)
distant = st.lists(st.one_of(fragments, plain.map("".join)), max_size=9).map("".join)


def gate(text: str, config: Normalize = DEFAULT) -> bool:
    return bool(might_change(pa.array([text], pa.string()), config)[0])


@settings(max_examples=800, deadline=None)
@given(texts, st.sampled_from([DEFAULT, LOSSY]))
def test_the_gate_lets_pass_only_what_ftfy_leaves_alone(text: str, config: Normalize) -> None:
    if not gate(text, config):
        assert ftfy.fix_and_explain(text, ftfy_config(text, config)).text == text
        assert repair(text, config) == []


def test_every_pair_of_mojibake_characters_that_ftfy_calls_bad_is_flagged() -> None:
    pairs = [one + two for one in _PRONE for two in [*_PRONE, " ", "x"]]
    flagged = might_change(pa.array(pairs), DEFAULT)
    assert all(flag for pair, flag in zip(pairs, flagged, strict=True) if BADNESS_RE.search(pair))
    assert flagged.mean() < 0.8


def test_rules_cover_each_alternative_of_the_badness_expression() -> None:
    """Not a sample but a proof: some rule is held by every string that an alternative can match."""
    parser = re._parser  # type: ignore[attr-defined]  # no public way to look into an expression
    everything = "".join(chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000)

    def members(operator: Any, argument: Any) -> set[str]:
        pattern = parser.SubPattern(parser.State())
        pattern.append((operator, argument))
        compiled = re._compiler.compile(pattern)  # type: ignore[attr-defined]
        return set(compiled.findall(everything))

    def sets(of: str) -> set[str]:
        return set(re.findall(f"[{of.format(**MOJIBAKE_CATEGORIES)}]", everything))

    rules = [[sets(part) for part in rule] for rule in RULES]

    def pair_covered(one: set[str], two: set[str]) -> bool:
        """Whether each pair of characters from both sets is one that a rule flags."""
        pairs = [rule for rule in rules if len(rule) == 2]
        return all(two <= set().union(*(rule[1] for rule in pairs if char in rule[0])) for char in one)

    tree = parser.parse(BADNESS_RE.pattern, re.VERBOSE)
    ((kind, (_, alternatives)),) = tree
    assert str(kind) == "BRANCH"
    for alternative in alternatives:
        steps: list[set[str] | None] = []
        for operator, argument in alternative:
            name = str(operator)
            if name == "AT":
                continue
            # A repeated step is of no fixed place: no rule may lean on it or reach across it.
            steps.append(None if name in ("MAX_REPEAT", "ANY") else members(operator, argument))
        if len(steps) == 1:
            assert steps[0] == {chr(code) for code in range(0x80, 0xA0)}  # C1 controls are flagged alone
            continue
        assert any(
            step is not None and next_step is not None and pair_covered(step, next_step)
            for step, next_step in pairwise(steps)
        ) or any(
            len(rule) == 3
            and all(step is not None and step <= part for step, part in zip(window, rule, strict=True))
            for window in zip(steps, steps[1:], steps[2:], strict=False)
            for rule in rules
        ), alternative


def test_no_rule_begins_with_ascii() -> None:
    ascii_text = "".join(map(chr, range(128)))
    for first, *_ in RULES:
        assert not re.search(f"[{first.format(**MOJIBAKE_CATEGORIES)}]", ascii_text)


@pytest.mark.parametrize(
    "text",
    [
        "Plain text & more; a && b; x&y \t\n",
        "<p>&amp; in markup</p>",
        "“Curly” quotes – and dashes… it’s fine",
        "Grüße aus Köln, „schön“ hier. Straße",
        "Él dijo: «¡Adiós!» y “café” también. ¿Qué?",
        "Příliš žluťoučký kůň „úpěl“ ďábelské ódy",
        "Привет, «Москва» и СССР», как дела?",
        "日本語のテキスト、全角：ＡＢＣ",
        "Ελληνικά κείμενα",
        "שלום עולם, مرحبا بالعالم",
        "20 °C, 5 € ©2004",
    ],
)
def test_common_text_passes_by(text: str) -> None:
    assert not gate(text)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("itâ€™s", [Change(2, 5, "’", "encoding")]),
        ("cafÃ© &amp; bar", [Change(3, 5, "é", "encoding"), Change(6, 11, "&", "encoding")]),
        ("a&#40;0&#41;", [Change(1, 6, "(", "encoding"), Change(7, 12, ")", "encoding")]),
        ("nul\0 and \x1b[1mbold", [Change(3, 4, "", "encoding"), Change(9, 13, "", "encoding")]),
        ("line one ok é\nline two Ã¼", [Change(23, 25, "ü", "encoding")]),
    ],
)
def test_a_repair_is_the_piece_that_was_broken(text: str, changes: list[Change]) -> None:
    assert gate(text)
    assert repair(text, DEFAULT) == changes


def test_lossy_repairs_are_off_unless_asked_for() -> None:
    text = "“ﬁne” ＡＢＣ"
    assert repair(text, DEFAULT) == []
    assert apply(text, repair(text, LOSSY)) == '"fine" ABC'


def test_entities_are_decoded_unless_the_post_holds_markup() -> None:
    assert apply("a &lt; b\nc", repair("a &lt; b\nc", DEFAULT)) == "a < b\nc"
    assert repair("a &lt; b\n<br>", DEFAULT) == []
    assert repair("<br>\na &lt; b", DEFAULT) == []


def test_vertical_tabs_still_part_lines_after_repair() -> None:
    assert apply("Ã©\x0bx", repair("Ã©\x0bx", DEFAULT)) == "é\x0bx"


@settings(max_examples=300, deadline=None)
@given(texts)
def test_each_line_becomes_what_ftfy_makes_of_it(text: str) -> None:
    line = re.sub("[\n\r\x0b\x0c\u2028\u2029]", "", text)
    assert apply(line, repair(line, DEFAULT)) == ftfy.fix_and_explain(line, ftfy_config(line, DEFAULT)).text


@settings(max_examples=600, deadline=None)
@given(distant, st.sampled_from([DEFAULT, LOSSY]))
def test_plain_text_in_between_changes_nothing(text: str, chosen: Normalize) -> None:
    for line in re.split("[\n\r\x0b\x0c\u2028\u2029]", text):
        config = ftfy_config(line, chosen)
        assert fix_piece(line, config) == ftfy.fix_and_explain(line, config).text


@pytest.mark.parametrize("layer", ["Â", "ƒ", "amp;", "&amp", "©", "Ã"])
def test_layers_upon_layers_are_seen_in_short_pieces(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ftfy peels them one by one, each time over all it is given: hours for a line of a megabyte."""
    sizes = []

    def fix_and_explain(text: str, config: ftfy.TextFixerConfig) -> ftfy.ExplainedText:
        sizes.append(len(text))
        return ftfy.ExplainedText(text, [])

    monkeypatch.setattr(ftfy, "fix_and_explain", fix_and_explain)
    repair("Ã" + layer * 5000 + "©;", DEFAULT)
    assert max(sizes) <= (MAX_PIECE if layer.isascii() else MAX_LAYERED_PIECE)


def test_a_long_line_is_repaired_whole() -> None:
    line = "schÃ¶n und gut, " * (MAX_PIECE // 4)
    assert apply(line, repair(line, DEFAULT)) == line.replace("Ã¶", "ö")


def test_the_gate_reads_slices() -> None:
    texts = pa.array(["ok", "Ã©", "&amp;", "é", ""], pa.string())
    np.testing.assert_array_equal(might_change(texts.slice(1, 3), DEFAULT), [True, True, False])
    np.testing.assert_array_equal(might_change(texts.slice(5), DEFAULT), [])


def published(name: str) -> list[dict[str, str]]:
    path = SHARED / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


@needs_shared
@pytest.mark.parametrize("name", ["negative", "in-the-wild"])
def test_published_cases(name: str) -> None:
    cases = [case for case in published(name) if case["expect"] == "pass"]
    assert cases
    for case in cases:
        text = case["original"]
        # "fixed-encoding" is without the lossy fixes, but without entities too
        fixed = apply(text, repair(text, DEFAULT))
        assert fixed in (case.get("fixed-encoding"), case["fixed"]), case["label"]
        assert gate(text) or repair(text, DEFAULT) == [], case["label"]
