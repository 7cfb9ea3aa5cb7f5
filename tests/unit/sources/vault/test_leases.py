"""When a lease is renewed or replaced, what is passed on, and what the ledger of leases says."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import InvalidReferenceError, LeaseNeededError, UnavailableError
from envkit.sources.vault.auth import Lease
from envkit.sources.vault.kv import Engine, Target
from envkit.sources.vault.leases.lease import (
    Held,
    granted,
    lease_needed,
    renew_at,
    replace_at,
    target_of,
)
from envkit.sources.vault.leases.ledger import MAX_LINES, Entry, Ledger, sweep
from envkit.sources.vault.life import NEVER, Life
from support.vault import ref

ENGINE = Engine("database", 1, "database")
TARGET = Target(ENGINE, "creds/app", None, "vault")


def held(*, renewable=True, due_at=10.0, ends_at=15.0):
    life = Life(ends_at, due_at, 15.0, renewable)
    return Held(TARGET, "database/creds/app/1", '{"password": "p"}', life)


def lease(seconds, *, renewable=True):
    return Lease(Deadline(seconds), renewable)


@pytest.mark.parametrize(
    ("kind", "is_dynamic"),
    [
        ("database", True),
        ("aws", True),
        ("a-plugin", True),
        ("kv", False),
        ("generic", False),
        ("transit", False),
        ("cubbyhole", False),
    ],
)
def test_the_type_of_an_engine_says_whether_a_read_creates_a_secret(kind, is_dynamic):
    assert Engine("mount", 1, kind).is_dynamic == is_dynamic


def test_what_is_held_is_plain_data_for_another_process_and_shows_no_value():
    one = held()
    assert Held.of_state(one.to_state()) == one
    assert repr(one) == "Held(vault:database/creds/app)"


def test_a_lease_that_can_be_renewed_is_and_any_other_is_replaced():
    both = [held(due_at=20.0), held(renewable=False, due_at=30.0)]
    assert (renew_at(both), replace_at(both)) == (20.0, 30.0)
    assert (renew_at([]), replace_at([])) == (NEVER, NEVER)


def test_a_renewal_that_grants_less_than_before_is_the_last():
    assert held().renewed(lease(15.0), 10.0, 0.0).life.renewable
    last = held().renewed(lease(6.0), 10.0, 0.0)
    assert not last.life.renewable
    assert replace_at([last]) == pytest.approx(13.0, abs=0.1)


def test_a_refused_renewal_leaves_half_of_the_rest_and_an_ended_lease_nothing():
    assert replace_at([held().not_renewed(11.0)]) == 13.0
    ended = held().ended(11.0)
    assert (replace_at([ended]), ended.life.ends_at) == (11.0, 11.0)


def test_a_renewal_that_fails_is_tried_again_and_leaves_time_for_a_replacement():
    one = held(due_at=600.0, ends_at=900.0)._replace(life=Life(900.0, 600.0, 900.0, renewable=True))
    tries = []
    now = 600.0
    while (one := one.postponed(now)).life.renewable:
        now = one.life.due_at
        tries.append(now)
    assert len(tries) > 1
    assert tries[0] == pytest.approx(637.5)
    assert 900.0 - replace_at([one]) >= 900.0 / 12, "the old secret works for that long"


def test_a_new_lease_is_renewed_at_two_thirds_of_its_time():
    import time

    new = granted(TARGET, "id", "{}", lease(90.0), 0.0)
    assert renew_at([new]) - time.monotonic() == pytest.approx(60.0, abs=1.0)


def test_a_command_that_does_not_last_is_told_which_one_does():
    target = target_of(ENGINE, "database/creds/app", "vault")
    assert target == TARGET
    error = lease_needed(ref("database/creds/app#password"), target.locate("password"))
    assert isinstance(error, LeaseNeededError)
    assert "vault:database/creds/app#password is a dynamic secret" in error.message
    assert "--supervise" in error.hint
    pinned = lease_needed(ref("database/creds/app?version=2#password"), "there")
    assert type(pinned) is InvalidReferenceError


# ---------------------------------------------------------------- the ledger


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "envkit" / "leases"


def killed(*entries):
    """Write the ledger of a process that lives no more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ledger = Ledger(process.pid)
        for entry in entries:
            ledger.add(entry)
        process.communicate(b"\n")
    return ledger


def swept(server="s", allowed=lambda _: True):
    found = []

    def revoke(entry):
        found.append(entry.accessor or entry.lease)
        return allowed(entry)

    sweep(server, revoke)
    return found


def test_the_ledger_is_private_and_is_removed_when_all_is_revoked(folder):
    ledger = Ledger(os.getpid())
    ledger.add(Entry("s", accessor="a"))
    ledger.add(Entry("t", lease="l"))
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(file.read_text().splitlines()) == 2
    ledger.remove("s")
    assert len(file.read_text().splitlines()) == 1
    ledger.remove("t")
    assert list(folder.iterdir()) == []


def test_the_leases_of_a_process_that_lives_are_not_swept(folder):
    Ledger(os.getpid()).add(Entry("s", accessor="a"))
    assert swept() == []
    assert list(folder.iterdir())


def test_a_killed_process_is_swept_once_and_a_revoked_token_ends_its_leases(folder):
    killed(Entry("s", accessor="a"), Entry("s", lease="l"))
    assert swept() == ["a"]
    assert list(folder.iterdir()) == []


def test_where_the_token_may_not_be_revoked_its_leases_are(folder):
    killed(Entry("s", accessor="a"), Entry("s", lease="l"), Entry("s", lease="m"))
    assert swept(allowed=lambda entry: not entry.accessor) == ["a", "l", "m"]
    assert list(folder.iterdir()) == []


def test_what_was_leased_from_another_server_waits_for_it(folder):
    killed(Entry("s", accessor="a"), Entry("t", lease="l"))
    assert swept("s") == ["a"]
    assert swept("s") == []
    assert swept("t") == ["l"]
    assert list(folder.iterdir()) == []


def test_a_server_that_fails_is_asked_again_at_the_next_start(folder):
    killed(Entry("s", accessor="a"))

    def fail(entry):
        raise UnavailableError("down")

    with pytest.raises(UnavailableError):
        sweep("s", fail)
    assert swept() == ["a"]


def test_what_was_revoked_before_a_failure_is_not_revoked_again(folder):
    killed(*(Entry("s", lease=name) for name in "abc"))
    seen = []

    def fail_at_the_third(entry):
        seen.append(entry.lease)
        if len(seen) == 3:
            raise UnavailableError("down")
        return True

    with pytest.raises(UnavailableError):
        sweep("s", fail_at_the_third)
    assert swept() == ["c"]
    assert list(folder.iterdir()) == []


def test_the_newest_token_is_revoked_first_and_one_refusal_is_enough(folder):
    tokens = [Entry("s", accessor=name) for name in "abc"]
    killed(*tokens, Entry("s", lease="l"))
    assert swept() == ["c", "b", "a"]
    killed(*tokens, Entry("s", lease="l"))
    assert swept(allowed=lambda entry: not entry.accessor) == ["c", "l"]
    assert list(folder.iterdir()) == []


def test_a_process_that_runs_for_months_has_a_short_ledger(folder):
    ledger = Ledger(os.getpid())
    ledger.add(Entry("s", accessor="a"))
    before = None
    for number in range(2 * MAX_LINES):
        entry = Entry("s", lease=f"l{number}")
        ledger.add(entry, instead_of=before)
        before = entry
    (file,) = folder.iterdir()
    assert len(file.read_text().splitlines()) == 2, "a lease that was replaced is not listed"
    for number in range(2 * MAX_LINES):
        ledger.add(Entry("s", lease=f"m{number}"))
    assert len(file.read_text().splitlines()) == MAX_LINES


def test_lines_that_are_torn_or_of_another_host_are_never_used(folder):
    killed(Entry("s", accessor="a"))
    (file,) = folder.iterdir()
    whole = file.read_text()
    file.write_text(whole.replace('"host": "', '"host": "other-'))
    assert swept() == []
    file.write_text(whole[:-9] + "\n[]\n5\n\n" + whole)
    assert swept() == ["a"]


@pytest.mark.parametrize("how", ["link", "fifo", "folder"])
def test_what_is_not_a_file_of_this_user_is_left_alone(folder, tmp_path, how):
    killed(Entry("s", accessor="a"))
    (file,) = folder.iterdir()
    target = file.rename(tmp_path / "elsewhere")
    if how == "link":
        file.symlink_to(target)
    elif how == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    assert swept() == []


def test_a_ledger_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    ledger = Ledger(os.getpid())
    ledger.add(Entry("s", accessor="a"))
    ledger.remove("s")
    assert swept() == []
