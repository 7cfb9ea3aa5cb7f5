"""Ask a person on the terminal; what they type never goes to stdout."""

from __future__ import annotations

import sys

from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.trust.destination import Destination

MAX_LINE_BYTES = 4095  # of Linux; what is longer would be cut off in silence


def is_interactive() -> bool:
    """Return whether a person can see a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Return the line that a person types, empty at the end of input.

    Raises:
        KeyboardInterrupt: they pressed Ctrl-C.
    """
    try:
        print(question, end=" ", file=sys.stderr, flush=True)
        return _read_line().rstrip("\n")
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the shell's prompt has a line of its own
        raise


def ask_secret(question: str) -> str:
    """Return what a person types twice without seeing it.

    Raises:
        UsageError: the two differ, or it is too long for a terminal.
        KeyboardInterrupt: they pressed Ctrl-C.
    """
    try:
        first = _read_hidden(f"{question}: ")
        if len(first.encode("utf-8", "surrogateescape")) >= MAX_LINE_BYTES:
            raise UsageError(
                f"a terminal passes on {MAX_LINE_BYTES} bytes of a line at most",
                hint="put the value into a file, and use --from-file",
            )
        second = _read_hidden("Again: ")
    except EOFError:
        raise UsageError("nothing was typed; nothing was changed") from None
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise
    if first != second:
        raise UsageError("the two are not the same; nothing was changed", hint="try again")
    return first


def _read_line() -> str:
    """Return what a person types up to Enter: its bytes, as a value has them."""
    return sys.stdin.buffer.readline().decode("utf-8", "surrogateescape")


def _read_hidden(question: str) -> str:
    """Return the line that a person types while the terminal does not show it.

    `getpass` decodes by the locale, and shows what is typed where it cannot hide it.

    Raises:
        EOFError: the input has ended.
        UsageError: the terminal cannot hide it.
    """
    import termios

    terminal = sys.stdin.fileno()
    try:
        before = termios.tcgetattr(terminal)
        hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
    except termios.error:
        raise UsageError(
            "the terminal would show what is typed", hint="pipe the value in, or use --from-file"
        ) from None
    try:
        print(question, end="", file=sys.stderr, flush=True)
        line = _read_line()
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
    if not line:
        raise EOFError
    print(file=sys.stderr)  # the line's own end was hidden too
    return line.removesuffix("\n")


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether a person agrees; they have already where the line says `--yes`.

    Raises:
        UsageError: nobody is there to ask.
    """
    if yes:
        return True
    if not is_interactive():
        raise UsageError("nobody is there to be asked", hint="add --yes if you are sure")
    return ask(f"{question} [y/N]").strip().lower() in ("y", "yes")


def ask_reason(protected: Sequence[str]) -> str:
    """Return why somebody uses protected profiles; nothing where nobody is there to ask."""
    if not is_interactive():
        return ""
    verb = "is" if len(protected) == 1 else "are"
    return ask(f"{' and '.join(protected)} {verb} protected. Reason:")


def ask_trust(folder: str, destinations: Sequence[Destination]) -> bool:
    """Return whether a person trusts the profiles in a folder with what is new there."""
    from envkit.cli.output import printable

    print(f"envkit: the profiles in {printable(folder)} need your trust:", file=sys.stderr)
    for number, one in enumerate(destinations, 1):
        print(f"  {number}. {printable(one.sentence)}", file=sys.stderr)
    return ask("Trust them with this? [y/N]").strip().lower() in ("y", "yes")
