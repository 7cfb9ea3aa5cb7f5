"""`envkit edit`: change the values of an environment in an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.arguments import timeout_seconds
from envkit.cli.commands.set import in_version
from envkit.cli.error_text import print_error
from envkit.cli.interaction.access import open_access
from envkit.cli.interaction.editor import EditorError, private_file, run_editor
from envkit.cli.interaction.prompt import ask, is_interactive
from envkit.cli.misread import warn_of_line
from envkit.cli.parameters import BreakGlass, Except, OneEnv, Only, Profiles, Reason, Timeout
from envkit.cli.rotated import allow_change, without_rotating
from envkit.cli.written import print_warnings
from envkit.editing.edit_text import changes, file_name, render
from envkit.editing.find import find, prepare_edit, refuse_changed
from envkit.editing.preflight import refuse_unwritable_slots
from envkit.editing.write import Write, grouped
from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.audit.session import Access
    from envkit.editing.find import Editable
    from envkit.secret import Secret

EXAMPLE = "envkit edit --env staging"


def edit(
    env: OneEnv = None,
    only: Only = None,
    exclude: Except = None,
    reason: Reason = None,
    break_glass: BreakGlass = False,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Change values in your editor."""
    with open_access("edit", reason, break_glass=break_glass) as access:
        prepared = prepare_edit(
            env or (),
            only=only or (),
            exclude=exclude or (),
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
        )
        access.begin([prepared.prepared])
        editable = without_rotating(find(prepared))
        if not editable.variables and editable.refused:
            raise next(iter(editable.refused.values()))
        current = {name: variable.current for name, variable in editable.variables.items()}
        seen = {name: one.version for name, one in current.items() if one.value is not None}
        access.record(list(seen), {n: [version] for n, version in seen.items() if version})
        changed = _edited(editable)
        editable.deadline.restart()
        refuse_changed(editable.variables[name] for name in changed)
        refuse_unwritable_slots(editable.variables[name].slot for name in changed)
        allow_change(editable, [editable.variables[name] for name in changed])
        _write(access, editable, changed)
    if not changed:
        print("nothing was changed")
    return 0


def _write(access: Access, editable: Editable, changed: Mapping[str, Secret]) -> None:
    """Write the changed values, all values of one secret or file together."""
    names = list(changed)
    found = [editable.variables[name] for name in names]
    writes = [Write(one.slot, one.current, changed[one.name]) for one in found]
    for group in grouped(writes):
        access.expect([names[index] for index in group.indexes])
        version = group.run(editable.deadline)
        for variable in (found[index] for index in group.indexes):
            access.changed(variable.names, version)
            where = f"{variable.slot.where}{in_version(version)}"
            print(f"set {variable.name} in {where}", flush=True)
    print_warnings(write.slot for write in writes)
    for variable in found:
        warn_of_line(variable.slot, variable.name, changed[variable.name])


def _edited(editable: Editable) -> dict[str, Secret]:
    """Return the changed values; let the person edit invalid ones again."""
    text = render(editable)
    with private_file(file_name(editable)) as path:
        while True:
            text = run_editor(path, text)
            try:
                return changes(editable, text)
            except EnvkitError as error:
                if not is_interactive():
                    raise
                print_error(error)
                if ask("Edit again? [Y/n]").strip().lower() in ("n", "no"):
                    raise EditorError("nothing was changed") from None
