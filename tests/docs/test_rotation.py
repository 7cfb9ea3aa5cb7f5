"""The pages on rotation list the keys, options, states, events and signatures of the code.

`tests/docs/test_commands.py` and `tests/live/test_rotation_pages.py` run their commands.
"""

import json
import re

import pytest
import typer

from envkit.cli.commands.rotate.group import rotate
from envkit.notification.channels import Channel, EventKind, Notice
from envkit.notification.delivery import deliver
from envkit.rotation.outcome import OutcomeStatus
from envkit.rotation.rotators.registry import BUILT_IN
from envkit.rotation.status import RotationState
from envkit.rotation_state import policy
from envkit.rotation_state.record import Phase
from support.hook_server import HookServer
from support.pages import ROOT, Shown, blocks, run, same
from support.rotating import DAY, stands

GUIDE = ROOT / "docs" / "guides"
PAGE = ROOT / "docs" / "reference" / "rotation.md"
NOTIFICATIONS = GUIDE / "rotation-notifications.md"
KEY = "k3y"


def table(heading, page=PAGE):
    """Return the text in backticks in the first column of the table below a heading."""
    _, found, rest = page.read_text(encoding="utf-8").partition(f"\n{heading}")
    assert found, f"{page.name} has no {heading}"
    rows = rest[rest.index("\n|") + 1 :].partition("\n\n")[0]
    return re.findall(r"^\| `([^`]+)`", rows, re.MULTILINE)


def block(name):
    [found] = [
        one.text for one in blocks(NOTIFICATIONS) if one.file == name or one.language == name
    ]
    return found


def test_the_reference_lists_every_key_of_a_rotation():
    assert sorted(table("## `[rotation.NAME]`")) == sorted(policy._KEYS)


def test_the_reference_lists_every_state_and_event():
    assert sorted(table("## States")) == sorted(RotationState)
    assert table("| `on` |", NOTIFICATIONS) == list(EventKind)


def test_the_reference_lists_every_outcome_and_phase():
    assert sorted(table("## Outcomes")) == sorted(OutcomeStatus)
    assert table("## Phases") == list(Phase)


def test_the_reference_lists_every_built_in_rotator():
    rows = re.findall(r"^\| \[(`.+`)\]\(rotators/", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(re.findall(r"`([\w-]+)`", " ".join(rows))) == sorted(BUILT_IN)


def test_the_reference_lists_every_option_that_rotate_does_not_share_with_all_commands():
    command = typer.main.get_command(rotate).commands["now"]
    options = {option for one in command.params for option in one.opts if option[:2] == "--"}
    listed = {text.split()[0] for text in table("## Options")} - {"envkit"}
    assert listed == options - {"--timeout", "--profiles", "--help"}


def test_documented_defaults_match_the_code():
    rows = PAGE.read_text(encoding="utf-8")
    said = dict(re.findall(r'^\| `(\w+)` \|.*\| `"(\w+)"` \|$', rows, re.MULTILINE))
    for key in ("grace", "timeout", "jitter"):
        assert policy.duration_seconds(said[key]) == policy.DEFAULTS[key], key
    assert '| `"1h"` with `schedule`; unlimited with `every` |' in rows
    assert policy.DEFAULTS["window"] == 3600


@pytest.fixture
def told():
    """What the page shows of a webhook's body, as one that was sent and signed."""
    shown = json.loads(block("json"))
    notice = Notice(**{key: shown[key] for key in Notice._fields})
    with HookServer() as server:
        deliver(notice, Channel("webhook", server.address, KEY, tuple(EventKind)))
        [received] = server.received
    return received


@pytest.fixture
def is_from_envkit():
    """The function that the page shows."""
    namespace = {}
    exec(compile(block("verify.py"), "verify.py", "exec"), namespace)
    return namespace["is_from_envkit"]


@pytest.fixture
def headers(told):
    return {name.title(): text for name, text in told.headers.items()}


def test_a_webhook_body_matches_the_documented_one(told):
    assert json.loads(told.body) == json.loads(block("json"))


def test_the_webhook_example_accepts_only_signed_requests(told, headers, is_from_envkit):
    assert is_from_envkit(headers, told.body, KEY)
    assert not is_from_envkit(headers, told.body + b" ", KEY), "the body was changed"
    assert not is_from_envkit(headers, told.body, "another"), "it is another one's key"
    assert not is_from_envkit({}, told.body, KEY), "it is not signed"
    later = {**headers, "Envkit-Timestamp": "1"}
    assert not is_from_envkit(later, told.body, KEY), "the time was changed"


def test_the_webhook_example_refuses_an_old_request(told, headers, is_from_envkit, monkeypatch):
    at = int(headers["Envkit-Timestamp"])
    monkeypatch.setattr("time.time", lambda: at + 301)
    assert not is_from_envkit(headers, told.body, KEY)


def test_an_overdue_rotation_is_shown_as_in_the_runbook(project):
    runbook = GUIDE / "runbook.md"
    [shown] = [one.text for one in blocks(runbook) if one.file == "overdue"]
    [profile] = [one.text for one in blocks(runbook) if one.file == "profiles/prod.toml"]
    project.profile("prod.toml", profile.partition("[rotation.api-token]")[0])
    project.dotenv("prod", "HOOK_TOKEN=made-up\n")
    stands(project, "prod", "hook-token", "HOOK_TOKEN", last_rotated_at=-40.5 * DAY)
    [told] = run([Shown("envkit rotate status", "")], project.root, {})
    expected = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "...", shown)
    assert same(expected, told), told
