"""The sentences about findings, which text and SARIF share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit._internal.paths import display_path
from envkit.checks.problem import listed
from envkit.detection.token_shapes import DOTENV_KEY
from envkit.scan.forms import Form
from envkit.scan.found import FindingCode, Scope
from envkit.scan.values import PRIVATE_KEY_OF, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.scan.found import Finding, Report

COMMIT_DIGITS = 12
TITLES = {
    FindingCode.VALUE: "A file contains a value of the project",
    FindingCode.TOKEN: "A file contains the token of a vendor",
}
_AS = {Form.BASE64: " as base64", Form.URL: " in URL encoding", Form.ESCAPED: " with escapes"}
_SKIPPED = {
    Skipped.SHORT: "shorter than 8 characters",
    Skipped.COMMON: "too common",
    Skipped.SETTING: "settings by their name or value",
    Skipped.ABSENT: "missing in their store",
}


def place(finding: Finding) -> str:
    """Return where a finding is: `src/app.py:12`, or the message of a commit."""
    if finding.file:
        return f"{display_path(finding.file)}:{finding.line}"
    return f"message of {finding.commit[:COMMIT_DIGITS]}:{finding.line}"


def sentence(finding: Finding) -> str:
    """Return what a finding is."""
    if finding.code is FindingCode.TOKEN:
        what = finding.what
    else:
        form = Form(finding.what)
        what = f"the value of {finding.variable}{_AS.get(form, '')}"
    added = (
        f", added by {finding.commit[:COMMIT_DIGITS]}" if finding.commit and finding.file else ""
    )
    return f"contains {what}{added}"


def concerns(finding: Finding) -> str:
    """Return the code of a finding and its environments."""
    return ", ".join(filter(None, (finding.code, listed(finding.environments or ("",)))))


def hint(code: FindingCode, scope: Scope, what: str = "") -> str:
    """Return how to fix findings of a code; see `Finding` for `what`."""
    if what == DOTENV_KEY or what.startswith(PRIVATE_KEY_OF):
        return (
            "remove the key; if it was pushed, run 'envkit env rotate-key', and replace the values "
            "that it decrypts"
        )
    if code is FindingCode.TOKEN:
        return "revoke the token and remove it; if it is made up, accept it in .envkit-ignore"
    if scope is Scope.STAGED:
        return "remove the value and stage the file again, or accept it in .envkit-ignore"
    if scope is Scope.HISTORY:
        return "git keeps the value, so replace it: add --rotate, or run 'envkit set'"
    return "remove the value; if it was pushed, replace it: add --rotate, or run 'envkit set'"


def summary(report: Report) -> str:
    """Return one line: `2 findings in 12 files; searched for 3 values of dev and prod`."""
    count = len(report.findings)
    found = "nothing found" if not count else f"{count} finding{'s' * (count > 1)}"
    kind = "object" if report.scope is Scope.HISTORY else "file"
    where = f"{report.contents:,} {kind}{'s' * (report.contents != 1)}"
    values = len(report.searched)
    environments = listed(dict.fromkeys(one.environment for one in report.searched) or ("",))
    sought = (
        f"searched for {values} value{'s' * (values > 1)} of {environments}, and for tokens"
        if values
        else "searched for tokens only"
    )
    ignored = [f"{len(report.ignored)} ignored"] if report.ignored else []
    return "; ".join([f"{found} in {where}", sought, *ignored])


def notes(report: Report) -> Iterator[str]:
    """Yield what was not searched for and not scanned."""
    several = len({one.environment for one in (*report.searched, *report.skipped)}) > 1
    for reason, words in _SKIPPED.items():
        environments: dict[str, list[str]] = {}
        for owner, why in report.skipped.items():
            if why is reason:
                environments.setdefault(owner.variable, []).append(owner.environment)
        for each in dict.fromkeys(map(tuple, environments.values())):
            names = [name for name, found in environments.items() if tuple(found) == each]
            where = f" (in {listed(each)})" if several else ""
            yield f"not searched for, because {words}: {listed(names)}{where}"
    yield from report.notes
