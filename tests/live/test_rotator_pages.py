"""What the pages on rotators show: profiles that load, an example that passes the contract.

The scripts with roles, users and policies are run by what `support.rotators` makes of them,
for the contract, and below.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envkit._internal.clock import Deadline
from envkit.profile.loader import load
from envkit.rotation.protocols import RotatorContext
from envkit.rotation.rotators.registry import open_rotator, rotator_type
from envkit.rotation_state.policy import policies
from support.pages import ROOT, blocks, pages_run_by
from support.rotators import shown

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages_run_by("tests/live/test_rotator_pages.py")
WRITING = ROOT / "docs" / "contributing" / "writing-a-rotator.md"


def test_every_rotator_has_a_page():
    names = ["aws-iam-key", "command", "keyring", "postgres", "random", "redis"]
    assert sorted(page.stem for page in PAGES) == [*names, "writing-a-rotator"]


@pytest.fixture
def example(tmp_path, monkeypatch) -> Path:
    """The files of the page on writing one, installed as a package is."""
    for block in blocks(WRITING):
        if block.file.endswith(".py"):
            (tmp_path / block.file).write_text(block.text)
    info = tmp_path / "envkit_tokenfile-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: envkit-tokenfile\nVersion: 1.0\n")
    entry = "token-file = envkit_tokenfile:TokenFileRotator"
    assert entry.replace("= ", '= "') + '"' in WRITING.read_text()
    (info / "entry_points.txt").write_text(f"[envkit.rotators]\n{entry}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "envkit_tokenfile", raising=False)
    return tmp_path


def profiles():
    for page in PAGES:
        for number, block in enumerate(blocks(page)):
            if block.language == "toml" and block.file != "pyproject.toml":
                yield pytest.param(block, id=f"{page.stem}-{number}")


@pytest.mark.parametrize("block", list(profiles()))
@pytest.mark.usefixtures("example")
def test_the_profile_of_each_rotator_page_loads_and_its_rotator_can_be_built(block, project):
    text = block.text if "[sources" in block.text else f"[sources.vault]\n{block.text}"
    project.profile("prod.toml", text)
    profile = load("prod", str(project.profiles))
    (policy,) = policies(profile).values()
    kind = rotator_type(policy.rotator, policy.strategy, policy.table.place_of)
    context = RotatorContext(
        rotation="prod/x",
        target=policy.target,
        generate=policy.generate,
        strategy=policy.strategy,
        fields=kind.fields(policy.secret.field, policy.target),
        deadline=Deadline(15),
    )
    assert isinstance(open_rotator(policy.rotator, context, policy.table.place_of), kind)


def test_the_example_rotator_passes_the_contract(example):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_tokenfile.py"],
        cwd=example,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_the_fernet_example_works(monkeypatch):
    from cryptography.fernet import Fernet

    code = shown("keyring.md", "python")
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    monkeypatch.setenv("TOKEN_KEYS", ",".join(keys))
    namespace = {}
    exec(compile(code, "keyring.md", "exec"), namespace)
    assert Fernet(keys[0]).decrypt(namespace["token"]) == b"user 42"


def test_the_documented_iam_policy_is_json():
    policy = json.loads(shown("aws-iam-key.md", "policy.json"))
    assert policy["Version"] == "2012-10-17"
