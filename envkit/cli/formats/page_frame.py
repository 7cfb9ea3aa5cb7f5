"""Make HTML pages: one file, no script, no external resource, light and dark.

`page.html.j2` is the frame, with `page.css`; the template of each page extends it. A page
module computes what its template shows, and the template only lays it out.

- Every value that a template writes goes through `printable` and is escaped.
- A name that a template does not find is an error.
- Importing this module imports jinja2, so only the commands that make a page do.
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
    """What the frame of a page says.

    Attributes:
        kind: the command that makes the page.
        title: for the browser's tab, and the heading of most pages.
        summary: one line below the heading.
        now: when the stores were read, with a zone.
    """

    kind: str
    title: str
    summary: str
    now: datetime


def render_page(template: str, head: Head, view: object) -> str:
    """Return a page.

    Args:
        template: its path below this folder.
        head: what the frame says.
        view: what the template shows; templates know it as `view`.
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
    """Return the text of a value; the output of a macro is already HTML."""
    return value if isinstance(value, Markup) else printable(str(value))
