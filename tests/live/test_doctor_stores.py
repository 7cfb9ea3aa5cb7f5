"""`envkit doctor` at real stores: who is there, as whom we are known, and what is wrong."""

from __future__ import annotations

import os

import pytest

from envkit.doctor import ERROR, OK, examine
from support.aws import ACCOUNT, CANARY, REGION
from support.fault_proxy import respond


@pytest.fixture
def check(project):
    """Examine a profile with these sources; return the checks of the stores."""

    def examined(sources, *, timeout_seconds=15.0, **environ):
        project.profile("prod.toml", sources)
        report = examine(
            ["prod"], timeout_seconds=timeout_seconds, environ={**os.environ, **environ}
        )
        assert CANARY not in repr(report)
        found = {one.source: one for one in report.checks if one.source}
        assert report.healthy is all(one.status == OK for one in found.values())
        return found

    return examined


AWS = """\
[sources.aws]
{settings}
[variables]
A = "{{{{ aws:db#password }}}}"
"""


def test_aws_says_who_we_are_and_reads_no_secret(aws, check):
    found = check(AWS.format(settings=""))["aws"]
    assert found.status == OK
    assert found.message.startswith("botocore ")
    assert f"region {REGION}; logged in as arn:aws:sts::{ACCOUNT}:" in found.message
    assert aws.operations == ["GetCallerIdentity"]


def test_aws_says_which_role_was_assumed(aws, check):
    settings = 'role_arn = "arn:aws:iam::222222222222:role/reader"'
    found = check(AWS.format(settings=settings))["aws"]
    assert "logged in as arn:aws:sts::222222222222:assumed-role/reader/envkit" in found.message
    assert aws.operations == ["AssumeRole", "GetCallerIdentity"]


def test_aws_does_not_take_the_credentials(aws, check):
    body = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>"
        f"<Message>{CANARY}</Message></Error></ErrorResponse>"
    )
    aws.proxy.fault(respond(403, body, {"Content-Type": "text/xml"}))
    found = check(AWS.format(settings=""))["aws"]
    assert found.status == ERROR
    assert found.message.startswith("cannot use aws: ")
    assert found.hint
