"""The current versions of secrets, for commands that watch them.

For version 2 of the key-value engine, the metadata says it, without a value in the answer. Where
the policy forbids that, and in version 1, the secrets are read.

Reference: https://openbao.org/api-docs/secret/kv/kv-v2/#read-secret-metadata
"""

from __future__ import annotations

from envkit.errors import DeniedError, InvalidReferenceError, SourceError
from envkit.sources.fingerprint import fingerprint
from envkit.sources.model import Absent
from envkit.sources.vault import history, kv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envkit._internal.parallel import Result
    from envkit.errors import EnvkitError
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Target
    from envkit.sources.vault.session import Session


def current_versions(
    session: Session, wanted: Collection[Target]
) -> Mapping[Target, str | Absent | EnvkitError]:
    """Return the version of each secret; where there are none, a hash of its content.

    Args:
        session: that is logged in.
        wanted: secrets, not pinned to a version.

    Raises:
        SourceError: the server failed as a whole.
    """
    found: dict[Target, str | Absent | EnvkitError] = {}
    cheap = [one for one in wanted if one.engine.version == 2 and session.reads_metadata]
    for one, answer in zip(cheap, session.ask(_by_metadata, cheap), strict=True):
        found[one] = _outcome(session, answer)
    denied = [one for one, version in found.items() if isinstance(version, DeniedError)]
    rest = [one for one in wanted if one in denied or one not in found]
    for one, answer in zip(rest, session.ask(_by_reading, rest), strict=True):
        found[one] = _outcome(session, answer)
    if any(not isinstance(found[one], DeniedError) for one in denied):
        session.reads_metadata = False  # the policy allows the secret and forbids its metadata
    return found


def _by_metadata(client: VaultClient, wanted: Target) -> str | Absent:
    versions = history.versions(client, wanted)
    if not versions:
        return Absent("no such secret")
    newest = versions[0]
    if newest.state == "current":
        return newest.version
    return Absent(f"version {newest.version} was {newest.state}", newest.version)


def _by_reading(client: VaultClient, wanted: Target) -> str | Absent:
    found = kv.read(client, wanted)
    if isinstance(found, Absent):
        return found
    if found.version is not None:
        return found.version
    from envkit._internal.json_text import dumps

    return fingerprint(dumps(dict(found.fields)))


def _outcome(session: Session, answer: Result[str | Absent]) -> str | Absent | EnvkitError:
    try:
        return session.value(answer)
    except (SourceError, InvalidReferenceError) as error:
        return error
