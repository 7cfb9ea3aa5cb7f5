"""How a rotator is found and built from its table."""

import sys
import textwrap
from functools import partial

import pytest

from envkit._internal.clock import Deadline
from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError, ProfileError
from envkit.rotation.protocols import RotatorContext
from envkit.rotation.rotators.registry import BUILT_IN, open_rotator
from envkit.secret import Secret
from support.process import run_python
from support.vectors import vectors

VECTORS = vectors("unit/rotation/rotators/registry")

CANARY = "canary" + "-77"
TARGETS = {
    "postgres": {"dsn": "host=x", "users": ["a", "b"], "owner": "c"},
    "redis": {"url": "redis://x"},
    "valkey": {"url": "redis://x"},
    "aws-iam-key": {"user": "deploy", "id_field": "id"},
    "keyring": {},
    "random": {},
    "command": {"command": ["x"]},
}


def context(target, *, strategy="alternate", generate=None):
    return RotatorContext("prod/x", target, generate or {}, strategy, ("value",), Deadline(15))


def opened(name, target, **options):
    return open_rotator(name, context(target, **options), lambda key: f"prod.toml:{key}")


def refused(name, target, **options):
    with pytest.raises(ProfileError) as caught:
        opened(name, target, **options)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_each_rotator_is_built_from_its_table(name):
    assert opened(name, TARGETS[name]).prepare


def test_a_table_is_checked_before_its_placeholders_are_substituted():
    target = {**TARGETS["postgres"], "dsn": "postgresql://a:{{ vault:x#y }}@db/x"}
    opened("postgres", target)
    opened("redis", {"url": "redis://:{{ vault:x#y }}@cache"})


def test_the_strategy_selects_the_variant_of_a_rotator():
    kinds = [
        type(opened("postgres", TARGETS["postgres"])).__name__,
        type(opened("postgres", {"dsn": "host=x"}, strategy="single")).__name__,
    ]
    assert kinds == ["AlternateRotator", "SingleRotator"]


@pytest.mark.parametrize(
    ("name", "target", "options", "message", "hint"), VECTORS["a_mistake_is_shown_with_its_place"]
)
def test_a_mistake_in_a_table_is_reported_with_its_place(name, target, options, message, hint):
    assert refused(name, target, **options) == (message, hint)


def test_the_repr_of_a_context_does_not_show_its_table():
    assert CANARY not in repr(context({"dsn": CANARY}))


@pytest.mark.parametrize(
    ("name", "driver", "extra", "value"),
    [
        ("postgres", "psycopg", "postgres", "x://a:b@c"),
        ("redis", "redis", "redis", "redis://a:b@x"),
    ],
)
def test_a_missing_driver_is_reported_with_its_extra(name, driver, extra, value, monkeypatch):
    for module in [m for m in sys.modules if m == driver or m.startswith(f"{driver}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, driver, None)
    rotator = opened(name, TARGETS[name])
    with pytest.raises(ExtraMissingError) as caught:
        rotator.prepare({"value": Secret(value)})
    assert caught.value.hint == install_hint(extra)
    assert caught.value.exit_status == 2


def test_building_a_rotator_imports_no_driver():
    script = """
        import sys
        from envkit._internal.clock import Deadline
        from envkit.rotation.base import RotatorContext
        from envkit.rotation.rotators.registry import open_rotator
        for name, target in {targets!r}.items():
            fields, deadline = ("value",), Deadline(1)
            context = RotatorContext("p/x", target, {{}}, "alternate", fields, deadline)
            open_rotator(name, context)
        print(sorted({{"psycopg", "redis", "botocore", "cryptography", "hvac"}} & set(sys.modules)))
    """
    done = run_python(textwrap.dedent(script).format(targets=TARGETS))
    assert done.stdout == "[]\n"


class TestEntryPoints:
    CODE = """
        class Cellar:
            settings = {"depth": int}
            required = frozenset({"depth"})
            overlap = True

            def __init__(self, context):
                self.depth = context.target["depth"]

            @staticmethod
            def fields(field, target):
                return (field,)
    """

    @pytest.fixture
    def package(self, install):
        return partial(install, "envkit-cellar", "envkit.rotators")

    def test_a_rotator_of_a_package_is_used(self, package):
        package("cellar = envkit_cellar:Cellar", self.CODE)
        assert opened("cellar", {"depth": 2}).depth == 2
        message, hint = refused("cellar", {"dpeth": 2})
        assert (message, hint) == (
            "prod.toml:target: target: unknown key 'dpeth'",
            "did you mean 'depth'?",
        )

    def test_a_rotator_of_a_package_may_have_strategies(self, package):
        code = textwrap.dedent(self.CODE) + 'WAYS = {"deep": Cellar}\n'
        package("cellar = envkit_cellar:WAYS", code)
        assert opened("cellar", {"depth": 2}, strategy="deep").depth == 2
        assert refused("cellar", {"depth": 2})[1] == "use one of: deep"

    def test_a_rotator_of_a_package_is_among_the_suggestions(self, package):
        package("cellar = envkit_cellar:Cellar", self.CODE)
        assert refused("celar", {})[1] == "did you mean 'cellar'?"

    def test_a_package_cannot_replace_a_built_in_rotator(self, package):
        package("random = envkit_cellar:Cellar", self.CODE)
        assert type(opened("random", {})).__name__ == "RandomRotator"
