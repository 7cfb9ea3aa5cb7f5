"""An untrusted profile sends nothing, reads nothing outside the project and runs nothing.

Every kind of destination has an observer: a server that no address of which is loopback, a
file whose text must not come out, a program that leaves a marker. Every command that could
reach it is run without a terminal, in the form of CI, and on a terminal where a person says
no. Then the same is run with trust, to see that the observer would have noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
import threading

import pytest

from support.process import run_here
from support.rotating import table

CANARY = "canary-7c41e9"
QUESTION = "Allow this? [y/N]"
LINK = ".env.linked"
# attacks of a cloned repository
LOGIN = {
    "VAULT_TOKEN": f"token-{CANARY}",
    "GITHUB_TOKEN": f"github-{CANARY}",
    "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": f"session-{CANARY}",
    "AWS_EC2_METADATA_DISABLED": "true",
}


REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Listener:
    """A server on a non-loopback address, which refuses every request and records it."""

    def __init__(self):
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.heard.set()
            with connection:
                connection.settimeout(1)
                with contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(REFUSAL)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class World:
    """A project, and all that must not happen to anything outside of it.

    In what is written, ADDRESS, HOST and PORT are the listener's, OUTSIDE is a file of another
    project, and PROGRAM leaves the marker.
    """

    def __init__(self, project, tmp_path, listener):
        self.project = project
        self.listener = listener
        self.host = f"0.0.0.0:{listener.port}"
        self.address = f"http://{self.host}"
        self.marker = tmp_path / "marker"
        self.secret = tmp_path / "outside" / ".env"
        self.secret.parent.mkdir()
        self.secret.write_text(f"X={CANARY}\n")
        self.secret.chmod(0o600)
        self.state = tmp_path / "state"
        self.dotenv = project.root / ".env.prod"
        project.environ = {
            **LOGIN,
            "XDG_STATE_HOME": str(self.state),
            "HOME": str(self.state),
            "VAULT_ADDR": "http://127.0.0.1:1",
            "ZEROS": "0.0.0.0",
            "CI_COMMIT_TITLE": self.address,
        }

    @property
    def happened(self):
        return self.listener.heard.is_set() or self.marker.exists()

    def write(self, text, *names):
        """Write it as the profiles of these names (default: `prod` and `other`)."""
        code = f"open({str(self.marker)!r}, 'a').write('ran')"
        places = {"ADDRESS": self.address, "HOST": self.host, "OUTSIDE": str(self.secret)}
        places["PROGRAM"] = json.dumps([sys.executable, "-c", code])
        places["PORT"] = str(self.listener.port)
        text = re.sub(rf"\b({'|'.join(places)})\b", lambda found: places[found[0]], text)
        for name in names or ("prod", "other"):
            self.project.profile(f"{name}.toml", text)
        self.project.profile("plain.env", "A=1\n")
        self.project.dotenv("prod", f"OWN=own\nURL=redis://a:b@{self.host}\n")
        (self.project.root / ".addr").write_text(f"VAULT_ADDR={self.address}\n")
        if LINK in text:
            (self.project.root / LINK).symlink_to(self.secret)

    def run(self, *arguments, **env):
        return run_here(*arguments, env={**self.project.environ, **env})

    def say(self, answer, *arguments):
        """Run it on a terminal, where a person answers the question."""
        return self.project.on_terminal(*arguments, answers=[(QUESTION, f"{answer}\n")])


@pytest.fixture
def world(project, tmp_path, monkeypatch):
    listener = Listener()
    # of edit, which must not even start it
    monkeypatch.setenv("EDITOR", "true")
    yield World(project, tmp_path, listener)
    listener.close()


def reads(reference, source=""):
    """A profile with one variable, and the table of its source."""
    return f'{source}[variables]\nX = {{ value = "{{{{ {reference} }}}}", required = false }}\n'


def vault(*lines, address="ADDRESS"):
    own = (f'address = "{address}"', "allow_http = true", 'mount = "kv"', *lines)
    return reads("vault:a#x", "\n".join(["[sources.vault]", *own, ""]))


def of_own_server(*lines):
    """A Vault server that the user names, with a file that the profile names."""
    return reads("vault:a#x", "\n".join(["[sources.vault]", 'mount = "kv"', *lines, ""]))


# a `.env` file of the repository that is called like the environment
DISGUISED_ENV = """\
[sources.env]
type = "dotenv"
path = ".addr"
[sources.vault]
address = "{{ env:VAULT_ADDR }}"
mount = "kv"
allow_http = true
"""
AWS = """\
[sources.aws]
region = "eu-west-1"
endpoint_url = "ADDRESS"
allow_http = true
"""
PASSWORD = "{{ env:GITHUB_TOKEN }}"
SOURCES = {
    "a token": vault(),
    "AppRole": vault(f'auth = {{ method = "approle", role_id = "{PASSWORD}" }}'),
    "userpass": vault(f'auth = {{ method = "userpass", username = "u", password = "{PASSWORD}" }}'),
    "a JWT": vault(f'auth = {{ method = "jwt", jwt = "{PASSWORD}" }}'),
    "a file as a JWT": vault('auth = { method = "jwt", jwt_file = "../outside/.env" }'),
    "Kubernetes": vault('auth = { method = "kubernetes", role = "x" }'),
    "a prefix": vault('auth = { token = "t" }', f'prefix = "{PASSWORD}"'),
    "a fallback": vault().replace('"ADDRESS"', """'{{ env:UNSET ?? "ADDRESS" }}'"""),
    "a part of a host": vault(address="http://{{ env:ZEROS }}:PORT"),
    "a variable that is no address of Vault": vault(address="{{ env:CI_COMMIT_TITLE }}"),
    "a .env file called env": reads("vault:a#x", DISGUISED_ENV),
    "keys of AWS": reads("aws:a#x", AWS),
    "a CA file": of_own_server('ca_cert = "OUTSIDE"'),
    "a key file": of_own_server('client_cert = "OUTSIDE"'),
    "a file as a JWT for one's own server": of_own_server(
        'auth = { method = "jwt", jwt_file = "OUTSIDE" }'
    ),
    # a server of this machine needs no trust, and the setting does
    "a .env file elsewhere, in a setting": of_own_server(
        'address = "http://127.0.0.1:1"',
        'auth = { method = "token", token = "{{ dotenv:../outside/.env#X }}" }',
    ),
    "a .env file elsewhere, by path": reads(
        "dotenv:X", '[sources.dotenv]\npath = "../outside/.env"\n'
    ),
    "a .env file elsewhere, by reference": reads("dotenv:OUTSIDE#X"),
    "a .env file elsewhere, by a link": reads(f"dotenv:{LINK}#X"),
}
READING = {
    "exec": ("exec", "--env", "prod", "--", "true"),
    "get": ("get", "X", "--env", "prod"),
    "export": ("export", "--env", "prod"),
    "show": ("show", "--env", "prod"),
    "show --reveal": ("show", "--env", "prod", "--reveal", "--yes"),
    "check": ("check", "--env", "prod"),
    "check --all": ("check", "--all"),
    "doctor": ("doctor",),
    "diff": ("diff", "prod", "plain"),
    "diff of a point in time": ("diff", "prod@v1", "plain"),
    "history": ("history", "X", "--env", "prod"),
    "set": ("set", "X", "--env", "prod", "--from-file", os.devnull),
    "unset": ("unset", "X", "--env", "prod"),
    "edit": ("edit", "--env", "prod"),
    "rollback": ("rollback", "X", "--env", "prod", "--yes"),
    "promote from": ("promote", "prod", "plain"),
    "promote to": ("promote", "other", "prod"),
    "backup": ("backup", "--env", "prod", "-o", "prod.age", "--to", "age1unused"),
}
# commands that show no value and send nothing need no trust
HARMLESS = {
    "check --offline": ("check", "--offline", "--env", "prod"),
    "diff --keys": ("diff", "--keys", "prod", "plain"),
    "exec --dry-run": ("exec", "--env", "prod", "--dry-run", "--", "true"),
    "trust --list": ("trust", "--list"),
}


def assert_refused(done, world):
    assert not world.happened, done.stderr
    assert done.returncode == 6, done.stdout + done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("envkit: error: ")
    assert "trust" in error
    assert hint.startswith("envkit: hint: run 'envkit trust")
    assert CANARY not in done.stdout + done.stderr


CI = pytest.mark.parametrize("ci", [{}, {"CI": "true"}], ids=["no terminal", "CI"])


@CI
@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("kind", SOURCES)
def test_an_untrusted_source_is_not_opened(world, kind, command, ci):
    world.write(SOURCES[kind])
    assert_refused(world.run(*READING[command], **ci), world)


@pytest.mark.parametrize("command", HARMLESS)
@pytest.mark.parametrize("kind", SOURCES)
def test_commands_that_send_nothing_need_no_trust(world, kind, command):
    world.write(SOURCES[kind])
    done = world.run(*HARMLESS[command])
    assert not world.happened
    assert "not trusted" not in done.stderr
    assert done.returncode in (0, 1), done.stderr
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", SOURCES)
def test_a_trusted_source_goes_where_its_profile_says(world, kind):
    world.write(SOURCES[kind])
    command = ("exec", "--env", "prod", "--timeout", "20", "--", "printenv", "X")
    done = world.project.run(*command, env={"ENVKIT_TRUST": "1"})
    assert "not trusted" not in done.stderr
    local = ("a CA file", "a key file", "a file as a JWT for one's own server", "Kubernetes")
    if kind.startswith("a .env file elsewhere, by"):
        assert (done.returncode, done.stdout) == (0, f"{CANARY}\n")
    elif kind not in local and not kind.endswith("in a setting"):
        assert world.listener.heard.wait(10), done.stderr


def test_the_name_of_an_untrusted_server_is_not_looked_up(world, monkeypatch):
    asked = []
    real = socket.getaddrinfo

    def noting(host, *more, **named):
        asked.append(host)
        return real(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    world.write(vault(address="http://vault.attacker.invalid"))
    for command in READING.values():
        assert world.run(*command, "--timeout", "1").returncode == 6
    assert asked == []


def in_turn(kinds, commands):
    """Pair each kind with one of the commands, and each command with one of the kinds."""
    kinds, commands = list(kinds), list(commands)
    most = max(len(kinds), len(commands))
    return [(kinds[n % len(kinds)], commands[n % len(commands)]) for n in range(most)]


@pytest.mark.parametrize(("kind", "command"), in_turn(SOURCES, READING))
def test_a_source_is_not_opened_after_a_no(world, kind, command):
    world.write(SOURCES[kind])
    shown, status = world.say("n", *READING[command])
    assert status == 6, shown
    assert not world.happened
    assert CANARY not in shown


GET = ("get", "X", "--env", "prod")


def test_trust_asks_once_after_a_yes(world):
    world.write(vault())
    shown, status = world.say("y", "trust")
    assert status == 0, shown
    assert f"$VAULT_TOKEN to {world.address} (unencrypted)" in shown
    assert not world.happened
    assert (world.state / "envkit" / "trust.json").stat().st_mode & 0o777 == 0o600
    assert world.run("trust").stdout == "nothing to trust: everything is already allowed\n"
    assert "not trusted" not in world.run(*GET).stderr
    assert world.listener.heard.wait(10)
    revoked = f"no longer trusted: $VAULT_TOKEN to {world.address}\n"
    assert world.run("trust", "--revoke").stdout == revoked
    assert world.run(*GET).returncode == 6


def test_a_command_on_a_terminal_asks_for_trust_and_then_runs(world):
    world.write(SOURCES["a .env file elsewhere, by path"])
    shown, status = world.say("y", "exec", "--env", "prod", "--", "printenv", "X")
    assert status == 0
    assert CANARY in shown
    assert world.run(*GET).returncode == 0


def test_trust_asks_only_about_what_is_new(world):
    world.write(vault())
    world.say("y", "trust")
    world.write(vault() + 'Y = "1"\n')
    assert world.run("trust").returncode == 0, "a variable was edited"
    world.write(SOURCES["AppRole"])
    done = world.run(*GET)
    assert "not trusted with this: {{ env:GITHUB_TOKEN }} to" in done.stderr
    assert "VAULT_TOKEN" not in done.stderr


def test_a_trust_list_in_the_environment_trusts_exactly_what_it_names(world):
    world.write(vault())
    elsewhere = world.run(*GET, ENVKIT_TRUST="https://vault.example.com:8200,run:./rotate.sh")
    assert elsewhere.returncode == 6
    assert "ENVKIT_TRUST" in elsewhere.stderr.splitlines()[-1]
    assert not world.happened
    assert "not trusted" not in world.run(*GET, ENVKIT_TRUST=f" {world.address}/ ").stderr
    assert world.listener.heard.wait(10)


def test_an_unencrypted_address_must_be_written_with_http(world):
    world.write(vault().replace("allow_http = true\n", ""))
    done = world.run(*GET, ENVKIT_TRUST="1")
    assert done.returncode == 6
    assert "allow_http = true" in done.stderr
    assert not world.happened


@pytest.mark.parametrize("command", ["doctor", "check"])
@pytest.mark.parametrize("address", [(), ('address = "{{ env:VAULT_ADDR }}"',)])
def test_the_unencrypted_address_of_the_user_is_used_with_a_warning(world, command, address):
    world.project.profile("prod.toml", of_own_server(*address))
    done = world.run(*READING[command], VAULT_ADDR=world.address)
    assert "VAULT_ADDR is http: the traffic of 'vault' is not encrypted" in done.stdout
    assert world.listener.heard.wait(10)


# ---------------------------------------------------------------- rotations


def rotation(*lines, secret="OWN", **options):
    body = table("own", secret, 'grace = "0s"', *lines, **options)
    return f'{body}[variables]\nOWN = "{{{{ OWN }}}}"\n'


TARGET_URL = rotation(
    'target = { url = "redis://a:b@HOST", user = "a" }', rotator="redis", secret="URL"
)
ROTATIONS = {
    "a hook before": rotation("before = [PROGRAM]"),
    "a hook after": rotation("after = [PROGRAM]"),
    "a command that is notified": rotation("notify = { command = PROGRAM }"),
    "a webhook": rotation('notify = { webhook = "https://HOST/hook" }'),
    "a chat": rotation('notify = { slack = "https://HOST/hook" }'),
    "a program that rotates": rotation("target = { command = PROGRAM }", rotator="command"),
    "a target": TARGET_URL,
    "a target in a .env file": TARGET_URL.replace("redis://a:b@HOST", "{{ dotenv:URL }}"),
}
ROTATING = {
    "rotate": ("rotate",),
    "rotate NAME": ("rotate", "own", "--env", "prod"),
    "rotate --all": ("rotate", "--all"),
    "rotate --resume": ("rotate", "own", "--env", "prod", "--resume"),
    "serve": ("rotate", "serve", "--env", "prod"),
}
LOOKING = {
    "rotate status": ("rotate", "status"),
    "rotate --plan": ("rotate", "--plan"),
    "rotate simulate": ("rotate", "simulate", "--days", "3"),
    "check": ("check", "--all"),
    "doctor": ("doctor",),
}


@CI
@pytest.mark.parametrize("command", ROTATING)
@pytest.mark.parametrize("kind", ROTATIONS)
def test_an_untrusted_rotation_is_not_run(world, kind, command, ci):
    world.write(ROTATIONS[kind], "prod")
    before = world.dotenv.read_text()
    assert_refused(world.run(*ROTATING[command], **ci), world)
    assert world.dotenv.read_text() == before


@pytest.mark.parametrize(("kind", "command"), in_turn(ROTATIONS, ROTATING))
def test_a_rotation_is_not_run_after_a_no(world, kind, command):
    world.write(ROTATIONS[kind], "prod")
    before = world.dotenv.read_text()
    shown, _ = world.say("n", *ROTATING[command])
    assert "Allow this?" in shown
    assert not world.happened
    assert CANARY not in shown
    assert world.dotenv.read_text() == before


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("kind", ROTATIONS)
def test_status_and_plan_run_no_program_of_a_rotation(world, kind, command):
    world.write(ROTATIONS[kind], "prod")
    done = world.run(*LOOKING[command])
    assert "not trusted" not in done.stderr
    assert done.returncode in (0, 1)
    assert not world.happened


@pytest.mark.parametrize("kind", ROTATIONS)
def test_a_trusted_rotation_runs(world, kind):
    world.write(ROTATIONS[kind], "prod")
    world.run("rotate", "own", ENVKIT_TRUST="1")
    assert world.marker.exists() or world.listener.heard.wait(10)


@pytest.mark.parametrize("command", ["rotate status", "rotate --plan"])
@pytest.mark.parametrize(("kind", "source"), [("a token", "vault"), ("keys of AWS", "aws")])
def test_status_of_a_rotation_needs_trust_in_its_store(world, kind, source, command):
    world.write(SOURCES[kind] + table("own", f"{source}:a#x", 'grace = "0s"'), "prod")
    assert_refused(world.run(*LOOKING[command]), world)


def test_rotate_runs_the_trusted_profiles_and_reports_the_others(world):
    world.write(rotation("before = [PROGRAM]"), "prod")
    world.project.profile("staging.toml", rotation())
    staging = world.project.dotenv("staging", "OWN=old\n")
    done = world.run("rotate", "--all")
    assert done.returncode == 1
    assert "staging/own" in done.stdout
    assert "prod is not trusted with this: runs " in done.stdout + done.stderr
    assert not world.happened
    assert staging.read_text() != "OWN=old\n"
    assert world.dotenv.read_text().startswith("OWN=own\n")


def test_programs_of_a_profile_get_no_credentials_in_their_environment(world, tmp_path):
    seen = tmp_path / "seen"
    code = f"import os; open({str(seen)!r}, 'a').write(repr(sorted(os.environ)))"
    program = json.dumps([sys.executable, "-c", code])
    hooks = f"before = [{program}]\nnotify = {{ command = {program} }}"
    world.write(rotation(hooks, 'environment = ["DEPLOY_TOKEN"]'), "prod")
    given = {"DEPLOY_TOKEN": "d", "ENVKIT_QUEUE": "postgresql://u:p@q"}
    world.run("rotate", "own", ENVKIT_TRUST="1", **given)
    told = seen.read_text()
    assert told.count("'DEPLOY_TOKEN'") == 2
    assert told.count("'PATH'") == 2
    assert "ENVKIT_ROTATION" in told
    hidden = (*LOGIN, "ENVKIT_QUEUE", "ENVKIT_TRUST", "XDG_STATE_HOME")
    assert not [name for name in hidden if f"'{name}'" in told]


# ---------------------------------------------------------------- variables that load code


SHELLS = [("export", "--env", "prod", "--format", form) for form in ("shell", "github")]
EXEC = ("exec", "--env", "prod", "--", "sh", "-c", "true")


@pytest.mark.parametrize("command", [EXEC, *SHELLS], ids=["exec", "shell", "github"])
@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BASH_ENV", "ENV", "GIT_SSH_COMMAND"])
def test_a_variable_that_loads_code_needs_trust(world, name, command):
    world.project.profile("prod.toml", f'[variables]\nP = "/evil"\n{name} = "{{{{ P }}}}/bin"\n')
    done = world.run(*command)
    assert_refused(done, world)
    assert f"sets {name} to {{{{ P }}}}/bin and P = /evil" in done.stderr


@pytest.mark.parametrize(
    ("variables", "options", "name", "value"),
    [
        ('A = "1"', ("--set", "NODE_OPTIONS=--x"), "NODE_OPTIONS", "--x"),
        ('A = "1"\nLD_PRELOAD = "x"', ("--only", "A"), "A", "1"),
    ],
    ids=["set on the command line", "left out"],
)
def test_a_variable_that_loads_code_needs_no_trust(world, variables, options, name, value):
    world.project.profile("prod.toml", f"[variables]\n{variables}\n")
    done = world.project.run("exec", "--env", "prod", *options, "--", "printenv", name)
    assert (done.returncode, done.stdout) == (0, f"{value}\n")


# ---------------------------------------------------------------- servers of a shell


@pytest.mark.parametrize("command", SHELLS, ids=lambda command: command[-1])
@pytest.mark.parametrize("name", ["VAULT_ADDR", "BAO_ADDR", "AWS_ENDPOINT_URL"])
def test_a_variable_that_redirects_later_commands_to_another_server_needs_trust(
    world, name, command
):
    world.project.profile("prod.toml", f'[variables]\n{name} = "https://evil.example"\n')
    done = world.run(*command)
    assert_refused(done, world)
    assert f"sets {name} to https://evil.example" in done.stderr
    assert world.run(*command, ENVKIT_TRUST=f"load:{name}").returncode == 0
    assert world.run("export", "--env", "prod").returncode == 0, "an app's own file"


@pytest.mark.parametrize("command", SHELLS, ids=lambda command: command[-1])
@pytest.mark.parametrize("value", ["http://127.0.0.1:8200", "{{ env:VAULT_ADDR }}"])
def test_a_variable_with_the_server_of_the_user_needs_no_trust(world, value, command):
    world.project.profile("prod.toml", f'[variables]\nVAULT_ADDR = "{value}"\n')
    assert world.run(*command, VAULT_ADDR="https://vault.example.com").returncode == 0
