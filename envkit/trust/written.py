"""Settings as they are written: which placeholders they have, and what is fixed in them. Pure."""

from __future__ import annotations

from envkit.errors import AbsentError, EnvkitError
from envkit.profile.model import placeholders
from envkit.profile.placeholder import OPEN, Literal, Name, Placeholder, Reference, parse
from envkit.profile.substitution import substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.profile.model import Profile


def variable_of(profile: Profile, placeholder: Placeholder) -> str | None:
    """Return the environment variable that a placeholder means; None where it means another thing.

    It is the type of the source that counts: a profile may call a `.env` file `env`.
    """
    operand = placeholder.operand
    if not isinstance(operand, Reference) or operand.source not in profile.sources:
        return None
    is_variable = profile.sources[operand.source].type == "env"
    return operand.path or operand.field or "" if is_variable else None


def fixed(text: str) -> str | None:
    """Return the text of a setting whatever the environment is; None where it depends on that."""
    if OPEN not in text:
        return text
    template = parse(text)
    if any(not isinstance(one.operand, Literal) for one in template.placeholders):
        return None
    try:
        return substitute(template, lambda _: None)
    except EnvkitError:  # a filter that cannot take it: the source will say so
        return None


def with_marks(text: str, mark: str) -> str | None:
    """Return a URL with a mark for each value that is not fixed in it.

    None where such a value could be more than a part of the URL: only `urlencode` keeps
    `@evil.example` in the place of a password from being another host.
    """
    out = []
    for part in parse(text).parts if OPEN in text else (text,):
        if isinstance(part, str):
            out.append(part)
        elif (constant := fixed(str(part))) is not None:
            out.append(constant)
        elif part.filters and part.filters[-1].name == "urlencode":
            out.append(mark)
        else:
            return None
    return "".join(out)


def in_environment(profile: Profile, text: str, environ: Mapping[str, str]) -> str | None:
    """Return a setting with the values of environment variables.

    None where it has values of other sources; empty where a variable is not set, so that the
    source cannot be opened.
    """
    if OPEN not in text:
        return text

    def value_of(placeholder: Placeholder) -> str | None:
        name = variable_of(profile, placeholder)
        if name is None:
            raise EnvkitError("of another source")
        return environ.get(name)

    try:
        return substitute(parse(text), value_of)
    except AbsentError:
        return ""
    except EnvkitError:
        return None


def alone(text: str) -> Placeholder | None:
    """Return the placeholder that a setting consists of; None for all others."""
    parts = parse(text).parts if OPEN in text else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return parts[0]
    return None


def references(profile: Profile, setting: Any) -> Iterator[Reference]:
    """Yield every reference that is read for a setting, also by way of variables of the profile."""
    waiting = [one.operand for one in placeholders(setting)]
    seen: set[str] = set()
    while waiting:
        operand = waiting.pop()
        if isinstance(operand, Reference):
            yield operand
        elif isinstance(operand, Name):
            if operand.name in profile.variables and operand.name not in seen:
                seen.add(operand.name)
                template = profile.variables[operand.name].template
                waiting += [one.operand for one in template.placeholders]
            # one that names itself is looked up
            yield from (Reference(source, "", operand.name) for source in profile.lookup)
