"""The `envkit` command: dispatch before importing.

`exec`, `get` and `export` run before an app starts, so they run without typer, which alone
takes longer than they do. In a locale that is not UTF-8, envkit first restarts itself in
Python's UTF-8 mode.
"""

from __future__ import annotations

import gc
import sys

HOT = ("exec", "get", "export")


def main() -> None:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:]
    if sys.getfilesystemencoding() != "utf-8":
        from envkit.cli.utf8_mode import restart

        restart(arguments)
    if arguments and arguments[0] in HOT:
        gc.disable()  # saves a tenth of the run time; the process ends before there is garbage
        from envkit.cli.hot import asks_for_help, run

        if not asks_for_help(arguments[0], arguments[1:]):
            sys.exit(run(arguments[0], arguments[1:]))
        arguments = [arguments[0], "--help"]
    from envkit.cli.app import run_app

    sys.exit(run_app(arguments))


if __name__ == "__main__":
    main()
