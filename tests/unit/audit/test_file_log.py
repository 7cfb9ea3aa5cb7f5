"""The file of the audit log: concurrent writers, full files and refusals."""

import os
import subprocess
import sys

import pytest

from envkit.audit import file_log as audit_file
from envkit.audit.log import line, record
from envkit.audit.verify import records, verify
from envkit.errors import AuditError
from support.audit_log import ENTRY, environ, read
from support.process import run_python


@pytest.fixture
def log(tmp_path):
    return tmp_path / "state" / "audit.jsonl"


def test_only_the_owner_can_read_the_audit_log(log):
    deep = log.parent / "made" / "too" / "audit.jsonl"
    before = os.umask(0)
    try:
        record(ENTRY, environ(deep))
    finally:
        os.umask(before)
    assert deep.stat().st_mode & 0o777 == 0o600
    for folder in (deep.parent, deep.parent.parent, log.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


class Forking(str):  # noqa: SLOT000 - a test's
    """A text that forks while it is written; the child lives until the pipe is closed."""

    def __new__(cls, text, reader, writer):
        self = super().__new__(cls, text)
        self.pipe = reader, writer
        return self

    def __add__(self, more):
        reader, writer = self.pipe
        self.pid = os.fork()
        if not self.pid:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        return str.__add__(self, more)


def test_a_child_that_is_forked_while_a_line_is_added_does_not_keep_the_log_locked(log):
    pipe = os.pipe()
    text = Forking('{"event":"read"', *pipe)
    audit_file.append(str(log), text)
    try:
        audit_file.append(str(log), '{"event":"read"')
        audit_file.check(str(log))
    finally:
        for one in pipe:
            os.close(one)
        os.waitpid(text.pid, 0)


WRITER = """
import sys
from envkit.audit.log import Entry, line
from envkit.audit.file_log import append

path, count, max_bytes = sys.argv[1], *map(int, sys.argv[2:])
sys.stdin.readline()
for _ in range(count):
    append(path, line(Entry("exec", ["prod"], ["A"] * 20, {})), max_bytes=max_bytes)
"""


def write_at_once(log, *, writers, lines, max_bytes):
    """Let processes write concurrently, once all of them have started."""
    script = f"import sys; sys.path[:] = {sys.path!r}\n{WRITER}"
    arguments = [sys.executable, "-I", "-c", script, str(log), str(lines), str(max_bytes)]
    processes = [subprocess.Popen(arguments, stdin=subprocess.PIPE) for _ in range(writers)]
    for process in processes:
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * writers


def test_a_hundred_writers_at_once_make_one_chain(log):
    write_at_once(log, writers=100, lines=3, max_bytes=audit_file.MAX_BYTES)
    verdict = verify(str(log))
    assert (verdict.records, verdict.problems, verdict.notes) == (300, (), ())
    assert len({one["pid"] for one in read(log)}) == 100


def test_writers_that_also_fill_files_make_one_chain(log):
    write_at_once(log, writers=6, lines=10, max_bytes=3000)
    verdict = verify(str(log))
    assert (verdict.records, verdict.first, verdict.problems) == (60, 1, ())
    assert len(list(log.parent.iterdir())) > 5


def fill(log, count, *, max_bytes=1000):
    for number in range(count):
        text = line(ENTRY._replace(names=[f"N{number}"]))
        audit_file.append(str(log), text, max_bytes=max_bytes)


def test_a_full_file_gets_a_number_and_the_chain_continues(log):
    fill(log, 7)
    names = sorted(path.name for path in log.parent.iterdir())
    assert names == ["audit.1.jsonl", "audit.2.jsonl", "audit.jsonl"]
    assert [one["seq"] for one in records(str(log))] == [1, 2, 3, 4, 5, 6, 7]
    first_of_second = read(log.parent / "audit.2.jsonl")[0]
    assert first_of_second["previous"] == read(log.parent / "audit.1.jsonl")[-1]["hash"]
    assert all(path.stat().st_size < 1500 for path in log.parent.iterdir())
    assert verify(str(log)).problems == ()


def test_the_chain_continues_after_the_last_line_fills_its_file(log):
    fill(log, 1, max_bytes=1)
    assert [path.name for path in log.parent.iterdir()] == ["audit.1.jsonl"]
    assert verify(str(log)).records == 1
    fill(log, 1)
    assert [one["seq"] for one in records(str(log))] == [1, 2]


def test_the_oldest_of_too_many_full_files_is_removed(log):
    fill(log, audit_file.MAX_FULL_FILES + 3, max_bytes=1)
    numbers = [number for number, _ in audit_file.full_files(str(log))]
    assert numbers == list(range(4, audit_file.MAX_FULL_FILES + 4))
    verdict = verify(str(log))
    assert verdict.problems == ()
    assert verdict.notes == ("records before 4 were removed by log rotation",)


def test_other_files_in_the_folder_are_not_part_of_the_log(log):
    log.parent.mkdir(mode=0o700)
    for name in ("audit.x.jsonl", "audit.1.jsonl.bak", "other.1.jsonl", "audit.²", "audit..jsonl"):
        log.with_name(name).write_text("x")
    fill(log, 2, max_bytes=1)
    assert [n for n, _ in audit_file.full_files(str(log))] == [1, 2]


def test_a_log_without_an_extension_is_numbered_too(tmp_path):
    log = tmp_path / "log"
    fill(log, 3, max_bytes=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.1", "log.2", "log.3"]
    assert verify(str(log)).records == 3


# ---------------------------------------------------------------- a log that cannot be written


def refused(log):
    with pytest.raises(AuditError) as raised:
        record(ENTRY, environ(log))
    assert str(log) in raised.value.message
    return raised.value


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (os.symlink, "it is a symbolic link"),
        (os.link, "it has a second name (a hard link)"),
    ],
)
def test_a_link_in_place_of_the_log_is_refused(log, tmp_path, link, reason):
    target = tmp_path / "target"
    target.write_text("")
    log.parent.mkdir(mode=0o700)
    link(target, log)
    assert refused(log).message.endswith(reason)
    assert target.read_text() == ""


def test_a_link_in_place_of_a_full_file_is_named_and_not_followed(log):
    record(ENTRY, environ(log))
    full = log.with_name("audit.1.jsonl")
    log.rename(full.with_name("elsewhere"))
    full.symlink_to("elsewhere")
    with pytest.raises(AuditError, match=r"audit\.1\.jsonl: it is a symbolic link"):
        record(ENTRY, environ(log))


def test_a_pipe_in_place_of_a_full_file_is_not_waited_for(log):
    log.parent.mkdir(mode=0o700)
    os.mkfifo(log.with_name("audit.1.jsonl"))
    record(ENTRY, environ(log))
    assert log.stat().st_size


def test_a_pipe_in_place_of_the_log_is_refused_without_waiting_for_a_reader(log):
    log.parent.mkdir(mode=0o700)
    os.mkfifo(log, 0o600)
    assert refused(log).message.endswith("it is not a regular file")


def test_a_log_in_a_folder_that_others_may_write_is_refused(log):
    log.parent.mkdir()
    log.parent.chmod(0o777)
    error = refused(log)
    assert error.message.endswith("other users can write to its folder")
    assert error.hint == f"run: chmod go-w {log.parent}"
    assert error.code == "audit-failed"
    assert not log.exists()


def test_a_log_that_others_may_write_is_refused(log):
    record(ENTRY, environ(log))
    log.chmod(0o622)
    assert refused(log).message.endswith("other users can write to it")


def test_a_log_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file" / "audit.jsonl").message.endswith("not a directory")


def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind(log):
    """`RLIMIT_FSIZE` simulates a full disk."""
    record(ENTRY, environ(log))
    before = log.read_bytes()
    script = f"""
import resource, signal, sys
sys.path[:] = {sys.path!r}
from envkit.audit.log import Entry, record
from envkit.errors import AuditError
sys.dont_write_bytecode = True
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100}, resource.RLIM_INFINITY))
try:
    record(Entry("get", [], [], {{}}), {{"ENVKIT_AUDIT": {str(log)!r}}})
except AuditError as error:
    print(error.message)
"""
    done = run_python(script, options=["-I"])
    assert done.stdout == f"cannot write the audit log {log}: file too large\n"
    assert log.read_bytes() == before
    record(ENTRY, environ(log))
    assert verify(str(log)) == verify(str(log))._replace(records=2, problems=(), notes=())
