"""The findings of `envkit doctor` about one store, and what it did not check.

Guarantees: `ok` is reported only for things that were checked. envkit asks a remote store
for its identity and permissions and reads no value; `envkit check` reads the values.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.checks.dotenv_text import of_store
from envkit.encryption.at_hand import PrivateKeyState, at_hand
from envkit.encryption.reading import missing, wrong
from envkit.errors import (
    EnvkitError,
    LinkRefusedError,
    ResolutionError,
    WriteRefusedError,
)
from envkit.profile.placeholder import Literal
from envkit.resolution.evaluate import how_to_set
from envkit.sources.dotenv import DotenvSource
from envkit.sources.dotenv_files.encrypted import encrypted_files
from envkit.sources.model import Absent, Reading
from envkit.sources.protocols import Probe, ReadCheck, WriteCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envkit.checks.problem import Problem
    from envkit.profile.placeholder import Reference
    from envkit.resolution.plan import Plan, PlannedVariable
    from envkit.sources.model import Outcome
    from envkit.sources.protocols import Source

NAMES_SHOWN = 5
# the package behind a source type
_CLIENTS = {"vault": "hvac", "aws-secrets-manager": "botocore", "dotenv": "python-dotenv"}


class CheckStatus(StrEnum):
    """The result of one check."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


class Check(NamedTuple):
    """One check.

    Attributes:
        status: the result.
        profile: the profile's name; empty if the check concerns none.
        source: the name of one of its sources; empty if the check concerns none.
        hint: what to do about it; empty if there is nothing to do.
    """

    status: CheckStatus
    message: str
    profile: str = ""
    source: str = ""
    hint: str = ""


class Examined(NamedTuple):
    """The result of examining one store.

    Attributes:
        checks: the checks to show.
        outcomes: the outcomes of the values that were read.
    """

    checks: list[Check]
    outcomes: Mapping[Reference, Outcome]


def examine_store(source: Source, planned: Plan, source_type: str) -> Examined:
    """Ask one source of an environment.

    Raises:
        EnvkitError: the source was not read, because a reference is not valid for it.
    """
    place = {"profile": planned.environment, "source": source.name}
    references = planned.references.get(source.name, ())
    for reference in references:
        source.check(reference)
    client = _client(source_type)
    checks: list[Check] = []
    outcomes: Mapping[Reference, Outcome] = {}
    if isinstance(source, Probe):
        try:
            checks += _probe(source, source.name, planned, client)
        except EnvkitError as error:  # one of the warnings below may be the cause
            checks += errors_of(error, **place)
    else:
        outcomes = source.fetch(references)
        failures = {str(o): o for o in outcomes.values() if isinstance(o, EnvkitError)}
        for failure in failures.values():
            checks += errors_of(failure, **place)
        if not failures:
            found = [ref for ref in references if isinstance(outcomes.get(ref), Reading)]
            status = CheckStatus.OK if len(found) == len(references) else CheckStatus.NOTE
            tally = _tally(len(found), references, outcomes)
            checks.append(Check(status, "; ".join(filter(None, (client, tally))), **place))
        if isinstance(source, DotenvSource):
            files = dict.fromkeys(path for ref in references for path in source.files(ref))
            found_in = (problem for path in files for problem in of_store(path, source.root))
            checks += warnings_of(found_in, **place)
            checks += _keys(source, references, failures.values(), place)
        checks += _hard_to_write(source, references, place) if not failures else []
    checks += [
        Check(CheckStatus.WARNING, warning, **place) for warning in getattr(source, "warnings", ())
    ]
    return Examined(checks, outcomes)


def _keys(
    source: DotenvSource,
    references: Sequence[Reference],
    failures: Iterable[EnvkitError],
    place: Mapping[str, str],
) -> Iterator[Check]:
    """Report where the private keys of encrypted files are, unless values have that failure."""
    reported = [failure.message for failure in failures]
    for name, public_keys, decrypter in encrypted_files(source, references):
        try:
            found = at_hand(decrypter, public_keys)
        except EnvkitError as error:
            failure = error
        else:
            if found.state is PrivateKeyState.FOUND:
                message = f"{name} is encrypted; its private key is in {found.place}"
                yield Check(CheckStatus.OK, message, **place)
                continue
            word = missing if found.state is PrivateKeyState.MISSING else wrong
            failure = word(name, decrypter.lookup(public_keys))
        if failure.message not in reported:
            yield Check(CheckStatus.WARNING, failure.message, **place, hint=failure.hint or "")


def _probe(source: Probe, name: str, planned: Plan, client: str) -> Iterator[Check]:
    """Ask a store for its identity and for envkit's permissions; read no value."""
    place = {"profile": planned.environment, "source": name}
    references = planned.references.get(name, ())
    facts = [*filter(None, (client, *source.probe()))]
    rights = source.check_read(references) if isinstance(source, ReadCheck) else {}
    refused = {str(error): error for error in rights.values() if error is not None}
    for error in refused.values():
        yield from errors_of(error, **place)
    if rights and not refused:
        facts.append(f"may read {len(rights)} of {len(references)} values")
    if not refused:
        yield Check(CheckStatus.OK, "; ".join(facts), **place)
    if references:
        yield _not_read(planned, name)


def absent_variables(planned: Plan, outcomes: Mapping[Reference, Outcome]) -> Iterator[Check]:
    """Yield an error for each required variable that is in none of the stores that were read.

    Args:
        planned: the environment.
        outcomes: the outcomes of all values that were read; other values are not reported.
    """
    for variable in planned.order:
        declaration = variable.declaration
        if declaration.default is not None or not declaration.required:
            continue
        reasons = dict.fromkeys(_absences(variable, outcomes))
        if reasons:
            yield Check(
                CheckStatus.ERROR,
                f"{variable.name} is not set: {'; '.join(reasons)}",
                planned.environment,
                hint=how_to_set(planned.environment, _sources_of(variable)),
            )


def errors_of(error: EnvkitError, *, profile: str = "", source: str = "") -> Iterator[Check]:
    """Return a check for an error, or for each error that it consists of."""
    if isinstance(error, ResolutionError):
        for failure in error.failures:
            yield Check(CheckStatus.ERROR, str(failure), profile, source, failure.error.hint or "")
        return
    yield Check(CheckStatus.ERROR, error.message, profile, source, error.hint or "")


def _absences(variable: PlannedVariable, outcomes: Mapping[Reference, Outcome]) -> Iterator[str]:
    """Yield why parts of a value are absent, if all of their stores were read."""
    for placeholder in variable.declaration.template.placeholders:
        operand = placeholder.operand
        if isinstance(operand, Literal) or placeholder.fallback is not None:
            continue
        looked = [outcomes.get(reference) for reference in variable.references.get(operand, ())]
        absences = [outcome for outcome in looked if isinstance(outcome, Absent)]
        if looked and len(absences) == len(looked):
            yield from (absence.reason or f"no {operand}" for absence in absences)


def _sources_of(variable: PlannedVariable) -> set[str]:
    return {reference.source for refs in variable.references.values() for reference in refs}


def _not_read(planned: Plan, source: str) -> Check:
    """Return a check that names the variables whose values in a remote store were not read."""
    names = [
        variable.name
        for variable in planned.order
        if any(ref.source == source for refs in variable.references.values() for ref in refs)
    ]
    shown = ", ".join(names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return Check(
        CheckStatus.NOTE,
        f"values not read: {shown}{more}",
        planned.environment,
        source,
        f"run 'envkit check --env {planned.environment}' to see whether they exist",
    )


def warnings_of(problems: Iterable[Problem], *, profile: str, source: str = "") -> Iterator[Check]:
    """Yield a warning for each problem in the text of a file."""
    for one in problems:
        message = f"{display_path(one.file)}:{one.line}: {one.message}"
        yield Check(CheckStatus.WARNING, message, profile, source, one.hint)


def _hard_to_write(
    source: Source, references: Sequence[Reference], place: Mapping[str, str]
) -> Iterator[Check]:
    if source.remote or not isinstance(source, WriteCheck):
        return
    refused = {str(e): e for e in source.check_write(references).values()}
    for error in refused.values():
        if isinstance(error, LinkRefusedError | WriteRefusedError):  # `ls -l` shows other causes
            yield Check(CheckStatus.WARNING, error.message, **place, hint=error.hint or "")


def _tally(
    found: int, references: Sequence[Reference], outcomes: Mapping[Reference, Outcome]
) -> str:
    """Report how many of a source's values exist."""
    if not references:
        return "no variable refers to it"
    text = f"{found} of {len(references)} values exist"
    reasons = {o.reason for o in outcomes.values() if isinstance(o, Absent) and o.reason}
    return f"{text}: {reasons.pop()}" if not found and len(reasons) == 1 else text


def _client(source_type: str) -> str:
    package = _CLIENTS.get(source_type)
    if package is None:
        return ""
    from importlib.metadata import version

    return f"{package} {version(package)}"
