"""Substitute the placeholders of channels, only when there is a notice to send."""

from __future__ import annotations

from envkit._internal.clock import Deadline
from envkit.resolution.settings import substitute_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.notification.channels import Channel
    from envkit.profile.location import Location
    from envkit.profile.model import Profile

SETTINGS_SECONDS = 10.0


def substitute_placeholders(
    channels: Sequence[Channel],
    profile: Profile,
    title: str,
    place: Location,
    *,
    environ: Mapping[str, str],
) -> tuple[Channel, ...]:
    """Return channels with the values of their placeholders.

    Args:
        channels: as the profile has them.
        profile: whose sources and variables are meant.
        title: of the table, for messages.
        place: where they are written.
        environ: the process environment.

    Raises:
        ResolutionError: a placeholder has no value; it names all of them.
        EnvkitError: a source cannot be opened.
    """
    texts = {
        str(index): {
            "where": channel.where if isinstance(channel.where, str) else "",
            "key": channel.key or "",
        }
        for index, channel in enumerate(channels)
    }
    values = substitute_settings(
        profile, title, texts, place, environ=environ, deadline=Deadline(SETTINGS_SECONDS)
    )
    return tuple(
        channel._replace(
            where=values[str(index)]["where"] if isinstance(channel.where, str) else channel.where,
            key=None if channel.key is None else values[str(index)]["key"],
        )
        for index, channel in enumerate(channels)
    )
