"""Which secrets cannot be written, before a server is asked; the writes are in tests/live."""

import pytest

from envkit.errors import DeniedError, InvalidReferenceError, InvalidValueError
from envkit.sources.vault.kv import Engine, Target
from envkit.sources.vault.write import refuse_unwritable

PLACE = "vault:secret/db#password"


def secret(version):
    return Target(Engine("secret", version), "db", None, "vault")


@pytest.mark.parametrize("value", ["", "text", "\u00e9\n", None])
def test_text_can_be_written_to_version_2(value):
    refuse_unwritable(secret(2), PLACE, value)


@pytest.mark.parametrize(
    ("version", "value", "kind", "message", "hint"),
    [
        (
            None,
            "x",
            DeniedError,
            "the server does not say which version its engine has",
            "allow 'read' on 'sys/internal/ui/mounts/secret' in the policy",
        ),
        (
            1,
            "x",
            InvalidReferenceError,
            "KV version 1 has no compare-and-set",
            "run: vault kv enable-versioning secret",
        ),
        (
            2,
            "canary\udcff",
            InvalidValueError,
            "the value is not UTF-8, and Vault stores text",
            "store it as base64, and read it with '| base64decode'",
        ),
    ],
)
def test_an_impossible_write_is_refused_without_showing_the_value(
    version, value, kind, message, hint
):
    with pytest.raises(kind) as caught:
        refuse_unwritable(secret(version), PLACE, value)
    assert caught.value.message == f"cannot write {PLACE}: {message}"
    assert caught.value.hint == hint
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
