"""An AWS endpoint over HTTP: moto in a subprocess, with a separate fault proxy for each test.

    def test_something(aws):
        aws.put("db", '{"password": "x"}')
        aws.source().fetch([Reference("aws", "db", "password")])
        assert aws.operations == ["GetSecretValue"]

One server serves a whole test process. Names are unique to a test by their prefix, so
nothing has to be reset. The process environment has credentials, a region and the
endpoint (Secrets Manager and STS), and nothing of this machine's own AWS configuration.
"""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import InvalidReferenceError, SourceError
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.aws.source import AwsSecretsManagerSource
from envkit.sources.model import Reading, SourceContext
from support.fault_proxy import FaultProxy, respond

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's, for credentials that it knows nothing about
_SERVER = os.path.join(os.path.dirname(__file__), "moto_server.py")


@contextmanager
def moto_running():
    """Yield the URL of a server that is stopped afterwards, whatever happens."""
    with subprocess.Popen(
        [sys.executable, _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = server.stdout.readline().strip()
            assert port, "the moto server did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stdin.close()
            server.wait()


@pytest.fixture(scope="session")
def moto_url():
    """Start the server for this test process."""
    with moto_running() as url:
        yield url


@pytest.fixture(scope="session")
def aws_admin(moto_url):
    """Return a client that changes the store directly, not through the source."""
    return admin_client(moto_url)


def admin_client(url, service="secretsmanager", **credentials):
    credentials = credentials or {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
    return _session().client(service, endpoint_url=url, **credentials)


@cache
def _session():
    """One session for all clients, so that it reads the models of the services once."""
    import boto3

    return boto3.session.Session(region_name=REGION)


@pytest.fixture
def aws(moto_url, aws_admin, monkeypatch, tmp_path):
    """Give one test its own part of the store."""
    with FaultProxy(moto_url) as proxy:
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Aws(proxy, aws_admin, environment)


class Aws:
    """The store, and the requests that it got; `environ` points envkit to it."""

    def __init__(self, proxy, admin, environ):
        self.proxy = proxy
        self.admin = admin
        self.environ = environ
        self.prefix = f"{uuid4()}/"

    def source(self, *, timeout_seconds=15.0, **settings):
        context = SourceContext(
            "aws",
            deadline=Deadline(timeout_seconds),
            settings={"prefix": self.prefix, **settings},
        )
        return AwsSecretsManagerSource(context)

    def put(self, name, value):
        """Store a string or bytes as the current value, and return its version."""
        content = {"SecretBinary" if isinstance(value, bytes) else "SecretString": value}
        try:
            return self.admin.create_secret(Name=self.prefix + name, **content)["VersionId"]
        except self.admin.exceptions.ResourceExistsException:
            put = self.admin.put_secret_value(SecretId=self.prefix + name, **content)
            return put["VersionId"]

    def put_many(self, count):
        """Create secrets `s0`, `s1` and so on; return the expected value of a reference to each."""
        for number in range(count):
            self.put(f"s{number}", str(number))
        return {ref(f"s{number}"): str(number) for number in range(count)}

    def arn(self, name):
        return self.admin.describe_secret(SecretId=self.prefix + name)["ARN"]

    def stored(self, name):
        """Return the current string of a secret."""
        return self.admin.get_secret_value(SecretId=self.prefix + name)["SecretString"]

    def labels(self, name):
        """Return the staging labels of a secret's versions."""
        described = self.admin.describe_secret(SecretId=self.prefix + name)
        return {version: set(labels) for version, labels in described["VersionIdsToStages"].items()}

    @property
    def operations(self):
        """The operations that passed the proxy, in order: `GetSecretValue`, `AssumeRole`."""
        return [operation(request) for request in self.proxy.requests]

    def requests_for(self, name):
        return [request for request in self.proxy.requests if operation(request) == name]

    def fail(self, name, code, *, status=400, message="", times=None, secret=None):
        """Make an operation fail with an error of AWS, for one secret or for all."""
        body = json.dumps({"__type": code, "message": message})

        def when(request):
            concerned = secret is None or names(request) == [self.prefix + secret]
            return operation(request) == name and concerned

        self.proxy.fault(respond(status, body, _JSON), when=when, times=times)

    def deny(self, name, *, code="AccessDeniedException", message=""):
        """Deny one secret, whether it is read alone or in a batch; allow all others."""
        self.fail("GetSecretValue", code, secret=name, message=message)
        self.refuse_in_batch(name, code=code, message=message)

    def refuse_in_batch(self, name, *, code="AccessDeniedException", message=""):
        """List one secret under the errors of every batch."""
        full_name = self.prefix + name

        def fault(exchange):
            answer = exchange.ask_upstream()
            page = json.loads(answer.body)
            page["SecretValues"] = [v for v in page["SecretValues"] if v["Name"] != full_name]
            page["Errors"] += [{"SecretId": full_name, "ErrorCode": code, "Message": message}]
            respond(200, json.dumps(page), _JSON)(exchange)

        self.proxy.fault(
            fault,
            when=lambda r: operation(r) == "BatchGetSecretValue" and full_name in names(r),
        )


_JSON = {"Content-Type": "application/x-amz-json-1.1"}


def xml_error(code):
    """Answer as STS does when it refuses."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{CANARY}</Message></Error>"
    body = f"<ErrorResponse>{error}</ErrorResponse>"
    return respond(403, body, {"Content-Type": "text/xml"})


def operation(request):
    if request.target:
        return request.target.partition(".")[2]
    return parameters(request)["Action"]


def parameters(request):
    """Return the parameters of a request: a form for STS, JSON for Secrets Manager."""
    if request.target:
        return json.loads(request.body)
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def names(request):
    """Return the secrets that a request names."""
    asked = parameters(request)
    return asked.get("SecretIdList") or [asked.get("SecretId") or asked.get("Name")]


CANARY = "canary-7d1e"  # a part of values and of AWS's own messages; no error may show it


def ref(path, field=None, *, version=None, stage=None):
    return Reference("aws", path, field, version, stage)


def ask(source, reference):
    return source.fetch([reference])[reference]


def value(source, reference):
    outcome = ask(source, reference)
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


def read(source, wanted):
    """Fetch references, check that each has its text, and return the outcomes."""
    outcomes = source.fetch(wanted)
    assert {one: outcomes[one].value.reveal() for one in wanted} == wanted
    return outcomes


def failure(source, reference, kind=(SourceError, InvalidReferenceError)):
    """Return the error of a fetch, of the store or of the reference."""
    try:
        outcome = ask(source, reference)
    except SourceError as error:
        outcome = error
    assert isinstance(outcome, kind), outcome
    assert CANARY not in f"{outcome.message} {outcome.hint}"
    return outcome


def write(source, reference, text):
    """Overwrite the current value."""
    return source.write(reference, Secret(text), expected=ask(source, reference).version)


def access_key(request):
    """Return the key that a request is signed with."""
    return request.headers["authorization"].partition("Credential=")[2].partition("/")[0]
