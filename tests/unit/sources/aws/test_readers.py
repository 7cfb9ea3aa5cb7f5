"""Policies of AWS: what they grant on a secret; `tests/live/test_access.py` asks a server."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from envkit.sources.aws.readers.statements import denied, granted, principals, statements

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-Ab12Cd"
GET = "secretsmanager:GetSecretValue"


def allow(**more):
    return {"Effect": "Allow", "Action": GET, "Resource": "*", **more}


def deny(**more):
    return allow(Effect="Deny", **more)


def known(*some, policy="readers"):
    return statements({"Version": "2012-10-17", "Statement": list(some)}, policy)


@pytest.mark.parametrize(
    ("some", "rights"),
    [
        ([], ()),
        ([allow()], ("read",)),
        ([allow(Action="secretsmanager:*")], ("read", "write", "delete")),
        ([allow(Action=["s3:GetObject", "SECRETSMANAGER:getsecret*"])], ("read",)),
        ([allow(Action="*")], ("read", "write", "delete")),
        ([allow(Action="secretsmanager:GetSecretValu?")], ("read",)),
        ([allow(Resource=ARN)], ("read",)),
        ([allow(Resource=f"{ARN[:-7]}-??????")], ("read",)),
        ([allow(Resource=["arn:aws:s3:::x", f"{ARN[:-7]}*"])], ("read",)),
        ([allow(Resource=ARN.replace("shop", "other"))], ()),
        ([allow(Resource=f"{ARN[:-7]}")], ()),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], ("read", "write", "delete")),
        ([{"Effect": "Allow", "Action": GET, "NotResource": ARN}], ()),
        ([allow(), deny()], ()),
        ([allow(), deny(Resource=ARN.replace("shop", "other"))], ("read",)),
        ([allow(Action="secretsmanager:*"), deny()], ("write", "delete")),
        ([allow(Action="secretsmanager:UpdateSecret")], ("write",)),
        ([allow(), deny(Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})], ("read",)),
    ],
)
def test_statements_grant_what_they_allow_and_none_denies(some, rights):
    found = granted(known(*some), ARN)
    assert (() if found is None else found.rights) == rights


@pytest.mark.parametrize(
    ("some", "conditional"),
    [
        ([allow()], False),
        ([allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], True),
        ([allow(Resource="arn:aws:secretsmanager:*:*:secret:${aws:PrincipalTag/team}/*")], True),
        ([allow(), allow(Condition={"Bool": {"aws:SecureTransport": "true"}})], False),
        ([allow(), deny(Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})], True),
    ],
)
def test_a_grant_that_depends_on_the_request_is_marked(some, conditional):
    found = granted(known(*some), ARN)
    assert found is not None
    assert found.is_conditional is conditional
    assert found.policies == ("readers",)


def test_a_document_is_read_as_text_as_url_encoded_text_and_with_one_statement():
    text = json.dumps({"Statement": allow()})
    for document in (text, quote(text), json.loads(text)):
        assert [one.content for one in statements(document, "p")] == [allow()]


@pytest.mark.parametrize("document", ["", "[]", "{", '{"Statement": "x"}', '{"Statement": [1]}'])
def test_a_document_that_is_not_a_policy_is_an_error(document):
    with pytest.raises(ValueError, match=r"."):
        statements(document, "p")


def test_principals_are_arns_services_and_everyone():
    assert principals("*") == ["*"]
    assert principals({"AWS": ["arn:1", "arn:2"], "Service": "ec2.amazonaws.com"}) == [
        *("arn:1", "arn:2"),
        "ec2.amazonaws.com",
    ]
    assert principals(None) == []


@pytest.mark.parametrize(
    ("statement", "is_denied"),
    [
        (deny(Principal="*"), True),
        (deny(Principal={"AWS": "arn:1"}), True),
        (deny(Principal={"AWS": "arn:2"}), False),
        (deny(Principal="*", Action="secretsmanager:DeleteSecret"), False),
        (deny(Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}), False),
        (deny(NotPrincipal={"AWS": "arn:1"}), False),
        (allow(Principal="*"), False),
    ],
)
def test_the_policy_of_a_secret_denies_whom_it_names(statement, is_denied):
    assert denied(known(statement), "arn:1", "read") is is_denied
