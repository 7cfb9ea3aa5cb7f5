"""The HTML pages: everything on them is text, and only a page costs the import of jinja2."""

import re
from datetime import UTC, datetime

import pytest
from jinja2 import UndefinedError

from envkit.checks.ignore_file import Rule
from envkit.cli.formats.diff import page as diff_page
from envkit.cli.formats.diff.report import Report
from envkit.cli.formats.page_frame import Head, render_page
from envkit.cli.formats.rotation import page as rotation_page
from envkit.comparison.compare import diff
from envkit.errors import DeniedError
from envkit.rotation.status import RotationStatus
from support.html_page import Page
from support.process import run_python
from support.sides import side

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>\"'><b onload=\"y\">&amp;{{ 7 * 7 }}{% raw %}"
CONTROLS = "\x1b[31m\x9b\u202e\r\n\0"
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def compared(text):
    """The page of a comparison in which everything that a user writes is `text`."""
    sides = [
        side(f"a{text}", {f"S{text}": "secret-one"}, {f"L{text}": text, f"I{text}": "1"}),
        side(
            f"b{text}",
            {f"S{text}": "secret-two"},
            {f"L{text}": f"{text},b"},
            failing={f"F{text}": DeniedError(f"denied {text}")},
        ),
    ]
    found = diff(*sides)
    rule = Rule("I*", ("missing",), f"why {text}", ".envkit-ignore:1")
    ignored = tuple((entry, rule) for entry in found.entries if entry.name.startswith("I"))
    return diff_page.render(Report(found, ignored), NOW)


def standing(text):
    """The page of a failing rotation in which everything that a user writes is `text`."""
    one = RotationStatus(
        f"prod/{text}",
        location=f"vault:kv/{text}#{text}",
        state="failing",
        phase="set",
        last_rotated_at=NOW.timestamp() - 86_400,
        started_at=NOW.timestamp() - 60,
        error=f"error {text}",
        hint=f"hint {text}",
    )
    return rotation_page.render([one], [], NOW.timestamp())


PAGES = pytest.mark.parametrize("page", [compared, standing])


@PAGES
def test_a_page_shows_hostile_text_as_text(page):
    plain, shown = Page(page("x")), Page(page(HOSTILE))
    assert shown.names == plain.names
    assert {name for name, _ in shown.attributes} == {name for name, _ in plain.attributes}
    assert "script" not in shown.names


def test_the_diff_page_shows_names_values_places_and_reasons_unchanged():
    shown = Page(compared(HOSTILE))
    for name in (f"S{HOSTILE}", f"L{HOSTILE}", f"F{HOSTILE}", f"I{HOSTILE}", HOSTILE):
        assert name in shown.texts
    assert f" is missing: why {HOSTILE}" in shown.texts
    assert any(f"denied {HOSTILE}" in text for text in shown.texts)
    assert f"vault:a{HOSTILE}/S{HOSTILE}" in "".join(shown.texts)
    assert f"a{HOSTILE}" in shown.values("data-environments")


def test_the_rotations_page_shows_names_locations_and_errors_unchanged():
    shown = Page(standing(HOSTILE))
    assert f"prod/{HOSTILE}" in shown.texts
    assert f"error {HOSTILE}" in shown.texts
    assert f"hint {HOSTILE}" in shown.texts
    assert f"vault:kv/{HOSTILE}#{HOSTILE}" in "".join(shown.texts)
    assert f"rotated: prod/{HOSTILE}" in shown.values("title")


@PAGES
def test_a_page_writes_control_characters_as_escapes(page):
    html = page(CONTROLS)
    assert not UNSEEN.search(html)
    assert r"\x1b[31m" in html


@PAGES
def test_a_page_forbids_scripts_and_requests_by_its_policy(page):
    policies = Page(page("x")).values("content")
    assert "default-src 'none'; style-src 'unsafe-inline'" in policies


def test_a_template_cannot_use_a_name_that_its_view_lacks():
    with pytest.raises(UndefinedError, match="environments"):
        render_page("diff/page.html.j2", Head("envkit diff", "t", "s", NOW), object())


IMPORTED = """
import sys
sys.argv = ["envkit", *sys.argv[1:]]
from envkit.__main__ import main
try:
    main()
finally:
    print("jinja2" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("command", "page"),
    [
        (("diff", "staging", "prod", "--format", "html", "--output", "d.html"), True),
        (("diff", "staging", "prod", "--format", "json"), False),
        (("diff", "staging", "prod"), False),
        (("rotate", "status", "--format", "html", "--output", "r.html"), True),
        (("rotate", "status", "--format", "json"), False),
        (("check",), False),
        (("--help",), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_imports_jinja2_only_for_a_page(project, command, page):
    rotation = '[rotation.key]\nsecret = "dotenv:KEY"\nrotator = "random"\nevery = "30d"\n'
    project.profile("staging.toml", '[variables]\nMODE = "a"\n')
    project.profile("prod.toml", f'[variables]\nMODE = "b"\n{rotation}')
    project.dotenv("prod", "KEY=k\n")
    done = run_python(
        IMPORTED,
        *command,
        cwd=project.root,
        env={"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(project.root)},
        check=False,
    )
    assert done.stderr.splitlines()[-1] == str(page), done.stderr
