"""Reading files: which links are followed, which need trust, and which are never opened."""

import os
import threading

import pytest

from envkit._internal.files import (
    FileRefusedError,
    open_folder,
    read_capped,
    read_in_project,
    read_own,
    read_with_stat,
    real_path,
    set_leaving,
)
from envkit.errors import LinkRefusedError, UntrustedError
from support.refusals import raising

LIMIT = 1000


@pytest.fixture
def never():
    """Trust nothing, as the command line does until the user says otherwise."""
    before = set_leaving(None)
    yield
    set_leaving(before)


def read(root, name):
    return read_in_project(f"{root}/{name}", str(root), LIMIT)[0].decode()


class TestRead:
    def test_a_read_returns_content_and_state_within_a_limit_also_through_a_link(self, tmp_path):
        path, link = tmp_path / "file", tmp_path / "link"
        path.write_bytes(b"content")
        link.symlink_to("file")
        for name in (str(path), str(link)):
            data, state = read_with_stat(name, 100)
            assert (data, state.st_size) == (b"content", 7)
            assert read_capped(name, 7) == b"content"
            with pytest.raises(FileRefusedError, match="larger than 6 bytes"):
                read_capped(name, 6)

    def test_a_folder_pipe_or_device_is_refused_without_waiting(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
            with pytest.raises(FileRefusedError, match="not a regular file"):
                read_capped(str(path), 100)

    def test_a_missing_file_raises_file_not_found(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_capped(str(tmp_path / "nothing"), 100)


class TestReadInProject:
    @pytest.mark.parametrize("target", ["file", "./file", "folder/../file", "folder/link"])
    def test_a_link_to_a_file_of_the_project_is_followed(self, clone, never, target):
        (clone / "file").write_text("ours")
        (clone / "folder").mkdir()
        (clone / "folder" / "link").symlink_to("../file")
        (clone / "name").symlink_to(target)
        assert read(clone, "name") == "ours"

    def test_a_link_to_a_folder_of_the_project_is_followed(self, clone, never):
        (clone / "folder").mkdir()
        (clone / "folder" / "file").write_text("ours")
        (clone / "name").symlink_to(clone / "folder")
        assert read(clone, "name/file") == "ours"

    def test_a_project_behind_a_link_is_the_same_project(self, clone, never):
        (clone / "file").write_text("ours")
        (clone / "name").symlink_to(clone / "file")
        (clone.parent / "shortcut").symlink_to(clone)
        assert read(clone.parent / "shortcut", "name") == "ours"

    @pytest.mark.parametrize(
        "target",
        ["../outside/file", "{outside}/file", "hop", "../outside/nothing", "../clone-2/file"],
    )
    def test_a_link_that_leaves_the_project_is_refused(self, clone, never, target):
        (clone.parent / "clone-2").mkdir()
        (clone.parent / "clone-2" / "file").write_text("theirs")
        (clone / "hop").symlink_to("../outside/file")
        (clone / "name").symlink_to(target.format(outside=clone.parent / "outside"))
        with pytest.raises(UntrustedError) as raised:
            read(clone, "name")
        assert (raised.value.code, raised.value.exit_status) == ("untrusted-profile", 6)
        assert "trust" in raised.value.message
        assert "'envkit trust'" in raised.value.hint

    @pytest.mark.parametrize(
        "name",
        [
            *("../outside/file", "folder/../../outside/file", "out/file"),
            *("{outside}/file", "proc"),  # links of /proc are links like others
        ],
    )
    def test_a_path_that_leaves_the_project_is_refused(self, clone, never, name):
        (clone / "folder").mkdir()
        (clone / "out").symlink_to("../outside")
        (clone / "proc").symlink_to("/proc/self/environ")
        path = os.path.join(clone, name.format(outside=clone.parent / "outside"))
        with pytest.raises(UntrustedError):
            read_in_project(path, str(clone), LIMIT)

    def test_the_trust_decision_gets_the_real_paths(self, clone):
        asked = []
        before = set_leaving(lambda root, target: not asked.append((root, target)))
        try:
            (clone / "name").symlink_to("../outside/file")
            assert read(clone, "name") == "theirs"
        finally:
            set_leaving(before)
        assert asked == [(str(clone), str(clone.parent / "outside/file"))]

    def test_a_program_that_uses_the_library_may_read_outside_the_project(self, clone):
        (clone / "name").symlink_to("../outside/file")
        assert read(clone, "name") == "theirs"

    def test_a_cycle_of_links_is_an_error_and_not_a_missing_file(self, clone, never):
        (clone / "name").symlink_to("name")
        with pytest.raises(OSError, match="symbolic links"):
            read(clone, "name")

    def test_a_file_is_never_read_through_a_link_that_comes_and_goes(self, clone, never):
        """Another process repeatedly replaces the file with a link and back."""
        (clone / "ours").write_text("ours")
        (clone / "link").symlink_to("../outside/file")
        stop = threading.Event()

        def swap():
            while not stop.is_set():
                for kind in ("ours", "link"):
                    os.link(clone / kind, clone / "new", follow_symlinks=False)
                    os.replace(clone / "new", clone / "name")
                    (clone / "new").unlink(missing_ok=True)

        os.link(clone / "ours", clone / "name")
        swapping = threading.Thread(target=swap)
        swapping.start()
        seen = set()
        try:
            for count in range(100_000):
                try:
                    seen.add(read(clone, "name"))
                except (UntrustedError, OSError):
                    seen.add("refused")
                if count >= 2000 and "refused" in seen:  # on a busy machine that may take longer
                    break
        finally:
            stop.set()
            swapping.join()
        assert seen <= {"ours", "refused"}
        assert "refused" in seen, "no read met the link"


def test_read_own_does_not_follow_a_symbolic_link(clone):
    (clone / "file").write_text("ours")
    (clone / "own").symlink_to("file")
    with pytest.raises(LinkRefusedError, match="own is a symbolic link") as raised:
        read_own(str(clone / "own"), LIMIT)
    assert (raised.value.code, raised.value.exit_status) == ("link-refused", 6)


def test_read_own_does_not_read_a_hard_link(clone):
    os.link(clone.parent / "outside" / "file", clone / "own")
    with pytest.raises(LinkRefusedError, match="a hard link"):
        read_own(str(clone / "own"), LIMIT)


class TestFolders:
    def test_open_folder_follows_no_link(self, clone):
        (clone / "folder").symlink_to("../outside")
        with pytest.raises(NotADirectoryError):
            open_folder(str(clone / "folder"))
        os.close(open_folder(os.path.realpath(clone / "folder")))

    def test_descriptors_are_closed_after_success_and_failure(self, clone, never):
        (clone / "deep" / "er").mkdir(parents=True)
        (clone / "deep" / "er" / "file").write_text("ours")
        (clone / "name").symlink_to("../outside/file")
        before = os.listdir("/proc/self/fd")
        for _ in range(3):
            read(clone, "deep/er/file")
            for missing in ("deep/nothing/file", "nothing/file", "deep/er/nothing"):
                with pytest.raises(FileNotFoundError):
                    read(clone, missing)
            with pytest.raises(UntrustedError):
                read(clone, "name")
        assert os.listdir("/proc/self/fd") == before


def test_a_link_that_is_replaced_during_the_read_is_refused(clone, never, monkeypatch):
    (clone / "name").symlink_to("new")
    monkeypatch.setattr(os, "readlink", raising(OSError(22, "Invalid argument")))
    with pytest.raises(UntrustedError, match="another process is replacing links"):
        real_path(str(clone / "name"), str(clone))


def test_real_path_resolves_links_inside_the_project(clone, never):
    (clone / "name").symlink_to("new")
    assert real_path(str(clone / "name"), str(clone)) == str(clone / "new")
    assert real_path(str(clone), str(clone)) == str(clone)
    assert real_path("/etc/hostname", "/") == os.path.realpath("/etc/hostname")
