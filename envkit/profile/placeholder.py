r"""The grammar of values: text with `{{ ... }}` placeholders. Pure; parsing takes linear time.

    template    = *( text / "{{" expression "}}" )
    expression  = operand [ "??" string ] *( "|" filter )
    operand     = name / reference / string
    reference   = source ":" [ path ] [ "?" ( "version" / "stage" ) "=" part ] [ "#" part ]
    path, part  = bare / string         bare: no space, `"`, `?`, `#`, `|`, `{`, `}`
    string      = a double-quoted string with the escapes \" \\ \n \r \t
    filter      = "urlencode" / "base64encode" / "base64decode" / "trim" / "json:" pointer

Guarantees: nothing is evaluated or executed; `{{` without a well-formed end is an
error with its column; a store's value is text and is never parsed;
`str(template)` parses back to the same template. Errors show no part of
the value except the name of an unknown filter, parameter or escape.

    >>> template = parse("postgresql://app:{{ vault:db#password | urlencode }}@db/app")
    >>> [str(p.operand) for p in template.placeholders]
    ['vault:db#password']
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import LETTERS, WORD, is_name
from envkit.errors import PlaceholderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

OPEN, CLOSE = "{{", "}}"
FILTERS: tuple[str, ...] = ("urlencode", "base64encode", "base64decode", "trim", "json")

_SOURCE = WORD | {"-"}
_RESERVED = frozenset('"?#|{}')
_BLANK = frozenset(" \t")
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_PARAMETERS = ("version", "stage")
_FOR_A_LITERAL = 'for a literal, write {{ "{{" }}'


class Name(NamedTuple):
    """Another variable of the profile, or a name for the profile's lookup."""

    name: str

    def __str__(self) -> str:
        return self.name


class Reference(NamedTuple):
    """A reference to a value in a store: `SOURCE:PATH?version=V#FIELD`."""

    source: str
    path: str
    field: str | None = None
    version: str | None = None
    stage: str | None = None

    @property
    def is_looked_up(self) -> bool:
        """Whether it is only the name of a variable, like every reference that a lookup creates."""
        _, path, field, version, stage = self
        return not path and version is None and stage is None and is_name(field or "")

    def __str__(self) -> str:
        if self.is_looked_up:
            return f"{self.source}:#{self.field}"
        text = f"{self.source}:{_part(self.path) if self.path else ''}"
        if self.version is not None:
            text += f"?version={_part(self.version)}"
        elif self.stage is not None:
            text += f"?stage={_part(self.stage)}"
        return text if self.field is None else f"{text}#{_part(self.field)}"


class Literal(NamedTuple):
    """A quoted string."""

    text: str

    def __str__(self) -> str:
        return _quote(self.text)


class Filter(NamedTuple):
    """One filter of a value; only `json` takes an argument."""

    name: str
    argument: str | None = None

    def __str__(self) -> str:
        return self.name if self.argument is None else f"{self.name}:{_part(self.argument)}"


if TYPE_CHECKING:
    Operand: TypeAlias = Name | Reference | Literal


class Placeholder(NamedTuple):
    """One `{{ ... }}`."""

    operand: Operand
    fallback: str | None = None
    filters: tuple[Filter, ...] = ()

    def __str__(self) -> str:
        text = str(self.operand)
        if self.fallback is not None:
            text += f" ?? {_quote(self.fallback)}"
        return OPEN + " " + " | ".join((text, *map(str, self.filters))) + " " + CLOSE


class Template(NamedTuple):
    """A parsed value: a sequence of texts and placeholders without adjacent texts."""

    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders in order."""
        return tuple([part for part in self.parts if isinstance(part, Placeholder)])

    def __str__(self) -> str:
        printed = []
        for index, part in enumerate(self.parts):
            if isinstance(part, Placeholder):
                printed.append(str(part))
                continue
            text = part.replace(OPEN, '{{ "{{" }}')
            if index + 1 < len(self.parts) and text.endswith("{"):
                text = text[:-1] + '{{ "{" }}'
            printed.append(text)
        return "".join(printed)


def parse(text: str) -> Template:
    """Parse a value of a profile.

    Raises:
        PlaceholderError: the value is not well-formed; the error has the 1-based column.
    """
    if OPEN not in text:
        return Template._make(((text,) if text else (),))
    inner = text[len(OPEN) : -len(CLOSE)].strip(" \t")
    if is_name(inner) and text.startswith(OPEN) and text.endswith(CLOSE):
        only = Placeholder._make((Name._make((inner,)), None, ()))  # what the scanner would return
        return Template._make(((only,),))
    return _scanned(text)


def _scanned(text: str) -> Template:
    parts: list[str | Placeholder] = []
    literal = ""
    position = 0
    while True:
        start = text.find(OPEN, position)
        if start < 0:
            break
        literal += text[position:start]
        scanner = _Scanner(text, start)
        placeholder = scanner.placeholder()
        position = scanner.position
        if isinstance(placeholder.operand, Literal) and not placeholder.filters:
            literal += placeholder.operand.text
            continue
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(placeholder)
    literal += text[position:]
    if literal:
        parts.append(literal)
    return Template(tuple(parts))


def parse_reference(text: str) -> Reference | Name:
    """Parse a reference written without braces: `vault:db#password`.

    Raises:
        PlaceholderError: the text is not a reference, or has a fallback or a filter.
    """
    parts = parse(f"{OPEN} {text} {CLOSE}").parts
    match parts:
        case (Placeholder(operand, None, ()),) if not isinstance(operand, Literal):
            return operand
    raise PlaceholderError("not a reference", column=1)


def _is_bare(text: str) -> bool:
    return is_name(text) or (
        bool(text) and not any(c in _RESERVED or c.isspace() or c < " " for c in text)
    )


def _part(text: str) -> str:
    return text if _is_bare(text) else _quote(text)


def _quote(text: str) -> str:
    for escape, char in (("\\\\", "\\"), ('\\"', '"'), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t")):
        text = text.replace(char, escape)
    return f'"{text}"'


class _Scanner:
    """A parser for one placeholder; each step advances `position` or raises."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start
        self.position = start + len(OPEN)

    def placeholder(self) -> Placeholder:
        self.skip_blank()
        operand = self.operand()
        fallback = None
        self.skip_blank()
        if self.take("??"):
            self.skip_blank()
            if self.peek() != '"':
                raise self.error("'??' takes a quoted text", hint='write: {{ NAME ?? "text" }}')
            fallback = self.string()
            self.skip_blank()
        filters = []
        while self.take("|"):
            self.skip_blank()
            filters.append(self.filter())
            self.skip_blank()
        if not self.take(CLOSE):
            if self.text.startswith("??", self.position):
                raise self.error("'??' may appear once, before the filters")
            raise self.unfinished()
        if isinstance(operand, Literal):
            fallback = None  # a literal is never absent
        return Placeholder(operand, fallback, tuple(filters))

    def operand(self) -> Operand:
        if self.peek() == '"':
            return Literal(self.string())
        begin = self.position
        word = self.word(_SOURCE)
        if not word or word[0] not in LETTERS:
            if not self.peek():
                raise self.unfinished()
            raise self.error_at(
                begin, "a name, a reference or a quoted text is missing", hint=_FOR_A_LITERAL
            )
        if self.take(":"):
            return self.reference(word, begin)
        if "-" in word:
            raise self.error_at(begin, "a variable's name cannot contain '-'")
        return Name(word)

    def reference(self, source: str, begin: int) -> Reference:
        path = self.part(optional=True)
        parameters: dict[str, str] = {}
        if self.peek() == "?" and not self.text.startswith("??", self.position):
            self.position += 1
            at = self.position
            key = self.word(WORD)
            if key not in _PARAMETERS:
                from envkit._internal.suggestions import closest

                match = closest(key, _PARAMETERS)
                hint = f"did you mean '{match}'?" if match else "use '?version=' or '?stage='"
                raise self.error_at(at, f"unknown parameter '{key}'", hint=hint)
            if not self.take("="):
                raise self.error(f"'?{key}' needs '=' and a value")
            parameters[key] = self.part()
        field = self.part() if self.take("#") else None
        if not path and field is None:
            raise self.error_at(begin, "the reference names neither a path nor a field")
        return Reference(source, path, field, **parameters)

    def filter(self) -> Filter:
        at = self.position
        name = self.word(WORD)
        if name not in FILTERS:
            from envkit._internal.suggestions import closest

            match = closest(name, FILTERS)
            hint = f"did you mean '{match}'?" if match else f"use one of: {', '.join(FILTERS)}"
            raise self.error_at(
                at, f"unknown filter '{name}'" if name else "a filter is missing", hint=hint
            )
        if name != "json":
            return Filter(name)
        if not self.take(":"):
            raise self.error("'json' needs a pointer", hint="write: json:/key/0")
        pointer = self.part()
        if not pointer.startswith("/"):
            raise self.error_at(at, "a JSON pointer begins with '/'", hint="write: json:/key/0")
        return Filter(name, pointer)

    def part(self, *, optional: bool = False) -> str:
        if self.peek() == '"':
            return self.string()
        begin = self.position
        while (
            (char := self.peek()) and char not in _RESERVED and not char.isspace() and char >= " "
        ):
            self.position += 1
        if self.position == begin and not optional:
            raise self.error("a path, field or value is missing")
        return self.text[begin : self.position]

    def string(self) -> str:
        begin = self.position
        self.position += 1
        out = []
        while (char := self.peek()) != '"':
            if not char:
                raise self.error_at(begin, "the quoted text is not closed")
            self.position += 1
            if char == "\\":
                escape = self.peek()
                if escape not in _ESCAPES:
                    raise self.error("unknown escape", hint='use \\", \\\\, \\n, \\r or \\t')
                self.position += 1
                char = _ESCAPES[escape]
            out.append(char)
        self.position += 1
        return "".join(out)

    def word(self, letters: frozenset[str]) -> str:
        begin = self.position
        while self.peek() in letters:
            self.position += 1
        return self.text[begin : self.position]

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, token: str) -> bool:
        found = self.text.startswith(token, self.position)
        if found:
            self.position += len(token)
        return found

    def skip_blank(self) -> None:
        while self.peek() in _BLANK:
            self.position += 1

    def unfinished(self) -> PlaceholderError:
        if not self.peek():
            return self.error_at(self.start, "'{{' has no '}}'", hint=_FOR_A_LITERAL)
        return self.error(
            "'}}' is missing", hint='quote names with unusual characters: vault:"a b"#"c d"'
        )

    def error(self, message: str, *, hint: str | None = None) -> PlaceholderError:
        return self.error_at(self.position, message, hint=hint)

    def error_at(self, index: int, message: str, *, hint: str | None = None) -> PlaceholderError:
        return PlaceholderError(
            f"{message} (column {index + 1} of the value)", column=index + 1, hint=hint
        )
