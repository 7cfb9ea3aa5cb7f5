"""An app under `envkit exec --watch` or `--supervise`, with real profiles and files.

with Running(project, "echo $KEY; sleep 9", "--watch") as running:
    assert running.line() == "one\n"
    assert running.said() == ""
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from support.process import started
from support.supervised import wait_until

if TYPE_CHECKING:
    from typing import Self


class Running:
    """`envkit exec --env dev OPTIONS -- sh -c APP`, and what its app and envkit print."""

    def __init__(self, project: Any, app: str, *options: str) -> None:
        self._errors = project.root / "errors"
        with self._errors.open("wb") as errors:
            self.process = started(
                project,
                *("exec", "--env", "dev", "--debounce", "0.05", *options, "--", "sh", "-c", app),
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def line(self) -> str:
        return self.process.stdout.readline().decode()

    def says(self, text: str) -> None:
        wait_until(lambda: text in self.said(), f"envkit does not say {text!r}")

    def said(self) -> str:
        return self._errors.read_text()
