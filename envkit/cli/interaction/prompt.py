"""Ask a person on the terminal. Answers never go to stdout."""

from __future__ import annotations

import sys

from envkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.trust.destination import Destination

MAX_LINE_BYTES = 4095  # the limit in Linux, which silently truncates longer lines


def is_interactive() -> bool:
    """Return whether a person can see a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """Return the line that the person types; empty at the end of input.

    Raises:
        KeyboardInterrupt: they pressed Ctrl-C.
    """
    try:
        print(question, end=" ", file=sys.stderr, flush=True)
        return _read_line().rstrip("\n")
    except KeyboardInterrupt:
        print(file=sys.stderr)  # start the shell's prompt on a new line
        raise


def ask_secret(question: str) -> str:
    """Return a value that the person types twice, hidden.

    Raises:
        UsageError: the two values differ, or are too long for a terminal.
        KeyboardInterrupt: they pressed Ctrl-C.
    """
    try:
        first = hidden_line(f"{question}: ")
        if len(first.encode("utf-8", "surrogateescape")) >= MAX_LINE_BYTES:
            raise UsageError(
                f"the value is too long to type: a terminal reads {MAX_LINE_BYTES} bytes per line",
                hint="write the value to a file, and use --from-file",
            )
        second = hidden_line("Again: ")
    except EOFError:
        raise UsageError("nothing was typed; nothing was changed") from None
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise
    if first != second:
        raise UsageError("the two values differ; nothing was changed", hint="try again")
    return first


def _read_line() -> str:
    """Return the line that the person types, byte for byte."""
    return sys.stdin.buffer.readline().decode("utf-8", "surrogateescape")


def hidden_line(question: str) -> str:
    """Return the line that the person types while the terminal hides it.

    `getpass` decodes with the locale, and shows the line if it cannot hide it.

    Raises:
        EOFError: the input has ended.
        UsageError: the terminal cannot hide it.
    """
    import termios

    from envkit.cli.interaction.hidden_input import hidden_input

    sys.stderr.flush()
    try:
        with hidden_input(sys.stdin.fileno(), question):
            line = _read_line()
    except termios.error:
        raise UsageError(
            "cannot read the value: the terminal would show it",
            hint="pipe the value in, or use --from-file",
        ) from None
    if not line:
        raise EOFError
    print(file=sys.stderr)  # the newline that the person typed was hidden as well
    return line.removesuffix("\n")


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether the person agrees; `yes` is an answer given in advance.

    Raises:
        UsageError: this is not a terminal.
    """
    if yes:
        return True
    if not is_interactive():
        raise UsageError("cannot ask for confirmation: not a terminal", hint="add --yes to confirm")
    return ask(f"{question} [y/N]").strip().lower() in ("y", "yes")


def ask_reason(protected: Sequence[str]) -> str:
    """Return the reason for using profiles; empty if this is not a terminal.

    Args:
        protected: the names of the protected profiles; none if `--break-glass` needs the reason.
    """
    if not is_interactive():
        return ""
    if not protected:
        return ask("--break-glass needs a reason. Reason:")
    verb = "is" if len(protected) == 1 else "are"
    return ask(f"{' and '.join(protected)} {verb} protected. Reason:")


def ask_trust(folder: str, destinations: Sequence[Destination]) -> bool:
    """Return whether the person trusts the profiles in a folder with new destinations."""
    from envkit.cli.output import printable

    print(f"envkit: the profiles in {printable(folder)} need your trust:", file=sys.stderr)
    for number, one in enumerate(destinations, 1):
        print(f"  {number}. {printable(one.sentence)}", file=sys.stderr)
    return ask("Allow this? [y/N]").strip().lower() in ("y", "yes")
