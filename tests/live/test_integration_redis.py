"""Clients of redis-py with `envkit.integrations.redis`, while their password is rotated."""

import asyncio
import threading

import pytest
import redis
import redis.asyncio

import envkit
from envkit.errors import NoSuchVariableError
from envkit.integrations.redis import options
from support.living import of_files, of_store, until
from support.valkey import Valkey

pytestmark = pytest.mark.usefixtures("trusted")

ROTATIONS = 4
THREADS = 4


def load(connect, rotate):
    """Let threads log in, again and again, while `rotate` runs; return what failed."""
    failures, logins, stop = [], [], threading.Event()

    def work():
        while not stop.is_set():
            try:
                connect()
                logins.append(1)
            except redis.AuthenticationError as error:
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        rotate()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert logins
    return failures


class TestRotations:
    def test_no_login_fails_while_the_password_is_rotated(self, cache):
        client = redis.Redis(**options(envkit.live("prod"), "REDIS_URL"))

        def connect():
            client.connection_pool.disconnect(inuse_connections=False)
            client.ping()

        def rotate():
            for _ in range(ROTATIONS):
                cache.rotate()

        assert load(connect, rotate) == []
        client.close()

    @pytest.mark.parametrize("kind", ["fixed URL", "credential provider alone"])
    def test_logins_fail_after_a_rotation_without_the_connect_function(self, cache, kind):
        live = envkit.live("prod")
        given = options(live, "REDIS_URL")
        del given["redis_connect_func"]
        once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        fixed = redis.Redis.from_url(cache.url, retry=once)
        client = fixed if kind == "fixed URL" else redis.Redis(**given, retry=once)
        client.ping()
        cache.rotate()
        client.connection_pool.disconnect()
        with pytest.raises(redis.AuthenticationError):
            client.ping()
        client.close()
        fixed.close()

    def test_no_login_of_an_async_client_fails_while_the_password_is_rotated(self, cache):
        given = options(envkit.live("prod"), "REDIS_URL")

        async def main():
            client = redis.asyncio.Redis(**given)
            stop = asyncio.Event()

            async def work():
                count = 0
                while not stop.is_set():
                    await client.connection_pool.disconnect(inuse_connections=False)
                    await client.ping()
                    count += 1
                return count

            workers = [asyncio.create_task(work()) for _ in range(THREADS)]
            for _ in range(ROTATIONS):
                await asyncio.to_thread(cache.rotate)
            stop.set()
            counts = await asyncio.gather(*workers)
            await client.aclose()
            return counts

        assert all(asyncio.run(main()))


class TestOldConnections:
    def test_a_connection_is_kept_while_its_login_is_the_current_one(self, cache):
        with redis.Redis(**options(envkit.live("prod"), "REDIS_URL")) as client:
            assert {client.client_id() for _ in range(3)} == cache.connections()

    def test_pooled_connections_are_replaced_when_they_are_checked_out(self, cache, monkeypatch):
        monkeypatch.setattr("envkit.integrations.redis.SPREAD_SECONDS", 0.0)
        live = envkit.live("prod")
        with redis.Redis(**options(live, "REDIS_URL")) as client:
            before = client.client_id()
            cache.rotate()
            assert client.client_id() == before, "it has not been noticed yet"
            assert next(live.newer(live.snapshot(), ["REDIS_URL"]))
            after = client.client_id()
            assert cache.connections() == {after} != {before}

    def test_an_async_pool_replaces_its_connections_too(self, cache, monkeypatch):
        monkeypatch.setattr("envkit.integrations.redis.SPREAD_SECONDS", 0.0)
        live = envkit.live("prod")
        given = options(live, "REDIS_URL")

        async def main():
            async with redis.asyncio.Redis(**given) as client:
                before = await client.client_id()
                await asyncio.to_thread(cache.rotate)
                await asyncio.to_thread(lambda: next(live.newer(live.snapshot(), ["REDIS_URL"])))
                return before, await client.client_id()

        before, after = asyncio.run(main())
        assert before != after

    def test_a_subscription_loses_no_message_to_a_change(self, cache, monkeypatch):
        monkeypatch.setattr("envkit.integrations.redis.SPREAD_SECONDS", 0.0)
        live = envkit.live("prod")
        client = redis.Redis(**options(live, "REDIS_URL"), decode_responses=True)
        with client, client.pubsub() as subscription:
            subscription.subscribe("news")
            assert subscription.get_message(timeout=5)["type"] == "subscribe"
            client.publish("news", "first")
            client.publish("news", "second")
            cache.rotate()
            assert next(live.newer(live.snapshot(), ["REDIS_URL"]))
            got = [subscription.handle_message(subscription.parse_response()) for _ in "12"]
            assert [one["data"] for one in got] == ["first", "second"]

    def test_a_subscription_logs_in_anew_when_it_is_marked(self, cache):
        live = envkit.live("prod")
        client = redis.Redis(**options(live, "REDIS_URL"), decode_responses=True)
        with client, client.pubsub() as subscription:
            subscription.subscribe("news")
            assert subscription.get_message(timeout=5)["type"] == "subscribe"
            cache.rotate()
            subscription.connection.mark_for_reconnect()
            assert subscription.get_message(timeout=5)["type"] == "subscribe"
            client.publish("news", "later")
            assert subscription.get_message(timeout=5)["data"] == "later"


class TestRefusals:
    def test_the_stores_are_asked_once_for_all_tries_of_a_refused_login(self, project, valkey):
        live, store = of_store(project)
        store.rotate("wrong")
        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 10)
        given = options(live, password="PASSWORD")
        with redis.Redis("127.0.0.1", valkey.port, **given, retry=retry) as client:
            with pytest.raises(redis.AuthenticationError):
                client.ping()
            assert 1 < store.begun < 10

    def test_a_connection_that_did_not_log_in_is_not_used(self, cache):
        """Without its login it would be one of the server's default user."""
        given = options(envkit.live("prod"), password="PLACES")
        with redis.Redis("127.0.0.1", cache.harness.server.port, **given) as client:
            for _ in range(2):
                with pytest.raises(NoSuchVariableError):
                    client.ping()

    def test_a_password_is_not_sent_to_the_server_that_its_url_no_longer_names(self, cache):
        live = envkit.live("prod")
        with redis.Redis(**options(live, "REDIS_URL")) as client:
            cache.write(cache.url.replace("127.0.0.1", "cache.internal"))
            assert next(live.newer(live.snapshot(), ["REDIS_URL"]))
            provider = client.get_connection_kwargs()["credential_provider"]
            for ask in (client.ping, provider.get_credentials):
                with pytest.raises(redis.RedisError, match="REDIS_URL names another server now"):
                    ask()


class TestLogins:
    @pytest.mark.parametrize("form", ["default user", "unix socket", "separate", "RESP2", "pool"])
    def test_every_form_of_a_login_works(self, cache, form):
        server, user = cache.harness.server, cache.harness.user
        password = cache.harness.password
        url = {
            "default user": f"redis://:{server.password}@127.0.0.1:{server.port}",
            "unix socket": f"unix://{user}:{password}@{server.socket}?db=3",
            "RESP2": f"{cache.url.partition('?')[0]}?protocol=2",
        }.get(form, cache.url)
        cache.project.dotenv("prod", f"REDIS_URL={url}\nPLACE={password}\n")
        cache.project.profile("names.toml", f'extends = "prod"\n[variables]\nUSER = "{user}"\n')
        given = options(envkit.live("prod"), "REDIS_URL")
        if form == "separate":
            live = envkit.live("names", "prod")
            given = options(live, username="USER", password="PLACE")
            given.update(host="127.0.0.1", port=server.port)
        if form == "pool":
            given = {"connection_pool": redis.ConnectionPool(**given)}
        with redis.Redis(**given) as client:
            expected = "default" if form == "default user" else user
            assert client.acl_whoami() in (expected, expected.encode())
            assert client.client_info()["db"] == (3 if form == "unix socket" else 0)


class ClusterNode(Valkey):
    """A cluster of one server."""

    def command(self):
        return [*super().command(), "--cluster-enabled", "yes"]

    def join(self):
        with self.connect() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")


def test_new_connections_of_a_cluster_client_use_the_current_login(project, tmp_path):
    with ClusterNode(tmp_path) as server:
        server.join()
        live = of_files(project, f"URL={server.url()}\n")
        client = redis.RedisCluster(**options(live, "URL"))
        client.set("key", "value")
        with server.connect() as admin:
            admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">new")
        project.dotenv("prod", f"URL={server.url('default', 'new')}\n")
        assert next(live.newer(live.snapshot(), ["URL"]))
        client.disconnect_connection_pools()
        assert client.get("key") == b"value"
        client.close()
