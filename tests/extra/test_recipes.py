"""The recipes that need root: the owner of the profiles decides whether they are trusted.

Each is run in a mount namespace with a `/srv` whose folders belong to root, as those of an
image or a server do, unlike the folders of a test.
"""

from __future__ import annotations

import configparser
import json
import os
import shlex
import sys

import pytest
import yaml

from support.pages import ROOT, blocks
from support.process import environment, run_program

pytestmark = pytest.mark.extra

PAGE = ROOT / "docs" / "guides" / "ci-and-containers.md"
PROFILE = '[variables]\nNODE_OPTIONS = "--no-warnings"\n'  # needs trust, and no server
UNTRUSTED = "not trusted with this: sets NODE_OPTIONS"
_SCRIPT = """
mount -t tmpfs -o mode=755 none /srv && mkdir /srv/app && cp -r . /srv/app && cd /srv/app
eval "$PREPARE" || exit 99
unset PREPARE
exec setpriv "$@"
"""


@pytest.fixture(autouse=True)
def _root():
    assert os.geteuid() == 0, "only root can run programs as other users: run it as root"


def instructions():
    """The Dockerfile of the page: instruction -> its arguments, in order."""
    [text] = [one.text for one in blocks(PAGE) if one.language == "dockerfile"]
    lines = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    return [(name, rest.replace("/app", "/srv/app")) for name, rest in lines]


def of(name):
    return [rest for other, rest in instructions() if other == name]


def in_image(project, prepare, user, **env):
    """Run the page's entry point as a user, with a project in `/srv/app` that belongs to root."""
    [entry_point] = of("ENTRYPOINT")
    program, *args = json.loads(entry_point)
    assert program == "envkit"
    # Python itself may be in a folder of root's, which the user could not enter
    rights = "-all,+dac_read_search" if user != "0" else "-all"
    identity = [f"--reuid={user}", "--regid=0", "--clear-groups"]
    capable = [f"--inh-caps={rights}", f"--ambient-caps={rights}"]
    command = [*identity, *capable, sys.executable, "-m", "envkit", *args]
    env = {**environment("/"), "ENVKIT_ENV": "prod", "PREPARE": prepare, **env}
    mounting = ("unshare", "--mount", "sh", "-c", _SCRIPT, "sh")
    return run_program(*mounting, *command, "printenv", "NODE_OPTIONS", cwd=project.root, env=env)


@pytest.fixture
def checkout(project):
    """A project as git creates it under umask 002: the group may write everything."""
    project.profile("prod.toml", PROFILE).chmod(0o664)
    project.profiles.chmod(0o775)
    project.root.chmod(0o775)
    return project


def assert_trusted(done):
    assert (done.returncode, done.stdout) == (0, "--no-warnings\n"), done.stderr


def assert_untrusted(done):
    assert done.returncode == 6, done.stderr
    assert UNTRUSTED in done.stderr


def test_the_profiles_in_the_image_of_the_guide_are_trusted(checkout):
    names = [name for name, _ in instructions()]
    last_copy = len(names) - 1 - names[::-1].index("COPY")
    assert last_copy < names.index("USER"), "what is copied must belong to root"
    done = in_image(checkout, of("RUN")[-1], of("USER")[0])
    assert_trusted(done)


def test_the_image_needs_its_chmod_line_when_a_group_may_write(checkout):
    assert_untrusted(in_image(checkout, "chmod -R g+w /srv/app", of("USER")[0]))


def test_an_image_that_runs_as_root_needs_its_chown_line(checkout):
    assert_untrusted(in_image(checkout, of("RUN")[-1], "0"))
    assert "`ENV ENVKIT_TRUST=1`" in PAGE.read_text()
    assert_trusted(in_image(checkout, of("RUN")[-1], "0", ENVKIT_TRUST="1"))


def test_a_volume_of_another_user_needs_a_trust_list(checkout):
    prepare = "chown -R 1000:1000 /srv/app/profiles && chmod -R go-w /srv/app"
    assert_untrusted(in_image(checkout, prepare, of("USER")[0]))
    assert_trusted(in_image(checkout, prepare, of("USER")[0], ENVKIT_TRUST="load:NODE_OPTIONS"))


CONFIG_MAP = """
chmod -R go-w /srv/app && cd profiles && mkdir ..2026 && mv prod.toml ..2026 && ln -s ..2026 ..data
ln -s ..data/prod.toml prod.toml && chmod 777 . && cd ..
"""


@pytest.mark.parametrize("name", ["rotate-cronjob", "rotate-fleet", "rotate-serve"])
def test_a_config_map_needs_the_trust_line_of_the_manifests(checkout, name):
    """The kubelet mounts a ConfigMap as a folder of mode 0777, with links to its files."""
    manifest = ROOT / "examples" / "kubernetes" / f"{name}.yaml"
    documents = yaml.safe_load_all(manifest.read_text(encoding="utf-8"))
    [spec] = [one["spec"] for one in documents if one["kind"] in ("Deployment", "CronJob")]
    pod = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]
    user = str(pod["securityContext"]["runAsUser"])
    [container] = pod["containers"]
    [trust] = [one["value"] for one in container["env"] if one["name"] == "ENVKIT_TRUST"]
    assert_untrusted(in_image(checkout, CONFIG_MAP, user))
    assert_trusted(in_image(checkout, CONFIG_MAP, user, ENVKIT_TRUST=trust))


def test_the_deployment_of_the_guide_needs_no_trust_line_with_the_image_of_the_guide():
    [text] = [one.text for one in blocks(PAGE) if "kind: Deployment" in one.text]
    [container] = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["runAsNonRoot"] is True
    # the kubelet recognises a non-root user only by its number
    assert of("USER")[0].isdecimal()
    assert "ENVKIT_TRUST" not in str(container["env"])


# ---------------------------------------------------------------- systemd


def unit():
    [text] = [one.text for one in blocks(PAGE) if one.language == "ini"]
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    reader.optionxform = str
    reader.read_string(text)
    return text, reader["Service"]


def test_the_unit_of_the_guide_runs_as_a_user_who_can_use_profiles_of_root(checkout):
    _, service = unit()
    assert service["User"] not in ("", "root")
    assert shlex.split(service["ExecStart"])[1:3] == ["exec", "--"]
    assert_trusted(in_image(checkout, "chmod -R go-w /srv/app", "1000"))


def test_systemd_accepts_the_unit_of_the_guide(tmp_path):
    text, service = unit()
    program = shlex.split(service["ExecStart"])[0]
    path = tmp_path / "shop.service"
    path.write_text(text.replace(program, sys.executable).replace("User=shop", "User=daemon"))
    done = run_program("systemd-analyze", "verify", path)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
