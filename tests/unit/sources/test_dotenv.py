"""The `.env` source: the files that it reads, its answers, and its writes."""

import os
import signal
import stat

import pytest

from envkit._internal.clock import Deadline
from envkit._internal.file_lock import locked
from envkit.errors import (
    ConflictError,
    DeniedError,
    DotenvError,
    EnvkitError,
    InvalidReferenceError,
    InvalidValueError,
    LockedError,
    NoVersionError,
    ProfileError,
    UnavailableError,
)
from envkit.profile.placeholder import Reference
from envkit.secret import Secret
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import Absent, Reading, SourceContext
from support.permissions import as_nobody, folder_of_nobody
from support.process import run_spawned

BARE = Reference("dotenv", "", "A")


def source(root, *, timeout_seconds=15.0, **options):
    options.setdefault("environment", "staging")
    options.setdefault("environ", {})
    deadline = Deadline(timeout_seconds)
    return DotenvSource(SourceContext("dotenv", root=str(root), deadline=deadline, **options))


def write(path, text, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    path.chmod(mode)
    return path


def ask(asked, ref=BARE):
    asked.check(ref)
    return asked.fetch([ref])[ref]


def value(asked, ref=BARE):
    outcome = ask(asked, ref)
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


@pytest.fixture
def staging(tmp_path):
    """Write `.env.staging`; return it and the source that reads it."""

    def written(text="A=old\n", mode=0o600, **options):
        return write(tmp_path / ".env.staging", text, mode), source(tmp_path, **options)

    return written


def of_several(root, one, other, *more):
    """Return the source that reads `a.env` and `b.env`, of which the latter counts."""
    write(root / "a.env", one)
    write(root / "b.env", other)
    return source(root, settings={"path": ["a.env", "b.env", *more]})


def change(asked, text, ref=BARE):
    """Write over the value that is there now."""
    return asked.write(ref, Secret(text), expected=ask(asked, ref).version)


class TestChoiceOfFile:
    @pytest.mark.parametrize("ref", [BARE, Reference("dotenv", "A")], ids=str)
    def test_the_file_of_the_environment_is_read_for_a_bare_name_and_a_reference(
        self, staging, ref
    ):
        _, asked = staging("\nA=1\n")
        reading = ask(asked, ref)
        assert (reading.value.reveal(), reading.location) == ("1", ".env.staging:2")

    def test_no_file_of_another_environment_or_folder_is_read(self, tmp_path):
        root = tmp_path / "project"
        root.mkdir()
        for path in (root / ".env", root / ".env.local", root / ".env.prod"):
            write(path, "A=wrong\n")
        write(tmp_path / ".env.staging", "A=wrong\n")  # of the folder above
        outcome = ask(source(root))
        assert outcome == Absent("no file .env.staging", None)

    def test_the_file_of_an_alias_is_read_only_without_one_of_the_name(self, tmp_path):
        options = {"environment": "prod", "aliases": ("live", "production")}
        none = Absent("no file .env.prod, .env.live, .env.production", None)
        assert ask(source(tmp_path, **options)) == none
        write(tmp_path / ".env.production", "A=2\n")
        assert value(source(tmp_path, **options)) == "2"
        write(tmp_path / ".env.live", "B=1\n")
        assert ask(source(tmp_path, **options)).reason == "not in .env.live"
        write(tmp_path / ".env.prod", "A=0\n")
        assert value(source(tmp_path, **options)) == "0"

    def test_the_file_that_the_profile_names_is_read(self, tmp_path):
        write(tmp_path / ".env.staging", "A=wrong\n")
        write(tmp_path / "config" / "app.env", "A=1\n")
        for path in ("config/app.env", str(tmp_path / "config/app.env")):
            asked = source(tmp_path, settings={"path": path})
            assert value(asked) == "1"
            assert ask(asked).location == f"{path}:1"

    def test_a_later_file_overrides_an_earlier_one(self, tmp_path):
        asked = of_several(tmp_path, "A=1\nB=1\n", "A=2\n", "nothing.env")
        refs = [Reference("dotenv", "", name) for name in "ABC"]
        outcomes = asked.fetch(refs)
        assert [outcomes[ref].location for ref in refs[:2]] == ["b.env:1", "a.env:2"]
        assert outcomes[refs[2]].reason == "not in a.env, b.env"

    def test_the_file_that_a_reference_names_is_read(self, tmp_path):
        write(tmp_path / ".env.staging", "A=wrong\n")
        write(tmp_path / "other" / ".env", "A=1\n")
        asked = source(tmp_path)
        assert value(asked, Reference("dotenv", "other/.env", "A")) == "1"
        missing = Reference("dotenv", "nothing/.env", "A")
        assert ask(asked, missing) == Absent("no file nothing/.env", None)

    @pytest.mark.parametrize(
        "path",
        [
            *("folder", "folder/", "folder/.", "a.env/x", "a.env/x/y"),
            *("loose.env", "loose/app.env", "folder/loose.env", "round.env", "x" * 300),
            "folder/../loose.env",
        ],
    )
    @pytest.mark.parametrize("setting", [True, False], ids=["setting", "reference"])
    def test_a_path_that_exists_but_is_not_a_file_is_a_failure(self, tmp_path, path, setting):
        (tmp_path / "folder").mkdir()
        write(tmp_path / "a.env", "A=1\n")
        write(tmp_path / ".env.staging", "A=2\n")
        for link in ("loose.env", "loose", "folder/loose.env"):
            (tmp_path / link).symlink_to("nowhere")
        (tmp_path / "round.env").symlink_to("round.env")
        if setting:
            outcome = ask(source(tmp_path, settings={"path": ["a.env", path]}))
        else:
            outcome = ask(source(tmp_path), Reference("dotenv", path, "A"))
        assert isinstance(outcome, DotenvError), outcome
        assert (outcome.exit_status, outcome.retryable) == (3, False)
        assert path[:9] in outcome.message

    def test_a_dangling_link_in_place_of_the_environment_file_is_a_failure(self, tmp_path):
        (tmp_path / ".env.staging").symlink_to("/run/secrets/none")
        assert isinstance(ask(source(tmp_path)), EnvkitError)

    @pytest.mark.parametrize("path", ["none.env", "none/a.env", "none/none/a.env", "folder/a.env"])
    def test_a_variable_of_a_missing_file_is_missing(self, tmp_path, path):
        (tmp_path / "folder").mkdir()
        asked = source(tmp_path, settings={"path": path})
        assert ask(asked) == Absent(f"no file {path}", None)

    @pytest.mark.parametrize("path", [["a", 1], [""], "", "a\0b"])
    def test_an_invalid_path_setting_is_refused(self, tmp_path, path):
        with pytest.raises(ProfileError, match="'path' must be a file or a list of files"):
            source(tmp_path, settings={"path": path})


class TestShellPaths:
    @pytest.mark.parametrize(
        ("path", "instead"),
        [
            ("~/x.env", "{{ env:HOME }}/x.env"),
            ("~", "{{ env:HOME }}"),
            ("$HOME/x.env", "{{ env:HOME }}/x.env"),
            ("${HOME}/x.env", "{{ env:HOME }}/x.env"),
            ("$XDG_CONFIG_HOME/a/b.env", "{{ env:XDG_CONFIG_HOME }}/a/b.env"),
            ("~app/x.env", "the folder's full path"),
        ],
    )
    @pytest.mark.parametrize("listed", [False, True])
    def test_a_shell_expression_in_a_path_is_refused(self, tmp_path, path, instead, listed):
        with pytest.raises(ProfileError, match="is not expanded in a path") as caught:
            source(tmp_path, settings={"path": [".env", path] if listed else path})
        assert caught.value.hint.startswith(f"write {instead}; ")

    @pytest.mark.parametrize(
        ("path", "instead"),
        [
            (".env,.env.local", '[".env", ".env.local"] as'),
            (".env, .env.local", '[".env", ".env.local"] as'),
            ("*.env", "each file's name"),
            ("config/*", "each file's name"),
            (".env.local?", "each file's name"),
            (" .env", "'.env'"),
            (".env\n", "'.env'"),
            ("file:///app/.env", "the path alone"),
            ("%APPDATA%/x.env", "{{ env:APPDATA }}/x.env"),
        ],
    )
    def test_a_text_that_is_not_one_path_is_refused(self, tmp_path, path, instead):
        with pytest.raises(ProfileError, match="is not expanded in a path") as caught:
            source(tmp_path, settings={"path": path})
        assert caught.value.hint.startswith(f"write {instead}")
        asked = source(tmp_path)
        with pytest.raises(InvalidReferenceError, match="is not expanded in a path"):
            asked.check(Reference("dotenv", path, "A", None, None))

    @pytest.mark.parametrize("path", ["./a,b.env", "./*.env", "a b.env", "5%.env", "C:/x.env"])
    def test_odd_names_of_files_can_be_written(self, tmp_path, path):
        write(tmp_path / path, "A=1\n")
        assert value(source(tmp_path, settings={"path": path}), BARE) == "1"

    @pytest.mark.parametrize("path", ["./~/x.env", "a~b.env", "x/~/y", "$5.env", "./$A", "a$B"])
    def test_a_path_with_shell_characters_that_may_be_a_file_is_read(self, tmp_path, path):
        write(tmp_path / path, "A=1\n")
        assert value(source(tmp_path, settings={"path": path}), BARE) == "1"


class TestListOfFiles:
    @pytest.mark.parametrize(
        ("first", "second", "name", "wanted"),
        [
            ("BASE=x\n", "A=${BASE}\n", "A", "x"),
            ("BASE=x\n", "BASE=y\nA=${BASE}\n", "A", "y"),
            ("BASE=x\n", "A=${BASE}\nBASE=y\n", "A", "y"),
            ("A=x\n", "A=${A}:y\n", "A", "x:y"),
            ("BASE=\n", "A=${BASE:-z}\n", "A", "z"),
            ("BASE=\n", "A=${BASE-z}\n", "A", ""),
            ("A=1\n", "A=${NOPE:-z}\n", "A", "z"),
            ("BASE=x\nURL=${BASE}\n", "BASE=y\n", "URL", "x"),
            ("X=1\nBASE=${X}2\n", "X=3\nA=${BASE}\n", "A", "12"),
            ("OUTER=file\n", "A=${OUTER}\n", "A", "file"),
            ("B=1\n", "A=${OUTER}\n", "A", "outer"),
            ("BASE='${RAW}'\n", "A=${BASE}\n", "A", "${RAW}"),
        ],
    )
    def test_an_expansion_uses_the_earlier_files_of_the_list(
        self, tmp_path, first, second, name, wanted
    ):
        write(tmp_path / ".env", first)
        write(tmp_path / ".env.local", second)
        asked = source(
            tmp_path,
            settings={"path": [".env", ".env.nothing", ".env.local"]},
            environ={"OUTER": "outer"},
        )
        assert value(asked, Reference("dotenv", "", name)) == wanted

    @pytest.mark.parametrize(
        ("first", "place"),
        [
            ("BASE='x' y\n", ".env:1: "),
            ("BASE=encrypted:x\n", ".env:1: "),
            ("\n", ".env.local:1: "),
        ],
    )
    def test_an_expansion_of_a_failed_name_is_an_error_at_its_place(self, tmp_path, first, place):
        write(tmp_path / ".env", first)
        write(tmp_path / ".env.local", "A=${BASE}\nB=1\n")
        asked = source(tmp_path, settings={"path": [".env", ".env.local"]})
        assert ask(asked).message.startswith(place)
        assert value(asked, Reference("dotenv", "", "B")) == "1"


class TestCheckAndLocate:
    @pytest.mark.parametrize(
        "ref",
        [
            Reference("dotenv", "A", version="3"),
            Reference("dotenv", "", "A", stage="X"),
            Reference("dotenv", "app/db"),
            Reference("dotenv", ".env.shared"),
            Reference("dotenv", "~/x.env", "A"),
            Reference("dotenv", "${HOME}/x.env", "A"),
            Reference("dotenv", "a\0b", "A"),
            Reference("dotenv", "", ""),
        ],
        ids=repr,
    )
    def test_a_reference_that_a_dotenv_file_cannot_have_is_refused(self, tmp_path, ref):
        with pytest.raises(InvalidReferenceError):
            source(tmp_path).check(ref)

    def test_a_reference_to_a_file_without_a_variable_gets_an_explanation(self, tmp_path):
        with pytest.raises(InvalidReferenceError) as caught:
            source(tmp_path).check(Reference("dotenv", ".env.shared"))
        assert caught.value.message == "dotenv:.env.shared: '.env.shared' is not a variable name"
        assert caught.value.hint == "for a variable of a file, write dotenv:.env.shared#NAME"

    def test_locate_names_the_file_and_the_variable(self, tmp_path):
        assert source(tmp_path).locate(BARE) == ".env.staging#A"
        assert source(tmp_path).locate(Reference("dotenv", "x.env", "A")) == "x.env#A"
        two = source(tmp_path, settings={"path": ["a", "b"]})
        assert two.locate(Reference("dotenv", "A")) == "a, b#A"


class TestRead:
    def test_an_expansion_uses_the_file_and_then_the_environment(self, staging):
        _, asked = staging("A=${HOST}:${PORT}\nHOST=db\n", environ={"PORT": "5432", "HOST": "x"})
        assert value(asked) == "db:5432"

    def test_an_unparsable_file_fails_only_its_own_references(self, tmp_path):
        write(tmp_path / ".env.staging", "A=1\n")
        write(tmp_path / "bad.env", "Y='canary\nX=1\n")
        bad = Reference("dotenv", "bad.env", "X")
        outcomes = source(tmp_path).fetch([bad, BARE])
        assert isinstance(outcomes[bad], DotenvError)
        assert outcomes[bad].message == (
            "bad.env:1: cannot parse, so the lines after it are ambiguous"
        )
        assert outcomes[bad].exit_status == 3
        assert outcomes[BARE].value.reveal() == "1"

    def test_an_invalid_variable_fails_alone(self, staging):
        _, asked = staging("A=1\nB=encrypted:canary\nC=${NOPE}\n")
        refs = {name: Reference("dotenv", "", name) for name in "ABC"}
        outcomes = asked.fetch(refs.values())
        assert outcomes[refs["A"]].value.reveal() == "1"
        assert outcomes[refs["B"]].message.startswith(".env.staging:2: B is cut off")
        assert outcomes[refs["C"]].message.startswith(".env.staging:3: ${NOPE} is not set")

    def test_a_folder_in_place_of_a_file_is_an_error(self, tmp_path):
        (tmp_path / ".env.staging").mkdir()
        outcome = ask(source(tmp_path))
        assert isinstance(outcome, DotenvError)
        assert outcome.message == ".env.staging: not a regular file"

    def test_a_file_that_is_too_large_is_an_error(self, tmp_path):
        write(tmp_path / ".env.staging", "A=" + "canary" * 200_000)
        outcome = ask(source(tmp_path))
        assert isinstance(outcome, DotenvError)
        assert outcome.message == ".env.staging: larger than 1048576 bytes"

    def test_a_line_that_is_not_utf_8_is_an_error_with_its_line(self, tmp_path):
        (tmp_path / ".env.staging").write_bytes(b"B=1\nA=\xff\n# \xff\n")
        asked = source(tmp_path)
        assert ask(asked).message == ".env.staging:2: not UTF-8"
        assert value(asked, Reference("dotenv", "", "B")) == "1"

    @pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs Linux's /proc")
    def test_a_read_error_of_the_disk_does_not_mean_missing(self, tmp_path):
        outcome = ask(source(tmp_path, settings={"path": "/proc/self/mem"}))
        assert isinstance(outcome, UnavailableError)
        assert outcome.message == "cannot read /proc/self/mem: input/output error"
        assert not outcome.retryable

    def test_a_file_in_an_inaccessible_folder_is_denied_and_not_missing(self):
        with folder_of_nobody() as root:
            write(root / "closed" / "a.env", "A=canary\n")
            (root / "closed").chmod(0)
            asked = source(root, settings={"path": "closed/a.env"})
            ask(asked, Reference("dotenv", "other.env", "A"))  # imports its modules
            with as_nobody():
                outcome = ask(asked)
            (root / "closed").chmod(0o700)
        assert isinstance(outcome, DeniedError)
        assert outcome.message == "cannot read closed/a.env: permission denied"

    def test_star_returns_all_variables_as_json(self, tmp_path):
        asked = of_several(tmp_path, "A=1\nB=1\n", "B=ü\n")
        assert value(asked, Reference("dotenv", "", "*")) == '{"A":"1","B":"ü"}'
        assert isinstance(ask(asked, Reference("dotenv", "no.env", "*")), Absent)


class TestWarnings:
    @pytest.mark.parametrize(("mode", "said"), [(0o600, 0), (0o640, 1), (0o604, 1), (0o400, 0)])
    def test_a_file_that_others_can_read_is_a_warning(self, staging, mode, said):
        _, asked = staging("A=1\n", mode)
        ask(asked)
        ask(asked)
        wanted = ".env.staging can be read by other users: run 'chmod 600 .env.staging'"
        assert asked.warnings == [wanted] * said

    def test_a_variable_that_is_set_twice_is_a_warning(self, staging):
        _, asked = staging("A=1\nA=`x`\n")
        ask(asked)
        assert asked.warnings == [
            ".env.staging: A is set twice",
        ]


class TestWrite:
    def test_a_new_file_is_private(self, tmp_path):
        version = source(tmp_path).write(BARE, Secret("x y"), expected=None)
        path = tmp_path / ".env.staging"
        assert path.read_text() == "A='x y'\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ask(source(tmp_path)).version == version
        assert os.listdir(tmp_path) == [".env.staging"]

    def test_a_write_preserves_the_rest_of_the_file_and_its_mode(self, staging):
        path, asked = staging("# c\r\nexport A=1 # n\r\nB=2\r\n", 0o640)
        change(asked, "x")
        assert path.read_bytes() == b"# c\r\nexport A=x # n\r\nB=2\r\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    @pytest.mark.parametrize("text", ["A=2 # by hand\n", None], ids=["edited", "removed"])
    def test_a_file_changed_since_it_was_read_is_a_conflict(self, staging, text):
        path, asked = staging()
        version = ask(asked).version
        path.unlink()
        if text is not None:
            write(path, text)
        with pytest.raises(ConflictError, match=r"\.env\.staging was changed after envkit read it"):
            asked.write(BARE, Secret("x"), expected=version)
        found = {one.name: one.read_text() for one in path.parent.iterdir()}
        assert found == ({path.name: text} if text is not None else {})

    def test_a_write_changes_the_file_that_has_the_variable(self, tmp_path):
        asked = of_several(tmp_path, "A=1\n", "B=1\n")
        change(asked, "2")
        change(asked, "3", Reference("dotenv", "NEW"))
        assert (tmp_path / "a.env").read_text() == "A=2\n"
        assert (tmp_path / "b.env").read_text() == "B=1\nNEW=3\n"

    def test_a_write_changes_the_last_line_that_sets_the_variable(self, staging):
        path, asked = staging("A=1\nA=2\n")
        change(asked, "3")
        assert path.read_text() == "A=1\nA=3\n"
        assert ".env.staging: of 2 lines that set A, the last was changed" in asked.write_warnings

    def test_an_unparsable_file_is_not_written(self, staging):
        path, asked = staging("A=1\nB='open\n")
        with pytest.raises(DotenvError, match=r"\.env\.staging:2: cannot parse"):
            change(asked, "x")
        assert path.read_text() == "A=1\nB='open\n"

    @pytest.mark.parametrize("text", ["canary\0", "encrypted:canary", "canary" * 200_000])
    def test_a_value_that_could_not_be_read_back_is_refused(self, staging, text):
        path, asked = staging()
        with pytest.raises(InvalidValueError) as caught:
            change(asked, text)
        assert "canary" not in str(caught.value)
        assert path.read_text() == "A=old\n"

    def test_a_write_to_a_locked_file_is_refused(self, staging):
        path, asked = staging(timeout_seconds=0.05)
        with locked(str(path), timeout_seconds=0), pytest.raises(LockedError):
            change(asked, "x")
        assert path.read_text() == "A=old\n"

    def test_a_write_to_a_missing_folder_is_an_error(self, tmp_path):
        with pytest.raises(UnavailableError, match="no such file or directory") as caught:
            source(tmp_path / "nothing").write(BARE, Secret("canary"), expected=None)
        assert not caught.value.retryable

    def test_a_write_to_an_unwritable_folder_is_denied(self):
        with folder_of_nobody() as root:
            write(root / ".env.staging", "A=1\n", 0o644)
            asked = source(root)
            version = ask(asked).version
            root.chmod(0o555)
            with as_nobody(), pytest.raises(DeniedError) as caught:
                asked.write(BARE, Secret("canary"), expected=version)
            root.chmod(0o700)
            assert (root / ".env.staging").read_text() == "A=1\n"
        assert caught.value.message == "cannot write .env.staging: permission denied"

    def test_concurrent_compare_and_set_writes_lose_nothing(self, staging):
        path, _ = staging("A=0\nB=0\n")
        assert run_spawned(*[(count_up, str(path.parent), 30)] * 2) == [0, 0]
        assert path.read_text() == "A=60\nB=0\n"


def count_up(root, times):
    asked = source(root, timeout_seconds=60)
    done = 0
    while done < times:
        number = int(value(asked)) + 1
        try:
            change(asked, str(number))
        except ConflictError:
            continue
        done += 1


class TestPreviousVersion:
    def test_a_write_stores_the_previous_file_beside_it(self, staging):
        text = "# note\nA='old one'\r\nB=2"
        file, asked = staging(text, 0o644)
        before = file.stat()
        change(asked, "new")
        kept = file.with_name(".env.staging.envkit-previous")
        assert kept.read_bytes() == text.encode()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert kept.stat().st_mtime_ns == before.st_mtime_ns
        assert value(asked) == "new"

    def test_the_previous_version_can_be_read(self, staging):
        _, asked = staging()
        previous = BARE._replace(version="previous")
        assert isinstance(ask(asked, previous), Absent)
        change(asked, "new")
        reading = ask(asked, previous)
        assert (reading.value.reveal(), reading.version) == ("old", "previous")
        assert reading.location == ".env.staging.envkit-previous:1"

    def test_the_current_version_can_be_read_by_its_name_until_it_changes(self, staging):
        _, asked = staging()
        pinned = BARE._replace(version=ask(asked).version)
        assert value(asked, pinned) == "old"
        change(asked, "new")
        assert isinstance(ask(asked, pinned), Absent)

    def test_a_new_file_has_no_previous_version(self, tmp_path):
        asked = source(tmp_path)
        asked.write(BARE, Secret("1"), expected=None)
        assert [one.state for one in asked.history(BARE)] == ["current"]
        assert os.listdir(tmp_path) == [".env.staging"]

    def test_a_rollback_can_be_rolled_back(self, staging):
        _, asked = staging()
        change(asked, "new")
        for expected in ("old", "new"):
            asked.restore(BARE, "previous", expected=ask(asked).version)
            assert value(asked) == expected

    def test_a_variable_that_the_previous_version_lacks_is_not_restored(self, staging):
        _, asked = staging("B=1\n")
        version = change(asked, "1")
        with pytest.raises(NoVersionError, match="no value in version previous"):
            asked.restore(BARE, "previous", expected=version)
        assert value(asked) == "1"

    def test_a_pinned_version_cannot_be_written(self, staging):
        _, asked = staging()
        with pytest.raises(InvalidReferenceError, match="cannot be written"):
            asked.write(BARE._replace(version="previous"), Secret("2"), expected=None)

    def test_of_several_files_the_previous_version_is_that_of_the_variables_file(self, tmp_path):
        asked = of_several(tmp_path, "A=old\n", "B=1\n")
        change(asked, "new")
        assert sorted(os.listdir(tmp_path)) == ["a.env", "a.env.envkit-previous", "b.env"]
        current, previous = asked.history(BARE)
        assert current.version == ask(asked).version
        assert value(asked, BARE._replace(version=previous.version)) == "old"

    def test_the_leftovers_of_a_killed_copy_are_removed(self, staging, tmp_path):
        _, asked = staging()
        assert run_spawned((write_and_die, str(tmp_path))) == [-signal.SIGKILL]
        left = [name for name in os.listdir(tmp_path) if name.endswith(".envkit-tmp")]
        assert len(left) == 2, "the copy and the file are written before one gets its name"
        change(asked, "new")
        assert sorted(os.listdir(tmp_path)) == [".env.staging", ".env.staging.envkit-previous"]

    def test_nothing_is_changed_when_the_copy_cannot_be_written(self, staging):
        file, asked = staging()
        file.with_name(".env.staging.envkit-previous").mkdir()
        with pytest.raises(DotenvError, match="not a regular file"):
            change(asked, "new")
        assert file.read_text() == "A=old\n"


class TestUnset:
    def test_unset_removes_the_variable_from_the_file_that_counts(self, tmp_path):
        asked = of_several(tmp_path, "A=shared\n", "A=own\n")
        asked.write(BARE, None, expected=ask(asked).version)
        assert value(asked) == "shared"


def write_and_die(root):
    """Die when the copy of the file is written, and has not got its name yet."""
    os.replace = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    change(source(root), "new")
