"""The table `[access]`: how files merge it, and that `reason` and `protected` mean the same."""

from __future__ import annotations

import pytest

from envkit.errors import ProfileError
from envkit.profile.loader import load


@pytest.fixture
def loaded(project):
    def read(**files):
        for name, text in files.items():
            project.profile(f"{name}.toml", text)
        return load("prod", str(project.profiles))

    return read


BASE = '[access]\nreason = true\nhours = "Mon 08:00-19:00 UTC"\n'
EXTENDS = 'extends = "base"\n'


@pytest.mark.parametrize(
    ("base", "own", "protected", "settings"),
    [
        (BASE, EXTENDS, True, {"reason": True, "hours": "Mon 08:00-19:00 UTC"}),
        (BASE, f"{EXTENDS}protected = false\n", False, {"reason": True}),
        (BASE, f"{EXTENDS}[access]\nreason = false\n", False, {"reason": False}),
        ("protected = true\n", f"{EXTENDS}[access]\nreason = false\n", False, {}),
        ("protected = true\n", f"{EXTENDS}[access]\nnotify = []\n", True, {"notify": []}),
        (BASE, f'{EXTENDS}[access]\nhours = "Tue 08:00-19:00 UTC"\n', True, {"reason": True}),
        ("", "protected = true\n[access]\nreason = true\n", True, {"reason": True}),
    ],
)
def test_an_environment_inherits_each_key_and_may_override_it(
    loaded, base, own, protected, settings
):
    profile = loaded(base=base, prod=own)
    assert profile.protected is protected
    assert profile.guarded
    assert profile.access is not None
    assert settings.items() <= profile.access.settings.items()


def test_a_profile_without_the_table_is_not_guarded(loaded):
    profile = loaded(prod="")
    assert (profile.access, profile.guarded, profile.protected) == (None, False, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[access]\nreasons = true\n", "prod.toml:2: [access]: unknown key 'reasons'"),
        ('[access]\nreason = "yes"\n', "'reason' must be true or false"),
        ("[access]\nhours = 8\n", "'hours' must be a string"),
        ('access = "all"\n', "'access' must be a table"),
        ('[access]\nnotify = { slack = "{{ vault:" }\n', "[access]: 'notify': "),
        (
            "protected = false\n[access]\nreason = true\n",
            "prod.toml:3: 'reason' in [access] contradicts 'protected'",
        ),
    ],
)
def test_a_mistake_is_an_error_with_its_line(loaded, text, said):
    with pytest.raises(ProfileError) as caught:
        loaded(prod=text)
    assert said in caught.value.message
