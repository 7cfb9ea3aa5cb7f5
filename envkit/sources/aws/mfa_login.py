"""MFA logins to AWS: the code is asked for once, and the session is used until it ends.

AWS accepts a code once, and a command that starts an app may run many times in an hour. So the
session is stored like that of the AWS CLI: in a file that only its owner can read, under
`$XDG_STATE_HOME/envkit/aws-sessions`. A code that the profile gives with `mfa_token` is for a
program that logs in by itself: its session stays in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from functools import partial
from hashlib import sha256
from time import monotonic, time

from envkit._internal.files import read_own
from envkit._internal.os_errors import reason_of
from envkit._internal.parallel import ForkSafeLock
from envkit._internal.paths import state_folder
from envkit._internal.writing.atomic_write import write_own
from envkit.errors import DeniedError, MfaRequiredError, SourceError
from envkit.sources import mfa
from envkit.sources.aws.sts_session import StsSession

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any, TypeVar

    from envkit._internal.clock import Deadline

    T = TypeVar("T")

_one_login = ForkSafeLock()
_KEYS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
FOLDER = "aws-sessions"
MAX_BYTES = 65_536
_QUESTION = "Enter MFA code for "  # as botocore asks
ATTEMPTS = 3  # codes that a person may type for one login
# what identifies the caller: files of another version, or of another caller, are never read
_SETTINGS = ("profile", "region", "role_arn", "role_session_name", "external_id", "mfa_serial")
_VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "HOME"),
)


class MfaLogin:
    """The codes and the stored sessions of one source.

    Args:
        name: of the source, for messages.
        settings: of the source.
        environ: as of `SecretsManager`.
        deadline: restarted after a person was asked.

    Attributes:
        asked: whether a person has given a code, so that the session is stored.
        renewing: whether to log in although there is a stored session.
        folder: of the stored sessions.
        botocore_ends_at: when the session of a role in `~/.aws/config` ends.
        not_stored: why the session could not be stored; empty if it could.
        one_login: entered by the source that logs in.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        environ: Mapping[str, str],
        deadline: Deadline,
    ) -> None:
        self._name = name
        self._settings = settings
        self._environ = environ
        self._deadline = deadline
        self.folder = os.path.join(os.path.realpath(state_folder(environ)), FOLDER)
        told = [settings.get(key) for key in _SETTINGS] + list(map(os.environ.get, _VARIABLES))
        self._prefix = os.path.join(self.folder, sha256(repr((1, told)).encode()).hexdigest()[:32])
        self.asked = False
        self.renewing = False
        self.not_stored = ""
        self.botocore_ends_at: datetime | None = None
        self.one_login = _one_login

    # ---------------------------------------------------------------- codes

    def code(self, device: str, doing: str) -> str:
        """Return a code: from the profile, from ENVKIT_MFA_CODE, or typed by a person.

        Args:
            device: the ARN of the MFA device, or botocore's question, which contains it.
            doing: the start of an error message.

        Raises:
            MfaRequiredError: there is none.
        """
        if given := self._settings.get("mfa_token"):
            return str(given)
        self.asked = True
        given = mfa.given_code(self._environ)
        if not given or (mfa.person_there() and not is_code(given)):
            return self._typed(device.removeprefix(_QUESTION).rstrip(": "), doing)
        if not is_code(given):
            raise MfaRequiredError(
                f"{doing}: {mfa.VARIABLE} is not a code of six digits",
                hint=f"set {mfa.VARIABLE} to the current code",
            )
        return given

    def with_code(self, send: Callable[..., T], serial: str, doing: str, code: str = "") -> T:
        """Return what a login returns for a code; a person may correct theirs.

        Args:
            send: logs in with a `TokenCode`.
            serial: the ARN of the MFA device.
            doing: the start of an error message.
            code: the first one, if there already is one.

        Raises:
            MfaRequiredError: there is no code, or AWS does not accept it.
            SourceError: the login failed.
        """
        code = code or self.code(serial, doing)
        for attempt in range(ATTEMPTS):
            try:
                return send(TokenCode=code)
            except DeniedError as error:
                person = None if self._settings.get("mfa_token") else mfa.person_there()
                if person is None or attempt == ATTEMPTS - 1:
                    raise self._not_accepted(error) from None
                person.tell(f"{error.message}; the code may be wrong or used: wait for the next")
                code = self._typed(serial, doing)
        raise AssertionError  # the loop returns or raises

    def role_login(self, client: Any, guarded: Callable[..., Any]) -> RoleLogin:
        """Return what botocore logs in to a role of `~/.aws/config` with.

        Args:
            client: botocore's own.
            guarded: calls a function, for a message and an IAM action; only `SourceError` escapes.
        """
        return RoleLogin(client, self, guarded)

    def _not_accepted(self, error: DeniedError) -> MfaRequiredError:
        """Return the error for a login that AWS denies although it has a code."""
        return MfaRequiredError(
            f"{error.message}: the MFA code may be wrong, late, or used before",
            hint=f"run the command again with a new code; if that is denied too, {error.hint}",
        )

    def _typed(self, serial: str, doing: str) -> str:
        needed = f"{doing}: AWS requires MFA ({serial})"
        person = mfa.person_there()
        if person is None:
            raise mfa.code_needed(needed)
        for _ in range(ATTEMPTS):
            code = mfa.ask_code(person, f"MFA code ({serial}):", self._deadline, needed)
            if is_code(code):
                return code
            person.tell("a code has six digits")
        raise MfaRequiredError(f"{needed}, and no code was typed", hint="run the command again")

    def minutes_left(self) -> int | None:
        """Return how long the session of a role in `~/.aws/config` lasts; None without one."""
        if self.botocore_ends_at is None:
            return None
        return int((self.botocore_ends_at.timestamp() - time()) / 60)

    # ---------------------------------------------------------------- stored sessions

    def stored(self) -> StsSession | None:
        """Return the stored session; None if there is none that can be used."""
        if self.renewing:
            return None
        found = self._read(self._prefix)
        try:
            key_id, secret, token = (str(found[key]) for key in ("key_id", "secret", "token"))
            left, now = float(found["expires"]) - time(), monotonic()
        except (KeyError, TypeError, ValueError):
            return None
        session = StsSession(key_id, secret, token, now + left, due_at=now + left / 2)
        return session if session.usable else None

    def store(self, session: StsSession) -> None:
        """Store a session until it ends. If it cannot be stored, the next command asks again."""
        expires = time() + session.ends_at - monotonic()
        document = {"key_id": session.key_id, "secret": session.secret, "token": session.token}
        self._write(self._prefix, {**document, "expires": expires})

    @property
    def place(self) -> str:
        """The path of the stored session; empty if there is none."""
        return next(iter(self._paths()), "")

    def forget(self) -> bool:
        """Remove the stored sessions, and return whether there were any."""
        paths = [] if self._settings.get("mfa_token") else self._paths()
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)
        return bool(paths)

    def _paths(self) -> list[str]:
        folder, begin = os.path.split(self._prefix)
        try:
            names = sorted(name for name in os.listdir(folder) if name.startswith(begin))
        except OSError:
            return []
        return [os.path.join(folder, name) for name in names]

    def cache(self) -> BotocoreCache:
        """Return the cache in which botocore stores the sessions of roles with MFA."""
        return BotocoreCache(self)

    def _read(self, path: str) -> Any:
        try:
            content, state = read_own(f"{path}.json", MAX_BYTES)
            if state.st_uid != os.geteuid() or stat.S_IMODE(state.st_mode) & 0o077:
                return {}
            return json.loads(content)
        except (OSError, ValueError, SourceError):
            return {}

    def _write(self, path: str, document: object) -> None:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            write_own(f"{path}.json", json.dumps(document).encode())
        except OSError as error:
            self.not_stored = reason_of(error, type(error).__name__)
        except SourceError as error:
            self.not_stored = error.message


def is_code(text: str) -> bool:
    """Return whether a text can be a code of an MFA device; AWS calls another one malformed."""
    return len(text) == 6 and text.isascii() and text.isdigit()


def _is_answer(found: Any) -> bool:
    """Return whether a file contains what `BotocoreCache` has written."""
    from datetime import datetime

    try:
        keys = [found["Credentials"][key] for key in _KEYS]
        return datetime.fromisoformat(keys[-1]).tzinfo is not None and all(map(str.isascii, keys))
    except (KeyError, TypeError, ValueError):
        return False


class RoleLogin:
    """A client with which botocore logs in to a role: a person may correct the code.

    Args: as of `MfaLogin.role_login`, and `login`, of the source.
    """

    def __init__(self, client: Any, login: MfaLogin, guarded: Callable[..., Any]) -> None:
        self._client, self._login, self._guarded = client, login, guarded

    def assume_role(self, **parameters: Any) -> Any:
        """Log in, with another code if AWS does not accept the first one."""
        first = parameters.pop("TokenCode", None)
        if first is None:
            return self._client.assume_role(**parameters)
        doing = f"cannot assume {parameters['RoleArn']}"

        def send(**code: str) -> Any:
            call = partial(self._client.assume_role, **parameters, **code)
            return self._guarded(call, doing, "sts:AssumeRole")

        return self._login.with_code(send, parameters["SerialNumber"], doing, first)


class BotocoreCache:
    """The sessions of the roles in `~/.aws/config`, in memory and, if they need MFA, stored.

    Args:
        login: of the source.
    """

    def __init__(self, login: MfaLogin) -> None:
        self._login = login
        self._known: dict[str, Any] = {}

    def _path(self, key: str) -> str:
        digest = sha256(key.encode()).hexdigest()[:32]
        return f"{self._login._prefix}-{digest}"  # noqa: SLF001 - its own class

    def __contains__(self, key: str) -> bool:
        if not self._login.renewing and key not in self._known:
            found = self._login._read(self._path(key))  # noqa: SLF001
            if _is_answer(found):
                self._known[key] = found
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        from datetime import datetime

        found = self._known[key]
        end = found["Credentials"]["Expiration"]  # text if it comes from a file
        self._login.botocore_ends_at = datetime.fromisoformat(end) if isinstance(end, str) else end
        return found

    def __setitem__(self, key: str, response: Any) -> None:
        self._known[key] = response
        self._login.botocore_ends_at = response["Credentials"]["Expiration"]
        if self._login.asked:
            document = json.loads(json.dumps(response, default=lambda moment: moment.isoformat()))
            self._login._write(self._path(key), document)  # noqa: SLF001
