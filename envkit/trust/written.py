"""Settings as they are written: their placeholders, and their fixed parts. Pure.

The profile chooses the names in them. A decision is stored as the text that was shown. If that
text contained such a name, an edit could change its meaning without a question. So `credentials`
and `spelled` return what the names refer to.
"""

from __future__ import annotations

from envkit.errors import AbsentError, EnvkitError
from envkit.profile.model import PREDECLARED, placeholders
from envkit.profile.placeholder import OPEN, Literal, Name, Placeholder, Reference, Template, parse
from envkit.profile.substitution import substitute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from envkit.profile.model import Profile


_MOST_NAMES = 64  # the most names replaced in one text; each may contain several others


def variable_of(profile: Profile, placeholder: Placeholder) -> str | None:
    """Return the environment variable that a placeholder reads; None if it reads something else.

    The type of the source decides: a profile may call a `.env` file `env`.
    """
    operand = placeholder.operand
    if not isinstance(operand, Reference) or operand.source not in profile.sources:
        return None
    is_variable = profile.sources[operand.source].type == "env"
    return operand.path or operand.field or "" if is_variable else None


def credentials(profile: Profile, setting: Any) -> tuple[str, ...]:
    """Return the placeholders of a setting that are not fixed texts, each by its real source.

    A variable of the profile is replaced by the placeholders that it is built from. Otherwise
    allowing it today would also allow what it is built from tomorrow.
    """
    found: dict[str, None] = {}
    waiting = [(one.operand, "") for one in placeholders(setting)]
    seen: set[str] = set()
    while waiting:
        operand, inside = waiting.pop(0)
        if isinstance(operand, Reference):
            found[str(Placeholder(_canonical(profile, operand)))] = None
        elif isinstance(operand, Name):
            if operand.name == inside or operand.name not in profile.variables:
                found.update(dict.fromkeys(_looked_up(profile, operand)))
            elif operand.name not in seen:
                seen.add(operand.name)
                template = profile.variables[operand.name].template
                waiting += [(one.operand, operand.name) for one in template.placeholders]
    return tuple(found)


def spelled(profile: Profile, text: str) -> str:
    """Return a setting with its meaning spelled out, for the person who decides and for the store.

    Variables of the profile are replaced by what they are built from. Where a filter prevents
    that, the explanation follows the text. A source is called by its type: `{{ env:VAULT_ADDR }}`
    of a `.env` file named `env` becomes `{{ dotenv:VAULT_ADDR }}`.
    """
    return "".join(expanded(profile, text))


def expanded(profile: Profile, text: str) -> tuple[str, str]:
    """Return the two parts of the result of `spelled`: the text, and the explanation after it."""
    if OPEN not in text:
        return text, ""
    spelling = _Spelling(profile)
    meaning = spelling.of(parse(text))
    known = spelling.explanations.items()
    return meaning, "".join(f" with {name} = {made_of}" for name, made_of in known)


def fixed(text: str) -> str | None:
    """Return the text of a setting if no environment changes it; otherwise None."""
    if OPEN not in text:
        return text
    template = parse(text)
    if any(not isinstance(one.operand, Literal) for one in template.placeholders):
        return None
    try:
        return substitute(template, lambda _: None)
    except EnvkitError:  # a filter rejects it; the source will report that
        return None


def with_marks(text: str, mark: str) -> str | None:
    """Return a URL with a mark in place of each value that is not fixed in it.

    None if a value could be more than a part of the URL: only `urlencode` prevents
    `@evil.example` in the password from changing the host.
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
    """Return a setting with the values of environment variables filled in.

    None if it contains values of other sources. Empty if a variable is not set, because the
    source cannot be opened then.
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
    """Return the placeholder if a setting is exactly one; otherwise None."""
    parts = parse(text).parts if OPEN in text else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return parts[0]
    return None


def references(profile: Profile, setting: Any) -> Iterator[Reference]:
    """Yield every reference that a setting reads, also through variables of the profile."""
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
            # a name that refers to itself is looked up
            yield from (Reference(source, "", operand.name) for source in profile.lookup)


class _Spelling:
    """Replaces the names of variables by what the variables are built from."""

    def __init__(self, profile: Profile) -> None:
        self.explanations: dict[str, str] = {}  # of the names that could not be replaced
        self._profile = profile
        self._left = _MOST_NAMES

    def of(self, template: Template, above: tuple[str, ...] = ()) -> str:
        """Return a template as text; `above` are the variables that contain it."""
        parts: list[str | Placeholder] = []
        for part in template.parts:
            if isinstance(part, str):
                parts.append(part)
            elif isinstance(part.operand, Reference):
                parts.append(part._replace(operand=_canonical(self._profile, part.operand)))
            elif isinstance(part.operand, Literal):
                constant = fixed(str(part))
                parts.append(part if constant is None else constant)
            else:
                parts += self._named(part, part.operand.name, above)
        return str(Template(tuple(_joined(parts))))

    def _named(
        self, part: Placeholder, name: str, above: tuple[str, ...]
    ) -> tuple[str | Placeholder, ...]:
        variable = self._profile.variables.get(name)
        if variable is None or name in above:
            return (part,)
        self._left -= 1
        if part == Placeholder(part.operand) and variable.default is None and self._left > 0:
            return parse(self.of(variable.template, (*above, name))).parts
        if name not in self.explanations:
            self.explanations[name] = ""  # set before recursion, which may reach the name again
            default = "" if variable.default is None else f" or {variable.default}"
            self.explanations[name] = self.of(variable.template, (*above, name)) + default
        return (part,)


def _joined(parts: list[str | Placeholder]) -> Iterator[str | Placeholder]:
    """Yield the parts of a template with adjacent texts joined."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _looked_up(profile: Profile, name: Name) -> list[str]:
    """Return what a bare name means, according to the profile's lookup."""
    usual = all(
        source in PREDECLARED and profile.sources[source].type == PREDECLARED[source]
        for source in profile.lookup
    )
    if usual and not {"vault", "aws"} & set(profile.lookup):
        return [str(Placeholder(name))]
    places = (Reference(source, "", name.name) for source in profile.lookup)
    return [str(Placeholder(_canonical(profile, place))) for place in places]


def _canonical(profile: Profile, reference: Reference) -> Reference:
    """Return a reference as it would be without settings that change its meaning."""
    spec = profile.sources.get(reference.source)
    if spec is None:
        return reference
    if spec.type == "env":
        reference = reference._replace(source="env")
    elif PREDECLARED.get(reference.source, spec.type) != spec.type:
        reference = reference._replace(source=spec.type)
    path, prefix = reference.path, str(spec.settings.get("prefix", ""))
    if spec.type == "vault" and not path.startswith("/"):
        below = [str(spec.settings.get("mount", "")), prefix, path]
        if any(below[:2]):
            path = "/" + "/".join(one.strip("/") for one in below if one)
    elif spec.type == "aws-secrets-manager" and prefix and not path.startswith(("/", "arn:")):
        path = f"/{prefix}{path}"
    return reference._replace(path=path)
