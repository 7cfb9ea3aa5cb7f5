"""The programs and drivers that a rotation needs on its host, and the reports if one is missing."""

from textwrap import dedent

import pytest

from envkit._internal.installation import install_hint
from envkit.errors import ExtraMissingError
from envkit.rotation.hooks import HookError
from envkit.rotation.tools import missing_tools
from support.process import run_python
from support.rotating import one_rotation, table


def missing(project, *lines, rotator="random"):
    project.profile("prod.toml", table("key", "KEY", *lines, rotator=rotator))
    return list(missing_tools(one_rotation(project.profiles).policy))


@pytest.fixture
def programs(project):
    """Programs that can be run, and files that cannot."""
    for name, mode, text in (
        ("there", 0o755, "#!/bin/sh\n"),
        ("found", 0o755, "#! /usr/bin/env sh\n"),
        ("machine", 0o755, "\x7fELF\0"),
        ("plain", 0o644, "#!/bin/sh\n"),
        ("mute", 0o755, "echo hi\n"),
        ("empty", 0o755, ""),
        ("lost", 0o755, "#!/no/such -x\n"),
        ("lost-by-env", 0o755, "#!/usr/bin/env no-such\n"),
    ):
        path = project.root / name
        path.write_text(text)
        path.chmod(mode)
    return project


@pytest.mark.parametrize(
    ("lines", "rotator", "told"),
    [
        (['after = [["true"]]', 'before = [["./there", "x"]]'], "random", []),
        (['after = [["./found"], ["./machine"]]'], "random", []),
        *(
            ([f'after = [["./{name}"]]'], "random", [f"'after' runs './{name}', {why}"])
            for name, why in (
                ("mute", "which has no '#!' line"),
                ("empty", "which has no '#!' line"),
                ("lost", "whose interpreter '/no/such' does not exist"),
                ("lost-by-env", "whose interpreter 'no-such' does not exist"),
                ("profiles", "which is a folder"),
            )
        ),
        (['after = [["no-such"]]'], "random", ["'after' runs 'no-such', which is not on the PATH"]),
        (['before = [["./gone"]]'], "random", ["'before' runs './gone', which does not exist"]),
        (
            ['after = [["./plain"], ["./plain", "twice"]]'],
            "random",
            ["'after' runs './plain', which cannot be executed"],
        ),
        (
            ['target = { command = ["./gone"] }'],
            "command",
            ["'target.command' runs './gone', which does not exist"],
        ),
    ],
)
def test_a_program_that_cannot_be_run_is_named_with_its_key(programs, lines, rotator, told):
    found = missing(programs, *lines, rotator=rotator)
    assert [one.message for one in found] == told
    assert all(isinstance(one, HookError) and one.hint for one in found)


def test_a_program_is_looked_for_in_the_path_of_its_process(project, monkeypatch):
    path = project.root / "bin" / "restart-it"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    assert len(missing(project, 'after = [["restart-it"]]')) == 1
    monkeypatch.setenv("PATH", str(path.parent))
    assert missing(project, 'after = [["restart-it"]]') == []


def test_a_missing_driver_is_reported_with_its_extra():
    code = dedent(
        """
        import sys
        from envkit.rotation import tools
        from types import SimpleNamespace
        tools._DRIVERS["postgres"] = ("no_such_driver", "postgres")
        policy = SimpleNamespace(rotator="postgres", before=(), after=(), target={})
        for one in tools.missing_tools(policy):
            print(type(one).__name__, one.message, one.hint, sep="|")
        """
    )
    assert run_python(code).stdout == (
        f"{ExtraMissingError.__name__}|the rotator 'postgres' needs a driver that is not "
        f"installed|{install_hint('postgres')}\n"
    )
