"""The comparison of two or more environments, and that it contains no secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.comparison.compare import diff
from envkit.comparison.model import CellState
from envkit.errors import AbsentError, DeniedError
from envkit.profile.loader import load
from support.sides import entry, finding, side, status, unavailable

SECRET = "a-secret-of-some-length"


def kinds(found):
    return [finding.kind for finding in found.findings]


def literals(*values):
    """Compare literals of the environments a, b and c; None is an environment without it."""
    given = [{} if value is None else {"X": value} for value in values]
    return entry("X", *(side("abc"[n], literals=one) for n, one in enumerate(given)))


def secrets(one, two):
    """Compare secrets of the environments a and b."""
    return entry("X", side("a", {"X": one}), side("b", {"X": two}))


class TestStatus:
    def test_status_of_literals_is_same_different_or_missing(self):
        one = side("dev", literals={"SAME": "x", "OTHER": "x", "HERE": "x"})
        two = side("prod", literals={"SAME": "x", "OTHER": "y", "THERE": "x"})
        found = {entry.name: entry.status for entry in diff(one, two).entries}
        other = {"OTHER": "different", "HERE": "missing", "THERE": "missing"}
        assert found == {"SAME": "same", **other}

    def test_entries_are_sorted_by_severity_and_then_by_name(self):
        literals = {"B": "1", "A": "1", "S": "1", "M": "1"}
        one = side("dev", {"R": SECRET}, literals, failing={"U": unavailable()})
        two = side("prod", {"R": SECRET, "U": "x"}, {"B": "2", "A": "2", "S": "1"})
        assert [f"{e.name} {e.status}" for e in diff(one, two).entries] == [
            *("R reused", "U unreadable", "M missing", "A different", "B different", "S same")
        ]
        assert diff(one, two).counts == {
            "reused": 1, "unreadable": 1, "missing": 1, "different": 2, "same": 1,
        }  # fmt: skip

    def test_three_environments_are_the_same_only_together(self):
        sides = [side(label, literals={"X": value}) for label, value in ("a1", "b1", "c2")]
        assert status("X", *sides) == "different"
        assert status("X", *sides[:2]) == "same"
        assert not diff(*sides).identical
        assert diff(*sides[:2]).identical

    @pytest.mark.parametrize(
        ("error", "said", "state", "code"),
        [
            (DeniedError("permission denied"), "unreadable", CellState.UNREADABLE, "access-denied"),
            (AbsentError("vault:dev#x is missing"), "missing", CellState.ABSENT, ""),
        ],
    )
    def test_a_value_that_a_store_failed_to_return_is_not_missing(self, error, said, state, code):
        found = entry("X", side("dev", failing={"X": error}), side("prod", {"X": SECRET}))
        cell = found.cells[0]
        assert (found.status, cell.state, cell.reason) == (said, state, error.message)
        assert cell.code == code

    def test_a_required_value_that_no_side_has_is_missing(self):
        lacking = [side(label, failing={"X": AbsentError("absent")}) for label in ("dev", "prod")]
        assert status("X", *lacking) == "missing"

    def test_a_variable_may_be_reused_missing_and_unreadable_at_once(self):
        shared = [side(label, {"X": SECRET}) for label in ("dev", "staging")]
        failed = side("prod", failing={"X": DeniedError("permission denied at vault:prod")})
        other = side("eu", {"X": "another-secret"})
        assert entry("X", *shared, side("prod")).statuses == ("reused", "missing")
        assert entry("X", *shared, failed).statuses == ("reused", "unreadable")
        all_three = ("unreadable", "missing", "different")
        assert entry("X", other, side("prod"), failed, shared[0]).statuses == all_three
        # whether one that could not be read has it is not known, and so not said
        assert entry("X", failed, side("dev")).statuses == ("unreadable",)
        assert entry("X", *shared).statuses == ("reused",)

    def test_a_secondary_status_is_found_but_not_counted_twice(self):
        shared = [side(label, {"X": SECRET}) for label in ("dev", "staging")]
        found = diff(*shared, side("prod"))
        assert [e.name for e in found.with_any("missing")] == ["X"]
        assert found.with_status("missing") == ()
        assert found.counts["missing"] == 0

    def test_an_empty_value_is_not_missing(self):
        states = [cell.state for cell in literals("", None).cells]
        assert states == [CellState.VALUE, CellState.UNDECLARED]

    def test_values_are_compared_to_the_last_byte(self):
        assert literals("é", "e\u0301").status == "different"
        assert literals("\udcff", "\udcff").status == "same"


class TestMasking:
    def test_a_secret_on_one_side_is_masked_on_all(self):
        found = entry("X", side("dev", literals={"X": "clear"}), side("prod", {"X": SECRET}))
        assert [(cell.shown, cell.secret) for cell in found.cells] == [(None, True), (None, True)]
        assert [cell.length for cell in found.cells] == ["1-7", "16-31"]

    def test_a_literal_is_masked_when_the_other_side_has_an_unreadable_secret(self):
        unread = side("prod", failing={"X": unavailable()})._replace(secret_names=frozenset("X"))
        assert entry("X", side("dev", literals={"X": "clear"}), unread).cells[0].shown is None

    def test_reveal_shows_secrets(self):
        [found] = diff(side("a", {"X": SECRET}), side("b", {"X": "other"}), reveal=True).entries
        assert [cell.shown for cell in found.cells] == [SECRET, "other"]
        assert all(cell.secret for cell in found.cells)

    def test_fingerprints_are_comparable_within_one_diff_only(self):
        sides = [side(label, {"X": SECRET}) for label in "ab"] + [side("c", {"X": "other-secret"})]
        one, two, three = (cell.fingerprint for cell in entry("X", *sides).cells)
        assert one == two != three
        assert len(one) == 8
        assert entry("X", *sides).cells[0].fingerprint != one

    def test_a_masked_value_shows_only_its_length_class(self):
        lengths = {n: secrets("x" * n, "other").cells[0].length for n in (0, 1, 7, 8, 31, 63, 64)}
        classes = ["empty", "1-7", "1-7", "8-15", "16-31", "32-63", "64+"]
        assert list(lengths.values()) == classes

    def test_values_of_a_file_are_masked(self):
        file = side("file:.env", {"X": "clear-or-not"}, assumed=True)
        assert entry("X", file, side("file:b", assumed=True)).cells[0].shown is None
        assert entry("X", side("dev", literals={"X": "y"}), file).cells[0].shown is None

    def test_values_of_a_file_are_shown_when_a_profile_calls_them_plain(self, project):
        project.profile(
            "dev.toml",
            '[variables]\nN = { value = "1", type = "int" }\nS = { value = "x", secret = false }\n',
        )
        declared = load("dev", str(project.profiles)).variables
        dev = side("dev", literals={"N": "1", "S": "x", "E": "same-text"}, declared=declared)
        values = {"N": "22", "S": "yy", "E": "same-text", "B": "true", "0": ""}
        found = diff(dev, side("file:.env", values, assumed=True))
        assert {e.name: e.cells[1].shown for e in found.entries} == values


class TestFindings:
    def test_differing_parts_of_a_secret_are_named_and_not_shown(self):
        found = secrets("postgresql://app:one@db.dev/app", "postgresql://app:two@db.prod/app")
        told = [(f.kind, f.subject, f.shown) for f in found.findings]
        assert told == [("part", "password", ()), ("part", "host", ())]

    def test_differing_parts_of_a_literal_are_shown(self):
        assert finding("part", literals("http://a:1", "http://a")).shown == ("1", "")

    def test_a_side_without_the_value_has_an_empty_part(self):
        assert finding("part", literals("http://a", None, "http://b")).shown == ("a", "", "b")

    def test_differing_items_of_a_list_are_shown_for_a_literal_only(self):
        shown = [(f.subject, f.shown) for f in literals("x,y", "x,z").findings]
        assert shown == [("y", ("y", "")), ("z", ("", "z"))]
        hidden = [(f.kind, f.subject) for f in secrets("x,y", "x,z").findings]
        assert hidden == [("part", "items")]

    def test_keys_of_a_secret_that_may_be_secrets_are_not_named(self):
        one, two = '{"8f3a2c1d": 1, "9e8d7c6b": 1}', '{"8f3a2c1d": 2, "9e8d7c6b": 2, "role": "x"}'
        assert [f.subject for f in secrets(one, two).findings] == ["other parts", "/role"]

    def test_surrounding_white_space_is_a_dangerous_finding(self):
        [found] = secrets("token\n", "token").findings
        assert (found.kind, found.dangerous) == ("white-space", True)

    def test_a_literal_that_changes_its_type_is_a_finding(self):
        assert finding("type", literals("8080", "http")).shown == ("int", "text")
        assert kinds(literals("8080", "")) == []

    def test_an_equal_value_from_another_place_is_a_finding(self):
        found = finding("origin", secrets("short", "short"))
        assert found.shown == ("vault:a/X", "vault:b/X")

    def test_a_pinned_version_is_not_another_place(self):
        one = side("prod", {"X": "short"})
        variable = one.environment.variable("X")
        [origin] = variable.origins
        pinned = variable._replace(origins=(origin._replace(reference="vault:prod/X?version=1"),))
        two = one._replace(label="prod@v1", environment=type(one.environment)("prod", [pinned]))
        assert kinds(entry("X", one, two)) == []

    def test_a_secret_written_into_a_profile_is_a_dangerous_finding(self):
        dev = side("dev", literals={"K": "4f9a8b7c6d5e4f3a2b1c"})
        found = finding("literal", entry("K", dev, side("prod", {"K": SECRET})))
        assert (found.shown, found.dangerous) == (("literal", "store"), True)

    @pytest.mark.parametrize(
        ("literal", "dangerous"),
        [
            ("postgresql://localhost:5432/dev", False),
            ("postgresql://app:app@localhost/dev", False),
            ("postgresql://app:x@db.example.com/dev", True),
            ("development", False),
            ("a sentence with 1 digit", False),
        ],
    )
    def test_a_development_default_in_a_profile_is_not_dangerous(self, literal, dangerous):
        found = entry("K", side("dev", literals={"K": literal}), side("prod", {"K": SECRET}))
        assert finding("literal", found).dangerous is dangerous

    def test_differing_rules_are_findings(self, project):
        project.profile("dev.toml", '[variables]\nP = { value = "1", required = false }\n')
        project.profile(
            "prod.toml",
            '[variables]\nP = { value = "1", type = "port", min = 1, pattern = "^1$" }\n',
        )
        sides = [
            side(label, literals={"P": "1"}, declared=load(label, str(project.profiles)).variables)
            for label in ("dev", "prod")
        ]
        found = entry("P", *sides)
        assert found.status == "same"
        assert {f.subject: f.shown for f in found.findings} == {
            "required": ("no", "yes"),
            "type": ("string", "port"),
            "pattern": ("none", "^1$"),
            "min": ("none", "1"),
        }

    def test_the_default_of_a_secret_is_not_shown(self, project):
        for label in ("dev", "prod"):
            project.profile(f"{label}.toml", f'[variables]\nP = {{ default = "hidden-{label}" }}\n')
        sides = [
            side(label, {"P": label}, declared=load(label, str(project.profiles)).variables)
            for label in ("dev", "prod")
        ]
        assert "hidden" not in repr(diff(*sides))


NAMES = st.sampled_from(["A", "B", "DATABASE_URL", "LONG_NAME_OF_A_VARIABLE"])
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(
        ["", "true", "8080", "a,b", "a,c", SECRET, f"redis://:{SECRET}@h/0", '{"a": 1}']
    ),
    st.from_regex(r"https://[a-z]:[a-z0-9]{8}@[a-z.]{1,9}/[a-z?=&#]{0,9}", fullmatch=True),
)


@st.composite
def sides(draw, label):
    values = draw(st.dictionaries(NAMES, VALUES))
    secret = draw(st.sets(NAMES))
    failing = draw(st.sets(NAMES)) - values.keys()
    return side(
        label,
        {name: value for name, value in values.items() if name in secret},
        {name: value for name, value in values.items() if name not in secret},
        failing=dict.fromkeys(failing, unavailable()),
        assumed=draw(st.booleans()),
    )


@given(sides("a"))
def test_a_side_does_not_differ_from_itself(one):
    statuses = {entry.status for entry in diff(one, one).entries}
    assert statuses <= {"same", "unreadable"}


@given(sides("a"), sides("b"))
def test_a_diff_of_swapped_sides_is_mirrored(one, two):
    def plain(found, step=1):
        return sorted(
            finding._replace(shown=finding.shown[::step], places=tuple(sorted(finding.places)))
            for finding in found.findings
        )

    forth, back = diff(one, two, key=b"k"), diff(two, one, key=b"k")
    assert forth.environments == back.environments[::-1]
    assert [e.name for e in forth.entries] == [e.name for e in back.entries]
    for there, again in zip(forth.entries, back.entries, strict=True):
        assert there.statuses == again.statuses
        assert there.cells == again.cells[::-1]
        assert plain(there, -1) == plain(again)
