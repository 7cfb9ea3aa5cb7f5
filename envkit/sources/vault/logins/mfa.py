"""Login MFA: the second step of a login that the server accepts only with a code or an approval.

The server answers with a request that needs one method of each enforcement. A wrong code does not
end the request, so a person may type another one until the server forgets it.

A code is good for one login, and a command may open several sources with the same login. So the
first one logs in, and the others use its token as long as the server accepts it.

Reference: https://openbao.org/docs/auth/login-mfa/
"""

from __future__ import annotations

from copy import copy
from hashlib import sha256
from typing import NamedTuple

from envkit._internal.clock import Deadline
from envkit._internal.parallel import ForkSafeLock
from envkit.errors import AuthError, MfaRequiredError, UnavailableError
from envkit.sources import mfa
from envkit.sources.vault.address import server_of
from envkit.sources.vault.client import VaultClient
from envkit.sources.vault.logins.refusal import reason_of, sentence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envkit._internal.person import Person
    from envkit.sources.model import SourceContext
    from envkit.sources.vault.client import Answer

_URL = "/v1/sys/mfa/validate"
_APPROVE = "approve the push notification on your device"
_SPARE_SECONDS = 5.0  # so that the command does not give up before this request does
_one_login = ForkSafeLock()
_tokens: dict[bytes, str] = {}  # by a hash of the server and the login


class Method(NamedTuple):
    """One MFA method of a request."""

    id: str
    label: str  # `totp 'phone'`
    takes_code: bool


def validated(
    client: VaultClient, requirement: object, context: SourceContext, login: object = None
) -> Mapping[str, Any]:
    """Satisfy the MFA requirement of a login, and return what the server grants.

    Args:
        client: that has sent the login.
        requirement: from its answer.
        context: of the source; its deadline is restarted after a person was asked.
        login: the method and its values; None for a login that must be a new one.

    Raises:
        MfaRequiredError: there is no code and no terminal, or the code is not accepted.
        AuthError: the push notification was not approved in time.
        SourceError: the request failed.
    """
    with _one_login:
        key = sha256(repr((server_of(context), login)).encode()).digest()
        known = None if login is None else _tokens.get(key)
        granted = _still_granted(client, known) if known else None
        if granted is None:
            body = _satisfied(client, requirement, context).body.get("auth")
            if not isinstance(body, dict):
                raise client.unexpected("no 'auth'")
            granted = body
            if login is not None:
                _tokens[key] = str(granted.get("client_token") or "")
        return granted


def _still_granted(client: VaultClient, token: str) -> Mapping[str, Any] | None:
    """Return what a token grants now; None if it has ended."""
    client.set_token(token)
    answer = client.call(lambda hvac: hvac.auth.token.lookup_self())
    data = answer.body.get("data")
    if not answer.ok or not isinstance(data, dict):
        client.set_token("")
        return None
    lasts = {"lease_duration": data.get("ttl"), "renewable": data.get("renewable")}
    return {"client_token": token, **lasts}


def _satisfied(client: VaultClient, requirement: object, context: SourceContext) -> Answer:
    request_id, enforcements = _parsed(client, requirement)
    person = mfa.person_there()
    code = mfa.given_code(context.environ)
    # several enforcements may accept the same method
    chosen = list(dict.fromkeys(_choice(one, has_code=bool(code)) for one in enforcements))
    needed = f"{client.server} requires MFA ({', '.join(one.label for one in chosen)})"
    coded = [one for one in chosen if one.takes_code]
    if person is None and (len(coded) > bool(code) or len(coded) < len(chosen)):
        if all(any(method.takes_code for method in one) for one in enforcements):
            raise mfa.code_needed(needed)
        pushed = ", ".join(one.label for one in chosen if not one.takes_code)
        raise mfa.person_needed(f"the approval by {pushed} for {client.server}")
    codes = {one.id: "" for one in chosen}
    if code and coded:
        codes[coded[0].id] = code
    for attempt in range(mfa.ATTEMPTS):
        for one in coded:
            if not codes[one.id]:
                assert person is not None  # noqa: S101 - see above
                question = f"MFA code ({one.label}) for {client.server}:"
                codes[one.id] = mfa.ask_code(person, question, context.deadline, needed)
        answer = _send(client, request_id, codes, context, person if coded != chosen else None)
        if answer.ok:
            return answer
        reason = reason_of(answer, codes.values())
        if answer.status != 403:
            raise AuthError(
                f"{client.server} no longer waits for the MFA code ({answer.status})"
                f"{f': {reason}' if reason else ''}",
                hint="run the command again, and type the code at once",
            )
        if person is None or not coded or attempt == mfa.ATTEMPTS - 1:
            break
        person.tell("the code was not accepted: it is wrong, or was used before; wait for the next")
        codes = {one.id: "" for one in chosen}
    raise _not_accepted(client, coded, reason)


def _parsed(client: VaultClient, requirement: object) -> tuple[str, list[list[Method]]]:
    try:
        body: Any = requirement
        request_id = str(body["mfa_request_id"])
        enforcements = [
            [_method(one) for one in constraint["any"]]
            for constraint in body["mfa_constraints"].values()
        ]
    except (KeyError, TypeError, AttributeError):
        raise client.unexpected("an MFA requirement that is not valid") from None
    if not enforcements or not all(enforcements):
        raise client.unexpected("an MFA requirement without methods")
    return request_id, enforcements


def _method(one: Any) -> Method:
    kind, name = sentence(str(one["type"])), sentence(str(one.get("name") or ""))
    label = f"{kind} '{name}'" if name else kind
    return Method(str(one["id"]), label, one["uses_passcode"] is True)


def _choice(methods: list[Method], *, has_code: bool) -> Method:
    """Return the method to use: a code if there is one, else an approval if that is possible."""
    coded = [one for one in methods if one.takes_code]
    pushed = [one for one in methods if not one.takes_code]
    return (coded or pushed)[0] if has_code or not pushed else pushed[0]


def _send(
    client: VaultClient,
    request_id: str,
    codes: dict[str, str],
    context: SourceContext,
    waiting: Person | None,
) -> Answer:
    """Send the codes; the server answers when the person has approved the push notification."""
    payload = {method: [code] for method, code in codes.items()}
    body = {"mfa_request_id": request_id, "mfa_payload": payload}

    def send(to: VaultClient) -> Answer:
        # a repeated request would be a second push notification, or use a code twice
        return to.call(lambda hvac: hvac.adapter.post(_URL, json=body), attempts=1)

    if waiting is None:
        return send(client)
    # a person needs more time than a store
    seconds = max(waiting.wait_seconds, context.deadline.timeout_seconds)
    patient = copy(context)
    spare = seconds + _SPARE_SECONDS
    with mfa.asking(context.deadline, spare), waiting.waiting(_APPROVE, seconds):
        patient.deadline = Deadline(seconds)
        try:
            return send(VaultClient(patient, pool_size=1))
        except UnavailableError as error:
            if not patient.deadline.expired:
                raise
            raise AuthError(
                f"the MFA push notification of {client.server} was not approved within "
                f"{seconds:g} s",
                hint="run the command again and approve it, or set a longer --timeout",
            ) from error


def _not_accepted(client: VaultClient, coded: list[Method], reason: str) -> MfaRequiredError:
    said = f": {reason}" if reason else ""
    if not coded:
        return MfaRequiredError(
            f"the MFA push notification of {client.server} was denied, or came too late{said}",
            hint="run the command again, and approve it in time",
        )
    return MfaRequiredError(
        f"{client.server} does not accept the MFA code: it is wrong, was used before, or is too "
        f"old{said}",
        hint=f"run the command again with a new code, in {mfa.VARIABLE} or typed on a terminal",
    )
