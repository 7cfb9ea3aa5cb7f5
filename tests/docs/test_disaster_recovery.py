"""The page about backups, with stand-ins for age; `make test-extra` uses the real programs."""

from support.age_programs import age_programs
from support.pages import follow


def test_the_page_about_backups_prints_what_it_shows(tmp_path):
    environ = {"PATH": age_programs(tmp_path / "bin")}
    follow("docs/guides/disaster-recovery.md", tmp_path / "shop", environ)
