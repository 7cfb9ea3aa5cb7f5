"""A secret from a store goes to the app, to the stdout of `get`, to the file of `export -o`.

Every command is run on a real store with `ENVKIT_DEBUG=1`, and then its output, its HOME,
its folder for temporary files, the project and its command line are searched for any part
of a value and for the credentials.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.fault_proxy import hold
from support.live_stores import CANARY, VALUES

MORE = """\
A = { value = "{{ S:db#password }}", type = "port" }
B = { value = "{{ S:db#password }}", pattern = "^sk_live_" }
C = "{{ S:db#password | json:/key }}"
D = "{{ S:db#password | base64decode }}"
E = "{{ S:db }}"
"""


class Run:
    """One run of the command, and where a secret was found after it."""

    def __init__(self, project, store, tmp_path, *command):
        folders = {name: tmp_path / name for name in ("home", "temporary")}
        for folder in folders.values():
            folder.mkdir()
        environ = {
            "HOME": str(folders["home"]),
            "TMPDIR": str(folders["temporary"]),
            "ENVKIT_DEBUG": "1",
            "ENVKIT_ENV": "prod",
        }
        self.done = project.run(*command, env={**store.environ, **environ})
        folders["project"] = project.root
        places = {"stdout": self.done.stdout, "stderr": self.done.stderr}
        for name, folder in folders.items():
            for path in filter(Path.is_file, folder.rglob("*")):
                places[f"{name}/{path.relative_to(folder)}"] = path.read_text(errors="replace")
        self.found_in = [
            place for place, text in places.items() if any(part in text for part in store.hidden)
        ]


@pytest.mark.parametrize(
    ("command", "may_be_in"),
    [
        (("exec", "--", "true"), []),
        (("exec", "--pristine", "--", "printenv", "DB_PASSWORD"), ["stdout"]),
        (("exec", "--dry-run", "--", "true"), []),
        (("get", "DB_PASSWORD"), ["stdout"]),
        (("export", "--format", "json", "-o", "prod.json"), ["project/prod.json"]),
        (("show",), []),
        (("show", "--format", "json"), []),
        (("doctor",), []),
    ],
    ids=lambda given: "-".join(given[:3]),
)
def test_a_secret_is_where_it_is_wanted_and_nowhere_else(
    project, store, tmp_path, command, may_be_in
):
    project.profile("prod.toml", store.profile())
    run = Run(project, store, tmp_path, *command)
    assert run.done.returncode == 0, run.done.stderr
    assert run.found_in == may_be_in


def test_values_that_do_not_fit_are_not_quoted(project, store, tmp_path):
    more = MORE.replace("S:", f"{store.name}:")
    project.profile("prod.toml", store.profile(more=more))
    run = Run(project, store, tmp_path, "exec", "--", "touch", "started")
    assert run.done.returncode == 3
    assert all(f"  {name} (profiles/" in run.done.stderr for name in "ABCDE"), run.done.stderr
    assert run.found_in == []


def test_the_file_of_an_export_is_its_owners_alone(project, store):
    project.profile("prod.toml", store.profile())
    done = project.run("export", "--env", "prod", "-f", "json", "-o", "out.json", env=store.environ)
    assert done.returncode == 0, done.stderr
    exported = project.root / "out.json"
    assert VALUES.items() <= json.loads(exported.read_text()).items()
    assert exported.stat().st_mode & 0o777 == 0o600


def test_what_envkit_logs_in_with_is_not_the_apps(project, vault_store):
    project.profile("prod.toml", vault_store.profile())
    done = project.run("exec", "--env", "prod", "--", "env", env=vault_store.environ)
    assert done.returncode == 0, done.stderr
    assert CANARY in done.stdout
    assert vault_store.token not in done.stdout


def test_no_command_line_holds_a_secret(project, store):
    """Neither envkit's own, while it has one secret and waits for another, nor the app's."""
    more = f'A = "{{{{ {store.pinned} }}}}"\n'
    project.profile("prod.toml", store.profile(more=more))
    read, answer = threading.Event(), threading.Event()

    def pass_on(exchange):
        exchange.send(exchange.ask_upstream())
        read.set()

    store.proxy.fault(hold(answer), when=store.is_pinned)
    store.proxy.fault(pass_on, when=store.is_read)
    app = ("sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline")
    with subprocess.Popen(
        [sys.executable, "-m", "envkit", "exec", "--env", "prod", "--", *app],
        cwd=project.root,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **store.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert read.wait(30), "no secret was asked for"
        lines = command_lines(process.pid)
        answer.set()
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.startswith("sh -c tr ")
    seen = "\n".join([*lines, out])
    assert "-m\0envkit\0exec" in seen
    assert not [part for part in store.hidden if part in seen]


def command_lines(pid):
    """Return the command lines of a process and of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{one}/cmdline").read_text() for one in (pid, *children)]
