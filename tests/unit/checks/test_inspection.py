"""A check inspects as much of every profile as can be loaded, planned and read."""

import pytest

from envkit._internal.clock import Deadline
from envkit.checks.inspection import (
    ask_stores,
    find_rotations,
    load_profiles,
    newest,
    placed,
    prepare_all,
)
from envkit.errors import DeniedError, ProfileNotFoundError
from envkit.profile.placeholder import Reference
from support.shelf import Shelf

TOP = '[sources.shelf]\ntype = "memory"\n[variables]\n'


@pytest.fixture
def write(project):
    """Write the variables of a profile, after three other lines."""

    def written(variables, name="prod", head=""):
        return project.profile(f"{name}.toml", f"{head}{TOP}{variables}\n")

    return written


def loaded(project, *names, everything=True):
    return load_profiles(names, str(project.profiles), everything=everything)


def prepared(project, shelf=None):
    profiles, problems = loaded(project)
    assert problems == []
    sources = {"shelf": shelf or Shelf()}
    return prepare_all(profiles, environ={}, deadline=Deadline(5), sources=sources)


def told(problems):
    return [(one.code, one.line, one.message, one.variables) for one in problems]


def names(profiles):
    return [profile.name for profile in profiles]


class TestLoading:
    def test_a_check_of_everything_leaves_out_profiles_that_others_extend(self, project, write):
        write("A = 1", "base")
        write("", "dev", 'extends = "base"\n')
        write("", "prod", 'extends = "dev"\naliases = ["live"]\n')
        assert names(loaded(project)[0]) == ["prod"]
        assert names(loaded(project, "dev")[0]) == ["dev", "prod"], "it was asked for by name"
        assert names(loaded(project, "live", "prod", everything=False)[0]) == ["prod"], "once"

    def test_a_profile_that_cannot_be_loaded_is_a_problem_and_stops_no_other(self, project, write):
        write("A = 1", "dev")
        path = write("A = { typ = 1 }")
        profiles, [problem] = loaded(project)
        assert names(profiles) == ["dev"]
        assert (problem.code, problem.file, problem.line) == ("profile-invalid", str(path), 4)
        assert problem.message == "A: unknown key 'typ'"
        assert problem.hint == "did you mean 'type'?"

    def test_an_unknown_profile_name_is_an_error_of_the_caller(self, project, write):
        with pytest.raises(ProfileNotFoundError, match="no profile in profiles"):
            loaded(project)
        write("A = 1")
        with pytest.raises(ProfileNotFoundError, match="no profile 'prd'"):
            loaded(project, "prd")


class TestPreparing:
    def test_invalid_references_and_variables_that_use_them_are_left_out(self, project, write):
        write(
            'BAD = "{{ shelf:bad }}"\nMADE = "{{ BAD }}/x"\nDEEP = "{{ MADE }}"\n'
            'OTHER = "{{ nosuch:x }}"\nGOOD = "{{ shelf:a }}"'
        )
        [one], problems = prepared(project, Shelf(refuses=("shelf:bad",)))
        assert one.plan.selected == ("GOOD",)
        assert told(problems) == [
            ("reference-invalid", 7, "OTHER: unknown source 'nosuch' in nosuch:x", ("OTHER",)),
            ("reference-invalid", 4, "BAD: shelf:bad does not fit on a shelf", ("BAD",)),
        ]

    def test_a_cycle_excludes_only_its_own_environment(self, project, write):
        write('A = "{{ B }}"\nB = "{{ A }}"')
        write("A = 1", "dev")
        found, [problem] = prepared(project)
        assert [one.profile.name for one in found] == ["dev"]
        assert (problem.code, problem.line) == ("profile-invalid", 5)
        assert problem.environments == ("prod",)

    def test_preparation_asks_no_store(self, project, write):
        shelf = Shelf({"shelf:a": "x"})
        write('A = "{{ shelf:a }}"')
        prepared(project, shelf)
        assert shelf.asked == []


class TestAsking:
    def ask(self, project, contents):
        shelf = Shelf(contents)
        found, problems = prepared(project, shelf)
        assert problems == []
        return shelf, ask_stores(found, Deadline(5))

    def test_each_environment_has_its_values_and_failures(self, project, write):
        write('A = "{{ shelf:a }}"\nB = "{{ shelf:b }}"\nC = "c"')
        denied = DeniedError("no")
        _, [answer] = self.ask(project, {"shelf:a": "x", "shelf:b": denied})
        side = answer.side
        values = {name: value.reveal() for name, value in side.environment.items()}
        assert values == {"A": "x", "C": "c"}
        assert [(one.name, one.error) for one in side.failures] == [("B", denied)]
        assert side.secret_names == {"A", "B"}
        assert (side.label, side.belongs_to) == ("prod", "prod")

    def test_a_pinned_reference_is_read_together_with_the_newest(self, project, write):
        write('A = "{{ shelf:a?version=1 }}"\nB = "{{ shelf:b }}"')
        shelf, [answer] = self.ask(project, {"shelf:a?version=1": "old", "shelf:a": "new"})
        [asked] = shelf.asked
        assert sorted(asked) == ["shelf:a", "shelf:a?version=1", "shelf:b"]
        pinned = Reference("shelf", "a", None, "1")
        assert answer.outcomes[pinned].value.reveal() == "old"
        assert answer.outcomes[newest(pinned)].value.reveal() == "new"


def test_a_profile_without_rotations_has_none(project, write):
    write("A = 1")
    profiles, _ = loaded(project)
    folder = str(project.profiles)
    assert find_rotations(profiles, folder, environ={}, deadline=Deadline(5)) is None


@pytest.mark.parametrize(
    ("text", "file", "line", "message"),
    [
        ("profiles/prod.toml:12: PORT: bad", "profiles/prod.toml", 12, "PORT: bad"),
        ("profiles/prod.toml:12:5: not valid", "profiles/prod.toml", 12, "not valid"),
        ("profiles/prod.toml: is large", "profiles/prod.toml", 0, "is large"),
        (".env.prod:3: no '='", "other/.env.prod", 3, "no '='"),
        ("nowhere.toml:3: bad", "profiles", 0, "nowhere.toml:3: bad"),
        ("no place at all", "profiles", 0, "no place at all"),
    ],
)
def test_a_message_that_begins_with_a_place_is_a_problem_there(
    project, write, text, file, line, message
):
    write("")
    (project.root / "other").mkdir()
    (project.root / "other" / ".env.prod").write_text("")
    found = placed("code", text, str(project.profiles), root=str(project.root / "other"), hint="h")
    assert (found.file, found.line) == (str(project.root / file), line)
    assert (found.code, found.message, found.hint) == ("code", message, "h")
