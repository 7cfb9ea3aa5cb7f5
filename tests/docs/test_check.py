"""The page about `envkit check` and the pre-commit hook match the code."""

import re
import shlex
import tomllib

import pytest
import yaml

from envkit.checks.problem import KINDS
from support.pages import ROOT, blocks

PAGE = ROOT / "docs" / "guides" / "check.md"
CODES = ROOT / "docs" / "reference" / "checks.md"
WORKFLOWS = [
    yaml.safe_load(block.text)
    for block in blocks(PAGE)
    if block.language == "yaml" and "jobs:" in block.text
]
STEPS = [
    step for workflow in WORKFLOWS for job in workflow["jobs"].values() for step in job["steps"]
]
_HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
[HOOK] = [hook for hook in _HOOKS if hook["id"] == "envkit-check"]


def test_every_check_code_is_documented_with_its_severity_and_exit_status():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+)(?:, (\d))? \|", CODES.read_text(), re.MULTILINE)
    assert [(code, gravity, int(status or 1)) for code, gravity, status in rows] == [
        (code, kind.severity, kind.exit_status) for code, kind in KINDS.items()
    ]


@pytest.fixture
def repository(project):
    project.profile("prod.toml", '[variables]\nA = "1"\n')
    (project.root / "src").mkdir()
    return project


@pytest.mark.parametrize(
    "command", [HOOK["entry"], *(step["run"] for step in STEPS if "envkit check" in str(step))]
)
def test_every_command_of_the_workflow_and_the_hook_runs(repository, command):
    done = repository.run(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr


def test_the_workflow_uploads_the_file_that_it_wrote():
    [upload] = [step for step in STEPS if "upload-sarif" in step.get("uses", "")]
    written = [step["run"].partition(" -o ")[2] for step in STEPS if " -o " in step.get("run", "")]
    assert [upload["with"]["sarif_file"]] == written


def test_the_hook_gets_no_file_names_and_the_page_names_it():
    assert HOOK["pass_filenames"] is False
    assert f"id: {HOOK['id']}" in PAGE.read_text()


@pytest.mark.parametrize(
    ("paths", "runs"),
    [
        ("profiles/prod.toml services/api/profiles/prod.env", True),
        (".env .env.prod services/api/.env.prod .gitignore .envkit-ignore", True),
        ("src/app.py docs/profiles.md", False),
    ],
)
def test_the_hook_runs_when_the_files_that_it_checks_change(paths, runs):
    for path in paths.split():
        assert (re.search(HOOK["files"], path) is not None) is runs, path


def test_the_documented_extra_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "check" in project["optional-dependencies"]
    assert "pip install './envkit[check]'" in PAGE.read_text()
