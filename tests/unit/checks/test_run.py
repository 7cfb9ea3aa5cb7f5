"""A whole check: which environments, which families of checks, and what comes of them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from envkit.checks.ignore_file import Rule, accept_problems, load_rules
from envkit.checks.problem import KINDS, Problem, Severity, exit_status, listed, merge_problems
from envkit.checks.run import FAMILIES, check
from envkit.cli.formats.check import annotations, document, sarif, text
from envkit.cli.formats.check.shown import Shown
from envkit.errors import ProfileNotFoundError
from support.checking import found
from support.shelf import Shelf


@pytest.fixture
def profiles(project):
    project.profile("base.toml", '[variables]\nA = "1"\n')
    project.profile("dev.toml", 'extends = "base"\naliases = ["local"]\n')
    project.profile("prod.toml", 'extends = "base"\n')
    project.profile("prod-eu.toml", 'extends = "prod"\n')
    return project


@pytest.mark.parametrize(
    ("arguments", "environ", "checked"),
    [
        ({}, {}, ("dev", "prod-eu")),
        ({"everything": True}, {"ENVKIT_ENV": "prod"}, ("dev", "prod-eu")),
        ({}, {"ENVKIT_ENV": "prod"}, ("prod",)),
        ({"environments": ["prod", "local", "dev"]}, {"ENVKIT_ENV": "x"}, ("prod", "dev")),
        ({"environments": ["prod"], "everything": True}, {}, ("prod", "dev", "prod-eu")),
    ],
)
def test_which_environments_are_checked(profiles, arguments, environ, checked):
    report = check(environ=environ, **arguments)
    assert report.environments == checked
    assert report.problems == ()
    assert report.exit_status(strict=True) == 0


def test_an_environment_that_is_not_there_is_an_error_of_who_asks(profiles):
    with pytest.raises(ProfileNotFoundError, match="no profile 'prd'"):
        check(["prd"], environ={})


def test_a_folder_without_profiles_has_nothing_to_check(project):
    with pytest.raises(ProfileNotFoundError, match="no profile in profiles"):
        check(environ={})


def test_a_profile_that_is_none_hides_nothing_of_another(project):
    project.profile("dev.toml", "[variables]\nPORT = { value = 1, typ = 2 }\n")
    project.profile("loop.toml", '[variables]\nA = "{{ B }}"\nB = "{{ A }}"\n')
    project.profile("text.toml", "= no toml\n")
    project.profile("prod.toml", '[variables]\nPORT = { value = "x", type = "port" }\n')
    lines = [line for line in found() if "missing" not in line]
    assert lines == [
        "profiles/dev.toml:2: PORT: unknown key 'typ' [profile-invalid]",
        (
            "profiles/loop.toml:3: variables need each other in a circle: A -> B -> A "
            "[profile-invalid, loop]"
        ),
        "profiles/prod.toml:2: PORT: is not a port (1 to 65535) [value-invalid, prod]",
        "profiles/text.toml:1: not valid TOML: invalid statement [profile-invalid]",
    ]


def test_a_profile_in_both_forms_is_a_problem(project):
    project.profile("prod.toml", "")
    project.profile("prod.env", "")
    assert found() == [
        (
            "profiles/prod.toml: profile 'prod' is written twice: profiles/prod.toml and "
            "profiles/prod.env [profile-invalid]"
        )
    ]


def test_a_setting_that_is_none_is_a_problem_of_its_environment(project):
    project.profile(
        "prod.toml", "[sources.vault]\nadress = 'x'\n[variables]\nA = '{{ vault:a#b }}'\n"
    )
    project.profile("dev.toml", "[variables]\nA = '1'\n")
    assert found() == [
        "profiles/prod.toml:2: [sources.vault]: unknown key 'adress' [profile-invalid, prod]"
    ]


def test_a_base_that_is_none_is_one_problem(project):
    project.profile("base.toml", "[variables]\n0 = 1\n")
    project.profile("dev.toml", 'extends = "base"\n')
    project.profile("prod.toml", 'extends = "base"\n')
    assert found() == ["profiles/base.toml:2: '0' is not a variable name [profile-invalid]"]


def test_what_is_inherited_is_one_problem_of_all_environments(project):
    project.profile("base.toml", '[variables]\nPORT = { value = "x", type = "port" }\n')
    project.profile("dev.toml", 'extends = "base"\n')
    project.profile("prod.toml", 'extends = "base"\n')
    assert found() == [
        "profiles/base.toml:2: PORT: is not a port (1 to 65535) [value-invalid, dev and prod]"
    ]


def test_what_is_skipped_is_not_looked_for(project):
    source = Shelf()
    project.profile("dev.toml", '[variables]\nA = "1"\nDB_PASSWORD = "Tr0ub4dor&3xY"\n')
    project.profile("prod.toml", "[variables]\n")
    assert found(skip=["missing"], sources={"shelf": source}) == [
        "profiles/dev.toml:3: DB_PASSWORD holds a secret, by its name [literal-secret, dev]"
    ]
    assert found(skip=["missing", "literal-secret", "possible-secret"]) == []


def test_every_code_of_a_family_is_a_code():
    codes = [code for family in FAMILIES for code in family.codes]
    assert set(codes) <= set(KINDS)
    assert len(codes) == len(set(codes))


def problem(code, **more):
    return Problem(code, "message", **more)


@pytest.mark.parametrize(
    ("codes", "status", "strict"),
    [
        ([], 0, 0),
        (["dynamic-read"], 0, 0),
        (["missing"], 0, 1),
        (["missing", "value-absent"], 1, 1),
        (["value-absent", "store-unavailable"], 5, 5),
        (["store-unavailable", "access-denied", "value-absent"], 6, 6),
    ],
)
def test_the_exit_status_follows_from_the_codes(codes, status, strict):
    problems = [problem(code) for code in codes]
    assert exit_status(problems) == status
    assert exit_status(problems, strict=True) == strict


def test_problems_come_by_gravity_and_place_and_each_one_once():
    problems = [
        problem("missing", file="/a", line=1),
        problem("value-absent", file="/b", line=2, environments=("dev",)),
        problem("value-absent", file="/b", line=1),
        problem("value-absent", file="/b", line=2, environments=("prod", "dev")),
        problem("dynamic-read", file="/a"),
    ]
    assert [(p.severity, p.file, p.line, p.environments) for p in merge_problems(problems)] == [
        (Severity.ERROR, "/b", 1, ()),
        (Severity.ERROR, "/b", 2, ("dev", "prod")),
        (Severity.WARNING, "/a", 1, ()),
        ("note", "/a", 0, ()),
    ]


def test_a_long_list_says_how_many_more_there_are():
    assert listed("abc") == "a, b and c"
    assert listed("a") == "a"
    assert listed("abcdefghij") == "a, b, c, d, e, f, g, h and 2 more"


def test_accepted_problems_are_those_whose_code_and_variables_a_line_names(project):
    path = project.root / ".envkit-ignore"
    path.write_text(
        "SENTRY_*              # only where it is deployed\n"
        "*_TOKEN literal-secret,reused  # a sandbox\n"
        "src/old/* dynamic-read # goes away\n"
    )
    accepted = [
        problem("missing", variables=("SENTRY_DSN",)),
        problem("literal-secret", variables=("A_TOKEN",)),
        problem("reused", variables=("A_TOKEN", "B_TOKEN")),
        problem("dynamic-read", file=str(project.root / "src/old/a.py")),
    ]
    kept = [
        problem("value-absent", variables=("SENTRY_DSN",)),
        problem("reused", variables=("A_TOKEN", "OTHER")),
        problem("dynamic-read", file=str(project.root / "src/new/a.py")),
        problem("store-unavailable"),
    ]
    left, ignored = accept_problems([*kept, *accepted], load_rules(str(path)), str(project.root))
    assert left == kept
    assert [one for one, _ in ignored] == accepted
    assert ignored[0][1].reason == "only where it is deployed"


RENDERERS = {
    "text": text.plain,
    "json": document.render,
    "github": lambda shown: annotations.render(shown, {}),
    "sarif": lambda shown: sarif.render(shown, {}),
}


# what an author may write around a value; `{}` is the value, `N` a name
LINES = (
    'N = "{}"',
    'N = {{ value = "{}", choices = ["other"] }}',
    'N = {{ value = "{}", type = "port" }}',
    'N = {{ value = "{}", pattern = "^sk_" }}',
    'N = {{ value = "{{{{ shelf:a#b }}}}", type = "int" }}',
    'N = {{ default = "{}", type = "int" }}',
    'N = "postgresql://app:{}@db.acme-shop.io/app"',
    'N = {{ value = "postgresql://app:{}@[db", type = "url" }}',
    'N = \'{{"password": "{}"}}\'',
    'N = {{ value = \'{{"password": "{}"\', type = "json" }}',
    'N = "{{{{ shelf:a#b | json:/x }}}}"',
    'N = "{{{{ shelf:a#b | base64decode }}}}"',
    'N = "{{{{ shelf:a?version=1#b }}}}"',
    "N = '{{{{ shelf:nosuch ?? \"{}\" }}}}'",
    "N = '{{{{ \"{}\" | json:/a }}}}'",
    'N = "x" # {}',
    'N = "{{{{ N }}}}"',
    "# sk_test_{}",
)
# at most one of these, because it alone is told
BROKEN = ("", 'X = "{}{{{{ x"', "X = '''\n{}", 'X = "{}', "X = {{ value = 1, typ = '{}' }}")
NAMES = ("DB_PASSWORD", "API_TOKEN", "CONFIG", "PORT", "STRIPE_KEY")
SECRET = "Zk3mQ8vT1xYpW7"


@given(
    profiles=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(NAMES), st.sampled_from(LINES)), st.sampled_from(BROKEN)
        ),
        min_size=1,
        max_size=3,
    ),
    offline=st.booleans(),
)
def test_no_format_shows_a_value(tmp_path_factory, profiles, offline):
    folder = tmp_path_factory.mktemp("shown") / "profiles"
    folder.mkdir()
    for number, (lines, broken) in enumerate(profiles):
        text_of = [line.replace("N =", f"{name} =") for name, line in lines.items()]
        table = '[sources.shelf]\ntype = "memory"\n[variables]\n{}\n'
        (folder / f"p{number}.toml").write_text(
            table.format("\n".join(line.format(SECRET) for line in (*text_of, broken)))
        )
        (folder.parent / f".env.p{number}").write_text(
            "".join(f"{name}={SECRET}\n" for name in NAMES)
        )
    shelf = Shelf({"shelf:a#b": SECRET, "shelf:a?version=1#b": SECRET})
    report = check(profiles=str(folder), offline=offline, environ={}, sources={"shelf": shelf})
    ignored = tuple((one, Rule("*", (one.code,), "why", "x:1")) for one in report.problems[:1])
    for render in RENDERERS.values():
        assert SECRET not in render(Shown(report, ignored))
