"""Read or change one value in a version of a secret. Pure."""

from __future__ import annotations

from typing import NamedTuple

from envkit.errors import InvalidReferenceError
from envkit.secret import Secret
from envkit.sources.model import WHOLE, Absent, pick_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.profile.placeholder import Reference

_BLANKS = " \t\r\n"


class SecretVersion(NamedTuple):
    """A version of a secret: a string or bytes, either of which may be a JSON object."""

    version: str
    text: str | None
    binary: bytes | None
    fields: dict[str, object] | None  # fields of a JSON object

    def __repr__(self) -> str:
        return f"SecretVersion({self.version})"

    @property
    def document(self) -> str | None:
        """The text that may contain fields; None for bytes that are not text."""
        if self.text is not None or self.binary is None:
            return self.text
        try:
            return self.binary.decode()
        except UnicodeDecodeError:
            return None

    def content(self, document: str) -> dict[str, str | bytes]:
        """Return the parameters to store a changed document: bytes if the secret was bytes."""
        if self.binary is not None:
            return {"SecretBinary": document.encode()}
        return {"SecretString": document}


def secret_version(version: str, text: str | None, binary: bytes | None) -> SecretVersion:
    """Return a version with its fields, parsed once for all references to it."""
    secret = SecretVersion(version, text, binary, None)
    document = secret.document
    return secret if document is None else secret._replace(fields=read_object(document))


def read_object(text: str) -> dict[str, object] | None:
    """Return the fields of a JSON object; None for any other text."""
    if not text.lstrip(_BLANKS).startswith("{"):
        return None
    from envkit._internal.json_text import loads

    try:
        fields = loads(text)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def pick(ref: Reference, secret: SecretVersion, where: str) -> Secret | Absent:
    """Return the value of a reference.

    Args:
        ref: the reference; only its field is used.
        secret: the version of the secret.
        where: the secret's location, for messages.

    Raises:
        InvalidReferenceError: the secret has no fields, or several and the reference names none.
    """
    if secret.binary is not None and (
        ref.field is None or (ref.field == WHOLE and secret.fields is not None)
    ):
        return Secret.from_bytes(secret.binary)
    if secret.text is not None and (
        ref.field == WHOLE or (ref.field is None and secret.fields is None)
    ):
        return Secret(_unicode(secret.text, where))
    value = pick_field(ref, _fields(ref, secret, where))
    return value if isinstance(value, Absent) else Secret(_unicode(value, where))


def change(
    ref: Reference, secret: SecretVersion | None, value: Secret | None, where: str
) -> dict[str, str | bytes]:
    """Return the content for a new version: `SecretString` or `SecretBinary`.

    A value that is not UTF-8 must be the whole secret and makes it binary.

    Args:
        ref: the field to set; without a field, the whole secret or the only field of an object.
        secret: the current version; None if the secret does not exist.
        value: the new value; None to remove the field.
        where: the secret's location, for messages.

    Raises:
        InvalidReferenceError: the secret cannot have this value in this place.
    """
    secret = secret or SecretVersion("", None, None, None)
    field, text = ref.field, secret.document or "{}"
    if field is None and secret.text is not None and secret.fields is not None:
        pick_field(ref, secret.fields)  # raises if there are several fields
        [field] = secret.fields
    elif field is not None and (secret.text is not None or secret.binary is not None):
        _fields(ref, secret, where)
    if value is None:
        if field is None:
            raise InvalidReferenceError(
                f"{where} is a whole secret, but envkit does not delete whole secrets",
                hint="run 'aws secretsmanager delete-secret', which can be undone within "
                "its recovery window",
            )
        return secret.content(remove_field(text, field))
    if field is not None:
        return secret.content(set_field(text, field, _unicode(value.reveal(), where)))
    raw = value.to_bytes()
    if not raw:
        raise InvalidReferenceError(
            f"{where} cannot be empty", hint="add '#FIELD': a field can be empty"
        )
    if secret.binary is not None:
        return {"SecretBinary": raw}
    try:
        return {"SecretString": raw.decode()}
    except UnicodeDecodeError:
        return {"SecretBinary": raw}


def change_all(
    values: Mapping[Reference, Secret | None], secret: SecretVersion | None, where: str
) -> dict[str, str | bytes]:
    """Return the content for a new version with several changed fields; see `change`."""
    content: dict[str, str | bytes] = {}
    for ref, value in values.items():
        content = change(ref, secret, value, where)
        text, raw = content.get("SecretString"), content.get("SecretBinary")
        if isinstance(text, str):
            secret = secret_version("", text, None)
        elif isinstance(raw, bytes):
            secret = secret_version("", None, raw)
    return content


def differ_elsewhere(field: str | None, one: SecretVersion, other: SecretVersion) -> bool:
    """Return whether two versions of a secret differ outside one field.

    Args:
        field: the field; None for the whole secret or the only field of an object.
        one: one version.
        other: the other version.
    """
    if one.fields is None or other.fields is None:
        return field is not None
    names = {field} if field is not None else one.fields.keys() | other.fields.keys()
    left = [
        {k: v for k, v in each.items() if k not in names} for each in (one.fields, other.fields)
    ]
    return left[0] != left[1] or (field is None and len(names) != 1)


def set_field(text: str, field: str, value: str) -> str:
    """Return a JSON text with one field set and every other character unchanged.

    Parsing and printing the JSON would change the numbers, escapes and layout of its author.

    Args:
        text: a JSON object that `read_object` accepts.
        field: the name of the field; appended if no field has this name.
        value: stored as a JSON string.
    """
    import json

    members = _members(text)
    printed = json.dumps(value, ensure_ascii=False)
    for member in reversed(members):  # the last of equal names wins
        if member.name == field:
            return text[: member.value] + printed + text[member.end :]
    behind = members[-1].end if members else _skip(text, text.index("{") + 1)
    separator = ", " if members else ""
    added = f"{separator}{json.dumps(field, ensure_ascii=False)}: {printed}"
    return text[:behind] + added + text[behind:]


def remove_field(text: str, field: str) -> str:
    """Return a JSON text without a field and with other characters unchanged; see `set_field`."""
    members = _members(text)
    if not members:
        return text
    pieces: list[str] = []
    for index, member in enumerate(members):
        if member.name != field:  # with the comma and blanks before it, unless it is the first
            start = members[index - 1].end if pieces else member.start
            pieces.append(text[start : member.end])
    before, behind = text[: members[0].start], text[members[-1].end :]
    if not pieces:
        return before.rstrip(_BLANKS) + behind.lstrip(_BLANKS)
    return before + "".join(pieces) + behind


class _Member(NamedTuple):
    """One field of a JSON object: where its name and value start, and where it ends."""

    name: str
    start: int
    value: int
    end: int


def _members(text: str) -> list[_Member]:
    """Return the fields of a JSON object that `read_object` accepts."""
    from envkit._internal.json_text import value_end

    members: list[_Member] = []
    position = _skip(text, text.index("{") + 1)
    while text[position] != "}":
        name, end = value_end(text, position)
        value = _skip(text, _skip(text, end) + 1)
        _, end = value_end(text, value)
        members.append(_Member(str(name), position, value, end))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return members


def _skip(text: str, position: int) -> int:
    """Return the position of the first character that is not blank, starting at `position`."""
    while text[position] in _BLANKS:
        position += 1
    return position


def _fields(ref: Reference, secret: SecretVersion, where: str) -> dict[str, object]:
    if secret.fields is None:
        what = "binary, and not a JSON object" if secret.binary is not None else "not a JSON object"
        raise InvalidReferenceError(
            f"{where} is {what}",
            hint=f"drop '#{ref.field}'" if ref.path else "store a JSON object in it",
        )
    return secret.fields


def _unicode(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidReferenceError(f"{where}: the value is not Unicode text") from None
    return text
