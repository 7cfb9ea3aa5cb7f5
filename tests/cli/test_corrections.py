"""A refused command line gets a corrected one as a hint, ready to paste."""

import shlex

import pytest

from envkit.cli.app import run_app

PROD = """\
aliases = ["production"]
[variables]
DATABASE_URL = "pg://db"
API_TOKEN = "{{ API_TOKEN }}"
[rotation.api-token]
secret = "dotenv:API_TOKEN"
rotator = "random"
every = "30d"
"""


@pytest.fixture
def hint(project, monkeypatch, capsys):
    """Run a command line that fails, and return its hint."""
    project.profile("prod.toml", PROD)
    project.profile("staging.toml", "[variables]\nDATABASE_URL = 'pg://s'\n")
    project.profile("broken.toml", "[variables")
    project.dotenv("prod", "API_TOKEN=made-up\n")
    monkeypatch.chdir(project.root)
    for name in ("ENVKIT_ENV", "ENVKIT_PROFILES"):
        monkeypatch.delenv(name, raising=False)

    def hint_of(line):
        assert run_app(shlex.split(line)) != 0
        hints = [
            told.removeprefix("envkit: hint: ")
            for told in capsys.readouterr().err.splitlines()
            if told.startswith("envkit: hint: ")
        ]
        return hints[0] if hints else ""

    return hint_of


CORRECTIONS = [
    # an environment where none is expected
    ("show prod", "show --env prod"),
    ("show production", "show --env production"),
    ("show broken", "show --env broken"),
    ("show prod --format json", "show --format json --env prod"),
    ("show prod API_TOKEN", "show --env prod --only API_TOKEN"),
    ("export staging", "export --env staging"),
    ("check staging prod", "check --env staging --env prod"),
    ("doctor prod", "doctor --env prod"),
    ("edit prod", "edit --env prod"),
    ("init prod", "init --env prod"),
    ("rotate prod", "rotate --env prod"),
    ("env prod", "show --env prod"),
    ("env --env prod", "show --env prod"),
    ("env init prod", "env init --env prod"),
    ("env inti --env prod", "env init --env prod"),
    ("env keys prod", "env keys --env prod"),
    ("env rotatekey --env prod", "env rotate-key --env prod"),
    ("env set prod API_TOKEN", "env set API_TOKEN --env prod"),
    ("env set API_TOKEN hunter2 --env prod", "env set API_TOKEN --env prod"),
    ("env hook instal", "env hook install"),
    ("get API_TOKEN prod", "get API_TOKEN --env prod"),
    ("get prod API_TOKEN", "get API_TOKEN --env prod"),
    ("history API_TOKEN prod", "history API_TOKEN --env prod"),
    ("unset prod API_TOKEN", "unset API_TOKEN --env prod"),
    ("exec prod -- app", "exec --env prod -- app"),
    ("exec production -- app", "exec --env production -- app"),
    ("exec prd -- app", "exec --env prod -- app"),
    ("exec prod app --port 80", "exec --env prod -- app --port 80"),
    ("exec prod staging -- app", "exec --env prod --env staging -- app"),
    ("exec prod -- sh -c 'echo $A'", "exec --env prod -- sh -c 'echo $A'"),
    ("exec prod --pristine -- app", "exec --pristine --env prod -- app"),
    ("prod -- app", "exec --env prod -- app"),
    ("prod app", "exec --env prod -- app"),
    ("prod", "show --env prod"),
    ("show prd", "show --env prod"),
    ("doctor stagin", "doctor --env staging"),
    ("edit prdo", "edit --env prod"),
    ("get API_TOKEN prd", "get API_TOKEN --env prod"),
    ("list prod", "show --env prod"),
    ("ls --env prod", "show --env prod"),
    ("-e prod -- app", "exec -e prod -- app"),
    ("--evn prod -- app -x", "exec --env prod -- app -x"),
    ("--env=prod app", "exec --env prod -- app"),
    ("exec app start --env prod", "exec --env prod -- app start"),
    ("exec app -e=staging", "exec -e staging -- app"),
    # no command, or no environment
    ("run", "exec --env NAME -- COMMAND [ARGS]..."),
    ("run -- app", "exec --env NAME -- app"),
    ("exec app", "exec --env NAME -- app"),
    ("exec --env prod", "exec --env prod -- COMMAND [ARGS]..."),
    ("exec prod", "exec --env prod -- COMMAND [ARGS]..."),
    ("diff prod", "diff staging prod"),
    ("diff --env staging --env prod", "diff staging prod"),
    ("diff --from staging --to prod", "diff staging prod"),
    ("diff --to prod --from staging", "diff staging prod"),
    ("promote --from staging --to prod", "promote staging prod"),
    ("promote --source staging --target prod API_TOKEN", "promote staging prod API_TOKEN"),
    # names in other tools
    ("run prod -- app 'a b'", "exec --env prod -- app 'a b'"),
    ("run --env prod -- app", "exec --env prod -- app"),
    ("run -e prod -- app", "exec -e prod -- app"),
    ("ls", "list"),
    ("environments", "list"),
    ("remove API_TOKEN --env prod", "unset API_TOKEN --env prod"),
    ("validate --env prod", "check --env prod"),
    ("compare staging prod", "diff staging prod"),
    ("help", "--help"),
    ("help exec", "exec --help"),
    ("help run", "exec --help"),
    ("version", "--version"),
    ("completion zsh", "--install-completion"),
    ("show-completion", "--show-completion"),
    ("-v", "--version"),
    # options: misspelt, before the command, with one dash
    ("exec --evn prod -- app --evn x", "exec --env prod -- app --evn x"),
    ("show --evn=prod", "show --env prod"),
    ("show -E prod", "show -e prod"),
    ("show -env prod", "show --env prod"),
    ("show --environment prod", "show --env prod"),
    ("exec --profile prod -- app", "exec --env prod -- app"),
    ("--env prod show", "show --env prod"),
    ("--env prod exec -- app", "exec --env prod -- app"),
    ("exec --env prod --pristin -- app", "exec --env prod --pristine -- app"),
    ("export --env prod --out x.env", "export --env prod --output x.env"),
    # words that are misspelt
    ("shw --env prod", "show --env prod"),
    ("exce --env prod -- app", "exec --env prod -- app"),
    ("show --env prdo", "show --env prod"),
    ("show -eprdo", "show -e prod"),
    ("exec --env PROD -- app", "exec --env prod -- app"),
    ("diff stagin prod", "diff staging prod"),
    ("get database_url --env prod", "get DATABASE_URL --env prod"),
    ("set api_token --env prod", "set API_TOKEN --env prod"),
    ("exec --env prod --only Api_Token -- app", "exec --env prod --only API_TOKEN -- app"),
    ("export --env prod --format josn", "export --env prod --format json"),
    ("export --env prod --format bash", "export --env prod --format shell"),
    ("export prod --format zsh", "export --format shell --env prod"),
    ("export --env prod -f YML", "export --env prod -f yaml"),
    ("export --env prod --format docker-compose", "export --env prod --format dotenv"),
    ("export --env prod --format gha", "export --env prod --format github"),
    ("export --env prod --format kubernetes", "export --env prod --format k8s"),
    ("export --env prod --format env-file", "export --env prod --format docker"),
    ("show --env prod --format jsn", "show --env prod --format json"),
    ("rotate api-tokn", "rotate api-token"),
    ("rotate prod/api_token", "rotate prod/api-token"),
    ("rotate stauts", "rotate status"),
    ("audit verfy", "audit verify"),
]


@pytest.mark.parametrize(("typed", "meant"), CORRECTIONS, ids=[typed for typed, _ in CORRECTIONS])
def test_correction_hint_is_the_command_that_was_meant(hint, typed, meant):
    before, run, command = hint(typed).rpartition("run: ")
    assert (run, command) == ("run: ", f"envkit {meant}")
    assert not before or before.startswith("did you mean '")


def test_correction_is_a_command_that_needs_no_further_correction(hint, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for _, meant in CORRECTIONS:
        if not meant.startswith("exec") or "COMMAND" in meant or "NAME" in meant or "help" in meant:
            continue
        assert "run: " not in hint(meant), meant


@pytest.mark.parametrize(
    "typed",
    [
        "set API_TOKEN hunter2-Xy7q --env prod",
        "set API_TOKEN=hunter2-Xy7q --env prod",
        "set prod API_TOKEN hunter2-Xy7q",
        "set prod API_TOKEN=hunter2-Xy7q",
        "run prod -- app --password=hunter2-Xy7q",
        "run prod -- app --password hunter2-Xy7q",
        "run prod -- app pg://app:hunter2-Xy7q@db/x",
        "run prod -- env API_TOKEN=hunter2-Xy7q app",
        "exec --evn prod --set API_TOKEN=hunter2-Xy7q -- app",
        "exec --evn prod --set=API_TOKEN=hunter2-Xy7q -- app",
        "exec prod -- sh -c 'curl -u app:ghp_x7Kq2LmP9vRt4YwZ8nBc3DfGh6JsA1eUo5Xi'",
    ],
)
def test_correction_hint_leaves_out_what_may_be_a_secret(hint, typed):
    told = hint(typed)
    assert "run: envkit " in told
    assert "hunter2" not in told
    assert "ghp_" not in told


@pytest.mark.parametrize(
    "typed",
    [
        "rotate nope",
        "xyzzy",
        "set prod hunter2-Xy7q",
        "show --to prod",
        "promote --until staging prod",
        "export --env prod --format powershell",
        "--xyzzy -- app",
        "show --xyzzy",
        "exec --env prod --timeout 0 -- app",
        "exec --env prod -- no-such-program",
        "exec --env prod no-such-program -- x",
        "get NOTHING_LIKE_IT --env prod",
        "diff prod staging xyzzy",
        # the mistake is neither a wrong word nor a wrong place
        "rotate --all api-token",
        "export --set no-equals --env prod",
        "show --reveal -eprod",
        "show --timeout=soon --env=prod",
        "get -e prod --timeout 0 API_TOKEN",
    ],
)
def test_correction_hint_is_absent_when_the_intention_is_unclear(hint, typed):
    assert "run: " not in hint(typed)


def test_correction_uses_the_only_environment_there_is(hint, project):
    for name in ("staging", "broken"):
        (project.profiles / f"{name}.toml").unlink()
    assert hint("exec -- app") == "run: envkit exec --env prod -- app"
    assert hint("run") == "run: envkit exec --env prod -- COMMAND [ARGS]..."
    assert hint("show") == "run: envkit show --env prod"
