"""Read the channels and the commands of a profile's tables. Pure.

    [rotation.db-password]
    notify = [{ webhook = "https://hooks.example.com/x", on = ["failure"] }]

Placeholders stay unresolved.
"""

from __future__ import annotations

from envkit._internal.suggestions import did_you_mean
from envkit.errors import ProfileError
from envkit.notification.channels import Channel, ChannelKind, EventKind
from envkit.profile.placeholder import OPEN
from envkit.profile.toml_file import check_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from envkit.profile.model import NamedTable

NOTIFY = "notify"
_KEYS: dict[str, type | tuple[type, ...]] = {
    "webhook": str,
    "slack": str,
    "command": list,
    "key": str,
}
_USAGE = 'write notify = [{ webhook = "https://..." }]'
_USAGE_WITH_EVENTS = 'write notify = [{ webhook = "https://...", on = ["failure"] }]'


def read_channels(
    table: NamedTable, *, environment: tuple[str, ...] = (), has_events: bool = True
) -> tuple[Channel, ...]:
    """Return the channels of a table's `notify`.

    Args:
        table: the table; `notify` is one channel or a list of them.
        environment: the variables that commands of the table receive.
        has_events: whether a channel may select events with `on`.

    Raises:
        ProfileError: a channel is not valid.
    """
    settings = table.settings.get(NOTIFY, [])
    return tuple(
        _channel(table, one, environment, has_events=has_events)
        for one in ([settings] if isinstance(settings, dict) else settings)
    )


def _channel(
    table: NamedTable, settings: Any, environment: tuple[str, ...], *, has_events: bool
) -> Channel:
    usage = _USAGE_WITH_EVENTS if has_events else _USAGE
    if not isinstance(settings, dict):
        raise wrong(table, NOTIFY, "'notify' has an entry that is not a table", usage)
    place = table.place_of(NOTIFY)
    keys = {**_KEYS, "on": list} if has_events else _KEYS
    check_keys(settings, keys, lambda _: place, owner=f"{table.title}: notify")
    kinds = [kind for kind in ChannelKind if kind in settings]
    if len(kinds) != 1:
        raise wrong(table, NOTIFY, "'notify' must name one of webhook, slack and command", usage)
    (kind,) = kinds
    if "key" in settings and kind != ChannelKind.WEBHOOK:
        raise wrong(table, NOTIFY, f"'notify' has a 'key', which {kind} does not use", "remove it")
    events = settings.get("on", list(EventKind))
    for event in events:
        if event not in tuple(EventKind):
            raise wrong(
                table,
                NOTIFY,
                f"'notify' has an unknown event {event!r}",
                did_you_mean(str(event), EventKind),
            )
    where = settings[kind]
    if kind == ChannelKind.COMMAND:
        where = read_command(table, NOTIFY, where)
    return Channel(kind, where, settings.get("key"), tuple(map(EventKind, events)), environment)


def read_command(table: NamedTable, key: str, command: Any) -> tuple[str, ...]:
    """Return the words of a command that a profile names.

    Args:
        table: the table that names it.
        key: the key, for messages.
        command: the setting.

    Raises:
        ProfileError: it is not a list of words, or has a placeholder.
    """
    if (
        not isinstance(command, list)
        or not command
        or not all(isinstance(word, str) and "\0" not in word for word in command)
        or not command[0]
    ):
        shape = f'{key} = [["systemctl", "restart", "app"]]'
        raise wrong(
            table,
            key,
            f"the command of '{key}' is not a list of words",
            'write command = ["program", "argument"]' if key == NOTIFY else f"write {shape}",
        )
    if any(OPEN in word for word in command):
        raise wrong(
            table,
            key,
            f"the command of '{key}' has a placeholder: other users could read the value in "
            "the process list",
            "fetch the value in the command: envkit get NAME --env ENV",
        )
    return tuple(command)


def wrong(table: NamedTable, key: str, what: str, hint: str | None = None) -> ProfileError:
    """Return the error for a key of a table, with its place."""
    return ProfileError(f"{table.place_of(key)}: {table.title}: {what}", hint=hint)
