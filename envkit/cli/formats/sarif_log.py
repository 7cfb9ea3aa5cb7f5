"""The frame of a SARIF 2.1.0 file, which `envkit check` and `envkit scan` share.

Reference: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from envkit import __version__
from envkit.cli.formats.github import below_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"  # the reader of the file knows the path of the repository


def sarif_log(
    rules: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]], *, successful: bool
) -> str:
    """Return the text of a SARIF file.

    Args:
        rules: descriptions of the codes.
        results: what was found; each `ruleIndex` is an index into `rules`.
        successful: whether the command could do its work, whatever it found.
    """
    driver = {"name": "envkit", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": successful}],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def locations(file: str, line: int, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the part of a result that says where it is; empty without a file."""
    if not file:
        return {}
    path = os.fsencode(below_root(file, environ))  # may not be UTF-8
    uri = {"uri": quote(path), "uriBaseId": _ROOT}
    region = {"startLine": line or 1}
    return {"locations": [{"physicalLocation": {"artifactLocation": uri, "region": region}}]}


def suppression(reason: str) -> list[dict[str, str]]:
    """Return the suppression of a result that the ignore file accepts."""
    return [{"kind": "external", "status": "accepted", "justification": reason}]
