"""A secret goes only to the app, the stdout of `get` and the file of `export -o`.

Every command is run on a real store with `ENVKIT_DEBUG=1`, and then its output, its HOME,
its folder for temporary files, the project and its command line are searched for any part
of a value and for the credentials.
"""

import json
import subprocess
import threading
from pathlib import Path

import pytest

from support.fault_proxy import hold
from support.live_stores import CANARY, VALUES
from support.process import started

MORE = """\
A = { value = "{{ S:db#password }}", type = "port" }
B = { value = "{{ S:db#password }}", pattern = "^sk_live_" }
C = "{{ S:db#password | json:/key }}"
D = "{{ S:db#password | base64decode }}"
E = "{{ S:db }}"
"""


@pytest.fixture
def prod(project, store, places):
    """A project that reads the store, and where a secret of it could be left."""
    project.profile("prod.toml", store.profile())
    project.environ |= {**store.environ, "ENVKIT_DEBUG": "1", "ENVKIT_ENV": "prod"}
    places.hidden = [*store.hidden]
    return places


def found_in(places, *command, status=0):
    """Run a command; return where a secret is found afterwards, and its stderr."""
    done = places.project.run(*command)
    assert done.returncode == status, places.masked(done.stderr)
    streams = {"stdout": done.stdout, "stderr": done.stderr}
    printed = {name for name, text in streams.items() if places.shows(text)}
    return printed | places.traces(), done.stderr


@pytest.mark.parametrize(
    ("command", "may_be_in"),
    [
        ("exec -- true", set()),
        ("exec --pristine -- printenv DB_PASSWORD", {"stdout"}),
        ("exec --dry-run -- true", set()),
        ("get DB_PASSWORD", {"stdout"}),
        ("export --format json -o prod.json", {"prod.json"}),
        ("show", set()),
        ("show --format json", set()),
        ("doctor", set()),
    ],
)
def test_a_secret_appears_only_where_it_was_requested(prod, command, may_be_in):
    places, _ = found_in(prod, *command.split())
    assert places == may_be_in


def test_errors_do_not_quote_values_of_the_wrong_type(prod, store):
    more = MORE.replace("S:", f"{store.name}:")
    prod.project.profile("prod.toml", store.profile(more=more))
    places, said = found_in(prod, "exec", "--", "touch", "started", status=3)
    assert all(f"  {name} (profiles/" in said for name in "ABCDE"), said
    assert places == set()


def test_the_file_of_an_export_is_readable_only_by_its_owner(prod):
    exported = prod.project.root / "out.json"
    found_in(prod, "export", "-f", "json", "-o", "out.json")
    assert VALUES.items() <= json.loads(exported.read_text()).items()
    assert exported.stat().st_mode & 0o777 == 0o600


def test_exec_does_not_pass_the_credentials_of_envkit_to_the_app(project, vault_store):
    project.profile("prod.toml", vault_store.profile())
    done = project.run("exec", "--env", "prod", "--", "env", env=vault_store.environ)
    assert done.returncode == 0, done.stderr
    assert CANARY in done.stdout
    assert vault_store.token not in done.stdout


def test_no_process_arguments_contain_a_secret(prod, store):
    """Checked for envkit while it has one secret and waits for another, and for the app."""
    more = f'A = "{{{{ {store.pinned} }}}}"\n'
    prod.project.profile("prod.toml", store.profile(more=more))
    read, answer = threading.Event(), threading.Event()

    def pass_on(exchange):
        exchange.send(exchange.ask_upstream())
        read.set()

    store.proxy.fault(hold(answer), when=store.is_pinned)
    store.proxy.fault(pass_on, when=store.is_read)
    app = ("sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with started(prod.project, "exec", "--", *app, **pipes) as process:
        assert read.wait(30), "no secret was asked for"
        lines = command_lines(process.pid)
        answer.set()
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.startswith("sh -c tr ")
    seen = "\n".join([*lines, out])
    assert "-m\0envkit\0exec" in seen
    prod.assert_quiet(seen)


def command_lines(pid):
    """Return the command lines of a process and of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{one}/cmdline").read_text() for one in (pid, *children)]
