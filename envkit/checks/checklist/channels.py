"""The channels of an environment, and a test of each of them."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.parallel import map_parallel
from envkit.access.doorbell import import_client
from envkit.access.notice import AccessEvent, Use
from envkit.access.rules import read_rules
from envkit.audit.log import user_name
from envkit.errors import EnvkitError
from envkit.notification.delivery import NoticeError, deliver
from envkit.notification.placeholders import substitute_placeholders
from envkit.sources.registry import current_guard
from envkit.trust.channels import of_access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit._internal.parallel import Result
    from envkit.notification.channels import Channel
    from envkit.profile.model import NamedTable, Profile
    from envkit.rotation.catalog import Rotation

TIMEOUT_SECONDS = 10.0
_WORKERS = 8


class OwnedChannel(NamedTuple):
    """A channel, with the profile and the table that it is written in."""

    channel: Channel
    profile: Profile
    table: NamedTable


def channels_of(profile: Profile | None, rotations: Sequence[Rotation]) -> list[OwnedChannel]:
    """Return the channels of a profile and its rotations, each once.

    Args:
        profile: the profile; None for those of the rotations alone.
        rotations: the rotations of the profile.

    Raises:
        ProfileError: the table `[access]` is not valid.
    """
    found = []
    if profile is not None and profile.access is not None:
        rules = read_rules(profile)
        found += [OwnedChannel(one, profile, profile.access) for one in rules.channels]
    for rotation in rotations:
        policy = rotation.policy
        found += [OwnedChannel(one, rotation.profile, policy.table) for one in policy.notify]
    return list({(one.channel.kind, one.channel.where): one for one in found}.values())


def try_channels(
    profile: Profile,
    found: Sequence[OwnedChannel],
    rotations: Sequence[Rotation],
    *,
    environ: Mapping[str, str],
) -> list[str]:
    """Send a test to each channel, and return the errors.

    Args:
        profile: the environment that the test is about.
        found: from `channels_of`.
        rotations: the rotations of the profile.
        environ: the process environment.

    Raises:
        UntrustedError: the user does not trust a channel.
    """
    guard = current_guard()
    if guard is not None:
        pairs = [(one.profile, one.policy.name) for one in rotations if one.policy.notify]
        for error in guard.before_rotations(pairs).values():
            raise error
        guard.require([(profile, one) for one in of_access(profile, environ)])
    import_client([[one.channel] for one in found])
    use = Use("check", (), "", user_name(os.getuid()), AccessEvent.TEST)
    notice = use.notice(profile.name, time.time())

    def send(owned: OwnedChannel) -> None:
        (ready,) = substitute_placeholders(
            [owned.channel],
            owned.profile,
            f"{owned.table.title} notify",
            owned.table.place_of("notify"),
            environ=environ,
        )
        deliver(notice, ready)

    deadline = Deadline(TIMEOUT_SECONDS + 1)
    results = map_parallel(send, found, workers=_WORKERS, deadline=deadline)
    errors = [_error(one, result) for one, result in zip(found, results, strict=True)]
    return [error.message for error in errors if error is not None]


def _error(owned: OwnedChannel, result: Result[None]) -> EnvkitError | None:
    if isinstance(result.error, EnvkitError):
        return result.error
    if result.late or result.error is not None:
        why = "no answer in time" if result.late else type(result.error).__name__
        return NoticeError(f"cannot notify the {owned.channel.kind} of {owned.table.title}: {why}")
    return None
