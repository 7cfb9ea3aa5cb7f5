"""The recipes for CI, Compose and cron work under the rules of trust.

What they set is read from the pages and set here; only addresses and folders are replaced by
those of the test. `tests/extra/test_recipes.py` runs the parts that need root: images, volumes,
units.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from support.jwt import new_key, public_pem, signed
from support.pages import ROOT, blocks
from support.process import environment, program, run_envkit, run_program
from support.rotating import table

GUIDE = ROOT / "docs" / "guides"
SCHEDULER = GUIDE / "scheduler.md"
ADDRESS = "https://vault.example.com:8200"  # of the pages
OTHER_ADDRESS = "http://0.0.0.0:1"  # possible changes of a profile by a pull request
VARIABLES = '[variables]\nDB_PASSWORD = "{{ vault:secret/recipes#password }}"\n'
TOKEN_SECRET = "${{ secrets.VAULT_TOKEN }}"


def documents(page):
    return [yaml.safe_load(one.text) for one in blocks(GUIDE / page) if one.language == "yaml"]


def github_jobs():
    """Yield the environment and the command of each step that hands over a login."""
    for page in ("ci-and-containers.md", "check.md"):
        for workflow in documents(page):
            jobs = workflow.get("jobs", {}) if isinstance(workflow, dict) else {}
            for name, job in jobs.items():
                for step in job["steps"]:
                    if "VAULT_TOKEN" in step.get("env", {}):
                        environ = {**job.get("env", {}), **step["env"]}
                        yield pytest.param(environ, step["run"], id=f"GitHub {name}")


@pytest.fixture
def shop(project, openbao):
    """A project with a secret in Vault, and an `npm` that prints its environment."""
    openbao.put("recipes", {"password": "from-vault"})
    # not loopback to envkit, so that it needs trust
    project.address = f"http://0.0.0.0:{openbao.port}"
    (project.root / "src").mkdir()
    with_program(project, "npm", 'echo "$* with $DB_PASSWORD"')
    return project


def with_program(project, name, script):
    """Put a program in front of those of the machine, for a job to find."""
    programs = project.root / "bin"
    programs.mkdir()
    program(programs / name, f"#!/bin/sh\n{script}\n")
    project.path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return programs


def profile(shop, address, auth=""):
    text = f'[sources.vault]\naddress = "{address}"\nallow_http = true\n{auth}\n{VARIABLES}'
    for name in ("ci", "prod"):
        shop.profile(f"{name}.toml", text)


def run_job(shop, command, environ):
    own = {name: value.replace(ADDRESS, shop.address) for name, value in environ.items()}
    env = {**environment(os.environ["HOME"]), "PATH": shop.path, "CI": "true", **own}
    return run_program("sh", "-ec", command, cwd=shop.root, env=env)


def assert_untrusted(done, what="$VAULT_TOKEN"):
    assert done.returncode == 6, done.stdout + done.stderr
    assert f"not trusted with this: {what} to {OTHER_ADDRESS}" in done.stderr


# ---------------------------------------------------------------- CI


def test_a_github_job_has_the_inputs_that_its_steps_and_profile_need():
    [profile_of_page] = [
        one.text for one in blocks(GUIDE / "ci-and-containers.md") if one.file == "profiles/ci.toml"
    ]
    environ, _ = next(github_jobs()).values
    assert set(re.findall(r"\{\{ env:(\w+) \}\}", profile_of_page)) <= environ.keys()
    for page in ("ci-and-containers.md", "check.md"):
        for workflow in documents(page):
            jobs = workflow.get("jobs", {}) if isinstance(workflow, dict) else {}
            for job in jobs.values():
                folders = [step.get("with", {}).get("path") for step in job["steps"]]
                installed = [
                    found[1]
                    for step in job["steps"]
                    for found in re.finditer(r"pip install '?\./(\w+)", step.get("run", ""))
                ]
                assert set(installed) <= set(folders), page


@pytest.mark.parametrize(("environ", "command"), [*github_jobs()])
def test_a_github_job_reads_its_secrets_and_sends_no_token_to_a_changed_address(
    shop, openbao, environ, command
):
    assert environ["VAULT_TOKEN"] == TOKEN_SECRET
    environ = {**environ, "VAULT_TOKEN": openbao.root_token}
    profile(shop, shop.address)
    done = run_job(shop, command, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from-vault" in done.stdout or "check" in command
    profile(shop, OTHER_ADDRESS)
    assert_untrusted(run_job(shop, command, environ))


def test_a_github_job_needs_no_trust_list_for_an_address_that_it_sets_itself(shop, openbao):
    environ, command = next(github_jobs()).values
    environ = {**environ, "VAULT_TOKEN": openbao.root_token, "VAULT_ADDR": shop.address}
    del environ["ENVKIT_TRUST"]
    for name in ("ci", "prod"):
        shop.profile(f"{name}.toml", VARIABLES)
    assert "from-vault" in run_job(shop, command, environ).stdout
    profile(shop, OTHER_ADDRESS)
    assert_untrusted(run_job(shop, command, environ))


def test_a_gitlab_job_logs_in_with_its_token_and_sends_none_to_a_changed_address(shop, openbao):
    page = (GUIDE / "ci-and-containers.md").read_text()
    [auth] = re.findall(r"^auth = .*VAULT_JWT.*$", page, re.MULTILINE)
    [job] = [one["test"] for one in documents("ci-and-containers.md") if "test" in one]
    [command] = job["script"]
    [(name, token)] = job["id_tokens"].items()
    jwt = logged_in_by_jwt(openbao, token["aud"], re.findall(r'role = "([\w-]+)"', auth)[0])
    environ = {**job["variables"], name: jwt}
    profile(shop, shop.address, auth)
    done = run_job(shop, command, environ)
    assert done.stdout == "test with from-vault\n", done.stderr
    profile(shop, OTHER_ADDRESS, auth)
    assert_untrusted(run_job(shop, command, environ), f"{{{{ env:{name} }}}}")


def logged_in_by_jwt(openbao, audience, role):
    """Set up the JWT method as for GitLab, and return a token that it takes."""
    key = new_key()
    if "jwt/" not in openbao.ask("GET", "sys/auth")["data"]:
        openbao.ask("POST", "sys/auth/jwt", {"type": "jwt"})
    openbao.ask("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public_pem(key)]})
    policy = openbao.policy({"secret/data/recipes": ["read"]})
    rights = {"role_type": "jwt", "bound_audiences": [audience], "user_claim": "sub"}
    openbao.ask("POST", f"auth/jwt/role/{role}", {**rights, "token_policies": [policy]})
    return signed(key, aud=audience, sub="project")


# ---------------------------------------------------------------- Compose


@pytest.fixture
def compose(project):
    """The app of the page's Compose file: its environment, with its profile in the project."""
    page = "ci-and-containers.md"
    [file] = [one for one in blocks(GUIDE / page) if one.file == "profiles/compose.toml"]
    project.profile("compose.toml", file.text)
    [services] = [one["services"] for one in documents(page) if "services" in one]
    assert services["vault"]["command"].endswith(":8200")
    return services["app"]["environment"]


def test_compose_trusts_the_unencrypted_server_of_its_own_network(project, compose):
    done = project.run("trust", "--list", "--format", "json", env=compose)
    [found] = json.loads(done.stdout)["destinations"]
    expected = {"where": "http://vault:8200", "unencrypted": True, "trusted": True}
    assert expected.items() <= found.items()


def test_compose_without_its_trust_entry_sends_no_token(project, compose):
    environ = {name: value for name, value in compose.items() if name != "ENVKIT_TRUST"}
    done = project.run("exec", "--", "true", env=environ)
    assert done.returncode == 6
    assert "$VAULT_TOKEN to http://vault:8200 (unencrypted)" in done.stderr


# ---------------------------------------------------------------- cron

HOOK = '[variables]\nTOKEN = "{{ TOKEN }}"\n' + table(
    *("token", "TOKEN", 'grace = "0s"', 'target = { previous_field = "" }'),
    'after = [["systemctl", "reload", "shop"]]',
)


def run_cron(shop, more=""):
    """Run the line of the guide as cron does: its environment, `/bin/sh`, the home folder."""
    [text] = [one.text for one in blocks(SCHEDULER) if "/etc/cron.d/" in one.text]
    lines = [line for line in (text + more).splitlines() if not line.startswith("#")]
    environ = {"HOME": os.environ["HOME"], "LOGNAME": "shop", "SHELL": "/bin/sh"}
    environ["PATH"] = "/usr/bin:/bin"
    environ.update(line.split("=", 1) for line in lines if "* * *" not in line)
    environ["PATH"] = environ["PATH"].replace("/usr/local/bin", shop.path)
    [job] = [line for line in lines if "* * *" in line]
    user, command = job.split(None, 6)[5:]
    assert user == "shop"
    command = command.replace("/srv/shop", str(shop.root))
    return run_program("/bin/sh", "-c", command, cwd=environ["HOME"], env=environ)


def test_cron_rotates_trusted_profiles_and_mails_only_news(project):
    programs = with_program(project, "systemctl", 'echo "$*" >> "$(dirname "$0")/ran"')
    project.profile("prod.toml", HOOK)
    project.dotenv("prod", "TOKEN=made-up\n")
    done = run_cron(project)
    assert done.returncode == 6
    assert "runs systemctl reload shop" in done.stderr
    assert not (programs / "ran").exists()
    [line] = re.findall(r"`(ENVKIT_TRUST=run:\S+)`", SCHEDULER.read_text(encoding="utf-8"))
    done = run_cron(project, f"{line}\n")
    assert (done.returncode, "rotated" in done.stdout) == (0, True), done.stderr
    assert (programs / "ran").read_text() == "reload shop\n"
    done = run_cron(project, f"{line}\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_folders_of_the_scheduler_page_are_private_under_every_umask(project):
    """Profiles that a group may write are untrusted."""
    [text] = [one.text for one in blocks(SCHEDULER) if "systemctl enable" in one.text]
    lines = [line for line in text.splitlines() if line.startswith("install ")]
    project.profile("prod.toml", HOOK).chmod(0o664)
    (project.root / "rotate.env").touch()
    (project.root / "etc/systemd/system").mkdir(parents=True)
    script = "\n".join(lines).replace(" /etc/", " etc/").replace("examples/", f"{ROOT}/examples/")
    run_program("sh", "-euc", f"umask 002\n{script}", cwd=project.root, check=True)
    installed = project.root / "etc/envkit"
    found = {path.name: path.stat().st_mode & 0o777 for path in installed.rglob("*")}
    assert found == {"profiles": 0o755, "prod.toml": 0o644, "rotate.env": 0o600}
    assert installed.stat().st_mode & 0o777 == 0o755


def test_envkit_accepts_the_list_of_the_trust_guide(project):
    """Every form of an entry in the table trusts what it says, so envkit asks for nothing."""
    page = ROOT / "docs" / "concepts" / "trust.md"
    [text] = [one.text for one in blocks(page) if one.file == "profiles/prod.toml"]
    project.profile("prod.toml", text)
    [example] = re.findall(r"^ENVKIT_TRUST=(\S+)$", page.read_text(), re.MULTILINE)
    done = run_envkit("trust", "--list", cwd=project.root, env={"ENVKIT_TRUST": example})
    status = {line.split("  ")[0] for line in done.stdout.splitlines()[1:] if "rotate.sh" in line}
    assert status == {"trusted"}
    assert "not trusted" in done.stdout
