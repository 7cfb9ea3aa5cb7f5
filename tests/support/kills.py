"""Kill what a test runs at each of its file operations.

number = 1
while killed_at(number, run, "new.age", "audit.jsonl"):
    ...                         # whatever must hold after a kill
    number += 1
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def killed_at(number: int, run: Callable[[], object], *names: str) -> bool:
    """Run something in a child process, and kill it before one of its file operations.

    Args:
        number: of the operation, from 1.
        run: what to run.
        names: parts of the paths of the operations that count.

    Returns:
        whether it was killed; False if it has fewer operations.
    """
    child = os.fork()
    if not child:
        _run(number, run, names)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def _run(number: int, run: Callable[[], object], names: tuple[str, ...]) -> None:
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event != "open" and not event.startswith("os."):
            return
        texts = [os.fsdecode(one) for one in arguments if isinstance(one, str | bytes)]
        if any(name in text for name in names for text in texts):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        run()
    except BaseException:  # noqa: BLE001 - the child never returns to pytest
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
