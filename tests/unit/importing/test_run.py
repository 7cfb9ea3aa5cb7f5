"""What is imported is what the app gets, whatever the values are."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.errors import ConflictError
from envkit.importing.errors import ImportFileError
from envkit.importing.model import Destination, Why
from envkit.importing.readers.choose import read_contents
from envkit.importing.run import prepare_import, read_import, verify
from envkit.resolution.resolve import resolve

NAMES = st.sampled_from(["API_KEY", "LOG_LEVEL", "PORT", "URL", "A_FILE", "NOTE", "PRESENT"])
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    st.sampled_from(
        ["{{ NAME }}", "{{", "${HOME}", "$(id)", "'", '"', "\\", "\\n", " x ", "#", "a\r\nb", "`a`"]
    ),
    st.from_regex(r"[a-z]{1,8}|\d{1,6}|https://[a-z]{1,8}\.io/[a-z{}]{0,5}", fullmatch=True),
)


def run(profiles, values, *, replace=False, environ=None):
    contents = read_contents(json.dumps(values).encode(), path="f.json")
    prepared = prepare_import(
        "prod",
        [contents],
        Destination("dotenv", replace=replace),
        rotations=lambda profile, deadline: lambda source, reference: None,
        profiles=str(profiles),
        environ=environ or {},
    )
    planned = read_import(prepared)
    if planned.changes.plan.changes:
        planned.changes.begin()
        for step in planned.changes.steps:
            step.run()
    verify(prepared, planned)
    return planned


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a function that makes a new project."""

    def made():
        profiles = tmp_path_factory.mktemp("project") / "profiles"
        profiles.mkdir()
        (profiles / "prod.toml").write_text(
            '[variables]\nPRESENT = { value = "{{ PRESENT }}", required = false }\n'
        )
        return profiles

    return made


@settings(max_examples=60)
@given(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=5))
def test_every_imported_value_is_what_the_environment_resolves_to(folders, values):
    values = {name: text for name, text in values.items() if not text.startswith("encrypted:")}
    profiles = folders()
    planned = run(profiles, values)
    assert planned.is_complete
    resolved = resolve("prod", profiles=str(profiles), environ={})
    assert {name: secret.reveal() for name, secret in resolved.items()} == values
    again = run(profiles, values)
    assert again.changes.plan.changes == ()
    assert again.expected.keys() == values.keys()


def test_a_variable_that_another_one_looks_up_is_no_literal(folders):
    """A literal of the same name would hide the value of the store from the other variable."""
    profiles = folders()
    (profiles / "prod.toml").write_text('[variables]\nURL = "http://{{ HOST }}/"\n')
    planned = run(profiles, {"HOST": "db"})
    assert [(one.action, one.value) for one in planned.changes.plan.changes] == [
        ("set", None),
        ("add", "{{ HOST }}"),
    ]


def test_a_value_that_the_process_environment_hides_is_found_by_reading_back(folders):
    profiles = folders()
    (profiles / "prod.toml").write_text('lookup = ["env", "dotenv"]\n[variables]\nA = "{{ A }}"\n')
    with pytest.raises(ConflictError, match="prod does not read the imported value of A"):
        run(profiles, {"A": "made-up"}, environ={"A": "hidden"})
    (profiles / "prod.toml").write_text('lookup = ["env", "dotenv"]\n[variables]\nA = "{{ A }}"\n')
    assert run(profiles, {"A": "made-up"}).expected.keys() == {"A"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_conflict_is_replaced_only_if_asked(folders, replace):
    profiles = folders()
    (profiles.parent / ".env.prod").write_text("PRESENT=theirs\n")
    planned = run(profiles, {"PRESENT": "mine"}, replace=replace)
    assert [one.why for one in planned.not_imported] == ([] if replace else [Why.CONFLICT])
    text = (profiles.parent / ".env.prod").read_text()
    assert text == ("PRESENT=mine\n" if replace else "PRESENT=theirs\n")


@pytest.mark.parametrize(("name", "text"), [("x.env", ""), ("x.json", "{}"), ("x.json", "[]")])
def test_files_without_any_variable_are_refused_as_those_of_a_failed_download(folders, name, text):
    contents = read_contents(text.encode(), path=name)
    with pytest.raises(ImportFileError, match=rf"^{name}: no variables\n"):
        prepare_import(
            "prod",
            [contents],
            Destination("dotenv"),
            rotations=lambda profile, deadline: lambda source, reference: None,
            profiles=str(folders()),
            environ={},
        )
