"""Find the rotation records in a store, whether a profile names their rotations or not.

    for found in find_records(source, refs):
        print(found.name, found.ref)

The search is limited to the places of the references: beside their `.env` files, in their folders
of a mount, at their secrets. A record is found by its name alone; its content says which rotation
it belongs to.
"""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import unquote

from envkit._internal.parallel import map_parallel
from envkit.errors import EnvkitError, InvalidReferenceError
from envkit.profile.placeholder import Reference
from envkit.rotation_state.stores.naming import FILE_SUFFIX, FOLDER, LABEL
from envkit.rotation_state.stores.registry import AWS, DOTENV, VAULT, kind_of
from envkit.sources.aws.names import Key, secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from envkit._internal.clock import Deadline
    from envkit.sources.aws.client import SecretsManager
    from envkit.sources.protocols import Source
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Target

MAX_PARALLEL = 10


class FoundRecord(NamedTuple):
    """A record in a store.

    Attributes:
        name: of the record, unique in its store.
        ref: the rotated value, as far as the name of the record says.
    """

    name: str
    ref: Reference


def find_records(
    source: Source,
    refs: Iterable[Reference],
    skipped: Callable[[str], None],
    *,
    root: str,
    deadline: Deadline,
) -> Iterator[FoundRecord]:
    """Yield the records beside the secrets of some references.

    Args:
        source: the source of all references; its store is read.
        refs: the references that a profile reads from the source.
        skipped: called with each place that was not searched, and the reason.
        root: absolute path of the folder to which file names are relative.
        deadline: when the whole search must be done.

    Raises:
        EnvkitError: the store cannot be read.
    """
    asked: Any = source
    kind = kind_of(source)
    if kind == DOTENV:
        yield from _in_files(asked, refs, root)
    elif kind == VAULT:
        yield from _in_mounts(asked, refs, skipped)
    elif kind == AWS:
        yield from _at_secrets(asked, refs, skipped, deadline)


def record_names(source: Source, ref: Reference) -> set[str]:
    """Return the possible names of a value's record, for both record versions."""
    asked: Any = source
    kind, field = kind_of(source), ref.field or ""
    if kind == DOTENV:
        return {f"{path}#{field or ref.path}" for path in map(os.path.realpath, asked.files(ref))}
    secret = source.locate(ref._replace(field=None)).removeprefix(f"{source.name}:")
    if kind == AWS:
        return {f"{secret_name(Key(secret))}#{field}"}
    mount, _, path = secret.partition("/")
    # only the engine knows which of two spellings is right
    secrets = {secret, f"{mount}/{path.removeprefix('data/')}"}
    # envkit before record version 2 did not escape fields: the last dot may be part of the field
    return {
        name
        for one in secrets
        for name in (f"{one}#{field}", "#".join(f"{one}.{field}".rpartition(".")[::2]))
    }


def _in_files(source: Any, refs: Iterable[Reference], root: str) -> Iterator[FoundRecord]:
    paths = dict.fromkeys(source.files(Reference(source.name, "X")))
    for ref in refs:
        paths.update(dict.fromkeys(source.files(ref)))
    folders: dict[str, list[str]] = {}
    seen = set()
    for path in paths:
        folder, base = os.path.split(os.path.realpath(path))
        if folder not in folders:
            try:
                folders[folder] = sorted(os.listdir(folder))
            except OSError:
                folders[folder] = []
        for entry in folders[folder]:
            written = entry[len(base) + 1 : -len(FILE_SUFFIX)]  # with escaped dots
            if entry.startswith(f"{base}.") and entry.endswith(FILE_SUFFIX) and "." not in written:
                field = unquote(written)
                name = f"{os.path.join(folder, base)}#{field}"
                if name not in seen:
                    seen.add(name)
                    relative = os.path.relpath(path, root)
                    yield FoundRecord(name, Reference(source.name, relative, field))


def _in_mounts(
    source: Any, refs: Iterable[Reference], skipped: Callable[[str], None]
) -> Iterator[FoundRecord]:
    """Yield the records in the folders of the secrets; the rest of the mount is not ours."""
    listed: dict[_Folder, list[str]] = {}
    seen = set()
    for ref in refs:
        try:
            source.check(ref)
        except InvalidReferenceError:
            continue
        mount, found, denied = source.with_secret(
            ref, lambda client, secret, at=ref: _list_beside(client, secret, at.path, listed)
        )
        if denied is not None:
            skipped(f"{source.name}:{mount}: the token may not list {mount}/metadata/{denied}/")
        for path in found:
            secret, _, field = path.rpartition(".")
            name = f"{mount}/{secret}#{unquote(field)}"
            if secret and name not in seen:
                seen.add(name)
                place = Reference(source.name, f"/{mount}/{secret}", unquote(field))
                yield FoundRecord(name, place)


class _Folder(NamedTuple):
    """A folder of records in a mount: `myapp` for `envkit-rotation/myapp`, empty for the top."""

    mount: str
    path: str


def _list_beside(
    client: VaultClient, secret: Target, written: str, listed: dict[_Folder, list[str]]
) -> tuple[str, list[str], str | None]:
    """Return the mount, the records near one secret, and the folder that may not be listed.

    The search covers the secret's folder and all folders below. If the secret is at the prefix
    of its source, it is itself the folder of its project. A secret at the top of the mount has
    no folder: the folders below the top belong to other projects.
    """
    mount, path = secret.engine.mount, secret.path
    if secret.engine.version != 2:
        return mount, [], None
    folder = path.rpartition("/")[0]
    looked = [(folder, bool(folder and written))] + ([] if written else [(path, True)])
    found: list[str] = []
    while looked:
        below, deep = looked.pop()
        here = _Folder(mount, below)
        if here not in listed:
            names = _list_folder(client, here)
            if names is None:
                listed[here] = []
                return mount, found, f"{FOLDER}/{below}".rstrip("/")
            listed[here] = names
        for name in listed[here]:
            full = f"{below}/{name}" if below else name
            if not name.endswith("/"):
                if written or deep or full.rpartition(".")[0] == path:
                    found.append(full)
            elif deep:
                looked.append((full.rstrip("/"), True))
    return mount, sorted(found), None


def _list_folder(client: VaultClient, folder: _Folder) -> list[str] | None:
    """Return the names in a folder of records; None if envkit may not list them."""
    path = f"{FOLDER}/{folder.path}"
    answer = client.call(
        lambda hvac_client: hvac_client.secrets.kv.v2.list_secrets(path, mount_point=folder.mount)
    )
    if answer.denied:
        return None
    data = answer.body.get("data")
    keys = data.get("keys", ()) if isinstance(data, dict) else ()
    return [key for key in keys if isinstance(key, str)]


def _at_secrets(
    source: Any, refs: Iterable[Reference], skipped: Callable[[str], None], deadline: Deadline
) -> Iterator[FoundRecord]:
    secrets: dict[str, Reference] = {}
    for ref in refs:
        secret = ref._replace(field=None, version=None, stage=None)
        name = secret_name(Key(source.locate(secret).removeprefix(f"{source.name}:")))
        secrets.setdefault(name, secret)
    documents = map_parallel(
        lambda secret: source.with_secret(secret, _labelled),
        secrets.values(),
        workers=MAX_PARALLEL,
        deadline=deadline,
    )
    for (name, secret), document in zip(secrets.items(), documents, strict=True):
        if document.late:
            skipped(f"{source.locate(secret)}: no answer in time")
        elif isinstance(document.error, EnvkitError):
            skipped(document.error.message)
        else:
            for field in _fields(document.value):
                yield FoundRecord(f"{name}#{field}", secret._replace(field=field or None))


def _labelled(manager: SecretsManager, secret_id: str, place: str) -> object:
    """Return the content of the version with our label; None if there is none.

    Without such a version, only the metadata of the secret is read.
    """
    import json

    from envkit.sources.aws.errors import DELETED, NOT_FOUND, RefusedError

    doing = f"cannot look for the rotation record of {place}"
    try:
        described = manager.call("describe_secret", doing, SecretId=secret_id)
        labels = (described.get("VersionIdsToStages") or {}).values()
        if not any(LABEL in found for found in labels):
            return None
        answer = manager.call("get_secret_value", doing, SecretId=secret_id, VersionStage=LABEL)
    except RefusedError as error:
        if error.aws_code in (NOT_FOUND, DELETED):
            return None
        raise
    try:
        return json.loads(answer.get("SecretString") or "null")
    except (ValueError, RecursionError):
        return None


def _fields(document: object) -> list[str]:
    """Return the fields of a secret that have a record."""
    if not isinstance(document, dict):
        return []
    records = document.get("records")
    if isinstance(records, dict):
        return sorted(records)
    # in version 1 only the plan names them: `postgres (alternate) of password and username`
    record = document.get("record")
    plan = record.get("plan") if isinstance(record, dict) else None
    _, found, fields = plan.partition(") of ") if isinstance(plan, str) else ("", "", "")
    if not found:
        return []
    return ["" if fields == "the secret" else fields.partition(" and ")[0]]
