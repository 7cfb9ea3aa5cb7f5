"""No command follows a link in a repository out of the project.

A clone may contain each of these links. The commands run as separate processes, with no
trust given, and the file outside contains a canary that no command may print.
"""

import os
import subprocess

import pytest

from support.process import run_envkit
from support.rotating import table
from support.transcript import transcript

CANARY = "canary-of-another-project"
PROFILE = '[variables]\nTOKEN = "{{ TOKEN }}"\nPLAIN = "text"\nOTHER = { required = false }\n'
ROTATION = table("token", "TOKEN", 'grace = "0s"', 'target = { previous_field = "" }')
ROTATE = ("rotate", "dev/token")
PROMOTE = ("promote", "prod", "dev", "OTHER", "--secrets", "--yes")
READING = [
    ("show", "--env", "dev"),
    ("show", "--env", "dev", "--reveal", "--yes"),
    ("get", "TOKEN", "--env", "dev"),
    ("exec", "--env", "dev", "--", "env"),
    ("export", "--env", "dev"),
    ("check", "--env", "dev"),
    ("doctor", "--env", "dev"),
    ("diff", "dev", "prod"),
    ("history", "TOKEN", "--env", "dev"),
    ("rotate", "status"),
    ("rotate", "--plan"),
]
WRITING = [
    ("set", "TOKEN", "--env", "dev"),
    ("unset", "TOKEN", "--env", "dev"),
    ("rollback", "TOKEN", "--env", "dev"),
    ("edit", "--env", "dev"),
    PROMOTE,
    ROTATE,
]


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text(f"TOKEN={CANARY}\n")
    (folder / "file").chmod(0o600)
    return folder


@pytest.fixture
def clone(project):
    """A project with rotations, and a link still to be placed in it."""
    project.profile("dev.toml", PROFILE + ROTATION)
    project.profile("prod.toml", PROFILE)
    project.dotenv("prod", "TOKEN=prod\nOTHER=prod\n")
    return project


def run(project, *command, input="new"):  # noqa: A002 - as subprocess.run names it
    """Run a command that may read the file outside, and must not show it."""
    state = str(project.root.parent / "state")
    env = {"EDITOR": "sed -i -e s/old/edited/ -e w/dev/stderr", "XDG_STATE_HOME": state}
    done = project.run(*command, env=env, input=input)
    assert CANARY not in done.stdout + done.stderr
    return done


def place(path, kind, target):
    """Replace a file by a link: `hard` to its content, `symbolic` or `dangling`."""
    if kind == "hard":
        os.link(path.parent / target, path)
    else:
        path.symlink_to(target if kind == "symbolic" else target.replace("file", "new"))


def tree(folder):
    """Return every file below a folder with the target of a link or the content of a file."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("command", READING + WRITING, ids=" ".join)
@pytest.mark.parametrize("link", ["file", "folder"])
def test_an_env_file_that_links_out_of_the_project_is_neither_read_nor_written(
    clone, outside, command, link
):
    if link == "file":
        (clone.root / ".env.dev").symlink_to("../outside/file")
    else:
        (clone.root / "config").symlink_to("../outside")
        settings = '[sources.dotenv]\npath = "config/file"\n'
        clone.profile("dev.toml", settings + PROFILE + ROTATION)
    before = tree(clone.root), tree(outside)
    done = run(clone, *command)
    said = done.stdout + done.stderr
    assert "trust" in said, said
    assert done.returncode == 6, said
    assert (tree(clone.root), tree(outside)) == before


def test_the_error_for_a_link_names_its_target_and_the_fix(clone, outside):
    (clone.root / ".env.dev").symlink_to("../outside/file")
    done = run(clone, "get", "TOKEN", "--env", "dev")
    assert transcript(done, {outside: "OUTSIDE"}) == (
        "2> envkit: error: dev is not trusted with this: "
        "reads OUTSIDE/file, outside the project, as .env.dev [untrusted-profile]\n"
        "2> envkit: hint: run 'envkit trust --env dev', "
        "or set ENVKIT_TRUST if there is no terminal\n"
        "[6]\n"
    )


@pytest.mark.parametrize("command", READING[:6] + WRITING[:1], ids=" ".join)
@pytest.mark.parametrize("form", ["toml", "env"])
def test_a_profile_that_links_out_of_the_project_is_not_read(clone, outside, command, form):
    text = f'[variables]\nTOKEN = "{CANARY}"\n' if form == "toml" else f"TOKEN={CANARY}\n"
    (outside / "profile").write_text(text)
    (clone.profiles / "dev.toml").unlink()
    (clone.profiles / f"dev.{form}").symlink_to("../../outside/profile")
    done = run(clone, *command)
    assert done.returncode == 6
    assert "run 'envkit trust'" in done.stdout + done.stderr
    assert (outside / "profile").read_text() == text


def test_a_profile_folder_that_links_out_of_the_project_is_not_read(clone, outside):
    clone.profiles.rename(outside / "profiles")
    clone.profiles.symlink_to("../outside/profiles")
    done = run(clone, "get", "PLAIN", "--env", "dev")
    assert (done.returncode, done.stdout) == (6, "")
    assert "profiles/dev.toml leads out of the project" in done.stderr


def test_links_inside_the_project_are_followed(clone):
    """This includes the links of a ConfigMap in Kubernetes: a link through a linked folder."""
    version = clone.root / "config" / "..2026"
    version.mkdir(parents=True)
    (version / "app.env").write_text("TOKEN=old\n")
    (version / "app.env").chmod(0o600)
    (clone.root / "config" / "..data").symlink_to("..2026")
    (clone.root / "config" / "app.env").symlink_to("..data/app.env")
    (clone.root / ".env.dev").symlink_to("config/app.env")
    assert run(clone, "get", "TOKEN", "--env", "dev").stdout == "old"
    assert run(clone, "set", "TOKEN", "--env", "dev").returncode == 0
    assert (version / "app.env").read_text() == "TOKEN=new\n"
    assert (clone.root / ".env.dev").is_symlink()
    assert (clone.root / ".env.dev.envkit-previous").read_text() == "TOKEN=old\n"
    assert run(clone, *ROTATE).returncode == 0
    assert (version / "app.env.TOKEN.envkit-rotation").exists()


def test_a_file_named_on_the_command_line_needs_no_trust(clone, outside):
    (outside / "rules").write_text("* # all of it\n")
    rules = ("--ignore-file", str(outside / "rules"))
    for options, different in (((), True), (rules, False)):
        done = run(clone, "diff", f"file:{outside}/file", "prod", *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert ("DIFFERENT (1)" in done.stdout) is ("DIFFERENT" in done.stdout) is different


# ---------------------------------------------------------------- files that envkit creates

_CHANGING = [*WRITING[:2], *WRITING[3:]]
_NAMES = {
    ".env.dev.envkit-previous": [*_CHANGING, READING[8]],
    ".env.dev.envkit-lock": [*_CHANGING, READING[10]],
    ".env.dev.TOKEN.envkit-rotation": [ROTATE, *READING[9:]],
}
OWN = [(name, command) for name, commands in _NAMES.items() for command in commands]


@pytest.mark.parametrize(("name", "command"), OWN, ids=str)
@pytest.mark.parametrize("kind", ["symbolic", "dangling", "hard"])
def test_a_link_in_place_of_a_file_that_envkit_creates_is_refused(
    clone, outside, name, command, kind
):
    clone.dotenv("dev", "TOKEN=old\n")
    place(clone.root / name, kind, "../outside/file")
    before = tree(clone.root), tree(outside)
    done = run(clone, *command)
    said = done.stdout + done.stderr
    assert "link" in said, said
    assert name in said, said
    assert done.returncode == (1 if command[0] == "rotate" else 6), said
    assert (tree(clone.root), tree(outside)) == before


def test_the_error_for_a_link_in_place_of_a_file_that_envkit_creates_says_to_remove_it(clone):
    clone.dotenv("dev", "TOKEN=old\n")
    (clone.root / ".env.dev.envkit-previous").symlink_to("../.bashrc")
    done = run(clone, "set", "TOKEN", "--env", "dev")
    assert transcript(done) == (
        "2> envkit: warning: TOKEN is rotated by dev/token: the next rotation starts from "
        "the new value\n"
        "2> envkit: error: .env.dev.envkit-previous is a symbolic link: envkit stores its own "
        "file under that name, and never opens it through a link [link-refused]\n"
        "2> envkit: hint: run 'ls -l .env.dev.envkit-previous' to see where it "
        "leads, then 'rm .env.dev.envkit-previous'\n"
        "[6]\n"
    )
    assert not os.path.lexists(clone.root.parent / ".bashrc")


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_link_in_place_of_the_audit_log_is_refused(clone, outside, kind):
    clone.profile("dev.toml", "protected = true\n" + PROFILE)
    clone.dotenv("dev", "TOKEN=old\n")
    log = clone.root.parent / "audit.jsonl"
    place(log, kind, "outside/file")
    command = ("get", "TOKEN", "--env", "dev", "--reason", "x")
    done = clone.run(*command, env={"ENVKIT_AUDIT": str(log)})
    assert (done.returncode, done.stdout) == (6, "")
    assert "link" in done.stderr
    assert (outside / "file").read_text() == f"TOKEN={CANARY}\n"


# ---------------------------------------------------------------- init, and the ignore file


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (".gitignore", "../outside/file"),
        (".gitignore", "../outside/new"),
        (".gitignore", "other"),
        (".env.dev", "../outside/file"),
        ("profiles", "../outside"),
        ("profiles", "../outside/new"),
    ],
)
def test_init_neither_reads_nor_writes_through_a_link(tmp_path, outside, name, target):
    root = tmp_path / "clone"
    root.mkdir()
    (root / name).symlink_to(target)
    subprocess.run(["git", "init", "-q", root], check=True)
    before = tree(root), tree(outside)
    done = run_envkit("init", cwd=root)
    assert done.returncode == 6, done.stderr
    assert "link" in done.stderr or "leads out of the project" in done.stderr
    assert (tree(root), tree(outside)) == before


@pytest.mark.parametrize("command", [("check", "--env", "prod"), ("diff", "dev", "prod")])
def test_an_ignore_file_that_links_out_of_the_project_is_not_read(clone, outside, command):
    clone.dotenv("dev", "TOKEN=old\n")
    (clone.root / ".envkit-ignore").symlink_to("../outside/file")
    done = run(clone, *command)
    assert done.returncode == 6
    assert "run 'envkit trust'" in done.stderr


@pytest.mark.parametrize(("link", "output"), [("app.env", "app.env"), ("out", "out/file")])
def test_an_output_that_links_out_of_the_working_folder_is_refused(clone, outside, link, output):
    """Otherwise a repository could choose a file and write values into it."""
    clone.dotenv("dev", "TOKEN=old\n")
    (clone.root / link).symlink_to("../outside/file" if link == output else "../outside")
    before = tree(outside)
    done = run(clone, "export", "--env", "dev", "--output", output)
    assert done.returncode == 6
    assert f"--output {outside / 'file'}" in done.stderr
    assert tree(outside) == before
    done = run(clone, "export", "--env", "dev", "--output", str(outside / "file"))
    assert done.returncode == 0, done.stderr
    assert "TOKEN=old" in (outside / "file").read_text()


def test_an_output_may_be_a_link_within_the_working_folder(clone):
    clone.dotenv("dev", "TOKEN=old\n")
    (clone.root / "config").mkdir()
    (clone.root / "app.env").symlink_to("config/app.env")
    assert run(clone, "export", "--env", "dev", "--output", "app.env").returncode == 0
    assert "TOKEN=old" in (clone.root / "config" / "app.env").read_text()
