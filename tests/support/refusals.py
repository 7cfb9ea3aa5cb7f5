"""The complete text of a refusal, for tests that compare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(
    call: Callable[[], object], kind: type[EnvkitError] = EnvkitError
) -> tuple[str, str | None]:
    """Return the message and the hint of the error that a call raises."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value.message, caught.value.hint


def raising(error: BaseException) -> Callable[..., None]:
    """Return a function that takes any arguments and raises an error."""

    def fails(*_: object, **__: object) -> None:
        raise error

    return fails
