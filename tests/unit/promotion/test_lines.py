"""Which literals mention an environment."""

import pytest

from envkit.profile.model import Profile
from envkit.promotion.lines import mentions


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("staging", True),
        ("db.staging.internal", True),
        ("STAGING_DB", True),
        ("staging/db", True),
        ("stg-1", True),
        ("prestaging", False),
        ("staging2", False),
        ("", False),
    ],
)
def test_mentions_finds_the_names_of_an_environment_in_a_text(text, does):
    staging = Profile("staging", "/profiles/staging.toml")
    staging.aliases = ("stg",)
    assert mentions(staging, text) is does
