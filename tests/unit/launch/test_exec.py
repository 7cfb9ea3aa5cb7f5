"""A program replaces this process, or nothing has changed."""

import signal

import pytest

from envkit.errors import EnvkitError
from envkit.launch.exec import replace_process


@pytest.mark.parametrize("command", ["no-such-program-x", "/etc/passwd", "/dev/null/x"])
def test_a_program_that_cannot_be_started_leaves_the_signal_handlers_as_they_were(command):
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        with pytest.raises(EnvkitError):
            replace_process([command], {b"PATH": b"/bin"})
        assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGPIPE, before)
