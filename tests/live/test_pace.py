"""Requests follow the server's quotas and Retry-After, and the limits in the environment."""

import pytest

from envkit.errors import UnavailableError
from support.fault_proxy import FaultProxy, respond
from support.openbao import OpenBao
from support.vault import CANARY, failing, ref, refused, value_at, vault

SECRETS = 12
TEXT = "secret/pace/s0#a"


@pytest.fixture(scope="module")
def quota(tmp_path_factory):
    """A server of this module, that serves five requests in a second."""
    with OpenBao(tmp_path_factory.mktemp("quota")) as server:
        for number in range(SECRETS):
            server.put(f"pace/s{number}", {"a": str(number)})
        server.ask(
            "POST", "sys/quotas/rate-limit/all", {"path": "secret/", "rate": 5, "interval": "1s"}
        )
        yield server


@pytest.mark.parametrize("told", [True, False], ids=["with Retry-After", "without it"])
def test_all_secrets_are_read_despite_a_rate_limit_quota(quota, told):
    quota.ask("POST", "sys/quotas/config", {"enable_rate_limit_response_headers": told})
    refs = [ref(f"secret/pace/s{number}#a") for number in range(SECRETS)]
    outcomes = vault(quota.address, quota.root_token, timeout_seconds=60).fetch(refs)
    assert [outcomes[one].value.reveal() for one in refs] == [str(n) for n in range(SECRETS)]


@pytest.fixture
def proxy(openbao):
    openbao.put("pace/s0", {"a": CANARY})
    with FaultProxy(openbao.address) as running:
        yield running


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("wait", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_server_that_sends_retry_after_is_asked_until_it_serves(
    openbao, proxy, monkeypatch, status, wait
):
    monkeypatch.setattr("envkit.sources.retry.BASE_DELAY_SECONDS", 0.0)
    proxy.fault(respond(status, "{}", {"Retry-After": wait}), times=12)
    assert value_at(vault(proxy.url, openbao.root_token), TEXT) == CANARY


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", ["3600", "999999999999", "Sun, 29 Nov 2999 00:00:00 GMT"])
def test_a_retry_after_beyond_the_deadline_fails_at_once(openbao, proxy, status, wait):
    proxy.fault(respond(status, "{}", {"Retry-After": wait}))
    source = vault(proxy.url, openbao.root_token, timeout_seconds=600)
    error = failing(source, UnavailableError, "and asks envkit to wait [0-9]+ s\n", text=TEXT)
    assert "--timeout" in error.hint
    # a 503 is followed by the question whether the server is sealed
    assert proxy.count(lambda request: "seal-status" not in request.path) == 1


@pytest.mark.parametrize("wait", ["-1", "soon", "1e9", "", "nan", "0x10"])
def test_a_meaningless_retry_after_is_ignored(openbao, proxy, monkeypatch, wait):
    monkeypatch.setattr("envkit.sources.retry.BASE_DELAY_SECONDS", 0.0)
    proxy.fault(respond(429, "{}", {"Retry-After": wait}), times=7)
    assert value_at(vault(proxy.url, openbao.root_token), TEXT) == CANARY


@pytest.mark.parametrize("prefix", ["VAULT", "BAO"])
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_environment_sets_the_number_of_retries(openbao, proxy, monkeypatch, retries, prefix):
    monkeypatch.setattr("envkit.sources.retry.BASE_DELAY_SECONDS", 0.0)
    proxy.fault(respond(500))
    environ = {f"{prefix}_MAX_RETRIES": str(retries)}
    failing(vault(proxy.url, openbao.root_token, environ=environ), UnavailableError, text=TEXT)
    assert proxy.count() == retries + 1


def test_a_rate_that_leaves_no_time_is_reported_as_such(openbao, proxy):
    source = vault(proxy.url, openbao.root_token, environ={"VAULT_RATE_LIMIT": "0.001:1"})
    error = refused(source, UnavailableError, text=TEXT)
    assert "VAULT_RATE_LIMIT leaves no time" in error.message
    assert proxy.count() == 1
