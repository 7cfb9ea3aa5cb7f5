"""Find variables that the program needs and no profile defines, and vice versa."""

from __future__ import annotations

from envkit._internal.paths import display_path
from envkit.checks.problem import Problem, listed
from envkit.code.known import is_given, is_read_by_others
from envkit.code.scan import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envkit.checks.inspection import Inspection
    from envkit.code.scan import Code, Use


def find(inspection: Inspection) -> Iterator[Problem]:
    """Yield the differences between the program and the profiles."""
    if not inspection.code:
        return
    names = {name for profile in inspection.profiles for name in profile.variables}
    code = scan(
        inspection.code,
        names=names,
        environ=inspection.environ,
        without=inspection.folder,
        progress=lambda done, total: inspection.progress("reading code", done, total),
    )
    yield from _undefined(inspection, code)
    if code.files:
        yield from _unused(inspection, code)
    yield from _unresolved(inspection, code)


def _undefined(inspection: Inspection, code: Code) -> Iterator[Problem]:
    """Yield the variables that the program reads and that an environment does not define."""
    uses: dict[str, list[Use]] = {}
    for use in code.uses:
        if use.read.name and not is_given(use.read.name):
            uses.setdefault(use.read.name, []).append(use)
    for name, places in uses.items():
        lacking = [profile for profile in inspection.profiles if name not in profile.variables]
        needed = next((use for use in places if use.read.needed), None)
        if not lacking or (needed is None and len(lacking) < len(inspection.profiles)):
            continue  # some environments may lack a variable that the program does not require
        do_not = "does not" if len(lacking) == 1 else "do not"
        verb = "needed" if needed else "read"
        file, read = needed or places[0]
        yield Problem(
            "undefined-variable" if needed else "undefined-optional",
            f"{name} is {verb} here, but {listed(profile.name for profile in lacking)} {do_not} "
            "define it",
            file,
            read.line,
            hint=f"add it to {listed(display_path(profile.path) for profile in lacking)}"
            + (", or give the code a default" if needed else ""),
            environments=tuple(profile.name for profile in lacking),
            variables=(name,),
        )


def _unused(inspection: Inspection, code: Code) -> Iterator[Problem]:
    """Yield the variables that profiles define and that nothing mentions."""
    parts = {
        need
        for one in inspection.prepared
        for variable in one.plan.order
        for need in variable.variables.values()
    }
    folders = listed(map(display_path, inspection.code))
    for profile in inspection.profiles:
        for name, declaration in profile.variables.items():
            if name not in code.mentioned and name not in parts and not is_read_by_others(name):
                yield Problem(
                    "unused-variable",
                    f"{name} is defined here, but not used in {folders}",
                    hint="remove it, or name more folders of code with --code",
                    environments=(profile.name,),
                    variables=(name,),
                ).at(declaration.location)


def _unresolved(inspection: Inspection, code: Code) -> Iterator[Problem]:
    """Yield the reads that cannot be checked."""
    dynamic: dict[str, list[int]] = {}
    for use in code.uses:
        if not use.read.name:
            dynamic.setdefault(use.file, []).append(use.read.line)
    for file, lines in dynamic.items():
        places = f" ({len(lines)} times in this file)" if len(lines) > 1 else ""
        message = f"the name of the variable that is read here is computed at run time{places}"
        yield Problem("dynamic-read", message, file, lines[0])
    for error, files in code.unparsed:
        more = f"; {len(files)} files were not read" if len(files) > 1 else ""
        yield Problem("unchecked-code", f"{error.message}{more}", files[0], hint=str(error.hint))
    for file in code.unreadable:
        yield Problem(
            "unread-code", "this is not valid syntax for the Python that runs envkit", file
        )
    if not code.files:
        folders = listed(map(display_path, inspection.code))
        message = f"no code in a supported language in {folders}"
        yield Problem("unread-code", message, inspection.code[0])
