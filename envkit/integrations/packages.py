"""The error about a library that is not installed."""

from __future__ import annotations

from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError


def missing(module: str, package: str) -> ExtraMissingError:
    """Return the error that `envkit.integrations.MODULE` needs a package; the extra is MODULE."""
    extra = module.replace("_", "-")
    return ExtraMissingError(
        f"envkit.integrations.{module} needs the package '{package}'", hint=install_hint(extra)
    )
