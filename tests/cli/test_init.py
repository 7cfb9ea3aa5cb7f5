"""`envkit init` writes profiles for a project; it copies no values and overwrites nothing."""

import pytest

from support.sessions import replay, sessions


@pytest.mark.parametrize("session", sessions("cli/init"))
def test_init_transcripts_match(project, session):
    project.profiles.rmdir()
    assert replay(project, session) == session


@pytest.mark.parametrize("answer", ["y\n", "n\n", "\x03"])
def test_init_offers_to_encrypt_on_a_terminal(project, answer):
    project.profiles.rmdir()
    (project.root / ".env").write_text("API_KEY=made-up\n")
    project.dotenv("prod", "API_KEY=made-up\n")
    shown, status = project.on_terminal("init", "--env", "prod", answers=[("[y/N]", answer)])
    assert "Encrypt .env.prod, so that you can commit it? [y/N]" in shown
    assert status == (130 if answer == "\x03" else 0), shown
    encrypted = "made-up" not in (project.root / ".env.prod").read_text()
    assert encrypted == (answer == "y\n")
    assert (project.root / ".env").read_text() == "API_KEY=made-up\n"


def test_init_asks_nothing_if_no_file_could_be_shared(project):
    project.profiles.rmdir()
    (project.root / ".env").write_text("API_KEY=made-up\n")
    shown, status = project.on_terminal("init")
    assert (status, "[y/N]" in shown) == (0, False)
