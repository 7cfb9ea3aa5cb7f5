"""Plans: what is read, once, in which order, and which values are secret."""

import pytest

from envkit.errors import ProfileError, ResolutionError
from envkit.profile.loader import load
from envkit.resolution.plan import plan


def planned(project, text, selected=None):
    project.profile("prod.toml", text)
    profile = load("prod", str(project.profiles))
    return plan(profile, list(profile.variables) if selected is None else selected)


def references(found):
    return {source: [str(ref) for ref in refs] for source, refs in found.references.items()}


def secrets(found):
    return {variable.name for variable in found.order if variable.secret}


def test_a_bare_name_is_a_variable_else_the_lookup(project):
    found = planned(
        project,
        """
        [variables]
        HOST = "db"
        URL = "{{ HOST }}:{{ PORT }}"
        """,
    )
    url = found.order[-1]
    assert [str(operand) for operand in url.variables] == ["HOST"]
    assert {str(o): [str(r) for r in refs] for o, refs in url.references.items()} == {
        "PORT": ["dotenv:#PORT", "env:#PORT"]
    }


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ("", {"dotenv": ["dotenv:#X"], "env": ["env:#X"]}),
        ('lookup = ["vault", "env"]', {"vault": ["vault:#X"], "env": ["env:#X"]}),
        ("lookup = []", {}),
    ],
)
def test_the_lookup_of_the_profile_is_asked_in_its_order(project, lookup, expected):
    found = planned(project, f'{lookup}\n[variables]\nY = "{{{{ X }}}}"\n')
    assert list(references(found).items()) == list(expected.items())


@pytest.mark.parametrize("value", ['"{{ X }}"', '"a{{X}}b"', "{}", '{ type = "url" }'])
def test_a_variable_that_names_itself_means_the_lookup(project, value):
    found = planned(project, f'lookup = ["env"]\n[variables]\nX = {value}\n')
    assert references(found) == {"env": ["env:#X"]}


def test_each_distinct_reference_is_planned_once(project):
    found = planned(
        project,
        """
        [variables]
        A = "{{ vault:db#user }}:{{ vault:db#password }}"
        B = "{{ vault:db#password | urlencode }}"
        C = "{{ vault:db?version=1#password }}{{ aws:redis#url }}"
        """,
    )
    assert references(found) == {
        "vault": ["vault:db#user", "vault:db#password", "vault:db?version=1#password"],
        "aws": ["aws:redis#url"],
    }


def test_a_literal_waits_for_nothing(project):
    found = planned(project, '[variables]\nA = "a"\nB = \'{{ "{{" }} {{ "x" | trim }}\'\n')
    assert found.references == {}
    assert secrets(found) == set()


def test_variables_come_after_those_that_they_need(project):
    found = planned(
        project,
        """
        [variables]
        A = "{{ B }}{{ C }}"
        B = "{{ C }}"
        C = "c"
        D = "d"
        """,
    )
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
def test_what_reaches_a_source_is_secret_unless_it_says_otherwise(project, variables, secret):
    assert secrets(planned(project, f"[variables]\n{variables}\n")) == secret


def test_what_is_only_needed_is_planned_but_not_selected(project):
    found = planned(
        project,
        """
        [variables]
        URL = "{{ HOST }}/{{ vault:db#name }}"
        HOST = "{{ vault:db#host }}"
        OTHER = "{{ aws:other }}"
        """,
        ["URL"],
    )
    assert [variable.name for variable in found.order] == ["HOST", "URL"]
    assert found.selected == ("URL",)
    assert references(found) == {"vault": ["vault:db#host", "vault:db#name"]}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ('A = "{{ B }}"\nB = "{{ A }}"', "prod.toml:3: {} A -> B -> A"),
        (
            'A = "{{ B }}"\nB = "x{{ C }}"\nC = "{{ D }}"\nD = "{{ B }}"',
            "prod.toml:5: {} B -> C -> D -> B",
        ),
        ('A = "{{ B ?? \\"x\\" }}"\nB = "{{ A }}"', "prod.toml:3: {} A -> B -> A"),
    ],
)
def test_a_circle_is_shown(project, variables, message):
    with pytest.raises(ProfileError) as raised:
        planned(project, f"[variables]\n{variables}\n")
    wanted = message.format("variables need each other in a circle:")
    assert raised.value.message == f"profiles/{wanted}"


def test_a_circle_that_is_not_wanted_does_no_harm(project):
    text = '[variables]\nA = "{{ B }}"\nB = "{{ A }}"\nC = "c"\n'
    assert planned(project, text, ["C"]).selected == ("C",)


def test_unknown_sources_are_named_at_once(project):
    text = '[variables]\nA = "{{ vualt:db#x }}"\nB = "{{ shelf:y }}{{ vault:z }}"\n'
    with pytest.raises(ResolutionError) as raised:
        planned(project, text)
    found = [(str(failure), failure.error.hint) for failure in raised.value.failures]
    assert found == [
        (
            "A (profiles/prod.toml:2): unknown source 'vualt' in vualt:db#x",
            "did you mean 'vault'?",
        ),
        (
            "B (profiles/prod.toml:3): unknown source 'shelf' in shelf:y",
            "add a table [sources.shelf] with its type",
        ),
    ]
    assert raised.value.exit_status == 3


def test_a_chain_of_five_thousand(project):
    links = "".join(f'V{n} = "{{{{ V{n + 1} }}}}"\n' for n in range(5000))
    found = planned(project, f'[variables]\n{links}V5000 = "{{{{ vault:x }}}}"\n', ["V0"])
    assert [variable.name for variable in found.order] == [f"V{n}" for n in range(5000, -1, -1)]
    assert len(secrets(found)) == 5001
