"""Hooks around a rotation: their input, and how they end."""

import pytest

from envkit.rotation.hooks import HookError, run_hook

FACTS = {"ENVKIT_ROTATION": "db-password"}


def run(*command, seconds=30.0):
    run_hook(command, FACTS, timeout_seconds=seconds)


def test_a_hook_gets_names_and_no_input(tmp_path):
    run("sh", "-c", f'cat > {tmp_path}/in; echo "$ENVKIT_ROTATION" > {tmp_path}/name')
    assert (tmp_path / "in").read_text() == ""
    assert (tmp_path / "name").read_text() == "db-password\n"


def test_a_hook_prints_to_stderr(capfd):
    run("sh", "-c", "echo out; echo err >&2")
    assert capfd.readouterr() == ("", "out\nerr\n")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("sh", "-c", "exit 7"), "'sh' exited with status 7"),
        (("sh", "-c", "kill -TERM $$"), "'sh' was killed by signal 15"),
        (("/no/such/program",), "cannot run '/no/such/program': no such file"),
        (("/",), "cannot run '/': permission denied"),
    ],
)
def test_a_failed_hook_reports_what_went_wrong(command, told):
    with pytest.raises(HookError) as caught:
        run(*command)
    assert told in caught.value.message


def test_a_hook_gets_neither_variables_of_envkit_nor_credentials(tmp_path, monkeypatch):
    hidden = ("ENVKIT_QUEUE", "ENVKIT_REASON", "VAULT_TOKEN", "VAULT_SECRET_ID", "PGPASSWORD")
    for name in (*hidden, "AWS_SECRET_ACCESS_KEY", "DEPLOY_TOKEN"):
        monkeypatch.setenv(name, "canary")
    run("sh", "-c", f"env > {tmp_path}/env")
    assert "canary" not in (tmp_path / "env").read_text()
    command = ("sh", "-c", f"env > {tmp_path}/env")
    run_hook(command, FACTS, environment=["DEPLOY_TOKEN"], timeout_seconds=30)
    assert (tmp_path / "env").read_text().count("canary") == 1
