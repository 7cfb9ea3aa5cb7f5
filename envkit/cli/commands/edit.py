"""`envkit edit`: the values of an environment in an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envkit.audit.session import Access
from envkit.cli.boundary import tell
from envkit.cli.commands.editor import EditorError, private_file
from envkit.cli.commands.editor import edit as run_editor
from envkit.cli.commands.set import in_version
from envkit.cli.options import timeout_seconds
from envkit.cli.parameters import Except, OneEnv, Only, Profiles, Reason, Timeout
from envkit.cli.prompt import ask, ask_reason, somebody_is_there
from envkit.editing.edit_text import changes, file_name, render
from envkit.editing.find import find, refuse_changed
from envkit.editing.preflight import refuse_unwritable
from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from envkit.editing.find import Found
    from envkit.secret import Secret

EXAMPLE = "envkit edit --env staging"


def edit(
    env: OneEnv = None,
    only: Only = None,
    exclude: Except = None,
    reason: Reason = None,
    timeout: Timeout = None,
    profiles: Profiles = None,
) -> int:
    """Change values in your editor; what is changed is written back."""
    with Access("edit", reason=reason, ask=ask_reason) as access:
        found = find(
            env or (),
            only=only or (),
            exclude=exclude or (),
            profiles=profiles,
            timeout_seconds=timeout_seconds(timeout),
            before_fetch=access.begin,
        )
        if not found.kept and found.refused:
            raise next(iter(found.refused.values()))
        seen = {n: k.held.version for n, k in found.kept.items() if k.held.value is not None}
        access.record(list(seen), {n: [version] for n, version in seen.items() if version})
        changed = _edited(found)
        found.deadline.restart()
        refuse_changed(found.kept[name] for name in changed)
        refuse_unwritable(found.kept[name].holder for name in changed)
        for name, value in changed.items():
            kept = found.kept[name]
            access.expect([name])
            version = kept.holder.write(value, before=kept.held)
            access.changed(kept.names, version)
            print(f"set {name} in {kept.holder.where}{in_version(version)}", flush=True)
    if not changed:
        print("nothing was changed")
    return 0


def _edited(found: Found) -> dict[str, Secret]:
    """Return what a person has changed; what is not valid they may edit again."""
    text = render(found)
    with private_file(file_name(found)) as path:
        while True:
            text = run_editor(path, text)
            try:
                return changes(found, text)
            except EnvkitError as error:
                if not somebody_is_there():
                    raise
                tell(error)
                if ask("Edit again? [Y/n]").strip().lower() in ("n", "no"):
                    raise EditorError("nothing was changed") from None
