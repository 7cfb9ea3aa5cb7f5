"""`envkit login` and `envkit logout` for a Vault source."""

from __future__ import annotations

from contextlib import suppress

from envkit.errors import AuthError, SourceError, UsageError
from envkit.sources import mfa
from envkit.sources.model import LoggedIn
from envkit.sources.vault import probe
from envkit.sources.vault.address import environ_of, place_of
from envkit.sources.vault.auth import accept, request_login, stored_token
from envkit.sources.vault.client import VaultClient
from envkit.sources.vault.logins import stored
from envkit.sources.vault.logins.choice import choose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit._internal.person import Person
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.auth import Auth

_FROM_LOGINS = "auth/"  # the path of a token that a login has created
_CREATED = "auth/token/"  # that of one that was created for another use
_REVOKE_SECONDS = 5.0


def log_in(context: SourceContext, auths: Sequence[Auth], person: Person | None) -> LoggedIn:
    """Log in, and store the token where the Vault CLI looks for it.

    If that fails or is interrupted, the token is revoked.

    Args:
        context: of the source.
        auths: its methods; the first that asks a person is used, or else the first that has what
            it needs.
        person: who is asked; None if there is no terminal.

    Raises:
        MfaRequiredError: there is no terminal to ask on.
        AuthError: the login was refused, or the token cannot be stored.
        UsageError: no method of the source is a login.
        SourceError: a request failed.
    """
    auth = _method(context, auths)
    if auth.asks and person is None:
        raise mfa.person_needed(f"the {auth.method} login to '{context.name}'")
    stored.find_place(context)  # before the person is asked
    client = VaultClient(context, pool_size=1)
    if auth.asks and person is not None:
        if auth.method == "oidc":
            from envkit.sources.vault.logins.oidc import log_in_with_browser

            granted = log_in_with_browser(client, auth, context, person)
        else:
            granted = request_login(client, _typed(client, auth, context, person), context)
    else:
        granted = request_login(client, auth, context)
    accept(client, granted, context)
    try:
        who = probe.login(client, context, auths)
        place = stored.store(context, client.token)
    except BaseException:
        context.deadline.leave_at_least(_REVOKE_SECONDS)
        with suppress(SourceError):  # the first error says more
            _revoke(client)
        raise
    notes = []
    if environ_of(context, "TOKEN"):
        variable = place_of(context, "", "TOKEN")
        notes.append(f"{variable} is set and takes precedence over the stored token: unset it")
    return LoggedIn(auth.method, who, place, tuple(notes))


def log_out(context: SourceContext) -> str:
    """Remove the stored token and revoke it, and return what was done.

    A token that no login has created is only removed: it may be used elsewhere. One that the
    server does not know, and that is not from a login to it, is left: it may be that of another
    server, since the Vault CLI has one place for all of them.

    Raises:
        AuthError: the token cannot be read or removed.
        SourceError: the server does not answer. The token was removed if it is from a login to it.
    """
    found = stored_token(context)
    if found is None:
        return "there was no login to remove"
    token, place = found
    client = VaultClient(context, pool_size=1)
    client.set_token(token)
    known = stored.is_of_login(context, token)
    revoked = False
    try:
        answer = client.call(lambda hvac: hvac.auth.token.lookup_self())
        known = known or answer.ok or probe.sees_mounts(client)
        data = answer.body.get("data") if answer.ok else None
        path = str(data.get("path")) if isinstance(data, dict) else ""
        of_login = path.startswith(_FROM_LOGINS) and not path.startswith(_CREATED)
        revoked = of_login and _revoke(client)
    except SourceError as error:
        if not known:
            error.message = (
                f"the token in {place} was left, as it may be that of another server: "
                f"{error.message}"
            )
            error.hint = f"run the command again later; to remove it now: {stored.removal(context)}"
            raise
        stored.erase(context)
        error.message = (
            f"the token was removed from {place}, but not revoked on the server: {error.message}"
        )
        error.hint = "it is valid until it expires; to end it earlier, ask an administrator"
        raise
    if not known:
        return (
            f"left the token in {place}: {client.server} does not know it, so it has expired or is "
            f"that of another server; to remove it, run: {stored.removal(context)}"
        )
    stored.erase(context)
    if revoked:
        return f"revoked and removed the token from {place}"
    if not answer.ok:
        return f"removed the token from {place}; it had expired, or could not look itself up"
    return f"removed the token from {place}; it is not from a login, so it was not revoked"


def _method(context: SourceContext, auths: Sequence[Auth]) -> Auth:
    for auth in auths:
        if auth.asks:
            return auth
    logins = [auth for auth in auths if auth.method != "token"]
    if not logins:
        raise UsageError(
            f"[sources.{context.name}] has no method to log in with: it uses a token",
            hint='write: auth = ["token", "oidc"], or run: vault login',
        )
    return choose(logins, context)


def _typed(client: VaultClient, auth: Auth, context: SourceContext, person: Person) -> Auth:
    """Return a method with the name and the password that the person types."""
    with mfa.asking(context.deadline):
        username = auth.values.get("username") or person.ask(f"Username for {client.server}:")
        password = person.ask_hidden(f"Password of {username}:") if username else ""
    try:
        (username + password).encode()
    except UnicodeEncodeError:
        raise AuthError(
            "what was typed is not UTF-8, so envkit did not log in",
            hint="set your terminal to UTF-8, and run the command again",
        ) from None
    if not username or not password:
        raise AuthError(
            "nothing was typed, so envkit did not log in",
            hint="run the command again, and type the name and the password",
        )
    return auth._replace(values={**auth.values, "username": username, "password": password})


def _revoke(client: VaultClient) -> bool:
    return client.call(lambda hvac: hvac.auth.token.revoke_self()).ok
