"""`envkit hook`: a shell loads and unloads the environment of a project that its user allowed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.launch.shell_hook import SHELLS, Loaded, decoded, encoded
from envkit.trust.hooks import HookStore
from support.process import program, run_python, started
from support.supervised import wait_until
from support.terminal_session import CTRL_C, PROMPT, TerminalSession

PROFILE = '[variables]\nKEY = "{{ KEY }}"\nMODE = "it\'s \\\\ a $mode"\n'


@pytest.fixture
def shop(project, tmp_path):
    """A project with an environment, outside of which the shell starts."""
    write = project.profile

    def profile(*written):
        """Write a profile as it was some time ago: the hook loads a new one a second time."""
        path = write(*written)
        os.utime(path, (1, 1))
        return path

    project.profile = profile
    project.profile("dev.toml", PROFILE)
    project.dotenv("dev", "KEY=one\n")
    project.logged()
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    program(
        folder / "envkit", f'#!/bin/sh\necho >> {calls}\nexec {sys.executable} -m envkit "$@"\n'
    )
    project.calls = lambda: len(calls.read_text().splitlines()) if calls.exists() else 0
    project.environ["NO_COLOR"] = "1"
    project.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    return project


def allowed(shop, *options):
    done = shop.run("trust", "--hook", *(options or ("--env", "dev")))
    assert done.returncode == 0, done.stderr
    if "--revoke" not in options:
        os.utime(shop.root / "state" / "envkit" / "hooks.json", (1, 1))  # see `shop`
    return done.stdout


class Shell:
    """An interactive bash on a terminal that has the hook."""

    def __init__(self, shop, **variables):
        self.root = shop.root
        os.chdir(shop.root.parent)
        self.session = TerminalSession(**{**shop.environ, **variables})

    def __enter__(self):
        self.does('eval "$(envkit hook bash)"')
        return self

    def __exit__(self, *_):
        self.session.__exit__()

    def does(self, line):
        """Return what the terminal shows from the line to the next prompt."""
        self.session.types(f"{line}\n")
        return self.session.sees(PROMPT).removesuffix(PROMPT)

    def enters(self):
        return self.does(f"cd {self.root}")

    def values(self):
        return self.does('echo "$KEY|$MODE|$(env | grep -c ^KEY=)"').strip()


@pytest.fixture
def shell(shop):
    with Shell(shop) as running:
        yield running


VALUES = "one|it's \\ a $mode|1"


def test_an_allowed_project_is_loaded_on_entering_and_unloaded_on_leaving(shop, shell):
    allowed(shop)
    assert shell.enters() == "envkit: note: loaded dev (2 variables)\n"
    assert shell.values() == VALUES
    assert shell.does("cd profiles") == ""
    assert shell.values() == VALUES
    assert shell.does("cd /") == "envkit: note: unloaded dev\n"
    assert shell.values() == "||0"
    seen = [(entry["command"], entry["outcome"]) for entry in shop.records()]
    assert set(seen) == {("hook", "ok")}


def test_earlier_values_are_restored(shop):
    allowed(shop)
    with Shell(shop, KEY="mine's \\ $x") as shell:
        shell.enters()
        assert shell.values() == VALUES
        shell.does("cd /")
        assert shell.values() == "mine's \\ $x||1"


def test_a_shell_that_was_started_inside_unloads_too(shop, shell):
    allowed(shop)
    shell.enters()
    shell.does("PS1='<pro''mpt>' bash --norc --noediting -i")
    shell.does("PS1='<pro''mpt>'")
    shell.does('eval "$(envkit hook bash)"')
    assert shell.values() == VALUES
    assert shell.does("cd /") == "envkit: note: unloaded dev\n"
    assert shell.values() == "||0"


def test_a_project_that_was_not_allowed_is_never_loaded_nor_is_its_clone(shop, shell, tmp_path):
    assert shell.enters() == ""
    assert shell.values() == "||0"
    allowed(shop)
    subprocess.run(["cp", "-r", shop.root, tmp_path / "clone"], check=True)
    assert shell.does(f"cd {tmp_path}/clone") == ""
    assert shell.values() == "||0"
    assert shell.enters() == "envkit: note: loaded dev (2 variables)\n"


def test_a_change_of_a_file_is_loaded_at_the_next_prompt_and_trust_as_well(shop, shell):
    allowed(shop)
    shell.enters()
    shop.dotenv("dev", "KEY=two\n")
    assert "loaded dev" in shell.does("")
    assert shell.values().startswith("two|")
    (shop.root / ".env.dev").unlink()
    said = shell.does("")
    assert said.startswith("envkit: warning: no environment is loaded: cannot resolve 1 variable")
    assert said.count("\n") == 1
    assert shell.values() == "||0"
    shop.dotenv("dev", "KEY=three\n")
    assert "loaded dev" in shell.does("")
    allowed(shop, "--revoke")
    assert shell.does("") == "envkit: note: unloaded dev\n"
    assert shell.values() == "||0"


def test_within_a_project_neither_envkit_is_started_nor_a_store_read(shop, shell):
    allowed(shop)
    (shop.root / "src" / "lib").mkdir(parents=True)
    shell.enters()
    before = shop.calls()
    for folder in ("src", "lib", "../.."):
        assert shell.does(f"cd {folder}") == ""
    assert (shop.calls(), shell.values()) == (before, VALUES)


def test_a_profile_that_appears_in_the_folder_of_the_shell_is_noticed(shop, shell):
    (shop.root / "profiles").rename(shop.root / "moved")
    shell.enters()
    (shop.root / "moved").rename(shop.root / "profiles")
    assert "loaded dev" in shell.does("envkit trust --hook --env dev")


def test_a_broken_profile_that_another_one_extends_is_followed(shop, shell):
    base = shop.profile("base.toml", "[variables]\n")
    shop.profile("dev.toml", 'extends = "base"\n' + PROFILE)
    allowed(shop)
    base.write_text("not TOML")
    assert "no environment is loaded: profiles/base.toml:1:" in shell.enters()
    base.write_text('[variables]\nMORE = "1"\n')
    assert shell.does("") == "envkit: note: loaded dev (3 variables)\n"


def test_a_link_to_nothing_does_not_start_envkit_at_each_prompt(shop, shell):
    allowed(shop)
    (shop.root / ".env.dev").unlink()
    (shop.root / ".env.dev").symlink_to("nothing")
    shell.enters()
    before = shop.calls()
    shell.does("")
    assert shop.calls() == before


@pytest.mark.parametrize("entered", ["another project", "no project"])
def test_a_load_that_ctrl_c_ends_leaves_nothing_of_the_project_before(
    shop, shell, tmp_path, entered
):
    allowed(shop)
    slow = tmp_path / "slow"
    subprocess.run(["cp", "-r", shop.root, slow], check=True)
    (slow / ".env.dev").unlink()
    os.mkfifo(slow / ".env.dev")
    done = shop.run("trust", "--hook", "--env", "dev", "--profiles", str(slow / "profiles"))
    assert done.returncode == 0, done.stderr
    shell.enters()
    before = shop.calls()
    shell.session.types(f"cd {slow}\n")
    wait_until(lambda: shop.calls() > before)
    shell.session.types(CTRL_C)
    shell.session.sees(PROMPT)
    if entered == "no project":
        shell.does("cd /")
    assert shell.values() == "||0"
    assert shell.enters() == "envkit: note: loaded dev (2 variables)\n"


def test_without_a_folder_for_its_state_the_hook_still_unloads(shop, shell):
    allowed(shop)
    shell.enters()
    shop.root.joinpath("state").rename(shop.root / "moved")
    shop.root.joinpath("state").touch()
    assert "unloaded dev" in shell.does("cd /")
    assert shell.values() == "||0"


@pytest.mark.parametrize("options", ["-e", "-u", "-eu"])
def test_the_options_of_a_careful_shell_break_no_prompt(shop, shell, options):
    allowed(shop)
    shell.does("readonly MODE=fixed")
    shell.does(f"set {options}")
    assert "loaded dev" in shell.enters()
    shell.does("(exit 3) && true")
    assert shell.does("echo on") == "on\n"
    assert "unloaded dev" in shell.does("cd /")


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{}",
        "[1]",
        "null",
        '["p", "dev", {"KEY": 5}]',
        '["p", "dev", [["KEY", "x"]]]',
        "[" * 3000,
    ],
)
def test_a_state_that_says_nothing_breaks_no_prompt(shop, shell, state):
    allowed(shop)
    shell.does(f"export ENVKIT_HOOK_STATE='{state}'")
    assert shell.enters() == "envkit: note: loaded dev (2 variables)\n"
    assert shell.values() == VALUES


def test_other_environments_and_their_apps_do_not_get_what_is_loaded(shop, shell):
    allowed(shop)
    shop.profile("prod.toml", '[variables]\nKEY = { value = "{{ KEY }}", required = false }\n')
    shell.does("export MODE=mine")
    shell.enters()
    shown = shell.does("envkit exec --env prod -- sh -c 'echo ${KEY-none} $MODE'")
    assert shown == "none mine\n"
    assert shell.does("envkit get KEY --env dev").startswith("one")


def test_a_folder_that_the_hook_would_not_find_is_not_allowed(shop):
    shop.profiles.rename(shop.root / "conf")
    done = shop.run("trust", "--hook", "--env", "dev", "--profiles", "conf")
    assert (done.returncode, "only folders with the name 'profiles'" in done.stderr) == (2, True)


def test_a_broken_profile_breaks_no_prompt(shop, shell):
    allowed(shop)
    shop.profile("dev.toml", "not TOML")
    said = shell.enters()
    assert said.startswith("envkit: warning: no environment is loaded: profiles/dev.toml:1:")
    assert said.count("\n") == 1
    assert shell.does("false") == ""
    assert shell.does("(exit 3)") == ""
    assert shell.does("echo $?") == "3\n", "the hook changes the exit status that a prompt shows"
    assert shell.does("echo on") == "on\n"


def test_without_envkit_the_prompt_still_works(shop, shell):
    allowed(shop)
    shell.does('PATH=/bin:/usr/bin; command() { builtin command "$@" 2> /dev/null; }')
    shell.enters()
    assert shell.does("echo on") == "on\n"


def test_a_profile_with_access_rules_is_neither_allowed_nor_loaded(shop, shell):
    for rule, reason in (
        ("reason = true", " --reason TEXT"),
        ('hours = "Mon 08:00-19:00 UTC"', ""),
    ):
        shop.profile("prod.toml", f"[access]\n{rule}\n{PROFILE}")
        done = shop.run("trust", "--hook", "--env", "prod")
        assert done.returncode == 6
        assert "prod has access rules, so the shell hook never loads it" in done.stderr
        assert done.stderr.endswith(f"run: envkit exec --env prod{reason} -- COMMAND\n")
    allowed(shop)
    shop.profile("dev.toml", "protected = true\n" + PROFILE)
    said = shell.enters()
    assert said == "envkit: warning: no environment is loaded: dev has access rules\n"
    assert shell.values() == "||0"


def test_variables_that_load_code_are_not_loaded_without_trust(shop, shell):
    allowed(shop)
    shop.profile("dev.toml", PROFILE + 'BASH_ENV = "/tmp/x"\n')
    assert "no environment is loaded: dev is not trusted" in shell.enters()
    assert shell.values() == "||0"


def test_envkit_is_not_started_while_nothing_changes(shop, shell):
    allowed(shop)
    shell.enters()
    before = shop.calls()
    for _ in range(5):
        shell.does("true")
    assert shop.calls() == before
    shell.does("cd /")
    before = shop.calls()
    shell.does("cd /tmp")
    shell.does("cd /")
    assert shop.calls() == before, "outside of projects, envkit is not started at all"


def test_a_variable_as_a_file_is_left_out(shop, shell):
    allowed(shop)
    shop.profile("dev.toml", PROFILE.replace('"{{ KEY }}"', '{ value = "k", as = "file" }'))
    assert shell.enters() == "envkit: note: loaded dev (1 variable)\n"
    assert shell.values().startswith("|")


def test_trust_for_the_hook_needs_one_environment_that_exists(shop):
    for options, status in (((), 2), (("-e", "a", "-e", "b"), 2), (("-e", "nope"), 3)):
        assert shop.run("trust", "--hook", *options).returncode == status
    assert allowed(shop) == f"the shell hook loads 'dev' in {shop.root}\n"
    assert "no longer loads 'dev'" in allowed(shop, "--revoke")
    assert allowed(shop, "--revoke") == "nothing was trusted\n"


def test_a_file_of_trust_that_others_can_write_is_not_believed(shop, shell):
    allowed(shop)
    (shop.root / "state" / "envkit" / "hooks.json").chmod(0o666)
    assert "no environment is loaded: cannot" in shell.enters()
    assert shell.values() == "||0"


@pytest.mark.parametrize("shell_name", SHELLS)
def test_the_hook_of_each_shell_names_envkit(shop, shell_name):
    done = shop.run("hook", shell_name)
    assert (done.returncode, f"envkit hook {shell_name} $envkit_how" in done.stdout) == (0, True)
    refused = shop.run("hook", "bsh")
    assert (refused.returncode, "did you mean 'bash'" in refused.stderr) == (2, True)


def step(shop, **env):
    """Return what a shell that has entered the project evaluates."""
    done = shop.run("hook", "bash", "--step", str(os.getpid()), env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_agent_answers_the_hook_with_the_same_code_and_record(shop, agent):
    allowed(shop)
    shop.environ.update(agent.environ)
    time.sleep(0.1)  # a tick of the kernel's clock
    cold = step(shop, ENVKIT_AGENT="off")
    agent.start()
    assert [step(shop, ENVKIT_AGENT="auto") for _ in range(3)] == [cold] * 3
    assert agent.hits() == 2
    records = shop.records()
    assert {record["command"] for record in records} == {"hook"}
    assert len({json.dumps([record["names"], record["profiles"]]) for record in records}) == 1
    (shop.root / "profiles").rename(shop.root / "gone")
    assert "KEY" not in step(shop, ENVKIT_AGENT="auto")


def test_a_shell_looks_at_the_same_files_with_the_agent_if_the_use_cannot_be_recorded(shop, agent):
    allowed(shop)
    shop.environ.update(agent.environ)
    agent.start()
    modes = ("off", "auto", "auto")
    codes = [step(shop, ENVKIT_AGENT=mode, ENVKIT_AUDIT="relative") for mode in modes]
    assert "/dev.toml" in codes[0]
    assert codes == codes[:1] * 3


@pytest.fixture
def slow(shop, agent):
    """A source that answers nothing; the agent runs."""
    allowed(shop)
    shop.environ.update(agent.environ)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        source = f'[sources.vault]\naddress = "{address}"\nmount = "secret"\n'
        shop.environ.update(ENVKIT_TRUST="1", VAULT_TOKEN="t")
        shop.profile("dev.toml", source + '[variables]\nKEY = "{{ vault:app#x }}"\n')
        agent.start()
        yield server


def test_ctrl_c_ends_a_read_of_the_agent_for_the_hook_with_a_record(shop, slow):
    step_ = ("hook", "bash", "--step", str(os.getpid()))
    process = started(shop, *step_, stdout=PIPE, stderr=PIPE, env={"ENVKIT_AGENT": "auto"})
    with slow.accept()[0]:
        process.send_signal(signal.SIGINT)
        assert (process.communicate(), process.returncode) == ((b"", b""), 130)
    (record,) = shop.records()
    assert (record["command"], record["outcome"]) == ("hook", "interrupted")
    assert (record["pid"], record["names"]) == (process.pid, ["KEY"])


def test_the_hook_does_not_wait_again_for_a_store_that_the_agent_has_waited_for(shop, slow):
    code = (
        "import sys; from envkit.cli.exec import hook_step; hook_step.TIMEOUT_SECONDS = 0.5\n"
        "sys.exit(hook_step.run('bash', 1, 'auto', load=True))"
    )
    done = run_python(code, options=["-I"], cwd=shop.root, env={**os.environ, **shop.environ})
    assert done.stderr.startswith("envkit: warning: no environment is loaded: "), done.stderr
    slow.settimeout(0)
    reads = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            slow.accept()[0].close()
            reads += 1
    assert reads <= 1, "that of the agent"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("require", "the agent cannot be used: other users may write in"),
        ("yes", "ENVKIT_AGENT is 'yes', which is not a mode"),
    ],
)
def test_the_hook_loads_nothing_if_it_may_not_do_without_the_agent(
    shop, agent, runtime, mode, said
):
    allowed(shop)
    shop.environ.update(agent.environ)
    os.chmod(runtime, 0o777)
    done = shop.run("hook", "bash", "--step", str(os.getpid()), env={"ENVKIT_AGENT": mode})
    assert (done.returncode, said in done.stderr) == (0, True), done.stderr
    assert "KEY" not in done.stdout
    assert "KEY" in step(shop, ENVKIT_AGENT="auto")


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("protected = true\n" + PROFILE, "dev has access rules"),
        (PROFILE + 'BASH_ENV = "/tmp/x"\n', "dev is not trusted"),
        ("not TOML", "profiles/dev.toml:1:"),
    ],
)
def test_the_agent_does_not_load_what_the_hook_refuses(shop, agent, profile, said):
    allowed(shop)
    shop.environ.update(agent.environ)
    shop.profile("dev.toml", profile)
    agent.start()
    for _ in range(2):
        done = shop.run("hook", "bash", "--step", str(os.getpid()), env={"ENVKIT_AGENT": "auto"})
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
        assert "KEY" not in done.stdout


def test_a_step_with_an_answer_of_the_agent_imports_neither_typer_nor_json(shop, agent):
    allowed(shop)
    shop.environ.update(agent.environ)
    time.sleep(0.1)
    agent.start()
    step(shop, ENVKIT_AGENT="auto")
    code = (
        "import sys; from envkit.__main__ import main\n"
        "sys.argv = ['envkit', 'hook', 'bash', '--step', '1']\n"
        "try: main()\n"
        "finally: print(sorted({'json', 'typer', 'typing', 're'} & set(sys.modules)))"
    )
    done = run_python(
        code,
        options=["-I"],
        cwd=shop.root,
        env={**os.environ, **shop.environ, "ENVKIT_AGENT": "auto"},
    )
    assert done.stdout.endswith("[]\n"), done.stdout


TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=9)


@given(
    TEXTS, TEXTS, st.dictionaries(st.from_regex("[A-Z_]{1,4}", fullmatch=True), st.none() | TEXTS)
)
def test_the_state_of_the_hook_survives_a_round_trip_through_the_environment(
    profiles, environment, before
):
    loaded = Loaded(profiles, environment, before)
    assert decoded(encoded(loaded)) == loaded
    assert "\n" not in encoded(loaded)


@pytest.mark.parametrize("text", [None, "", "nonsense", '["/x", "dev", {}]'])
def test_a_state_that_says_nothing_unloads_nothing(text):
    assert decoded(text) is None


@pytest.mark.parametrize(
    "folder", ["/home/me/shop", "/home/m\u00e9", '/a "b": c', "/a\\b", "/a\nb", '/a",\n  "b']
)
def test_the_projects_are_read_as_they_were_written(tmp_path, folder):
    store = HookStore(str(tmp_path))
    store.allow("/first", "one")
    store.allow(folder, "dev")
    assert (store.environment(folder), store.environment("/first")) == ("dev", "one")
    compact = json.dumps(json.loads(Path(store.path).read_text()))
    Path(store.path).write_text(compact)
    assert (store.environment(folder), store.environment("/first")) == ("dev", "one")
    store.revoke(folder)
    store.revoke("/first")
    assert store.environment("/first") is None
