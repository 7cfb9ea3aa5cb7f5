"""Settings of pydantic-settings from an environment of envkit."""

from enum import Enum

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

import envkit
from envkit.errors import ResolutionError
from envkit.integrations.pydantic_settings import EnvkitSource
from support.living import of_files

CANARY = "canary-5e1f"
PROFILE = """
[variables]
MODE = "fast"
APP_URL = "{{ URL }}"
APP_DB__USER = "app"
APP_DB__PASSWORD = "{{ PASSWORD }}"
APP_HOSTS = '["a", "b"]'
APP_TOKENS = "{{ TOKENS }}"
APP_EMPTY = ""
NOTHING = { value = "{{ NOTHING }}", required = false }
"""


def settings(environment, fields, more=None, **config):
    """Return a class of settings with these fields, of this environment alone."""

    def sources(cls, settings_cls, **_):
        return (EnvkitSource(settings_cls, environment, **(more or {})),)

    body = {
        "__annotations__": {name: kind for name, (kind, *_) in fields.items()},
        **{name: default for name, (_, *rest) in fields.items() for default in rest},
        "settings_customise_sources": classmethod(sources),
        "model_config": SettingsConfigDict(**config),
    }
    return type("Settings", (BaseSettings,), body)


class Db(BaseModel):
    user: str
    password: SecretStr


class Mode(Enum):
    QUICK = "fast"


@pytest.fixture
def environment(project):
    project.profile("prod.toml", PROFILE)
    tokens = f'["{CANARY}-1", "{CANARY}-2"]'
    project.dotenv("prod", f"URL=https://{CANARY}\nPASSWORD={CANARY}\nTOKENS='{tokens}'\n")
    return envkit.resolve("prod")


@pytest.mark.parametrize(
    ("field", "config", "value"),
    [
        ({"mode": (str,)}, {}, "fast"),
        ({"mode": (Mode,)}, {}, Mode.QUICK),
        ({"Mode": (str,)}, {}, "fast"),
        ({"MODE": (str,)}, {"case_sensitive": True}, "fast"),
        ({"mode": (str, "default")}, {"case_sensitive": True}, "default"),
        ({"app_url": (SecretStr,)}, {}, SecretStr(f"https://{CANARY}")),
        ({"url": (str,)}, {"env_prefix": "APP_"}, f"https://{CANARY}"),
        ({"other": (str, Field(validation_alias="APP_URL"))}, {}, f"https://{CANARY}"),
        ({"x": (str, Field(validation_alias=AliasChoices("NO", "MODE")))}, {}, "fast"),
        ({"app_hosts": (list[str],)}, {}, ["a", "b"]),
        ({"app_tokens": (list[str],)}, {}, [f"{CANARY}-1", f"{CANARY}-2"]),
        (
            {"app_db": (Db,)},
            {"env_nested_delimiter": "__"},
            Db(user="app", password=SecretStr(CANARY)),
        ),
        ({"app_empty": (str, "x")}, {}, ""),
        ({"app_empty": (str, "x")}, {"env_ignore_empty": True}, "x"),
        ({"nothing": (str | None, None)}, {}, None),
    ],
)
def test_a_field_is_filled_as_from_an_environment_variable(environment, field, config, value):
    made = settings(environment, field, **config)()
    (name,) = field
    assert getattr(made, name) == value
    assert type(getattr(made, name)) is type(value)


def test_arguments_of_the_source_take_precedence_over_the_configuration(environment):
    kind = settings(environment, {"url": (SecretStr,)}, {"env_prefix": "app_"}, env_prefix="no_")
    assert kind().url.get_secret_value() == f"https://{CANARY}"


def test_the_environment_of_the_process_is_not_looked_at(environment, monkeypatch):
    monkeypatch.setenv("ELSEWHERE", "x")
    with pytest.raises(ValidationError, match="elsewhere"):
        settings(environment, {"elsewhere": (str,)})()


def test_new_settings_have_the_current_values_of_a_live_environment(project):
    live = of_files(project)
    kind = settings(live, {"url": (SecretStr,)})
    before = kind()
    project.dotenv("prod", "URL=new\n")
    assert next(live.newer(live.snapshot(), ["URL"]))
    assert kind().url.get_secret_value() == "new"
    assert before.url.get_secret_value() == "old"


def test_an_environment_that_cannot_be_read_is_an_error_of_envkit(project):
    kind = settings(of_files(project, "OTHER=x\n"), {"url": (str,)})
    with pytest.raises(ResolutionError, match="URL"):
        kind()


@pytest.mark.parametrize(
    "fields",
    [
        {"app_url": (int,)},
        {"app_url": (SecretStr, Field(max_length=3))},
        {"app_url": (SecretStr,), "elsewhere": (str,)},
        {"app_db__password": (int,), "elsewhere": (str,)},
        {"app_tokens": (list[int],)},
        {"app_tokens": (dict[str, str],)},
        {"app_url": (list[str],)},
        {"app_db": (Db,), "app_url": (Db,)},
    ],
)
def test_no_error_of_pydantic_shows_a_secret(environment, fields):
    source = settings(environment, fields, env_nested_delimiter="__")
    with pytest.raises((ValidationError, SettingsError)) as caught:
        source()
    error = caught.value
    while error is not None:
        assert CANARY not in f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_source_shows_no_values(environment):
    kind = settings(environment, {"app_url": (str,)})
    assert CANARY not in repr(EnvkitSource(kind, environment))
