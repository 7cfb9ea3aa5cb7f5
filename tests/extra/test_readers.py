"""Hard values survive every format, read back by the programs that read the format.

A value that a format cannot represent is refused; every other is read back byte for byte.
JSON, YAML, Kubernetes and python-dotenv are read by the unit tests of `launch.export`.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from envkit.dotenv.readers import COMPOSE, NODE, SHELL, misreaders
from envkit.errors import InvalidValueError
from envkit.launch.export import render
from envkit.secret import Secret
from support.compose import read_env_file
from support.hard_values import hard_values

pytestmark = pytest.mark.extra

ROOT = Path(__file__).resolve().parents[2]
SHELLS = {
    "bash": ["bash", "--norc", "-c"],
    "bash --posix": ["bash", "--posix", "-c"],
    "dash": ["dash", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
}
MISSING = "run 'make test-extra', which installs it"


def written(format_name: str, path: Path) -> dict[str, bytes]:
    """Write the values that a format supports to a file, and return them."""
    carried = {}
    for name, value in hard_values().items():
        try:
            render(format_name, {name: Secret.from_bytes(value)})
        except InvalidValueError:
            continue
        carried[name] = value
    assert len(carried) > 150
    secrets = {name: Secret.from_bytes(value) for name, value in carried.items()}
    path.write_bytes(render(format_name, secrets).encode("utf-8", "surrogateescape"))
    return carried


def run(*command: object, **more: object) -> bytes:
    assert shutil.which(str(command[0])), f"no {command[0]}: {MISSING}"
    more.setdefault("env", {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"})
    done = subprocess.run(command, capture_output=True, check=False, timeout=120, **more)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def variables(output: bytes) -> dict[str, bytes]:
    pairs = (entry.partition(b"=") for entry in output.split(b"\0") if entry)
    return {name.decode(): value for name, _, value in pairs if name.startswith(b"V")}


def test_hard_values_has_at_least_200_values():
    assert len(hard_values()) >= 200


def expected_of(reader: str, carried: dict[str, bytes]) -> set[str]:
    """The values that this reader is known to misread, and of which envkit warns."""
    known = {name for name, value in carried.items() if reader in misreaders(value.decode())}
    assert len(known) < len(carried) / 2
    return known


def misread(seen: dict[str, str], carried: dict[str, bytes]) -> set[str]:
    assert seen.keys() == carried.keys()
    return {name for name, value in carried.items() if seen[name].encode() != value}


@pytest.mark.parametrize("how", [". ./values; env -0", 'eval "$(cat values)"; env -0'])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_the_shell_format(shell, how, tmp_path):
    carried = written("shell", tmp_path / "values")
    assert variables(run(*SHELLS[shell], how, cwd=tmp_path)) == carried


@pytest.fixture
def short_folder():
    with tempfile.TemporaryDirectory(prefix="envkit-") as folder:  # podman's paths are limited
        yield folder


def test_podman_reads_the_docker_format(tmp_path, short_folder):
    carried = written("docker", tmp_path / "values")
    (tmp_path / "root").mkdir()
    podman = ["podman", f"--root={short_folder}/s", f"--runroot={short_folder}/r"]
    podman += ["--storage-driver=vfs", "--events-backend=none"]
    create = ["create", "--network=host", f"--env-file={tmp_path}/values", "--rootfs"]
    container = run(*podman, *create, tmp_path / "root", "true").decode().strip()
    [seen] = json.loads(run(*podman, "inspect", container))
    run(*podman, "rm", container)
    assert variables("\0".join(seen["Config"]["Env"]).encode()) == carried


def test_node_reads_the_dotenv_format(tmp_path):
    carried = written("dotenv", tmp_path / "values")
    program = (
        "const dotenv = require(process.argv[1]);"
        "const text = require('fs').readFileSync(process.argv[2]);"
        "console.log(JSON.stringify(dotenv.parse(text)))"
    )
    module = ROOT / ".venv" / "node_modules" / "dotenv"
    assert module.is_dir(), f"no dotenv for Node: {MISSING}"
    seen = json.loads(run("node", "-e", program, module, tmp_path / "values"))
    assert misread(seen, carried) == expected_of(NODE, carried)


def test_compose_reads_the_dotenv_format(tmp_path):
    carried = written("dotenv", tmp_path / "values")
    seen = read_env_file((tmp_path / "values").read_bytes().decode())
    assert misread(seen, carried) == expected_of(COMPOSE, carried)


def test_a_shell_reads_the_dotenv_format_one_value_at_a_time(tmp_path):
    carried = written("dotenv", tmp_path / "values")
    wrong = set()
    for name, value in carried.items():
        text = render("dotenv", {name: Secret.from_bytes(value)})
        script = f"set -a; {text}env -0"
        done = subprocess.run(["dash", "-c", script], capture_output=True, check=False)
        if done.returncode or variables(done.stdout) != {name: value}:
            wrong.add(name)
    assert wrong <= expected_of(SHELL, carried)


def test_systemd_reads_the_systemd_format(tmp_path):
    carried = written("systemd", tmp_path / "values")
    libraries = sorted(Path("/usr/lib").glob("**/systemd/libsystemd-shared-*.so"))
    assert libraries, f"no systemd: {MISSING}"
    systemd = ctypes.CDLL(str(libraries[-1]))
    found = ctypes.POINTER(ctypes.c_char_p)()
    status = systemd.load_env_file(None, str(tmp_path / "values").encode(), ctypes.byref(found))
    assert status == 0
    systemd.strv_env_clean_with_callback(found, None, None)
    seen = []
    while (entry := found[len(seen)]) is not None:
        seen.append(entry)
    assert variables(b"\0".join(seen)) == carried
