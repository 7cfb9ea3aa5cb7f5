"""Values are checked: missing, invalid and unreadable ones are different problems."""

import pytest

from envkit.checks.run import check
from envkit.errors import AuthError, DeniedError, NoVersionError, UnavailableError
from support.checking import found
from support.shelf import Shelf

SHELF = '[sources.shelf]\ntype = "memory"\n'
A = f'{SHELF}[variables]\nA = "{{{{ shelf:a#v }}}}"\n'


def with_shelf(project, variables, contents=(), **arguments):
    project.profile("prod.toml", f"{SHELF}[variables]\n{variables}")
    return found(sources={"shelf": Shelf(contents)}, **arguments)


def test_a_valid_value_is_no_problem(project):
    variables = 'P = { value = "{{ shelf:p#v }}", type = "port" }\n'
    assert with_shelf(project, variables, {"shelf:p#v": "8080"}) == []


def test_a_value_that_no_store_has_is_absent(project):
    assert with_shelf(project, 'A = "x"\nB = "{{ shelf:b#v }}"\n') == [
        "profiles/prod.toml:5: B: shelf shelf:b#v is missing [value-absent, prod]"
    ]


def test_an_invalid_value_and_a_variable_that_needs_it_are_reported(project):
    variables = (
        'P = { value = "{{ shelf:p#v }}", type = "port" }\nURL = "http://x:{{ P }}"\n'
        'Q = { value = "http", type = "port" }\n'
    )
    assert with_shelf(project, variables, {"shelf:p#v": "99999"}) == [
        "profiles/prod.toml:4: P: is not a port (1 to 65535) [value-invalid, prod]",
        "profiles/prod.toml:6: Q: is not a port (1 to 65535) [value-invalid, prod]",
    ]


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (UnavailableError("no answer from 'shelf'"), "store-unavailable", 5),
        (DeniedError("permission denied"), "access-denied", 6),
        (AuthError("no token"), "not-logged-in", 6),
    ],
)
def test_an_unreadable_store_is_one_problem(project, error, code, status):
    variables = 'A = "{{ shelf:a#v }}"\nB = "{{ shelf:b#v }}"\nC = "{{ shelf:c#v }}"\n'
    contents = {"shelf:a#v": error, "shelf:b#v": error, "shelf:c#v": "x"}
    assert with_shelf(project, variables, contents) == [
        f"profiles/prod.toml:4: cannot read A and B: {error.message} [{code}, prod]"
    ]
    report = check(sources={"shelf": Shelf(contents)}, environ={})
    assert report.exit_status() == status
    [problem] = report.problems
    assert problem.variables == ("A", "B")


def test_the_exit_status_of_a_failed_store_has_priority(project):
    contents = {"shelf:a#v": UnavailableError("no answer")}
    project.profile("prod.toml", f'{A}P = {{ value = "x", type = "port" }}\n')
    report = check(sources={"shelf": Shelf(contents)}, environ={})
    assert [problem.code for problem in report.problems] == ["store-unavailable", "value-invalid"]
    assert report.exit_status() == 5


def test_a_destroyed_version_is_absent_and_not_a_failure(project):
    contents = {"shelf:a?version=1#v": NoVersionError("version 1 was destroyed")}
    project.profile("prod.toml", A.replace("a#v", "a?version=1#v"))
    report = check(sources={"shelf": Shelf(contents)}, environ={})
    assert [problem.code for problem in report.problems] == ["no-such-version"]
    assert report.exit_status() == 1


def test_a_source_that_raises_shows_none_of_its_data(project):
    shelf = Shelf(breaks=RuntimeError("canary-1234"))
    project.profile("prod.toml", A)
    told = "cannot read A: the source 'shelf' crashed: RuntimeError [store-protocol, prod]"
    assert found(sources={"shelf": shelf}) == [f"profiles/prod.toml:4: {told}"]


def test_an_offline_check_asks_no_store_and_validates_literals(project):
    shelf = Shelf()
    url = 'HOST = "db"\nURL = { value = "postgres //{{ HOST }}", type = "url" }\n'
    project.profile("prod.toml", f'{A}B = "{{{{ A }}}}"\n{url}')
    told = "profiles/prod.toml:7: URL: is not a URL [value-invalid, prod]"
    assert found(offline=True, sources={"shelf": shelf}) == [told]
    assert shelf.asked == []


def test_all_invalid_references_are_found_and_hide_nothing(project):
    project.profile(
        "prod.toml",
        f'{SHELF}[variables]\nA = "{{{{ shelf:a?stage=X#v }}}}"\nB = "{{{{ nosuch:x#y }}}}"\n'
        'C = "{{ A }}"\nP = { value = "x", type = "port" }\n',
    )
    stage = "A: shelf:a?stage=X#v has a stage, but shelf has no stages [reference-invalid, prod]"
    assert found(offline=True) == [
        f"profiles/prod.toml:4: {stage}",
        "profiles/prod.toml:5: B: unknown source 'nosuch' in nosuch:x#y [reference-invalid, prod]",
        "profiles/prod.toml:7: P: is not a port (1 to 65535) [value-invalid, prod]",
    ]


def test_a_problem_in_an_env_file_is_reported_at_its_line(project):
    project.profile("prod.toml", '[variables]\nA = "{{ A }}"\nB = "{{ B }}"\n')
    project.dotenv("prod", "X='canary-77\nA=1\nB=2\n")
    [line, *_] = found()
    assert line.startswith(".env.prod:1: cannot read A and B: ")
    assert line.endswith("[dotenv-invalid, prod]")
    assert "canary-77" not in line


def test_a_source_that_cannot_be_opened_fails_only_its_variables(project):
    project.profile(
        "prod.toml",
        '[sources.vault]\naddress = "http://127.0.0.1:1"\nmount = "secret"\n'
        'auth = { method = "token", token = "{{ env:NO_TOKEN }}" }\n'
        '[variables]\nA = "{{ vault:a#b }}"\nP = { value = "x", type = "port" }\n',
    )
    lines = found()
    assert len(lines) == 2
    assert "[not-logged-in, prod]" in lines[0]
    assert "NO_TOKEN" in lines[0]
    assert "[value-invalid, prod]" in lines[1]
    assert [line for line in found(offline=True) if "not-logged-in" in line] == []


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("https://app:made-up@api.shop-example.io", True),
        ("ghp_" + "a1B2" * 9, True),
        ("https://api.example.org", False),
    ],
)
def test_a_secret_that_is_declared_not_to_be_one_is_reported(store, value, secret):
    store.put("a", {"url": value})
    text = "API_URL = {{ value = '{{{{ store:a#url }}}}', secret = {} }}\n"
    store.profile("prod", text.format("false"))
    lines = store.lines("unmasked-secret")
    assert [line.partition(" has")[0] for line in lines] == [
        "profiles/prod.toml:4: API_URL"
    ] * secret
    assert "made-up" not in str(lines)
    store.profile("prod", text.format("true"))
    assert store.lines("unmasked-secret") == []
