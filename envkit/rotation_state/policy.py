"""Read and check the tables `[rotation.NAME]` of a profile: what to rotate, how and when.

    [rotation.db-password]
    secret = "vault:db#password"
    rotator = "postgres"
    every = "30d"

    policies(load("prod", folder))["db-password"].timing.every_seconds

Every key is checked here, with file and line; the rotator checks the contents of `target` and
`generate`. This module reads no store and imports no rotator. Placeholders stay unresolved:
`resolution.settings` resolves them when a rotation runs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit._internal.names import is_name
from envkit._internal.suggestions import did_you_mean
from envkit.errors import PlaceholderError
from envkit.notification.channel_table import read_channels, read_command, wrong
from envkit.profile.placeholder import Reference, parse_reference
from envkit.profile.toml_file import check_keys
from envkit.profile.value_types import duration_seconds
from envkit.rotation_state.retirement import RetireWhen, read_retirement
from envkit.rotation_state.schedule import Timing, cron_after, shortest_pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit.errors import ProfileError
    from envkit.notification.channels import Channel
    from envkit.profile.location import Location
    from envkit.profile.model import NamedTable, Profile

DEFAULTS = {"window": 3600.0, "jitter": 0.0, "grace": 900.0, "timeout": 300.0}

_KEYS: dict[str, type | tuple[type, ...]] = {
    "secret": str,
    "rotator": str,
    "strategy": str,
    "every": str,
    "schedule": str,
    "timezone": str,
    "window": str,
    "jitter": str,
    "grace": str,
    "retire_when": str,
    "grace_limit": str,
    "cache_age": str,
    "timeout": str,
    "target": dict,
    "before": list,
    "after": list,
    "environment": list,
    "generate": dict,
    "notify": (dict, list),
}
_MAY_BE_ZERO = ("grace", "grace_limit", "jitter", "cache_age")
# a Monday in winter: the search for a schedule's shortest pause starts here
_SEARCH_START = 1_767_571_200.0


class Strategy(StrEnum):
    """How a rotator replaces a credential."""

    ALTERNATE = "alternate"  # alternates between two users, or values that overlap
    SINGLE = "single"  # one user, whose old value stops working at once


class Policy(NamedTuple):
    """One rotation of one profile.

    Attributes:
        profile: the name of the profile; `name` is the name of the rotation.
        secret: the reference to the rotated value, as the profile has it.
        rotator: the type of the rotator, such as `postgres`.
        strategy: how the credential is replaced.
        timing: when the secret is rotated.
        retire_when: when the old credential is retired after the grace period.
        grace_limit_seconds: how long it may stay in use, counted from the start of the grace
            period.
        cache_age_seconds: how long programs cache the value before they read it again; None
            if the profile does not set it.
        timeout_seconds: for one run, without the grace period.
        target: settings for the rotator, with unresolved placeholders.
        generate: settings for the rotator: how a new value is generated.
        before: commands to run before the new value is created, each a list of arguments.
        after: commands to run once readers get the new value.
        notify: the channels for notices, with unresolved placeholders.
        environment: the names of the variables that the commands receive.
        table: the table of the profile that defines the rotation.
    """

    profile: str
    name: str
    secret: Reference
    rotator: str
    strategy: Strategy
    timing: Timing
    retire_when: RetireWhen
    grace_limit_seconds: float
    cache_age_seconds: float | None
    timeout_seconds: float
    target: Mapping[str, Any]
    generate: Mapping[str, Any]
    before: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...]
    notify: tuple[Channel, ...]
    environment: tuple[str, ...]
    table: NamedTable

    @property
    def full_name(self) -> str:
        """The names of the profile and the rotation: `prod/db-password`."""
        return f"{self.profile}/{self.name}"

    @property
    def place(self) -> Location:
        """The location of the rotation: the line of its secret."""
        return self.table.place_of("secret")

    def __repr__(self) -> str:
        return f"Policy({self.full_name})"

    def same_as(self, other: Policy) -> bool:
        """Whether two policies have the same settings, apart from the secret."""
        mine, theirs = (
            {key: value for key, value in one.table.settings.items() if key != "secret"}
            for one in (self, other)
        )
        return self.name == other.name and mine == theirs


def policies(profile: Profile) -> dict[str, Policy]:
    """Return the rotations of a profile by name; raises the same errors as `policy`."""
    return {name: policy(profile, name) for name in profile.rotations}


def policy(profile: Profile, name: str) -> Policy:
    """Return one rotation of a profile.

    Raises:
        ProfileError: a key is unknown, missing or invalid; with file and line.
        ExtraMissingError: the schedule needs a package that is not installed.
    """
    return _Reader(profile, profile.rotations[name]).policy()


class _Reader:
    """Turns one table of a profile into a policy."""

    def __init__(self, profile: Profile, table: NamedTable) -> None:
        self.profile = profile
        self.table = table
        self.settings = table.settings

    def policy(self) -> Policy:
        check_keys(self.settings, _KEYS, self.table.place_of, owner=self.table.title)
        for key, example in (("secret", "vault:db#password"), ("rotator", "random")):
            if key not in self.settings:
                raise self.error(key, f"'{key}' is missing", f'write {key} = "{example}"')
        strategy, timing = self.strategy(), self.timing()
        return Policy(
            self.profile.name,
            self.table.name,
            self.secret(),
            self.settings["rotator"],
            strategy,
            timing,
            *read_retirement(
                self.settings,
                strategy,
                timing.grace_seconds,
                self.seconds("grace_limit"),
                self.error,
            ),
            self.seconds("cache_age"),
            self.seconds("timeout") or DEFAULTS["timeout"],
            self.settings.get("target", {}),
            self.settings.get("generate", {}),
            self.commands("before"),
            self.commands("after"),
            read_channels(self.table, environment=self.environment()),
            self.environment(),
            self.table,
        )

    def error(self, key: str, what: str, hint: str | None = None) -> ProfileError:
        return wrong(self.table, key, what, hint)

    def secret(self) -> Reference:
        text = self.settings["secret"]
        try:
            reference = parse_reference(text)
        except PlaceholderError:
            raise self.error(
                "secret",
                "'secret' is not a reference",
                'write secret = "vault:db#password", without braces and filters',
            ) from None
        if not isinstance(reference, Reference):
            raise self.error(
                "secret",
                "'secret' does not name its source",
                f'write secret = "dotenv:{text}", or name another source',
            )
        if reference.version is not None or reference.stage is not None:
            raise self.error("secret", "'secret' names a version", "remove the version")
        if reference.source not in self.profile.sources:
            raise self.error(
                "secret",
                f"unknown source '{reference.source}'",
                did_you_mean(reference.source, self.profile.sources),
            )
        return reference

    def strategy(self) -> Strategy:
        name: str = self.settings.get("strategy", Strategy.ALTERNATE)
        if name not in tuple(Strategy):
            hint = did_you_mean(name, Strategy)
            raise self.error("strategy", f"unknown strategy '{name}'", hint)
        return Strategy(name)

    def timing(self) -> Timing:
        key = self.clock()
        window = self.seconds("window")
        timing = Timing(
            every_seconds=(self.seconds("every") or 0.0) if key == "every" else 0.0,
            schedule=self.schedule() if key == "schedule" else "",
            timezone=self.timezone(),
            window_seconds=DEFAULTS["window"] if window is None and key == "schedule" else window,
            jitter_seconds=self.seconds("jitter") or DEFAULTS["jitter"],
            grace_seconds=DEFAULTS["grace"] if (grace := self.seconds("grace")) is None else grace,
        )
        if timing.schedule:
            self.check_schedule(timing)
        if timing.window_seconds is not None and timing.jitter_seconds >= timing.window_seconds:
            raise self.error(
                "jitter",
                "'jitter' is not shorter than 'window'",
                "increase 'window' or decrease 'jitter'",
            )
        pause = shortest_pause(timing, _SEARCH_START)
        if pause <= timing.grace_seconds + timing.jitter_seconds:
            raise self.error(
                "grace" if "grace" in self.settings else key,
                "the next rotation is due before the grace period of the last one ends",
                "decrease 'grace' and 'jitter', or rotate less often",
            )
        return timing

    def clock(self) -> str:
        """Return `every` or `schedule`, whichever the last file sets."""
        found = [key for key in ("every", "schedule") if key in self.settings]
        if not found:
            raise self.error("every", "'every' or 'schedule' is missing", 'write every = "30d"')
        if len(found) == 1:
            return found[0]
        order = [self.profile.files.index(self.table.place_of(key).path) for key in found]
        if order[0] == order[1]:
            raise self.error(
                "schedule", "both 'every' and 'schedule' are set", "remove one of them"
            )
        return found[order.index(max(order))]

    def schedule(self) -> str:
        expression: str = self.settings["schedule"]
        if len(expression.split()) != 5:
            raise self.error(
                "schedule",
                "'schedule' does not have five fields",
                'write minute, hour, day, month and weekday: schedule = "0 3 * * SUN"',
            )
        return expression

    def check_schedule(self, timing: Timing) -> None:
        try:
            cron_after(timing.schedule, timing.timezone, _SEARCH_START)
        except ValueError as error:
            reason = str(error)
            raise self.error(
                "schedule",
                f"'schedule' is not a cron expression: {reason[:1].lower()}{reason[1:]}",
                'write minute, hour, day, month and weekday: schedule = "0 3 * * SUN"',
            ) from None

    def timezone(self) -> str:
        name: str = self.settings.get("timezone", "UTC")
        if name == "UTC":
            return name
        from zoneinfo import ZoneInfo, available_timezones

        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            known = available_timezones()
            raise self.error(
                "timezone",
                f"unknown time zone {name!r}",
                did_you_mean(name, known)
                if known
                else "install the system's time zones: the package tzdata",
            ) from None
        return name

    def seconds(self, key: str) -> float | None:
        if key not in self.settings:
            return None
        try:
            seconds = duration_seconds(self.settings[key])
        except ValueError:
            seconds = -1.0
        if seconds < 0 or (seconds == 0 and key not in _MAY_BE_ZERO):
            raise self.error(
                key, f"'{key}' is not a duration", f'write {key} = "15m", or 2h, or 30d'
            )
        return seconds

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        return tuple(
            read_command(self.table, key, command) for command in self.settings.get(key, ())
        )

    def environment(self) -> tuple[str, ...]:
        names = self.settings.get("environment", [])
        for name in names:
            if not isinstance(name, str) or not is_name(name):
                raise self.error(
                    "environment",
                    f"'environment' has {name!r}, which is not a variable name",
                    'write environment = ["DEPLOY_TOKEN"]',
                )
        return tuple(names)
