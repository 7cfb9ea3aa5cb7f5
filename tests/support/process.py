"""Run the command line as a person would: a separate process with a clean environment.

Nothing of the developer's own environment reaches it, so that a VAULT_ADDR or an AWS
profile that happens to be set can neither fail a test nor make it pass.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ENVKIT = os.path.join(os.path.dirname(sys.executable), "envkit")  # as it is installed


def environment(home: str | os.PathLike[str]) -> dict[str, str]:
    """Return the environment of a process of envkit, without any login.

    Profiles are trusted where the test asks for the fixture `trusted`.
    """
    found = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home)}
    trust = os.environ.get("ENVKIT_TRUST")
    return found if trust is None else {**found, "ENVKIT_TRUST": trust}


def run_envkit(
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    input: str | None = None,  # noqa: A002 - as subprocess.run names it
    timeout: float = 60,
    umask: int = -1,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m envkit ARGS` with this interpreter, and return the completed process.

    Args:
        args: the command line, without `envkit`.
        env: added to PATH, LANG and a new, empty HOME.
        cwd: the working directory (default: that empty HOME).
        input: its stdin (default: empty).
        timeout: seconds until the process is killed.
        umask: of the process; -1 for ours.

    Returns:
        the completed process. Its stdout and stderr are decoded with `surrogateescape`, without
        changing newlines.

    Raises:
        subprocess.TimeoutExpired: it took too long.
    """
    with tempfile.TemporaryDirectory(prefix="envkit-test-home-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "envkit", *args],
            env={**environment(home), **(env or {})},
            cwd=home if cwd is None else cwd,
            input=(input or "").encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=timeout,
            umask=umask,
            start_new_session=True,  # no controlling terminal, which would make it a person's
            check=False,
        )
    stdout, stderr = (raw.decode("utf-8", "surrogateescape") for raw in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, stdout, stderr)


def run_here(
    *args: str,
    env: Mapping[str, str] | None = None,
    input: str = "",  # noqa: A002 - as subprocess.run names it
) -> subprocess.CompletedProcess[str]:
    """Run `envkit ARGS` in this process, for tests that run many commands.

    Args:
        args: the command line, without `envkit`.
        env: what to add to the environment meanwhile.
        input: what it reads from stdin.
    """
    from envkit.cli.app import run_app

    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    before, stdin = os.environ.copy(), sys.stdin
    os.environ.update(env or {})
    sys.stdin = io.TextIOWrapper(io.BytesIO(input.encode()), "utf-8")
    try:
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            status = run_app(args)
    finally:
        sys.stdin = stdin
        os.environ.clear()
        os.environ.update(before)
    stdout, stderr = (stream.buffer.getvalue().decode() for stream in streams)
    return subprocess.CompletedProcess(args, status, stdout, stderr)


def program(path: Path, text: str) -> Path:
    """Write a program that every user may run, and return its path."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def run_program(*command: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run any program, with nothing on stdin; `more` is for `subprocess.run`."""
    stdin = {} if "input" in more else {"stdin": subprocess.DEVNULL}
    more = {"text": True, "timeout": 60, "check": False, **stdin, **more}
    return subprocess.run(command, capture_output=True, **more)  # noqa: PLW1510 - in `more`


def started(project, *args: str, **more: Any) -> subprocess.Popen[bytes]:
    """Start `envkit ARGS` in a project and its environment; `more` is for `subprocess.Popen`."""
    env = {**environment(os.environ["HOME"]), **project.environ, **more.pop("env", {})}
    command = [sys.executable, "-m", "envkit", *args]
    return subprocess.Popen(command, cwd=project.root, env=env, **more)


def run_python(
    code: str, *args: str, options: Sequence[str] = (), check: bool = True, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program in a new interpreter, and return the completed process.

    Args:
        code: the program.
        args: its arguments.
        options: of the interpreter, such as `-I`.
        check: whether a program that fails fails the test.
        more: for `subprocess.run`.
    """
    return run_program(sys.executable, *options, "-c", code, *args, check=check, **more)


def run_spawned(*calls: tuple[Any, ...]) -> list[int | None]:
    """Run functions concurrently, each in a new process; return their exit statuses.

    Args:
        calls: a function of a module and its arguments, each.
    """
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=target, args=args) for target, *args in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]
