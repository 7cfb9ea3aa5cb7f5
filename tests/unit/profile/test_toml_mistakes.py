"""What a line that is not TOML was probably meant to be."""

import pytest

from envkit.errors import ProfileError
from envkit.profile.loader import load
from envkit.profile.toml_file import parse_toml

QUOTED = 'put the value in quotes: {} = "{}"'


def hint_of(text):
    with pytest.raises(ProfileError) as caught:
        parse_toml(text, "/p/profiles/prod.toml")
    return caught.value.hint


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("A = {{ TOKEN }}", QUOTED.format("A", "{{ TOKEN }}")),
        ("A={{TOKEN}}  # from the store", QUOTED.format("A", "{{TOKEN}}")),
        ("A = {{ vault:db#pw | urlencode }}", QUOTED.format("A", "{{ vault:db#pw | urlencode }}")),
        ("A = {{ X ?? 'y' }}", 'put the whole value in quotes: A = "...{{ NAME }}..."'),
        ('A = {{ X ?? "y" }}', "put the whole value in quotes: A = '...{{ NAME }}...'"),
        ("A = pg://{{ TOKEN }}@db", 'put the whole value in quotes: A = "...{{ NAME }}..."'),
        ("A = {{ TOKEN }}@db", 'put the whole value in quotes: A = "...{{ NAME }}..."'),
        ("A = { value = {{ T }}, type = 'int' }", QUOTED.format("value", "{{ T }}")),
        ("A = { type = 'int', value = {{ T }} }", QUOTED.format("value", "{{ T }}")),
        ("A = { value = hunter2 }", QUOTED.format("value", "...")),
        ("A = hunter2", QUOTED.format("A", "...")),
        ("A = postgres://hunter2@db", QUOTED.format("A", "...")),
        ("A = 007", QUOTED.format("A", "...")),
        ("A =", QUOTED.format("A", "...")),
        (r"A = C:\hunter2", QUOTED.format("A", "...")),
        (r'A = "C:\hunter2"', r"put a text with '\' in single quotes: A = '...'"),
        ('A = "hunter2', 'close the quotes on the same line: A = "..."'),
        ("A = True", "write A = true"),
        ("A = yes # or no", "write A = true"),
        ("A = off", "write A = false"),
        ('A: "hunter2"', 'write A = "...", alone on its line'),
        ('export A="hunter2"', 'write A = "...", alone on its line'),
        ('A = "hunter2",', 'write A = "...", alone on its line'),
        ("A = 'hunter2'\nA = 'hunter3'", "'A' is written twice: keep one of the two"),
    ],
)
def test_the_hint_shows_the_corrected_line_without_its_value(line, hint):
    assert hint_of(f"[variables]\n{line}\n") == hint


@pytest.mark.parametrize(
    "text",
    [
        'A = """\naHVudGVyMg==\n"" "\nB = hunter2',
        "A = '''\naHVudGVyMg=\n'''''' = x",
        "A = [\n  aHVudGVyMg=,\n]",
        "A = '''\naHVudGVyMg=",
        "aHVudGVyMg==",
        "= hunter2",
        "[hunter2",
        "hunter2",
    ],
)
def test_a_line_that_may_be_part_of_a_value_is_not_quoted_in_a_hint(text):
    hint = hint_of(text) or ""
    assert "aHVud" not in hint
    assert "hunter2" not in hint


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('PORT = 1\n[variables]\nA = "x"', "above [variables]"),
        ("PORT = 'x'", "without a line [variables]"),
        ("port = 'x'", "without a line [variables]"),
        ("DATABASE_URL = { value = 'x', secret = true }", "without a line [variables]"),
        ("PROTECTED = 'x'\n[variables]", "above [variables]"),
        ("LOOKUPS = true", "without a line [variables]"),
        ("RATE = 1.5\nextends = []\n[variables]", "above [variables]"),
        ("[PORT]\nvalue = 'x'", "without a line [variables]"),
    ],
)
def test_a_variable_outside_its_table_gets_a_hint_where_it_belongs(project, text, where):
    project.profile("prod.toml", text)
    with pytest.raises(ProfileError) as caught:
        load("prod", str(project.profiles))
    assert caught.value.message.endswith(f" is written {where}")
    assert caught.value.hint.startswith("write it below a line [variables]: ")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("extend = ['base']", "did you mean 'extends'?"),
        ("alias = ['x']", "did you mean 'aliases'?"),
        ("protect = true", "did you mean 'protected'?"),
        ("look_up = ['x']", "did you mean 'lookup'?"),
        ("[variable]\nA = 'x'", "did you mean 'variables'?"),
        ("[vars]\nA = 'x'", "did you mean 'variables'?"),
        ("[source.vault]\ntype = 'vault'", "did you mean 'sources'?"),
        ("[rotations.x]\nsecret = 'x'", "did you mean 'rotation'?"),
    ],
)
def test_a_misspelt_profile_key_is_not_taken_for_a_variable(project, text, hint):
    project.profile("prod.toml", text)
    with pytest.raises(ProfileError) as caught:
        load("prod", str(project.profiles))
    assert caught.value.hint == hint
