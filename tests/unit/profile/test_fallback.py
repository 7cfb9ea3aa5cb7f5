"""The setting `fallback` of a profile and of every source."""

import pytest

from envkit.errors import ProfileError
from envkit.profile.loader import load


def profile_of(project, text):
    project.profile("prod.toml", text)
    return load("prod", str(project.profiles))


@pytest.mark.parametrize(
    ("top", "table", "vault", "aws"),
    [
        ("", "", None, None),
        ('fallback = { max_age = "24h" }', "", 86400.0, 86400.0),
        ('fallback = { max_age = "24h" }', 'fallback = { max_age = "1h" }', 3600.0, 86400.0),
        ('fallback = { max_age = "24h" }', "fallback = false", None, 86400.0),
        ("", 'fallback = { max_age = "30m" }', 1800.0, None),
    ],
)
def test_a_source_has_its_own_fallback_or_that_of_the_profile(project, top, table, vault, aws):
    profile = profile_of(project, f"{top}\n[sources.vault]\n{table}\n")
    assert (profile.fallback_of("vault"), profile.fallback_of("aws")) == (vault, aws)
    assert profile.sources["vault"].settings == {}


def test_a_profile_inherits_the_fallback_of_its_base(project):
    project.profile("base.toml", 'fallback = { max_age = "24h" }\n')
    assert profile_of(project, 'extends = "base"\n').fallback_of("vault") == 86400.0
    assert profile_of(project, 'extends = "base"\nfallback = false\n').fallback_of("vault") is None


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("{}", "'fallback' has no 'max_age'"),
        ("true", "'fallback' has no 'max_age'"),
        ('{ max_age = "long" }', "'max_age' of 'fallback' is not a duration"),
        ('{ max_age = "0" }', "'max_age' of 'fallback' is not a duration"),
        ('{ max_age = "1h", key = "x" }', "unknown key 'key'"),
        ("{ max_age = 3600 }", "'max_age' must be a string"),
    ],
)
@pytest.mark.parametrize("place", ["profile", "source"])
def test_any_other_fallback_is_refused_with_its_place(project, place, setting, complaint):
    header = "" if place == "profile" else "[sources.vault]\n"
    with pytest.raises(ProfileError) as refused:
        profile_of(project, f"{header}fallback = {setting}\n")
    assert refused.value.message.startswith("profiles/prod.toml:")
    assert complaint in refused.value.message
