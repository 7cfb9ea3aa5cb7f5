"""`envkit get`: one value, byte for byte, for `$(...)` and for files."""

import pytest

from support.terminal import run_on_terminal
from support.transcript import transcript
from support.vectors import vectors

VECTORS = vectors("cli/get")


@pytest.fixture
def dev(project):
    project.profile(
        "dev.toml",
        """\
        [variables]
        PASSWORD = "{{ PASSWORD }}"
        URL = "postgresql://app:{{ PASSWORD }}@db/app"
        OTHER = "{{ OTHER }}"
        SENTRY_DSN = { value = "{{ SENTRY_DSN }}", required = false }
        """,
    )
    project.dotenv("dev", "PASSWORD='p  {{x}} $HOME'\n")
    return project


def test_a_value_comes_without_a_newline_and_asks_for_no_other(dev):
    assert transcript(dev.run("get", "URL", "--env", "dev")) == (
        "postgresql://app:p  {{x}} $HOME@db/app%\n"
    )
    assert dev.run("get", "-edev", "--", "PASSWORD").stdout == "p  {{x}} $HOME"


def test_bytes_that_are_no_text_come_as_they_are(dev):
    dev.profile("dev.toml", 'variables = { RAW = "{{ env:RAW }}" }\n')
    done = dev.run("get", "RAW", "--env", "dev", env={"RAW": "\udcff\udcfe\n"})
    assert done.stdout == "\udcff\udcfe\n"


def test_on_a_terminal_a_newline_is_added(dev):
    shown, status = run_on_terminal("get", "PASSWORD", "--env", "dev", cwd=dev.root)
    assert (shown, status) == ("p  {{x}} $HOME\n", 0)


@pytest.mark.parametrize(("arguments", "told"), VECTORS["what_cannot_be_got"])
def test_what_cannot_be_got(dev, arguments, told):
    assert transcript(dev.run("get", "--env", "dev", *arguments)) == told
