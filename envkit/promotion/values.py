"""Match the values of the source with the places of the target. Pure."""

from __future__ import annotations

from envkit.secret import Secret
from envkit.sources.model import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envkit.profile.placeholder import Placeholder, Reference
    from envkit.resolution.plan import PlannedVariable
    from envkit.sources.model import Outcome


def values_for(
    ours: PlannedVariable, theirs: PlannedVariable, outcomes: Mapping[Reference, Outcome]
) -> Iterator[tuple[Secret, Placeholder, Sequence[Reference]]]:
    """Yield for each place in a store of the target the value that the source has for it.

    With it comes where the source has it: nowhere for a literal.

    That is: where both are written alike, for each of their placeholders; else where the
    target's value is a placeholder alone, and the source's is one, too, or a literal.

    Args:
        ours: the variable in the source.
        theirs: the same in the target.
        outcomes: what the stores of the source said.

    Raises:
        EnvkitError: a value could not be read.
    """
    template = ours.declaration.template
    to = sole_placeholder(theirs)
    if template == theirs.declaration.template:
        pairs = [(placeholder.operand, placeholder) for placeholder in template.placeholders]
    elif to is not None and not template.placeholders:
        yield Secret("".join(map(str, template.parts))), to, ()
        return
    else:
        alone = sole_placeholder(ours)
        pairs = [(alone.operand, to)] if alone and to else []
    for operand, placeholder in pairs:
        if operand in ours.references and placeholder.operand in theirs.references:
            value = reading_of(ours.references[operand], outcomes)
            if value is not None:
                yield value, placeholder, ours.references[operand]


def sole_placeholder(variable: PlannedVariable) -> Placeholder | None:
    """Return the placeholder that is all of a value, if a store answers it as it is."""
    parts = variable.declaration.template.parts
    if len(parts) != 1 or isinstance(parts[0], str) or parts[0].filters:
        return None
    return parts[0] if parts[0].operand in variable.references else None


def reading_of(
    references: Sequence[Reference], outcomes: Mapping[Reference, Outcome]
) -> Secret | None:
    """Return the value of the first reference that has one.

    Raises:
        EnvkitError: one before it could not be read.
    """
    for reference in references:
        outcome = outcomes[reference]
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)
        if isinstance(outcome, Reading):
            return outcome.value
    return None
