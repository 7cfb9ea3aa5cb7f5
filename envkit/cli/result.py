"""Write a result to stdout, or to the file that `--output` names."""

from __future__ import annotations

import sys

from envkit.errors import UsageError


def write_result(data: bytes, output: str | None, *, mode: int | None = None) -> None:
    """Write a result to stdout, or to the file that `--output` names.

    Args:
        data: the whole result.
        output: the file's path; None or `-` for stdout.
        mode: permission bits of the file; see `write_atomic`.

    Raises:
        UsageError: the file cannot be written.
    """
    if output is None or output == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    from envkit._internal.atomic_write import write_atomic
    from envkit._internal.leftovers import sweep_beside
    from envkit._internal.os_errors import reason_of

    sweep_beside(output)
    try:
        write_atomic(output, data, mode=mode)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {reason_of(error)}") from None
