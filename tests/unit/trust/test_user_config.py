"""The user's configuration is used only if no other user can have written it."""

from __future__ import annotations

import os

import pytest

from envkit.trust.user_config import UserConfig, config_path, read_config


@pytest.fixture
def configure(tmp_path):
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}

    def write(text, mode=0o600):
        path = tmp_path / "envkit" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return environ, write


def test_the_configuration_is_in_the_config_home_of_the_user(tmp_path):
    assert config_path({"XDG_CONFIG_HOME": "/etc/x"}) == "/etc/x/envkit/config.toml"
    home = os.path.expanduser("~/.config/envkit/config.toml")
    assert config_path({"XDG_CONFIG_HOME": "x"}) == home
    assert read_config({"XDG_CONFIG_HOME": str(tmp_path)}) == UserConfig()


def test_trusted_folders_are_read_from_the_configuration(configure, tmp_path):
    environ, write = configure
    (tmp_path / "link").symlink_to("/srv")
    write(f'trusted = ["/srv/apps/", "~/work", "{tmp_path}/link"]\nagent = true\n')
    found = read_config(environ)
    assert found.trusted == ("/srv/apps", os.path.realpath(os.path.expanduser("~/work")), "/srv")
    assert found.warnings == ()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_configuration_that_others_can_write_is_ignored(configure, mode):
    environ, write = configure
    path = write('trusted = ["/srv"]\n', mode)
    assert read_config(environ).trusted == ()
    assert read_config(environ).warnings == (
        f"{path} is ignored: other users can write to it: run 'chmod go-w {path}'",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_configuration_of_another_user_is_ignored(configure):
    environ, write = configure
    os.chown(write('trusted = ["/srv"]\n'), 65534, 65534)
    [warning] = read_config(environ).warnings
    assert warning.endswith("is ignored: it belongs to another user")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("trusted = [", "is ignored: it is not valid TOML"),
        ("\xff", "is ignored: it is not valid TOML"),
        ("trustd = []", "unknown key 'trustd': did you mean 'trusted'?"),
        ('trusted = ["apps"]', "'trusted' takes absolute paths, not 'apps'"),
        ('agent = "yes"', "'agent' takes true or false"),
        ("trusted = true", "'trusted' takes absolute paths, not True"),
    ],
)
def test_a_mistake_in_the_configuration_is_a_warning(configure, text, warning):
    environ, write = configure
    write(text).write_bytes(text.encode("latin-1"))
    found = read_config(environ)
    assert found.trusted == ()
    assert warning in found.warnings[0]


def test_a_configuration_that_is_not_a_file_is_ignored(configure, tmp_path):
    environ, _ = configure
    (tmp_path / "envkit").mkdir()
    os.mkfifo(tmp_path / "envkit" / "config.toml")
    assert "it is not a file" in read_config(environ).warnings[0]
