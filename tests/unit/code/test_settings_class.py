"""Which variables a class of settings reads."""

import pytest

from envkit.code import python
from support.reads import NEEDED, uses
from support.vectors import vectors

VECTORS = vectors("unit/code/settings_class")


@pytest.mark.parametrize("body", VECTORS["settings"])
def test_settings_of_pydantic(body):
    source = f"from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    {body}\n"
    assert uses(python.find(source.encode())) == VECTORS["settings"][body]


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
