"""Each secret is masked in every form in which it may appear in a log."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.launch.github_masks import github_masks
from envkit.secret import Secret

if TYPE_CHECKING:
    from conftest import Project


def runner_masks(text: str) -> set[str]:
    """actions/runner, ActionCommand.cs: the texts that the log's lines mask."""
    masks = set()
    for line in re.split("\r\n|\r|\n", text)[:-1]:
        if line.startswith("envkit: warning: "):
            continue
        data = re.fullmatch("::add-mask::(.*)", line)
        assert data, f"not a command: {line}"
        masks.add(data[1].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%"))
    assert "" not in masks, "the runner warns of an empty mask"
    return masks


def masks_of(*texts: str) -> set[str]:
    return runner_masks(github_masks({"V": map(Secret, texts)}).commands)


TOO_SHORT = """
1 0 / true false TRUE no yes on null None {} [] { } }, ]; dev app :8080 5432 65535 s3cr
----- 00000000 ====== undefined Disabled
"""


@pytest.mark.parametrize(
    "text", [*TOO_SHORT.split(), " ", "\n", '"false",', "{\n}\n", "a\nb\nc", "  1  "]
)
def test_a_value_that_is_too_short_is_not_masked_and_its_variable_is_named(text):
    assert github_masks({"V": [Secret(text)]}) == ("", ["V"])


def test_an_empty_value_is_neither_masked_nor_named():
    assert github_masks({"V": [Secret("")]}) == ("", [])


def test_a_variable_with_a_short_part_is_named_once():
    secrets = {"URL": [Secret("https://db:8080/x"), Secret("db"), Secret("8080")]}
    masks = github_masks(secrets)
    assert (runner_masks(masks.commands), masks.unmasked) == ({"https://db:8080/x"}, ["URL"])


URLS = {
    "redis://:p%40ss%2Fw0rd@cache:6379/0": {"p%40ss%2Fw0rd", "p@ss/w0rd"},
    "postgresql://app:s3cret-pw@db/app": {"s3cret-pw"},
    "postgresql://app:a%25b%25c@db/app?sslmode=require": {"a%25b%25c", "a%b%c"},
    "amqp://u:first-pw@h1,amqp://u:second-pw@h2": {"first-pw", "second-pw"},
    "mongodb+srv://u:m0ngo%21pw@c.example/?retry=1": {"m0ngo%21pw", "m0ngo!pw"},
    "https://hooks.example/x?token=abc%2Bdef": {"abc%2Bdef", "abc+def"},
    "https://example.com/path": set(),
    "jdbc:postgresql://db/app?user=a&password=j%26dbc1": {"j%26dbc1", "j&dbc1"},
    "Server=db;User=app;Password=ad0-pass;": {"ad0-pass"},
    "dsn is postgresql://app:within-text@db": {"within-text"},
    '{"username": "app", "password": "js\\"on-pw", "port": 5432}': {'js"on-pw', 'js\\"on-pw'},
    '{"a": {"api_key": "nested-key"}}': {"nested-key"},
    "Server=db;User=app;Password='ad0;pass'": {"ad0;pass"},
    'Server=db;User=app;Password="ad0;""pass"': {'ad0;"pass', 'ad0;""pass'},
    "host=db user=app password=l1bpq-pw dbname=app": {"l1bpq-pw"},
    r"host=db password='it\'s l1bpq'": {r"it\'s l1bpq", "it's l1bpq"},
    "cache:6380,password=r3d1s-pw=,ssl=True": {"r3d1s-pw="},
    "AccountName=app;AccountKey=k3y/of+app==": {"k3y/of+app=="},
    "SharedAccessKeyName=root;SharedAccessKey=sh4r3d": {"sh4r3d"},
    "Bearer t0ken.of.app": {"t0ken.of.app"},
    "  token t0ken-of-app": {"t0ken-of-app"},
    "Basic dXNlcjpwYXNz": {"dXNlcjpwYXNz"},
    "https://Zk3Rq9Wx2Lm7Tp4Vb8Nc@git.example/x": {"Zk3Rq9Wx2Lm7Tp4Vb8Nc"},
    "https://postgres@db.example/x": set(),
    "Bearer of bad news": set(),
    "monkey=banana host=db": set(),
}


@pytest.mark.parametrize("text", URLS)
def test_credentials_within_a_value_are_masked_encoded_and_decoded(text):
    assert masks_of(text) == URLS[text] | {text.strip()}


def test_a_key_within_json_is_masked_by_line_as_programs_print_it():
    pem = "-----BEGIN KEY-----\nMIIBVgIBADANBg\n-----END KEY-----\n"
    masks = masks_of(json.dumps({"type": "service_account", "private_key": pem}))
    assert "MIIBVgIBADANBg" in masks
    assert "-----BEGIN KEY-----" not in masks, "every key has it"
    assert "service_account" not in masks


def test_a_line_is_masked_without_its_surrounding_blanks():
    assert masks_of('{\n  "client_email": "a@b.example"\n}') == {'"client_email": "a@b.example"'}


def test_a_percent_sign_is_escaped_and_each_mask_is_written_once():
    masks = github_masks({"A": [Secret("100%0A\r\nline 2\n\n")], "B": [Secret("line 2")]})
    assert masks.commands == "::add-mask::100%250A\n::add-mask::line 2\n"


LONG_LINES = st.text(
    st.characters(exclude_characters="\r\n\"',;:[]{}()", codec="utf-8"), min_size=9
)


@given(lines=st.lists(LONG_LINES.filter(lambda line: len(set(line)) > 8), max_size=4))
def test_every_line_that_may_be_a_secret_is_masked(lines):
    assert {line.strip() for line in lines} <= masks_of("\n".join(lines))


PROFILE = """\
[variables]
TOKEN = "{{ env:TOKEN }}"
AUTH = "Bearer {{ env:TOKEN }}"
BASIC = "Basic {{ env:LOGIN | base64encode }}"
NESTED = "n={{ env:BLOB | json:/inner | urlencode }}"
INHERITED = "x-{{ AUTH }}"
OPEN = { value = "{{ env:OPEN }}", secret = false }
USES_OPEN = "{{ OPEN }}/{{ env:TOKEN }}"
LITERAL = { value = "a-literal-secret", secret = true }
USES_LITERAL = "l-{{ LITERAL }}"
DEFAULTED = { value = "{{ env:NOT_SET }}", default = "the-default" }
PLAIN = "production"
DEBUG = "{{ env:DEBUG }}"
"""


def test_each_reading_is_masked_before_and_after_its_filters(project: Project) -> None:
    project.profile("ci.toml", PROFILE)
    env = {
        "TOKEN": "tok-12345",
        "LOGIN": "user:pass",
        "BLOB": '{"inner": "in/ner"}',
        "OPEN": "public-host",
        "DEBUG": "1",
    }
    done = project.run("export", "--env", "ci", "--format", "github", env=env)
    assert done.returncode == 0, done.stderr
    assert runner_masks(done.stderr) == {
        *("tok-12345", "Bearer tok-12345", "x-Bearer tok-12345", "public-host/tok-12345"),
        *("user:pass", "dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"),
        *('{"inner": "in/ner"}', "in/ner", "in%2Fner", "n=in%2Fner"),
        *("a-literal-secret", "l-a-literal-secret", "the-default"),
    }
    assert "add-mask" not in done.stdout
    assert done.stderr.splitlines()[-1] == (
        "envkit: warning: not masked in the log, because it is too short: DEBUG"
    )
