"""`envkit init` writes profiles for a project; it copies no values and overwrites nothing."""

import pytest

from support.sessions import replay, sessions


@pytest.mark.parametrize("session", sessions("cli/init"))
def test_init_transcripts_match(project, session):
    project.profiles.rmdir()
    assert replay(project, session) == session
