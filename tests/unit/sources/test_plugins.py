"""Plug-ins: found by their entry points; errors name the place that uses them."""

import pytest

from envkit.errors import ProfileError
from envkit.sources.plugins import load_plugin
from envkit.sources.registry import load_built_in
from support.refusals import refusal

GROUP, PLACE = "envkit.tests", "profiles/prod.toml:3"


def load(name, built_in=("vault", "aws")):
    return load_plugin(GROUP, name, "source type", built_in=built_in, place=PLACE)


def refused(name):
    return refusal(lambda: load(name), ProfileError)


def test_a_built_in_is_imported_by_its_module_and_name():
    from envkit.sources.memory import MemorySource

    assert load_built_in("envkit.sources.memory:MemorySource") is MemorySource


def test_a_plug_in_is_found_by_its_entry_point(install):
    install("the-cellar", GROUP, "cellar = the_cellar:Thing", "class Thing:\n    bottles = 3\n")
    assert load("cellar").bottles == 3


def test_an_unknown_name_is_compared_with_built_in_and_installed_ones(install):
    install("the-cellar", GROUP, "cellar = the_cellar:Thing", "Thing = None\n")
    assert refused("valut") == (f"{PLACE}: unknown source type 'valut'", "did you mean 'vault'?")
    assert refused("celar") == (f"{PLACE}: unknown source type 'celar'", "did you mean 'cellar'?")


def test_two_packages_with_one_name_are_both_named(install):
    install("the-cellar", GROUP, "cellar = the_cellar:Thing", "Thing = 1\n")
    install("a-cellar", GROUP, "cellar = a_cellar:Thing", "Thing = 2\n")
    assert refused("cellar") == (
        f"{PLACE}: several packages provide the source type 'cellar': a-cellar, the-cellar",
        "uninstall all but one of them",
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("raise ValueError('canary')\n", "ValueError"),
        ("import no_such_module_canary\n", "ModuleNotFoundError"),
        ("Other = 1\n", "AttributeError"),
        ("this is no Python: canary\n", "SyntaxError"),
    ],
)
def test_an_import_error_of_a_plug_in_shows_only_its_type(install, code, kind):
    install("the-cellar", GROUP, "cellar = the_cellar:Thing", code)
    message, _ = refused("cellar")
    assert message == (
        f"{PLACE}: cannot load the source type 'cellar' from the_cellar:Thing: {kind}"
    )
