"""Compare-and-set for KV version 2 secrets, and a check for writes that would be refused.

Guarantees: writing one field leaves all others unchanged; a write whose response was lost is
not mistaken for a conflict.

Reference: https://openbao.org/api-docs/secret/kv/kv-v2/#createupdate-secret
"""

from __future__ import annotations

from envkit.errors import ConflictError, DeniedError, InvalidReferenceError, InvalidValueError
from envkit.sources.model import WHOLE
from envkit.sources.vault.kv import SecretVersion, denied, read, target, version_of
from envkit.sources.vault.rights import capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    import hvac

    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.secret import Secret
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Engine, Target


def write_fields(
    client: VaultClient,
    wanted: Target,
    values: Mapping[str | None, str | None],
    expected: str | None,
) -> str:
    """Set or remove fields if the secret has the version that the caller saw.

    Args:
        client: a client whose token may read and write the secret.
        wanted: the secret.
        values: the new value of each field, None to remove it; the field None is the only
            field of the secret.
        expected: the expected version; None if the secret must not exist.

    Returns:
        the new version.

    Raises:
        ConflictError: the secret has another version; nothing was written.
        InvalidReferenceError: the engine is not version 2, or the secret does not have one field.
        InvalidValueError: the value is not text.
        SourceError: the request failed.
    """
    place = wanted.locate(next(iter(values)) if len(values) == 1 else None)
    for field, value in values.items():
        refuse_unwritable(wanted, wanted.locate(field), value)
    current = read(client, wanted)
    if current.version != expected:
        raise _conflict(place, expected, current.version)
    fields = dict(current.fields) if isinstance(current, SecretVersion) else {}
    if None in values and len(fields) != 1:
        raise InvalidReferenceError(
            f"{wanted.locate()} names no field to write", hint="add '#FIELD' to the reference"
        )
    only = next(iter(fields), "")
    for named, value in values.items():
        field = only if named is None else named
        if value is None:
            fields.pop(field, None)
        else:
            fields[field] = value
    return write_all(client, wanted, fields, current.version, place)


def write_all(
    client: VaultClient,
    wanted: Target,
    fields: Mapping[str, object],
    expected: str | None,
    place: str,
) -> str:
    """Replace all fields of a secret if it has the version that the caller saw.

    Args:
        client: a client whose token may read and write the secret.
        wanted: the secret, in a version 2 engine.
        fields: all fields, with values that JSON supports.
        expected: the expected version; None if the secret must not exist.
        place: the secret's location, for messages.

    Returns:
        the new version.

    Raises:
        ConflictError: the secret has another version; nothing was written.
        SourceError: the request failed.
    """
    from urllib.parse import quote

    from envkit._internal.json_text import dumps

    base = int(expected or 0)
    sent = 0
    url = f"/v1/{quote(wanted.engine.mount)}/data/{quote(wanted.path)}"
    # hvac's own method would rewrite the numbers in other fields
    body = dumps({"options": {"cas": base}, "data": dict(fields)}, ascii_only=True).encode()

    def send(hvac_client: hvac.Client) -> Any:
        nonlocal sent
        sent += 1
        return hvac_client.adapter.post(
            url, data=body, headers={"Content-Type": "application/json"}
        )

    answer = client.call(send)
    if answer.denied:
        raise denied(wanted, "update" if base else "create")
    if answer.ok:
        return str(version_of(client, answer.body.get("data")))
    now = read(client, wanted)
    if sent > 1 and now == SecretVersion(fields, str(base + 1)):
        return str(base + 1)  # an earlier attempt succeeded but its response was lost
    if now.version != expected:
        raise _conflict(place, expected, now.version)
    raise client.unexpected(f"status {answer.status} for a write of {place}")


def field_texts(
    values: Mapping[Reference, Secret | None], locate: Callable[[Reference], str]
) -> dict[str | None, str | None]:
    """Return the texts for the fields of one secret.

    Args:
        values: the new value for the field of each reference; None to remove it.
        locate: returns the location of a reference, for messages.

    Raises:
        InvalidReferenceError: a reference is to a whole secret or an earlier version.
    """
    texts: dict[str | None, str | None] = {}
    for ref, value in values.items():
        if ref.version is not None or ref.field == WHOLE:
            raise InvalidReferenceError(
                f"cannot write {locate(ref)}: envkit writes one field of the current version",
                hint=f"write: {ref.source}:PATH#FIELD",
            )
        texts[ref.field] = None if value is None else value.reveal()
    return texts


def find_refused(
    client: VaultClient,
    absolute: Mapping[Reference, str],
    engines: Mapping[str, Engine],
    source_name: str,
) -> dict[Reference, EnvkitError]:
    """Return which secrets cannot be written because of their engine or the token's policies.

    Args:
        client: a client that is logged in; its token may be unable to look up its permissions.
        absolute: for each reference, the path of its secret, including the mount.
        engines: for each path, the engine.
        source_name: the source, for messages.

    Raises:
        SourceError: the request failed.
    """
    wanted = {ref: target(engines[path], path, None, source_name) for ref, path in absolute.items()}
    refused: dict[Reference, EnvkitError] = {}
    paths: dict[Reference, str] = {}
    for ref, secret in wanted.items():
        try:
            refuse_unwritable(secret, secret.locate(ref.field), None)
            paths[ref] = f"{secret.engine.mount}/data/{secret.path}"
        except (DeniedError, InvalidReferenceError) as error:
            refused[ref] = error
    if not paths:
        return refused
    rights = capabilities(client, paths.values())
    for ref, path in paths.items():
        allowed = rights.get(path)
        if allowed is not None and not {"create", "update", "root"}.intersection(allowed):
            refused[ref] = denied(wanted[ref], "update")
    return refused


def refuse_unwritable(wanted: Target, place: str, value: str | None) -> None:
    """Raise if the engine has no compare-and-set or the value is not text.

    Raises:
        DeniedError: the server does not reveal the version of the engine.
        InvalidReferenceError: the engine is not version 2.
        InvalidValueError: the value is not UTF-8; not raised for None.
    """
    if wanted.engine.version is None:
        raise DeniedError(
            f"cannot write {place}: the server does not say which version its engine has",
            hint=f"allow 'read' on 'sys/internal/ui/mounts/{wanted.engine.mount}' in the policy",
        )
    if wanted.engine.version != 2:
        raise InvalidReferenceError(
            f"cannot write {place}: KV version 1 has no compare-and-set",
            hint=f"run: vault kv enable-versioning {wanted.engine.mount}",
        )
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"cannot write {place}: the value is not UTF-8, and Vault stores text",
            hint="store it as base64, and read it with '| base64decode'",
        ) from None


def _conflict(place: str, expected: str | None, found: str | None) -> ConflictError:
    if expected is None:
        message = f"{place} already exists, in version {found}"
    elif found is None:
        message = f"{place} has no version {expected} any more: the secret was deleted"
    else:
        message = f"{place} is at version {found}, not {expected}"
    return ConflictError(message, hint="run the command again: it reads the new version first")
