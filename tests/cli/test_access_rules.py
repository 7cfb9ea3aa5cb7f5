"""What `[access]` in a profile asks of a person, and that it asks nothing of a service."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest

from envkit.audit.session import Access
from envkit.profile.loader import load
from support.backups import new_keys
from support.hook_server import HookServer
from support.process import run_envkit
from support.transcript import transcript

APP = ("--", "true")
USES = {
    "exec": ("exec", "-e", "prod"),
    "exec that stays": ("exec", "-e", "prod", "--supervise"),
    "get": ("get", "PASSWORD", "-e", "prod"),
    "export": ("export", "-e", "prod"),
    "show": ("show", "-e", "prod", "--reveal", "--yes"),
    "diff": ("diff", "dev", "prod", "--reveal", "--yes"),
    "diff of a file": ("diff", "file:.env.dev", "file:.env.prod", "--reveal", "--yes"),
    "set": ("set", "PASSWORD", "-e", "prod"),
    "unset": ("unset", "URL", "-e", "prod"),
    "rollback": ("rollback", "PASSWORD", "-e", "prod", "--yes"),
    "edit": ("edit", "-e", "prod"),
    "promote": ("promote", "dev", "prod", "NEW", "--yes"),
    "rotate": ("rotate", "-e", "prod", "token"),
    "import": ("import", "more.env", "-e", "prod", "--replace", "--yes"),
    "import of a file": ("import", ".env.prod", "-e", "dev", "--replace", "--yes"),
    "env set": ("env", "set", "URL", "-e", "prod"),
    "env edit": ("env", "edit", "-e", "prod"),
    "env encrypt": ("env", "encrypt", "-e", "prod"),
    "env init": ("env", "init", "-e", "prod"),
    "env decrypt": ("env", "decrypt", "-e", "prod", "--yes"),
    "env decrypt of a file": ("env", "decrypt", "--file", ".env.prod", "--yes"),
    "env rotate-key": ("env", "rotate-key", "-e", "prod"),
    "env migrate": ("env", "migrate", "-e", "prod", "--to", "other", "--yes"),
    "scan": ("scan", "profiles", "-e", "prod"),
    "backup": ("backup", "-e", "prod", "-o", "new.age"),
    "restore": ("restore", "old.age", "-i", "key.txt", "--yes", "--only", "PASSWORD"),
}
ENCRYPTED = (
    *("env set", "env edit", "env encrypt", "env decrypt", "env rotate-key"),
    "env decrypt of a file",
)
# what they do before they know the profile, or to find it, needs the file
WITH_FILE = (
    *("rollback", "restore", "import", "env migrate", "env init", *ENCRYPTED),
    *("diff of a file", "import of a file"),
)
# the value in the reason, of those that the command reads or writes
PASTED = {
    **dict.fromkeys(("set", "import", "env set"), "hunter3"),
    "unset": "hunter2-url",
    "promote": "hunter2-new",
    "rotate": "hunter2-token",
}
STATUS = {"env migrate": 1}  # a value that is rotated stays where it is
EDITOR = {"EDITOR": "sed -i s/hunter2/hunter3/"}
ALWAYS = "Mon-Sun 00:00-24:00 UTC"
OTHER = """
[sources.other]
type = "dotenv"
path = ".env.other"
"""
ROTATION = """
[rotation.token]
secret = "dotenv:TOKEN"
rotator = "random"
every = "30d"
grace = "0s"
"""


def never() -> str:
    """Return hours of a day that is three days away, whenever the test ends."""
    day = time.strftime("%a", time.gmtime(time.time() + 3 * 86_400))
    return f"{day} 00:00-24:00 UTC"


class Team:
    """A project whose use is reported to a server."""

    def __init__(self, project, server):
        self.project = project
        self.server = server
        self.hours(ALWAYS)
        project.profile("dev.env", "PASSWORD={{PASSWORD}}\nURL=x\nNEW={{NEW}}\n")
        project.dotenv("prod", "PASSWORD=hunter2\nURL=hunter2-url\nTOKEN=hunter2-token\n")
        project.dotenv("dev", "PASSWORD=hunter2-of-dev\nNEW=hunter2-new\n")

    def hours(self, text, notify=None):
        webhook = f'{{ webhook = "{self.server.address}/x" }}'
        self.project.profile(
            "prod.toml",
            f'[access]\nhours = "{text}"\nnotify = [{notify or webhook}]\n[variables]\n'
            'PASSWORD = "{{ PASSWORD }}"\nURL = { value = "{{ URL }}", required = false }\n'
            f'TOKEN = "{{{{ dotenv:TOKEN }}}}"\n{OTHER}{ROTATION}',
        )

    def use(self, command, *options, env=None):
        arguments = [*USES[command], *options, *(APP if command.startswith("exec") else ())]
        if command == "rollback":
            self.prepare("set", "PASSWORD", "-e", "prod", input="hunter4")
        if command in ENCRYPTED:
            self.prepare("env", "init", "-e", "prod")
        if command in ("backup", "restore"):
            keys = new_keys(self.project.root)
            arguments += ["--to", keys.recipient] if command == "backup" else []
        if command == "restore":
            self.prepare("backup", "-e", "prod", "-o", "old.age", "--to", keys.recipient)
            self.project.dotenv("prod", "URL=u\nTOKEN=t\n")
        if command == "import":
            (self.project.root / "more.env").write_text("PASSWORD=hunter3\n")
        return self.project.run(*arguments, env={**EDITOR, **(env or {})}, input="hunter3")

    def prepare(self, *arguments, **more):
        done = self.project.run(*arguments, **more)
        assert done.returncode == 0, done.stderr
        self.server.received.clear()
        if self.project.records():
            self.forget()

    def forget(self):
        (self.project.root / "state" / "envkit" / "audit.jsonl").unlink()

    def notices(self):
        return [json.loads(one.body) for one in self.server.received]


@pytest.fixture
def team(project):
    with HookServer() as server:
        yield Team(project.logged(), server)


@pytest.mark.parametrize("command", USES)
def test_a_use_by_a_person_is_recorded_and_reported_without_any_value(team, command):
    reason = f"INC-7: {PASTED.get(command, 'hunter2')}!"
    done = team.use(command, "--reason", reason)
    assert done.returncode == STATUS.get(command, 0), done.stderr
    notices = team.notices()
    assert [one["reason"] for one in team.project.records()][-1] == "INC-7: (a secret)!"
    assert {one["command"] for one in notices} == {re.sub(" (that|of) .*", "", command)}
    for one in notices:
        assert (one["event"], one["profile"]) == ("access", "prod")
        assert one["reason"] == "INC-7: (a secret)!"
        assert one["names"] or command in ("env rotate-key", "env init")
    assert "hunter" not in str(notices)


def test_a_token_that_was_pasted_into_the_reason_is_in_no_record(team):
    profile = '[sources.vault]\nmount = "a"\n[variables]\nX = "{{ vault:a#b }}"\n'
    team.project.profile("vault.toml", profile)
    token = "hvs.made-up-4c1d"
    env = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": token, "ENVKIT_REASON": f"as {token}"}
    done = team.project.run("get", "X", "-e", "vault", "--timeout", "0.3", env=env)
    assert "connection refused" in done.stderr
    assert [one["reason"] for one in team.project.records()] == ["as (a secret)"]


@pytest.mark.parametrize("command", USES)
def test_a_service_is_neither_reported_nor_refused_at_any_hour(team, command):
    team.hours(never())
    done = team.use(command, env={"ENVKIT_REASON": "nightly"})
    assert done.returncode == STATUS.get(command, 0), done.stderr
    assert team.notices() == []
    assert all("break_glass" not in one for one in team.project.records())


@pytest.mark.parametrize("command", USES)
def test_a_person_is_refused_outside_the_hours_before_a_store_is_asked(team, command):
    hours = never()
    team.hours(hours)
    if command not in WITH_FILE:
        (team.project.root / ".env.prod").unlink()  # a store that is asked would say so
    done = team.use(command, "--reason", "INC-7")
    assert done.returncode == 6
    assert done.stderr == (
        f"envkit: error: outside the hours for people: prod is open {hours} [outside-hours]\n"
        "envkit: hint: in an emergency, add --break-glass --reason TEXT; the use is reported "
        "as such\n"
    )
    opened = ["outside-hours"] if command == "restore" else []  # it has decrypted the backup
    assert [one["outcome"] for one in team.project.records()] == opened
    assert team.notices() == []


@pytest.mark.parametrize("command", USES)
def test_a_person_who_breaks_the_glass_is_served_marked_in_the_log_and_reported(team, command):
    team.hours(never())
    done = team.use(command, "--break-glass", "--reason", "INC-8")
    assert done.returncode == STATUS.get(command, 0), done.stderr
    assert {(one["event"], one["reason"]) for one in team.notices()} == {("break-glass", "INC-8")}
    records = team.project.records()
    assert records
    assert all(one["break_glass"] is True and one["reason"] == "INC-8" for one in records)


@pytest.mark.parametrize("command", ["exec", "get", "set", "show"])
def test_break_glass_needs_a_reason(team, command):
    team.hours(never())
    done = team.use(command, "--break-glass")
    assert transcript(done) == (
        "2> envkit: error: --break-glass needs a reason [reason-missing]\n"
        "2> envkit: hint: add --reason TEXT, or set ENVKIT_REASON\n"
        "[6]\n"
    )
    assert (team.notices(), team.project.records()) == ([], [])


def test_a_person_on_a_terminal_needs_no_reason_to_be_a_person(team):
    assert team.project.on_terminal("get", "PASSWORD", "-e", "prod")[1] == 0
    assert [one["event"] for one in team.notices()] == ["access"]
    team.hours(never())
    assert team.project.on_terminal("get", "PASSWORD", "-e", "prod")[1] == 6


def test_later_reads_of_a_running_app_are_recorded_and_not_reported(team, monkeypatch):
    for name, value in team.project.environ.items():
        monkeypatch.setenv(name, value)
    access = Access("exec", reason="INC-7")
    access.allow([load("prod", str(team.project.profiles))], ["URL"])
    access.record(["URL"], {})
    access.stop_reporting()
    access.record(["URL"], {})
    assert (len(team.notices()), len(team.project.records())) == (1, 2)


@pytest.mark.parametrize("command", [("set", "KEY"), ("decrypt", "--yes")])
def test_a_use_of_any_file_of_a_profile_follows_its_rules_in_any_folder(team, command):
    file = str(team.project.root / ".env.other")  # of a source that no variable uses
    team.prepare("env", "init", "--file", file)
    use = ("env", *command, "--file", file, "--reason", "INC-7")
    for hours, status in ((never(), 6), (ALWAYS, 0)):
        team.hours(hours)
        done = run_envkit(*use, env=team.project.environ, cwd="/", input="hunter3")
        assert done.returncode == status, done.stderr
    ((notice,), (record,)) = (team.notices(), team.project.records())
    assert (notice["profile"], record["profiles"]) == ("prod", ["prod"])


def test_on_a_terminal_break_glass_asks_for_the_reason(team):
    team.hours(never())
    command = ("get", "PASSWORD", "-e", "prod", "--break-glass")
    answers = [("--break-glass needs a reason. Reason:", "INC-8\n")]
    assert team.project.on_terminal(*command, answers=answers)[1] == 0
    assert [one["reason"] for one in team.notices()] == ["INC-8"]


def test_all_changes_of_a_command_are_one_report(team):
    team.project.dotenv("prod", "TOKEN=t\n")
    team.project.dotenv("old", "PASSWORD=hunter2\nURL=u\n")
    (team.project.root / ".env.old").rename(team.project.root / "more.env")
    done = team.project.run("import", "more.env", "-e", "prod", "--yes", "--reason", "INC-7")
    assert done.returncode == 0, done.stderr
    assert [one["names"] for one in team.notices()] == [["PASSWORD", "URL"]]


def test_a_backup_that_lacks_a_secret_is_reported_with_what_it_has(team):
    team.project.dotenv("prod", "PASSWORD=hunter2\nURL=u\n")
    done = team.use("backup", "--reason", "INC-7")
    assert done.returncode == 4, done.stderr
    assert [one["command"] for one in team.notices()] == ["backup"]


def test_a_scan_of_all_local_values_is_not_reported_and_skips_closed_environments(team):
    scan = ("scan", "profiles", "--reason", "INC-7")
    assert "its hours" not in team.project.run(*scan).stderr
    team.hours(never())
    done = team.project.run(*scan)
    assert done.returncode == 0
    assert "the values of prod, because it is outside its hours" in done.stderr
    assert team.notices() == []
    assert "its hours" not in team.project.run(*scan, "--break-glass").stderr
    assert [one["event"] for one in team.notices()] == ["break-glass"]


def test_a_scan_in_ci_rotates_a_leaked_value_at_any_hour(team):
    leaked = "5d0c7e1f9b3a4826"
    team.hours(never())
    path = team.project.dotenv("prod", f"PASSWORD=hunter2\nURL=u\nTOKEN={leaked}\n")
    (team.project.root / "notes.txt").write_text(f"{leaked}\n")
    done = team.project.run("scan", "notes.txt", "-e", "prod", "--rotate", "--yes")
    assert done.returncode == 1, done.stderr
    assert leaked not in path.read_text(), done.stderr
    assert team.notices() == []
    [reason] = {one["reason"] for one in team.project.records() if one["command"] == "rotate"}
    assert reason == "envkit scan found it in notes.txt:1"


def test_a_report_that_fails_is_a_warning_and_a_record_and_stops_nothing(team):
    team.server.status = 500
    done = team.use("get", "--reason", "INC-7")
    assert transcript(done) == (
        "hunter2%\n2> envkit: warning: cannot notify the webhook at "
        f"{team.server.address}: it answered 500\n"
    )
    used, failed = team.project.records()
    assert (used["outcome"], failed["outcome"]) == ("ok", "notice-failed")
    assert failed["names"] == ["PASSWORD"]


def test_a_webhook_that_hangs_delays_a_command_and_stops_nothing(team):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        team.hours(ALWAYS, f'{{ webhook = "{address}/t0ken" }}')
        done = team.use("exec", "--reason", "INC-7")
    assert done.returncode == 0
    assert "cannot notify the webhook" in done.stderr
    assert "t0ken" not in done.stderr
    assert [one["outcome"] for one in team.project.records()] == ["ok", "notice-failed"]


def test_a_use_that_fails_is_recorded_and_not_reported(team):
    (team.project.root / ".env.prod").unlink()
    assert team.use("get", "--reason", "INC-7").returncode == 4
    assert team.notices() == []
    assert [one["outcome"] for one in team.project.records()] == ["value-absent"]


def test_a_channel_that_the_user_does_not_trust_refuses_a_person_and_no_service(team):
    team.hours(ALWAYS, '{ command = ["sh", "-c", "touch told"] }')
    refused = team.use("get", "--reason", "INC-7")
    assert refused.returncode == 6
    assert "[untrusted-profile]" in refused.stderr
    assert team.use("get").stdout == "hunter2"
    assert not (team.project.root / "told").exists()
    listed = team.project.run("trust", "--list").stdout
    assert "sh -c 'touch told' with a report of each use of prod" in listed
    trusted = team.use("get", "--reason", "INC-7", env={"ENVKIT_TRUST": "1"})
    assert trusted.returncode == 0
    assert (team.project.root / "told").exists()


def test_a_rotation_outside_the_hours_of_its_profile_stops_no_other(team):
    team.project.profile("eu.toml", f'[variables]\nX = "x"\n{ROTATION}'.replace("TOKEN", "EU"))
    team.project.dotenv("eu", "EU=1\n")
    team.hours(never())
    done = team.project.run("rotate", "--all", "--reason", "INC-7")
    assert done.returncode == 1
    assert "outside the hours for people" in done.stderr
    assert "EU=1\n" not in (team.project.root / ".env.eu").read_text()
    assert "TOKEN=hunter2-token" in (team.project.root / ".env.prod").read_text()
    assert team.notices() == []


def test_check_finds_access_rules_that_would_refuse_a_person(team):
    team.hours("Mon-Fry 08:00-19:00 UTC")
    done = team.project.run("check", "-e", "prod", "--offline")
    assert done.returncode == 1
    assert "profiles/prod.toml:2" in done.stdout
    assert "'Fry' is not a day of the week" in done.stdout


def test_audit_show_marks_a_use_with_break_glass(team):
    team.use("get", "--break-glass", "--reason", "INC-8")
    team.use("get")
    lines = team.project.run("audit", "show").stdout.splitlines()[1:]
    assert ["ok, break-glass" in line for line in lines] == [True, False]


def test_invalid_hours_refuse_a_person_and_neither_a_service_nor_an_emergency(team):
    team.hours("Mon-Fry 08:00-19:00 UTC")
    refused = team.use("get", "--reason", "INC-7")
    assert refused.returncode == 3
    assert "profiles/prod.toml:2: [access]: 'hours': 'Fry' is not a day" in refused.stderr
    assert team.use("get").returncode == 0
    assert team.use("get", "--break-glass", "--reason", "INC-8").returncode == 0


def test_the_shell_hook_never_loads_a_profile_with_access_rules(team):
    done = team.project.run("trust", "--hook", "--env", "prod")
    assert done.returncode == 6
    assert "the shell hook never loads it" in done.stderr


def test_the_agent_never_keeps_a_profile_with_access_rules(team, agent):
    for _ in range(2):
        done = team.use("get", "--reason", "INC-7", env=agent.environ)
        assert done.stdout == "hunter2"
    assert len(team.notices()) == 2
