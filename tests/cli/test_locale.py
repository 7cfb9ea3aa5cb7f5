"""Text is UTF-8 in every locale: input and output have the same bytes as in a UTF-8 locale.

These tests use the locales that every machine has; `tests/extra` generates others.
"""

import json
import os
import subprocess
import sys

import pytest

from support.locales import MIXED, RAW, UTF8, run_session
from support.process import ENVKIT, environment, program, run_python

# Python treats the locale C as UTF-8 by default
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
MISSING = {**ASCII, "LC_ALL": "xx_XX.ISO-8859-1", "PYTHONIOENCODING": "ascii:strict"}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return run_session(tmp_path_factory.mktemp("utf-8"), UTF8)


def test_values_and_arguments_reach_the_app_byte_for_byte_in_every_locale(expected):
    answer = expected.answers[0]
    token = "p€漢".encode()
    url = "https://ü:p%E2%82%AC%E6%BC%A2@ß".encode()
    values = [RAW, MIXED, token, url, "größe".encode(), "ü€漢".encode(), RAW, MIXED]
    assert (
        answer.stdout == b"".join(value + b"\n" for value in values) + b"ROOT/pr\xe4 \xe2\x82\xac\n"
    )
    assert expected.files["gehört".encode()] == "ä€漢 ".encode() + MIXED
    assert expected.files["wërte €.env".encode()] == "TOKEN='nëu'\nKEY=NEW\n".encode()


def test_no_command_ends_with_an_internal_error_in_any_locale(expected):
    assert [answer for answer in expected.answers if answer.status not in (0, 2, 3, 127)] == []


def test_the_locale_changes_neither_output_nor_files(expected, tmp_path):
    found = run_session(tmp_path, MISSING)
    for answer, as_expected in zip(found.answers, expected.answers, strict=True):
        assert answer == as_expected
    assert found.files == expected.files


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        (UTF8, "größe € 漢"),
        ({"LC_ALL": "C"}, "größe € 漢"),
        (ASCII, r"gr\xf6\xdfe \u20ac \u6f22"),
        ({**UTF8, "PYTHONIOENCODING": "ascii:strict"}, r"gr\xf6\xdfe \u20ac \u6f22"),
        ({**ASCII, "PYTHONIOENCODING": "utf-8"}, "größe € 漢"),
    ],
)
def test_a_terminal_shows_the_characters_of_its_locale_and_escapes_the_rest(project, locale, shown):
    project.profile("dev.toml", '[variables]\nNOTE = "größe € 漢"\n')
    screen, status = project.on_terminal("show", "--env", "dev", env=locale)
    assert (shown in screen, status) == (True, 0)


@pytest.mark.parametrize("locale", [UTF8, ASCII, MISSING])
def test_typed_values_are_read_byte_for_byte_in_every_locale(project, locale):
    project.profile("dev.toml", 'protected = true\n[variables]\nA = "{{ A }}"\n')
    project.dotenv("dev", "A=1\n")
    typed = [("Reason:", "für \udce4\n"), ("A: ", "zü€漢\n"), ("Again: ", "zü€漢\n")]
    project.logged()
    screen, status = project.on_terminal("set", "A", "--env", "dev", env=locale, answers=typed)
    assert status == 0, screen
    assert "zü" not in screen
    assert (project.root / ".env.dev").read_bytes() == "A='zü€漢'\n".encode()
    assert [record["reason"] for record in project.records()] == ["für ?"]


@pytest.mark.parametrize("locale", [UTF8, ASCII])
def test_a_typed_value_that_the_file_cannot_store_is_refused(project, locale):
    project.profile("dev.toml", '[variables]\nA = "{{ A }}"\n')
    project.dotenv("dev", "A=1\n")
    typed = [("A: ", "z\udce4\n"), ("Again: ", "z\udce4\n")]
    screen, status = project.on_terminal("set", "A", "--env", "dev", env=locale, answers=typed)
    assert "A is not UTF-8 text, as a .env file requires" in screen
    assert status == 3


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C"}])
def test_the_editor_gets_the_lc_ctype_that_envkit_was_given(project, given):
    project.profile("dev.toml", '[variables]\nA = "{{ A }}"\n')
    project.dotenv("dev", "A=1\n")
    program(project.root / "edit", "#!/bin/sh\nenv | grep ^LC_ > seen || true\n")
    done = project.run("edit", "--env", "dev", env={"LANG": "C", "EDITOR": "./edit", **given})
    assert done.stdout == "nothing was changed\n"
    assert (project.root / "seen").read_text() == "".join(f"{k}={v}\n" for k, v in given.items())


LIBRARY = """
import json, os, envkit
values = envkit.resolve("dev")
envkit.load("dev")
report = envkit.diff("dev", "env:", only="PASSED")
print(json.dumps([
    [values["PW"].to_bytes().hex(), values["FILE"].to_bytes().hex()],
    [os.environb[b"PASSED"].hex()],
    [str(report.identical)],
]))
"""


def test_the_library_reads_the_environment_as_bytes(project):
    written = 'PW = "{{ env:PW }}"\nFILE = "{{ FILE }}"\nPASSED = "ü{{ env:PW }}"\n'
    project.profile("dev.toml", "[variables]\n" + written)
    project.dotenv("dev", "FILE=${PW}\n")
    env = {**environment(project.root), **ASCII}
    done = run_python(LIBRARY, env={**env, "PW": os.fsdecode(MIXED)}, cwd=project.root, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [[MIXED.hex()] * 2, [("ü".encode() + MIXED).hex()], ["True"]]


def test_a_failed_restart_of_the_interpreter_is_an_error():
    done = subprocess.run(
        ["./not/python", "-m", "envkit", "exec", "--", "true"],
        executable=sys.executable,
        env={
            **environment("/"),
            **ASCII,
            "PYTHONHOME": sys.base_prefix,
            "PYTHONPATH": ":".join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 126, done.stderr
    assert "in UTF-8 mode: no such file or directory" in done.stderr
    assert "envkit: hint: use a UTF-8 locale" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--version"]])
def test_a_program_that_calls_envkit_is_not_restarted(arguments):
    code = f"""
import sys
from envkit.__main__ import main
print("once", flush=True)
sys.argv = ["envkit", *{arguments}]
main()
"""
    done = run_python(code, "its", "own", env={**environment("/"), **ASCII})
    assert done.stdout.startswith(("once\nenvkit ", "once\nUsage: envkit "))


@pytest.mark.parametrize("start", [["-m", "envkit"], ["-menvkit"], ["-Pm", "envkit"], [ENVKIT]])
def test_arguments_are_parsed_however_envkit_was_started(project, start):
    done = subprocess.run(
        [sys.executable, *start, "get", "A", "--env", "dëv€"],
        env={**environment(project.root), **ASCII},
        capture_output=True,
        check=False,
    )
    assert "no profile 'dëv€'" in done.stderr.decode()
