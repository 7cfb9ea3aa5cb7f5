"""Read the table `[access]` of a profile. Pure; placeholders of channels stay unresolved."""

from __future__ import annotations

from typing import NamedTuple

from envkit.access.hours import Hours, HoursError, parse_hours
from envkit.notification.channel_table import read_channels, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.notification.channels import Channel
    from envkit.profile.model import Profile


class Rules(NamedTuple):
    """What the use of a profile by a person requires.

    Attributes:
        profile: the profile.
        channels: where a use is reported.
        hours: when the profile may be used; None for always.
    """

    profile: Profile
    channels: tuple[Channel, ...] = ()
    hours: Hours | None = None


def read_rules(profile: Profile, *, with_hours: bool = True) -> Rules:
    """Return the rules of a profile.

    Args:
        profile: the profile.
        with_hours: whether to read its hours; in an emergency they do not matter, and a mistake
            in them or a missing time zone must not refuse a person.

    Raises:
        ProfileError: `hours` or `notify` of its table `[access]` is not valid.
    """
    table = profile.access
    if table is None:
        return Rules(profile)
    hours = None
    if with_hours and "hours" in table.settings:
        try:
            hours = parse_hours(table.settings["hours"])
        except HoursError as error:
            raise wrong(table, "hours", f"'hours': {error}", error.hint) from None
    return Rules(profile, read_channels(table, has_events=False), hours)
