"""Find source types by name and build sources from the tables of a profile.

A type's module is imported only when a profile uses it. Plug-ins come from the
entry-point group `envkit.sources`, which is read only for types that are not built in.

The settings of a source come from the repository and decide where it connects. The command line
sets a guard that refuses what the user does not trust. A program that uses envkit as
a library is the repository's own code and has no guard.
"""

from __future__ import annotations

import os

from envkit._internal.clock import Deadline
from envkit._internal.files import is_narrowed
from envkit.errors import AbsentError, ProfileError, UntrustedError
from envkit.profile.model import placeholders
from envkit.profile.placeholder import OPEN, Literal, Reference, parse
from envkit.profile.substitution import substitute
from envkit.profile.toml_file import check_keys
from envkit.sources.model import Reading, SourceContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any, Protocol

    from envkit.profile.model import Profile, SourceSpec
    from envkit.profile.placeholder import Operand, Placeholder
    from envkit.sources.protocols import Source
    from envkit.trust.guard import Guard

    class SourceType(Protocol):
        """The class of a source."""

        settings: Mapping[str, type | tuple[type, ...]]

        def __call__(self, context: SourceContext) -> Source:
            """Build a source; no I/O."""
            ...


ENTRY_POINTS = "envkit.sources"

BUILT_IN = {
    "vault": "envkit.sources.vault.source:VaultSource",
    "aws-secrets-manager": "envkit.sources.aws.source:AwsSecretsManagerSource",
    "dotenv": "envkit.sources.dotenv:DotenvSource",
    "env": "envkit.sources.env:EnvSource",
    "memory": "envkit.sources.memory:MemorySource",
}
# the settings of a source may refer only to sources of a lower rank (default: 2): these are read
# without a network or a login, and cycles are impossible
_RANKS = {"env": 0, "dotenv": 1}
# settings that may be literals; any other may be a credential
_PLAIN_SETTINGS = frozenset(
    ("address", "endpoint_url", "mount", "namespace", "path", "prefix", "region", "concurrency")
)
# the setting with the server's address, and the settings that cannot redirect a source away from
# the server in the user's environment
_ADDRESS = {"vault": "address", "aws-secrets-manager": "endpoint_url"}
_HARMLESS = {
    "vault": {"mount", "prefix", "namespace", "concurrency"},
    "aws-secrets-manager": {"region", "profile", "prefix", "concurrency"},
}
# settings that may have credentials, which change while the store and its user stay the same
_LOGIN_SETTINGS = frozenset(("auth", "mfa_token", "external_id"))
LOCAL_SECONDS = 5.0  # for reading values in the settings of a source
_LOCAL = ("env", "dotenv", "memory")
# a method in a list of Vault logins -> what its name alone takes from VAULT_NAME or BAO_NAME
LOGIN_VARIABLES = {"approle": ("ROLE_ID", "SECRET_ID"), "kubernetes": ("ROLE",)}
_make_guard: Callable[[], Guard] | None = None


def set_guard(make: Callable[[], Guard] | None) -> Callable[[], Guard] | None:
    """Set the guard that decides, for the whole process, whether a profile is trusted.

    It applies to the whole process because trust depends on who started the process.

    Args:
        make: returns the guard, always the same one; called only if something needs trust. None
            for programs, which trust themselves.

    Returns:
        the previous function.
    """
    global _make_guard
    before, _make_guard = _make_guard, make
    return before


def current_guard() -> Guard | None:
    """Return the guard; None if profiles need no trust."""
    return None if _make_guard is None else _make_guard()


def never_ask() -> None:
    """Make the guard refuse, from now on, what it would ask a person about."""
    global _make_guard  # noqa: PLW0603 - see `set_guard`
    make = _make_guard
    if make is None:
        return

    def silent() -> Guard:
        guard = make()
        guard.stop_asking()
        return guard

    _make_guard = silent


def may_need_trust(profile: Profile, references: Mapping[str, Iterable[Reference]]) -> bool:
    """Return quickly whether reading references may need trust; True can be a false alarm.

    Args:
        profile: a loaded profile.
        references: the references to read, by source.
    """
    if _make_guard is None:
        return False
    for name, asked in references.items():
        spec = profile.sources[name]
        if spec.type != "dotenv":
            if _leads_elsewhere(spec):
                return True
            continue
        files = spec.settings.get("path") or [f".env.{n}" for n in (profile.name, *profile.aliases)]
        named = [ref.path for ref in asked if ref.path and ref.field is not None]
        paths = [*named, *(files if isinstance(files, list) else [files])]
        if any(_may_be_outside(profile.root, path) for path in paths):
            return True
    return False


def source_type(spec: SourceSpec) -> SourceType:
    """Return the class for a source's type.

    Raises:
        ProfileError: the type is unknown, or the package that provides it is broken.
    """
    target = BUILT_IN.get(spec.type)
    if target is not None:
        return load_built_in(target)  # type: ignore[no-any-return]
    from envkit.sources.plugins import load_plugin

    return load_plugin(  # type: ignore[no-any-return]
        ENTRY_POINTS, spec.type, "source type", built_in=BUILT_IN, place=spec.place_of("type")
    )


def load_built_in(target: str) -> Any:
    """Import a module and return the object that `module:attribute` names."""
    module, _, attribute = target.partition(":")
    # nothing else on the hot path imports `importlib`
    return getattr(__import__(module, fromlist=[attribute]), attribute)


def open_source(
    profile: Profile,
    name: str,
    *,
    environ: Mapping[str, str],
    deadline: Deadline,
    locating: bool = False,
    already_read: dict[object, Any] | None = None,
) -> Source:
    """Build one source of a profile. Reads no store except for placeholders in its settings.

    Args:
        profile: a loaded profile.
        name: a key of `profile.sources`.
        environ: the process environment.
        deadline: nothing waits longer.
        locating: whether only `check` and `locate` will be called. This needs no trust; if the
            profile is not trusted, the settings' placeholders are not replaced.
        already_read: as in `SourceContext`.

    Raises:
        ProfileError: the type or a setting is unknown, or a setting has the wrong type.
        UntrustedError: the source needs trust that the user has not given.
        EnvkitError: a placeholder in the settings has no value.
    """
    spec = profile.sources[name]
    trusted = _is_trusted(profile, name, environ, locating=locating)
    kind = source_type(spec)
    # for a hint; `SourceSpec` has taken these over
    known = {**kind.settings, "poll": str, "fallback": dict}
    check_keys(spec.settings, known, spec.place_of, owner=f"[sources.{name}]")

    for key in spec.settings:
        _check_local(profile, spec, key)
    settings = dict(spec.settings)
    if trusted:
        settings = _settings(profile, spec, environ, deadline, locating=locating)
    key = _ADDRESS.get(spec.type, "")
    if key in settings and not locating and str(settings[key]).lower().lstrip()[:5] == "http:":
        from envkit.trust.sources import refuse_unencrypted

        refuse_unencrypted(profile, name, str(settings[key]))
    context = SourceContext(
        name,
        settings=settings,
        environment=profile.name,
        aliases=profile.aliases,
        root=profile.root,
        environ=environ,
        deadline=deadline,
        already_read=already_read,
    )
    try:
        return kind(context)
    except ProfileError as error:  # a source does not know where its settings are written
        raise ProfileError(f"{spec.location}: {error.message}", hint=error.hint) from None


def _settings(
    profile: Profile,
    spec: SourceSpec,
    environ: Mapping[str, str],
    deadline: Deadline,
    *,
    locating: bool = False,
    without: Collection[str] = (),
) -> dict[str, Any]:
    """Return the settings of a source with values in place of placeholders."""

    def value_of(placeholder: Placeholder) -> str | None:
        reference = placeholder.operand
        assert isinstance(reference, Reference)  # noqa: S101 - _check_local has looked
        source = open_source(
            profile, reference.source, environ=environ, deadline=deadline, locating=locating
        )
        source.check(reference)
        outcome = source.fetch([reference]).get(reference)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.value.reveal() if isinstance(outcome, Reading) else None

    settings: dict[str, Any] = {}
    alternatives = getattr(source_type(spec), "alternatives", ())
    for key in [key for key in spec.settings if key not in without]:
        value = spec.settings[key]
        try:
            if key in alternatives and isinstance(value, list):
                settings[key] = [_alternative(item, value_of) for item in value]
            else:
                settings[key] = _substituted(value, value_of)
        except AbsentError as error:
            raise AbsentError(
                f"{spec.place_of(key)}: [sources.{spec.name}]: '{key}': {error.message}",
                hint='set it, or write a fallback: {{ env:NAME ?? "text" }}'
                if key in _PLAIN_SETTINGS
                else "set it where envkit runs; a value that may be a credential cannot have a "
                "fallback",
            ) from None
    return settings


def place_settings(profile: Profile, name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that say which store an opened source reads, with their values.

    Settings of a login are left as they are written: its credentials change.

    Raises:
        EnvkitError: a placeholder no longer has a value.
    """
    spec = profile.sources[name]
    found = _settings(profile, spec, environ, Deadline(LOCAL_SECONDS), without=_LOGIN_SETTINGS)
    return {**spec.settings, **found}


def bootstrap_names(profile: Profile) -> frozenset[str]:
    """Return the environment variables that the settings of a profile's sources use."""
    names = {
        operand.path or operand.field or ""
        for spec in profile.sources.values()
        for operand in _operands(spec.settings)
        if isinstance(operand, Reference) and _rank(profile, operand.source) == 0
    }
    methods = [spec.settings.get("auth") for spec in profile.sources.values()]
    listed = [one for auth in methods if isinstance(auth, list) for one in auth]
    for method in listed:
        for name in LOGIN_VARIABLES.get(method, ()) if isinstance(method, str) else ():
            names |= {f"VAULT_{name}", f"BAO_{name}"}
    return frozenset(names)


def store_identity(profile: Profile, name: str) -> object:
    """Return a key that is equal for sources that read the same store with the same login.

    Settings that only select a location in the store (`mount`, `prefix`) are ignored.
    """
    spec = profile.sources[name]
    settings = {k: v for k, v in spec.settings.items() if k not in ("mount", "prefix")}
    own = any(
        isinstance(operand, Reference) and _rank(profile, operand.source) > 0
        for operand in _operands(settings)
    )
    return spec.type, repr(sorted(settings.items())), profile.name if own else ""


def _is_trusted(profile: Profile, name: str, environ: Mapping[str, str], *, locating: bool) -> bool:
    """Return whether a source may act on its settings.

    Raises:
        UntrustedError: the user does not trust them, and the source will act on them.
    """
    if _make_guard is None or not _leads_elsewhere(profile.sources[name]):
        return True
    from envkit.trust.sources import of_source

    try:
        if wanted := of_source(profile, name, (), environ):
            _make_guard().check(profile, wanted)
    except UntrustedError:
        if not locating:
            raise
        return False
    return True


def _leads_elsewhere(spec: SourceSpec) -> bool:
    """Return whether the settings of a source may send or read something that needs trust."""
    if not spec.settings:
        return False
    # the files of a `.env` source are checked when they are opened
    harmless = spec.type in _LOCAL or spec.settings.keys() <= _HARMLESS.get(spec.type, set())
    return not harmless or any(True for _ in placeholders(spec.settings))


def _may_be_outside(root: str, path: object) -> bool:
    if not isinstance(path, str) or "\0" in path:
        return False  # the source will refuse it
    if path.startswith("/") or ".." in path or OPEN in path or is_narrowed(root):
        return True
    here = root
    for part in path.split("/"):
        here += f"/{part}"
        if os.path.islink(here):
            return True
    return False


def _rank(profile: Profile, source: str) -> int:
    spec = profile.sources.get(source)
    return 2 if spec is None else _RANKS.get(spec.type, 2)


def _check_local(profile: Profile, spec: SourceSpec, key: str) -> None:
    rank = _RANKS.get(spec.type, 2)
    for operand in _operands(spec.settings[key]):
        if not isinstance(operand, Reference) or _rank(profile, operand.source) >= rank:
            raise ProfileError(
                f"{spec.place_of(key)}: [sources.{spec.name}]: '{key}' cannot refer to {operand}, "
                f"which cannot be read before it",
                hint="refer to the process environment: {{ env:NAME }}",
            )


def _operands(setting: Any) -> Iterable[Operand]:
    operands = (placeholder.operand for placeholder in placeholders(setting))
    return (operand for operand in operands if not isinstance(operand, Literal))


def _alternative(value: Any, value_of: Callable[[Placeholder], str | None]) -> Any:
    """Return an item of a list of alternatives; one that has no value says what it `lacks`."""
    try:
        return _substituted(value, value_of)
    except AbsentError as error:
        if not isinstance(value, dict):
            raise
        return {**value, "lacks": error}


def _substituted(value: Any, value_of: Callable[[Placeholder], str | None]) -> Any:
    if isinstance(value, dict):
        return {key: _substituted(item, value_of) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, value_of) for item in value]
    if isinstance(value, str) and OPEN in value:
        return substitute(parse(value), value_of)
    return value
