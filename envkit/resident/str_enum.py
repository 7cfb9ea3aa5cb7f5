"""A `StrEnum` that loads fast, for what runs before an app starts.

`import enum` takes 3 ms. Type checkers see `enum.StrEnum`; at run time, this class does what
envkit needs of it: members that are compared by identity and found by their value:

    class Phase(StrEnum):
        RUNNING = "running"

    Phase("running") is Phase.RUNNING

All other modules use `enum.StrEnum`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import StrEnum as StrEnum  # noqa: PLC0414 - for those who import it
else:

    class StrEnum(str):
        """Text that is one of the members of its class."""

        __slots__ = ()

        def __init_subclass__(cls):
            """Turn the texts of a class into its members."""
            texts = {k: v for k, v in vars(cls).items() if not k.startswith("_")}
            cls._members = {text: str.__new__(cls, text) for text in texts.values()}
            for name, text in texts.items():
                setattr(cls, name, cls._members[text])

        def __new__(cls, text):
            """Return the member with this text."""
            if text not in cls._members:
                raise ValueError(f"{text!r} is not a {cls.__name__}")
            return cls._members[text]
