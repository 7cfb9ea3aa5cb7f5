"""Start the agent from any process, which does not become its parent.

The agent is given a few variables and none of the caller's open files. It imports nothing from
the working folder.
"""

from __future__ import annotations

import os
import sys

from envkit.agent.asking import Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PASSED = (
    *("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH"),
    *("PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONUSERBASE"),
)
MAX_AGE_SECONDS = 300.0  # of what it has in memory
IDLE_SECONDS = 3600.0
UNUSED_SECONDS = 60.0  # each sandbox may start one on demand, and nothing may ask it again


def spawn(
    environ: Mapping[str, str],
    *,
    max_age_seconds: float = MAX_AGE_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
    unused_seconds: float = UNUSED_SECONDS,
) -> None:
    """Start an agent, and return at once; its arguments are those of `Server`.

    Raises:
        Unusable: it cannot be started.
    """
    if not sys.executable:
        raise Unusable("Python does not know its own path")
    seconds = f"{max_age_seconds:.3f}, {idle_seconds:.3f}, {unused_seconds:.3f}"
    code = f"from envkit.agent.process import main; main({seconds})"
    # -P: a module of the working folder is not imported
    command = [sys.executable, "-P", "-X", "utf8", "-c", code]
    passed = {name: environ[name] for name in _PASSED if name in environ}
    if "PYTHONPATH" in passed:
        folders = passed["PYTHONPATH"].split(os.pathsep)
        passed["PYTHONPATH"] = os.pathsep.join(filter(os.path.isabs, folders))
    files = [(os.POSIX_SPAWN_OPEN, one, os.devnull, os.O_RDWR, 0) for one in (0, 1, 2)]
    try:
        child = os.fork()  # it ends at once, so that the agent has another parent
    except OSError as error:
        raise Unusable(f"cannot start it: {os.strerror(error.errno or 0).lower()}") from None
    if child == 0:
        try:
            os.posix_spawn(command[0], command, passed, file_actions=files)
        finally:
            os._exit(0)
    try:  # noqa: SIM105 - contextlib is not imported on this path
        os.waitpid(child, 0)
    except ChildProcessError:
        pass  # SIGCHLD is ignored: the kernel has reaped it
