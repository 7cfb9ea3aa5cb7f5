"""Write docs/reference/cli.md from the tables behind `--help`. Needs envkit installed.

    python scripts/cli_reference.py

Options and their help come from the commands, sections and exit statuses from
`envkit.cli.help_table`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer.main

from envkit.cli.app import PROGRAM, app
from envkit.cli.help_table import NOTES, STATUSES, VARIABLES, panelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "docs" / "reference" / "cli.md"
HEAD = """\
# Command line

Written by `make docs` from the tables behind `--help`: edit those.

Options may precede or follow a name. `envkit exec` passes everything after its command to that
command. `envkit COMMAND --help` shows the same text on the terminal.
"""
COMPLETION = """\
## Completion

envkit completes commands, options, environments, variables and formats in bash, zsh and fish:

```sh
envkit --install-completion
```

This changes the startup file of the shell in which you run it. To install the script yourself,
write it to a file:

```sh
_ENVKIT_COMPLETE=source_bash envkit > ~/.local/share/bash-completion/completions/envkit
_ENVKIT_COMPLETE=source_zsh  envkit > ~/.zfunc/_envkit
_ENVKIT_COMPLETE=source_fish envkit > ~/.config/fish/completions/envkit.fish
```
"""
OUTPUT_ENCODING = """\
## Output

On a terminal, tables have colors and fit its width. In a pipe or a file, a table is plain text in
aligned columns, and text is UTF-8 whatever the locale. A terminal gets its own encoding; envkit
escapes characters that it cannot show (`\\u20ac`).

Results go to standard output. Errors, hints, warnings and questions go to standard error.
"""

_DEFAULT = re.compile(r" \[default: (.+)\]$")


class Row(NamedTuple):
    """One option or argument: its spelling, its help, its default."""

    name: str
    text: str
    default: str


def render() -> str:
    """Return the whole page."""
    group = typer.main.get_command(app)
    context = _context(group, PROGRAM)
    commands = list(_commands(group, context, PROGRAM))
    parts = [
        HEAD,
        _table(
            ("command", "description"),
            (
                (f"[`{path}`](#{path.replace(' ', '-')})", ctx.command.get_short_help_str(200))
                for path, ctx in commands
            ),
        ),
        *(_section(path, ctx) for path, ctx in commands),
        _statuses(),
        _variables(),
        OUTPUT_ENCODING,
        COMPLETION,
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _context(command: Any, name: str, parent: Any = None) -> Any:
    return command.context_class(command, info_name=name, parent=parent, **command.context_settings)


def _commands(group: Any, context: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the full name and the context of each command below a group."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        child = _context(command, name, context)
        nested = getattr(command, "commands", {})
        # `rotate` alone is a command of its own
        shown = _context(nested["now"], name, context) if "now" in nested else child
        if not nested or "now" in nested:
            yield f"{path} {name}", shown
        if nested:
            yield from _commands(command, child, f"{path} {name}")


def _section(path: str, context: Any) -> str:
    command = context.command
    notes = NOTES[path.removeprefix(f"{PROGRAM} ")]
    usage = context.get_usage().removeprefix("Usage: ")
    text = "\n\n".join(
        " ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")
    )
    page = os.path.relpath(ROOT / notes.page, OUTPUT.parent)
    parts = [
        f"## {path}",
        f"{text}\n\nSee [{notes.page}]({page}).",
        f"```sh\n{' '.join(usage.split())}\n```",
        _parameters(context),
        f"Example:\n\n```sh\n{command.epilog}\n```",
        _table(("exit status", "meaning"), ((str(one), m) for one, m in notes.meanings.items())),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part)


def _parameters(context: Any) -> str:
    arguments, options = [], []
    for parameter in context.command.get_params(context):
        columns = parameter.get_help_record(context)
        if columns is None:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(columns)
        else:
            options.append((tuple(parameter.opts), columns))
    parts = []
    for title, rows in {"Arguments": arguments, **panelled(options)}.items():
        if rows:
            cells = [_row(*row) for row in rows]
            parts.append(_table((title, "description", "default"), cells))
    return "\n\n".join(part.strip("\n") for part in parts)


def _row(name: str, text: str) -> Row:
    text = " ".join(text.split())
    match = _DEFAULT.search(text)
    default = match[1] if match else ""
    spelled = ", ".join(f"`{one}`" for one in name.split(", "))
    return Row(spelled, _DEFAULT.sub("", text), default)


def _statuses() -> str:
    rows = [(str(status), meaning) for status, meaning in STATUSES.items()]
    rows.insert(1, ("1", "The command ran and found a problem; see the command."))
    return (
        "## Exit status\n\nThe exit status names the kind of error. [Errors](errors.md) lists each "
        "code with its status.\n\n" + _table(("exit status", "meaning"), rows)
    )


def _variables() -> str:
    rows = (
        (", ".join(f"`{one}`" for one in name.split(", ")), text)
        for name, text in VARIABLES.items()
    )
    return f"## Environment variables\n\n{_table(('variable', 'meaning'), rows)}"


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


if __name__ == "__main__":
    OUTPUT.write_text(render(), encoding="utf-8")
