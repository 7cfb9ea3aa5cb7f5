"""How do environments differ? Pure, and value-free by type.

    report = diff(side_of(staging), side_of(prod))

A diff holds what may be shown and nothing else: literals as they are, secrets as
a mask with a length class and a fingerprint. Fingerprints are HMAC-SHA-256 with
a key that is drawn for each diff, so that they say "same" and "different" inside
one report and cannot be looked up or compared with another one. A variable that
is secret on one side is masked on all.
"""

from __future__ import annotations

import hmac
import os
from typing import NamedTuple

from envkit.structure import kind_of, parts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envkit.declaration import Declaration
    from envkit.environment import Environment, Variable
    from envkit.errors import VariableFailure

# in the order of their gravity: what a reader must see first
REUSED, UNREADABLE, MISSING, DIFFERENT, SAME = (
    "reused",
    "unreadable",
    "missing",
    "different",
    "same",
)
STATUSES = (REUSED, UNREADABLE, MISSING, DIFFERENT, SAME)

VALUE, ABSENT, UNDECLARED = "value", "absent", "undeclared"  # and UNREADABLE

MASK = "********"
FINGERPRINT_DIGITS = 8
# below this a value that is the same in two environments says nothing: `5432`, `debug`
REUSE_MIN_CHARACTERS = 8
_PLAIN_TYPES = frozenset(("int", "float", "bool", "port", "enum", "duration", "email"))


class Side(NamedTuple):
    """One of the environments that are compared, as far as it could be read.

    Attributes:
        label: `prod`, `file:.env.local`, `prod@v12`.
        environment: the variables that have a value.
        declared: what its profile says of each variable; empty for a file or a process.
        failures: the variables that could not be read.
    """

    label: str
    environment: Environment
    declared: Mapping[str, Declaration] = {}
    failures: Sequence[VariableFailure] = ()


class Cell(NamedTuple):
    """A variable in one environment: what may be shown of it.

    Attributes:
        state: `value`, `absent` (declared, and need not be there), `undeclared` or `unreadable`.
        shown: the literal, or a mask; empty where there is no value.
        length: the class of the length in characters, `8-15`.
        fingerprint: the same for the same value inside one diff.
        origins: where the value was read; empty for a literal.
        location: where the profile gives it.
        reason: why it could not be read.
    """

    state: str
    shown: str = ""
    secret: bool = False
    length: str = ""
    fingerprint: str = ""
    origins: tuple[str, ...] = ()
    location: str = ""
    reason: str = ""


class Finding(NamedTuple):
    """Something to know about one variable.

    Attributes:
        kind: `part`, `same-part`, `origin`, `type`, `rule`, `literal-secret`, `same-as`.
        subject: which part, rule or other variable.
        shown: per environment what may be shown; empty where nothing may.
        dangerous: whether somebody should act on it.
    """

    kind: str
    subject: str
    shown: tuple[str, ...] = ()
    dangerous: bool = False


class Entry(NamedTuple):
    """One variable across all environments."""

    name: str
    status: str
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...] = ()


class EnvDiff(NamedTuple):
    """What `diff` found: the labels of the environments, and an entry per variable.

    The gravest entries come first, those of one status by name.
    """

    environments: tuple[str, ...]
    entries: tuple[Entry, ...]

    def with_status(self, *statuses: str) -> tuple[Entry, ...]:
        """Return the entries of these statuses."""
        return tuple(entry for entry in self.entries if entry.status in statuses)

    @property
    def identical(self) -> bool:
        """Whether every variable is there and the same everywhere."""
        return all(entry.status in (SAME, REUSED) and not _differs(entry) for entry in self.entries)


def _differs(entry: Entry) -> bool:
    return len({cell.fingerprint for cell in entry.cells}) > 1


def diff(*sides: Side, reveal: bool = False, key: bytes | None = None) -> EnvDiff:
    """Compare two or more environments.

    Args:
        sides: what `side_of` or the loading of an environment made.
        reveal: show secrets in clear; the caller has asked the person.
        key: of the fingerprints; drawn at random unless given, as tests do.

    Returns:
        the differences, without a way back to any value that may not be shown.
    """
    run = _Diff(sides, reveal=reveal, key=key or os.urandom(32))
    names = dict.fromkeys(name for side in sides for name in _names(side))
    entries = sorted(
        (run.entry(name) for name in names),
        key=lambda entry: (STATUSES.index(entry.status), entry.name),
    )
    return EnvDiff(tuple(side.label for side in sides), tuple(entries))


def _names(side: Side) -> Iterable[str]:
    yield from side.declared
    yield from side.environment
    for failure in side.failures:
        yield failure.name


class _Diff:
    def __init__(self, sides: Sequence[Side], *, reveal: bool, key: bytes) -> None:
        self.sides = sides
        self.reveal = reveal
        self.key = key
        self.reasons = [{f.name: f.error.message for f in side.failures} for side in sides]
        # per side: name -> digest, and digest -> the secrets that must not be elsewhere too
        self.digests: list[dict[str, bytes]] = []
        self.guarded: list[dict[bytes, list[str]]] = []
        for side in sides:
            digests = {v.name: self.digest(v) for v in side.environment.variables()}
            guarded: dict[bytes, list[str]] = {}
            for variable in side.environment.variables():
                if variable.secret and _matters(variable, side):
                    guarded.setdefault(digests[variable.name], []).append(variable.name)
            self.digests.append(digests)
            self.guarded.append(guarded)

    def digest(self, variable: Variable) -> bytes:
        return hmac.digest(self.key, variable.value.to_bytes(), "sha256")

    def entry(self, name: str) -> Entry:
        found = [_variable(side, name) for side in self.sides]
        present = [variable for variable in found if variable is not None]
        secret = any(variable.secret for variable in present)
        cells = tuple(
            self.cell(index, name, variable, secret=secret) for index, variable in enumerate(found)
        )
        findings = [
            *self.parts(found, secret=secret),
            *_origins(found),
            *self.elsewhere(name),
            *_types(found, secret=secret),
            *self.rules(name),
            *_literal_secrets(found),
        ]
        return Entry(name, self.status(name, cells, findings), cells, tuple(findings))

    def cell(self, index: int, name: str, variable: Variable | None, *, secret: bool) -> Cell:
        side = self.sides[index]
        declaration = side.declared.get(name)
        location = str(declaration.location) if declaration else ""
        if variable is None:
            reason = self.reasons[index].get(name)
            if reason is not None:
                return Cell(UNREADABLE, location=location, reason=reason)
            return Cell(ABSENT if declaration else UNDECLARED, location=location)
        text = variable.value.reveal()
        return Cell(
            VALUE,
            shown=text if self.reveal or not secret else MASK,
            secret=secret,
            length=length_class(len(text)),
            fingerprint=self.digests[index][name].hex()[:FINGERPRINT_DIGITS],
            origins=tuple(dict.fromkeys(origin.location for origin in variable.origins)),
            location=str(variable.location) if variable.location else location,
        )

    def status(self, name: str, cells: Sequence[Cell], findings: Sequence[Finding]) -> str:
        if any(f.kind in ("same-part", "same-as") for f in findings) or self.reused(name):
            return REUSED
        states = {cell.state for cell in cells}
        if UNREADABLE in states:
            return UNREADABLE
        if states != {VALUE}:
            return MISSING if VALUE in states else SAME
        values = {digests[name] for digests in self.digests}
        return SAME if len(values) == 1 else DIFFERENT

    def reused(self, name: str) -> bool:
        """Return whether two environments have the same secret under this name."""
        values = [
            digests[name]
            for digests, guarded in zip(self.digests, self.guarded, strict=True)
            if name in guarded.get(digests.get(name, b""), ())
        ]
        return len(values) != len(set(values))

    def elsewhere(self, name: str) -> Iterable[Finding]:
        """Find the same secret under other names in other environments."""
        for here, digests, guarded in zip(self.sides, self.digests, self.guarded, strict=True):
            digest = digests.get(name, b"")
            if name not in guarded.get(digest, ()):
                continue
            for there, others in zip(self.sides, self.guarded, strict=True):
                if there is here:
                    continue
                for same in others.get(digest, ()):
                    if same != name:
                        subject = f"{name} in {here.label} is {same} in {there.label}"
                        yield Finding("same-as", subject, dangerous=True)

    def parts(self, found: Sequence[Variable | None], *, secret: bool) -> Iterable[Finding]:
        values = [variable.value.reveal() for variable in found if variable is not None]
        if len(values) < 2 or len(set(values)) == 1:
            return
        show = self.reveal or not secret
        for part in parts_of(values):
            if secret and part.name == "password" and _repeated(part.texts):
                yield Finding("same-part", part.name, dangerous=True)
            if part.same:
                continue
            texts = iter(part.texts)
            shown = tuple("" if v is None else next(texts) or "" for v in found) if show else ()
            subject = part.name if show or part.kind != "list" else "items"
            yield Finding("part", subject, shown)

    def rules(self, name: str) -> Iterable[Finding]:
        """Compare what the profiles demand of a variable."""
        declared = [side.declared.get(name) for side in self.sides]
        known = [declaration for declaration in declared if declaration is not None]
        for rule in ("required", "type", "pattern"):
            if len({getattr(declaration, rule) for declaration in known}) > 1:
                shown = tuple(
                    "" if d is None else str(getattr(d, rule) or "none") for d in declared
                )
                yield Finding("rule", rule, shown)


def _repeated(texts: Sequence[str | None]) -> bool:
    long = [text for text in texts if text and len(text) >= REUSE_MIN_CHARACTERS]
    return len(long) != len(set(long))


def _variable(side: Side, name: str) -> Variable | None:
    return side.environment.variable(name) if name in side.environment else None


def _matters(variable: Variable, side: Side) -> bool:
    """Return whether this secret being elsewhere too would be worth a word."""
    declaration = side.declared.get(variable.name)
    plain = declaration is not None and declaration.type in _PLAIN_TYPES
    return not plain and len(variable.value.reveal()) >= REUSE_MIN_CHARACTERS


def _origins(found: Sequence[Variable | None]) -> Iterable[Finding]:
    """Find one value that is reached in different ways."""
    present = [variable for variable in found if variable is not None]
    if len(present) < 2 or any(v.value != present[0].value for v in present):
        return
    ways = {tuple(origin.location for origin in variable.origins) for variable in present}
    if len(ways) > 1:
        shown = tuple(
            "" if v is None else ", ".join(o.location for o in v.origins) or "literal"
            for v in found
        )
        yield Finding("origin", "read from different places", shown)


def _types(found: Sequence[Variable | None], *, secret: bool) -> Iterable[Finding]:
    if secret:
        return
    kinds = tuple("" if v is None else kind_of(v.value.reveal()) for v in found)
    if len({kind for kind in kinds if kind}) > 1:
        yield Finding("type", "the kind of value", kinds)


def _literal_secrets(found: Sequence[Variable | None]) -> Iterable[Finding]:
    """Find what is read from a store on one side and written into a profile on another."""
    present = [variable for variable in found if variable is not None and variable.location]
    stored = [variable for variable in present if variable.origins]
    if stored and len(stored) < len(present) and any(v.secret for v in stored):
        shown = tuple(
            "" if v is None or v.location is None else ("store" if v.origins else "literal")
            for v in found
        )
        yield Finding("literal-secret", "written into a profile", shown, dangerous=True)


def length_class(characters: int) -> str:
    """Return the class of a length: `empty`, `1-7`, `8-15`, `16-31`, `32-63`, `64+`."""
    for low, high in ((0, 0), (1, 7), (8, 15), (16, 31), (32, 63)):
        if characters <= high:
            return "empty" if high == 0 else f"{low}-{high}"
    return "64+"
