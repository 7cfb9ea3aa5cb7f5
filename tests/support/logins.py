"""Logins of people on a real OpenBao: users, TOTP, an identity provider; and a browser.

people = People(openbao)
auth = people.userpass("anna", "her-password")
phone = people.require_totp(auth, "anna", "her-password")
phone.code()
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import secrets
import struct
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.openbao import OpenBao

PERIOD_SECONDS = 3600  # of a TOTP code: longer than any test, so that no code ends meanwhile
REDIRECT = "http://localhost:8250/oidc/callback"


class Phone(NamedTuple):
    """A TOTP app with one key."""

    key: str

    def code(self, ahead: int = 0) -> str:
        """Return the code of now, or of a later period, which the server accepts too."""
        counter = int(time.time() // PERIOD_SECONDS) + ahead
        key = base64.b32decode(self.key + "=" * (-len(self.key) % 8))
        digest = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
        at = digest[-1] & 15
        number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
        return str(number % 1_000_000).zfill(6)


class People:
    """Users of one server and how they log in."""

    def __init__(self, openbao: OpenBao) -> None:
        self.openbao = openbao

    def userpass(
        self, username: str, password: str, *policies: str, mount: str | None = None
    ) -> dict[str, str]:
        """Return the `auth` table, without the password, of a new user."""
        mount = self.openbao.enable_auth("userpass", mount)
        body = {"password": password, "token_policies": list(policies), "token_ttl": "1h"}
        self.openbao.ask("POST", f"auth/{mount}/users/{username}", body)
        return {"method": "userpass", "mount": mount, "username": username}

    def token(self, auth: dict[str, str], password: str) -> dict[str, Any]:
        """Log in by password, without envkit, and return what the server grants."""
        path = f"auth/{auth['mount']}/login/{auth['username']}"
        return self.openbao.ask("POST", path, {"password": password}, token="")["auth"]

    def require_totp(self, auth: dict[str, str], password: str, name: str = "") -> Phone:
        """Enforce TOTP for the mount of a user, and return the user's phone."""
        entity = self.token(auth, password)["entity_id"]
        body = {
            "issuer": "envkit",
            "period": PERIOD_SECONDS,
            "skew": 1,
            "method_name": name or f"phone{secrets.token_hex(4)}",
            "max_validation_attempts": 20,
        }
        method = self.openbao.ask("POST", "identity/mfa/method/totp", body)["data"]["method_id"]
        made = self.openbao.ask(
            "POST",
            "identity/mfa/method/totp/admin-generate",
            {"method_id": method, "entity_id": entity},
        )
        mounts = self.openbao.ask("GET", "sys/auth")["data"]
        enforced = {
            "mfa_method_ids": [method],
            "auth_method_accessors": [mounts[f"{auth['mount']}/"]["accessor"]],
        }
        path = f"identity/mfa/login-enforcement/{secrets.token_hex(4)}"
        self.openbao.ask("POST", path, enforced)
        return Phone(made["data"]["url"].split("secret=")[1].split("&")[0])

    def provider(self) -> dict[str, str]:
        """Make the server an identity provider; return ISSUER, CLIENT_ID and CLIENT_SECRET."""
        name = secrets.token_hex(4)
        ask = self.openbao.ask
        ask("POST", f"identity/oidc/key/{name}", {"allowed_client_ids": ["*"]})
        client = {"redirect_uris": [REDIRECT], "assignments": ["allow_all"], "key": name}
        ask("POST", f"identity/oidc/client/{name}", client)
        made = ask("GET", f"identity/oidc/client/{name}")["data"]
        allowed = {"allowed_client_ids": [made["client_id"]]}
        ask("POST", f"identity/oidc/provider/{name}", allowed)
        issuer = ask("GET", f"identity/oidc/provider/{name}")["data"]["issuer"]
        names = ("client_id", "client_secret")
        return {"ISSUER": issuer, **{one.upper(): made[one] for one in names}}

    def oidc(self, *policies: str) -> dict[str, str]:
        """Return the `auth` table of a mount whose identity provider is the same server."""
        provider = self.provider()
        mount = self.openbao.enable_auth("oidc")
        config = {
            "oidc_discovery_url": provider["ISSUER"],
            "oidc_client_id": provider["CLIENT_ID"],
            "oidc_client_secret": provider["CLIENT_SECRET"],
            "default_role": "people",
        }
        self.openbao.ask("POST", f"auth/{mount}/config", config)
        role = {
            "role_type": "oidc",
            "user_claim": "sub",
            "allowed_redirect_uris": [REDIRECT],
            "token_policies": list(policies),
            "token_ttl": "1h",
        }
        self.openbao.ask("POST", f"auth/{mount}/role/people", role)
        return {"method": "oidc", "mount": mount}


class Browser:
    """A person's browser, which is logged in to the identity provider.

    Args:
        token: of the provider.
        changed: what it brings back instead of the provider's answer.

    Attributes:
        pages: the status and the text of each page that it has shown.
    """

    def __init__(self, token: str, **changed: str | None) -> None:
        self._token = token
        self._changed = changed
        self.pages: list[tuple[int, str]] = []

    def open(self, url: str) -> None:
        """Follow the login without waiting for its end."""
        threading.Thread(target=self.visit, args=(url,), daemon=True).start()

    def visit(self, url: str) -> None:
        """Follow the login: the provider's page, then the page that it redirects to."""
        parts = urlsplit(url)
        page = parts.path.removeprefix("/ui/vault/")
        asked = urllib.request.Request(
            f"{parts.scheme}://{parts.netloc}/v1/{page}?{parts.query}",
            headers={"X-Vault-Token": self._token},
        )
        with urllib.request.urlopen(asked) as answer:
            found = json.load(answer)
        brought = {**found, **self._changed}
        query = urlencode({name: text for name, text in brought.items() if text is not None})
        redirect = dict(part.split("=") for part in parts.query.split("&"))["redirect_uri"]
        self.get(f"{unquote(redirect)}?{query}")

    def get(self, url: str, data: bytes | None = None, **headers: str) -> None:
        """Open a page."""
        request = urllib.request.Request(url, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                self.pages.append((answer.status, answer.read().decode()))
        except urllib.error.HTTPError as error:
            with error:
                self.pages.append((error.code, error.read().decode()))


_SCRIPT = """\
import sys
sys.path.insert(0, {tests!r})
from support.logins import Browser
Browser({token!r}).visit(sys.argv[1])
"""


def browser_command(folder: Path, token: str) -> str:
    """Return the value of $BROWSER for a browser that is logged in to the provider."""
    script = folder / "browser.py"
    tests = str(Path(__file__).resolve().parents[1])
    script.write_text(_SCRIPT.format(tests=tests, token=token))
    return f"{sys.executable} {script} %s"


@contextmanager
def port_of_the_cli() -> Iterator[None]:
    """Keep port 8250 for one test: tests in other processes of this machine use it too."""
    path = Path(tempfile.gettempdir()) / "envkit-tests-port-8250.lock"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Typist:
    """A person who types these answers, in this order; see `envkit._internal.person:Person`.

    Args:
        answers: in this order; a function returns one when it is asked for.
        browser: that opens pages.
        wait_seconds: as of `Person`.
        meanwhile: called while envkit waits for what they do elsewhere.

    Attributes:
        asked: the questions.
        told: the lines that were shown.
    """

    def __init__(
        self,
        *answers: Any,
        browser: Browser | None = None,
        wait_seconds: float = 120.0,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self._answers = list(answers)
        self.wait_seconds = wait_seconds
        self._meanwhile = meanwhile
        self._browser = browser
        self.asked: list[str] = []
        self.told: list[str] = []

    def ask(self, question: str) -> str:
        self.asked.append(question)
        answer = self._answers.pop(0)
        return answer if isinstance(answer, str) else answer()

    ask_hidden = ask

    def tell(self, text: str) -> None:
        self.told.append(text)

    @contextmanager
    def waiting(self, text: str, seconds: float) -> Iterator[None]:
        self.told.append(f"{text} ({seconds:g} s)")
        self._meanwhile()
        yield

    def open_browser(self, url: str) -> None:
        self.told.append(url)
        if self._browser is not None:
            self._browser.open(url)
