"""What a person is told who imports the module of a library that is not installed."""

import importlib
import sys

import pytest

from envkit.errors import ExtraMissingError


@pytest.mark.parametrize(
    ("module", "library", "requirement"),
    [
        ("psycopg", "psycopg", "psycopg[binary,pool]"),
        ("asyncpg", "asyncpg", "asyncpg"),
        ("sqlalchemy", "sqlalchemy", "SQLAlchemy>=2"),
        ("django_backend.base", "django.db.backends.postgresql", "Django>=5"),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch, module, library, requirement
):
    name = f"envkit.integrations.{module}"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExtraMissingError) as caught:
        importlib.import_module(name)
    assert caught.value.hint == f"run: pip install '{requirement}'"
