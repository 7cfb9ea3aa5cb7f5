"""Links: which are followed, which need trust, and which are never opened."""

import os
import threading

import pytest

from envkit._internal.atomic_write import write_own
from envkit._internal.file_lock import locked
from envkit._internal.files import open_folder, read_in_project, read_own, real_path, set_leaving
from envkit.errors import LinkRefusedError, UntrustedError

LIMIT = 1000


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    return root


@pytest.fixture
def never():
    """Trust nothing, as the command line does until the user says otherwise."""
    before = set_leaving(None)
    yield
    set_leaving(before)


def read(root, name):
    return read_in_project(f"{root}/{name}", str(root), LIMIT)[0].decode()


class TestReadInProject:
    @pytest.mark.parametrize("target", ["file", "./file", "folder/../file", "folder/link"])
    def test_a_link_to_a_file_of_the_project_is_followed(self, project, never, target):
        (project / "file").write_text("ours")
        (project / "folder").mkdir()
        (project / "folder" / "link").symlink_to("../file")
        (project / "name").symlink_to(target)
        assert read(project, "name") == "ours"

    def test_a_link_to_a_folder_of_the_project_is_followed(self, project, never):
        (project / "folder").mkdir()
        (project / "folder" / "file").write_text("ours")
        (project / "name").symlink_to(project / "folder")
        assert read(project, "name/file") == "ours"

    def test_a_project_that_is_reached_by_a_link_is_the_same_project(self, project, never):
        (project / "file").write_text("ours")
        (project / "name").symlink_to(project / "file")
        (project.parent / "shortcut").symlink_to(project)
        assert read(project.parent / "shortcut", "name") == "ours"

    @pytest.mark.parametrize(
        "target",
        ["../outside/file", "{outside}/file", "hop", "../outside/nothing", "../project-2/file"],
    )
    def test_a_link_that_leaves_the_project_is_refused(self, project, never, target):
        (project.parent / "project-2").mkdir()
        (project.parent / "project-2" / "file").write_text("theirs")
        (project / "hop").symlink_to("../outside/file")
        (project / "name").symlink_to(target.format(outside=project.parent / "outside"))
        with pytest.raises(UntrustedError) as raised:
            read(project, "name")
        assert (raised.value.code, raised.value.exit_status) == ("untrusted-profile", 6)
        assert "trust" in raised.value.message
        assert "'envkit trust'" in raised.value.hint

    @pytest.mark.parametrize("name", ["../outside/file", "folder/../../outside/file", "out/file"])
    def test_a_path_that_leaves_the_project_is_refused(self, project, never, name):
        (project / "folder").mkdir()
        (project / "out").symlink_to("../outside")
        with pytest.raises(UntrustedError):
            read(project, name)

    def test_an_absolute_path_out_of_the_project_is_refused(self, project, never):
        with pytest.raises(UntrustedError):
            read_in_project(str(project.parent / "outside/file"), str(project), LIMIT)

    def test_links_of_proc_are_links_like_others(self, project, never):
        (project / "name").symlink_to("/proc/self/environ")
        with pytest.raises(UntrustedError):
            read(project, "name")

    def test_the_decision_is_asked_for_with_the_real_paths(self, project):
        asked = []
        before = set_leaving(lambda root, target: not asked.append((root, target)))
        try:
            (project / "name").symlink_to("../outside/file")
            assert read(project, "name") == "theirs"
        finally:
            set_leaving(before)
        assert asked == [(str(project), str(project.parent / "outside/file"))]

    def test_a_program_that_uses_the_library_may_read_what_it_likes(self, project):
        (project / "name").symlink_to("../outside/file")
        assert read(project, "name") == "theirs"

    def test_a_circle_of_links_is_an_error_and_not_an_absence(self, project, never):
        (project / "name").symlink_to("name")
        with pytest.raises(OSError, match="symbolic links"):
            read(project, "name")

    def test_a_file_is_not_read_through_a_link_that_comes_and_goes(self, project, never):
        """Another process swaps the file for a link as fast as it can."""
        (project / "ours").write_text("ours")
        (project / "link").symlink_to("../outside/file")
        stop = threading.Event()

        def swap():
            while not stop.is_set():
                for kind in ("ours", "link"):
                    os.link(project / kind, project / "new", follow_symlinks=False)
                    os.replace(project / "new", project / "name")
                    (project / "new").unlink(missing_ok=True)

        os.link(project / "ours", project / "name")
        swapping = threading.Thread(target=swap)
        swapping.start()
        seen = set()
        try:
            for _ in range(2000):
                try:
                    seen.add(read(project, "name"))
                except (UntrustedError, OSError):
                    seen.add("refused")
        finally:
            stop.set()
            swapping.join()
        assert seen <= {"ours", "refused"}
        assert "refused" in seen, "no read met the link"


class TestOwnFiles:
    def test_a_symbolic_link_is_not_read(self, project):
        (project / "file").write_text("ours")
        (project / "own").symlink_to("file")
        with pytest.raises(LinkRefusedError, match="own is a symbolic link") as raised:
            read_own(str(project / "own"), LIMIT)
        assert (raised.value.code, raised.value.exit_status) == ("link-refused", 6)

    def test_a_hard_link_is_not_read(self, project):
        os.link(project.parent / "outside" / "file", project / "own")
        with pytest.raises(LinkRefusedError, match="a hard link"):
            read_own(str(project / "own"), LIMIT)

    @pytest.mark.parametrize("target", ["../outside/file", "../outside/new", "nowhere/x", "own"])
    def test_a_symbolic_link_is_not_written(self, project, target):
        (project / "own").symlink_to(target)
        with pytest.raises(LinkRefusedError):
            write_own(str(project / "own"), b"secret")
        assert os.readlink(project / "own") == target
        assert os.listdir(project) == ["own"]
        assert os.listdir(project.parent / "outside") == ["file"]
        assert (project.parent / "outside" / "file").read_text() == "theirs"

    def test_a_hard_link_is_not_written(self, project):
        os.link(project.parent / "outside" / "file", project / "own")
        with pytest.raises(LinkRefusedError):
            write_own(str(project / "own"), b"secret")
        assert (project / "own").read_text() == "theirs"

    @pytest.mark.parametrize("kind", ["dangling", "file", "hard"])
    def test_a_lock_is_not_taken_on_a_link(self, project, kind):
        lock, outside = project / "file.envkit-lock", project.parent / "outside"
        if kind == "hard":
            os.link(outside / "file", lock)
        else:
            lock.symlink_to(outside / ("file" if kind == "file" else "new"))
        with (
            pytest.raises(LinkRefusedError, match="envkit-lock"),
            locked(str(project / "file"), timeout_seconds=0),
        ):
            pass
        assert os.path.lexists(lock)
        assert os.listdir(outside) == ["file"]


class TestFolders:
    def test_no_link_is_followed_on_the_way_to_a_folder(self, project):
        (project / "folder").symlink_to("../outside")
        with pytest.raises(NotADirectoryError):
            open_folder(str(project / "folder"))
        os.close(open_folder(os.path.realpath(project / "folder")))

    def test_descriptors_are_closed_whatever_happens(self, project, never):
        (project / "deep" / "er").mkdir(parents=True)
        (project / "deep" / "er" / "file").write_text("ours")
        (project / "name").symlink_to("../outside/file")
        before = os.listdir("/proc/self/fd")
        for _ in range(3):
            read(project, "deep/er/file")
            for missing in ("deep/nothing/file", "nothing/file", "deep/er/nothing"):
                with pytest.raises(FileNotFoundError):
                    read(project, missing)
            with pytest.raises(UntrustedError):
                read(project, "name")
        assert os.listdir("/proc/self/fd") == before


def test_where_a_path_leads_inside_the_project(project, never):
    (project / "name").symlink_to("new")
    assert real_path(str(project / "name"), str(project)) == str(project / "new")
    assert real_path(str(project), str(project)) == str(project)
    assert real_path("/etc/hostname", "/") == os.path.realpath("/etc/hostname")
