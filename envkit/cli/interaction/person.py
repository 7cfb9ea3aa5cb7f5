"""The person at the terminal, for logins: questions, the browser, what a login waits for.

A question may be asked in any thread, while another reads a store. So that Ctrl-C ends the
command there too, a line is read without the lock of Python's stdin.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from math import ceil
from time import monotonic

from envkit._internal.person import WAIT_SECONDS
from envkit.cli.interaction.prompt import MAX_LINE_BYTES, hidden_line
from envkit.cli.output import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CLEAR = "\x1b[K"  # the rest of the line
# without one of these, a text browser would take over the terminal
_DISPLAYS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


class TerminalPerson:
    """See `envkit._internal.person:Person`.

    Args:
        browser: whether to open a page in the browser, if there is one.
        wait_seconds: as of `Person`.
    """

    def __init__(self, *, browser: bool = True, wait_seconds: float = WAIT_SECONDS) -> None:
        self._browser = browser
        self.wait_seconds = wait_seconds

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

    @contextlib.contextmanager
    def waiting(self, text: str, seconds: float) -> Iterator[None]:
        """While entered, show what they must do elsewhere, and how much of the time is left."""
        end = monotonic() + seconds

        def line() -> str:
            left = ceil(max(0.0, end - monotonic()))
            return f"envkit: {printable(text)} ({left // 60}:{left % 60:02} left)"

        print(line(), end="", file=sys.stderr, flush=True)
        if len(line()) >= shutil.get_terminal_size().columns or _is_dumb():
            print(file=sys.stderr)  # a line that wraps cannot be replaced
            yield
            return
        over = threading.Event()

        def count_down() -> None:
            while not over.wait(1.0):
                print(f"\r{line()}{_CLEAR}", end="", file=sys.stderr, flush=True)

        counting = threading.Thread(target=count_down, daemon=True)
        counting.start()
        try:
            yield
        finally:
            over.set()
            counting.join()
            print(file=sys.stderr)

    def open_browser(self, url: str) -> None:
        """Show the address of a page, and open it in the browser if there is one."""
        opens = self._browser and (sys.platform != "linux" or any(map(os.environ.get, _DISPLAYS)))
        how = "use the page that your browser shows, or open" if opens else "open"
        text = f"envkit: to log in, {how} this address in a browser:\n{url}"
        print(text, file=sys.stderr, flush=True)
        if opens:
            # some browsers return only when the person closes them
            threading.Thread(target=_open, args=(url,), daemon=True).start()


def _is_dumb() -> bool:
    return os.environ.get("TERM", "dumb") == "dumb" or not sys.stderr.isatty()


def _open(url: str) -> None:
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):  # the person has the address
        webbrowser.open(url)
