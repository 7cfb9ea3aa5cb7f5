"""What the channels of `[access]` would run and send; for those of rotations, `test_rotations`."""

from __future__ import annotations

import pytest

from envkit.profile.loader import load
from envkit.trust.channels import of_access

HOOK = "https://hooks.example.com/x"


@pytest.fixture
def sentences(project):
    def told(table):
        project.profile("prod.toml", table)
        return [one.sentence for one in of_access(load("prod", str(project.profiles)), {})]

    return told


def test_a_profile_that_reports_only_to_this_machine_needs_no_trust(sentences):
    assert sentences("") == []
    assert sentences('[access]\nreason = true\nhours = "Mon 08:00-19:00 UTC"\n') == []
    assert sentences('[access]\nnotify = { slack = "http://127.0.0.1:8080/x" }\n') == []


def test_each_channel_of_a_profile_needs_trust(sentences):
    assert sentences(
        '[access]\nnotify = [{ webhook = "https://hooks.example.com/x", key = "{{ env:K }}" }, '
        '{ command = ["./tell"] }]\n'
    ) == [
        f"a report of each use of prod and a signature made with {{{{ env:K }}}} to {HOOK}",
        "runs ./tell with a report of each use of prod",
    ]


def test_the_store_of_an_address_needs_trust(sentences):
    found = sentences(
        '[sources.vault]\naddress = "https://vault.example.com"\n'
        '[access]\nnotify = { slack = "{{ vault:ops#slack }}" }\n'
    )
    assert "$VAULT_TOKEN to https://vault.example.com" in found[0]
