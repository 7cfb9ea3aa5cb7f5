"""The profiles of a folder, described without asking a store."""

import pytest

from envkit.resolution.environments import survey

SOURCES = """\
[sources.own]
type = "memory"
[sources.unused]
type = "vault"
address = "http://127.0.0.1:1"
[variables]
"""


def listed(project, name="prod"):
    return {one.name: one for one in survey(str(project.profiles))}[name]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("[variables]\nA = 'x'\n", []),
        ("[variables]\nA = '{{ A }}'\n", ["dotenv", "env"]),
        ("lookup = ['env']\n[variables]\nA = '{{ A }}'\n", ["env"]),
        ("[variables]\nA = '{{ env:X }}'\n", ["env"]),
        (SOURCES + "A = '{{ own:a#b }}'\n", ["own", "unused"]),
        (SOURCES + "A = '{{ own:a#b }}{{ env:X }}'\n", ["env", "own", "unused"]),
    ],
)
def test_the_sources_of_an_environment_are_those_read_or_declared(project, text, sources):
    project.profile("prod.toml", text)
    assert sorted(listed(project).sources) == sources


def test_extends_has_the_names_in_the_file_and_the_rest_is_inherited(project):
    project.profile("root.toml", "protected = true\n[variables]\nA = 'x'\n")
    project.profile("base.toml", "extends = 'root'\n[variables]\nB = 'x'\n")
    project.profile("prod.toml", "extends = ['base']\naliases = ['live']\n[variables]\nB = 'y'\n")
    found = listed(project)
    assert (found.extends, found.aliases) == (("base",), ("live",))
    assert (found.protected, found.variables, found.error) == (True, 2, None)


@pytest.mark.parametrize(
    "text",
    [
        "[variables",
        "extends = ['nothing']",
        "extends = ['prod']",
        "aliases = ['dev']",
        "[variables]\nA = '{{ B }}'\nB = '{{ A }}'\n",
        "[variables]\nA = '{{ nothing:x#y }}'\n",
        "[variables]\nA = '{{'\n",
        "[variables]\nA = { type = 'nothing' }\n",
        "lookup = ['nothing']",
    ],
)
def test_a_broken_profile_hides_no_other(project, text):
    project.profile("dev.env", "A=1\n")
    project.profile("prod.toml", text)
    assert listed(project).error is not None
    assert (listed(project).protected, listed(project).variables) == (None, None)
    assert listed(project, "dev").error is None


def test_a_profile_in_both_forms_is_broken(project):
    project.profile("prod.toml", "")
    project.profile("prod.env", "")
    assert listed(project).path is None
    assert "has two files" in listed(project).error.message
