"""What a promotion copies: missing variables and requested ones."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envkit.comparison.sides import prepare_sides, read_sides
from envkit.errors import ConflictError, DeniedError, PromotionError, UsageError
from envkit.promotion.run import prepare_promotion, read
from envkit.rotation.rotated import find_rotations
from support.permissions import as_nobody, folder_of_nobody
from support.vectors import vectors

NO, STAYS = vectors("unit/promotion/decide").values()

CANARY = "canary"


def rotations_of(profile, deadline):
    return find_rotations(profile, environ={}, deadline=deadline)


def promotion(*names, **options):
    """Plan from staging to prod, in the working directory."""
    prepared = prepare_promotion(
        "staging", "prod", names, rotations=rotations_of, environ={}, **options
    )
    return read(prepared)


def done(plan):
    """Carry a promotion out."""
    plan.begin()
    return [step.run() for step in plan.steps]


def changes(plan):
    return [(one.name, one.action, one.value) for one in plan.plan.changes]


def left(plan):
    return {(one.name, one.kind) for one in plan.plan.left}


def refusals(plan):
    return {refusal.name: refusal.error.message for refusal in plan.refusals}


@pytest.fixture
def write(project):
    """Write the variables of both profiles, and their .env files."""

    def written(staging, prod="", *, values="", prod_values="", head="", prod_head=""):
        project.profile("staging.toml", f"{head}[variables]\n{staging}\n")
        project.profile("prod.toml", f"{prod_head}[variables]\n{prod}\n")
        project.dotenv("staging", values)
        project.dotenv("prod", prod_values)
        return project

    return written


def profile(project):
    return (project.profiles / "prod.toml").read_text()


def stored(project):
    return (project.root / ".env.prod").read_text()


# ---------------------------------------------------------------- missing variables


@pytest.mark.parametrize(
    "line",
    [
        'LOG_LEVEL = "info"',
        "PORT = 8080",
        "DEBUG = false",
        'PORT = { value = 8080, type = "port", description = "of the app" }',
        'EMPTY = ""',
        'BRACES = "{{ \\"{{\\" }} x"',
        'SENTRY = { value = "{{ vault:sentry#dsn }}", required = false }',
        'WITH_DEFAULT = { value = "{{ WITH_DEFAULT }}", default = "x" }',
        'FALLBACK = "{{ HOST ?? \\"localhost\\" }}"',
    ],
)
def test_a_missing_line_is_added_unchanged(write, line):
    memory = '[sources.vault]\ntype = "memory"\n'
    project = write(line, "# nothing yet", head=memory, prod_head=memory)
    plan = promotion()
    assert [one.action for one in plan.plan.changes] == ["add"]
    assert refusals(plan) == {}
    done(plan)
    assert line in profile(project)
    assert changes(promotion()) == []


def test_a_line_with_rules_but_no_value_is_added_with_a_placeholder(write):
    project = write('KEY = { pattern = "^sk_" }')
    done(promotion())
    assert 'KEY = { value = "{{ KEY }}", pattern = "^sk_" }' in profile(project)


def test_a_missing_secret_gets_its_line_and_no_value(write):
    project = write('KEY = "{{ KEY }}"', values=f"KEY={CANARY}")
    plan = promotion()
    assert changes(plan) == [("KEY", "add", "{{ KEY }}")]
    [without] = plan.plan.left
    assert without._asdict() == {
        "name": "KEY",
        "kind": "needs-value",
        "secret": True,
        "reason": "missing in .env.prod#KEY, env:KEY",
        "hint": "run: envkit set KEY --env prod",
    }
    done(plan)
    assert stored(project) == ""
    assert left(promotion()) == {("KEY", "needs-value")}


@pytest.mark.parametrize(("names", "secrets"), [(["KEY"], False), ([], True)])
def test_a_secret_is_copied_only_on_request(write, names, secrets):
    project = write('KEY = "{{ KEY }}"', values=f"KEY={CANARY}")
    plan = promotion(*names, secrets=secrets)
    assert changes(plan) == [("KEY", "set", None), ("KEY", "add", "{{ KEY }}")]
    assert left(plan) == set()
    done(plan)
    assert stored(project) == f"KEY={CANARY}\n"
    assert changes(promotion(*names, secrets=True)) == []


def test_a_missing_value_that_is_not_a_secret_is_copied(write):
    line = 'LIMIT = { value = "{{ LIMIT }}", secret = false }'
    project = write(line, line, values="LIMIT=5")
    plan = promotion()
    assert changes(plan) == [("LIMIT", "set", "5")]
    done(plan)
    assert stored(project) == "LIMIT=5\n"
    project.dotenv("staging", "LIMIT=staging-5")
    project.dotenv("prod", "")
    assert left(promotion()) == {("LIMIT", "to-name")}
    assert changes(promotion("LIMIT")) == [("LIMIT", "set", "staging-5")]


def test_an_optional_value_of_the_target_is_not_missing(write):
    line = 'A = "{{ A ?? \\"x\\" }}"\nB = { default = "x" }\nC = { required = false }'
    write(line, line, values="A=1\nB=2\nC=3")
    assert changes(promotion()) == []
    assert left(promotion()) == {("A", "differs"), ("B", "differs"), ("C", "needs-value")}
    assert "missing in .env.prod#C, env:C, which is allowed" in {
        one.reason for one in promotion().plan.left
    }


def test_the_parts_of_a_composed_value_are_copied_each_to_its_place(write):
    line = 'URL = "postgres://{{ dotenv:PG_USER }}:{{ dotenv:PG_PASS | urlencode }}@db"'
    project = write(line, values="PG_USER=app\nPG_PASS='p@ss'", prod_values="PG_USER=prod_app")
    plan = promotion()
    assert changes(plan)[0][:2] == ("URL", "add")
    assert left(plan) == {("URL", "differs"), ("URL", "needs-value")}
    assert "run: envkit set --ref 'dotenv:PG_PASS' --env prod" in {o.hint for o in plan.plan.left}
    plan = promotion("URL")
    assert [(one.action, one.where) for one in plan.plan.changes] == [
        ("replace", ".env.prod#PG_USER"),
        ("set", ".env.prod#PG_PASS"),
        ("add", "profiles/prod.toml"),
    ]
    done(plan)
    assert stored(project) == "PG_USER=app\nPG_PASS=p@ss\n"


def test_a_line_that_a_base_already_has_is_not_added(project):
    base = '[variables]\nA = { type = "int", description = "d" }\nSAME = "x"\nOTHER = "x"\n'
    project.profile("base.toml", base)
    project.profile("staging.toml", 'extends = "base"\n[variables]\nA = "1"\nOTHER = "y"\n')
    project.profile("prod.toml", 'extends = "base"\n')
    plan = promotion()
    assert changes(plan) == [("A", "add", "1")]
    assert left(plan) == {("OTHER", "differs")}
    done(promotion("A", "OTHER"))
    assert profile(project) == 'extends = "base"\n\n[variables]\nA = "1"\nOTHER = "y"\n'
    assert changes(promotion("A", "OTHER")) == []


def test_a_variable_that_the_target_finds_by_its_lookup_needs_no_line(project):
    project.profile("base.toml", '[variables]\nA = { type = "int" }\nB = {}\nC = {}\n')
    literals = '[variables]\nA = "1"\nB = "2"\nC = "{{ dotenv:C }}"\n'
    project.profile("staging.toml", f'extends = "base"\n{literals}')
    project.profile("prod.toml", 'extends = "base"\n')
    project.dotenv("prod", "A=7\n")
    assert changes(promotion()) == [("B", "add", "2"), ("C", "add", "{{ dotenv:C }}")]
    project.dotenv("prod", "A=7\nB=8\n")
    project.profile("staging.toml", f'extends = "base"\n{literals.replace("2", "on staging")}')
    assert left(promotion()) == {("A", "differs"), ("B", "differs"), ("C", "needs-value")}
    project.dotenv("prod", "A\n")  # if it cannot read, it decides nothing
    assert "A" in refusals(promotion())


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("staging.env", "PORT=8080\n", 'PORT = "8080"'),
        ("staging.env", "KEY={{ KEY }}\n", 'KEY = "{{ KEY }}"'),
        ("staging.toml", '[variables]\nPORT = { value = 8080, type = "port" }\n', "PORT=8080"),
        ("staging.toml", "[variables]\nON = true\n", "ON=true"),
        ("staging.toml", '[variables]\nKEY = "a {{ KEY }} b"\n', "KEY='a {{ KEY }} b'"),
    ],
)
def test_profiles_of_different_forms_can_be_promoted(project, file, text, line):
    target = "prod.toml" if file == "staging.env" else "prod.env"
    project.profile(file, text)
    path = project.profile(target, "# mine\n")
    plan = promotion()
    [change] = plan.plan.changes
    assert change.note == ("without type: a .env file has only values" if "type" in text else "")
    done(plan)
    assert path.read_text().startswith("# mine\n")
    assert line in path.read_text().splitlines()
    assert path.stat().st_mode & 0o777 == 0o644
    assert changes(promotion()) == []


# ---------------------------------------------------------------- differences


def test_a_differing_value_is_replaced_only_by_name(write):
    key = 'KEY = "{{ KEY }}"'
    values = {"values": f"KEY={CANARY}", "prod_values": "KEY=its-own"}
    project = write(f'HOST = "one"\n{key}', f'HOST = "two"\n{key}', **values)
    assert changes(promotion()) == []
    assert left(promotion()) == {("HOST", "differs"), ("KEY", "differs")}
    assert changes(promotion(secrets=True)) == [("KEY", "replace", None)]
    plan = promotion("HOST", "KEY")
    planned = [(one.name, one.value, one.before) for one in plan.plan.changes]
    assert planned == [("KEY", None, None), ("HOST", "one", "two")]
    done(plan)
    assert stored(project) == f"KEY={CANARY}"
    assert 'HOST = "one"' in profile(project)


def test_a_literal_that_mentions_the_source_is_promoted_only_by_name(write):
    write(
        'NODE_ENV = "Staging"\nURL = "https://api.stage-x/"\nON_STAGE = "on stage"\nOK = "staged"\n'
        'MIXED = "postgres://{{ U }}@db.staging/"',
        head='aliases = ["stage"]\n',
    )
    assert changes(promotion()) == [("OK", "add", "staged")]
    to_name = {("NODE_ENV", "to-name"), ("URL", "to-name"), ("ON_STAGE", "to-name")}
    assert left(promotion()) == {*to_name, ("MIXED", "to-name")}
    assert changes(promotion("NODE_ENV")) == [("NODE_ENV", "add", "Staging")]


# ---------------------------------------------------------------- not promoted


@pytest.mark.parametrize(("staging", "prod", "message"), NO.values(), ids=NO)
def test_a_variable_that_cannot_be_promoted_blocks_only_a_request_by_name(
    write, staging, prod, message
):
    line, _, sources = staging.partition("\n")
    project = write(f'{line}\nOK = "1"\n{sources}', prod, values="X=1")
    plan = promotion()
    assert changes(plan) == [("OK", "add", "1")]
    if prod:
        assert left(plan) == {("X", "differs")}
    else:
        [by_hand] = plan.plan.left
        assert (by_hand.kind, by_hand.reason) == ("by-hand", message)
        assert "ghp_" not in repr(plan.plan)
        assert "Tr0ub" not in repr(plan.plan)
    plan = promotion("X", "OK")
    assert refusals(plan) == {"X": message}
    before = profile(project)
    with pytest.raises(PromotionError, match="cannot promote 1 variable to prod") as caught:
        done(plan)
    assert caught.value.exit_status == 3
    assert profile(project) == before


def test_a_value_with_secret_false_is_not_treated_as_a_secret(write):
    line = 'X = { value = "ghp_16C7e42F292c6912E7710c838347Ae178B4a", secret = false }'
    write(line)
    assert [name for name, *_ in changes(promotion())] == ["X"]


def test_a_needed_variable_is_promoted_too_or_blocks_the_promotion(write):
    needed = 'A = "x{{ B }}"\nB = "{{ C }}"\nC = "{{ dotenv:.env.staging#C }}"'
    write(f'{needed}\nD = "{{{{ E }}}}"\nE = "1"', values="C=1")
    plan = promotion()
    assert changes(plan) == [("D", "add", "{{ E }}"), ("E", "add", "1")]
    assert {one.name: one.reason.partition(",")[0] for one in plan.plan.left} == {
        "A": "needs B",
        "B": "needs C",
        "C": "reads dotenv:.env.staging#C",
    }
    assert refusals(promotion("D")) == {"D": "needs E, which prod does not have"}
    assert refusals(promotion("D", only=["E"])) == {}


def test_a_promoted_variable_does_not_shadow_a_lookup_of_the_target(write):
    write('HOST = "1"\nPORT = "{{ PORT }}"', 'URL = "{{ HOST }}:{{ PORT }}"', prod_values="HOST=x")
    plan = promotion()
    assert changes(plan) == [("PORT", "add", "{{ PORT }}")]
    assert {one.name: one.reason for one in plan.plan.left if one.kind == "by-hand"} == {
        "HOST": "is read by URL in prod, whose value would change"
    }


def test_a_place_that_both_environments_read_is_reported(write):
    write('SHARED = "{{ dotenv:.env.shared#X }}"').dotenv("shared", "X=1\n")
    [change] = promotion().plan.changes
    assert change.note == "reads the same secret as staging"
    assert left(promotion()) == set()


@pytest.mark.parametrize(("lines", "message"), STAYS.values(), ids=STAYS)
def test_a_named_variable_that_would_still_differ_is_refused(write, lines, message):
    write(*lines, values="B=1", prod_values="B=2")
    assert refusals(promotion()) == {}
    assert changes(promotion()) == []
    assert refusals(promotion("A")) == {"A": message}


@pytest.mark.parametrize("prod", ["", "A = {}"])
def test_a_named_variable_that_the_source_lacks_is_refused(write, prod):
    write("A = {}\nB = { required = false }", prod)
    assert refusals(promotion("A", "B")) == {
        "A": ".env.staging#A is missing: not in .env.staging; "
        "env:A is missing: not in the environment"
    }
    assert refusals(promotion()) == {}


@pytest.mark.parametrize(("prod", "planned"), [("B=1", []), ("B=2", [("B", "replace", None)])])
def test_a_composed_variable_is_promoted_with_its_differing_parts(write, prod, planned):
    line = 'A = "x{{ B }}"\nB = {}'
    write(line, line, values="B=1", prod_values=prod)
    plan = promotion("A", "B")
    assert (changes(plan), refusals(plan)) == (planned, {})


def test_a_literal_is_written_where_the_target_stores_the_value(write):
    project = write('A = "one"', 'A = "{{ dotenv:A }}"', prod_values="A=two")
    assert changes(promotion()) == []
    done(promotion("A"))
    assert stored(project) == "A=one"


def test_two_variables_with_different_values_for_one_place_are_refused(write):
    a = 'A = "{{ dotenv:A }}"\nB = '
    project = write(f'{a}"{{{{ dotenv:B }}}}"', f'{a}"{{{{ dotenv:A }}}}"', values="A=1\nB=2")
    assert refusals(promotion("A", "B")) == {
        "B": "is stored in .env.prod#A, and so is A, which has another value in staging"
    }
    project.dotenv("staging", "A=1\nB=1\n")
    done(promotion("A", "B"))
    assert stored(project) == "A=1\n"


def test_a_value_that_the_target_does_not_allow_is_refused(write):
    project = write("A = {}", 'A = { pattern = "^sk_" }', values=f"A={CANARY}")
    plan = promotion("A")
    assert refusals(plan) == {"A": "does not match the pattern ^sk_"}
    with pytest.raises(PromotionError):
        done(plan)
    assert stored(project) == ""
    write('A = "x"', 'A = { value = 1, type = "int" }')
    assert refusals(promotion("A")) == {"A": "is not a whole number"}


def test_an_unreadable_value_is_refused_and_not_missing(write):
    project = write("A = {}\nB = {}", "A = {}\nB = {}", values="A=1\nB=1")
    project.dotenv("prod", "X='open\nB=1\n")
    plan = promotion()
    assert set(refusals(plan)) == {"A", "B"}
    assert changes(plan) == []
    with pytest.raises(PromotionError) as caught:
        plan.begin()
    assert caught.value.exit_status == 3


# ---------------------------------------------------------------- requested variables


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("staging", "stg"), {}, "source and target are both staging"),
        (("staging", "prod", ["B"]), {}, "no variable 'B' in staging"),
        (("staging", "prod"), {"only": ["AB"]}, "no variable 'AB' in staging"),
        (("staging", "prod"), {"exclude": ["AB"]}, "no variable 'AB' in staging"),
    ],
)
def test_a_meaningless_request_is_refused(write, arguments, options, message):
    write("A = 1", head='aliases = ["stg"]\n')
    with pytest.raises(UsageError, match=message):
        prepare_promotion(*arguments, rotations=rotations_of, environ={}, **options)


def test_globs_select_the_promoted_variables(write):
    write("DB_HOST = 1\nDB_PORT = 2\nX = 3")
    assert [name for name, *_ in changes(promotion(only=["DB_*"]))] == ["DB_HOST", "DB_PORT"]
    assert [name for name, *_ in changes(promotion(exclude=["DB_*"]))] == ["X"]
    assert [name for name, *_ in changes(promotion("X", only=["*_HOST"]))] == ["DB_HOST", "X"]


def test_only_requested_variables_are_read(write):
    project = write("A = {}\nB = 1", "A = {}")
    project.dotenv("prod", "broken\n")
    assert changes(promotion("B")) == [("B", "add", "1")]


def test_prepare_promotion_names_profiles_and_variables_before_it_asks_a_store(write):
    project = write("A = {}")
    project.dotenv("staging", "broken\n")  # reading this would fail
    prepared = prepare_promotion("staging", "prod", rotations=rotations_of, environ={})
    assert [profile.name for profile in prepared.profiles] == ["staging", "prod"]
    assert list(prepared.selected) == ["A"]


# ---------------------------------------------------------------- concurrent changes


def test_a_value_changed_since_the_plan_stops_the_promotion_before_the_first_write(write):
    project = write("A = {}\nB = {}", "A = {}\nB = {}", values="A=1\nB=1", prod_values="B=2\n")
    plan = promotion("A", "B")
    project.dotenv("prod", "B=3\n")
    with pytest.raises(ConflictError, match=r"after envkit made the plan: B in \.env\.prod#B"):
        done(plan)
    assert stored(project) == "B=3\n"


def test_another_variable_may_change_in_the_same_file_after_the_plan(write):
    project = write("A = {}", "A = {}", values="A=1", prod_values="A=2\n")
    plan = promotion("A")
    project.dotenv("prod", "A=2\nC=3\n")
    done(plan)
    assert stored(project) == "A=1\nC=3\n"


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_profile_changed_since_the_plan_is_not_written(write, when):
    project = write("A = {}", values="A=1")
    plan = promotion("A")
    theirs = "[variables]\nA = 'theirs'\n"
    if when == "between":
        plan.begin()
        plan.steps[0].run()
    project.profile("prod.toml", theirs)
    with pytest.raises(ConflictError, match=r"profiles/prod\.toml"):
        done(plan) if when == "before" else plan.steps[1].run()
    assert stored(project) == ("" if when == "before" else "A=1\n")
    assert profile(project) == theirs


def test_an_interrupted_promotion_is_finished_by_the_next_one(write):
    project = write('A = {}\nB = {}\nC = "c"', values="A=1\nB=2")
    arguments = ("A", "B", "C")
    for _ in range(2):  # the values, then the line
        plan = promotion(*arguments)
        plan.begin()
        plan.steps[0].run()
    assert stored(project) == "A=1\nB=2\n"
    assert changes(promotion(*arguments)) == []


@pytest.fixture
def nobodys_project():
    """Write two profiles that `as_nobody` can read, in a folder with this mode."""

    def written(staging, prod, mode):
        profiles = folder / "profiles"
        profiles.mkdir()
        for name, variables in (("staging", staging), ("prod", prod)):
            (profiles / f"{name}.toml").write_text(f"[variables]\n{variables}\n")
        (folder / ".env.staging").write_text("A=1\n")
        profiles.chmod(mode)
        return folder

    with folder_of_nobody() as folder:
        yield written


def test_nothing_is_written_when_the_profile_is_not_writable(nobodys_project):
    folder = nobodys_project("A = {}", "", 0o555)
    with as_nobody():
        plan = promotion("A", profiles=str(folder / "profiles"))
        with pytest.raises(DeniedError, match=r"prod\.toml: permission denied"):
            done(plan)
    assert not (folder / ".env.prod").exists()
    (folder / "profiles").chmod(0o755)


def test_nothing_is_written_when_a_store_is_not_writable(nobodys_project):
    with folder_of_nobody() as elsewhere:
        elsewhere.chmod(0o555)
        there = f'B = "{{{{ dotenv:{elsewhere}/b.env#B }}}}"'
        folder = nobodys_project("A = {}\nB = 'b'", f"A = {{}}\n{there}", 0o777)
        with as_nobody():
            plan = promotion("A", "B", profiles=str(folder / "profiles"))
            with pytest.raises(PromotionError) as caught:
                done(plan)
    [failure] = caught.value.failures
    assert (failure.name, failure.error.code) == ("B", "access-denied")
    assert caught.value.exit_status == 6
    assert not (folder / ".env.prod").exists()


# ---------------------------------------------------------------- properties

NAMES = [f"V{number}" for number in range(6)]
PLAIN = st.text("xyz{} =#'\"\\$é\n", max_size=4)
SECRETS = st.text("xyz{}'\"\\$é\n", max_size=3).map(CANARY.__add__)
LINES = st.one_of(
    PLAIN.map(lambda text: ("literal", text)),
    st.just(("lookup", "")),
    st.sampled_from(NAMES).map(lambda name: ("made", name)),
    st.sampled_from(NAMES).map(lambda name: ("field", name)),
)
SIDES = st.tuples(
    st.dictionaries(st.sampled_from(NAMES), LINES), st.dictionaries(st.sampled_from(NAMES), SECRETS)
)


def text_of(side):
    """Return a profile and a .env file; a variable uses only earlier ones."""
    import tomlkit

    from envkit.dotenv.editor import set_value
    from envkit.profile.placeholder import Template

    lines, values = side
    document = tomlkit.document()
    variables = tomlkit.table()
    for name, (kind, what) in sorted(lines.items()):
        value = {
            "literal": str(Template((what,))) if what else "",
            "lookup": f'{{{{ {name} ?? "none" }}}}',
            "made": f"a{{{{ {what} }}}}" if what < name else "none",
            "field": f"b{{{{ dotenv:{what} }}}}",
        }[kind]
        variables[name] = value
    document["variables"] = variables
    dotenv = ""
    for name, value in values.items():
        dotenv = set_value(dotenv, name, value, path=".env")
    return document.as_string(), dotenv


class Folder:
    """Two environments on disk."""

    def __init__(self, root, staging, prod):
        self.root = Path(root)
        (self.root / "profiles").mkdir()
        for name, side in (("staging", staging), ("prod", prod)):
            profile, dotenv = text_of(side)
            (self.root / "profiles" / f"{name}.toml").write_text(profile, newline="")
            (self.root / f".env.{name}").write_text(dotenv, newline="")

    def plan(self, *names, **options):
        return promotion(*names, profiles=str(self.root / "profiles"), **options)

    def values(self, environment):
        profiles = str(self.root / "profiles")
        [side, _] = read_sides(prepare_sides([environment] * 2, profiles=profiles, environ={}))
        return {name: value.reveal() for name, value in side.environment.items()}


@given(SIDES)
def test_an_environment_lacks_nothing_of_an_equal_one(side):
    with tempfile.TemporaryDirectory() as root:
        folder = Folder(root, side, side)
        for options in ({}, {"secrets": True}):
            assert changes(folder.plan(**options)) == []
        assert changes(folder.plan(*side[0], secrets=True)) == []


def test_a_value_that_another_named_variable_reads_by_another_spelling_is_not_changed(write):
    b = 'B = "{{ B }}"'
    there = f'A = "b{{{{ dotenv:B }}}}"\n{b}'
    write(f'A = "b"\n{b}', there, values="B=new\n", prod_values="B=\n")
    assert [failure.name for failure in promotion("A", "B").refusals] == ["A"]


@given(SIDES, SIDES)
def test_a_second_promotion_has_nothing_to_do_and_the_first_loses_nothing(staging, prod):
    with tempfile.TemporaryDirectory() as root:
        folder = Folder(root, staging, prod)
        before = folder.values("prod")
        plan = folder.plan()
        assert refusals(plan) == {}
        assert CANARY not in repr(plan.plan)
        done(plan)
        assert changes(folder.plan()) == []
        after = folder.values("prod")
        assert {name: after[name] for name in before} == before


@given(SIDES, SIDES, st.booleans())
@example(
    ({"V0": ("field", "V1"), "V1": ("literal", "")}, {"V1": "canary"}),
    ({"V1": ("lookup", "")}, {"V1": "canary"}),
    False,
)
def test_named_variables_are_equal_after_the_promotion(staging, prod, secrets):
    names = sorted(staging[0])
    with tempfile.TemporaryDirectory() as root:
        folder = Folder(root, staging, prod)
        wanted = folder.values("staging")
        plan = folder.plan(*names, secrets=secrets)
        assert CANARY not in repr(plan.plan)
        if plan.refusals:
            with pytest.raises(PromotionError) as caught:
                plan.begin()
            assert CANARY not in repr(caught.value.failures)
            return
        done(plan)
        assert changes(folder.plan(*names, secrets=secrets)) == []
        after = folder.values("prod")
        # if the source has no value and the line is new, the target may have its own value
        told = [n for n in wanted if n in prod[0] or staging[0][n][0] == "literal"]
        assert {name: after.get(name) for name in told} == {name: wanted[name] for name in told}
