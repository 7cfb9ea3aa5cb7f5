"""Report the warnings of profiles, and the variables that some profiles lack."""

from __future__ import annotations

from envkit._internal.paths import display_path
from envkit.checks.inspection import placed
from envkit.checks.problem import Problem, listed
from envkit.errors import ProfileError
from envkit.notification.channel_table import NOTIFY
from envkit.notification.channels import ChannelKind
from envkit.notification.delivery import NoticeError, checked_address
from envkit.profile.placeholder import OPEN
from envkit.trust.sources import own_address_warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.checks.inspection import Inspection
    from envkit.profile.model import Profile


def find_warnings(inspection: Inspection) -> Iterator[Problem]:
    """Yield the lines of profiles that are probably mistakes."""
    for profile in inspection.profiles:
        for warning in profile.warnings:
            problem = placed("profile-warning", warning, profile.path)
            yield problem._replace(environments=(profile.name,))
        yield from _unusable_addresses(profile)
    for profile, _, sources in inspection.prepared:
        for name in sources:
            warning = own_address_warning(profile, name, inspection.environ)
            if warning:
                hint = "change http:// to https:// in the address"
                problem = placed("profile-warning", warning, profile.path, hint=hint)
                yield problem._replace(environments=(profile.name,))


def _unusable_addresses(profile: Profile) -> Iterator[Problem]:
    """Yield the addresses of a profile's channels to which no notice is sent."""
    for table in (*profile.rotations.values(), *([profile.access] if profile.access else [])):
        settings = table.settings.get(NOTIFY, [])
        for one in settings if isinstance(settings, list) else [settings]:
            for kind in (ChannelKind.WEBHOOK, ChannelKind.SLACK):
                address = one.get(kind) if isinstance(one, dict) else None
                if not isinstance(address, str) or OPEN in address:
                    continue
                try:
                    checked_address(kind, address)
                except NoticeError as error:
                    yield Problem(
                        "profile-warning",
                        f"{table.title}: {error.message}, so envkit sends nothing to it",
                        hint=error.hint or "",
                        environments=(profile.name,),
                    ).at(table.place_of(NOTIFY))


def find_access(inspection: Inspection) -> Iterator[Problem]:
    """Yield the tables `[access]` that are not valid, which would refuse a person at night."""
    for profile in inspection.profiles:
        try:
            if profile.access is not None:
                from envkit.access.rules import read_rules

                read_rules(profile)
        except ProfileError as error:
            problem = placed("profile-invalid", error.message, profile.path, hint=error.hint)
            yield problem._replace(environments=(profile.name,))


def find_missing(inspection: Inspection) -> Iterator[Problem]:
    """Yield each variable that some environments have and others lack."""
    profiles = inspection.profiles
    for name in dict.fromkeys(name for profile in profiles for name in profile.variables):
        having = [profile for profile in profiles if name in profile.variables]
        lacking = [profile for profile in profiles if name not in profile.variables]
        if lacking:
            files = listed(display_path(profile.path) for profile in lacking)
            yield Problem(
                "missing",
                f"{name} is in {listed(profile.name for profile in having)} but not in "
                f"{listed(profile.name for profile in lacking)}",
                hint=f"add it to {files}, or accept it in .envkit-ignore: {name} missing # why",
                environments=tuple(profile.name for profile in lacking),
                variables=(name,),
            ).at(having[0].variables[name].location)
