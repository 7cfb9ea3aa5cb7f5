"""Let a program of the user's own rotate: one call for each step, JSON in and JSON out.

    target = { command = ["./rotate-token"], settings = { team = "billing" } }

On its standard input the program finds

    {"version": 1, "step": "set", "rotation": "prod/token", "id": "...",
     "secret": "vault:app#token", "fields": ["token"],
     "settings": {...}, "facts": {...}, "values": {"token": "..."}}

`step` is prepare, create, set, test, finish or retire. With `set` come the new values, and
with `test` those that are to be tried. Of `test` and `retire`, `credential` says which one is
meant: the `old` one, or the `new` one. Whatever was done already is done.

With `test` of the old credential it may print `{"in_use": [{"user": "app"}]}`: the programs that
use it, also with `address`, `application`, `sessions` and `since`; none for an empty list.

It may print `{"facts": {...}}` for prepare and create, to be given back with each later
step and never a value; `{"values": {...}}` for create, where the target makes the value;
and `{"error": "..."}`. Its status says the rest: 0 done, 1 no (of test: it does not log
in), 65 the target refuses this value for good, 75 try again later.

The current values are tried before anything is made, and the old ones once they are retired:
they must be refused then, while the new ones are taken. A program that answers 1 to everything,
as one does that crashes, is not believed; nor is one that answers 0 to everything.
`verify_current = false` and `verify_retired = false` are for a target that cannot be asked.

What always holds: no value is in its arguments or its environment; all of it is killed when
the time is over; of what it prints nothing is shown but `error`, in one line, with the
values and settings masked.
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
MAX_ERROR = 200  # characters of the program's own words
_DIGEST = "new-sha256"  # a fact: which of two credentials is the new one


class Answer(NamedTuple):
    """How a program ended.

    Attributes:
        status: its exit status; negative is the signal that ended it.
        printed: the object that it printed; empty for other output, which has no meaning.
    """

    status: int
    printed: Mapping[str, object]


class CommandRotator:
    """See the module's docstring."""

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
            raise ProfileError("'target.command' is empty", hint='write command = ["./rotate"]')
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
        """Return the value's field, and those that `target.fields` names beside it."""
        others = _words(target.get("fields", []), "fields")
        return (field, *(name for name in others if name != field))

    def describe_target(self) -> str:
        """Return the name of the program, without its folder."""
        return f"the program {os.path.basename(self._command[0]) or self._command[0]}"

    def prepare(self, current: Fields) -> Mapping[str, str]:
        """Let the program look whether it can rotate, and try the current credential."""
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
        """Take the values that the program has made, or make the one value here."""
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
        if found is not None:  # the target has made it, and so it works
            self._settle(new, {**facts, **made})
        return Created(new, made)

    def set(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Let the program give the target the new credential."""
        self._context.confirm()
        try:
            self._run("set", facts, new)
        except TargetUnavailableError:  # it may have done it
            self._settle(new, facts)
            raise
        self._settle(new, facts)

    def _settle(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Have the new credential retired where the rotation is no longer ours."""
        self._context.settle(new, lambda: self._retire(facts, "new"))

    def test(self, new: Fields, facts: Mapping[str, str]) -> None:
        """Let the program log in with the new credential."""
        self._run("test", facts, new, credential="new")

    def probe(self, fields: Fields, facts: Mapping[str, str]) -> bool:
        """Return whether the program can log in with a credential."""
        answer = self._call("test", facts, fields, credential=_which(fields, facts))
        if answer.status == NO:
            return False
        self._judge("test", answer, fields)
        return True

    def finish(self, old: Fields, new: Fields, facts: Mapping[str, str]) -> None:  # noqa: ARG002
        """Let the program do what is to be done once readers have the new value."""
        self._run("finish", facts)

    def retire(self, fields: Fields, keep: Fields, facts: Mapping[str, str]) -> None:
        """Let the program remove one credential, which its facts tell it how to name.

        Raises:
            RotationError: the facts do not say which of the two is the new one.
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
        """Return whether the program is refused with a credential.

        Raises:
            RotationError: it is refused with the one that must work, too: then its answer says
                nothing.
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
        """Raise what the status of the program means."""
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
        """Return the program's own words in one line, without what it was given."""
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
        raise ProfileError(f"'target.{key}' must be a list of words", hint=f'write {key} = ["..."]')
    return setting


def _texts(setting: object) -> list[str]:
    """Return every text in a table, which may be a value."""
    if isinstance(setting, str):
        return [setting]
    items: list[object] = []
    if isinstance(setting, dict):
        items = list(setting.values())
    elif isinstance(setting, list):
        items = setting
    return [text for item in items for text in _texts(item)]


def _which(fields: Fields, facts: Mapping[str, str]) -> str:
    """Return `new` for the credential that was made, or may have been; `old` for another."""
    return "new" if not fields or _digest(fields) == facts.get(_DIGEST) else "old"


def _digest(fields: Fields) -> str:
    """Return what tells one new credential, which is random, from the old one."""
    from hashlib import sha256

    text = json.dumps({field: value.reveal() for field, value in sorted(fields.items())})
    return sha256(text.encode()).hexdigest()
