"""MFA codes: from ENVKIT_MFA_CODE, or from the person at the terminal.

A code is good for one login. It is never stored, and never part of a message.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager

from envkit.errors import MfaRequiredError
from envkit.sources.registry import current_guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envkit._internal.clock import Deadline
    from envkit._internal.person import Person

VARIABLE = "ENVKIT_MFA_CODE"
ANSWER_SECONDS = 300.0  # that a person may take; servers forget the login after about as long
ATTEMPTS = 5  # codes that a person may type for one login
_asking = threading.Lock()  # stores are read in parallel, and a terminal shows one question


def person_there() -> Person | None:
    """Return the person at the terminal; None if there is none, or the terminal is an app's."""
    guard = current_guard()
    return None if guard is None else guard.person


def given_code(environ: Mapping[str, str]) -> str:
    """Return the code in ENVKIT_MFA_CODE; empty if there is none."""
    return "".join(environ.get(VARIABLE, "").split())


@contextmanager
def asking(deadline: Deadline, seconds: float = ANSWER_SECONDS) -> Iterator[None]:
    """While entered, ask the person. The time that they take, up to a limit, does not count."""
    with _asking:
        deadline.leave_at_least(seconds)
        try:
            yield
        finally:
            deadline.restart()


def ask_code(person: Person, question: str, deadline: Deadline, needed: str) -> str:
    """Return a code that the person types.

    Args:
        person: who is asked.
        question: what for, and where the code goes.
        deadline: restarted after the answer.
        needed: the error message if the person types nothing.

    Raises:
        MfaRequiredError: they typed nothing.
    """
    with asking(deadline):
        code = "".join(person.ask(question).split())  # apps show `123 456`
    if not code:
        raise MfaRequiredError(f"{needed}, and no code was typed", hint="run the command again")
    return code


def code_needed(needed: str) -> MfaRequiredError:
    """Return the error for a code that is needed where envkit cannot ask for it.

    Args:
        needed: what needs MFA, for the message.
    """
    return MfaRequiredError(
        f"{needed}, and envkit cannot ask for the code here",
        hint="run the command on a terminal and without --watch, or set "
        f"{VARIABLE} to the current code",
    )


def person_needed(what: str) -> MfaRequiredError:
    """Return the error for a login that only a person can do.

    Args:
        what: the login, for the message.
    """
    return MfaRequiredError(
        f"{what} needs a person at a terminal, for a password, a browser or MFA",
        hint="run the command on a terminal; for a service, use a method that does not ask, such "
        "as approle or kubernetes",
    )
