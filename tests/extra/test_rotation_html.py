"""The page of `envkit rotate status --format html` in a real browser."""

import pytest

from envkit.cli.formats.rotation import page
from support.rotation_page import NOW, sample

pytestmark = pytest.mark.extra


@pytest.fixture
def path(project, tmp_path):
    found, rotations = sample(project)
    made = tmp_path / "status.html"
    made.write_text(page.render(found, rotations, NOW), encoding="utf-8")
    return made


@pytest.mark.parametrize("width", [420, 800, 1200, 2000])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_the_screen_and_asks_for_nothing(browser, path, width, dark):
    browser.requests.clear()
    browser.messages.clear()
    browser.open(path, width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.requests == [path.as_uri()]
    assert browser.messages == []
    assert browser.value("document.scripts.length") == 0


def test_the_gravest_come_first_and_say_what_to_do(browser, path):
    browser.open(path)
    states = browser.value("[...document.querySelectorAll('td.state b')].map(e => e.innerText)")
    assert states == [
        *("cannot be read", "quarantined", "overdue", "failing", "due", "in the grace period"),
        *("waiting", "waiting", "waiting"),
    ]
    notes = browser.value("[...document.querySelectorAll('tr.notes')].map(e => e.innerText)")
    assert "<b>profiles/eu.toml:3</b>: [rotation.db]: 'secret' is missing" in notes[0]
    assert "run 'envkit rotate prod/reports-db'" in notes[2]


def test_every_track_is_told_in_words(browser, path):
    browser.open(path)
    labels = browser.value(
        "[...document.querySelectorAll('td .track')].map(e => e.getAttribute('aria-label'))"
    )
    assert "rotated 12 days ago; next: 2026-12-13 03:31 UTC (in 18 days)" in labels
    assert "never rotated; next: now" in labels


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_written_can_be_read(browser, path, dark):
    """Contrast of text and ground, WCAG 2.2: 4.5 for text of this size."""
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


def test_the_calendar_has_what_was_rotated_and_what_is_due(browser, path):
    browser.open(path)
    titles = browser.value("[...document.querySelectorAll('.month td[title]')].map(e => e.title)")
    assert "rotated: prod/db-password" in titles
    assert any(title.startswith("due: ") and "prod/cache" in title for title in titles)
    assert not any("session-keys" in title for title in titles if title.startswith("due: "))
