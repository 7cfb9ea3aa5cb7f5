"""What a PostgreSQL rotation verifies on a real server before it begins."""

import psycopg
import pytest

from envkit.errors import ConflictError, ProfileError, RotationError
from envkit.rotation.rotators.login import login_of
from envkit.secret import Secret
from envkit.testing.rotator_harness import Turn, built, step
from support.postgres_rotations import of, unchanged, user_of, whole
from support.rotators import CANARY, PAGES, SingleHarness, refused


class TestLoginForms:
    FORMS = (
        "host={host} port={port} user={user} password='{password}' dbname=x",
        "jdbc:postgresql://{host}:{port}/x?user={user}&password={password}&ssl=false",
        "Host={host};Port={port};Username={user};Password={password};Pooling=true",
        '{{ "host": "{host}", "port": "{port}", "user": "{user}", "password": "{password}"}}',
        "postgresql:///x?host=nowhere,{host}&port={port}&user={user}&password={password}",
        "postgresql+asyncpg://{user}:{password}@localhost:{port}/x",
    )

    @pytest.mark.parametrize("form", FORMS)
    def test_a_login_in_any_form_is_rotated_and_the_rest_is_preserved(self, either, postgres, form):
        names = {"host": "127.0.0.1", "port": postgres.port}
        text = form.format(user=user_of(either), password=either.password, **names)
        new = whole(either, {"url": Secret(text)}).new
        login = login_of(new["url"])
        written = form.format(user=login.user, password=login.password.reveal(), **names)
        assert new["url"].reveal().replace("'", "") == written.replace("'", "")

    def test_a_login_form_that_envkit_does_not_understand_is_refused(self, either):
        for text in (f"Server=db;Sekret={CANARY}", f"jdbc:x:{CANARY}", f'{{"pass": "{CANARY}"}}'):
            error = refused(lambda text=text: built(either).prepare({"url": Secret(text)}))
            assert "scheme://user:password@host" in error.hint
        unchanged(either)


class TestUser:
    def test_the_login_of_another_role_is_refused_although_it_works(self, single):
        other = single.role("other")
        single.database.run(f"CREATE ROLE \"{other}\" LOGIN PASSWORD 'theirs'")
        target = {**single.target, "user": single.role("app")}
        url = single.database.dsn(other, "theirs")
        for current in (
            {"url": Secret(url)},
            {"url": Secret("theirs"), "username": Secret(other)},
            {"url": Secret("theirs"), "user": Secret(other)},
        ):
            error = refused(lambda current=current: built(single, target).prepare(current))
            assert "names another user than 'target.user'" in error.message
        assert single.database.logs_in(other, "theirs")

    def test_the_field_beside_the_value_must_name_the_same_user(self, single):
        target = {**single.target, "user_field": "username", "user": single.role("app")}
        secret = {"url": Secret(single.password), "username": Secret(single.role("app"))}
        whole(single, secret, target)
        other = {**secret, "username": Secret("other")}
        error = refused(lambda: built(single, target).prepare(other))
        assert "names another user than 'target.user'" in error.message

    def test_the_login_of_another_role_with_an_unknown_password_is_refused(self, single):
        other = single.role("other")
        single.run(f'CREATE ROLE "{other}" LOGIN; GRANT "{other}" TO envkit WITH ADMIN TRUE')
        current = {"url": Secret(single.database.dsn(other, CANARY))}
        error = refused(lambda: built(single).prepare(current))
        assert "does not log in" in error.message

    def test_the_login_of_the_admin_is_refused(self, either):
        error = refused(lambda: built(either).prepare({"url": Secret(either.dsn)}), *either.hidden)
        assert "is the admin" in error.message or "not one of target.users" in error.message
        target = {**either.target, "dsn": either.database.dsn(user_of(either), either.password)}
        error = refused(lambda: built(either, target).prepare(either.current()))
        assert "admin of target.dsn" in error.message

    def test_rotation_of_the_admin_login_needs_target_user_and_the_secret_in_the_dsn(self, single):
        title = "A user that changes its own password"
        own = {**single.target, "dsn": single.current()["url"].reveal()}
        named = {**own, "user": user_of(single)}
        for target, mine in ((own, True), (named, False)):
            rotator = of(single, target, own_login=mine)
            error = refused(lambda rotator=rotator: rotator.prepare(single.current()))
            assert "is the admin" in error.message
            assert title in error.hint
        assert f"## {title}" in (PAGES / "postgres.md").read_text()

    def test_the_admin_cannot_be_one_of_the_two_users(self, alternate):
        target = {
            **alternate.target,
            "dsn": alternate.dsn,
            "users": [alternate.role("app_a"), alternate.role("envkit")],
        }
        error = refused(lambda: built(alternate, target).prepare(alternate.current()))
        assert "would be locked out" in error.message


class TestServer:
    def test_the_same_role_on_another_server_is_refused(self, either, postgres):
        url = either.current()["url"].reveal()
        for host in ("db.internal", f"127.0.0.1:{postgres.port + 1}", "a,b"):
            place = host if ":" in host else f"{host}:{postgres.port}"
            current = {"url": Secret(url.replace(f"127.0.0.1:{postgres.port}", place))}
            error = refused(lambda current=current: built(either).prepare(current))
            assert f"which has 127.0.0.1:{postgres.port}" in error.message
            built(either, {**either.target, "server": "any"}).prepare(current)
        unchanged(either)

    @pytest.mark.parametrize("host", ["localhost", "[::1]", "other,LOCALHOST"])
    def test_another_name_of_the_same_local_server_is_accepted(self, either, postgres, host):
        here = f"127.0.0.1:{postgres.port}"
        there = ",".join(f"{one}:{postgres.port}" for one in host.split(","))
        current = {"url": Secret(either.current()["url"].reveal().replace(here, there))}
        assert built(either).prepare(current) == {}

    def test_target_server_accepts_only_any(self, either):
        with pytest.raises(ProfileError, match=r"'target.server' can only be 'any'"):
            built(either, {**either.target, "server": "db"})

    def test_describe_target_shows_no_password(self, alternate, single, postgres):
        place = f"127.0.0.1:{postgres.port}"
        a, b = alternate.role("app_a"), alternate.role("app_b")
        assert built(alternate).describe_target() == (
            f"{place}/{alternate.database.name}, users {a} and {b}"
        )
        target = {**single.target, "user": "app"}
        assert (
            built(single, target).describe_target() == f"{place}/{single.database.name}, user app"
        )


class TestCurrentValue:
    def test_a_current_value_that_does_not_log_in_is_refused_without_verify_current_false(
        self, either
    ):
        current = either.wrong(either.current())
        error = refused(lambda: built(either).prepare(current))
        assert "does not log in" in error.message
        assert "verify_current = false" in error.hint
        unchanged(either)
        whole(either, current, {**either.target, "verify_current": False})

    def test_an_outdated_current_value_is_a_conflict(self, either):
        """Another process has claimed the rotation meanwhile and set the next password."""

        def confirm():
            raise ConflictError("another process")

        with pytest.raises(ConflictError):
            of(either, confirm=confirm).prepare(either.wrong(either.current()))
        assert of(either, confirm=confirm).prepare(either.current()) == {}

    def test_a_disabled_role_is_refused_and_stays_disabled(self, either):
        user = user_of(either)
        either.database.run(f'ALTER ROLE "{user}" NOLOGIN')
        error = refused(lambda: built(either).prepare(either.current()))
        assert "NOLOGIN" in error.message
        turn = Turn(either.current(), either.wrong(either.current()), {})
        if isinstance(either, SingleHarness):
            step(built(either), "set", turn)
            error = refused(lambda: step(built(either), "test", turn))
        assert not either.works(either.current())

    def test_a_role_with_a_connection_limit_of_0_is_refused(self, either):
        either.database.run(f'ALTER ROLE "{user_of(either)}" CONNECTION LIMIT 0')
        error = refused(lambda: built(either).prepare(either.current()))
        assert "CONNECTION LIMIT is 0" in error.message

    def test_an_idle_role_with_a_connection_limit_of_0_is_refused(self, alternate):
        alternate.run("ALTER ROLE app_b CONNECTION LIMIT 0")
        for target in (None, {**alternate.target, "verify_current": False}):
            error = refused(
                lambda target=target: built(alternate, target).prepare(alternate.current())
            )
            assert "CONNECTION LIMIT is 0" in error.message
        unchanged(alternate)

    def test_a_read_only_server_is_refused_before_the_claim(self, either):
        either.run("ALTER ROLE envkit SET default_transaction_read_only = on")
        error = refused(lambda: built(either).prepare(either.current()))
        assert "is read-only, as a standby is" in error.message
        assert "target_session_attrs=read-write" in error.hint

    def test_an_app_that_uses_its_whole_connection_limit_is_rotated(self, either):
        for role in either.role_names:
            either.run(f"ALTER ROLE {role} CONNECTION LIMIT 1")
        with psycopg.connect(either.current()["url"].reveal(), autocommit=True) as app:
            whole(either, either.current())
            assert app.execute("SELECT 1").fetchone() == (1,)

    def test_a_wrong_password_is_detected_at_the_connection_limit(self, single):
        single.run("ALTER ROLE app CONNECTION LIMIT 1")
        with psycopg.connect(single.current()["url"].reveal()):
            wrong = single.wrong(single.current())
            assert built(single).probe(wrong, {}) is False
            with pytest.raises(RotationError, match="cannot log in with the new password"):
                built(single).test(wrong, {})


class TestVerifiers:
    @pytest.fixture
    def hashing(self, either, postgres):
        """A target where MD5 is good enough, as its admin and as the superuser."""
        user = user_of(either)
        either.database.run(
            f"SET password_encryption = 'md5'; SET client_min_messages = error; "
            f"ALTER ROLE \"{user}\" PASSWORD '{either.password}'"
        )
        current = {"url": Secret(postgres.dsn("hashing", user, either.password))}
        admins = [(either.role("envkit"), either.hidden[0]), ()]
        return current, [postgres.dsn("hashing", *admin) for admin in admins]

    @staticmethod
    def kind(harness, fields):
        user = login_of(fields["url"]).user
        [(verifier,)] = harness.database.run(
            f"SELECT rolpassword FROM pg_authid WHERE rolname = '{user}'"
        )
        return verifier[:3]

    @pytest.mark.filterwarnings("ignore")
    def test_an_md5_verifier_is_replaced_by_an_md5_verifier(self, either, hashing):
        current, dsns = hashing
        for dsn in dsns:
            assert self.kind(either, current) == "md5"
            current = whole(either, current, {**either.target, "dsn": dsn}).new
        assert self.kind(either, current) == "md5"

    def test_a_scram_verifier_stays_scram_when_the_server_accepts_md5(self, either, postgres):
        current = {"url": Secret(postgres.dsn("hashing", user_of(either), either.password))}
        dsn = postgres.dsn("hashing", either.role("envkit"), either.hidden[0])
        new = whole(either, current, {**either.target, "dsn": dsn}).new
        assert self.kind(either, new) == "SCR"


def test_a_database_in_sql_ascii_is_rotated_like_any_other(either, postgres):
    name = either.database.role("ascii")
    either.database.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'")
    dsn = postgres.dsn(name, either.role("envkit"), either.hidden[0])
    url = postgres.dsn(name, user_of(either), either.password)
    whole(either, {"url": Secret(url)}, {**either.target, "dsn": dsn})
