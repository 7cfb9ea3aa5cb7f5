"""Profiles compared by themselves, without a store."""

import pytest

from envkit.comparison.compare_profiles import diff_keys
from envkit.errors import ResolutionError
from envkit.profile.loader import load


@pytest.fixture
def compare(project):
    def compare_texts(*sides, **options):
        return diff_keys([(f"p{n}", loaded(n, one)) for n, one in enumerate(sides)], **options)

    def loaded(number, variables):
        if not isinstance(variables, str):
            return variables
        project.profile(f"p{number}.toml", f"[variables]\n{variables}\n")
        return load(f"p{number}", str(project.profiles))

    return compare_texts


def the_one(found):
    [entry] = found.entries
    return entry


@pytest.mark.parametrize(
    ("one", "two", "status"),
    [
        ('X = "a"', 'X = "a"', "same"),
        ('X = "a"', 'X = "b"', "different"),
        ('X = "a"', "", "missing"),
        ('X = "{{ X }}"', 'X = "{{ vault:secret/x#y }}"', "same"),
        ('X = "{{ X }}"', 'X = "a"', "different"),
        ('X = "{{ X }}"', 'X = { value = "{{ X }}", required = false }', "different"),
        ("X = '{{ \"{{\" }}'", "X = '{{ \"{{\" }}'", "same"),
    ],
)
def test_status_of_two_profiles_follows_from_their_text(compare, one, two, status):
    assert the_one(compare(one, two)).status == status


def test_literals_and_placeholders_are_shown_with_their_place(compare, project):
    entry = the_one(
        compare('X = "a"', """X = 'https://{{ vault:db#user }}:{{ P ?? "fallback" }}@h'""")
    )
    assert [(cell.state, cell.shown) for cell in entry.cells] == [
        ("value", None),
        ("placeholder", "{{ vault:db#user }} {{ P }}"),
    ]
    assert [cell.location for cell in entry.cells] == ["profiles/p0.toml:2", "profiles/p1.toml:2"]
    assert [(f.kind, f.shown) for f in entry.findings] == [("literal", ("literal", "placeholder"))]


def test_a_literal_that_a_profile_calls_secret_is_not_shown(compare):
    entry = the_one(compare('X = { value = "canary", secret = true }', 'X = "other"'))
    assert "canary" not in repr(entry)
    assert "other" not in repr(entry)


def test_differing_rules_of_profiles_are_findings(compare):
    entry = the_one(compare('X = { value = "1", type = "int" }', 'X = "1"'))
    assert entry.status == "different"
    assert [(f.subject, f.shown) for f in entry.findings] == [("type", ("int", "string"))]


def test_a_profile_is_compared_with_the_names_of_a_file(compare):
    found = compare('X = "a"\nY = "b"', ["X", "Z"])
    statuses = {entry.name: entry.status for entry in found.entries}
    assert statuses == {"X": "same", "Y": "missing", "Z": "missing"}


def test_globs_select_the_compared_variables(compare):
    found = compare('AA = "a"\nAB = "b"\nB = "b"', "", only=["A*"], exclude=["AB"])
    assert the_one(found).name == "AA"


def test_an_unknown_source_in_a_profile_is_an_error(compare):
    with pytest.raises(ResolutionError):
        compare('X = "{{ valut:x#y }}"', 'X = "a"')
