"""Render HTML pages: one file, no script, no external resource, light and dark.

`page.html.j2` is the frame, styled by `page.css`; the template of each page extends it. A page
module computes the content, and the template only lays it out.

- Every value in a template goes through `printable` and is escaped.
- An undefined name in a template is an error.
- This module imports jinja2, so only commands that create a page import it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from envkit import __version__
from envkit.cli.output import printable

if TYPE_CHECKING:
    from datetime import datetime


class Head(NamedTuple):
    """The text in the frame of a page.

    Attributes:
        kind: the command that creates the page.
        title: the title of the browser tab, and the heading of most pages.
        summary: one line below the heading.
        now: when the stores were read, with a time zone.
    """

    kind: str
    title: str
    summary: str
    now: datetime


def render_page(template: str, head: Head, view: object) -> str:
    """Return the HTML of a page.

    Args:
        template: the path of the template in this folder.
        head: the text in the frame.
        view: the content; templates access it as `view`.
    """
    page = _environment().get_template(template)
    return page.render(head=head, view=view, version=__version__)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("envkit.cli.formats", "."),
        autoescape=True,
        auto_reload=False,
        finalize=_printable,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )


def _printable(value: object) -> str:
    """Return the printable text of a value; the output of a macro is already HTML."""
    return value if isinstance(value, Markup) else printable(str(value))
