"""Earlier versions of secrets in OpenBao and Secrets Manager: told, and brought back."""

import json
import secrets
import time

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import DeniedError, InvalidReferenceError, NoVersionError
from envkit.profile.placeholder import Reference
from envkit.sources.model import SourceContext
from envkit.sources.vault.source import VaultSource

CANARY = "canary-5c90d1"


# ---------------------------------------------------------------- Vault


class Bao:
    """One secret of a server."""

    def __init__(self, server, token=None):
        self.server = server
        self.path = f"history-{secrets.token_hex(6)}/db"
        self.ref = Reference("vault", self.path, "password")
        self.user = Reference("vault", self.path, "user")

    def source(self, token=None):
        settings = {
            "address": self.server.address,
            "mount": "secret",
            "auth": {"token": token or self.server.root_token},
        }
        return VaultSource(SourceContext("vault", settings=settings, deadline=Deadline(20)))

    def put(self, **fields):
        self.server.put(self.path, fields)

    def fields(self):
        return self.server.ask("GET", f"secret/data/{self.path}")["data"]["data"]

    def metadata(self, action, *versions):
        self.server.ask("POST", f"secret/{action}/{self.path}", {"versions": list(versions)})


@pytest.fixture
def bao(openbao):
    return Bao(openbao)


def states(source, ref):
    return [(version.version, version.state) for version in source.history(ref)]


def test_vault_tells_what_was_deleted_and_destroyed(bao):
    for number in range(5):
        bao.put(password=f"{CANARY} {number}")
    bao.metadata("delete", 2)
    bao.metadata("destroy", 3)
    source = bao.source()
    assert states(source, bao.ref) == [
        ("5", "current"),
        ("4", "previous"),
        ("3", "destroyed"),
        ("2", "deleted"),
        ("1", "older"),
    ]
    for version in ("2", "3"):
        with pytest.raises(NoVersionError, match=f"version {version} was de"):
            source.restore(bao.ref, version, expected="5")
    assert bao.fields() == {"password": f"{CANARY} 4"}


def test_vault_tells_when(bao):
    before = time.time()
    bao.put(password=CANARY)
    [version] = bao.source().history(bao.ref)
    assert before - 2 <= version.created <= time.time() + 2


def test_vault_a_secret_that_was_deleted_comes_back_with_its_value(bao):
    bao.put(password="one", user="app")
    bao.put(password="two", user="app")
    bao.metadata("delete", 2)
    source = bao.source()
    assert states(source, bao.ref)[0] == ("2", "deleted")
    source.restore(bao.ref, "1", expected="2")
    assert bao.fields() == {"password": "one"}


def test_vault_a_token_that_may_not_read_the_metadata_is_told_what_it_lacks(bao):
    bao.put(password=CANARY)
    policy = bao.server.policy({f"secret/data/{bao.path}": ["read"]})
    with pytest.raises(DeniedError) as caught:
        bao.source(bao.server.token(policy)).history(bao.ref)
    assert caught.value.message == (
        f"cannot read the versions of vault:secret/{bao.path}: permission denied"
    )
    assert f"'secret/metadata/{bao.path}'" in caught.value.hint


# ---------------------------------------------------------------- AWS


def key(name, field=None):
    return Reference("aws", name, field)


def test_aws_moves_the_label_back_where_nothing_else_differs(aws):
    first = aws.put("db", json.dumps({"password": "one", "user": "app"}))
    second = aws.put("db", json.dumps({"password": "two", "user": "app"}))
    source = aws.source()
    assert states(source, key("db")) == [(second, "current"), (first, "previous")]
    assert source.restore(key("db", "password"), first, expected=second) == first
    assert aws.labels("db") == {first: {"AWSCURRENT"}, second: {"AWSPREVIOUS"}}
    assert states(source, key("db")) == [(first, "current"), (second, "previous")]


def test_aws_writes_a_new_version_where_another_field_has_changed(aws):
    first = aws.put("db", '{"password": "one", "user": "a"}')
    second = aws.put("db", '{"password": "two", "user": "b"}')
    source = aws.source()
    now = source.restore(key("db", "password"), first, expected=second)
    assert now not in (first, second)
    assert json.loads(aws.stored("db")) == {"password": "one", "user": "b"}


@pytest.mark.parametrize(("old", "new"), [("one", "two"), (b"\xff", b"\xfe"), ("one", '{"a": 1}')])
def test_aws_a_whole_secret_comes_back_by_its_label(aws, old, new):
    first, second = aws.put("key", old), aws.put("key", new)
    assert aws.source().restore(key("key"), first, expected=second) == first
    raw = old if isinstance(old, bytes) else old.encode()
    assert aws.source().fetch([key("key")])[key("key")].value.to_bytes() == raw


def test_aws_a_version_that_was_never_current_is_no_history(aws):
    version = aws.put("db", '{"password": "one"}')
    aws.admin.put_secret_value(
        SecretId=aws.prefix + "db", SecretString=CANARY, VersionStages=["AWSPENDING"]
    )
    assert states(aws.source(), key("db")) == [(version, "current")]


def test_aws_older_versions_come_after_the_previous_one(aws):
    versions = [aws.put("db", f'{{"password": "{number}"}}') for number in range(4)]
    assert states(aws.source(), key("db")) == [
        (versions[3], "current"),
        (versions[2], "previous"),
        (versions[1], "older"),
        (versions[0], "older"),
    ]


def test_aws_denied_is_told_by_its_action(aws):
    aws.put("db", CANARY)
    aws.fail("ListSecretVersionIds", "AccessDeniedException", message=CANARY)
    with pytest.raises(DeniedError) as caught:
        aws.source().history(key("db"))
    assert "secretsmanager:ListSecretVersionIds" in caught.value.hint
    assert CANARY not in str(caught.value)


def test_aws_a_whole_secret_is_not_deleted(aws):
    version = aws.put("key", "one")
    with pytest.raises(InvalidReferenceError, match="envkit deletes none"):
        aws.source().write(key("key"), None, expected=version)
    assert aws.stored("key") == "one"
