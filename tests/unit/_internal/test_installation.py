"""A hint installs an extra from the origin of this envkit, never from a package index."""

import json
import sys

import pytest

from envkit._internal import installation

PIP = [sys.executable, "-m", "pip", "install"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Create an environment with these files of an installer, and return the hint for an extra."""

    def hint(origin, *, marker="", extra="check", requires=()):
        folder = tmp_path / "site" / "envkit-1.0.dist-info"
        folder.mkdir(parents=True)
        metadata = "Metadata-Version: 2.1\nName: envkit\nVersion: 1.0\n"
        metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
        (folder / "METADATA").write_text(metadata)
        if origin is not None:
            (folder / "direct_url.json").write_text(origin)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        if marker:
            (tmp_path / marker).touch()
            monkeypatch.setattr(sys, "prefix", str(tmp_path))
        return installation.install_hint(extra)

    return hint


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "my envkit"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    return folder


@pytest.mark.parametrize(
    ("marker", "command"),
    [
        ("uv-receipt.toml", "uv tool install --force"),
        ("pipx_metadata.json", "pipx install --force"),
        ("", " ".join(PIP)),
    ],
)
def test_a_checkout_is_reinstalled_with_the_tool_that_installed_it(
    installed, checkout, marker, command
):
    origin = json.dumps({"url": checkout.as_uri(), "dir_info": {}})
    assert installed(origin, marker=marker) == f"run: {command} '{checkout}[check]'"


@pytest.mark.parametrize(
    ("origin", "arguments"),
    [
        (
            {"url": "https://git.example/envkit", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"'envkit[fleet] @ git+https://git.example/envkit@{COMMIT}'",
        ),
        (
            {
                "url": "https://git.example/mono",
                "vcs_info": {"vcs": "git", "commit_id": COMMIT},
                "subdirectory": "py",
            },
            f"'envkit[fleet] @ git+https://git.example/mono@{COMMIT}#subdirectory=py'",
        ),
        (
            {"url": "https://files.example/envkit-1.0.whl", "archive_info": {}},
            "'envkit[fleet] @ https://files.example/envkit-1.0.whl'",
        ),
    ],
)
def test_a_repository_or_archive_is_named_as_it_was_installed(installed, origin, arguments):
    hint = installed(json.dumps(origin), extra="fleet")
    assert hint == f"run: {' '.join(PIP)} {arguments}"


def test_an_editable_checkout_stays_editable(installed, checkout):
    origin = json.dumps({"url": checkout.as_uri(), "dir_info": {"editable": True}})
    assert installed(origin) == f"run: {' '.join(PIP)} -e '{checkout}[check]'"


@pytest.mark.parametrize(
    "origin",
    [
        None,  # an index
        "",
        "{",
        "[]",
        "{}",
        '{"url": "file:///gone/envkit", "dir_info": {}}',
        '{"url": "file:///gone/envkit-1.0.whl", "archive_info": {}}',
        '{"url": "https://user:hunter2@git.example/envkit", "vcs_info": {"vcs": "git"}}',
        '{"url": "https://ghp_hunter2@git.example/envkit", "vcs_info": {"vcs": "git"}}',
        '{"url": "https://files.example/envkit-1.0.whl?sig=hunter2", "archive_info": {}}',
        '{"url": "https://git.example/envkit?private_token=hunter2", "vcs_info": {"vcs": "git"}}',
    ],
)
def test_an_unknown_or_secret_origin_gets_a_hint_to_the_docs(installed, origin):
    hint = installed(origin)
    assert hint == (
        "install envkit from its checkout with the extra 'check': see README.md, Install"
    )


REQUIRES = [
    "requests>=2",
    "pytest>=1; extra == 'redis'",
    'hypothesis[cli]>=1; python_version > "3" and extra == "postgres"',
    "pytest; extra == 'fleet'",
    "envkit-no-such-package>=1; extra == 'fleet'",
    "envkit[redis,fleet]; extra == 'test'",
]


@pytest.mark.parametrize(
    ("marker", "extras"),
    [
        ("uv-receipt.toml", "check,postgres,redis"),
        ("pipx_metadata.json", "check,postgres,redis"),
        ("", "check"),
    ],
)
def test_the_hint_keeps_installed_extras_if_the_tool_recreates_its_environment(
    installed, checkout, marker, extras
):
    origin = json.dumps({"url": checkout.as_uri(), "dir_info": {}})
    hint = installed(origin, marker=marker, requires=REQUIRES)
    assert hint.endswith(f" '{checkout}[{extras}]'")
