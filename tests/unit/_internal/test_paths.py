"""Paths as people read them."""

from envkit._internal.paths import display_path


def test_paths_are_shown_from_the_working_folder(project, monkeypatch):
    inside, above = str(project.root / "..x" / "a"), str(project.root.parent / "b")
    assert display_path(inside) == "..x/a"
    assert display_path(above) == above
    gone = project.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert display_path(inside) == inside
