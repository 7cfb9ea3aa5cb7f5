"""Where the variables of an environment are stored, and which of them can be changed there."""

import pytest

from envkit._internal.clock import Deadline
from envkit.editing.find import find, prepare_edit, prepare_reference_edit, refuse_changed
from envkit.editing.write import write_one
from envkit.errors import (
    ConflictError,
    InvalidReferenceError,
    InvalidValueError,
    UnchangeableError,
    UsageError,
)
from envkit.secret import Secret
from support.refusals import refusal

PROFILE = """\
aliases = ["production"]
[sources.memory]
type = "memory"
[sources.memory.secrets.db]
password = "in memory"
[variables]
PORT = { value = 8080, type = "port" }
PASSWORD = "{{ memory:db#password }}"
KEY = {}
SAME = "{{ KEY }}"
URL = "https://{{ KEY }}@db"
PINNED = "{{ memory:db?version=1#password }}"
"""


@pytest.fixture
def prod(project):
    project.profile("prod.toml", PROFILE)
    project.dotenv("prod", "KEY=in a file\n")
    return project


def prepared(*names, **options):
    return prepare_edit(("prod",), names, environ=options.pop("environ", {}), **options)


def found(*names, **options):
    return find(prepared(*names, **options))


def usage(call):
    """Return the message and the hint of a refused request."""
    return refusal(call, UsageError)


def places(editable):
    return {name: one.slot.where for name, one in editable.variables.items()}


def test_each_editable_variable_has_its_place_and_value(prod):
    editable = found()
    assert places(editable) == {
        "PORT": "profiles/prod.toml:7",
        "PASSWORD": "memory:db#password",
        "KEY": ".env.prod#KEY",
    }
    values = {name: one.current.value.reveal() for name, one in editable.variables.items()}
    assert values == {"PORT": "8080", "PASSWORD": "in memory", "KEY": "in a file"}
    assert editable.profile.name == "prod"


def test_a_variable_that_cannot_be_changed_is_refused_with_its_reason_and_blocks_no_other(prod):
    reasons = {name: error.message for name, error in found().refused.items()}
    assert reasons == {
        "SAME": "SAME has the value of KEY",
        "URL": "URL is composed of several parts (profiles/prod.toml:11)",
        "PINNED": "PINNED is pinned to one version: memory:db?version=1#password",
    }
    with pytest.raises(UnchangeableError, match="composed of several parts"):
        found("URL").one("URL")


def test_a_named_variable_is_followed_to_the_one_that_it_equals(prod):
    one = found("SAME").one("SAME")
    assert (one.slot.where, one.names) == (".env.prod#KEY", ["SAME", "KEY"])


def test_globs_select_variables_and_a_typo_is_refused(prod):
    assert set(found(only=["P*"]).variables) == {"PORT", "PASSWORD"}
    assert set(found(exclude=["P*", "SAME", "URL"]).variables) == {"KEY"}
    typo = ("no variable 'PROT' in prod", "did you mean 'PORT'?")
    assert usage(lambda: prepared(only=["PROT"])) == typo


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PROT", "did you mean 'PORT'?"),
        ("ZZZ", 'write ZZZ = "{{ ZZZ }}" into profiles/prod.toml first'),
    ],
)
def test_a_name_that_the_profile_lacks_is_refused(prod, name, hint):
    assert usage(lambda: prepared(name)) == (f"no variable '{name}' in prod", hint)


def test_an_edit_of_several_environments_is_refused(prod):
    two = usage(lambda: prepare_edit(("prod", "dev"), environ={}))
    assert two[0] == "only one environment can be changed at a time"
    assert usage(lambda: prepare_edit((), environ={}))[0] == "no environment given"
    assert prepare_edit((), environ={"ENVKIT_ENV": "production"}).prepared.profile.name == "prod"


def test_prepare_edit_reads_no_value(prod):
    (prod.root / ".env.prod").unlink()
    edit = prepared()
    assert set(edit.routes) == {"PORT", "PASSWORD", "KEY"}
    prod.dotenv("prod", "KEY=written later\n")
    assert find(edit).one("KEY").current.value.reveal() == "written later"


def test_a_looked_up_variable_is_edited_where_its_value_is_or_in_the_first_writable_source(project):
    lookup = 'lookup = ["dotenv", "memory", "env"]\n[sources.memory]\ntype = "memory"\n'
    project.profile(
        "prod.toml", f'{lookup}secrets = {{ B = "b" }}\n[variables]\nA = {{}}\nB = {{}}\n'
    )
    editable = found()
    assert places(editable) == {"A": ".env.prod#A", "B": "memory:#B"}
    assert editable.one("A").current == (None, None)


def test_a_value_in_a_read_only_source_hides_those_behind_it(project):
    project.profile("prod.toml", 'lookup = ["env", "dotenv"]\n[variables]\nA = {}\n')
    assert found(environ={"A": "given"}).refused["A"].message == (
        "A comes from env:A, which envkit cannot change"
    )
    assert places(found()) == {"A": ".env.prod#A"}


def test_a_failing_store_blocks_only_its_own_variables(prod):
    prod.dotenv("prod", "X='open\nKEY=1\n")
    editable = found()
    assert set(editable.variables) == {"PORT", "PASSWORD"}
    assert editable.refused["KEY"].code == "dotenv-invalid"


def test_a_value_that_the_profile_does_not_allow_is_refused(prod):
    port = found("PORT").one("PORT")
    port.check("443")
    for value, reason in (("none", "is not a port"), ("1\0", "contains a NUL")):
        message, hint = refusal(lambda v=value: port.check(v), InvalidValueError)
        assert message.startswith(f"the new value of PORT {reason}")
        assert message.endswith("; nothing was changed")
        assert hint == "see its declaration in profiles/prod.toml:7"


def test_a_value_changed_since_it_was_read_is_refused_with_its_place(prod):
    variables = list(found().variables.values())
    refuse_changed(variables)
    prod.dotenv("prod", "KEY=theirs\n")
    message, _ = refusal(lambda: refuse_changed(variables), ConflictError)
    assert message == "changed after envkit read it: KEY in .env.prod#KEY; nothing was written"


def test_a_reference_is_found_under_its_own_text(prod):
    text = "memory:db#user"
    variable = find(prepare_reference_edit(("prod",), text, environ={})).one(text)
    assert (variable.slot.where, variable.names) == (text, [text])
    write_one(variable.slot, Secret("app"), variable.current, Deadline(15))
    assert variable.slot.read().value == Secret("app")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("PORT", UsageError, "'PORT' is not a reference"),
        ("memory:db#a | trim", UsageError, "'memory:db#a | trim' is not a reference"),
        ('memory:db#a ?? "x"', UsageError, "'memory:db#a ?? \"x\"' is not a reference"),
        ("x }} {{ y", UsageError, "'x }} {{ y' is not a reference"),
        ("mmory:db#a", UsageError, "prod has no source 'mmory'"),
        (
            "memory:db?version=1#a",
            UnchangeableError,
            "memory:db?version=1#a is pinned to one version: memory:db?version=1#a",
        ),
        ("env:HOME", UnchangeableError, "env:HOME comes from env:HOME, which envkit cannot change"),
        ("env:NO-NAME#x", InvalidReferenceError, None),
    ],
)
def test_a_reference_that_cannot_be_written_is_refused(prod, text, kind, message):
    found = refusal(lambda: prepare_reference_edit(("prod",), text, environ={}), kind)
    assert message is None or found[0] == message
    assert found[1]
