"""A profile that nobody trusts sends nothing, reads nothing outside the project, runs nothing.

Every kind of destination has an observer: a server that no address of which is loopback, a
file whose text must not come out, a program that leaves a marker. Every command that could
reach it is run without a terminal, in the form of CI, and on a terminal where a person says
no. Then the same is run with trust, to see that the observer would have noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading

import pytest

from support.process import run_envkit, run_here
from support.terminal import run_on_terminal

CANARY = "canary-7c41e9"
VARIABLES = '[variables]\nX = { value = "{{ S }}", required = false }\n'
# what a cloned repository would like to have
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
    """A server on an address that is not loopback, which refuses everything and notes who comes."""

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
    """A project, and all that must not happen to anything outside of it."""

    def __init__(self, project, tmp_path, listener):
        self.project = project
        self.listener = listener
        self.address = f"http://0.0.0.0:{listener.port}"
        self.host = f"0.0.0.0:{listener.port}"
        self.marker = tmp_path / "marker"
        self.secret = tmp_path / "outside" / ".env"
        self.secret.parent.mkdir()
        self.secret.write_text(f"X={CANARY}\n")
        self.secret.chmod(0o600)
        code = f"open({str(self.marker)!r}, 'a').write('ran')"
        self.program = json.dumps([sys.executable, "-c", code])
        self.state = tmp_path / "state"

    @property
    def environ(self):
        return {**LOGIN, "XDG_STATE_HOME": str(self.state), "HOME": str(self.state)}

    @property
    def happened(self):
        return self.listener.heard.is_set() or self.marker.exists()

    def write(self, text):
        self.project.profile("prod.toml", text)
        self.project.profile("other.toml", text)
        self.project.profile("plain.env", "A=1\n")
        self.project.dotenv("prod", f"OWN=own\nURL=redis://a:b@{self.host}\n")

    def run(self, *arguments, **env):
        return run_here(*arguments, env={**self.environ, **env})


@pytest.fixture
def world(project, tmp_path, monkeypatch):
    listener = Listener()
    # of edit, which must not even start it
    monkeypatch.setenv("EDITOR", "true")
    yield World(project, tmp_path, listener)
    listener.close()


def vault(auth="", more="", variables=VARIABLES):
    def text(world):
        settings = f'address = "{world.address}"\nallow_http = true\nmount = "kv"\n{auth}\n{more}\n'
        return f"[sources.vault]\n{settings}" + variables.replace("S", "vault:a#x", 1)

    return text


def of_own_server(more):
    """A Vault server that the user names, with a file that the profile names."""
    return lambda world: (
        f'[sources.vault]\nmount = "kv"\n{more.format(outside=world.secret)}\n'
        + VARIABLES.replace("S", "vault:a#x", 1)
    )


def aws(world):
    return (
        f'[sources.aws]\nregion = "eu-west-1"\nendpoint_url = "{world.address}"\n'
        "allow_http = true\n" + VARIABLES.replace("S", "aws:a#x", 1)
    )


def loopback_with(setting):
    """A server of this machine, which needs no trust, and a setting that does."""
    return lambda _: (
        f'[sources.vault]\naddress = "http://127.0.0.1:1"\nmount = "kv"\n{setting}\n'
        + VARIABLES.replace("S", "vault:a#x", 1)
    )


def dotenv_path(world):
    del world
    return '[sources.dotenv]\npath = "../outside/.env"\n' + VARIABLES.replace("S", "dotenv:X", 1)


def dotenv_reference(world):
    return VARIABLES.replace("S", f"dotenv:{world.secret}#X", 1)


def dotenv_link(world):
    link = world.project.root / ".env.linked"
    link.unlink(missing_ok=True)
    link.symlink_to(world.secret)
    return VARIABLES.replace("S", "dotenv:.env.linked#X", 1)


def disguised_env(world):
    """A `.env` file of the repository that is called like the environment."""
    (world.project.root / ".addr").write_text(f"VAULT_ADDR={world.address}\n")
    return (
        '[sources.env]\ntype = "dotenv"\npath = ".addr"\n'
        '[sources.vault]\naddress = "{{ env:VAULT_ADDR }}"\nmount = "kv"\nallow_http = true\n'
        + VARIABLES.replace("S", "vault:a#x", 1)
    )


SOURCES = {
    "a token": vault(),
    "AppRole": vault('auth = { method = "approle", role_id = "{{ env:GITHUB_TOKEN }}" }'),
    "userpass": vault(
        'auth = { method = "userpass", username = "u", password = "{{ env:GITHUB_TOKEN }}" }'
    ),
    "a JWT": vault('auth = { method = "jwt", jwt = "{{ env:GITHUB_TOKEN }}" }'),
    "a file as a JWT": vault('auth = { method = "jwt", jwt_file = "../outside/.env" }'),
    "Kubernetes": vault('auth = { method = "kubernetes", role = "x" }'),
    "a prefix": vault('auth = { token = "t" }', 'prefix = "{{ env:GITHUB_TOKEN }}"'),
    "a fallback": lambda world: vault()(world).replace(
        f'"{world.address}"', f"""'{{{{ env:UNSET ?? "{world.address}" }}}}'"""
    ),
    "a part of a host": lambda world: vault()(world).replace("0.0.0.0", "{{ env:ZEROS }}"),
    "a variable that is no address of Vault": lambda world: vault()(world).replace(
        world.address, "{{ env:CI_COMMIT_TITLE }}"
    ),
    "a .env file called env": disguised_env,
    "keys of AWS": aws,
    "a CA file": of_own_server('ca_cert = "{outside}"'),
    "a key file": of_own_server('client_cert = "{outside}"'),
    "a file as a JWT for one's own server": of_own_server(
        'auth = {{ method = "jwt", jwt_file = "{outside}" }}'
    ),
    "a .env file elsewhere, in a setting": loopback_with(
        'auth = { method = "token", token = "{{ dotenv:../outside/.env#X }}" }'
    ),
    "a .env file elsewhere, by path": dotenv_path,
    "a .env file elsewhere, by reference": dotenv_reference,
    "a .env file elsewhere, by a link": dotenv_link,
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
}
# what shows no value and sends nothing needs no trust
HARMLESS = {
    "check --offline": ("check", "--offline", "--env", "prod"),
    "diff --keys": ("diff", "--keys", "prod", "plain"),
    "exec --dry-run": ("exec", "--env", "prod", "--dry-run", "--", "true"),
    "trust --list": ("trust", "--list"),
}
# without a login of its own it must not look for one either
EXTRA = {"ZEROS": "0.0.0.0"}


def environ_of(world):
    return {**EXTRA, "VAULT_ADDR": "http://127.0.0.1:1", "CI_COMMIT_TITLE": world.address}


def assert_refused(done, world):
    assert not world.happened, done.stderr
    assert done.returncode == 6, done.stdout + done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("envkit: error: ")
    assert "trust" in error
    assert hint.startswith("envkit: hint: run 'envkit trust")
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("ci", [{}, {"CI": "true"}], ids=["no terminal", "CI"])
@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_that_nobody_trusts_is_not_opened(world, kind, command, ci):
    world.write(SOURCES[kind](world))
    assert_refused(world.run(*READING[command], **environ_of(world), **ci), world)


@pytest.mark.parametrize("command", HARMLESS)
@pytest.mark.parametrize("kind", SOURCES)
def test_commands_that_send_nothing_need_no_trust(world, kind, command):
    world.write(SOURCES[kind](world))
    done = world.run(*HARMLESS[command], **environ_of(world))
    assert not world.happened
    assert "not trusted" not in done.stderr
    assert done.returncode in (0, 1), done.stderr
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_that_is_trusted_goes_where_its_profile_says(world, kind):
    world.write(SOURCES[kind](world))
    arguments = ("exec", "--env", "prod", "--timeout", "20", "--", "printenv", "X")
    done = run_envkit(
        *arguments,
        cwd=world.project.root,
        env={**world.environ, **environ_of(world), "ENVKIT_TRUST": "1"},
    )
    assert "not trusted" not in done.stderr
    local = ("a CA file", "a key file", "a file as a JWT for one's own server", "Kubernetes")
    if kind.startswith("a .env file elsewhere, by"):
        assert (done.returncode, done.stdout) == (0, f"{CANARY}\n")
    elif kind not in local and not kind.endswith("in a setting"):
        assert world.listener.heard.wait(10), done.stderr


def test_the_name_of_an_untrusted_server_is_not_looked_up(world, monkeypatch):
    asked = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: asked.append(host) or real(host, *more, **named),
    )
    world.write(vault()(world).replace("0.0.0.0", "vault.attacker.invalid"))
    for command in READING.values():
        assert world.run(*command, "--timeout", "1").returncode == 6
    assert asked == []


def in_turn(kinds, commands):
    """Pair each kind with one of the commands, and each command with one of the kinds."""
    kinds, commands = list(kinds), list(commands)
    most = max(len(kinds), len(commands))
    return [(kinds[n % len(kinds)], commands[n % len(commands)]) for n in range(most)]


NO = [("Trust them with this? [y/N]", "n\n")]


@pytest.mark.parametrize(("kind", "command"), in_turn(SOURCES, READING))
def test_a_person_who_says_no_to_a_source_is_believed(world, kind, command):
    world.write(SOURCES[kind](world))
    shown, status = run_on_terminal(
        *READING[command],
        cwd=world.project.root,
        env={**world.environ, **environ_of(world)},
        answers=NO,
    )
    assert status == 6, shown
    assert not world.happened
    assert CANARY not in shown


def test_a_person_who_says_yes_is_asked_once(world):
    world.write(SOURCES["a token"](world))
    shown, status = run_on_terminal(
        "trust",
        cwd=world.project.root,
        env=world.environ,
        answers=[("Trust them with this? [y/N]", "y\n")],
    )
    assert status == 0, shown
    assert f"$VAULT_TOKEN to {world.address} (unencrypted)" in shown
    assert not world.happened
    assert (world.state / "envkit" / "trust.json").stat().st_mode & 0o777 == 0o600
    assert world.run("trust").stdout == "nothing to trust: all of it is allowed\n"
    assert "not trusted" not in world.run("get", "X", "--env", "prod").stderr
    assert world.listener.heard.wait(10)
    assert world.run("trust", "--revoke").stdout == (
        f"no longer trusted: $VAULT_TOKEN to {world.address}\n"
    )
    assert world.run("get", "X", "--env", "prod").returncode == 6


def test_another_command_on_a_terminal_asks_and_then_goes_on(world):
    world.write(SOURCES["a .env file elsewhere, by path"](world))
    shown, status = run_on_terminal(
        *("exec", "--env", "prod", "--", "printenv", "X"),
        cwd=world.project.root,
        env=world.environ,
        answers=[("Trust them with this? [y/N]", "y\n")],
    )
    assert status == 0
    assert CANARY in shown
    assert world.run("get", "X", "--env", "prod").returncode == 0


def test_only_what_is_new_is_asked_for(world):
    world.write(SOURCES["a token"](world))
    yes = [("Trust them with this? [y/N]", "y\n")]
    run_on_terminal("trust", cwd=world.project.root, env=world.environ, answers=yes)
    world.write(SOURCES["a token"](world) + 'Y = "1"\n')
    assert world.run("trust").returncode == 0, "a variable was edited"
    world.write(SOURCES["AppRole"](world))
    done = world.run("get", "X", "--env", "prod")
    assert "not trusted with this: {{ env:GITHUB_TOKEN }} to" in done.stderr
    assert "VAULT_TOKEN" not in done.stderr


def test_the_list_of_the_environment_trusts_what_it_names_and_nothing_else(world):
    world.write(SOURCES["a token"](world))
    get = ("get", "X", "--env", "prod")
    elsewhere = world.run(*get, ENVKIT_TRUST="https://vault.example.com:8200,run:./rotate.sh")
    assert elsewhere.returncode == 6
    assert "ENVKIT_TRUST" in elsewhere.stderr.splitlines()[-1]
    assert not world.happened
    assert "not trusted" not in world.run(*get, ENVKIT_TRUST=f" {world.address}/ ").stderr
    assert world.listener.heard.wait(10)


def test_an_address_that_is_not_encrypted_must_be_written_as_such(world):
    world.write(SOURCES["a token"](world).replace("allow_http = true\n", ""))
    done = world.run("get", "X", "--env", "prod", ENVKIT_TRUST="1")
    assert done.returncode == 6
    assert "allow_http = true" in done.stderr
    assert not world.happened


@pytest.mark.parametrize("command", ["doctor", "check"])
@pytest.mark.parametrize("address", ["", 'address = "{{ env:VAULT_ADDR }}"\n'])
def test_the_users_own_address_is_used_unencrypted_with_a_warning(world, command, address):
    variables = VARIABLES.replace("S", "vault:a#x", 1)
    world.project.profile("prod.toml", f'[sources.vault]\nmount = "kv"\n{address}{variables}')
    done = world.run(*READING[command], VAULT_ADDR=world.address)
    assert "VAULT_ADDR is http: what 'vault' sends and reads is not encrypted" in done.stdout
    assert world.listener.heard.wait(10)


# ---------------------------------------------------------------- rotations


def rotation(*lines, rotator="random", secret="OWN"):
    when = 'every = "30d"\ngrace = "0s"'
    head = f'[rotation.own]\nsecret = "dotenv:{secret}"\nrotator = "{rotator}"\n{when}\n'
    return "\n".join([head, *lines, '[variables]\nOWN = "{{ OWN }}"\n'])


def target_url(world):
    return rotation(
        f'target = {{ url = "redis://a:b@{world.host}", user = "a" }}',
        rotator="redis",
        secret="URL",
    )


ROTATIONS = {
    "a hook before": lambda world: rotation(f"before = [{world.program}]"),
    "a hook after": lambda world: rotation(f"after = [{world.program}]"),
    "a command that is notified": lambda world: rotation(
        f"notify = {{ command = {world.program} }}"
    ),
    "a webhook": lambda world: rotation(f'notify = {{ webhook = "https://{world.host}/hook" }}'),
    "a chat": lambda world: rotation(f'notify = {{ slack = "https://{world.host}/hook" }}'),
    "a program that rotates": lambda world: rotation(
        f"target = {{ command = {world.program} }}", rotator="command"
    ),
    "a target": target_url,
    "a target in a .env file": lambda world: target_url(world).replace(
        f"redis://a:b@{world.host}", "{{ dotenv:URL }}"
    ),
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


@pytest.mark.parametrize("ci", [{}, {"CI": "true"}], ids=["no terminal", "CI"])
@pytest.mark.parametrize("command", ROTATING)
@pytest.mark.parametrize("kind", ROTATIONS)
def test_a_rotation_that_nobody_trusts_is_not_run(world, kind, command, ci):
    world.write(ROTATIONS[kind](world))
    (world.project.profiles / "other.toml").unlink()
    before = (world.project.root / ".env.prod").read_text()
    assert_refused(world.run(*ROTATING[command], **ci), world)
    assert (world.project.root / ".env.prod").read_text() == before


@pytest.mark.parametrize(("kind", "command"), in_turn(ROTATIONS, ROTATING))
def test_a_person_who_says_no_to_a_rotation_is_believed(world, kind, command):
    world.write(ROTATIONS[kind](world))
    (world.project.profiles / "other.toml").unlink()
    before = (world.project.root / ".env.prod").read_text()
    shown, _ = run_on_terminal(
        *ROTATING[command], cwd=world.project.root, env=world.environ, answers=NO
    )
    assert "Trust them with this?" in shown
    assert not world.happened
    assert CANARY not in shown
    assert (world.project.root / ".env.prod").read_text() == before


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("kind", ROTATIONS)
def test_looking_at_a_rotation_runs_nothing(world, kind, command):
    world.write(ROTATIONS[kind](world))
    (world.project.profiles / "other.toml").unlink()
    done = world.run(*LOOKING[command])
    assert "not trusted" not in done.stderr
    assert done.returncode in (0, 1)
    assert not world.happened


@pytest.mark.parametrize("kind", ROTATIONS)
def test_a_rotation_that_is_trusted_runs(world, kind):
    world.write(ROTATIONS[kind](world))
    (world.project.profiles / "other.toml").unlink()
    world.run("rotate", "own", ENVKIT_TRUST="1")
    assert world.marker.exists() or world.listener.heard.wait(10)


@pytest.mark.parametrize("command", ["rotate status", "rotate --plan"])
@pytest.mark.parametrize("kind", ["a token", "keys of AWS"])
def test_the_store_of_a_rotation_needs_trust_to_be_looked_at(world, kind, command):
    source = "vault" if kind == "a token" else "aws"
    world.write(
        SOURCES[kind](world)
        + rotation(secret="a#x").replace("dotenv:", f"{source}:").partition("[variables]")[0]
    )
    (world.project.profiles / "other.toml").unlink()
    assert_refused(world.run(*LOOKING[command]), world)


def test_of_several_profiles_those_that_are_trusted_are_rotated(world):
    world.write(rotation(f"before = [{world.program}]"))
    (world.project.profiles / "other.toml").unlink()
    world.project.profile("staging.toml", rotation())
    world.project.dotenv("staging", "OWN=old\n")
    done = world.run("rotate", "--all")
    assert done.returncode == 1
    assert "staging/own" in done.stdout
    assert "prod is not trusted with this: runs " in done.stdout + done.stderr
    assert not world.happened
    assert (world.project.root / ".env.staging").read_text() != "OWN=old\n"
    assert (world.project.root / ".env.prod").read_text().startswith("OWN=own\n")


def test_programs_of_a_profile_find_no_credentials_in_their_environment(world, tmp_path):
    seen = tmp_path / "seen"
    code = f"import os; open({str(seen)!r}, 'a').write(repr(sorted(os.environ)))"
    program = json.dumps([sys.executable, "-c", code])
    hooks = f"before = [{program}]\nnotify = {{ command = {program} }}"
    world.write(rotation(hooks, 'environment = ["DEPLOY_TOKEN"]'))
    (world.project.profiles / "other.toml").unlink()
    world.run(
        "rotate", "own", ENVKIT_TRUST="1", DEPLOY_TOKEN="d", ENVKIT_QUEUE="postgresql://u:p@q"
    )
    told = seen.read_text()
    assert told.count("'DEPLOY_TOKEN'") == 2
    assert told.count("'PATH'") == 2
    assert "ENVKIT_ROTATION" in told
    for name in (*LOGIN, "ENVKIT_QUEUE", "ENVKIT_TRUST", "XDG_STATE_HOME"):
        assert f"'{name}'" not in told


# ---------------------------------------------------------------- variables that load code


@pytest.mark.parametrize(
    "command",
    [
        ("exec", "--env", "prod", "--", "sh", "-c", "true"),
        ("export", "--env", "prod", "--format", "shell"),
        ("export", "--env", "prod", "--format", "github"),
    ],
    ids=lambda command: command[-1] if command[0] == "export" else "exec",
)
@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BASH_ENV", "ENV", "GIT_SSH_COMMAND"])
def test_a_variable_that_loads_code_needs_trust(world, name, command):
    world.project.profile("prod.toml", f'[variables]\nP = "/evil"\n{name} = "{{{{ P }}}}/bin"\n')
    done = world.run(*command)
    assert_refused(done, world)
    assert f"sets {name} to {{{{ P }}}}/bin and P = /evil" in done.stderr


def test_a_variable_that_loads_code_may_be_set_on_the_command_line(world):
    world.project.profile("prod.toml", '[variables]\nA = "1"\n')
    done = run_envkit(
        *("exec", "--env", "prod", "--set", "NODE_OPTIONS=--x", "--", "printenv", "NODE_OPTIONS"),
        cwd=world.project.root,
        env=world.environ,
    )
    assert (done.returncode, done.stdout) == (0, "--x\n")


def test_a_variable_that_loads_code_may_be_left_out(world):
    world.project.profile("prod.toml", '[variables]\nA = "1"\nLD_PRELOAD = "x"\n')
    done = run_envkit(
        *("exec", "--env", "prod", "--only", "A", "--", "printenv", "A"),
        cwd=world.project.root,
        env=world.environ,
    )
    assert (done.returncode, done.stdout) == (0, "1\n")


# ---------------------------------------------------------------- servers of a shell


SHELLS = [("export", "--env", "prod", "--format", form) for form in ("shell", "github")]


@pytest.mark.parametrize("command", SHELLS, ids=lambda command: command[-1])
@pytest.mark.parametrize("name", ["VAULT_ADDR", "BAO_ADDR", "AWS_ENDPOINT_URL"])
def test_a_server_that_later_commands_take_for_ones_own_needs_trust(world, name, command):
    world.project.profile("prod.toml", f'[variables]\n{name} = "https://evil.example"\n')
    done = world.run(*command)
    assert_refused(done, world)
    assert f"sets {name} to https://evil.example" in done.stderr
    assert world.run(*command, ENVKIT_TRUST=f"load:{name}").returncode == 0
    assert world.run("export", "--env", "prod").returncode == 0, "an app's own file"


@pytest.mark.parametrize("command", SHELLS, ids=lambda command: command[-1])
@pytest.mark.parametrize("value", ["http://127.0.0.1:8200", "{{ env:VAULT_ADDR }}"])
def test_a_server_that_is_ones_own_needs_no_trust(world, value, command):
    world.project.profile("prod.toml", f'[variables]\nVAULT_ADDR = "{value}"\n')
    assert world.run(*command, VAULT_ADDR="https://vault.example.com").returncode == 0
