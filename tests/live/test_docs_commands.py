"""The commands of the pages about Vault and AWS, run on real servers; see `support.pages`."""

import json
import os
from pathlib import Path

from support.fault_proxy import HOST
from support.openbao import OpenBao, _binary
from support.pages import follow, pages_run_by


def test_the_pages_tested_here_are_those_that_need_a_server():
    pages = pages_run_by("tests/live/test_docs_commands.py")
    names = ["an-afternoon.md", "aws.md", "dynamic-secrets.md", "production-access.md", "vault.md"]
    assert [page.name for page in pages] == names


def test_vault_page_prints_what_it_shows(openbao, tmp_path):
    environ = {
        "VAULT_ADDR": openbao.address,
        "BAO_TOKEN": openbao.root_token,  # of `bao`; the page gives envkit a VAULT_TOKEN
        "PATH": str(Path(_binary()).parent),
    }
    places = {openbao.address: "https://vault.example.com:8200"}
    follow("docs/guides/vault.md", tmp_path / "shop", environ, places)


def test_dynamic_secrets_page_prints_what_it_shows(openbao, postgres, tmp_path):
    environ = {
        "VAULT_ADDR": openbao.address,
        "BAO_TOKEN": openbao.root_token,
        "PATH": os.pathsep.join([str(Path(_binary()).parent), str(postgres.binaries)]),
        "PGHOST": HOST,
        "PGPORT": str(postgres.port),
        "PGDATABASE": postgres.database().name,
        "PGUSER": "postgres",
        "PGPASSWORD": postgres.password,
    }
    try:
        follow("docs/guides/dynamic-secrets.md", tmp_path / "shop", environ)
    finally:
        openbao.ask("DELETE", "sys/mounts/database")


def test_an_afternoon_page_prints_what_it_shows(openbao, tmp_path):
    for environment in ("staging", "prod"):
        openbao.put(f"orders/{environment}/db", {"password": f"made-up-{environment}"})
    rights = {
        "secret/data/orders/*": ["create", "read", "update"],
        "secret/metadata/orders/*": ["read"],
    }
    token = openbao.token(openbao.policy(rights))
    environ = {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": token}
    follow("docs/getting-started/an-afternoon.md", tmp_path / "shop", environ)


def test_aws_page_prints_what_it_shows(aws, tmp_path):
    aws.prefix = "shop/"
    aws.put("prod/db", json.dumps({"username": "app", "password": "p@ss word"}))
    aws.put("prod", json.dumps({"STRIPE_KEY": "sk_live_made_up"}))
    follow("docs/guides/aws.md", tmp_path / "shop", aws.environ)


def test_production_access_page_prints_what_it_shows(tmp_path):
    (tmp_path / "server").mkdir()
    with OpenBao(tmp_path / "server") as server:
        environ = {
            "VAULT_ADDR": server.address,
            "BAO_TOKEN": server.root_token,
            "PATH": str(Path(_binary()).parent),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        follow("docs/guides/production-access.md", tmp_path / "shop", environ)
