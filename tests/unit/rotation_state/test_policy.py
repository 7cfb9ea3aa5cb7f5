"""The tables `[rotation.NAME]`: their meaning, and the errors of invalid ones."""

import pytest

from envkit.errors import ProfileError
from envkit.profile.loader import load
from envkit.profile.placeholder import Reference
from envkit.rotation_state.policy import policy as read_policy
from envkit.rotation_state.schedule import Timing

DAY = 86_400.0
MINIMAL = 'secret = "dotenv:KEY"\nrotator = "random"\nevery = "30d"\n'


def read(project, body, name="prod"):
    project.profile(f"{name}.toml", body)
    profile = load(name, str(project.profiles))
    return {name: read_policy(profile, name) for name in profile.rotations}


def refused(project, body):
    """Return message and hint for a table with this body, which begins in line 2."""
    with pytest.raises(ProfileError) as caught:
        read(project, f"[rotation.db]\n{body}")
    assert "\n" not in caught.value.message
    return f"{caught.value.message} ({caught.value.hint})"


def test_a_rotation_table_is_read_with_all_its_keys(project):
    found = read(
        project,
        """
[rotation.db-password]
secret = "vault:db#password"
rotator = "postgres"
schedule = "0 3 * * SUN"
timezone = "Europe/Berlin"
window = "2h"
jitter = "10m"
grace = "20m"
cache_age = "5m"
timeout = "90s"
strategy = "single"
target = { dsn = "postgresql://admin:{{ vault:db-admin#password }}@db/app", users = ["a", "b"] }
before = [["true"]]
after = [["systemctl", "reload", "app"], ["true"]]
generate = { length = 32 }
notify = [
  { webhook = "https://hooks.example.com", key = "{{ vault:hooks#key }}", on = ["failure"] },
  { command = ["logger", "rotated"] },
]
""",
    )
    (policy,) = found.values()
    assert policy.full_name == "prod/db-password"
    assert policy.secret == Reference("vault", "db", "password")
    assert policy.timing == Timing(0.0, "0 3 * * SUN", "Europe/Berlin", 7200.0, 600.0, 1200.0)
    assert (policy.rotator, policy.strategy, policy.timeout_seconds) == ("postgres", "single", 90.0)
    assert policy.cache_age_seconds == 300.0
    assert policy.after == (("systemctl", "reload", "app"), ("true",))
    assert [channel.kind for channel in policy.notify] == ["webhook", "command"]
    assert policy.notify[0].on == ("failure",)
    assert policy.notify[1].on == ("success", "failure", "overdue", "quarantine", "blocked")
    assert str(policy.place).endswith("prod.toml:3")


def test_a_minimal_rotation_table_gets_its_defaults(project):
    policy = read(project, f"[rotation.key]\n{MINIMAL}")["key"]
    assert (policy.strategy, policy.timeout_seconds) == ("alternate", 300.0)
    assert policy.timing.window_seconds is None, "from when it is due until it is done"
    assert (policy.timing.grace_seconds, policy.timing.jitter_seconds) == (900.0, 0.0)
    assert policy.cache_age_seconds is None, "the cache age is unknown"
    scheduled = MINIMAL.replace('every = "30d"', 'schedule = "0 3 * * SUN"')
    assert read(project, f"[rotation.key]\n{scheduled}")["key"].timing.window_seconds == 3600.0


@pytest.mark.parametrize(
    ("rotator", "lines", "wanted"),
    [
        ("postgres", "", ("unused", DAY)),
        ("postgres", 'grace = "3h"', ("unused", 30 * 3600)),
        ("postgres", 'grace = "3h"\ngrace_limit = "3h"', ("unused", 3 * 3600)),
        ("postgres", 'strategy = "single"', ("grace", DAY)),
        ("postgres", 'retire_when = "grace"', ("grace", DAY)),
        ("aws-iam-key", "", ("unused", DAY)),
        ("redis", "", ("grace", DAY)),
        ("redis", 'retire_when = "limit"\ngrace_limit = "2d"', ("limit", 2 * DAY)),
        ("random", "", ("grace", DAY)),
    ],
)
def test_the_retirement_of_an_old_value_depends_on_the_rotator(project, rotator, lines, wanted):
    body = MINIMAL.replace("random", rotator)
    policy = read(project, f"[rotation.key]\n{body}{lines}")["key"]
    assert (policy.retire_when, policy.grace_limit_seconds) == wanted


def test_a_grace_period_of_zero_is_accepted(project):
    policy = read(project, f'[rotation.key]\n{MINIMAL}grace = "0s"')["key"]
    assert policy.timing.grace_seconds == 0


def test_a_profile_overrides_its_base_key_by_key(project):
    project.profile(
        "base.toml", f'[rotation.key]\n{MINIMAL}grace = "20m"\ntarget = {{ a = "1" }}\n'
    )
    policy = read(project, 'extends = "base"\n[rotation.key]\nevery = "7d"\ntarget = { b = "2" }')[
        "key"
    ]
    assert policy.timing.every_seconds == 7 * 86400
    assert policy.timing.grace_seconds == 1200
    assert policy.target == {"b": "2"}, "a table in it is taken as a whole"
    assert str(policy.place).endswith("base.toml:2")
    assert policy.full_name == "prod/key"


def test_the_more_specific_of_every_and_schedule_is_used(project):
    project.profile("base.toml", f"[rotation.key]\n{MINIMAL}")
    extended = 'extends = "base"\n[rotation.key]\nschedule = "0 3 * * *"'
    timing = read(project, extended)["key"].timing
    assert (timing.schedule, timing.every_seconds) == ("0 3 * * *", 0.0)


def test_the_repr_of_a_policy_shows_no_setting(project):
    notify = 'notify = { webhook = "https://hooks.example.com/t0ken", key = "t0ken" }\n'
    policy = read(project, f'[rotation.key]\n{MINIMAL}{notify}target = {{ dsn = "t0ken" }}')["key"]
    assert "t0ken" not in f"{policy!r} {policy} {policy.notify!r}"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "prod.toml:1: [rotation.db]: 'secret' is missing"),
        ('secret = "dotenv:K"\nevery = "1d"', "'rotator' is missing"),
        (
            'secret = "dotenv:K"\nrotator = "random"',
            "'every' or 'schedule' is missing (write every",
        ),
        (
            f'{MINIMAL}schedul = "x"',
            "prod.toml:5: [rotation.db]: unknown key 'schedul' (did you mean 'schedule'?)",
        ),
        (f'{MINIMAL}schedule = "0 3 * * *"', "prod.toml:5: [rotation.db]: both"),
        (f"{MINIMAL}grace = 15", "prod.toml:5: [rotation.db]: 'grace' must be a string"),
        (f'{MINIMAL}grace = "15 minutes"', "prod.toml:5: [rotation.db]: 'grace' is not a"),
        (f'{MINIMAL}retire_when = "unusd"', "'unusd' of 'retire_when' (did you mean 'unused'?)"),
        (f'{MINIMAL}grace_limit = "1d"', "prod.toml:5: [rotation.db]: 'grace_limit' has no effect"),
        (
            f'{MINIMAL}retire_when = "unused"\ngrace_limit = "5m"',
            "prod.toml:6: [rotation.db]: 'grace_limit' is shorter than 'grace'",
        ),
        (f'{MINIMAL}grace_limit = "soon"', "'grace_limit' is not a duration"),
        (f'{MINIMAL}timeout = "0s"', "'timeout' is not a duration"),
        (f'{MINIMAL}grace = "30d"', "before the grace period of the last one ends"),
        (f'{MINIMAL}strategy = "alternating"', "'alternating' (did you mean 'alternate'?)"),
        (f'{MINIMAL}window = "5m"\njitter = "10m"', "'jitter' is not shorter"),
        (f'{MINIMAL}timezone = "Europe/Berlim"', "(did you mean 'Europe/Berlin'?)"),
        (f'{MINIMAL}before = ["systemctl", "reload"]', "write before = [["),
        (f'{MINIMAL}after = [["echo", "{{{{ dotenv:K }}}}"]]', "in the process list"),
        (
            f'{MINIMAL}target = {{ dsn = "{{{{ vault:" }}',
            "prod.toml:5: [rotation.db]: 'target': the reference names",
        ),
        (f'{MINIMAL}notify = {{ webhook = "x", slack = "y" }}', "one of webhook, slack and"),
        (f'{MINIMAL}notify = {{ slack = "x", key = "y" }}', "which slack does not use"),
        (f'{MINIMAL}notify = {{ slack = "x", on = ["fail"] }}', "(did you mean 'failure'?)"),
        (f'{MINIMAL}notify = {{ webhok = "x" }}', "(did you mean 'webhook'?)"),
        (f'{MINIMAL}notify = ["x"]', "not a table"),
        (MINIMAL.replace("dotenv:KEY", "dotenvs:KEY"), "unknown source 'dotenvs' (did you mean"),
        (MINIMAL.replace("dotenv:KEY", "KEY"), '(write secret = "dotenv:KEY"'),
        (MINIMAL.replace("dotenv:KEY", "{{ dotenv:KEY }}"), "not a reference (write secret"),
        (MINIMAL.replace("dotenv:KEY", "dotenv:KEY | trim"), "not a reference"),
        (MINIMAL.replace("dotenv:KEY", "vault:a?version=3#b"), "names a version"),
        (MINIMAL.replace('every = "30d"', 'schedule = "61 * * * *"'), "expression: bad minute"),
        (MINIMAL.replace('every = "30d"', 'schedule = "0 0 31 2 *"'), "not a cron expression"),
        (MINIMAL.replace('every = "30d"', 'schedule = "@daily"'), "five fields"),
        (
            MINIMAL.replace('every = "30d"', 'schedule = "*/5 * * * *"'),
            "grace period of the last one",
        ),
    ],
)
def test_an_invalid_rotation_is_reported_with_its_place(project, body, told):
    assert told in refused(project, body)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("rotation = 3", "'rotation' must be a table"),
        ("[rotation]\ndb = 3", "prod.toml:2: 'db' must be a table"),
        ('[rotation."a b"]\n', "cannot be the name of a rotation"),
    ],
)
def test_a_rotation_that_is_not_a_table_is_reported_when_the_profile_is_loaded(
    project, profile, told
):
    with pytest.raises(ProfileError) as caught:
        read(project, profile)
    assert told in f"{caught.value.message} {caught.value.hint}"


def test_an_invalid_rotation_does_not_prevent_an_app_from_starting(project):
    """Only rotation commands parse the tables."""
    project.profile("prod.toml", "[rotation.db]\nnonsense = 1\n[variables]\nA = 1\n")
    assert project.run("get", "A", "--env", "prod").stdout == "1"
