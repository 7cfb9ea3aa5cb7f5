"""Plan the lines to add to the target's profile. Pure; contacts no store.

A line is copied as it is written: a literal as a literal, a placeholder with the same text, both
with the type and the other rules of the variable. A line is not copied if it would mean something
else in the target: if it has a path or host named after the source, a version of the source's
store, or a source that the target does not have. A secret that is written into the profile is
never copied.
"""

from __future__ import annotations

import copy
import re
from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.detection.secret_literal import PLACEHOLDER, suspect
from envkit.editing.profile_text import value_text
from envkit.errors import UnchangeableError
from envkit.profile.declaration import Declaration, read_table
from envkit.profile.location import Location
from envkit.profile.placeholder import Name, Placeholder, Reference, Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from envkit.profile.model import Profile
    from envkit.resolution.plan import Plan

_NO_RULES = frozenset(("value", "description", "tags"))  # keys that do not restrict the value


class Written(NamedTuple):
    """A profile, and the TOML keys that its files give to each variable."""

    profile: Profile
    tables: Mapping[str, Mapping[str, Any]]


class Line(NamedTuple):
    """The keys that the target's file should have for a variable.

    Attributes:
        keys: as in TOML, without those that the target already has.
        before: the target's current literal; None if it has no value.
        left_out: the rules that a `.env` file cannot represent.
    """

    name: str
    keys: Mapping[str, Any]
    before: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The value in the text of the line."""
        return value_text(self.keys["value"])


class LinePlan(NamedTuple):
    """The result of `plan_lines`.

    Attributes:
        lines: the lines for the target, in the order of the source.
        differing: the names of literals that differ and that the user did not name.
        unnamed: literals that the target lacks and that the user must name.
        obstacles: why other variables cannot be copied.
        in_doubt: the names of variables that the target declares without a value; they need
            no line if the lookup finds them.
    """

    lines: tuple[Line, ...]
    differing: tuple[str, ...]
    unnamed: Mapping[str, str]
    obstacles: Mapping[str, UnchangeableError]
    in_doubt: tuple[str, ...]

    def without(self, names: Collection[str]) -> LinePlan:
        """Return the same plan without these variables."""
        return self._replace(
            lines=tuple(line for line in self.lines if line.name not in names),
            unnamed={n: text for n, text in self.unnamed.items() if n not in names},
            obstacles={n: error for n, error in self.obstacles.items() if n not in names},
        )


def plan_lines(source: Written, plan: Plan, target: Written, named: Collection[str]) -> LinePlan:
    """Plan the lines that the target's profile should have for the variables of a plan.

    Args:
        source: the profile to copy from.
        plan: the plan of the source, with its selected variables.
        target: the profile to copy to.
        named: the variables that the user named; their literals are copied even if they differ
            or mention the source.
    """
    lines: dict[str, Line] = {}
    differing: list[str] = []
    unnamed: dict[str, str] = {}
    obstacles: dict[str, UnchangeableError] = {}
    in_doubt: list[str] = []
    users = _users(target.profile)
    for name in plan.selected:
        line = _line(name, source, target)
        if line is None:
            continue
        if line.before is not None and name not in named:
            differing.append(name)
            continue
        if line.before is None and name in target.tables:
            in_doubt.append(name)
        try:
            _refuse_foreign(line, source.profile, target.profile)
            _refuse_to_replace(line, source.profile, target.profile, users)
        except UnchangeableError as error:
            obstacles[name] = error
            continue
        if name not in named and mentions(source.profile, line.text):
            unnamed[name] = line.text
            continue
        lines[name] = line
    obstacles.update(_drop_unmet_needs(lines, plan, target.profile))
    return LinePlan(tuple(lines.values()), tuple(differing), unnamed, obstacles, tuple(in_doubt))


def extended(target: Written, lines: Sequence[Line]) -> Profile:
    """Return the target's profile with these lines added.

    Raises:
        ProfileError: the declarations of the two profiles for a variable conflict.
    """
    place = Location(target.profile.path)
    profile = copy.copy(target.profile)
    profile.variables = dict(profile.variables)
    for line in lines:
        table = {**target.tables.get(line.name, {}), **line.keys}
        raw = read_table(line.name, table, place)
        profile.variables[line.name] = Declaration(line.name, raw, dict.fromkeys(raw, place), place)
    return profile


def mentions(profile: Profile, text: str) -> bool:
    """Return whether a text contains a profile's name or an alias as a separate word."""
    names = "|".join(map(re.escape, (profile.name, *profile.aliases)))
    return re.search(rf"(?<![^\W_])(?:{names})(?![^\W_])", text, re.IGNORECASE) is not None


def _line(name: str, source: Written, target: Written) -> Line | None:
    """Return the line that the target lacks or has with another value; None if there is none."""
    given = {"value": f"{{{{ {name} }}}}", **source.tables[name]}
    known = target.tables.get(name)
    if known is None:
        return _in_form(Line(name, given), target.profile)
    if "value" not in known:
        keys = {key: value for key, value in given.items() if key not in known}
        return (
            _in_form(Line(name, keys), target.profile) if "value" in source.tables[name] else None
        )
    ours, theirs = source.profile.variables[name].template, target.profile.variables[name].template
    if ours.placeholders or theirs.placeholders or ours == theirs:
        return None
    return Line(name, {"value": given["value"]}, before=value_text(known["value"]))


def _in_form(line: Line, profile: Profile) -> Line:
    """Leave out what the format of the target's file cannot represent."""
    if profile.path.endswith(".toml"):
        return line
    return line._replace(
        keys={"value": line.keys["value"]},
        left_out=tuple(key for key in line.keys if key not in _NO_RULES),
    )


def _refuse_foreign(line: Line, source: Profile, target: Profile) -> None:
    """Refuse a line that would mean something else in the target, or reveal a secret.

    Raises:
        UnchangeableError: the hint says what to do instead.
    """
    declared = (source.variables[line.name], target.variables.get(line.name))
    template = declared[0].template
    by_hand = f"add its line to {display_path(target.path)} yourself"
    secret = _secret_in(line.name, template, [d.secret for d in declared if d is not None])
    if secret is not None:
        raise UnchangeableError(
            f"contains {secret} as a literal in {declared[0].location}, and envkit does not copy "
            "secrets into profiles",
            hint=f'write {line.name} = "{{{{ {line.name} }}}}" into {display_path(target.path)}, '
            f"then run: envkit set {line.name} --env {target.name}",
        )
    for operand in (placeholder.operand for placeholder in template.placeholders):
        if not isinstance(operand, Reference):
            continue
        if operand.source not in target.sources:
            raise UnchangeableError(
                f"reads from '{operand.source}', which {target.name} does not have",
                hint=f"add [sources.{operand.source}] to {display_path(target.path)}",
            )
        if operand.version is not None:
            raise UnchangeableError(
                f"is pinned to a version in the store of {source.name}: {operand}", hint=by_hand
            )
        if mentions(source, operand.path):
            raise UnchangeableError(
                f"reads {operand}, whose path names {source.name}", hint=by_hand
            )


def _users(profile: Profile) -> dict[str, str]:
    """Return each name that a variable with another name looks up, and the name of the latter."""
    return {
        placeholder.operand.name: name
        for name, declaration in profile.variables.items()
        for placeholder in declaration.template.placeholders
        if isinstance(placeholder.operand, Name) and placeholder.operand.name != name
    }


def _refuse_to_replace(
    line: Line, source: Profile, target: Profile, users: Mapping[str, str]
) -> None:
    """Refuse a new variable if another one has looked up its name and would change.

    Raises:
        UnchangeableError: the message names the other variable.
    """
    user = users.get(line.name)
    same = source.variables[line.name].template == Template((Placeholder(Name(line.name)),))
    if user is not None and line.name not in target.variables and not same:
        raise UnchangeableError(
            f"is read by {user} in {target.name}, whose value would change",
            hint=f"add its line to {display_path(target.path)} yourself",
        )


def _secret_in(name: str, template: Template, secret_flags: Sequence[bool | None]) -> str | None:
    """Return which kind of secret a value contains, by its declarations or by its form."""
    if True in secret_flags and not template.placeholders:
        return "a secret"
    if False in secret_flags:
        return None
    whole = "".join(part if isinstance(part, str) else PLACEHOLDER for part in template.parts)
    fallbacks = (placeholder.fallback or "" for placeholder in template.placeholders)
    found = (suspect(name, text) for text in (whole, *fallbacks))
    return next((suspicion.what for suspicion in found if suspicion is not None), None)


def _drop_unmet_needs(
    lines: dict[str, Line], plan: Plan, target: Profile
) -> dict[str, UnchangeableError]:
    """Remove the lines that need another variable which the target will not have."""
    needs = {one.name: tuple(one.variables.values()) for one in plan.order}
    errors: dict[str, UnchangeableError] = {}
    found = True
    while found:
        found = False
        for name in list(lines):
            lacking = [n for n in needs[name] if n not in lines and n not in target.variables]
            if lacking:
                del lines[name]
                errors[name] = UnchangeableError(
                    f"needs {' and '.join(lacking)}, which {target.name} does not have",
                    hint=f"promote {' and '.join(lacking)} too",
                )
                found = True
    return errors
