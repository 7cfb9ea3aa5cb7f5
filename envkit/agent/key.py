"""The keys of the agent's memory: digests under a random key of one agent process.

A question has a *shape*: all of it but the timeout. For each shape the agent knows which
variables of the client its answer depends on. An entry is identified by the shape and their
values; a token is among them, and only its digest remains.
"""

from __future__ import annotations

import os

from envkit.agent.wire import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from hashlib import blake2b

    from envkit.agent.wire import Question
else:
    try:  # `hashlib` loads OpenSSL: 4 MB
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b

# decides which profile is meant, and whether it is trusted
ALWAYS = (
    *(b"ENVKIT_ENV", b"ENVKIT_PROFILES", b"ENVKIT_TRUST"),
    *(b"HOME", b"XDG_CONFIG_HOME", b"XDG_STATE_HOME"),
)
# what the clients of each type of source may read
_NETWORK = (
    *(b"*_PROXY", b"REQUESTS_CA_BUNDLE", b"CURL_CA_BUNDLE", b"SSL_CERT_FILE", b"SSL_CERT_DIR"),
    b"NETRC",
)
OF_TYPES: Mapping[str, tuple[bytes, ...]] = {
    "vault": (b"VAULT_*", b"BAO_*", *_NETWORK),
    "aws-secrets-manager": (b"AWS_*", b"BOTO_*", *_NETWORK),
    "dotenv": (),
    "env": (),
    "memory": (),
}


class Keys:
    """Makes digests, which are equal only within one process."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)

    def shape(self, question: Question) -> bytes:
        """Return the key of what a question asks for, whoever asks."""
        return self._digest(question.items()[:-1])

    def entry(self, shape: bytes, variables: Mapping[bytes, bytes]) -> bytes:
        """Return the key of an answer for a client with these variables."""
        pairs = (one for pair in sorted(variables.items()) for one in pair)
        return self._digest([shape, *pairs])

    def _digest(self, items: Iterable[bytes]) -> bytes:
        return blake2b(pack(items), key=self._secret, digest_size=32).digest()


def is_asked(name: str, wanted: Iterable[bytes]) -> bool:
    """Return whether a variable is among those that the client was asked for."""
    data = name.encode("utf-8", "surrogateescape")
    for one in wanted:
        if one.endswith(b"*"):
            if data.startswith(one[:-1]):
                return True
        elif one.startswith(b"*"):
            if data.lower().endswith(one[1:].lower()):
                return True
        elif data == one:
            return True
    return False
