"""The setting `poll` of a source's table: how often a command that watches it looks at it."""

from __future__ import annotations

from envkit.errors import ProfileError
from envkit.profile.value_types import duration_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.profile.location import Location

MIN_SECONDS = 1.0


def poll_seconds(setting: object, place: Location, owner: str) -> float:
    """Return the seconds between two looks.

    Args:
        setting: the value of `poll`.
        place: where it is written.
        owner: whose it is: `[sources.vault]`.

    Raises:
        ProfileError: it is not a duration, or shorter than a second.
    """
    try:
        seconds = duration_seconds(setting if isinstance(setting, str) else "")
    except ValueError:
        raise ProfileError(
            f"{place}: {owner}: 'poll' is not a duration", hint='write poll = "30s", or "5m"'
        ) from None
    if seconds < MIN_SECONDS:
        raise ProfileError(
            f"{place}: {owner}: 'poll' is shorter than a second", hint='write poll = "1s" or more'
        )
    return seconds
