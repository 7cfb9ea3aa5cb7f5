"""The person at the terminal, for logins: questions, the browser, what a login waits for.

A question may be asked in any thread, while another reads a store. So that Ctrl-C ends the
command there too, a line is read without the lock of Python's stdin.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from envkit.cli.interaction.prompt import MAX_LINE_BYTES, hidden_line
from envkit.cli.output import printable

# without one of these, a text browser would take over the terminal
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
        if not typed.endswith(b"\n"):
            print(file=sys.stderr)
        return typed.decode("utf-8", "surrogateescape").strip()

    def ask_hidden(self, question: str) -> str:
        """Return the line that the person types while the terminal hides it."""
        try:
            return hidden_line(f"{printable(question)} ")
        except EOFError:
            print(file=sys.stderr)
            return ""
        except KeyboardInterrupt:
            print(file=sys.stderr)  # start the shell's prompt on a new line
            raise

    def tell(self, text: str) -> None:
        """Show one line."""
        print(f"envkit: {printable(text)}", file=sys.stderr, flush=True)

    def open_browser(self, url: str) -> None:
        """Show the address of a page, and open it in the browser if there is one."""
        opens = self._browser and (sys.platform != "linux" or any(map(os.environ.get, _DISPLAYS)))
        how = "use the page that your browser shows, or open" if opens else "open"
        text = f"envkit: to log in, {how} this address in a browser:\n{url}"
        print(text, file=sys.stderr, flush=True)
        if opens:
            # some browsers return only when the person closes them
            threading.Thread(target=_open, args=(url,), daemon=True).start()


def _open(url: str) -> None:
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):  # the person has the address
        webbrowser.open(url)
