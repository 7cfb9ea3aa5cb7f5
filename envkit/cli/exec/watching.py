"""`envkit exec --watch` and `--supervise`: envkit stays the parent of the app.

Imported only with these options. `resident.supervisor` does the work.
"""

from __future__ import annotations

import gc
import os
import sys

from envkit._internal.files import set_leaving
from envkit.arguments import TAKES, WATCHING
from envkit.cli.error_text import print_labelled
from envkit.errors import UsageError
from envkit.resident.lifecycle import STOP_TIMEOUT_SECONDS, Do, Settings
from envkit.resident.request import WatchRequest
from envkit.resident.signals import number_of, signal_numbers
from envkit.resident.state import DEBOUNCE_SECONDS, MIN_INTERVAL_SECONDS
from envkit.resident.supervisor import Plan, Supervisor
from envkit.resident.watcher import Watcher
from envkit.sources.registry import current_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from envkit.arguments import Arguments
    from envkit.audit.session import Access
    from envkit.launch.app_files import AppFiles
    from envkit.resident.watcher import Changed
    from envkit.resolution.prepare import PreparedProfile

WAYS = ("restart", "signal", "run")


def plan_of(given: Arguments) -> Plan:
    """Return what the options say.

    Raises:
        UsageError: one is wrong, or needs `--watch`.
    """
    if not given.flag("watch") and not given.flag("supervise"):
        key = next(filter(given.flag, WATCHING))
        raise UsageError(
            f"--{key} needs --watch or --supervise",
            hint=f"write envkit exec --watch --{key} {TAKES[key][1]} ...",
        )
    on_change, reload_signal, command = _way(given)
    stop_signal = given.one("stop-signal")
    settings = Settings(
        on_change=on_change,
        stop_signal=_signal("--stop-signal", "TERM" if stop_signal is None else stop_signal),
        stop_timeout_seconds=_seconds(given, "stop-timeout", STOP_TIMEOUT_SECONDS),
        min_interval_seconds=_min_interval(_seconds(given, "debounce", DEBOUNCE_SECONDS)),
    )
    return Plan(settings, _seconds(given, "splay", 0.0), reload_signal, command)


def watcher_of(given: Arguments, command: Sequence[str]) -> Watcher:
    """Return the watcher of the environment that the arguments of `exec` name."""
    debounce = _seconds(given, "debounce", DEBOUNCE_SECONDS)
    return Watcher(
        WatchRequest(
            given.many("env"),
            profiles=given.one("profiles"),
            only=given.many("only"),
            exclude=given.many("except"),
            overrides=given.overrides,
            pristine=given.flag("pristine"),
            timeout_seconds=given.timeout_seconds,
            debounce_seconds=debounce,
            min_interval_seconds=_min_interval(debounce),
            command=command,
            approve=_approve,
        )
    )


def supervise(
    given: Arguments,
    command: Sequence[str],
    first: Changed,
    watcher: Watcher,
    plan: Plan,
    access: Access,
) -> NoReturn:
    """Run the app, keep its environment current, and end this process with its exit status.

    Args:
        given: the arguments of `exec`.
        command: the program and its arguments.
        first: the environment that it starts with.
        watcher: from `watcher_of`.
        plan: from `plan_of`.
        access: records each change in the audit log.
    """
    set_leaving(_may_leave)
    gc.freeze()  # what exists now stays: neither a collection nor a child touches it
    gc.enable()  # `main` disables it for short lives

    def record(change: Changed) -> None:
        access.record(change.names, change.versions)

    def open_files() -> AppFiles:
        from envkit.launch.app_files import AppFiles
        from envkit.launch.memory_folder import files_folder

        return AppFiles(*files_folder(given.one("files"), os.environ))

    status = Supervisor(
        command,
        first,
        watcher,
        plan,
        tell=print_labelled,
        record=record,
        open_files=open_files,
    ).run()
    sys.stdout.flush()
    os._exit(status)  # the interpreter would first free all that it has loaded, which takes 3 ms


def _may_leave(root: str, target: str) -> bool:
    guard = current_guard()  # it no longer asks: the terminal is the app's
    return guard is not None and guard.may_leave(root, target)


def _approve(prepared: Sequence[PreparedProfile]) -> None:
    """Refuse variables that load code into programs and that the user has not allowed."""
    from envkit.launch.loaders import loading_variables

    if loading_variables([name for one in prepared for name in one.plan.selected]):
        from envkit.cli.interaction.trusting import require_loading

        require_loading(prepared, lasting=False)


def _way(given: Arguments) -> tuple[Do, int, str]:
    """Return what to do on a change, with the signal or the command for it."""
    if not given.flag("watch"):
        return Do.TELL, 0, ""
    if not given.one("watch") and given.rest[1:2] == ["--"]:
        _refuse_separate(given.rest[0])
    text = given.one("watch") or "restart"
    way, _, rest = text.partition(":")
    if text == "restart":
        return Do.STOP, 0, ""
    if way == "signal" and rest:
        return Do.RELOAD, _signal("--watch=signal", rest), ""
    if way == "run" and rest.strip():
        return Do.RUN, 0, rest
    from envkit._internal.suggestions import did_you_mean

    if way in WAYS[1:]:
        example = "signal:HUP" if way == "signal" else "run:'make reload'"
        raise UsageError(f"--watch={way} needs more", hint=f"write --watch={example}")
    raise UsageError(
        f"--watch: unknown action '{way}'",
        hint=did_you_mean(way, WAYS),
    )


def _refuse_separate(word: str) -> None:
    """Refuse `--watch restart -- COMMAND`, where `restart` would be the command."""
    if word.partition(":")[0] in WAYS:
        import shlex

        hint = f"write --watch={shlex.quote(word)}"
        raise UsageError("--watch takes a value only behind '='", hint=hint)


def _signal(option: str, name: str) -> int:
    number = number_of(name)
    if number is None:
        from envkit._internal.suggestions import did_you_mean

        raise UsageError(
            f"{option} has no signal '{name}'",
            hint=did_you_mean(name.upper().removeprefix("SIG"), list(signal_numbers())),
        )
    return number


def _seconds(given: Arguments, key: str, default: float) -> float:
    text = given.one(key)
    if text is None:
        return default
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86_400:
        raise UsageError(f"--{key} is not a number of seconds", hint=f"write --{key} 5")
    return seconds


def _min_interval(debounce_seconds: float) -> float:
    """Return the shortest time between two starts: 5 seconds, or less with a short debounce."""
    return min(MIN_INTERVAL_SECONDS, debounce_seconds * MIN_INTERVAL_SECONDS / DEBOUNCE_SECONDS)
