"""What a person is told who imports the module of a library that is not installed."""

import importlib
import sys

import pytest

from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError


@pytest.mark.parametrize(
    ("module", "library", "package", "extra"),
    [
        ("psycopg", "psycopg", "psycopg", "psycopg"),
        ("asyncpg", "asyncpg", "asyncpg", "asyncpg"),
        ("sqlalchemy", "sqlalchemy", "SQLAlchemy", "sqlalchemy"),
        ("django_backend.base", "django.db.backends.postgresql", "Django", "django"),
        ("redis", "redis", "redis", "redis"),
        ("pydantic_settings", "pydantic_settings", "pydantic-settings", "pydantic-settings"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch, module, library, package, extra
):
    monkeypatch.delitem(sys.modules, f"envkit.integrations.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExtraMissingError) as caught:
        importlib.import_module(f"envkit.integrations.{module}")
    assert f"needs the package '{package}'" in caught.value.message
    assert caught.value.hint == install_hint(extra)
