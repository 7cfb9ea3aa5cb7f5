"""Files that look like `.env` files and are not used are named with the reason."""

import pytest

from envkit.scaffold.unused_files import passed_over


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("web/.env", "to use it there, run 'envkit init' in web"),
        ("apps/web/.env.local", "to use it there, run 'envkit init' in apps/web"),
        (".env.vault", "it belongs to dotenv-vault"),
        (".env.bak", "it looks like a copy"),
        (".env.a.b", "its name is no environment's"),
        (".env.base", "the profile 'base' is no environment, and reads no file"),
        (".env.base.local", "the profile 'base' is no environment, and reads no file"),
        (".env.keys", None),
        (".env.prod", None),
        ("web/readme", None),
        ("node_modules/web/.env", None),
        ("apps/node_modules/.env", None),
        ("apps/.cache/.env", None),
        ("a/b/c/.env", None),
    ],
)
def test_a_file_that_is_not_used_is_named_with_the_reason(tmp_path, file, why):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert passed_over(str(tmp_path)) == ({file: why} if why else {})


def test_a_folder_that_cannot_be_read_and_a_link_are_passed_over(tmp_path):
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / ".env").touch()
    (tmp_path / "link").symlink_to("apps")
    (tmp_path / "loop").symlink_to("loop")
    assert list(passed_over(str(tmp_path))) == ["apps/.env"]
