"""Evaluation of variables: missing differs from failed, and no message shows a value."""

import pytest

from envkit.errors import AuthError, DeniedError, ProtocolError, UnavailableError
from envkit.profile.loader import load
from envkit.resolution.evaluate import _Run, _Value, evaluate
from envkit.resolution.plan import plan
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading
from support.vectors import vectors

VECTORS = vectors("unit/resolution/evaluate")

CANARY = "canary-7d20"


def evaluated(project, variables, outcomes=(), selected=None):
    """Return the values and failures of a profile whose stores return `outcomes`, by reference."""
    project.profile("prod.toml", f"[variables]\n{variables}\n")
    profile = load("prod", str(project.profiles))
    found = plan(profile, list(profile.variables) if selected is None else selected)
    answers = {
        ref: _outcome(dict(outcomes).get(str(ref), Absent()), str(ref))
        for refs in found.references.values()
        for ref in refs
    }
    return evaluate(found, answers, lambda ref: f"<{ref}>")


def _outcome(answer, ref):
    return Reading(Secret(answer), "7", f"<{ref}>") if isinstance(answer, str) else answer


def values(found):
    return {name: variable.value.reveal() for name, variable in found[0].items()}


def failures(found):
    return {failure.name: failure.error.message for failure in found[1]}


def test_values_are_substituted_and_never_scanned_again(project):
    found = evaluated(
        project,
        """
        URL = "pg://{{ USER }}:{{ vault:db#password | urlencode }}@db/{{ NAME }}"
        USER = "app{{ env:SUFFIX }}"
        NAME = "{{ vault:db#name }}"
        """,
        {"vault:db#password": "a b", "env:SUFFIX": "{{ vault:x }}", "vault:db#name": "n"},
    )
    assert values(found) == {
        "URL": "pg://app{{ vault:x }}:a%20b@db/n",
        "USER": "app{{ vault:x }}",
        "NAME": "n",
    }
    assert found[1] == []


def test_a_value_has_the_origins_of_all_its_readings(project):
    found, _ = evaluated(
        project,
        """
        URL = "{{ USER }}:{{ vault:db#password }}@{{ USER }}"
        USER = "{{ vault:db#user }}"
        PLAIN = "text"
        """,
        {"vault:db#password": CANARY, "vault:db#user": "app"},
    )
    assert [tuple(origin) for origin in found["URL"].origins] == [
        ("vault:db#user", "<vault:db#user>", "7"),
        ("vault:db#password", "<vault:db#password>", "7"),
    ]
    assert found["PLAIN"].origins == ()
    secret = {name: variable.secret for name, variable in found.items()}
    assert secret == {"URL": True, "USER": True, "PLAIN": False}
    assert found["URL"].profile == "prod"
    assert str(found["URL"].location) == "profiles/prod.toml:3"
    assert CANARY not in repr(found)


def test_the_first_source_of_the_lookup_that_has_the_value_is_used(project):
    both = {"dotenv:#X": "file", "env:#X": "platform"}
    assert values(evaluated(project, "X = {}", both)) == {"X": "file"}
    assert values(evaluated(project, "X = {}", {"env:#X": "platform"})) == {"X": "platform"}
    assert values(evaluated(project, "X = {}", {**both, "dotenv:#X": ""})) == {"X": ""}


class TestMissingValues:
    """Fallback, default and `required` apply to values that a store does not have."""

    @pytest.mark.parametrize(("variables", "expected", "note"), VECTORS["what_stands_in"])
    def test_a_fallback_or_default_replaces_a_missing_value(
        self, project, variables, expected, note
    ):
        found = evaluated(project, variables, {"vault:here": '{"a": 1}'})
        assert values(found) == expected
        assert failures(found) == {}
        for variable in found[0].values():
            assert variable.note == note
            assert variable.origins == ()

    @pytest.mark.parametrize("present", ["", "v"])
    @pytest.mark.parametrize(
        "variables",
        ["X = '{{ vault:x ?? \"f\" }}'", 'X = { value = "{{ vault:x }}", default = "d" }'],
    )
    def test_a_fallback_or_default_does_not_replace_an_existing_value(
        self, project, variables, present
    ):
        found = evaluated(project, variables, {"vault:x": present})
        assert values(found) == {"X": present}
        assert found[0]["X"].note == ""

    @pytest.mark.parametrize(
        "variables",
        [
            "X = '{{ vault:x ?? \"f\" }}'",
            'X = { value = "{{ vault:x }}", default = "d" }',
            'X = { value = "{{ vault:x }}", required = false }',
            'X = { value = "{{ vault:absent }}{{ vault:x }}", default = "d" }',
            'X = { value = "{{ vault:absent }}{{ vault:x }}", required = false }',
            'X = { value = "{{ Y }}", default = "d" }\nY = "{{ vault:x }}"',
        ],
    )
    def test_a_fallback_or_default_does_not_replace_a_failed_value(self, project, variables):
        failed = {"vault:x": UnavailableError("no answer from vault")}
        found = evaluated(project, variables, failed)
        assert values(found) == {}
        assert set(failures(found)) >= {"X"}
        assert {failure.error.exit_status for failure in found[1]} == {5}

    def test_a_failed_source_stops_the_lookup_only_before_the_value_is_found(self, project):
        denied = DeniedError("cannot read it")
        before = evaluated(project, "X = {}", {"dotenv:#X": denied, "env:#X": "platform"})
        assert failures(before) == {"X": "cannot read it"}
        after = evaluated(project, "X = {}", {"dotenv:#X": "file", "env:#X": denied})
        assert values(after) == {"X": "file"}

    def test_everything_that_is_missing_is_named(self, project):
        found = evaluated(
            project,
            "X = '{{ vault:a }}{{ vault:b ?? \"covered\" }}{{ vault:c#d }}{{ vault:a }}'\nY = {}",
            {"vault:c#d": Absent("no field 'd' (fields: e)")},
        )
        assert failures(found) == {
            "X": "<vault:a> is missing; <vault:c#d> is missing: no field 'd' (fields: e)",
            "Y": "<dotenv:#Y> is missing; <env:#Y> is missing",
        }
        assert {failure.error.exit_status for failure in found[1]} == {4}
        assert {failure.error.hint for failure in found[1]} == {
            "run 'envkit set NAME --env prod', or declare a 'default' or 'required = false'"
        }

    def test_a_profile_with_an_empty_lookup_is_reported(self, project):
        project.profile("prod.toml", "lookup = []\n[variables]\nX = {}\n")
        profile = load("prod", str(project.profiles))
        found = evaluate(plan(profile, ["X"]), {}, str)
        assert failures(found) == {"X": "X is missing: 'lookup' names no source"}


class TestNeededVariables:
    """Variables that other variables need."""

    CHAIN = 'X = "{{ Y }}"\nY = "{{ vault:y }}"'

    @pytest.mark.parametrize(
        ("variables", "selected", "given", "failed"),
        [
            (CHAIN, None, {}, {"Y": "<vault:y> is missing", "X": "Y is not set"}),
            (CHAIN, ["X"], {}, {"X": "Y is not set (<vault:y> is missing)"}),
            ("X = '{{ Y ?? \"f\" }}'\nY = '{{ vault:y }}'", ["X"], {"X": "f"}, {}),
            ('X = "{{ Y }}"\nY = { required = false }', None, {}, {"X": "Y is not set"}),
            ('X = "{{ Y }}!"\nY = { default = "d" }', None, {"X": "d!", "Y": "d"}, {}),
        ],
        ids=["wanted too", "only needed", "only needed and covered", "not required", "a default"],
    )
    def test_a_variable_that_needs_a_missing_one_fails(
        self, project, variables, selected, given, failed
    ):
        found = evaluated(project, variables, selected=selected)
        assert (values(found), failures(found)) == (given, failed)

    @pytest.mark.parametrize("selected", [["X", "Y"], ["X"]])
    def test_a_variable_that_needs_a_failed_one_fails(self, project, selected):
        denied = DeniedError("permission denied", hint="ask for it")
        found = evaluated(project, self.CHAIN, {"vault:y": denied}, selected)
        assert failures(found) == {"Y": "permission denied", "X": "needs Y, which failed"}
        assert {failure.error.exit_status for failure in found[1]} == {6}
        assert {failure.error.hint for failure in found[1]} == {"ask for it"}

    def test_a_chain_of_five_thousand_variables_is_evaluated(self, project):
        links = "".join(f'V{n} = "{{{{ V{n + 1} }}}}"\n' for n in range(5000))
        variables = f'{links}V5000 = "{{{{ vault:x }}}}"\n'
        found = evaluated(project, variables, {"vault:x": "end"})
        assert set(values(found).values()) == {"end"}
        assert len(found[0]) == 5001
        assert all(variable.secret for variable in found[0].values())
        failed = evaluated(project, variables, {"vault:x": AuthError("not logged in")})
        assert len(failures(failed)) == 5001
        assert {failure.error.exit_status for failure in failed[1]} == {6}


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ('"{{ vault:x }}"', f"{CANARY}\0", "contains a NUL"),
        ('"{{ vault:x }}"', f"{CANARY}\ud800", "the value contains an unpaired surrogate"),
        ('{ value = "{{ vault:x }}", type = "port" }', CANARY, "is not a port"),
        ('{ value = "{{ vault:x }}", pattern = "^s" }', CANARY, "does not match the pattern ^s"),
        ('{ value = "{{ vault:x }}", choices = ["a", "b"] }', CANARY, "is not one of the choices"),
        ('"{{ vault:x | base64decode }}"', f"{CANARY}!", "the value is not base64"),
        ('"{{ vault:x | json:/a }}"', f"{CANARY}", "the value is not JSON"),
        (
            '"{{ vault:x | urlencode }}"',
            f"{CANARY}\ud800",
            "the value contains an unpaired surrogate",
        ),
        ('{ default = "x", type = "int" }', None, "is not a whole number"),
    ],
)
def test_an_invalid_value_is_refused_and_not_shown(project, variable, value, message):
    outcomes = {} if value is None else {"vault:x": value}
    found = evaluated(project, f"X = {variable}\n", outcomes)
    assert values(found) == {}
    (failure,) = found[1]
    assert failure.error.message.startswith(message)
    assert failure.error.exit_status == 3
    assert CANARY not in f"{failure} {failure.error!r} {failure.error.hint}"
    assert failure.error.__cause__ is None


def test_bytes_that_are_not_text_pass_unchanged(project):
    raw = b"\xff\xfe caf\xe9 \n"
    value = Secret.from_bytes(raw).reveal()
    found, _ = evaluated(project, 'X = "{{ vault:x }}"', {"vault:x": value})
    assert found["X"].value.to_bytes() == raw


def test_a_nul_is_for_a_file_and_not_for_a_variable_made_of_it(project):
    variables = 'F = { value = "{{ vault:x }}", as = "file" }\nX = "{{ F }}"\n'
    found, (failure,) = evaluated(project, variables, {"vault:x": "a\0"})
    assert (found["F"].value.reveal(), found["F"].file_mode) == ("a\0", 0o400)
    assert (failure.name, failure.error.message) == ("X", "contains a NUL")


def test_one_bad_value_hides_no_other(project):
    found = evaluated(
        project,
        'A = "{{ vault:a }}"\nB = "{{ vault:b }}"\nC = "{{ vault:c }}"\nD = "d"',
        {"vault:a": UnavailableError("down"), "vault:b": ProtocolError("nonsense")},
    )
    assert list(failures(found)) == ["A", "B", "C"]
    assert values(found) == {"D": "d"}


def test_values_that_double_each_other_end_with_an_error_before_memory_runs_out(project):
    doubled = "\n".join(f'V{n} = "{{{{ V{n - 1} }}}}{{{{ V{n - 1} }}}}"' for n in range(1, 40))
    found = evaluated(project, f'V0 = "{{{{ vault:db#x }}}}"\n{doubled}', {"vault:db#x": "x"})
    assert len(values(found)["V20"]) == 2**20
    assert len(found[0]["V20"].origins) == 1
    assert failures(found)["V21"].startswith("is longer than 1,048,576 characters")
    assert set(failures(found)) == {f"V{n}" for n in range(21, 40)}


DOUBT = Absent("no such secret", None, "us-east-1 has no secrets in this account")


@pytest.mark.parametrize(
    "variables",
    [
        'A = { value = "{{ aws:a }}", default = "postgres" }',
        'A = { value = "{{ aws:a }}", required = false }',
        "A = \"{{ aws:a ?? 'postgres' }}\"".replace("'", '\\"'),
        "A = \"x{{ vault:b }}{{ aws:a ?? '' }}\"".replace("'", '\\"'),
        'A = { value = "{{ aws:a }}{{ vault:none }}", default = "x" }',
        'A = { value = "{{ B }}", default = "x" }\nB = "{{ aws:a }}"',
        'A = "{{ B ?? \'x\' }}"\nB = "{{ aws:a }}"'.replace("'", '\\"'),
        'A = { value = "{{ C }}", required = false }\nC = "{{ B }}"\nB = "{{ aws:a }}"',
    ],
)
def test_a_value_that_may_be_in_another_store_is_not_replaced(project, variables):
    found = evaluated(project, variables, {"aws:a": DOUBT, "vault:b": "b"}, ["A"])
    assert values(found) == {}
    assert failures(found)["A"] == (
        "<aws:a> is missing, but us-east-1 has no secrets in this account: "
        "envkit does not fall back to another value"
    )
    assert found[1][0].error.exit_status == 3


def test_a_value_that_may_be_in_another_store_is_not_looked_up_in_the_next_source(project):
    variables = 'A = "{{ A }}"\n'
    project.profile("prod.toml", f'lookup = ["aws", "env"]\n[variables]\n{variables}')
    profile = load("prod", str(project.profiles))
    found = plan(profile, ["A"])
    answers = {
        ref: Reading(Secret("1"), None, "") for refs in found.references.values() for ref in refs
    }
    answers |= dict.fromkeys(found.references["aws"], DOUBT)
    assert values(evaluate(found, answers, str)) == {}


def test_a_required_variable_that_may_be_in_another_store_is_missing(project):
    found = evaluated(project, 'A = "{{ aws:a }}"', {"aws:a": DOUBT})
    assert failures(found) == {
        "A": "<aws:a> is missing: no such secret; us-east-1 has no secrets in this account"
    }
    assert found[1][0].error.exit_status == 4


@pytest.mark.parametrize(
    "written",
    [
        'A = "{{ A }}"',
        'A = "{{ vault:db#x }}"',
        'A = "{{ vault:db?version=3#x }}"',
        'A = "{{ vault:db }}"',
        "A = \"{{ dotenv:#'a b' }}\"".replace("'", '\\"'),
        "A = \"{{ A ?? 'x' }}\"".replace("'", '\\"'),
        "A = { secret = false }",
        'A = { value = "{{ A }}", default = "x", required = false }',
    ],
)
def test_the_short_path_for_a_single_reading_agrees_with_the_long_path(project, written):
    project.profile("prod.toml", f"[variables]\n{written}\n")
    profile = load("prod", str(project.profiles))
    found = plan(profile, ["A"])
    outcomes = {
        ref: Reading(Secret("value"), "7", f"<{ref}>")
        for refs in found.references.values()
        for ref in refs
    }
    run = _Run(found, outcomes, str)
    short, long = run.reading(found.order[0]), _Value(run, found.order[0]).resolve()
    assert short is not None
    assert short == long


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('A = "x"', "value"),
        ('A = "{{ A }}-"', "value"),
        ('A = "{{ A | trim }}"', "value"),
        ('A = "{{ B }}"\nB = "x"', "value"),
        ('A = { type = "int" }', "1"),
        ('A = { pattern = "v" }', "value"),
        ("A = { min = 2 }", "value"),
        ('A = { choices = ["value"] }', "value"),
        ('A = "{{ A }}"', "é"),
        ('A = "{{ A }}"', "a\0b"),
        ('A = "{{ A }}"', "\ud800"),
        ('A = "{{ A }}"', None),
    ],
)
def test_all_other_variables_take_the_long_path(project, written, value):
    project.profile("prod.toml", f"[variables]\n{written}\n")
    profile = load("prod", str(project.profiles))
    found = plan(profile, ["A"])
    answer = Absent() if value is None else Reading(Secret(value), "7", "<here>")
    outcomes = {ref: answer for refs in found.references.values() for ref in refs}
    run = _Run(found, outcomes, str)
    planned = next(one for one in found.order if one.name == "A")
    assert run.reading(planned) is None
