"""The setting `fallback` of a profile or source: `{ max_age = "24h" }`."""

from __future__ import annotations

from envkit.errors import ProfileError
from envkit.profile.toml_file import check_keys
from envkit.profile.value_types import duration_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.profile.location import Location

_EXAMPLE = 'write fallback = { max_age = "24h" }'


def fallback_seconds(setting: object, place: Location, owner: str) -> float | None:
    """Return how old the values of the last success may be; None for `false`.

    Args:
        setting: the value of `fallback`.
        place: where it is written.
        owner: whose it is: `[sources.vault]`.

    Raises:
        ProfileError: it is not such a table, or `max_age` is not a duration.
    """
    if setting is False:
        return None
    if not isinstance(setting, dict) or "max_age" not in setting:
        raise ProfileError(f"{place}: {owner}: 'fallback' has no 'max_age'", hint=_EXAMPLE)
    check_keys(setting, {"max_age": str}, place.at, owner=f"{owner}: 'fallback'")
    try:
        seconds = duration_seconds(setting["max_age"])
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise ProfileError(
            f"{place}: {owner}: 'max_age' of 'fallback' is not a duration", hint=_EXAMPLE
        )
    return seconds
