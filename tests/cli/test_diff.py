"""`envkit diff` as a person meets it: what is shown, where it goes, and how it exits."""

import json
import re
import stat
from textwrap import dedent

import pytest

from support.terminal import run_on_terminal
from support.transcript import transcript

SECRET = "canary-7f3a9c"

STAGING = """\
[variables]
MODE = "staging"
LOG_LEVEL = { value = "debug", required = false }
KEY = "{{ KEY }}"
TOKEN = "{{ TOKEN }}"
SAME = "1"
"""
PROD = """\
[variables]
MODE = "prod"
LOG_LEVEL = "info"
KEY = "{{ KEY }}"
TOKEN = "{{ TOKEN }}"
SENTRY_DSN = "https://sentry.example.com/1"
SAME = "1"
"""


@pytest.fixture
def team(project):
    """Two environments that share a secret."""
    project.profile("staging.toml", STAGING)
    project.profile("prod.toml", PROD)
    project.dotenv("staging", f"KEY={SECRET}-shared\nTOKEN={SECRET}-1\n")
    project.dotenv("prod", f"KEY={SECRET}-shared\nTOKEN={SECRET}-2\n")
    return project


@pytest.fixture
def broken(team):
    """... of which staging asks a store that is not there."""
    text = STAGING + 'STORED = "{{ vault:secret/x#y }}"\n'
    source = 'address = "http://127.0.0.1:9"\nauth = { method = "token", token = "t" }\n'
    team.profile("staging.toml", f"[sources.vault]\n{source}{text}")
    team.profile("prod.toml", PROD + 'STORED = "x"\n')
    return team


def shown(done):
    return re.sub(r"\b[0-9a-f]{8}\b", "FINGERPR", transcript(done))


def test_two_environments(team):
    done = team.run("diff", "staging", "prod")
    assert shown(done) == dedent("""\
                        staging                          prod

        REUSED (1)  the same secret where each should have its own
          KEY           ******** 16-31 FINGERPR          ******** 16-31 FINGERPR
            ! the same secret in staging and prod
              give staging a value of its own: envkit set KEY --env staging

        MISSING (1)  not everywhere
          SENTRY_DSN    -                                https://sentry.example.com/1

        DIFFERENT (3)  not the same value
          LOG_LEVEL     debug                            info
            · required is no in staging, yes in prod
          MODE          staging                          prod
          TOKEN         ******** 8-15 FINGERPR           ******** 8-15 FINGERPR

        1 reused, 1 missing, 3 different, 1 the same (--all shows them)
        ******** is a secret, with the class of its length and a fingerprint: the same
        for the same value, in this report only.
        """)


def test_profiles_alone_need_no_store(broken):
    done = broken.run("diff", "--keys", "staging", "prod", "--all")
    assert transcript(done) == dedent("""\
                        staging                          prod

        MISSING (1)  not declared everywhere
          SENTRY_DSN    -                                https://sentry.example.com/1

        DIFFERENT (3)  not declared alike
          LOG_LEVEL     debug                            info
            · required is no in staging, yes in prod
          MODE          staging                          prod
          STORED        {{ vault:secret/x#y }}           ********
            · a placeholder in staging, written in profiles/prod.toml:8 in prod

        SAME (3)  declared alike
          KEY           {{ KEY }}                        {{ KEY }}
          SAME          1                                1
          TOKEN         {{ TOKEN }}                      {{ TOKEN }}

        1 missing, 3 different, 3 the same
        Profiles were compared and no store was asked: two placeholders count as the
        same.
        """)


@pytest.mark.parametrize("form", ["table", "json", "markdown", "html", "github"])
def test_no_format_shows_a_secret(team, form):
    done = team.run("diff", "staging", "prod", "--all", "--format", form, "--exit-code")
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    assert "MODE" in done.stdout


class TestExit:
    def test_with_0_unless_asked(self, team):
        assert team.run("diff", "staging", "prod").returncode == 0
        assert team.run("diff", "prod", "prod", "--exit-code").returncode == 0

    @pytest.mark.parametrize(
        ("options", "status"),
        [
            (["--exit-code"], 1),
            (["--fail-on", "reused"], 1),
            (["--fail-on", "unreadable,missing"], 1),
            (["--fail-on", "unreadable"], 0),
            (["--fail-on", "missing", "--except", "SENTRY_DSN"], 0),
            (["--exit-code", "--only", "SAME"], 0),
            (["--fail-on", "reused", "--fail-on", "different", "--only", "MODE"], 1),
        ],
    )
    def test_with_1_where_it_is_asked_for(self, team, options, status):
        assert team.run("diff", "staging", "prod", *options).returncode == status

    @pytest.mark.parametrize("keys", [(), ("--keys",)])
    @pytest.mark.parametrize("option", ["--only", "--except"])
    def test_with_2_for_a_name_that_none_has_or_that_is_empty(self, team, option, keys):
        """Nothing would be compared, and nothing found to differ."""
        done = team.run("diff", "staging", "prod", *keys, "--exit-code", option, "SENTRY_DNS")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert "no variable 'SENTRY_DNS' in staging, prod" in done.stderr
        assert "did you mean 'SENTRY_DSN'?" in done.stderr
        done = team.run("diff", "staging", "prod", *keys, "--exit-code", option, "")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert "an empty glob matches no variable" in done.stderr

    def test_with_1_for_what_is_missing_in_one_and_reused_in_two_others(self, team):
        team.profile("test.toml", (team.profiles / "staging.toml").read_text())
        team.dotenv("test", (team.root / ".env.staging").read_text())
        team.dotenv("prod", "TOKEN=other\n")
        done = team.run("diff", "staging", "test", "prod", "--only", "KEY", "--fail-on", "missing")
        assert "REUSED (1)" in done.stdout
        assert done.returncode == 1

    def test_with_5_where_a_store_failed_after_all_that_could_be_shown(self, broken):
        done = broken.run("diff", "staging", "prod", "--exit-code", "--timeout", "1")
        assert done.returncode == 5
        assert "STORED" in done.stdout.partition("UNREADABLE (1)")[2]
        assert "SENTRY_DSN" in done.stdout
        assert done.stderr.startswith("envkit: error: could not read everything of staging\n")

    def test_not_with_5_where_that_variable_is_left_out(self, broken):
        broken.root.joinpath(".envkit-ignore").write_text("STORED unreadable # not here\n")
        done = broken.run("diff", "staging", "prod", "--timeout", "1")
        assert (done.returncode, done.stderr) == (0, "")
        done = broken.run("diff", "staging", "prod", "--except", "STORED", "--timeout", "1")
        assert (done.returncode, done.stderr) == (0, "")

    def test_with_6_without_a_login(self, broken):
        text = (broken.profiles / "staging.toml").read_text()
        text = text.replace('token = "t"', 'token = "{{ env:NO_TOKEN }}"')
        broken.profile("staging.toml", text)
        done = broken.run("diff", "staging", "prod")
        assert done.returncode == 6
        assert "NO_TOKEN" in done.stdout

    def test_with_2_where_the_line_is_wrong(self, team):
        for arguments in (["staging"], ["a:b", "prod"], ["staging", "prod", "--fail-on", "reusd"]):
            done = team.run("diff", *arguments)
            assert done.returncode == 2, arguments
            assert "envkit: hint: " in done.stderr
        assert "did you mean 'reused'?" in done.stderr

    def test_with_3_where_a_profile_is_not_there(self, team):
        done = team.run("diff", "staging", "prd")
        assert done.returncode == 3
        assert "did you mean 'prod'?" in done.stderr


class TestIgnoreFile:
    def test_the_usual_one_is_taken_and_told_of(self, team):
        team.root.joinpath(".envkit-ignore").write_text("MODE # its name\nGONE # no more\n")
        done = team.run("diff", "staging", "prod", "--fail-on", "reused")
        assert "MODE" not in done.stdout
        assert "1 ignored" in " ".join(done.stdout.split())
        assert done.stderr == "envkit: note: .envkit-ignore:2: 'GONE' ignores nothing\n"
        assert done.returncode == 1

    def test_another_one(self, team):
        team.root.joinpath("accepted").write_text("* # all\n* reused # all\n")
        done = team.run("diff", "staging", "prod", "--ignore-file", "accepted", "--exit-code")
        assert done.returncode == 0
        assert team.run("diff", "staging", "prod", "--ignore-file", "none").returncode == 3

    def test_a_line_without_a_reason_is_refused(self, team):
        team.root.joinpath(".envkit-ignore").write_text("MODE\n")
        done = team.run("diff", "staging", "prod")
        assert done.returncode == 3
        assert ".envkit-ignore:1: MODE is ignored without a reason" in done.stderr


class TestReveal:
    def test_not_into_a_pipe_or_a_file(self, team):
        for options in ([], ["-o", "report"]):
            done = team.run("diff", "staging", "prod", "--reveal", *options)
            assert done.returncode == 2
            assert SECRET not in done.stdout
        assert not (team.root / "report").exists()

    def test_where_it_is_said_twice(self, team):
        done = team.run("diff", "staging", "prod", "--reveal", "--yes")
        assert f"{SECRET}-shared" in done.stdout
        done = team.run("diff", "staging", "prod", "--reveal", "-y", "-o", "report", "-f", "json")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        report = team.root / "report"
        assert SECRET in report.read_text()
        assert stat.S_IMODE(report.stat().st_mode) == 0o600

    def test_on_a_terminal(self, team):
        text, status = run_on_terminal("diff", "staging", "prod", "--reveal", cwd=team.root)
        assert status == 0
        assert f"{SECRET}-shared" in text


class TestOutput:
    def test_on_a_terminal_in_colour_and_its_width(self, team):
        text, _ = run_on_terminal("diff", "staging", "prod", cwd=team.root, columns=100)
        assert "\x1b[1;31mREUSED (1)" in text
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
        assert 80 < max(map(len, lines)) <= 100

    def test_without_colour(self, team):
        same = ["diff", "prod", "prod"]
        text, _ = run_on_terminal(*same, cwd=team.root, env={"NO_COLOR": "1"}, columns=80)
        assert text == team.run(*same).stdout
        assert text == "prod and prod are the same: 6 variables (--all shows them)\n"

    def test_into_a_file(self, team):
        done = team.run("diff", "staging", "prod", "--format", "html", "--output", "diff.html")
        assert (done.returncode, done.stdout) == (0, "")
        assert (team.root / "diff.html").read_text().startswith("<!doctype html>")

    def test_a_file_that_cannot_be_written(self, team):
        done = team.run("diff", "staging", "prod", "-o", "no/such/folder")
        assert done.returncode == 2
        assert "cannot write no/such/folder" in done.stderr

    def test_json_can_be_read_by_programs(self, team):
        found = json.loads(team.run("diff", "staging", "prod", "-f", "json").stdout)
        assert found["counts"] == {
            "reused": 1, "unreadable": 0, "missing": 1, "different": 3, "same": 1,
        }  # fmt: skip
        assert found["entries"][0]["name"] == "KEY"

    def test_a_locale_that_has_no_such_character(self, team):
        team.profile("prod.toml", PROD.replace('"prod"', '"prød 中"'))
        done = team.run("diff", "staging", "prod", env={"PYTHONIOENCODING": "ascii"})
        assert (done.returncode, done.stderr) == (0, "")
        assert r"pr\xf8d \u4e2d" in done.stdout


class TestSides:
    def test_a_file_and_this_process(self, team):
        team.root.joinpath("copy").write_text("MODE=prod\nEXTRA=1\n")
        done = team.run("diff", "prod", "file:copy", "env:", "--only", "MODE", env={"MODE": "x"})
        line = next(line for line in done.stdout.splitlines() if "MODE" in line)
        assert "MODE" in line
        assert "prod" not in line, "a file may have a secret under any name"
        done = team.run("diff", "prod", "env:", env={"MODE": "prod"})
        assert "more variables of env: are not compared" in done.stderr

    def test_without_any_profile(self, tmp_path, project):
        project.profiles.rmdir()
        for name in "ab":
            project.root.joinpath(name).write_text(f"X={name}\n")
        done = project.run("diff", "file:a", "file:b", "--exit-code")
        assert (done.returncode, done.stderr) == (1, "")
