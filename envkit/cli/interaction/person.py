"""The person at the terminal, for logins: questions, the browser, what a login waits for.

A question may be asked in any thread, while another reads a store. So that Ctrl-C ends the
command there too, a line is read without the lock of Python's stdin.
"""

from __future__ import annotations

import os
import sys

from envkit.cli.interaction.prompt import MAX_LINE_BYTES, hidden_line
from envkit.cli.output import printable

_DISPLAYS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


class TerminalPerson:
    """See `envkit._internal.person:Person`.

    Args:
        browser: whether to open a page in the browser, if there is one.
    """

    def __init__(self, *, browser: bool = True) -> None:
        self._browser = browser

    def ask(self, question: str) -> str:
        """Return the line that the person types."""
        print(printable(question), end=" ", file=sys.stderr, flush=True)
        typed = os.read(sys.stdin.fileno(), MAX_LINE_BYTES + 1)
        return typed.decode("utf-8", "surrogateescape").strip()

    def ask_hidden(self, question: str) -> str:
        """Return the line that the person types while the terminal hides it."""
        try:
            return hidden_line(f"{printable(question)} ")
        except EOFError:
            return ""

    def tell(self, text: str) -> None:
        """Show one line."""
        print(f"envkit: {printable(text)}", file=sys.stderr, flush=True)

    def open_browser(self, url: str) -> None:
        """Open a page in the browser, and show its address."""
        opened = self._browser and _opened(url)
        how = "use the page that your browser shows, or open" if opened else "open"
        print(
            f"envkit: to log in, {how} this address in a browser:\n{url}",
            file=sys.stderr,
            flush=True,
        )


def _opened(url: str) -> bool:
    if sys.platform == "linux" and not any(map(os.environ.get, _DISPLAYS)):
        return False  # a text browser would take over the terminal
    import webbrowser

    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
