"""What a person types, a code, a token and a session never leave the place where they belong."""

import json

import pytest

from support.logins import People, browser_command, port_of_the_cli

PASSWORD = "pass-c4fe1d09b2"
VALUE = "value-70f2a9c6d3"


@pytest.fixture
def anna(openbao, places):
    """A project, its user, who needs TOTP, and the phone."""
    openbao.put("login-leaks/db", {"password": VALUE})
    policy = openbao.policy({"secret/data/login-leaks/*": ["read"]})
    people = People(openbao)
    auth = people.userpass("anna", PASSWORD, policy)
    phone = people.require_totp(auth, PASSWORD)
    places.project.environ["ENVKIT_DEBUG"] = "1"
    write_profile(places, openbao, auth)
    return auth, phone, people


def write_profile(places, openbao, auth):
    keys = ", ".join(f"{key} = {json.dumps(text)}" for key, text in auth.items())
    places.project.profile(
        "prod.toml",
        f'[sources.vault]\naddress = "{openbao.address}"\nauth = {{ {keys} }}\n'
        '[variables]\nPW = "{{ vault:secret/login-leaks/db#password }}"\n',
    )


def at_terminal(places, *arguments, status=0, **options):
    """Run a command at a terminal, and check that it shows nothing hidden."""
    shown, ended = places.project.on_terminal(*arguments, **options)
    assert ended == status, places.masked(shown)
    places.assert_quiet(shown)
    return shown


def test_a_login_leaves_only_the_token_in_its_file(places, anna):
    _, phone, _ = anna
    places.hidden = [PASSWORD, VALUE]
    command = ("login", "--env", "prod")
    answers = [("Password of anna:", f"{PASSWORD}-wrong\n")]
    at_terminal(places, *command, status=6, answers=answers)
    answers = [
        ("Password of anna:", f"{PASSWORD}\n"),
        ("MFA code", lambda: f"{phone.code()}\n"),
    ]
    at_terminal(places, *command, answers=answers)
    token = (places.folders["HOME"] / ".vault-token").read_text()
    places.hidden += [token]
    assert places.traces() == {".vault-token"}
    done = places.project.run("get", "PW", "--env", "prod")
    assert done.stdout == VALUE
    places.assert_quiet(done.stderr)
    for other in (("doctor", "--env", "prod"), ("logout", "--env", "prod"), command):
        places.run(*other, status=6 if other == command else 0)
    assert places.traces() == set()


def test_a_code_in_the_environment_goes_to_the_server_only(places, anna, openbao):
    auth, phone, _ = anna
    places.project.environ["PASSWORD"] = PASSWORD
    write_profile(places, openbao, {**auth, "password": "{{ env:PASSWORD }}"})
    for code, status in (("918273", 6), (phone.code(), 0)):
        places.hidden = [PASSWORD, VALUE, code]
        env = {"ENVKIT_MFA_CODE": code}
        app = ("sh", "-c", 'test -z "$ENVKIT_MFA_CODE$PASSWORD"')
        places.run("exec", "--env", "prod", "--", *app, env=env, status=status)
        assert places.traces() == set()


def test_a_login_in_the_browser_shows_neither_code_nor_token(places, anna, openbao, tmp_path):
    _, _, people = anna
    user = people.userpass("olga", PASSWORD)
    own = people.token(user, PASSWORD)["client_token"]
    write_profile(places, openbao, people.oidc())
    env = {"BROWSER": browser_command(tmp_path, own)}
    with port_of_the_cli():
        shown = at_terminal(places, "login", "--env", "prod", env=env)
    places.hidden = [(places.folders["HOME"] / ".vault-token").read_text(), own]
    places.assert_quiet(shown)
    assert places.traces() == {".vault-token"}


def test_an_aws_session_is_only_in_its_file(places, aws):
    serial, role = "arn:aws:iam::123456789012:mfa/me", "arn:aws:iam::123456789012:role/reader"
    aws.put("db", VALUE)
    places.project.environ |= {**aws.environ, "ENVKIT_DEBUG": "1"}
    places.project.profile(
        "prod.toml",
        f'[sources.aws]\nmfa_serial = "{serial}"\nrole_arn = "{role}"\nprefix = "{aws.prefix}"\n'
        '[variables]\nPW = "{{ aws:db }}"\n',
    )
    places.hidden = [VALUE, "473829"]
    places.run("get", "PW", "--env", "prod", status=6)
    at_terminal(places, "login", "--env", "prod", env={"ENVKIT_MFA_CODE": "473829"})
    [stored] = places.folders["XDG_STATE_HOME"].rglob("aws-sessions/*.json")
    session = json.loads(stored.read_text())
    places.hidden += [session["secret"], session["token"]]
    assert places.project.run("get", "PW", "--env", "prod").stdout == VALUE
    places.run("doctor", "--env", "prod")
    assert places.traces() == {stored.name}
    places.run("logout", "--env", "prod")
    assert places.traces() == set()
