"""`envkit init`: profiles from what a project has, without its values and over nothing."""

import pytest

from support.sessions import replay, sessions


@pytest.mark.parametrize("session", sessions("cli/init"))
def test_init(project, session):
    project.profiles.rmdir()
    assert replay(project, session) == session
