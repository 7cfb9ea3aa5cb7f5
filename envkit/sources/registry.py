"""Which source types there are, and how one is built from a profile's table.

A type's module is imported only when a profile asks that source. Types of
others come from the entry-point group `envkit.sources`, looked at only for a
type that is not built in.
"""

from __future__ import annotations

from importlib import import_module

from envkit.errors import ProfileError, did_you_mean
from envkit.placeholder import OPEN, Reference, parse, substitute
from envkit.sources.base import Reading, SourceContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.location import Location
    from envkit.placeholder import Placeholder
    from envkit.profile import Profile, SourceSpec
    from envkit.sources.base import Source

ENTRY_POINTS = "envkit.sources"

BUILT_IN = {
    "vault": "envkit.sources.vault:VaultSource",
    "aws-secrets-manager": "envkit.sources.aws:AwsSecretsManagerSource",
    "dotenv": "envkit.sources.dotenv:DotenvSource",
    "env": "envkit.sources.env:EnvSource",
    "memory": "envkit.sources.memory:MemorySource",
}
# what the settings of another source may refer to: read without a network or a login
LOCAL = ("env", "dotenv")


def source_type(name: str, place: Location) -> Callable[[SourceContext], Source]:
    """Return the class for a source type.

    Args:
        name: `vault`, or what an entry point is called.
        place: where the profile names it, for the error.

    Raises:
        ProfileError: there is no such type.
    """
    target = BUILT_IN.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]
    from importlib.metadata import entry_points

    plugins = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in plugins:
        raise ProfileError(
            f"{place}: unknown source type '{name}'",
            hint=did_you_mean(name, {*BUILT_IN, *plugins}),
        )
    return plugins[name].load()  # type: ignore[no-any-return]


def open_source(
    profile: Profile, name: str, *, environ: Mapping[str, str], deadline: Deadline
) -> Source:
    """Build one source of a profile. Reads no store, except for its settings' placeholders.

    Args:
        profile: a loaded profile.
        name: one of `profile.sources`.
        environ: the process environment.
        deadline: when everything must be over.

    Raises:
        ProfileError: unknown type or setting, or a setting of the wrong type.
        EnvkitError: a placeholder in the settings has no value.
    """
    spec = profile.sources[name]
    kind = source_type(spec.type, spec.location.at("type"))
    _check_settings(spec, kind.settings)  # type: ignore[attr-defined]

    def context(settings: Mapping[str, Any]) -> SourceContext:
        return SourceContext(
            name,
            settings=settings,
            environment=profile.name,
            aliases=profile.aliases,
            root=profile.root,
            environ=environ,
            deadline=deadline,
        )

    def value_of(placeholder: Placeholder) -> str | None:
        reference = placeholder.operand
        if not isinstance(reference, Reference) or not _is_local(profile, reference.source):
            raise ProfileError(
                f"{spec.location}: {placeholder.operand} in [sources.{name}] is not local",
                hint="refer to the process environment or a .env file: {{ env:NAME }}",
            )
        source = open_source(profile, reference.source, environ=environ, deadline=deadline)
        source.check(reference)
        outcome = source.fetch([reference]).get(reference)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.value.reveal() if isinstance(outcome, Reading) else None

    if name in LOCAL:
        return kind(context(spec.settings))
    return kind(context(_substituted(spec.settings, value_of)))


def bootstrap_names(specs: Iterable[SourceSpec]) -> frozenset[str]:
    """Return the environment variables that the settings of these sources are read from."""
    names: set[str] = set()
    for spec in specs:
        for text in _strings(spec.settings):
            for placeholder in parse(text).placeholders:
                operand = placeholder.operand
                if isinstance(operand, Reference) and operand.source == "env":
                    names.add(operand.field or operand.path)
    return frozenset(names)


def store_identity(profile: Profile, name: str) -> object:
    """Return what is equal for sources that ask the same store with the same login.

    Where in the store they look (`mount`, `prefix`) does not count.
    """
    spec = profile.sources[name]
    settings = {k: v for k, v in spec.settings.items() if k not in ("mount", "prefix")}
    local = any(
        isinstance(placeholder.operand, Reference) and placeholder.operand.source != "env"
        for text in _strings(settings)
        for placeholder in parse(text).placeholders
    )
    return spec.type, repr(sorted(settings.items())), profile.name if local else ""


def _is_local(profile: Profile, source: str) -> bool:
    return source in LOCAL and profile.sources[source].type in LOCAL


_TOML_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    list: "a list",
    dict: "a table",
}


def _check_settings(spec: SourceSpec, known: Mapping[str, type | tuple[type, ...]]) -> None:
    for key, value in spec.settings.items():
        place = spec.location.at(key)
        wanted = known.get(key)
        if wanted is None:
            raise ProfileError(
                f"{place}: unknown key '{key}' in [sources.{spec.name}]",
                hint=did_you_mean(key, {*known, "type"}),
            )
        types = wanted if isinstance(wanted, tuple) else (wanted,)
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            names = " or ".join(_TOML_NAMES.get(kind, kind.__name__) for kind in types)
            raise ProfileError(f"{place}: '{key}' in [sources.{spec.name}] must be {names}")


def _substituted(value: Any, value_of: Callable[[Placeholder], str | None]) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(item, value_of) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, value_of) for item in value]
    if isinstance(value, str) and OPEN in value:
        return substitute(parse(value), value_of)
    return value


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
