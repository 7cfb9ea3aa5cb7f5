"""A `.env` file that is a mount point, as in Docker, is refused before anything is changed.

It needs a mount namespace, as root or as a user namespace.
"""

import pytest

from support.mounts import run_with_mount
from support.rotating import table

pytestmark = pytest.mark.extra

ROTATION = table("token", "TOKEN", 'grace = "0s"', 'target = { previous_field = "" }')
WRITING = ("set TOKEN --env dev", "unset TOKEN --env dev", "edit --env dev")
PROMOTE = "promote prod dev OTHER --secrets --yes"
COMMANDS = (*WRITING, PROMOTE, "rotate dev/token", "rotate --plan", "doctor --env dev")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("link", [False, True], ids=["mounted", "link to a mounted file"])
def test_an_env_file_that_is_a_mount_point_is_refused(project, tmp_path, command, link):
    profile = '[variables]\nTOKEN = "{{ TOKEN }}"\nOTHER = { required = false }\n'
    project.profile("dev.toml", profile + ROTATION)
    project.profile("prod.toml", profile)
    project.dotenv("prod", "OTHER=prod\n")
    source, target = tmp_path / "host file", project.root / "a b.env"
    for file in (source, target):
        file.write_text("TOKEN=old\n")
        file.chmod(0o600)
    if link:
        (project.root / ".env.dev").symlink_to("a b.env")
    else:
        target = target.rename(project.root / ".env.dev")
    before = sorted(path.name for path in project.root.iterdir())
    env = {"EDITOR": "sed -i s/old/edited/", "HOME": str(tmp_path)}
    done = run_with_mount(source, target, *command.split(), cwd=project.root, env=env, input="new")
    assert "mount namespace" not in done.stderr, "no mount namespaces here: run it as root"
    said = done.stdout + done.stderr
    assert "it is mounted as a single file, which can only be overwritten in place" in said
    assert "mount its folder, not the file" in said
    wanted = {"rotate": 1, "doctor": 0}
    assert done.returncode == wanted.get(command.split()[0], 6), said
    assert source.read_text() == target.read_text() == "TOKEN=old\n"
    assert sorted(path.name for path in project.root.iterdir()) == before
