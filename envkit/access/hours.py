"""The hours of a profile: `Mon-Fri 08:00-19:00 Europe/Madrid`. Pure.

    hours = parse_hours("Mon-Fri 08:00-19:00 Europe/Madrid")
    hours.contain(time.time())

Days are those on which the hours begin: `Fri 22:00-06:00` ends on Saturday at 06:00. The start is
included and the end is not. The wall clock of the time zone decides, also when it changes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from envkit._internal.suggestions import did_you_mean

EXAMPLE = 'write hours = "Mon-Fri 08:00-19:00 Europe/Madrid"'
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_TIMES = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


class HoursError(ValueError):
    """The text does not name hours.

    Attributes:
        hint: how to write it.
    """

    def __init__(self, message: str, hint: str | None = EXAMPLE) -> None:
        super().__init__(message)
        self.hint = hint


class Hours(NamedTuple):
    """When a profile may be used.

    Attributes:
        text: as the profile has it.
        days: the weekdays on which they begin; Monday is 0.
        begin: minutes after midnight.
        end: minutes after midnight; not later than `begin` if they end on the next day.
        zone: the IANA name of the time zone.
    """

    text: str
    days: frozenset[int]
    begin: int
    end: int
    zone: str

    def contain(self, moment: float) -> bool:
        """Return whether a time is within the hours.

        Args:
            moment: seconds since the epoch.
        """
        local = datetime.fromtimestamp(moment, UTC).astimezone(_zone(self.zone))
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.begin < self.end:
            return today in self.days and self.begin <= minute < self.end
        if minute >= self.begin:
            return today in self.days
        return minute < self.end and (today - 1) % 7 in self.days


def parse_hours(text: str) -> Hours:
    """Return the hours that a text names: days, times and a time zone.

    Raises:
        HoursError: it does not name hours, or the time zone is unknown.
    """
    words = text.split()
    if len(words) != 3:
        raise HoursError(f"{text!r} is not days, times and a time zone")
    days, times, zone = words
    begin, end = _times(times)
    return Hours(" ".join(words), _days(days), begin, end, _known_zone(zone))


def _times(text: str) -> tuple[int, int]:
    found = _TIMES.fullmatch(text)
    if found is None:
        raise HoursError(f"{text!r} is not two times of a day")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if end > _DAY_MINUTES:
        raise HoursError(f"{text!r} ends after 24:00")
    if begin == end:
        raise HoursError(f"{text!r} is empty", "for a whole day, write 00:00-24:00")
    return begin, end


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        found.update((begin + offset) % 7 for offset in range((end - begin) % 7 + 1))
    return frozenset(found)


def _day(text: str) -> int:
    if text.lower() not in DAYS:
        raise HoursError(
            f"{text!r} is not a day of the week", "write Mon, Tue, Wed, Thu, Fri, Sat or Sun"
        )
    return DAYS.index(text.lower())


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _known_zone(name: str) -> str:
    if name == "UTC":
        return name
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        from zoneinfo import available_timezones

        known = available_timezones()
        hint = "install the system's time zones: the package tzdata"
        raise HoursError(
            f"unknown time zone {name!r}", did_you_mean(name, known) if known else hint
        ) from None
    return name
