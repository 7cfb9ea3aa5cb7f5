"""Log in with the current values of a live environment, and again if they are refused.

A password is refused where a rotation has just replaced it. Then the store is asked at once,
for up to a second, and each newer value is tried. Any other failure is not retried.
"""

from __future__ import annotations

import contextlib
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeAlias, TypeVar

    from envkit.resident.live import Live, Snapshot
    from envkit.secret import Secret

    T = TypeVar("T")
    Login: TypeAlias = Mapping[str, Secret]


def connect(
    live: Live,
    names: Sequence[str],
    attempt: Callable[[Login], T],
    is_refusal: Callable[[Exception], bool],
) -> T:
    """Return what `attempt` returns for the current values of `names`.

    Args:
        live: the live environment.
        names: the variables that the login consists of; they come from one snapshot.
        attempt: connects; is given the values by name.
        is_refusal: whether an exception of `attempt` says that the server refused the login.

    Raises:
        Exception: what `attempt` raised, the last time.
    """
    snapshot = live.snapshot()
    newer = None
    while True:
        try:
            return attempt(_login(snapshot, names))
        except Exception as error:
            if not is_refusal(error):
                raise
            newer = newer or live.newer(snapshot, names)
            found = next(newer, None)
            if found is None:
                raise
            snapshot = found


async def connect_async(
    live: Live,
    names: Sequence[str],
    attempt: Callable[[Login], Awaitable[T]],
    is_refusal: Callable[[Exception], bool],
) -> T:
    """Do what `connect` does, without blocking the event loop while stores are asked."""
    snapshot = live.snapshot() if live.is_loaded else await _in_thread(live.snapshot)
    newer = None
    while True:
        try:
            return await attempt(_login(snapshot, names))
        except Exception as error:
            if not is_refusal(error):
                raise
            newer = newer or live.newer(snapshot, names)
            found = await _in_thread(partial(next, newer, None))
            if found is None:
                raise
            snapshot = found


async def _in_thread(function: Callable[[], T]) -> T:
    """Return what `function` returns in a thread that the end of the loop does not wait for."""
    import asyncio
    import threading

    from envkit._internal.parallel import Result

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Result[T]] = loop.create_future()

    def settle(result: Result[T]) -> None:
        if not ended.done():  # else it was cancelled
            ended.set_result(result)

    def run() -> None:
        try:
            result = Result(function())
        except BaseException as error:  # noqa: BLE001 - raised by the coroutine
            result = Result(error=error)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name="envkit-login", daemon=True).start()
    return (await ended).value


def _login(snapshot: Snapshot, names: Sequence[str]) -> Login:
    return {name: snapshot.environment[name] for name in names}
