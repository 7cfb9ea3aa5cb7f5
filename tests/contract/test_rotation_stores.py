"""Every rotation store fulfils the contract; special cases of each follow."""

import json
import multiprocessing
import os
import re
import resource
import secrets
import sys

import pytest

from contract.rotation_store_contract import (
    CANARY,
    RotationStoreContract,
    at_once,
    record,
    shown,
)
from envkit._internal.clock import Deadline
from envkit.encryption.errors import CiphertextError, KeyInvalidError
from envkit.encryption.keys import generate
from envkit.encryption.rotate_key import drop_old_keys, rotate_key
from envkit.encryption.values import encrypt
from envkit.errors import (
    AuthError,
    DeniedError,
    EnvkitError,
    InvalidReferenceError,
    ProfileError,
    RotationError,
    UnavailableError,
    WriteRefusedError,
)
from envkit.profile.placeholder import Reference
from envkit.rotation_state.record import PendingValue, Phase
from envkit.rotation_state.stores.envelope import pack
from envkit.rotation_state.stores.registry import open_store, value_field
from envkit.secret import Secret
from envkit.sources.env import EnvSource
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from support.aws import operation
from support.fault_proxy import FaultProxy, dead_address, respond
from support.permissions import as_nobody, folder_of_nobody
from support.rotation_stores import (
    AwsHarness,
    DotenvHarness,
    EncryptedHarness,
    MemoryHarness,
    VaultHarness,
    aws_store,
    dotenv_store,
    vault_store,
)

FIELD_VALUES = {"password": Secret(CANARY), "PASSWORD": Secret(CANARY)}
VALUES = {PendingValue.OLD: FIELD_VALUES, PendingValue.NEW: FIELD_VALUES}


def served_but_unheard(exchange):
    """Let the server do it, and the client not know."""
    exchange.ask_upstream()
    exchange.reset()


def is_write(request):
    return request.method in ("POST", "PUT") and "/data/" in request.path


def answering(body, status=200):
    def fault(exchange):
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        respond(status, json.dumps(body), headers)(exchange)

    return fault


def version_1(phase, fields, **changes):
    """Return the record that an envkit with only version 1 stores for the fields of a secret."""
    plan = f"random (single) of {' and '.join(fields)}"
    stored = pack(record(phase, **changes)._replace(plan=plan), {})
    since = ("secret", "target", "target_description", "compromised")
    for name in (*since, "retired_at", "issued", "extra_passwords"):
        del stored["record"][name]
    stored["record"]["version"] = 1
    if phase == Phase.CLAIMED:
        stored["values"] = {"old": dict.fromkeys(fields, CANARY)}
    return stored


class TestMemory(RotationStoreContract):
    processes = False

    @pytest.fixture
    def harness(self):
        return MemoryHarness()


class TestVault(RotationStoreContract):
    texts = False

    @pytest.fixture
    def harness(self, openbao):
        return VaultHarness(openbao)

    def at(self, path, field, server):
        """Return the store of a field of a secret that is there."""
        server.put(path, {field: "x", "other": "y"})
        return vault_store(server.address, server.root_token, path, (field,))

    def test_vault_values_have_separate_records_whatever_their_names(self, openbao):
        root = f"rotation-{secrets.token_hex(4)}"
        values = [
            ("db", "x.y"),
            ("db.x", "y"),
            ("db", "x%2Ey"),
            ("db.x%2Ey", "y"),
            ("db", "x/y"),
            ("db", "../y"),
            ("db", "a b?c#d"),
            ("db", "\xfc"),
        ]
        stores = [self.at(f"{root}/{path}", field, openbao) for path, field in values]
        for number, store in enumerate(stores):
            pending = {PendingValue.OLD: {store.fields[0]: Secret("x")}}
            store.save(store.read(), record(owner=str(number)), pending)
        assert [store.read().record.owner for store in stores] == [*map(str, range(len(stores)))]
        assert len({store.identity for store in stores}) == len(stores)

    def test_vault_spellings_of_one_secret_share_an_identity(self, harness, old):
        spellings = (harness.path, f"/secret/{harness.path}", f"/secret/data/{harness.path}")
        stores = [vault_store(harness.address, harness.token, path) for path in spellings]
        expected = {f"secret/{harness.path}#password"}
        assert {store.identity for store in stores} == expected
        self.claimed(stores[0])
        assert all(store.read() == harness.store().read() for store in stores)
        assert {store.identity for store in stores} == expected

    def test_an_old_envkit_does_not_rotate_a_vault_field_with_a_dot(self, harness):
        store = self.at(harness.path, "x.y", harness.server)
        self.claimed(store)
        old_place = f"secret/data/envkit-rotation/{harness.path}.x.y"
        found = harness.server.ask("GET", old_place)["data"]["data"]
        assert found["record"]["version"] == 2, "which version 1 refuses"
        other = self.at(f"{harness.path}.x", "y", harness.server)
        assert other.read().record is None, "a guard is no record"
        seen = self.claimed(other)
        assert other.read() == seen

    def test_a_version_1_record_of_a_vault_field_with_a_dot_is_taken_over(self, harness):
        store = self.at(harness.path, "x.y", harness.server)
        old_place = f"envkit-rotation/{harness.path}.x.y"
        harness.server.put(old_place, version_1(Phase.IDLE, ["x.y"], last_rotated_at=5.0))
        assert store.read().record.last_rotated_at == 5.0
        other = self.at(f"{harness.path}.x", "y", harness.server)
        with pytest.raises(RotationError, match="stored the record of prod/db there"):
            other.read()
        assert self.claimed(store) == store.read()
        assert other.read().record is None
        place = f"secret/metadata/envkit-rotation/{harness.path}.x%2Ey"
        assert harness.server.ask("GET", place)["data"]["max_versions"] == 1

    def test_a_version_1_record_with_another_owner_is_not_taken_over(self, harness):
        store = self.at(harness.path, "x.y", harness.server)
        old_place = f"envkit-rotation/{harness.path}.x.y"
        harness.server.put(old_place, version_1(Phase.CLAIMED, ["x.y"]))
        with pytest.raises(RotationError, match="started to rotate") as raised:
            store.read()
        assert "--resume db" in raised.value.hint
        harness.server.put(old_place, version_1(Phase.IDLE, ["y"]))
        with pytest.raises(RotationError, match="prod/db"):
            self.claimed(store)

    def test_a_vault_write_repeats_no_read(self, harness, old, new):
        with FaultProxy(harness.server.address) as proxy:
            harness.address = proxy.url
            store = harness.store()
            seen = store.read()
            counts = []
            for write in (
                lambda seen: store.save(seen, record(), VALUES),
                lambda seen: store.save(seen, record(Phase.SET), VALUES),
                store.rehearse,
                lambda seen: store.publish(seen, new),
                lambda seen: store.save(seen, record(Phase.IDLE), {}),
            ):
                before = proxy.count()
                seen = write(seen)
                counts.append(proxy.count() - before)
            before = proxy.count()
            store.record_version()
            assert counts == [2, 1, 1, 1, 1], "the first one keeps one version of the record"
            assert proxy.count() - before == 1

    def test_vault_rotations_of_one_process_log_in_once(self, harness, old):
        def preparations():
            return proxy.count(lambda r: "lookup-self" in r.path or "/ui/mounts/" in r.path)

        with FaultProxy(harness.server.address) as proxy:
            harness.address = proxy.url
            at_once([lambda: harness.store().read() for _ in range(4)])
            assert preparations() == 2
            denied = answering({"errors": ["permission denied"]}, 403)
            proxy.fault(denied, when=lambda r: "/data/" in r.path, times=1)
            with pytest.raises(DeniedError):
                harness.store().read()
            assert preparations() == 2
            harness.store().read()
            assert preparations() == 4, "what was denied may have another reason by now"
            harness.token = harness.server.token()
            harness.store().read()
            assert preparations() == 6, "another token is another login"

    def test_a_vault_store_uses_the_proxy_settings_from_when_it_was_opened(
        self, harness, old, monkeypatch
    ):
        store = harness.store()
        store.read()
        with dead_address() as nowhere:
            monkeypatch.setenv("HTTP_PROXY", f"http://{nowhere}")
            store.read()
            other = vault_store(harness.address, harness.token, harness.path, timeout_seconds=0.5)
            with pytest.raises(UnavailableError, match="HTTP_PROXY"):
                other.read()

    def test_a_revoked_vault_token_is_reported_as_such(self, harness, old):
        harness.allow()
        harness.store().read()
        harness.server.ask("POST", "auth/token/revoke", {"token": harness.token})
        with pytest.raises(DeniedError):
            harness.store().read()
        with pytest.raises(AuthError, match="does not accept the token"):
            harness.store().read()

    def test_the_documented_vault_policy_is_enough_to_rotate(self, harness, old):
        harness.allow()
        assert self.rotate(harness, 100.0).status == "rotated"

    def test_an_unwritable_vault_secret_is_reported_before_the_target_is_touched(
        self, harness, old
    ):
        harness.allow(secret=("read",))
        outcome = self.rotate(harness, 100.0)
        assert isinstance(outcome.error, DeniedError)
        assert "update" in outcome.error.hint
        assert harness.store().read().record is None

    def test_an_unwritable_vault_record_is_reported_before_the_target_is_touched(
        self, harness, old
    ):
        harness.allow(beside=("read",))
        outcome = self.rotate(harness, 100.0)
        assert isinstance(outcome.error, DeniedError)
        assert (outcome.step, outcome.changed) == ("claim", False)
        assert "envkit-rotation" in outcome.error.message

    def test_a_vault_record_has_one_version(self, harness, old):
        store = harness.store()
        for _ in range(3):
            store.save(store.read(), record(), VALUES)
        metadata = harness.server.ask("GET", f"secret/metadata/{harness.beside}")["data"]
        assert metadata["max_versions"] == 1
        assert list(metadata["versions"]) == ["3"]

    def test_a_deleted_vault_record_can_be_claimed_again(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), VALUES)
        harness.server.ask("DELETE", f"secret/data/{harness.beside}")
        assert store.read().record is None
        store.save(store.read(), record(Phase.SET), VALUES)
        assert store.read().record == record(Phase.SET)

    def test_a_lost_answer_to_a_vault_write_is_not_a_conflict(self, harness, old, new):
        with FaultProxy(harness.server.address) as proxy:
            harness.address = proxy.url
            store = harness.store()
            proxy.fault(served_but_unheard, when=is_write, times=1)
            store.save(store.read(), record(), VALUES)
            proxy.fault(served_but_unheard, when=is_write, times=1)
            store.publish(store.read(), new)
            assert (store.read().record, store.read().current) == (record(), new)

    def test_a_rotation_in_kv_version_1_is_refused(self, openbao):
        path = f"rotation-{secrets.token_hex(4)}"
        openbao.put(path, {"password": "x"}, mount="kv1", version=1)
        store = vault_store(openbao.address, openbao.root_token, f"/kv1/{path}")
        with pytest.raises(RotationError, match="KV version 1") as raised:
            store.read()
        assert raised.value.hint == "run: vault kv enable-versioning kv1"

    def test_a_value_that_is_not_text_is_refused_by_vault(self, harness, old):
        store = harness.store()
        strange = {**old, "password": Secret(f"\udcff{CANARY}")}
        for write in (
            lambda: store.publish(store.read(), strange),
            lambda: store.save(store.read(), record(), {PendingValue.OLD: strange}),
        ):
            with pytest.raises(EnvkitError) as raised:
                write()
            assert CANARY not in shown(raised.value)


class TestAws(RotationStoreContract):
    every = 6  # moto is slow

    @pytest.fixture
    def harness(self, aws):
        return AwsHarness(aws)

    def test_an_aws_rotation_ends_with_three_labels(self, harness, old):
        self.rotate(harness, 100.0)
        labels = set().union(*harness.aws.labels("db").values())
        assert labels == {"AWSCURRENT", "AWSPREVIOUS", "ENVKIT_ROTATION"}

    def test_aws_history_does_not_list_rotation_records(self, harness, old):
        self.rotate(harness, 100.0)
        history = harness.aws.source().history(Reference("aws", "db", "password"))
        # the oldest is from before the rehearsal, which wrote the same value once more
        assert [version.state for version in history] == ["current", "previous", "older"]

    def test_a_secret_that_aws_rotates_is_refused(self, harness, old):
        described = {"ARN": "arn", "Name": harness.name, "RotationEnabled": True}
        harness.aws.proxy.fault(
            answering(described), when=lambda request: operation(request) == "DescribeSecret"
        )
        outcome = self.rotate(harness, 100.0)
        assert "is rotated by AWS" in outcome.error.message
        assert "cancel-rotate-secret" in outcome.error.hint
        assert harness.left() == "[]"

    def test_a_secret_that_another_aws_service_owns_is_refused(self, harness, old):
        described = {"ARN": "arn", "Name": harness.name, "OwningService": "rds"}
        harness.aws.proxy.fault(
            answering(described), when=lambda request: operation(request) == "DescribeSecret"
        )
        assert "belongs to rds" in self.rotate(harness, 100.0).error.message

    def test_an_awspending_version_of_another_rotator_is_refused_and_named(self, harness, old):
        version = harness.aws.admin.put_secret_value(
            SecretId=harness.name, SecretString="{}", VersionStages=["AWSPENDING"]
        )["VersionId"]
        outcome = self.rotate(harness, 100.0)
        assert f"version {version} has AWSPENDING" in outcome.error.message
        assert "ENVKIT_ROTATION" not in harness.left()

    def test_a_finished_rotation_of_another_rotator_is_accepted(self, harness, old):
        [version] = harness.aws.labels("db")
        harness.aws.admin.update_secret_version_stage(
            SecretId=harness.name, VersionStage="AWSPENDING", MoveToVersionId=version
        )
        assert self.rotate(harness, 100.0).status == "rotated"

    def test_a_lost_answer_to_an_aws_write_is_not_a_conflict(self, harness, old, new):
        store = harness.store()
        for name in ("PutSecretValue", "UpdateSecretVersionStage"):
            for write in (
                lambda: store.save(store.read(), record(), VALUES),
                lambda: store.publish(store.read(), new),
            ):
                harness.aws.proxy.fault(
                    served_but_unheard, when=lambda r, n=name: operation(r) == n, times=1
                )
                write()
        assert (store.read().record, store.read().current) == (record(), new)

    def test_publish_preserves_the_formatting_of_an_aws_secret(self, harness):
        harness.aws.put("db", '{\n  "port": 5432.0,\n  "password": "x"\n}')
        store = aws_store(harness.name, ("password",))
        store.publish(store.read(), {"password": Secret("y")})
        assert harness.aws.stored("db") == '{\n  "port": 5432.0,\n  "password": "y"\n}'

    @pytest.mark.parametrize("value", ["one value", b"\xff\x00"])
    def test_an_aws_secret_without_fields_can_be_rotated(self, harness, value):
        harness.aws.put("db", value)
        store = aws_store(harness.name, ("",))
        old = store.read().current
        assert old[""].to_bytes() == (value if isinstance(value, bytes) else value.encode())
        store.save(
            store.read(),
            record(),
            {PendingValue.OLD: old, PendingValue.NEW: {"": Secret("another")}},
        )
        store.publish(store.read(), {"": Secret("another")})
        assert store.read().current == {"": Secret("another")}
        store.publish(store.read(), store.read().pending[PendingValue.OLD])
        assert store.read().current == old

    def test_an_aws_secret_with_fields_is_refused_without_a_field_name(self, harness, old):
        with pytest.raises(RotationError, match="names no field"):
            aws_store(harness.name, ("",)).read()

    def test_an_aws_secret_without_fields_is_refused_with_a_field_name(self, harness):
        harness.aws.put("db", f"one value {CANARY}")
        with pytest.raises(RotationError, match="is not a JSON object") as raised:
            harness.store().read()
        assert CANARY not in shown(raised.value)

    def test_aws_spellings_of_one_secret_share_an_identity(self, harness, old):
        arn = harness.aws.arn("db")
        stores = [aws_store(name) for name in (harness.name, arn, arn[:-7])]
        assert {store.identity for store in stores} == {f"{harness.name}#password"}
        assert aws_store(harness.name, ("other",)).identity == f"{harness.name}#other"
        assert aws_store(harness.name, ("",)).identity == harness.name

    def test_a_version_1_record_in_aws_belongs_to_one_field(self, harness, old):
        one, other = (harness.store((field,)) for field in (harness.fields[0], harness.other))
        for phase in (Phase.CLAIMED, Phase.IDLE):
            harness.put_text(json.dumps(version_1(phase, harness.fields)))
            seen = one.read()
            assert seen.record.phase == phase
            assert other.read().record is None
            ours = self.claimed(other)
            assert harness.whole()["record"]["version"] == 2, "which version 1 refuses"
            assert one.read() == seen
            assert one.save(seen, seen.record, seen.pending) == one.read()
            assert other.read() == ours
            assert "earlier" not in harness.whole()

    def test_a_broken_version_1_record_in_aws_does_not_break_other_rotations(self, harness, old):
        broken = version_1(Phase.IDLE, harness.fields)
        del broken["record"]["tries"]
        harness.put_text(json.dumps(broken))
        with pytest.raises(RotationError, match="'tries'"):
            harness.store().read()
        other = harness.store((harness.other,))
        assert self.claimed(other) == other.read()
        with pytest.raises(RotationError, match="'tries'"):
            harness.store().read()

    def test_no_record_is_saved_in_an_aws_secret_without_a_value(self, harness):
        harness.aws.admin.create_secret(Name=harness.name)
        store = harness.store()
        seen = store.read()
        with pytest.raises(RotationError, match="would become its value"):
            store.save(seen, record(), VALUES)
        assert harness.store().read() == seen

    def test_an_aws_write_repeats_no_read_and_creates_one_version(self, harness, old, new):
        store = harness.store()
        seen = store.read()
        for write in (
            lambda seen: store.save(seen, record(), VALUES),
            store.rehearse,
            lambda seen: store.publish(seen, new),
            lambda seen: store.save(seen, record(Phase.IDLE), {}),
        ):
            before = len(harness.aws.operations)
            seen = write(seen)
            assert harness.aws.operations[before:] == [
                "PutSecretValue",
                "UpdateSecretVersionStage",
                "UpdateSecretVersionStage",
            ]
        before = len(harness.aws.operations)
        store.record_version()
        assert harness.aws.operations[before:] == ["GetSecretValue"]

    @pytest.mark.parametrize("value", ['{"password": "x", "port": 5432.0}', "text", b"\xff\x00"])
    def test_a_rehearsal_writes_the_aws_secret_unchanged(self, harness, value):
        harness.aws.put("db", value)
        store = aws_store(harness.name, ("password",) if str(value)[0] == "{" else ("",))
        seen = store.rehearse(store.read())
        assert seen == store.read()
        found = harness.aws.admin.get_secret_value(SecretId=harness.name)
        assert found.get("SecretString", found.get("SecretBinary")) == value

    def test_aws_rotations_of_one_process_share_a_client(self, harness, old):
        one, other = harness.store(), harness.store()
        assert one.read() == other.read()
        client = one._source._manager._connected()
        assert other._source._manager._connected() is client
        harness.aws.fail("GetSecretValue", "AccessDeniedException", times=1)
        with pytest.raises(DeniedError):
            harness.store().read()
        assert harness.store()._source._manager._connected() is not client

    def test_an_unwritable_aws_secret_is_reported_before_the_target_is_touched(self, harness, old):
        harness.aws.fail("PutSecretValue", "AccessDeniedException")
        outcome = self.rotate(harness, 100.0)
        assert isinstance(outcome.error, DeniedError)
        assert (outcome.step, outcome.changed) == ("claim", False)


def save_and_die(opener):
    """Be killed between the temporary file and the new name."""
    function, arguments = opener
    store = function(*arguments)
    seen = store.read()
    os.replace = lambda *_, **__: os._exit(9)
    lost = {"PASSWORD": Secret(f"{CANARY}-lost")}
    store.save(seen, record(Phase.SET), {PendingValue.OLD: lost, PendingValue.NEW: lost})


def save_without_room(opener):
    """Write to a full disk."""
    function, arguments = opener
    store = function(*arguments)
    sys.dont_write_bytecode = True  # it would stay truncated
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
    for write in (
        lambda: store.save(
            store.read(), record(), {PendingValue.OLD: {"PASSWORD": Secret(CANARY * 9)}}
        ),
        lambda: store.publish(store.read(), {"PASSWORD": Secret(CANARY * 9)}),
    ):
        with pytest.raises(EnvkitError) as raised:
            write()
        assert raised.value.code == "store-unavailable"
        assert CANARY not in shown(raised.value)


class TestDotenv(RotationStoreContract):
    @pytest.fixture
    def harness(self, tmp_path):
        return DotenvHarness(tmp_path)

    def elsewhere(self, function, harness):
        process = multiprocessing.get_context("spawn").Process(
            target=function, args=(harness.opener,)
        )
        process.start()
        process.join()
        return process.exitcode

    def test_only_the_owner_can_read_the_record_file(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), VALUES)
        assert harness.beside.stat().st_mode & 0o777 == 0o600

    def test_a_killed_writer_leaves_only_files_that_the_next_write_removes(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), VALUES)
        assert self.elsewhere(save_and_die, harness) == 9
        assert f"{CANARY}-lost" in harness.left()
        assert store.read().record == record()
        store.save(store.read(), record("idle"), {})
        assert CANARY not in harness.left()
        assert sorted(path.name for path in harness.root.iterdir()) == [
            ".env.prod",
            ".env.prod.PASSWORD.envkit-rotation",
        ]

    def test_a_write_to_a_full_disk_leaves_secret_and_record_unchanged(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), VALUES)
        before = harness.left(), harness.stored()
        assert self.elsewhere(save_without_room, harness) == 0
        assert (harness.left(), harness.stored()) == before

    def test_an_unwritable_folder_is_reported_before_the_target_is_touched(self):
        with folder_of_nobody() as root:
            harness = DotenvHarness(root)
            harness.put({"PASSWORD": CANARY})
            harness.path.chmod(0o644)
            seen = dotenv_store(str(root), harness.file).read()
            os.chown(root, 0, 0) if os.geteuid() == 0 else root.chmod(0o555)
            with as_nobody():
                store = dotenv_store(str(root), harness.file, ("PASSWORD",))
                for write in (store.check, lambda: store.rehearse(seen)):
                    with pytest.raises(DeniedError):
                        write()
            root.chmod(0o700)

    def test_publish_preserves_comments_and_mode_of_an_env_file(self, harness):
        harness.path.write_text("# ours\nexport PASSWORD='x'  # the database's\n\nOTHER=1\n")
        harness.path.chmod(0o600)
        store = dotenv_store(str(harness.root), harness.file, ("PASSWORD",))
        store.publish(store.read(), {"PASSWORD": Secret("y")})
        assert harness.path.read_text() == (
            "# ours\nexport PASSWORD=y  # the database's\n\nOTHER=1\n"
        )

    def test_of_several_env_files_the_one_with_the_variable_is_rotated(self, harness):
        (harness.root / ".env.shared").write_text("PASSWORD=x\n")
        (harness.root / ".env.shared").chmod(0o600)
        harness.put({"OTHER": "1"})
        store = dotenv_store(str(harness.root), [".env.shared", ".env.prod"], ("PASSWORD",))
        store.save(store.read(), record(), VALUES)
        store.publish(store.read(), {"PASSWORD": Secret("y")})
        assert (harness.root / ".env.shared").read_text() == "PASSWORD=y\n"
        assert (harness.root / ".env.shared.PASSWORD.envkit-rotation").exists()

    def test_two_names_of_one_env_file_share_a_record(self, harness, old):
        (harness.root / ".env.link").symlink_to(harness.path)
        one, other = harness.store(), dotenv_store(str(harness.root), ".env.link")
        one.save(one.read(), record(), VALUES)
        assert other.read().record == record()

    def test_dotenv_spellings_of_one_variable_share_an_identity(self, harness, old):
        (harness.root / ".env.link").symlink_to(harness.path)
        stores = [harness.store(), dotenv_store(str(harness.root), [".env.none", ".env.link"])]
        assert {store.identity for store in stores} == {".env.prod#PASSWORD"}

    def test_a_dotenv_write_syncs_each_durable_fact_once_and_lists_no_folder(
        self, harness, old, new, monkeypatch
    ):
        calls = []
        for name in ("fsync", "listdir", "scandir"):
            real = getattr(os, name)
            monkeypatch.setattr(
                os, name, lambda *args, real=real, name=name: [calls.append(name), real(*args)][1]
            )
        store = harness.store()
        seen = store.read()
        for write, syncs in (
            (lambda seen: store.save(seen, record(), VALUES), 2),  # a file and its folder
            (store.rehearse, 3),  # and the backup copy
            (lambda seen: store.publish(seen, new), 3),
            (lambda seen: store.save(seen, record(Phase.IDLE), {}), 2),
        ):
            calls.clear()
            seen = write(seen)
            assert calls == ["fsync"] * syncs

    def test_a_rehearsal_detects_that_the_env_file_cannot_be_replaced(self, harness, old):
        store = harness.store()
        seen = store.read()
        harness.path.with_name(".env.prod.other-name").hardlink_to(harness.path)
        with pytest.raises(WriteRefusedError, match="hard links"):
            store.rehearse(seen)
        assert harness.store().read() == seen


class TestEncrypted(RotationStoreContract):
    @pytest.fixture
    def harness(self, tmp_path):
        return EncryptedHarness(tmp_path)

    def test_no_file_beside_an_encrypted_one_has_a_plain_value(self, harness, old, new):
        store = harness.store()
        seen = store.save(store.read(), record(), VALUES)
        store.publish(seen, new)
        assert len(list(harness.root.iterdir())) == 4  # the file, its copy, the record, the keys
        assert not [path for path in harness.root.iterdir() if CANARY in path.read_text()]

    def test_record_of_another_key_is_an_error_that_names_its_file(self, harness, old):
        store = harness.store()
        store.save(store.read(), record(), VALUES)
        other = encrypt("x", generate().public_key())
        harness.put_text(re.sub('encrypted:[^"]+', other, harness.beside.read_text()))
        with pytest.raises(CiphertextError, match=r"^\.env\.prod\.PASSWORD\.envkit-rotation: "):
            store.read()

    @pytest.mark.parametrize(
        "line",
        [f"DOTENV_PUBLIC_KEY_PRODUCTION={generate().public_key()}", "# removed"],
        ids=["another", "none"],
    )
    def test_pending_values_are_not_saved_for_a_public_key_that_another_person_changed(
        self, harness, old, line
    ):
        store = harness.store()
        seen = store.read()
        _, rest = harness.path.read_text().split("\n", 1)
        harness.path.write_text(f"{line}\n{rest}")
        with pytest.raises(KeyInvalidError, match="nothing was written"):
            store.save(seen, record(), VALUES)
        assert not harness.beside.exists()

    def test_pending_values_are_encrypted_to_the_key_that_the_file_has_when_they_are_saved(
        self, harness, old
    ):
        """Someone may replace the key pair during a rotation, and remove the old key."""
        store = harness.store()
        seen = store.read()
        source = store._source
        for change in (rotate_key, drop_old_keys):
            decrypter = source.decrypter(".env.prod")
            change(decrypter, *source.places(".env.prod"), timeout_seconds=60)
        store.save(seen, record(), VALUES)
        assert harness.store().read().pending == VALUES


class TestOpenStore:
    def source(self, kind):
        return kind(SourceContext("other", deadline=Deadline(1)))

    @pytest.mark.parametrize("kind", [EnvSource, MemorySource])
    def test_a_source_that_stores_no_rotations_is_refused(self, kind):
        source = self.source(kind)
        ref = Reference("other", "x", "y")
        with pytest.raises(ProfileError, match="cannot store rotation records"):
            value_field(source, ref)
        with pytest.raises(ProfileError, match="cannot store rotation records"):
            open_store(source, ref, ("y",), Deadline(1))

    def test_value_field_is_the_field_that_a_reference_names(self, aws, tmp_path):
        dotenv = DotenvHarness(tmp_path).store()._source
        vault = vault_store("http://127.0.0.1:1", "t", "x")._source
        assert value_field(dotenv, Reference("dotenv", "NAME")) == "NAME"
        assert value_field(dotenv, Reference("dotenv", ".env.x", "NAME")) == "NAME"
        assert value_field(vault, Reference("vault", "db", "password")) == "password"
        assert value_field(aws.source(), Reference("aws", "db")) == ""
        assert value_field(aws.source(), Reference("aws", "db", "password")) == "password"
        with pytest.raises(ProfileError, match="names none"):
            value_field(vault, Reference("vault", "db"))
        with pytest.raises(ProfileError, match="names none"):
            value_field(aws.source(), Reference("aws", "db", "*"))

    def test_two_fields_in_a_secret_without_fields_are_refused(self, aws):
        with pytest.raises(ProfileError, match="names no field"):
            open_store(aws.source(), Reference("aws", "db"), ("", "username"), Deadline(1))

    def test_a_reference_that_the_store_cannot_have_is_refused(self, aws):
        with pytest.raises(InvalidReferenceError):
            open_store(aws.source(), Reference("aws", "a b", "x"), ("x",), Deadline(1))
