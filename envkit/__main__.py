"""The `envkit` command: dispatch before importing.

`exec`, `get` and `export` run before an app starts, so they run without typer, which alone
takes longer than they do. In a locale that is not UTF-8, envkit first restarts itself in
Python's UTF-8 mode.
"""

import os
import sys

HOT = ("exec", "get", "export")


def main() -> None:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:]
    if sys.getfilesystemencoding() != "utf-8":
        from envkit.cli.utf8_mode import restart

        restart(arguments)
    if "ENVKIT_HOOK_STATE" in os.environ and arguments[:1] != ["hook"]:
        from envkit.launch.shell_hook import take_out

        take_out(os.environ)
    if arguments and arguments[0] in HOT:
        spent_seconds = 0.0
        mode = _agent_mode()
        if mode != "off":
            from envkit import warm

            outcome = warm.run(arguments[0], arguments[1:], mode)
            if outcome.status is not None:
                sys.exit(outcome.status)
            spent_seconds = outcome.spent_seconds
        import gc

        gc.disable()  # saves a tenth of the run time; the process ends before there is garbage
        from envkit.cli.hot import asks_for_help, run

        if not asks_for_help(arguments[0], arguments[1:]):
            sys.exit(run(arguments[0], arguments[1:], spent_seconds=spent_seconds))
        arguments = [arguments[0], "--help"]
    if len(arguments) == 4 and arguments[0] == "hook" and arguments[3].isdecimal():
        from envkit.cli.exec.hook_step import run as run_step

        step = arguments[2]
        if step in ("--step", "--unload"):
            load = step == "--step"
            sys.exit(run_step(arguments[1], int(arguments[3]), _agent_mode(), load=load))
    from envkit.cli.app import run_app

    sys.exit(run_app(arguments))


def _agent_mode() -> str:
    return os.environ.get("ENVKIT_AGENT") or _configured_mode()


def _configured_mode() -> str:
    """Return `auto` if the user's configuration has a line `agent = true` above its tables.

    Most users have no such file, and `tomllib` takes longer than the rest of a warm `exec`.
    `trust.user_config` reports what is wrong with the file.
    """
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):
        folder = os.environ.get("HOME", "") + "/.config"
    try:
        descriptor = os.open(f"{folder}/envkit/config.toml", os.O_RDONLY | os.O_NONBLOCK)
        try:
            state = os.fstat(descriptor)
            if state.st_uid != os.geteuid() or state.st_mode & 0o022:
                return "off"
            head = (b"\n" + os.read(descriptor, 1 << 16)).partition(b"\n[")[0]
        finally:
            os.close(descriptor)
    except OSError:
        return "off"
    lines = (line.partition(b"#")[0].replace(b" ", b"").strip() for line in head.split(b"\n"))
    return "auto" if b"agent=true" in lines else "off"


if __name__ == "__main__":
    main()
