"""The command rotator: input and output of the program, and that no value leaks."""

import json
import os
import stat
import textwrap

import pytest

from envkit.errors import (
    ProfileError,
    RejectedError,
    RotationError,
    TargetUnavailableError,
)
from envkit.secret import Secret
from envkit.testing.observe import patiently
from envkit.testing.rotator_harness import STEPS, begun, built, step
from support.rotators import CANARY, CommandHarness, refused
from support.vectors import vectors

VECTORS = vectors("unit/rotation/rotators/command")


class Program:
    """A program of the test; it records its input and its environment."""

    kind, field, hidden = CommandHarness.kind, "token", ()

    def __init__(self, folder):
        self._folder = folder
        self.notes = folder / "notes"
        self.generate = {}
        self.target = {"command": [str(folder / "program"), "argument"]}
        self.does("")

    def does(self, body):
        """Let it do this once it has read its input, which is in `asked`."""
        script = f"""\
            #!/usr/bin/env python3
            import json, os, sys, time
            asked = json.load(sys.stdin)
            note = {{"asked": asked, "argv": sys.argv, "environ": dict(os.environ)}}
            with open({str(self.notes)!r}, "a") as file:
                file.write(json.dumps(note) + "\\n")
            """
        path = self._folder / "program"
        path.write_text(textwrap.dedent(script) + textwrap.dedent(body))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def current(self):
        return {"token": Secret(f"old {CANARY}")}

    @property
    def noted(self):
        return [json.loads(line) for line in self.notes.read_text().splitlines()]

    @property
    def asked(self):
        return [note["asked"] for note in self.noted]


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


class TestInput:
    def test_a_command_is_run_for_every_step(self, program):
        program.target["settings"] = {"team": "billing"}
        program.does("""
            if asked["step"] == "prepare": print(json.dumps({"facts": {"old": "7"}}))
            if asked["step"] == "create": print(json.dumps({"facts": {"new": "8"}}))
        """)
        turn = begun(program, program.current())
        for name in STEPS:
            step(built(program), name, turn)
        told = program.asked
        assert [one["step"] for one in told] == ["prepare", "test", "create", *STEPS]
        for one in told:
            assert one["version"] == 1
            assert one["rotation"] == "test/rotation"
            assert one["secret"] == "memory:app#token"
            assert one["id"] == "rotation-id"
            assert one["fields"] == ["token"]
            assert one["settings"] == {"team": "billing"}
        facts = [one["facts"] for one in told]
        assert facts == [{}, *[{"old": "7"}] * 2, *[{"old": "7", "new": "8"}] * 4]

    def test_a_command_gets_values_only_for_set_and_test(self, program):
        turn = begun(program, program.current())
        assert program.asked[1]["values"] == {"token": f"old {CANARY}"}
        for name in STEPS:
            step(built(program), name, turn)
        new = turn.new["token"].reveal()
        assert {one["step"]: one.get("values") for one in program.asked} == {
            "prepare": None,
            "create": None,
            "set": {"token": new},
            "test": {"token": new},
            "finish": None,
            "retire": None,
        }

    def test_a_command_is_told_which_credential_to_retire(self, program):
        turn = begun(program, program.current())
        built(program).retire(turn.old, turn.new, turn.facts)
        built(program).retire(turn.new, turn.old, turn.facts)
        built(program).retire({}, turn.old, turn.facts)
        assert [one["credential"] for one in program.asked[3:]] == ["old", "new", "new"]

    def test_a_command_is_told_which_credential_to_test(self, program):
        turn = begun(program, program.current())
        built(program).test(turn.new, turn.facts)
        built(program).is_dead(turn.old, turn.new, turn.facts)
        tried = [one["credential"] for one in program.asked if one["step"] == "test"]
        assert tried == ["old", "new", "new", "old"]

    def test_a_command_gets_no_value_in_arguments_or_environment(self, program, monkeypatch):
        monkeypatch.setenv("VAULT_TOKEN", CANARY)
        monkeypatch.setenv("PASSED", "on")
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        program.target["environment"] = ["PASSED", "NOT_SET"]
        turn = begun(program, program.current())
        for name in STEPS:
            step(built(program), name, turn)
        for note in program.noted:
            assert note["argv"] == [*program.target["command"]]
            assert note["environ"]["PASSED"] == "on"
            assert note["environ"]["LC_ALL"] == "C.UTF-8"
            assert not {"VAULT_TOKEN", "NOT_SET"} & set(note["environ"])
            shown = json.dumps([note["argv"], note["environ"]])
            assert turn.new["token"].reveal() not in shown
            assert CANARY not in shown

    def test_a_command_need_not_read_its_input(self, program):
        (program._folder / "program").write_text("#!/bin/sh\nexit 0\n")
        program.target["settings"] = {"large": "x" * 1_000_000}
        begun(program, program.current())


class TestOutput:
    def test_a_command_may_return_values_that_its_target_created(self, program):
        program.target["fields"] = ["id"]
        program.does("""
            if asked["step"] == "create":
                print(json.dumps({"values": {"token": "made", "id": "8"}, "facts": {"id": "8"}}))
        """)
        new = begun(program, program.current()).new
        assert new == {"token": Secret("made"), "id": Secret("8")}

    def test_envkit_generates_a_value_when_the_command_returns_none(self, program):
        program.generate = {"length": 20, "alphabet": "hex"}
        value = begun(program, program.current()).new["token"].reveal()
        assert len(bytes.fromhex(value)) == 10

    @pytest.mark.parametrize(
        ("answer", "what"),
        VECTORS["an_answer_that_is_none"],
    )
    def test_an_invalid_answer_of_a_command_is_an_error(self, program, answer, what):
        program.does(f'if asked["step"] == "create": print({json.dumps(answer)!r})')
        error = refused(lambda: begun(program, program.current()))
        assert error.message == f"'{program.target['command'][0]}' {what} in step 'create'"
        assert "docs/reference/rotators/command.md" in error.hint

    def test_a_command_for_several_fields_must_return_values(self, program):
        program.target["fields"] = ["id"]
        error = refused(lambda: begun(program, program.current()))
        assert "returned no values for several fields" in error.message

    @pytest.mark.parametrize("output", [b"", b"done\n", b"[1]", b"{", b"\xff"])
    def test_other_output_of_a_command_is_ignored(self, program, output):
        program.does(f"sys.stdout.buffer.write({output!r})")
        begun(program, program.current())


class TestExitStatus:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [(1, RotationError), (2, RotationError), (65, RejectedError), (75, TargetUnavailableError)],
    )
    def test_the_exit_status_of_a_command_selects_the_error(self, program, status, kind):
        program.does(f"sys.exit({status})")
        error = refused(lambda: built(program).prepare(program.current()))
        assert type(error) is kind
        name = program.target["command"][0]
        assert error.message == f"'{name}' exited with status {status} in the step 'prepare'"

    def test_a_command_that_a_signal_ended_is_an_error(self, program):
        program.does("os.kill(os.getpid(), 9)")
        error = refused(lambda: built(program).prepare(program.current()))
        assert "was killed by signal 9" in error.message

    def test_probe_is_false_when_the_command_refuses_the_value(self, program):
        program.does('sys.exit(1 if asked["values"]["token"] == "wrong" else 0)')
        assert built(program).probe({"token": Secret("wrong")}, {}) is False
        assert built(program).probe({"token": Secret("right")}, {}) is True

    def test_a_current_value_that_does_not_work_is_refused(self, program):
        program.does('sys.exit(1 if asked["step"] == "test" else 0)')
        error = refused(lambda: built(program).prepare(program.current()))
        assert error.message.endswith("that the secret's current value does not work")
        program.target["verify_current"] = False
        assert built(program).prepare(program.current()) == {}
        assert [one["step"] for one in program.asked] == ["prepare", "test", "prepare"]

    @pytest.mark.parametrize(
        ("body", "dead"),
        [
            ('sys.exit(1 if asked["credential"] == "old" else 0)', True),
            ("", False),
            ('asked["facts"]["which it never gave"]', "does not work either"),
            ("sys.exit(75)", "exited with status 75"),
        ],
        ids=["recognises it", "accepts everything", "crash", "temporary failure"],
    )
    def test_is_dead_is_answered_by_a_command_that_can_tell(self, program, body, dead):
        turn = begun(program, program.current())
        program.does(body)
        if isinstance(dead, bool):
            assert built(program).is_dead(turn.old, turn.new, turn.facts) is dead
        else:
            error = refused(lambda: built(program).is_dead(turn.old, turn.new, turn.facts))
            assert dead in error.message
        program.target["verify_retired"] = False
        assert built(program).is_dead(turn.old, turn.new, turn.facts) is True

    def test_a_set_that_timed_out_is_settled_too(self, program):
        turn = begun(program, program.current())
        program.does('sys.exit(75 if asked["step"] == "set" else 0)')
        settled = []
        rotator = built(program, settle=lambda *call: settled.append(call))
        assert isinstance(refused(lambda: step(rotator, "set", turn)), TargetUnavailableError)
        [(fields, take_back)] = settled
        take_back()
        assert fields == turn.new
        assert program.asked[-1]["step"] == "retire"
        assert program.asked[-1]["credential"] == "new"

    def test_nothing_is_retired_without_the_facts_of_the_command(self, program):
        turn = begun(program, program.current())
        error = refused(lambda: built(program).retire(turn.new, turn.old, {}))
        assert error.message.endswith("which credential is the new one: nothing is removed")
        assert "retire" not in [one["step"] for one in program.asked]

    def test_a_failed_test_of_a_command_is_not_a_no(self, program):
        program.does("sys.exit(75)")
        error = refused(lambda: built(program).probe(program.current(), {}))
        assert isinstance(error, TargetUnavailableError)

    @pytest.mark.parametrize(
        ("mode", "reason"), [(None, "no such file or directory"), (0o644, "permission denied")]
    )
    def test_a_command_that_cannot_be_run_is_an_error(self, program, tmp_path, mode, reason):
        file = tmp_path / "no-program"
        if mode:
            file.touch(mode)
        program.target["command"] = [str(file)]
        error = refused(lambda: built(program).prepare(program.current()))
        assert error.message == f"cannot run '{file}': {reason}"

    def test_describe_target_names_the_program(self, program):
        assert built(program).describe_target() == "the program program"

    def test_a_command_is_killed_with_its_children_at_the_deadline(self, program, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        # the child has the program's output and the pipe open until it is killed
        program.does(f"""
            import subprocess
            subprocess.Popen(["sh", "-c", "exec 9>{pipe}; echo started >&9; exec sleep 1000"])
        """)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            rotator = built(program, timeout_seconds=1)
            error = refused(lambda: patiently(lambda: rotator.prepare(program.current())))
            assert isinstance(error, TargetUnavailableError)
            assert "timed out" in error.message
            os.set_blocking(reader, True)
            assert (
                patiently(lambda: b"".join(iter(lambda: os.read(reader, 100), b""))) == b"started\n"
            )
        finally:
            os.close(reader)


class TestErrorText:
    def test_the_error_of_a_command_is_shown_in_one_line_without_its_input(self, program):
        program.target["settings"] = {"admin": {"token": f"admin {CANARY}"}, "list": ["listed"]}
        program.does("""
            said = f"no:\\n{asked['values']['token']} {asked['settings']} \\x1b[31m end."
            print(json.dumps({"error": said}))
            sys.exit(1)
        """)
        new = {"token": Secret(f"new {CANARY}")}
        error = refused(lambda: built(program).test(new, {}))
        assert error.message.endswith(
            "in the step 'test': no: ******** {'admin': {'token': '********'}, "
            "'list': ['********']}  [31m end"
        )

    def test_other_output_of_a_failed_command_is_not_shown(self, program):
        program.does(f"""
            print("{CANARY}")
            print("{CANARY}", file=sys.stderr)
            sys.exit(1)
        """)
        refused(lambda: built(program).prepare(program.current()))

    def test_a_long_error_of_a_command_is_cut(self, program):
        program.does('print(json.dumps({"error": "x" * 10_000})); sys.exit(1)')
        error = refused(lambda: built(program).prepare(program.current()))
        assert error.message.endswith(": " + "x" * 200)


class TestTargetTable:
    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ({"command": []}, "'target.command' is empty"),
            ({"command": [1]}, "'target.command' must be a list of words"),
            ({"command": ["a\0b"]}, "'target.command' must be a list of words"),
            ({"command": ["a", "{{ vault:x#y }}"]}, "'target.command' has a placeholder"),
            ({"command": ["a"], "environment": [1]}, "'target.environment' must be a list"),
            ({"command": ["a"], "fields": [""]}, "'target.fields' must be a list"),
        ],
    )
    def test_an_invalid_target_is_refused(self, program, target, message):
        with pytest.raises(ProfileError) as caught:
            built(program, target)
        assert message in caught.value.message

    def test_fields_adds_the_fields_of_the_target(self):
        target = {"command": ["x"], "fields": ["id", "token"]}
        assert Program.kind.fields("token", target) == ("token", "id")
