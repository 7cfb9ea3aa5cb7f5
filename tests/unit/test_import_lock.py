"""The clients of two stores, which are asked in parallel, are not imported at once.

While botocore is imported it puts the filters of warnings back, and with them what requests
has added meanwhile: a profile with Vault and AWS printed a warning about PySocks, at times.
"""

from __future__ import annotations

import json
import subprocess
import sys

PROFILE = """\
[sources.vault]
address = "http://127.0.0.1:1"
[sources.aws]
endpoint_url = "http://127.0.0.1:1"
region = "eu-west-1"
[variables]
A = "{{ vault:secret/a#b }}"
B = "{{ aws:a#b }}"
"""
PROGRAM = """\
import json, sys
import envkit
from envkit._internal.parallel import import_lock

seen = {}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("requests", "botocore.httpsession"):
            seen[name] = import_lock.locked()

sys.meta_path.insert(0, Finder())
try:
    envkit.resolve("dev")
except envkit.EnvkitError:
    print(json.dumps(seen))
"""


def test_clients_are_imported_one_after_the_other(project):
    project.profile("dev.toml", PROFILE)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(project.root),
            "VAULT_TOKEN": "none",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        },
        cwd=project.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"requests": True, "botocore.httpsession": True}
