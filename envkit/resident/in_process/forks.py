"""What a fork and the end of the interpreter mean for objects with locks and threads.

A child of a fork has one thread, and locks that another thread of its parent may have held.
Each registered object makes its own anew there; at the end of the interpreter it is closed, so
that no thread begins, waits or logs while modules are taken down.

Nor can a child ever import a module that a thread of its parent was importing. So what the
threads need later is imported here, before there is one.
"""

from __future__ import annotations

import atexit
import difflib  # noqa: F401 - of a message
import hmac  # noqa: F401 - of a comparison of two secrets
import logging  # noqa: F401 - so that its hook, and that of threading, run before the one here
import os
import weakref

from envkit._internal import parallel, suggestions  # noqa: F401

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Forkable(Protocol):
        """An object with locks or threads."""

        def after_fork(self) -> None:
            """Make them anew, in the child."""
            ...

        def close(self) -> None:
            """End the threads, and start none any more."""
            ...


_registered: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(one: Forkable) -> None:
    """Call `one.after_fork()` in each child, and `one.close()` at exit, as long as it lives."""
    _registered.add(one)


def _after_fork() -> None:
    for one in list(_registered):
        one.after_fork()


def _close() -> None:
    for one in list(_registered):
        one.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close)
