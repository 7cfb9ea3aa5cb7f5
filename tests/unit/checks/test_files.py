"""Checks of `.env` files in use: permissions, and whether git ignores or tracks them."""

import os

import pytest

from envkit.checks.files import ROTATION_SUFFIX
from envkit.checks.run import check
from envkit.rotation_state.stores.naming import FILE_SUFFIX
from support.checking import found, git

CODES = ("file-exposed", "file-tracked", "file-not-ignored", "file-half-plain")
ENCRYPTED = 'DOTENV_PUBLIC_KEY_PROD="02ab"\nDB_PASSWORD="encrypted:BIAx"\n'
CANARY = "canary-81e2"


@pytest.fixture
def prod(project):
    project.profile("prod.toml", '[variables]\nDB_PASSWORD = "{{ DB_PASSWORD }}"\n')
    project.dotenv("prod", f"DB_PASSWORD={CANARY}\n")
    return project


@pytest.fixture
def repository(prod):
    git(prod.root, "init", "-q")
    (prod.root / ".gitignore").write_text(".env.*\n")
    return prod


def test_a_private_file_outside_git_is_no_problem(prod):
    assert found(*CODES) == []


@pytest.mark.parametrize(
    ("mode", "rights"),
    [
        *((0o644, "read"), (0o640, "read"), (0o604, "read")),
        *((0o602, "written"), (0o666, "read and written")),
    ],
)
def test_a_file_that_others_can_use_is_a_problem(prod, mode, rights):
    (prod.root / ".env.prod").chmod(mode)
    assert found(*CODES) == [
        f".env.prod: .env.prod can be {rights} by other users [file-exposed, prod]"
    ]
    [problem] = check(environ={}).problems
    assert problem.hint == "run: chmod 600 .env.prod"


def test_a_file_that_no_profile_uses_is_not_checked(prod):
    (prod.root / ".env").write_text("A=1\n")
    (prod.root / ".env").chmod(0o644)
    assert found(*CODES) == []


def test_a_file_that_git_ignores_is_no_problem(repository):
    assert found(*CODES) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"DB_PASSWORD={CANARY}\n", ", with the values of DB_PASSWORD in clear text"),
        (
            f'DB_PASSWORD="encrypted:BIAx"\nOTHER={CANARY}\n',
            ", with the values of OTHER in clear text",
        ),
        (f"{CANARY} is no definition\n", ""),
        ('DOTENV_PUBLIC_KEY_PROD="02ab"\nDB_PASSWORD="encrypted:BIAx"\n', None),
        ('DOTENV_PUBLIC_KEY_PROD="02ab"\nA_PLAIN=1\nEMPTY=\nB="encrypted:BIAx"\n', None),
        ("A_PLAIN=1\n", ", with the values of A_PLAIN in clear text"),
        (f"<<<<<<< ours\n{ENCRYPTED}=======\n{ENCRYPTED}>>>>>>> theirs\n", None),
        (
            f"{ENCRYPTED}<<<<<<< ours\nA={CANARY}\n=======\n>>>>>>> theirs\n",
            ", with the values of A in clear text",
        ),
        (f"{ENCRYPTED}<<<<<<< ours\n{CANARY}\n=======\n>>>>>>> theirs\n", ""),
    ],
    ids=[
        "clear text",
        "ciphertext beside clear text",
        "unreadable",
        "ciphertext",
        "plain by name",
        "no public key",
        "merge conflict",
        "clear text in a merge conflict",
        "unreadable in a merge conflict",
    ],
)
def test_a_file_that_git_tracks_may_contain_only_ciphertext(repository, text, told):
    repository.dotenv("prod", text)
    git(repository.root, "add", "-f", ".env.prod")
    problem = f".env.prod: git tracks .env.prod{told} [file-tracked, prod]"
    assert found(*CODES) == ([] if told is None else [problem])


def test_files_that_git_does_not_ignore_are_one_problem(repository):
    (repository.root / ".gitignore").write_text("node_modules\n")
    repository.profile("dev.toml", '[variables]\nDB_PASSWORD = "{{ DB_PASSWORD }}"\n')
    assert found(*CODES) == [
        ".gitignore: git does not ignore .env.dev and .env.prod [file-not-ignored]"
    ]
    assert [p.hint for p in check(environ=os.environ).problems if p.code == CODES[2]] == [
        "add .env.* to .gitignore"
    ]


def test_files_that_envkit_writes_beside_an_env_file_are_checked_too(repository):
    """A team that ignores its files by name would commit the previous value."""
    (repository.root / ".gitignore").write_text(".env.prod\n")
    kept = repository.dotenv("prod.envkit-previous", f"DB_PASSWORD={CANARY}\n")
    pending = repository.dotenv("prod.DB_PASSWORD.envkit-rotation", "{}")
    repository.dotenv("production", "no file of prod")
    kept.chmod(0o640)
    git(repository.root, "add", "-f", pending.name)
    assert found(*CODES) == [
        f"{pending.name}: git tracks {pending.name} [file-tracked, prod]",
        f"{kept.name}: {kept.name} can be read by other users [file-exposed, prod]",
        f".gitignore: git does not ignore {kept.name} [file-not-ignored]",
    ]


def test_the_check_knows_the_names_of_rotation_record_files():
    assert ROTATION_SUFFIX == FILE_SUFFIX


def test_a_missing_gitignore_is_still_the_place_of_the_problem(repository):
    (repository.root / ".gitignore").unlink()
    assert found(*CODES) == [".gitignore: git does not ignore .env.prod [file-not-ignored]"]


def test_a_file_with_another_name_is_named_in_the_hint(repository):
    own = '[sources.dotenv]\npath = "secrets.env"\n'
    repository.profile("prod.toml", f'{own}[variables]\nA = "{{{{ dotenv:A }}}}"\n')
    [problem] = [p for p in check(offline=True, environ=os.environ).problems if p.code == CODES[2]]
    assert problem.hint == "add secrets.env to .gitignore"


def test_a_project_below_the_top_of_a_repository_is_checked(repository):
    from support.process import run_envkit

    inner = repository.root / "services" / "api"
    (inner / "profiles").mkdir(parents=True)
    (inner / "profiles" / "dev.toml").write_text('[variables]\nA = "{{ A }}"\n')
    (inner / ".env.dev").write_text(f"A={CANARY}\n")
    git(repository.root, "add", "-f", "services/api/.env.dev")
    done = run_envkit("check", "--offline", cwd=inner)
    assert "git tracks .env.dev" in done.stdout


def test_missing_git_hides_no_other_problem(prod):
    (prod.root / ".env.prod").chmod(0o644)
    assert len(found(*CODES, environ={"PATH": "/nowhere"})) == 1


def test_an_encrypted_file_may_be_read_by_others_and_need_not_be_ignored(repository):
    (repository.root / ".gitignore").write_text("")
    repository.dotenv("prod", ENCRYPTED)
    (repository.root / ".env.prod").chmod(0o644)
    assert found(*CODES) == []
    (repository.root / ".env.prod").chmod(0o666)
    assert found(*CODES) == [
        ".env.prod: .env.prod can be written by other users [file-exposed, prod]"
    ]


def test_plain_values_in_an_encrypted_file_are_a_problem(prod):
    prod.dotenv("prod", f"{ENCRYPTED}A={CANARY}\nB_PLAIN=1\nC={CANARY}\n")
    assert found(*CODES) == [
        ".env.prod: .env.prod is encrypted, but A and C are not [file-half-plain, prod]"
    ]


@pytest.mark.parametrize("tracked", [False, True])
def test_hint_for_plain_values_in_an_encrypted_file_is_to_encrypt_them(repository, tracked):
    (repository.root / ".gitignore").write_text("")
    repository.dotenv("prod", f"{ENCRYPTED}A={CANARY}\n")
    if tracked:
        git(repository.root, "add", ".env.prod")
    problems = [one for one in check(environ=os.environ).problems if one.code in CODES]
    [hint] = [one.hint for one in problems]
    assert hint.startswith("run: envkit env encrypt --file .env.prod")


def test_hint_for_private_keys_does_not_ignore_the_encrypted_file(repository):
    (repository.root / ".gitignore").write_text("")
    repository.dotenv("prod", ENCRYPTED)
    keys = repository.root / ".env.keys"
    keys.write_text("DOTENV_PRIVATE_KEY_PROD=x\n")
    keys.chmod(0o600)
    [problem] = [one for one in check(environ=os.environ).problems if one.code == CODES[2]]
    assert problem.hint == "add .env.keys to .gitignore"


def test_private_keys_that_git_tracks_or_others_can_read_are_a_problem(repository):
    repository.dotenv("prod", ENCRYPTED)
    keys = repository.root / ".env.keys"
    keys.write_text(f"DOTENV_PRIVATE_KEY_PROD={CANARY}\n")
    keys.chmod(0o644)
    git(repository.root, "add", "-f", ".env.keys")
    assert found(*CODES) == [
        ".env.keys: .env.keys can be read by other users [file-exposed, prod]",
        (
            ".env.keys: git tracks .env.keys, with the values of DOTENV_PRIVATE_KEY_PROD in clear "
            "text [file-tracked, prod]"
        ),
    ]
