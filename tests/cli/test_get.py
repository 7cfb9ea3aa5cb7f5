"""`envkit get` prints one value, byte for byte."""

import pytest

from support.sessions import replay, sessions


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


@pytest.mark.parametrize("session", sessions("cli/get"))
def test_get_transcripts_match(dev, session):
    assert replay(dev, session) == session


def test_get_prints_bytes_that_are_not_text_unchanged(dev):
    dev.profile("dev.toml", 'variables = { RAW = "{{ env:RAW }}" }\n')
    done = dev.run("get", "RAW", "--env", "dev", env={"RAW": "\udcff\udcfe\n"})
    assert done.stdout == "\udcff\udcfe\n"


def test_get_adds_a_newline_on_a_terminal(dev):
    assert dev.on_terminal("get", "PASSWORD", "--env", "dev") == ("p  {{x}} $HOME\n", 0)
