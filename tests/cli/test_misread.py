"""A value that other readers of `.env` files read differently gets a warning without the value."""

import pytest

HARD = "it's $HOME c4nary"


@pytest.fixture
def dev(project):
    project.profile("dev.toml", '[variables]\nTOKEN = "{{ TOKEN }}"\n')
    project.dotenv("dev", "TOKEN=x\n")
    return project


def test_set_warns_of_a_line_that_a_shell_reads_differently(dev):
    done = dev.run("set", "TOKEN", "--env", "dev", input=HARD)
    assert done.returncode == 0
    assert done.stderr == (
        "envkit: warning: TOKEN has quotes or escapes that only envkit and python-dotenv read: "
        "a shell and Node's dotenv would read a different value\n"
        "envkit: hint: start programs with 'envkit exec', which passes every value unchanged\n"
    )
    assert dev.run("get", "TOKEN", "--env", "dev").stdout == HARD


@pytest.mark.parametrize("value", ["plain", "a b", "$HOME", "it's", "two\nlines"])
def test_set_does_not_warn_of_a_line_that_a_shell_reads_alike(dev, value):
    done = dev.run("set", "TOKEN", "--env", "dev", input=value)
    assert (done.returncode, done.stderr) == (0, "")


def test_edit_warns_of_a_line_that_a_shell_reads_otherwise(dev):
    (dev.root / "edited").write_text(f'TOKEN="{HARD}"\n')
    dev.environ["EDITOR"] = "cp edited"
    done = dev.run("edit", "--env", "dev")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("envkit: warning: TOKEN has quotes or escapes")


def test_set_warns_of_a_literal_only_in_a_profile_that_is_a_dotenv_file(project):
    for file in ("a.env", "b.toml"):
        project.profile(file, "X=1\n" if file == "a.env" else '[variables]\nX = "1"\n')
    assert "warning: X has quotes" in project.run("set", "X", "--env", "a", input=HARD).stderr
    assert project.run("set", "X", "--env", "b", input=HARD).stderr == ""


def test_export_for_dotenv_names_what_compose_and_node_read_differently(project):
    project.profile("dev.toml", "[variables]\nPLAIN = '1'\n")
    values = ("--set", f"A={HARD}", "--set", "B=it's \\ $X c4nary")
    done = project.run("export", "--env", "dev", *values)
    assert done.stderr == (
        "envkit: warning: Docker Compose reads a different value than python-dotenv: B\n"
        "envkit: warning: Node's dotenv reads a different value than python-dotenv: A, B\n"
    )
    assert project.run("export", "--env", "dev", *values, "--format", "json").stderr == ""
