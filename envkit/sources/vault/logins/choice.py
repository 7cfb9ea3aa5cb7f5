"""Choose among several login methods: the first that has what it needs.

    auth = ["approle", "kubernetes", "token", "oidc"]

A name alone takes its input from the environment, a table from its keys. A method is passed over
only if something that it needs is missing: a login that the server refuses is final.
"""

from __future__ import annotations

import os

from envkit._internal.suggestions import did_you_mean
from envkit.errors import AbsentError, AuthError, ProfileError
from envkit.sources.registry import LOGIN_VARIABLES
from envkit.sources.vault import auth as vault_auth
from envkit.sources.vault.address import environ_of
from envkit.sources.vault.auth import Auth
from envkit.sources.vault.logins.refusal import login_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.sources.model import SourceContext

_REQUIRED = ("ROLE_ID", "ROLE")  # of LOGIN_VARIABLES
_NAMES = ("approle", "kubernetes", "ldap", "oidc", "token", "userpass")


def parse_choices(source: str, listed: Sequence[object]) -> tuple[Auth, ...]:
    """Check a list of methods; a table with a value that is not set says what it `lacks`.

    Raises:
        ProfileError: a method, or a key of it, is not valid.
    """
    place = f"auth in [sources.{source}]"
    if not listed:
        raise ProfileError(f"{place} is an empty list", hint='write: auth = ["token", "oidc"]')
    found = []
    for one in listed:
        if isinstance(one, dict):
            lacks = one.get("lacks")
            missing = lacks.message if isinstance(lacks, AbsentError) else ""
            table = {key: value for key, value in one.items() if key != "lacks" or not missing}
            found.append(vault_auth.parse_auth(source, table)._replace(lacks=missing))
        elif isinstance(one, str) and one in _NAMES:
            found.append(Auth(one, {}))
        elif one == "jwt":
            raise ProfileError(
                f"'jwt' of {place} needs a JWT",
                hint='write: { method = "jwt", jwt_file = "/path/to/file" }',
            )
        else:
            raise ProfileError(
                f"unknown method '{one}' of {place}", hint=did_you_mean(str(one), _NAMES)
            )
    return tuple(found)


def choose(auths: Sequence[Auth], context: SourceContext) -> Auth:
    """Return the first method that has what it needs.

    Raises:
        AuthError: none has; or a token helper failed.
    """
    lacking = []
    for auth in auths:
        complete = completed(auth, context)
        lacks = _lacks(complete, context)
        if not lacks:
            return complete
        lacking.append(f"{auth.method}: {lacks}")
    section = f"[sources.{context.name}]"
    hint = f"set what one of the methods of auth in {section} needs"
    if any(auth.asks for auth in auths):
        hint = login_command(context)
    raise AuthError(
        f"no method of auth in {section} has what it needs: {'; '.join(lacking)}",
        hint=hint,
    )


def completed(auth: Auth, context: SourceContext) -> Auth:
    """Return a method with what its name alone takes from the environment."""
    if auth.values or auth.lacks:
        return auth
    values = {}
    for variable in LOGIN_VARIABLES.get(auth.method, ()):
        if text := environ_of(context, variable):
            values[variable.lower()] = text
        elif variable in _REQUIRED:
            return auth._replace(lacks=f"VAULT_{variable} is not set")
    return auth._replace(values=values)


def _lacks(auth: Auth, context: SourceContext) -> str:
    """Return what a method needs and does not have; empty if it has everything."""
    if auth.lacks:
        return auth.lacks
    if auth.uses_token:
        if vault_auth.find_token(auth, context) is not None:
            return ""
        return "you are not logged in" if auth.asks else "there is no token"
    path = auth.values.get("jwt_file", "")
    if auth.method == "kubernetes":
        path = path or vault_auth.KUBERNETES_TOKEN_FILE
    if path and not os.path.exists(os.path.join(context.root, path)):
        return f"there is no file '{path}'"
    return ""
