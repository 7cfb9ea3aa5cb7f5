"""Log in to Vault in the browser, with the company's identity provider.

Vault returns the address of the provider's page. The provider sends the browser back to this
machine with a code, which Vault exchanges for a token. Only the process that began the login knows
the nonce that Vault requires with the code, so that others cannot use the code.

Reference: https://openbao.org/api-docs/auth/jwt/#oidc-authorization-url-request
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

from envkit.errors import AuthError
from envkit.sources.vault.logins.callback import PORT, Callback
from envkit.sources.vault.logins.refusal import login_refused, reason_of, sentence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit._internal.person import Person
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.auth import Auth
    from envkit.sources.vault.client import VaultClient


def log_in_with_browser(
    client: VaultClient, auth: Auth, context: SourceContext, person: Person, *, port: int = PORT
) -> Mapping[str, Any]:
    """Return what the server grants after a login in the browser.

    Args:
        client: whose server is logged in to.
        auth: the role and the mount.
        context: of the source; its deadline limits the whole login.
        person: who logs in.
        port: where the browser comes back to; 0 for any.

    Raises:
        AuthError: the browser did not come back, or the login was refused.
        SourceError: a request failed.
    """
    nonce = secrets.token_urlsafe(24)
    with Callback(port) as callback:
        url, state = _begin(client, auth, callback.redirect_uri, nonce)
        callback.expect(state)  # before the browser can be back
        person.open_browser(url)
        returned = callback.wait(context.deadline)
        if returned.is_form:
            raise AuthError(
                "the identity provider answered with a form, which envkit does not support",
                hint="run: vault login -method=oidc (envkit uses its token)",
            )
        if not returned.code:
            reason = sentence(returned.error) or "it does not say why"
            raise AuthError(
                f"the identity provider refused the login: {reason}",
                hint="run the command again, and log in as a user who may use this application",
            )
        answer = client.call(
            lambda hvac: hvac.adapter.get(
                f"/v1/auth/{auth.mount}/oidc/callback",
                params={"state": state, "code": returned.code, "client_nonce": nonce},
            ),
            attempts=1,  # the server forgets the login with the first request
        )
        granted = answer.body.get("auth")
        if not answer.ok:
            reason = reason_of(answer, (returned.code, nonce, state))
            raise AuthError(
                f"{client.server} does not accept the oidc login ({answer.status})"
                f"{f': {reason}' if reason else ''}",
                hint=f"run the command again; if that fails, check the role of auth in "
                f"{client.section}",
            )
        if not isinstance(granted, dict):
            raise client.unexpected("no 'auth'")
        callback.finish(succeeded=True)
    return granted


def _begin(client: VaultClient, auth: Auth, redirect_uri: str, nonce: str) -> tuple[str, str]:
    """Return the address of the provider's page, and the state that the browser will bring."""
    role = auth.values.get("role", "")
    body = {"role": role, "redirect_uri": redirect_uri, "client_nonce": nonce}
    answer = client.call(
        lambda hvac: hvac.adapter.post(f"/v1/auth/{auth.mount}/oidc/auth_url", json=body)
    )
    if not answer.ok:
        error = login_refused(client, auth.method, auth.mount, auth.values, answer)
        if answer.status == 403:  # as OpenBao answers if there is no such method
            error.hint = f"{error.hint}, and that 'bao auth list' has '{auth.mount}/'"
        raise error
    data = answer.body.get("data")
    url = data.get("auth_url") if isinstance(data, dict) else None
    if url == "":
        named = f"the role '{role}'" if role else "the default role"
        raise AuthError(
            f"{client.server} has no oidc login for {named} at '{auth.mount}'"
            f"{client.in_namespace}, or the role does not allow envkit's redirect",
            hint=f"add {redirect_uri} to allowed_redirect_uris of the role, or correct 'role' of "
            f"auth in {client.section}",
        )
    if isinstance(data, dict) and data.get("poll_interval"):
        # the browser would return to the server, and never to envkit
        raise AuthError(
            f"the role of the oidc login to {client.server} has a callback_mode that envkit does "
            "not support",
            hint=f"set callback_mode=client in the role, and allow the redirect {redirect_uri}",
        )
    state = _state_of(url) if isinstance(url, str) and url.isprintable() else ""
    if not state:
        raise client.unexpected("an auth_url that is not valid")
    return str(url), state


def _state_of(url: str) -> str:
    """Return the state in the address of a web page; empty if there is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_page = parts.scheme in ("https", "http") and parts.hostname
    return parse_qs(parts.query).get("state", [""])[0] if is_page else ""
