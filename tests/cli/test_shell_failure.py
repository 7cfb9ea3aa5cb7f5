"""A shell script that evaluates a failed export ends."""

import sys

import pytest

from support.process import environment, program, run_program

WENT_ON = "went on"
EXPORT = "envkit export --env dev --format shell"
EVALUATED = f'eval "$({EXPORT})"'
SCRIPTS = [
    f"{EVALUATED}; echo {WENT_ON}",
    f"f() {{ {EVALUATED} || true; echo {WENT_ON}; }}; f || echo {WENT_ON}",
    f"{EXPORT} > file; . ./file; echo {WENT_ON}",
    f"echo '{EVALUATED}' > file; . ./file; echo {WENT_ON}",
    f"set -eu; {EVALUATED}; echo {WENT_ON}",
    f"if {EVALUATED}; then echo {WENT_ON}; else echo {WENT_ON}; fi",
    f'eval "$(envkit export --env dev -fshell)"; echo {WENT_ON}',
    f'eval "$(envkit export --env dev --format=shell -o -)"; echo {WENT_ON}',
    f'eval "$(envkit export --env nope --format shell)"; echo {WENT_ON}',
    f'eval "$(envkit export --typo --format shell)"; echo {WENT_ON}',
    f'eval "$(envkit export --env dev --format bash)"; echo {WENT_ON}',
    f'eval "$(envkit export --env dev -f shel)"; echo {WENT_ON}',
    f'eval "$(envkit export --typo --format=sh)"; echo {WENT_ON}',
    f'eval "$(envkit export --format shell --timeout)"; echo {WENT_ON}',
    f'eval "$(envkit export --env dev --format shell --set UID=1 --set TOKEN=x)"; echo {WENT_ON}',
    f'eval "$(envkit export --env dev --format shell --only NOPE)"; echo {WENT_ON}',
]


@pytest.fixture
def failing(project, tmp_path):
    """Return a function that runs a shell in a project with a missing secret."""
    project.profile("dev.toml", '[variables]\nTOKEN = "{{ TOKEN }}"\n')
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "envkit", f'#!/bin/sh\nexec {sys.executable} -m envkit "$@"\n')
    path = f"{tmp_path}/bin:/usr/local/bin:/usr/bin:/bin"

    def run(*command, **more):
        return run_program(
            *command, cwd=project.root, env={**environment(tmp_path), "PATH": path}, **more
        )

    return run


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("shell", ["bash --norc", "sh"])
def test_a_script_that_evaluates_an_export_ends_when_the_export_fails(failing, shell, script):
    done = failing(*shell.split(), "-c", script)
    assert WENT_ON not in done.stdout
    assert done.returncode in (2, 3, 4)
    assert "envkit: export failed, and no variable was set" in done.stderr


def test_an_interactive_shell_stays_open_when_an_export_fails(failing):
    done = failing("bash", "--norc", "-i", input=f"{EVALUATED}\necho status $?\n")
    assert done.stdout.splitlines()[-1:] == ["status 1"], done


@pytest.mark.parametrize("format_name", ["dotenv", "json", "docker", "github", "systemd", "k8s"])
def test_other_export_formats_write_nothing_when_they_fail(failing, format_name):
    done = failing("envkit", "export", "--env", "dev", "--format", format_name)
    assert (done.returncode, done.stdout) == (4, "")


def test_a_failed_export_does_not_touch_its_output_file(failing):
    done = failing("sh", "-c", f"echo old > file; {EXPORT} -o file 2>&1 >out; cat out file")
    assert done.stdout.splitlines()[-1] == "old"
    assert "echo 'envkit" not in done.stdout
