"""Substitute the placeholders in the settings of a rotation or a channel.

    {"dsn": "postgresql://admin:{{ vault:db-admin#password }}@db:5432/app"}

A placeholder means the same as in a value of the profile. The result contains values and must
not be shown.
"""

from __future__ import annotations

import copy

from envkit.errors import ResolutionError
from envkit.profile.declaration import Declaration
from envkit.profile.placeholder import OPEN
from envkit.resolution.evaluate import evaluate
from envkit.resolution.fetch import fetch
from envkit.resolution.plan import plan
from envkit.resolution.prepare import prepare_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.profile.location import Location
    from envkit.profile.model import Profile
    from envkit.profile.placeholder import Reference


def substitute_settings(
    profile: Profile,
    title: str,
    settings: Mapping[str, Any],
    place: Location,
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
) -> dict[str, Any]:
    """Return settings with their placeholders replaced by values.

    Args:
        profile: the profile whose sources and variables are used.
        title: the table's header for messages: `[rotation.db-password]`.
        settings: the settings as written; texts may be nested in lists and tables.
        place: where they are written.
        environ: the process environment.
        deadline: nothing waits longer.

    Raises:
        ResolutionError: placeholders have no value; it lists all of them.
    """
    texts = dict(_texts(settings, title))
    if not texts:
        return dict(settings)
    wider = _with_texts(profile, texts, place)
    prepared = prepare_profile(wider, list(texts), environ=environ, deadline=deadline)
    (outcomes,) = fetch([prepared], deadline)
    found, failures = evaluate(prepared.plan, outcomes, prepared.locate)
    if failures:
        raise ResolutionError(profile.name, failures)
    values = {name: variable.value.reveal() for name, variable in found.items()}
    filled = _filled(settings, title, values)
    assert isinstance(filled, dict)  # noqa: S101 - as the settings are
    return filled


def references_in(
    profile: Profile, title: str, settings: Mapping[str, Any], place: Location
) -> frozenset[Reference]:
    """Return the references of placeholders in settings, including those of variables; no I/O.

    The arguments are the same as for `substitute_settings`.
    """
    texts = dict(_texts(settings, title))
    planned = plan(_with_texts(profile, texts, place), texts)
    return frozenset(reference for found in planned.references.values() for reference in found)


def _with_texts(profile: Profile, texts: Mapping[str, str], place: Location) -> Profile:
    """Return the profile with an additional variable for each text.

    This way they are planned, fetched and evaluated like all other variables.
    """
    wider = copy.copy(profile)
    wider.variables = {
        **profile.variables,
        **{
            name: Declaration(name, {"value": text, "secret": True}, {}, place)
            for name, text in texts.items()
        },
    }
    return wider


def _texts(setting: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield each text with a placeholder, named by its path in the settings."""
    if isinstance(setting, str):
        if OPEN in setting:
            yield name, setting
        return
    for key, item in _items(setting):
        yield from _texts(item, f"{name} {key}")


def _filled(setting: Any, name: str, values: Mapping[str, str]) -> Any:
    if isinstance(setting, dict):
        return {key: _filled(item, f"{name} {key}", values) for key, item in setting.items()}
    if isinstance(setting, list | tuple):
        return [_filled(item, f"{name} {index}", values) for index, item in enumerate(setting)]
    return values.get(name, setting)


def _items(setting: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(setting, dict):
        yield from setting.items()
    elif isinstance(setting, list | tuple):
        yield from enumerate(setting)
