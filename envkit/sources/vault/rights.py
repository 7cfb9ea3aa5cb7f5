"""Find out the permissions of a token without reading or writing a secret.

Reference: https://openbao.org/api-docs/system/capabilities-self/
"""

from __future__ import annotations

from envkit.errors import InvalidReferenceError
from envkit.sources.vault.kv import Target, denied, no_engine, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.sources.vault.client import VaultClient
    from envkit.sources.vault.kv import Engine


def find_unreadable(
    client: VaultClient,
    paths: Mapping[Reference, str],
    engines: Mapping[str, Engine],
    source: str,
) -> dict[Reference, EnvkitError | None]:
    """Return which secrets cannot be read.

    Args:
        client: a client that is logged in.
        paths: for each reference, the absolute path.
        engines: for each path, the engine.
        source: the source, for messages.

    Returns:
        for each reference, the error, or None if the token may read it; references on which the
        server does not report are omitted.

    Raises:
        SourceError: the request failed.
    """
    found: dict[Reference, EnvkitError | None] = {}
    wanted: dict[Reference, Target] = {}
    for ref, path in paths.items():
        try:
            engine = engines[path]
            if engine.is_dynamic:
                wanted[ref] = Target(engine, path[len(engine.mount) + 1 :], None, source)
            else:
                wanted[ref] = target(engine, path, ref.version, source)
        except InvalidReferenceError as error:
            found[ref] = error
    rights = capabilities(client, [path for one in wanted.values() for path in _paths(one)])
    for ref, one in wanted.items():
        allowed = {right for path in _paths(one) for right in rights.get(path, ())}
        if allowed and not allowed & {"read", "root"}:
            found[ref] = denied(one, "read")
        elif allowed:  # the server lists every mount where the token may read anything
            found[ref] = no_engine(one) if one.engine.version is None else None
    return found


def capabilities(client: VaultClient, paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the token's capabilities for each path, without paths that the server omits.

    Raises:
        SourceError: the request failed.
    """
    asked = sorted(set(paths))
    if not asked:
        return {}
    answer = client.call(lambda hvac_client: hvac_client.sys.get_capabilities(asked))
    data = answer.body.get("data")
    rights = data if answer.ok and isinstance(data, dict) else {}
    return {path: rights[path] for path in asked if isinstance(rights.get(path), list)}


def paths_of(engine: Engine, path: str) -> list[str]:
    """Return the paths of requests that read a secret; a policy must allow at least one.

    Args:
        engine: the engine of the secret.
        path: the absolute path of the secret.
    """
    below = path[len(engine.mount) + 1 :]
    first, second = f"{engine.mount}/{below}", f"{engine.mount}/data/{below}"
    if engine.version is None:
        return [first, f"{engine.mount}/data/{below.removeprefix('data/')}"]
    return [second if engine.version == 2 else first]


def _paths(wanted: Target) -> list[str]:
    return paths_of(wanted.engine, f"{wanted.engine.mount}/{wanted.path}")
