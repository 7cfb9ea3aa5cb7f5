"""The errors of `envkit import`."""

from __future__ import annotations

from envkit.errors import EnvkitError, PromotionError


class ImportFileError(EnvkitError):
    """A file cannot be imported; the message has the place in it, and nothing of its values."""

    code = "import-invalid"
    exit_status = 3


class ImportRefusedError(PromotionError):
    """Some variables cannot be imported; the error lists all of them. Nothing was changed."""

    code = "import-refused"
    _SUMMARY = "cannot import {count} into {environment}; nothing was changed"
