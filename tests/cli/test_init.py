"""`envkit init`: profiles from what a project has, without its values and over nothing."""

import stat

import pytest

from support.process import run_envkit
from support.transcript import transcript


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_empty_project_gets_profiles_that_run_at_once(folder):
    seen = transcript(run_envkit("init", cwd=folder))
    expected = """\
wrote profiles/base.toml
wrote profiles/dev.toml
wrote profiles/staging.toml
wrote profiles/prod.toml
added to .gitignore: .env, .env.*, !.env.example, *.envkit-previous, *.envkit-rotation

No value was copied; profiles name variables, and these files hold the values:
  staging: .env.staging, still without DATABASE_URL
  prod: .env.prod, still without DATABASE_URL

Next:
  envkit exec --env dev -- env
  envkit doctor
"""
    assert seen == expected
    # git takes the last line that matches: the example must come behind
    assert files(folder)[".gitignore"] == (
        "# values stay out of git\n.env\n.env.*\n!.env.example\n"
        "*.envkit-previous\n*.envkit-rotation\n"
    )
    assert sorted(files(folder)) == [
        ".gitignore",
        "profiles/base.toml",
        "profiles/dev.toml",
        "profiles/prod.toml",
        "profiles/staging.toml",
    ]
    app = ("sh", "-c", 'echo "$APP_ENV $DATABASE_URL"')
    done = run_envkit("exec", "--env", "dev", "--", *app, cwd=folder)
    assert transcript(done) == "dev postgresql://localhost:5432/app\n"
    assert run_envkit("exec", "--env", "production", "--", *app, cwd=folder).returncode == 4
    (folder / ".env.production").write_text("DATABASE_URL=postgresql://db/app\n")
    done = run_envkit("exec", "--env", "prod", "--", *app, cwd=folder)
    assert transcript(done) == "prod postgresql://db/app\n"
    assert stat.S_IMODE((folder / "profiles" / "dev.toml").stat().st_mode) == 0o644


def test_a_second_time_it_changes_nothing(folder):
    run_envkit("init", cwd=folder)
    before = files(folder)
    seen = transcript(run_envkit("init", cwd=folder))
    expected = """\
left 'base' alone, which has a profile
left 'dev' alone, which has a profile
left 'staging' alone, which has a profile
left 'prod' alone, which has a profile
"""
    assert seen == expected
    assert files(folder) == before


def test_what_is_there_is_left_alone(folder):
    (folder / "profiles").mkdir()
    (folder / "profiles" / "prod.env").write_text("A=1\n")
    (folder / "profiles" / "development.toml").write_text('variables = { A = "1" }\n')
    (folder / ".gitignore").write_text("node_modules\n.env")
    done = run_envkit("init", cwd=folder)
    assert "left 'dev' alone, which has a profile\n" in done.stdout
    assert "left 'prod' alone, which has a profile\n" in done.stdout
    after = files(folder)
    assert after["profiles/prod.env"] == "A=1\n"
    assert "profiles/dev.toml" not in after, "development.toml is that environment already"
    assert "profiles/prod.toml" not in after
    assert after[".gitignore"] == (
        "node_modules\n.env\n\n# values stay out of git\n.env.*\n!.env.example\n"
        "*.envkit-previous\n*.envkit-rotation\n"
    )


def test_a_plain_dotenv_file_is_what_development_reads_and_nobody_else(folder):
    (folder / ".env").write_text("SECRET_KEY=hunter2\nDATABASE_URL=postgresql://localhost/x\n")
    done = run_envkit("init", cwd=folder)
    seen = transcript(done)
    expected = """\
wrote profiles/base.toml
wrote profiles/dev.toml
wrote profiles/staging.toml
wrote profiles/prod.toml
added to .gitignore: .env, .env.*, !.env.example, *.envkit-previous, *.envkit-rotation

No value was copied; profiles name variables, and these files hold the values:
  dev: .env
  staging: .env.staging, still without SECRET_KEY, DATABASE_URL
  prod: .env.prod, still without SECRET_KEY, DATABASE_URL

Next:
  envkit exec --env dev -- env
  envkit doctor
"""
    assert seen == expected
    written = files(folder)
    assert written.pop(".env").startswith("SECRET_KEY=hunter2")
    assert "hunter2" not in str(written)
    assert "postgresql://localhost/x" not in str(written)
    app = ("sh", "-c", 'echo "$SECRET_KEY $DATABASE_URL"')
    done = run_envkit("exec", "--env", "dev", "--", *app, cwd=folder)
    assert transcript(done) == "hunter2 postgresql://localhost/x\n"
    assert run_envkit("exec", "--env", "prod", "--", *app, cwd=folder).returncode == 4


def test_every_dotenv_file_gives_its_environment(folder):
    (folder / ".env.example").write_text("A=\nB=\n")
    (folder / ".env.development").write_text("A=1\nB=2\n")
    (folder / ".env.prod").write_text("A=1\nB=2\nC=3\n")
    (folder / ".env.review").write_text("A=1\n")
    for name in (".env.keys", ".env.local", ".env.vault", ".env.bak", ".environment"):
        (folder / name).write_text("not read: no line of this is one of a .env file\n")
    (folder / ".env.local").write_text("A=5\n")
    done = run_envkit("init", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "  dev: .env.development\n" in done.stdout
    assert "  prod: .env.prod\n" in done.stdout
    assert "  review: .env.review, still without B\n" in done.stdout
    written = files(folder)
    assert '\n[variables]\nA = "{{ A }}"\nB = "{{ B }}"\n' in written["profiles/base.toml"]
    assert '\n[variables]\nC = "{{ C }}"\n' in written["profiles/prod.toml"]
    app = ("--", "sh", "-c", 'echo "$A $B $C"')
    assert run_envkit("exec", "-e", "dev", *app, cwd=folder).stdout == "1 2 \n"
    assert run_envkit("exec", "-e", "production", *app, cwd=folder).stdout == "1 2 3\n"


def test_without_an_example_the_base_is_what_the_files_have_in_common(folder):
    (folder / ".env.dev").write_text("A=1\nB=2\nONLY_DEV=3\n")
    (folder / ".env.prod").write_text("B=1\nA=2\nONLY_PROD=3\n")
    run_envkit("init", cwd=folder)
    written = files(folder)
    assert '\n[variables]\nA = "{{ A }}"\nB = "{{ B }}"\n' in written["profiles/base.toml"]
    for env in ("dev", "prod"):
        names = run_envkit("show", "--env", env, "--format", "json", cwd=folder).stdout
        assert f"ONLY_{env.upper()}" in names
        assert names.count('"name"') == 3


def test_environments_may_be_named(folder):
    done = run_envkit("init", "--env", "local", "-e", "eu-prod", cwd=folder)
    assert done.returncode == 0, done.stderr
    written = files(folder)
    assert [name for name in sorted(written) if name.startswith("profiles/")] == [
        "profiles/base.toml",
        "profiles/eu-prod.toml",
        "profiles/local.toml",
    ]
    app = ("--", "sh", "-c", "echo $APP_ENV")
    assert run_envkit("exec", "-e", "local", *app, cwd=folder).stdout == "local\n"


def test_a_dotenv_file_that_cannot_be_read_stops_it_before_anything_is_written(folder):
    (folder / ".env").write_text("A=1\nthis is no line of it hunter2\n")
    done = run_envkit("init", cwd=folder)
    assert done.returncode == 3
    assert done.stderr.startswith("envkit: error: .env:2: ")
    assert "hunter2" not in done.stderr
    assert sorted(files(folder)) == [".env"]
