"""Sessions of boto3 with `envkit.integrations.boto3`, while their access key is rotated."""

import botocore.config
import botocore.exceptions
import pytest

import envkit
from envkit.integrations import boto3
from envkit.rotation.outcome import OutcomeStatus
from support.aws import REGION
from support.rotating import DAY, Rotating, table
from support.rotators import IamHarness

pytestmark = pytest.mark.usefixtures("trusted")

PROFILE = """
[sources.dotenv]
poll = "1h"          # so that only a refused request finds a change

[variables]
AWS_ACCESS_KEY_ID = "{{{{ AWS_ACCESS_KEY_ID }}}}"
AWS_SECRET_ACCESS_KEY = "{{{{ AWS_SECRET_ACCESS_KEY }}}}"
TOKEN = "made up"

{rotation}
"""


class Deploy:
    """An IAM user whose key is in `.env.prod`, and the rotation of that key."""

    def __init__(self, project, aws):
        self.project = project
        self.harness = IamHarness(aws)
        target = f'target = {{ user = "{self.harness.user}" }}'
        lines = ('grace = "1h"', 'retire_when = "grace"', target)
        rotation = table("key", "AWS_SECRET_ACCESS_KEY", *lines, rotator="aws-iam-key")
        project.profile("prod.toml", PROFILE.format(rotation=rotation))
        key = {name: value.reveal() for name, value in self.harness.current().items()}
        self.write(key["access_key_id"], key["secret_access_key"])
        self._rotating = Rotating(project.profiles, aws.environ)

    def write(self, key, secret):
        text = f"AWS_ACCESS_KEY_ID={key}\nAWS_SECRET_ACCESS_KEY={secret}\n"
        self.project.dotenv("prod", text)

    def rotate(self):
        """Create a new key, and make the old one inactive."""
        assert self._rotating.run("rotate").status == OutcomeStatus.IN_GRACE
        self._rotating.now += DAY
        assert self._rotating.run().status == OutcomeStatus.ROTATED

    def client(self, session, service="sts", **more):
        return session.client(service, endpoint_url=self.harness.server_url, **more)


@pytest.fixture
def deploy(project, aws):
    return Deploy(project, aws)


@pytest.mark.parametrize(
    ("mode", "service", "operation"),
    [
        ("legacy", "sts", "get_caller_identity"),
        ("standard", "secretsmanager", "list_secrets"),  # its errors are JSON
        ("adaptive", "sts", "get_caller_identity"),
    ],
)
def test_no_request_fails_when_its_key_is_replaced(deploy, mode, service, operation):
    session = boto3.session(envkit.live("prod"), region_name=REGION)
    config = botocore.config.Config(retries={"mode": mode})
    call = getattr(deploy.client(session, service, config=config), operation)
    call()
    deploy.rotate()
    call()


def test_requests_fail_after_a_rotation_with_a_fixed_key(deploy):
    """The control: the endpoint refuses a key that was replaced."""
    found = boto3.session(envkit.live("prod")).get_credentials().get_frozen_credentials()
    fixed = boto3.boto3.Session(found.access_key, found.secret_key, region_name=REGION)
    client = deploy.client(fixed)
    client.get_caller_identity()
    deploy.rotate()
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
        client.get_caller_identity()


def test_a_request_that_stays_refused_is_an_error_of_aws(deploy):
    live = envkit.live("prod")
    client = deploy.client(boto3.session(live, region_name=REGION))
    for key in list(deploy.harness.keys()):
        deploy.harness.iam.update_access_key(
            UserName=deploy.harness.user, AccessKeyId=key, Status="Inactive"
        )
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
        client.get_caller_identity()


def test_another_error_asks_no_store(project, aws, deploy):
    live = envkit.live("prod")
    client = deploy.client(boto3.session(live, region_name=REGION), "secretsmanager")
    read_at = live.snapshot().read_at
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId="no-such-secret")
    assert live.snapshot().read_at == read_at


def test_id_secret_and_token_come_from_one_read(deploy):
    live = envkit.live("prod")
    credentials = boto3.session(live, token="TOKEN").get_credentials()
    before = credentials.get_frozen_credentials()
    deploy.write("AKIA-NEW", "new")
    assert next(live.newer(live.snapshot(), ["AWS_ACCESS_KEY_ID"]))
    assert before != credentials.get_frozen_credentials()
    assert tuple(credentials.get_frozen_credentials())[:3] == ("AKIA-NEW", "new", "made up")
    assert (credentials.access_key, credentials.secret_key) == ("AKIA-NEW", "new")
    assert credentials.token == "made up"


def test_credentials_of_the_process_are_not_used(deploy, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-process")
    session = boto3.session(envkit.live("prod"))
    assert session.get_credentials().method == "envkit"
    assert session.get_credentials().access_key != "of-the-process"


def test_nothing_that_is_printed_shows_the_key(deploy):
    session = boto3.session(envkit.live("prod"), region_name=REGION)
    credentials = session.get_credentials()
    shown = f"{session!r} {credentials!r} {vars(credentials)} {deploy.client(session)!r}"
    assert credentials.secret_key not in shown
