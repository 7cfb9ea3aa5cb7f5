"""Errors of the operating system have one wording."""

import os

from envkit._internal.os_errors import reason_of


def test_reason_of_an_os_error_is_that_of_the_system_in_lower_case():
    assert reason_of(PermissionError(13, os.strerror(13))) == "permission denied"


def test_reason_of_an_error_without_one_is_that_of_the_caller():
    assert reason_of(ValueError("a value"), "not a command") == "not a command"
    assert reason_of(OSError()) == "input or output failed"
