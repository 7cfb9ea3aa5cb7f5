"""Check that every variable has a value of the declared type and form.

An absent value is a problem of its variable. A store that cannot be read is one problem for all of
its variables.
"""

from __future__ import annotations

from envkit.checks.inspection import of_failure, placed
from envkit.checks.problem import Problem, code_of, listed
from envkit.detection.secret_literal import suspect
from envkit.errors import NeedFailedError
from envkit.resolution.evaluate import evaluate
from envkit.resolution.plan import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envkit.checks.inspection import Inspection
    from envkit.errors import EnvkitError, VariableFailure
    from envkit.profile.model import Profile
    from envkit.resolution.plan import Plan

_OF_THE_STORE = (
    "access-denied",
    "dotenv-invalid",
    "not-logged-in",
    "store-error",
    "store-protocol",
    "store-unavailable",
)


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield why variables have no value, or an invalid one.

    If no store was read, only the literals are checked.
    """
    answered = {answer.prepared.profile.name: answer for answer in inspection.answers}
    for one in inspection.prepared:
        answer = answered.get(one.profile.name)
        if answer is not None:
            yield from _problems(one.profile, answer.side.failures, inspection.root)
        else:
            literals = plan(one.profile, _literal_names(one.plan))
            _, failures = evaluate(literals, {}, str)
            yield from _problems(one.profile, failures, inspection.root)


def find_unmasked(inspection: Inspection) -> Iterator[Problem]:
    """Yield each value of a store that looks like a secret although it is declared not to be."""
    for answer in inspection.answers:
        profile = answer.prepared.profile
        for variable in answer.side.environment.variables():
            declaration = profile.variables[variable.name]
            if declaration.secret is not False or not variable.origins:
                continue
            suspicion = suspect(variable.name, variable.value.reveal())
            if suspicion is not None and suspicion.certain:
                yield Problem(
                    "unmasked-secret",
                    f"{variable.name} has secret = false, but its value in {profile.name} is "
                    f"{suspicion.what}",
                    hint="remove secret = false",
                    environments=(profile.name,),
                    variables=(variable.name,),
                ).at(declaration.location)


def _literal_names(planned: Plan) -> list[str]:
    """Return the variables that need no store, directly or through another variable."""
    names: dict[str, None] = {}
    for variable in planned.order:
        if not variable.references and all(need in names for need in variable.variables.values()):
            names[variable.name] = None
    return list(names)


def _problems(
    profile: Profile, failures: Iterable[VariableFailure], root: str
) -> Iterator[Problem]:
    together: dict[tuple[str, str], tuple[EnvkitError, list[str]]] = {}
    for failure in failures:
        error = failure.error
        if isinstance(error, NeedFailedError):
            continue  # the variable that it needs is reported by itself
        code = code_of(error)
        if code in _OF_THE_STORE:
            together.setdefault((code, error.message), (error, []))[1].append(failure.name)
            continue
        yield of_failure(profile, failure)
    for (code, message), (error, names) in together.items():
        place = profile.variables[names[0]].location
        problem = placed(code, message, "", root=root, hint=error.hint)
        problem = problem if problem.file else problem.at(place)
        yield problem._replace(
            message=f"cannot read {listed(names)}: {problem.message}",
            environments=(profile.name,),
            variables=tuple(names),
        )
