"""Generate a random value of a given length and alphabet.

    generated({"length": 40, "alphabet": "alnum"})

The randomness is the operating system's. Every value of the requested form is equally likely,
except that none begins with `-`, which a program would take for an option. A form whose values
could be guessed is refused.
"""

from __future__ import annotations

import secrets
from math import log2

from envkit._internal.suggestions import did_you_mean
from envkit.errors import ProfileError
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
ALPHABETS = {
    "url-safe": f"{LETTERS}{DIGITS}-_",
    "alnum": f"{LETTERS}{DIGITS}",
    "hex": f"{DIGITS}abcdef",
}
DEFAULT_LENGTH = 32  # 191 bits of the url-safe alphabet
MAX_LENGTH = 1024
LEAST_BITS = 64

# the table `generate` of a rotation
SETTINGS: dict[str, type | tuple[type, ...]] = {"length": int, "alphabet": str, "characters": str}


def generated(settings: Mapping[str, object], length: int = DEFAULT_LENGTH) -> Secret:
    """Return a new value.

    Args:
        settings: `length` in characters; `alphabet`, one of ALPHABETS, or `characters`, the
            alphabet itself.
        length: the default length.

    Raises:
        ProfileError: the settings are invalid, or the value could be guessed.
    """
    length, alphabet = form(settings, length)
    first = alphabet.replace("-", "")
    rest = (secrets.choice(alphabet) for _ in range(length - 1))
    return Secret(secrets.choice(first) + "".join(rest))


def form(settings: Mapping[str, object], length: int = DEFAULT_LENGTH) -> tuple[int, str]:
    """Return the length and the characters of new values, after checking the settings.

    Raises:
        ProfileError: like `generated`.
    """
    asked = settings.get("length", length)
    if not isinstance(asked, int) or not 1 <= asked <= MAX_LENGTH:
        raise ProfileError(
            f"'generate.length' must be a number of characters, at most {MAX_LENGTH}",
            hint=f"write: generate = {{ length = {length} }}",
        )
    alphabet = _alphabet(settings)
    bits = asked * log2(max(1, len(alphabet.replace("-", ""))))
    if bits < LEAST_BITS:
        raise ProfileError(
            f"'generate' creates values that can be guessed: they have only {bits:.0f} bits",
            hint="increase 'length', or allow more characters",
        )
    return asked, alphabet


def _alphabet(settings: Mapping[str, object]) -> str:
    characters, name = settings.get("characters"), settings.get("alphabet")
    if characters is None:
        name = str(name or "url-safe")
        if name not in ALPHABETS:
            raise ProfileError(
                f"'generate.alphabet' is unknown: {name!r}",
                hint=did_you_mean(name, ALPHABETS),
            )
        return ALPHABETS[name]
    if name is not None:
        raise ProfileError(
            "both 'alphabet' and 'characters' are set in 'generate'", hint="remove one of them"
        )
    found = "".join(dict.fromkeys(str(characters)))
    if not found.isprintable() or " " in found:
        raise ProfileError(
            "'generate.characters' has a space or an unprintable character",
            hint="list letters, digits and symbols",
        )
    return found
