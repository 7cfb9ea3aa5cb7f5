"""The error of a scan that cannot be done."""

from __future__ import annotations

from envkit.errors import EnvkitError


class ScanError(EnvkitError):
    """A repository or a folder cannot be scanned, because its list of files cannot be read."""

    code = "scan-failed"
    exit_status = 5
