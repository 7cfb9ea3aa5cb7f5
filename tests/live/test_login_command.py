"""`envkit login` and `envkit logout` at a terminal, with OpenBao: what a person sees and types."""

import json
import re
import stat

import pytest

from support.fault_proxy import FaultProxy, respond, silent
from support.logins import People, browser_command, port_of_the_cli

PASSWORD = "pass-77d0c2fa"
VALUE = "value-1b2f4e77"


@pytest.fixture(scope="module")
def people(openbao):
    return People(openbao)


@pytest.fixture(scope="module")
def policy(openbao):
    openbao.put("login-command/db", {"password": VALUE})
    return openbao.policy({"secret/data/login-command/*": ["read"]})


@pytest.fixture
def shop(project, openbao):
    """A project whose user has a HOME, and a function that writes its profile."""
    project.logged()
    home = project.root / "home"
    home.mkdir()
    project.environ["HOME"] = str(home)

    def with_auth(auth, more=""):
        text = json.dumps(auth) if isinstance(auth, list) else table(auth)
        project.profile(
            "prod.toml",
            f'[sources.vault]\naddress = "{openbao.address}"\nauth = {text}\n{more}\n'
            '[variables]\nPW = "{{ vault:secret/login-command/db#password }}"\n',
        )
        return project

    return with_auth


def table(auth):
    return "{ " + ", ".join(f"{key} = {json.dumps(text)}" for key, text in auth.items()) + " }"


def logins(project):
    return [(one["command"], one["outcome"], one.get("logins")) for one in project.records()]


def test_a_person_logs_in_with_password_and_mfa_reads_and_logs_out(shop, people, policy):
    auth = people.userpass("anna", PASSWORD, policy)
    phone = people.require_totp(auth, PASSWORD)
    project = shop(auth)
    answers = [
        ("Password of anna:", f"{PASSWORD}\n"),
        ("MFA code (totp", "000000\n"),
        ("MFA code (totp", lambda: f"{phone.code()}\n"),
    ]
    shown, status = project.on_terminal("login", "--env", "prod", answers=answers)
    assert status == 0, shown
    assert PASSWORD not in shown
    assert "envkit: the code was not accepted: it is wrong, or was used before" in shown
    assert f"vault: logged in as {auth['mount']}-anna, policies default, {policy}, for " in shown
    token = project.root / "home" / ".vault-token"
    assert f"method userpass; the login is stored in {token}" in shown
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert project.run("get", "PW", "--env", "prod").stdout == VALUE
    done = project.run("doctor", "--env", "prod")
    assert re.search(
        r"logged in as userpass-\w+-anna, .* for \d+ minutes \(method userpass\)", done.stdout
    )
    done = project.run("logout", "--env", "prod", "vault")
    assert done.stdout == f"vault: revoked and removed the token from '{token}'\n"
    done = project.run("get", "PW", "--env", "prod")
    assert done.returncode == 6
    assert "envkit: hint: run: envkit login --env prod vault" in done.stderr
    shown = project.run("audit", "show").stdout.splitlines()
    assert "LOGIN" in shown[0]
    assert shown[1].endswith("vault userpass")
    assert logins(project) == [
        ("login", "ok", {"vault": "userpass"}),
        ("get", "ok", {"vault": "userpass"}),
        ("logout", "ok", {"vault": ""}),
        ("get", "not-logged-in", {"vault": "userpass"}),
    ]


def test_exec_asks_for_the_mfa_code_at_a_terminal_only(shop, people, policy):
    auth = people.userpass("bert", PASSWORD, policy)
    phone = people.require_totp(auth, PASSWORD)
    project = shop({**auth, "password": "{{ env:PASSWORD }}"})
    env = {"PASSWORD": PASSWORD}
    command = ("exec", "--env", "prod", "--", "sh", "-c", 'echo "got $PW" "[$ENVKIT_MFA_CODE]"')
    done = project.run(*command, env=env)
    assert (done.returncode, done.stdout) == (6, "")
    assert "requires MFA (totp 'phone" in done.stderr
    assert "[mfa-required]" in done.stderr
    answers = [("MFA code (totp", lambda: f"{phone.code()}\n")]
    shown, status = project.on_terminal(*command, env=env, answers=answers)
    assert status == 0, shown
    assert f"got {VALUE} []" in shown
    env["ENVKIT_MFA_CODE"] = phone.code(ahead=1)
    assert project.run(*command, env=env).stdout == f"got {VALUE} []\n"


def test_a_push_shows_what_to_do_and_the_time_that_is_left(shop, openbao):
    methods = {"any": [{"type": "duo", "id": "d", "uses_passcode": False}]}
    needed = {"mfa_request_id": "request", "mfa_constraints": {"e": methods}}
    answered = {"auth": {"client_token": "", "mfa_requirement": needed}}
    with FaultProxy(openbao.address) as proxy:
        proxy.fault(silent(), when=lambda request: request.path == "/v1/sys/mfa/validate")
        login = respond(200, json.dumps(answered))
        proxy.fault(login, when=lambda request: request.path.startswith("/v1/auth/"))
        project = shop({"method": "userpass", "username": "dora", "password": "x"})
        path = project.profiles / "prod.toml"
        path.write_text(path.read_text().replace(openbao.address, proxy.url))
        for command in (("exec", "--env", "prod", "--", "true"), ("login", "--env", "prod")):
            shown, status = project.on_terminal(*command, answers=[(" left)", "\x03")])
            assert status == 130
            line = "envkit: approve the push notification on your device (2:00 left)"
            assert line in shown


def test_ctrl_c_at_the_question_for_the_code_ends_exec(shop, people, policy):
    auth = people.userpass("cleo", PASSWORD, policy)
    people.require_totp(auth, PASSWORD)
    project = shop({**auth, "password": PASSWORD})
    command = ("exec", "--env", "prod", "--", "true")
    shown, status = project.on_terminal(*command, answers=[("MFA code (totp", "\x03")])
    assert status == 130
    assert "Traceback" not in shown
    assert "Fatal" not in shown


@pytest.fixture
def browser(tmp_path, people):
    """The command of a browser that is logged in to the provider."""
    user = people.userpass("olga", PASSWORD)
    token = people.token(user, PASSWORD)["client_token"]
    return browser_command(tmp_path, token)


def test_a_person_logs_in_in_the_browser(shop, people, policy, browser):
    project = shop(people.oidc(policy))
    with port_of_the_cli():
        shown, status = project.on_terminal("login", "--env", "prod", env={"BROWSER": browser})
    assert status == 0, shown
    assert "use the page that your browser shows, or open this address in a browser:" in shown
    assert "method oidc; the login is stored in " in shown
    assert project.run("get", "PW", "--env", "prod").stdout == VALUE


def test_no_browser_prints_the_address_and_ctrl_c_ends_the_wait(shop, people, policy, browser):
    project = shop(people.oidc(policy))
    command = ("login", "--env", "prod", "--no-browser")
    with port_of_the_cli():
        shown, status = project.on_terminal(
            *command, env={"BROWSER": browser}, answers=[("&state=", "\x03")]
        )
    assert status == 130
    assert "to log in, open this address in a browser:\nhttp://127.0.0.1:" in shown
    assert logins(project) == [("login", "interrupted", {"vault": ""})]


def test_a_browser_that_never_comes_back_ends_the_command(shop, people, policy):
    project = shop(people.oidc(policy))
    with port_of_the_cli():
        shown, status = project.on_terminal("login", "--env", "prod", "--timeout", "1s")
    assert status == 6
    assert "the browser did not come back within 1 s" in shown
    assert logins(project) == [("login", "not-logged-in", {"vault": ""})]


def test_login_without_a_terminal_fails_at_once(shop):
    project = shop({"method": "oidc"})
    done = project.run("login", "--env", "prod")
    assert done.returncode == 6
    assert "the oidc login to 'vault' needs a person at a terminal" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vualt",), "prod has no source 'vualt'"),
        (("dotenv",), "'dotenv' in prod is not a store that you log in to"),
        ((), "prod uses several stores that you log in to: vault, eu"),
        (("--env", "dev"), "dev uses no store that you log in to"),
        (("--env", "dev", "--env", "prod"), "a login is for one environment"),
    ],
)
@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_login_to_an_ambiguous_or_unknown_source_is_a_usage_error(
    shop, command, arguments, message
):
    more = '[sources.eu]\ntype = "vault"\naddress = "http://127.0.0.1:1"\nauth = ["oidc"]\n'
    project = shop(["oidc"], more)
    project.profile("dev.env", "A=1\n")
    env = {} if "--env" in arguments else {"ENVKIT_ENV": "prod"}
    done = project.run(command, *arguments, env=env)
    assert done.returncode == 2
    assert message in done.stderr


def test_login_to_a_server_of_the_repository_needs_trust(project):
    project.logged()
    text = '[sources.vault]\naddress = "https://vault.example.com:8200"\nauth = ["token", "ldap"]\n'
    project.profile("prod.toml", text)
    for command in ("login", "logout"):
        done = project.run(command, "--env", "prod", "vault", env={"ENVKIT_MFA_CODE": "1"})
        assert done.returncode == 6
        sent = "$VAULT_TOKEN, the password that you type and $ENVKIT_MFA_CODE to https://vault"
        assert sent in done.stderr
        assert "[untrusted-profile]" in done.stderr


def test_a_table_without_its_value_is_passed_over_and_the_app_gets_no_credential(
    shop, openbao, policy
):
    listed = """[{ method = "approle", role_id = "x", secret_id = "{{ env:NOT_SET }}" }, "approle",
"token"]"""
    project = shop(["token"])
    text = (project.profiles / "prod.toml").read_text().replace('["token"]', listed)
    project.profile("prod.toml", text)
    app = ("sh", "-c", 'echo "$PW [$VAULT_SECRET_ID]"')
    env = {"VAULT_TOKEN": openbao.token(policy), "VAULT_SECRET_ID": "not-for-the-app"}
    done = project.run("exec", "--env", "prod", "--", *app, env=env)
    assert done.stdout == f"{VALUE} []\n", done.stderr
    assert logins(project) == [("exec", "ok", {"vault": "token"})]
    done = project.run("get", "PW", "--env", "prod")
    assert done.returncode == 6
    assert "approle: env:NOT_SET is missing; approle: VAULT_ROLE_ID is not set" in done.stderr


def test_a_protected_profile_has_no_login_that_the_audit_log_cannot_record(shop):
    project = shop({"method": "oidc"}, "")
    path = project.profiles / "prod.toml"
    path.write_text("protected = true\n" + path.read_text())
    broken = {"ENVKIT_AUDIT": "/proc/none/audit.jsonl"}
    done = project.run("login", "--env", "prod", env=broken)
    assert done.returncode == 6
    assert "[audit-failed]" in done.stderr
    assert project.run("logout", "--env", "prod", env=broken).returncode == 0
