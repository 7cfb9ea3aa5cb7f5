"""The HTML page of `envkit rotate status` in a real browser."""

import pytest

from envkit.cli.formats.rotation import page
from support.rotation_page import NOW, sample
from support.team import team_rotations

pytestmark = pytest.mark.extra


@pytest.fixture
def path(project, tmp_path):
    found, rotations = sample(project)
    made = tmp_path / "status.html"
    made.write_text(page.render(found, rotations, NOW), encoding="utf-8")
    return made


@pytest.fixture
def team(project, tmp_path):
    """The page of 40 rotations."""
    found, rotations = team_rotations(project)
    made = tmp_path / "team.html"
    made.write_text(page.render(found, rotations, NOW), encoding="utf-8")
    return made


SCREENS = pytest.mark.parametrize("width", [390, 1280])
SCHEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@SCREENS
@SCHEMES
def test_the_months_stay_in_view_above_40_rotations(browser, team, width, dark):
    browser.open(team, width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("document.querySelectorAll('td.axis').length") == 40
    browser.value("document.querySelector('section tbody tr:last-child').scrollIntoView(false)")
    axis = "document.querySelector('th.axis')"
    assert browser.value(f"{axis}.checkVisibility()")
    assert browser.value(f"{axis}.getBoundingClientRect().top") == 0
    assert browser.value(f"[...{axis}.querySelectorAll('.tick')].map(e => e.innerText)") == [
        *("Nov", "Jan", "now")
    ]
    tick, line = (
        browser.value(f"(b => b.x + b.width / 2)({element}.getBoundingClientRect())")
        for element in (
            f"{axis}.querySelector('.today')",
            "document.querySelector('td .line')",
        )
    )
    assert abs(tick - line) < 2, "the label is not above its line"


@SCREENS
def test_every_mark_is_in_a_legend(browser, team, width):
    browser.open(team, width=width)
    used = browser.value(
        "[...new Set([...document.querySelectorAll('td .track i')].map(e => e.className))]"
    )
    explained = browser.value(
        "[...document.querySelectorAll('.legend i')].filter(e => e.parentElement.innerText.trim()"
        " && e.getBoundingClientRect().width && e.getBoundingClientRect().height)"
        ".map(e => e.className)"
    )
    assert len(used) > 8
    assert set(used) <= set(explained)
    days = browser.value(
        "[...document.querySelectorAll('.month td')].flatMap(e => [...e.classList])"
    )
    assert {f"day {name}" for name in days} <= set(explained)


@SCREENS
def test_a_failing_rotation_does_not_look_due(browser, team, width):
    browser.open(team, width=width)
    rows = browser.value(
        "[...document.querySelectorAll('tr.failing:not(.notes)')].map(row => ["
        "[...row.querySelectorAll('i')].map(e => e.className),"
        "row.querySelector('.next').innerText.trim()])"
    )
    assert len(rows) == 5
    for marks, following in rows:
        assert "mark cross" in marks
        assert "mark ring" not in marks
        assert following == "retrying"


@pytest.mark.parametrize("width", [420, 800, 1200, 2000])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_rotation_page_fits_the_screen_and_requests_nothing(browser, path, width, dark):
    browser.requests.clear()
    browser.messages.clear()
    browser.open(path, width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.requests == [path.as_uri()]
    assert browser.messages == []
    assert browser.value("document.scripts.length") == 0


def test_rotation_page_lists_the_most_severe_first_and_says_what_to_do(browser, path):
    browser.open(path)
    states = browser.value("[...document.querySelectorAll('td.state b')].map(e => e.innerText)")
    assert states == [
        *("unreadable", "quarantined", "overdue", "failing", "due", "in the grace period"),
        *("waiting", "waiting", "waiting"),
    ]
    notes = browser.value("[...document.querySelectorAll('tr.notes')].map(e => e.innerText)")
    assert "<b>profiles/eu.toml:3</b>: [rotation.db] needs 'secret'" in notes[0]
    assert "run: envkit rotate prod/reports-db" in notes[2]


def test_rotation_page_describes_every_track_in_words(browser, path):
    browser.open(path)
    labels = browser.value(
        "[...document.querySelectorAll('td .track')].map(e => e.getAttribute('aria-label'))"
    )
    assert "rotated 12 days ago; next: 2026-12-13 03:31 UTC (in 18 days)" in labels
    assert "never rotated; next: now" in labels


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_rotation_page_has_enough_contrast(browser, path, dark):
    """WCAG 2.2 requires a contrast of 4.5 for text of this size."""
    browser.open(path, dark=dark)
    poor = browser.value(
        """
        (() => {
          const channel = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const parse = c => c.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255)
            + 0.0722 * channel(b / 255);
          const ground = e => { for (; e; e = e.parentElement) {
            const c = getComputedStyle(e).backgroundColor;
            if (c.startsWith('rgb(')) return parse(c);
          } };
          const poor = [];
          for (const e of document.querySelectorAll('th, td b, .from, .advice, p')) {
            if (!e.innerText.trim() || e.closest('.month')) continue;
            const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.push(e.innerText + ' ' + ratio.toFixed(2));
          }
          return poor;
        })()
        """
    )
    assert poor == []


def test_rotation_page_calendar_has_past_and_due_rotations(browser, path):
    browser.open(path)
    titles = browser.value("[...document.querySelectorAll('.month td[title]')].map(e => e.title)")
    assert "rotated: prod/db-password" in titles
    assert any(title.startswith("due: ") and "prod/cache" in title for title in titles)
    assert not any("session-keys" in title for title in titles if title.startswith("due: "))
