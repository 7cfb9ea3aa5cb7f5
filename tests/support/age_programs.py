"""`age` and `age-keygen` for tests of pages, on machines without the Debian package.

They understand the options that the pages use. `make test-extra` runs the same pages with the real
programs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from support.process import program

if TYPE_CHECKING:
    from pathlib import Path

_KEYGEN = """\
import os, sys, pyrage
key = sys.argv[2]
if sys.argv[1] == "-y":
    lines = [line for line in open(key) if not line.startswith("#")]
    print(pyrage.x25519.Identity.from_str(lines[0].strip()).to_public())
else:
    assert sys.argv[1] == "-o"
    made = pyrage.x25519.Identity.generate()
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"# created: now\\n# public key: {made.to_public()}\\n{made}\\n")
    print(f"Public key: {made.to_public()}", file=sys.stderr)
"""
_AGE = """\
import sys, pyrage
_, decrypt, option, key, path = sys.argv
assert (decrypt, option) == ("-d", "-i")
lines = [line for line in open(key) if not line.startswith("#")]
identity = pyrage.x25519.Identity.from_str(lines[0].strip())
sys.stdout.buffer.write(pyrage.decrypt(open(path, "rb").read(), [identity]))
"""


def age_programs(folder: Path) -> str:
    """Write both programs to a folder, and return its path, for PATH."""
    folder.mkdir()
    for name, text in (("age-keygen", _KEYGEN), ("age", _AGE)):
        program(folder / name, f"#!{sys.executable}\n{text}")
    return str(folder)
