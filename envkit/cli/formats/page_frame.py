"""The frame of the HTML pages: one file, no script, nothing from elsewhere, light and dark.

What is common to their style is in `page.css`; each page adds its own.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from envkit import __version__
from envkit.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{kind}: {title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<p class="kind">{kind}</p>
<h1>{heading}</h1>
<p class="summary">{summary}</p>
</header>
<main>
{body}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""


def framed(
    kind: str,
    title: str,
    *,
    heading: str,
    summary: str,
    body: Iterable[str],
    remarks: Iterable[str],
    package: str,
    now: datetime,
) -> str:
    """Return a page.

    Args:
        kind: the command that makes it.
        title: text, for the browser's tab.
        heading: HTML.
        summary: text.
        body: lines of HTML.
        remarks: HTML, one for each line of the foot.
        package: where the page's own `page.css` is.
        now: when the stores were read, with a zone.
    """
    styles = [files(where).joinpath("page.css") for where in ("envkit.cli.formats", package)]
    made = f"Made by envkit {__version__} on {now:%Y-%m-%d %H:%M %Z}."
    return _PAGE.format(
        kind=kind,
        title=text(title),
        style="\n".join(style.read_text("utf-8") for style in styles),
        heading=heading,
        summary=text(summary),
        body="\n".join(body),
        footer="\n".join(f"<p>{remark}</p>" for remark in (*remarks, made) if remark),
    )


def text(words: str) -> str:
    """Return a text as HTML."""
    return escape(printable(words))
