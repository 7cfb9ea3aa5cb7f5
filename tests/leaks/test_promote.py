"""A promoted secret is in its two stores, and no part of it is left anywhere else."""

import pytest

SOURCE, TARGET = "canary-source-2c81a0", "canary-target-77f3e9"
STAGING = """\
[variables]
KEY = "{{ KEY }}"
OTHER = "{{ OTHER }}"
URL = "postgres://app:{{ KEY | urlencode }}@db/"
WRITTEN = { value = "canary-source-2c81a0", secret = true }
TYPED = "{{ dotenv:KEY }}"
"""
PROD = """\
protected = true
[variables]
KEY = "{{ KEY }}"
TYPED = { value = "{{ dotenv:TYPED }}", type = "port", required = false }
"""
STORES = {".env.staging", ".env.prod", ".env.prod.envkit-previous", "staging.toml"}
PROMOTE = ("promote", "staging", "prod")


@pytest.fixture
def shop(project, places):
    project.profile("staging.toml", STAGING).chmod(0o600)
    project.profile("prod.toml", PROD)
    project.dotenv("staging", f"KEY={SOURCE}\nOTHER={SOURCE}\n")
    project.dotenv("prod", f"KEY={TARGET}\n")
    project.environ |= {"ENVKIT_REASON": "REL-7", "ENVKIT_DEBUG": "1"}
    places.hidden = [SOURCE, TARGET]
    return places


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("--plan", 1),
        ("--plan --secrets --except TYPED", 1),
        ("--plan KEY --format json", 1),
        ("KEY --yes", 0),
        ("KEY OTHER URL --yes --format json", 0),
        ("--secrets --except TYPED --yes", 0),
        ("KEY", 2),  # no terminal to ask on
        ("--yes", 0),
        # promotions that fail
        ("WRITTEN --yes", 3),
        ("TYPED --yes", 3),
        ("--secrets --yes --format json", 3),
    ],
)
def test_promote_leaks_no_value(shop, arguments, status):
    shop.run(*PROMOTE, *arguments.split(), status=status)
    assert shop.traces() <= STORES
    if status == 0:
        log = shop.folders["XDG_STATE_HOME"] / "envkit" / "audit.jsonl"
        assert '"reason":"REL-7"' in log.read_text()


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 0), ("\x03", 130)])
def test_promote_shows_no_value_to_the_user_who_is_asked(shop, answer, status):
    shown, ended = shop.project.on_terminal(*PROMOTE, "KEY", answers=[("[y/N]", answer)])
    assert ended == status, shown
    shop.assert_quiet(shown)
    assert shop.traces() <= STORES
    assert (SOURCE in (shop.project.root / ".env.prod").read_text()) == (answer == "y\n")


def test_promote_of_a_file_that_cannot_be_read_leaks_no_value(shop):
    (shop.project.root / ".env.prod").write_text(f"X='{TARGET}\nY=1\n")
    shop.run(*PROMOTE, "KEY", "--yes", status=3)
    assert shop.traces() <= STORES
