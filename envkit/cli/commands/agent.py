"""`envkit agent`: start, stop and clear the agent, and show what it has in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from envkit.agent import control
from envkit.agent.asking import Unusable
from envkit.agent.spawn import IDLE_SECONDS, MAX_AGE_SECONDS
from envkit.cli.command_help import HELP_FLAGS, ShownCommand, ShownGroup
from envkit.cli.output import print_json, print_table
from envkit.cli.parameters import Format, Formatted
from envkit.errors import AgentError, UsageError
from envkit.profile.value_types import duration_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

EXAMPLE = "envkit agent status"

agent = typer.Typer(
    cls=ShownGroup,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=HELP_FLAGS,
    epilog=EXAMPLE,
    help="Keep environments in memory, so that exec and get are faster.",
)


@agent.command(cls=ShownCommand, epilog="envkit agent start --max-age 1m")
def start(
    max_age: Annotated[
        str,
        typer.Option("--max-age", metavar="DURATION", help="Keep an environment for this long."),
    ] = f"{MAX_AGE_SECONDS / 60:.0f}m",
    idle: Annotated[
        str,
        typer.Option("--idle", metavar="DURATION", help="End after this time without a question."),
    ] = f"{IDLE_SECONDS / 3600:.0f}h",
) -> int:
    """Start the agent, unless it runs already."""
    seconds, idle_seconds = _seconds("--max-age", max_age), _seconds("--idle", idle)
    if seconds > MAX_AGE_SECONDS:
        raise UsageError("--max-age is at most 5m", hint="use --max-age 5m")
    found, started = _asked(
        lambda: control.start(os.environ, max_age_seconds=seconds, idle_seconds=idle_seconds)
    )
    print(f"agent {'started' if started else 'already runs'} (process {found.pid})")
    return 0


@agent.command(cls=ShownCommand, epilog="envkit agent stop")
def stop() -> int:
    """Stop the agent. It forgets everything."""
    return _tell(control.stop, "agent stopped")


@agent.command(cls=ShownCommand, epilog="envkit agent clear")
def clear() -> int:
    """Make the agent forget everything."""
    return _tell(control.clear, "agent cleared")


@agent.command(cls=ShownCommand, epilog="envkit agent status --format json")
def status(format_: Formatted = Format.TABLE) -> int:
    """Show what the agent has in memory, without values. Exit with 1 if no agent runs."""
    try:
        found = control.status(os.environ)
    except Unusable as reason:
        if not reason.absent:
            raise _error(reason) from None
        if format_ == Format.JSON:
            print_json({"running": False})
        else:
            print("no agent runs")
        return 1
    if format_ == Format.JSON:
        environments = [{"name": name, "age_seconds": age} for name, age in found.environments]
        print_json({"running": True, **found._asdict(), "environments": environments})
        return 0
    print(
        f"agent of envkit {found.version} runs (process {found.pid}): "
        f"{found.hits} answers from memory, {found.misses} reads"
    )
    if found.environments:
        print_table(
            ("ENVIRONMENT", "AGE"), [(name, f"{age} s") for name, age in found.environments]
        )
    return 0


def _tell(command: Callable[[Mapping[str, str]], None], done: str) -> int:
    """Give the agent a command; that there is none is no failure."""
    try:
        command(os.environ)
    except Unusable as reason:
        if not reason.absent:
            raise _error(reason) from None
        done = "no agent runs"
    print(done)
    return 0


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except Unusable as reason:
        raise _error(reason) from None


def _error(reason: Unusable) -> AgentError:
    return AgentError(
        f"the agent cannot be used: {reason}", hint="run without it: set ENVKIT_AGENT=off"
    )


def _seconds(option: str, text: str) -> float:
    try:
        seconds = duration_seconds(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 7 * 86_400:
        raise UsageError(f"{option} is not a duration", hint=f"use {option} 1m")
    return seconds
