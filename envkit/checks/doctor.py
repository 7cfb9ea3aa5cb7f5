"""`envkit doctor`: examine profiles, stores and the audit log, and report problems.

    for check in examine(("staging",)).checks:
        print(check.status, check.subject, check.message)

Guarantees: no check contains a value. One failure does not stop another check. Nothing waits
beyond the deadline. envkit reads only the stores of the selected environments.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from envkit import __version__
from envkit._internal.clock import Deadline
from envkit._internal.parallel import map_parallel
from envkit._internal.paths import display_path
from envkit._internal.suggestions import did_you_mean
from envkit.audit import log
from envkit.checks.doctor_stores import (
    Check,
    CheckStatus,
    Examined,
    absent_variables,
    errors_of,
    examine_store,
    warnings_of,
)
from envkit.checks.dotenv_text import of_profile
from envkit.errors import EnvkitError
from envkit.profile.discovery import profile_names, profiles_folder, unknown_profile
from envkit.profile.loader import load
from envkit.profile.model import PREDECLARED
from envkit.resolution.plan import plan
from envkit.resolution.prepare import require_trust
from envkit.resolution.resolve import DEFAULT_TIMEOUT_SECONDS
from envkit.sources.registry import open_source
from envkit.trust.sources import own_address_warning
from envkit.trust.user_config import read_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference
    from envkit.resolution.plan import Plan
    from envkit.sources.model import Outcome

VARIABLES = (
    "ENVKIT_ENV",
    "ENVKIT_PROFILES",
    "ENVKIT_AUDIT",
    "ENVKIT_REASON",
    "ENVKIT_AGENT",
    "ENVKIT_QUEUE",
    "ENVKIT_TRUST",
    "ENVKIT_MFA_CODE",
    "ENVKIT_DEBUG",
)
SET_BY_ENVKIT = ("ENVKIT_HOOK_STATE", "ENVKIT_STALE")  # for shells and apps
MAX_PARALLEL = 16


class _Loaded(NamedTuple):
    profile: Profile
    plan: Plan


class Report(NamedTuple):
    """The result of `examine`."""

    envkit: str
    python: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether there are no errors."""
        return all(check.status != CheckStatus.ERROR for check in self.checks)


def examine(
    environments: Sequence[str] = (),
    *,
    profiles: str | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> Report:
    """Check the folder of profiles, every profile, and the stores of some or all of them.

    Args:
        environments: names or aliases of the profiles whose stores are read; default:
            `ENVKIT_ENV`, then every profile that no other one extends.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then a search upwards.
        timeout_seconds: for all stores together.
        environ: the process environment; default: `os.environ`.

    Returns:
        the report; problems are part of it and do not raise.

    Raises:
        UntrustedError: the user has not trusted what reading the stores needs.
    """
    environ = os.environ if environ is None else environ
    checks = [*_variables(environ), *_audit_log(environ)]
    checks += [Check(CheckStatus.WARNING, warning) for warning in read_config(environ).warnings]
    try:
        folder = profiles_folder(profiles, environ)
        names = profile_names(folder)
    except EnvkitError as error:
        checks += errors_of(error)
    else:
        checks.append(Check(CheckStatus.OK, f"{_counted(len(names), 'profile')} in {folder}"))
        loaded = {name: _load(name, folder, checks) for name in names}
        default = environ.get("ENVKIT_ENV")
        wanted = list(environments) or ([default] if default else [])
        chosen = _chosen(wanted, loaded, folder, checks)
        deadline = Deadline(timeout_seconds)
        for one in chosen:
            asked = {name: one.plan.references.get(name, ()) for name in _sources(one)}
            require_trust(one.profile, asked, environ, deadline)
        checks += _ask_stores(chosen, environ, deadline)
        checks += _rotations(folder, chosen, environ, deadline)
    version = ".".join(map(str, sys.version_info[:3]))
    return Report(__version__, version, tuple(checks))


def _variables(environ: Mapping[str, str]) -> Iterator[Check]:
    """Report which of envkit's variables are set, and which names resemble one by mistake."""
    for word, wanted in (("set", True), ("not set", False)):
        names = [name for name in VARIABLES if bool(environ.get(name)) is wanted]
        if names:
            yield Check(CheckStatus.NOTE, f"{word}: {', '.join(names)}")
    for name in sorted(environ):
        if name.startswith("ENVKIT_") and name not in (*VARIABLES, *SET_BY_ENVKIT):
            yield Check(
                CheckStatus.WARNING,
                f"{name} is set, but envkit does not use it",
                hint=did_you_mean(name, VARIABLES) or "",
            )


def _audit_log(environ: Mapping[str, str]) -> Iterator[Check]:
    """Report if accesses are not recorded, which is an error only for a protected profile."""
    try:
        log.check(environ)
    except EnvkitError as error:
        yield Check(CheckStatus.WARNING, error.message, hint=error.hint or "")


def _load(name: str, folder: str, checks: list[Check]) -> _Loaded | None:
    """Load and plan a profile, and record its checks; None if it is not valid."""
    try:
        profile = load(name, folder)
        planned = plan(profile, profile.variables)
    except EnvkitError as error:
        checks.extend(errors_of(error, profile=name))
        return None
    message = f"{display_path(profile.path)}, {_counted(len(profile.variables), 'variable')}"
    if profile.aliases:
        message += f", also called {', '.join(profile.aliases)}"
    checks.append(Check(CheckStatus.OK, message, name))
    checks.extend(Check(CheckStatus.WARNING, warning, name) for warning in profile.warnings)
    for path in profile.files:
        checks.extend(warnings_of(of_profile(path), profile=name))
    return _Loaded(profile, planned)


def _chosen(
    wanted: Sequence[str],
    loaded: Mapping[str, _Loaded | None],
    folder: str,
    checks: list[Check],
) -> list[_Loaded]:
    """Return the environments whose stores are contacted."""
    valid = [one for one in loaded.values() if one is not None]
    if not wanted:
        extended = {path for one in valid for path in one.profile.files if path != one.profile.path}
        return [one for one in valid if one.profile.path not in extended]
    chosen = []
    for name in wanted:
        found = [one for one in valid if name in (one.profile.name, *one.profile.aliases)]
        if not found and name not in loaded:
            checks.extend(errors_of(unknown_profile(folder, name, list(loaded)), profile=name))
        chosen += found
    return chosen


def _ask_stores(
    chosen: Sequence[_Loaded], environ: Mapping[str, str], deadline: Deadline
) -> Iterator[Check]:
    """Ask each source of each environment, all in parallel."""
    targets = [(one, name) for one in chosen for name in _sources(one)]

    def ask(target: tuple[_Loaded, str]) -> Examined:
        one, name = target
        source = open_source(one.profile, name, environ=environ, deadline=deadline)
        return examine_store(source, one.plan, one.profile.sources[name].type)

    outcomes: dict[str, dict[Reference, Outcome]] = {}

    answers = map_parallel(ask, targets, workers=MAX_PARALLEL, deadline=deadline)
    for (one, name), answer in zip(targets, answers, strict=True):
        place = {"profile": one.profile.name, "source": name}
        if warning := own_address_warning(one.profile, name, environ):
            yield Check(
                CheckStatus.WARNING,
                warning,
                **place,
                hint="change http:// to https:// in the address",
            )
        if answer.late:
            seconds = f"{deadline.timeout_seconds:g}"
            hint = "check the store's address, or set a longer --timeout"
            yield Check(CheckStatus.ERROR, f"no answer within {seconds} s", **place, hint=hint)
        elif isinstance(answer.error, EnvkitError):
            yield from errors_of(answer.error, **place)
        elif answer.error is not None:  # the message of a bug may contain a value
            yield Check(
                CheckStatus.ERROR, f"the source crashed: {type(answer.error).__name__}", **place
            )
        else:
            yield from answer.value.checks
            outcomes.setdefault(one.profile.name, {}).update(answer.value.outcomes)
    for one in chosen:
        yield from absent_variables(one.plan, outcomes.get(one.profile.name, {}))


def _rotations(
    folder: str, chosen: Iterable[_Loaded], environ: Mapping[str, str], deadline: Deadline
) -> Iterator[Check]:
    """Report rotations that cannot continue; import their modules only if there are any."""
    from envkit.checks.doctor_rotations import examine_rotations

    names = {one.profile.name for one in chosen}
    try:
        for one in examine_rotations(folder, names, environ=environ, deadline=deadline):
            yield Check(CheckStatus(one.status), one.message, one.profile, hint=one.hint)
    except EnvkitError as error:
        yield from errors_of(error)


def _sources(one: _Loaded) -> list[str]:
    """Return the sources that a profile uses or configures; others are only predeclared."""
    return [
        name
        for name, spec in one.profile.sources.items()
        if name in one.plan.references or spec.settings or name not in PREDECLARED
    ]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
