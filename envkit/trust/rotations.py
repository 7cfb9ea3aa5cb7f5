"""What the rotations of a profile would run and send, according to its text.

The tables are read unvalidated; an invalid table is refused where it is used.
"""

from __future__ import annotations

from envkit.errors import EnvkitError
from envkit.profile.placeholder import Reference, parse
from envkit.trust.address import database_server, has_password, redacted
from envkit.trust.channels import commands, of_channels, variables
from envkit.trust.destination import RUN, SEND, Destination
from envkit.trust.sources import of_plug_in, of_region, of_role, of_source
from envkit.trust.written import (
    alone,
    credentials,
    expanded,
    references,
    with_marks,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.profile.model import Profile

# rotator -> the key of its target that contains the address of a server
_SERVERS = {"postgres": "dsn", "redis": "url", "valkey": "url"}
_HOOKS = {"before": "before {} is rotated", "after": "after {} is rotated"}
_MARK = "0envkit0"


def of_secret(profile: Profile, name: str, environ: Mapping[str, str]) -> list[Destination]:
    """Return what is needed to read the secret and the record of a rotation."""
    said = profile.rotations[name].settings
    return [
        one
        for reference in _secret(said)
        if reference.source in profile.sources
        for one in of_source(profile, reference.source, [reference], environ)
    ]


def of_rotation(profile: Profile, name: str, environ: Mapping[str, str]) -> list[Destination]:
    """Return everything that a rotation would do that needs trust.

    Raises:
        UntrustedError: an address is not encrypted, and the profile does not allow that.
    """
    said = profile.rotations[name].settings
    found = of_secret(profile, name, environ)
    target, notify = said.get("target", {}), said.get("notify", [])
    for reference in references(profile, [target, notify]):
        if reference.source in profile.sources:
            found += of_source(profile, reference.source, [reference], environ)
    environment = variables(said.get("environment"))
    for key, why in _HOOKS.items():
        for command in commands(said.get(key)):
            found.append(Destination(RUN, command, environment, why.format(name)))
    if isinstance(target, dict):
        found += _target(profile, name, str(said.get("rotator", "")), target, environ)
    found += of_channels(profile, f"notifications about {name}", notify, environment)
    return found


def _secret(said: Mapping[str, Any]) -> list[Reference]:
    try:
        parts = parse(f"{{{{ {said.get('secret', '')} }}}}").placeholders
    except EnvkitError:
        return []
    return [one.operand for one in parts if isinstance(one.operand, Reference)]


def _target(
    profile: Profile,
    name: str,
    rotator: str,
    target: Mapping[str, Any],
    environ: Mapping[str, str],
) -> Iterator[Destination]:
    given = credentials(profile, target)
    new = f"the new value of {name}"
    if rotator == "command":
        things = (f"the pending value of {name}", *given, *variables(target.get("environment")))
        for command in commands([target.get("command")]):
            yield Destination(RUN, command, things)
    elif rotator in _SERVERS:
        urls = target.get(_SERVERS[rotator])
        for url in urls if isinstance(urls, list) else [urls]:
            if isinstance(url, str):
                yield from _server(profile, rotator, url, (*credentials(profile, url), new))
    elif rotator == "aws-iam-key":
        yield from of_role(profile, target)
        yield from of_region(profile, target, environ)
    elif rotator not in ("random", "keyring"):
        title = f"target of [rotation.{name}]"
        yield from (
            one._replace(gets=(*one.gets, new))
            for one in of_plug_in(profile, rotator, title, target)
        )


def _server(
    profile: Profile, rotator: str, written: str, given: tuple[str, ...]
) -> Iterator[Destination]:
    url, notes = expanded(profile, written)
    sample = with_marks(url, _MARK)
    if rotator == "postgres" and _may_take_password(url, sample):
        given = ("$PGPASSWORD", *given)
    server = (
        None if sample is None or _MARK in sample.partition("?")[2] else database_server(sample)
    )
    if server is None or _MARK in server.host:
        yield Destination(SEND, redacted(url) + redacted(notes), given)
    elif server.host and not server.is_loopback:
        yield Destination(SEND, server.origin, given)


def _may_take_password(url: str, sample: str | None) -> bool:
    """Return whether libpq may take the password from the user's own environment."""
    if sample is not None:
        return not has_password(sample)
    only = alone(url)
    # a DSN that is one placeholder has its own password, unless the repository can set it
    stored = only is not None and isinstance(only.operand, Reference)
    return not stored or str(only).startswith("{{ dotenv:")
