"""Make the `.env` file of an environment an encrypted one: `import --to encrypted`, `init`.

The private key is on disk before anything is encrypted to its public key, and no plain value is
left in the file or beside it. A run that was killed is finished by the next one.
"""

from __future__ import annotations

from envkit._internal.paths import display_path
from envkit.cli.changing.applying import count_of
from envkit.cli.error_text import print_labelled
from envkit.env_files.change import encrypt
from envkit.env_files.contents import read
from envkit.env_files.initialise import initialise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.env_files.locate import EnvFile


class Encryption:
    """What must be done to a file so that all of its values are encrypted.

    Args:
        file: the file, which may not exist.
        environ: the process environment.
        timeout_seconds: how long to wait for another process.

    Attributes:
        file: see above.
        tasks: what must be done, for people; empty if everything is encrypted.

    Raises:
        SourceError: the file cannot be read.
    """

    def __init__(
        self, file: EnvFile, environ: Mapping[str, str], *, timeout_seconds: float
    ) -> None:
        self.file = file
        self.tasks: list[str] = []
        self._environ = environ
        self._timeout_seconds = timeout_seconds
        found = read(file)
        if found is None or found.key is None:
            self.tasks.append(f"create the key pair of {file.name}")
        if found is not None and found.plain:
            plain = count_of(len(found.plain), "value")
            self.tasks.append(f"encrypt {plain} that {file.name} has in plain text")

    def begin(self, *, aloud: bool) -> None:
        """Create the key pair, unless there is one."""
        done = initialise(
            self.file, self._environ, recovery=None, timeout_seconds=self._timeout_seconds
        )
        if done.new_key is not None and aloud:
            shown = display_path(done.new_key)
            print(f"wrote a new private key to {shown}: never commit it, and keep a copy")

    def finish(self, *, aloud: bool) -> None:
        """Encrypt what is plain, and let git have the file."""
        done = encrypt(self.file, self._environ, timeout_seconds=self._timeout_seconds)
        if aloud and done.names:
            print(f"encrypted {count_of(len(done.names), 'value')} in {self.file.name}")
        if aloud:
            print(f"{self.file.name} is encrypted: you can commit it")
        if done.committed:
            print_labelled(
                "warning",
                f"git tracks {self.file.name}: if its plain values were committed, they remain in "
                "the history",
            )
