"""The key-value secrets engines of Vault and OpenBao: find the engine, and read a secret.

Guarantees: a secret is *absent* only if a key-value engine said so, never because there is no
engine; `data/` in a path is optional, as version 2 inserts it itself: `kv/data/x` and
`kv/x` are the same secret.

Reference: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import DeniedError, InvalidReferenceError
from envkit.sources.model import Absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envkit.profile.placeholder import Reference
    from envkit.sources.vault.client import Answer, VaultClient

_DATA = "data/"
_KEY_VALUE = ("kv", "generic")  # `generic` is version 1 on very old servers
# other engines that create nothing for a read; `ns_system` is that of a namespace
_STATIC = frozenset(
    ("cubbyhole", "identity", "keymgmt", "kmip", "ns_system", "pki", "ssh", "system", "totp")
) | {"transform", "transit"}


class Engine(NamedTuple):
    """A secrets engine: its mount and its type.

    Attributes:
        mount: the mount path, without slashes at its ends.
        version: 1 or 2; None if the server does not reveal it.
        type: `kv`, or another type of engine.
    """

    mount: str
    version: int | None
    type: str = "kv"

    @property
    def is_dynamic(self) -> bool:
        """Whether a read creates a secret with a lease, as far as the type says."""
        return self.type not in _KEY_VALUE and self.type not in _STATIC

    def serves(self, path: str) -> bool:
        """Whether an absolute path is below the mount."""
        return f"{path}/".startswith(f"{self.mount}/")


class Target(NamedTuple):
    """One secret, or one version of it."""

    engine: Engine
    path: str  # relative to the mount
    version: str | None
    source: str  # for messages

    def locate(self, field: str | None = None) -> str:
        """Return the location for people: `vault:secret/myapp/db?version=3#password`."""
        escaped = self.engine.version == 2 and self.path.startswith(_DATA)
        text = f"{self.source}:{self.engine.mount}/{_DATA if escaped else ''}{self.path}"
        if self.version is not None:
            text += f"?version={self.version}"
        return text if field is None else f"{text}#{field}"


class SecretVersion(NamedTuple):
    """The fields of a secret."""

    fields: Mapping[str, object]
    version: str | None

    def __repr__(self) -> str:
        return f"Document(version {self.version})"


def find_engine(client: VaultClient, path: str, *, mount: str) -> Engine:
    """Return the engine that serves a path; guess it if the server does not reveal it.

    Args:
        client: a client whose token may read something below the mount.
        path: the mount and path of a secret.
        mount: the guess, if `path` is below it; otherwise the first segment of the path is used.

    Raises:
        SourceError: the request failed.
    """
    from urllib.parse import quote

    url = f"/v1/sys/internal/ui/mounts/{quote(path)}"
    answer = client.call(lambda hvac_client: hvac_client.adapter.get(url))
    data = answer.body.get("data")
    if answer.status == 400:
        raise client.unexpected("status 400 for a mount")
    if answer.ok and isinstance(data, dict):
        options = data.get("options")
        version = 2 if isinstance(options, dict) and options.get("version") == "2" else 1
        found = Engine(str(data.get("path")).strip("/"), version, str(data.get("type")))
        if found.serves(path):
            return found
    guess = Engine(mount, None)
    return guess if mount and guess.serves(path) else Engine(path.partition("/")[0], None)


def find_engines(
    paths: set[str],
    known: list[Engine],
    ask: Callable[[Collection[str]], Iterable[Engine]],
    *,
    mount: str,
) -> dict[str, Engine]:
    """Ask for one path of each first segment, until every path has its engine.

    If the server reveals no engine, nested mounts may differ, so each path is queried.

    Args:
        paths: absolute paths.
        known: the engines that the server has named; more are added.
        ask: does what `find_engine` does, for many paths at once.
        mount: as of `find_engine`.
    """
    found: dict[str, Engine] = {}
    every = False
    while True:
        for engine in known:
            found.update((path, engine) for path in paths if engine.serves(path))
        unknown = sorted(paths - found.keys())
        if not unknown:
            return found
        asked = unknown if every else list({p.partition("/")[0]: p for p in unknown}.values())
        for path, engine in zip(asked, ask(asked), strict=True):
            if engine.version is not None or engine.mount == mount:
                known.append(engine)
            else:
                found[path] = engine
                every = True


def guess_engine(known: Iterable[Engine], path: str, *, mount: str) -> Engine:
    """Return the known engine that serves a path; guess it if there is none."""
    for engine in known:
        if engine.serves(path):
            return engine
    guess = Engine(mount, 2)
    return guess if mount and guess.serves(path) else Engine(path.partition("/")[0], 2)


def doubt(engine: Engine, mount: str) -> str:
    """Return why a secret may be elsewhere: nothing is mounted at the `mount` of the settings.

    That `mount` is then a path below a real mount, mistyped or not. Secrets below it can be read.

    Args:
        engine: the engine that was read.
        mount: the mount in the settings; empty if not set.
    """
    found = engine.mount
    as_in_the_api = engine.version == 2 and mount == f"{found}/{_DATA}".rstrip("/")
    if engine.version is None or mount == found or as_in_the_api or not engine.serves(mount):
        return ""
    return f"nothing is mounted at '{mount}', only at '{found}'"


def check_version(ref: Reference) -> None:
    """Raise `InvalidReferenceError` for a version or a stage that no secret can have."""
    version = ref.version
    if ref.stage is not None:
        raise InvalidReferenceError(f"{ref}: Vault has no stages", hint="use '?version=N'")
    if version is not None and not (version.isascii() and version.isdigit()):
        raise InvalidReferenceError(f"{ref}: a version is a number", hint="use '?version=3'")
    if version is not None and not 0 < int(version) < 2**31:
        raise InvalidReferenceError(f"{ref}: versions count from 1", hint="use '?version=1'")


def check_path(path: str, source_name: str, place: str) -> None:
    """Raise `InvalidReferenceError` for a path that no key-value engine can have.

    Args:
        path: the absolute path: the mount and the path below it.
        source_name: the source, for messages.
        place: the reference, for messages.
    """
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments) or not path.isprintable():
        raise InvalidReferenceError(
            f"{source_name}:{path!r} is not a valid path in Vault",
            hint="write names with one '/' between them",
        )
    if segments[0] in ("auth", "sys"):  # no engine can be mounted there
        raise InvalidReferenceError(
            f"{place} is part of Vault's own API, not a secret",
            hint="name a secret of a key-value engine",
        )
    if len(segments) < 2:
        raise InvalidReferenceError(
            f"{place} is a mount and names no secret",
            hint=f"set [sources.{source_name}] mount, or write {source_name}:MOUNT/PATH#FIELD",
        )


def target(engine: Engine, path: str, version: str | None, source: str) -> Target:
    """Return the secret for an absolute path in an engine.

    Raises:
        InvalidReferenceError: the path is not valid in this engine.
    """
    if engine.type not in _KEY_VALUE:
        raise InvalidReferenceError(
            f"{source}:{path} is in the '{engine.type}' engine at '{engine.mount}'",
            hint="name a secret of a key-value engine",
        )
    below = path[len(engine.mount) + 1 :]
    if engine.version == 2:
        below = below.removeprefix(_DATA)
    if not below:
        raise InvalidReferenceError(
            f"{source}:{path} is a mount and names no secret", hint="add the secret's path"
        )
    if engine.version == 1 and version is not None:
        raise _no_versions(Target(engine, below, version, source))
    return Target(engine, below, version, source)


def read(client: VaultClient, wanted: Target) -> SecretVersion | Absent:
    """Read one secret.

    Raises:
        DeniedError: the token may not read the secret.
        InvalidReferenceError: the reference has a version, but the engine has none.
        SourceError: the request failed.
    """
    if wanted.engine.version is None:
        return _read_either(client, wanted)
    answer = _get(client, wanted, wanted.engine.version)
    if answer.denied:
        raise denied(wanted, "read")
    return _understood(client, wanted, answer, wanted.engine.version)


def _read_either(client: VaultClient, wanted: Target) -> SecretVersion | Absent:
    """Read from a mount of unknown version: first as version 2, then as version 1."""
    second = wanted._replace(path=wanted.path.removeprefix(_DATA))
    as_v2 = _get(client, second, 2)
    data = as_v2.body.get("data")
    if isinstance(data, dict) and isinstance(data.get("metadata"), dict):
        return _understood(client, second, as_v2, 2)
    as_v1 = _get(client, wanted, 1)
    if as_v1.ok and wanted.version is not None:
        raise _no_versions(wanted)
    if as_v1.ok:
        return _understood(client, wanted, as_v1, 1)
    answers = as_v1, as_v2
    if any(map(_says_no_path, answers)):
        raise no_engine(wanted)  # version 1 serves all paths below its mount
    for answer in answers:
        if _says_absent(answer):
            return absent(client, wanted, answer)
    # to a version 1 request, version 2 returns a warning instead of a list of errors
    if as_v1.denied or as_v2.denied:
        raise denied(wanted, "read")
    return absent(client, wanted, as_v1)


def _get(client: VaultClient, wanted: Target, version: int) -> Answer:
    mount, path = wanted.engine.mount, wanted.path
    if version == 1:
        return client.call(
            lambda hvac_client: hvac_client.secrets.kv.v1.read_secret(path, mount_point=mount)
        )
    pinned = None if wanted.version is None else int(wanted.version)
    return client.call(
        lambda hvac_client: hvac_client.secrets.kv.v2.read_secret_version(
            path, version=pinned, mount_point=mount, raise_on_deleted_version=False
        )
    )


def _understood(
    client: VaultClient, wanted: Target, answer: Answer, version: int
) -> SecretVersion | Absent:
    data = answer.body.get("data")
    if answer.status == 404:
        return absent(client, wanted, answer)
    if not answer.ok:
        raise client.unexpected(f"status {answer.status} for {wanted.locate()}")
    if version == 1 and isinstance(data, dict):
        return SecretVersion(data, None)
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        return SecretVersion(data["data"], str(version_of(client, data.get("metadata"))))
    raise client.unexpected("no secret")


def absent(client: VaultClient, wanted: Target, answer: Answer) -> Absent:
    """Return the absence of a secret, if a key-value engine responded with 404.

    Raises:
        InvalidReferenceError: there is no key-value engine.
        ProtocolError: the response is not from Vault.
    """
    if _says_no_path(answer):
        raise no_engine(wanted)
    if not _says_absent(answer):
        raise client.unexpected(f"status {answer.status} for {wanted.locate()}")
    metadata = _metadata(answer)
    if metadata is not None:
        version = str(metadata.get("version"))
        fate = "destroyed" if metadata.get("destroyed") else "deleted"
        return Absent(f"version {version} was {fate}", version)
    what = "no such version" if wanted.version else "no such secret"
    return Absent(f"{what}: {wanted.locate()}")


def _says_absent(answer: Answer) -> bool:
    """Return whether a key-value engine says that the secret or version does not exist."""
    return answer.status == 404 and (
        answer.body.get("errors") == [] or _metadata(answer) is not None
    )


def _says_no_path(answer: Answer) -> bool:
    """Return whether nothing is mounted, or an engine does not have such a path."""
    errors = answer.body.get("errors")
    return answer.status == 404 and isinstance(errors, list) and bool(errors)


def _metadata(answer: Answer) -> Mapping[str, object] | None:
    data = answer.body.get("data")
    metadata = data.get("metadata") if isinstance(data, dict) else None
    return metadata if isinstance(metadata, dict) else None


def no_engine(wanted: Target) -> InvalidReferenceError:
    """Return the error for a path that no key-value engine serves."""
    return InvalidReferenceError(
        f"cannot read {wanted.locate()}: no key-value engine is mounted at '{wanted.engine.mount}'",
        hint=f"correct the path or [sources.{wanted.source}] mount; 'vault secrets list' shows "
        "the mounts",
    )


def version_of(client: VaultClient, metadata: object) -> int:
    """Return the version in the metadata of a response.

    Raises:
        ProtocolError: the metadata has no version.
    """
    version = metadata.get("version") if isinstance(metadata, dict) else None
    if isinstance(version, int):
        return version
    raise client.unexpected("no secret")


def denied(wanted: Target, capability: str) -> DeniedError:
    """Return the error for a token that lacks a capability on a secret."""
    return DeniedError(
        f"cannot {'read' if capability == 'read' else 'write'} {wanted.locate()}: "
        "permission denied",
        hint=f"allow '{capability}' on {_in_a_policy(wanted)} in the token's policy",
    )


def _in_a_policy(wanted: Target) -> str:
    """Return the path that a policy must allow; it depends on the version of the engine."""
    mount, path = wanted.engine.mount, wanted.path
    if wanted.engine.version is None:
        second = f"{mount}/{_DATA}{path.removeprefix(_DATA)}"
        return f"'{second}' (KV version 2) or '{mount}/{path}' (version 1)"
    return f"'{mount}/{_DATA if wanted.engine.version == 2 else ''}{path}'"


def _no_versions(wanted: Target) -> InvalidReferenceError:
    return InvalidReferenceError(
        f"{wanted.locate()}: KV version 1 does not store versions", hint="remove '?version='"
    )
