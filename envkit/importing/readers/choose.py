"""Choose the reader for a file, by its name and its text. Pure."""

from __future__ import annotations

from envkit.errors import UsageError
from envkit.importing.readers.dotenv_file import read_dotenv
from envkit.importing.readers.json_file import read_json
from envkit.importing.readers.text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envkit.dotenv.file import Decrypt
    from envkit.importing.contents import FileContents


def read_contents(
    data: bytes, *, path: str, services: Sequence[str] = (), decrypt: Decrypt | None = None
) -> FileContents:
    """Return the variables of a file: YAML by its name, JSON also by its text, else a `.env` file.

    Args:
        data: its bytes.
        path: the file as the user named it.
        services: of a Compose file, the services to read; default: all of them.
        decrypt: decrypts a value of a `.env` file; None to refuse encrypted values.

    Raises:
        UsageError: `services` are given, and the file is no Compose file.
        ImportFileError: the file cannot be read as what it is.
    """
    text = decode(data, path=path)
    if path.endswith((".yml", ".yaml")):
        from envkit.importing.readers.yaml_file import read_yaml

        contents = read_yaml(text, path=path, services=services)
    elif path.endswith(".json") or text.lstrip()[:1] in ("{", "["):
        contents = read_json(text, path=path)
    else:
        contents = read_dotenv(text, path=path, decrypt=decrypt)
    if services and contents.format != "Compose":
        raise UsageError(f"{path} is not a Compose file", hint="leave out --service")
    return contents
