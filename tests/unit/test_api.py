"""`import envkit`: cheap to import, and all or nothing when it changes `os.environ`."""

import os

import pytest

import envkit
from envkit.errors import EnvkitError, ResolutionError
from support.process import run_python


def test_load_puts_the_environment_into_the_process(project):
    project.profile("prod.env", "X={{X}}\nY=y\n")
    (project.root / ".env.prod").write_bytes(b"X='a b\n\xc3\xa9'\n")
    os.environ["Y"] = "before"
    found = envkit.load("prod")
    assert os.environ["X"] == found["X"].reveal() == "a b\né"
    assert os.environ["Y"] == "y"


def test_load_may_leave_what_is_there(project):
    project.profile("prod.env", "X=x\nY=y\n")
    os.environ["Y"] = ""
    envkit.load("prod", override=False)
    assert (os.environ["X"], os.environ["Y"]) == ("x", "")


@pytest.mark.parametrize(
    "bad",
    [
        'B = "{{ NOWHERE }}"',
        'B = { value = "x", type = "int" }',
        'B = "{{ vualt:x }}"',
        "b = ",
    ],
)
def test_load_changes_nothing_if_anything_fails(project, bad):
    project.profile("prod.toml", f'[variables]\nA = "a"\n{bad}\nC = "c"\n')
    before = dict(os.environ)
    with pytest.raises(EnvkitError):
        envkit.load("prod")
    assert dict(os.environ) == before


def test_load_passes_bytes_unchanged(project):
    project.profile("prod.env", "X={{X_BEFORE}}\n")
    os.environb[b"X_BEFORE"] = b"\xff\xfe"
    envkit.load("prod")
    assert os.environb[b"X"] == b"\xff\xfe"


def test_load_takes_what_resolve_takes(project):
    project.profile("prod.toml", '[variables]\nA = "a"\nAB = "ab"\nC = "{{ NOWHERE }}"\n')
    found = envkit.load("prod", profiles=str(project.profiles), only=["A*"], exclude=["AB"])
    assert list(found) == ["A"]
    assert "AB" not in os.environ


def test_one_glob_needs_no_list(project):
    project.profile("a.env", "A=1\nDB_URL=2\n")
    project.profile("b.env", "A=2\nDB_URL=2\n")
    assert list(envkit.resolve("a", only="DB_*")) == ["DB_URL"]
    assert list(envkit.resolve("a", exclude="DB_*")) == ["A"]
    assert list(envkit.load("a", only="*_URL")) == ["DB_URL"]
    found = envkit.diff("a", "b", only="A*")
    assert [entry.name for entry in found.entries] == ["A"]


def test_an_error_can_be_caught_as_one_kind(project):
    project.profile("prod.env", "X={{X}}\n")
    with pytest.raises(envkit.EnvkitError) as raised:
        envkit.resolve("prod")
    assert isinstance(raised.value, ResolutionError)


def test_importing_envkit_imports_nothing_else():
    script = (
        "import sys; before = set(sys.modules); import envkit; print(*set(sys.modules) - before)"
    )
    done = run_python(script)
    assert done.stdout.split() == ["envkit"]


def test_what_envkit_offers():
    for name in envkit.__all__:
        assert name in dir(envkit)
        assert getattr(envkit, name) is not None
    assert "__version__" in dir(envkit)
    with pytest.raises(AttributeError, match="module 'envkit' has no attribute 'reslove'"):
        _ = envkit.reslove
