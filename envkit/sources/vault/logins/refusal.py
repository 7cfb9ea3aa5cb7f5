"""Why a login failed, in envkit's words and, where that shows no credential, the server's."""

from __future__ import annotations

from envkit._internal.names import odd_character
from envkit.errors import AuthError
from envkit.sources.vault.address import environ_of, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Protocol

    from envkit.sources.model import SourceContext
    from envkit.sources.vault.client import Answer, VaultClient

    class Asking(Protocol):
        """A method of `auth`, which imports this module."""

        @property
        def asks(self) -> bool:
            """Whether a person must log in."""
            ...


REASON_LENGTH = 200  # of a server's reason; longer texts are not a sentence
_WINDOW = 6  # characters of a credential that a shown reason may not contain
# not credentials, so a shown reason may contain them
_PUBLIC = frozenset(("role", "mount", "username", "jwt_file"))


def login_refused(
    client: VaultClient,
    method: str,
    mount: str,
    values: Mapping[str, str],
    answer: Answer,
    *,
    jwt: str = "",
    wrapped: bool = False,
) -> AuthError:
    """Return the error for a refused login, with the server's reason.

    Args:
        client: that has sent it.
        method: of the login.
        mount: of the method.
        values: the keys of the method.
        answer: of the server.
        jwt: that was sent; empty for none.
        wrapped: whether the secret_id was given as a wrapping token.
    """
    if answer.status == 404:
        return AuthError(
            f"{client.server} has no auth method at '{mount}'{client.in_namespace}",
            hint=f"correct 'mount' of auth, or the namespace, in {client.section}",
        )
    message = f"{client.server} does not accept the {method} login ({answer.status})"
    keys = sorted(values)
    named = f"{', '.join(keys)} of auth" if keys else "auth"
    hint = f"check {named} in {client.section}"
    if "password" in values:  # a person may have typed both
        hint = f"check the user name and the password, and auth in {client.section}"
    credentials = [jwt, *(value for key, value in values.items() if key not in _PUBLIC)]
    if reason := reason_of(answer, credentials):
        message += f": {reason}"
    for key in keys:
        odd = odd_character(values[key])
        if odd and key not in ("password", "jwt_file"):
            message += f"; {key} contains {odd}"
            if key == "username":  # in a directory, it may be right
                break
            hint = f"remove {odd} from {key} of auth in {client.section}"
            break
    else:
        if wrapped:
            hint += (
                "; secret_id looks like a wrapping token: one that was used or has expired unwraps "
            )
            hint += "nothing"
    return AuthError(message, hint=hint)


def reason_of(answer: Answer, credentials: Iterable[str]) -> str:
    """Return the server's reason for a refusal; empty if it may contain a credential."""
    errors = answer.body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, str):
        return ""
    text = sentence(first)
    for credential in filter(None, credentials):
        size = min(_WINDOW, len(credential))
        parts = {credential[at : at + size] for at in range(len(credential) - size + 1)}
        if any(text[at : at + size] in parts for at in range(len(text) - size + 1)):
            return ""
    return text


def sentence(text: str) -> str:
    """Return what a server says on one line; empty if that cannot be shown."""
    line = " ".join(text.split()).rstrip(".")
    return line if line.isprintable() and len(line) <= REASON_LENGTH else ""


def no_token(context: SourceContext, *, by_person: bool) -> AuthError:
    """Return the error for a method that uses a token, if there is none.

    Args:
        context: of the source.
        by_person: whether `envkit login` obtains the token.
    """
    if by_person:
        return AuthError(f"not logged in to '{context.name}'", hint=login_command(context))
    return AuthError(f"no token for '{context.name}'", hint="run 'vault login', or set VAULT_TOKEN")


def login_command(context: SourceContext) -> str:
    """Return the hint to log in with `envkit login`."""
    env = f" --env {context.environment}" if context.environment else ""
    return f"run: envkit login{env} {context.name}"


def rejected(client: VaultClient) -> AuthError:
    """Return the error for a token that the server rejects."""
    return AuthError(
        f"{client.server} does not accept the token: it has expired, was revoked, or is "
        "not a token",
        hint="run 'vault login', or set VAULT_TOKEN to a valid token",
    )


def token_rejected(
    client: VaultClient, context: SourceContext, auths: Iterable[Asking]
) -> AuthError:
    """Return the error for a token that can neither look itself up nor see a mount.

    Args:
        client: that has sent it.
        context: of the source.
        auths: its methods; `envkit login` obtains another token if one of them asks.
    """
    error = rejected(client)
    if any(auth.asks for auth in auths):
        error.hint = login_command(context)
        if environ_of(context, "TOKEN"):  # it would hide the token of the login
            unset = f"unset {place_of(context, '', 'TOKEN')}"
            error.hint = error.hint.replace("run: ", f"run: {unset} && ", 1)
    return error
