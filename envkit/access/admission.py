"""Decide whether a person may use profiles now, before any store is contacted.

The caller asks only for a person: a service is never refused.
"""

from __future__ import annotations

import time

from envkit.access.rules import read_rules
from envkit.errors import EnvkitError
from envkit.sources.registry import current_guard
from envkit.trust.channels import of_access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.access.rules import Rules
    from envkit.profile.model import Profile


class OutsideHoursError(EnvkitError):
    """A person used a profile outside its hours, without `--break-glass`."""

    code = "outside-hours"
    exit_status = 6


def admit(
    profiles: Sequence[Profile], environ: Mapping[str, str], *, break_glass: bool
) -> list[Rules]:
    """Return the rules of the profiles that a person uses.

    Args:
        profiles: the profiles with a table `[access]`.
        environ: the process environment.
        break_glass: whether the person uses the profiles outside their hours.

    Raises:
        OutsideHoursError: it is outside the hours of a profile.
        UntrustedError: the user does not trust a channel of a profile.
        ProfileError: a table `[access]` is not valid.
    """
    rules = [read_rules(profile, with_hours=not break_glass) for profile in profiles]
    if not break_glass:
        refuse_outside_hours(rules, time.time())
    guard = current_guard()
    if guard is not None:
        guard.require(
            [
                (one.profile, destination)
                for one in rules
                if one.channels
                for destination in of_access(one.profile, environ)
            ]
        )
    return rules


def is_closed(profile: Profile) -> bool:
    """Return whether it is outside the hours of a profile now.

    Raises:
        ProfileError: its table `[access]` is not valid.
    """
    hours = read_rules(profile).hours
    return hours is not None and not hours.contain(time.time())


def refuse_outside_hours(rules: Sequence[Rules], now: float) -> None:
    """Refuse profiles whose hours do not contain a time.

    Args:
        rules: the rules of the profiles.
        now: seconds since the epoch.

    Raises:
        OutsideHoursError: it is outside the hours of one of them.
    """
    closed = [one for one in rules if one.hours is not None and not one.hours.contain(now)]
    if closed:
        hours = "; ".join(
            f"{one.profile.name} is open {one.hours.text}" for one in closed if one.hours
        )
        raise OutsideHoursError(
            f"outside the hours for people: {hours}",
            hint="in an emergency, add --break-glass --reason TEXT; the use is reported as such",
        )
