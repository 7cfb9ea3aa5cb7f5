"""What is trusted without asking anybody."""

from __future__ import annotations

import os

import pytest

from envkit.trust.decision import (
    belongs_to_system,
    has_list,
    is_below,
    is_listed,
    trusts_everything,
)
from envkit.trust.destination import LOAD, READ, RUN, SEND, Destination
from support.permissions import as_nobody

VAULT = Destination(SEND, "https://vault.example.com:8200", ("$VAULT_TOKEN",))
WEBHOOK = Destination(SEND, "https://hooks.example.com/T0/B1")


@pytest.mark.parametrize(
    ("value", "everything", "lists"),
    [
        ("1", True, False),
        ("", False, False),
        ("0", False, True),
        ("true", False, True),
        ("1,2", False, True),
        ("https://vault.example.com:8200", False, True),
    ],
)
def test_only_1_trusts_everything(value, everything, lists):
    environ = {"ENVKIT_TRUST": value, "CI": "true"}
    assert trusts_everything(environ) is everything
    assert has_list(environ) is lists


@pytest.mark.parametrize(
    ("entry", "destination"),
    [
        ("https://vault.example.com:8200", VAULT),
        (" HTTPS://Vault.example.com:8200/ ,run:x", VAULT),
        ("https://vault.example.com:443", Destination(SEND, "https://vault.example.com")),
        ("https://hooks.example.com/T0/B1", WEBHOOK),
        ("{{ env:ADMIN_DSN }}", Destination(SEND, "{{ env:ADMIN_DSN }}")),
        ("postgresql://db:5432", Destination(SEND, "postgresql://db:5432")),
        ("run:./rotate.sh", Destination(RUN, "./rotate.sh --all")),
        ("run:systemctl reload shop", Destination(RUN, "systemctl reload shop")),
        ("read:/etc/ssl/vault.pem", Destination(READ, "/etc/ssl/vault.pem")),
        ("load:NODE_OPTIONS", Destination(LOAD, "NODE_OPTIONS", ("--x",))),
    ],
)
def test_a_list_trusts_what_it_names(entry, destination):
    assert is_listed(destination, {"ENVKIT_TRUST": entry})


@pytest.mark.parametrize(
    ("entry", "destination"),
    [
        ("https://vault.example.com", VAULT),
        ("http://vault.example.com:8200", VAULT),
        ("https://vault.example.com:8200.evil", VAULT),
        ("vault.example.com:8200", VAULT),
        ("https://hooks.example.com", WEBHOOK),
        ("https://hooks.example.com/T0/B1", Destination(SEND, "https://hooks.example.com")),
        ("./rotate.sh", Destination(RUN, "./rotate.sh")),
        ("run:rotate.sh", Destination(RUN, "./rotate.sh")),
        ("run:sh", Destination(RUN, "'sh x' -c y")),
        ("read:/etc", Destination(READ, "/etc/passwd")),
        ("run:", Destination(RUN, "x")),
        ("", VAULT),
    ],
)
def test_a_trust_list_trusts_nothing_else(entry, destination):
    assert not is_listed(destination, {"ENVKIT_TRUST": entry})


def test_a_folder_is_below_another_by_whole_names():
    assert is_below("/srv/apps/shop/profiles", ["/srv/apps"])
    assert is_below("/srv/apps", ["/srv/apps"])
    assert is_below("/srv", ["/"])
    assert not is_below("/srv/apps-of-others", ["/srv/apps"])
    assert not is_below("/srv", ["/srv/apps"])
    assert not is_below("/srv", [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users")
def test_only_files_that_only_root_can_write_belong_to_the_system():
    assert not belongs_to_system("/etc", ["/etc/passwd"]), "root could have cloned it"
    with as_nobody():
        assert belongs_to_system("/etc", ["/etc/passwd"])
        assert not belongs_to_system("/tmp", [])
        assert not belongs_to_system("/etc", ["/tmp/x"])
        assert not belongs_to_system("/no/such/folder", [])
