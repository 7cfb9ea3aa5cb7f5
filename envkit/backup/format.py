r"""The contents of a backup, and their JSON. Pure.

    data = encode(backup)
    backup = decode(data)

The JSON is written for a person with a text editor:

    {
      "envkit-backup": 1,
      "created": "2026-11-30T02:00:00Z",
      "environments": [
        {
          "name": "prod",
          "profiles": {"prod.toml": "[variables]\n..."},
          "secrets": [
            {
              "names": ["DB_PASSWORD"],
              "where": "vault:secret/shop/db#password",
              "store": "vault", "source": "vault", "path": "db", "field": "password",
              "found_version": "7",
              "value": "..."
            }
          ],
          "left_out": [{"names": ["PG_USER"], "where": "...", "why": "..."}],
          "failed": []
        }
      ]
    }

A value that is not UTF-8 is stored as `value_base64`. A secret that the store did not have when
the backup was made has neither; only its place is known. One that was in an encrypted `.env` file
has `"encrypted": true`, so that no restore writes it to a plain file.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from envkit.backup.errors import BackupDamagedError
from envkit.errors import InvalidValueError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

FORMAT = "envkit-backup"
VERSION = 1


class SavedSecret(NamedTuple):
    """One place in a store, and what it had.

    Attributes:
        names: the variables whose values are built from it, or `[rotation.NAME]`.
        where: the place, for people.
        store: the type of the source, such as `vault`.
        version: the store's own id; None if there is no secret or it has no versions.
        value: None if the store did not have it.
        encrypted: whether it was in an encrypted `.env` file.
    """

    names: tuple[str, ...]
    reference: Reference
    where: str
    store: str
    version: str | None
    value: Secret | None
    encrypted: bool = False

    @property
    def pinned(self) -> bool:
        """Whether the reference names one version, which no store can be given."""
        return self.reference.version is not None or self.reference.stage is not None


class LeftOut(NamedTuple):
    """What a backup does not have on purpose, such as a dynamic secret.

    Attributes:
        reference: where it is read.
        why: for people.
    """

    names: tuple[str, ...]
    reference: Reference
    where: str
    why: str


class Failed(NamedTuple):
    """What a backup should have and does not.

    Attributes:
        code: of the error.
        message: of the error; it contains no value.
    """

    names: tuple[str, ...]
    where: str
    code: str
    message: str


class EnvironmentBackup(NamedTuple):
    """The part of a backup that belongs to one profile.

    Attributes:
        name: of the profile.
        profiles: the text of each of its files, by the name of the file.
    """

    name: str
    profiles: Mapping[str, str]
    secrets: tuple[SavedSecret, ...]
    left_out: tuple[LeftOut, ...] = ()
    failed: tuple[Failed, ...] = ()

    def __repr__(self) -> str:
        return f"EnvironmentBackup({self.name!r}, {len(self.secrets)} secrets)"


class Backup(NamedTuple):
    """The contents of a backup.

    Attributes:
        created_at: seconds since the epoch.
        envkit: the version that wrote it.
        host: where it was written.
        folder: the real path of the folder of profiles on that host.
    """

    created_at: int
    envkit: str
    host: str
    folder: str
    environments: tuple[EnvironmentBackup, ...]

    @property
    def names(self) -> list[str]:
        """The names of the profiles."""
        return [one.name for one in self.environments]

    @property
    def complete(self) -> bool:
        """Whether every secret could be read."""
        return not any(one.failed for one in self.environments)

    def secrets(self) -> Iterator[SavedSecret]:
        """Yield the secrets of all environments that have a value."""
        for one in self.environments:
            yield from (saved for saved in one.secrets if saved.value is not None)


def encode(backup: Backup) -> bytes:
    """Return the JSON of a backup, which contains its values in clear text."""
    document = {
        FORMAT: VERSION,
        "created": moment(backup.created_at),
        "envkit": backup.envkit,
        "host": backup.host,
        "folder": backup.folder,
        "environments": [
            {
                "name": one.name,
                "profiles": dict(one.profiles),
                "secrets": [_secret(saved) for saved in one.secrets],
                "left_out": [
                    {**_place(left.names, left.where, left.reference), "why": left.why}
                    for left in one.left_out
                ],
                "failed": [
                    {**failed._asdict(), "names": list(failed.names)} for failed in one.failed
                ],
            }
            for one in backup.environments
        ],
    }
    # as `json.loads` decodes it
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(
        "utf-8", "surrogatepass"
    )


def decode(data: bytes) -> Backup:
    """Return the backup from the output of `encode`.

    Raises:
        BackupDamagedError: the data is something else, or has a later version.
    """
    try:
        document = json.loads(data)
        version = document[FORMAT]
        if type(version) is not int:  # 1.0 and True are equal to 1
            version = "unknown"
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BackupDamagedError(
            "the decrypted file is not a backup of envkit",
            hint="name a file that 'envkit backup' has written",
        ) from None
    if version != VERSION:
        raise BackupDamagedError(
            f"the backup has version {version}; this version of envkit reads {VERSION}",
            hint="use a newer version of envkit, or read the file with 'age -d'",
        )
    try:
        created_at = int(datetime.fromisoformat(document["created"]).timestamp())
        moment(created_at)
        environments = tuple(_environment(one) for one in document["environments"])
        _require_distinct([one.name for one in environments], at_least=1)
        return Backup(
            created_at,
            _text(document["envkit"]),
            _text(document["host"]),
            _text(document["folder"]),
            environments,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        # the exception may quote a value
        raise BackupDamagedError(
            "the decrypted file is not a valid backup",
            hint="use another backup, or read this one with 'age -d'",
        ) from None


def moment(seconds: float) -> str:
    """Return a time as in the file: `2026-11-30T02:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _secret(saved: SavedSecret) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "names": list(saved.names),
        "where": saved.where,
        "store": saved.store,
        **_reference(saved.reference),
        "found_version": saved.version,
        **({"encrypted": True} if saved.encrypted else {}),
    }
    if saved.value is None:
        return entry
    text = saved.value.reveal()
    try:
        text.encode()
    except UnicodeEncodeError:
        with suppress(InvalidValueError):  # an unpaired surrogate stays as it is
            return {**entry, "value_base64": b64encode(saved.value.to_bytes()).decode()}
    return {**entry, "value": text}


def _place(names: tuple[str, ...], where: str, reference: Reference) -> dict[str, Any]:
    return {"names": list(names), "where": where, **_reference(reference)}


def _reference(reference: Reference) -> dict[str, Any]:
    return {key: text for key, text in reference._asdict().items() if text is not None}


def _environment(entry: Mapping[str, Any]) -> EnvironmentBackup:
    secrets = tuple(_saved(one) for one in entry["secrets"])
    _require_distinct([one.reference for one in secrets])
    return EnvironmentBackup(
        _unicode(entry["name"]),
        {_unicode(name): _unicode(text) for name, text in entry["profiles"].items()},
        secrets,
        tuple(
            LeftOut(_names(one), _read_reference(one), _text(one["where"]), _text(one["why"]))
            for one in entry["left_out"]
        ),
        tuple(
            Failed(_names(one), _text(one["where"]), _text(one["code"]), _text(one["message"]))
            for one in entry["failed"]
        ),
    )


def _saved(entry: Mapping[str, Any]) -> SavedSecret:
    value = None
    if "value" in entry:
        value = Secret(_text(entry["value"]))
    elif "value_base64" in entry:
        value = Secret.from_bytes(b64decode(_text(entry["value_base64"]), validate=True))
    version = entry["found_version"]
    return SavedSecret(
        _names(entry),
        _read_reference(entry),
        _text(entry["where"]),
        _text(entry["store"]),
        None if version is None else _text(version),
        value,
        encrypted=entry.get("encrypted", False) is not False,  # in doubt it was
    )


def _read_reference(entry: Mapping[str, Any]) -> Reference:
    optional = {
        key: _text(entry[key])
        for key in ("field", "version", "stage")
        if entry.get(key) is not None
    }
    return Reference(_text(entry["source"]), _text(entry["path"]), **optional)


def _names(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(_text, entry["names"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _unicode(value: object) -> str:
    """Return a text without unpaired surrogates, which no file or terminal takes."""
    text = _text(value)
    text.encode()
    return text


def _require_distinct(keys: Sequence[object], *, at_least: int = 0) -> None:
    if len(set(keys)) < max(len(keys), at_least):
        raise ValueError
