"""Rotate with the user's own program: one call for each step, JSON in and JSON out.

    target = { command = ["./rotate-token"], settings = { team = "billing" } }

The program receives on its standard input

    {"version": 1, "step": "set", "rotation": "prod/token", "id": "...",
     "secret": "vault:app#token", "fields": ["token"],
     "settings": {...}, "facts": {...}, "values": {"token": "..."}}

`step` is prepare, create, set, test, finish or retire. `values` has the new values for `set`, and
the values to try for `test`. For `test` and `retire`, `credential` names the credential: `old` or
`new`. A step that was already done must succeed again.

For `test` of the old credential the program may print `{"in_use": [{"user": "app"}]}`: the users of
it, optionally with `address`, `application`, `sessions` and `since`; an empty list for none.

The program may print `{"facts": {...}}` for prepare and create: facts are passed to each later
step, and must not contain a value. It may print `{"values": {...}}` for create, if the target
creates the value, and `{"error": "..."}`. Its exit status is the result: 0 done, 1 no (for test:
it does not log in), 65 the target will never accept this value, 75 try again later.

envkit tests the current values before it creates new ones. It tests the old ones once they are
retired: they must then be refused, while the new ones are accepted. So a program that answers 1 to
everything, as a crashing one does, is not trusted; nor is one that answers 0 to everything.
`verify_current = false` and `verify_retired = false` are for a target that cannot be tested.

No value is in the program's arguments or environment. All of its processes are killed when the
time is over. Of its output, envkit shows only `error`, on one line, with values and settings
masked.
"""

from __future__ import annotations

import json
import os
from typing import ClassVar, NamedTuple

from envkit._internal.program import ProgramError, passed_on, run_program
from envkit.errors import ProfileError, RejectedError, RotationError, TargetUnavailableError
from envkit.profile.placeholder import OPEN
from envkit.rotation.protocols import Created, Reader, Usage
from envkit.rotation.rotators.generate import generated
from envkit.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from envkit.rotation.protocols import RotatorContext
    from envkit.rotation_state.store import Fields

VERSION = 1
NO, REJECTED, TRY_AGAIN = 1, 65, 75  # EX_DATAERR and EX_TEMPFAIL of sysexits.h
MAX_ERROR = 200  # characters of the program's error
_DIGEST = "new-sha256"  # a fact: identifies the new one of two credentials


class Answer(NamedTuple):
    """The result of a program.

    Attributes:
        status: its exit status; negative is the signal that ended it.
        printed: the JSON object that it printed; empty for other output, which is ignored.
    """

    status: int
    printed: Mapping[str, object]


class CommandRotator:
    """Rotates with the user's own program; see the module's docstring."""

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {
        "command": list,
        "settings": dict,
        "environment": list,
        "fields": list,
        "verify_current": bool,
        "verify_retired": bool,
    }
    required = frozenset({"command"})
    overlap = True
    look_seconds = 60.0

    def __init__(self, context: RotatorContext) -> None:
        target = context.target
        self._context = context
        self._command = _words(target["command"], "command")
        self._environment = _words(target.get("environment", []), "environment")
        if not self._command:
            raise ProfileError("'target.command' is empty", hint='write: command = ["./rotate"]')
        if any(OPEN in word for word in self._command):
            raise ProfileError(
                "'target.command' has a placeholder: other users could read its value in the "
                "process list",
                hint="use 'target.settings', which the program reads from stdin",
            )
        self._settings = target.get("settings", {})
        self._verify_current = bool(target.get("verify_current", True))
        self._verify_retired = bool(target.get("verify_retired", True))

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:
        """Return the value's field, and the other fields in `target.fields`."""
        others = _words(target.get("fields", []), "fields")
        return (field, *(name for name in others if name != field))

    def describe_target(self) -> str:
        """Return the name of the program, without its folder."""
        return f"the program {os.path.basename(self._command[0]) or self._command[0]}"

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Run the program's checks, and test the current credential."""
        facts = self._facts(self._run("prepare", {}))
        if self._verify_current and not self.probe(current, facts):
            raise RotationError(
                f"'{self._command[0]}' reports in step 'test' that the secret's current value "
                "does not work",
                hint="store the value that works; or write verify_current = false in 'target', if "
                "the program cannot tell",
            )
        return facts

    def create(self, current: Fields, facts: Mapping[str, str]) -> Created:  # noqa: ARG002
        """Return the values that the program created, or generate the only value here."""
        self._context.confirm()
        answer = self._run("create", facts)
        found = answer.get("values")
        if found is None:
            if len(self._context.fields) > 1:
                raise self._no_answer("create", "returned no values for several fields")
            new = {self._context.fields[0]: generated(self._context.generate)}
        elif (
            not isinstance(found, dict)
            or set(found) != set(self._context.fields)
            or not all(isinstance(value, str) and value for value in found.values())
        ):
            names = ", ".join(self._context.fields)
            raise self._no_answer("create", f"did not return 'values' as strings for {names}")
        else:
            new = {field: Secret(value) for field, value in found.items()}
        made = {**self._facts(answer, new), _DIGEST: _digest(new)}
        if found is not None:  # the target has created the value, so it already works
            self._settle(new, {**facts, **made})
        return Created(new, made)

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Run the program to set the new credential at the target."""
        self._context.confirm()
        try:
            self._run("set", facts, new)
        except TargetUnavailableError:  # the program may have set it
            self._settle(new, facts)
            raise
        self._settle(new, facts)

    def _settle(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Retire the new credential if another process has taken the rotation over."""
        self._context.settle(new, lambda: self._retire(facts, "new"))

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Run the program to log in with the new credential."""
        self._run("test", facts, new, credential="new")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether the program can log in with a credential."""
        answer = self._call("test", facts, fields, credential=_which(fields, facts))
        if answer.status == NO:
            return False
        self._judge("test", answer, fields)
        return True

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Run the program's last step, once readers have the new value."""
        self._run("finish", facts)

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Run the program to remove one credential, which the facts identify.

        Raises:
            RotationError: the facts do not identify the new credential.
        """
        if fields and fields == keep:
            return
        if fields and _DIGEST not in facts:
            raise RotationError(
                "the record does not say which credential is the new one: nothing is removed",
                hint="remove the old one by hand",
            )
        self._context.confirm()
        self._retire(facts, _which(fields, facts))

    def _retire(self, facts: Mapping[str, str], credential: str) -> None:
        self._run("retire", facts, credential=credential)

    def is_dead(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether the target refuses a credential that the program tries.

        Raises:
            RotationError: the target also refuses the credential that must work, so the
                program's answer proves nothing.
        """
        if not fields or not self._verify_retired:
            return True
        if not self.probe(keep, facts):
            raise RotationError(
                f"'{self._command[0]}' reports in step 'test' that the current credential does not "
                "work either, so the test does not prove that the old one is gone",
                hint="run the step 'test' by hand; or write verify_retired = false in 'target', if "
                "the program cannot tell",
            )
        return not self.probe(fields, facts)

    def in_use(self, fields: Fields, facts: Mapping[str, str]) -> Usage:
        """Return who uses a credential, as the program answers in the step `test`.

        Raises:
            RotationError: the program does not say who.
        """
        answer = self._call("test", facts, fields, credential=_which(fields, facts))
        if answer.status != NO:
            self._judge("test", answer, fields)
        found = answer.printed.get("in_use")
        if not isinstance(found, list):
            raise self._no_answer("test", "did not return 'in_use'")
        readers = [_reader(one) for one in found]
        if None in readers:
            raise self._no_answer("test", "returned an invalid entry in 'in_use'")
        return Usage(tuple(one for one in readers if one is not None))

    def _run(
        self, step: str, facts: Mapping[str, str], values: Fields | None = None, **more: str
    ) -> Mapping[str, object]:
        answer = self._call(step, facts, values, **more)
        self._judge(step, answer, values or {})
        return answer.printed

    def _call(
        self, step: str, facts: Mapping[str, str], values: Fields | None, **more: str
    ) -> Answer:
        task = {
            "version": VERSION,
            "step": step,
            "rotation": self._context.rotation,
            "id": self._context.id,
            "secret": self._context.secret,
            "fields": list(self._context.fields),
            "settings": self._settings,
            "facts": {name: fact for name, fact in facts.items() if name != _DIGEST},
            **more,
        }
        if values is not None:
            task["values"] = {field: value.reveal() for field, value in values.items()}
        seconds = self._context.deadline.remaining_seconds()
        try:
            finished = run_program(
                self._command,
                environ=passed_on(os.environ, self._environment),
                timeout_seconds=seconds,
                stdin=json.dumps(task).encode(),
                capture=True,
            )
        except ProgramError as error:
            if error.late:
                raise TargetUnavailableError(
                    f"'{self._command[0]}' timed out",
                    hint="increase 'timeout' in the rotation",
                ) from None
            raise RotationError(error.message, hint=error.hint) from None
        return Answer(finished.status, _parsed(finished.output))

    def _judge(self, step: str, answer: Answer, values: Fields) -> None:
        """Raise the error that corresponds to the status of the program."""
        name, status = self._command[0], answer.status
        if status == 0:
            return
        how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        message = f"'{name}' {how} in the step '{step}'"
        if words := self._masked(answer.printed.get("error"), values):
            message += f": {words}"
        if status == TRY_AGAIN:
            raise TargetUnavailableError(message)
        raise RejectedError(message) if status == REJECTED else RotationError(message)

    def _masked(self, words: object, values: Fields) -> str:
        """Return the program's error on one line, with its input masked."""
        if not isinstance(words, str):
            return ""
        hidden = [value.reveal() for value in values.values()]
        hidden += _texts(self._settings)
        for text in sorted(filter(None, hidden), key=len, reverse=True):
            words = words.replace(text, str(Secret(text)))
        line = "".join(char if char.isprintable() else " " for char in words)
        return line[:MAX_ERROR].strip().rstrip(".")

    def _facts(self, answer: Mapping[str, object], new: Fields | None = None) -> dict[str, str]:
        found = answer.get("facts", {})
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise self._no_answer(
                "prepare" if new is None else "create", "did not return 'facts' as strings"
            )
        if new is not None:
            value = new[self._context.fields[0]].reveal()
            if any(value in fact for fact in found.values()):
                raise self._no_answer(
                    "create", "returned the value in 'facts', which envkit displays"
                )
        return found

    def _no_answer(self, step: str, what: str) -> RotationError:
        return RotationError(
            f"'{self._command[0]}' {what} in step '{step}'",
            hint="see docs/reference/rotators/command.md for what it may print",
        )


def _reader(entry: object) -> Reader | None:
    """Return one entry of `in_use`; None if it is not valid."""
    if not isinstance(entry, dict):
        return None
    user, address, application = (entry.get(key, "") for key in ("user", "address", "application"))
    sessions, since = entry.get("sessions", 0), entry.get("since", 0.0)
    if (
        not all(isinstance(text, str) for text in (user, address, application))
        or type(sessions) is not int
        or type(since) not in (int, float)
    ):
        return None
    return Reader(user, address, application, sessions=sessions, since=float(since))


def _parsed(output: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(output or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(setting: object, key: str) -> list[str]:
    if not isinstance(setting, list) or not all(
        isinstance(word, str) and word and "\0" not in word for word in setting
    ):
        raise ProfileError(
            f"'target.{key}' must be a list of words", hint=f'write: {key} = ["..."]'
        )
    return setting


def _texts(setting: object) -> list[str]:
    """Return every text in a table; any of them may be a value."""
    if isinstance(setting, str):
        return [setting]
    items: list[object] = []
    if isinstance(setting, dict):
        items = list(setting.values())
    elif isinstance(setting, list):
        items = setting
    return [text for item in items for text in _texts(item)]


def _which(fields: Fields, facts: Mapping[str, str]) -> str:
    """Return `new` for a credential that `create` returned or may have created; otherwise `old`."""
    return "new" if not fields or _digest(fields) == facts.get(_DIGEST) else "old"


def _digest(fields: Fields) -> str:
    """Return a digest that distinguishes the new credential, which is random, from the old."""
    from hashlib import sha256

    text = json.dumps({field: value.reveal() for field, value in sorted(fields.items())})
    return sha256(text.encode()).hexdigest()
