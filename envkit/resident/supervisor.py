"""The parent of an app under `envkit exec --watch` and `--supervise`: one event loop.

    status = Supervisor(command, watcher.first(), watcher, plan, tell=..., record=...).run()

It waits for signals, for the witness, for children and for the watcher, passes each event to
`lifecycle.advance`, and does what that returns. It decides nothing about the app itself.
"""

from __future__ import annotations

import os
import select
import sys
from time import monotonic

from envkit._internal.named_tuple import NamedTuple
from envkit.errors import EnvkitError
from envkit.resident import lifecycle
from envkit.resident import signals as sig
from envkit.resident.child import App, fork_app, send_signal
from envkit.resident.forked import wait_readable
from envkit.resident.kernel import adopt_orphans
from envkit.resident.lifecycle import Action, Do, Phase, State, advance
from envkit.resident.reaper import Report, reap
from envkit.resident.terminal import Witness, controlling_terminal, stop_here
from envkit.resident.watcher import Changed, Warned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from envkit.launch.app_files import AppFiles
    from envkit.launch.overlay import FileContent
    from envkit.resident.lifecycle import Settings
    from envkit.resident.watcher import Watcher

# between looks for what remains of an app: its parent is not always notified
LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.01, 0.2
_STOPS_A_JOB = frozenset((sig.SIGTSTP, sig.SIGTTIN, sig.SIGTTOU))
_WITH_A_TERMINAL = frozenset((sig.SIGTERM,))
_WITHOUT = frozenset((sig.SIGTERM, sig.SIGINT))


class Plan(NamedTuple):
    """What the options of `exec` say.

    Attributes:
        settings: of the lifecycle.
        splay_seconds: a change takes effect after a random part of it.
        reload_signal: for RELOAD.
        run: the command of a shell, for RUN.
    """

    settings: Settings
    splay_seconds: float = 0.0
    reload_signal: int = 0
    run: str = ""


class Supervisor:
    """Runs an app and keeps it current; see the module's docstring. It is used once.

    Args:
        command: the program and its arguments.
        first: the environment that it starts with.
        watcher: announces new ones. It is closed at the end.
        plan: what to do on a change.
        tell: writes a line for people, with `warning`, `note` or `hint` in front.
        record: records a change for audit before it takes effect; raises an `EnvkitError` if
            that is required and fails.
        open_files: opens the folder for variables with `as = "file"`, if there are any.
    """

    def __init__(
        self,
        command: Sequence[str],
        first: Changed,
        watcher: Watcher,
        plan: Plan,
        *,
        tell: Callable[[str, str], None],
        record: Callable[[Changed], None],
        open_files: Callable[[], AppFiles],
    ) -> None:
        self._command = list(command)
        self._environ: Mapping[bytes, bytes] = first.environ
        self._first_files = first.files
        self._open_files = open_files
        self._files: AppFiles | None = None
        self._watcher = watcher
        self._plan = plan
        self._tell_person = tell
        self._record = record
        self._state = State()
        self._app: App | None = None
        self._running = 0  # the process of RUN
        self._changed: dict[str, None] = {}
        self._told = False
        self._restarting = False
        self._look_at: float | None = None
        self._pause = LOOK_SECONDS
        self._end: Action | None = None

    def run(self) -> int:
        """Run the app until it ends or envkit is told to end.

        Returns:
            the exit status of the app. If a signal ended the app, this process dies of the
            same signal; as process 1, which cannot, it returns 128 and the number.

        Raises:
            LimitError, CommandNotFoundError, NotExecutableError: as plain `exec`, for the first
                start; later for a program that is no longer there.
        """
        self._signals = sig.Signals()
        self._signals.catch()
        self._terminal = controlling_terminal()
        self._own_group = self._terminal is None
        self._adopts = adopt_orphans()
        if not self._adopts:
            self._tell("warning", "if envkit is killed, the app continues: only Linux ends it")
        self._witness = None if self._own_group else Witness()
        try:
            self._environ = {**self._environ, **self._write_files(self._first_files)}
            self._first_files = {}
            self._do(Action(Do.START))
            while self._end is None:
                self._wait()
                self._step(monotonic())
        finally:
            self._stop_command()
            self._watcher.close()
            if self._files is not None:
                self._files.remove()
            if self._witness is not None:
                self._witness.close()
        return self._leave(self._end)

    def _leave(self, end: Action) -> int:
        if self._terminal is not None:
            self._terminal.take_back()
        if end.status is None:
            return sig.die_of(end.number)
        if os.WIFSIGNALED(end.status):
            return sig.die_of(os.WTERMSIG(end.status))
        return os.WEXITSTATUS(end.status)

    def _wait(self) -> None:
        times = [lifecycle.next_time(self._state), self._look_at, self._watcher.next_time()]
        wake = [self._signals.fileno(), *self._watcher.filenos()]
        if self._witness is not None:
            times.append(self._witness.next_time())
            wake.append(self._witness.fileno())
        wait_readable(wake, min(time for time in times if time is not None))

    def _step(self, now: float) -> None:
        for number in self._signals.take():
            if number == sig.SIGCHLD:
                continue
            if self._witness is None:
                self._receive(number, now, reached=False)
            else:
                self._witness.ask(number, now)
        if self._witness is not None:
            for number, shared in self._witness.settle(now):
                reached = shared and self._app is not None and self._app.shares_group()
                self._receive(number, now, reached=reached)
        self._hear(now)
        for report in reap(self._known(), self._watcher.children()):
            self._reaped(report, now)
        self._advance(lifecycle.Tick(), now)
        self._look(now)

    def _hear(self, now: float) -> None:
        """Handle what the watcher has noticed."""
        try:
            events = self._watcher.step(now)
        except Exception as bug:  # noqa: BLE001 - no bug of a look may end the app
            self._watcher.close()
            self._tell("warning", f"internal error: {type(bug).__name__}: no change is noticed now")
            self._tell("hint", "restart envkit to watch again")
            return
        for event in events:
            if isinstance(event, Changed):
                self._change(event, now)
            elif isinstance(event, Warned):
                self._tell("warning", event.text)
                for hint in event.hints:
                    self._tell("hint", hint)
            else:
                self._tell("note", event.text)

    def _receive(self, number: int, now: float, *, reached: bool) -> None:
        ending = _WITHOUT if self._own_group else _WITH_A_TERMINAL
        ends = number in ending and not self._signals.was_ignored(number)
        if ends and self._app is not None:
            self._app.note_told()
        self._advance(lifecycle.Signalled(number, ends, reached), now)

    def _reaped(self, report: Report, now: float) -> None:
        if self._witness is not None and report.pid == self._witness.pid:
            if report.ended:
                self._witness.again()
        elif report.pid == self._running:
            if report.ended:
                self._command_ended(report.status, now)
        elif not report.ended:
            self._stopped(os.WSTOPSIG(report.status))
        elif self._app is not None and report.pid == self._app.pid:
            self._app.alive = False
            self._look_at, self._pause = now, LOOK_SECONDS
            self._advance(lifecycle.Exited(report.status), now)

    def _stopped(self, number: int) -> None:
        """Stop as the app did, so that the shell notices: it waits for envkit."""
        if self._app is None or self._own_group or self._state.phase is not Phase.RUNNING:
            return
        # SIGSTOP has stopped envkit as well if it was for the group
        apart = not self._app.shares_group()
        if number in _STOPS_A_JOB or apart:
            stop_here()
        if apart and self._terminal is not None:  # `fg` has made envkit the foreground
            self._terminal.pass_on(self._app.pid)

    def _change(self, event: Changed, now: float) -> None:
        try:
            self._record(event)
            environ = {**event.environ, **self._write_files(event.files)}
        except EnvkitError as error:
            self._tell("warning", f"the app keeps its environment: {error.message}")
            return
        names: Sequence[str] = event.names
        before, self._environ = self._environ, environ
        if self._plan.settings.on_change is Do.TELL and event.files:
            encoded = {name: name.encode() for name in names}
            names = [
                name for name in names if before.get(encoded[name]) != environ.get(encoded[name])
            ]
            files = [name for name in event.names if name not in names]
            if files:
                self._tell("note", f"{', '.join(files)} changed: envkit replaced the file")
            if before == environ:
                return
        self._changed.update(dict.fromkeys(names))
        part = int.from_bytes(os.urandom(4)) / 2**32  # without the memory that `random` takes
        self._advance(lifecycle.Changed(part * self._plan.splay_seconds), now)

    def _write_files(self, contents: Mapping[bytes, FileContent]) -> Mapping[bytes, bytes]:
        """Write the variables that are files; return their paths.

        Raises:
            FileVariableError: one cannot be written.
        """
        if self._files is None:
            if not contents:
                return {}
            self._files = self._open_files()
        return self._files.write(contents)

    def _look(self, now: float) -> None:
        """See whether something of the app remains after its main process has ended."""
        if self._app is None or self._look_at is None or now < self._look_at:
            return
        if self._app.remaining(adopted=not self._state.left):
            self._look_at = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_LOOK_SECONDS)
        else:
            self._app = self._look_at = None
            self._advance(lifecycle.Gone(), now)

    def _advance(self, event: lifecycle.Event, now: float) -> None:
        self._state, actions = advance(self._state, event, now, self._plan.settings)
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        match action.do:
            case Do.START:
                self._start()
            case Do.END:
                self._end = action
            case Do.RUN:
                self._run_command()
            case Do.TELL:
                self._tell_once()
            case Do.WARN:
                self._tell("warning", "the app cannot be killed: envkit waits for it to end")
            case _ if self._app is not None:
                self._do_to(self._app, action)

    def _do_to(self, app: App, action: Action) -> None:
        stop_signal = self._plan.settings.stop_signal
        adopted = not self._state.left
        match action.do:
            case Do.SEND:
                app.send(action.number)
            case Do.STOP:
                self._announce("restarting the app")
                app.stop(stop_signal)
            case Do.STOP_REST:
                app.stop_rest(stop_signal, adopted=adopted)
            case Do.KILL:
                app.kill(adopted=adopted)
            case Do.RELOAD:
                number = self._plan.reload_signal
                self._announce(f"sending {sig.name_of(number)} to the app")
                app.send_to_main(number)

    def _start(self) -> None:
        if self._terminal is not None:
            self._terminal.take_back()
            if self._restarting:
                self._terminal.restore_modes()
        pid = fork_app(
            self._command, self._environ, own_group=self._own_group, signals=self._signals
        )
        self._app = App(pid, own_group=self._own_group, foreign=self._foreign)
        self._restarting = True
        self._changed.clear()
        self._look_at = None
        self._advance(lifecycle.Started(), monotonic())

    def _known(self) -> frozenset[int]:
        found = {self._running} if self._running else set()
        if self._app is not None:
            found.add(self._app.pid)
        if self._witness is not None:
            found.add(self._witness.pid)
        return frozenset(found)

    def _foreign(self) -> frozenset[int]:
        """Return the children that are not of the app."""
        own = {self._running, self._witness.pid if self._witness is not None else 0}
        return frozenset(own) | self._watcher.children()

    def _run_command(self) -> None:
        self._announce("running the command of --watch")
        try:
            self._running = fork_app(
                ["/bin/sh", "-c", self._plan.run],
                self._environ,
                own_group=self._own_group,
                signals=self._signals,
                with_input=False,
            )
        except EnvkitError as error:
            self._tell("warning", f"the command of --watch failed: {error.message}")
            self._advance(lifecycle.Ran(), monotonic())

    def _command_ended(self, status: int, now: float) -> None:
        self._running = 0
        code = os.waitstatus_to_exitcode(status)
        if code:
            how = f"exit status {code}" if code > 0 else sig.name_of(-code)
            self._tell("warning", f"the command of --watch failed: {how}")
        self._advance(lifecycle.Ran(), now)

    def _stop_command(self) -> None:
        if self._running:
            send_signal(-self._running if self._own_group else self._running, sig.SIGTERM)

    def _announce(self, what: str) -> None:
        names = ", ".join(self._changed) or "the environment"
        self._changed.clear()
        self._tell("note", f"{names} changed: {what}")

    def _tell_once(self) -> None:
        names = ", ".join(self._changed) or "the environment"
        if not self._told:
            self._tell("warning", f"{names} changed: restart the app to use the new values")
        self._told = True

    def _tell(self, kind: str, text: str) -> None:
        """Write a line, unless that would fail or block."""
        try:
            poll = select.poll()
            poll.register(sys.stderr, select.POLLOUT)
            if poll.poll(0):
                # a pipe that is ready takes so much; the label is short
                self._tell_person(kind, _shortened(text, select.PIPE_BUF - 100))
                sys.stderr.flush()
        except (OSError, ValueError):
            # it is closed, or the terminal is gone; later calls fail as well
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the end


def _shortened(text: str, limit_bytes: int) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= limit_bytes:
        return text
    return f"{data[:limit_bytes].decode('utf-8', 'ignore')}..."
