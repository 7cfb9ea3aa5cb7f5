"""Resolve the placeholders of channels, but only when there is a notice to send."""

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
    timeout_seconds: float = SETTINGS_SECONDS,
) -> tuple[Channel, ...]:
    """Return channels with their placeholders resolved.

    Args:
        channels: the channels as the profile has them.
        profile: the profile whose sources and variables are used.
        title: the table, for messages.
        place: the location of the channels in the profile.
        environ: the process environment.
        timeout_seconds: how long the stores may take.

    Raises:
        ResolutionError: placeholders have no value; the error names all of them.
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
        profile, title, texts, place, environ=environ, deadline=Deadline(timeout_seconds)
    )
    return tuple(
        channel._replace(
            where=values[str(index)]["where"] if isinstance(channel.where, str) else channel.where,
            key=None if channel.key is None else values[str(index)]["key"],
        )
        for index, channel in enumerate(channels)
    )
