"""The sections, examples and exit statuses that `--help` shows: one table.

`command_help` shows it at the end of `--help`, and `scripts/cli_reference.py` writes it to
docs/reference/cli.md. An example is the EXAMPLE of the command's module.
"""

from __future__ import annotations

from typing import NamedTuple

REFERENCE = "docs/reference/cli.md"

# the section of `--help` for each option; the others are listed first, under "Options"
PANELS = {
    "Environment": ("--env", "--profiles", "--only", "--except", "--set", "--pristine", "--files"),
    "Watching": (
        *("--watch", "--supervise", "--stop-signal", "--stop-timeout", "--debounce", "--splay"),
    ),
    "Output": ("--format", "--output", "--reveal"),
    "General": (
        *(
            "--yes",
            "--reason",
            "--break-glass",
            "--timeout",
            "--version",
            "--install-completion",
            "--show-completion",
            "--help",
        ),
    ),
}

STATUSES = {
    0: "Success.",
    2: "The command line is wrong.",
    3: "A profile, a reference or a value is invalid.",
    4: "A required value is missing.",
    5: "A store failed.",
    6: "Access was denied, or you must log in, grant trust or give a reason.",
    7: "Another process or person changed the same value.",
    126: "The program cannot be run.",
    127: "The program was not found.",
}

# environment variables that envkit reads
VARIABLES = {
    "ENVKIT_ENV": "Environment to use if there is no `--env`.",
    "ENVKIT_PROFILES": "Folder with the profiles if there is no `--profiles`.",
    "ENVKIT_REASON": "Reason for a protected profile if there is no `--reason`.",
    "ENVKIT_AUDIT": "Destination of the audit log: an absolute path, `syslog` or `off`.",
    "ENVKIT_AGENT": "Whether exec and get use the agent: `off`, `auto` or `require`.",
    "ENVKIT_QUEUE": "Database of `envkit rotate serve` if there is no `--queue`.",
    "ENVKIT_TRUST": "What profiles may do without asking you: `1` for everything, or a list.",
    "ENVKIT_MFA_CODE": "MFA code for a login that needs one, instead of a question.",
    "ENVKIT_DEBUG": "Set to `1` to show where in the code an error was raised. Never shows values.",
    "NO_COLOR": "Set to any value to disable colors on a terminal.",
    "VISUAL, EDITOR": "Editor of `envkit edit` and `envkit env edit`.",
}


class Notes(NamedTuple):
    """The notes on a command.

    Attributes:
        page: the path of its documentation in the repository.
        statuses: its possible exit statuses, each a key of STATUSES or of `own`.
        own: the meaning of a status for this command, if it differs from STATUSES.
    """

    page: str
    statuses: tuple[int, ...]
    own: dict[int, str] = {}  # noqa: RUF012 - nothing changes it

    @property
    def meanings(self) -> dict[int, str]:
        """The meaning of each exit status."""
        return {status: self.own.get(status) or STATUSES[status] for status in self.statuses}


_READING = (0, 2, 3, 4, 5, 6)
_CHANGING = (0, 2, 3, 4, 5, 6, 7)
_ROTATION = "docs/reference/rotation.md"
_INSPECTION = "docs/guides/inspect.md"
_CHANGES = "docs/guides/changing-values.md"
_AUDIT = "docs/guides/audit.md"
_ACCESS = "docs/guides/production-access.md"
_AGENT = "docs/guides/agent.md"
_IN_GIT = "docs/guides/secrets-in-git.md"
IMPORT = {
    0: "Everything was imported.",
    1: "Something was not imported; with --plan: there are changes to make.",
}
_RECOVERY = "docs/guides/disaster-recovery.md"

# by the words after `envkit`, in the order of the help
NOTES = {
    "": Notes(REFERENCE, ()),
    "exec": Notes(
        "docs/guides/exec.md",
        (0, 2, 3, 4, 5, 6, 126, 127),
        {0: "The program succeeded. If it fails, envkit exits with its status."},
    ),
    "get": Notes(_INSPECTION, _READING),
    "export": Notes("docs/guides/export.md", _READING),
    "list": Notes(_INSPECTION, (0, 2, 3, 6)),
    "show": Notes(_INSPECTION, _READING),
    "diff": Notes(
        "docs/guides/diff.md",
        (0, 1, 2, 3, 5, 6),
        {1: "A difference was found, with --exit-code or --fail-on."},
    ),
    "check": Notes(
        "docs/guides/check.md",
        (0, 1, 2, 3, 5, 6),
        {
            0: "The check passed.",
            1: "There are errors or, with --strict, warnings.",
            3: "A profile does not exist, or an ignore file is invalid.",
        },
    ),
    "scan": Notes(
        "docs/guides/scan.md",
        (0, 1, 2, 3, 4, 5, 6),
        {
            0: "Nothing was found.",
            1: "A value or a token was found.",
            4: "Nothing was found, but a named environment has no value.",
            5: "Nothing was found, but a store or git failed.",
            6: "Nothing was found, but a file or a value could not be read; or as for other "
            "commands.",
        },
    ),
    "set": Notes(_CHANGES, _CHANGING),
    "unset": Notes(_CHANGES, _CHANGING),
    "edit": Notes(_CHANGES, (0, 1, *_CHANGING[1:]), {1: "The editor failed."}),
    "promote": Notes(
        "docs/guides/promote.md",
        (0, 1, *_CHANGING[1:]),
        {1: "With --plan: there are changes to make."},
    ),
    "history": Notes(_CHANGES, _READING),
    "rollback": Notes(_CHANGES, _CHANGING),
    "rotate": Notes(
        _ROTATION,
        (0, 1, 2, 3, 5, 6),
        {0: "Nothing needs attention.", 1: "A rotation failed, was refused or is overdue."},
    ),
    "rotate status": Notes(
        _ROTATION,
        (0, 1, 2, 3, 5, 6),
        {0: "Nothing needs attention.", 1: "A rotation needs attention."},
    ),
    "rotate serve": Notes(
        "docs/guides/scheduler.md", (0, 2, 3, 5, 6), {0: "The scheduler was stopped."}
    ),
    "rotate simulate": Notes("docs/guides/scheduler.md", (0, 2, 3)),
    "audit": Notes(_AUDIT, ()),
    "audit show": Notes(_AUDIT, (0, 2, 6)),
    "audit verify": Notes(
        _AUDIT, (0, 1, 2, 6), {0: "The log is intact.", 1: "The log was modified."}
    ),
    "audit anchor": Notes(_AUDIT, (0, 2, 6)),
    "env": Notes(_IN_GIT, ()),
    "env init": Notes(_IN_GIT, (0, 2, 3, 6, 7)),
    "env encrypt": Notes(_IN_GIT, (0, 2, 3, 6, 7)),
    "env decrypt": Notes(_IN_GIT, (0, 2, 3, 6, 7)),
    "env set": Notes(_IN_GIT, (0, 2, 3, 6, 7)),
    "env edit": Notes(_IN_GIT, (0, 1, 2, 3, 6, 7), {1: "The editor failed."}),
    "env keys": Notes(_IN_GIT, (0, 2, 3, 6)),
    "env rotate-key": Notes(_IN_GIT, (0, 2, 3, 6, 7)),
    "env migrate": Notes("docs/guides/import.md", (0, 1, *_CHANGING[1:]), IMPORT),
    "env textconv": Notes(_IN_GIT, (0, 2)),
    "env hook": Notes(_IN_GIT, ()),
    "env hook install": Notes(_IN_GIT, (0, 2, 6)),
    "env hook run": Notes(
        _IN_GIT, (0, 1, 2), {0: "The staged files may be committed.", 1: "They may not."}
    ),
    "access": Notes(_ACCESS, (0, 2, 3, 5, 6), {0: "The stores answered."}),
    "backup": Notes(
        _RECOVERY,
        (0, 2, 3, 4, 5, 6),
        {
            0: "Every secret is in the file.",
            4: "A required secret does not exist.",
            5: "A store failed; the file lacks its secrets.",
            6: "A store denied a secret, which the file lacks, or you must log in, grant trust or "
            "give a reason.",
        },
    ),
    "backup verify": Notes(
        _RECOVERY,
        (0, 1, 2, 3, 5, 6),
        {0: "The backup is intact.", 1: "The backup is damaged."},
    ),
    "backup drill": Notes(
        _RECOVERY,
        (0, 1, 2, 6),
        {
            0: "Every variable has a valid value.",
            1: "The backup is damaged, or a variable has no valid value.",
            6: "The backup was not encrypted for this identity.",
        },
    ),
    "restore": Notes(
        _RECOVERY,
        (0, 1, *_CHANGING[1:]),
        {
            1: "The backup is damaged. With --plan: there are changes to make.",
            4: "The backup lacks a secret.",
            6: "Access was denied, a rotated credential does not log in, or the identity is not "
            "that of a recipient.",
        },
    ),
    "init": Notes("docs/guides/init.md", (0, 2, 3, 6)),
    "import": Notes("docs/guides/import.md", (0, 1, *_CHANGING[1:]), IMPORT),
    "doctor": Notes(
        _INSPECTION, (0, 1, 2, 6), {0: "No errors were found.", 1: "Errors were found."}
    ),
    "trust": Notes(
        "docs/concepts/trust.md", (0, 2, 3, 6), {6: "You did not agree, or envkit cannot ask you."}
    ),
    "login": Notes("docs/guides/login.md", (0, 2, 3, 5, 6), {6: "The login was refused."}),
    "logout": Notes("docs/guides/login.md", (0, 2, 3, 5, 6)),
    "agent": Notes(_AGENT, ()),
    "agent start": Notes(_AGENT, (0, 2, 5), {5: "The agent cannot be started."}),
    "agent stop": Notes(_AGENT, (0, 2, 5), {5: "The agent does not answer."}),
    "agent status": Notes(
        _AGENT, (0, 1, 2, 5), {1: "No agent runs.", 5: "The agent does not answer."}
    ),
    "agent clear": Notes(_AGENT, (0, 2, 5), {5: "The agent does not answer."}),
    "hook": Notes("docs/guides/shell-hook.md", (0, 2)),
}


def panel_of(flags: tuple[str, ...]) -> str:
    """Return the section of an option in the help.

    Args:
        flags: its spellings, such as `--env` and `-e`.
    """
    return next((panel for panel, known in PANELS.items() if set(known) & set(flags)), "Options")


def panelled(
    options: list[tuple[tuple[str, ...], tuple[str, str]]],
) -> dict[str, list[tuple[str, str]]]:
    """Return the help of options by section, in the order of the sections.

    Args:
        options: the flags of each, and its two columns in the help.
    """
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Options", *PANELS)}
    for flags, columns in options:
        found[panel_of(flags)].append(columns)
    return {panel: rows for panel, rows in found.items() if rows}
