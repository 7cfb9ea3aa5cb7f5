"""The types for authors of sources: protocols, inputs and results.

A source is envkit's adapter for one store. Building one does no I/O. A source never logs, prints
or raises a value. It converts its client's exceptions to `SourceError` in one place, and reports
*absent* only if the store said so.

    class Shelf:
        settings = {"path": str}
        remote = False

        def __init__(self, context: SourceContext) -> None: ...
        def check(self, ref): ...
        def locate(self, ref): ...
        def fetch(self, refs): ...

`envkit.testing.SourceContract` is the test suite that every source must pass.
"""

from __future__ import annotations

from envkit._internal.clock import Deadline
from envkit.sources.model import (
    WHOLE,
    Absent,
    LoginWarning,
    Reading,
    SourceContext,
    Version,
    pick_field,
)
from envkit.sources.protocols import (
    GroupWrite,
    LoginState,
    Placed,
    Probe,
    ReadCheck,
    Source,
    VersionCheck,
    VersionedSource,
    WritableSource,
    WriteCheck,
)

__all__ = [
    "WHOLE",
    "Absent",
    "Deadline",
    "GroupWrite",
    "LoginState",
    "LoginWarning",
    "Placed",
    "Probe",
    "ReadCheck",
    "Reading",
    "Source",
    "SourceContext",
    "Version",
    "VersionCheck",
    "VersionedSource",
    "WritableSource",
    "WriteCheck",
    "pick_field",
]
