"""Plans: the order of reads, each once, and which values are secret."""

import pytest

from envkit.errors import ProfileError, ResolutionError
from envkit.profile.loader import load
from envkit.resolution.plan import plan


@pytest.fixture
def planned(project):
    """Plan the selected variables of a profile, or all of them."""

    def made(variables, selected=None, top=""):
        project.profile("prod.toml", f"{top}[variables]\n{variables}\n")
        profile = load("prod", str(project.profiles))
        return plan(profile, list(profile.variables) if selected is None else selected)

    return made


def references(found):
    return {source: [str(ref) for ref in refs] for source, refs in found.references.items()}


def secrets(found):
    return {variable.name for variable in found.order if variable.secret}


def test_a_bare_name_is_a_variable_or_else_the_lookup(planned):
    url = planned('HOST = "db"\nURL = "{{ HOST }}:{{ PORT }}"').order[-1]
    assert [str(operand) for operand in url.variables] == ["HOST"]
    assert {str(o): [str(r) for r in refs] for o, refs in url.references.items()} == {
        "PORT": ["dotenv:#PORT", "env:#PORT"]
    }


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ("", {"dotenv": ["dotenv:#X"], "env": ["env:#X"]}),
        ('lookup = ["vault", "env"]\n', {"vault": ["vault:#X"], "env": ["env:#X"]}),
        ("lookup = []\n", {}),
    ],
)
def test_the_lookup_of_the_profile_is_asked_in_its_order(planned, lookup, expected):
    found = planned('Y = "{{ X }}"', top=lookup)
    assert list(references(found).items()) == list(expected.items())


@pytest.mark.parametrize("value", ['"{{ X }}"', '"a{{X}}b"', "{}", '{ type = "url" }'])
def test_a_variable_that_names_itself_means_the_lookup(planned, value):
    found = planned(f"X = {value}", top='lookup = ["env"]\n')
    assert references(found) == {"env": ["env:#X"]}


def test_each_distinct_reference_is_planned_once(planned):
    found = planned(
        'A = "{{ vault:db#user }}:{{ vault:db#password }}"\n'
        'B = "{{ vault:db#password | urlencode }}"\n'
        'C = "{{ vault:db?version=1#password }}{{ aws:redis#url }}"'
    )
    assert references(found) == {
        "vault": ["vault:db#user", "vault:db#password", "vault:db?version=1#password"],
        "aws": ["aws:redis#url"],
    }


def test_a_literal_has_no_references(planned):
    found = planned('A = "a"\nB = \'{{ "{{" }} {{ "x" | trim }}\'')
    assert found.references == {}
    assert secrets(found) == set()


def test_variables_are_ordered_after_those_that_they_need(planned):
    found = planned('A = "{{ B }}{{ C }}"\nB = "{{ C }}"\nC = "c"\nD = "d"')
    assert [variable.name for variable in found.order] == ["C", "B", "A", "D"]
    assert found.selected == ("A", "B", "C", "D")


@pytest.mark.parametrize(
    ("variables", "secret"),
    [
        ('A = "a"', set()),
        ('A = "{{ vault:x }}"', {"A"}),
        ('A = "{{ X }}"', {"A"}),
        ("A = {}", {"A"}),
        ("A = '{{ X ?? \"x\" }}'", {"A"}),
        ('A = "{{ B }}"\nB = "{{ C }}"\nC = "{{ env:X }}"\nD = "d"', {"A", "B", "C"}),
        ('A = "{{ B }}"\nB = "b"', set()),
        ('A = { value = "a", secret = true }\nB = "{{ A }}"', {"A", "B"}),
        ('A = { value = "{{ vault:x }}", secret = false }\nB = "{{ A }}"', set()),
        (
            'A = "{{ B }}"\nB = { value = "{{ vault:x }}", secret = false }\nC = "{{ vault:x }}"',
            {"C"},
        ),
    ],
)
def test_a_variable_that_reads_a_source_is_secret_by_default(planned, variables, secret):
    assert secrets(planned(variables)) == secret


def test_a_variable_that_is_only_needed_is_planned_but_not_selected(planned):
    found = planned(
        'URL = "{{ HOST }}/{{ vault:db#name }}"\nHOST = "{{ vault:db#host }}"\n'
        'OTHER = "{{ aws:other }}"',
        ["URL"],
    )
    assert [variable.name for variable in found.order] == ["HOST", "URL"]
    assert found.selected == ("URL",)
    assert references(found) == {"vault": ["vault:db#host", "vault:db#name"]}


@pytest.mark.parametrize(
    ("variables", "line", "circle"),
    [
        ('A = "{{ B }}"\nB = "{{ A }}"', 3, "A -> B -> A"),
        ('A = "{{ B }}"\nB = "x{{ C }}"\nC = "{{ D }}"\nD = "{{ B }}"', 5, "B -> C -> D -> B"),
        ('A = "{{ B ?? \\"x\\" }}"\nB = "{{ A }}"', 3, "A -> B -> A"),
    ],
)
def test_a_cycle_of_variables_is_reported(planned, variables, line, circle):
    with pytest.raises(ProfileError) as raised:
        planned(variables)
    wanted = f"profiles/prod.toml:{line}: variables refer to each other in a cycle: {circle}"
    assert raised.value.message == wanted
    *_, last, first = circle.split(" -> ")
    assert raised.value.hint == f"give {last} a value without {{{{ {first} }}}}"


def test_a_circle_outside_the_selection_does_no_harm(planned):
    assert planned('A = "{{ B }}"\nB = "{{ A }}"\nC = "c"', ["C"]).selected == ("C",)


def test_unknown_sources_are_all_reported_at_once(planned):
    with pytest.raises(ResolutionError) as raised:
        planned('A = "{{ vualt:db#x }}"\nB = "{{ shelf:y }}{{ vault:z }}"')
    assert [str(failure) for failure in raised.value.failures] == [
        "A (profiles/prod.toml:2): unknown source 'vualt' in vualt:db#x",
        "B (profiles/prod.toml:3): unknown source 'shelf' in shelf:y",
    ]
    hints = [failure.error.hint for failure in raised.value.failures]
    assert hints == ["did you mean 'vault'?", "add a table [sources.shelf] with its type"]
    assert raised.value.exit_status == 3
