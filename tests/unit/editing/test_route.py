"""Where a variable's value is, as far as its profile says."""

import pytest

from envkit.editing.route import refuse_unwritable, route
from envkit.errors import UnchangeableError
from envkit.profile.loader import load
from envkit.resolution.plan import plan
from support.refusals import refusal
from support.shelf import reference


@pytest.fixture
def routed(project):
    """Return the route of the variable A in a profile of these variables."""

    def found(variables, *, base="", follow=True):
        project.profile("base.toml", f"[variables]\n{base}\n")
        project.profile("prod.toml", f'extends = "base"\n[variables]\n{variables}\n')
        profile = load("prod", str(project.profiles))
        return route("A", profile, plan(profile, ["A"]), follow=follow)

    return found


def refused(call):
    return refusal(call, UnchangeableError)


def texts(found):
    return [str(reference) for reference in found.references]


@pytest.mark.parametrize("value", ['"x"', "8080", '""', "'{{ \"{{\" }} x'"])
def test_a_literal_is_stored_in_its_profile(routed, value):
    found = routed(f"A = {value}")
    assert str(found.literal) == "profiles/prod.toml:3"
    assert found.references == ()
    assert [one.name for one in found.declarations] == ["A"]


def test_a_literal_of_a_base_profile_cannot_be_changed_for_one_environment(routed):
    assert refused(lambda: routed("", base='A = "x"')) == (
        "A is set in profiles/base.toml:2, which prod extends",
        "set it in profiles/prod.toml, where it applies to prod only",
    )


@pytest.mark.parametrize(
    ("variables", "references"),
    [
        ('A = "{{ vault:db#password }}"', ["vault:db#password"]),
        ("A = '{{ vault:db#password ?? \"x\" }}'", ["vault:db#password"]),
        ("A = {}", ["dotenv:#A", "env:#A"]),
        ('A = "{{ OTHER }}"', ["dotenv:#OTHER", "env:#OTHER"]),
    ],
)
def test_a_single_placeholder_routes_to_its_reference(routed, variables, references):
    found = routed(variables)
    assert (found.literal, texts(found)) == (None, references)


def test_a_reference_may_be_inherited(routed):
    assert texts(routed("", base='A = "{{ vault:db#a }}"')) == ["vault:db#a"]


def test_a_variable_that_equals_another_routes_to_its_place(routed):
    found = routed('A = "{{ B }}"\nB = "{{ C }}"\nC = "{{ vault:db#c }}"')
    assert texts(found) == ["vault:db#c"]
    assert [one.name for one in found.declarations] == ["A", "B", "C"]
    assert str(routed('A = "{{ B }}"\nB = "x"').literal) == "profiles/prod.toml:4"


def test_an_equal_variable_is_not_followed_with_follow_false(routed):
    found = refused(lambda: routed('A = "{{ B }}"\nB = "x"', follow=False))
    assert found == ("A has the value of B", "change B")


B, DB = "envkit set B --env prod", "envkit set --ref 'vault:db#a' --env prod"


@pytest.mark.parametrize(
    ("variables", "hint"),
    [
        ('A = "x{{ vault:db#a }}"', f"change a part of it: {DB}"),
        ('A = "{{ vault:db#a | trim }}"', f"change a part of it: {DB}"),
        ('A = "{{ B }}/{{ vault:db#a }}/{{ B }}"\nB = "b"', f"change a part of it: {B}, or {DB}"),
        ("A = '{{ \"x\" | trim }}'", "edit profiles/prod.toml:3"),
    ],
)
def test_a_composed_value_is_refused_and_its_parts_are_named(routed, variables, hint):
    message = "A is composed of several parts (profiles/prod.toml:3)"
    assert refused(lambda: routed(variables)) == (message, hint)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("vault:db?version=3#a", "pinned to one version", "remove the '?' and everything after it"),
        (
            "aws:db?stage=AWSPREVIOUS#a",
            "pinned to one version",
            "remove the '?' and everything after it",
        ),
        ("vault:db#*", "a whole secret", "change one field: --ref 'vault:db#FIELD'"),
    ],
)
def test_a_reference_that_no_source_can_write_is_refused(routed, text, what, hint):
    refusals = [
        refused(lambda: refuse_unwritable("A", reference(text))),
        refused(lambda: routed(f'A = "{{{{ {text} }}}}"')),
    ]
    assert refusals == [(f"A is {what}: {text}", hint)] * 2
