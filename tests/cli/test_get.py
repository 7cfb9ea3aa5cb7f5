"""`envkit get`: one value, byte for byte, for `$(...)` and for files."""

import pytest

from support.terminal import run_on_terminal
from support.transcript import transcript


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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("PASWORD",),
            (
                "2> envkit: error: no variable 'PASWORD' in dev\n"
                "2> envkit: hint: did you mean 'PASSWORD'?\n"
                "[2]\n"
            ),
        ),
        (
            ("P*",),
            (
                "2> envkit: error: no variable 'P*' in dev\n"
                "2> envkit: hint: use one of: OTHER, PASSWORD, SENTRY_DSN, URL\n"
                "[2]\n"
            ),
        ),
        (
            ("SENTRY_DSN",),
            "2> envkit: error: SENTRY_DSN is absent in dev, where it is not required\n[4]\n",
        ),
        (
            ("OTHER",),
            (
                "2> envkit: error: cannot resolve 1 variable of dev\n"
                "2>   OTHER (profiles/dev.toml:4): .env.dev#OTHER is absent: not in .env.dev;"
                " env:OTHER is absent: not in the environment\n"
                "2> envkit: hint: set it in the store, give it a 'default', or say"
                " 'required = false'\n"
                "[4]\n"
            ),
        ),
        (
            (),
            (
                "2> envkit: error: envkit get takes one name\n"
                "2> envkit: hint: write envkit get NAME --env ENV\n"
                "[2]\n"
            ),
        ),
        (
            ("URL", "PASSWORD"),
            (
                "2> envkit: error: envkit get takes one name\n"
                "2> envkit: hint: write envkit get NAME --env ENV\n"
                "[2]\n"
            ),
        ),
    ],
)
def test_what_cannot_be_got(dev, arguments, told):
    assert transcript(dev.run("get", "--env", "dev", *arguments)) == told
