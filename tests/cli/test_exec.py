"""`envkit exec`: what the app sees, and that it is as if envkit had never been there."""

import os
import signal
import subprocess
import sys

import pytest

from envkit.launch.exec import MAX_VARIABLE_BYTES
from support.process import run_envkit
from support.transcript import transcript

BASE = """\
[variables]
NODE_ENV = "development"
DATABASE_URL = "postgresql://app:{{ DB_PASSWORD }}@localhost/app"
REDIS_URL = "redis://localhost:6379"
"""
SHOW = ("--", "sh", "-c", 'echo "$NODE_ENV $DATABASE_URL $REDIS_URL"')


@pytest.fixture
def dev(project):
    project.profile("dev.toml", BASE)
    project.dotenv("dev", "DB_PASSWORD=hunter2\n")
    return project


def environment_of(done):
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_the_app_sees_the_profile(dev):
    assert transcript(dev.run("exec", "--env", "dev", *SHOW)) == (
        "development postgresql://app:hunter2@localhost/app redis://localhost:6379\n"
    )


def test_the_separator_may_be_left_out_and_the_apps_options_are_its_own(dev):
    done = dev.run("exec", "-edev", "echo", "--env", "-n", "--help")
    assert transcript(done) == "--env -n --help\n"


def test_the_profile_wins_over_the_parent_and_the_rest_is_passed_on(dev):
    done = dev.run("exec", "--env", "dev", "--", "env", env={"NODE_ENV": "x", "MINE": "kept"})
    seen = environment_of(done)
    assert seen["NODE_ENV"] == "development"
    assert seen["MINE"] == "kept"
    assert "DB_PASSWORD" not in seen, "a .env file is a store, and no part of the environment"


def test_the_default_environment(dev):
    env = {"ENVKIT_ENV": "dev"}
    assert dev.run("exec", *SHOW, env=env).stdout.startswith("development ")
    assert transcript(dev.run("exec", *SHOW)) == (
        "2> envkit: error: no environment is named\n"
        "2> envkit: hint: use --env NAME, or set ENVKIT_ENV\n"
        "[2]\n"
    )


def test_an_unknown_environment_is_never_another_one(dev):
    dev.profile("staging.env", "NODE_ENV=staging\n")
    assert transcript(dev.run("exec", "--env", "stagin", *SHOW)) == (
        "2> envkit: error: no profile 'stagin' in profiles (known: dev, staging)\n"
        "2> envkit: hint: did you mean 'staging'?\n"
        "[3]\n"
    )


def test_profiles_are_found_from_below_and_where_they_are_named(dev, tmp_path):
    below = dev.root / "src" / "app"
    below.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = ("exec", "--env", "dev", "--only", "NODE_ENV", *SHOW)
    for cwd, env, extra in (
        (below, {}, ()),
        (elsewhere, {"ENVKIT_PROFILES": str(dev.profiles)}, ()),
        (elsewhere, {}, ("--profiles", str(dev.profiles))),
    ):
        done = run_envkit(run[0], *extra, *run[1:], cwd=cwd, env=env)
        assert transcript(done) == "development  \n"
    assert transcript(run_envkit(*run, cwd=elsewhere), {tmp_path: "TMP"}) == (
        "2> envkit: error: no profiles/ folder in . or above it\n"
        "2> envkit: hint: run 'envkit init' to make one, or name one with --profiles\n"
        "[3]\n"
    )


def test_of_several_environments_later_ones_win(dev):
    dev.profile("local.env", "NODE_ENV=local\nEXTRA=1\n")
    done = dev.run("exec", "-e", "dev", "-e", "local", "--", "sh", "-c", "echo $NODE_ENV $EXTRA")
    assert transcript(done) == "local 1\n"
    done = dev.run("exec", "-e", "local", "-e", "dev", "--", "sh", "-c", "echo $NODE_ENV $EXTRA")
    assert transcript(done) == "development 1\n"


def test_set_wins_over_every_profile(dev):
    done = dev.run("exec", "-e", "dev", "--set", "NODE_ENV=test", "--set", "NEW=a=b {{x}}", "env")
    seen = environment_of(done)
    assert seen["NODE_ENV"] == "test"
    assert seen["NEW"] == "a=b {{x}}"


def test_only_and_except_choose_what_is_passed_on_and_fetched(dev):
    (dev.root / ".env.dev").unlink()  # then DATABASE_URL has no value, and nobody asks for it
    done = dev.run("exec", "-e", "dev", "--except", "DATABASE_*", *SHOW)
    assert transcript(done) == "development  redis://localhost:6379\n"
    done = dev.run("exec", "-e", "dev", "--only", "*_ENV", "--only", "REDIS_URL", *SHOW)
    assert transcript(done) == "development  redis://localhost:6379\n"


def test_pristine_passes_on_what_a_program_needs_to_feel_at_home(dev):
    env = {"MINE": "x", "LC_TIME": "C", "TZ": "UTC", "AWS_SECRET_ACCESS_KEY": "x"}
    seen = environment_of(dev.run("exec", "-e", "dev", "--pristine", "--", "env", env=env))
    seen.pop("PWD", None)
    seen.pop("_", None)
    assert sorted(seen) == [
        "DATABASE_URL",
        "HOME",
        "LANG",
        "LC_TIME",
        "NODE_ENV",
        "PATH",
        "REDIS_URL",
        "TZ",
    ]


@pytest.mark.parametrize("given", [{}, {"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C"}])
def test_the_locale_that_python_sets_for_itself_is_not_passed_on(dev, given):
    env = {"PATH": os.environ["PATH"], **given}
    command = [sys.executable, "-m", "envkit", "exec", "--env", "dev", "--", "env"]
    done = subprocess.run(
        command, cwd=dev.root, env=env, capture_output=True, text=True, check=False
    )
    seen = environment_of(done)
    profile = {"NODE_ENV", "DATABASE_URL", "REDIS_URL"}
    passed = {name: value for name, value in seen.items() if name not in profile}
    assert passed == env, "the app sees a variable that neither the caller nor the profile set"


def test_what_only_envkit_needs_is_not_passed_on(dev):
    dev.profile(
        "prod.toml",
        """\
        [sources.vault]
        address = "{{ env:OUR_VAULT }}"
        auth = { method = "approle", role_id = "r", secret_id = "{{ env:VAULT_SECRET_ID }}" }
        [variables]
        NODE_ENV = "production"
        """,
    )
    env = {
        "ENVKIT_ENV": "prod",
        "ENVKIT_DEBUG": "1",
        "DOTENV_PRIVATE_KEY_PROD": "x",
        "VAULT_SECRET_ID": "x",
        "OUR_VAULT": "x",
        "VAULT_ADDR": "kept",
    }
    seen = environment_of(dev.run("exec", "--", "env", env=env))
    assert {name for name in env if name in seen} == {"VAULT_ADDR"}
    dev.profile("prod.toml", 'variables = { ENVKIT_ENV = "{{ env:ENVKIT_ENV }}" }\n')
    seen = environment_of(dev.run("exec", "--", "env", env={"ENVKIT_ENV": "prod"}))
    assert seen["ENVKIT_ENV"] == "prod", "a profile may pass it on"


def test_dry_run_shows_names_and_places_and_reads_nothing(dev):
    dev.profile(
        "prod.toml",
        """\
        [sources.vault]
        address = "http://127.0.0.1:1"
        mount = "secret"
        prefix = "app"
        [variables]
        NODE_ENV = "production"
        DATABASE_URL = "postgresql://app:{{ vault:db#password }}@{{ HOST }}/app"
        HOST = "{{ HOST }}"
        """,
    )
    done = dev.run("exec", "--env", "prod", "--set", "LOG=debug", "--dry-run", "--", "false")
    assert transcript(done) == (
        "NODE_ENV      literal\n"
        "HOST          .env.prod#HOST, env:HOST\n"
        "DATABASE_URL  vault:secret/app/db#password, HOST\n"
        "LOG           --set\n"
    )


def test_nothing_runs_unless_every_required_value_is_there(dev):
    dev.profile("staging.toml", 'variables = { A = "{{ A }}", B = "{{ B }}", C = "{{ C }}" }\n')
    dev.dotenv("staging", "B=1\n")
    assert transcript(dev.run("exec", "--env", "staging", "--", "touch", "ran")) == (
        "2> envkit: error: cannot resolve 2 variables of staging\n"
        "2>   A (profiles/staging.toml:1): .env.staging#A is absent: not in .env.staging;"
        " env:A is absent: not in the environment\n"
        "2>   C (profiles/staging.toml:1): .env.staging#C is absent: not in .env.staging;"
        " env:C is absent: not in the environment\n"
        "2> envkit: hint: set it in the store, give it a 'default', or say 'required = false'\n"
        "[4]\n"
    )
    assert not (dev.root / "ran").exists()


@pytest.mark.parametrize(
    ("command", "told", "status"),
    [
        (["no-such-app"], "no program 'no-such-app'", 127),
        (["./missing"], "no program './missing'", 127),
        (["./plain"], "cannot run ./plain: permission denied", 126),
        (["./folder"], "cannot run ./folder: permission denied", 126),
        (["./script"], "cannot run ./script: its interpreter is not there", 126),
        (["./garbage"], "cannot run ./garbage: exec format error", 126),
        ([], "no command is given", 2),
        ([""], "the command is empty: your shell expanded a variable before envkit ran", 2),
    ],
)
def test_programs_that_cannot_be_run(dev, command, told, status):
    (dev.root / "plain").write_text("")
    (dev.root / "folder").mkdir()
    for name, text in (("script", "#!/no/such/interpreter\n"), ("garbage", "\0\1\2")):
        (dev.root / name).write_text(text)
        (dev.root / name).chmod(0o755)
    done = dev.run("exec", "--env", "dev", "--", *command)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[0] == f"envkit: error: {told}"
    assert ("#!/bin/sh" in done.stderr) == (command == ["./garbage"]), done.stderr


def test_the_program_is_looked_for_in_the_path_that_it_gets(dev):
    tools = dev.root / "tools"
    tools.mkdir()
    (tools / "mine").write_text("#!/bin/sh\necho found\n")
    (tools / "mine").chmod(0o755)
    path = f"{dev.root / '.env.dev'}:{tools}"  # an entry that is no folder is passed over
    assert dev.run("exec", "-e", "dev", "--set", f"PATH={path}", "--", "mine").stdout == "found\n"
    done = dev.run("exec", "-e", "dev", "--set", f"PATH={dev.root / '.env.dev'}", "--", "mine")
    assert done.returncode == 127, done.stderr


@pytest.mark.parametrize("status", [0, 1, 3, 42, 255])
def test_the_exit_status_is_the_apps(dev, status):
    assert dev.run("exec", "-e", "dev", "--", "sh", "-c", f"exit {status}").returncode == status


def test_a_value_up_to_the_kernels_limit_is_passed_and_one_byte_more_is_named(dev):
    largest = "x" * (MAX_VARIABLE_BYTES - len("BIG="))
    dev.profile("big.toml", f'variables = {{ BIG = "{largest}" }}\n')
    length = ("--", sys.executable, "-c", "import os; print(len(os.environ['BIG']))")
    assert transcript(dev.run("exec", "-e", "big", *length)) == f"{len(largest)}\n"
    dev.profile("big.toml", f'variables = {{ BIG = "{largest}x" }}\n')
    assert transcript(dev.run("exec", "-e", "big", *length)) == (
        "2> envkit: error: BIG has 131,072 bytes with its name; "
        "the kernel passes at most 131,071\n"
        "2> envkit: hint: put it into a file and pass the file's path\n"
        "[126]\n"
    )


def test_a_total_over_the_kernels_limit_names_the_largest(dev):
    total = os.sysconf("SC_ARG_MAX")
    count = total // 120_000 + 1
    lines = [f'V{number} = "{"x" * 120_000}"\n' for number in range(count)]
    dev.profile("big.toml", "[variables]\n" + "".join(lines) + f'LARGEST = "{"x" * 120_000}"\n')
    done = dev.run("exec", "-e", "big", "--", "touch", "ran")
    assert done.returncode == 126
    assert (
        f"the kernel passes at most {total:,}; the largest are LARGEST (120,008), V" in done.stderr
    )
    assert not (dev.root / "ran").exists()


# ---------------------------------------------------------------- as if envkit were not there


def start(project, *command, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "envkit", "exec", "--env", "dev", "--", *command],
        cwd=project.root,
        stdout=subprocess.PIPE,
        **options,
    )


def test_the_app_keeps_the_process_id(dev):
    with start(dev, "sh", "-c", "echo $$") as process:
        out, _ = process.communicate()
    assert int(out) == process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_reach_the_app(dev, number):
    with start(dev, "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait() == -number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_1_of_a_container_ends_while_it_still_waits(number):
    # any process may ask for it; only for process 1 the kernel would do nothing otherwise
    script = (
        "import sys; from envkit.launch.exec import end_on_signals; end_on_signals();"
        "print('waiting', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(number)
        assert process.wait() == 128 + number


def test_the_app_may_handle_a_signal_itself(dev):
    script = "trap 'echo bye; exit 7' TERM; echo ready; while read -r line; do :; done"
    with start(dev, "sh", "-c", script, stdin=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        process.stdin.close()  # a shell runs its trap between commands
        assert process.stdout.readline() == b"bye\n"
        assert process.wait() == 7


def test_the_app_has_the_signals_that_python_changes_for_itself(dev):
    done = dev.run("exec", "-e", "dev", "--", "grep", "SigIgn", "/proc/self/status")
    ignored = int(done.stdout.split()[1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & (1 << (number - 1)), f"{number.name} is ignored"


def test_stdin_and_open_files_are_the_apps(dev):
    assert dev.run("exec", "-e", "dev", "--", "cat", input="a\0b\n").stdout == "a\0b\n"
    read_end, write_end = os.pipe()
    write = f"import os; os.write({write_end}, b'hello')"
    with start(dev, sys.executable, "-c", write, pass_fds=[write_end]) as process:
        os.close(write_end)
        process.wait()
    with os.fdopen(read_end) as pipe:
        assert pipe.read() == "hello"
