"""The work of the agent's child: read one environment for one client, and say what it depends on.

It does what the client would do, with the variables that the client has sent: the profile is
loaded, trust is decided by the same guard, and each source is asked once. It never asks a person
and starts no program. Where the client would ask a person, need a reason or fail, the child
declines, and the client reads the environment itself.
"""

from __future__ import annotations

import os
import stat
import time

from envkit._internal.clock import Deadline
from envkit._internal.files import set_leaving
from envkit._internal.paths import state_folder
from envkit.agent.freshness import signatures, were_old
from envkit.agent.key import OF_TYPES, unasked
from envkit.agent.question import HOOK
from envkit.agent.recording import StartsProgramError, record, take_over_environment
from envkit.agent.wire import (
    ANSWER,
    DECLINED,
    MAX_ANSWER_BYTES,
    Answer,
    os_decode,
    os_encode,
    pack,
)
from envkit.audit.log import logins_of, used, versions_of
from envkit.errors import EnvkitError
from envkit.launch.loaders import loading_variables
from envkit.resolution.fetch import ask
from envkit.resolution.last_known_good.use import with_fallback
from envkit.resolution.prepare import joined, prepare
from envkit.resolution.resolve import resolve_prepared
from envkit.resolution.value_files import value_files
from envkit.secret import look_for_secrets_in, without_secrets
from envkit.sources.dotenv import PREVIOUS_SUFFIX
from envkit.sources.model import Reading
from envkit.sources.poke import FILE as POKE
from envkit.sources.registry import set_guard
from envkit.trust.guard import Guard
from envkit.trust.user_config import config_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from envkit.agent.question import Question
    from envkit.agent.recording import RecordingEnviron
    from envkit.profile.placeholder import Reference
    from envkit.resident.forked import Send
    from envkit.resolution.environment import Environment
    from envkit.resolution.prepare import PreparedProfile

# what a child sends: (kind, ...)
NEEDS = "needs"  # patterns of variables, before any store is asked
DECLINES = "declines"  # the reason
FOUND = "found"  # the reply, the files, further variables, the environment, whether to keep it
ROOM_BYTES = 64  # for the heads of items
# files that libraries in C read, or whose creation changes what a client of such a store does
_NETWORK_FILES = ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf")
_HOME_FILES = {
    "vault": (".vault", ".bao", ".vault-token", ".netrc", "_netrc"),
    "aws-secrets-manager": (".aws/config", ".aws/credentials"),
}


class _DeclineError(Exception):
    """The client must do it itself."""


def fetch(
    question: Question,
    sent: Mapping[bytes, bytes],
    asked: Sequence[bytes],
    close: Callable[[], None],
) -> Callable[[Send], None]:
    """Return the work of a child that reads one environment.

    Args:
        question: what is asked.
        sent: the variables of the client.
        asked: which ones it was asked for.
        close: closes the agent's connections, of which the child has copies.
    """

    def work(send: Send) -> None:
        close()
        try:
            send(_answer(question, sent, asked))
        except _DeclineError as declined:
            send((DECLINES, str(declined)))
        except StartsProgramError:
            send((DECLINES, "a program would have to be started"))

    return work


def _answer(
    question: Question, sent: Mapping[bytes, bytes], asked: Sequence[bytes]
) -> tuple[Any, ...]:
    os.chdir(question.folder)
    own, of_libraries = take_over_environment(
        {os_decode(name): os_decode(value) for name, value in sent.items()}
    )
    try:
        return _read(question, asked, own, of_libraries)
    except EnvkitError as error:
        # a variable may be missing only because the client was not asked for it
        needed = _further(own, asked)
        return (NEEDS, needed) if needed else (DECLINES, error.code)


def _read(
    question: Question,
    asked: Sequence[bytes],
    own: RecordingEnviron,
    of_libraries: RecordingEnviron,
) -> tuple[Any, ...]:
    began = time.time()
    warnings: list[str] = []
    guard = Guard(own, ask=None, warn=warnings.append)
    # as they are before anything is read
    files = signatures([os.path.join(state_folder(own), POKE), guard.store.path, config_path(own)])
    programs = record(files)
    set_guard(lambda: guard)
    set_leaving(guard.may_leave)
    # what fails is left to the client, with the time to repeat it
    deadline = Deadline(question.timeout_seconds, repeats=False)
    if question.reason:
        look_for_secrets_in(question.reason)
    prepared = prepare(
        question.environments,
        profiles=question.profiles,
        only=question.only,
        exclude=question.exclude,
        names=question.names,
        overrides=dict(zip(question.overrides[::2], question.overrides[1::2], strict=True)),
        environ=own,
        deadline=deadline,
    )
    files.update(signatures(set(_files(question, prepared)) - files.keys()))
    name = joined([one.profile for one in prepared])
    if reason := _never_kept(prepared, lasting=question.command == HOOK):
        refusal = (DECLINED, pack([reason.encode()]))
        return (FOUND, refusal, files, _further(own, asked), "", were_old(files, began))
    _refuse_pipes(files)
    wanted, needless = _wanted(prepared)
    known = set(asked)
    needed = [one for one in wanted if one not in known]
    needed += _further(own, [*asked, *needed])
    if needed:
        return (NEEDS, needed)
    needless -= own.missing
    environment = resolve_prepared(prepared, deadline)
    if programs or warnings or own.iterated:
        raise _DeclineError("it depends on more than the agent knows")
    if without_secrets(question.reason) != question.reason:
        raise _DeclineError("the reason has a secret")  # the client records it without
    if question.names and question.names[0] not in environment:
        raise _DeclineError("value-absent")
    shown = value_files(prepared) if question.command == HOOK else ()
    body, used_ = _of(environment, prepared, shown)
    if len(body) + len(used_) > MAX_ANSWER_BYTES - ROOM_BYTES:
        raise _DeclineError("the environment is too large")
    own.missing -= needless
    further = dict.fromkeys((*_further(own, asked), *_further(of_libraries, asked)))
    keep = were_old(files, began) and _can_be_poked(own)
    return (FOUND, (ANSWER, body, used_), files, list(further), name, keep)


def _of(
    environment: Environment, prepared: Sequence[PreparedProfile], shown: Iterable[str]
) -> tuple[bytes, bytes]:
    """Return the body of an answer, and what the audit log says of it."""
    variables = list(environment.variables())
    names = [one.name for one in variables]
    answer = Answer(
        [os_encode(name) for name in sorted(environment.bootstrap)],
        [os_encode(name) for name in names],
        [one.value.to_bytes() for one in variables],
        [os_encode(file) for file in shown],
    )
    profiles = [one.profile.name for one in prepared]
    text = used(profiles, names, versions_of(variables), logins_of(prepared))
    return answer.body(), os_encode(text)


def _never_kept(prepared: Sequence[PreparedProfile], *, lasting: bool) -> str:
    """Return why the values of these profiles are never kept in memory; empty if they are."""
    for one in prepared:
        if one.profile.guarded:
            return "a protected profile is never kept"
        if loading_variables(one.plan.selected, lasting=lasting):
            return "a variable loads code into programs"
        if any(variable.declaration.file_mode is not None for variable in one.plan.order):
            return "a variable is passed as a file"
        if any(with_fallback(one)):
            return "values are saved for an outage, which only a cold start can do"
        for name in one.sources:
            kind = one.profile.sources[name].type
            if kind not in OF_TYPES:
                return f"the agent does not know what sources of type '{kind}' read"
    return ""


def _wanted(prepared: Sequence[PreparedProfile]) -> tuple[dict[bytes, None], set[str]]:
    """Return the variables that the sources of a plan may read.

    A bare name that a `.env` file has is not looked up in the process environment, though the
    plan has a reference to it. Such variables are returned apart.
    """
    wanted: dict[bytes, None] = {}
    needless: set[str] = set()
    needed: set[str] = set()
    for one in prepared:
        kinds = {name: one.profile.sources[name].type for name in one.plan.references}
        for kind in kinds.values():
            wanted.update(dict.fromkeys(OF_TYPES[kind]))
        there = {
            reference
            for name, references in one.plan.references.items()
            if kinds[name] == "dotenv"
            for reference, outcome in ask(one.sources[name], references).items()
            if isinstance(outcome, Reading)
        }
        for planned in one.plan.order:
            for references in planned.references.values():
                found = False
                for reference in references:
                    if kinds[reference.source] == "env":
                        name = reference.path or reference.field or ""
                        (needless if found else needed).add(name)
                    found = found or reference in there
    wanted.update((os_encode(name), None) for name in sorted(needed))
    return wanted, needless - needed


def _can_be_poked(environ: RecordingEnviron) -> bool:
    """Return whether a write of envkit by this user could change the file `poke`."""
    folder = state_folder(environ)
    path = os.path.join(folder, POKE)
    while not os.path.lexists(path):  # it would have to be created
        path = folder = os.path.dirname(path)
    return os.path.isdir(folder) and os.access(path, os.W_OK, effective_ids=True)


def _refuse_pipes(files: Iterable[str]) -> None:
    """Decline to read what can be read only once, such as the pipe of a password manager."""
    for path in files:
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise _DeclineError("a file is a pipe")


def _further(environ: RecordingEnviron, asked: Sequence[bytes]) -> list[bytes]:
    """Return the variables that were looked up and that the client was not asked for."""
    return unasked(environ.missing, asked)


def _files(question: Question, prepared: Sequence[PreparedProfile]) -> Iterable[str]:
    """Return the files that decide what an environment is, also those that do not exist."""
    folder = question.folder
    roots = {one.profile.root for one in prepared}
    while question.profiles is None:  # each folder in which an upward search finds profiles/
        yield os.path.join(folder, "profiles")
        if folder in roots or folder == "/":
            break
        folder = os.path.dirname(folder)
    home = os.path.expanduser("~")
    for one in prepared:
        profile = one.profile
        yield from (os.path.dirname(profile.path), os.path.join(profile.root, ".git"))
        yield from profile.files
        for name, references in one.plan.references.items():
            kind = profile.sources[name].type
            if kind in _HOME_FILES:
                yield from _NETWORK_FILES
                yield from (os.path.abspath(os.path.join(home, end)) for end in _HOME_FILES[kind])
            if kind == "dotenv":
                names = (profile.name, *profile.aliases)
                yield from (os.path.join(profile.root, f".env.{end}") for end in names)
                yield from _dotenv_files(one.sources[name], references)


def _dotenv_files(source: Any, references: Iterable[Reference]) -> Iterable[str]:
    for reference in references:
        for path in source.files(reference):
            yield from (path, path + PREVIOUS_SUFFIX)
