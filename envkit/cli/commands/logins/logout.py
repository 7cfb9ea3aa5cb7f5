"""`envkit logout`: end what `envkit login` began."""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit.arguments import timeout_seconds
from envkit.audit import log
from envkit.audit.session import outcome_of, record_login
from envkit.cli.interaction.logins import opened_source
from envkit.cli.output import printable
from envkit.cli.parameters import LoginSource, OneEnv, Profiles, Timeout

EXAMPLE = "envkit logout --env prod"


def logout(
    source: LoginSource = None,
    env: OneEnv = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Log out of a store: revoke and remove the stored login."""
    found = opened_source(source, env or (), profiles, Deadline(timeout_seconds(timeout)))
    outcome = log.OK
    try:
        done = found.login.log_out()
    except BaseException as error:
        outcome = outcome_of(error)
        raise
    finally:
        record_login("logout", found.profile, found.name, "", outcome, os.environ)
    print(f"{found.name}: {printable(done)}")
    return 0
