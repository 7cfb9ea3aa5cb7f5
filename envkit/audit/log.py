r"""The audit log: who used or changed which secrets, when, and why. Never a value.

    ENVKIT_AUDIT=off                     record nothing
    ENVKIT_AUDIT=syslog                  to the system log, facility authpriv
    ENVKIT_AUDIT=/var/log/envkit.jsonl   to this file, mode 0600
    (unset)                              $XDG_STATE_HOME/envkit/audit.jsonl, or
                                         ~/.local/state/envkit/audit.jsonl

Each line is one access or change. It is JSON in ASCII: a newline or another control
character in a reason is escaped and stays on its line.
"""

from __future__ import annotations

import os
import time

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.paths import state_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.resolution.environment import Variable
    from envkit.resolution.prepare import PreparedProfile

VARIABLE = "ENVKIT_AUDIT"
BROKEN = ',"break_glass":true'  # only in the records that it applies to
OFF, SYSLOG = "off", "syslog"
STALE = "stale"  # the outcome of a success with values that were saved before
OK = "ok"  # the outcome of a success; the outcome of a failure is the code of the error


class Entry(NamedTuple):
    """One access or change.

    Attributes:
        command: `exec`, `set`, ...
        profiles: the names of the profiles.
        names: the variables.
        versions: per variable, the versions of the secrets that were read or written.
        reason: the reason that the user gave, or None.
        outcome: `ok`, or the code of the error.
        break_glass: whether a person used `--break-glass`.
        file_sha256: the SHA-256 of the backup that was written or used; empty without one.
        logins: per source, the login method that was used, if it has a choice of methods.
    """

    command: str
    profiles: Sequence[str]
    names: Sequence[str]
    versions: Mapping[str, Sequence[str]]
    reason: str | None = None
    outcome: str = OK
    break_glass: bool = False
    file_sha256: str = ""
    logins: Mapping[str, str] = {}


def record(entry: Entry, environ: Mapping[str, str]) -> None:
    """Add an entry to the log that `environ` names.

    Raises:
        UsageError: `ENVKIT_AUDIT` does not name a log.
        AuditError: the log cannot be written.
    """
    record_line(line(entry), environ)


def record_line(text: str, environ: Mapping[str, str]) -> None:
    """Do what `record` does, with what `line` or `line_of` returns."""
    where = destination(environ)
    if where == OFF:
        return
    if where == SYSLOG:
        from envkit.audit.syslog import send

        send(text + "}")
    else:
        from envkit.audit.file_log import append

        append(where, text)


def check(environ: Mapping[str, str]) -> None:
    """Check that an entry can be added to the log that `environ` names.

    Raises:
        UsageError: `ENVKIT_AUDIT` does not name a log.
        AuditError: the log cannot be written.
    """
    where = destination(environ)
    if where == SYSLOG:
        from envkit.audit.syslog import check as check_syslog

        check_syslog()
    elif where != OFF:
        from envkit.audit.file_log import check as check_file

        check_file(where)


def destination(environ: Mapping[str, str]) -> str:
    """Return `off`, `syslog`, or the absolute path of the newest file.

    Raises:
        UsageError: `ENVKIT_AUDIT` has another value.
    """
    wanted = environ.get(VARIABLE, "")
    if wanted in (OFF, SYSLOG) or os.path.isabs(wanted):
        return wanted
    if wanted:
        from envkit.errors import UsageError  # costs an agent's client a tenth of its time

        raise UsageError(
            f"{VARIABLE} is '{wanted}', which is not a destination for the audit log",
            hint=f"set {VARIABLE} to '{OFF}', '{SYSLOG}' or the absolute path of a file",
        )
    return os.path.join(state_folder(environ), "audit.jsonl")


def versions_of(variables: Iterable[Variable]) -> dict[str, list[str]]:
    """Return, per variable, the versions of the secrets from which its value was built."""
    found: dict[str, list[str]] = {}
    for variable in variables:
        for origin in variable.origins:
            if origin.version:
                found.setdefault(variable.name, []).append(origin.version)
    return found


def logins_of(prepared: Iterable[PreparedProfile]) -> dict[str, str]:
    """Return, per source, the login method in use, where the source has told it."""
    found = {}
    for one in prepared:
        for name, source in one.sources.items():
            if method := getattr(source, "login_method", ""):
                found[name] = method
    return found


def line(entry: Entry) -> str:
    """Return an entry of this process at this time as JSON, without the closing brace."""
    text = used(entry.profiles, entry.names, entry.versions, entry.logins)
    end = (BROKEN if entry.break_glass else "") + _of_file(entry.file_sha256)
    return line_of(entry.command, text, entry.reason, entry.outcome) + end


def used(
    profiles: Iterable[str],
    names: Iterable[str],
    versions: Mapping[str, Sequence[str]],
    logins: Mapping[str, str] | None = None,
) -> str:
    """Return the part of a line that says what was read or changed."""
    # the variables of a file all have the same version
    lists = {all_: _list(all_) for all_ in set(map(tuple, versions.values()))}
    pairs = ",".join([f"{_text(name)}:{lists[tuple(all_)]}" for name, all_ in versions.items()])
    text = f'"profiles":{_list(profiles)},"names":{_list(names)},"versions":{{{pairs}}}'
    return text + _logins(logins or {})


def line_of(
    command: str, used_: str, reason: str | None, outcome: str = OK, *, pid: int | None = None
) -> str:
    """Return what `line` does, with what `used` returns, for another process of this user."""
    uid = os.getuid()
    if reason is not None:
        from envkit.secret import without_secrets  # an agent's client has not loaded it

        reason = without_secrets(reason)
    return (
        f'{{"time":"{_now()}","user":{_text(user_name(uid))},"uid":{uid},'
        f'"host":{_text(os.uname().nodename)},"pid":{pid or os.getpid()},'
        f'"command":{_text(command)},{used_},'
        f'"reason":{"null" if reason is None else _text(reason)},'
        f'"outcome":{_text(outcome)}'
    )


def _of_file(sha256: str) -> str:
    return f',"file_sha256":{_text(sha256)}' if sha256 else ""


def _logins(logins: Mapping[str, str]) -> str:
    if not logins:
        return ""
    return f',"logins":{{{",".join(f"{_text(k)}:{_text(v)}" for k, v in logins.items())}}}'


def _now() -> str:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{rest // 1_000_000:03d}Z"


_user_names: dict[int, str] = {}


def user_name(uid: int) -> str:
    """Return the user's name as the system has it; the environment could contain any name."""
    if uid not in _user_names:
        import pwd

        try:
            _user_names[uid] = pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)
    return _user_names[uid]


def _list(texts: Iterable[str]) -> str:
    return f"[{','.join(map(_text, texts))}]"


def _text(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # JSON cannot represent raw bytes
    try:  # as `json` does, whose import costs 6 ms
        from _json import encode_basestring_ascii as quoted
    except ImportError:
        from json.encoder import encode_basestring_ascii as quoted
    return quoted(text)
