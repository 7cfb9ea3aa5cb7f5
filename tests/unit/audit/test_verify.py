"""`verify` reports every change of a log, and nothing for an intact one."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.audit import file_log as audit_file
from envkit.audit.log import Entry, line
from envkit.audit.verify import Anchor, parse_anchor, records, verify
from envkit.errors import AuditError, UsageError


def append(log, name="A", *, max_bytes=audit_file.MAX_BYTES):
    audit_file.append(str(log), line(Entry("get", ["prod"], [name], {})), max_bytes=max_bytes)


@pytest.fixture
def log(tmp_path):
    """Five records, in lines 1 to 5."""
    path = tmp_path / "audit.jsonl"
    for name in "ABCDE":
        append(path, name)
    return path


def edit(log, change):
    """Let `change` work on the list of lines."""
    found = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(change(found)))


def problems(log, anchor=None):
    """Return the problems without the path."""
    return [text.replace(f"{log}:", "") for text in verify(str(log), anchor).problems]


def test_an_intact_log_verifies_without_problems(log):
    verdict = verify(str(log))
    assert (verdict.records, verdict.first, verdict.last.seq) == (5, 1, 5)
    assert (verdict.problems, verdict.notes) == ((), ())


def test_a_missing_log_verifies_with_no_records(tmp_path):
    for path in (tmp_path / "audit.jsonl", tmp_path / "none" / "audit.jsonl"):
        verdict = verify(str(path))
        assert (verdict.records, verdict.problems) == (0, ())
        assert str(verdict.last) == f"0:{'0' * 64}"
    assert list(tmp_path.iterdir()) == []


PUT = "which was changed or replaced"


def forge(lines):
    """Change a record, and its hash with it."""
    body = lines[2].replace(b'["C"]', b'["X"]').rpartition(b',"hash":"')[0]
    lines[2] = body + f',"hash":"{audit_file.sha256(body).hexdigest()}"}}\n'.encode()
    return lines


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:2] + lines[3:], ["3: record 3 is missing"]),
        (lambda lines: lines[2:], ["1: records 1 to 2 are missing"]),
        (
            lambda lines: [one.replace(b'["C"]', b'["X"]') for one in lines],
            ["3: record 3 was changed"],
        ),
        (
            forge,
            [f"4: record 4 does not follow record 3, {PUT}"],
        ),
        (
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            [
                "2: record 2 is missing",
                "3: record 2 appears after record 3",
                "4: record 3 is missing",
            ],
        ),
        (lambda lines: lines[:2] + lines[1:], ["3: record 2 appears after record 2"]),
    ],
    ids=["removed", "the first removed", "changed", "forged", "reordered", "repeated"],
)
def test_each_change_of_the_lines_is_reported_where_it_is(log, change, told):
    edit(log, change)
    assert problems(log) == told


def test_a_line_of_another_log_is_reported(log, tmp_path):
    other = tmp_path / "other" / "audit.jsonl"
    for name in "VWXYZ":
        append(other, name)
    foreign = other.read_bytes().splitlines(keepends=True)
    edit(log, lambda lines: [*lines[:2], foreign[2], *lines[3:]])
    found = problems(log)
    assert found[0].startswith("3: record 3 does not follow record 2")
    assert found[1].startswith("4: record 4 does not follow record 3")


@pytest.mark.parametrize("text", [b"# a note\n", b"\n", b'{"seq":3}\n', b"\0\0\0\n"])
def test_a_line_that_is_not_a_record_is_reported(log, text):
    edit(log, lambda lines: [*lines[:2], text, *lines[2:]])
    assert problems(log) == ["3: this is not a record"]
    edit(log, lambda lines: [*lines[:2], *lines[3:], text])
    assert problems(log) == ["6: this is not a record"]


@given(position=st.integers(min_value=0), mask=st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_found(tmp_path_factory, position, mask):
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    for name in "ABC":
        append(path, name)
    content = bytearray(path.read_bytes())
    position %= len(content) - 1  # without the last newline one can do
    content[position] ^= mask
    path.write_bytes(content)
    verdict = verify(str(path))
    assert verdict.problems or verdict.last.seq < 3


# ---------------------------------------------------------------- a writer that died


@pytest.mark.parametrize("left", [1, 20, 200])
def test_an_unfinished_last_line_is_reported_and_vouched_for_by_the_next(log, left):
    edit(log, lambda lines: [*lines[:4], lines[4][:left]])
    verdict = verify(str(log))
    assert (verdict.records, verdict.problems) == (4, ())
    assert verdict.notes == (f"{log}:5: the last write was interrupted",)

    append(log, "F")
    verdict = verify(str(log))
    assert (verdict.records, verdict.last.seq, verdict.problems) == (5, 5, ())
    assert verdict.notes == (f"{log}:5: a write was interrupted here",)
    assert [one["names"] for one in records(str(log))] == [["A"], ["B"], ["C"], ["D"], ["F"]]


def test_a_missing_last_newline_is_repaired_by_the_next_line(log):
    edit(log, lambda lines: [*lines[:4], lines[4][:-1]])
    assert verify(str(log)).records == 5
    append(log, "F")
    verdict = verify(str(log))
    assert (verdict.records, verdict.problems, verdict.notes) == (6, (), ())


def test_the_remains_of_a_power_cut_are_vouched_for_by_the_next_line(log):
    log.write_bytes(log.read_bytes() + b"\0" * 700 + b"\n\n{")
    append(log, "F")
    verdict = verify(str(log))
    assert (verdict.records, verdict.problems) == (6, ())
    assert verdict.notes == (f"{log}:6: a write was interrupted here",)


def test_a_recorded_partial_line_cannot_be_changed_afterwards(log):
    edit(log, lambda lines: [*lines[:4], lines[4][:50]])
    append(log, "F")
    edit(log, lambda lines: [*lines[:4], b"x" + lines[4], lines[5]])
    assert problems(log) == ["5: this is not a record"]


def test_a_file_without_any_record_is_reported(tmp_path):
    log = tmp_path / "audit.jsonl"
    log.write_bytes(b"{")
    log.chmod(0o600)
    append(log)
    verdict = verify(str(log))
    assert (verdict.records, verdict.last.seq, verdict.problems) == (1, 1, ())


# ---------------------------------------------------------------- anchors


def test_an_anchor_reveals_a_truncated_log(log):
    anchor = verify(str(log)).last
    append(log, "F")
    assert problems(log, anchor) == []
    edit(log, lambda lines: lines[:3])
    assert problems(log) == []
    assert problems(log, anchor) == [
        "the log ends at record 3, before the anchor's record 5: the end was cut off"
    ]
    assert problems(log, anchor._replace(seq=None)) == [
        "no record has the anchor's hash: the end of the log was cut off or rewritten"
    ]


def test_an_anchor_reveals_a_removed_log(log):
    anchor = verify(str(log)).last
    log.unlink()
    assert len(problems(log, anchor)) == 1


def test_an_anchor_reveals_a_rewritten_log(log):
    anchor = verify(str(log)).last
    log.unlink()
    for name in "abcdef":
        append(log, name)
    assert problems(log) == []
    assert problems(log, anchor) == ["5: record 5 does not match the anchor"]


def test_an_anchor_works_by_its_hash_alone(log):
    assert problems(log, Anchor(None, verify(str(log)).last.hash)) == []


def test_an_anchor_of_an_empty_log_matches_every_log(log, tmp_path):
    assert problems(log, verify(str(tmp_path / "none.jsonl")).last) == []


def test_an_anchor_older_than_the_remaining_files_cannot_be_verified(tmp_path):
    log = tmp_path / "audit.jsonl"
    append(log)
    anchor = verify(str(log)).last
    for _ in range(audit_file.MAX_FULL_FILES + 2):
        append(log, max_bytes=1)
    assert problems(log, anchor) == [
        "the anchor's record 1 was removed by log rotation: use a newer anchor"
    ]


@pytest.mark.parametrize(
    "text", ["", "12", "12:", "x:" + "a" * 64, "a" * 63, "A" * 64, "²:" + "a" * 64]
)
def test_an_invalid_anchor_is_refused(text):
    with pytest.raises(UsageError, match="the anchor is not NUMBER:HASH"):
        parse_anchor(text)


def test_an_anchor_parses_as_it_is_printed(log):
    anchor = verify(str(log)).last
    assert parse_anchor(str(anchor)) == anchor
    assert parse_anchor(anchor.hash) == Anchor(None, anchor.hash)


# ---------------------------------------------------------------- several files


@pytest.fixture
def filled(tmp_path):
    """Two records in each of three files."""
    log = tmp_path / "audit.jsonl"
    for name in "ABCDEF":
        append(log, name, max_bytes=600)
    assert [len(p.read_bytes().splitlines()) for p in sorted(tmp_path.iterdir())] == [2, 2, 2]
    return log


@pytest.mark.parametrize(("number", "told"), [(1, "records 1 to 2"), (2, "records 3 to 4")])
def test_a_removed_file_is_reported_with_its_records(filled, number, told):
    filled.with_name(f"audit.{number}.jsonl").unlink()
    [problem] = verify(str(filled)).problems
    assert problem.endswith(f":1: {told} are missing")


def test_swapped_files_are_reported(filled):
    one, two = (filled.with_name(f"audit.{number}.jsonl") for number in (1, 2))
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    assert verify(str(filled)).problems


def test_an_unreadable_log_is_an_error(tmp_path):
    (tmp_path / "audit.jsonl").symlink_to(tmp_path)
    with pytest.raises(AuditError, match="cannot read the audit log"):
        verify(str(tmp_path / "audit.jsonl"))


def test_a_full_file_is_not_read_through_a_link(filled):
    full = filled.with_name("audit.1.jsonl")
    full.rename(filled.with_name("elsewhere"))
    full.symlink_to("elsewhere")
    with pytest.raises(AuditError, match="cannot read the audit log"):
        verify(str(filled))


def test_a_chained_line_that_is_not_a_record_is_not_shown(log):
    audit_file.append(str(log), '{"time":"2026-11-25T00:00:00Z"')
    assert verify(str(log)).records == 6
    assert len(list(records(str(log)))) == 5


def test_a_log_verifies_at_every_moment_while_lines_are_added(tmp_path):
    log = tmp_path / "audit.jsonl"
    looked = threading.Event()
    written = []

    def write():
        while len(written) < 400 or not looked.is_set():
            written.append(f"N{len(written)}")
            append(log, written[-1], max_bytes=1500)

    writer = threading.Thread(target=write)
    writer.start()
    found = []
    try:
        while len(found) <= 10 or writer.is_alive():
            found.append(verify(str(log)).problems)
            if len(found) > 10:
                looked.set()
    finally:
        looked.set()
        writer.join()
    assert set(found) == {()}
    assert verify(str(log)).last.seq == len(written)


def test_the_fast_verification_agrees_with_the_slow_one(log, monkeypatch):
    whole = verify(str(log))
    monkeypatch.setattr("envkit.audit.verify._Walk.continues", lambda *_: False)
    assert verify(str(log)) == whole


@given(st.integers(0, 4), st.integers(0, 10_000), st.integers(1, 255))
def test_a_single_changed_byte_is_found_wherever_it_is(tmp_path_factory, number, at, flip):
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    for name in "ABCDE":
        append(path, name)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = bytearray(lines[number])
    changed[at % len(changed)] ^= flip
    path.write_bytes(b"".join([*lines[:number], bytes(changed), *lines[number + 1 :]]))
    verdict = verify(str(path))
    last_newline = number == 4 and at % len(changed) == len(changed) - 1
    assert verdict.problems or verdict.notes or last_newline
