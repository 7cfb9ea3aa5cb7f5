"""The rotator of IAM access keys against an AWS endpoint."""

import json
import os
import subprocess
import sys

import pytest

from envkit.errors import DeniedError, ProfileError, RotationError, UnavailableError
from envkit.secret import Secret
from envkit.testing.rotator_harness import begun, built, rotated, step
from support.aws import _SERVER, REGION, admin_client, operation, parameters
from support.fault_proxy import dead_address, reset, respond, silent
from support.rotators import IamHarness, refused, shown

UNKNOWN_KEY = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"


@pytest.fixture
def harness(aws):
    return IamHarness(aws)


def one(name, key=None):
    """Whether a request is this operation, on this key if one is given."""

    def when(request):
        asked = not request.target and operation(request) == name
        return asked and key in (None, parameters(request).get("AccessKeyId"))

    return when


def lost(exchange):
    """Serve the request and drop the answer."""
    exchange.ask_upstream()
    exchange.reset()


def known_as(arn):
    """Answer as STS does for a valid key of this identity."""
    result = f"<GetCallerIdentityResult><Arn>{arn}</Arn></GetCallerIdentityResult>"
    answer = f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"
    return respond(200, answer, {"Content-Type": "text/xml"})


class TestKeys:
    def test_a_retired_key_is_inactive_until_the_next_rotation_deletes_it(self, harness):
        first = rotated(harness, harness.current())
        old, new = (fields["access_key_id"].reveal() for fields in (first.old, first.new))
        assert harness.keys() == {old: "Inactive", new: "Active"}
        second = rotated(harness, first.new)
        assert harness.keys() == {
            new: "Inactive",
            second.new["access_key_id"].reveal(): "Active",
        }

    def test_a_foreign_active_key_is_named_and_never_touched(self, harness):
        foreign = harness.iam.create_access_key(UserName=harness.user)["AccessKey"]["AccessKeyId"]
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert isinstance(error, RotationError)
        assert f"a second active access key, {foreign}" in error.message
        assert f"--access-key-id {foreign} --status Inactive" in error.hint
        assert set(harness.keys().values()) == {"Active"}

    def test_a_key_that_is_activated_meanwhile_is_not_deleted(self, harness):
        current = harness.current()
        foreign = harness.iam.create_access_key(UserName=harness.user)["AccessKey"]["AccessKeyId"]
        self.set_status(harness, foreign, "Inactive")
        facts = built(harness).prepare(current)
        self.set_status(harness, foreign, "Active")
        error = refused(lambda: built(harness).create(current, facts))
        assert "got a second active access key during the rotation" in error.message
        assert harness.keys()[foreign] == "Active"

    def test_a_key_of_another_user_in_the_secret_is_refused(self, harness):
        wrong = harness.wrong(harness.current())
        error = refused(lambda: built(harness).prepare(wrong))
        assert "has no active access key" in error.message

    def test_an_inactive_key_in_the_secret_is_refused(self, harness):
        self.set_status(harness, harness.current()["access_key_id"].reveal(), "Inactive")
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert "has no active access key" in error.message

    def test_a_missing_iam_user_is_named(self, harness):
        harness.user = "nobody-of-that-name"
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert error.message == "there is no IAM user 'nobody-of-that-name'"

    def test_a_key_whose_creation_was_not_confirmed_is_deleted(self, harness):
        current = harness.current()
        facts = built(harness).prepare(current)
        harness.proxy.fault(lost, when=one("CreateAccessKey"), times=1)
        error = refused(lambda: built(harness).create(current, facts))
        assert isinstance(error, UnavailableError)
        (unheard,) = set(harness.keys()) - {current["access_key_id"].reveal()}
        made = built(harness).create(current, facts).new["access_key_id"].reveal()
        assert harness.keys() == {current["access_key_id"].reveal(): "Active", made: "Active"}
        assert made != unheard

    @staticmethod
    def set_status(harness, key, status):
        harness.iam.update_access_key(UserName=harness.user, AccessKeyId=key, Status=status)


class TestCurrentKey:
    @pytest.mark.parametrize(
        ("arn", "named"),
        [
            ("arn:aws:iam::123456789012:user/ops/somebody", "somebody"),
            ("arn:aws:iam::999999999999:user/{user}", "999999999999"),
            ("arn:aws:sts::123456789012:assumed-role/{user}/x", "assumed-role"),
        ],
    )
    def test_a_current_key_of_another_user_or_account_is_refused(self, harness, arn, named):
        fault = known_as(arn.format(user=harness.user))
        harness.proxy.fault(fault, when=one("GetCallerIdentity"), times=1)
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert named in error.message
        assert f"not as the IAM user '{harness.user}' of the account 123456789012" in error.message

    def test_an_iam_user_may_have_a_path(self, aws):
        harness = IamHarness(aws)
        harness.iam.update_user(UserName=harness.user, NewPath="/ops/ci/")
        built(harness).prepare(harness.current())

    def test_a_current_key_that_does_not_log_in_is_refused_without_verify_current_false(
        self, harness
    ):
        body = UNKNOWN_KEY.replace("InvalidClientTokenId", "SignatureDoesNotMatch")
        harness.proxy.fault(respond(403, body), when=one("GetCallerIdentity"))
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert error.message.startswith("AWS refuses the secret's access key")
        target = {**harness.target, "verify_current": False}
        assert set(built(harness, target).prepare(harness.current())) == {"known"}

    @pytest.mark.parametrize("known", ["", "none", "AKIAAAAAAAAAAAAAAAAA", "not an id"])
    def test_nothing_is_deleted_without_usable_facts(self, harness, known):
        current, facts = harness.current(), {"known": known}
        lost = harness.iam.create_access_key(UserName=harness.user)["AccessKey"]["AccessKeyId"]
        error = refused(lambda: built(harness).create(current, facts))
        assert "nothing is deleted" in error.message
        built(harness).retire({}, current, facts)
        assert harness.keys() == {
            current["access_key_id"].reveal(): "Active",
            lost: "Active",
        }

    def test_a_record_without_values_deactivates_no_key(self, harness):
        facts = built(harness).prepare(harness.current())
        refused(lambda: built(harness).retire(harness.current(), {}, facts))
        refused(lambda: built(harness).retire({}, {}, facts))
        assert list(harness.keys().values()) == ["Active"]

    def test_describe_target_names_the_user_and_the_role(self, harness):
        how = {"role_arn": "arn:aws:iam::1:role/x", "region": "eu-west-1", "external_id": "hidden"}
        assert built(harness, {**harness.target, **how}).describe_target() == (
            f"IAM user {harness.user}, role_arn arn:aws:iam::1:role/x, region eu-west-1"
        )


class TestRetiredKey:
    def test_is_dead_asks_sts_until_it_refuses_the_key(self, harness):
        turn = rotated(harness, harness.current())
        before = harness.proxy.count(one("GetCallerIdentity"))
        harness.proxy.fault(known_as("x"), when=one("GetCallerIdentity"), times=2)
        assert built(harness).is_dead(turn.old, turn.new, turn.facts) is True
        assert harness.proxy.count(one("GetCallerIdentity")) == before + 3

    def test_a_key_that_sts_still_accepts_is_not_dead(self, harness):
        turn = rotated(harness, harness.current())
        harness.proxy.fault(known_as("x"), when=one("GetCallerIdentity"))
        assert built(harness, timeout_seconds=1).is_dead(turn.old, turn.new, turn.facts) is False

    def test_a_reactivated_key_is_not_dead(self, harness):
        turn = rotated(harness, harness.current())
        old = turn.old["access_key_id"].reveal()
        TestKeys.set_status(harness, old, "Active")
        assert built(harness).is_dead(turn.old, turn.new, turn.facts) is False


class TestPropagation:
    def test_test_step_asks_sts_until_it_knows_the_key(self, harness):
        turn = begun(harness, harness.current())
        fault = respond(403, UNKNOWN_KEY, {"Content-Type": "text/xml"})
        before = harness.proxy.count(one("GetCallerIdentity"))
        harness.proxy.fault(fault, when=one("GetCallerIdentity"), times=2)
        step(built(harness), "test", turn)
        assert harness.proxy.count(one("GetCallerIdentity")) == before + 2 + 3

    def test_test_step_restarts_its_count_when_one_server_does_not_know_the_key(self, harness):
        turn = begun(harness, harness.current())
        before = harness.proxy.count(one("GetCallerIdentity"))
        asked = []

        def third(request):
            if one("GetCallerIdentity")(request):
                asked.append(request)
            return len(asked) == 3

        fault = respond(403, UNKNOWN_KEY, {"Content-Type": "text/xml"})
        harness.proxy.fault(fault, when=third, times=1)
        step(built(harness), "test", turn)
        assert harness.proxy.count(one("GetCallerIdentity")) == before + 3 + 3

    def test_a_key_that_sts_does_not_know_in_time_is_a_retryable_failure(self, harness):
        turn = begun(harness, harness.current())
        fault = respond(403, UNKNOWN_KEY, {"Content-Type": "text/xml"})
        harness.proxy.fault(fault, when=one("GetCallerIdentity"))
        error = refused(lambda: step(built(harness, timeout_seconds=1), "test", turn))
        assert isinstance(error, UnavailableError)
        assert error.message == "AWS does not know the new access key yet"

    def test_a_secret_key_that_does_not_match_its_id_fails_the_probe(self, harness):
        body = UNKNOWN_KEY.replace("InvalidClientTokenId", "SignatureDoesNotMatch")
        harness.proxy.fault(respond(403, body), when=one("GetCallerIdentity"))
        assert built(harness).probe(harness.current(), {}) is False


class TestFields:
    @pytest.mark.parametrize(
        ("field", "target", "fields"),
        [
            ("secret_access_key", {}, ("secret_access_key", "access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", {}, ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
            ("s3_secret_access_key", {}, ("s3_secret_access_key", "s3_access_key_id")),
            ("secret", {"id_field": "id"}, ("secret", "id")),
        ],
    )
    def test_fields_finds_the_field_of_the_key_id(self, field, target, fields):
        assert IamHarness.kind.fields(field, target) == fields

    def test_fields_requires_a_way_to_find_the_key_id(self):
        with pytest.raises(ProfileError) as caught:
            IamHarness.kind.fields("secret", {})
        assert 'id_field = "access_key_id"' in caught.value.hint

    def test_a_new_key_uses_the_field_names_of_the_profile(self, harness):
        harness.field = "AWS_SECRET_ACCESS_KEY"
        first = harness.current()
        current = {
            "AWS_ACCESS_KEY_ID": first["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": first["secret_access_key"],
        }
        new = rotated(harness, current).new
        assert set(new) == set(current)
        assert new["AWS_ACCESS_KEY_ID"].reveal() in set(harness.keys())

    def test_a_missing_field_of_the_secret_is_named(self, harness):
        secret = {"secret_access_key": Secret("x")}
        error = refused(lambda: built(harness).prepare(secret))
        assert error.message == "the secret has no field 'access_key_id'"

    def test_generate_is_refused_because_aws_creates_the_key(self, harness):
        harness.generate = {"length": 40}
        error = refused(lambda: built(harness))
        assert error.hint == "remove 'generate'"


class TestOutages:
    def test_a_closed_port_is_unavailable(self, harness, monkeypatch):
        with dead_address() as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
            for call in (
                lambda: built(harness, timeout_seconds=1).prepare(harness.current()),
                lambda: built(harness, timeout_seconds=1).probe(harness.current(), {}),
            ):
                assert isinstance(refused(call), UnavailableError)

    def test_a_silent_endpoint_is_unavailable(self, harness):
        harness.proxy.fault(silent())
        rotator = built(harness, timeout_seconds=1)
        assert isinstance(refused(lambda: rotator.prepare(harness.current())), UnavailableError)

    def test_a_request_whose_answer_was_lost_is_repeated(self, harness):
        turn = begun(harness, harness.current())
        harness.proxy.fault(reset(), when=one("UpdateAccessKey"), times=1)
        step(built(harness), "retire", turn)
        assert harness.keys()[turn.old["access_key_id"].reveal()] == "Inactive"

    def test_a_denial_names_the_action(self, harness):
        body = UNKNOWN_KEY.replace("InvalidClientTokenId", "AccessDenied")
        harness.proxy.fault(respond(403, body), when=one("ListAccessKeys"))
        error = refused(lambda: built(harness).prepare(harness.current()))
        assert isinstance(error, DeniedError)
        assert error.hint == "allow iam:ListAccessKeys in the caller's IAM policy"


class TestDocumentedPolicy:
    """moto looks at the actions of a policy, and not at the users that it names."""

    def test_the_documented_policy_is_enough(self, server, monkeypatch):
        harness, admin = server
        for name, text in admin.items():
            monkeypatch.setenv(name, text)
        rotated(harness, rotated(harness, harness.current()).new)  # which deletes a key

    def test_a_user_without_the_documented_policy_is_denied(self, server, monkeypatch):
        harness, admin = server
        nobody = harness.current()
        monkeypatch.setenv("AWS_ENDPOINT_URL", admin["AWS_ENDPOINT_URL"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", nobody["access_key_id"].reveal())
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", nobody["secret_access_key"].reveal())
        error = refused(lambda: built(harness).prepare(nobody))
        assert isinstance(error, DeniedError)

    @pytest.fixture
    def server(self, aws):
        """A server that checks signatures and policies after its users were created."""
        environ = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "5"}
        command = [sys.executable, _SERVER]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, env=environ, **pipes) as process:
            url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
            iam = admin_client(url, "iam")
            iam.create_user(UserName="envkit")
            policy = json.loads(shown("aws-iam-key.md", "policy.json"))
            for statement in policy["Statement"]:
                statement["Resource"] = "*"
            document = json.dumps(policy)
            iam.put_user_policy(UserName="envkit", PolicyName="rotate", PolicyDocument=document)
            key = iam.create_access_key(UserName="envkit")["AccessKey"]
            admin = {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": REGION,
            }
            yield IamHarness(aws, iam), admin
            process.stdin.close()
