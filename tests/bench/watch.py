"""What watching costs: the parent process, and the requests of an hour in Vault and in AWS.

The parent process is measured by `bench.parent`. To count the requests for 100 secrets, real
stores are asked by the code that a watcher runs in its child processes; only the clock is
simulated, so that an hour takes seconds. What is counted is what the store received.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from random import uniform
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import parent
from bench.measure import Bar, Group
from bench.projects import Project, values
from envkit._internal.clock import Deadline
from envkit.resident.decide import Announce, Look, Read, Wait, after, decide, watching
from envkit.resident.logins import resume_login
from envkit.resident.noticing import look, watched_sources
from envkit.resident.state import Announced, LookBegun, Looked, ReadBegun, ReadValid, Settings
from envkit.resolution.prepare import prepare
from support.aws import REGION, admin_client, moto_running
from support.fault_proxy import FaultProxy
from support.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envkit.resident.noticing import WatchedSource

SECRETS = 100
HOUR_SECONDS = 3600.0
POLL_SECONDS = 60.0
PER_CALL = 20
EXPECTED = 1.1  # of a look per poll: the poll varies by a tenth
PRICE = 0.05 / 10_000  # dollars for a call of Secrets Manager
HOURS_A_MONTH = 730


class Hour(NamedTuple):
    """What one hour of watching was."""

    looks: int
    requests: int


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure the parent process, and count the requests for secrets in paths of their own."""
    yield from parent.groups(folder / "parent", rounds)
    wanted = values(SECRETS)
    (folder / "server").mkdir(parents=True)
    with OpenBao(folder / "server") as server, FaultProxy(server.address) as proxy:
        for name, value in wanted.items():
            server.put(f"bench/{name}", {"value": value})
        project = Project(folder / "vault")
        head = '[sources.vault]\nmount = "secret"\nprefix = "bench"'
        references = {name: f"{{{{ vault:{name}#value }}}}" for name in wanted}
        project.profile("prod.toml", references, head)
        login = {"VAULT_ADDR": proxy.url, "VAULT_TOKEN": server.root_token}
        yield _group("Vault", _an_hour(project, proxy, login), SECRETS)
    with moto_running() as url, FaultProxy(url) as proxy:
        client = admin_client(url)
        for name, value in wanted.items():
            client.create_secret(Name=f"bench/{name}", SecretString=value)
        project = Project(folder / "aws")
        head = '[sources.aws]\nprefix = "bench/"'
        project.profile("prod.toml", {name: f"{{{{ aws:{name} }}}}" for name in wanted}, head)
        login = {
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield _group("AWS", _an_hour(project, proxy, login), SECRETS / PER_CALL, PRICE)


def _group(store: str, hour: Hour, per_look: float, price: float = 0.0) -> Group:
    title = f"an hour of watching {SECRETS} secrets in {store}: {hour.requests:,} requests"
    if price:
        month = hour.requests * price * HOURS_A_MONTH
        title += f", ${month:.2f} a month; ${month * PER_CALL:.2f} if each secret is billed"
    most = HOUR_SECONDS / POLL_SECONDS * EXPECTED
    bars = [
        Bar("looks an hour", hour.looks, most),
        Bar("requests a look", hour.requests / hour.looks, per_look + 1 / hour.looks),
    ]
    return Group(title, {}, bars)


def _an_hour(project: Project, proxy: FaultProxy, login: Mapping[str, str]) -> Hour:
    """Watch for an hour of a simulated clock; the first read is not counted."""
    with _environment(login):
        states: dict[str, Mapping[str, Any]] = {}
        watched = _child(project, states)
        base = {name: look(one).tokens for name, one in watched.items()}
        _keep(watched, states)
        settings = Settings({name: one.poll_seconds for name, one in watched.items()})
        state, now, looks = watching(settings, base, 0.0), 0.0, 0
        proxy.forget()
        while now < HOUR_SECONDS:
            match decide(state, settings, now):
                case Look(names):
                    looks += 1
                    begun = LookBegun({name: uniform(-1, 1) for name in names})
                    state, _ = after(state, settings, begun, now)
                    watched = _child(project, states)
                    for name in names:
                        found = look(watched[name])
                        if found.error is not None:
                            raise found.error
                        state, _ = after(state, settings, Looked(name, found.tokens), now)
                    _keep(watched, states)
                case Read():
                    state, _ = after(state, settings, ReadBegun(), now)
                    state, _ = after(state, settings, ReadValid(changed=False), now)
                case Announce():
                    state, _ = after(state, settings, Announced(), now)
                case Wait(until):
                    now = until
        return Hour(looks, len(proxy.requests))


def _child(project: Project, states: Mapping[str, Mapping[str, Any]]) -> dict[str, WatchedSource]:
    """Open the sources anew with the login of the last ones, as each child has them."""
    prepared = prepare(
        ["prod"],
        profiles=str(project.folder / "profiles"),
        environ=os.environ,
        deadline=Deadline(60),
    )
    watched = watched_sources(prepared)
    for one in watched.values():
        resume_login(one, states)
    return watched


def _keep(watched: Mapping[str, WatchedSource], states: dict[str, Mapping[str, Any]]) -> None:
    for name, one in watched.items():
        if (login := getattr(one.source, "login_state", None)) is not None:
            states[name] = login()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = os.environ.copy()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
