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
    """Yield the source's value for each place in a store of the target.

    Each value comes with the references that the source reads it from; none for a literal. If
    both sides are written alike, there is a value for each placeholder. Otherwise there is one
    if the target is a single placeholder and the source is a single placeholder or a literal.

    Args:
        ours: the variable in the source.
        theirs: the same variable in the target.
        outcomes: the answers of the source's stores.

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
    """Return the placeholder that makes up the whole value, if a store provides it unfiltered."""
    parts = variable.declaration.template.parts
    if len(parts) != 1 or isinstance(parts[0], str) or parts[0].filters:
        return None
    return parts[0] if parts[0].operand in variable.references else None


def reading_of(
    references: Sequence[Reference], outcomes: Mapping[Reference, Outcome]
) -> Secret | None:
    """Return the value of the first reference that has one; see `first_reading`."""
    found = first_reading(references, outcomes)
    return None if found is None else found[1].value


def first_reading(
    references: Sequence[Reference], outcomes: Mapping[Reference, Outcome]
) -> tuple[Reference, Reading] | None:
    """Return the first reference with a value, and its answer; None if there is none.

    Raises:
        EnvkitError: a reference before it could not be read.
    """
    for reference in references:
        outcome = outcomes[reference]
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)
        if isinstance(outcome, Reading):
            return reference, outcome
    return None
