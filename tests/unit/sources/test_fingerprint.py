"""Fingerprints of values."""

from envkit.sources.fingerprint import fingerprint
from support.process import run_python

PRINT = "from envkit.sources.fingerprint import fingerprint; print(fingerprint('value'))"


def test_fingerprints_are_equal_for_equal_values_and_of_this_process_alone():
    assert fingerprint("value") == fingerprint("value")
    assert fingerprint("value") != fingerprint("Value")
    assert fingerprint("\udcff")
    assert run_python(PRINT).stdout.strip() != fingerprint("value")
