"""resolve() returns every value or one error that names all failures, within the deadline."""

import os
import threading
from typing import ClassVar

import pytest

import envkit
from envkit._internal.clock import Deadline
from envkit.errors import (
    DeniedError,
    ProfileError,
    ProtocolError,
    ResolutionError,
    UnavailableError,
    UsageError,
)
from envkit.resolution.fetch import ask
from envkit.resolution.resolve import resolve
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading
from support.shelf import Shelf, SilentShelf, reference

CANARY = "canary-55d1"
SHELF = 'lookup = ["shelf"]\n[sources.shelf]\ntype = "memory"\n'


@pytest.fixture
def prod(project):
    """Write profiles/prod.toml with a source `shelf` for bare names."""

    def written(variables, top=SHELF, name="prod"):
        return project.profile(f"{name}.toml", f"{top}[variables]\n{variables}\n")

    return written


def values(environment):
    return {name: value.reveal() for name, value in environment.items()}


def resolved(contents=(), *, shelf=None, environments=("prod",), **options):
    shelf = Shelf(contents) if shelf is None else shelf
    return values(resolve(*environments, sources={"shelf": shelf}, environ={}, **options))


def failed(*args, **options):
    with pytest.raises(ResolutionError) as raised:
        resolved(*args, **options)
    return raised.value


class TestChoiceOfEnvironment:
    def test_resolve_accepts_a_name_or_an_alias(self, project):
        project.profile("prod.toml", 'aliases = ["live"]\n[variables]\nX = "x"\n')
        for name in ("prod", "live"):
            assert resolve(name, environ={}).name == "prod"

    def test_resolve_uses_envkit_env_by_default(self, project):
        project.profile("prod.toml", '[variables]\nX = "x"\n')
        assert values(resolve(environ={"ENVKIT_ENV": "prod"})) == {"X": "x"}
        os.environ["ENVKIT_ENV"] = "prod"
        assert values(resolve()) == {"X": "x"}

    @pytest.mark.parametrize("environ", [{}, {"ENVKIT_ENV": ""}])
    def test_resolve_without_an_environment_is_a_usage_error(self, project, environ):
        with pytest.raises(UsageError, match="no environment given") as caught:
            resolve(environ=environ)
        assert caught.value.hint == "pass its name, or set ENVKIT_ENV"

    @pytest.mark.parametrize(
        ("given", "hint"),
        [
            ({"only": ["A,B"]}, "write only=['A', 'B']"),
            ({"only": "A B"}, "write only=['A', 'B']"),
            ({"exclude": ["A*,B*"]}, "write exclude=['A*', 'B*']"),
            ({"exclude": ["[^A]"]}, "write exclude=['[!A]']"),
            ({"only": ["!A"]}, "write exclude=['A']"),
            ({"only": ["a*"]}, "write only=['A*']"),
            ({"only": [""]}, "write only=['DB_*']"),
            ({"only": ["AA"]}, "did you mean 'A'?"),
            ({"only": ["NOPE"]}, "use one of: A, B"),
        ],
    )
    def test_hints_name_arguments_and_no_options(self, project, given, hint):
        project.profile("dev.toml", '[variables]\nA = "1"\nB = "2"\n')
        with pytest.raises(UsageError) as caught:
            resolve("dev", environ={}, **given)
        assert caught.value.hint == hint

    def test_resolve_does_not_replace_an_empty_name_with_the_default(self, project):
        project.profile("prod.toml", "")
        with pytest.raises(ProfileError, match="no profile ''"):
            resolve("", environ={"ENVKIT_ENV": "prod"})

    def test_resolve_reads_profiles_of_another_folder(self, project, tmp_path):
        project.profile("prod.toml", '[variables]\nX = "x"\n')
        other = tmp_path / "other" / "configuration"
        other.mkdir(parents=True)
        (other / "prod.env").write_text("X={{Y}}\n")
        (other.parent / ".env.prod").write_text("Y=other\n")
        (project.root / ".env.prod").write_text("Y=wrong\n")
        assert values(resolve("prod", profiles=str(other), environ={})) == {"X": "other"}


def test_resolve_reads_an_env_form_profile_with_its_dotenv_file(project):
    project.profile("staging.env", "NODE_ENV=staging\nURL={{STAGING_URL}}\nURL2=${URL}\n")
    project.dotenv("staging", "STAGING_URL=pg://{{ x }}\n")
    found = resolve("staging", environ={"STAGING_URL": "from the platform"})
    assert values(found) == {"NODE_ENV": "staging", "URL": "pg://{{ x }}", "URL2": "${URL}"}
    assert found.variable("URL").origins[0].location == ".env.staging:1"


def test_resolve_does_not_use_a_plain_dotenv_file(project):
    project.profile("prod.env", "URL={{URL}}\n")
    (project.root / ".env").write_text("URL=laptop\n")
    with pytest.raises(ResolutionError) as raised:
        resolve("prod", environ={})
    assert raised.value.exit_status == 4


class TestFailures:
    def test_all_failures_are_reported_at_once(self, prod):
        prod('A = "{{ shelf:a }}"\nB = "{{ shelf:b }}"\nC = "c"\nD = { type = "int" }')
        error = failed({"shelf:b": DeniedError("denied"), "shelf:#D": "x"})
        assert [(failure.name, failure.location) for failure in error.failures] == [
            ("A", "profiles/prod.toml:5"),
            ("B", "profiles/prod.toml:6"),
            ("D", "profiles/prod.toml:8"),
        ]
        assert error.summary == "cannot resolve 3 variables of prod"

    @pytest.mark.parametrize("remote", [False, True])
    def test_a_store_that_failed_as_a_whole_fails_each_of_its_variables(self, prod, remote):
        prod('A = "{{ shelf:a }}"\nB = "{{ A }}"\nC = { value = "{{ shelf:c }}", default = "c" }')
        shelf = Shelf(remote=remote, breaks=UnavailableError("down", hint="switch it on"))
        error = failed(shelf=shelf)
        assert [failure.name for failure in error.failures] == ["A", "B", "C"]
        assert (error.exit_status, error.hint) == (5, "switch it on")

    def test_invalid_references_are_reported_before_any_store_is_asked(self, prod):
        prod('A = "{{ shelf:a }}{{ shelf:b }}"\nB = "{{ shelf:b }}"\nC = "{{ shelf:c }}"')
        shelf = Shelf(refuses=("shelf:a", "shelf:b"))
        error = failed(shelf=shelf)
        assert [failure.name for failure in error.failures] == ["A", "A", "B"]
        assert error.summary == "cannot resolve 2 variables of prod"
        assert error.exit_status == 3
        assert shelf.asked == []

    def test_an_excluded_variable_cannot_fail(self, prod):
        prod('A = "{{ shelf:a }}"\nB = "{{ shelf:b }}"')
        assert resolved({"shelf:a": "a"}, only=["A"]) == {"A": "a"}
        assert resolved({"shelf:a": "a"}, exclude=["B"]) == {"A": "a"}


class TestMisbehavingSources:
    """Whatever a source raises or returns, no value is shown and nothing counts as missing."""

    @pytest.mark.parametrize("remote", [False, True])
    @pytest.mark.parametrize(
        "bug",
        [
            ValueError(CANARY),
            KeyError(CANARY),
            RecursionError(CANARY),
            UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        ],
        ids=lambda bug: type(bug).__name__,
    )
    def test_a_bug_in_a_source_is_reported_by_its_type_only(self, prod, bug, remote):
        prod('X = { value = "{{ shelf:x }}", default = "d", required = false }')
        error = failed(shelf=Shelf(remote=remote, breaks=bug))
        (failure,) = error.failures
        assert failure.error.message == f"the source 'shelf' crashed: {type(bug).__name__}"
        assert (failure.error.__cause__, failure.error.__context__) == (None, None)

    @pytest.mark.parametrize(
        "outcome",
        [
            ValueError(CANARY),
            None,
            {"value": CANARY},
            ("value", CANARY),
            Reading(CANARY, None, "shelf"),
            Secret(CANARY),
        ],
        ids=lambda outcome: type(outcome).__name__,
    )
    def test_an_invalid_outcome_of_a_source_is_reported_by_its_type_only(self, outcome):
        found = ask(
            Shelf({"shelf:x": outcome, "shelf:y": "y"}),
            [reference("shelf:x"), reference("shelf:y")],
        )
        broken = found[reference("shelf:x")]
        assert broken.message == f"the source 'shelf' crashed: {type(outcome).__name__}"
        assert found[reference("shelf:y")].value.reveal() == "y"

    @pytest.mark.parametrize("answer", [None, [], CANARY])
    def test_an_answer_of_a_source_that_is_not_a_mapping_is_an_error(self, answer):
        shelf = Shelf()
        shelf.fetch = lambda refs: answer
        (outcome,) = ask(shelf, [reference("shelf:x")]).values()
        assert isinstance(outcome, ProtocolError)
        assert CANARY not in outcome.message

    def test_a_reference_that_a_source_leaves_out_is_missing(self):
        assert ask(Shelf(), [reference("shelf:x")]) == {reference("shelf:x"): Absent()}


class TestDeadline:
    TWO = SHELF + '[sources.other]\ntype = "memory"\n'

    @pytest.fixture
    def silent(self):
        shelf = SilentShelf()
        yield shelf
        shelf.released.set()

    def test_a_source_that_never_answers_times_out(self, prod, silent):
        prod(
            'A = "{{ shelf:a }}"\nB = "{{ shelf:b }}"\nC = "{{ A }}"\nD = "{{ other:d }}"', self.TWO
        )
        other = Shelf({"other:d": CANARY}, name="other", remote=True)
        with pytest.raises(ResolutionError) as raised:
            resolve(
                "prod", environ={}, timeout_seconds=0.2, sources={"shelf": silent, "other": other}
            )
        error = raised.value
        assert [failure.name for failure in error.failures] == ["A", "B", "C"]
        assert isinstance(error.failures[0].error, UnavailableError)
        assert error.failures[0].error.message == "no answer from 'shelf' within 0.2 s"
        assert error.exit_status == 5
        assert other.asked == [["other:d"]]

    def test_sources_are_asked_in_parallel(self, prod):
        prod('A = "{{ shelf:a }}"\nB = "{{ other:b }}"', self.TWO)
        both = threading.Barrier(2, timeout=10)  # passed only if each waits for the other

        class Meeting(Shelf):
            def fetch(self, refs):
                both.wait()
                return super().fetch(refs)

        sources = {
            "shelf": Meeting({"shelf:a": "a"}, remote=True),
            "other": Meeting({"other:b": "b"}, name="other", remote=True),
        }
        assert values(resolve("prod", environ={}, sources=sources)) == {"A": "a", "B": "b"}

    def test_an_interrupt_is_not_swallowed(self, prod):
        prod('A = "{{ shelf:a }}"')
        with pytest.raises(KeyboardInterrupt):
            resolved(shelf=Shelf(remote=True, breaks=KeyboardInterrupt()))


def test_each_source_is_asked_once_for_the_selected_references(prod):
    prod(
        'A = "{{ shelf:a#x }}"\nB = "{{ shelf:a#x }}{{ shelf:b }}"\n'
        'C = "{{ B }}"\nD = "{{ shelf:d }}"'
    )
    shelf = Shelf({"shelf:a#x": "1", "shelf:b": "2"})
    assert resolved(shelf=shelf, only=["A", "C"]) == {"A": "1", "C": "12"}
    assert shelf.asked == [["shelf:a#x", "shelf:b"]]


def test_a_profile_of_literals_asks_no_source(prod):
    prod('A = "a"')
    shelf = Shelf()
    assert resolved(shelf=shelf) == {"A": "a"}
    assert shelf.asked == []


class TestSeveralEnvironments:
    @pytest.fixture(autouse=True)
    def profiles(self, prod):
        prod('SHARED = "{{ shelf:base }}"\nONLY_BASE = "base of {{ SHARED }}"', name="base")
        prod('SHARED = "{{ shelf:more }}"\nONLY_MORE = "more"', name="more")

    ALL: ClassVar = {"shelf:base": "b", "shelf:more": "m"}

    def test_later_environments_override_earlier_ones(self):
        assert resolved(self.ALL, environments=("base", "more")) == {
            "SHARED": "m",
            "ONLY_BASE": "base of b",  # within a profile, a name is its own
            "ONLY_MORE": "more",
        }
        assert resolved(self.ALL, environments=("more", "base"))["SHARED"] == "b"

    def test_an_overridden_value_is_not_fetched(self):
        shelf = Shelf(self.ALL)
        resolved(shelf=shelf, environments=("base", "more"), exclude=["ONLY_BASE"])
        assert shelf.asked == [["shelf:more"]]

    def test_failures_of_all_environments_are_reported_at_once(self, project):
        error = failed({}, environments=("base", "more"), exclude=["ONLY_BASE"], only=["SHARED"])
        assert [failure.location for failure in error.failures] == ["profiles/more.toml:5"]
        project.profile("x.toml", '[variables]\nA = "{{ nowhere:a }}"\n')
        project.profile("y.toml", '[variables]\nB = "{{ nowhere:b }}"\n')
        error = failed({}, environments=("x", "y"))
        assert {failure.name for failure in error.failures} == {"A", "B"}
        assert error.summary == "cannot resolve 2 variables of x+y"

    def test_several_environments_have_a_joint_name_and_separate_provenance(self):
        found = resolve("base", "more", sources={"shelf": Shelf(self.ALL)}, environ={})
        assert found.name == "base+more"
        profiles = {v.name: v.profile for v in found.variables()}
        assert profiles == {"ONLY_BASE": "base", "SHARED": "more", "ONLY_MORE": "more"}

    def test_an_environment_may_be_named_twice(self):
        assert resolved(self.ALL, environments=("base", "base"))["SHARED"] == "b"

    @pytest.mark.parametrize(
        ("setting", "asked"),
        [
            ("", [["shelf:same"]]),
            ("secrets = {}", [["shelf:same"], ["shelf:same"]]),  # perhaps another store
        ],
    )
    def test_a_reference_that_several_environments_share_is_read_once(
        self, project, setting, asked
    ):
        one = Shelf({"shelf:same": "s"}, remote=True)
        project.profile("a.toml", SHELF + '[variables]\nA = "{{ shelf:same }}"\n')
        project.profile("b.toml", f'{SHELF}{setting}\n[variables]\nB = "{{{{ shelf:same }}}}"\n')
        assert values(resolve("a", "b", sources={"shelf": one}, environ={})) == {"A": "s", "B": "s"}
        assert one.asked == asked


class TestSelection:
    VARIABLES = """
    DB_URL = "{{ DB_HOST }}/{{ DB_NAME }}"
    DB_HOST = "{{ shelf:host }}"
    DB_NAME = "{{ shelf:name }}"
    OTHER = "{{ shelf:other }}"
    """
    HELD: ClassVar = {"shelf:host": "h", "shelf:name": "n"}

    @pytest.mark.parametrize(
        ("only", "exclude", "expected"),
        [
            (["DB_URL"], [], {"DB_URL": "h/n"}),
            (["DB_*"], ["DB_[HN]*"], {"DB_URL": "h/n"}),
            ([], ["OTHER", "DB_URL"], {"DB_HOST": "h", "DB_NAME": "n"}),
            (["NOTHING*", "DB_U*"], ["NONE*"], {"DB_URL": "h/n"}),
        ],
    )
    def test_a_variable_that_is_only_needed_is_read_but_not_returned(
        self, prod, only, exclude, expected
    ):
        prod(self.VARIABLES)
        assert resolved(self.HELD, only=only, exclude=exclude) == expected

    def test_a_name_that_any_of_several_environments_has_is_accepted(self, project, prod):
        prod('A = "a"')
        project.profile("more.toml", '[variables]\nB = "b"\n')
        assert resolved(environments=("prod", "more"), only=["A", "B"]) == {"A": "a", "B": "b"}
        assert resolved(overrides={"C": "c"}, only=["C"]) == {"C": "c"}

    @pytest.mark.parametrize("only", ["OTHER,DB_URL", ["NOTHING*"], ["OTHER", "db_url"]])
    def test_a_selection_that_matches_nothing_is_refused_before_a_source_is_asked(self, prod, only):
        prod(self.VARIABLES)
        with pytest.raises(UsageError, match=r"^no variable .*prod"):
            resolved({"shelf:other": DeniedError("denied")}, only=only)

    def test_a_failure_of_a_needed_variable_is_reported(self, prod):
        prod(self.VARIABLES)
        error = failed({"shelf:host": "h", "shelf:name": DeniedError("denied")}, only=["DB_URL"])
        assert [str(failure) for failure in error.failures] == [
            "DB_NAME (profiles/prod.toml:8): denied",
            "DB_URL (profiles/prod.toml:6): needs DB_NAME, which failed",
        ]


class TestOverrides:
    def test_an_override_is_a_literal_wherever_it_is_used(self, prod):
        prod('URL = "{{ HOST }}/{{ NAME }}"\nHOST = "{{ shelf:host }}"\nNAME = "n"')
        shelf = Shelf()
        found = resolved(shelf=shelf, overrides={"HOST": "{{ x }}", "NEW": ""})
        assert found == {"URL": "{{ x }}/n", "HOST": "{{ x }}", "NAME": "n", "NEW": ""}
        assert shelf.asked == []

    def test_overrides_are_always_selected(self, prod):
        prod('A = "a"\nB = "b"')
        found = resolved(overrides={"A": "x", "C": "y"}, only=["B"])
        assert found == {"A": "x", "B": "b", "C": "y"}
        assert resolved(overrides={"A": "x"}, exclude=["*"]) == {"A": "x"}

    def test_overrides_apply_in_several_environments(self, project):
        project.profile("one.toml", '[variables]\nA = "1"\nB = "{{ A }}"\n')
        project.profile("two.toml", '[variables]\nA = "2"\nC = "{{ A }}"\n')
        found = resolved(environments=("one", "two"), overrides={"A": "x", "B": "y"})
        assert found == {"A": "x", "B": "y", "C": "x"}

    def test_an_override_must_fit_the_type_of_its_variable(self, prod):
        prod('PORT = { value = "80", type = "port" }')
        (failure,) = failed(overrides={"PORT": CANARY}).failures
        assert str(failure) == "PORT (--set): is not a port (1 to 65535)"
        assert (
            failure.error.hint == "fix the value, or change its declaration in profiles/prod.toml:5"
        )

    def test_an_override_has_the_command_line_as_its_provenance(self, prod):
        prod('A = "{{ shelf:a }}"\nB = "b"')
        overrides = {"A": "x", "B": "y", "C": "z"}
        found = resolve("prod", sources={"shelf": Shelf()}, environ={}, overrides=overrides)
        for variable in found.variables():
            assert (variable.location, variable.note, variable.origins) == (None, "--set", ())
        assert found.secret_names() == {"A"}  # a replacement of a secret is masked as well

    @pytest.mark.parametrize("name", ["", "A-B", "1A", "A=B", "A\0"])
    def test_an_override_with_an_invalid_name_is_refused(self, prod, name):
        prod('A = "a"')
        with pytest.raises(UsageError, match="is not a variable name"):
            resolved(overrides={name: "x"})


def test_resolve_returns_the_bootstrap_credentials(project):
    project.profile("prod.toml", '[sources.vault]\nauth = { token = "{{ env:MY_TOKEN }}" }\n')
    assert resolve("prod", environ={}).bootstrap == {"MY_TOKEN"}


def test_ten_thousand_variables_resolve_or_fail_together(prod):
    prod("\n".join(f'V{n} = "{{{{ shelf:path#f{n} }}}}"' for n in range(10_000)))
    contents = {f"shelf:path#f{n}": str(n) for n in range(10_000)}
    assert len(resolved(contents)) == 10_000
    error = failed({})
    assert len(error.failures) == 10_000
    assert error.failures[-1].location == "profiles/prod.toml:10004"


def test_library_functions_stay_functions_after_their_first_use(project):
    project.profile("prod.toml", '[variables]\nX = "x"\n')
    for _ in range(2):
        assert values(envkit.resolve("prod")) == {"X": "x"}
        assert values(envkit.load("prod")) == {"X": "x"}
        __import__("envkit.resolution.resolve")
        __import__("envkit.api")


def test_no_remote_source_is_asked_after_the_deadline(prod):
    prod('A = "{{ shelf:a }}"')
    shelf = Shelf({"shelf:a": "a"}, remote=True)
    error = failed(shelf=shelf, timeout_seconds=1e-9)
    assert Deadline(0).expired
    assert error.exit_status == 5


SECRET = '[sources.own]\ntype = "memory"\nsecrets = { db = { password = "x", user = "y" } }\n'


OR_DECLARE = "or declare a 'default' or 'required = false'"


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("own:db#pasword", "did you mean 'own:db#password'?"),
        ("own:db#Password", "did you mean 'own:db#password'?"),
        ("own:db#users", "did you mean 'own:db#user'?"),
        ("dotenv:API_TOKN", "did you mean 'dotenv:API_TOKEN'?"),
        ("dotenv:#API_TOKN", "did you mean 'dotenv:#API_TOKEN'?"),
        ("dotenv:api_token", "did you mean 'dotenv:API_TOKEN'?"),
        ("API_TOKN", "did you mean 'API_TOKEN'?"),
        ("own:db#zzz", f"run 'envkit set NAME --env prod', {OR_DECLARE}"),
        ("NOTHING_LIKE_IT", f"run 'envkit set NAME --env prod', {OR_DECLARE}"),
        ("env:API_TOKN", f"set it where envkit runs, {OR_DECLARE}"),
    ],
)
def test_a_misspelt_name_gets_the_name_that_its_store_has(project, written, hint):
    project.profile("prod.toml", f"{SECRET}[variables]\nX = '{{{{ {written} }}}}'\n")
    project.dotenv("prod", "API_TOKEN=hunter2\n")
    with pytest.raises(ResolutionError) as raised:
        resolve("prod", environ={"OTHER": "x"})
    assert raised.value.hint == hint
    assert "hunter2" not in f"{raised.value}{raised.value.hint}"
