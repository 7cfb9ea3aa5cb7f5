"""Earlier versions of secrets in OpenBao and Secrets Manager are listed and restored."""

import json
import secrets
import time

import pytest

from envkit.errors import DeniedError, InvalidReferenceError, NoVersionError
from support.aws import CANARY, ask
from support.aws import ref as key
from support.vault import ref, vault

# ---------------------------------------------------------------- Vault


class Bao:
    """One secret of a server."""

    def __init__(self, server):
        self.server = server
        self.path = f"history-{secrets.token_hex(6)}/db"
        self.ref = ref(f"{self.path}#password")

    def source(self, token=None):
        return vault(self.server.address, token or self.server.root_token, mount="secret")

    def put(self, **fields):
        self.server.put(self.path, fields)

    def fields(self):
        return self.server.ask("GET", f"secret/data/{self.path}")["data"]["data"]

    def metadata(self, action, *versions):
        self.server.ask("POST", f"secret/{action}/{self.path}", {"versions": list(versions)})


@pytest.fixture
def bao(openbao):
    return Bao(openbao)


def states(source, reference):
    """Return version -> state, the newest first."""
    return [(version.version, version.state) for version in source.history(reference)]


def test_vault_history_marks_deleted_and_destroyed_versions(bao):
    for number in range(5):
        bao.put(password=f"{CANARY} {number}")
    bao.metadata("delete", 2)
    bao.metadata("destroy", 3)
    source = bao.source()
    told = ("current", "previous", "destroyed", "deleted", "older")
    assert states(source, bao.ref) == list(zip("54321", told, strict=True))
    for version in ("2", "3"):
        with pytest.raises(NoVersionError, match=f"version {version} was de"):
            source.restore(bao.ref, version, expected="5")
    assert bao.fields() == {"password": f"{CANARY} 4"}


def test_vault_history_has_the_creation_time_of_a_version(bao):
    before = time.time()
    bao.put(password=CANARY)
    [version] = bao.source().history(bao.ref)
    assert before - 2 <= version.created <= time.time() + 2


def test_vault_rollback_restores_a_deleted_secret(bao):
    bao.put(password="one", user="app")
    bao.put(password="two", user="app")
    bao.metadata("delete", 2)
    source = bao.source()
    assert states(source, bao.ref)[0] == ("2", "deleted")
    source.restore(bao.ref, "1", expected="2")
    assert bao.fields() == {"password": "one"}


def test_vault_history_names_the_right_that_a_token_lacks(bao):
    bao.put(password=CANARY)
    policy = bao.server.policy({f"secret/data/{bao.path}": ["read"]})
    with pytest.raises(DeniedError) as caught:
        bao.source(bao.server.token(policy)).history(bao.ref)
    assert caught.value.message == (
        f"cannot read the versions of vault:secret/{bao.path}: permission denied"
    )
    assert f"'secret/metadata/{bao.path}'" in caught.value.hint


# ---------------------------------------------------------------- AWS


def test_aws_rollback_moves_the_label_when_no_other_field_differs(aws):
    first = aws.put("db", json.dumps({"password": "one", "user": "app"}))
    second = aws.put("db", json.dumps({"password": "two", "user": "app"}))
    source = aws.source()
    assert states(source, key("db")) == [(second, "current"), (first, "previous")]
    assert source.restore(key("db", "password"), first, expected=second) == first
    assert aws.labels("db") == {first: {"AWSCURRENT"}, second: {"AWSPREVIOUS"}}
    assert states(source, key("db")) == [(first, "current"), (second, "previous")]


def test_aws_rollback_writes_a_new_version_when_another_field_changed(aws):
    first = aws.put("db", '{"password": "one", "user": "a"}')
    second = aws.put("db", '{"password": "two", "user": "b"}')
    source = aws.source()
    now = source.restore(key("db", "password"), first, expected=second)
    assert now not in (first, second)
    assert json.loads(aws.stored("db")) == {"password": "one", "user": "b"}


@pytest.mark.parametrize(("old", "new"), [("one", "two"), (b"\xff", b"\xfe"), ("one", '{"a": 1}')])
def test_aws_rollback_of_a_whole_secret_moves_the_label(aws, old, new):
    first, second = aws.put("key", old), aws.put("key", new)
    assert aws.source().restore(key("key"), first, expected=second) == first
    raw = old if isinstance(old, bytes) else old.encode()
    assert ask(aws.source(), key("key")).value.to_bytes() == raw


def test_aws_history_leaves_out_a_version_that_was_never_current(aws):
    version = aws.put("db", '{"password": "one"}')
    aws.admin.put_secret_value(
        SecretId=aws.prefix + "db", SecretString=CANARY, VersionStages=["AWSPENDING"]
    )
    assert states(aws.source(), key("db")) == [(version, "current")]


def test_aws_history_lists_older_versions_after_the_previous_one(aws):
    versions = [aws.put("db", f'{{"password": "{number}"}}') for number in range(4)]
    told = ("current", "previous", "older", "older")
    assert states(aws.source(), key("db")) == list(zip(versions[::-1], told, strict=True))


def test_aws_history_names_the_denied_action(aws):
    aws.put("db", CANARY)
    aws.fail("ListSecretVersionIds", "AccessDeniedException", message=CANARY)
    with pytest.raises(DeniedError) as caught:
        aws.source().history(key("db"))
    assert "secretsmanager:ListSecretVersionIds" in caught.value.hint
    assert CANARY not in str(caught.value)


def test_aws_unset_refuses_to_delete_a_whole_secret(aws):
    version = aws.put("key", "one")
    with pytest.raises(InvalidReferenceError, match="envkit does not delete whole secrets"):
        aws.source().write(key("key"), None, expected=version)
    assert aws.stored("key") == "one"
