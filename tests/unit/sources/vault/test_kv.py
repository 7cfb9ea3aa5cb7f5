"""What a path means in a key-value engine; how secrets are read is in tests/live."""

import pytest

from envkit.errors import InvalidReferenceError
from envkit.sources.vault.kv import Engine, SecretVersion, Target, denied, doubt, target

SECOND, FIRST, UNKNOWN = Engine("secret", 2), Engine("kv1", 1), Engine("kv", None)
PKI = Engine("pki", None, "pki")


@pytest.mark.parametrize(
    ("path", "serves"),
    [("secret/db", True), ("secret", True), ("secrets/db", False), ("team/secret/db", False)],
)
def test_an_engine_serves_the_paths_below_its_mount(path, serves):
    assert SECOND.serves(path) is serves


@pytest.mark.parametrize(
    ("engine", "path", "below", "shown"),
    [
        (SECOND, "secret/app/db", "app/db", "vault:secret/app/db"),
        (SECOND, "secret/data/app/db", "app/db", "vault:secret/app/db"),
        (SECOND, "secret/data/data/x", "data/x", "vault:secret/data/data/x"),
        (FIRST, "kv1/data/db", "data/db", "vault:kv1/data/db"),
        (UNKNOWN, "kv/data/db", "data/db", "vault:kv/data/db"),
        (Engine("old", 1, "generic"), "old/db", "db", "vault:old/db"),
    ],
)
def test_only_version_2_treats_data_in_a_path_specially(engine, path, below, shown):
    found = target(engine, path, None, "vault")
    assert (found.path, found.locate()) == (below, shown)


@pytest.mark.parametrize(
    ("engine", "mount", "doubtful"),
    [
        (SECOND, "secret/app", True),
        (SECOND, "secret/app/data", True),
        (FIRST, "kv1/app", True),
        (FIRST, "kv1/data", True),
        (SECOND, "secret", False),
        (SECOND, "secret/data", False),
        (SECOND, "", False),
        (Engine("secret/app", 2), "secret", False),
        (UNKNOWN, "kv/app", False),
    ],
)
def test_an_absence_is_in_doubt_where_the_mount_of_the_settings_is_only_a_path(
    engine, mount, doubtful
):
    said = doubt(engine, mount)
    wanted = f"nothing is mounted at '{mount}', only at '{engine.mount}'"
    assert said == (wanted if doubtful else "")


def test_a_location_includes_version_and_field():
    found = target(SECOND, "secret/db", "3", "vault-eu")
    assert found.locate("password") == "vault-eu:secret/db?version=3#password"


@pytest.mark.parametrize(
    ("engine", "path", "version", "message"),
    [
        (PKI, "pki/ca", None, "vault:pki/ca is in the 'pki' engine at 'pki'"),
        (SECOND, "secret/", None, "vault:secret/ is a mount and names no secret"),
        (SECOND, "secret/data/", None, "vault:secret/data/ is a mount and names no secret"),
        (FIRST, "kv1/db", "3", "vault:kv1/db?version=3: KV version 1 does not store versions"),
    ],
)
def test_a_path_that_the_engine_cannot_have_is_refused(engine, path, version, message):
    with pytest.raises(InvalidReferenceError) as caught:
        target(engine, path, version, "vault")
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("engine", "path", "rule"),
    [
        (SECOND, "db", "'secret/data/db'"),
        (FIRST, "db", "'kv1/db'"),
        (UNKNOWN, "db", "'kv/data/db' (KV version 2) or 'kv/db' (version 1)"),
        (UNKNOWN, "data/db", "'kv/data/db' (KV version 2) or 'kv/data/db' (version 1)"),
    ],
)
@pytest.mark.parametrize(
    ("capability", "verb"), [("read", "read"), ("update", "write"), ("create", "write")]
)
def test_a_denied_token_gets_the_rule_that_its_policy_needs(engine, path, rule, capability, verb):
    error = denied(Target(engine, path, None, "vault"), capability)
    assert error.message == f"cannot {verb} vault:{engine.mount}/{path}: permission denied"
    assert error.hint == f"allow '{capability}' on {rule} in the token's policy"


def test_the_repr_of_a_secret_version_shows_no_value():
    assert repr(SecretVersion({"password": "canary"}, "3")) == "Document(version 3)"
