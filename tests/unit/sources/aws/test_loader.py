"""The lean loader builds the same clients as botocore's own."""

import json

import pytest
from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from envkit.sources.aws.loader import lean_loader

CALLS = {
    "secretsmanager": ("get_secret_value", {"SecretId": "x"}),
    "sts": ("get_caller_identity", {}),
    "sso": ("get_role_credentials", {"roleName": "x", "accountId": "x", "accessToken": "x"}),
    "sso-oidc": ("create_token", {"clientId": "x", "clientSecret": "x", "grantType": "x"}),
}
PARTITIONS = Loader().load_data("partitions")["partitions"]
REGIONS = [partition["outputs"]["implicitGlobalRegion"] for partition in PARTITIONS]
VARIANTS = {
    "plain": {},
    "fips": {"use_fips_endpoint": True},
    "dual-stack": {"use_dualstack_endpoint": True},
    "both": {"use_fips_endpoint": True, "use_dualstack_endpoint": True},
}


class SentError(Exception):
    """Intercepts a request before it is sent."""


@pytest.fixture(scope="module")
def sessions():
    """Return a session of botocore's own, and one with our loader."""
    lean = Session()
    lean.register_component("data_loader", lean_loader(None))
    return Session(), lean


def request_of(session, service, region, variant):
    """Return the URL of a call of the service, and the scope of its signature."""
    sent = []

    def stop(request, **_):
        scope = request.headers.get("Authorization", b"").split(b",")[0]
        sent.append((request.url, scope))
        raise SentError

    client = session.create_client(
        service,
        region_name=region,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(**variant),
    )
    client.meta.events.register("before-send", stop)
    operation, parameters = CALLS[service]
    with pytest.raises(SentError):
        getattr(client, operation)(**parameters)
    [request] = sent
    return request


# AWS has no dual-stack endpoints in its isolated partitions; botocore knows two of them
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("service", CALLS)
def test_the_lean_loader_sends_the_same_requests_in_every_partition(sessions, service, variant):
    options = VARIANTS[variant]
    regions = ["us-east-1", "eu-west-1", "xx-new-1", *REGIONS]
    if "use_dualstack_endpoint" in options:
        regions = [region for region in regions if "-iso" not in region]
    usual, lean = (
        {region: request_of(session, service, region, options) for region in regions}
        for session in sessions
    )
    assert lean == usual


def test_endpoints_of_the_user_have_priority(tmp_path):
    own = {"version": 3, "partitions": []}
    (tmp_path / "endpoints.json").write_text(json.dumps(own))
    data, path = lean_loader(str(tmp_path)).load_data_with_path("endpoints")
    assert data == own
    assert path == str(tmp_path / "endpoints")


def test_unexpected_partition_data_is_left_to_botocore(tmp_path):
    (tmp_path / "partitions.json").write_text('{"partitions": [{"id": "aws"}]}')
    loader = lean_loader(str(tmp_path))
    usual = Loader().load_data_with_path("endpoints")
    assert loader.load_data_with_path("endpoints") == usual
