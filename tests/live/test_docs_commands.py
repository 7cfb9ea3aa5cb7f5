"""What pages show of Vault and AWS, run against real servers; see `support.pages`."""

import json
import os
from pathlib import Path

import pytest

from support.openbao import _binary
from support.pages import ROOT, pages_run_by, tell


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def test_these_are_the_pages():
    pages = pages_run_by("tests/live/test_docs_commands.py")
    assert [page.name for page in pages] == ["an-afternoon.md", "aws.md", "vault.md"]


def test_vault(openbao, shop):
    environ = {
        "VAULT_ADDR": openbao.address,
        "BAO_TOKEN": openbao.root_token,  # of `bao`; the page gives envkit a VAULT_TOKEN
        "PATH": str(Path(_binary()).parent),
    }
    places = {openbao.address: "https://vault.example.com:8200"}
    wrong = tell(ROOT / "docs/guide/vault.md", shop, environ, places)
    assert not wrong, "\n".join(wrong)


def test_an_afternoon(openbao, shop):
    for environment in ("staging", "prod"):
        openbao.put(f"orders/{environment}/db", {"password": f"made-up-{environment}"})
    rights = {
        "secret/data/orders/*": ["create", "read", "update"],
        "secret/metadata/orders/*": ["read"],
    }
    environ = {
        "VAULT_ADDR": openbao.address,
        "VAULT_TOKEN": openbao.token(openbao.policy(rights)),
    }
    wrong = tell(ROOT / "docs/guide/an-afternoon.md", shop, environ)
    assert not wrong, "\n".join(wrong)


def test_aws(aws, shop):
    aws.prefix = "shop/"
    aws.put("prod/db", json.dumps({"username": "app", "password": "p@ss word"}))
    aws.put("prod", json.dumps({"STRIPE_KEY": "sk_live_made_up"}))
    environ = {name: text for name, text in os.environ.items() if name.startswith("AWS_")}
    wrong = tell(ROOT / "docs/guide/aws.md", shop, environ)
    assert not wrong, "\n".join(wrong)
