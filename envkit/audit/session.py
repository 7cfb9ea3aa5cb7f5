"""One command's use of secrets: allowed by its profiles, audited and reported.

    with Access("get", reason=reason) as access:
        prepared = prepare(["prod"], ...)
        access.begin(prepared)
        environment = resolve_prepared(prepared, deadline)
        access.succeed(environment.variables())
    ...                                          # the values may leave envkit from here on

Guarantees: envkit contacts no store for a protected profile before it has a reason.
Each access is recorded once, whether it succeeded or failed. No value of a protected profile
leaves envkit unrecorded. A use by a person is reported to the channels of `[access]` before the
values leave envkit; a report that cannot be delivered is recorded and stops nothing. A secret in
the reason is neither recorded nor reported, once the command has read or written it.
"""

from __future__ import annotations

import os

from envkit.audit import log
from envkit.errors import AuditError, EnvkitError, ReasonMissingError, ResolutionError
from envkit.secret import look_for_secrets_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from envkit.access.rules import Rules
    from envkit.profile.model import Profile
    from envkit.resolution.environment import Variable
    from envkit.resolution.prepare import PreparedProfile

REASON = "ENVKIT_REASON"
INTERRUPTED, UNCHANGED = "interrupted", "unchanged"  # outcomes that are not error codes
READ = "read"  # values were read, and another record says what became of them


class Access:
    """One command's use of secrets; a context manager that can be used once.

    Args:
        command: `exec`, `set`, ...
        reason: the reason that the user gave; default: `ENVKIT_REASON`.
        ask: called with the names of the protected profiles if there is no reason; returns
            the user's reason, or an empty text if it cannot ask.
        environ: the process environment; default: `os.environ`.
        break_glass: whether the person uses profiles outside their hours, in an emergency.
        service: whether the command never acts for a person, as a scheduler does.
        warn: called with the error of each report that could not be delivered.
    """

    def __init__(
        self,
        command: str,
        *,
        reason: str | None = None,
        ask: Callable[[Sequence[str]], str] | None = None,
        environ: Mapping[str, str] | None = None,
        break_glass: bool = False,
        service: bool = False,
        warn: Callable[[EnvkitError], None] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._command = command
        self._reason: str | None = None
        self._take_reason(reason or self._environ.get(REASON, ""))
        self._reason_option = reason
        self._ask = ask
        self._break_glass = break_glass
        self._service = service
        self._warn = warn
        self._rules: Sequence[Rules] = ()  # of the profiles whose use is reported
        self._profiles: list[str] = []
        self._protected: list[str] = []
        self._names: Sequence[str] = ()
        self._changed: list[str] = []  # variables of changes that are not reported yet
        self._file_sha256 = ""
        self._prepared: Sequence[PreparedProfile] = ()
        self._recorded = True  # there is nothing to record yet

    def __enter__(self) -> Access:
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and not self._recorded:
            try:  # noqa: SIM105 - importing contextlib takes longer than this method
                self._record(outcome_of(error), self._names, {})
            except EnvkitError:
                pass  # the error that is being raised says more
        if self._changed:
            self._report(list(dict.fromkeys(self._changed)))

    def begin(self, prepared: Sequence[PreparedProfile]) -> None:
        """Announce the values that the stores will be asked for; see `allow`."""
        names = [name for one in prepared for name in one.plan.selected]
        self.allow([one.profile for one in prepared], names, prepared)

    def allow(
        self,
        profiles: Iterable[Profile],
        names: Sequence[str],
        opened: Sequence[PreparedProfile] = (),
    ) -> None:
        """Announce what will be used or changed; refuse what the profiles do not allow.

        Args:
            profiles: whose secrets they are.
            names: the variables.
            opened: profiles with the opened sources, whose logins are recorded.

        Raises:
            ReasonMissingError: a profile is protected or the glass is broken, without a reason.
            OutsideHoursError: it is outside the hours of a profile.
            UntrustedError: the user does not trust the channels that the use is reported to.
            ProfileError: a table `[access]` is not valid.
            UsageError: `ENVKIT_AUDIT` does not name a log.
            AuditError: a profile is protected, and the log cannot be written.
        """
        self._prepared = opened
        log.destination(self._environ)
        guarded = []
        for profile in profiles:
            self._profiles.append(profile.name)
            if profile.protected:
                self._protected.append(profile.name)
            if profile.access is not None:
                guarded.append(profile)
        self._names = names
        if guarded and not self._service:
            from envkit.access.person import is_person

            if self._break_glass or is_person(self._reason_option):
                from envkit.access.admission import admit

                self._rules = admit(guarded, self._environ, break_glass=self._break_glass)
        if self._protected or self._break_glass:
            self._need_reason()
            log.check(self._environ)
        self._recorded = False

    def use_file(self, sha256: str) -> None:
        """Name the backup that is written or used in every record from now on.

        Args:
            sha256: of the encrypted file, in hexadecimal.
        """
        self._file_sha256 = sha256

    def observe(self, profiles: Sequence[str], names: Sequence[str]) -> None:
        """Announce values that are compared or validated, and neither shown nor passed on.

        No reason is required, as for `envkit check`.

        Raises:
            UsageError: `ENVKIT_AUDIT` does not name a log.
        """
        log.destination(self._environ)
        self._profiles += profiles
        self._names = names
        self._recorded = False

    def succeed(self, variables: Iterable[Variable], *, stale: bool = False) -> None:
        """Record that values were read, before they leave envkit.

        Args:
            variables: the variables.
            stale: whether a store was unavailable, and values that were saved before are used.

        Raises:
            AuditError: a profile is protected, and the log cannot be written.
        """
        found = list(variables)
        names = dict.fromkeys(variable.name for variable in found)
        self.record(list(names), log.versions_of(found), log.STALE if stale else log.OK)

    def expect(self, names: Sequence[str]) -> None:
        """Announce the next step of a command that does several things."""
        self._names = names
        self._recorded = False

    def changed(self, names: Sequence[str], version: str | None) -> None:
        """Record that one value, which all of these variables have, was written.

        The changes of a command are reported together, when it ends.

        Raises:
            AuditError: a profile is protected, and the log can no longer be written.
        """
        try:
            self._require_record(names, {name: [version] for name in names} if version else {})
        except AuditError as error:
            raise AuditError(
                f"{names[0]} was changed, but the audit log has no record of it: {error.message}",
                hint=error.hint,
            ) from None
        if self._rules:
            self._changed += names

    def unchanged(self, names: Sequence[str]) -> None:
        """Record that one value was examined and nothing was written.

        Raises:
            AuditError: a profile is protected, and the log cannot be written.
        """
        self.record(names, {}, UNCHANGED)

    def record(
        self,
        names: Sequence[str],
        versions: Mapping[str, Sequence[str]],
        outcome: str = log.OK,
    ) -> None:
        """Record that something was read or changed, and report it.

        Args:
            names: the variables.
            versions: per variable, the versions of the secrets that were read or written; also
                those of a command that failed with a part of the secrets.
            outcome: `ok`, `read`, or the code of the error.

        Raises:
            AuditError: a profile is protected, and the log cannot be written.
        """
        self._require_record(names, versions, outcome)
        if self._rules and (outcome in (log.OK, log.STALE, READ) or versions):
            self._report(names)

    def _require_record(
        self,
        names: Sequence[str],
        versions: Mapping[str, Sequence[str]],
        outcome: str = log.OK,
    ) -> None:
        try:
            self._record(outcome, names, versions)
        except AuditError:
            if self._protected or self._break_glass:
                raise

    def stop_reporting(self) -> None:
        """Report nothing from now on: what follows is recorded, and is no use by a person."""
        self._rules = ()

    def _report(self, names: Sequence[str]) -> None:
        """Report a use to the channels of the profiles, and record if that fails."""
        from envkit.access.doorbell import ring
        from envkit.access.notice import AccessEvent, Use

        event = AccessEvent.BREAK_GLASS if self._break_glass else AccessEvent.ACCESS
        user = log.user_name(os.getuid())
        use = Use(self._command, tuple(names), self._reason or "", user, event)
        self._rules, errors = ring(self._rules, use, environ=self._environ)
        for error in errors:
            try:  # noqa: SIM105 - as above
                self._record(error.code, names, {})
            except AuditError:
                pass  # a report never stops anything
            if self._warn is not None:
                self._warn(error)

    def _take_reason(self, text: str) -> None:
        self._reason = text.strip() or None
        if self._reason is not None:
            look_for_secrets_in(self._reason)

    def _need_reason(self) -> None:
        if self._reason is None and self._ask is not None:
            self._take_reason(self._ask(self._protected))
        if self._reason is None and not self._protected:
            raise ReasonMissingError(
                "--break-glass needs a reason", hint=f"add --reason TEXT, or set {REASON}"
            )
        if self._reason is None:
            verb = "is" if len(self._protected) == 1 else "are"
            raise ReasonMissingError(
                f"{' and '.join(self._protected)} {verb} protected: a reason is required",
                hint=f"add --reason TEXT, or set {REASON}",
            )

    def _record(
        self, outcome: str, names: Sequence[str], versions: Mapping[str, Sequence[str]]
    ) -> None:
        self._recorded = True
        entry = log.Entry(
            self._command,
            self._profiles,
            names,
            versions,
            self._reason,
            outcome,
            self._break_glass,
            self._file_sha256,
            log.logins_of(self._prepared),
        )
        log.record(entry, self._environ)


def record_login(
    command: str,
    profile: Profile,
    source: str,
    method: str,
    outcome: str,
    environ: Mapping[str, str],
) -> None:
    """Record `envkit login` or `logout`, which use no secret and need no reason.

    Args:
        command: `login` or `logout`.
        profile: whose source it is.
        source: its name.
        method: the login method; empty if it is not known.
        outcome: `ok`, or the code of the error.
        environ: the process environment.

    Raises:
        UsageError: `ENVKIT_AUDIT` does not name a log.
        AuditError: the profile is protected, and the log cannot be written.
    """
    entry = log.Entry(command, [profile.name], [], {}, outcome=outcome, logins={source: method})
    try:
        log.record(entry, environ)
    except AuditError:
        if profile.protected and command == "login":  # a logout must always be possible
            raise


def outcome_of(error: BaseException) -> str:
    """Return the outcome for an error in the log: the code of the cause to fix first."""
    if isinstance(error, ResolutionError):
        causes = (failure.error for failure in error.failures)
        first = (cause.code for cause in causes if cause.exit_status == error.exit_status)
        return next(first, error.code)
    if isinstance(error, EnvkitError):
        return error.code
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else EnvkitError.code
