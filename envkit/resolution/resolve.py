"""Resolve an environment: prepare its profiles, read each source once, compute the variables.

    env = resolve("prod")

A command that must act before a store is read calls the two parts itself:

    prepared = prepare(["prod"], ...)
    access.begin(prepared)
    env = resolve_prepared(prepared, deadline)

Guarantees: either every required variable has a value, or a `ResolutionError` lists all
that have none; missing is not the same as failed; nothing waits beyond the deadline.
"""

from __future__ import annotations

import os

from envkit._internal.clock import DEFAULT_TIMEOUT_SECONDS as DEFAULT_TIMEOUT_SECONDS  # noqa: PLC0414
from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError, ResolutionError, UsageError, VariableFailure
from envkit.resolution.environment import Environment, Variable
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import fetch
from envkit.resolution.prepare import joined, prepare
from envkit.sources.registry import bootstrap_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.protocols import Source

KEEP, USE = "keep", "use"


def resolve(
    *environments: str,
    profiles: str | None = None,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    environ: Mapping[str, str] | None = None,
    sources: Mapping[str, Source] | None = None,
) -> Environment:
    """Resolve one environment, or several; later ones take precedence.

    Args:
        environments: names or aliases of profiles; default: `ENVKIT_ENV`.
        profiles: the folder of profiles; default: `ENVKIT_PROFILES`, then an upward search.
        only: one or more globs; only variables that match one of them are included.
        exclude: one or more globs; variables that match one of them are excluded.
        overrides: literal values that replace those of the profiles, wherever they are used.
        timeout_seconds: the limit for all stores together, in seconds.
        environ: the process environment; default: `os.environ`.
        sources: replacements for the profile's sources with these names.

    Returns:
        the variables with their values and provenance.

    Raises:
        UsageError: no environment is given, or no profile has a name in `only` or
            `exclude`.
        ProfileError: a profile is missing or not valid.
        ResolutionError: required variables have no value; it lists all of them.
    """
    check_arguments(environments, overrides or {}, timeout_seconds)
    deadline = Deadline(timeout_seconds)
    from envkit.resolution.selection import globs

    try:
        prepared = prepare(
            environments,
            profiles=profiles,
            only=globs(only),
            exclude=globs(exclude),
            overrides=overrides,
            environ=os.environ if environ is None else environ,
            deadline=deadline,
            sources=sources,
        )
        own = environ is not None or sources  # no store of this process's own environment
        environment = resolve_prepared(prepared, deadline, saved="" if own else USE)
    except EnvkitError as error:
        # debug pages and error trackers show the local variables of each frame, and the frames
        # below contain the process environment
        if isinstance(error, UsageError) and error.hint:
            error.hint = in_python(error.hint)
        raise error.with_traceback(None) from error.__cause__
    if environment.stale_seconds is not None:
        import logging

        logging.getLogger("envkit").warning("%s", stale_text(environment.stale_seconds))
    return environment


def in_python(hint: str) -> str:
    """Return a hint with `resolve` arguments in place of options: `only=['A', 'B']`."""
    import re

    if "--env NAME" in hint:
        return hint.replace("use --env NAME", "pass its name")
    if "--reason TEXT" in hint:
        return hint.replace("add --reason TEXT", "pass reason='TEXT'")
    options = re.findall(r"--(only|except) ('[^']*'|[^\s?]+)", hint.rpartition(": ")[2])
    if not options:
        return hint
    argument = "only" if options[0][0] == "only" else "exclude"
    return f"write {argument}={[glob.strip(chr(39)) for _, glob in options]}"


def check_arguments(
    environments: Sequence[object], overrides: Mapping[str, object], timeout_seconds: object
) -> None:
    """Check arguments from programs without a type checker: `["prod"]`, or a number to override."""
    for name in environments:
        if not isinstance(name, str):
            raise TypeError(f"an environment must be a str, not {type(name).__name__}")
    for name, value in overrides.items():
        if not isinstance(value, str):
            raise TypeError(f"the override of {name} must be a str, not {type(value).__name__}")
    if not isinstance(timeout_seconds, int | float):
        raise TypeError(f"timeout_seconds must be a number, not {type(timeout_seconds).__name__}")
    if not 0 < timeout_seconds < float("inf"):
        raise ValueError(f"timeout_seconds must be positive and finite, not {timeout_seconds}")


def resolve_prepared(
    prepared: Sequence[PreparedProfile], deadline: Deadline, *, saved: str = ""
) -> Environment:
    """Read each source of prepared profiles once and compute the variables.

    Args:
        prepared: the result of `prepare`.
        deadline: nothing waits longer.
        saved: what is done for profiles with a `fallback`: KEEP saves the values for a time when
            a store is unavailable; USE also uses those that were saved; empty does neither.

    Raises:
        ResolutionError: required variables have no value; it lists all of them.
    """
    keeps = bool(saved) and any(_has_fallback(one) for one in prepared)
    poked: object = None
    if keeps:
        from envkit.sources.poke import last_poke

        poked = last_poke()
    outcomes = fetch(prepared, deadline)
    stale_seconds = None
    if keeps and saved == USE:
        from envkit.resolution.last_known_good.use import fill

        outcomes, stale_seconds = fill(prepared, outcomes, os.environ)
    variables: dict[str, Variable] = {}
    failures: list[VariableFailure] = []
    for one, outcome in zip(prepared, outcomes, strict=True):
        found, failed = evaluate(one.plan, outcome, one.locate)
        variables.update(found)
        failures.extend(failed)
    profiles = [one.profile for one in prepared]
    if failures:
        raise ResolutionError(joined(profiles), failures)
    if keeps and stale_seconds is None:
        from envkit.resolution.last_known_good.use import save

        save(prepared, outcomes, os.environ, poked=poked)
    return Environment(
        joined(profiles),
        variables.values(),
        bootstrap=frozenset().union(*map(bootstrap_names, profiles)),
        plans=[one.plan for one in prepared],
        stale_seconds=stale_seconds,
    )


def _has_fallback(one: PreparedProfile) -> bool:
    return any(one.profile.fallback_of(name) is not None for name in one.plan.references)


def stale_text(seconds: float) -> str:
    """Return a warning for people that saved values are used."""
    from envkit.resolution.last_known_good.use import age_text

    return f"a store is unavailable: values that were saved {age_text(seconds)} ago are used"
