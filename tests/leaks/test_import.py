"""An imported secret is in its store and in the imported file, and nowhere else."""

import json
import os
import shutil
import subprocess

import pytest

OLD, NEW = "canary-old-41fa07", "canary-new-93be5d"
PROFILE = """\
protected = true
[variables]
KEY = "{{ KEY }}"
PORT = { value = "{{ PORT }}", type = "port", required = false }
LITERAL = "plain"
"""
STORES = {".env.prod", ".env.prod.envkit-previous"}
FILES = {
    "a.env": f"KEY={NEW}\nOTHER='x {NEW}'\nURL=https://a:{NEW}@b.c\n",
    "b.json": json.dumps({"KEY": NEW, "LITERAL": NEW}),
    "c.yml": f"KEY: {NEW}\n",
    "compose.yml": f"services: {{a: {{environment: {{KEY: {NEW}}}}}}}\n",
    # files that cannot be imported, or not as a whole
    "wrong-type.env": f"PORT={NEW}\n",
    "nested.json": json.dumps({"KEY": {NEW: NEW}}),
    "list.json": json.dumps([NEW]),
    "broken.json": f'{{"KEY": "{NEW}"',
    "broken.env": f"KEY='{NEW}\nA=1\n",
    "stray.env": f"{NEW}\n",
    "broken.yml": f"KEY: '{NEW}\n",
    "tag.yml": f"KEY: !{NEW} {NEW}\n",
    "alias.yml": f"KEY: *{NEW}\n",
    "utf-16.env": f"KEY={NEW}".encode("utf-16").decode("latin-1"),
}


@pytest.fixture
def prod(project, places):
    project.profile("prod.toml", PROFILE)
    project.dotenv("prod", f"KEY={OLD}\n")
    project.environ |= {"ENVKIT_ENV": "prod", "ENVKIT_REASON": "INC-1", "ENVKIT_DEBUG": "1"}
    for name, text in FILES.items():
        path = project.root / name
        path.write_text(text, encoding="latin-1")
        path.chmod(0o600)
    places.hidden = [OLD, NEW]
    return places


@pytest.mark.parametrize("options", ["--plan", "--yes", "--yes --replace", "-f json --yes"])
@pytest.mark.parametrize("name", FILES)
def test_import_leaks_no_value(prod, name, options):
    done = prod.project.run("import", name, *options.split(), umask=0)
    prod.assert_quiet(done.stdout + done.stderr)
    assert done.returncode in (0, 1, 3), done.stderr
    assert prod.traces() <= STORES | set(FILES)


def test_import_into_an_encrypted_file_leaves_no_value_in_plain_text(prod):
    options = ("--yes", "--replace", "--remove", "--to", "encrypted")
    prod.project.run("import", "a.env", *options, umask=0)
    kept = set(FILES) - {"a.env"}
    assert prod.traces() <= kept


def test_no_process_that_import_starts_gets_a_value(prod, tmp_path):
    """It starts git, to find out whether git ignores the file."""
    git, seen = tmp_path / "bin" / "git", tmp_path / "seen"
    git.parent.mkdir()
    git.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {seen}\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    subprocess.run(["git", "init", "-q", "."], cwd=prod.project.root, check=True)
    path = f"{git.parent}{os.pathsep}{os.environ['PATH']}"
    done = prod.project.run("import", "a.env", "--yes", "--replace", env={"PATH": path})
    assert "git does not ignore .env.prod" in done.stderr
    prod.assert_quiet(seen.read_text())
