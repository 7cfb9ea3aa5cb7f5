"""Substitute the operands of a template and apply its filters. Pure.

Guarantees: a substituted value is text and is never scanned again; no error quotes any part
of it.
"""

from __future__ import annotations

from envkit.errors import AbsentError, InvalidValueError
from envkit.profile.placeholder import Literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit.profile.placeholder import Filter, Placeholder, Template


def substitute(
    template: Template,
    value_of: Callable[[Placeholder], str | None],
    filtered: list[str] | None = None,
) -> str:
    """Return the text of a template.

    Args:
        template: what `parse` returned.
        value_of: returns the value of a placeholder's operand; None if it is missing. It is not
            called for a literal, and its result is never scanned again.
        filtered: called with the result of each filter.

    Raises:
        AbsentError: an operand without a fallback is missing.
        InvalidValueError: a filter does not accept the value.
    """
    out = []
    for part in template.parts:
        if isinstance(part, str):
            out.append(part)
            continue
        operand = part.operand
        value = operand.text if isinstance(operand, Literal) else value_of(part)
        if value is None:
            value = part.fallback
        if value is None:
            raise AbsentError(f"{operand} is missing")
        for step in part.filters:
            value = apply_filter(step, value)
            if filtered is not None:
                filtered.append(value)
        out.append(value)
    return "".join(out)


def apply_filter(step: Filter, value: str) -> str:
    """Return a value after applying one filter.

    Raises:
        AbsentError: the JSON has no value at the pointer of `json:`.
        InvalidValueError: the filter does not accept the value.
    """
    if step.name == "trim":
        return value.strip()
    if step.name == "json":
        return _json_pointer(value, step.argument or "")
    try:
        raw = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"the value contains an unpaired surrogate, which '{step.name}' cannot encode",
            hint=f"fix the value in its store, or remove '| {step.name}'",
        ) from None
    if step.name == "urlencode":
        from urllib.parse import quote

        return quote(raw, safe="")
    from base64 import b64decode, b64encode

    if step.name == "base64encode":
        return b64encode(raw).decode("ascii")
    try:
        return b64decode(raw, validate=True).decode("utf-8", "surrogateescape")
    except ValueError:
        raise InvalidValueError(
            "the value is not base64, as 'base64decode' needs",
            hint="store it as base64, or remove '| base64decode'",
        ) from None


def _json_pointer(value: str, pointer: str) -> str:
    """Return the text at a pointer in a JSON value.

    Reference: RFC 6901.
    """
    from envkit._internal.json_text import dumps, loads

    try:
        node = loads(value)
        for token in pointer.split("/")[1:]:
            node = _child(node, token.replace("~1", "/").replace("~0", "~"))
            if node is None:
                raise AbsentError(f"nothing at '{pointer}' in the JSON")
        if isinstance(node, str):
            return node
        return dumps(node)
    except (ValueError, RecursionError):
        raise InvalidValueError(
            "the value is not JSON, as 'json:' needs",
            hint=f"store it as JSON, or remove '| json:{pointer}'",
        ) from None


def _child(node: object, key: str) -> object:
    if isinstance(node, dict):
        return node.get(key)
    if isinstance(node, list) and key in map(str, range(len(node))):
        return node[int(key)]
    return None
