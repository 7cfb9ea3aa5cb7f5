"""How a source is built from its table: types, settings, and the few placeholders in them."""

from functools import partial

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import AbsentError, EnvkitError, InvalidReferenceError, ProfileError
from envkit.profile.loader import load
from envkit.sources.dotenv import DotenvSource
from envkit.sources.env import EnvSource
from envkit.sources.memory import MemorySource
from envkit.sources.registry import bootstrap_names, open_source, store_identity
from support.refusals import refusal
from support.shelf import reference

CANARY = "canary-c0de"
OWN, AWS = "[sources.own]", "aws-secrets-manager"


def loaded(project, text, name="prod"):
    project.profile(f"{name}.toml", text)
    return load(name, str(project.profiles))


def opened(project, text, name="own", environ=()):
    return open_source(loaded(project, text), name, environ=dict(environ), deadline=Deadline(15))


def read(source, ref):
    outcome = source.fetch([reference(ref)])[reference(ref)]
    return outcome.value.reveal()


def refused(project, text, name="own", environ=(), kind=ProfileError):
    return refusal(lambda: opened(project, text, name, environ), kind)


@pytest.mark.parametrize(
    ("name", "kind"), [("dotenv", DotenvSource), ("env", EnvSource), ("own", MemorySource)]
)
def test_built_in_and_declared_sources_have_their_types(project, name, kind):
    source = opened(project, '[sources.own]\ntype = "memory"\n', name)
    assert isinstance(source, kind)
    assert source.name == name


def test_a_source_gets_the_name_and_folder_of_its_profile(project):
    project.dotenv("live", "X=alias\n")
    profile = loaded(project, 'aliases = ["live"]\n')
    source = open_source(profile, "dotenv", environ={}, deadline=Deadline(15))
    assert read(source, "dotenv:X") == "alias"


@pytest.mark.parametrize(
    ("kind", "table", "told", "hint"),
    [
        ("memroy", "", "3: unknown source type 'memroy'", "did you mean 'memory'?"),
        ("memory", "\nsecerts = {}", f"5: {OWN}: unknown key 'secerts'", "did you mean 'secrets'?"),
        (
            "memory",
            'secrets = "x"',
            f"4: {OWN}: 'secrets' must be a table",
            "write: secrets = { ... }",
        ),
        ("dotenv", "path = 1", f"4: {OWN}: 'path' must be a string or a list", "put it in quotes"),
        # that only the source itself can check
        (
            "vault",
            'auth = { method = "aprole" }',
            f"2: unknown method 'aprole' of auth in {OWN}",
            "did you mean 'approle'?",
        ),
        ("vault", "concurrency = 0", f"2: 'concurrency' in {OWN} must be 1 or more", None),
        (AWS, "concurrency = 0", f"2: 'concurrency' in {OWN} must be 1 or more", None),
    ],
)
def test_a_mistake_in_a_table_is_reported_with_its_line(project, kind, table, told, hint):
    text = f'\n[sources.own]\ntype = "{kind}"\n{table}\n'
    assert refused(project, text) == (f"profiles/prod.toml:{told}", hint)


def test_a_mistake_is_reported_in_the_file_that_contains_it(project):
    project.profile("base.toml", '[sources.own]\ntype = "memory"\nsecerts = {}\n')
    text = 'extends = "base"\n[sources.own]\nsecrets = {}\n'
    assert refused(project, text)[0].startswith("profiles/base.toml:3: ")


class TestPlaceholders:
    """Settings may take secrets only from sources without a network or a login."""

    MEMORY = '[sources.own]\ntype = "memory"\nsecrets = {{ a = {{ b = "x{}y" }} }}\n'

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("{{ env:NAME | trim }}", CANARY),
            ("{{ dotenv:NAME }}", "of a file"),
            ("{{ login:NAME }}", "of a source of those types by another name"),
            ('{{ env:NONE ?? \\"f\\" }}', "f"),
        ],
    )
    def test_placeholders_in_settings_are_substituted(self, project, setting, value):
        project.dotenv("prod", "NAME='of a file'\n")
        project.dotenv("login", "NAME='of a source of those types by another name'\n")
        login = '[sources.login]\ntype = "dotenv"\npath = "{{ env:FILE }}"\n'
        environ = {"NAME": f" {CANARY} ", "FILE": ".env.login"}
        source = opened(project, self.MEMORY.format(setting) + login, environ=environ)
        assert read(source, "own:a#b") == f"x{value}y"

    def test_a_missing_value_of_a_setting_is_an_error(self, project):
        found = refused(project, self.MEMORY.format("{{ env:NAME }}"), kind=AbsentError)
        assert found == (
            "profiles/prod.toml:3: [sources.own]: 'secrets': env:NAME is missing",
            "set it where envkit runs; a value that may be a credential cannot have a fallback",
        )

    @pytest.mark.parametrize(
        ("setting", "has_fallback"),
        [
            ('address = "{{ env:X }}"', True),
            ('mount = "{{ env:X }}"', True),
            ('prefix = "app/{{ env:X }}"', True),
            ('namespace = "{{ env:X }}"', True),
            ('auth = { method = "token", token = "{{ env:X }}" }', False),
            ('auth = { method = "approle", role_id = "{{ env:X }}", secret_id = "s" }', False),
            ('auth = { method = "approle", role_id = "r", secret_id = "{{ env:X }}" }', False),
            ('auth = { method = "jwt", role = "{{ env:X }}", jwt_file = "j" }', False),
        ],
    )
    def test_a_fallback_is_suggested_only_for_settings_that_are_not_credentials(
        self, project, setting, has_fallback
    ):
        text = f'[sources.own]\ntype = "vault"\n{setting}\n'
        _, hint = refused(project, text, kind=AbsentError)
        assert ("??" in hint) == has_fallback

    def test_a_failed_value_of_a_setting_is_an_error(self, project):
        (project.root / ".env.prod").mkdir()
        found = refused(project, self.MEMORY.format("{{ dotenv:NAME }}"), kind=EnvkitError)
        assert found[0] == ".env.prod: not a regular file"

    @pytest.mark.parametrize(
        ("text", "operand", "name"),
        [
            (MEMORY.format("{{ NAME }}"), "NAME", "own"),
            (MEMORY.format("{{ vault:db#x }}"), "vault:db#x", "own"),
            (MEMORY.format("{{ nowhere:x }}"), "nowhere:x", "own"),
            (MEMORY.format("{{ own:a#b }}"), "own:a#b", "own"),
            # a name proves nothing: this `env` asks a store
            ('[sources.env]\ntype = "vault"\n' + MEMORY.format("{{ env:X }}"), "env:X", "own"),
            # no circles among those that may be referred to
            ('[sources.dotenv]\npath = "{{ dotenv:X }}"\n', "dotenv:X", "dotenv"),
        ],
    )
    def test_settings_may_refer_only_to_sources_without_a_login(self, project, text, operand, name):
        message, hint = refused(project, text, name)
        assert f"cannot refer to {operand}, which cannot be read before it" in message
        assert hint == "refer to the process environment: {{ env:NAME }}"

    def test_only_the_placeholders_of_the_requested_source_are_read(self, project):
        text = self.MEMORY.format("{{ env:NAME }}")
        assert isinstance(opened(project, text, "env"), EnvSource)

    def test_an_invalid_reference_in_a_setting_is_refused(self, project):
        text = self.MEMORY.format("{{ env:NAME?version=1 }}")
        refused(project, text, kind=InvalidReferenceError)

    def test_variables_that_settings_name_are_bootstrap_variables(self, project):
        text = (
            """[sources.vault]\naddress = 'https://{{ env:HOST ?? "vault" }}'\n"""
            'auth = { method = "approle", role_id = "{{ dotenv:R }}", secret_id = "{{ env:S }}" }\n'
            '[sources.own]\ntype = "dotenv"\npath = ["{{ platform:#FILE }}"]\n'
            '[sources.platform]\ntype = "env"\n'
        )
        assert bootstrap_names(loaded(project, text)) == {"HOST", "S", "FILE"}


class TestStoreIdentity:
    """Profiles share a login only if their settings are equal."""

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("", "", True),
            ('address = "https://a"', 'address = "https://a"', True),
            ('address = "https://a"', 'address = "https://b"', False),
            ('address = "https://a"\nprefix = "x"', 'address = "https://a"\nprefix = "y"', True),
            ('auth = { token = "{{ env:A }}" }', 'auth = { token = "{{ env:A }}" }', True),
            ('auth = { token = "{{ env:A }}" }', 'auth = { token = "{{ env:B }}" }', False),
            # each profile has its own .env file
            ('auth = { token = "{{ dotenv:A }}" }', 'auth = { token = "{{ dotenv:A }}" }', False),
        ],
    )
    def test_profiles_share_a_login_only_with_equal_settings(self, project, one, other, same):
        profiles = [
            loaded(project, f"[sources.vault]\n{text}\n", name)
            for name, text in (("one", one), ("other", other))
        ]
        first, second = (store_identity(profile, "vault") for profile in profiles)
        assert (first == second) is same


class TestEntryPoints:
    """Types of other packages are found by their entry points, on demand."""

    @pytest.fixture
    def package(self, install):
        return partial(install, "envkit-cellar", "envkit.sources")

    SOURCE = """
        from envkit.secret import Secret
        from envkit.sources.base import Reading

        class Cellar:
            settings = {"depth": int}
            remote = False

            def __init__(self, context):
                self.name, self.depth = context.name, context.settings["depth"]

            def check(self, ref): pass
            def locate(self, ref): return str(ref)
            def fetch(self, refs):
                return {ref: Reading(Secret("bottle" * self.depth), None, "cellar") for ref in refs}
        """
    TABLE = '[sources.own]\ntype = "cellar"\ndepth = 2\n'

    def test_a_source_of_a_package_is_used(self, project, package):
        package("cellar = envkit_cellar:Cellar", self.SOURCE)
        assert read(opened(project, self.TABLE), "own:x") == "bottlebottle"

    def test_the_settings_of_a_package_source_are_checked(self, project, package):
        package("cellar = envkit_cellar:Cellar", self.SOURCE)
        found = refused(project, self.TABLE.replace("depth", "dpeth"))
        assert found == (
            "profiles/prod.toml:3: [sources.own]: unknown key 'dpeth'",
            "did you mean 'depth'?",
        )

    def test_a_package_cannot_replace_a_built_in_source(self, project, package):
        package("memory = envkit_cellar:Cellar", self.SOURCE)
        assert isinstance(opened(project, '[sources.own]\ntype = "memory"\n'), MemorySource)
