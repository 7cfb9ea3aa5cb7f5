"""The JSON of a backup: nothing is lost, a person can read it, and anything else is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.backup.errors import BackupDamagedError
from envkit.backup.format import EnvironmentBackup, Failed, LeftOut, decode, encode
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from support.backups import backup_of, saved

CANARY = "canary-77ad"
PROD = EnvironmentBackup(
    "prod",
    {"prod.toml": "[variables]\n"},
    (
        saved("vault:db#password", CANARY),
        saved("vault:db?version=3#password"),
        saved("dotenv:#A", None),
    ),
    (LeftOut(("PG",), Reference("vault", "database/creds/app", "username"), "vault:x", "dynamic"),),
    (Failed(("KEY", "URL"), "vault:kv/key", "access-denied", "permission denied"),),
)


def test_a_backup_is_the_same_after_it_was_encoded_and_decoded():
    backup = backup_of(PROD, EnvironmentBackup("dev", {}, ()))
    assert decode(encode(backup)) == backup


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_every_value_survives_byte_for_byte(raw):
    value = Secret(raw.decode("utf-8", "surrogateescape"))
    one = saved("vault:a#b")._replace(value=value)
    [found] = decode(encode(backup_of(EnvironmentBackup("prod", {}, (one,))))).secrets()
    assert found.value == value


@given(st.text())
def test_every_text_that_json_permits_survives(text):
    one = saved("vault:a#b", text)
    [found] = decode(encode(backup_of(EnvironmentBackup("prod", {}, (one,))))).secrets()
    assert found.value.reveal() == text


def test_a_person_finds_a_value_by_its_variable_and_its_place():
    document = json.loads(encode(backup_of(PROD)))
    assert document["envkit-backup"] == 1
    assert document["created"] == "2026-11-30T02:00:00Z"
    assert document["environments"][0]["secrets"][0] == {
        "names": ["NAME"],
        "where": "vault:db#password",
        "store": "vault",
        "source": "vault",
        "path": "db",
        "field": "password",
        "found_version": "7",
        "value": CANARY,
    }


def test_a_value_that_is_not_text_is_stored_as_base64():
    one = saved("vault:a#b")._replace(value=Secret.from_bytes(b"\xff\x00"))
    text = encode(backup_of(EnvironmentBackup("prod", {}, (one,))))
    assert b'"value_base64": "/wA="' in text


def test_a_backup_shows_no_value_when_it_is_printed():
    backup = backup_of(PROD)
    assert CANARY not in f"{backup!r} {backup.environments[0].secrets!r}"


def changed(**keys):
    return {**json.loads(encode(backup_of(PROD))), **keys}


TWICE = changed()["environments"] * 2
SAME = [{**TWICE[0]["secrets"][0], "value": value} for value in ("a", "b")]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("text", "not a backup of envkit"),
        ([], "not a backup of envkit"),
        ({"a": 1}, "not a backup of envkit"),
        (changed(**{"envkit-backup": 2}), "has version 2; this version of envkit reads 1"),
        (changed(**{"envkit-backup": CANARY}), "has version unknown"),
        (changed(created=CANARY), "not a valid backup"),
        (changed(host=3), "not a valid backup"),
        (changed(environments=[{"name": CANARY}]), "not a valid backup"),
        (changed(environments=[]), "not a valid backup"),
        (changed(environments={}), "not a valid backup"),
        (changed(environments=TWICE), "not a valid backup"),
        (changed(environments=[{**TWICE[0], "name": "\ud800"}]), "not a valid backup"),
        (changed(environments=[{**TWICE[0], "profiles": {"\ud800": ""}}]), "not a valid backup"),
        (changed(environments=[{**TWICE[0], "profiles": {"a": "\ud800"}}]), "not a valid backup"),
        (changed(environments=[{**TWICE[0], "secrets": SAME}]), "not a valid backup"),
        (changed(created="9999-12-31T23:59:59-14:00"), "not a valid backup"),
        (changed(created="0001-01-01T00:00:00+14:00"), "not a valid backup"),
        (changed(**{"envkit-backup": True}), "has version unknown"),
        (changed(**{"envkit-backup": 1.0}), "has version unknown"),
        (changed(environments=[CANARY]), "not a valid backup"),
    ],
)
def test_another_document_is_refused_without_quoting_it(document, told):
    data = json.dumps(document).encode()
    with pytest.raises(BackupDamagedError, match=told) as raised:
        decode(data)
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"{"])
def test_data_that_is_not_json_is_refused(data):
    with pytest.raises(BackupDamagedError):
        decode(data)
