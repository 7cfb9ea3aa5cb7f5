"""Which variables a class of settings reads."""

from __future__ import annotations

import pytest

from envkit.code import python
from support.reads import NEEDED, OPTIONAL, uses

SETTINGS = {
    "a: str": {"A": NEEDED},
    "a: str = 'x'; b: int | None = None": {"A": OPTIONAL, "B": OPTIONAL},
    "a: str = ...; _b: str; C: ClassVar[str] = 'x'; D = 1": {"A": NEEDED},
    "a: str = Field(); b: str = Field(..., min_length=1); c: list = Field(default_factory=list)": {
        "A": NEEDED,
        "B": NEEDED,
        "C": OPTIONAL,
    },
    "a: str = Field(validation_alias='X_A'); b: str = Field('d', alias='X_B')": {
        "X_A": NEEDED,
        "X_B": OPTIONAL,
    },
    "a: str = Field(validation_alias=AliasChoices('X', 'Y'))": {"X": OPTIONAL, "Y": OPTIONAL},
    "model_config = SettingsConfigDict(env_prefix='APP_'); a: str; b: str = Field(alias='B')": {
        "APP_A": NEEDED,
        "B": NEEDED,
    },
    "model_config = {'env_prefix': 'APP_', 'extra': 'ignore'}; a: str": {"APP_A": NEEDED},
    "model_config = SettingsConfigDict(env_prefix=prefix()); a: str": {},
    "model_config = SettingsConfigDict(env_nested_delimiter='__'); a: str; db: Database": {
        "A": NEEDED
    },
}


@pytest.mark.parametrize("body", SETTINGS)
def test_settings_of_pydantic(body):
    source = f"from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    {body}\n"
    assert uses(python.find(source.encode())) == SETTINGS[body]


def test_settings_of_pydantic_that_derive_from_others():
    source = (
        b"import pydantic_settings as ps\n"
        b"class Base(ps.BaseSettings):\n    model_config = {'env_prefix': 'APP_'}\n    a: str\n"
        b"class More(Base):\n    b: str\n"
        b"class Old(ps.BaseSettings):\n    c: str = Field(..., env='X_C')\n"
        b"    class Config:\n        env_prefix = 'OLD_'\n"
        b"class NoSettings(Model):\n    d: str\n"
    )
    assert uses(python.find(source)) == {"APP_A": NEEDED, "APP_B": NEEDED, "X_C": NEEDED}
