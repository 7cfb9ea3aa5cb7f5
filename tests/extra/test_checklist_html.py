"""The HTML page of `envkit check --checklist` in a real browser."""

from __future__ import annotations

import pytest

from envkit.cli.formats.checklist import page
from support.checklist_page import NOW, hostile, sample

pytestmark = pytest.mark.extra

SCREENS = pytest.mark.parametrize("width", [390, 1280])
SCHEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


def written(tmp_path, checklists):
    path = tmp_path / "checklist.html"
    path.write_text(page.render(checklists, NOW), encoding="utf-8")
    return path


@SCREENS
@SCHEMES
def test_checklist_page_fits_the_screen_and_requests_nothing(browser, tmp_path, width, dark):
    path = written(tmp_path, sample())
    browser.requests.clear()
    browser.messages.clear()
    browser.open(path, width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.requests == [path.as_uri()]
    assert browser.messages == []
    assert browser.value("document.scripts.length") == 0


@SCREENS
def test_checklist_page_shows_each_item_with_its_state_in_words(browser, tmp_path, width):
    browser.open(written(tmp_path, sample()), width=width)
    rows = browser.value(
        "[...document.querySelectorAll('tbody tr')].filter(e => e.checkVisibility()).map(e => ["
        "e.querySelector('b').innerText, e.querySelector('th').innerText])"
    )
    assert rows == [
        ["failed", "Variables updated"],
        ["ok", "Secrets rotated"],
        ["warning", "Backup verified"],
        ["ok", "Access guarded"],
        ["ok", "Audit chain intact"],
        ["not configured", "Notifications tried"],
    ]


@SCHEMES
def test_checklist_page_has_enough_contrast(browser, tmp_path, dark):
    """WCAG 2.2 requires a contrast of 4.5 for text of this size."""
    browser.open(written(tmp_path, sample()), dark=dark)
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
          for (const e of document.querySelectorAll('th, td, td b, li, .advice, p, h1')) {
            if (!e.innerText.trim()) continue;
            const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.push(e.innerText + ' ' + ratio.toFixed(2));
          }
          return poor;
        })()
        """
    )
    assert poor == []


def test_checklist_page_shows_markup_in_names_as_text(browser, tmp_path):
    browser.open(written(tmp_path, hostile()))
    assert browser.value("document.querySelectorAll('main a, td:last-child b').length") == 0
    assert "<b>x</b>" in browser.value("document.querySelector('tbody').innerText")
