"""Scan a long history for many values: `envkit scan --history`."""

from __future__ import annotations

import hashlib
import subprocess
import sysconfig
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Bar, Command, Group, measure
from bench.projects import BIN

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
HISTORY_MIB = 100
VALUES = 200
SECONDS, PEAK_MIB = 30.0, 250.0
_AUTHOR = b"dev <dev@shop.example> 1767225600 +0000"
_FILES_PER_COMMIT = 50


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Measure a scan of a history of source files in many versions, which has no such value."""
    project = folder / "project"
    (project / "profiles").mkdir(parents=True)
    names = [f"SERVICE_{number}_TOKEN" for number in range(VALUES)]
    variables = "".join(f"{name}={{{{ {name} }}}}\n" for name in names)
    (project / "profiles" / "dev.env").write_text(variables)
    dotenv = project / ".env.dev"
    dotenv.touch(mode=0o600)
    dotenv.write_text("".join(f"{name}={_value(name)}\n" for name in names))
    _write_history(project)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "ENVKIT_AUDIT": "off"}
    argv = ("/usr/bin/env", "-C", str(project), str(BIN / "envkit"), "scan", "--history")
    command = Command("scan --history", argv, environ, app=())
    took = measure([command], max(2, rounds // 20))
    [times] = took.values()
    bars = [
        Bar(
            f"seconds for {HISTORY_MIB} MiB and {VALUES} values", max(times.wall_ms) / 1e3, SECONDS
        ),
        Bar("peak memory in MiB", max(times.peak_mib), PEAK_MIB),
    ]
    yield Group(f"a history of {HISTORY_MIB} MiB of contents", took, bars)


def _value(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def _write_history(project: Path) -> None:
    """Commit the standard library's files again and again, each time with another line."""
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [(file.name.encode(), file.read_bytes()) for file in sources]
    subprocess.run(["git", "init", "-q", "-b", "main", project], check=True)
    command = ["git", "-C", str(project), "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        stream = process.stdin
        assert stream is not None
        size = 0
        for number, (name, text) in enumerate(cycle(texts)):
            if size >= HISTORY_MIB * MIB:
                break
            if number % _FILES_PER_COMMIT == 0:
                stream.write(b"commit refs/heads/main\ncommitter %s\ndata 4\nmore\n" % _AUTHOR)
            content = text + b"# version %d\n" % number
            stream.write(b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(content), content))
            size += len(content)
        stream.close()
    assert process.returncode == 0
