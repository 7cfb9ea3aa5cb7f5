"""The keys of the agent's memory: digests under a random key of one agent process.

A question has a *shape*: all of it but the timeout, `--pristine` and, unless it is the hook, the
command. For each shape the agent knows which variables of the client its answer depends on. An
entry is identified by the shape and their values; a token is among them, and only its digest
remains.
"""

from __future__ import annotations

import os

from envkit.agent.wire import pack, patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from hashlib import blake2b

    from envkit.agent.question import Question
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
    *(b"NETRC", b"HOSTALIASES", b"LOCALDOMAIN", b"RES_OPTIONS", b"OPENSSL_CONF"),
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
        """Return the key of what a question asks for, without the client's variables."""
        return self._digest(question.selection())

    def entry(self, shape: bytes, variables: Mapping[bytes, bytes]) -> bytes:
        """Return the key of an answer for a client with these variables."""
        pairs = (one for pair in sorted(variables.items()) for one in pair)
        return self._digest([shape, *pairs])

    def _digest(self, items: Iterable[bytes]) -> bytes:
        return blake2b(pack(items), key=self._secret, digest_size=32).digest()


def unasked(names: Iterable[str], wanted: Iterable[bytes]) -> list[bytes]:
    """Return the variables that are not among those that the client was asked for."""
    exact, beginnings, endings = patterns(wanted)
    found = [name.encode("utf-8", "surrogateescape") for name in sorted(names)]
    return [
        one
        for one in found
        if one not in exact and not one.startswith(beginnings) and not one.lower().endswith(endings)
    ]
