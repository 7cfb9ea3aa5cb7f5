"""Paths as they are shown to people."""

from envkit._internal.paths import display_path, has_loose_link


def test_paths_are_shown_relative_to_the_working_folder(project, monkeypatch):
    inside, above = str(project.root / "..x" / "a"), str(project.root.parent / "b")
    assert display_path(inside) == "..x/a"
    assert display_path(above) == above
    gone = project.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert display_path(inside) == inside


def test_a_dangling_link_is_found_anywhere_below_the_root(tmp_path):
    (tmp_path / "loose").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "good").symlink_to("folder")
    root = str(tmp_path)
    for path in ("loose", "loose/a", "folder/../loose", "good/../loose/a/b"):
        assert has_loose_link(f"{root}/{path}", root), path
    for path in ("none", "folder", "good", "good/none", "folder/none/none"):
        assert not has_loose_link(f"{root}/{path}", root), path
    assert not has_loose_link(f"{root}/loose/a", f"{root}/loose")
    assert not has_loose_link("/nowhere/at/all", root)
