"""The pages in a real browser: they open without a complaint, sort, filter, and are not fooled by posts.

Needs Chromium (`apt-get install chromium`) and the package axe-playwright-python; skipped without them,
but not where the environment says DEDUP_BROWSER=required.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_pages import BIDI, ENDINGS, ID, SCRIPT, hostile_output, with_copies
from typer.testing import CliRunner

from dedup.cli import app

FORUM = Path(__file__).resolve().parents[1] / "data" / "forum.jsonl"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def unavailable(reason: str) -> Any:
    if os.environ.get("DEDUP_BROWSER") == "required":
        pytest.fail(f"{reason}, and DEDUP_BROWSER=required")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("axe-playwright-python is not installed")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        unavailable("no Chromium is installed")
    with sync_playwright() as playwright:
        # what it shows are our own files, and as root Chromium has no sandbox
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page, with everything the browser complained of."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._context = browser.new_context(**context)
        self.page = self._context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url.split("#")[0]))
        self.page.set_default_timeout(10_000)
        self.page.goto(path.as_uri())

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, *error: object) -> None:
        self._context.close()
        if error[0] is None:
            assert self.complaints == []
            assert len(set(self.requests)) == 1, self.requests


def report_of(out: Path, page: Path) -> Path:
    done = CliRunner().invoke(app, ["report", str(out), "--html", str(page), "--quiet"])
    assert done.exit_code == 0, done.output
    return page


@pytest.fixture(scope="module")
def report(forum_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_of(forum_out, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    return report_of(hostile_output(folder / "out"), folder / "report.html")


@pytest.fixture(scope="module")
def explained(forum_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("explained") / "4003.html"
    done = CliRunner().invoke(app, ["explain", str(forum_out), "4003", "--html", str(page)])
    assert done.exit_code == 0, done.output
    return page


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("tuned") / "tune.html"
    done = CliRunner().invoke(
        app,
        ["tune", str(FORUM), "--thresholds", "0.5,0.9", "--shingles", "3", "--html", str(page), "--quiet"],
    )
    assert done.exit_code == 0, done.output
    return page


def visible_cards(page: Any) -> Any:
    return page.locator("#cards > .card:not([hidden])")


def wait_until_narrowed(page: Any) -> None:
    """Until what was typed has taken effect."""
    # wait_for_function would need eval, which the policy refuses
    page.locator("#shown").filter(has_text=re.compile(r"^[1-3] of")).wait_for()


def test_it_opens_with_plots_and_says_the_ratio(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        assert "of the characters are copies" in page.locator("h1").inner_text()
        assert page.locator("figure > svg").count() >= 4
        assert page.locator("figure > svg text").count() > 20
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_tables_sort_by_any_column(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        table = page.locator("table.sortable").filter(has=page.locator("th", has_text="thread")).first
        head = table.locator("thead th").nth(2)
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        counts = [int(text) for text in table.locator("tbody tr td:nth-child(3)").all_inner_texts()]
        assert counts == sorted(counts, reverse=True) and len(counts) > 1
        head.locator("button").press("Enter")  # by keyboard, the other way round
        assert head.get_attribute("aria-sort") == "ascending"
        counts = [int(text) for text in table.locator("tbody tr td:nth-child(3)").all_inner_texts()]
        assert counts == sorted(counts)
        name = table.locator("thead th").nth(0)
        name.locator("button").click()
        assert name.get_attribute("aria-sort") == "ascending"
        assert head.get_attribute("aria-sort") is None


def test_the_evidence_filters_by_kind_and_similarity(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        before = visible_cards(page).count()
        page.select_option("#kind", "near_duplicate")
        near = visible_cards(page)
        assert 0 < near.count() < before
        assert all(near.nth(n).get_attribute("data-kind") == "near_duplicate" for n in range(near.count()))
        page.fill("#high", "0.75")
        assert all(float(near.nth(n).get_attribute("data-similarity")) <= 0.75 for n in range(near.count()))
        assert f"{near.count()} of {near.count()} shown" in page.locator("#shown").inner_text()
        page.click("#clear")
        assert visible_cards(page).count() == before


def test_a_cluster_is_found_and_its_difference_shown(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        page.fill("#find", "4049")  # 4040 with some words changed
        wait_until_narrowed(page)
        card = visible_cards(page).first
        if card.get_attribute("open") is None:
            card.locator("summary").press("Enter")
        assert card.locator("mark.only").count() > 0
        assert card.locator(".side").count() >= 2
        assert card.locator("mark.only").first.is_visible()
        page.fill("#find", "no post says this")
        page.locator("#shown").filter(has_text="0 of 0").wait_for()


def test_borderline_cases_come_first(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        borderline = page.evaluate(
            "Array.from(document.querySelectorAll('#cards > .card'), c => !!c.querySelector('.near'))"
        )
        assert borderline == sorted(borderline, reverse=True) and borderline[0]


def test_a_quote_is_marked_in_reply_and_source(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        page.select_option("#kind", "quote")
        page.fill("#find", "4028")  # a short quote of 4027
        wait_until_narrowed(page)
        card = visible_cards(page).first
        card.locator("summary").click()
        sides = card.locator(".side")
        marked = [sides.nth(n).locator("mark.copy").first.inner_text() for n in (0, 1)]
        assert all(marked) and marked[1] in sides.nth(1).inner_text()


def test_a_long_list_shows_a_few_and_more_on_demand(browser: Any, tmp_path: Path) -> None:
    page_file = report_of(with_copies(tmp_path / "out", 150), tmp_path / "report.html")
    with Opened(browser, page_file) as page:
        assert visible_cards(page).count() == 25
        page.click("#more")
        assert visible_cards(page).count() > 25
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        page.goto(f"{page_file.as_uri()}#e40")
        assert page.locator("#e40").get_attribute("open") is not None


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_it_is_accessible(
    browser: Any, report: Path, explained: Path, tuned: Path, scheme: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for path in (report, explained, tuned):
        viewport = {"width": width, "height": 800}
        with Opened(browser, path, color_scheme=scheme, viewport=viewport) as page:
            page.evaluate("document.querySelectorAll('details').forEach((d, n) => { d.open = n < 12; })")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_follows_the_system_and_the_button(browser: Any, report: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with Opened(browser, report, color_scheme="dark") as page:
        dark = page.evaluate(paper)
        assert page.locator("#theme").get_attribute("aria-pressed") == "true"
        page.click("#theme")
        light = page.evaluate(paper)
        assert light != dark
        page.reload()
        assert page.evaluate(paper) == light
        page.emulate_media(media="print")
        assert page.locator("#filters").is_hidden()
        assert page.evaluate(paper) == "rgb(255, 255, 255)"


def test_it_reads_without_script(browser: Any, report: Path) -> None:
    with Opened(browser, report, java_script_enabled=False) as page:
        assert page.locator("#filters").is_hidden() and page.locator("#theme").is_hidden()
        card = page.locator("#cards > .card").nth(3)
        card.locator("summary").click()
        assert card.locator(".side").first.is_visible()


def test_hostile_posts_stay_text(browser: Any, hostile: Path) -> None:
    with Opened(browser, hostile) as page:
        assert page.evaluate("window.boomed") is None
        assert page.locator("script").count() == 1
        assert page.locator("style").count() == 1
        assert page.locator("img, main b:not(.bar-legend b)").count() == 0
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        shown = page.locator("#cards").inner_text()
        assert SCRIPT in shown and ENDINGS in shown
        assert "\u202e" not in shown and "\\u202egnp.exe\\u202c" in shown and BIDI not in shown
        assert "\x1b" not in page.content()
        assert ID[:20] in page.locator("#evidence").inner_text()
        assert "more characters" in shown or "characters …" in shown
        assert len(shown) < 30_000
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_policy_stops_what_would_slip_through(browser: Any, hostile: Path, tmp_path: Path) -> None:
    """Defence in depth: markup put into the file by force still runs nothing."""
    page_file = tmp_path / "broken.html"
    text = hostile.read_text("utf-8")
    payload = f'{SCRIPT}<img src="x" onerror="window.boomed=1"><p style="position:fixed">'
    page_file.write_text(text.replace("<footer", f"{payload}<footer"), "utf-8")
    opened = Opened(browser, page_file)
    with pytest.raises(AssertionError), opened as page:
        assert page.evaluate("window.boomed") is None
        assert page.evaluate("getComputedStyle(document.querySelector('p[style]')).position") == "static"
    assert any("Content Security Policy" in complaint for complaint in opened.complaints)


def test_an_explanation_tells_the_whole_story(browser: Any, explained: Path) -> None:
    with Opened(browser, explained) as page:
        story = page.locator("main").inner_text()
        assert "Post 4003" in story and "4002" in story and "4001" in story
        assert "first said here" in story and "has it from" in story
        assert page.locator("mark.copy").count() >= 1
        assert page.locator(".sides .side").count() >= 2


def test_pairs_around_a_threshold_are_found(browser: Any, tuned: Path) -> None:
    with Opened(browser, tuned) as page:
        assert page.locator("tr.chosen").count() == 1
        page.fill("#high", "0.7")
        for card in visible_cards(page).all():
            assert float(card.get_attribute("data-similarity")) <= 0.7
        page.fill("#high", "1")
        page.select_option("#kind", "5_words")
        assert visible_cards(page).count() > 0
        assert visible_cards(page).first.get_attribute("data-kind") == "5_words"


def test_big_clusters_lead_to_their_evidence(browser: Any, report: Path) -> None:
    with Opened(browser, report) as page:
        link = page.locator("#where a").first
        target = link.get_attribute("href")
        page.fill("#find", "hides everything")
        page.locator("#shown").filter(has_text="0 of 0").wait_for()
        link.click()
        card = page.locator(target)
        card.locator(".side").first.wait_for()
        assert link.inner_text() in card.inner_text()


def test_a_hostile_explanation(browser: Any, tmp_path: Path) -> None:
    out = hostile_output(tmp_path / "out")
    for number, post_id in enumerate((ID, "reply", "long2", "mojibake")):
        path = tmp_path / f"{number}.html"
        done = CliRunner().invoke(app, ["explain", str(out), post_id, "--html", str(path)])
        assert done.exit_code == 0, done.output
        assert path.stat().st_size < 200_000
        with Opened(browser, path) as page:
            assert page.evaluate("window.boomed") is None
            assert page.locator("script").count() == 1
            assert page.locator("img, main b").count() == 0
