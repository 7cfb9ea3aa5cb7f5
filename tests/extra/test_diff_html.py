"""The HTML page of `envkit diff` in a real browser."""

from datetime import UTC, datetime

import pytest

from envkit.checks.ignore_file import Rule
from envkit.cli.formats.diff import page
from envkit.cli.formats.diff.report import Report
from envkit.comparison.compare import diff
from envkit.errors import DeniedError
from support.sides import side
from support.team import OWN_SECRETS, team_sides

pytestmark = pytest.mark.extra

STATUSES = ("reused", "unreadable", "missing", "different", "same")
SECRET = "canary-7f3a9c-long-enough"
LONG = "https://user@example.com/a-path-that-goes-on?" + "x" * 300

STAGING = side(
    "staging",
    {"STRIPE_KEY": SECRET, "DATABASE_URL": f"postgresql://app:{SECRET}@db.staging/app"},
    {"LOG_LEVEL": "debug", "MODE": "x", "WEBHOOK": LONG, "HTML": "<b>&amp;</b>", "GONE": "1"},
    failing={"TOKEN": DeniedError("permission denied at vault:staging/token")},
)
PROD = side(
    "prod",
    {"STRIPE_KEY": SECRET, "DATABASE_URL": "postgresql://app:other-one@db.prod/app", "TOKEN": "t"},
    {"LOG_LEVEL": "info", "MODE": "x", "WEBHOOK": LONG + "y", "HTML": "", "ONLY": "here"},
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The same page for two environments and for six, and the page of a real team."""
    folder = tmp_path_factory.mktemp("pages")
    rule = Rule("GONE", ("missing",), "only here", ".envkit-ignore:1")
    made = {}
    for name, sides in {
        "two": (STAGING, PROD),
        "team": team_sides(),
        "six": (STAGING, PROD, *(side(label) for label in ("eu", "us", "asia", "test"))),
    }.items():
        found = diff(*sides)
        ignored = tuple((entry, rule) for entry in found.entries if entry.name == "GONE")
        report = Report(found, ignored)
        made[name] = folder / f"{name}.html"
        made[name].write_text(page.render(report, datetime.now(UTC)), encoding="utf-8")
    return made


def click(browser, selector):
    box = browser.value(
        f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
        f"return [b.x + b.width / 2, b.y + b.height / 2]; }})(document.querySelector('{selector}'))"
    )
    for event in ("mousePressed", "mouseReleased"):
        browser.command(
            "Input.dispatchMouseEvent", type=event, x=box[0], y=box[1], button="left", clickCount=1
        )


def visible(browser):
    """The statuses with visible variables."""
    return [
        status
        for status in STATUSES
        if browser.value(f"document.querySelector('tbody.{status} tr').checkVisibility()")
    ]


def test_diff_page_requests_nothing_and_logs_no_errors(browser, pages):
    browser.requests.clear()
    browser.open(pages["two"])
    assert browser.requests == [pages["two"].as_uri()]
    assert browser.messages == []
    assert browser.value("document.compatMode") == "CSS1Compat"
    assert SECRET not in browser.value("document.documentElement.outerHTML")


def test_diff_page_shows_values_as_text(browser, pages):
    browser.open(pages["two"])
    cell = "[...document.querySelectorAll('tr')].find(r => r.innerText.startsWith('HTML')).cells[1]"
    assert browser.value(f"{cell}.querySelector('code').innerText") == "<b>&amp;</b>"


@pytest.mark.parametrize("status", STATUSES)
def test_diff_page_filters_by_status_without_a_script(browser, pages, status):
    browser.open(pages["two"])
    assert visible(browser) == list(STATUSES[:-1])
    click(browser, f"label.{status}")
    expected = set(STATUSES[:-1]) ^ {status}
    assert visible(browser) == [each for each in STATUSES if each in expected]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["two", "team"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_diff_page_is_readable_in_light_and_dark(browser, pages, name, dark, width):
    browser.open(pages[name], dark=dark, width=width)
    background = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (luminance(background) < 0.1) is dark
    texts = browser.value(COLOURS_OF_TEXTS)
    assert len(texts) > 50
    for text, colour, behind in texts:
        assert contrast(colour, behind) >= 4.5, (text, colour, behind)


@pytest.mark.parametrize("width", [320, 390, 720, 1280])
@pytest.mark.parametrize("name", ["two", "six", "team"])
def test_diff_page_is_never_wider_than_the_screen(browser, pages, name, width):
    browser.open(pages[name], width=width)
    assert browser.value("document.documentElement.scrollWidth") == width


def test_diff_page_on_a_phone_labels_each_value_with_its_environment(browser, pages):
    browser.open(pages["two"], width=390)
    cells = browser.value(
        "[...document.querySelectorAll('tr.variable td')].slice(0, 2)"
        ".map(cell => getComputedStyle(cell, '::before').content)"
    )
    assert cells == ['"staging"', '"prod"']


TEAM = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@TEAM
@pytest.mark.parametrize("width", [390, 1280])
def test_the_secrets_that_should_differ_are_one_line_until_it_is_opened(
    browser, pages, width, dark
):
    browser.open(pages["team"], width=width, dark=dark)
    rows = "[...document.querySelectorAll('tbody.folded tr.variable')]"
    shown = f"{rows}.filter(row => row.checkVisibility()).length"
    line = browser.value("document.querySelector('tr.fold').innerText.trim()")
    assert line == f"{OWN_SECRETS} secrets differ, as they should"
    assert browser.value(f"{rows}.length") == OWN_SECRETS
    assert browser.value(shown) == 0
    click(browser, "tr.fold label")
    assert browser.value(shown) == OWN_SECRETS
    click(browser, "label.different")
    assert browser.value(shown) == 0


@TEAM
def test_the_header_row_stays_in_view_and_on_a_phone_the_status(browser, pages, dark):
    browser.open(pages["team"], width=1280, dark=dark)
    browser.value("document.querySelector('tr.fold').scrollIntoView({block: 'end'})")
    assert browser.value("scrollY") > 0
    assert browser.value("document.querySelector('thead th').getBoundingClientRect().top") == 0
    browser.open(pages["team"], width=390, dark=dark)
    browser.value("document.querySelector('tr.fold').scrollIntoView({block: 'end'})")
    group = "document.querySelector('tbody.different tr.group').getBoundingClientRect().top"
    assert browser.value(group) == 0


def test_the_header_row_of_a_wide_table_stays_in_view(browser, pages):
    browser.open(pages["six"], width=800, height=400)
    browser.value("document.querySelector('.sheet').scrollTo(0, 300)")
    top = browser.value(
        "document.querySelector('thead th').getBoundingClientRect().top"
        " - document.querySelector('.sheet').getBoundingClientRect().top"
    )
    assert 0 <= top <= 1  # the border


def test_a_secret_that_two_variables_share_counts_once(browser, pages):
    browser.open(pages["team"])
    assert browser.value("document.querySelector('label.reused b').innerText") == "1"
    summary = browser.value("document.querySelector('.summary').innerText")
    assert summary.startswith("1 reused in 2 variables, ")
    notes = browser.value("document.querySelector('tbody.reused').innerText")
    assert notes.count("give staging its own value") == 1


def test_equal_environments_are_one_value_on_a_phone(browser, pages):
    browser.open(pages["team"], width=390)
    seen = browser.value(
        "[...[...document.querySelectorAll('tr.variable')]"
        ".find(row => row.innerText.startsWith('LOG_LEVEL')).cells]"
        ".filter(cell => cell.tagName === 'TD' && cell.checkVisibility())"
        ".map(cell => [getComputedStyle(cell, '::before').content, cell.innerText.trim()])"
    )
    assert seen == [
        ['"dev, test"', "debug\n/profiles/dev.toml:2\n/profiles/test.toml:2"],
        ['"staging, prod"', "info\n/profiles/staging.toml:2\n/profiles/prod.toml:2"],
    ]


@pytest.mark.parametrize("width", [390, 720, 1280])
def test_urls_and_references_break_between_their_parts(browser, pages, width):
    """A part is on one line, unless it is wider than that."""
    browser.open(pages["team"], width=width)
    broken = browser.value(
        """
        [...document.querySelectorAll('td .part')].filter(part => {
          if (!part.checkVisibility() || part.querySelector('.part')) return false;
          const range = document.createRange();
          range.selectNodeContents(part);
          const tops = new Set([...range.getClientRects()].map(rect => Math.round(rect.top)));
          const room = part.closest('td').clientWidth - 32;
          return tops.size > 1 && part.textContent.length * 7.9 < room;
        }).map(part => part.textContent)
        """
    )
    assert broken == []
    assert browser.value("document.querySelectorAll('td .part').length") > 400


@pytest.mark.parametrize("width", [390, 1100])
def test_diff_page_exposes_a_table_to_screen_readers(browser, pages, width):
    browser.open(pages["two"], width=width)
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    assert ("table", "Variables of staging, prod") in found
    assert ("rowheader", "STRIPE_KEY") in found
    assert ("checkbox", "reused 1") in found
    assert ("group", "Show variables that are") in found
    assert ("image", "secret") in found
    assert ("heading", "staging · prod") in found
    assert sum(role == "row" for role, _ in found) > 8


def test_diff_page_prints_without_its_filters(browser, pages):
    browser.open(pages["two"])
    browser.command("Emulation.setEmulatedMedia", media="print")
    assert browser.value("document.querySelector('fieldset').checkVisibility()") is False
    assert browser.command("Page.printToPDF")["data"]
    browser.command("Emulation.setEmulatedMedia", media="")


COLOURS_OF_TEXTS = """
(() => {
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && element.checkVisibility())
      found.push([walker.currentNode.data, getComputedStyle(element).color, behind(element)]);
  }
  return found;
})()
"""


def luminance(colour):
    """Reference: WCAG 2.2, relative luminance."""
    parts = [float(part) / 255 for part in colour[4:-1].split(",")]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, two):
    """Reference: WCAG 2.2, contrast ratio."""
    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)
