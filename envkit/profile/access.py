"""The table `[access]` of a profile: what its use by a person requires.

    [access]
    reason = true
    notify = [{ slack = "{{ vault:ops/slack#url }}" }]
    hours = "Mon-Fri 08:00-19:00 Europe/Madrid"

Only the keys and their types are checked here. A service starts although `hours` or `notify`
is not valid, because neither applies to it; `envkit.access.rules` reads both.
"""

from __future__ import annotations

from envkit.errors import ProfileError
from envkit.profile.model import NamedTable
from envkit.profile.toml_file import check_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.profile.location import Location
    from envkit.profile.model import Profile

TITLE = "[access]"
_KEYS: dict[str, type | tuple[type, ...]] = {"reason": bool, "notify": (dict, list), "hours": str}


def merge_access(profile: Profile, document: Mapping[str, Any], place: Location) -> None:
    """Merge the table `[access]` of one file into a profile.

    `reason` is the newer spelling of the profile's own key `protected`.

    Raises:
        ProfileError: a key is not valid, or `reason` contradicts `protected` in the same file.
    """
    table = document["access"]
    check_keys(table, _KEYS, place.at, owner=TITLE)
    if profile.access is None:
        profile.access = NamedTable("access", TITLE, place)
    profile.access.update(table, place)
    reason = table.get("reason", profile.protected)
    if "protected" in document and document["protected"] != reason:
        raise ProfileError(
            f"{place.at('reason')}: 'reason' in {TITLE} contradicts 'protected'",
            hint="remove 'protected', which means the same",
        )
    profile.protected = reason
