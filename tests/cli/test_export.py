"""`envkit export`: where it writes, and what it refuses. The formats have their own tests."""

import pytest

from support.sessions import replay, sessions


@pytest.mark.parametrize("session", sessions("cli/export"))
def test_export_transcripts_match(project, session):
    project.profile("dev.toml", 'variables = { A = "1", PASSWORD = "{{ PASSWORD }}" }\n')
    project.dotenv("dev", "PASSWORD=hunter2\n")
    assert replay(project, session) == session
