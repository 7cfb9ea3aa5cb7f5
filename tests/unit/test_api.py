"""`import envkit`: cheap to import, and all or nothing when it changes `os.environ`."""

import os
import traceback

import pytest

import envkit
from envkit.errors import EnvkitError, InvalidValueError, ResolutionError
from support.process import run_python

PW = "canary-5c0f"


def test_load_sets_the_variables_of_the_process(project):
    project.profile("prod.env", "X={{X}}\nY=y\n")
    (project.root / ".env.prod").write_bytes(b"X='a b\n\xc3\xa9'\n")
    os.environ["Y"] = "before"
    found = envkit.load("prod")
    assert os.environ["X"] == found["X"].reveal() == "a b\né"
    assert os.environ["Y"] == "y"


def test_load_can_preserve_existing_variables(project):
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


def test_load_refuses_a_file_that_no_variable_can_have_and_changes_nothing(project):
    project.profile(
        "prod.toml",
        '[variables]\nA = "a"\nB = { value = "{{ NUL | base64decode }}", as = "file" }\n',
    )
    project.dotenv("prod", "NUL=AP8BCg==\n")
    before = dict(os.environ)
    with pytest.raises(InvalidValueError, match="cannot set B: ") as caught:
        envkit.load("prod")
    assert "exclude=['B']" in caught.value.hint
    assert dict(os.environ) == before


def test_load_passes_bytes_unchanged(project):
    project.profile("prod.env", "X={{X_BEFORE}}\n")
    os.environb[b"X_BEFORE"] = b"\xff\xfe"
    envkit.load("prod")
    assert os.environb[b"X"] == b"\xff\xfe"


def test_load_accepts_the_arguments_of_resolve(project):
    project.profile("prod.toml", '[variables]\nA = "a"\nAB = "ab"\nC = "{{ NOWHERE }}"\n')
    found = envkit.load("prod", profiles=str(project.profiles), only=["A*"], exclude=["AB"])
    assert list(found) == ["A"]
    assert "AB" not in os.environ


def test_a_single_glob_needs_no_list(project):
    project.profile("a.env", "A=1\nDB_URL=2\n")
    project.profile("b.env", "A=2\nDB_URL=2\n")
    assert list(envkit.resolve("a", only="DB_*")) == ["DB_URL"]
    assert list(envkit.resolve("a", exclude="DB_*")) == ["A"]
    assert list(envkit.load("a", only="*_URL")) == ["DB_URL"]
    found = envkit.diff("a", "b", only="A*")
    assert [entry.name for entry in found.entries] == ["A"]


def test_all_errors_share_one_base_class(project):
    project.profile("prod.env", "X={{X}}\n")
    with pytest.raises(envkit.EnvkitError) as raised:
        envkit.resolve("prod")
    assert isinstance(raised.value, ResolutionError)


VAULT = '[sources.vault]\naddress = "http://127.0.0.1:1"\n'
MEMORY = '[sources.m]\ntype = "memory"\nsecrets = { db = { a = "CANARY", b = "CANARY" } }\n'
FAULTS = {
    "absent": ('X = "{{ env:PW }}"', "profiles/prod.toml:1", "env:PW is missing"),
    "absent in all": ('X = "{{ PW }}"', "prod.toml:1", "no file .env.prod; env:PW is missing"),
    "needs an absent one": ('Y = "{{ env:Y }}"\nX = "{{ Y }}"', "prod.toml:2", "Y is not set"),
    "type": ('X = { value = "CANARY", type = "port" }', "prod.toml:1", "is not a port"),
    "choices": ('X = { value = "CANARY", choices = ["a"] }', "prod.toml:1", "choices: a"),
    "pattern": ('X = { value = "CANARY", pattern = "^sk_" }', "prod.toml:1", "pattern ^sk_"),
    "bounds": ('X = { value = "CANARY", max = 3 }', "prod.toml:1", "maximum of 3 characters"),
    "filter": ('X = "{{ Y | json:/a }}"\nY = "CANARY"', "prod.toml:1", "is not JSON"),
    "base64": ('X = "{{ Y | base64decode }}"\nY = "CANARY!"', "prod.toml:1", "is not base64"),
    "pointer": ("X = '{{ Y | json:/b }}'\nY = '{\"a\": \"CANARY\"}'", "prod.toml:1", "nothing at"),
    "source": ('X = "{{ vualt:db#x }}"', "prod.toml:1", "unknown source 'vualt'"),
    "unknown filter": ('X = "{{ Y | urlencod }}"', "prod.toml:1", "unknown filter 'urlencod'"),
    "no end": ('X = "{{ Y "', "prod.toml:1", "has no '}}'"),
    "circle": ('X = "{{ Y }}"\nY = "{{ X }}"', "prod.toml:2", "cycle: X -> Y -> X"),
    "key": ('X = { vaule = "CANARY" }', "prod.toml:1", "unknown key 'vaule'"),
    "unknown type": ('X = { value = "CANARY", type = "integer" }', "toml:1", "unknown type"),
    "range": ('X = { value = "CANARY", min = 2, max = 1 }', "toml:1", "'min' is greater"),
    "no field": (f'{MEMORY}[variables]\nX = "{{{{ m:db }}}}"', "toml:5", "names no field"),
    "other field": (f'{MEMORY}[variables]\nX = "{{{{ m:db#c }}}}"', "toml:5", "no field 'c'"),
    "no token": (f'{VAULT}[variables]\nX = "{{{{ vault:a/b#c }}}}"', "toml:4", "no token"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_str_of_an_error_is_complete_and_shows_no_value(project, fault):
    """As in a traceback of a framework that shows the local variables of each frame."""
    text, *facts = FAULTS[fault]
    head = "" if text.startswith("[") else "variables."
    lines = text.split("\n")
    project.profile("prod.toml", "\n".join(f"{head}{line}" for line in lines).replace("CANARY", PW))
    with pytest.raises(EnvkitError) as raised:
        envkit.resolve("prod", environ={"OTHER": PW}, timeout_seconds=5)
    report = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    shown = "".join(report.format())
    assert PW not in shown.replace(repr({"OTHER": PW}), "")  # the caller's own variables
    for fact in ("X", *facts, "hint: "):
        assert fact in str(raised.value)
        assert fact in shown


def test_a_traceback_does_not_show_the_process_environment(project, monkeypatch):
    project.profile("prod.toml", '[variables]\nX = "{{ dotenv:X }}"\n')
    project.profile("other.toml", '[sources.m]\ntype = "n"\n[variables]\nX = "{{ m:x }}"\n')
    monkeypatch.setenv("SOME_TOKEN", PW)
    for call, names in [
        (envkit.resolve, ["prod"]),
        (envkit.load, ["prod"]),
        (envkit.diff, ["prod", "other"]),
    ]:
        with pytest.raises(EnvkitError) as raised:
            call(*names)
        report = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
        assert PW not in "".join(report.format())


@pytest.mark.parametrize(
    ("environments", "options", "said"),
    [
        ([["prod"]], {}, "an environment must be a str, not list"),
        ([None], {}, "an environment must be a str, not NoneType"),
        (["prod"], {"overrides": {"A": 3}}, "the override of A must be a str, not int"),
        (["prod"], {"overrides": {"A": None}}, "the override of A must be a str, not NoneType"),
        (["prod"], {"overrides": {"A": b"x"}}, "the override of A must be a str, not bytes"),
    ],
)
def test_an_argument_that_is_not_text_is_refused_by_name(project, environments, options, said):
    project.profile("prod.toml", '[variables]\nA = "a"\n')
    with pytest.raises(TypeError, match=f"^{said}$"):
        envkit.resolve(*environments, **options)


@pytest.mark.parametrize("timeout", ["5", None, 0, -1, float("nan"), float("inf")])
def test_resolve_refuses_a_timeout_that_is_no_number_of_seconds(project, timeout):
    project.profile("prod.toml", '[variables]\nA = "a"\n')
    with pytest.raises((TypeError, ValueError), match=r"^timeout_seconds must be "):
        envkit.resolve("prod", timeout_seconds=timeout)


def test_only_secret_values_are_masked(project):
    project.profile("prod.toml", '[variables]\nMODE = "production"\nX = "{{ dotenv:X }}"\n')
    project.dotenv("prod", f"X={PW}\n")
    found = envkit.resolve("prod")
    assert str(dict(found)) == "{'MODE': Plain('production'), 'X': Secret('********')}"


def test_importing_envkit_imports_nothing_else():
    script = (
        "import sys; before = set(sys.modules); import envkit; print(*set(sys.modules) - before)"
    )
    done = run_python(script)
    assert done.stdout.split() == ["envkit"]


def test_every_public_name_can_be_imported():
    for name in envkit.__all__:
        assert name in dir(envkit)
        assert getattr(envkit, name) is not None
    assert "__version__" in dir(envkit)
    with pytest.raises(AttributeError, match="module 'envkit' has no attribute 'reslove'"):
        _ = envkit.reslove
