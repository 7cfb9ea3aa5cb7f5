"""Every error that envkit raises, each with a stable code and an exit status.

A message is lower case, has no full stop, and names the variable and the place, never a value.
A hint is an imperative that can be run; `str()` of an error has both, for logs and tracebacks.
Adapters map their client's exceptions to these once, at the boundary.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class EnvkitError(Exception):
    """The root of all envkit errors. `str(error)` is the message, then the hint.

    Args:
        message: what failed and where, without any value, in one line.
        hint: how to fix it, in the imperative; None if there is no hint.
    """

    code = "internal"
    exit_status = 70  # EX_SOFTWARE; every error that envkit raises on purpose overrides it

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join([*self.lines(), *(f"hint: {hint}" for hint in self.hints())])

    def lines(self) -> list[str]:
        """Return the failure as lines for people: a summary, then details."""
        return [self.message]

    def hints(self) -> list[str]:
        """Return every hint."""
        return [self.hint] if self.hint else []

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint, self.__dict__.copy()))


def _rebuild(
    kind: type[EnvkitError], message: str, hint: str | None, state: dict[str, object]
) -> EnvkitError:
    error = kind.__new__(kind)
    EnvkitError.__init__(error, message, hint=hint)
    error.__dict__.update(state)
    return error


class UsageError(EnvkitError):
    """The command line is not valid."""

    code = "usage"
    exit_status = 2


class IncompleteError(UsageError):
    """The command line lacks an environment or a command."""

    code = "usage-incomplete"


class ExtraMissingError(EnvkitError):
    """An optional package is not installed; the hint names the pip extra."""

    code = "extra-missing"
    exit_status = 2


class ProfileError(EnvkitError):
    """A profile is not valid."""

    code = "profile-invalid"
    exit_status = 3


class ProfileNotFoundError(ProfileError):
    """There is no profile of that name, or no `profiles/` folder."""

    code = "profile-not-found"


class PlaceholderError(ProfileError):
    """A placeholder (`{{ ... }}`) is not well-formed; `column` is 1-based in the value."""

    code = "placeholder-invalid"

    def __init__(self, message: str, *, column: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.column = column


class InvalidReferenceError(EnvkitError):
    """A reference is not valid for its store, or does not name exactly one value."""

    code = "reference-invalid"
    exit_status = 3


class LeaseNeededError(InvalidReferenceError):
    """A dynamic secret was read by a command that does not renew and revoke its lease."""

    code = "lease-needed"


class UnchangeableError(EnvkitError):
    """A variable has no single place that envkit can write."""

    code = "not-changeable"
    exit_status = 3


class InvalidValueError(EnvkitError):
    """A resolved value does not match the type or rules that the profile declares."""

    code = "value-invalid"
    exit_status = 3


class AbsentError(EnvkitError):
    """The store answered, and it does not have the value."""

    code = "value-absent"
    exit_status = 4


class NoSuchVariableError(EnvkitError, KeyError):
    """An `Environment` has no such variable: mistyped, excluded, or optional and not set."""

    code = "no-such-variable"
    exit_status = 4


class WrongTypeError(EnvkitError):
    """A program reads a variable as a type other than the one that the profile declares."""

    code = "wrong-type"
    exit_status = 3


class NeedFailedError(EnvkitError):
    """A variable failed because it needs another variable that has failed."""

    code = "need-failed"

    def __init__(self, name: str, cause: EnvkitError) -> None:
        super().__init__(f"needs {name}, which failed", hint=cause.hint)
        self.exit_status = cause.exit_status


class SourceError(EnvkitError):
    """A store failed; `retryable` says whether the same call may succeed a moment later."""

    code = "store-error"
    exit_status = 5
    retryable = False


class UnavailableError(SourceError):
    """The store could not be reached, or is temporarily unavailable.

    `slow_down`: the store asks for fewer requests, or for a pause of `retry_after_seconds`.
    """

    code = "store-unavailable"
    retryable = True
    slow_down = False
    retry_after_seconds: float | None = None


class TargetUnavailableError(UnavailableError):
    """The target of a rotation could not be reached, or is temporarily unavailable."""

    code = "target-unavailable"


class ProtocolError(SourceError):
    """The store sent an answer that does not follow its protocol."""

    code = "store-protocol"


class DeniedError(SourceError):
    """The store denied access."""

    code = "access-denied"
    exit_status = 6


class AuthError(SourceError):
    """There are no credentials for the store, or it rejects them."""

    code = "not-logged-in"
    exit_status = 6


class MfaRequiredError(AuthError):
    """A login needs an MFA code or an approval that envkit does not have."""

    code = "mfa-required"


class InvalidSettingError(SourceError):
    """A setting of a store, such as its address, is not valid: no retry and no login helps."""

    code = "setting-invalid"
    exit_status = 3


class UntrustedError(SourceError):
    """A profile needs something that its user must allow first, such as an outside file."""

    code = "untrusted-profile"
    exit_status = 6


class LinkRefusedError(SourceError):
    """A link has the name of a file that envkit creates itself; it was not opened."""

    code = "link-refused"
    exit_status = 6


class WriteRefusedError(SourceError):
    """A file cannot be replaced, now or later, until a person changes something."""

    code = "write-refused"
    exit_status = 6


class DotenvError(ProfileError, SourceError):
    """A `.env` file, or a line of it, cannot be read, as a profile or as a store."""

    code = "dotenv-invalid"


class ConflictError(SourceError):
    """A compare-and-set found a version other than the expected one; nothing was written."""

    code = "conflict"
    exit_status = 7


class NoVersionError(SourceError):
    """The store has no versions, or no longer has the requested one."""

    code = "no-such-version"


class RotationError(EnvkitError):
    """A step of a rotation failed, or the rotation needs a decision before it continues."""

    code = "rotation-failed"
    exit_status = 1


class RejectedError(RotationError):
    """The target will never accept this new value; it may accept another one."""

    code = "rotation-rejected"


class RotationInProgressError(ConflictError):
    """A value cannot be changed because a rotation of it is in progress."""

    code = "rotation-in-progress"


class RetiredError(EnvkitError):
    """The change would restore a value that a rotation has retired, or may have retired."""

    code = "value-retired"
    exit_status = 6


class LockedError(EnvkitError):
    """Another process holds the lock on a file that must be changed."""

    code = "locked"
    exit_status = 7


class ReasonMissingError(EnvkitError):
    """A protected profile was used or changed without a reason."""

    code = "reason-missing"
    exit_status = 6


class AuditError(EnvkitError):
    """The audit log cannot be written or read."""

    code = "audit-failed"
    exit_status = 6


class AgentError(EnvkitError):
    """`ENVKIT_AGENT=require` is set, and the agent cannot be used."""

    code = "agent-unusable"
    exit_status = 5


class LimitError(EnvkitError):
    """A variable, or all of them together, exceed what the kernel passes to a program."""

    code = "environment-too-large"
    exit_status = 126


class NotExecutableError(EnvkitError):
    """The program was found but cannot be run."""

    code = "not-executable"
    exit_status = 126


class CommandNotFoundError(EnvkitError):
    """The program does not exist."""

    code = "command-not-found"
    exit_status = 127


class VariableFailure:
    """Why one variable has no value: its name, its place in the profile, and the error."""

    __slots__ = ("error", "location", "name")

    def __init__(self, name: str, location: str, error: EnvkitError) -> None:
        self.name = name
        self.location = location
        self.error = error

    def __str__(self) -> str:
        return f"{self.name} ({self.location}): {self.error.message}"

    def __repr__(self) -> str:
        return f"VariableFailure({self!s})"


class ResolutionError(EnvkitError):
    """Some variables could not be resolved; the error lists all of them.

    `message` is the whole text in one line, and `summary` its beginning. The exit status is that
    of the failure to fix first: an invalid reference, a denial, an outage, then a missing value.
    """

    code = "resolution-failed"
    _SUMMARY = "cannot resolve {count} of {environment}"
    _PRECEDENCE = (3, 6, 5, 4)

    def __init__(self, environment: str, failures: Sequence[VariableFailure]) -> None:
        number = len({one.name for one in failures})
        counted = f"{number} variable{'s' * (number != 1)}"
        self.summary = self._SUMMARY.format(count=counted, environment=environment)
        self.environment = environment
        self.failures = tuple(failures)
        causes = "; ".join(
            f"{', '.join(f'{one.name} ({one.location})' for one in failed)}: {cause}"
            for cause, failed in self._by_cause().items()
        )
        message = f"{self.summary}: {causes}".removesuffix(": ")
        super().__init__(message, hint=next(iter(self.hints()), None))
        statuses = {one.error.exit_status for one in failures}
        self.exit_status = next((s for s in self._PRECEDENCE if s in statuses), 1)

    def lines(self) -> list[str]:
        """Return a summary, then each failed variable under its cause."""
        lines = [self.summary]
        for cause, failures in self._by_cause().items():
            if len(failures) == 1:
                lines.append(f"  {failures[0]}")
            else:
                lines += [f"  {cause}:", *(f"    {one.name} ({one.location})" for one in failures)]
        return lines

    def hints(self) -> list[str]:
        """Return the distinct hints of all failures."""
        return list(dict.fromkeys(one.error.hint for one in self.failures if one.error.hint))

    def _by_cause(self) -> dict[str, list[VariableFailure]]:
        causes: dict[str, list[VariableFailure]] = {}
        for failure in self.failures:
            causes.setdefault(failure.error.message, []).append(failure)
        return causes


class PromotionError(ResolutionError):
    """Some variables cannot be promoted; the error lists all of them. Nothing was changed."""

    code = "promotion-refused"
    _SUMMARY = "cannot promote {count} to {environment}; nothing was changed"
