"""Report a person's use of profiles to their channels, within two seconds.

    left, errors = ring(rules, use, environ=os.environ)

A channel that hangs is given up after that time and is not called again by the same command.
"""

from __future__ import annotations

import time

from envkit._internal.clock import Deadline
from envkit._internal.parallel import import_lock, map_parallel
from envkit.errors import EnvkitError
from envkit.notification.channels import ChannelKind
from envkit.notification.delivery import NoticeError, deliver
from envkit.notification.placeholders import substitute_placeholders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit._internal.parallel import Result
    from envkit.access.notice import AccessNotice, Use
    from envkit.access.rules import Rules
    from envkit.notification.channels import Channel
    from envkit.profile.model import Profile

TIMEOUT_SECONDS = 2.0
_SPARE_SECONDS = 0.2  # to kill a command before its caller gives up


def ring(
    rules: Sequence[Rules],
    used: Use,
    *,
    environ: Mapping[str, str],
) -> tuple[list[Rules], list[EnvkitError]]:
    """Report a use to all channels of the profiles, at once.

    Args:
        rules: the rules of the profiles.
        used: what to report.
        environ: the process environment.

    Returns:
        the rules without the channels that failed, and the error of each of those.
    """
    import_client(one.channels for one in rules)
    calls = [(one.profile, channel) for one in rules for channel in one.channels]
    deadline = Deadline(TIMEOUT_SECONDS)
    at = time.time()
    results = map_parallel(
        lambda call: send(*call, used.notice(call[0].name, at), environ, deadline),
        calls,
        workers=max(1, len(calls)),
        deadline=deadline,
    )
    errors = [_error(*call, result) for call, result in zip(calls, results, strict=True)]
    failed = {id(channel) for (_, channel), error in zip(calls, errors, strict=True) if error}
    left = [
        one._replace(channels=tuple(c for c in one.channels if id(c) not in failed))
        for one in rules
    ]
    return left, [error for error in errors if error is not None]


def send(
    profile: Profile,
    channel: Channel,
    notice: AccessNotice,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> None:
    """Send a notice to one channel of `[access]`, after resolving its placeholders.

    Raises:
        EnvkitError: it could not be delivered.
    """
    table = profile.access
    assert table is not None  # noqa: S101 - it has the channel
    title, place = f"{table.title} notify", table.place_of("notify")
    (ready,) = substitute_placeholders(
        [channel],
        profile,
        title,
        place,
        environ=environ,
        timeout_seconds=deadline.remaining_seconds(),
    )
    left = max(deadline.remaining_seconds() - _SPARE_SECONDS, _SPARE_SECONDS)
    deliver(notice, ready, timeout_seconds=left)


def import_client(channels: Iterable[Sequence[Channel]]) -> None:
    """Import the HTTP client before the clock starts: a busy machine takes long for it."""
    if any(one.kind != ChannelKind.COMMAND for some in channels for one in some):
        with import_lock:
            import requests  # noqa: F401


def _error(profile: Profile, channel: Channel, result: Result[None]) -> EnvkitError | None:
    """Return why a notice was not delivered, without anything of the channel's address."""
    if result.late:
        return NoticeError(
            f"cannot notify the {channel.kind} of {profile.name}: no answer within "
            f"{TIMEOUT_SECONDS:g} s"
        )
    if result.error is None or isinstance(result.error, EnvkitError):
        return result.error
    return NoticeError(
        f"cannot notify the {channel.kind} of {profile.name}: {type(result.error).__name__}"
    )
