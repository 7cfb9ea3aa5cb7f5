"""The examples of the pages about database drivers with a live environment; see `support.pages`."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from types import SimpleNamespace
from urllib.request import urlopen

import pytest

from support.pages import ROOT, blocks, follow, pages_run_by
from support.rotators import AlternateHarness

PAGES = [page.name for page in pages_run_by("tests/live/test_live_pages_pg.py")]


@pytest.fixture
def shop(postgres, project):
    """A project whose `.env.prod` has the login of `app_a`."""
    with ExitStack() as stack:
        harness = AlternateHarness(postgres, stack, shared=True)
        user = harness.role("app_a")
        url = harness.database.dsn(user, harness.password)
        values = {"DATABASE_URL": url, "DB_USER": user, "DB_PASSWORD": harness.password}
        project.dotenv("prod", "".join(f"{name}={value}\n" for name, value in values.items()))
        yield SimpleNamespace(root=project.root, user=user, environ={"DB_PORT": str(postgres.port)})


def test_each_postgresql_driver_has_a_page():
    assert PAGES == ["asyncpg.md", "django.md", "psycopg.md", "sqlalchemy.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_print_what_it_shows(page, shop):
    follow(f"docs/guides/live/{page}", shop.root, shop.environ, {shop.user: "app_a"})


def test_a_pool_that_is_opened_after_the_fork_of_gunicorn_answers(shop):
    for block in blocks(ROOT / "docs/guides/live/psycopg.md"):
        if block.file:
            (shop.root / block.file).write_text(block.text)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--bind", "127.0.0.1:0", "web:app"]
    with subprocess.Popen(
        command,
        cwd=shop.root,
        env={**os.environ, "ENVKIT_TRUST": "1", "HOME": str(shop.root)},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            lines = iter(server.stderr.readline, "")
            address = next(m[1] for line in lines if (m := re.search(r"at: (http\S+)", line)))
            with urlopen(address, timeout=30) as answer:
                assert answer.read().decode() == shop.user
        finally:
            server.terminate()
