"""The type of every value in envkit.

A value is text that represents bytes one to one (UTF-8 with `surrogateescape`, as in
`os.environ`), so that a store's value reaches the app unchanged. It is shown as asterisks
wherever Python would print it. `reveal()` is the only way to read it, and is called only where a
value leaves envkit.

A person may paste a value into a text that is recorded, such as the reason of a use. Each secret
is looked for in such texts when it is created, so no path can forget to do so:

    look_for_secrets_in(reason)      # before any store is read
    ...
    record(without_secrets(reason))
"""

from __future__ import annotations

from envkit.errors import InvalidValueError

_MASK = "********"
_IN_TEXT = "(a secret)"
SHORTEST = 6  # characters; a shorter value is also a part of ordinary words
_texts: list[str] = []  # those that are recorded
_found: list[str] = []  # the secrets that are in one of them


def look_for_secrets_in(text: str) -> None:
    """Look for each secret that this process gets from now on in a text."""
    if text not in _texts:
        _texts.append(text)


def notice(value: str) -> None:
    """Take note of a secret that does not become a `Secret`, such as one in an edited file."""
    value = value.strip()
    if len(value) >= SHORTEST and value not in _found and any(value in one for one in _texts):
        _found.append(value)


def without_secrets(text: str) -> str:
    """Return a text without the secrets that were found in it; see `look_for_secrets_in`."""
    for value in sorted(_found, key=len, reverse=True):  # one may be a part of another
        text = text.replace(value, _IN_TEXT)
    return text


class Secret:
    """A value that is masked whenever it is printed.

    Comparison takes the same time wherever two values differ. A secret cannot be hashed,
    pickled or changed.

    >>> password = Secret("hunter2")
    >>> print(password, f"{password}", repr(password))
    ******** ******** Secret('********')
    >>> password.reveal()
    'hunter2'
    """

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a Secret takes a str, not {type(value).__name__}")
        object.__setattr__(self, "_value", value)
        if _texts and type(self) is Secret:  # not `Plain`
            notice(value)

    @classmethod
    def from_bytes(cls, value: bytes) -> Secret:
        """Return the secret for these bytes; `to_bytes` returns them unchanged."""
        return cls(value.decode("utf-8", "surrogateescape"))

    def reveal(self) -> str:
        """Return the value in clear text."""
        return self._value

    def to_bytes(self) -> bytes:
        """Return the value in clear text, as the bytes that a program would receive.

        Raises:
            InvalidValueError: it has an unpaired surrogate, which JSON allows and which cannot be
                encoded.
        """
        try:
            return self._value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # the exception contains the whole value
            raise InvalidValueError(
                "the value contains an unpaired surrogate", hint="fix the value in its store"
            ) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Secret cannot be changed")

    def __repr__(self) -> str:
        return f"Secret('{_MASK}')"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac

        ours, theirs = self.reveal(), other.reveal()
        return hmac.compare_digest(
            ours.encode("utf-8", "surrogatepass"), theirs.encode("utf-8", "surrogatepass")
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError("a Secret cannot be pickled or copied")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class Plain(Secret):
    """A value that is not secret, such as a literal of a profile. It is not masked.

    It is shown as `Plain('production')` and never as the bare text. A program that formats a value
    and forgets `reveal()` therefore fails at once, not on the day when a store has the value.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Plain({self._value!r})"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)
