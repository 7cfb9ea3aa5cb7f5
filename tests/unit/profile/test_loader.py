"""Profiles: both forms mean the same, files merge as people expect, errors point at a line."""

import pytest

from envkit.errors import PlaceholderError, ProfileError, ProfileNotFoundError
from envkit.profile.loader import load
from support.refusals import refusal
from support.vectors import vectors


def loaded(project, name="prod"):
    return load(name, str(project.profiles))


def values(profile):
    return {name: str(declared.template) for name, declared in profile.variables.items()}


def refused(project, name="prod"):
    """Return message and hint of the error that loading this profile is."""
    return refusal(lambda: loaded(project, name), ProfileError)


def test_a_toml_and_an_env_profile_with_the_same_content_are_equal(project):
    project.profile(
        "a.toml",
        """
        [variables]
        NODE_ENV = "production"
        DATABASE_URL = "{{PROD_DB_URL}}"
        PRICE = "5$ ${NOT_EXPANDED} # no comment"
        EMPTY = ""
        LINES = "one\\ntwo"
        """,
    )
    project.profile(
        "b.env",
        "NODE_ENV=production\nexport DATABASE_URL={{PROD_DB_URL}}\n"
        "PRICE='5$ ${NOT_EXPANDED} # no comment'\nEMPTY=\nLINES=\"one\\ntwo\"\n",
    )
    one, other = loaded(project, "a"), loaded(project, "b")
    assert values(one) == values(other)
    for name, declared in one.variables.items():
        same = other.variables[name]
        assert declared.template == same.template
        assert (declared.type, declared.required, declared.secret) == ("string", True, None)
        assert (same.type, same.required, same.secret) == ("string", True, None)
    assert one.lookup == other.lookup == ("dotenv", "env")
    assert str(one.variables["PRICE"].location) == "profiles/a.toml:5"
    assert str(other.variables["PRICE"].location) == "profiles/b.env:3"


def test_a_toml_profile_is_loaded_with_all_its_keys(project):
    project.profile(
        "prod.toml",
        """
        aliases = ["production", "live"]
        protected = true
        lookup = ["vault", "files"]

        [sources.vault]
        mount = "secret"

        [sources.files]
        type = "dotenv"
        path = ".env.shared"

        [variables]
        PLAIN = "text"
        NUMBER = 8_080
        TRUTH = true
        PORT = { value = "80", type = "port", description = "HTTP", tags = ["net"] }
        MODE = { choices = ["a", 2], default = "a", required = false, secret = false }
        BOUND = { value = "{{ vault:db#x }}", pattern = "^x", min = 1, max = 2.5 }
        """,
    )
    profile = loaded(project)
    assert (profile.name, profile.aliases) == ("prod", ("production", "live"))
    assert (profile.protected, profile.lookup) == (True, ("vault", "files"))
    assert profile.root == str(project.root)
    assert profile.sources["vault"].type == "vault"
    assert profile.sources["vault"].settings == {"mount": "secret"}
    assert profile.sources["files"].type == "dotenv"
    assert set(profile.sources) == {"vault", "aws", "dotenv", "env", "files"}
    assert values(profile) == {
        "PLAIN": "text",
        "NUMBER": "8080",
        "TRUTH": "true",
        "PORT": "80",
        "MODE": "{{ MODE }}",  # no value: looked up by its own name
        "BOUND": "{{ vault:db#x }}",
    }
    port, mode, bound = (profile.variables[name] for name in ("PORT", "MODE", "BOUND"))
    assert (port.type, port.description, port.tags) == ("port", "HTTP", ("net",))
    assert (mode.type, mode.choices, mode.default) == ("enum", ("a", "2"), "a")
    assert (mode.required, mode.secret) == (False, False)
    assert (bound.pattern, bound.minimum, bound.maximum) == ("^x", 1, 2.5)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "\ufeff# with a byte order mark\n", "[variables]"]
)
def test_an_empty_profile_has_no_variables(project, text):
    project.profile("prod.toml", text)
    assert loaded(project).variables == {}


class TestExtends:
    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"prod": ('"a"', ""), "a": ("[]", "a")}, "a"),
            ({"prod": ('["a", "b"]', ""), "a": ("[]", "a"), "b": ("[]", "b")}, "b"),
            ({"prod": ('["a", "b"]', "p"), "a": ("[]", "a"), "b": ("[]", "b")}, "p"),
            ({"prod": ('"a"', ""), "a": ('"b"', ""), "b": ("[]", "b")}, "b"),
            # a diamond: `right` does not undo what `left` changes in their common base
            (
                {
                    "prod": ('["left", "right"]', ""),
                    "left": ('"base"', "left"),
                    "right": ('"base"', ""),
                    "base": ("[]", "base"),
                },
                "left",
            ),
        ],
    )
    def test_later_bases_override_earlier_ones(self, project, files, expected):
        for name, (extends, value) in files.items():
            variable = f'X = "{value}"' if value else ""
            project.profile(f"{name}.toml", f"extends = {extends}\n[variables]\n{variable}\n")
        assert values(loaded(project)) == {"X": expected}

    def test_every_file_is_read_once_and_the_most_basic_first(self, project):
        project.profile("base.toml", "")
        project.profile("left.toml", 'extends = "base"')
        project.profile("right.toml", 'extends = "base"')
        project.profile("prod.toml", 'extends = ["left", "right", "left"]')
        files = [str(project.profiles / f"{n}.toml") for n in ("base", "left", "right", "prod")]
        assert loaded(project).files == files

    def test_variables_are_merged_key_by_key(self, project):
        project.profile(
            "base.toml",
            '\n[variables]\nPORT = { value = "1", type = "port", description = "HTTP", min = 1 }\n'
            'MODE = { type = "enum", choices = ["a", "b"] }\nKEPT = "base"\n',
        )
        project.profile(
            "prod.toml",
            '\nextends = "base"\n[variables]\nPORT = { value = "2", max = 10, min = 2 }\n'
            'MODE = "b"\nOWN = "prod"\n',
        )
        profile = loaded(project)
        assert list(profile.variables) == ["PORT", "MODE", "KEPT", "OWN"]
        port, mode = profile.variables["PORT"], profile.variables["MODE"]
        assert (str(port.template), port.type, port.description) == ("2", "port", "HTTP")
        assert (port.minimum, port.maximum) == (2, 10)
        assert (str(mode.template), mode.type, mode.choices) == ("b", "enum", ("a", "b"))
        assert str(port.location) == "profiles/prod.toml:4"
        assert str(profile.variables["KEPT"].location) == "profiles/base.toml:5"

    def test_a_form_may_extend_the_other(self, project):
        project.profile("base.env", "X=env\nY=env\n")
        project.profile("prod.toml", 'extends = "base"\n[variables]\nX = { type = "path" }\n')
        profile = loaded(project)
        assert values(profile) == {"X": "env", "Y": "env"}
        assert profile.variables["X"].type == "path"
        assert str(profile.variables["X"].location) == "profiles/base.env:1"

    def test_sources_lookup_and_protection_are_inherited(self, project):
        project.profile(
            "base.toml",
            """
            aliases = ["basis"]
            protected = true
            lookup = ["vault"]
            [sources.vault]
            address = "https://vault"
            mount = "secret"
            [sources.aws]
            region = "eu-west-1"
            [sources.own]
            type = "dotenv"
            path = ".env.own"
            """,
        )
        project.profile(
            "prod.toml",
            """
            extends = "base"
            [sources.vault]
            prefix = "prod"
            [sources.own]
            type = "memory"
            """,
        )
        profile = loaded(project)
        assert (profile.aliases, profile.protected, profile.lookup) == ((), True, ("vault",))
        merged = {"address": "https://vault", "mount": "secret", "prefix": "prod"}
        assert profile.sources["vault"].settings == merged
        assert profile.sources["aws"].settings == {"region": "eu-west-1"}
        # a source of another type begins anew
        assert (profile.sources["own"].type, profile.sources["own"].settings) == ("memory", {})
        vault = profile.sources["vault"]
        assert str(vault.place_of("mount")) == "profiles/base.toml:7"
        assert str(vault.place_of("prefix")) == "profiles/prod.toml:4"

    @pytest.mark.parametrize(
        ("files", "circle"),
        [
            ({"prod": '"prod"'}, "prod -> prod"),
            ({"prod": '"a"', "a": '["x", "b"]', "b": '"a"', "x": "[]"}, "a -> b -> a"),
        ],
    )
    def test_a_cycle_of_extends_is_reported_where_it_closes(self, project, files, circle):
        for name, extends in files.items():
            project.profile(f"{name}.toml", f"\nextends = {extends}\n")
        place = f"profiles/{circle.split()[-3]}.toml:2"
        assert refused(project) == (
            f"{place}: 'extends' forms a cycle: {circle}",
            f"remove '{circle.split()[-1]}' from this 'extends'",
        )

    def test_an_unknown_base_is_reported_with_its_line(self, project):
        project.profile("base.toml", "")
        project.profile("prod.toml", '# why\nextends = ["base", "bsae"]\n')
        message, hint = refused(project)
        assert message == (
            "profiles/prod.toml:2: no profile 'bsae' in profiles (known: base, prod)"
        )
        assert hint == "did you mean 'base'?"

    def test_an_alias_cannot_be_a_base(self, project):
        project.profile("base.toml", 'aliases = ["basis"]')
        project.profile("prod.toml", 'extends = "basis"')
        assert refused(project)[0].startswith("profiles/prod.toml:1: no profile 'basis'")

    def test_length_and_number_of_inheritance_paths_are_not_limited(self, project):
        project.profile("p0.toml", '[variables]\nX = "0"\n')
        for number in range(1, 1500):
            before = f'"p{number - 1}"'
            project.profile(f"p{number}.toml", f"extends = [{before}, {before}]\n")
        assert values(loaded(project, "p1499")) == {"X": "0"}


class TestNames:
    @pytest.mark.parametrize("aliases", [["production", "live"], ["live", "live"]])
    def test_a_profile_is_found_by_its_alias(self, project, aliases):
        project.profile("dev.env", "")
        project.profile("prod.toml", f"aliases = {aliases}")
        assert loaded(project, "live").name == "prod"

    def test_a_name_has_priority_over_an_alias(self, project):
        project.profile("prod.toml", "")
        project.profile("staging.toml", 'aliases = ["prod"]')
        assert loaded(project).name == "prod"

    def test_an_alias_of_two_profiles_is_an_error(self, project):
        project.profile("a.toml", 'aliases = ["x"]')
        project.profile("b.toml", 'aliases = ["x"]')
        assert refused(project, "x") == (
            "'x' is an alias in profiles/a.toml and profiles/b.toml",
            "remove it from all but one of them",
        )

    def test_an_alias_that_is_the_name_of_another_profile_is_an_error(self, project):
        # otherwise the source `dotenv` would read .env.prod for staging
        project.profile("prod.env", "")
        project.profile("staging.toml", '\naliases = ["prod"]\n')
        place = "profiles/staging.toml:2"
        assert refused(project, "staging")[0] == (
            f"{place}: alias 'prod' is the name of another profile, profiles/prod.env"
        )

    @pytest.mark.parametrize("alias", ["", "../prod", "a/b", ".hidden", "a b"])
    def test_an_invalid_alias_is_an_error(self, project, alias):
        project.profile("prod.toml", f'aliases = ["{alias}"]')
        assert refused(project)[0] == f"profiles/prod.toml:1: {alias!r} cannot be an alias"

    @pytest.mark.parametrize("name", ["prd", "", "../profiles/prod", "prod.toml", "PROD"])
    def test_an_unknown_name_never_selects_another_profile(self, project, name):
        project.profile("prod.toml", 'aliases = ["production"]')
        project.profile("dev.env", "")
        with pytest.raises(ProfileNotFoundError) as raised:
            loaded(project, name)
        assert raised.value.message == f"no profile '{name}' in profiles (known: dev, prod)"


VARIABLE = "[variables]\nX = {}\n"

MISTAKES = [
    *vectors("unit/profile/loader")["mistakes"],
    [
        VARIABLE.format(f'{{ pattern = "{"(" * 9999}" }}'),
        "2: X: 'pattern' is not a regular expression: it is too large",
        None,
    ],
]


@pytest.mark.parametrize(
    ("text", "told", "advice"), MISTAKES, ids=[told[:60] for _, told, _ in MISTAKES]
)
def test_a_mistake_is_reported_with_its_line_and_the_right_spelling(project, text, told, advice):
    project.profile("prod.toml", text)
    message, hint = refused(project)
    assert message.startswith(f"profiles/prod.toml:{told}"), message
    assert (hint or "").startswith(advice or ""), hint
    assert bool(hint) == bool(advice)


def test_a_variable_may_have_the_name_of_a_profile_key(project):
    project.profile("a.toml", '[variables]\nprotected = { value = "x" }\n')
    project.profile("b.env", "protected=x\n")
    assert values(loaded(project, "a")) == values(loaded(project, "b")) == {"protected": "x"}


def test_a_mistake_in_a_base_is_reported_there(project):
    project.profile("base.toml", '[variables]\nX = { type = "enum" }\nY = "y"\n')
    project.profile("prod.toml", 'extends = "base"\n\n\n[variables]\nX = "a"\n')
    assert refused(project)[0] == "profiles/base.toml:2: X: type 'enum' needs 'choices'"
    project.profile("base.toml", 'lookup = ["shelf"]\n')
    assert refused(project)[0] == "profiles/base.toml:1: 'lookup' names unknown source 'shelf'"


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("prod.toml", '[variables]\n\nX = "{{ vault:db#password"\n', "profiles/prod.toml:3"),
        ("prod.env", "A=1\nX={{ vault:db#password\n", "profiles/prod.env:2"),
    ],
)
def test_an_unclosed_placeholder_is_reported_with_its_column(project, file, text, place):
    project.profile(file, text)
    with pytest.raises(PlaceholderError) as raised:
        loaded(project)
    assert raised.value.message == f"{place}: X: '{{{{' has no '}}}}' (column 1 of the value)"
    assert str(raised.value).startswith(f"{place}: X: ")
    assert raised.value.column == 1


@pytest.mark.parametrize("name", ["prod.toml", "prod.env"])
def test_invalid_utf_8_is_reported_with_its_line(project, name):
    (project.profiles / name).write_bytes(b"A='x'\nB='\xff'\n")
    assert refused(project) == (f"profiles/{name}:2: not UTF-8", "save the file as UTF-8")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("A=1\nB\n", "profiles/prod.env:2"),
        ("A=1\n\n2B=x\n", "profiles/prod.env:3"),
        ("A='1\n", "profiles/prod.env:1"),
        ("A=1\nB=encrypted:BF1xYz\n", "profiles/prod.env:2"),
        ("A=1\nB=a\0b\n", "profiles/prod.env:2"),
    ],
)
def test_a_mistake_in_the_env_form_is_reported_with_its_line(project, text, place):
    project.profile("prod.env", text)
    message, _ = refused(project)
    assert message.startswith(f"{place}: ")
    assert "BF1xYz" not in message


def test_a_variable_that_is_set_twice_is_a_warning(project):
    project.profile("base.env", "A=1\nA=2\n")
    project.profile("prod.toml", 'extends = "base"\n')
    profile = loaded(project)
    assert values(profile) == {"A": "2"}
    assert profile.warnings == ["profiles/base.env: A is set twice"]


@pytest.mark.parametrize("name", ["prod.toml", "prod.env"])
def test_a_file_that_is_too_large_is_refused(project, name):
    with (project.profiles / name).open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    assert refused(project)[0] == f"cannot read profiles/{name}: larger than 16777216 bytes"


def test_a_profile_with_ten_thousand_variables_loads(project):
    lines = [f'V{n} = {{ value = "{{{{ V{n + 1} }}}}", type = "path" }}' for n in range(10_000)]
    project.profile("prod.toml", "[variables]\n" + "\n".join(lines) + "\n")
    profile = loaded(project)
    assert len(profile.variables) == 10_000
    # as an error that names all of them asks for: the text is gone through once, not each time
    places = [str(declared.location) for declared in profile.variables.values()]
    assert places == [f"profiles/prod.toml:{line}" for line in range(2, 10_002)]


def test_a_command_line_value_replaces_that_of_the_profile(project):
    project.profile("prod.toml", '[variables]\nA = "{{ vault:a }}"\nB = "b"\n')
    profile = loaded(project)
    for name in ("A", "B", "NEW"):
        profile.set_value(name, "{{ x")
    declared = profile.variables
    assert {name: one.template.parts for name, one in declared.items()} == dict.fromkeys(
        ("A", "B", "NEW"), ("{{ x",)
    )
    assert [one.secret for one in declared.values()] == [True, False, False]
    assert {one.place for one in declared.values()} == {"--set"}


@pytest.mark.parametrize(
    ("base", "prod", "value", "line"),
    [
        ('A = "x"', 'A = { type = "string" }', "x", "base.toml:2"),
        ('A = "x"', 'A = "y"', "y", "prod.toml:3"),
        ('A = { type = "string" }', 'A = "y"', "y", "prod.toml:3"),
        ('A = { value = "x", secret = true }', 'A = "y"', "y", "prod.toml:3"),
        ('A = "x"', 'A = { value = "y" }', "y", "prod.toml:3"),
        ('A = "x"', 'B = "y"', "x", "base.toml:2"),
        ('A = "{{ bad"', 'A = "y"', "y", "prod.toml:3"),
    ],
)
def test_a_value_without_a_table_merges_as_a_table_does(project, base, prod, value, line):
    project.profile("base.toml", f"[variables]\n{base}\n")
    project.profile("prod.toml", f'extends = "base"\n[variables]\n{prod}\n')
    declared = loaded(project).variables["A"]
    assert str(declared.template) == value
    assert declared.place.endswith(line)
    assert declared.secret is (True if "secret = true" in base else None)
