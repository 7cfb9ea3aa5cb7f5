"""`envkit login`: log in to a store, so that later commands can read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from envkit._internal.clock import Deadline
from envkit._internal.person import WAIT_SECONDS
from envkit.arguments import timeout_seconds
from envkit.audit import log
from envkit.audit.session import outcome_of, record_login
from envkit.cli.interaction.logins import opened_source
from envkit.cli.interaction.person import TerminalPerson
from envkit.cli.interaction.prompt import is_interactive
from envkit.cli.output import printable
from envkit.cli.parameters import LoginSource, LoginTimeout, OneEnv, Profiles
from envkit.sources.registry import current_guard

if TYPE_CHECKING:
    from envkit._internal.person import Person

EXAMPLE = "envkit login --env prod"


def login(
    source: LoginSource = None,
    env: OneEnv = None,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Print the address instead of opening a browser."),
    ] = False,
    timeout: LoginTimeout = None,
    profiles: Profiles = None,
) -> int:
    """Log in to a store, in the browser or with a password and MFA."""
    seconds = WAIT_SECONDS if timeout is None else timeout_seconds(timeout)
    found = opened_source(source, env or (), profiles, Deadline(seconds))
    if found.profile.protected:
        log.check(os.environ)
    method, outcome = "", log.OK
    try:
        done = found.login.log_in(_person(seconds, browser=not no_browser))
        method = done.method
    except BaseException as error:
        outcome = outcome_of(error)
        raise
    finally:
        record_login("login", found.profile, found.name, method, outcome, os.environ)
    print(f"{found.name}: {printable(done.who)}")
    print(f"method {done.method}; the login is stored in {printable(done.place)}")
    for note in done.notes:
        print(f"note: {printable(note)}")
    return 0


def _person(seconds: float, *, browser: bool) -> Person | None:
    person = None
    if is_interactive():
        person = TerminalPerson(browser=browser, wait_seconds=seconds)
    guard = current_guard()
    if guard is not None:
        guard.person = person
    return person
