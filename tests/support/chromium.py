"""A real headless Chromium, controlled over a pipe with the DevTools protocol.

    with Chromium(folder) as browser:
        browser.open(path, width=1100, dark=True)
        browser.value("document.title")

It has its own profile folder, uses no network except for what a page loads, and is ended
by its pid.

Reference: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_SECONDS = 60


class Chromium:
    """One browser with one page.

    Args:
        folder: an empty one, for its profile.

    Attributes:
        requests: the addresses that the pages asked for.
        messages: messages in the console of the pages, and of the browser about them.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.messages: list[str] = []
        self._folder = folder
        self._buffer = b""
        self._count = 0
        self._loaded = False
        self._session: str | None = None

    def __enter__(self) -> Chromium:
        binary = next((path for name in NAMES if (path := shutil.which(name))), None)
        assert binary, "no Chromium: run 'make test-extra', which installs one"
        theirs_in, self._out = _pipe()
        self._in, theirs_out = _pipe()
        flags = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *(f"--user-data-dir={self._folder}", "--remote-debugging-pipe", "about:blank"),
        ]
        log = (os.POSIX_SPAWN_OPEN, 2, self._folder / "log", os.O_WRONLY | os.O_CREAT, 0o600)
        self._pid = os.posix_spawn(
            binary,
            [binary, *flags],
            {"PATH": os.environ["PATH"], "HOME": str(self._folder), "LANG": "C.UTF-8"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                log,
            ],
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            targets = self.command("Target.getTargets")["targetInfos"]
            page = next(target["targetId"] for target in targets if target["type"] == "page")
            attached = self.command("Target.attachToTarget", targetId=page, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
                self.command(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._in)
        os.close(self._out)

    def open(self, path: Path, *, width: int = 1100, height: int = 800, dark: bool = False) -> None:
        """Open a file on a screen of this size."""
        scheme = "dark" if dark else "light"
        self.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._loaded = False
        self.command("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._receive()

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        answer = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol and return its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            readable, _, _ = select.select([self._in], [], [], WAIT_SECONDS)
            chunk = os.read(self._in, 1 << 20) if readable else b""
            assert chunk, f"Chromium does not answer: {(self._folder / 'log').read_text()}"
            self._buffer += chunk
        data, _, self._buffer = self._buffer.partition(b"\0")
        answer = json.loads(data)
        self._note(answer.get("method"), answer.get("params", {}))
        return answer

    def _note(self, event: str | None, parameters: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event == "Log.entryAdded":
            self.messages.append(parameters["entry"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.messages.append(str(parameters["args"]))


def _pipe() -> tuple[int, int]:
    """Return a pipe whose ends are out of the way of 3 and 4, and are not inherited."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
