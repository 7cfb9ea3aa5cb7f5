"""The commands of the pages about Vault and AWS, run on real servers; see `support.pages`."""

import json
import os
from pathlib import Path

from support.fault_proxy import HOST
from support.logins import People, browser_command, port_of_the_cli
from support.openbao import OpenBao, _binary
from support.pages import follow, pages_run_by


def test_the_pages_tested_here_are_those_that_need_a_server():
    pages = pages_run_by("tests/live/test_docs_commands.py")
    names = ["an-afternoon.md", "aws.md", "dynamic-secrets.md", "login.md"]
    names += ["production-access.md", "vault.md"]
    assert [page.name for page in pages] == names


def test_vault_page_prints_what_it_shows(openbao, tmp_path):
    environ = {
        "VAULT_ADDR": openbao.address,
        "BAO_TOKEN": openbao.root_token,  # of `bao`; the page gives envkit a VAULT_TOKEN
        "PATH": str(Path(_binary()).parent),
    }
    places = {openbao.address: "https://vault.example.com:8200"}
    try:
        follow("docs/guides/vault.md", tmp_path / "shop", environ, places)
    finally:
        openbao.ask("DELETE", "sys/auth/approle")  # other tests enable it too


def test_login_page_prints_what_it_shows(openbao, tmp_path):
    people = People(openbao)
    openbao.put("shop/login/db", {"password": "made-up"})
    rules = 'path "secret/data/shop/login/*" { capabilities = ["read"] }'
    openbao.ask("PUT", "sys/policies/acl/shop-login", {"policy": rules})
    anna = people.userpass("anna", "her-password", "shop-login", mount="userpass")
    token = people.token(anna, "her-password")["client_token"]
    phone = people.require_totp(anna, "her-password", name="phone")
    provider = people.provider()
    # the administrator's token is only for `bao`
    functions = tmp_path / "functions"
    functions.write_text(f'bao() {{ BAO_TOKEN={openbao.root_token} command bao "$@"; }}\n')
    environ = {
        "VAULT_ADDR": openbao.address,
        "PATH": str(Path(_binary()).parent),
        "BASH_ENV": str(functions),
        **provider,
        "BROWSER": browser_command(tmp_path, token),
    }
    typed = [("Password of anna:", "her-password\n"), ("MFA code", lambda: f"{phone.code()}\n")]
    places = {openbao.address: "https://vault.example.com:8200"}
    try:
        with port_of_the_cli():
            follow("docs/guides/login.md", tmp_path / "shop", environ, places, typed)
    finally:
        openbao.ask("DELETE", "sys/auth/userpass")
        openbao.ask("DELETE", "sys/auth/oidc")


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
